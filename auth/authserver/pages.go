package authserver

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"
)

//go:embed pages.html
var pagesSource string

//go:embed pages.css
var pagesStyle string

var pages = template.Must(template.New("").Parse(pagesSource))

// pagesPolicy allows our one style sheet and nothing else. There is
// deliberately no form-action: Chromium applies it to the redirect that
// follows a form, and so would block the way back to the loopback listener.
var pagesPolicy = func() string {
	sum := sha256.Sum256([]byte(pagesStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; frame-ancestors 'none'"
}()

// A page is what pages.html shows. Name picks the template.
type page struct {
	Name     string
	Title    string
	Text     string
	Client   string
	User     string // who is signed in, or what to put into the name field
	Scopes   []string
	Action   string // where the form goes
	Other    string // link to sign in as somebody else
	UserCode string
	Problem  string // shown in place
	Demo     bool   // tell the demo's name and password
	Issuer   string
}

// Style is for the template. It is ours, so it needs no escaping.
func (page) Style() template.CSS { return template.CSS(pagesStyle) }

func (s *Server) show(w http.ResponseWriter, status int, p page) {
	p.Issuer = s.cfg.Issuer
	var body bytes.Buffer
	if err := pages.ExecuteTemplate(&body, p.Name, p); err != nil {
		s.cfg.Logger.Error("page failed", "page", p.Name, "err", err)
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pagesPolicy)
	h.Set("X-Frame-Options", "DENY")
	// Not no-referrer: that would make the Origin of our own forms "null".
	h.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	w.Write(body.Bytes())
}

func (s *Server) showMessage(w http.ResponseWriter, status int, title, text string) {
	s.show(w, status, page{Name: "message", Title: title, Text: text})
}

func (s *Server) serveHome(w http.ResponseWriter, _ *http.Request) {
	s.show(w, http.StatusOK, page{Name: "home", Demo: s.isDemo()})
}

// describe says in words what a scope gives.
func describe(scope string) []string {
	words := map[string]string{
		"openid":         "Know who you are",
		"profile":        "See your name",
		"email":          "See your e-mail address",
		"offline_access": "Stay signed in while you are away, for 30 days at most",
	}
	var out []string
	for _, one := range strings.Fields(scope) {
		if w, ok := words[one]; ok {
			out = append(out, w)
		} else {
			out = append(out, "Use "+one)
		}
	}
	return out
}
