package authserver

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"curfew/auth/authserver/robot"

	"github.com/golang-jwt/jwt/v5"
)

func readReply(t *testing.T, resp *http.Response) reply {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := reply{status: resp.StatusCode, header: resp.Header, body: body}
	json.Unmarshal(body, &r.json)
	return r
}

func pathOf(u string) string { return strings.TrimPrefix(u, testIssuer) }

// An unknown visitor is never sent anywhere.
func TestNeverRedirected(t *testing.T) {
	l := newLab(t, func(c *Config) { c.AutoApprove = "alice" })
	for name, u := range map[string]string{
		"unknown client":         authorizeURL(map[string]string{"client_id": "nobody"}),
		"no client":              authorizeURL(map[string]string{"client_id": ""}),
		"two clients":            authorizeURL(nil) + "&client_id=curfew",
		"no redirect":            authorizeURL(map[string]string{"redirect_uri": ""}),
		"two redirects":          authorizeURL(nil) + "&redirect_uri=" + url.QueryEscape(testRedirect),
		"foreign redirect":       authorizeURL(map[string]string{"redirect_uri": "https://attacker.example/callback"}),
		"localhost":              authorizeURL(map[string]string{"redirect_uri": "http://localhost:5555/callback"}),
		"other path":             authorizeURL(map[string]string{"redirect_uri": testRedirect + "/x"}),
		"query added":            authorizeURL(map[string]string{"redirect_uri": testRedirect + "?x=1"}),
		"other client's address": authorizeURL(map[string]string{"client_id": "other", "redirect_uri": "http://[::1]:5/callback"}),
		"damaged query":          authorizeURL(nil) + "&x=%zz",
		"semicolons":             authorizeURL(nil) + ";x=1",
	} {
		got := l.request(pathOf(u), nil)
		if got.status != 400 || got.header.Get("Location") != "" || !strings.Contains(string(got.body), "<h1>This link does not work</h1>") {
			t.Errorf("%s: %d, Location %q", name, got.status, got.header.Get("Location"))
		}
	}
}

// Errors of a known client go to it, with state and issuer.
func TestAuthorizeErrors(t *testing.T) {
	l := newLab(t, nil)
	for _, tt := range []struct {
		name    string
		changes map[string]string
		add     string
		want    string
		state   string
	}{
		{"no PKCE", map[string]string{"code_challenge": "", "code_challenge_method": ""}, "", "invalid_request", "st"},
		{"plain PKCE", map[string]string{"code_challenge_method": "plain"}, "", "invalid_request", "st"},
		{"PKCE method missing", map[string]string{"code_challenge_method": ""}, "", "invalid_request", "st"},
		{"short challenge", map[string]string{"code_challenge": "abc"}, "", "invalid_request", "st"},
		{"padded challenge", map[string]string{"code_challenge": challengeOf("x") + "="}, "", "invalid_request", "st"},
		{"implicit", map[string]string{"response_type": "token"}, "", "unsupported_response_type", "st"},
		{"no response type", map[string]string{"response_type": ""}, "", "unsupported_response_type", "st"},
		{"fragment", map[string]string{"response_mode": "fragment"}, "", "invalid_request", "st"},
		{"scope twice", nil, "&scope=openid", "invalid_request", "st"},
		{"challenge twice", nil, "&code_challenge=" + challengeOf("x"), "invalid_request", "st"},
		{"state twice", nil, "&state=st", "invalid_request", ""},
		{"unknown parameter twice", nil, "&x=1&x=2", "invalid_request", "st"},
		{"bad scope", map[string]string{"scope": `a"b`}, "", "invalid_scope", "st"},
		{"bad prompt", map[string]string{"prompt": "maybe"}, "", "invalid_request", "st"},
		{"prompt none and login", map[string]string{"prompt": "none login"}, "", "invalid_request", "st"},
		{"bad max_age", map[string]string{"max_age": "-1"}, "", "invalid_request", "st"},
		{"request object", map[string]string{"request": "x.y.z"}, "", "request_not_supported", "st"},
		{"request_uri", map[string]string{"request_uri": "https://x"}, "", "request_uri_not_supported", "st"},
		{"not signed in", map[string]string{"prompt": "none"}, "", "login_required", "st"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := l.visit(authorizeURL(tt.changes) + tt.add)
			if q.Get("error") != tt.want || q.Get("state") != tt.state || q.Get("iss") != testIssuer || q.Has("code") || q.Get("error_description") == "" {
				t.Errorf("got %v", q)
			}
		})
	}
}

