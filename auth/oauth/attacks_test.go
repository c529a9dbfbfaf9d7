package oauth

import (
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"curfew/assets/pages"
	"curfew/auth"
)

// TestAttacks has a row for each attack on the loopback redirect (A) and for
// each thing that a hostile or broken server does (B), under its number. Tables
// with several rows have the number before the name of each of their cases. B6 is
// next to the plan, in package auth.
func TestAttacks(t *testing.T) {
	for _, row := range []struct {
		name  string
		tests []func(*testing.T)
	}{
		{"A1 login injection", rows(strays, "A1")},
		{"A2 an error without the state", rows(strays, "A2")},
		{"A3 code injection", append(rows(signInAnswers, "A3"), foreignCode)},
		{"A4 PKCE downgrade", append(rows(discoveryRefused, "A4"), alwaysPKCE)},
		{"A5 mix-up", append(rows(strays, "A5"), rows(signInAnswers, "A5")...)},
		{"A6 DNS rebinding", rows(strays, "A6")},
		{"A7 port race", tests(fixedPort, localhostTwin, listensFirst)},
		{"A8 probes of another user", rows(strays, "A8")},
		{"A9 repeated and parallel answers", tests(answerOnce, reload)},
		{"A10 noise of browsers", append(rows(strays, "A10"), portCloses)},
		{"A11 huge and slow requests", append(rows(strays, "A11"), crowd, slowHeader)},
		{"A12 scripts in the page", append(rows(signInAnswers, "A12"), pageHeaders)},
		{"A13 reach from the network", tests(boundToLoopback)},
		{"A14 injection into the browser's start", rows(discoveryRefused, "A14")},
		{"A15 phishing for a pasted address", tests(nothingToPaste)},

		{"B1 a huge body", tests(hugeAnswers)},
		{"B2 a slow server", tests(timeLimit)},
		{"B3 a redirect", append(rows(refreshClasses, "B3"), redirectLeaksNothing)},
		{"B4 not JSON", rows(refreshClasses, "B4")},
		{"B5 expires_in", rows(tokenAnswers, "B5")},
		{"B7 a key twice, or in another case", append(rows(refreshClasses, "B7"), rows(tokenAnswers, "B7")...)},
		{"B8 token_type", rows(tokenAnswers, "B8")},
		{"B9 a hostile token", rows(tokenAnswers, "B9")},
		{"B10 a wrong ID token", tests(idTokens)},
		{"B11 a refreshed ID token", tests(refreshIDToken)},
		{"B12 keys", tests(keyRollover, manyKeys)},
		{"B13 discovery", rows(discoveryRefused, "B13")},
		{"B14 a refresh token", tests(refreshTokens)},
		{"B15 revocation", tests(revoke)},
		{"B16 TLS", tests(notSent)},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, test := range row.tests {
				test(t)
			}
		})
	}
}

func tests(all ...func(*testing.T)) []func(*testing.T) { return all }

// rows is the part of a table that belongs to a row.
func rows(table func(*testing.T, string), row string) []func(*testing.T) {
	return tests(func(t *testing.T) { table(t, row) })
}

var numbered = regexp.MustCompile(`^[AB]\d+ `)

// ofRow reports whether a case belongs to a row. "" is for those without a number.
func ofRow(name, row string) bool {
	return strings.TrimSpace(numbered.FindString(name)) == row
}

