package oauth

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"curfew/auth"

	"golang.org/x/oauth2"
)

// This file is the token endpoint. x/oauth2 writes the requests; a guard
// stands between it and the network, reads every answer strictly, and hands it
// either a canonical one or an *Error, so that nothing is left to misread.

const (
	maxToken     = 16 << 10       // bytes of one token
	maxTokenLife = 24 * time.Hour // cap of expires_in: a lie of a year must not keep a dead token in use
)

// guard is the http.RoundTripper of one call of x/oauth2. It is not used
// concurrently.
type guard struct {
	client       *Client
	ctx          context.Context // for x/oauth2's DeviceAuth, which sends its request without one
	op           string
	read         func(g *guard, server string, r *reply) ([]byte, *Error)
	repeat       bool // device polling: more than one request is meant
	authenticate bool // add the client's Basic authentication
	used         bool
	grant        Grant
	idToken      auth.Secret
	slowed       int64 // answers "slow_down" so far
}

// context returns a context that makes x/oauth2 use g.
func (g *guard) context(ctx context.Context) context.Context {
	g.ctx = ctx
	return context.WithValue(ctx, oauth2.HTTPClient, &http.Client{
		Transport:     g,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	})
}

// RoundTrip sends req once.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if g.used && !g.repeat {
		// Whatever makes x/oauth2 try again, a refresh token goes out once.
		return nil, &Error{Op: g.op, Class: Unknown, Err: errors.New("a second request was about to be made and has been stopped")}
	}
	g.used = true
	c := g.client
	server := req.URL.Host
	if g.authenticate {
		req = req.Clone(g.ctx)
		c.setBasicAuth(req)
	}
	r, failed := c.send(g.ctx, g.op, req, tokenLimit)
	if failed != nil {
		return nil, failed
	}
	body, failed := g.read(g, server, r)
	if failed != nil {
		failed.Op, failed.Server, failed.Status = g.op, server, r.status
		return nil, failed
	}
	return &http.Response{
		StatusCode: r.status,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Body:       io.NopCloser(bytes.NewReader(body)),
		Request:    req,
	}, nil
}

// failed returns the *Error in an error of x/oauth2.
func (g *guard) failed(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	e := &Error{Op: g.op, Class: NotSent, Err: errors.New("the request could not be made")}
	if g.used {
		e.Class, e.Err = Unknown, errors.New("the answer could not be used")
	}
	return e
}

// readTokens reads the answer of a token endpoint into g and returns it in
// canonical form.
func readTokens(g *guard, server string, r *reply) ([]byte, *Error) {
	c := g.client
	if !r.ok() {
		return nil, refusal(g.op, server, r, c.provider.DeadCodes)
	}
	if !r.isJSON() {
		return nil, &Error{Class: Unknown, Err: fmt.Errorf("%s answered with %s instead of JSON; a captive portal or a proxy may be in the way", server, kind(r.mediaType))}
	}
	o, ambiguous := parseObject(r.body)
	if o == nil {
		return nil, &Error{Class: Unknown, Err: fmt.Errorf("%s answered with %w", server, ambiguous)}
	}
	if code, _ := o.str("error"); code != "" && ambiguous == nil { // GitHub refuses with status 200
		return nil, refusal(g.op, server, r, c.provider.DeadCodes)
	}
	if c.config.Confirm != nil {
		c.config.Confirm(r.date)
	}
	grant, idToken, err := readGrant(o, c.now().Round(0), c.provider.AccessLifetime)
	grant.ExpiresIn, grant.ExpiresAt = tokenLife(grant, r.date)
	g.grant, g.idToken = grant, idToken
	if ambiguous != nil {
		err = ambiguous
	}
	if err != nil {
		// The old refresh token may be spent, so a new one must be saved all
		// the same; nothing else of this answer is usable.
		g.grant = Grant{RefreshToken: grant.RefreshToken, ReceivedAt: grant.ReceivedAt, Bounds: grant.Bounds}
		class := Protocol
		if ambiguous != nil && grant.RefreshToken.IsZero() {
			class = Unknown
		}
		return nil, &Error{Class: class, Err: fmt.Errorf("%s gave an answer that cannot be used: %w", server, err)}
	}
	canonical := map[string]any{
		"access_token": grant.AccessToken.Reveal(),
		"token_type":   grant.TokenType,
		"expires_in":   int64(grant.ExpiresIn / time.Second),
	}
	if !grant.RefreshToken.IsZero() {
		canonical["refresh_token"] = grant.RefreshToken.Reveal()
	}
	body, _ := json.Marshal(canonical) // strings and numbers only
	return body, nil
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
	g := &guard{client: c, op: "exchange", read: readTokens}
	_, err := c.conf(m, redirectURI).Exchange(g.context(ctx), code.Reveal(), oauth2.VerifierOption(verifier.Reveal()))
	if err != nil {
		return Grant{}, g.failed(err)
	}
	return c.finishSignIn(ctx, m, g, nonce)
}

// finishSignIn verifies the ID token of a first grant and finds a name to show.
func (c *Client) finishSignIn(ctx context.Context, m *metadata, g *guard, nonce auth.Secret) (Grant, error) {
	grant := g.grant
	if c.openID(m) && grantsOpenID(grant) {
		identity, failed := c.verifyIDToken(ctx, m, g.idToken, idTokenCheck{
			op: g.op, nonce: nonce, accessToken: grant.AccessToken,
		})
		if failed != nil {
			return Grant{}, failed
		}
		grant.Identity = identity
	}
	c.addDisplay(ctx, m, &grant)
	return grant, nil
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
	g := &guard{client: c, op: op, read: readTokens}
	// A fresh source each time: x/oauth2's long-lived one refreshes when it
	// likes and keeps the first caller's context.
	_, err := c.conf(m, "").TokenSource(g.context(ctx), &oauth2.Token{RefreshToken: rt.Reveal()}).Token()
	if err != nil {
		failed := g.failed(err)
		if failed.Class == Denied { // nobody was asked
			failed.Class = HeldBack
		}
		return g.grant, failed
	}
	grant := g.grant
	if g.idToken.IsZero() || m.issuer == "" || m.jwks == "" {
		return grant, nil
	}
	identity, failed := c.verifyIDToken(ctx, m, g.idToken, idTokenCheck{
		op: op, prev: &prev, accessToken: grant.AccessToken,
	})
	switch {
	case failed == nil:
		grant.Identity = identity
		return grant, nil
	case errors.Is(failed, ErrSubjectChanged):
		return grant, failed
	}
	return Grant{RefreshToken: grant.RefreshToken, ReceivedAt: grant.ReceivedAt, Bounds: grant.Bounds}, failed
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
