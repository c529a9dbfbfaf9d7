package oauth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"curfew/auth"
	"curfew/auth/oauth/jws"
)

// What popular servers do, one test a kind.

// TestDiscoveryElsewhere: a document is found although the server redirects to
// it or gives it another type. Odd answers at places without a document do not
// matter.
func TestDiscoveryElsewhere(t *testing.T) {
	const oidc, rfc = "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"
	document := func(s *testServer, contentType, before string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			text, _ := json.Marshal(map[string]any{"issuer": s.URL, "authorization_endpoint": s.URL + "/authorize", "token_endpoint": s.URL + "/token"})
			respond(200, contentType, before+string(text))(w, r)
		}
	}
	for name, setup := range map[string]func(s *testServer){
		"403": func(s *testServer) { s.handle[oidc] = respond(403, appJSON, `{"message":"Forbidden"}`) },
		"401": func(s *testServer) { s.handle[oidc] = respond(401, "text/html", "<h1>login") },
		"405": func(s *testServer) { s.handle[oidc] = respond(405, "", "") },
		"410": func(s *testServer) { s.handle[oidc] = respond(410, "", "") },
		"a web page": func(s *testServer) {
			s.handle[oidc] = respond(200, "text/html", "<!doctype html>")
		},
		"redirect": func(s *testServer) {
			s.handle[oidc] = respond(301, "text/html", "", "Location", "/index.php"+oidc)
			s.handle["/index.php"+oidc] = document(s, appJSON, "")
		},
		"text/plain":       func(s *testServer) { s.handle[oidc] = document(s, "text/plain", "") },
		"octets":           func(s *testServer) { s.handle[oidc] = document(s, "application/octet-stream", "") },
		"byte order mark":  func(s *testServer) { s.handle[oidc] = document(s, appJSON, "\ufeff") },
		"charset, twice":   func(s *testServer) { s.handle[oidc] = document(s, appJSON+";charset=UTF-8", "") },
		"without any type": func(s *testServer) { s.handle[oidc] = document(s, "", "") },
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t)
			s.handle[rfc] = document(s, appJSON, "")
			setup(s)
			got, _ := signIn(t, s.client(t, func(c *Config) { c.Scopes = []string{"repo"} }), SignInOptions{})
			if got.err != nil {
				t.Error(got.err)
			}
		})
	}
}

