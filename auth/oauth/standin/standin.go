// Package standin has a stand-in for each provider that only exists on the web,
// for tests. It speaks the provider's wire format as far as that is documented. A
// [World] shows it under its real names, behind a proxy and with certificates of a
// private authority.
//
// A stand-in is as strict as its provider is: a client that another server
// forgives fails here.
package standin

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"curfew/auth/oauth"
)

// A StandIn speaks the wire format of one provider under its real names, as far
// as that is documented (providers.toml has the sources).
type StandIn struct {
	Name   string // of the preset
	Typed  string // what a person gives for the issuer
	Issuer string // what that means; discovery is there. Empty: the preset's, or no discovery

	Secret   bool              // it demands one, or the client has one
	Basic    bool              // and wants it in the header
	NoPKCE   bool              // it refuses a code_verifier
	NoOpenID bool              // no ID tokens
	Scope    string            // the authorization request's scope parameter, whole
	Request  map[string]string // what the request must have to get a refresh token
	Redirect string            // how the redirect URI must begin
	Device   bool              // the sign-in is the device's
	Devices  bool              // its discovery names an endpoint for devices, too
	Pushes   bool              // it may want requests beforehand (PAR)
	Binds    bool              // it may bind tokens to a key (DPoP), and wants its nonce in proofs

	Shape    func(doc map[string]any, refresh bool) any // the answer as it is written
	Form     bool                                       // answers are forms, without Accept: application/json
	Keeps    bool                                       // refresh tokens do not rotate
	Rotated  bool                                       // a refresh token is good once
	Dead     func() (int, any)                          // the answer to a dead refresh token
	Userinfo any                                        // where a preset asks for a name
	Tokens   map[string]any                             // changes the answer: nil takes a member away

	Want    string        // the name shown
	Life    time.Duration // of an access token; 0: unknown
	NoRenew bool          // no refresh token comes
	Revokes bool
}