func TestSignInPages(t *testing.T) {
	l := newLab(t, nil)
	first := l.visit(authorizeURL(nil))
	if first.Get("code") == "" || first.Get("state") != "st" || first.Get("iss") != testIssuer {
		t.Fatalf("got %v", first)
	}

	// The second time the person is signed in and only asked for consent.
	l.browser.Password = "forgotten"
	if q := l.visit(authorizeURL(nil)); q.Get("code") == "" {
		t.Fatalf("got %v", q)
	}
	if q := l.visit(authorizeURL(map[string]string{"prompt": "none"})); q.Get("error") != "consent_required" {
		t.Errorf("prompt=none: %v", q)
	}

	for name, changes := range map[string]map[string]string{
		"prompt=login":              {"prompt": "login"},
		"prompt=login consent":      {"prompt": "login consent"},
		"prompt=select_account":     {"prompt": "select_account"},
		"max_age passed":            {"max_age": "0"},
		"login_hint of another one": {"login_hint": "bob"},
	} {
		l.after(time.Second)
		page, err := l.browser.Visit(context.Background(), authorizeURL(changes))
		if !errors.Is(err, robot.ErrStuck) || page.Arrived {
			t.Errorf("%s: went through without a password: %+v %v", name, page, err)
		}
		if !strings.Contains(page.Text, "That name and password do not belong together. Try again.") || page.Status != 403 {
			t.Errorf("%s: the page says nothing of the wrong password: %d %s", name, page.Status, page.Text)
		}
	}
	l.browser.Password = "alice-pw"
	l.after(time.Hour)
	q := l.visit(authorizeURL(map[string]string{"prompt": "login"}))
	_, c := claims(t, l.exchange(q.Get("code"), nil).str("id_token"))
	if c["auth_time"] != float64(l.now.Unix()) {
		t.Errorf("auth_time %v, want %v", c["auth_time"], l.now.Unix())
	}
	l.after(time.Hour) // auth_time is the password's, not the consent's
	_, c = claims(t, l.signIn().str("id_token"))
	if c["auth_time"] != float64(l.now.Add(-time.Hour).Unix()) {
		t.Errorf("auth_time %v, want an hour ago", c["auth_time"])
	}
	l.browser.Password = "forgotten"
	l.after(12 * time.Hour) // a day's sign-in ends
	if _, err := l.browser.Visit(context.Background(), authorizeURL(nil)); !errors.Is(err, robot.ErrStuck) {
		t.Errorf("signed in for ever: %v", err)
	}
}

func TestConsentSaysWhat(t *testing.T) {
	for maxAge, want := range map[time.Duration]string{0: "for at most 30 days", time.Hour: "for at most 1 hour", 90 * time.Second: "for at most 90 seconds"} {
		l := newLab(t, func(c *Config) { c.MaxAge = maxAge })
		l.code()
		l.browser.Close = true
		page, err := l.browser.Visit(context.Background(), authorizeURL(map[string]string{"scope": "openid profile email offline_access tasks:read"}))
		wantText := "Let Curfew in? You are signed in as alice. Not you? Know who you are See your name See your e-mail address Stay signed in while you are away, " + want + " Use tasks:read Allow Deny https://as.test"
		if !errors.Is(err, robot.ErrClosed) || page.Text != wantText {
			t.Errorf("got %q %v", page.Text, err)
		}
	}
}