// TestListedWords: a refusal's words are said though they are in a list, as NestJS
// has them, or under a name in camel case.
func TestListedWords(t *testing.T) {
	for body, want := range map[string]string{
		`{"statusCode":400,"error":"Bad Request","message":["a must be set","b is long"]}`: "Bad Request (a must be set; b is long)",
		`{"error":"invalid_request","error_description":["expired"]}`:                      "invalid_request (expired)",
		`{"error":"invalid_request","errorDescription":"expired"}`:                         "invalid_request (expired)",
		`{"errorMessage":"expired"}`:                                                       "400 Bad Request (expired)",
		`{"error":"invalid_request","message":[{"a":1}]}`:                                  "answered invalid_request",
	} {
		if _, _, err := refreshWith(t, respond(400, appJSON, body), nil); classOf(err) != HeldBack || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// TestExchangeGivesRefreshToken: the caller gets it, to revoke it, though the
// rest of the answer cannot be used.
func TestExchangeGivesRefreshToken(t *testing.T) {
	for body, ok := range map[string]bool{
		`{"access_token":"a","expires_in":60,"refresh_token":"rt-x"}`:                    true,
		`{"access_token":"a","expires_in":60,"refresh_token":"rt-x","token_type":"mac"}`: false,
	} {
		s := startServer(t)
		s.handle["/token"] = respond(200, appJSON, body)
		g, err := s.client(t, nil).Exchange(t.Context(), url.Values{}, nil, Origin{})
		if (err == nil) != ok || g.RefreshToken.Reveal() != "rt-x" || ok == g.AccessToken.IsZero() {
			t.Errorf("%s: %+v, %v", body, g, err)
		}
	}
}

// TestNoDocument: a place without a document is told as one, though the server
// has words for it.
func TestNoDocument(t *testing.T) {
	s := startServer(t)
	for _, place := range wellKnown {
		s.handle[place] = respond(404, appJSON, `{"error":"not_found","message":"No route"}`)
	}
	if _, err := s.client(t, nil).StartSignIn(t.Context(), SignInOptions{}); err == nil || !strings.Contains(err.Error(), "no discovery document") {
		t.Error(err)
	}
}

// TestPasted: blanks around what was copied are taken off, and the address of
// the discovery document is taken for the issuer in it.
func TestPasted(t *testing.T) {
	for pasted, want := range map[string]string{
		"https://id.example.test/.well-known/openation":                           "https://id.example.test/.well-known/openation",
		" https://id.example.test/.well-known/openid-configuration\n":             "https://id.example.test",
		"https://id.example.test/realms/x/.well-known/openid-configuration":       "https://id.example.test/realms/x",
		"https://id.example.test/.well-known/oauth-authorization-server/realms/x": "https://id.example.test/realms/x",
		"https://id.example.test/.well-known/openid-configuration-of-something":   "https://id.example.test/.well-known/openid-configuration-of-something",
		"https://id.example.test/.well-known/openid-configuration/?x=1":           "https://id.example.test/?x=1",
		"": "",
	} {
		if got := IssuerOf(pasted); got != want {
			t.Errorf("%q: %q, want %q", pasted, got, want)
		}
	}
	s := startServer(t)
	c, err := New(Config{Issuer: "\t" + s.URL + "/.well-known/openid-configuration ", ClientID: " curfew\n", ClientSecret: auth.NewSecret("secret \r\n"), Scopes: []string{"openid"}})
	if err != nil {
		t.Fatal(err)
	}
	var header string
	s.token = func(_ http.ResponseWriter, r *http.Request) bool {
		header = r.Header.Get("Authorization")
		return false
	}
	if got, _ := signIn(t, c, SignInOptions{}); got.err != nil || header != "Basic "+base64.StdEncoding.EncodeToString([]byte("curfew:secret")) {
		t.Errorf("%v, %q", got.err, header)
	}
	if _, err := New(Config{Issuer: "https://login.example.test/{tenantid}/v2.0", ClientID: "x"}); err == nil || !strings.Contains(err.Error(), "tenant") {
		t.Errorf("a placeholder: %v", err)
	}
}

// TestSecretInBody: a secret that the header would change goes into the body
// where the server takes it there.
func TestSecretInBody(t *testing.T) {
	for _, test := range []struct {
		secret  string
		methods []string
		want    string
	}{
		{"plain", []string{"client_secret_basic", "client_secret_post"}, "basic"},
		{"Abcd/1234+x==", []string{"client_secret_basic", "client_secret_post"}, "post"},
		{"Abcd/1234+x==", []string{"client_secret_basic"}, "basic"},
		{"plain", []string{"client_secret_post"}, "post"},
		{"plain", nil, "basic"},
		{"", []string{"client_secret_basic"}, "none"},
	} {
		c, err := New(Config{Issuer: fakeIssuer, ClientID: "x", ClientSecret: auth.NewSecret(test.secret)})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.clientAuth(&metadata{authMethods: test.methods}); got != test.want {
			t.Errorf("%q, %v: %s", test.secret, test.methods, got)
		}
	}
}

// TestManyTenants: a document that serves many tenants names its issuer with a
// placeholder; the ID token's tid says what stands there.
func TestManyTenants(t *testing.T) {
	const tid = "9188040d-6c67-4c5b-b112-36a304b66dad"
	s := startServer(t)
	metadata := func(template string) {
		s.handle["/common/v2.0/.well-known/openid-configuration"] = func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, 200, map[string]any{"issuer": template, "authorization_endpoint": s.URL + "/authorize", "token_endpoint": s.URL + "/token", "jwks_uri": s.URL + "/jwks"})
		}
	}
	s.authorize = func(_, answer url.Values) { answer.Set("iss", s.URL+"/"+tid+"/v2.0") }
	for _, test := range []struct {
		name, template, iss, tid string
		ok                       bool
	}{
		{"right", s.URL + "/{tenantid}/v2.0", s.URL + "/" + tid + "/v2.0", tid, true},
		{"another tenant than tid", s.URL + "/{tenantid}/v2.0", s.URL + "/" + tid + "/v2.0", "00000000-0000-0000-0000-000000000000", false},
		{"no tid", s.URL + "/{tenantid}/v2.0", s.URL + "/" + tid + "/v2.0", "", false},
		{"a path as tid", s.URL + "/{tenantid}/v2.0", s.URL + "/a/../b/v2.0", "a/../b", false},
		{"another host", "https://evil.test/{tenantid}/v2.0", "https://evil.test/" + tid + "/v2.0", tid, false},
		{"a part of the host", strings.Replace(s.URL, "127", "{tenantid}", 1) + "/common/v2.0", s.URL, tid, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			metadata(test.template)
			s.claims = func(c jwt.MapClaims) { c["iss"], c["tid"] = test.iss, test.tid }
			c := s.client(t, func(c *Config) { c.Issuer = s.URL + "/common/v2.0" })
			flow, err := c.StartSignIn(t.Context(), SignInOptions{})
			if err == nil {
				done := make(chan error)
				go func() { _, err := flow.Wait(t.Context(), nil); done <- err }()
				get(t, flow.URL, nil)
				err = <-done
			}
			if (err == nil) != test.ok {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestSideFaults: what is wrong next to a good sign-in does not undo it; whom
// the ID token is about and for does.
func TestSideFaults(t *testing.T) {
	set := func(key string, value any) func(*testServer) {
		return func(s *testServer) { s.claims = func(c jwt.MapClaims) { c[key] = value } }
	}
	scope := func(scope any) func(*testServer) {
		return func(s *testServer) { s.answer = func(_ url.Values, doc map[string]any) { doc["scope"] = scope } }
	}
	for name, setup := range map[string]func(*testServer){
		"email as a list":           set("email", []string{"ann@example.test"}),
		"name as an object":         set("name", map[string]any{"given": "Ann"}),
		"name as a number":          set("preferred_username", 4711),
		"auth_time as text":         set("auth_time", "1700000000"),
		"auth_time empty":           set("auth_time", ""),
		"auth_time in milliseconds": set("auth_time", time.Now().UnixMilli()),
		"auth_time beyond all":      set("auth_time", 1e300),
		"auth_time below all":       set("auth_time", -1e300),
		"azp as a list":             set("azp", []string{"curfew"}),
		"two audiences":             set("aud", []string{"curfew", "https://id.example.test/"}),
		"exp with a fraction":       set("exp", float64(time.Now().Unix())+600.5),
		"scope without openid":      scope("https://graph.example.test/Mail.Read"),
		"scope with commas":         scope("email,openid,profile"),
		"scope as a list":           scope([]string{"openid"}),
		"scope empty":               scope(""),
		"no token_type":             func(s *testServer) { s.answer = func(_ url.Values, doc map[string]any) { delete(doc, "token_type") } },
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t)
			setup(s)
			got, _ := signIn(t, s.client(t, nil), SignInOptions{})
			if got.err != nil || got.grant.Identity.Subject != "alice" {
				t.Errorf("%+v, %v", got.grant.Identity, got.err)
			}
			if _, err := json.Marshal(got.grant.Identity); err != nil {
				t.Error(err)
			}
		})
	}
	for name, setup := range map[string]func(*testServer){
		"issued to another client": set("azp", "other"),
		"to several":               set("azp", []string{"curfew", "other"}),
		"for another client":       set("aud", "other"),
		"claims twice":             func(s *testServer) { s.sign = func(jwt.MapClaims) string { return doubled(s) } },
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t)
			setup(s)
			got, _ := signIn(t, s.client(t, nil), SignInOptions{})
			if got.err == nil {
				t.Error("it passes")
			}
			if got.grant.RefreshToken.IsZero() || !got.grant.AccessToken.IsZero() { // what is not kept is the caller's to revoke
				t.Errorf("the grant is %+v", got.grant)
			}
		})
	}
}

