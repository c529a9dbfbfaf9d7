// Package dpop proves to a server that a token is used by the program that it
// was issued to (RFC 9449). Its one hard idea is that a stolen token is then
// worth nothing: the key stays where the session is kept.
package dpop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"curfew/auth"
)

const (
	Algorithm = "ES256" // how proofs are signed
	TokenType = "DPoP"  // the token_type of an access token that is bound (RFC 9449 section 5)
)

// A Key is the key that a session's tokens are bound to. The zero Key is none.
type Key struct{ secret auth.Secret }

var b64 = base64.RawURLEncoding

// NewKey makes a key.
func NewKey() (Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Key{}, err
	}
	number, err := private.Bytes()
	if err != nil {
		return Key{}, err
	}
	return Key{auth.NewSecret(b64.EncodeToString(number))}, nil
}

// ReadKey reads what [Key.Secret] gave.
func ReadKey(text string) (Key, error) {
	k := Key{auth.NewSecret(text)}
	_, err := k.private()
	return k, err
}

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return k.secret.IsZero() }

// Secret is the key as it is kept: printable, without spaces.
func (k Key) Secret() auth.Secret { return k.secret }

func (k Key) private() (*ecdsa.PrivateKey, error) {
	number, err := b64.DecodeString(k.secret.Reveal())
	if err != nil {
		return nil, errors.New("the key of the session cannot be read")
	}
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), number)
	if err != nil {
		return nil, errors.New("the key of the session is not a key")
	}
	return private, nil
}

// A jwk is the public key. Its members are in the order of RFC 7638.
type jwk struct {
	Curve string `json:"crv"`
	Type  string `json:"kty"`
	X     string `json:"x"`
	Y     string `json:"y"`
}

// pair returns both halves of the key.
func (k Key) pair() (*ecdsa.PrivateKey, jwk, error) {
	private, err := k.private()
	if err != nil {
		return nil, jwk{}, err
	}
	point, err := private.PublicKey.Bytes() // 4, x and y
	if err != nil {
		return nil, jwk{}, err
	}
	half := (len(point) - 1) / 2
	return private, jwk{"P-256", "EC", b64.EncodeToString(point[1 : 1+half]), b64.EncodeToString(point[1+half:])}, nil
}

// Thumbprint names the public key (RFC 7638).
func (k Key) Thumbprint() (string, error) {
	_, public, err := k.pair()
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(public)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return b64.EncodeToString(sum[:]), nil
}

// A Request is what a proof is for (RFC 9449 section 4.2).
type Request struct {
	Method, URL string
	Nonce       string      // that the server gave; empty: none
	AccessToken auth.Secret // that goes with it to an API; zero: none
}

// Proof signs a proof for one request, made now.
func (k Key) Proof(r Request, now time.Time) (string, error) {
	private, public, err := k.pair()
	if err != nil {
		return "", err
	}
	u, err := url.Parse(r.URL)
	if err != nil || u.Host == "" {
		return "", errors.New("a proof is for an absolute address")
	}
	u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment, u.User = "", false, "", "", nil
	claims := jwt.MapClaims{"jti": rand.Text(), "htm": r.Method, "htu": u.String(), "iat": now.Unix()}
	if r.Nonce != "" {
		claims["nonce"] = r.Nonce
	}
	if !r.AccessToken.IsZero() {
		sum := sha256.Sum256([]byte(r.AccessToken.Reveal()))
		claims["ath"] = b64.EncodeToString(sum[:])
	}
	token := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	token.Header["typ"], token.Header["jwk"] = "dpop+jwt", public
	return token.SignedString(private)
}