func TestLoginHint(t *testing.T) {
	l := newLab(t, nil)
	for _, hint := range []string{"bob", "bob@example.org"} {
		l.browser = &robot.Browser{Password: "bob-pw", Transport: l} // types no name: the page suggests it
		q := l.visit(authorizeURL(map[string]string{"login_hint": hint}))
		_, c := claims(t, l.exchange(q.Get("code"), nil).str("access_token"))
		if c["sub"] != "bob" {
			t.Errorf("hint %s: signed in as %v", hint, c["sub"])
		}
	}
}

func TestDeny(t *testing.T) {
	l := newLab(t, nil)
	l.browser.Deny = true
	for _, where := range []string{"at the sign-in", "at the consent"} {
		q := l.visit(authorizeURL(nil))
		if q.Get("error") != "access_denied" || q.Get("state") != "st" || q.Get("iss") != testIssuer {
			t.Errorf("%s: %v", where, q)
		}
		l.browser.Deny = false
		l.visit(authorizeURL(nil))
		l.browser.Deny = true
	}
	l.browser.Close = true
	if page, err := l.browser.Visit(context.Background(), authorizeURL(nil)); !errors.Is(err, robot.ErrClosed) || !strings.Contains(page.Text, "Let Curfew in?") {
		t.Errorf("closing the browser: %+v %v", page, err)
	}
}

func TestAutoApprove(t *testing.T) {
	l := newLab(t, func(c *Config) { c.AutoApprove = "bob" })
	got := l.request(pathOf(authorizeURL(map[string]string{"prompt": "login"})), nil)
	if got.status != http.StatusSeeOther || !strings.HasPrefix(got.header.Get("Location"), testRedirect+"?code=") {
		t.Fatalf("%d %v", got.status, got.header)
	}
	if _, c := claims(t, l.signIn().str("access_token")); c["sub"] != "bob" {
		t.Errorf("signed in as %v", c["sub"])
	}
}

func TestCrossOriginFormsRefused(t *testing.T) {
	l := newLab(t, nil)
	l.code() // somebody is signed in
	var cookie string
	for cookie = range l.s.logins {
	}
	consent := url.Values{"do": {"allow"}}
	send := func(header ...string) reply {
		return l.request(pathOf(authorizeURL(nil)), consent, append(header, "Cookie", loginCookie+"="+cookie)...)
	}
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"}, // another port of 127.0.0.1
		{"Origin", "https://attacker.example"},
		{"Origin", "null"},
	} {
		if got := send(header...); got.status != 403 || got.header.Get("Location") != "" {
			t.Errorf("%v: %d %s", header, got.status, got.header.Get("Location"))
		}
	}
	if got := send("Sec-Fetch-Site", "same-origin"); got.status != 303 {
		t.Errorf("our own form: %d", got.status)
	}
	if got := l.request("/token", url.Values{"grant_type": {grantRefresh}}, "Sec-Fetch-Site", "cross-site"); got.status != 403 {
		t.Errorf("a token request of another site: %d", got.status)
	}
	if got := l.request(pathOf(authorizeURL(nil)), consent); got.status != 200 || got.header.Get("Location") != "" {
		t.Errorf("consent without a sign-in: %d %v", got.status, got.header)
	}
}

