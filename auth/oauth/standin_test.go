package oauth

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"curfew/auth"
)

// A standIn speaks the wire format of one provider under its real names, as far
// as that is documented (providers.toml has the sources). It is as strict as
// the provider is: a client that another server forgives fails here.
type standIn struct {
	name   string // of the preset
	typed  string // what a person gives for the issuer
	issuer string // what that means; discovery is there. Empty: the preset's, or no discovery

	secret   bool              // it demands one, or the client has one
	basic    bool              // and wants it in the header
	noPKCE   bool              // it refuses a code_verifier
	noOpenID bool              // no ID tokens
	scope    string            // the authorization request's scope parameter, whole
	request  map[string]string // what the request must have to get a refresh token
	redirect string            // how the redirect URI must begin
	device   bool              // the sign-in is the device's

	shape    func(doc map[string]any, refresh bool) any // the answer as it is written
	form     bool                                       // answers are forms, without Accept: application/json
	keeps    bool                                       // refresh tokens do not rotate
	rotated  bool                                       // a refresh token is good once
	dead     func() (int, any)                          // the answer to a dead refresh token
	userinfo any                                        // where a preset asks for a name
	tokens   map[string]any                             // changes the answer: nil takes a member away

	want    string        // the name shown
	life    time.Duration // of an access token; 0: unknown
	noRenew bool          // no refresh token comes
	revokes bool
}

