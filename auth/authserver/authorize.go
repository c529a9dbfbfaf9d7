package authserver

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A code is an authorization code: the consent of one person to one request.
type code struct {
	client    *Client
	sub       string
	scope     string
	redirect  string
	challenge string
	nonce     string
	authTime  time.Time
	expires   time.Time
	used      bool
	session   string // what it gave; ended when the code comes back
}

// A login is a browser that has signed in: the value of its cookie is its key.
type login struct {
	sub string
	at  time.Time
}

// loginCookie goes to /authorize only. Cookies do not depend on the port, and
// the loopback listener that we redirect to must not get it.
const loginCookie = "authserver_login"

// An authorization is a checked authorization request. It lives in the URL
// alone: the pages post back to it, and nothing is kept until a code is made.
type authorization struct {
	client    *Client
	redirect  string
	state     string
	scope     string
	challenge string
	nonce     string
	hint      string
	prompt    []string
	maxAge    time.Duration // -1: any
}

var (
	challengeForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)       // base64url of SHA-256
	verifierForm  = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`) // RFC 7636 section 4.1
	scopeForm     = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]+( [\x21\x23-\x5B\x5D-\x7E]+)*$`)
)

// readAuthorization checks a request. A nil authorization means that the
// browser must not be redirected anywhere (RFC 6749 section 4.1.2.1); otherwise
// the client gets the fault of the request.
func (s *Server) readAuthorization(rawQuery string) (*authorization, error) {
	q, err := url.ParseQuery(rawQuery)
	if err != nil {
		return nil, badRequest("invalid_request", "The address is damaged.")
	}
	if len(q["client_id"]) != 1 || s.clients[q.Get("client_id")] == nil {
		return nil, badRequest("invalid_request", "No program of that client_id is registered here.")
	}
	a := &authorization{client: s.clients[q.Get("client_id")], maxAge: -1}
	if len(q["redirect_uri"]) != 1 || !a.client.allows(q.Get("redirect_uri")) {
		return nil, badRequest("invalid_request", "The redirect_uri is not one that this program registered.")
	}
	a.redirect = q.Get("redirect_uri")
	if len(q["state"]) == 1 {
		a.state = q.Get("state")
	}
	a.scope, a.nonce, a.hint = q.Get("scope"), q.Get("nonce"), q.Get("login_hint")
	a.challenge, a.prompt = q.Get("code_challenge"), strings.Fields(q.Get("prompt"))
	if a.scope == "" {
		a.scope = "profile" // RFC 6749 section 3.3: our default, stated in the answer
	}
	if age := q.Get("max_age"); age != "" {
		n, err := strconv.ParseUint(age, 10, 31)
		if err != nil {
			return a, badRequest("invalid_request", "max_age must be a number of seconds.")
		}
		a.maxAge = time.Duration(n) * time.Second
	}
	switch {
	case repeated(q) != "":
		return a, badRequest("invalid_request", "A parameter is given twice.")
	case q.Has("request"):
		return a, badRequest("request_not_supported", "Request objects are not supported.")
	case q.Has("request_uri"):
		return a, badRequest("request_uri_not_supported", "Request objects are not supported.")
	case q.Get("response_type") != "code":
		return a, badRequest("unsupported_response_type", "Only response_type=code is supported.")
	case q.Has("response_mode") && q.Get("response_mode") != "query":
		return a, badRequest("invalid_request", "Only response_mode=query is supported.")
	case q.Get("code_challenge_method") != "S256" || !challengeForm.MatchString(a.challenge):
		// A missing method would mean "plain" (RFC 7636 section 4.3).
		return a, badRequest("invalid_request", "PKCE with code_challenge_method=S256 is required.")
	case !scopeForm.MatchString(a.scope):
		return a, badRequest("invalid_scope", "The scope is malformed.")
	case len(a.prompt) > 1 && slices.Contains(a.prompt, "none"):
		return a, badRequest("invalid_request", "prompt=none cannot be combined.")
	}
	for _, p := range a.prompt {
		if !slices.Contains([]string{"none", "login", "consent", "select_account"}, p) {
			return a, badRequest("invalid_request", "The prompt is unknown.")
		}
	}
	return a, nil
}

// mustSignIn reports whether the request wants the password although l (nil:
// nobody) is signed in.
func (s *Server) mustSignIn(a *authorization, l *login, now time.Time) bool {
	return l == nil ||
		slices.Contains(a.prompt, "login") || slices.Contains(a.prompt, "select_account") ||
		a.maxAge >= 0 && now.Sub(l.at) > a.maxAge ||
		a.hint != "" && userName(a.hint) != l.sub
}