func TestOtherHostRefused(t *testing.T) {
	l := newLab(t, func(c *Config) { c.AutoApprove = "alice" })
	r, err := http.NewRequest(http.MethodGet, authorizeURL(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "rebound.example"
	resp, err := l.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("got %s", resp.Status)
	}
}

func TestPagePolicy(t *testing.T) {
	l := newLab(t, nil)
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`)
	for _, path := range []string{pathOf(authorizeURL(nil)), "/device", "/", "/authorize"} {
		got := l.request(path, nil)
		policy := got.header.Get("Content-Security-Policy")
		m := style.FindSubmatch(got.body)
		if m == nil {
			t.Fatalf("%s has no style", path)
		}
		sum := sha256.Sum256(m[1])
		if want := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
			t.Errorf("%s: the policy %q blocks its own style (%s)", path, policy, want)
		}
		// It would block the redirect to the loopback listener in Chromium.
		if strings.Contains(policy, "form-action") {
			t.Errorf("%s: form-action in %q", path, policy)
		}
		if !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(string(got.body), "<script") {
			t.Errorf("%s: %q", path, policy)
		}
	}
	evil := `"><script>alert(1)</script>`
	got := l.request(pathOf(authorizeURL(map[string]string{"login_hint": evil, "state": evil})), nil)
	if strings.Contains(string(got.body), "<script") {
		t.Error("a parameter became markup")
	}
}

func TestMetadata(t *testing.T) {
	l := newLab(t, nil)
	a := l.request("/.well-known/openid-configuration", nil)
	b := l.request("/.well-known/oauth-authorization-server", nil)
	if string(a.body) != string(b.body) || a.str("issuer") != testIssuer {
		t.Errorf("got %s and %s", a.body, b.body)
	}
	for key, path := range map[string]string{"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/jwks",
		"userinfo_endpoint": "/userinfo", "revocation_endpoint": "/revoke", "device_authorization_endpoint": "/device_authorization"} {
		if a.str(key) != testIssuer+path {
			t.Errorf("%s: %s", key, a.str(key))
		}
		if got := l.request(path, nil); got.status == 404 {
			t.Errorf("%s is not there", path)
		}
	}
	if a.json["authorization_response_iss_parameter_supported"] != true || a.json["request_uri_parameter_supported"] != false {
		t.Errorf("got %s", a.body)
	}
}

// verify checks a token by what the JWKS shows, as a stranger would.
func verify(t *testing.T, l *lab, token string) error {
	t.Helper()
	var set struct {
		Keys []struct{ Kid, X, Y, Alg, Crv string }
	}
	if err := json.Unmarshal(l.request("/jwks", nil).body, &set); err != nil {
		t.Fatal(err)
	}
	_, err := jwt.Parse(token, func(tok *jwt.Token) (any, error) {
		for _, k := range set.Keys {
			if k.Kid == tok.Header["kid"] {
				return publicKey(k.X, k.Y)
			}
		}
		return nil, errors.New("kid not found")
	}, jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer(testIssuer), jwt.WithAudience(DefaultClientID), jwt.WithTimeFunc(func() time.Time { return l.now }))
	return err
}

func TestKeys(t *testing.T) {
	l := newLab(t, nil)
	r := l.signIn()
	id := r.str("id_token")
	if err := verify(t, l, id); err != nil {
		t.Fatal(err)
	}
	_, c := claims(t, id)
	sum := sha256.Sum256([]byte(r.str("access_token")))
	if c["at_hash"] != base64.RawURLEncoding.EncodeToString(sum[:16]) {
		t.Errorf("at_hash %v", c["at_hash"])
	}
	if err := l.s.RollKey(); err != nil {
		t.Fatal(err)
	}
	r2 := l.mustRefresh(r.str("refresh_token")) // signed with the key before
	if err := verify(t, l, r2.str("id_token")); err != nil {
		t.Errorf("new key: %v", err)
	}
	if err := verify(t, l, id); err != nil {
		t.Errorf("key before: %v", err)
	}
	if err := l.s.RollKey(); err != nil {
		t.Fatal(err)
	}
	if err := verify(t, l, id); err == nil {
		t.Error("a key two generations old is still shown")
	}
}

func TestDeviceGrant(t *testing.T) {
	start := func(l *lab) reply {
		r := l.request("/device_authorization", url.Values{"client_id": {DefaultClientID}, "scope": {"openid email"}})
		if r.status != 200 || !regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`).MatchString(r.str("user_code")) {
			t.Fatalf("%d %s", r.status, r.body)
		}
		return r
	}
	poll := func(l *lab, r reply) reply {
		return l.request("/token", url.Values{"client_id": {DefaultClientID}, "grant_type": {grantDevice}, "device_code": {r.str("device_code")}})
	}
	const pending = "The person has not decided yet."
	t.Run("approved", func(t *testing.T) {
		l := newLab(t, nil)
		r := start(l)
		l.wantError(poll(l, r), 400, "authorization_pending", pending)
		l.after(5 * time.Second)
		l.wantError(poll(l, r), 400, "authorization_pending", pending)
		page, err := l.browser.Visit(context.Background(), r.str("verification_uri_complete"))
		if err != nil || !strings.Contains(page.Text, "The device is signed in") {
			t.Fatalf("%+v %v", page, err)
		}
		l.after(5 * time.Second)
		got := poll(l, r)
		if got.status != 200 || got.str("scope") != "openid email" || got.str("refresh_token") == "" || got.str("id_token") == "" {
			t.Fatalf("%d %s", got.status, got.body)
		}
		l.mustRefresh(got.str("refresh_token"))
		l.after(5 * time.Second)
		l.wantError(poll(l, r), 400, "invalid_grant", "The device code is unknown.")
	})
	t.Run("typed badly", func(t *testing.T) {
		l := newLab(t, nil)
		r := start(l)
		l.browser.Fields = map[string]string{"user_code": " " + strings.ToLower(strings.ReplaceAll(r.str("user_code"), "-", " "))}
		if page, err := l.browser.Visit(context.Background(), r.str("verification_uri")); err != nil || page.Status != 200 {
			t.Fatalf("%+v %v", page, err)
		}
		if got := poll(l, r); got.status != 200 {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	t.Run("denied", func(t *testing.T) {
		l := newLab(t, nil)
		r := start(l)
		l.browser.Deny = true
		if page, err := l.browser.Visit(context.Background(), r.str("verification_uri_complete")); err != nil || !strings.Contains(page.Text, "The device was refused") {
			t.Fatalf("%+v %v", page, err)
		}
		l.wantError(poll(l, r), 400, "access_denied", "The person refused.")
	})
	t.Run("too fast", func(t *testing.T) {
		l := newLab(t, nil)
		r := start(l)
		poll(l, r)
		l.after(4 * time.Second)
		l.wantError(poll(l, r), 400, "slow_down", "Wait five seconds longer between polls.")
		l.after(9 * time.Second) // the interval is ten now, for good
		l.wantError(poll(l, r), 400, "slow_down", "Wait five seconds longer between polls.")
		l.after(15 * time.Second)
		l.wantError(poll(l, r), 400, "authorization_pending", pending)
	})
	t.Run("too late", func(t *testing.T) {
		l := newLab(t, nil)
		r := start(l)
		l.after(5*time.Minute + 1)
		l.wantError(poll(l, r), 400, "expired_token", "The device code has expired.")
		page, err := l.browser.Visit(context.Background(), r.str("verification_uri_complete"))
		if err == nil || !strings.Contains(page.Text, "No device shows that code now.") {
			t.Errorf("%+v %v", page, err)
		}
	})
	t.Run("another client", func(t *testing.T) {
		l := newLab(t, nil)
		r := start(l)
		got := l.request("/token", url.Values{"client_id": {"other"}, "grant_type": {grantDevice}, "device_code": {r.str("device_code")}})
		l.wantError(got, 400, "invalid_grant", "The device code is unknown.")
	})
	t.Run("auto-approved", func(t *testing.T) {
		l := newLab(t, func(c *Config) { c.AutoApprove = "alice" })
		r := start(l)
		l.request(pathOf(r.str("verification_uri_complete")), nil)
		if got := poll(l, r); got.status != 200 {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	t.Run("bad scope", func(t *testing.T) {
		l := newLab(t, nil)
		l.wantError(l.request("/device_authorization", url.Values{"client_id": {DefaultClientID}, "scope": {`"`}}), 400, "invalid_scope", "The scope is malformed.")
	})
}

