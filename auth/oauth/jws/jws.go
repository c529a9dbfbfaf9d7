// Package jws checks signatures of JSON Web Signatures (RFC 7515) with the keys
// of a JSON Web Key set (RFC 7517). It reads no claims and fetches nothing.
//
// Its one hard idea is that the token has no say in how it is checked: an
// algorithm counts only when it is one of [Algorithms] and fits the key.
package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // HalfHash
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// Algorithms are the signatures that are accepted: asymmetric ones. With an
// HMAC, the server's public key or a public client's empty secret would be a
// signing key. "none" is no signature at all.
var Algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519", "ESP256", "ESP384", "ESP512"}

// fullNames are the names that RFC 9864 gave to algorithms of before.
var fullNames = map[string]string{"Ed25519": "EdDSA", "ESP256": "ES256", "ESP384": "ES384", "ESP512": "ES512"}

// Canonical returns the older name of an algorithm of RFC 9864.
func Canonical(alg string) string {
	if older, ok := fullNames[alg]; ok {
		return older
	}
	return alg
}

// HalfHash is the at_hash of an ID token that is signed with alg (OpenID Connect
// Core section 3.1.3.6).
func HalfHash(alg, accessToken string) string {
	hash := crypto.SHA512 // Ed25519 hashes with SHA-512
	switch alg = Canonical(alg); {
	case strings.HasSuffix(alg, "256"):
		hash = crypto.SHA256
	case strings.HasSuffix(alg, "384"):
		hash = crypto.SHA384
	}
	h := hash.New()
	h.Write([]byte(accessToken))
	sum := h.Sum(nil)
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

// method returns the way to check a canonical alg. A salt of PSS is as long as
// the hash (RFC 7518 section 3.5), which golang-jwt does not insist on.
func method(alg string) jwt.SigningMethod {
	m := jwt.GetSigningMethod(alg)
	if pss, ok := m.(*jwt.SigningMethodRSAPSS); ok {
		strict := *pss
		strict.VerifyOptions = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
		return &strict
	}
	return m
}

// The ways in which a token is refused.
var (
	ErrMalformed = errors.New("not a signed token in the compact form")
	ErrSignature = errors.New("no key has made this signature")
)

// A Token is a signed token, taken apart. Nothing in it is checked yet.
type Token struct {
	Header, Payload []byte // as they were signed, decoded

	signed    string
	signature []byte
}

// Parse takes a token of the compact form apart.
func Parse(text string) (t Token, err error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return Token{}, ErrMalformed
	}
	for i, to := range []*[]byte{&t.Header, &t.Payload, &t.signature} {
		if *to, err = decode(parts[i]); err != nil {
			return Token{}, ErrMalformed
		}
	}
	t.signed = parts[0] + "." + parts[1]
	return t, nil
}

// decode reads base64url without padding, of which each value has one spelling.
func decode(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") { // which the standard library skips
		return nil, ErrMalformed
	}
	return base64.RawURLEncoding.Strict().DecodeString(text)
}

// Verify reports whether one of keys made the signature with alg.
func (t Token) Verify(alg string, keys []Key) error {
	if slices.Contains(Algorithms, alg) {
		for _, k := range keys {
			if k.fits("", alg) && method(Canonical(alg)).Verify(t.signed, t.signature, k.key) == nil {
				return nil
			}
		}
	}
	return ErrSignature
}

// A Key is a public key that signatures can be checked with.
type Key struct {
	ID  string // "kid"; empty: none
	alg string // empty: any that fits the key
	key crypto.PublicKey
}