// doubled is a signed token with a claim that comes twice.
func doubled(s *testServer) string {
	encode := base64.RawURLEncoding.EncodeToString
	k := s.keys[0]
	text := encode([]byte(`{"alg":"ES256","kid":"`+k.kid+`"}`)) + "." + encode([]byte(`{"iss":"`+s.URL+`","sub":"eve","sub":"alice","aud":"curfew"}`))
	sig, err := k.method.Sign(text, k.key)
	if err != nil {
		panic(err)
	}
	return text + "." + encode(sig)
}

// TestIDTokenOfAnother: a refresh that answers for another person is noticed
// whatever the answer's scope says.
func TestIDTokenOfAnother(t *testing.T) {
	s := startServer(t)
	s.answer = func(_ url.Values, doc map[string]any) { doc["scope"] = "Mail.Read" }
	c := s.client(t, nil)
	got, _ := signIn(t, c, SignInOptions{})
	if got.err != nil {
		t.Fatal(got.err)
	}
	s.claims = func(c jwt.MapClaims) { c["sub"] = "eve" }
	if _, err := c.Refresh(t.Context(), got.grant.RefreshToken, Origin{Identity: got.grant.Identity, Endpoints: got.grant.Endpoints}); err == nil || !strings.Contains(err.Error(), "another subject") {
		t.Errorf("error %v", err)
	}
}

// namedMethod is a signing method under another name.
type namedMethod struct {
	jwt.SigningMethod
	name string
}

func (m namedMethod) Alg() string { return m.name }

// TestAlgorithms: a server that signs with what proves nothing here is refused
// before the browser opens, and by name.
func TestAlgorithms(t *testing.T) {
	s := startServer(t)
	s.metadata = func(doc map[string]any) { doc["id_token_signing_alg_values_supported"] = []string{"HS256"} }
	if _, err := s.client(t, nil).StartSignIn(t.Context(), SignInOptions{}); classOf(err) != HeldBack || !strings.Contains(err.Error(), "HS256 only") {
		t.Errorf("error %v", err)
	}
	s = startServer(t)
	s.sign = func(c jwt.MapClaims) string {
		text, _ := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString([]byte("secret"))
		return text
	}
	if got, _ := signIn(t, s.client(t, nil), SignInOptions{}); got.err == nil || !strings.Contains(got.err.Error(), "signed with HS256") {
		t.Errorf("error %v", got.err)
	}
	s = startServer(t)
	s.keys[0].method = namedMethod{jwt.SigningMethodES256, "ESP256"}
	if got, _ := signIn(t, s.client(t, nil), SignInOptions{}); got.err != nil {
		t.Error(got.err)
	}
}