var standIns = []standIn{
	{name: "google", secret: true, scope: "openid email profile", request: map[string]string{"access_type": "offline"}, redirect: "http://127.0.0.1:",
		keeps: true, want: "ann@example.com", life: 3599 * time.Second, tokens: map[string]any{"expires_in": 3599}, revokes: true},
	{name: "github", secret: true, noOpenID: true, scope: "read:user offline_access", redirect: "http://127.0.0.1:", form: true, rotated: true,
		dead: func() (int, any) {
			return 200, map[string]any{"error": "bad_refresh_token", "error_description": "The refresh token passed is incorrect or expired."}
		},
		userinfo: map[string]any{"login": "ann", "name": "Ann", "email": nil}, want: "ann", life: 8 * time.Hour,
		tokens: map[string]any{"expires_in": 28800, "refresh_token_expires_in": 15811200, "scope": "offline_access,read:user"}},
	{name: "github-app", secret: true, noOpenID: true, redirect: "http://127.0.0.1:", form: true, rotated: true,
		dead:     func() (int, any) { return 200, map[string]any{"error": "bad_refresh_token"} },
		userinfo: map[string]any{"login": "ann"}, want: "ann", life: 8 * time.Hour, tokens: map[string]any{"expires_in": 28800, "scope": ""}},
	{name: "microsoft", typed: "contoso.com", issuer: "https://login.microsoftonline.com/contoso.com/v2.0", scope: "openid profile email offline_access",
		redirect: "http://localhost:", keeps: true, want: "ann@example.com", life: 75 * time.Minute, tokens: map[string]any{"expires_in": 4500, "ext_expires_in": 4500}},
	{name: "gitlab", scope: "openid profile email", redirect: "http://127.0.0.1:", rotated: true, want: "ann@example.com", life: 2 * time.Hour,
		tokens: map[string]any{"expires_in": 7200, "created_at": 1700000000}, revokes: true},
	{name: "gitea", typed: "gitea.example.com", issuer: "https://gitea.example.com", scope: "openid profile email read:user", redirect: "http://127.0.0.1:", rotated: true,
		dead: func() (int, any) {
			return 400, map[string]any{"error": "unauthorized_client", "error_description": "token was already used"}
		},
		want: "ann@example.com", life: time.Hour, tokens: map[string]any{"expires_in": 3600, "token_type": "bearer", "scope": nil}},
	{name: "forgejo", typed: "https://codeberg.org", issuer: "https://codeberg.org", scope: "openid profile email", redirect: "http://127.0.0.1:", rotated: true,
		dead: func() (int, any) {
			return 400, map[string]any{"error": "unauthorized_client", "error_description": "unable to parse refresh token"}
		},
		want: "ann@example.com", life: time.Hour, tokens: map[string]any{"expires_in": 3600, "token_type": "bearer", "scope": nil}},
	{name: "keycloak", typed: "id.example.com/realms/main", issuer: "https://id.example.com/realms/main", scope: "openid profile email offline_access", redirect: "http://127.0.0.1:",
		keeps: true, want: "ann@example.com", life: 5 * time.Minute, tokens: map[string]any{"expires_in": 300, "refresh_expires_in": 0, "not-before-policy": 0}, revokes: true,
		dead: func() (int, any) {
			return 400, map[string]any{"error": "invalid_grant", "error_description": "Session not active"}
		}},
	{name: "okta", typed: "dev-1.okta.com", issuer: "https://dev-1.okta.com/oauth2/default", scope: "openid profile email offline_access", redirect: "http://127.0.0.1:47813/callback",
		rotated: true, want: "ann@example.com", life: time.Hour, tokens: map[string]any{"expires_in": 3600}, revokes: true},
	{name: "auth0", typed: "example.eu.auth0.com", issuer: "https://example.eu.auth0.com/", scope: "openid profile email offline_access", redirect: "http://127.0.0.1:47813/callback",
		rotated: true, want: "ann@example.com", life: 24 * time.Hour, tokens: map[string]any{"expires_in": 86400}, revokes: true,
		dead: func() (int, any) {
			return 403, map[string]any{"error": "invalid_grant", "error_description": "Unknown or invalid refresh token."}
		}},
	{name: "dropbox", noOpenID: true, scope: "account_info.read", request: map[string]string{"token_access_type": "offline"}, redirect: "http://127.0.0.1:47813/callback",
		keeps: true, life: 4 * time.Hour, tokens: map[string]any{"expires_in": 14400, "uid": "1", "account_id": "dbid:a"},
		dead: func() (int, any) {
			return 400, map[string]any{"error": "invalid_grant", "error_description": "refresh token is invalid or revoked"}
		}},
	{name: "discord", noOpenID: true, scope: "identify", redirect: "http://127.0.0.1:47813/callback", rotated: true, life: 24 * time.Hour,
		tokens: map[string]any{"expires_in": 604800}, userinfo: map[string]any{"global_name": "Ann", "username": "ann"}, want: "Ann", revokes: true,
		dead: func() (int, any) {
			return 400, map[string]any{"error": "invalid_grant", "error_description": `Invalid "refresh_token" in request`}
		}},
	{name: "slack", noOpenID: true, scope: "users:read", redirect: "http://localhost:47813/callback", rotated: true, life: 12 * time.Hour, tokens: map[string]any{"expires_in": 43200, "token_type": "user"},
		shape: func(doc map[string]any, refresh bool) any {
			if refresh {
				doc["ok"] = true
				return doc
			}
			return map[string]any{"ok": true, "app_id": "A1", "team": map[string]any{"id": "T1"}, "authed_user": doc}
		},
		dead: func() (int, any) { return 200, map[string]any{"ok": false, "error": "invalid_refresh_token"} }},
	{name: "zoom", noOpenID: true, redirect: "http://127.0.0.1:", rotated: true, life: time.Hour, tokens: map[string]any{"expires_in": 3600, "scope": "user:read"},
		userinfo: map[string]any{"first_name": "Ann", "last_name": "A", "email": "ann@example.com"}, want: "ann@example.com",
		dead: func() (int, any) { return 400, map[string]any{"reason": "Invalid Token!", "error": "invalid_grant"} }},
	{name: "atlassian", secret: true, noOpenID: true, scope: "offline_access read:me", request: map[string]string{"audience": "api.atlassian.com", "prompt": "consent"}, redirect: "http://localhost:47813/callback",
		rotated: true, life: time.Hour, tokens: map[string]any{"expires_in": 3600}, userinfo: map[string]any{"name": "Ann", "email": "ann@example.com"}, want: "ann@example.com",
		dead: func() (int, any) {
			return 403, map[string]any{"error": "invalid_grant", "error_description": "Unknown or invalid refresh token."}
		}},
	{name: "bitbucket", secret: true, basic: true, noOpenID: true, redirect: "http://localhost:47813/callback", keeps: true, life: 2 * time.Hour,
		tokens: map[string]any{"expires_in": 7200, "scopes": "account", "scope": nil}, userinfo: map[string]any{"display_name": "Ann", "username": "ann"}, want: "Ann",
		dead: func() (int, any) {
			return 400, map[string]any{"error": "invalid_request", "error_description": "Invalid refresh_token"}
		}},
	{name: "twitch", noOpenID: true, device: true, scope: "user:read:email", rotated: true, life: 4 * time.Hour, tokens: map[string]any{"expires_in": 14400, "scope": []string{"user:read:email"}},
		dead: func() (int, any) { return 400, map[string]any{"status": 400, "message": "Invalid refresh token"} }, revokes: true},
	{name: "salesforce", scope: "openid api refresh_token", redirect: "http://localhost:47813/callback", keeps: true, want: "ann@example.com", life: 15 * time.Minute,
		tokens: map[string]any{"expires_in": nil, "instance_url": "https://example.my.salesforce.com", "issued_at": "1700000000000", "signature": "x"}, revokes: true,
		dead: func() (int, any) {
			return 400, map[string]any{"error": "invalid_grant", "error_description": "expired access/refresh token"}
		}},
	{name: "huggingface", device: true, scope: "openid profile email", want: "ann@example.com", life: 8 * time.Hour, keeps: true, tokens: map[string]any{"expires_in": 28800, "token_type": "bearer"}},
	{name: "linkedin", secret: true, noPKCE: true, noOpenID: true, scope: "openid profile email", redirect: "http://localhost:47813/callback", noRenew: true, life: 31 * 24 * time.Hour,
		tokens: map[string]any{"expires_in": 5184000, "refresh_token": nil, "id_token": "e30.e30.c2ln"}, userinfo: map[string]any{"name": "Ann", "email": "ann@example.com"}, want: "ann@example.com"},
	{name: "strava", secret: true, noOpenID: true, scope: "read", redirect: "http://localhost:", keeps: true, life: 6 * time.Hour,
		tokens: map[string]any{"expires_in": 21600, "athlete": map[string]any{"firstname": "Ann"}}, userinfo: map[string]any{"username": "ann", "firstname": "Ann"}, want: "ann", revokes: true,
		dead: func() (int, any) {
			return 400, map[string]any{"message": "Bad Request", "errors": []any{map[string]any{"resource": "RefreshToken", "field": "refresh_token", "code": "invalid"}}}
		}},
	{name: "dex", typed: "dex.example.com", issuer: "https://dex.example.com", scope: "openid profile email offline_access", redirect: "http://127.0.0.1:", rotated: true, want: "ann@example.com", life: 24 * time.Hour,
		tokens: map[string]any{"expires_in": 86399, "token_type": "bearer", "scope": nil},
		dead: func() (int, any) {
			return 400, map[string]any{"error": "invalid_request", "error_description": "Refresh token is invalid or has already been claimed by another client."}
		}},
	{name: "zitadel", typed: "example.zitadel.cloud", issuer: "https://example.zitadel.cloud", scope: "openid profile email offline_access", redirect: "http://127.0.0.1:", rotated: true, want: "ann@example.com", life: 12 * time.Hour,
		tokens: map[string]any{"expires_in": 43199}, revokes: true, dead: func() (int, any) { return 400, map[string]any{"error": "invalid_grant"} }},
	{name: "authentik", typed: "auth.example.com/application/o/curfew", issuer: "https://auth.example.com/application/o/curfew/", scope: "openid profile email offline_access", redirect: "http://127.0.0.1:",
		rotated: true, want: "ann@example.com", life: time.Hour, tokens: map[string]any{"expires_in": 3600}, revokes: true},
	{name: "spotify", noOpenID: true, redirect: "http://127.0.0.1:", rotated: true, life: time.Hour, tokens: map[string]any{"expires_in": 3600, "scope": ""},
		userinfo: map[string]any{"id": "x1y2", "display_name": "Ann", "type": "user"}, want: "Ann",
		dead: func() (int, any) {
			return 400, map[string]any{"error": "invalid_grant", "error_description": "Refresh token revoked"}
		}},
	{name: "oidc", typed: "https://id.example.com/realm", issuer: "https://id.example.com/realm", scope: "openid offline_access", redirect: "http://127.0.0.1:", rotated: true, want: "ann@example.com", life: 15 * time.Minute,
		tokens: map[string]any{"expires_in": 900}, revokes: true},
}

