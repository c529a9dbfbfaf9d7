package oauth

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"curfew/auth"
	"curfew/auth/oauth/dpop"
)

// This file is the token endpoint: one form out, one answer read strictly.

const (
	maxToken     = 16 << 10       // bytes of one token
	maxTokenLife = 24 * time.Hour // cap of expires_in; a false one of a year must not keep a dead token in use
)

// answer is what a token endpoint gave.
type answer struct {
	grant   Grant
	idToken auth.Secret
}

// requestTokens sends a form to the token endpoint once and reads the answer.
// An error may come with a grant that holds the refresh token alone: the old
// one may be spent, so the new one must be saved whatever else is wrong.
func (c *Client) requestTokens(ctx context.Context, op string, m *metadata, form url.Values, key dpop.Key) (answer, *Error) {
	if op != tokenExchange { // which says itself what its token is for
		c.addResource(form)
	}
	r, failed := c.post(ctx, op, m, m.token, form, key)
	if failed == nil && c.wantsNonce(r) && !key.IsZero() { // it has looked at nothing else
		r, failed = c.post(ctx, op, m, m.token, form, key)
	}
	if failed != nil {
		return answer{}, failed
	}
	server := hostOf(m.token)
	a, failed := c.readTokens(op, server, r)
	a.grant.Key = key
	if failed == nil && key.IsZero() && a.grant.TokenType == dpop.TokenType {
		a, failed = answer{grant: a.grant.rotatedOnly()}, &Error{Class: Protocol, Err: fmt.Errorf("%s gave an answer that cannot be used: its token_type is not Bearer", server)}
	}
	if failed != nil {
		failed.Op, failed.Server, failed.Status = op, server, r.status
	}
	return a, failed
}

// wantsNonce notes the nonce for the next proof, and reports whether an answer
// is no more than the demand for it (RFC 9449 section 8).
func (c *Client) wantsNonce(r *reply) bool {
	if !validToken(r.nonce) {
		return false
	}
	c.mu.Lock()
	c.nonce = r.nonce
	c.mu.Unlock()
	if r.ok() {
		return false
	}
	o, _ := r.object()
	code, _ := o.str("error")
	return code == "use_dpop_nonce"
}

// addResource names what the tokens are for (RFC 8707 section 2).
func (c *Client) addResource(form url.Values) {
	if len(c.config.Resource) > 0 && !form.Has("resource") {
		form["resource"] = c.config.Resource
	}
}

