package oauth

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"curfew/auth"
)

func TestDiscoveryForms(t *testing.T) {
	for _, test := range []struct {
		issuer string
		want   []string // paths asked for, in order, when none is there
	}{
		{"https://id.example.test", []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"}},
		{"https://id.example.test/", []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"}},
		{"https://id.example.test/realms/x", []string{"/realms/x/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/realms/x", "/.well-known/openid-configuration/realms/x"}},
	} {
		for there := range len(test.want) + 1 { // which of them exists; the last: none
			var asked []string
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = append(asked, r.URL.Path)
				if len(asked) != there+1 {
					http.NotFound(w, r)
					return
				}
				writeJSON(w, 200, map[string]any{"issuer": test.issuer, "authorization_endpoint": fakeIssuer + "/a", "token_endpoint": fakeIssuer + "/t"})
			})
			c, err := New(Config{Issuer: test.issuer, ClientID: "x", Transport: transportTo{h}})
			if err != nil {
				t.Fatal(err)
			}
			m, failed := c.discover(t.Context())
			if there < len(test.want) && (failed != nil || m.token != fakeIssuer+"/t" || len(asked) != there+1) {
				t.Errorf("%s, form %d: %v after %v", test.issuer, there, failed, asked)
			}
			if there == len(test.want) && (failed == nil || failed.Class != HeldBack || !strings.Contains(failed.Error(), "check the issuer")) {
				t.Errorf("%s: error %v", test.issuer, failed)
			}
			for i, path := range asked {
				if path != test.want[i] {
					t.Errorf("%s: asked for %s", test.issuer, path)
				}
			}
		}
	}
}

func discoveryRefused(t *testing.T, row string) {
	set := func(key string, value any) func(map[string]any) { return func(doc map[string]any) { doc[key] = value } }
	tests := []struct {
		name   string
		change func(map[string]any)
		want   string
	}{
		{"B13 issuer of another server", set("issuer", "https://evil.test"), `calls itself "https://evil.test"`},
		{"B13 issuer with a slash more", set("issuer", fakeIssuer+"/"), "calls itself"},
		{"B13 issuer in capitals", set("issuer", "https://ID.example.test"), "calls itself"},
		{"B13 no issuer", set("issuer", nil), "names no issuer"},
		{"B13 hostile issuer", set("issuer", "\x1b[31m\r\n"+strings.Repeat("x", 9000)), "calls itself"},
		{"A4 plain PKCE only", set("code_challenge_methods_supported", []string{"plain"}), "PKCE"},
		{"A4 no PKCE method", set("code_challenge_methods_supported", []string{}), "PKCE"},
		{"B13 plain http endpoint", set("token_endpoint", "http://id.example.test/token"), "not an https address"},
		{"B13 endpoint on this machine", set("token_endpoint", "http://127.0.0.1/token"), "not an https address"},
		{"A14 file to open", set("authorization_endpoint", "file:///bin/sh"), "not an https address"},
		{"A14 script to open", set("authorization_endpoint", "javascript:alert(1)"), "not an https address"},
		{"A14 flag to open", set("authorization_endpoint", "--gpu-launcher=x"), "not a whole address"},
		{"B13 an endpoint without its host", set("token_endpoint", "/token"), "not a whole address"},
		{"beforehand only, at no address", func(doc map[string]any) {
			doc["require_pushed_authorization_requests"], doc["pushed_authorization_request_endpoint"] = true, "http://id.example.test/par"
		}, "handed over beforehand"},
		{"A14 fragment", set("authorization_endpoint", fakeIssuer+"/a#"), "not a usable address"},
		{"A14 user name", set("authorization_endpoint", "https://id.example.test@evil.test/"), "user name"},
		{"A14 line break", set("authorization_endpoint", fakeIssuer+"/a\r\nX: y"), "not a usable address"},
		{"B13 keys by http", set("jwks_uri", "http://evil.test/jwks"), "not an https address"},
		{"B13 no endpoints", func(doc map[string]any) { delete(doc, "token_endpoint") }, "names no authorization or no token endpoint"},
	}
	for _, test := range tests {
		if !ofRow(test.name, row) {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			s := newServer()
			s.URL = fakeIssuer
			s.metadata = test.change
			_, err := s.client(t, func(c *Config) { c.Transport = transportTo{s} }).StartSignIn(t.Context(), SignInOptions{})
			if classOf(err) != HeldBack || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("class %v, %v", classOf(err), err)
			}
			if text := err.Error(); strings.ContainsAny(text, "\x1b\r\n") || len(text) > 500 {
				t.Errorf("text %q", text)
			}
		})
	}
}

