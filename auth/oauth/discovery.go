package oauth

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// metadata is what is known of an authorization server: its discovery
// document, with the configured and the preset's endpoints laid over it.
type metadata struct {
	issuer                                                   string // empty without discovery
	authorization, token, revocation, device, userinfo, jwks string
	namesItself                                              bool     // RFC 9207: "iss" comes with every authorization answer
	authMethods                                              []string // nil: not listed
	scopes                                                   []string // nil: not listed
}

// discover returns the server's metadata, fetched once in the client's life; a
// failure is not remembered. Its errors never have the class Unknown: nothing
// has been spent.
func (c *Client) discover(ctx context.Context) (*metadata, *Error) {
	c.mu.Lock()
	m := c.meta
	c.mu.Unlock()
	if m != nil {
		return m, nil
	}
	m, err := c.fetchMetadata(ctx)
	if err != nil {
		return nil, err
	}
	m.authorization = cmp.Or(c.config.AuthorizationEndpoint, m.authorization)
	m.token = cmp.Or(c.config.TokenEndpoint, m.token)
	m.revocation = cmp.Or(c.config.RevocationEndpoint, c.provider.RevocationEndpoint, m.revocation)
	m.device = cmp.Or(c.provider.DeviceEndpoint, m.device)
	m.userinfo = cmp.Or(c.provider.UserinfoEndpoint, m.userinfo)
	if m.authorization == "" || m.token == "" {
		return nil, &Error{Op: "discovery", Server: hostOf(m.issuer), Class: HeldBack,
			Err: fmt.Errorf("%s names no authorization or no token endpoint; give them in the configuration", m.issuer)}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.meta = m
	return m, nil
}

// fetchMetadata reads the discovery document of the issuer, in the form of
// OpenID Connect Discovery 1.0 section 4 and, where there is none, in that of
// RFC 8414 section 3. Without an issuer there is nothing to fetch.
func (c *Client) fetchMetadata(ctx context.Context) (*metadata, *Error) {
	issuer := c.config.Issuer
	if issuer == "" {
		return &metadata{}, nil
	}
	u, err := url.Parse(issuer)
	if err != nil {
		return nil, &Error{Op: "discovery", Class: HeldBack, Err: fmt.Errorf("the issuer cannot be parsed")}
	}
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	base := u.Scheme + "://" + u.Host
	var doc object
	var failed *Error
	for _, address := range []string{
		base + path + "/.well-known/openid-configuration",
		base + "/.well-known/oauth-authorization-server" + path,
	} {
		doc, failed = c.getJSON(ctx, "discovery", address, "", metaLimit)
		if failed == nil || failed.Status != http.StatusNotFound {
			break
		}
	}
	if failed != nil {
		if failed.Status == http.StatusNotFound {
			failed.Err = fmt.Errorf("%s has no discovery document under %s; check the issuer's address", u.Host, issuer)
		} else if failed.Class == NotSent && failed.Err != nil {
			failed.Err = &networkError{failed.Err.Error() + " (the issuer is " + issuer + ")", failed.Err}
		}
		return nil, failed
	}
	return readMetadata(issuer, doc)
}

// readMetadata checks a discovery document.
func readMetadata(issuer string, doc object) (*metadata, *Error) {
	refuse := func(format string, a ...any) (*metadata, *Error) {
		return nil, &Error{Op: "discovery", Server: hostOf(issuer), Class: HeldBack, Err: fmt.Errorf(format, a...)}
	}
	// Exactly, not "the same site": RFC 8414 section 3.3, OIDC Discovery 4.3.
	if got, _ := doc.str("issuer"); got != issuer {
		return refuse("%s calls itself %q; if that is the server you mean, set the issuer to exactly that", issuer, clean(got))
	}
	// A server that lists its PKCE methods without S256 offers none worth
	// having (RFC 9700 section 2.1.1). One that lists nothing may still do S256.
	if methods := doc.strs("code_challenge_methods_supported"); doc.has("code_challenge_methods_supported") && !slices.Contains(methods, "S256") {
		return refuse("%s does not offer PKCE with S256, without which a sign-in can be stolen; ask its owner to turn it on", issuer)
	}
	m := &metadata{
		issuer:      issuer,
		namesItself: doc.yes("authorization_response_iss_parameter_supported"),
		authMethods: doc.strs("token_endpoint_auth_methods_supported"),
		scopes:      doc.strs("scopes_supported"),
	}
	for key, to := range map[string]*string{
		"authorization_endpoint":        &m.authorization,
		"token_endpoint":                &m.token,
		"revocation_endpoint":           &m.revocation,
		"device_authorization_endpoint": &m.device,
		"userinfo_endpoint":             &m.userinfo,
		"jwks_uri":                      &m.jwks,
	} {
		address, _ := doc.str(key)
		if address == "" {
			continue
		}
		address, err := parseURL(address)
		if err == nil && strings.HasPrefix(issuer, "https:") && !strings.HasPrefix(address, "https:") {
			err = fmt.Errorf("%q is not an https address", address)
		}
		if err != nil {
			return refuse("%s of %s: %w", key, issuer, err)
		}
		*to = address
	}
	return m, nil
}

// hostOf returns the host of an address for messages.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}
