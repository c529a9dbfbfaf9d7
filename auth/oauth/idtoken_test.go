package oauth

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"curfew/auth"
	"curfew/auth/oauth/jws"

	"github.com/golang-jwt/jwt/v5"
)

// idTokens has more of the kind of the cases in TestRelyingParty.
func idTokens(t *testing.T) {
	set := func(key string, value any) func(*testServer) {
		return func(s *testServer) { s.claims = func(c jwt.MapClaims) { c[key] = value } }
	}
	without := func(key string) func(*testServer) {
		return func(s *testServer) { s.claims = func(c jwt.MapClaims) { delete(c, key) } }
	}
	in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	tests := []struct {
		name  string
		setup func(*testServer)
		ok    bool
	}{
		{"signed with PS256", func(s *testServer) { s.keys = []testKey{{"r1", jwt.SigningMethodPS256, testRSA()}} }, true},
		{"empty sub", set("sub", ""), false},
		{"sub of 300 characters", set("sub", strings.Repeat("x", 300)), false},
		{"sub with a line break", set("sub", "a\nb"), false},
		{"sub is a number", set("sub", 5), false},
		{"two audiences without azp", set("aud", []string{"curfew", "other"}), true},
		{"two audiences with azp", func(s *testServer) {
			s.claims = func(c jwt.MapClaims) { c["aud"], c["azp"] = []string{"curfew", "other"}, "curfew" }
		}, true},
		{"foreign azp", set("azp", "other"), false},
		{"iat in an hour", set("iat", in(time.Hour)), false},
		{"iat an hour ago", set("iat", in(-time.Hour)), false},
		{"iat 9 minutes ago", set("iat", in(-9*time.Minute)), true},
		{"iat in 9 minutes", set("iat", in(9*time.Minute)), true},
		{"missing exp", without("exp"), false},
		{"expired", set("exp", in(-11*time.Minute)), false},
		{"nbf in an hour", set("nbf", in(time.Hour)), false},
		{"missing nonce", without("nonce"), false},
		{"empty nonce", set("nonce", ""), false},
		{"empty at_hash", set("at_hash", ""), true},
		{"right at_hash", set("at_hash", jws.HalfHash("ES256", "at-1")), true},
		{"HMAC with the empty client secret", func(s *testServer) {
			s.sign = func(c jwt.MapClaims) string { return signed(testKey{"k1", jwt.SigningMethodHS256, []byte{}}, c) }
		}, false},
		{"unknown algorithm", func(s *testServer) {
			s.sign = func(c jwt.MapClaims) string { return reheader(signed(s.keys[0], c), map[string]any{"alg": "XX999"}) }
		}, false},
		{"algorithm is a number", func(s *testServer) {
			s.sign = func(c jwt.MapClaims) string { return reheader(signed(s.keys[0], c), map[string]any{"alg": 5}) }
		}, false},
		{"other algorithm than the key's", func(s *testServer) {
			s.sign = func(c jwt.MapClaims) string { return reheader(signed(s.keys[0], c), map[string]any{"alg": "RS256"}) }
		}, false},
		{"key in the header", func(s *testServer) {
			s.sign = func(c jwt.MapClaims) string {
				evil := newECKey("k1")
				token := jwt.NewWithClaims(evil.method, c)
				maps.Copy(token.Header, map[string]any{"kid": "k1", "jwk": jwk(evil), "jku": "https://evil.test/jwks"})
				text, _ := token.SignedString(evil.key)
				return text
			}
		}, false},
		{"critical extension", func(s *testServer) {
			s.sign = func(c jwt.MapClaims) string {
				token := jwt.NewWithClaims(s.keys[0].method, c)
				maps.Copy(token.Header, map[string]any{"kid": "k1", "crit": []string{"b64"}, "b64": false})
				text, _ := token.SignedString(s.keys[0].key)
				return text
			}
		}, false},
		{"another key under the same name", func(s *testServer) {
			s.sign = func(c jwt.MapClaims) string { return signed(newECKey("k1"), c) }
		}, false},
		{"no ID token", func(s *testServer) { s.answer = func(_ url.Values, doc map[string]any) { delete(doc, "id_token") } }, false},
		{"no ID token, openid not granted", func(s *testServer) {
			s.answer = func(_ url.Values, doc map[string]any) { delete(doc, "id_token"); doc["scope"] = "email" }
		}, true},
		{"not a JWT", func(s *testServer) { s.sign = func(jwt.MapClaims) string { return "opaque" } }, false},
		{"three dots", func(s *testServer) { s.sign = func(jwt.MapClaims) string { return "..." } }, false},
		{"a megabyte", func(s *testServer) { s.sign = func(jwt.MapClaims) string { return strings.Repeat("x", 1<<20) } }, false},
		{"keys cannot be fetched", func(s *testServer) { s.handle["/jwks"] = respond(500, "text/html", "") }, false},
		{"keys are a page", func(s *testServer) { s.handle["/jwks"] = respond(200, "text/html", "<h1>") }, false},
		{"no keys", func(s *testServer) { s.handle["/jwks"] = respond(200, appJSON, `{"keys":[]}`) }, false},
		{"keys is a string", func(s *testServer) { s.handle["/jwks"] = respond(200, appJSON, `{"keys":"x"}`) }, false},
		{"keys as application/jwk-set+json", func(s *testServer) {
			s.handle["/jwks"] = func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/jwk-set+json")
				json.NewEncoder(w).Encode(map[string]any{"keys": []any{jwk(s.keys[0])}})
			}
		}, true},
	}
	for _, test := range tests {
		t.Run("B10 "+test.name, func(t *testing.T) { idTokenCase(t, test.setup, test.ok) })
	}
}