// StandIns are those of all presets.
var StandIns = []StandIn{
	{Name: "google", Devices: true, Secret: true, Scope: "openid email profile", Request: map[string]string{"access_type": "offline"}, Redirect: "http://127.0.0.1:",
		Keeps: true, Want: "ann@example.com", Life: 3599 * time.Second, Tokens: map[string]any{"expires_in": 3599}, Revokes: true},
	{Name: "github", Secret: true, NoOpenID: true, Scope: "read:user offline_access", Redirect: "http://127.0.0.1:", Form: true, Rotated: true,
		Dead: func() (int, any) {
			return 200, map[string]any{"error": "bad_refresh_token", "error_description": "The refresh token passed is incorrect or expired."}
		},
		Userinfo: map[string]any{"login": "ann", "name": "Ann", "email": nil}, Want: "ann", Life: 8 * time.Hour,
		Tokens: map[string]any{"expires_in": 28800, "refresh_token_expires_in": 15811200, "scope": "offline_access,read:user"}},
	{Name: "github-app", Secret: true, NoOpenID: true, Redirect: "http://127.0.0.1:", Form: true, Rotated: true,
		Dead:     func() (int, any) { return 200, map[string]any{"error": "bad_refresh_token"} },
		Userinfo: map[string]any{"login": "ann"}, Want: "ann", Life: 8 * time.Hour, Tokens: map[string]any{"expires_in": 28800, "scope": ""}},
	{Name: "microsoft", Devices: true, Typed: "contoso.com", Issuer: "https://login.microsoftonline.com/contoso.com/v2.0", Scope: "openid profile email offline_access",
		Redirect: "http://localhost:", Keeps: true, Want: "ann@example.com", Life: 75 * time.Minute, Tokens: map[string]any{"expires_in": 4500, "ext_expires_in": 4500}},
	{Name: "gitlab", Devices: true, Scope: "openid profile email", Redirect: "http://127.0.0.1:", Rotated: true, Want: "ann@example.com", Life: 2 * time.Hour,
		Tokens: map[string]any{"expires_in": 7200, "created_at": 1700000000}, Revokes: true},
	{Name: "gitea", Typed: "gitea.example.com", Issuer: "https://gitea.example.com", Scope: "openid profile email read:user", Redirect: "http://127.0.0.1:", Rotated: true,
		Dead: func() (int, any) {
			return 400, map[string]any{"error": "unauthorized_client", "error_description": "token was already used"}
		},
		Want: "ann@example.com", Life: time.Hour, Tokens: map[string]any{"expires_in": 3600, "token_type": "bearer", "scope": nil}},
	{Name: "forgejo", Typed: "https://codeberg.org", Issuer: "https://codeberg.org", Scope: "openid profile email", Redirect: "http://127.0.0.1:", Rotated: true,
		Dead: func() (int, any) {
			return 400, map[string]any{"error": "unauthorized_client", "error_description": "unable to parse refresh token"}
		},
		Want: "ann@example.com", Life: time.Hour, Tokens: map[string]any{"expires_in": 3600, "token_type": "bearer", "scope": nil}},
	{Name: "keycloak", Pushes: true, Binds: true, Devices: true, Typed: "id.example.com/realms/main", Issuer: "https://id.example.com/realms/main", Scope: "openid profile email offline_access", Redirect: "http://127.0.0.1:",
		Keeps: true, Want: "ann@example.com", Life: 5 * time.Minute, Tokens: map[string]any{"expires_in": 300, "refresh_expires_in": 0, "not-before-policy": 0}, Revokes: true,
		Dead: func() (int, any) {
			return 400, map[string]any{"error": "invalid_grant", "error_description": "Session not active"}
		}},
	{Name: "okta", Pushes: true, Binds: true, Devices: true, Typed: "dev-1.okta.com", Issuer: "https://dev-1.okta.com/oauth2/default", Scope: "openid profile email offline_access", Redirect: "http://127.0.0.1:47813/callback",
		Rotated: true, Want: "ann@example.com", Life: time.Hour, Tokens: map[string]any{"expires_in": 3600}, Revokes: true},
	{Name: "auth0", Pushes: true, Binds: true, Devices: true, Typed: "example.eu.auth0.com", Issuer: "https://example.eu.auth0.com/", Scope: "openid profile email offline_access", Redirect: "http://127.0.0.1:47813/callback",
		Rotated: true, Want: "ann@example.com", Life: 24 * time.Hour, Tokens: map[string]any{"expires_in": 86400}, Revokes: true,
		Dead: func() (int, any) {
			return 403, map[string]any{"error": "invalid_grant", "error_description": "Unknown or invalid refresh token."}
		}},
	{Name: "dropbox", NoOpenID: true, Scope: "account_info.read", Request: map[string]string{"token_access_type": "offline"}, Redirect: "http://127.0.0.1:47813/callback",
		Keeps: true, Life: 4 * time.Hour, Tokens: map[string]any{"expires_in": 14400, "uid": "1", "account_id": "dbid:a"},
		Dead: func() (int, any) {
			return 400, map[string]any{"error": "invalid_grant", "error_description": "refresh token is invalid or revoked"}
		}},
	{Name: "discord", NoOpenID: true, Scope: "identify", Redirect: "http://127.0.0.1:47813/callback", Rotated: true, Life: 24 * time.Hour,
		Tokens: map[string]any{"expires_in": 604800}, Userinfo: map[string]any{"global_name": "Ann", "username": "ann"}, Want: "Ann", Revokes: true,
		Dead: func() (int, any) {
			return 400, map[string]any{"error": "invalid_grant", "error_description": `Invalid "refresh_token" in request`}
		}},
	{Name: "slack", NoOpenID: true, Scope: "users:read", Redirect: "http://localhost:47813/callback", Rotated: true, Life: 12 * time.Hour, Tokens: map[string]any{"expires_in": 43200, "token_type": "user"},
		Shape: func(doc map[string]any, refresh bool) any {
			if refresh {
				doc["ok"] = true
				return doc
			}
			return map[string]any{"ok": true, "app_id": "A1", "team": map[string]any{"id": "T1"}, "authed_user": doc}
		},
		Dead: func() (int, any) { return 200, map[string]any{"ok": false, "error": "invalid_refresh_token"} }},
	{Name: "zoom", NoOpenID: true, Redirect: "http://127.0.0.1:", Rotated: true, Life: time.Hour, Tokens: map[string]any{"expires_in": 3600, "scope": "user:read"},
		Userinfo: map[string]any{"first_name": "Ann", "last_name": "A", "email": "ann@example.com"}, Want: "ann@example.com",
		Dead: func() (int, any) { return 400, map[string]any{"reason": "Invalid Token!", "error": "invalid_grant"} }},
	{Name: "atlassian", Secret: true, NoOpenID: true, Scope: "offline_access read:me", Request: map[string]string{"audience": "api.atlassian.com", "prompt": "consent"}, Redirect: "http://localhost:47813/callback",
		Rotated: true, Life: time.Hour, Tokens: map[string]any{"expires_in": 3600}, Userinfo: map[string]any{"name": "Ann", "email": "ann@example.com"}, Want: "ann@example.com",
		Dead: func() (int, any) {
			return 403, map[string]any{"error": "invalid_grant", "error_description": "Unknown or invalid refresh token."}
		}},
	{Name: "bitbucket", Secret: true, Basic: true, NoOpenID: true, Redirect: "http://localhost:47813/callback", Keeps: true, Life: 2 * time.Hour,
		Tokens: map[string]any{"expires_in": 7200, "scopes": "account", "scope": nil}, Userinfo: map[string]any{"display_name": "Ann", "username": "ann"}, Want: "Ann",
		Dead: func() (int, any) {
			return 400, map[string]any{"error": "invalid_request", "error_description": "Invalid refresh_token"}
		}},
	{Name: "twitch", NoOpenID: true, Device: true, Scope: "user:read:email", Rotated: true, Life: 4 * time.Hour, Tokens: map[string]any{"expires_in": 14400, "scope": []string{"user:read:email"}},
		Dead: func() (int, any) { return 400, map[string]any{"status": 400, "message": "Invalid refresh token"} }, Revokes: true},
	{Name: "salesforce", Scope: "openid api refresh_token", Redirect: "http://localhost:47813/callback", Keeps: true, Want: "ann@example.com", Life: 15 * time.Minute,
		Tokens: map[string]any{"expires_in": nil, "instance_url": "https://example.my.salesforce.com", "issued_at": "1700000000000", "signature": "x"}, Revokes: true,
		Dead: func() (int, any) {
			return 400, map[string]any{"error": "invalid_grant", "error_description": "expired access/refresh token"}
		}},
	{Name: "huggingface", Device: true, Scope: "openid profile email", Want: "ann@example.com", Life: 8 * time.Hour, Keeps: true, Tokens: map[string]any{"expires_in": 28800, "token_type": "bearer"}},
	{Name: "linkedin", Secret: true, NoPKCE: true, NoOpenID: true, Scope: "openid profile email", Redirect: "http://localhost:47813/callback", NoRenew: true, Life: 31 * 24 * time.Hour,
		Tokens: map[string]any{"expires_in": 5184000, "refresh_token": nil, "id_token": "e30.e30.c2ln"}, Userinfo: map[string]any{"name": "Ann", "email": "ann@example.com"}, Want: "ann@example.com"},
	{Name: "strava", Secret: true, NoOpenID: true, Scope: "read", Redirect: "http://localhost:", Keeps: true, Life: 6 * time.Hour,
		Tokens: map[string]any{"expires_in": 21600, "athlete": map[string]any{"firstname": "Ann"}}, Userinfo: map[string]any{"username": "ann", "firstname": "Ann"}, Want: "ann", Revokes: true,
		Dead: func() (int, any) {
			return 400, map[string]any{"message": "Bad Request", "errors": []any{map[string]any{"resource": "RefreshToken", "field": "refresh_token", "code": "invalid"}}}
		}},
	{Name: "dex", Devices: true, Typed: "dex.example.com", Issuer: "https://dex.example.com", Scope: "openid profile email offline_access", Redirect: "http://127.0.0.1:", Rotated: true, Want: "ann@example.com", Life: 24 * time.Hour,
		Tokens: map[string]any{"expires_in": 86399, "token_type": "bearer", "scope": nil},
		Dead: func() (int, any) {
			return 400, map[string]any{"error": "invalid_request", "error_description": "Refresh token is invalid or has already been claimed by another client."}
		}},
	{Name: "zitadel", Devices: true, Typed: "example.zitadel.cloud", Issuer: "https://example.zitadel.cloud", Scope: "openid profile email offline_access", Redirect: "http://127.0.0.1:", Rotated: true, Want: "ann@example.com", Life: 12 * time.Hour,
		Tokens: map[string]any{"expires_in": 43199}, Revokes: true, Dead: func() (int, any) { return 400, map[string]any{"error": "invalid_grant"} }},
	{Name: "authentik", Devices: true, Typed: "auth.example.com/application/o/curfew", Issuer: "https://auth.example.com/application/o/curfew/", Scope: "openid profile email offline_access", Redirect: "http://127.0.0.1:",
		Rotated: true, Want: "ann@example.com", Life: time.Hour, Tokens: map[string]any{"expires_in": 3600}, Revokes: true},
	{Name: "spotify", NoOpenID: true, Redirect: "http://127.0.0.1:", Rotated: true, Life: time.Hour, Tokens: map[string]any{"expires_in": 3600, "scope": ""},
		Userinfo: map[string]any{"id": "x1y2", "display_name": "Ann", "type": "user"}, Want: "Ann",
		Dead: func() (int, any) {
			return 400, map[string]any{"error": "invalid_grant", "error_description": "Refresh token revoked"}
		}},
	{Name: "oidc", Pushes: true, Binds: true, Typed: "https://id.example.com/realm", Issuer: "https://id.example.com/realm", Scope: "openid offline_access", Redirect: "http://127.0.0.1:", Rotated: true, Want: "ann@example.com", Life: 15 * time.Minute,
		Tokens: map[string]any{"expires_in": 900}, Revokes: true},
}