func TestMatchRedirect(t *testing.T) {
	const v4 = "http://127.0.0.1/callback"
	for _, tt := range []struct {
		registered, got string
		want            bool
	}{
		{v4, v4, true},
		{v4, "http://127.0.0.1:1/callback", true},
		{v4, "http://127.0.0.1:65535/callback", true},
		{"http://[::1]/callback", "http://[::1]:49152/callback", true},
		{"http://127.0.0.1:8080/callback", "http://127.0.0.1:9/callback", true},
		{"http://127.0.0.1:8080/callback", v4, true},
		{"http://127.0.0.1", "http://127.0.0.1:9", true},
		{"http://127.0.0.1/cb?x=1", "http://127.0.0.1:9/cb?x=1", true},
		{"https://app.example/cb", "https://app.example/cb", true},
		{"org.example.app:/cb", "org.example.app:/cb", true},

		{v4, "http://127.0.0.1:65536/callback", false},
		{v4, "http://127.0.0.1:0/callback", false},
		{v4, "http://127.0.0.1:01/callback", false},
		{v4, "http://127.0.0.1:+1/callback", false},
		{v4, "http://127.0.0.1:/callback", false},
		{v4, "http://127.0.0.1:5/callback/", false},
		{v4, "http://127.0.0.1:5/Callback", false},
		{v4, "http://127.0.0.1:5/x/../callback", false},
		{v4, "http://127.0.0.1:5/%63allback", false},
		{v4, "http://127.0.0.1:5/callback?x", false},
		{v4, "http://127.0.0.1:5/callback#x", false},
		{v4, "http://127.0.0.1:5/x?/callback", false},
		{v4, "http://127.0.0.1:5#/callback", false},
		{v4, "https://127.0.0.1:5/callback", false},
		{v4, "HTTP://127.0.0.1:5/callback", false},
		{v4, "http://127.0.0.1.attacker.example/callback", false},
		{v4, "http://127.0.0.1:5@attacker.example/callback", false},
		{v4, "http://u@127.0.0.1:5/callback", false},
		{v4, "http://127.0.0.2:5/callback", false},
		{v4, "http://127.1:5/callback", false},
		{v4, "http://localhost:5/callback", false},
		{v4, "http://[::1]:5/callback", false},
		{v4, "", false},
		{"http://localhost/callback", "http://localhost:5/callback", false},
		{"https://127.0.0.1/callback", "https://127.0.0.1:5/callback", false},
		{"https://app.example/cb", "https://app.example:444/cb", false},
	} {
		if got := matchRedirect(tt.registered, tt.got); got != tt.want {
			t.Errorf("matchRedirect(%q, %q) = %v", tt.registered, tt.got, got)
		}
	}
}

