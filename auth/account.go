package auth

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Account is the configuration of one account: a table of config.toml, and
// the body of PUT /v1/accounts/{name}. [Keys] describes each setting. Empty
// settings come from the preset of Provider.
type Account struct {
	Name                  string            `toml:"-" json:"name"`
	Provider              string            `toml:"provider,omitempty" json:"provider,omitempty"`
	Issuer                string            `toml:"issuer,omitempty" json:"issuer,omitempty"`
	ClientID              string            `toml:"client_id" json:"client_id"`
	ClientSecretKeychain  bool              `toml:"client_secret_keychain,omitempty" json:"client_secret_keychain,omitempty"`
	Scopes                []string          `toml:"scopes,omitempty" json:"scopes,omitempty"`
	Redirect              string            `toml:"redirect,omitempty" json:"redirect,omitempty"`
	Refresh               Mode              `toml:"refresh,omitempty" json:"refresh,omitempty"`
	AuthorizationEndpoint string            `toml:"authorization_endpoint,omitempty" json:"authorization_endpoint,omitempty"`
	TokenEndpoint         string            `toml:"token_endpoint,omitempty" json:"token_endpoint,omitempty"`
	RevocationEndpoint    string            `toml:"revocation_endpoint,omitempty" json:"revocation_endpoint,omitempty"`
	DeviceEndpoint        string            `toml:"device_endpoint,omitempty" json:"device_endpoint,omitempty"`
	UserinfoEndpoint      string            `toml:"userinfo_endpoint,omitempty" json:"userinfo_endpoint,omitempty"`
	Authorize             map[string]string `toml:"authorize,omitempty,inline" json:"authorize,omitempty"`
	Prompt                string            `toml:"prompt,omitempty" json:"prompt,omitempty"`
	LoginHint             string            `toml:"login_hint,omitempty" json:"login_hint,omitempty"`
	Resource              []string          `toml:"resource,omitempty" json:"resource,omitempty"`
	ScopeSeparator        string            `toml:"scope_separator,omitempty" json:"scope_separator,omitempty"`
	ClientAuth            string            `toml:"client_auth,omitempty" json:"client_auth,omitempty"`
	DPoP                  string            `toml:"dpop,omitempty" json:"dpop,omitempty"`
	AccessLifetime        string            `toml:"access_lifetime,omitempty" json:"access_lifetime,omitempty"`
	DeadCodes             []string          `toml:"dead_codes,omitempty" json:"dead_codes,omitempty"`
	RevocationReach       string            `toml:"revocation_reach,omitempty" json:"revocation_reach,omitempty"`
	CAFile                string            `toml:"ca_file,omitempty" json:"ca_file,omitempty"`
	Proxy                 string            `toml:"proxy,omitempty" json:"proxy,omitempty"`
	Browser               []string          `toml:"browser,omitempty" json:"browser,omitempty"`
	Hosts                 []string          `toml:"hosts,omitempty" json:"hosts,omitempty"`
	Directories           []string          `toml:"directories,omitempty" json:"directories,omitempty"`
	Consent               string            `toml:"consent,omitempty" json:"consent,omitempty"`
	TokenFile             string            `toml:"token_file,omitempty" json:"token_file,omitempty"`
	IDTokenFile           string            `toml:"id_token_file,omitempty" json:"id_token_file,omitempty"`
	OnEnded               []string          `toml:"on_ended,omitempty" json:"on_ended,omitempty"`
	OnRefreshed           []string          `toml:"on_refreshed,omitempty" json:"on_refreshed,omitempty"`
}

// Kind of a setting: what its value looks like, and how it is checked.
const (
	KeyText   = "text"   // printable
	KeyURL    = "url"    // of the server: https, or http to a loopback address
	KeyChoice = "choice" // one of Key.Options
	KeySpan   = "span"   // see [ParseSpan]
	KeyFile   = "file"   // an absolute path
	KeyOther  = "other"  // text with its own check
	KeyList   = "list"   // several texts
	KeyScopes = "scopes" // several words
	KeyMap    = "map"    // name=value, several
	KeySwitch = "switch" // true or false
)

// A Key describes one setting of an account. The same list makes the checks of
// config.toml, the flags of `curfew add` and the form of the window.
type Key struct {
	Name    string   `json:"name"` // in config.toml and in the API
	Kind    string   `json:"kind"`
	Options []string `json:"options,omitempty"` // what a choice may be
	Arg     string   `json:"arg,omitempty"`     // what stands for the value in a help text
	Help    string   `json:"help"`
	More    bool     `json:"more,omitempty"` // few people need it
}

