package oauth

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"curfew/auth"
)

// This file is what an account sets in place of its preset.

// ours are the parameters of an authorization request that hold it together.
var ours = []string{"client_id", "client_secret", "code_challenge", "code_challenge_method", "code_verifier", "dpop_jkt", "nonce", "redirect_uri", "request", "request_uri", "response_mode", "response_type", "state"}

// overlay puts an account's settings over those of its preset.
func (p *Provider) overlay(c Config) error {
	for key := range c.Authorize {
		if key == "" || slices.Contains(ours, key) {
			return fmt.Errorf("authorize: %q cannot be set, as Curfew sets it", clean(key))
		}
	}
	p.Authorize = maps.Clone(p.Authorize)
	if p.Authorize == nil {
		p.Authorize = map[string]string{}
	}
	maps.Copy(p.Authorize, c.Authorize)
	p.ClientAuth = cmp.Or(c.ClientAuth, p.ClientAuth)
	p.ScopeSeparator = cmp.Or(c.ScopeSeparator, p.ScopeSeparator)
	if !slices.Contains([]string{"", "none", "basic", "post", "private_key_jwt"}, p.ClientAuth) {
		return fmt.Errorf("client_auth: %q is not one of none, basic, post and private_key_jwt", clean(p.ClientAuth))
	}
	if !slices.Contains([]string{"", "always", "never"}, c.DPoP) {
		return fmt.Errorf("dpop: %q is not one of always and never", clean(c.DPoP))
	}
	if p.ClientAuth == "private_key_jwt" && !c.ClientSecret.IsZero() {
		if _, _, err := signingKey(c.ClientSecret); err != nil {
			return err
		}
	}
	p.RevocationEndpoint = cmp.Or(c.RevocationEndpoint, p.RevocationEndpoint)
	p.DeviceEndpoint = cmp.Or(c.DeviceEndpoint, p.DeviceEndpoint)
	p.UserinfoEndpoint = cmp.Or(c.UserinfoEndpoint, p.UserinfoEndpoint)
	p.DeadCodes = slices.Concat(p.DeadCodes, c.DeadCodes)
	return nil
}

// assertionLife is how long a client assertion is valid.
const assertionLife = time.Minute

// assertion is the client's signed word for itself (RFC 7523 section 2.2).
func (c *Client) assertion(audience string) (auth.Secret, error) {
	key, method, err := signingKey(c.config.ClientSecret)
	if err != nil {
		return auth.Secret{}, err
	}
	now := c.now()
	text, err := jwt.NewWithClaims(method, jwt.RegisteredClaims{
		Issuer: c.config.ClientID, Subject: c.config.ClientID, Audience: jwt.ClaimStrings{audience}, ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(assertionLife)),
	}).SignedString(key)
	if err != nil {
		return auth.Secret{}, errors.New("the client's private key cannot sign")
	}
	return auth.NewSecret(text), nil
}

// signingKey reads a private key in PEM, which is the client secret of
// private_key_jwt, and says how it signs.
func signingKey(secret auth.Secret) (crypto.PrivateKey, jwt.SigningMethod, error) {
	bad := errors.New("the client secret is not a private key: private_key_jwt wants one in PEM, of RSA, P-256, P-384, P-521 or Ed25519")
	block, _ := pem.Decode([]byte(secret.Reveal()))
	if block == nil {
		return nil, nil, bad
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		if key, err = x509.ParsePKCS1PrivateKey(block.Bytes); err != nil {
			if key, err = x509.ParseECPrivateKey(block.Bytes); err != nil {
				return nil, nil, bad
			}
		}
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return k, jwt.SigningMethodRS256, nil
	case ed25519.PrivateKey:
		return k, jwt.SigningMethodEdDSA, nil
	case *ecdsa.PrivateKey:
		method := map[int]jwt.SigningMethod{256: jwt.SigningMethodES256, 384: jwt.SigningMethodES384, 521: jwt.SigningMethodES512}[k.Curve.Params().BitSize]
		if method != nil {
			return k, method, nil
		}
	}
	return nil, nil, bad
}
