package oauth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"curfew/auth"
)

// TestSecondRound: if a server gives no refresh token or refuses the scope for
// it, the same tab asks once more in another way.
func TestSecondRound(t *testing.T) {
	withoutToken := func(_ url.Values, doc map[string]any) { delete(doc, "refresh_token") }
	t.Run("consent", func(t *testing.T) { // as oidc-provider
		s := startServer(t)
		s.answer = func(form url.Values, doc map[string]any) {
			if !strings.Contains(s.requests[len(s.requests)-1].Get("prompt"), "consent") {
				withoutToken(form, doc)
			}
		}
		c := s.client(t, func(c *Config) { c.Scopes = []string{"openid", "offline_access"} })
		got, _ := signIn(t, c, SignInOptions{ForceLogin: true})
		if got.err != nil || got.grant.RefreshToken.IsZero() || len(s.requests) != 2 {
			t.Fatalf("%+v after %d requests", got, len(s.requests))
		}
		if a, b := s.requests[0], s.requests[1]; a.Get("prompt") != "login" || b.Get("prompt") != "consent" || a.Get("state") == b.Get("state") || a.Get("nonce") == b.Get("nonce") || a.Get("code_challenge") == b.Get("code_challenge") {
			t.Errorf("%v\n%v", a, b)
		}
	})
	t.Run("invalid_scope", func(t *testing.T) { // as Google
		s := startServer(t)
		s.authorize = func(request, answer url.Values) {
			if strings.Contains(request.Get("scope"), "offline_access") {
				answer.Del("code")
				answer.Set("error", "invalid_scope")
			}
		}
		c := s.client(t, func(c *Config) { c.Scopes = []string{"openid", "offline_access"} })
		got, _ := signIn(t, c, SignInOptions{})
		if got.err != nil || len(s.requests) != 2 || s.requests[1].Get("access_type") != "offline" || s.requests[1].Get("scope") != "openid" {
			t.Errorf("%+v, %v", got, s.requests)
		}
	})
	t.Run("beforehand", func(t *testing.T) { // as Keycloak, where only some clients must
		for _, takes := range []bool{true, false} {
			s := startServer(t)
			var pushed url.Values
			s.metadata = func(doc map[string]any) { doc["pushed_authorization_request_endpoint"] = s.URL + "/par" }
			s.handle["/par"] = func(w http.ResponseWriter, r *http.Request) {
				r.ParseForm()
				if pushed = r.PostForm; !takes {
					writeJSON(w, 401, map[string]any{"error": "invalid_client"})
					return
				}
				writeJSON(w, 201, map[string]any{"request_uri": "urn:x:1", "expires_in": 60})
			}
			s.handle["/authorize"] = func(w http.ResponseWriter, r *http.Request) {
				q, answer := r.URL.Query(), url.Values{"iss": {s.URL}}
				if q.Get("request_uri") != "urn:x:1" {
					answer.Set("error", "invalid_request")
				} else {
					q = pushed
					s.codes["c"] = pushed
					answer.Set("code", "c")
				}
				answer.Set("state", q.Get("state"))
				http.Redirect(w, r, q.Get("redirect_uri")+"?"+answer.Encode(), http.StatusSeeOther)
			}
			c := s.client(t, nil)
			for range 2 {
				got, _ := signIn(t, c, SignInOptions{})
				if (got.err == nil) != takes || !takes && classOf(got.err) != HeldBack {
					t.Errorf("taken %v: %v", takes, got.err)
				}
			}
		}
	})
	t.Run("once only", func(t *testing.T) {
		s := startServer(t)
		s.answer = withoutToken
		c := s.client(t, func(c *Config) { c.Scopes = []string{"openid", "offline_access"} })
		if got, _ := signIn(t, c, SignInOptions{}); got.err != nil || len(s.requests) != 2 {
			t.Errorf("%v after %d requests", got.err, len(s.requests))
		}
	})
	t.Run("not wanted", func(t *testing.T) {
		s := startServer(t)
		s.answer = withoutToken
		if got, _ := signIn(t, s.client(t, nil), SignInOptions{}); got.err != nil || len(s.requests) != 1 {
			t.Errorf("%v after %d requests", got.err, len(s.requests))
		}
	})
}