// standInServer is a standIn with its memory.
type standInServer struct {
	standIn
	t      *testing.T
	preset Provider
	key    testKey

	mu      sync.Mutex
	code    url.Values // the authorization request of the code
	current string     // the refresh token that is good
	count   int
	revoked []string
}

func (s *standInServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.ParseForm()
	s.mu.Lock()
	defer s.mu.Unlock()
	address := "https://" + r.URL.Host + r.URL.Path
	switch issuer := s.issuerHere(); {
	case issuer != "" && address == strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration":
		s.discovery(w, issuer)
	case address == cmp.Or(s.preset.TokenEndpoint, issuer+"/token"):
		s.tokenEndpoint(w, r)
	case address == cmp.Or(s.preset.DeviceEndpoint, issuer+"/device"):
		s.deviceEndpoint(w, r)
	case address == issuer+"/jwks":
		writeJSON(w, 200, map[string]any{"keys": []any{jwk(s.key)}})
	case address == s.preset.UserinfoEndpoint && strings.HasPrefix(r.Header.Get("Authorization"), "Bearer at-"):
		writeJSON(w, 200, s.userinfo)
	case address == cmp.Or(s.preset.RevocationEndpoint, issuer+"/revoke"):
		s.revoked = append(s.revoked, r.PostForm.Get("token"))
		w.WriteHeader(200)
	default:
		http.NotFound(w, r)
	}
}