// The client that is registered at every stand-in.
const (
	ClientID     = "app"
	ClientSecret = "s3cret"
)

// A Mood is what a stand-in does for one sign-in and not for another.
type Mood struct {
	Deny       bool          // the person refuses
	NoRefresh  bool          // no refresh token comes
	NoLifetime bool          // no expires_in comes
	Life       time.Duration // of access tokens; 0: as usual
	Push       bool          // requests must come beforehand (RFC 9126)
	Bind       bool          // tokens are bound to keys (RFC 9449)
}

// A Server is a StandIn with its memory. It is safe for concurrent use.
type Server struct {
	StandIn
	t      testing.TB
	preset oauth.Provider
	key    *ecdsa.PrivateKey

	mu      sync.Mutex
	mood    Mood
	code    url.Values // the authorization request of the code
	current string     // the refresh token that is good
	pushed  url.Values // the request that was handed over
	bound   string     // the key of the refresh token
	count   int
	more    chan struct{} // closed, and replaced, when count grows
	revoked []string
}

// NewServer makes the server of a stand-in.
func NewServer(t testing.TB, in StandIn) *Server {
	t.Helper()
	preset, err := oauth.LookupProvider(in.Name)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &Server{StandIn: in, t: t, preset: preset, key: key, more: make(chan struct{})}
}