// TestKeyIDs: keys without a kid, and a key that was replaced under its kid.
func TestKeyIDs(t *testing.T) {
	s := startServer(t)
	s.keys[0].kid = "k1"
	published := jwk(s.keys[0])
	delete(published, "kid")
	s.handle["/jwks"] = func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, 200, map[string]any{"keys": []any{map[string]any{"kty": 7}, published}})
	}
	if got, _ := signIn(t, s.client(t, nil), SignInOptions{}); got.err != nil {
		t.Errorf("a token with a kid, the key without: %v", got.err)
	}
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.URL = fakeIssuer
		c := s.client(t, func(c *Config) { c.Transport = transportTo{s} })
		from := Origin{Identity: Identity{Issuer: s.URL, Subject: "alice"}}
		for range 3 { // the set rolls within a minute
			if _, err := c.Refresh(t.Context(), auth.NewSecret("rt-0"), from); err != nil {
				t.Error(err)
			}
			time.Sleep(20 * time.Second)
			s.keys = []testKey{newECKey("k1")}
		}
	})
}

// TestEndpointMoves: discovery is read again when nothing answers at the token
// endpoint any more. The refresh token follows within the same server only.
func TestEndpointMoves(t *testing.T) {
	for _, test := range []struct {
		name, to string
		ok       bool
	}{
		{"another path", fakeIssuer + "/v2/token", true},
		{"another host", "https://elsewhere.example.test/token", false},
		{"another port", "https://id.example.test:444/token", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer()
				s.URL = fakeIssuer
				c := s.client(t, func(c *Config) { c.Transport = transportTo{s} })
				first, err := c.Refresh(t.Context(), auth.NewSecret("rt-0"), Origin{})
				if err != nil || first.Endpoints.Token != fakeIssuer+"/token" {
					t.Fatalf("%+v, %v", first.Endpoints, err)
				}
				var got []string
				s.handle["/token"] = func(w http.ResponseWriter, r *http.Request) {
					if got = append(got, r.Host); r.Host == "id.example.test" {
						http.NotFound(w, r)
						return
					}
					s.serveToken(w, r)
				}
				s.handle["/v2/token"] = s.serveToken
				s.metadata = func(doc map[string]any) { doc["token_endpoint"] = test.to }
				from := Origin{Identity: Identity{Issuer: fakeIssuer, Subject: "alice"}, Endpoints: first.Endpoints}
				g, err := c.Refresh(t.Context(), auth.NewSecret("rt-1"), from)
				if test.ok && (err != nil || g.Endpoints.Token != test.to) {
					t.Errorf("%+v, %v", g.Endpoints, err)
				}
				if !test.ok && (classOf(err) != HeldBack || !strings.Contains(err.Error(), "sign in again") || len(got) != 1) {
					t.Errorf("%v; the refresh token went to %q", err, got)
				}

				// Nor does a new client, after a restart, send it there.
				c = s.client(t, func(c *Config) { c.Transport = transportTo{s} })
				if _, err := c.Refresh(t.Context(), auth.NewSecret("rt-1"), from); (err == nil) != test.ok {
					t.Errorf("after a restart: %v", err)
				}
				s.metadata = func(doc map[string]any) { doc["revocation_endpoint"] = test.to }
				s.handle["/v2/token"] = respond(200, "", "")
				s.handle["/token"] = respond(200, "", "")
				c = s.client(t, func(c *Config) { c.Transport = transportTo{s} })
				if err := c.RevokeFrom(t.Context(), auth.NewSecret("rt-1"), from); (err == nil) != test.ok {
					t.Errorf("revocation: %v", err)
				}
			})
		})
	}
	t.Run("at a sign-in", func(t *testing.T) {
		s := startServer(t)
		c := s.client(t, nil)
		if got, _ := signIn(t, c, SignInOptions{}); got.err != nil {
			t.Fatal(got.err)
		}
		s.handle["/token"], s.handle["/v2/token"] = http.NotFound, s.serveToken
		s.metadata = func(doc map[string]any) { doc["token_endpoint"] = s.URL + "/v2/token" }
		c.read = time.Now().Add(-2 * rereadAfter)
		if got, _ := signIn(t, c, SignInOptions{}); got.err != nil {
			t.Error(got.err)
		}
	})
}