// Flag returns the name of the setting on the command line.
func (k Key) Flag() string {
	switch k.Name { // given several times, one at a time
	case "scopes":
		return "scope"
	case "dead_codes":
		return "dead-code"
	case "hosts":
		return "host"
	case "directories":
		return "directory"
	}
	return strings.ReplaceAll(k.Name, "_", "-")
}

// Keys lists the settings of an account, in the order of config.toml.
func Keys() []Key { return slices.Clone(keys) }

var keys = []Key{
	{Name: "provider", Kind: KeyOther, Arg: "NAME", Help: "a provider that Curfew knows; see: curfew providers"},
	{Name: "issuer", Kind: KeyURL, Arg: "URL", Help: "the server's address; its endpoints are found there"},
	{Name: "client_id", Kind: KeyText, Arg: "ID", Help: "the client ID that the provider gave you"},
	{Name: "client_secret_keychain", Kind: KeySwitch, Help: "the client has a secret, which is in the keychain"},
	{Name: "scopes", Kind: KeyScopes, Arg: "SCOPE", Help: "what to ask for"},
	{Name: "redirect", Kind: KeyOther, Arg: "URL", Help: "the redirect URI as it was registered (default http://127.0.0.1/callback)"},
	{Name: "refresh", Kind: KeyChoice, Options: []string{string(InUse), string(Always), string(OnDemand)}, Arg: "MODE", Help: "how to spend refreshes: in-use (default), always or on-demand"},
	{Name: "authorization_endpoint", Kind: KeyURL, Arg: "URL", More: true, Help: "where to sign in, instead of what discovery says"},
	{Name: "token_endpoint", Kind: KeyURL, Arg: "URL", More: true, Help: "where to get tokens, instead of what discovery says"},
	{Name: "revocation_endpoint", Kind: KeyURL, Arg: "URL", More: true, Help: "where to revoke tokens, instead of what discovery says"},
	{Name: "device_endpoint", Kind: KeyURL, Arg: "URL", More: true, Help: "where to get codes for a sign-in on another device"},
	{Name: "userinfo_endpoint", Kind: KeyURL, Arg: "URL", More: true, Help: "where to read the name of who signed in"},
	{Name: "authorize", Kind: KeyMap, Arg: "NAME=VALUE", More: true, Help: "a further parameter of the sign-in's address"},
	{Name: "prompt", Kind: KeyText, Arg: "WORD", More: true, Help: "what the server should ask at each sign-in: login, consent, select_account or none"},
	{Name: "login_hint", Kind: KeyText, Arg: "NAME", More: true, Help: "the user name or e-mail address to suggest"},
	{Name: "resource", Kind: KeyList, Arg: "URI", More: true, Help: "the API that tokens are for (RFC 8707)"},
	{Name: "scope_separator", Kind: KeyChoice, Options: []string{" ", ","}, Arg: "CHARACTER", More: true, Help: "what stands between scopes: a space (default) or a comma"},
	{Name: "client_auth", Kind: KeyChoice, Options: []string{"none", "basic", "post", "private_key_jwt"}, Arg: "WAY", More: true, Help: "how the client proves who it is: basic, post, private_key_jwt or none"},
	{Name: "dpop", Kind: KeyChoice, Options: []string{"always", "never"}, Arg: "WHEN", More: true, Help: "bind tokens to a key of this computer (RFC 9449): always, never, or if left out where access tokens work without a proof"},
	{Name: "access_lifetime", Kind: KeySpan, Arg: "SPAN", More: true, Help: "how long an access token lives when the server does not say, for example 1h"},
	{Name: "dead_codes", Kind: KeyList, Arg: "CODE", More: true, Help: "an error code that means, like invalid_grant, that the refresh token is dead"},
	{Name: "revocation_reach", Kind: KeyChoice, Options: []string{"token", "grant", "user-client", "user"}, Arg: "REACH", More: true, Help: "what revoking a token ends: token (that one), grant (its sign-in), user-client (all your sign-ins with this client) or user (all your sign-ins)"},
	{Name: "ca_file", Kind: KeyFile, Arg: "FILE", More: true, Help: "further certificate authorities to trust, as PEM"},
	{Name: "proxy", Kind: KeyOther, Arg: "URL", More: true, Help: "the proxy for this account, or none"},
	{Name: "browser", Kind: KeyList, Arg: "WORD", More: true, Help: "the browser to open and its arguments, one word each"},
	{Name: "hosts", Kind: KeyList, Arg: "HOST", More: true, Help: "a host whose tools get this account's tokens"},
	{Name: "directories", Kind: KeyList, Arg: "FOLDER", More: true, Help: "a folder in which this is the account for commands that name none"},
	{Name: "consent", Kind: KeyChoice, Options: []string{ConsentAsk}, Arg: "WHEN", More: true, Help: "ask: you are asked before a program gets a token; if left out, never"},
	{Name: "token_file", Kind: KeyFile, Arg: "FILE", More: true, Help: "keep a valid access token in this file, which counts as use around the clock"},
	{Name: "id_token_file", Kind: KeyFile, Arg: "FILE", More: true, Help: "keep the ID token in this file, as long as it is valid"},
	{Name: "on_ended", Kind: KeyList, Arg: "WORD", More: true, Help: "a command to run when the session has ended, and its arguments, one word each"},
	{Name: "on_refreshed", Kind: KeyList, Arg: "WORD", More: true, Help: "a command to run after a refresh, and its arguments, one word each"},
}