// Hosts are the names that the provider is known by.
func (s *Server) Hosts() []string {
	var hosts []string
	for _, address := range []string{s.issuerHere(), s.preset.AuthorizationEndpoint, s.preset.TokenEndpoint, s.preset.DeviceEndpoint, s.preset.UserinfoEndpoint, s.preset.RevocationEndpoint} {
		if u, err := url.Parse(address); err == nil && u.Host != "" && !slices.Contains(hosts, u.Host) {
			hosts = append(hosts, u.Host)
		}
	}
	return hosts
}

// Feel sets the mood.
func (s *Server) Feel(m Mood) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mood = m
}

// Forget makes the refresh token a dead one, as when somebody has used or
// revoked it elsewhere.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = "rt-0"
}

// Revoked reports whether the newest refresh token, or the newest access token
// where there is none, has been revoked.
func (s *Server) Revoked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.revoked, s.current) || slices.Contains(s.revoked, fmt.Sprintf("at-%d", s.count))
}

// Issued returns how many access tokens there are, and what is closed when there
// is another.
func (s *Server) Issued() (int, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count, s.more
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	address := "https://" + cmp.Or(r.URL.Host, r.Host) + r.URL.Path
	switch issuer := s.issuerHere(); {
	case issuer != "" && address == strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration":
		s.discovery(w, issuer)
	case address == cmp.Or(s.preset.AuthorizationEndpoint, issuer+"/authorize"):
		w.Header().Set("Location", s.authorize(r.URL.Query()))
		w.WriteHeader(http.StatusFound)
	case address == cmp.Or(s.preset.TokenEndpoint, issuer+"/token"):
		s.tokenEndpoint(w, r)
	case address == issuer+"/par" && s.mood.Push:
		s.pushed = r.PostForm
		if !s.authenticated(r) {
			s.write(w, r, 401, map[string]any{"error": "invalid_client"})
			return
		}
		writeJSON(w, 201, map[string]any{"request_uri": "urn:ietf:params:oauth:request_uri:p", "expires_in": 60})
	case address == s.deviceAddress():
		s.deviceEndpoint(w, r)
	case address == issuer+"/jwks":
		writeJSON(w, 200, map[string]any{"keys": []any{s.jwk()}})
	case address == s.preset.UserinfoEndpoint && strings.HasPrefix(r.Header.Get("Authorization"), "Bearer at-"):
		writeJSON(w, 200, s.Userinfo)
	case address == cmp.Or(s.preset.RevocationEndpoint, issuer+"/revoke"):
		s.revoked = append(s.revoked, r.PostForm.Get("token"))
		w.WriteHeader(200)
	default:
		http.NotFound(w, r)
	}
}