// foreignCode: the code of another sign-in, brought with our state. A server
// that binds codes to PKCE refuses it. At one that does not, the nonce does.
func foreignCode(t *testing.T) {
	for name, careless := range map[string]bool{"PKCE": false, "nonce": true} {
		t.Run("A3 "+name, func(t *testing.T) {
			s := startServer(t)
			mallory, err := s.client(t, nil).StartSignIn(t.Context(), SignInOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer mallory.Close()
			stolen := answerURL(t, mallory).Query().Get("code")
			s.authorize = func(request, answer url.Values) {
				s.mu.Lock()
				defer s.mu.Unlock()
				if careless { // it forgets whose challenge it was
					s.codes[stolen].Set("code_challenge", request.Get("code_challenge"))
					s.codes[stolen].Set("redirect_uri", request.Get("redirect_uri"))
				}
				answer.Set("code", stolen)
			}
			got, page := signIn(t, s.client(t, nil), SignInOptions{})
			want := map[bool]Class{false: HeldBack, true: Protocol}[careless]
			if classOf(got.err) != want || !got.grant.AccessToken.IsZero() || page != string(pages.SignInFailed.Body()) {
				t.Errorf("class %v, %v", classOf(got.err), got.err)
			}
		})
	}
}

// alwaysPKCE: the challenge is S256 and the verifier is sent, whatever the
// server says of itself.
func alwaysPKCE(t *testing.T) {
	s := startServer(t)
	s.metadata = func(doc map[string]any) { delete(doc, "code_challenge_methods_supported") }
	if got, _ := signIn(t, s.client(t, nil), SignInOptions{}); got.err != nil {
		t.Fatal(got.err)
	}
	if s.requests[0].Get("code_challenge_method") != "S256" || len(s.posts[0].Get("code_verifier")) < 43 {
		t.Errorf("asked for %v, sent %v", s.requests[0], s.posts[0])
	}
}

// listensFirst: the port is ours before anybody can read its number, and is
// another one each time.
func listensFirst(t *testing.T) {
	s := startServer(t)
	ports := map[string]bool{}
	for range 5 {
		flow, err := s.client(t, nil).StartSignIn(t.Context(), SignInOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer flow.Close()
		u, _ := url.Parse(flow.URL)
		redirect, _ := url.Parse(u.Query().Get("redirect_uri"))
		if redirect.Hostname() != "127.0.0.1" || ports[redirect.Port()] {
			t.Errorf("redirect_uri %v", redirect)
		}
		ports[redirect.Port()] = true
		if ln, err := net.Listen("tcp", redirect.Host); err == nil {
			ln.Close()
			t.Errorf("%s was free", redirect.Host)
		}
	}
}

// nothingToPaste: no page shows the address or the code, so that nobody can ask
// a person for them.
func nothingToPaste(t *testing.T) {
	s := startServer(t)
	var code string
	s.authorize = func(_, answer url.Values) { code = answer.Get("code") }
	flow, done := begin(t, s.client(t, nil), SignInOptions{})
	answer := answerURL(t, flow)
	stray, strayPage := get(t, "http://"+answer.Host+"/callback?code="+code, nil)
	_, page := get(t, answer.String(), nil)
	if got := <-done; got.err != nil || stray.StatusCode != http.StatusBadRequest {
		t.Fatal(got.err, stray.Status)
	}
	for _, page := range []string{strayPage, page} {
		if strings.Contains(page, code) || strings.Contains(page, answer.Query().Get("state")) || strings.Contains(page, answer.Host) {
			t.Errorf("page %.300s", page)
		}
	}
	if !strings.Contains(page, "history.replaceState") {
		t.Error("the code stays in the address")
	}
}

// TestRelyingParty re-creates the cases for relying parties of the OpenID
// Foundation's conformance suite, under their names there.
func TestRelyingParty(t *testing.T) {
	signsIn := func(setup func(*testServer), ok bool) func(*testing.T) {
		return func(t *testing.T) { idTokenCase(t, setup, ok) }
	}
	set := func(key string, value any) func(*testServer) {
		return func(s *testServer) { s.claims = func(c jwt.MapClaims) { c[key] = value } }
	}
	without := func(key string) func(*testServer) {
		return func(s *testServer) { s.claims = func(c jwt.MapClaims) { delete(c, key) } }
	}
	rsaKey := testKey{"r1", jwt.SigningMethodRS256, testRSA()}
	for _, test := range []struct {
		name string
		test func(*testing.T)
	}{
		{"oidcc-client-test", signsIn(func(*testServer) {}, true)},
		{"oidcc-client-test-invalid-iss", signsIn(set("iss", "https://evil.test"), false)},
		{"oidcc-client-test-missing-sub", signsIn(without("sub"), false)},
		{"oidcc-client-test-invalid-aud", signsIn(set("aud", "other"), false)},
		{"oidcc-client-test-missing-iat", signsIn(without("iat"), false)},
		{"oidcc-client-test-kid-absent-single-jwks", signsIn(func(s *testServer) { s.keys = []testKey{newECKey("")} }, true)},
		{"oidcc-client-test-kid-absent-multiple-jwks", signsIn(func(s *testServer) { // the suite allows either
			s.keys = []testKey{newECKey("a"), newECKey("b"), rsaKey}
			s.sign = func(c jwt.MapClaims) string { k := s.keys[1]; k.kid = ""; return signed(k, c) }
		}, true)},
		{"oidcc-client-test-idtoken-sig-rs256", signsIn(func(s *testServer) { s.keys = []testKey{rsaKey} }, true)},
		{"oidcc-client-test-idtoken-sig-none", signsIn(func(s *testServer) { // the suite allows either
			s.sign = func(c jwt.MapClaims) string {
				text, _ := jwt.NewWithClaims(jwt.SigningMethodNone, c).SignedString(jwt.UnsafeAllowNoneSignatureType)
				return text
			}
		}, false)},
		{"oidcc-client-test-invalid-sig-rs256", signsIn(func(s *testServer) {
			s.keys = []testKey{rsaKey}
			s.sign = func(c jwt.MapClaims) string { return spoil(signed(rsaKey, c)) }
		}, false)},
		{"oidcc-client-test-userinfo-invalid-sub", func(t *testing.T) { userinfoCase(t, "mallory", "alice") }},
		{"oidcc-client-test-nonce-invalid", signsIn(set("nonce", "other"), false)},
		{"oidcc-client-test-scope-userinfo-claims", func(t *testing.T) { userinfoCase(t, "alice", "Alice A.") }},
		{"oidcc-client-test-client-secret-basic", clientSecretBasic},
		{"oidcc-client-test-discovery-openid-config", discoveredEndpoints},
		{"oidcc-client-test-discovery-jwks-uri-keys", signsIn(func(s *testServer) {
			s.metadata = func(doc map[string]any) { doc["jwks_uri"] = s.URL + "/keys" }
			s.handle["/keys"] = func(w http.ResponseWriter, _ *http.Request) {
				writeJSON(w, 200, map[string]any{"keys": []any{jwk(s.keys[0])}})
			}
		}, true)},
		{"oidcc-client-test-discovery-issuer-mismatch", func(t *testing.T) {
			s := startServer(t)
			s.metadata = func(doc map[string]any) { doc["issuer"] = "https://evil.test" }
			if _, err := s.client(t, nil).StartSignIn(t.Context(), SignInOptions{}); classOf(err) != HeldBack {
				t.Errorf("class %v, %v", classOf(err), err)
			}
		}},
		{"oidcc-client-test-signing-key-rotation-just-before-signing", signsIn(func(s *testServer) {
			s.claims = func(jwt.MapClaims) { s.mu.Lock(); s.keys = []testKey{newECKey("new"), s.keys[0]}; s.mu.Unlock() }
		}, true)},
		{"oidcc-client-test-signing-key-rotation", func(t *testing.T) {
			s := startServer(t)
			c := s.client(t, nil)
			for range 2 { // the second after the keys were changed
				if got, _ := signIn(t, c, SignInOptions{}); got.err != nil {
					t.Error(got.err)
				}
				s.keys = []testKey{newECKey("new")}
			}
		}},
		{"oidcc-client-test-refresh-token", func(t *testing.T) {
			s := startServer(t)
			c := s.client(t, nil)
			got, _ := signIn(t, c, SignInOptions{})
			if got.err != nil {
				t.Fatal(got.err)
			}
			g, err := c.Refresh(t.Context(), got.grant.RefreshToken, Origin{Identity: got.grant.Identity, Endpoints: got.grant.Endpoints})
			if err != nil || g.Identity.Subject != "alice" || g.AccessToken.Reveal() != "at-2" {
				t.Errorf("%+v, %v", g, err)
			}
		}},
		{"oidcc-client-test-refresh-token-invalid-issuer", func(t *testing.T) { refreshedAs(t, "iss", "https://evil.test") }},
		{"oidcc-client-test-refresh-token-invalid-sub", func(t *testing.T) { refreshedAs(t, "sub", "mallory") }},
		{"oidcc-client-test-invalid-sig-hs256", signsIn(func(s *testServer) {
			s.keys = []testKey{rsaKey} // the public key as HMAC secret
			s.sign = func(c jwt.MapClaims) string {
				return signed(testKey{"r1", jwt.SigningMethodHS256, []byte("public")}, c)
			}
		}, false)},
		{"oidcc-client-test-invalid-sig-es256", signsIn(func(s *testServer) {
			s.sign = func(c jwt.MapClaims) string { return spoil(signed(s.keys[0], c)) }
		}, false)},
		{"oidcc-client-test-missing-aud", signsIn(without("aud"), false)},
		{"oidcc-client-test-invalid-athash", signsIn(set("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), false)},
		{"oidcc-client-test-missing-athash", signsIn(without("at_hash"), true)},
		{"oidcc-client-test-nonce-unless-code-flow", signsIn(without("nonce"), false)}, // one is always sent, so it must come back
	} {
		t.Run(test.name, test.test)
	}
}

// clientSecretBasic: a client with a secret is one with HTTP Basic, unless the
// server says otherwise.
func clientSecretBasic(t *testing.T) {
	s := startServer(t)
	var user, password string
	s.token = func(_ http.ResponseWriter, r *http.Request) bool {
		user, password, _ = r.BasicAuth()
		return false
	}
	c := s.client(t, func(c *Config) { c.ClientSecret = auth.NewSecret("s3cret") })
	if got, _ := signIn(t, c, SignInOptions{}); got.err != nil || user != "curfew" || password != "s3cret" || s.posts[0].Has("client_secret") {
		t.Errorf("%q, %q, %v", user, password, got.err)
	}
}

// discoveredEndpoints: the endpoints are where the document says.
func discoveredEndpoints(t *testing.T) {
	s := startServer(t)
	s.metadata = func(doc map[string]any) { doc["token_endpoint"] = s.URL + "/elsewhere" }
	s.handle["/elsewhere"] = s.serveToken
	if got, _ := signIn(t, s.client(t, nil), SignInOptions{}); got.err != nil || s.count("/elsewhere") != 1 || s.count("/token") != 0 {
		t.Error(got.err)
	}
}

// refreshedAs: a refresh that brings an ID token of somebody else ends the session.
func refreshedAs(t *testing.T, key, value string) {
	s := startServer(t)
	s.claims = func(c jwt.MapClaims) { c[key] = value }
	_, err := s.client(t, nil).Refresh(t.Context(), auth.NewSecret("rt-0"), Origin{Identity: Identity{Issuer: s.URL, Subject: "alice"}})
	if err == nil || !strings.Contains(err.Error(), ErrSubjectChanged.Error()) {
		t.Error(err)
	}
}
