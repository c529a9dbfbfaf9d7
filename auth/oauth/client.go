package oauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"curfew/auth"
	"curfew/auth/oauth/dpop"
)

// Client speaks to one authorization server for one account. Safe for
// concurrent use. It caches discovery and JWKS.
type Client struct {
	config    Config
	provider  Provider
	redirect  redirect
	transport http.RoundTripper
	log       *slog.Logger
	now       func() time.Time

	mu   sync.Mutex // guards what follows; never held across the network
	meta *metadata  // nil until the first successful discovery
	read time.Time  // when it was read
	keys keyCache

	nonce  string // for the next proof
	binds  bool   // the server binds access tokens too, which no tool expects
	pushes bool   // the server wants this client's requests beforehand
}

// checkAddresses refuses addresses that no request may go to.
func (c Config) checkAddresses() error {
	for _, field := range []struct{ name, address string }{
		{"issuer", c.Issuer},
		{"authorization_endpoint", c.AuthorizationEndpoint},
		{"token_endpoint", c.TokenEndpoint},
		{"revocation_endpoint", c.RevocationEndpoint},
		{"device_endpoint", c.DeviceEndpoint},
		{"userinfo_endpoint", c.UserinfoEndpoint},
	} {
		if field.address == "" {
			continue
		}
		if _, err := parseURL(field.address); err != nil {
			return fmt.Errorf("%s: %w", field.name, err)
		}
	}
	// An issuer is compared byte for byte, so it is taken as it is. A query is
	// forbidden in it (RFC 8414 section 2).
	if strings.Contains(c.Issuer, "?") {
		return errors.New("issuer: an issuer has no query")
	}
	if strings.ContainsAny(c.Issuer, "{}") {
		return errors.New("issuer: write your own tenant in place of the part in braces")
	}
	return nil
}

// New checks the configuration; it makes no request.
func New(c Config) (*Client, error) {
	if c.Provider == "" {
		c.Provider = "oidc"
	}
	provider, err := LookupProvider(c.Provider)
	if err != nil {
		return nil, err
	}
	for _, field := range []*string{&c.ClientID, &c.Issuer, &c.AuthorizationEndpoint, &c.TokenEndpoint, &c.RevocationEndpoint, &c.DeviceEndpoint, &c.UserinfoEndpoint, &c.Redirect, &c.Proxy} {
		*field = strings.TrimSpace(*field) // as it was pasted
	}
	c.ClientSecret = auth.NewSecret(strings.TrimSpace(c.ClientSecret.Reveal()))
	c.Issuer = IssuerOf(c.Issuer)
	if c.ClientID == "" {
		return nil, errors.New("client_id is missing: register an application at the provider and copy its client id")
	}
	if c.Issuer != "" && c.Issuer != provider.Issuer || c.AuthorizationEndpoint != "" || c.TokenEndpoint != "" {
		// Another server than the preset's: its tokens must not reach the preset's endpoints.
		provider.Issuer, provider.AuthorizationEndpoint, provider.TokenEndpoint = "", "", ""
		provider.RevocationEndpoint, provider.DeviceEndpoint, provider.UserinfoEndpoint = "", "", ""
	}
	c.Issuer = cmp.Or(c.Issuer, provider.Issuer)
	if err := c.checkAddresses(); err != nil {
		return nil, err
	}
	if c.Issuer == "" {
		c.AuthorizationEndpoint = cmp.Or(c.AuthorizationEndpoint, provider.AuthorizationEndpoint)
		c.TokenEndpoint = cmp.Or(c.TokenEndpoint, provider.TokenEndpoint)
		if c.AuthorizationEndpoint == "" || c.TokenEndpoint == "" {
			return nil, errors.New("issuer is missing: give the issuer's address, or both authorization_endpoint and token_endpoint")
		}
		if c.Provider == "oidc" { // a server without discovery and keys knows neither openid nor offline_access
			provider.Scopes = nil
		}
	}
	redirect, err := parseRedirect(cmp.Or(c.Redirect, provider.Redirect))
	if err != nil {
		return nil, err
	}
	if len(provider.RedirectHosts) > 0 && !slices.Contains(provider.RedirectHosts, redirect.host) {
		return nil, fmt.Errorf("redirect: %s accepts only the hosts %s, not %s", provider.Title, strings.Join(provider.RedirectHosts, " and "), redirect.host)
	}
	if err := provider.overlay(c); err != nil {
		return nil, err
	}
	client := &Client{config: c, provider: provider, redirect: redirect, transport: c.Transport, log: c.Logger, now: c.Now}
	if client.transport == nil {
		if client.transport, err = newTransport(c.CAFile, c.Proxy); err != nil {
			return nil, err
		}
	}
	if client.log == nil {
		client.log = slog.New(slog.DiscardHandler)
	}
	if client.now == nil {
		client.now = time.Now
	}
	return client, nil
}