// issuerHere is the issuer with discovery, if there is one.
func (s *standInServer) issuerHere() string {
	if s.issuer != "" {
		return s.issuer
	}
	return s.preset.Issuer
}

func (s *standInServer) discovery(w http.ResponseWriter, issuer string) {
	doc := map[string]any{"issuer": issuer, "authorization_endpoint": issuer + "/authorize", "token_endpoint": issuer + "/token", "jwks_uri": issuer + "/jwks",
		"scopes_supported": strings.Fields(s.scope), "id_token_signing_alg_values_supported": []string{"ES256"}}
	if s.revokes {
		doc["revocation_endpoint"] = issuer + "/revoke"
	}
	writeJSON(w, 200, doc)
}

// authorize is what a browser does at the authorization URL: it checks the
// request and returns the answer.
func (s *standInServer) authorize(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		s.t.Fatal(err)
	}
	q := u.Query()
	parameter := cmp.Or(s.preset.ScopeParameter, "scope")
	if q.Get(parameter) != s.scope {
		s.t.Errorf("asked for %s %q, want %q", parameter, q.Get(parameter), s.scope)
	}
	if !strings.HasPrefix(q.Get("redirect_uri"), s.redirect) {
		s.t.Errorf("redirect_uri %q", q.Get("redirect_uri"))
	}
	if s.noPKCE == q.Has("code_challenge") || q.Get("client_id") != "app" || q.Get("response_type") != "code" {
		s.t.Errorf("request %v", q)
	}
	for name, value := range s.request {
		if q.Get(name) != value {
			s.t.Errorf("%s is %q, want %q: there would be no refresh token", name, q.Get(name), value)
		}
	}
	s.code = q
	return q.Get("redirect_uri") + "?" + url.Values{"code": {"c0de"}, "state": {q.Get("state")}}.Encode()
}

// authenticated checks how the client names itself.
func (s *standInServer) authenticated(r *http.Request) bool {
	id, secret, basic := r.BasicAuth()
	switch {
	case !s.secret:
		return !basic && r.PostForm.Get("client_id") == "app" && !r.PostForm.Has("client_secret")
	case s.basic:
		return basic && id == "app" && secret == "s3cret"
	}
	return !basic && r.PostForm.Get("client_id") == "app" && r.PostForm.Get("client_secret") == "s3cret"
}

