package oauth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"curfew/auth"
)

// This file is the token endpoint: one form out, one answer read strictly.

const (
	maxToken     = 16 << 10       // bytes of one token
	maxTokenLife = 24 * time.Hour // cap of expires_in: a lie of a year must not keep a dead token in use
)

// answer is what a token endpoint gave.
type answer struct {
	grant   Grant
	idToken auth.Secret
}

// requestTokens sends a form to the token endpoint once and reads the answer.
// An error may come with a grant that holds the refresh token alone: the old
// one may be spent, so the new one must be saved whatever else is wrong.
func (c *Client) requestTokens(ctx context.Context, op string, m *metadata, form url.Values) (answer, *Error) {
	r, failed := c.post(ctx, op, m, m.token, form)
	if failed != nil {
		return answer{}, failed
	}
	server := hostOf(m.token)
	a, failed := c.readTokens(op, server, r)
	if failed != nil {
		failed.Op, failed.Server, failed.Status = op, server, r.status
	}
	return a, failed
}

// readTokens reads the answer of a token endpoint.
func (c *Client) readTokens(op, server string, r *reply) (answer, *Error) {
	if !r.ok() {
		return answer{}, refusal(op, server, r, c.provider.DeadCodes)
	}
	if !r.isJSON() {
		return answer{}, &Error{Class: Unknown, Err: fmt.Errorf("%s answered with %s instead of JSON; a captive portal or a proxy may be in the way", server, kind(r.mediaType))}
	}
	o, ambiguous := parseObject(r.body)
	if o == nil {
		return answer{}, &Error{Class: Unknown, Err: fmt.Errorf("%s answered with %w", server, ambiguous)}
	}
	if code, _ := o.str("error"); code != "" && ambiguous == nil { // GitHub refuses with status 200
		return answer{}, refusal(op, server, r, c.provider.DeadCodes)
	}
	if c.config.Confirm != nil {
		c.config.Confirm(r.date)
	}
	grant, idToken, err := readGrant(o, c.now().Round(0), c.provider.AccessLifetime)
	grant.ExpiresIn, grant.ExpiresAt = tokenLife(grant, r.date)
	if ambiguous != nil {
		err = ambiguous
	}
	if err != nil {
		class := Protocol
		if ambiguous != nil && grant.RefreshToken.IsZero() {
			class = Unknown
		}
		return answer{grant: grant.rotatedOnly()}, &Error{Class: class, Err: fmt.Errorf("%s gave an answer that cannot be used: %w", server, err)}
	}
	return answer{grant, idToken}, nil
}

// rotatedOnly is what must be kept of an answer that is not to be used.
func (g Grant) rotatedOnly() Grant {
	return Grant{RefreshToken: g.RefreshToken, ReceivedAt: g.ReceivedAt, Bounds: g.Bounds}
}

// readGrant reads a successful token answer (RFC 6749 section 5.1). With an
// error, the grant still holds the refresh token if that could be read.
func readGrant(o object, now time.Time, accessLifetime time.Duration) (g Grant, idToken auth.Secret, err error) {
	g = Grant{TokenType: "Bearer", ReceivedAt: now}
	bad := func(format string, a ...any) { // the first fault is the one to tell
		if err == nil {
			err = fmt.Errorf(format, a...)
		}
	}
	token := func(key string) auth.Secret {
		value, ok := o.str(key)
		if o.has(key) && !ok || value != "" && !validToken(value) {
			bad("its %s is not a token", key)
			return auth.Secret{}
		}
		return auth.NewSecret(value)
	}
	g.AccessToken = token("access_token")
	g.RefreshToken = token("refresh_token")
	idToken = token("id_token")
	if g.AccessToken.IsZero() {
		bad("it has no access_token")
	}
	if name, _ := o.str("token_type"); !strings.EqualFold(name, "Bearer") { // section 7.1: not a type we know, not usable
		bad("its token_type is not Bearer")
	}

	seconds, found, malformed := o.seconds("expires_in")
	switch {
	case malformed != nil:
		bad("its %w", malformed)
	case !found:
		g.ExpiresIn = accessLifetime
	case seconds > 0:
		g.ExpiresIn = min(time.Duration(seconds)*time.Second, maxTokenLife)
	}
	scope, _ := o.str("scope")
	for s := range strings.FieldsSeq(scope) {
		if validToken(s) {
			g.Scope = append(g.Scope, s)
		}
	}
	g.Bounds = readBounds(o, g.RefreshToken, now)
	return g, idToken, err
}