// Provider returns the preset in use.
func (c *Client) Provider() Provider { return c.provider }

// clientAuth decides how the client names itself: "none" and "post" in the
// body (RFC 6749 section 3.2.1), "basic" in a header. The default of a server
// that does not say is HTTP Basic (RFC 8414 section 2).
func (c *Client) clientAuth(m *metadata) string {
	switch {
	case c.config.ClientSecret.IsZero():
		return "none"
	case c.provider.ClientAuth != "":
		return c.provider.ClientAuth
	case slices.Contains(m.authMethods, "client_secret_post") &&
		(!slices.Contains(m.authMethods, "client_secret_basic") || url.QueryEscape(c.config.ClientSecret.Reveal()) != c.config.ClientSecret.Reveal()):
		return "post" // many servers compare the header without decoding it
	}
	return "basic"
}

// post sends a form to an endpoint as this client, once, with a proof of key if
// that is not zero.
func (c *Client) post(ctx context.Context, op string, m *metadata, endpoint string, form url.Values, key dpop.Key) (*reply, *Error) {
	how := c.clientAuth(m)
	if how != "basic" {
		form.Set("client_id", c.config.ClientID)
	}
	switch how {
	case "post":
		form.Set("client_secret", c.config.ClientSecret.Reveal())
	case "private_key_jwt":
		assertion, err := c.assertion(m.token)
		if err != nil {
			return nil, &Error{Op: op, Server: hostOf(endpoint), Class: HeldBack, Err: err}
		}
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion.Reveal())
	}
	req, err := http.NewRequest(http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, &Error{Op: op, Class: HeldBack, Err: errors.New("the endpoint's address cannot be parsed")}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if how == "basic" { // encoded as RFC 6749 section 2.3.1 asks
		req.SetBasicAuth(url.QueryEscape(c.config.ClientID), url.QueryEscape(c.config.ClientSecret.Reveal()))
	}
	if !key.IsZero() {
		c.mu.Lock()
		nonce := c.nonce
		c.mu.Unlock()
		proof, err := key.Proof(dpop.Request{Method: http.MethodPost, URL: endpoint, Nonce: nonce}, c.now())
		if err != nil {
			return nil, &Error{Op: op, Server: hostOf(endpoint), Class: HeldBack, Err: err}
		}
		req.Header.Set("DPoP", proof)
	}
	r, failed := c.send(ctx, op, req, tokenLimit)
	if r != nil {
		r.secrets = []string{c.config.ClientSecret.Reveal()}
		for _, field := range secretFields {
			r.secrets = append(r.secrets, form.Get(field))
		}
	}
	return r, failed
}

// deadTokens say at a revocation that there is nothing to revoke (RFC 6750
// section 3.1, Slack).
var deadTokens = []string{"invalid_token", "token_revoked", "token_expired"}

