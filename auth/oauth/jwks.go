package oauth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// publicKey is a usable key of a JWKS (RFC 7517).
type publicKey struct {
	kid string
	alg string // empty: any that fits the key
	key crypto.PublicKey
}

// fits reports whether the key may have made a signature of this alg.
func (k publicKey) fits(kid, alg string) bool {
	if k.alg != "" && canonicalAlg(k.alg) != canonicalAlg(alg) || kid != "" && k.kid != kid {
		return false
	}
	alg = canonicalAlg(alg)
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

// canonicalAlg is the older name of an algorithm of RFC 9864.
func canonicalAlg(alg string) string {
	if older, ok := fullAlgs[alg]; ok {
		return older
	}
	return alg
}

// fullAlgs are the names that RFC 9864 gave to algorithms of before.
var fullAlgs = map[string]string{"Ed25519": "EdDSA", "ESP256": "ES256", "ESP384": "ES384", "ESP512": "ES512"}

// namedMethod is a signing method under another name.
type namedMethod struct {
	jwt.SigningMethod
	name string
}

func (m namedMethod) Alg() string { return m.name }

func init() { // golang-jwt keeps its methods in a registry
	for name, older := range fullAlgs {
		jwt.RegisterSigningMethod(name, func() jwt.SigningMethod { return namedMethod{jwt.GetSigningMethod(older), name} })
	}
}

// keyCache is the issuer's key set.
type keyCache struct {
	from      string      // the address that it was read from
	keys      []publicKey // nil before the first fetch
	refetched time.Time   // when an unknown key last made us fetch again
}

// errNoKey: the key set has been read, and none of its keys can have signed.
var errNoKey = errors.New("no key that fits the ID token")

// refetchPause keeps tokens with made-up key ids from making us fetch. Servers
// may roll their keys twice in a minute.
const refetchPause = 5 * time.Second

// verificationKeys returns the keys that may have signed a token; without a kid
// every key that fits the alg may be tried. Servers roll their keys, so refetch
// and an unknown key both make it fetch the set again, if the last time is long
// enough ago.
func (c *Client) verificationKeys(ctx context.Context, m *metadata, kid, alg string, refetch bool) (set jwt.VerificationKeySet, failed *Error) {
	c.mu.Lock()
	keys := c.keys.keys
	c.mu.Unlock()
	if refetch && c.mayRefetch() {
		keys = nil
	}
	fresh := keys == nil
	if fresh {
		if keys, failed = c.fetchKeys(ctx, m); failed != nil {
			return set, failed
		}
	}
	set = fitting(keys, kid, alg)
	if len(set.Keys) == 0 && !fresh && c.mayRefetch() {
		if keys, failed = c.fetchKeys(ctx, m); failed != nil {
			return set, failed
		}
		set = fitting(keys, kid, alg)
	}
	if len(set.Keys) == 0 {
		return set, &Error{Op: "discovery", Server: hostOf(m.jwks), Class: Protocol, Err: fmt.Errorf("%s has %w", hostOf(m.jwks), errNoKey)}
	}
	return set, nil
}

// mayRefetch reports whether the last time that an unknown key made us fetch is
// long enough ago, and notes this one.
func (c *Client) mayRefetch() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if now.Sub(c.keys.refetched).Abs() < refetchPause {
		return false
	}
	c.keys.refetched = now
	return true
}

// fetchKeys reads the issuer's key set and keeps it.
func (c *Client) fetchKeys(ctx context.Context, m *metadata) ([]publicKey, *Error) {
	o, failed := c.getPublic(ctx, "discovery", m.jwks)
	if failed != nil {
		return nil, failed
	}
	keys, err := readKeys(o)
	if err != nil {
		return nil, &Error{Op: "discovery", Server: hostOf(m.jwks), Class: Protocol, Err: fmt.Errorf("%s %w", hostOf(m.jwks), err)}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys.keys = keys
	return keys, nil
}

// warmKeys gets the server's keys if none are known yet. It comes before a
// refresh. The answer may make the old refresh token useless, so nothing should
// have to be fetched before the new one is saved. The refresh goes on without
// the keys, which are tried again when needed.
func (c *Client) warmKeys(ctx context.Context, m *metadata) {
	c.mu.Lock()
	known := c.keys.keys != nil
	c.mu.Unlock()
	if known || !c.openID(m) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, keysLimit)
	defer cancel()
	if _, failed := c.fetchKeys(ctx, m); failed != nil {
		c.log.Info("the server's keys cannot be read yet", "error", failed)
	}
}

