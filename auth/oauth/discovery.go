package oauth

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"curfew/auth"
	"curfew/auth/oauth/dpop"
)

// metadata is what is known of an authorization server: its discovery
// document, with the configured and the preset's endpoints laid over it.
type metadata struct {
	issuer                                                   string // empty without discovery
	template                                                 string // the issuer of ID tokens, where {tenantid} stands for the claim tid; empty: issuer
	authorization, token, revocation, device, userinfo, jwks string
	pushed, registration                                     string
	proofs                                                   bool     // RFC 9449: tokens can be bound to a key
	pushedOnly                                               bool     // RFC 9126: requests are handed over beforehand
	namesItself                                              bool     // RFC 9207: "iss" comes with every authorization answer
	authMethods                                              []string // nil: not listed
	scopes                                                   []string // nil: not listed
	idTokenAlgs                                              []string // nil: not listed
}

// canVerify reports whether there are keys to check ID tokens with.
func (m *metadata) canVerify() bool { return m.issuer != "" && m.jwks != "" }

// tenant is what stands for a tenant in the issuer of Entra's documents that
// serve many.
const tenant = "{tenantid}"

// issuerFor is the issuer that an ID token with this tid must have.
func (m *metadata) issuerFor(tid string) string {
	if m.template == "" || tid == "" || len(tid) > 64 || strings.Trim(tid, "0123456789abcdefABCDEF-") != "" {
		return m.issuer
	}
	return strings.Replace(m.template, tenant, tid, 1)
}

// isIssuer reports whether iss is this server, as one of its tenants if it
// serves many.
func (m *metadata) isIssuer(iss string) bool {
	before, after, many := strings.Cut(m.template, tenant)
	if tid, ok := strings.CutPrefix(iss, before); many && ok {
		if tid, ok = strings.CutSuffix(tid, after); ok && tid != "" {
			return m.issuerFor(tid) == iss
		}
	}
	return iss == m.issuer
}

// discover returns the server's metadata, fetched once and kept; a failure is
// not remembered. Its errors never have the class Unknown: nothing has been
// spent.
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
	m.revocation = cmp.Or(c.provider.RevocationEndpoint, m.revocation)
	m.device = cmp.Or(c.provider.DeviceEndpoint, m.device)
	m.userinfo = cmp.Or(c.provider.UserinfoEndpoint, m.userinfo)
	if m.authorization == "" || m.token == "" {
		return nil, &Error{Op: "discovery", Server: hostOf(m.issuer), Class: HeldBack,
			Err: fmt.Errorf("%s names no authorization or no token endpoint; give them in the configuration", m.issuer)}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys.from != m.jwks {
		c.keys = keyCache{from: m.jwks}
	}
	c.meta, c.read = m, time.Now()
	return m, nil
}

// rereadAfter is how old metadata must be to be read again.
const rereadAfter = time.Minute

// discoverNow is discover for a sign-in, where a person waits and a moved
// endpoint costs the code. If the document cannot be read now, the last known
// one is used.
func (c *Client) discoverNow(ctx context.Context) (*metadata, *Error) {
	c.mu.Lock()
	known := c.meta
	if known != nil && known.issuer != "" && time.Since(c.read) > rereadAfter {
		c.meta = nil
	}
	c.mu.Unlock()
	m, failed := c.discover(ctx)
	if failed != nil && known != nil {
		c.mu.Lock()
		c.meta = known
		c.mu.Unlock()
		return known, nil
	}
	return m, failed
}

// rediscover reads the metadata again, because nothing answers at an endpoint of
// old. It returns nil if there is no other.
func (c *Client) rediscover(ctx context.Context, old *metadata, endpoint func(*metadata) string) *metadata {
	if old.issuer == "" {
		return nil
	}
	c.mu.Lock()
	c.meta = nil
	c.mu.Unlock()
	m, failed := c.discover(ctx)
	if failed != nil || endpoint(m) == endpoint(old) || endpoint(m) == "" {
		return nil
	}
	return m
}

// IssuerOf returns the issuer in what a person pasted: the address of the
// discovery document has it inside.
func IssuerOf(pasted string) string {
	issuer := strings.TrimSpace(pasted)
	for _, name := range wellKnown {
		if before, after, ok := strings.Cut(issuer, name); ok && (after == "" || after[0] == '/') {
			return before + strings.TrimSuffix(after, "/")
		}
	}
	return issuer
}

// wellKnown are the names of discovery documents: OpenID Connect Discovery 1.0
// section 4, RFC 8414 section 3.
var wellKnown = []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"}