// fits reports whether the key may have made a signature of this alg. An empty
// kid is any.
func (k Key) fits(kid, alg string) bool {
	if k.alg != "" && Canonical(k.alg) != Canonical(alg) || kid != "" && k.ID != kid {
		return false
	}
	alg = Canonical(alg)
	switch key := k.key.(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(alg, "RS") || strings.HasPrefix(alg, "PS")
	case *ecdsa.PublicKey:
		return alg == map[int]string{256: "ES256", 384: "ES384", 521: "ES512"}[key.Curve.Params().BitSize]
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}

// maxTried is how many keys are tried for one signature, where its kid does not
// say which. Some signatures take long to check, as those of P-521 do.
const maxTried = 8

// Fitting returns the keys that may have made a signature, a few at most.
func Fitting(keys []Key, kid, alg string) []Key {
	var fit []Key
	for _, k := range keys {
		if k.fits(kid, alg) && len(fit) < maxTried {
			fit = append(fit, k)
		}
	}
	if len(fit) == 0 && kid != "" { // some sets leave the kid out that their tokens have
		return Fitting(slices.DeleteFunc(slices.Clone(keys), func(k Key) bool { return k.ID != "" }), "", alg)
	}
	return fit
}

var errKey = errors.New("not a key that we can verify with")

// members are those of a JSON Web Key.
type members map[string]json.RawMessage

// str returns a member that is a string; "" when it is anything else.
func (m members) str(name string) (s string) {
	if json.Unmarshal(m[name], &s) != nil {
		return ""
	}
	return s
}

// bytes returns a member in base64url.
func (m members) bytes(name string) ([]byte, error) {
	s := m.str(name)
	if s == "" {
		return nil, errKey
	}
	return decode(s)
}

// ReadKey reads a public key for signatures. Symmetric and weak keys are refused,
// and so are keys for another use.
func ReadKey(jwk map[string]json.RawMessage) (Key, error) {
	m := members(jwk)
	k := Key{ID: m.str("kid"), alg: m.str("alg")}
	if use := m.str("use"); use != "" && use != "sig" {
		return k, errKey
	}
	if raw, ok := m["key_ops"]; ok && string(raw) != "null" {
		var ops []string
		if json.Unmarshal(raw, &ops) != nil || !slices.Contains(ops, "verify") {
			return k, errKey
		}
	}
	var err error
	switch kty, crv := m.str("kty"), m.str("crv"); {
	case kty == "RSA":
		k.key, err = m.rsa()
	case kty == "EC":
		k.key, err = m.ec(crv)
	case kty == "OKP" && crv == "Ed25519":
		x, bad := m.bytes("x")
		if bad != nil || len(x) != ed25519.PublicKeySize {
			return k, errKey
		}
		k.key = ed25519.PublicKey(x)
	default:
		err = errKey
	}
	return k, err
}

func (m members) rsa() (*rsa.PublicKey, error) {
	n, err1 := m.bytes("n")
	e, err2 := m.bytes("e")
	exponent := new(big.Int).SetBytes(e)
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent.Int64())}
	// Shorter keys can be factored, longer ones stall us; exponent 1 signs nothing.
	if err1 != nil || err2 != nil || key.N.BitLen() < 2048 || key.N.BitLen() > 8192 ||
		exponent.BitLen() > 31 || key.E < 3 || key.E%2 == 0 || isROCA(key.N) {
		return nil, errKey
	}
	return key, nil
}

// isROCA reports whether n is of the kind that some chips made and that can be
// factored (CVE-2017-15361): a power of 65537 modulo each of these primes. Of
// other keys, one in 2^27 looks so.
func isROCA(n *big.Int) bool {
	for _, p := range []int64{11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157} {
		left := new(big.Int).Mod(n, big.NewInt(p)).Int64()
		power := int64(1)
		for range p {
			if power = power * 65537 % p; power == left {
				break
			}
		}
		if power != left {
			return false
		}
	}
	return true
}

func (m members) ec(crv string) (*ecdsa.PublicKey, error) {
	curve := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[crv]
	x, err1 := m.bytes("x")
	y, err2 := m.bytes("y")
	if curve == nil || err1 != nil || err2 != nil {
		return nil, errKey
	}
	size := (curve.Params().BitSize + 7) / 8
	if len(x) != size || len(y) != size { // RFC 7518 section 6.2.1.2
		return nil, errKey
	}
	return ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y)) // checks that the point is on the curve
}
