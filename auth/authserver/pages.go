package authserver

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"
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
	Demo     bool   // show the demo's name and password
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
func describe(scope string, maxAge time.Duration) []string {
	var out []string
	for one := range strings.FieldsSeq(scope) {
		switch one {
		case "openid":
			one = "Know who you are"
		case "profile":
			one = "See your name"
		case "email":
			one = "See your e-mail address"
		case "offline_access":
			one = "Stay signed in while you are away, for at most " + inWords(maxAge)
		default:
			one = "Use " + one
		}
		out = append(out, one)
	}
	return out
}

// inWords names a duration by the largest unit that divides it.
func inWords(d time.Duration) string {
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}} {
		if n := d / unit.size; d%unit.size == 0 && n > 0 {
			if n > 1 {
				unit.name += "s"
			}
			return fmt.Sprintf("%d %s", n, unit.name)
		}
	}
	return d.String()
}