// TestSettings: what an account sets reaches the server.
func TestSettings(t *testing.T) {
	s := startServer(t)
	c := s.client(t, func(c *Config) {
		c.Authorize = map[string]string{"audience": "api"}
		c.Prompt, c.LoginHint, c.ScopeSeparator = "select_account", "ann", ","
		c.Resource = []string{"https://a.example.test", "https://b.example.test"}
		c.Scopes = []string{"openid", "mail"}
		c.AccessLifetime = time.Hour
	})
	s.answer = func(_ url.Values, doc map[string]any) { delete(doc, "expires_in") }
	got, _ := signIn(t, c, SignInOptions{ForceLogin: true, LoginHint: "bob"})
	if got.err != nil || got.grant.ExpiresIn != time.Hour {
		t.Fatalf("%+v", got)
	}
	r, p := s.requests[0], s.posts[0]
	if r.Get("audience") != "api" || r.Get("prompt") != "select_account" || r.Get("login_hint") != "ann" || r.Get("scope") != "openid,mail" || len(r["resource"]) != 2 || !slices.Equal(p["resource"], r["resource"]) {
		t.Errorf("%v\n%v", r, p)
	}
	for name, change := range map[string]func(*Config){
		"authorize":   func(c *Config) { c.Authorize = map[string]string{"state": "x"} },
		"client_auth": func(c *Config) { c.ClientAuth = "digest" },
		"private key": func(c *Config) { c.ClientAuth, c.ClientSecret = "private_key_jwt", auth.NewSecret("x") },
		"proxy":       func(c *Config) { c.Proxy = "proxy.example.com" },
		"ca_file":     func(c *Config) { c.CAFile = "/nowhere" },
		"device":      func(c *Config) { c.DeviceEndpoint = "ftp://x" },
	} {
		config := Config{Issuer: fakeIssuer, ClientID: "x"}
		change(&config)
		if _, err := New(config); err == nil {
			t.Errorf("%s is not checked", name)
		}
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{Issuer: fakeIssuer, ClientID: "x", CAFile: empty}); err == nil || !strings.Contains(err.Error(), "no certificate") {
		t.Errorf("error %v", err)
	}
}

// TestPrivateKeyJWT: the client signs for itself (RFC 7523).
func TestPrivateKeyJWT(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	s := startServer(t)
	c := s.client(t, func(c *Config) {
		c.ClientAuth = "private_key_jwt"
		c.ClientSecret = auth.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	})
	if got, _ := signIn(t, c, SignInOptions{}); got.err != nil {
		t.Fatal(got.err)
	}
	p := s.posts[0]
	token, err := jwt.Parse(p.Get("client_assertion"), func(*jwt.Token) (any, error) { return &key.PublicKey, nil }, jwt.WithAudience(s.URL+"/token"), jwt.WithSubject("curfew"), jwt.WithIssuer("curfew"))
	if err != nil || token.Method.Alg() != "ES256" || p.Has("client_secret") || p.Get("client_assertion_type") == "" {
		t.Errorf("%v, %v", err, p)
	}
}

// TestPushed: a server that wants the request beforehand gets it (RFC 9126),
// and the address holds nothing of it.
func TestPushed(t *testing.T) {
	s := startServer(t)
	var pushed url.Values
	s.metadata = func(doc map[string]any) {
		doc["require_pushed_authorization_requests"], doc["pushed_authorization_request_endpoint"] = true, s.URL+"/par"
	}
	s.handle["/par"] = func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		pushed = r.PostForm
		writeJSON(w, 201, map[string]any{"request_uri": "urn:x:1", "expires_in": 60})
	}
	flow, err := s.client(t, nil).StartSignIn(t.Context(), SignInOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer flow.Close()
	u, _ := url.Parse(flow.URL)
	if q := u.Query(); len(q) != 2 || q.Get("request_uri") != "urn:x:1" || q.Get("client_id") != "curfew" {
		t.Errorf("asked with %v", q)
	}
	if pushed.Get("code_challenge") == "" || pushed.Get("state") == "" || pushed.Get("redirect_uri") == "" {
		t.Errorf("pushed %v", pushed)
	}
	s.handle["/par"] = respond(400, appJSON, `{"error":"invalid_request"}`)
	if _, err := s.client(t, nil).StartSignIn(t.Context(), SignInOptions{}); classOf(err) != HeldBack {
		t.Errorf("error %v", err)
	}
}