// readTokens reads the answer of a token endpoint.
func (c *Client) readTokens(op, server string, r *reply) (answer, *Error) {
	if !r.ok() {
		return answer{}, c.refusal(op, server, r)
	}
	o, ambiguous := r.object()
	if o == nil {
		if o = formAnswer(r); o == nil {
			return answer{}, notJSON(op, server, r)
		}
		ambiguous = nil
	}
	if code, words, _ := errorWords(o); ambiguous == nil && code+words != "" && !innerAnswer(o).has("access_token") && !o.has("refresh_token") {
		return answer{}, c.refusal(op, server, r) // GitHub, Slack and WeChat refuse with status 200
	}
	if c.config.Confirm != nil {
		c.config.Confirm(r.date)
	}
	grant, idToken, err := c.readGrant(innerAnswer(o))
	most := maxTokenLife
	if op != "refresh" && grant.RefreshToken.IsZero() { // nothing can take its place
		most = auth.BuiltIn.MaxAge + maxTokenLife
	}
	grant.ExpiresIn, grant.ExpiresAt = tokenLife(grant, r.date, most)
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

// formAnswer reads an answer in the form that OAuth had before JSON, as some
// servers still give it. Without an access token it is none.
func formAnswer(r *reply) object {
	if r.mediaType != "application/x-www-form-urlencoded" && r.mediaType != "text/plain" {
		return nil
	}
	values, err := url.ParseQuery(string(r.body))
	if err != nil || values.Get("access_token") == "" && values.Get("error") == "" {
		return nil
	}
	o := object{}
	for key, value := range values {
		if len(value) == 1 {
			o[key], _ = json.Marshal(value[0]) // a string
		}
	}
	return o
}

// innerAnswer is the object that has the tokens. In Slack's answers for a
// person it is a member of o, else it is o.
func innerAnswer(o object) object {
	if o.has("access_token") {
		return o
	}
	var found []object
	for key := range o {
		for _, inner := range o.objects(key) {
			if inner.has("access_token") {
				found = append(found, inner)
			}
		}
	}
	if len(found) == 1 {
		return found[0]
	}
	return o
}

// setIdentity takes over a verified ID token. One that is too long to be kept
// has said what it had to say.
func (g *Grant) setIdentity(who Identity, idToken auth.Secret) {
	if g.Identity = who; len(idToken.Reveal()) <= maxToken {
		g.IDToken = idToken
	}
}

// rotatedOnly is what must be kept of an answer that is not to be used.
func (g Grant) rotatedOnly() Grant {
	return Grant{RefreshToken: g.RefreshToken, Key: g.Key, ReceivedAt: g.ReceivedAt, Bounds: g.Bounds}
}

// readGrant reads a successful token answer (RFC 6749 section 5.1). With an
// error, the grant still holds the refresh token if that could be read. Only
// what makes the tokens unusable is an error.
func (c *Client) readGrant(o object) (g Grant, idToken auth.Secret, err error) {
	now := c.now().Round(0)
	g = Grant{TokenType: "Bearer", ReceivedAt: now}
	bad := func(format string, a ...any) { // the first fault is the one to report
		if err == nil {
			err = fmt.Errorf(format, a...)
		}
	}
	token := func(key string) auth.Secret {
		value, _ := o.str(key) // false and the like say that there is none
		value = strings.TrimSpace(value)
		switch {
		case len(value) > maxToken:
			bad("its %s is longer than %d KB", key, maxToken>>10)
		case value != "" && !validToken(value):
			bad("its %s is not a token", key)
		default:
			return auth.NewSecret(value)
		}
		return auth.Secret{}
	}
	g.AccessToken = token("access_token")
	g.RefreshToken = token("refresh_token")
	if text := strings.TrimSpace(o.text("id_token")); printable(text) { // who it is about is looked at later, and its length does not matter
		idToken = auth.NewSecret(text)
	}
	if g.AccessToken.IsZero() {
		bad("it has no access_token")
	}
	// Section 7.1: a type that we do not know is not usable. LinkedIn names none.
	if o.has("token_type") {
		name, _ := o.str("token_type")
		name = strings.ToLower(strings.TrimSpace(name))
		if strings.EqualFold(name, dpop.TokenType) {
			g.TokenType = dpop.TokenType
		} else if name != "" && !strings.HasPrefix(name, "bearer") && !strings.EqualFold(name, c.provider.TokenType) { // Apigee's is BearerToken
			bad("its token_type is not Bearer")
		}
	}

	seconds, found, malformed := o.seconds("expires_in")
	switch {
	case malformed != nil:
		c.log.Warn("the life of an access token is not told in a number", "error", malformed)
		fallthrough
	case !found:
		g.ExpiresAt, _ = o.unixTime("expires_at") // by the server's clock: see tokenLife
		g.ExpiresIn = cmp.Or(c.config.AccessLifetime, c.provider.AccessLifetime.Duration)
	case seconds > 0:
		g.ExpiresIn = time.Duration(seconds) * time.Second
	}
	for _, s := range readScope(o) {
		if validToken(s) {
			g.Scope = append(g.Scope, s)
		}
	}
	g.Bounds = readBounds(o, g.RefreshToken, now)
	return g, idToken, err
}

// readScope returns the granted scope. It reads an array, and words with spaces
// (RFC 6749 section 3.3) or commas between them.
func readScope(o object) []string {
	text, ok := o.str("scope")
	if !ok {
		return o.strs("scope")
	}
	return strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || r == ',' && !strings.Contains(text, " ") })
}

// validToken reports whether s can be a token. It allows more characters than
// RFC 6750, but none that could end a header, a line or a field.
func validToken(s string) bool { return s != "" && len(s) <= maxToken && printable(s) }

// printable reports whether s has printable ASCII only, and no blank.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 0x21 || r > 0x7e })
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