// secretFields are those of a request that nobody else may see.
var secretFields = []string{"refresh_token", "code", "code_verifier", "client_secret", "client_assertion", "token", "device_code", "subject_token", "actor_token"}

// proves reports whether a sign-in at m binds its tokens to a key. Without being
// asked, that is for public clients: the refresh token of any other is bound to
// its secret (RFC 9449 section 5).
func (c *Client) proves(m *metadata) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.config.DPoP == "always" || c.config.DPoP == "" && m.proofs && !c.binds && c.config.ClientSecret.IsZero()
}

// wantedScopes are the configured scopes, or the preset's.
func (c *Client) wantedScopes() []string {
	if c.config.Scopes != nil {
		return c.config.Scopes
	}
	return c.provider.Scopes
}

// scopes are the configured scopes, or the preset's as far as the server lists them.
func (c *Client) scopes(m *metadata) []string {
	if c.config.Scopes != nil {
		return c.config.Scopes
	}
	return slices.DeleteFunc(slices.Clone(c.provider.Scopes), func(s string) bool {
		return m.scopes != nil && !slices.Contains(m.scopes, s)
	})
}

// joinScopes writes scopes as the server reads them.
func (c *Client) joinScopes(scopes []string) string {
	return strings.Join(scopes, cmp.Or(c.provider.ScopeSeparator, " "))
}

// openID reports whether a sign-in at m is one of OpenID Connect: it asks for
// an ID token, and there are keys to check it with.
func (c *Client) openID(m *metadata) bool {
	return m.issuer != "" && m.jwks != "" && slices.Contains(c.scopes(m), "openid")
}

// Revoke revokes the refresh token (RFC 7009), or returns ErrNoRevocation. Any
// 2xx answer is success: the server also says 200 for a token it does not know.
func (c *Client) Revoke(ctx context.Context, rt auth.Secret) error {
	return c.RevokeFrom(ctx, rt, Origin{})
}

// RevokeFrom is Revoke for the refresh token of a session, which goes nowhere
// that the session has not been.
func (c *Client) RevokeFrom(ctx context.Context, rt auth.Secret, from Origin) error {
	m, failed := c.discover(ctx)
	if failed != nil {
		return failed
	}
	err := c.revokeAt(ctx, m, rt, from)
	if e, ok := errors.AsType[*Error](err); ok && e.moved() {
		if m = c.rediscover(ctx, m, func(m *metadata) string { return m.revocation }); m != nil {
			return c.revokeAt(ctx, m, rt, from)
		}
	}
	return err
}

// revokeAt revokes rt at the endpoint of m.
func (c *Client) revokeAt(ctx context.Context, m *metadata, rt auth.Secret, from Origin) error {
	const op = "revoke"
	switch {
	case m.revocation == "":
		return ErrNoRevocation
	case !from.allows(m, m.revocation):
		return &Error{Op: op, Server: hostOf(m.revocation), Class: HeldBack, Err: errElsewhere(m, m.revocation)}
	}
	kind := "refresh_token"
	if from.NoRefresh {
		kind = "access_token"
	}
	r, failed := c.post(ctx, op, m, m.revocation, url.Values{"token": {rt.Reveal()}, "token_type_hint": {kind}}, dpop.Key{})
	if failed != nil {
		return failed
	}
	o, _ := r.object()
	no := slices.ContainsFunc([]string{"success", "ok"}, func(key string) bool { return string(o[key]) == "false" })
	if code, _, _ := errorWords(o); r.ok() && code == "" && !no {
		return nil
	}
	failed = c.refusal(op, hostOf(m.revocation), r)
	switch {
	case failed.Class == Dead || slices.Contains(deadTokens, failed.Code): // what was to be reached
		return nil
	case r.status/100 == 4 && r.status != http.StatusRequestTimeout && failed.Class == Unknown:
		failed.Class = HeldBack // no refresh token is at stake: an error page is a refusal as well
	}
	return failed
}