// What matches is, to a parser, the registered URL but for its port.
func FuzzMatchRedirect(f *testing.F) {
	for _, s := range []string{"http://127.0.0.1:5/callback", "http://127.0.0.1:5@x/callback", "http://127.0.0.1:5/x?/callback", "http://[::1]:5/callback", "http://127.0.0.1:/callback"} {
		f.Add("http://127.0.0.1/callback", s)
		f.Add("http://[::1]/callback", s)
	}
	f.Add("http://127.0.0.1:7", "http://127.0.0.1:8")
	f.Fuzz(func(t *testing.T, registered, got string) {
		if checkRedirect(registered) != nil || !matchRedirect(registered, got) || registered == got {
			return
		}
		r, err1 := url.Parse(registered)
		g, err2 := url.Parse(got)
		if err1 != nil || err2 != nil {
			t.Fatalf("%q matched %q and does not parse: %v %v", got, registered, err1, err2)
		}
		if g.Scheme != "http" || g.Hostname() != r.Hostname() || !isLoopback(g.Hostname()) || g.EscapedPath() != r.EscapedPath() || g.RawQuery != r.RawQuery || g.User != nil || g.Fragment != "" {
			t.Fatalf("%q matched %q", got, registered)
		}
	})
}

func TestConfigErrors(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no issuer", func(c *Config) { c.Issuer = "" }, `issuer "": must be scheme://host[:port], without a path`},
		{"path", func(c *Config) { c.Issuer = "https://as.test/" }, `issuer "https://as.test/": must be scheme://host[:port], without a path`},
		{"http", func(c *Config) { c.Issuer = "http://as.test" }, `issuer "http://as.test": must be https, or http on a loopback address such as 127.0.0.1`},
		{"localhost", func(c *Config) { c.Issuer = "http://localhost:1" }, `issuer "http://localhost:1": must be https, or http on a loopback address such as 127.0.0.1`},
		{"auto-approve", func(c *Config) { c.AutoApprove = "eve" }, `auto-approve: there is no user "eve"`},
		{"two clients", func(c *Config) { c.Clients = []Client{{ID: "a"}, {ID: "a"}} }, `client ids must be there and differ: "a"`},
		{"redirect", func(c *Config) { c.Clients = []Client{{ID: "a", Redirects: []string{"http://x.test/cb"}}} }, `client "a": redirect "http://x.test/cb": http is for loopback addresses only`},
		{"fragment", func(c *Config) { c.Clients = []Client{{ID: "a", Redirects: []string{"https://x.test/#"}}} }, `client "a": redirect "https://x.test/#": must be an absolute URL without user and fragment`},
		{"lifetime", func(c *Config) { c.AccessLifetime = time.Millisecond }, `access lifetime 1ms: must be whole seconds, at least one`},
		{"age", func(c *Config) { c.MaxAge = -time.Hour }, `maximum age -1h0m0s: must be whole seconds, at least one`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := Config{Issuer: testIssuer}
			tt.change(&c)
			if _, err := New(c); err == nil || err.Error() != "authorization server: "+tt.want {
				t.Errorf("got %v", err)
			}
		})
	}
}