// OffersDevices reports whether a sign-in on another device is possible.
func (s *Server) OffersDevices() bool { return s.deviceAddress() != "" }

// NeedsSecret reports whether a client secret is asked for.
func (s *Server) NeedsSecret() bool { return s.preset.Secret == "required" }

// FixedPort is the port that the redirect URI always has, "" if any will do.
func (s *Server) FixedPort() string {
	u, err := url.Parse(s.preset.Redirect)
	if err != nil {
		return ""
	}
	return u.Port()
}

// deviceAddress is the device authorization endpoint, "" if there is none.
func (s *Server) deviceAddress() string {
	if s.preset.DeviceEndpoint == "" && (s.Device || s.Devices) {
		return s.issuerHere() + "/device"
	}
	return s.preset.DeviceEndpoint
}

// issuerHere is the issuer with discovery, if there is one.
func (s *Server) issuerHere() string {
	if s.Issuer != "" {
		return s.Issuer
	}
	return s.preset.Issuer
}

func (s *Server) discovery(w http.ResponseWriter, issuer string) {
	doc := map[string]any{"issuer": issuer, "authorization_endpoint": issuer + "/authorize", "token_endpoint": issuer + "/token", "jwks_uri": issuer + "/jwks",
		"scopes_supported": strings.Fields(s.Scope), "id_token_signing_alg_values_supported": []string{"ES256"}}
	if s.Revokes {
		doc["revocation_endpoint"] = issuer + "/revoke"
	}
	if address := s.deviceAddress(); address != "" {
		doc["device_authorization_endpoint"] = address
	}
	if s.mood.Push {
		doc["pushed_authorization_request_endpoint"], doc["require_pushed_authorization_requests"] = issuer+"/par", true
	}
	if s.mood.Bind {
		doc["dpop_signing_alg_values_supported"] = []string{"ES256"}
	}
	writeJSON(w, 200, doc)
}