// keysLimit bounds the fetch of keys ahead of a refresh, of whose time it is taken.
const keysLimit = 4 * time.Second

// The limits of a key set. A P-521 signature takes 14 ms to check, so a set
// full of such keys must not make one check last for minutes.
const (
	maxKeys  = 100 // in a set
	maxTried = 8   // for one signature, where its kid does not say which
)

// fitting returns the keys that may have made a signature.
func fitting(keys []publicKey, kid, alg string) (set jwt.VerificationKeySet) {
	for _, k := range keys {
		if k.fits(kid, alg) && len(set.Keys) < maxTried {
			set.Keys = append(set.Keys, k.key)
		}
	}
	if len(set.Keys) == 0 && kid != "" { // some sets leave the kid out that their tokens have
		return fitting(slices.DeleteFunc(slices.Clone(keys), func(k publicKey) bool { return k.kid != "" }), "", alg)
	}
	return set
}

// readKeys returns the usable keys of a JWKS, not nil without an error.
func readKeys(o object) ([]publicKey, error) {
	keys := []publicKey{}
	var list []json.RawMessage
	if json.Unmarshal(o["keys"], &list) != nil {
		return keys, nil
	}
	if len(list) > maxKeys {
		return nil, fmt.Errorf("publishes %d keys, and no more than %d are read", len(list), maxKeys)
	}
	for _, raw := range list {
		jwk, err := parseObject(raw)
		if err != nil {
			continue
		}
		if key, err := readKey(jwk); err == nil {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

var errKey = errors.New("not a key that we can verify with")

// readKey reads a public key for signatures.
func readKey(jwk object) (publicKey, error) {
	kty, _ := jwk.str("kty")
	kid, _ := jwk.str("kid")
	alg, _ := jwk.str("alg")
	k := publicKey{kid: kid, alg: alg}
	if use, ok := jwk.str("use"); ok && use != "sig" {
		return k, errKey
	}
	if jwk.has("key_ops") && !slices.Contains(jwk.strs("key_ops"), "verify") {
		return k, errKey
	}
	var err error
	switch crv, _ := jwk.str("crv"); {
	case kty == "RSA":
		k.key, err = readRSA(jwk)
	case kty == "EC":
		k.key, err = readEC(jwk, crv)
	case kty == "OKP" && crv == "Ed25519":
		x, bad := jwk.bytes("x")
		if bad != nil || len(x) != ed25519.PublicKeySize {
			return k, errKey
		}
		k.key = ed25519.PublicKey(x)
	default:
		err = errKey
	}
	return k, err
}

func readRSA(jwk object) (*rsa.PublicKey, error) {
	n, err1 := jwk.bytes("n")
	e, err2 := jwk.bytes("e")
	exponent := new(big.Int).SetBytes(e)
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent.Int64())}
	// Shorter keys can be factored, longer ones stall us; exponent 1 signs nothing.
	if err1 != nil || err2 != nil || key.N.BitLen() < 2048 || key.N.BitLen() > 8192 ||
		exponent.BitLen() > 31 || key.E < 3 || key.E%2 == 0 {
		return nil, errKey
	}
	return key, nil
}

func readEC(jwk object, crv string) (*ecdsa.PublicKey, error) {
	curve := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[crv]
	x, err1 := jwk.bytes("x")
	y, err2 := jwk.bytes("y")
	if curve == nil || err1 != nil || err2 != nil {
		return nil, errKey
	}
	size := (curve.Params().BitSize + 7) / 8
	if len(x) != size || len(y) != size { // RFC 7518 section 6.2.1.2
		return nil, errKey
	}
	return ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y)) // checks that the point is on the curve
}

// bytes returns a member in base64url.
func (o object) bytes(key string) ([]byte, error) {
	s, ok := o.str(key)
	if !ok || s == "" {
		return nil, errKey
	}
	return base64.RawURLEncoding.DecodeString(s)
}