// fetchMetadata reads the discovery document of the issuer. Whatever a server
// answers where it has none, the next place is looked at. Without an issuer
// there is nothing to fetch.
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
	places := []string{base + path + wellKnown[0], base + wellKnown[1] + path}
	if path != "" { // RFC 8414 section 5
		places = append(places, base+wellKnown[0]+path)
	}
	var first *Error
	for _, address := range places {
		doc, failed := c.getPublic(ctx, "discovery", address)
		if failed == nil {
			return readMetadata(issuer, doc)
		}
		if first == nil || first.Status == http.StatusNotFound {
			first = failed
		}
		if failed.Status == 0 { // no answer: the other places are at the same server
			break
		}
	}
	switch {
	case first.Status == http.StatusNotFound:
		first.Code, first.Description = "", "" // no OAuth is spoken there
		first.Err = fmt.Errorf("%s has no discovery document under %s; check the issuer's address", u.Host, issuer)
	case first.Class == NotSent && first.Status == 0 && first.Err != nil:
		first.Err = &saidError{auth.Say("with_issuer", first.Reason(), issuer), first.Err}
	}
	return nil, first
}

// readMetadata checks a discovery document.
func readMetadata(issuer string, doc object) (*metadata, *Error) {
	refuse := func(format string, a ...any) (*metadata, *Error) {
		return nil, &Error{Op: "discovery", Server: hostOf(issuer), Class: HeldBack, Err: fmt.Errorf(format, a...)}
	}
	// "The same site" is not enough (RFC 8414 section 3.3, OIDC Discovery 4.3).
	// Entra has documents that serve every tenant: there a placeholder stands
	// where the address asked for says common, organizations or consumers.
	got, _ := doc.str("issuer")
	template := ""
	if before, after, many := strings.Cut(got, tenant); many && len(issuer) > len(before)+len(after) && strings.HasPrefix(issuer, before) && strings.HasSuffix(issuer, after) &&
		!strings.Contains(issuer[len(before):len(issuer)-len(after)], "/") {
		template, got = got, issuer
	}
	switch {
	case got == "":
		return refuse("the discovery document of %s names no issuer; check the issuer's address", issuer)
	case got != issuer:
		return refuse("%s calls itself %q; if that is the server you mean, set the issuer to exactly that", issuer, clean(got))
	}
	// A server that lists its PKCE methods without S256 offers none worth
	// having (RFC 9700 section 2.1.1). One that lists nothing may still do S256.
	if methods := doc.oneOrMany("code_challenge_methods_supported"); doc.has("code_challenge_methods_supported") && !slices.Contains(methods, "S256") {
		return refuse("%s does not offer PKCE with S256, without which a sign-in can be stolen; ask its owner to turn it on", issuer)
	}
	m := &metadata{
		issuer:      issuer,
		template:    template,
		namesItself: doc.yes("authorization_response_iss_parameter_supported"),
		authMethods: doc.strs("token_endpoint_auth_methods_supported"),
		scopes:      doc.strs("scopes_supported"),
		idTokenAlgs: doc.strs("id_token_signing_alg_values_supported"),
		proofs:      slices.Contains(doc.strs("dpop_signing_alg_values_supported"), dpop.Algorithm),
		pushedOnly:  doc.yes("require_pushed_authorization_requests"),
	}
	for key, to := range map[string]*string{
		"authorization_endpoint":                &m.authorization,
		"token_endpoint":                        &m.token,
		"revocation_endpoint":                   &m.revocation,
		"device_authorization_endpoint":         &m.device,
		"userinfo_endpoint":                     &m.userinfo,
		"jwks_uri":                              &m.jwks,
		"pushed_authorization_request_endpoint": &m.pushed,
		"registration_endpoint":                 &m.registration,
	} {
		address, _ := doc.str(key)
		if address = strings.TrimSpace(address); address == "" {
			continue
		}
		address, err := parseURL(address)
		if err == nil && strings.HasPrefix(issuer, "https:") && !strings.HasPrefix(address, "https:") {
			err = fmt.Errorf("%q is not an https address", address)
		}
		switch {
		case err == nil:
			*to = address
		case !slices.Contains(dispensable, key):
			return refuse("%s of %s: %w", key, issuer, err)
		}
	}
	if m.pushedOnly && m.pushed == "" {
		return refuse("%s wants each sign-in handed over beforehand, and names no usable pushed_authorization_request_endpoint", issuer)
	}
	return m, nil
}

// dispensable are the endpoints that a server may as well not have. One that
// cannot be used, as one without https, keeps nobody from signing in.
var dispensable = []string{"device_authorization_endpoint", "userinfo_endpoint", "registration_endpoint", "pushed_authorization_request_endpoint"}

// hostOf returns the host of an address for messages.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}