// authorize checks an authorization request and returns where the browser is
// sent to.
func (s *Server) authorize(q url.Values) string {
	if s.mood.Push {
		if q.Get("request_uri") != "urn:ietf:params:oauth:request_uri:p" || q.Get("client_id") != ClientID || len(q) > 2 {
			s.t.Errorf("after a pushed request: %v", q)
		}
		q = s.pushed
	}
	parameter := cmp.Or(s.preset.ScopeParameter, "scope")
	if q.Get(parameter) != s.Scope {
		s.t.Errorf("asked for %s %q, want %q", parameter, q.Get(parameter), s.Scope)
	}
	if !strings.HasPrefix(q.Get("redirect_uri"), s.Redirect) {
		s.t.Errorf("redirect_uri %q", q.Get("redirect_uri"))
	}
	if s.NoPKCE == q.Has("code_challenge") || q.Get("response_type") != "code" {
		s.t.Errorf("request %v", q)
	}
	for name, value := range s.Request {
		if q.Get(name) != value {
			s.t.Errorf("%s is %q, want %q: there would be no refresh token", name, q.Get(name), value)
		}
	}
	s.code = q
	answer := url.Values{"code": {"c0de"}, "state": {q.Get("state")}}
	if s.mood.Deny {
		answer = url.Values{"error": {"access_denied"}, "state": {q.Get("state")}}
	}
	return q.Get("redirect_uri") + "?" + answer.Encode()
}

// authenticated checks how the client names itself.
func (s *Server) authenticated(r *http.Request) bool {
	id, secret, basic := r.BasicAuth()
	switch {
	case !s.Secret:
		return !basic && r.PostForm.Get("client_id") == ClientID && !r.PostForm.Has("client_secret")
	case s.Basic:
		return basic && id == ClientID && secret == ClientSecret
	}
	return !basic && r.PostForm.Get("client_id") == ClientID && r.PostForm.Get("client_secret") == ClientSecret
}