// TestFormAnswer: an answer that comes as a form is brought again as a query.
// There the same rules hold as for any other: of the host, the state, the cookie.
func TestFormAnswer(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	s := startServer(t)
	flow, done := begin(t, s.client(t, nil), SignInOptions{})
	s.authorize = func(_, a url.Values) { a.Set("session_state", "x") }
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := browser.Get(flow.URL)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := resp.Location()
	if err != nil {
		t.Fatal(err)
	}
	callback := "http://" + answer.Host + answer.Path
	post := func(address, contentType, body string, header ...string) *http.Response {
		r, err := http.NewRequest("POST", address, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Origin", "https://id.example.test")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		if r.Host = header[1]; header[0] != "Host" {
			r.Host = answer.Host
		}
		resp, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	good := answer.RawQuery
	for name, resp := range map[string]*http.Response{
		"another host":  post(callback, form, good, "Host", "evil.test"),
		"another path":  post(callback+"x", form, good, "X-A", ""),
		"another type":  post(callback, "text/plain", good, "X-A", ""),
		"a fetch":       post(callback, form, good, "Sec-Fetch-Mode", "cors"),
		"a key twice":   post(callback, form, good+"&state=x", "X-A", ""),
		"without state": post(callback, form, "error=access_denied", "X-A", ""),
		"too long":      post(callback, form, good+"&x="+strings.Repeat("x", maxToken), "X-A", ""),
	} {
		if resp.StatusCode/100 != 4 {
			t.Errorf("%s: %s", name, resp.Status)
		}
	}
	if resp := post(callback, form, strings.Replace(good, "&state=", "&state=x", 1), "X-A", ""); resp.StatusCode != 303 {
		t.Errorf("a wrong state: %s", resp.Status)
	} else if again, _ := get(t, callback+resp.Header.Get("Location")[len(answer.Path):], nil); again.StatusCode != 400 {
		t.Errorf("a wrong state, as a query: %s", again.Status)
	}
	resp = post(callback, form+"; charset=UTF-8", good, "X-A", "")
	to, err := resp.Location()
	if err != nil || resp.StatusCode != 303 || to.Host != answer.Host || to.Query().Has("session_state") {
		t.Fatalf("%s to %v, %v", resp.Status, to, err)
	}
	get(t, to.String(), nil)
	if got := <-done; got.err != nil {
		t.Error(got.err)
	}
}

// TestOtherAnswers: an answer without the state, or of another response mode,
// ends the sign-in with words in the browser that opened the start page. No code
// is taken from it. From any other browser it changes nothing, and the page does
// not say that the sign-in has ended.
func TestOtherAnswers(t *testing.T) {
	const waits, ended = "The server&#39;s answer is incomplete", "This sign-in has ended"
	for _, test := range []struct{ name, query, words, elsewhere string }{
		{"no state", "code=CODE", "without the state", waits},
		{"a JWT", "response=a.b.c", "response mode jwt", waits},
		{"tokens", "access_token=a&id_token=b&iss=ISS", "in place of a code", waits},
		{"words alone", "error_description=Your+account+is+locked&iss=ISS", "answered: Your account is locked", waits},
		{"another sign-in's", "code=CODE&state=old", "", ended},
		{"nothing", "", "", waits},
	} {
		for _, mine := range []bool{true, false} {
			s := startServer(t)
			s.metadata = func(doc map[string]any) { delete(doc, "authorization_response_iss_parameter_supported") }
			flow, done := begin(t, s.client(t, nil), SignInOptions{Browser: true, Timeout: 20 * time.Second})
			browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			resp, err := browser.Get(flow.StartPage())
			if err != nil {
				t.Fatal(err)
			}
			query := strings.NewReplacer("CODE", "x", "ISS", url.QueryEscape(s.URL)).Replace(test.query)
			_, page := get(t, flow.redirectURI+"?"+query, func(r *http.Request) {
				for _, c := range resp.Cookies() {
					if mine {
						r.AddCookie(c)
					}
				}
			})
			if ends := mine && test.words != ""; !ends {
				if !strings.Contains(page, "<h1>"+test.elsewhere+"</h1>") {
					t.Errorf("%s, mine %v: %s", test.name, mine, page)
				}
				flow.Close()
				if got := <-done; classOf(got.err) != Cancelled {
					t.Errorf("%s, mine %v: %v", test.name, mine, got.err)
				}
				continue
			}
			if got := <-done; got.err == nil || !strings.Contains(got.err.Error(), test.words) || len(s.posts) > 0 {
				t.Errorf("%s: %v, %d token requests", test.name, got.err, len(s.posts))
			}
		}
	}
}

// TestExpiresAt: the end of an access token is also read where it is a time. It
// is by the server's clock, and it tightens an expires_in of nobody.
func TestExpiresAt(t *testing.T) {
	server := time.Now().Add(-time.Hour).Truncate(time.Second) // its clock is behind
	end := server.Add(10 * time.Minute)
	for members, want := range map[string]time.Duration{
		fmt.Sprintf(`"expires_at":%d`, end.Unix()):                     10 * time.Minute,
		fmt.Sprintf(`"expires_at":"%d"`, end.Unix()):                   10 * time.Minute,
		fmt.Sprintf(`"expires_at":%d`, end.UnixMilli()):                10 * time.Minute,
		`"expires_at":"` + end.UTC().Format(time.RFC3339) + `"`:        10 * time.Minute,
		fmt.Sprintf(`"expires_in":null,"expires_at":%d`, end.Unix()):   10 * time.Minute,
		fmt.Sprintf(`"expires_in":"soon","expires_at":%d`, end.Unix()): 10 * time.Minute,
		fmt.Sprintf(`"expires_in":900,"expires_at":%d`, end.Unix()):    15 * time.Minute,
		`"expires_at":"9999-12-31T23:59:59Z"`:                          maxTokenLife,
		`"expires_at":253402300799`:                                    maxTokenLife,
		`"expires_at":-5`:                                              0,
		`"expires_at":"tomorrow"`:                                      0,
		`"expires_at":1e300`:                                           0,
		`"expires_at":"0001-01-01T00:00:00Z"`:                          0,
	} {
		g, _, err := refreshWith(t, respond(200, appJSON, `{"access_token":"a","token_type":"Bearer",`+members+`}`, "Date", server.UTC().Format(http.TimeFormat)), nil)
		if left := g.ExpiresAt.Sub(g.ReceivedAt); err != nil || g.ExpiresIn != want || want > 0 && left != want || want == 0 && !g.ExpiresAt.IsZero() {
			t.Errorf("%s: issued for %v, %v left, %v", members, g.ExpiresIn, left, err)
		}
	}
}

// TestSideMembers: members next to a good access token do not spoil it.
func TestSideMembers(t *testing.T) {
	for members, want := range map[string][2]string{
		`"access_token":"a\n"`:                          {"a", ""},
		`"access_token":" a ","refresh_token":"b\r\n"`:  {"a", "b"},
		`"access_token":"a","refresh_token":false`:      {"a", ""},
		`"access_token":"a","refresh_token":[]`:         {"a", ""},
		`"access_token":"a","refresh_token":7`:          {"a", ""},
		`"access_token":"a","token_type":"BearerToken"`: {"a", ""},
	} {
		g, _, err := refreshWith(t, respond(200, appJSON, `{`+members+`,"expires_in":900}`), nil)
		if err != nil || g.AccessToken.Reveal() != want[0] || g.RefreshToken.Reveal() != want[1] {
			t.Errorf("%s: %q, %q, %v", members, g.AccessToken.Reveal(), g.RefreshToken.Reveal(), err)
		}
	}
	for name, setup := range map[string]func(*testServer){
		"exp in milliseconds": func(s *testServer) {
			s.claims = func(c jwt.MapClaims) { c["exp"] = time.Now().Add(time.Hour).UnixMilli() }
		},
		"iat in milliseconds": func(s *testServer) { s.claims = func(c jwt.MapClaims) { c["iat"] = time.Now().UnixMilli() } },
		"an ID token with a line end": func(s *testServer) {
			s.answer = func(_ url.Values, doc map[string]any) { doc["id_token"] = doc["id_token"].(string) + "\n" }
		},
		"an endpoint with a blank": func(s *testServer) {
			s.metadata = func(doc map[string]any) { doc["token_endpoint"] = s.URL + "/token\n" }
		},
		"PKCE methods as a text": func(s *testServer) {
			s.metadata = func(doc map[string]any) { doc["code_challenge_methods_supported"] = "S256" }
		},
		"requests beforehand over http": func(s *testServer) {
			s.metadata = func(doc map[string]any) { doc["pushed_authorization_request_endpoint"] = "http://id.example.test/par" }
		},
	} {
		s := startServer(t)
		setup(s)
		if got, _ := signIn(t, s.client(t, nil), SignInOptions{}); got.err != nil {
			t.Errorf("%s: %v", name, got.err)
		}
	}
	s := startServer(t)
	s.claims = func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-time.Hour).UnixMilli() }
	if got, _ := signIn(t, s.client(t, nil), SignInOptions{}); got.err == nil || !strings.Contains(got.err.Error(), "expired") {
		t.Errorf("an ID token that expired an hour ago, in milliseconds: %v", got.err)
	}
}