// What a person can do wrong on the pages is said on a page, and nobody is
// sent anywhere.
func TestDamagedForms(t *testing.T) {
	l := newLab(t, nil)
	device := l.request("/device_authorization", url.Values{"client_id": {DefaultClientID}})
	l.wantError(l.request("/device_authorization", url.Values{}), 401, "invalid_client", "Client authentication failed.")
	for _, tt := range []struct {
		path string
		form url.Values
		want string
	}{
		{pathOf(authorizeURL(nil)), url.Values{"do": {"dance"}}, "That did not work"},
		{pathOf(authorizeURL(nil)), url.Values{"do": {"allow", "deny"}}, "That did not work"},
		{pathOf(authorizeURL(nil)), url.Values{"do": {"allow"}}, "Your sign-in has expired. Please sign in again."},
		{"/device", url.Values{"do": {"allow", "deny"}}, "That did not work"},
		{"/device", url.Values{"do": {"allow"}, "user_code": {device.str("user_code")}, "username": {"alice"}, "password": {"x"}}, "That name and password do not belong together."},
		{"/device", url.Values{"do": {"allow"}, "user_code": {device.str("user_code")}, "username": {"nobody"}}, "That name and password do not belong together."},
	} {
		got := l.request(tt.path, tt.form)
		if !strings.Contains(string(got.body), tt.want) || got.header.Get("Location") != "" || len(got.header["Set-Cookie"]) != 0 {
			t.Errorf("%s %v: %d %v %s", tt.path, tt.form, got.status, got.header, got.body)
		}
	}
	if len(l.s.codes)+len(l.s.logins) != 0 {
		t.Error("something came of it")
	}
}

func TestRedirectKeepsItsQuery(t *testing.T) {
	l := newLab(t, func(c *Config) {
		c.AutoApprove = "alice"
		c.Clients = []Client{{ID: DefaultClientID, Redirects: []string{"http://127.0.0.1/callback?tenant=a%20b"}}}
	})
	q := l.visit(authorizeURL(map[string]string{"redirect_uri": "http://127.0.0.1:7/callback?tenant=a%20b"}))
	if q.Get("tenant") != "a b" || q.Get("code") == "" || q.Get("state") != "st" {
		t.Errorf("got %v", q)
	}
}
