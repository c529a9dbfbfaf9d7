package oauth

import (
	"bytes"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// Provider is one entry of the provider data file, whose head describes each
// field.
type Provider struct {
	Name            string
	Title           string
	RemoveAccessURL string        // where a person removes access
	Lifetime        time.Duration // the provider's own end, from sign-in; 0 unknown
	IdleLifetime    time.Duration // the refresh token dies when unused this long; 0: no
	AccessLifetime  time.Duration // when expires_in is missing; 0 unknown

	Issuer                                                                                     string
	AuthorizationEndpoint, TokenEndpoint, RevocationEndpoint, DeviceEndpoint, UserinfoEndpoint string

	Scopes        []string          // asked for when the account has none
	Unavailable   string            // why nobody can sign in there with Curfew; empty: they can
	ClientAuth    string            // "basic" or "post" for a client secret; empty: as discovery says
	Redirect      string            // default redirect URI
	RedirectHosts []string          // loopback hosts that it accepts; empty: any
	Authorize     map[string]string // further parameters of the authorization request
	ForceLogin    map[string]string // what makes it ask again for credentials or consent; nil: prompt=login
	DisplayFields []string          // members of the userinfo answer that name a person, best first
	DeadCodes     []string          // rules for a dead refresh token, in addition to invalid_grant: see says
	DeniedCodes   []string          // rules for a refusal by a person or a policy
	KeptMarks     []string          // finer marks of an invalid_grant that does not end the grant
	PassingMarks  []string          // and of one that passes after a while

	RevocationReach string // what a revocation ends, in the words of the setting; "" unknown
}

// Providers lists the presets, by name.
func Providers() []Provider { return slices.Clone(presets()) }

// LookupProvider returns the preset of that name.
func LookupProvider(name string) (Provider, error) {
	var names []string
	for _, p := range presets() {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Provider{}, fmt.Errorf("no provider is called %q; the known ones are %s (any other server: \"oidc\" with its issuer)", clean(name), strings.Join(names, ", "))
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
	type entry struct {
		Title                 string            `toml:"title"`
		Issuer                string            `toml:"issuer"`
		AuthorizationEndpoint string            `toml:"authorization_endpoint"`
		TokenEndpoint         string            `toml:"token_endpoint"`
		RevocationEndpoint    string            `toml:"revocation_endpoint"`
		DeviceEndpoint        string            `toml:"device_endpoint"`
		UserinfoEndpoint      string            `toml:"userinfo_endpoint"`
		DisplayFields         []string          `toml:"display_fields"`
		Scopes                []string          `toml:"scopes"`
		ClientAuth            string            `toml:"client_auth"`
		Redirect              string            `toml:"redirect"`
		RedirectHosts         []string          `toml:"redirect_hosts"`
		Authorize             map[string]string `toml:"authorize"`
		ForceLogin            map[string]string `toml:"force_login"`
		DeadCodes             []string          `toml:"dead_codes"`
		DeniedCodes           []string          `toml:"denied_codes"`
		KeptMarks             []string          `toml:"kept_marks"`
		PassingMarks          []string          `toml:"passing_marks"`
		RevocationReach       string            `toml:"revocation_reach"`
		RemoveAccessURL       string            `toml:"remove_access_url"`
		Lifetime              days              `toml:"lifetime"`
		IdleLifetime          days              `toml:"idle_lifetime"`
		AccessLifetime        days              `toml:"access_lifetime"`
	}
	var file map[string]entry
	if err := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(&file); err != nil {
		return nil, err
	}
	var list []Provider
	for _, name := range slices.Sorted(maps.Keys(file)) {
		e := file[name]
		p := Provider{
			Name: name, Title: e.Title, Issuer: e.Issuer,
			AuthorizationEndpoint: e.AuthorizationEndpoint, TokenEndpoint: e.TokenEndpoint,
			RevocationEndpoint: e.RevocationEndpoint, DeviceEndpoint: e.DeviceEndpoint, UserinfoEndpoint: e.UserinfoEndpoint,
			DisplayFields: e.DisplayFields, Scopes: e.Scopes, ClientAuth: e.ClientAuth,
			Redirect: e.Redirect, RedirectHosts: e.RedirectHosts, Authorize: e.Authorize, ForceLogin: e.ForceLogin,
			DeadCodes: e.DeadCodes, DeniedCodes: e.DeniedCodes, KeptMarks: e.KeptMarks, PassingMarks: e.PassingMarks, RemoveAccessURL: e.RemoveAccessURL, RevocationReach: e.RevocationReach,
			Lifetime: time.Duration(e.Lifetime), IdleLifetime: time.Duration(e.IdleLifetime), AccessLifetime: time.Duration(e.AccessLifetime),
		}
		if p.Title == "" {
			return nil, fmt.Errorf("%s has no title", name)
		}
		if _, err := parseRedirect(p.Redirect); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if !slices.Contains([]string{"", "basic", "post"}, p.ClientAuth) {
			return nil, fmt.Errorf("%s: client_auth is %q, not basic or post", name, p.ClientAuth)
		}
		if !slices.Contains([]string{"", "token", "grant", "user-client", "user"}, p.RevocationReach) {
			return nil, fmt.Errorf("%s: no revocation_reach is called %q", name, p.RevocationReach)
		}
		for _, address := range []string{p.Issuer, p.AuthorizationEndpoint, p.TokenEndpoint, p.RevocationEndpoint, p.DeviceEndpoint, p.UserinfoEndpoint, p.RemoveAccessURL} {
			if address == "" {
				continue
			}
			if _, err := parseURL(address); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		list = append(list, p)
	}
	return list, nil
}

// lists are the rules by which errors are sorted: those of every server, which
// stand under oidc, and the provider's own.
type lists struct{ dead, denied, kept, passing []string }

func (c *Client) lists() lists {
	all, _ := LookupProvider("oidc")
	own := c.provider
	return lists{
		slices.Concat(all.DeadCodes, own.DeadCodes), slices.Concat(all.DeniedCodes, own.DeniedCodes),
		slices.Concat(all.KeptMarks, own.KeptMarks), slices.Concat(all.PassingMarks, own.PassingMarks),
	}
}

// days is a duration that may be written in whole days: "181d", "1h".
type days time.Duration

// UnmarshalText reads a duration.
func (d *days) UnmarshalText(text []byte) error {
	if n, ok := strings.CutSuffix(string(text), "d"); ok {
		count, err := strconv.Atoi(n)
		*d = days(time.Duration(count) * 24 * time.Hour)
		return err
	}
	v, err := time.ParseDuration(string(text))
	*d = days(v)
	return err
}
