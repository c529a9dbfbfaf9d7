package auth

import (
	"time"

	"curfew/auth/oauth"
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
	AccessToken oauth.Secret
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
