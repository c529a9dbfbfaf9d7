package auth

import (
	"fmt"
	"reflect"
	"slices"
	"time"
)

// Account is the configuration of one account: a table of config.toml, and
// the body of PUT /v1/accounts/{name}.
type Account struct {
	Name                  string   `toml:"-" json:"name"`
	Provider              string   `toml:"provider,omitempty" json:"provider,omitempty"`
	Issuer                string   `toml:"issuer,omitempty" json:"issuer,omitempty"`
	AuthorizationEndpoint string   `toml:"authorization_endpoint,omitempty" json:"authorization_endpoint,omitempty"`
	TokenEndpoint         string   `toml:"token_endpoint,omitempty" json:"token_endpoint,omitempty"`
	RevocationEndpoint    string   `toml:"revocation_endpoint,omitempty" json:"revocation_endpoint,omitempty"`
	ClientID              string   `toml:"client_id" json:"client_id"`
	ClientSecretKeychain  bool     `toml:"client_secret_keychain,omitempty" json:"client_secret_keychain,omitempty"`
	Scopes                []string `toml:"scopes,omitempty" json:"scopes,omitempty"`
	Redirect              string   `toml:"redirect,omitempty" json:"redirect,omitempty"`
	Refresh               Mode     `toml:"refresh,omitempty" json:"refresh,omitempty"`
}

// SignInRequest is the body of POST /v1/accounts/{name}/sign-in.
type SignInRequest struct {
	Force  bool `json:"force,omitempty"`  // a new session even while the old one is good; asks the server for prompt=login
	Device bool `json:"device,omitempty"` // RFC 8628 instead of the loopback redirect
	// Browser: the front end gives URL to a command that opens a browser, whose
	// arguments every user of the machine can read. URL is then a start page
	// that works once. Without it URL is for a person to open, anywhere here.
	Browser bool   `json:"browser,omitempty"`
	Flow    string `json:"flow,omitempty"` // join this one, start none
}

// SignInStarted answers a SignInRequest. The front end opens URL; the agent
// never does. The flow's end comes by watch, in [Snapshot.SignIn].
type SignInStarted struct {
	Flow      string    `json:"flow"`
	URL       string    `json:"url"`
	UserCode  string    `json:"user_code,omitempty"` // device sign-in: what to type at URL
	ExpiresAt time.Time `json:"expires_at"`
	Joined    bool      `json:"joined,omitempty"` // a sign-in ran already; this is it
}

// Token is an access token on its way to the program that asked for it.
type Token struct {
	AccessToken Secret
	TokenType   string
	ExpiresAt   time.Time
	Scope       []string
}

// SignOutResult says honestly what a sign-out reached.
type SignOutResult struct {
	Revoked bool   `json:"revoked"` // the server confirmed (RFC 7009)
	Message string `json:"message"` // for people
	URL     string `json:"url,omitempty"`
}

// General is what config.toml says of no account in particular.
type General struct {
	Limits   Limits       // BuiltIn, tightened
	Warnings WarningLevel // never empty
}

// CheckName says whether name can be an account's: 1 to 64 letters, digits,
// dashes, underscores and dots, the first neither a dash (it would look like
// a flag) nor a dot.
func CheckName(name string) error {
	ok := len(name) >= 1 && len(name) <= 64 && name[0] != '-' && name[0] != '.'
	for _, c := range []byte(name) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.')
	}
	if ok {
		return nil
	}
	return &Error{
		Kind:    KindBadRequest,
		Message: fmt.Sprintf("%q cannot be the name of an account", name),
		Hint:    "use 1 to 64 letters, digits, dashes, underscores and dots, a letter or digit first",
	}
}

// SameAccount reports whether a and b mean the same.
func SameAccount(a, b Account) bool {
	scopes := slices.Equal(a.Scopes, b.Scopes)
	a.Scopes, b.Scopes = nil, nil
	return scopes && reflect.DeepEqual(a, b)
}