// TestDenials: a refusal in a provider's own words is one.
func TestDenials(t *testing.T) {
	s := startServer(t)
	s.authorize = func(_, a url.Values) {
		a.Del("code")
		a.Set("error", "user_cancelled_login")
		a.Set("error_description", "The user cancelled LinkedIn login")
	}
	if got, _ := signIn(t, s.client(t, nil), SignInOptions{}); classOf(got.err) != Denied || !strings.Contains(got.err.Error(), "cancelled LinkedIn login") {
		t.Errorf("error %v", got.err)
	}
}

// TestQuotedSecrets: a server that quotes what it was sent, as Spring, Fitbit and
// SimpleLogin do, puts it into no error and no log.
func TestQuotedSecrets(t *testing.T) {
	for _, shape := range []string{
		`{"error":"invalid_grant","error_description":"Invalid refresh token: %s"}`,
		`{"error":"no such authorization code %s"}`,
		`{"errors":[{"errorType":"x","message":"Refresh token invalid: %s."}]}`,
		`{"message":"` + strings.Repeat("x", 190) + ` %s"}`,
	} {
		s := startServer(t)
		var log strings.Builder
		s.token = func(w http.ResponseWriter, r *http.Request) bool {
			sent := strings.Join([]string{r.PostForm.Get("code"), r.PostForm.Get("refresh_token"), r.PostForm.Get("code_verifier"), r.PostForm.Get("client_secret")}, " ")
			respond(400, appJSON, strings.ReplaceAll(shape, "%s", sent))(w, r)
			return true
		}
		c := s.client(t, func(c *Config) {
			c.ClientSecret, c.ClientAuth = auth.NewSecret("client-s3cret"), "post"
			c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		got, _ := signIn(t, c, SignInOptions{})
		_, err := c.Refresh(t.Context(), auth.NewSecret("rt-s3cret"), Origin{})
		said := fmt.Sprint(got.err, err, log.String())
		for _, form := range s.posts {
			for _, field := range secretFields {
				if secret := form.Get(field); secret != "" && strings.Contains(said, secret[:min(len(secret), 8)]) {
					t.Errorf("%s: %s is in %s", shape, field, said)
				}
			}
		}
	}
}

// TestProxyRefuses: a company's proxy that lets nobody through is named, and
// nothing was sent to the server.
func TestProxyRefuses(t *testing.T) {
	for _, status := range []int{302, 403, 407, 503} {
		proxy := httptest.NewServer(respond(status, "text/html", "<h1>", "Proxy-Authenticate", "Basic"))
		c, err := New(Config{Issuer: fakeIssuer, ClientID: "x", Proxy: proxy.URL, TokenEndpoint: fakeIssuer + "/token"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Refresh(t.Context(), auth.NewSecret("rt-0"), Origin{})
		if e, _ := errors.AsType[*Error](err); e == nil || e.Class != NotSent || !strings.Contains(err.Error(), "proxy: "+statusText(status)) {
			t.Errorf("%d: %v", status, err)
		}
		proxy.Close()
	}
}

// TestAnswerQueries: what servers, companies and their error pages put into the
// address that a browser comes back with.
func TestAnswerQueries(t *testing.T) {
	denied := func(rest string) func(url.Values) string {
		return func(q url.Values) string {
			return "error=access_denied&" + rest + "&state=" + q.Get("state") + "&iss=" + url.QueryEscape(q.Get("iss"))
		}
	}
	for _, test := range []struct {
		name  string
		query func(good url.Values) string
		class Class // 0: signed in
		words string
	}{
		{"the state twice", func(q url.Values) string { return q.Encode() + "&state=" + q.Get("state") }, 0, ""},
		{"another parameter twice", func(q url.Values) string { return q.Encode() + "&scope=a&scope=b" }, 0, ""},
		{"an empty error", func(q url.Values) string { return q.Encode() + "&error=&error=" }, 0, ""},
		{"a bare percent sign", func(q url.Values) string { return q.Encode() + "&display=100%" }, 0, ""},
		{"a semicolon in a sentence", denied("error_description=AADSTS1;+ask+your+admin"), Denied, "AADSTS1; ask your admin"},
		{"a percent sign in a sentence", denied("error_description=100%+no"), Denied, "access_denied"},
		{"Facebook's error", func(q url.Values) string {
			return "error_code=1349126&error_message=App+not+active&state=" + q.Get("state") + "&iss=" + url.QueryEscape(q.Get("iss"))
		}, HeldBack, "App not active"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startServer(t)
			flow, done := begin(t, s.client(t, nil), SignInOptions{Timeout: 20 * time.Second})
			answer := answerURL(t, flow)
			answer.RawQuery = test.query(answer.Query())
			if resp, page := get(t, answer.String(), nil); resp.StatusCode != 200 {
				flow.Close()
				t.Errorf("status %d: %.200s", resp.StatusCode, page)
			}
			if got := <-done; classOf(got.err) != test.class || got.err != nil && !strings.Contains(got.err.Error(), test.words) {
				t.Errorf("error %v", got.err)
			}
		})
	}
}

// TestRevocationMoves: discovery is read again when nothing answers at the
// revocation endpoint any more. Nor is a redirect of the token endpoint followed,
// but what discovery says then.
func TestRevocationMoves(t *testing.T) {
	for name, gone := range map[string]http.HandlerFunc{"404": http.NotFound, "redirect": respond(308, "", "", "Location", "/v2")} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t)
			c := s.client(t, nil)
			got, _ := signIn(t, c, SignInOptions{})
			if got.err != nil {
				t.Fatal(got.err)
			}
			from := Origin{Identity: got.grant.Identity, Endpoints: got.grant.Endpoints}
			s.handle["/revoke"], s.handle["/token"] = gone, gone
			s.handle["/v2/revoke"], s.handle["/v2/token"] = respond(200, "", ""), s.serveToken
			s.metadata = func(doc map[string]any) {
				doc["token_endpoint"], doc["revocation_endpoint"] = s.URL+"/v2/token", s.URL+"/v2/revoke"
			}
			if err := c.RevokeFrom(t.Context(), got.grant.RefreshToken, from); err != nil || s.count("/v2/revoke") != 1 {
				t.Errorf("revocation: %v", err)
			}
			s.handle["/token"] = gone
			if c.meta.token = s.URL + "/token"; s.count("/v2") != 0 {
				t.Error("a redirect was followed")
			}
			if _, err := c.Refresh(t.Context(), got.grant.RefreshToken, from); err != nil || s.count("/v2") != 0 {
				t.Errorf("refresh: %v", err)
			}
		})
	}
}