// Setting returns a pointer to the setting of a called key. The settings are of
// type string, bool, []string and map[string]string. A key that does not exist
// gives nil.
func Setting(a *Account, key string) any {
	i, ok := settingFields()[key]
	if !ok {
		return nil
	}
	field := reflect.ValueOf(a).Elem().Field(i)
	if field.Kind() == reflect.String {
		return field.Addr().Convert(reflect.TypeFor[*string]()).Interface()
	}
	return field.Addr().Interface()
}

// settingFields has the number of each key's field. A thousand accounts ask for it
// 60 000 times when config.toml is read.
var settingFields = sync.OnceValue(func() map[string]int {
	fields := map[string]int{}
	for i, t := 0, reflect.TypeFor[Account](); i < t.NumField(); i++ {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("toml"), ",")
		fields[name] = i
	}
	return fields
})

// SettingText returns the setting of a called key on one line, as a form shows
// it; [SetSetting] reads it.
func SettingText(a Account, key string) string {
	switch v := Setting(&a, key).(type) {
	case *string:
		return *v
	case *bool:
		return strconv.FormatBool(*v)
	case *[]string:
		return strings.Join(*v, " ")
	case *map[string]string:
		var pairs []string
		for _, name := range slices.Sorted(maps.Keys(*v)) {
			pairs = append(pairs, name+"="+(*v)[name])
		}
		return strings.Join(pairs, " ")
	}
	return ""
}

// SetSetting sets the setting of a called key to what text says: words, with
// spaces between them where there can be several. It does not check the value.
func SetSetting(a *Account, key, text string) error {
	switch v := Setting(a, key).(type) {
	case *string:
		*v = text
	case *bool:
		on, err := strconv.ParseBool(text)
		*v = on && err == nil
		return err
	case *[]string:
		*v = strings.Fields(text)
	case *map[string]string:
		*v = nil
		for pair := range strings.FieldsSeq(text) {
			name, value, ok := strings.Cut(pair, "=")
			if !ok {
				return fmt.Errorf("%q is not of the form name=value", pair)
			}
			if *v == nil {
				*v = map[string]string{}
			}
			(*v)[name] = value
		}
	default:
		return fmt.Errorf("there is no setting %q", key)
	}
	return nil
}

// SameAccount reports whether a and b mean the same. An empty list is none.
func SameAccount(a, b Account) bool {
	for _, k := range keys {
		switch v := Setting(&a, k.Name).(type) {
		case *[]string:
			if !slices.Equal(*v, *Setting(&b, k.Name).(*[]string)) {
				return false
			}
		case *map[string]string:
			if !maps.Equal(*v, *Setting(&b, k.Name).(*map[string]string)) {
				return false
			}
		default:
			if SettingText(a, k.Name) != SettingText(b, k.Name) {
				return false
			}
		}
	}
	return a.Name == b.Name
}

// maxName is the longest name of an account, in characters.
const maxName = 64

// CheckName says whether name can be an account's. It allows letters and digits
// of any script, dashes, underscores and dots. It must not begin with a dot,
// nor with a dash, which would look like a flag.
func CheckName(name string) error {
	ok := name != "" && utf8.RuneCountInString(name) <= maxName && utf8.ValidString(name) && !strings.ContainsAny(name[:1], "-.")
	for i, r := range name {
		mark := i > 0 && unicode.IsMark(r) && unicode.IsPrint(r) // part of a letter, in many scripts
		ok = ok && (unicode.IsLetter(r) || unicode.IsDigit(r) || mark || strings.ContainsRune("-_.", r))
	}
	if ok {
		return nil
	}
	return Fail(KindBadRequest, Say("account_name", Clip(name, 2*maxName)), Say("hint_account_name"))
}
