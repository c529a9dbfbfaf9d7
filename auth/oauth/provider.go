package oauth

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"curfew/auth"

	"github.com/pelletier/go-toml/v2"
)

// Provider is one entry of the provider data file, whose head describes each
// field.
type Provider struct {
	auth.Provider

	Lifetime       days `toml:"lifetime"`        // the provider's own end, from sign-in; 0 unknown
	IdleLifetime   days `toml:"idle_lifetime"`   // the refresh token dies when unused this long; 0: no
	AccessLifetime days `toml:"access_lifetime"` // when expires_in is missing; 0 unknown

	Issuer                string `toml:"issuer"`
	AuthorizationEndpoint string `toml:"authorization_endpoint"`
	TokenEndpoint         string `toml:"token_endpoint"`
	RevocationEndpoint    string `toml:"revocation_endpoint"`
	DeviceEndpoint        string `toml:"device_endpoint"`
	UserinfoEndpoint      string `toml:"userinfo_endpoint"`

	RemoveAccessPath string `toml:"remove_access_path"` // below the issuer, where each server has its own page for that

	ClientAuth           string            `toml:"client_auth"`            // "basic" or "post" for a client secret; empty: as discovery says
	PKCE                 string            `toml:"pkce"`                   // "never" where a code_verifier is refused
	RedirectHosts        []string          `toml:"redirect_hosts"`         // loopback hosts that it accepts; empty: any
	Authorize            map[string]string `toml:"authorize"`              // further parameters of the authorization request
	ForceLogin           map[string]string `toml:"force_login"`            // what makes it ask again for credentials or consent; nil: prompt=login
	ScopeSeparator       string            `toml:"scope_separator"`        // empty: a space
	ScopeParameter       string            `toml:"scope_parameter"`        // empty: scope
	DeviceScopeParameter string            `toml:"device_scope_parameter"` // of the device request; empty: scope
	TokenType            string            `toml:"token_type"`             // what it calls a Bearer token
	DisplayFields        []string          `toml:"display_fields"`         // members of the userinfo answer that name a person, best first
	DeadCodes            []string          `toml:"dead_codes"`             // rules for a dead refresh token, in addition to invalid_grant: see says
	DeniedCodes          []string          `toml:"denied_codes"`           // rules for a refusal by a person or a policy
	KeptMarks            []string          `toml:"kept_marks"`             // finer marks of an invalid_grant that does not end the grant
	PassingMarks         []string          `toml:"passing_marks"`          // and of one that passes after a while
	RevocationReach      string            `toml:"revocation_reach"`       // what a revocation ends (token, grant, user-client, user); empty: unknown
}

// Providers lists the presets, by name.
func Providers() []Provider { return slices.Clone(presets()) }

// LookupProvider returns the preset of that name.
func LookupProvider(name string) (Provider, error) {
	for _, p := range presets() {
		if p.Name == name {
			return p, nil
		}
	}
	return Provider{}, fmt.Errorf("no provider is called %q; see `curfew providers`, or use \"oidc\" with the server's issuer", clean(name))
}

//go:embed providers.toml
var providersFile []byte

// presets reads the data file, which a test keeps readable.
var presets = sync.OnceValue(func() []Provider {
	list, err := readProviders(providersFile)
	if err != nil {
		panic("providers.toml: " + err.Error())
	}
	return list
})

// readProviders parses and checks a provider data file.
func readProviders(data []byte) ([]Provider, error) {
	var file map[string]Provider
	if err := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(&file); err != nil {
		return nil, err
	}
	var list []Provider
	for _, name := range slices.Sorted(maps.Keys(file)) {
		p := file[name]
		p.Name = name
		p.NeedsIssuer = p.Issuer == "" && p.Unavailable == "" && (p.AuthorizationEndpoint == "" || p.TokenEndpoint == "")
		p.Provider.Lifetime, p.Provider.IdleLifetime = int64(p.Lifetime.Seconds()), int64(p.IdleLifetime.Seconds())
		if err := p.check(); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		list = append(list, p)
	}
	return list, nil
}

// lists are the rules by which errors are sorted. Those for every server stand
// under oidc, and a provider can add its own.
type lists struct{ dead, denied, kept, passing []string }

func (c *Client) lists() lists {
	all, _ := LookupProvider("oidc")
	own := c.provider
	return lists{
		slices.Concat(all.DeadCodes, own.DeadCodes), slices.Concat(all.DeniedCodes, own.DeniedCodes),
		slices.Concat(all.KeptMarks, own.KeptMarks), slices.Concat(all.PassingMarks, own.PassingMarks),
	}
}

func (p Provider) check() error {
	if p.Title == "" {
		return errors.New("no title")
	}
	if _, err := parseRedirect(p.Redirect); err != nil {
		return err
	}
	for _, choice := range []struct {
		value string
		of    []string
	}{
		{p.ClientAuth, []string{"", "basic", "post"}},
		{p.Secret, []string{"", "optional", "required"}},
		{p.PKCE, []string{"", "never"}},
		{p.RevocationReach, []string{"", "token", "grant", "user-client", "user"}},
	} {
		if !slices.Contains(choice.of, choice.value) {
			return fmt.Errorf("%q is not one of %q", choice.value, choice.of)
		}
	}
	for _, address := range []string{p.Issuer, p.AuthorizationEndpoint, p.TokenEndpoint, p.RevocationEndpoint, p.DeviceEndpoint, p.UserinfoEndpoint, p.RemoveAccessURL, p.RegisterURL} {
		if address == "" {
			continue
		}
		if _, err := parseURL(address); err != nil {
			return err
		}
	}
	if p.IssuerForm != "" {
		if _, err := parseURL(p.issuer("id.example.com")); err != nil {
			return err
		}
	}
	return nil
}

// issuer makes an issuer of what a person typed. An address stays as it is. The
// preset makes one of a host or a tenant.
func (p Provider) issuer(typed string) string {
	if typed == "" || p.IssuerForm == "" || strings.Contains(typed, "://") {
		return typed
	}
	return strings.Replace(p.IssuerForm, "{}", strings.TrimRight(typed, "/"), 1)
}

// AccessPage is where a person removes the access that an issuer has given, ""
// if nobody knows.
func (p Provider) AccessPage(issuer string) string {
	if p.RemoveAccessPath == "" || issuer == "" {
		return p.RemoveAccessURL
	}
	return strings.TrimRight(issuer, "/") + p.RemoveAccessPath
}

// IssuerAt returns the issuer that typed means at the provider called name.
// typed is an address, or something that the preset makes one of, such as a
// host or a tenant.
func IssuerAt(name, typed string) string {
	p, err := LookupProvider(name)
	if err != nil {
		return typed
	}
	return p.issuer(typed)
}

// Listing is [Providers] as people see them.
func Listing() []auth.Provider {
	list := []auth.Provider{}
	for _, p := range presets() {
		list = append(list, p.Provider)
	}
	return list
}

// days is a span of time as [auth.ParseSpan] reads it: "181d", "1h".
type days struct{ time.Duration }

// UnmarshalText reads a span.
func (d *days) UnmarshalText(text []byte) (err error) {
	d.Duration, err = auth.ParseSpan(string(text))
	return err
}