// exchange trades an authorization code for tokens, once. With an error, the
// grant holds the refresh token that the server gave all the same: revoke it.
func (c *Client) exchange(ctx context.Context, m *metadata, redirectURI string, code, verifier, nonce auth.Secret, key dpop.Key) (Grant, error) {
	const op = "exchange"
	c.warmKeys(ctx, m) // so there are two chances to get them
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code.Reveal()}, "redirect_uri": {redirectURI}}
	if c.provider.PKCE != "never" {
		form.Set("code_verifier", verifier.Reveal())
	}
	a, failed := c.requestTokens(ctx, op, m, form, key)
	if failed != nil {
		if failed.Class == Dead { // the code, of a session that is not there yet
			failed.Class = HeldBack
		}
		return a.grant, failed
	}
	return c.finishSignIn(ctx, op, m, a, nonce)
}

// finishSignIn verifies the ID token of a first grant and finds a name to show.
func (c *Client) finishSignIn(ctx context.Context, op string, m *metadata, a answer, nonce auth.Secret) (Grant, error) {
	grant := a.grant
	grant.Endpoints = Endpoints{Token: m.token, Revocation: m.revocation}
	asked := c.openID(m)
	if asked && grantsOpenID(grant) || !a.idToken.IsZero() && m.canVerify() {
		identity, failed := c.verifyIDToken(ctx, m, a.idToken, idTokenCheck{
			op: op, nonce: nonce, accessToken: grant.AccessToken,
		})
		switch {
		case failed == nil:
			grant.setIdentity(identity, a.idToken)
		case asked:
			return grant.rotatedOnly(), failed
		default:
			c.log.Warn("an ID token that nobody asked for cannot be used", "error", failed)
		}
	}
	c.addDisplay(ctx, m, &grant)
	return grant, nil
}

// grantsOpenID reports whether the scope openid was granted, after it was asked
// for. Without it no ID token is due (OIDC Core 3.1.2.1).
func grantsOpenID(g Grant) bool {
	return g.Scope == nil || slices.Contains(g.Scope, "openid")
}

// Refresh sends rt once (RFC 6749 section 6), to an endpoint that from allows.
// Where that endpoint is gone, and discovery names another that is allowed as
// well, it is sent there. An ID token with another issuer or subject than from
// gives a Grant and ErrSubjectChanged.
//
// A Grant may come with an error: the server has then rotated the token and
// given an answer that must not be used otherwise. If its RefreshToken is not
// zero it is the one that is valid now; save it. An error without an answer to
// this POST, as from discovery, is never of the class Unknown.
func (c *Client) Refresh(ctx context.Context, rt auth.Secret, from Origin) (Grant, error) {
	const op = "refresh"
	if rt.IsZero() {
		return Grant{}, &Error{Op: op, Class: HeldBack, Err: errors.New("there is no refresh token; sign in again")}
	}
	m, failed := c.discover(ctx)
	if failed != nil {
		return Grant{}, failed
	}
	a, failed := c.refreshAt(ctx, m, rt, from)
	if failed != nil && failed.moved() {
		if m = c.rediscover(ctx, m, func(m *metadata) string { return m.token }); m != nil {
			c.log.Warn("the token endpoint has moved", "to", m.token)
			a, failed = c.refreshAt(ctx, m, rt, from)
		}
	}
	grant := a.grant
	if failed != nil {
		if failed.Class == Denied { // nobody was asked
			failed.Class = HeldBack
		}
		return grant, failed
	}
	grant.Endpoints = Endpoints{Token: m.token, Revocation: m.revocation}
	if a.idToken.IsZero() || from.Subject == "" && !m.canVerify() {
		return grant, nil
	}
	ctx, cancel := context.WithTimeout(ctx, keysLimit) // the new refresh token is not saved yet
	defer cancel()
	identity, failed := c.verifyIDToken(ctx, m, a.idToken, idTokenCheck{
		op: op, prev: &from.Identity, accessToken: grant.AccessToken,
	})
	switch {
	case failed == nil:
		grant.setIdentity(identity, a.idToken)
		return grant, nil
	case errors.Is(failed, ErrSubjectChanged):
		return grant, failed
	case from.Subject == "" && !c.openID(m):
		c.log.Warn("an ID token that nobody asked for cannot be used", "error", failed)
		return grant, nil
	}
	return grant.rotatedOnly(), failed
}