// idTokenCase signs in at a server as setup makes it.
func idTokenCase(t *testing.T, setup func(*testServer), ok bool) {
	s := startServer(t)
	setup(s)
	got, _ := signIn(t, s.client(t, nil), SignInOptions{})
	if (got.err == nil) != ok {
		t.Fatalf("error %v", got.err)
	}
	if got.err != nil && !got.grant.AccessToken.IsZero() {
		t.Error("tokens came with the error")
	}
}

// spoil changes the last byte but one of a signature.
func spoil(token string) string {
	i := len(token) - 2
	flipped := byte('A')
	if token[i] == 'A' {
		flipped = 'B'
	}
	return token[:i] + string(flipped) + token[i+1:]
}

// reheader changes the header of a signed token.
func reheader(token string, change map[string]any) string {
	head, rest, _ := strings.Cut(token, ".")
	raw, _ := base64.RawURLEncoding.DecodeString(head)
	header := map[string]any{}
	json.Unmarshal(raw, &header)
	maps.Copy(header, change)
	raw, _ = json.Marshal(header)
	return base64.RawURLEncoding.EncodeToString(raw) + "." + rest
}

// keyRollover: an unknown key makes it fetch the keys again, but a flood of
// made-up ones only once in a while.
func keyRollover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.URL = fakeIssuer
		c := s.client(t, func(c *Config) { c.Transport = transportTo{s} })
		refresh := func() error {
			_, err := c.Refresh(t.Context(), auth.NewSecret("rt-0"), Origin{Identity: Identity{Issuer: s.URL, Subject: "alice"}})
			return err
		}
		if err := refresh(); err != nil || s.count("/jwks") != 1 {
			t.Fatalf("%v, %d fetches", err, s.count("/jwks"))
		}
		s.keys = []testKey{newECKey("k2")}
		if err := refresh(); err != nil || s.count("/jwks") != 2 {
			t.Fatalf("after a rollover: %v, %d fetches", err, s.count("/jwks"))
		}
		s.sign = func(c jwt.MapClaims) string { return signed(newECKey(rand.Text()), c) }
		for range 50 {
			if err := refresh(); classOf(err) != Protocol {
				t.Fatalf("error %v", err)
			}
		}
		if n := s.count("/jwks"); n != 2 {
			t.Errorf("the flood made it fetch %d times", n-2)
		}
		time.Sleep(refetchPause)
		for range 50 {
			refresh()
		}
		if n := s.count("/jwks"); n != 3 {
			t.Errorf("%d fetches after a minute", n)
		}
		s.sign, s.keys = nil, []testKey{newECKey("k3")}
		time.Sleep(refetchPause)
		if err := refresh(); err != nil {
			t.Errorf("after the flood: %v", err)
		}
	})
}

// manyKeys: many keys cost little, and the right one is found by its kid.
// A set that would take minutes to try is not read.
func manyKeys(t *testing.T) {
	s := startServer(t)
	for range maxKeys - 1 {
		s.keys = append(s.keys, newECKey(rand.Text()))
	}
	s.sign = func(c jwt.MapClaims) string { return signed(s.keys[maxKeys-1], c) }
	if got, _ := signIn(t, s.client(t, nil), SignInOptions{}); got.err != nil {
		t.Error(got.err)
	}
	s.keys = append(s.keys, newECKey("one more"))
	if got, _ := signIn(t, s.client(t, nil), SignInOptions{}); got.err == nil || !strings.Contains(got.err.Error(), "publishes 101 keys") {
		t.Error(got.err)
	}
}
