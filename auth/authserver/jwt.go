package authserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The type claim, typ header and audience of each token differ, so that none
// passes for another even with a careless reader.
const (
	typeAccess  = "access"
	typeRefresh = "refresh"
	typAccess   = "at+jwt" // RFC 9068 section 2.1
	typRefresh  = "rt+jwt"
	typID       = "JWT"
)

func (s *Server) apiAudience() string   { return s.cfg.Issuer + "/api" }
func (s *Server) tokenAudience() string { return s.cfg.Issuer + "/token" }

// tokenClaims are what access and refresh tokens share.
type tokenClaims struct {
	jwt.RegisteredClaims
	Type     string `json:"type"`
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
	Session  string `json:"sid"`
}

type refreshClaims struct {
	tokenClaims
	OriginalIat  int64 `json:"originalIat"` // Unix seconds
	RefreshCount int   `json:"refreshCount"`
}

// idClaims are those of the ID token (OpenID Connect Core section 2).
type idClaims struct {
	jwt.RegisteredClaims
	AuthTime   int64  `json:"auth_time"`
	Nonce      string `json:"nonce,omitempty"`
	Session    string `json:"sid"`
	AccessHash string `json:"at_hash"`
	Name       string `json:"name,omitempty"`
	Email      string `json:"email,omitempty"`
}

type signingKey struct {
	id      string
	private *ecdsa.PrivateKey
}

// RollKey makes a new signing key and signs with it from now on. The JWKS
// shows it and its predecessor; tokens signed with older ones stay good here.
func (s *Server) RollKey() error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make a signing key: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = append(s.keys, signingKey{rand.Text()[:8], private})
	if len(s.keys) > maxKeys {
		s.keys = s.keys[1:]
	}
	return nil
}

// signLocked signs claims with the newest key.
func (s *Server) signLocked(typ string, claims jwt.Claims) (string, error) {
	key := s.keys[len(s.keys)-1]
	t := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	t.Header["kid"], t.Header["typ"] = key.id, typ
	return t.SignedString(key.private)
}

var errNotOurs = errors.New("not a token of this server")

// parse checks that we signed token for what its type claim says. It does not
// check times, since the caller has the exact words for that. An ID token comes
// back with an empty type.
func (s *Server) parse(token string) (*refreshClaims, error) {
	s.mu.Lock()
	keys := s.keys
	s.mu.Unlock()
	var c refreshClaims
	t, err := jwt.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		for _, k := range keys {
			if k.id == t.Header["kid"] {
				return &k.private.PublicKey, nil
			}
		}
		return nil, errNotOurs
	}, jwt.WithValidMethods([]string{"ES256"}), jwt.WithoutClaimsValidation())
	if err != nil || c.Issuer != s.cfg.Issuer || len(c.Audience) != 1 || c.ExpiresAt == nil {
		return nil, errNotOurs
	}
	typ, aud := t.Header["typ"], c.Audience[0]
	switch c.Type {
	case typeAccess:
		if typ != typAccess || aud != s.apiAudience() {
			return nil, errNotOurs
		}
	case typeRefresh:
		if typ != typRefresh || aud != s.tokenAudience() {
			return nil, errNotOurs
		}
	case "":
		if typ != typID {
			return nil, errNotOurs
		}
	default:
		return nil, errNotOurs
	}
	return &c, nil
}

func (s *Server) serveKeys(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	shown := s.keys[max(0, len(s.keys)-2):]
	s.mu.Unlock()
	keys := []map[string]string{}
	for _, k := range shown {
		point, err := k.private.PublicKey.Bytes() // 0x04, x, y (SEC 1 section 2.3.3)
		if err != nil {
			s.writeError(w, err)
			return
		}
		keys = append(keys, map[string]string{
			"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": k.id,
			"x": base64.RawURLEncoding.EncodeToString(point[1:33]),
			"y": base64.RawURLEncoding.EncodeToString(point[33:]),
		})
	}
	writeJSON(w, http.StatusOK, map[string]any{"keys": keys})
}

// halfHash is at_hash (OpenID Connect Core section 3.1.3.6).
func halfHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func registered(issuer, sub, audience string, from, to time.Time) jwt.RegisteredClaims {
	return jwt.RegisteredClaims{
		Issuer: issuer, Subject: sub, Audience: jwt.ClaimStrings{audience}, ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(from), ExpiresAt: jwt.NewNumericDate(to),
	}
}
