package oauth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"curfew/auth"

	"github.com/golang-jwt/jwt/v5"
)

// TestIDTokens re-creates the relying-party cases of the OpenID Foundation's
// conformance suite that apply to a code-flow client, and more of the kind.
func TestIDTokens(t *testing.T) {
	set := func(key string, value any) func(*testServer) {
		return func(s *testServer) { s.claims = func(c jwt.MapClaims) { c[key] = value } }
	}
	without := func(key string) func(*testServer) {
		return func(s *testServer) { s.claims = func(c jwt.MapClaims) { delete(c, key) } }
	}
	in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	rsaKey := testKey{"r1", jwt.SigningMethodRS256, testRSA()}
	tests := []struct {
		name  string
		setup func(*testServer)
		ok    bool
	}{
		{"oidcc-client-test", func(*testServer) {}, true},
		{"oidcc-client-test-idtoken-sig-rs256", func(s *testServer) { s.keys = []testKey{rsaKey} }, true},
		{"signed with PS256", func(s *testServer) { s.keys = []testKey{{"r1", jwt.SigningMethodPS256, testRSA()}} }, true},
		{"oidcc-client-test-invalid-iss", set("iss", "https://evil.test"), false},
		{"oidcc-client-test-missing-sub", without("sub"), false},
		{"empty sub", set("sub", ""), false},
		{"sub of 300 characters", set("sub", strings.Repeat("x", 300)), false},
		{"sub with a line break", set("sub", "a\nb"), false},
		{"sub is a number", set("sub", 5), false},
		{"oidcc-client-test-invalid-aud", set("aud", "other"), false},
		{"oidcc-client-test-missing-aud", without("aud"), false},
		{"two audiences without azp", set("aud", []string{"curfew", "other"}), true},
		{"two audiences with azp", func(s *testServer) {
			s.claims = func(c jwt.MapClaims) { c["aud"], c["azp"] = []string{"curfew", "other"}, "curfew" }
		}, true},
		{"foreign azp", set("azp", "other"), false},
		{"oidcc-client-test-missing-iat", without("iat"), false},
		{"iat in an hour", set("iat", in(time.Hour)), false},
		{"iat an hour ago", set("iat", in(-time.Hour)), false},
		{"iat 9 minutes ago", set("iat", in(-9*time.Minute)), true},
		{"iat in 9 minutes", set("iat", in(9*time.Minute)), true},
		{"missing exp", without("exp"), false},
		{"expired", set("exp", in(-11*time.Minute)), false},
		{"nbf in an hour", set("nbf", in(time.Hour)), false},
		{"oidcc-client-test-nonce-invalid", set("nonce", "other"), false},
		{"missing nonce", without("nonce"), false},
		{"empty nonce", set("nonce", ""), false},
		{"oidcc-client-test-invalid-athash", set("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), false},
		{"empty at_hash", set("at_hash", ""), true},
		{"right at_hash", set("at_hash", halfHash("ES256", "at-1")), true},
		{"oidcc-client-test-missing-athash", without("at_hash"), true},
		{"oidcc-client-test-kid-absent-single-jwks", func(s *testServer) { s.keys = []testKey{newECKey("")} }, true},
		{"oidcc-client-test-kid-absent-multiple-jwks", func(s *testServer) {
			s.keys = []testKey{newECKey("a"), newECKey("b"), rsaKey}
			s.sign = func(c jwt.MapClaims) string { k := s.keys[1]; k.kid = ""; return signed(k, c) }
		}, true},
		{"oidcc-client-test-idtoken-sig-none", func(s *testServer) {
			s.sign = func(c jwt.MapClaims) string {
				text, _ := jwt.NewWithClaims(jwt.SigningMethodNone, c).SignedString(jwt.UnsafeAllowNoneSignatureType)
				return text
			}
		}, false},
		{"oidcc-client-test-invalid-sig-rs256", func(s *testServer) {
			s.keys = []testKey{rsaKey}
			s.sign = func(c jwt.MapClaims) string { return spoil(signed(rsaKey, c)) }
		}, false},
		{"oidcc-client-test-invalid-sig-es256", func(s *testServer) {
			s.sign = func(c jwt.MapClaims) string { return spoil(signed(s.keys[0], c)) }
		}, false},
		{"oidcc-client-test-invalid-sig-hs256", func(s *testServer) {
			s.keys = []testKey{rsaKey} // the public key as HMAC secret
			s.sign = func(c jwt.MapClaims) string {
				der, _ := json.Marshal(jwk(rsaKey))
				return signed(testKey{"r1", jwt.SigningMethodHS256, der}, c)
			}
		}, false},
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
		{"oidcc-client-test-signing-key-rotation-just-before-signing", func(s *testServer) {
			s.claims = func(jwt.MapClaims) { s.mu.Lock(); s.keys = []testKey{newECKey("new"), s.keys[0]}; s.mu.Unlock() }
		}, true},
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
		t.Run(test.name, func(t *testing.T) {
			s := startServer(t)
			test.setup(s)
			got, _ := signIn(t, s.client(t, nil), SignInOptions{})
			if (got.err == nil) != test.ok {
				t.Fatalf("error %v", got.err)
			}
			if got.err != nil && !got.grant.AccessToken.IsZero() {
				t.Error("tokens came with the error")
			}
		})
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

// TestKeyRollover: an unknown key makes it fetch the keys again, but a flood of
// made-up ones only once in a while.
func TestKeyRollover(t *testing.T) {
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

func TestKeys(t *testing.T) {
	b64 := base64.RawURLEncoding.EncodeToString
	ec := func() map[string]any { return jwk(newECKey("e")) }
	rsaJWK := func() map[string]any { return jwk(testKey{"r", jwt.SigningMethodRS256, testRSA()}) }
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	with := func(doc map[string]any, key string, value any) map[string]any { doc[key] = value; return doc }
	for _, test := range []struct {
		name string
		jwk  map[string]any
		kid  string
		alg  string
		fits bool
	}{
		{"EC", ec(), "e", "ES256", true},
		{"EC, no kid in the token", ec(), "", "ES256", true},
		{"EC, another kid", ec(), "x", "ES256", false},
		{"EC, larger hash", ec(), "e", "ES384", false},
		{"EC for RSA", ec(), "e", "RS256", false},
		{"RSA", rsaJWK(), "r", "RS512", true},
		{"RSA, PSS", rsaJWK(), "r", "PS256", true},
		{"RSA for HMAC", rsaJWK(), "r", "HS256", false},
		{"RSA, bound to an alg", with(rsaJWK(), "alg", "RS256"), "r", "RS256", true},
		{"RSA, bound to another", with(rsaJWK(), "alg", "RS512"), "r", "RS256", false},
		{"Ed25519", map[string]any{"kty": "OKP", "crv": "Ed25519", "x": b64(ed)}, "", "EdDSA", true},
		{"Ed25519, short", map[string]any{"kty": "OKP", "crv": "Ed25519", "x": b64(ed[1:])}, "", "EdDSA", false},
		{"X25519", map[string]any{"kty": "OKP", "crv": "X25519", "x": b64(ed)}, "", "EdDSA", false},
		{"use=enc", with(ec(), "use", "enc"), "e", "ES256", false},
		{"key_ops without verify", with(ec(), "key_ops", []string{"encrypt"}), "e", "ES256", false},
		{"key_ops with verify", with(ec(), "key_ops", []string{"verify"}), "e", "ES256", true},
		{"RSA of 1024 bits", jwk(testKey{"r", jwt.SigningMethodRS256, small}), "r", "RS256", false},
		{"RSA of 16384 bits", with(rsaJWK(), "n", b64(new(big.Int).Lsh(big.NewInt(1), 16383).Bytes())), "r", "RS256", false},
		{"exponent 1", with(rsaJWK(), "e", "AQ"), "r", "RS256", false},
		{"even exponent", with(rsaJWK(), "e", "AQAA"), "r", "RS256", false},
		{"huge exponent", with(rsaJWK(), "e", b64([]byte{1, 0, 0, 0, 0, 0, 0, 1, 1})), "r", "RS256", false},
		{"point off the curve", with(ec(), "y", b64(make([]byte, 32))), "e", "ES256", false},
		{"short coordinate", with(ec(), "x", b64([]byte{1})), "e", "ES256", false},
		{"unknown curve", with(ec(), "crv", "secp256k1"), "e", "ES256", false},
		{"symmetric", map[string]any{"kty": "oct", "k": "AAAA"}, "", "HS256", false},
		{"bad base64", with(ec(), "x", "!"), "e", "ES256", false},
		{"padding", with(rsaJWK(), "e", "AQAB="), "r", "RS256", false},
		{"no kty", map[string]any{}, "", "ES256", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			raw, err := json.Marshal(map[string]any{"keys": []any{"junk", nil, 5, test.jwk}})
			if err != nil {
				t.Fatal(err)
			}
			o, err := parseObject(raw)
			if err != nil {
				t.Fatal(err)
			}
			fits := false
			keys, err := readKeys(o)
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range keys {
				fits = fits || k.fits(test.kid, test.alg)
			}
			if fits != test.fits {
				t.Errorf("fits: %v", fits)
			}
		})
	}
}

// TestManyKeys: many keys cost little, and the right one is found by its kid.
// A set that would take minutes to try is not read, and of keys without a kid
// only a few are tried.
func TestManyKeys(t *testing.T) {
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
	var keys []publicKey
	for _, k := range s.keys {
		keys = append(keys, publicKey{key: &k.key.(*ecdsa.PrivateKey).PublicKey})
	}
	if tried := fitting(keys, "", "ES256").Keys; len(tried) != maxTried {
		t.Errorf("%d keys would be tried", len(tried))
	}
}