func (s *Server) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	now := s.now()
	a, err := s.readAuthorization(r.URL.RawQuery)
	if a == nil {
		s.cfg.Logger.Warn("authorization request refused", "err", err)
		s.showMessage(w, http.StatusBadRequest, "This link does not work", err.(*protocolError).description+" Nothing was done and nobody was told. Start again in the program that you came from.")
		return
	}
	if err != nil {
		s.deny(w, a, err)
		return
	}
	if s.cfg.AutoApprove != "" {
		s.approve(w, a, s.cfg.AutoApprove, now)
		return
	}
	l := s.login(r, now)
	needsLogin := s.mustSignIn(a, l, now)
	if slices.Contains(a.prompt, "none") {
		code := "consent_required"
		if needsLogin {
			code = "login_required"
		}
		s.deny(w, a, badRequest(code, "The person has to be asked."))
		return
	}
	if r.Method != http.MethodPost {
		s.showAuthorize(w, r, a, l, needsLogin, http.StatusOK, "")
		return
	}

	f, err := form(r)
	if err != nil {
		s.showMessage(w, http.StatusBadRequest, "That did not work", "The form was damaged on its way. Go back and try again.")
		return
	}
	switch f.Get("do") {
	case "cancel", "deny":
		s.deny(w, a, badRequest("access_denied", "The person refused."))
	case "sign-in":
		name := userName(f.Get("username"))
		if !s.checkPassword(name, f.Get("password")) {
			s.cfg.Logger.Info("sign-in failed", "client", a.client.ID)
			a.hint = f.Get("username")
			s.showAuthorize(w, r, a, nil, true, http.StatusForbidden, "That name and password do not belong together. Try again.")
			return
		}
		if !s.remember(w, name, now) {
			s.showMessage(w, http.StatusServiceUnavailable, "Too busy", "Too many people are signing in. Try again in a minute.")
			return
		}
		// The rest of the request, minus what has just been done: a reload asks nothing twice.
		rest := r.URL.Query()
		for _, done := range []string{"prompt", "max_age", "login_hint"} {
			rest.Del(done)
		}
		w.Header().Set("Location", "/authorize?"+rest.Encode())
		w.WriteHeader(http.StatusSeeOther)
	case "allow":
		if needsLogin {
			s.showAuthorize(w, r, a, nil, true, http.StatusOK, "Your sign-in has expired. Please sign in again.")
			return
		}
		s.approve(w, a, l.sub, l.at)
	default:
		s.showMessage(w, http.StatusBadRequest, "That did not work", "The form was damaged on its way. Go back and try again.")
	}
}

func (s *Server) showAuthorize(w http.ResponseWriter, r *http.Request, a *authorization, l *login, signIn bool, status int, problem string) {
	p := page{Client: a.client.name(), Action: "/authorize?" + r.URL.RawQuery, Problem: problem}
	if signIn {
		p.Name, p.User, p.Demo = "sign-in", a.hint, s.isDemo()
	} else {
		again := r.URL.Query()
		again.Set("prompt", "login")
		p.Name, p.User, p.Scopes, p.Other = "consent", l.sub, describe(a.scope, s.cfg.MaxAge), "/authorize?"+again.Encode()
	}
	s.show(w, status, p)
}

// login returns who is signed in with the browser that sent r, or nil.
func (s *Server) login(r *http.Request, now time.Time) *login {
	cookie, err := r.Cookie(loginCookie)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.logins[cookie.Value]
	if l == nil || now.After(l.at.Add(loginLifetime)) {
		return nil
	}
	return l
}

// remember signs the browser in under a new, unguessable cookie.
func (s *Server) remember(w http.ResponseWriter, sub string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.roomLocked(now) {
		return false
	}
	value := rand.Text()
	s.logins[value] = &login{sub, now}
	http.SetCookie(w, &http.Cookie{Name: loginCookie, Value: value, Path: "/authorize", HttpOnly: true,
		Secure: strings.HasPrefix(s.cfg.Issuer, "https:"), SameSite: http.SameSiteLaxMode})
	return true
}

// approve sends the browser back with a code.
func (s *Server) approve(w http.ResponseWriter, a *authorization, sub string, authTime time.Time) {
	s.mu.Lock()
	now := s.now()
	value, room := rand.Text(), s.roomLocked(now)
	if room {
		s.codes[value] = &code{client: a.client, sub: sub, scope: a.scope, redirect: a.redirect, challenge: a.challenge,
			nonce: a.nonce, authTime: authTime, expires: now.Add(codeLifetime)}
	}
	s.mu.Unlock()
	if !room {
		s.deny(w, a, errNoRoom)
		return
	}
	s.cfg.Logger.Info("authorization approved", "client", a.client.ID, "user", sub)
	s.redirect(w, a, url.Values{"code": {value}})
}

// deny sends the browser back with an error.
func (s *Server) deny(w http.ResponseWriter, a *authorization, err error) {
	e := err.(*protocolError)
	s.cfg.Logger.Info("authorization refused", "client", a.client.ID, "err", e)
	s.redirect(w, a, url.Values{"error": {e.code}, "error_description": {e.description}})
}

// redirect adds the answer to the redirect's own query. The issuer is in
// every answer, errors too, so that a client of several servers knows which one
// answers (RFC 9207 section 2).
func (s *Server) redirect(w http.ResponseWriter, a *authorization, answer url.Values) {
	answer.Set("iss", s.cfg.Issuer)
	if a.state != "" {
		answer.Set("state", a.state)
	}
	sep := "?"
	if strings.Contains(a.redirect, "?") {
		sep = "&"
	}
	w.Header().Set("Location", a.redirect+sep+answer.Encode())
	w.WriteHeader(http.StatusSeeOther) // RFC 9700 section 4.12: never 307, which would repeat the password
}

// emailDomain makes an e-mail address of a user's name.
const emailDomain = "@example.org"

// userName takes a name or that user's e-mail address.
func userName(s string) string { return strings.TrimSuffix(strings.TrimSpace(s), emailDomain) }

func (s *Server) checkPassword(name, password string) bool {
	want, ok := s.cfg.Users[name]
	return same(want, password) && ok
}

func (s *Server) isDemo() bool {
	return len(s.cfg.Users) == 1 && s.cfg.Users[DefaultUser] == DefaultPassword
}

func (c *Client) name() string {
	if c.Name != "" {
		return c.Name
	}
	return c.ID
}