func (s *Server) tokenEndpoint(w http.ResponseWriter, r *http.Request) {
	form := r.PostForm
	refresh := form.Get("grant_type") == "refresh_token"
	switch {
	case r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded", !s.authenticated(r), s.NoPKCE && form.Has("code_verifier"):
		s.write(w, r, 401, map[string]any{"error": "invalid_client"})
		return
	case strings.HasSuffix(form.Get("grant_type"), "device_code") && s.mood.Deny:
		s.write(w, r, 400, map[string]any{"error": "access_denied"})
		return
	case refresh && form.Get("refresh_token") != s.current:
		status, body := 400, any(map[string]any{"error": "invalid_grant"})
		if s.Dead != nil {
			status, body = s.Dead()
		}
		s.write(w, r, status, body)
		return
	case form.Get("grant_type") == "authorization_code" && (form.Get("code") != "c0de" || form.Get("redirect_uri") != s.code.Get("redirect_uri") || !s.NoPKCE && form.Get("code_verifier") == ""):
		s.write(w, r, 400, map[string]any{"error": "invalid_grant"})
		return
	}
	kind := "Bearer"
	if s.mood.Bind {
		key, err := s.proof(r)
		switch {
		case err != nil:
			w.Header().Set("DPoP-Nonce", proofNonce)
			s.write(w, r, 400, map[string]any{"error": err.Error()})
			return
		case refresh && key != s.bound:
			s.write(w, r, 400, map[string]any{"error": "invalid_grant"})
			return
		}
		kind, s.bound = "DPoP", key
	}
	s.count++
	close(s.more)
	s.more = make(chan struct{})
	doc := map[string]any{"access_token": fmt.Sprintf("at-%d", s.count), "token_type": kind, "scope": s.Scope}
	if !s.Keeps || !refresh {
		s.current = fmt.Sprintf("rt-%d", s.count)
		doc["refresh_token"] = s.current
	}
	if !s.NoOpenID {
		claims := jwt.MapClaims{"iss": s.issuerHere(), "aud": ClientID, "sub": "ann", "email": "ann@example.com", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
		if nonce := s.code.Get("nonce"); nonce != "" && !refresh {
			claims["nonce"] = nonce
		}
		doc["id_token"] = s.sign(claims)
	}
	for name, value := range s.Tokens {
		if doc[name] = value; value == nil {
			delete(doc, name)
		}
	}
	s.moody(doc)
	if s.Shape != nil {
		s.write(w, r, 200, s.Shape(doc, refresh))
		return
	}
	s.write(w, r, 200, doc)
}

// proofNonce must be in each proof (RFC 9449 section 8).
const proofNonce = "n0nce"

// proof checks the proof of a request, and returns whose key made it. Its errors
// are OAuth's.
func (s *Server) proof(r *http.Request) (key string, err error) {
	claims := jwt.MapClaims{}
	token, err := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"})).ParseWithClaims(r.Header.Get("DPoP"), claims, func(t *jwt.Token) (any, error) {
		jwk, _ := t.Header["jwk"].(map[string]any)
		x, _ := jwk["x"].(string)
		y, _ := jwk["y"].(string)
		key = x + "." + y
		px, err1 := base64.RawURLEncoding.DecodeString(x)
		py, err2 := base64.RawURLEncoding.DecodeString(y)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, px, py))
	})
	switch {
	case err != nil || token.Header["typ"] != "dpop+jwt" || claims["htm"] != r.Method || claims["htu"] != "https://"+cmp.Or(r.URL.Host, r.Host)+r.URL.Path || claims["jti"] == nil:
		return "", errors.New("invalid_dpop_proof")
	case claims["nonce"] != proofNonce:
		return "", errors.New("use_dpop_nonce")
	}
	return key, nil
}

// moody changes an answer as the mood is.
func (s *Server) moody(doc map[string]any) {
	if s.mood.NoRefresh {
		delete(doc, "refresh_token")
	}
	if s.mood.NoLifetime {
		delete(doc, "expires_in")
	}
	if s.mood.Life > 0 {
		doc["expires_in"] = int(s.mood.Life.Seconds())
	}
}

func (s *Server) deviceEndpoint(w http.ResponseWriter, r *http.Request) {
	parameter := cmp.Or(s.preset.DeviceScopeParameter, "scope")
	if r.PostForm.Get("client_id") != ClientID {
		s.write(w, r, 401, map[string]any{"error": "invalid_client"})
		return
	}
	if r.PostForm.Get(parameter) != s.Scope {
		s.t.Errorf("device request %v, want %s %q", r.PostForm, parameter, s.Scope)
	}
	where := "verification_uri"
	if s.Name == "google" {
		where = "verification_url" // as before RFC 8628
	}
	s.write(w, r, 200, map[string]any{"device_code": "dc", "user_code": "ABCD-EFGH", where: "https://" + s.Hosts()[0] + "/activate", "expires_in": 1800, "interval": 1})
}

// write answers as GitHub does: a form, but for clients that ask for JSON.
func (s *Server) write(w http.ResponseWriter, r *http.Request, status int, body any) {
	if s.Form && !strings.Contains(r.Header.Get("Accept"), "application/json") {
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

// sign makes an ID token.
func (s *Server) sign(claims jwt.MapClaims) string {
	token := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	token.Header["kid"] = "k"
	text, err := token.SignedString(s.key)
	if err != nil {
		s.t.Error(err)
	}
	return text
}

// jwk is the key that ID tokens are checked with.
func (s *Server) jwk() map[string]string {
	point, err := s.key.PublicKey.Bytes()
	if err != nil {
		s.t.Error(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	return map[string]string{"kty": "EC", "crv": "P-256", "use": "sig", "kid": "k", "x": b64(point[1:33]), "y": b64(point[33:])}
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // who has gone away reads nothing
}