func (s *standInServer) tokenEndpoint(w http.ResponseWriter, r *http.Request) {
	form := r.PostForm
	refresh := form.Get("grant_type") == "refresh_token"
	switch {
	case r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded", !s.authenticated(r), s.noPKCE && form.Has("code_verifier"):
		s.write(w, r, 401, map[string]any{"error": "invalid_client"})
		return
	case refresh && form.Get("refresh_token") != s.current:
		status, body := 400, any(map[string]any{"error": "invalid_grant"})
		if s.dead != nil {
			status, body = s.dead()
		}
		s.write(w, r, status, body)
		return
	case form.Get("grant_type") == "authorization_code" && (form.Get("code") != "c0de" || form.Get("redirect_uri") != s.code.Get("redirect_uri") || !s.noPKCE && form.Get("code_verifier") == ""):
		s.write(w, r, 400, map[string]any{"error": "invalid_grant"})
		return
	}
	s.count++
	doc := map[string]any{"access_token": fmt.Sprintf("at-%d", s.count), "token_type": "Bearer", "scope": s.scope}
	if !s.keeps || !refresh {
		s.current = fmt.Sprintf("rt-%d", s.count)
		doc["refresh_token"] = s.current
	}
	if !s.noOpenID {
		claims := jwt.MapClaims{"iss": s.issuerHere(), "aud": "app", "sub": "ann", "email": "ann@example.com", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
		if nonce := s.code.Get("nonce"); nonce != "" && !refresh {
			claims["nonce"] = nonce
		}
		doc["id_token"] = signed(s.key, claims)
	}
	for name, value := range s.tokens {
		if doc[name] = value; value == nil {
			delete(doc, name)
		}
	}
	if s.shape != nil {
		s.write(w, r, 200, s.shape(doc, refresh))
		return
	}
	s.write(w, r, 200, doc)
}

func (s *standInServer) deviceEndpoint(w http.ResponseWriter, r *http.Request) {
	parameter := cmp.Or(s.preset.DeviceScopeParameter, "scope")
	if r.PostForm.Get("client_id") != "app" || r.PostForm.Get(parameter) != s.scope {
		s.t.Errorf("device request %v, want %s %q", r.PostForm, parameter, s.scope)
	}
	writeJSON(w, 200, map[string]any{"device_code": "dc", "user_code": "ABCD-EFGH", "verification_uri": "https://id.example.com/device", "expires_in": 1800, "interval": 1})
}

// write answers as GitHub does: a form, but for clients that ask for JSON.
func (s *standInServer) write(w http.ResponseWriter, r *http.Request, status int, body any) {
	if s.form && !strings.Contains(r.Header.Get("Accept"), "application/json") {
		values := url.Values{}
		for name, value := range body.(map[string]any) {
			values.Set(name, fmt.Sprint(value))
		}
		w.Header().Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		w.WriteHeader(status)
		w.Write([]byte(values.Encode()))
		return
	}
	writeJSON(w, status, body)
}

// Every preset signs in at its stand-in with what a person has, which is a
// client ID and sometimes a secret, but no endpoint. The token is renewed, a
// dead one is known as dead, and the name is shown.
func TestStandIns(t *testing.T) {
	tested := map[string]bool{}
	var rows []string
	for _, in := range standIns {
		tested[in.name] = true
		t.Run(in.name, func(t *testing.T) {
			preset, err := LookupProvider(in.name)
			if err != nil {
				t.Fatal(err)
			}
			s := &standInServer{standIn: in, t: t, preset: preset, key: newECKey("k")}
			config := Config{Provider: in.name, Issuer: IssuerAt(in.name, in.typed), ClientID: "app", Transport: transportTo{s}}
			if fixed := ":47813"; strings.Contains(preset.Redirect, fixed) { // another run of this test may have that port
				free := freePort(t)
				config.Redirect = strings.Replace(preset.Redirect, fixed, free, 1)
				s.redirect = strings.Replace(s.redirect, fixed, free, 1)
			}
			if in.secret != (preset.Secret == "required") {
				t.Errorf("a secret is asked for: %q", preset.Secret)
			}
			if in.secret {
				config.ClientSecret = auth.NewSecret("s3cret")
			}
			if in.device != preset.DeviceFirst {
				t.Errorf("device first: %v", preset.DeviceFirst)
			}
			c, err := New(config)
			if err != nil {
				t.Fatal(err)
			}
			grant := s.signIn(c)
			if grant.AccessToken.Reveal() != "at-1" || grant.Identity.Display != in.want || grant.RefreshToken.IsZero() != in.noRenew {
				t.Errorf("grant %q of %q, refresh token %v", grant.AccessToken.Reveal(), grant.Identity.Display, !grant.RefreshToken.IsZero())
			}
			if d := grant.ExpiresIn - in.life; d < -time.Minute || d > time.Minute {
				t.Errorf("an access token lives %v, want %v", grant.ExpiresIn, in.life)
			}
			renews := "no refresh token"
			if !in.noRenew {
				renews = fmt.Sprintf("3 refreshes, a dead token known, revoked: %t", in.revokes)
				s.renew(c, grant)
			}
			road := map[bool]string{false: "browser", true: "device"}[in.device]
			rows = append(rows, fmt.Sprintf("%-12s %-8s secret: %-5t shown as %-16q %v; %s", in.name, road, in.secret, in.want, in.life, renews))
		})
	}
	for _, p := range Providers() {
		if !tested[p.Name] && p.Unavailable == "" {
			t.Errorf("%s has no stand-in", p.Name)
		}
	}
	t.Log("\n" + strings.Join(rows, "\n"))
}

// freePort returns a port that nobody has, with its colon.
func freePort(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return fmt.Sprintf(":%d", ln.Addr().(*net.TCPAddr).Port)
}

// signIn signs in as a person does: in the browser, or on another device.
func (s *standInServer) signIn(c *Client) Grant {
	s.t.Helper()
	if s.device {
		flow, err := c.StartDevice(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		grant, err := flow.Wait(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		return grant
	}
	flow, done := begin(s.t, c, SignInOptions{})
	get(s.t, s.authorize(flow.URL), nil)
	got := <-done
	if got.err != nil {
		s.t.Fatal(got.err)
	}
	return got.grant
}

// renew refreshes three times, tries a dead token and a wrong client, and
// revokes.
func (s *standInServer) renew(c *Client, grant Grant) {
	t := s.t
	token, first := grant.RefreshToken, grant.RefreshToken
	from := Origin{Identity: grant.Identity, Endpoints: grant.Endpoints}
	for i := range 3 {
		g, err := c.Refresh(t.Context(), token, from)
		if err != nil {
			t.Fatalf("refresh %d: %v", i+1, err)
		}
		if g.AccessToken.Reveal() != fmt.Sprintf("at-%d", i+2) || g.RefreshToken.IsZero() != s.keeps {
			t.Errorf("refresh %d: %q, a new refresh token: %v", i+1, g.AccessToken.Reveal(), !g.RefreshToken.IsZero())
		}
		if !g.RefreshToken.IsZero() {
			token = g.RefreshToken
		}
	}
	if !s.rotated {
		first = auth.NewSecret("rt-0") // one that was revoked
	}
	if _, err := c.Refresh(t.Context(), first, from); classOf(err) != Dead {
		t.Errorf("a dead refresh token: %v (%v)", classOf(err), err)
	}
	switch err := c.Revoke(t.Context(), token); {
	case s.revokes && (err != nil || !slices.Contains(s.revoked, token.Reveal())):
		t.Errorf("revoked %q: %v", s.revoked, err)
	case !s.revokes && err != ErrNoRevocation:
		t.Errorf("revocation: %v", err)
	}
	wrong := c.config
	wrong.ClientID = "other"
	other, err := New(wrong)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Refresh(t.Context(), token, from); classOf(err) != HeldBack {
		t.Errorf("a wrong client: %v (%v)", classOf(err), err)
	}
}