func TestDiscoveryFailures(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		class  Class
		want   string
	}{
		{"captive portal", respond(200, "text/html", "<html>"), NotSent, "a web page instead of JSON"},
		{"redirect", respond(302, "", "", "Location", "https://evil.test"), Protocol, "never followed"},
		{"redirect to a slash", respond(301, "", "", "Location", "/.well-known/openid-configuration/"), Protocol, "never followed"},
		{"down", respond(502, "text/html", ""), NotSent, "502 Bad Gateway"},
		{"busy", respond(503, "text/html", ""), Throttled, "503"},
		{"not allowed", respond(403, "text/html", ""), HeldBack, "403"},
		{"a dead token? there is none", respond(400, appJSON, `{"error":"invalid_grant"}`), HeldBack, "invalid_grant"},
		{"array", respond(200, appJSON, `[]`), Protocol, "not a JSON object"},
		{"a key twice", respond(200, appJSON, `{"issuer":"https://a","issuer":"https://b"}`), Protocol, "duplicate"},
		{"2 MB", respond(200, appJSON, `{"x":"`+strings.Repeat("y", 2<<20)+`"}`), NotSent, "more than 1024 KB"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := New(Config{Issuer: fakeIssuer, ClientID: "x", Transport: transportTo{test.answer}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Refresh(t.Context(), auth.NewSecret("rt"), Origin{})
			if classOf(err) != test.class || !strings.Contains(err.Error(), test.want) {
				t.Errorf("class %v, %v", classOf(err), err)
			}
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		s := startServer(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.client(t, nil).StartSignIn(ctx, SignInOptions{}); classOf(err) != Cancelled {
			t.Errorf("error %v", err)
		}
	})
	t.Run("unreachable", func(t *testing.T) {
		c, err := New(Config{Issuer: "http://127.0.0.1:1", ClientID: "x"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.StartSignIn(t.Context(), SignInOptions{})
		if classOf(err) != NotSent || !strings.Contains(err.Error(), "connection refused; the issuer is http://127.0.0.1:1") {
			t.Errorf("class %v, %v", classOf(err), err)
		}
	})
}

func TestDiscoveryIsCached(t *testing.T) {
	s := startServer(t)
	c := s.client(t, nil)
	down := true
	const path = "/.well-known/openid-configuration"
	s.metadata = func(doc map[string]any) {
		if down {
			doc["issuer"] = "https://evil.test"
		}
	}
	if _, err := c.StartSignIn(t.Context(), SignInOptions{}); err == nil {
		t.Fatal("no error")
	}
	down = false // a failure is not remembered
	for range 3 {
		if _, err := c.Refresh(t.Context(), auth.NewSecret("rt-0"), Origin{}); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.count(path); n != 2 {
		t.Errorf("discovered %d times", n)
	}
}

func TestConfig(t *testing.T) {
	for _, test := range []struct {
		name   string
		config Config
		want   string // empty: good
	}{
		{"issuer", Config{Issuer: fakeIssuer, ClientID: "x"}, ""},
		{"preset", Config{Provider: "spotify", ClientID: "x"}, ""},
		{"endpoints", Config{AuthorizationEndpoint: fakeIssuer, TokenEndpoint: fakeIssuer, ClientID: "x"}, ""},
		{"no client", Config{Issuer: fakeIssuer}, "client_id is missing"},
		{"no issuer", Config{ClientID: "x"}, "issuer is missing"},
		{"half the endpoints", Config{ClientID: "x", TokenEndpoint: fakeIssuer}, "issuer is missing"},
		{"unknown provider", Config{Provider: "spotfy", ClientID: "x"}, `no provider is called "spotfy"`},
		{"http issuer", Config{Issuer: "http://id.example.test", ClientID: "x"}, "issuer: "},
		{"issuer with a query", Config{Issuer: fakeIssuer + "?x", ClientID: "x"}, "no query"},
		{"http endpoint", Config{Issuer: fakeIssuer, RevocationEndpoint: "http://a", ClientID: "x"}, "revocation_endpoint: "},
		{"localhost at Spotify", Config{Provider: "spotify", ClientID: "x", Redirect: "http://localhost/callback"}, "Spotify accepts only the hosts 127.0.0.1 and [::1]"},
	} {
		_, err := New(test.config)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// TestPresetStaysHome: with another issuer or other endpoints, nothing goes to
// the preset's own.
func TestPresetStaysHome(t *testing.T) {
	s := startServer(t)
	s.answer = func(_ url.Values, doc map[string]any) { delete(doc, "id_token") }
	c, err := New(Config{Provider: "spotify", ClientID: "x", AuthorizationEndpoint: s.URL + "/authorize", TokenEndpoint: s.URL + "/token",
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if !strings.HasPrefix(r.URL.String(), s.URL) {
				t.Errorf("%s was asked", r.URL.Host)
			}
			return http.DefaultTransport.RoundTrip(r)
		})})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := signIn(t, c, SignInOptions{}); got.err != nil {
		t.Error(got.err)
	}
	if err := c.Revoke(t.Context(), auth.NewSecret("rt")); err != ErrNoRevocation {
		t.Errorf("error %v", err)
	}
}

func TestDefaultScopes(t *testing.T) {
	for _, test := range []struct {
		supported any
		want      string
	}{
		{nil, "openid offline_access"}, {[]string{"openid", "email"}, "openid"}, {[]string{"offline_access", "openid"}, "openid offline_access"},
	} {
		s := startServer(t)
		s.metadata = func(doc map[string]any) { doc["scopes_supported"] = test.supported }
		flow, err := s.client(t, func(c *Config) { c.Scopes = nil }).StartSignIn(t.Context(), SignInOptions{})
		if err != nil {
			t.Fatal(err)
		}
		flow.Close()
		u, _ := url.Parse(flow.URL)
		if got := u.Query().Get("scope"); got != test.want {
			t.Errorf("%v: asked for %q", test.supported, got)
		}
	}
	c, err := New(Config{AuthorizationEndpoint: fakeIssuer + "/a", TokenEndpoint: fakeIssuer + "/t", ClientID: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if scopes := c.wantedScopes(); len(scopes) > 0 { // a plain OAuth server knows neither
		t.Errorf("without an issuer: asked for %q", scopes)
	}
}

func TestSpotify(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST accounts.spotify.com/api/token", respond(200, appJSON, `{"access_token":"at","token_type":"Bearer","scope":"","expires_in":3600,"refresh_token":"rt"}`))
	profile := respond(200, appJSON, `{"display_name":"Ann","id":"ann1"}`)
	mux.HandleFunc("GET api.spotify.com/v1/me", func(w http.ResponseWriter, r *http.Request) { profile(w, r) })
	c, err := New(Config{Provider: "spotify", ClientID: "abc", Scopes: []string{"user-read-email"}, Transport: transportTo{mux}})
	if err != nil {
		t.Fatal(err)
	}
	run := func() outcome {
		flow, done := begin(t, c, SignInOptions{ForceLogin: true})
		u, _ := url.Parse(flow.URL)
		q := u.Query()
		if u.Host != "accounts.spotify.com" || q.Get("show_dialog") != "true" || q.Has("prompt") || q.Has("nonce") || q.Get("code_challenge_method") != "S256" {
			t.Errorf("URL %s", flow.URL)
		}
		get(t, q.Get("redirect_uri")+"?code=x&state="+q.Get("state"), nil)
		return <-done
	}
	if got := run(); got.err != nil || got.grant.Identity != (Identity{Display: "Ann"}) || got.grant.RefreshToken.Reveal() != "rt" {
		t.Errorf("%+v, %v", got.grant, got.err)
	}
	profile = respond(403, appJSON, `{"error":{"status":403}}`) // a scope that does not allow it
	if got := run(); got.err != nil || got.grant.Identity != (Identity{}) {
		t.Errorf("%+v, %v", got.grant, got.err)
	}
	if err := c.Revoke(t.Context(), auth.NewSecret("rt")); err != ErrNoRevocation {
		t.Errorf("revoke: %v", err)
	}
	if p := c.Provider(); p.RemoveAccessURL != "https://www.spotify.com/account/apps/" || p.Lifetime.Hours() != 181*24 {
		t.Errorf("preset %+v", p)
	}
}

func TestProviderFile(t *testing.T) {
	for data, want := range map[string]string{
		`[x]`: "x: no title",
		`[x]` + "\ntitle=\"X\"\nredirect=\"http://evil.test\"":                                           "redirect",
		`[x]` + "\ntitle=\"X\"\nredirect=\"http://127.0.0.1\"\ntoken_endpoint=\"http://a\"":              "https",
		`[x]` + "\ntitle=\"X\"\nredirect=\"http://127.0.0.1\"\nclient_auth=\"none\"":                     "is not one of",
		`[x]` + "\ntitle=\"X\"\nredirect=\"http://127.0.0.1\"\nlifetime=\"six months\"":                  "not a time span",
		`[x]` + "\ntitle=\"X\"\nredirect=\"http://127.0.0.1\"\nlifetime=\"xd\"":                          "not a time span",
		`[x]` + "\ntitle=\"X\"\nredirect=\"http://127.0.0.1\"\nlife_time=\"1d\"":                         "strict mode",
		`[x]` + "\ntitle=\"X\"\nredirect=\"http://127.0.0.1\"\nlifetime=\"1d\"\naccess_lifetime=\"90m\"": "",
	} {
		list, err := readProviders([]byte(data))
		if want == "" && (err != nil || list[0].Lifetime.Hours() != 24 || list[0].AccessLifetime.Minutes() != 90) {
			t.Errorf("%q: %v, %v", data, list, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v", data, err)
		}
	}
}
