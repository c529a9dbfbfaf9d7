package jws

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

var b64 = base64.RawURLEncoding.EncodeToString

// read makes a Key of a JSON Web Key.
func read(t testing.TB, jwk map[string]any) (Key, error) {
	t.Helper()
	raw, err := json.Marshal(jwk)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return ReadKey(m)
}

func ecJWK(t testing.TB, kid string) map[string]any {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{"kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "x": b64(point[1:33]), "y": b64(point[33:])}
}

func rsaJWK(t testing.TB, bits int) (map[string]any, *rsa.PrivateKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{"kty": "RSA", "kid": "r", "use": "sig", "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes())}, key
}

func TestKeys(t *testing.T) {
	strong, _ := rsaJWK(t, 2048)
	small, _ := rsaJWK(t, 1024)
	ec := ecJWK(t, "e")
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	with := func(doc map[string]any, key string, value any) map[string]any {
		doc = maps.Clone(doc)
		doc[key] = value
		return doc
	}
	for _, test := range []struct {
		name string
		jwk  map[string]any
		kid  string
		alg  string
		fits bool
	}{
		{"EC", ec, "e", "ES256", true},
		{"EC, no kid in the token", ec, "", "ES256", true},
		{"EC, another kid", ec, "x", "ES256", false},
		{"EC, larger hash", ec, "e", "ES384", false},
		{"EC for RSA", ec, "e", "RS256", false},
		{"RSA", strong, "r", "RS512", true},
		{"RSA, PSS", strong, "r", "PS256", true},
		{"RSA for HMAC", strong, "r", "HS256", false},
		{"RSA, bound to an alg", with(strong, "alg", "RS256"), "r", "RS256", true},
		{"RSA, bound to another", with(strong, "alg", "RS512"), "r", "RS256", false},
		{"Ed25519", map[string]any{"kty": "OKP", "crv": "Ed25519", "x": b64(ed)}, "", "EdDSA", true},
		{"Ed25519, short", map[string]any{"kty": "OKP", "crv": "Ed25519", "x": b64(ed[1:])}, "", "EdDSA", false},
		{"X25519", map[string]any{"kty": "OKP", "crv": "X25519", "x": b64(ed)}, "", "EdDSA", false},
		{"use=enc", with(ec, "use", "enc"), "e", "ES256", false},
		{"key_ops without verify", with(ec, "key_ops", []string{"encrypt"}), "e", "ES256", false},
		{"key_ops with verify", with(ec, "key_ops", []string{"verify"}), "e", "ES256", true},
		{"RSA of 1024 bits", small, "r", "RS256", false},
		{"RSA of 16384 bits", with(strong, "n", b64(new(big.Int).Lsh(big.NewInt(1), 16383).Bytes())), "r", "RS256", false},
		{"exponent 1", with(strong, "e", "AQ"), "r", "RS256", false},
		{"even exponent", with(strong, "e", "AQAA"), "r", "RS256", false},
		{"huge exponent", with(strong, "e", b64([]byte{1, 0, 0, 0, 0, 0, 0, 1, 1})), "r", "RS256", false},
		{"point off the curve", with(ec, "y", b64(make([]byte, 32))), "e", "ES256", false},
		{"short coordinate", with(ec, "x", b64([]byte{1})), "e", "ES256", false},
		{"unknown curve", with(ec, "crv", "secp256k1"), "e", "ES256", false},
		{"symmetric", map[string]any{"kty": "oct", "k": "AAAA"}, "", "HS256", false},
		{"bad base64", with(ec, "x", "!"), "e", "ES256", false},
		{"padding", with(strong, "e", "AQAB="), "r", "RS256", false},
		{"no kty", map[string]any{}, "", "ES256", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			k, err := read(t, test.jwk)
			if fits := err == nil && len(Fitting([]Key{k}, test.kid, test.alg)) > 0; fits != test.fits {
				t.Errorf("fits: %v, %v", fits, err)
			}
		})
	}
	var many []Key
	for range 2 * maxTried {
		k, err := read(t, ecJWK(t, ""))
		if err != nil {
			t.Fatal(err)
		}
		many = append(many, k)
	}
	if tried := Fitting(many, "", "ES256"); len(tried) != maxTried {
		t.Errorf("%d keys would be tried", len(tried))
	}
}

// TestOneSpelling: a signed token has one spelling, and a salt one length.
func TestOneSpelling(t *testing.T) {
	jwk, private := rsaJWK(t, 2048)
	key, err := read(t, jwk)
	if err != nil {
		t.Fatal(err)
	}
	verify := func(text, alg string) error {
		token, err := Parse(text)
		if err != nil {
			return err
		}
		return token.Verify(alg, []Key{key})
	}
	sign := func(m jwt.SigningMethod) string {
		text, err := jwt.New(m).SignedString(private)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	good := sign(jwt.SigningMethodPS256)
	if err := verify(good, "PS256"); err != nil {
		t.Fatal(err)
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, good[len(good)-1]) // whose lowest bits mean nothing
	short := *jwt.SigningMethodPS256
	short.Options = &rsa.PSSOptions{SaltLength: 8}
	for name, text := range map[string]string{
		"a short salt": sign(&short), "bits that mean nothing": good[:len(good)-1] + alphabet[last+1:last+2],
		"padding": good + "=", "a line break": good + "\n", "four parts": good + ".", "two parts": good[:strings.LastIndexByte(good, '.')],
		"another alphabet": strings.NewReplacer("-", "+", "_", "/").Replace(good) + "+",
	} {
		if err := verify(text, "PS256"); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if err := verify(good, "none"); !errors.Is(err, ErrSignature) {
		t.Errorf("without a signature: %v", err)
	}
}

// The vectors of Wycheproof, as the Go module has them.
const (
	vectors    = "github.com/c2sp/wycheproof@v0.0.0-20260902155932-3fa63dd0344a"
	vectorsSum = "h1:pNbL2nztRsWfW/ispAwsvcDFxs9Id38uIsR2/Up5G2c="
)

// wycheproof returns the folder with the vectors. `go mod download` keeps them
// where all modules are. They are nobody's dependency: they are large, and no
// program needs them.
func wycheproof(t *testing.T) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", vectors)
	c.Dir = t.TempDir() // outside of this module
	c.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	out, err := c.Output()
	var module struct{ Dir, Sum, Error string }
	if err == nil {
		err = json.Unmarshal(out, &module)
	}
	if err != nil {
		if os.Getenv("CI") != "" || os.Getenv("CURFEW_TEST_ALL") != "" {
			t.Fatalf("the vectors cannot be had: %v %s", err, out)
		}
		t.Skipf("the vectors cannot be had: %v %s", err, out)
	}
	if module.Sum != vectorsSum {
		t.Fatalf("%s has the sum %s, want %s", vectors, module.Sum, vectorsSum)
	}
	return filepath.Join(module.Dir, "testvectors_v1")
}

// lenient says why a vector that Wycheproof calls valid is refused here, "" if
// it must be taken.
func lenient(comment string, header, jwk map[string]any) string {
	alg, _ := header["alg"].(string)
	switch {
	case strings.HasPrefix(alg, "HS"):
		return "symmetric"
	case jwk["alg"] == "ES521":
		return "of an algorithm that does not exist"
	case jwk["alg"] != nil && jwk["alg"] != alg && header["alg"] != nil:
		return "its key is for another algorithm"
	case strings.HasPrefix(comment, "InvalidCharacterInserted"):
		return "in another spelling"
	}
	return ""
}

// No forged signature is accepted, and no key that is not one for signatures.
// What Wycheproof calls valid is accepted where the algorithm is asymmetric.
func TestWycheproof(t *testing.T) {
	dir := wycheproof(t)
	for _, name := range []string{"json_web_signature_test.json", "json_web_key_test.json", "json_web_crypto_test.json"} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			var file struct {
				NumberOfTests int
				TestGroups    []struct {
					Comment         string
					Public, Private map[string]any
					Tests           []struct {
						TcID            int
						Comment, Result string
						JWS             json.RawMessage
					}
				}
			}
			if err := json.Unmarshal(data, &file); err != nil {
				t.Fatal(err)
			}
			count := map[string]int{}
			for _, group := range file.TestGroups {
				set := group.Public
				if set == nil {
					set = group.Private
				}
				jwks := []map[string]any{set}
				if list, ok := set["keys"].([]any); ok {
					jwks = nil
					for _, k := range list {
						jwks = append(jwks, k.(map[string]any))
					}
				}
				var keys []Key
				for _, jwk := range jwks {
					if k, err := read(t, jwk); err == nil {
						keys = append(keys, k)
					}
				}
				for _, test := range group.Tests {
					if test.JWS == nil { // encrypted, which we never are
						count["of encryption"]++
						continue
					}
					var text string // another serialization is an object, and none
					json.Unmarshal(test.JWS, &text)
					token, err := Parse(text)
					header := map[string]any{}
					if err == nil {
						if json.Unmarshal(token.Header, &header) != nil {
							err = ErrMalformed
						}
					}
					alg, _ := header["alg"].(string)
					kid, _ := header["kid"].(string)
					if err == nil {
						err = token.Verify(alg, Fitting(keys, kid, alg))
					}
					why := lenient(test.Comment, header, jwks[0])
					switch {
					case test.Result == "invalid" && err == nil:
						t.Errorf("%d (%s, %s) was accepted", test.TcID, group.Comment, test.Comment)
					case test.Result == "valid" && err != nil && why == "":
						t.Errorf("%d (%s, %s) was refused: %v", test.TcID, group.Comment, test.Comment, err)
					case err == nil:
						count["accepted"]++
					case test.Result == "valid":
						count["valid, but "+why]++
					default:
						count["refused"]++
					}
				}
			}
			if count["accepted"] == 0 || count["refused"] == 0 {
				t.Error("the vectors were not read")
			}
			t.Logf("%d vectors: %v", file.NumberOfTests, count)
		})
	}
}