// validToken reports whether s can be a token: RFC 6750's characters and more,
// but nothing that could end a header, a line or a field.
func validToken(s string) bool {
	if s == "" || len(s) > maxToken {
		return false
	}
	for i := range len(s) {
		if s[i] < 0x21 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// readBounds reads what an answer says of the end of the refresh token, in the
// members that servers use for it and in the token itself if that is a JWT.
// Nothing here is verified; it can only bring the end nearer.
func readBounds(o object, refreshToken auth.Secret, now time.Time) (b auth.Bounds) {
	endsAt := func(at time.Time) {
		if b.EndsAt.IsZero() || at.Before(b.EndsAt) {
			b.EndsAt = at
		}
	}
	for _, key := range []string{"refresh_expires_in", "refresh_token_expires_in"} {
		if seconds, _, err := o.seconds(key); err == nil && seconds > 0 { // 0: Keycloak's "no end"
			endsAt(now.Add(time.Duration(seconds) * time.Second))
		}
	}
	claims := unverifiedClaims(refreshToken)
	if claims == nil {
		return b
	}
	if exp, ok := claims.unixTime("exp"); ok {
		endsAt(exp)
	}
	b.OriginalIat, _ = claims.unixTime("originalIat")
	if count, found, err := claims.seconds("refreshCount"); found && err == nil && count > 0 {
		b.RefreshCount = int(count)
	}
	return b
}

// exchange trades an authorization code for tokens, once.
func (c *Client) exchange(ctx context.Context, m *metadata, redirectURI string, code, verifier, nonce auth.Secret) (Grant, error) {
	const op = "exchange"
	a, failed := c.requestTokens(ctx, op, m, url.Values{
		"grant_type": {"authorization_code"}, "code": {code.Reveal()},
		"redirect_uri": {redirectURI}, "code_verifier": {verifier.Reveal()},
	})
	if failed != nil {
		c.giveBack(ctx, a.grant)
		return Grant{}, failed
	}
	return c.finishSignIn(ctx, op, m, a, nonce)
}

// finishSignIn verifies the ID token of a first grant and finds a name to show.
func (c *Client) finishSignIn(ctx context.Context, op string, m *metadata, a answer, nonce auth.Secret) (Grant, error) {
	grant := a.grant
	if c.openID(m) && grantsOpenID(grant) {
		identity, failed := c.verifyIDToken(ctx, m, a.idToken, idTokenCheck{
			op: op, nonce: nonce, accessToken: grant.AccessToken,
		})
		if failed != nil {
			c.giveBack(ctx, grant)
			return Grant{}, failed
		}
		grant.Identity = identity
	}
	c.addDisplay(ctx, m, &grant)
	return grant, nil
}

// giveBack revokes what a sign-in brought and will not be kept. It tries once.
func (c *Client) giveBack(ctx context.Context, g Grant) {
	if g.RefreshToken.IsZero() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptLimit)
	defer cancel()
	if err := c.Revoke(ctx, g.RefreshToken); err != nil {
		c.log.Warn("a refused sign-in was not revoked", "error", err)
	}
}

// grantsOpenID reports whether the scope openid, which was asked for, was
// granted: without it no ID token is due (OIDC Core 3.1.2.1).
func grantsOpenID(g Grant) bool {
	return g.Scope == nil || slices.Contains(g.Scope, "openid")
}

// Refresh makes exactly one POST with rt (RFC 6749 section 6). prev is the
// session's identity: an ID token with another issuer or subject gives a Grant
// and ErrSubjectChanged.
//
// A Grant may come with an error: the server has then rotated the token and
// given an answer that must not be used otherwise. If its RefreshToken is not
// zero it is the one that is valid now; save it. An error without an answer to
// this POST, as from discovery, is never of the class Unknown.
func (c *Client) Refresh(ctx context.Context, rt auth.Secret, prev Identity) (Grant, error) {
	const op = "refresh"
	if rt.IsZero() {
		return Grant{}, &Error{Op: op, Class: HeldBack, Err: errors.New("there is no refresh token; sign in again")}
	}
	m, failed := c.discover(ctx)
	if failed != nil {
		return Grant{}, failed
	}
	c.warmKeys(ctx, m)
	a, failed := c.requestTokens(ctx, op, m, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {rt.Reveal()}})
	grant := a.grant
	if failed != nil {
		if failed.Class == Denied { // nobody was asked
			failed.Class = HeldBack
		}
		return grant, failed
	}
	if a.idToken.IsZero() || m.issuer == "" || m.jwks == "" {
		return grant, nil
	}
	identity, failed := c.verifyIDToken(ctx, m, a.idToken, idTokenCheck{
		op: op, prev: &prev, accessToken: grant.AccessToken,
	})
	switch {
	case failed == nil:
		grant.Identity = identity
		return grant, nil
	case errors.Is(failed, ErrSubjectChanged):
		return grant, failed
	}
	return grant.rotatedOnly(), failed
}

// codeFrom reads the code of an authorization answer.
func codeFrom(values url.Values) (auth.Secret, bool) {
	code := values.Get("code")
	return auth.NewSecret(code), validToken(code)
}

// tokenLife returns how long the access token of g was issued for, and when it
// expires. A server that repeats a lost answer repeats its expires_in too,
// which then counts from the first time; where the token is a JWT its exp
// tells, held against the server's own clock. It also tells where expires_in
// was left out (RFC 6749 section 5.1: "by other means").
func tokenLife(g Grant, serverTime time.Time) (issued time.Duration, expiresAt time.Time) {
	issued = g.ExpiresIn
	left := issued
	claims := unverifiedClaims(g.AccessToken)
	if exp, ok := claims.unixTime("exp"); ok && !serverTime.IsZero() {
		tighten := func(d, to time.Duration) time.Duration {
			if d == 0 || to < d {
				return min(to, maxTokenLife)
			}
			return d
		}
		left = tighten(left, exp.Sub(serverTime))
		if iat, ok := claims.unixTime("iat"); ok && exp.After(iat) {
			issued = tighten(issued, exp.Sub(iat))
		} else if issued == 0 {
			issued = max(left, 0)
		}
	}
	if issued == 0 {
		return 0, time.Time{}
	}
	return issued, g.ReceivedAt.Add(left)
}

// unverifiedClaims returns the claims of a token that is a JWT, nil of any
// other. Nobody checked them: they may only tighten.
func unverifiedClaims(token auth.Secret) object {
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	claims, err := parseObject(payload)
	if err != nil {
		return nil
	}
	return claims
}