// TestKeysAtASecondTry: keys that cannot be had for a moment do not cost a
// sign-in, whose code is spent by then.
func TestKeysAtASecondTry(t *testing.T) {
	s := startServer(t)
	s.handle["/jwks"] = func(w http.ResponseWriter, r *http.Request) {
		if s.count("/jwks") == 1 {
			w.WriteHeader(502)
			return
		}
		writeJSON(w, 200, map[string]any{"keys": []any{jwk(s.keys[0])}})
	}
	if got, _ := signIn(t, s.client(t, nil), SignInOptions{}); got.err != nil {
		t.Error(got.err)
	}
}

// TestDispensableEndpoints: an endpoint that a sign-in does not need keeps nobody
// from it.
func TestDispensableEndpoints(t *testing.T) {
	for key, ok := range map[string]bool{"userinfo_endpoint": true, "registration_endpoint": true, "device_authorization_endpoint": true, "token_endpoint": false, "revocation_endpoint": false, "jwks_uri": false} {
		s := startServer(t)
		s.metadata = func(doc map[string]any) { doc[key] = "http://internal.example/x" }
		if got, err := s.client(t, nil).StartSignIn(t.Context(), SignInOptions{}); (err == nil) != ok {
			t.Errorf("%s: %v", key, err)
		} else if ok {
			got.Close()
		}
	}
}