// refreshAt sends rt to the token endpoint of m, if it may go there.
func (c *Client) refreshAt(ctx context.Context, m *metadata, rt auth.Secret, from Origin) (answer, *Error) {
	if !from.allows(m, m.token) {
		return answer{}, &Error{Op: "refresh", Server: hostOf(m.token), Class: HeldBack, Err: errElsewhere(m, m.token)}
	}
	c.warmKeys(ctx, m)
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {rt.Reveal()}}
	if len(from.Resource) > 0 {
		form["resource"] = from.Resource
	}
	if len(from.Scope) > 0 {
		form.Set("scope", c.joinScopes(from.Scope))
	}
	return c.requestTokens(ctx, "refresh", m, form, from.Key)
}

const tokenExchange = "token exchange"

// Exchange trades a session's access token, which form has, for another (RFC
// 8693). The refresh token is not sent. One that comes, with an error too, is
// for the caller to revoke.
func (c *Client) Exchange(ctx context.Context, form url.Values, scope []string, from Origin) (Grant, error) {
	m, failed := c.discover(ctx)
	if failed == nil && !from.allows(m, m.token) {
		failed = &Error{Op: tokenExchange, Server: hostOf(m.token), Class: HeldBack, Err: errElsewhere(m, m.token)}
	}
	if failed != nil {
		return Grant{}, failed
	}
	form.Set("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")
	if len(scope) > 0 {
		form.Set("scope", c.joinScopes(scope))
	}
	a, failed := c.requestTokens(ctx, tokenExchange, m, form, from.Key)
	if failed == nil {
		return a.grant, nil
	}
	if failed.Class == Dead { // the access token, or the request: the session is not asked about
		failed.Class = HeldBack
	}
	return Grant{RefreshToken: a.grant.RefreshToken}, failed
}

// allows reports whether a session's refresh token may go to an endpoint that
// discovery named: to the hosts that it went to before, or to the issuer's.
func (from Origin) allows(m *metadata, endpoint string) bool {
	return from.Token == "" || m.issuer == "" || // a session from before this was kept; endpoints that a person gave
		slices.Contains([]string{hostOf(m.issuer), hostOf(from.Token), hostOf(from.Revocation)}, hostOf(endpoint))
}

func errElsewhere(m *metadata, endpoint string) error {
	return fmt.Errorf("%s now names an endpoint at %s, where this session's refresh token has never been; to trust it, sign in again", hostOf(m.issuer), hostOf(endpoint))
}

// moved reports whether nothing that speaks OAuth is at the endpoint any more.
func (e *Error) moved() bool {
	dns, ok := errors.AsType[*net.DNSError](e)
	return ok && dns.IsNotFound || e.Code == "" &&
		(e.Status/100 == 3 || e.Status == http.StatusNotFound || e.Status == http.StatusMethodNotAllowed || e.Status == http.StatusGone)
}

// codeFrom reads the code of an authorization answer.
func codeFrom(values url.Values) (auth.Secret, bool) {
	code := values.Get("code")
	return auth.NewSecret(code), validToken(code)
}

// tokenLife returns how long the access token of g was issued for, and when it
// expires. A server that repeats a lost answer repeats its expires_in too,
// which then counts from the first time. If the token is a JWT, its exp gives
// the true end by the server's own clock. So do it and expires_at, which is
// g.ExpiresAt here, if expires_in was left out (RFC 6749 section 5.1: "by other
// means"). Neither is believed beyond most.
func tokenLife(g Grant, serverTime time.Time, most time.Duration) (issued time.Duration, expiresAt time.Time) {
	issued = min(g.ExpiresIn, most)
	left := issued
	claims := unverifiedClaims(g.AccessToken)
	if serverTime.IsZero() {
		serverTime = g.ReceivedAt
	}
	exp, ok := claims.unixTime("exp")
	if !ok {
		exp, ok = g.ExpiresAt, !g.ExpiresAt.IsZero()
	}
	if ok {
		if exp.Before(serverTime) && g.ReceivedAt.Before(serverTime) { // the wrong Date of a proxy must not spoil a good token
			serverTime = g.ReceivedAt
		}
		tighten := func(d, to time.Duration) time.Duration {
			if d == 0 || to < d {
				return min(to, most)
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

// IDTokenEnd is when an ID token expires, by its server's clock. It is the zero
// time for what is not an ID token.
func IDTokenEnd(token auth.Secret) time.Time {
	end, _ := unverifiedClaims(token).unixTime("exp")
	return end
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
