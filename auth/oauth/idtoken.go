package oauth

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"curfew/auth"
	"curfew/auth/oauth/jws"
)

// clockSkew is how far this machine's clock and the server's may differ.
const clockSkew = 10 * time.Minute

// idTokenCheck is what an ID token must fit.
type idTokenCheck struct {
	op          string
	nonce       auth.Secret // of a sign-in; zero: none was sent
	prev        *Identity   // of the session, at a refresh
	accessToken auth.Secret
}

// verifyIDToken checks an ID token by OIDC Core 3.1.3.7, or 12.2 at a refresh,
// and returns who it is about.
//
// If the keys cannot be fetched during a refresh, the TLS connection that the
// token came by stands in for its signature (3.1.3.7 rule 6). The old refresh
// token is already spent, and the network must not cost a session.
func (c *Client) verifyIDToken(ctx context.Context, m *metadata, raw auth.Secret, check idTokenCheck) (Identity, *Error) {
	refuse := func(err error) (Identity, *Error) {
		return Identity{}, &Error{Op: check.op, Server: hostOf(m.token), Class: Protocol,
			Err: fmt.Errorf("the ID token of %s cannot be trusted: %w", hostOf(m.token), err)}
	}
	if raw.IsZero() {
		return refuse(errors.New("none came, although openid was asked for"))
	}
	token, err := jws.Parse(raw.Reveal())
	switch {
	case err != nil && strings.Count(raw.Reveal(), ".") == 4: // RFC 7516 section 3.1
		return refuse(errors.New("it is encrypted; have the provider only sign it for this client"))
	case err != nil:
		return refuse(errMalformed)
	}
	header, err1 := parseObject(token.Header)
	claims, err2 := parseObject(token.Payload)
	alg, _ := header.str("alg")
	kid, _ := header.str("kid")
	_, critical := header["crit"]
	if iss, _ := claims.str("iss"); iss == "accounts.google.com" && m.issuer == "https://"+iss { // as Google may call itself
		claims["iss"] = fmt.Appendf(nil, "%q", m.issuer)
	}
	switch {
	case err1 != nil || err2 != nil:
		return refuse(errMalformed)
	case critical: // RFC 7515 section 4.1.11: we understand no extension
		return refuse(errors.New("it demands an extension"))
	case !slices.Contains(jws.Algorithms, alg):
		return refuse(fmt.Errorf("it is signed with %s, which is not accepted; have the provider use RS256 or ES256 for this client", cmp.Or(cleanCode(alg), "nothing")))
	}
	keys, failed := c.verificationKeys(ctx, m, kid, alg, false)
	wrong := failed == nil && token.Verify(alg, keys) != nil
	if wrong { // a key may have been replaced under the same kid
		keys, failed = c.verificationKeys(ctx, m, kid, alg, true)
		wrong = failed == nil && token.Verify(alg, keys) != nil
	}
	switch {
	case failed != nil && check.prev != nil && !errors.Is(failed, errNoKey):
		c.log.Warn("the signature of a refreshed ID token could not be checked", "error", failed)
	case failed != nil:
		failed.Op = check.op
		return Identity{}, failed
	case wrong:
		return refuse(errors.New("its signature is wrong"))
	}
	if err := c.checkClaims(m, claims, alg, check); err != nil {
		if errors.Is(err, ErrSubjectChanged) {
			return Identity{}, &Error{Op: check.op, Server: hostOf(m.token), Class: Protocol, Err: ErrSubjectChanged}
		}
		return refuse(err)
	}
	text := func(key string) string { s, _ := claims.str(key); return clean(s) }
	issuer, _ := claims.str("iss")
	subject, _ := claims.str("sub")
	identity := Identity{Issuer: issuer, Subject: subject,
		Display: cmp.Or(text("email"), text("preferred_username"), text("name"), clean(subject))}
	identity.AuthTime, _ = claims.unixTime("auth_time")
	return identity, nil
}

// checkClaims checks everything but the signature. At a refresh the times do
// not matter: some servers repeat the first ID token, and whom it is about is
// what counts.
func (c *Client) checkClaims(m *metadata, claims object, alg string, check idTokenCheck) error {
	iss, _ := claims.str("iss")
	sub, _ := claims.str("sub")
	tid, _ := claims.str("tid")
	nonce, _ := claims.str("nonce")
	hash, _ := claims.str("at_hash")
	issuer := m.issuerFor(tid)
	if check.prev != nil { // OIDC Core 12.2
		if differs(iss, issuer) || differs(iss, check.prev.Issuer) || differs(sub, check.prev.Subject) {
			return ErrSubjectChanged
		}
	}
	azp := claims.oneOrMany("azp")
	switch {
	case iss != issuer:
		return fmt.Errorf("it is of the issuer “%s”; if that is yours, set it as the issuer", clean(iss))
	case !slices.Contains(claims.oneOrMany("aud"), c.config.ClientID):
		return errors.New("it is for another client")
	case len(azp) > 1 || len(azp) == 1 && azp[0] != "" && azp[0] != c.config.ClientID:
		return errors.New("it was issued to another client")
	case sub == "" || len(sub) > 255 || strings.ContainsFunc(sub, unicode.IsControl):
		return errors.New("it names no subject")
	case !check.nonce.IsZero() && subtle.ConstantTimeCompare([]byte(nonce), []byte(check.nonce.Reveal())) != 1:
		return errors.New("it belongs to another sign-in (nonce)")
	case check.prev != nil: // one that is repeated has the first at_hash, too
		return nil
	case hash != "" && hash != jws.HalfHash(alg, check.accessToken.Reveal()):
		return errors.New("it belongs to another access token (at_hash)")
	}
	now := c.now()
	exp, expires := claims.unixTime("exp")
	iat, issued := claims.unixTime("iat")
	nbf, _ := claims.unixTime("nbf")
	switch {
	case !expires || !issued:
		return errors.New("it does not say when it was issued and when it expires")
	case now.After(exp.Add(clockSkew)):
		return errors.New("it has expired; check this machine's clock")
	case iat.Sub(now).Abs() > clockSkew:
		return errors.New("it was not issued just now; check this machine's clock")
	case nbf.After(now.Add(clockSkew)):
		return errors.New("it is not valid yet; check this machine's clock")
	}
	return nil
}

var errMalformed = errors.New("it is malformed")

// differs reports whether two known values are not the same.
func differs(a, b string) bool { return a != "" && b != "" && a != b }

// addDisplay asks the userinfo endpoint for a name to show, when no ID token
// gave one. It fails quietly: nothing depends on it.
func (c *Client) addDisplay(ctx context.Context, m *metadata, g *Grant) {
	fields := c.provider.DisplayFields
	if fields == nil {
		fields = []string{"email", "preferred_username", "name"}
	}
	named := g.Identity.Display != "" && g.Identity.Display != clean(g.Identity.Subject)
	if m.userinfo == "" || named || g.Identity.Subject == "" && c.provider.UserinfoEndpoint == "" {
		return
	}
	o, failed := c.getJSON(ctx, "userinfo", m.userinfo, g.AccessToken.Reveal(), tokenLimit)
	if failed != nil {
		c.log.Info("no name from the userinfo endpoint", "error", failed)
		return
	}
	// Another sub means another person's claims (OIDC Core 5.3.2).
	if sub, _ := o.str("sub"); g.Identity.Subject != "" && sub != g.Identity.Subject {
		c.log.Warn("the userinfo endpoint answered for another subject; its answer is not used")
		return
	}
	for _, field := range fields {
		if value, _ := o.str(field); clean(value) != "" {
			g.Identity.Display = clean(value)
			return
		}
	}
}