// TestIDTokenForms: one that is long is read and not kept. One that is encrypted
// is called so.
func TestIDTokenForms(t *testing.T) {
	s := startServer(t)
	s.claims = func(c jwt.MapClaims) { c["groups"] = strings.Repeat("a group ", 3<<10) }
	c := s.client(t, nil)
	got, _ := signIn(t, c, SignInOptions{})
	if got.err != nil || got.grant.Identity.Subject != "alice" || !got.grant.IDToken.IsZero() {
		t.Fatalf("%+v, %v", got.grant.Identity, got.err)
	}
	from := Origin{Identity: got.grant.Identity, Endpoints: got.grant.Endpoints}
	if g, err := c.Refresh(t.Context(), got.grant.RefreshToken, from); err != nil || !g.IDToken.IsZero() {
		t.Errorf("%v", err)
	}
	s.sign = func(jwt.MapClaims) string { return "a.b.c.d.e" }
	if got, _ := signIn(t, c, SignInOptions{}); got.err == nil || !strings.Contains(got.err.Error(), "it is encrypted") {
		t.Errorf("error %v", got.err)
	}
}

// TestKeysTakenAway: a server that publishes no keys any more cannot refresh a
// session for somebody else.
func TestKeysTakenAway(t *testing.T) {
	s := startServer(t)
	got, _ := signIn(t, s.client(t, nil), SignInOptions{})
	if got.err != nil {
		t.Fatal(got.err)
	}
	s.metadata = func(doc map[string]any) { delete(doc, "jwks_uri") }
	from := Origin{Identity: got.grant.Identity, Endpoints: got.grant.Endpoints}
	if _, err := s.client(t, nil).Refresh(t.Context(), got.grant.RefreshToken, from); err != nil {
		t.Errorf("the same person: %v", err)
	}
	s.claims = func(c jwt.MapClaims) { c["sub"] = "mallory" }
	if _, err := s.client(t, nil).Refresh(t.Context(), got.grant.RefreshToken, from); !errors.Is(err, ErrSubjectChanged) {
		t.Errorf("another person: %v", err)
	}
}

// TestGoogleIssuer: Google may leave its scheme out.
func TestGoogleIssuer(t *testing.T) {
	for _, test := range []struct {
		at, iss string
		ok      bool
	}{{"https://accounts.google.com", "accounts.google.com", true}, {fakeIssuer, "accounts.google.com", false}, {fakeIssuer, "id.example.test", false}} {
		s := newServer()
		s.URL = test.at
		s.claims = func(c jwt.MapClaims) { c["iss"] = test.iss }
		c := s.client(t, func(c *Config) { c.Transport = transportTo{s} })
		g, err := c.Refresh(t.Context(), auth.NewSecret("rt-0"), Origin{Identity: Identity{Issuer: test.at, Subject: "alice"}})
		if (err == nil) != test.ok || test.ok && g.Identity.Issuer != test.at {
			t.Errorf("%v: %+v, %v", test, g.Identity, err)
		}
	}
}

// FuzzMetadata: whatever a discovery document or a key set holds, what is read
// from it can be used.
func FuzzMetadata(f *testing.F) {
	f.Add([]byte(`{"issuer":"https://id.example.test","token_endpoint":"https://a/","keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`))
	f.Add([]byte(`{"issuer":"https://id.example.test/{tenantid}","keys":[{"kty":"EC","crv":"P-256","x":"","y":""},{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := parseObject(data)
		if err != nil {
			return
		}
		if m, failed := readMetadata(fakeIssuer, o); failed != nil {
			checkText(t, failed.Error())
		} else {
			for _, address := range []string{m.authorization, m.token, m.jwks, m.device, m.userinfo, m.revocation} {
				if _, err := parseURL(address); address != "" && err != nil {
					t.Errorf("%q: %v", address, err)
				}
			}
			if iss := m.issuerFor("x"); m.template == "" && iss != fakeIssuer {
				t.Errorf("issuer %q", iss)
			}
		}
		keys, _ := readKeys(o)
		jws.Fitting(keys, "", "RS256")
		c := &Client{log: nil}
		_, _, _ = c.readDevice("x", "h", &reply{status: 200, body: data})
		code, words, _ := errorWords(o)
		checkText(t, cleanCode(code))
		checkText(t, clean(words))
		for _, key := range []string{"exp", "iat", "auth_time"} {
			if at, ok := o.unixTime(key); ok && (at.Year() < 1970 || at.Year() > 9999) {
				t.Errorf("%s: %v", key, at)
			}
		}
	})
}
