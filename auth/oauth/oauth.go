// Package oauth is the client's side of the protocol. It does the loopback
// sign-in of RFC 8252 with PKCE, and the device sign-in. It exchanges,
// refreshes and revokes tokens. It reads discovery documents and checks ID
// tokens.
//
// It keeps nothing. The caller decides when to refresh, and counts and stores.
// Its one hard idea is that every failure has a [Class], because the caller
// must know whether the refresh token may have been spent. Every request goes
// through one guarding transport, which follows no redirects and bounds time
// and size. Answers must be JSON without duplicate keys.
package oauth

import (
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"curfew/auth"
	"curfew/auth/oauth/dpop"
)

// Config describes one account at one authorization server.
type Config struct {
	Provider string // preset name such as "spotify"; empty: "oidc"
	Issuer   string // discovery (OIDC Discovery, RFC 8414); overrides the preset's

	// Endpoints that override discovery and preset; empty: theirs.
	AuthorizationEndpoint, TokenEndpoint, RevocationEndpoint, DeviceEndpoint, UserinfoEndpoint string

	ClientID     string
	ClientSecret auth.Secret // zero for public clients; of private_key_jwt the key in PEM
	ClientAuth   string      // none, basic, post or private_key_jwt; empty: from the preset or discovery
	Scopes       []string

	Authorize      map[string]string // further parameters of the authorization request
	Prompt         string            // sent as it is; empty: what is needed; "none" sends none
	LoginHint      string            // whom to suggest to the server
	Resource       []string          // RFC 8707
	ScopeSeparator string            // empty: a space
	DPoP           string            // "always", "never"; empty: where it leaves access tokens as they are
	AccessLifetime time.Duration     // when expires_in is missing; 0: the preset's
	DeadCodes      []string          // rules for a dead refresh token, in addition to the preset's

	CAFile string // certificates, in PEM, that are trusted in addition to the system's
	Proxy  string // its address or "none"; empty: as the environment says

	Redirect string // default "http://127.0.0.1/callback"; a port is added when it has none

	Transport http.RoundTripper // below the guard; nil: a private http.Transport
	Logger    *slog.Logger      // nil: discard
	Now       func() time.Time  // nil: time.Now

	// Confirm is called with the time that a server gives with tokens (its Date
	// header), before Now is asked when they came. A clock that was wrong may
	// be right by then. The time is zero if the answer has none. Confirm may be
	// nil.
	Confirm func(server time.Time)
}

// Identity is who signed in, as the ID token says (or userinfo, where a
// provider has no ID token).
type Identity struct {
	Issuer   string    `json:"issuer,omitempty"`
	Subject  string    `json:"subject,omitempty"` // "sub"; empty without OIDC
	Display  string    `json:"display,omitempty"` // e-mail, preferred name or sub: for people only
	AuthTime time.Time `json:"auth_time,omitzero"`
}

// Endpoints are where a refresh token is sent to.
type Endpoints struct {
	Token      string `json:"token,omitempty"`
	Revocation string `json:"revocation,omitempty"`
}

// Origin is what a session was got from. It binds its refresh token: what
// discovery says later cannot send it anywhere else.
type Origin struct {
	Identity
	Endpoints
	Key       dpop.Key // that the token is bound to; zero: none
	Resource  []string // what a refresh asks for (RFC 8707); none: as configured
	Scope     []string // none: all that was granted
	NoRefresh bool     // its token is an access token: there is no other
}

// Grant is one successful answer of a token endpoint.
type Grant struct {
	AccessToken  auth.Secret
	RefreshToken auth.Secret // zero: none came; keep the old one (RFC 6749 section 6)
	TokenType    string      // "Bearer", or "DPoP" with DPoP: "always"
	Key          dpop.Key    // that the tokens are bound to; zero: none
	ReceivedAt   time.Time
	ExpiresIn    time.Duration // as issued; 0: the server did not say
	ExpiresAt    time.Time     // by the clock of ReceivedAt; before it where a server repeated an old answer; zero if unknown
	Scope        []string      // as granted; nil: as asked (RFC 6749 section 5.1)
	Identity     Identity      // zero where no ID token came
	IDToken      auth.Secret   // that Identity is from; zero: none came that could be verified
	Endpoints    Endpoints     // that gave it, and that take it back
	Bounds       auth.Bounds
}

// Class says what a failure means for the refresh token that was sent, and so
// what the caller may do next.
type Class int

// The classes.
const (
	// NotSent means that no byte of the request left the machine. DNS, connect
	// or TLS failed.
	NotSent Class = iota + 1
	// Unknown means that bytes were written and no usable answer came, so the
	// server may have rotated the token. A time-out and a reset are such
	// failures. So are 5xx, HTML and truncated JSON.
	Unknown
	// Throttled means refused for now with nothing spent. Signs are 429, 503,
	// slow_down and temporarily_unavailable.
	Throttled
	// Protocol: an answer that no honest server gives (redirect, wrong token_type after rotation ...).
	Protocol
	// HeldBack: an OAuth error about client or configuration; the token is kept.
	HeldBack
	// Dead means that the server says this grant has ended. The code must be
	// exactly invalid_grant or the preset's own word for it.
	Dead
	// Denied: the person or a policy refused in the browser (access_denied).
	Denied
	// Cancelled: the caller or the person gave up.
	Cancelled
)

// Error is a failed step of the protocol. Its text never holds a token, a
// code, a secret or a response body.
type Error struct {
	Op          string // what was tried, such as "refresh" or "device sign-in"
	Server      string // host of the server that was spoken to
	Class       Class
	Code        string        // the OAuth error code, if the server gave one
	Description string        // error_description, made printable, at most 200 characters
	Status      int           // HTTP status, 0 without an answer
	RetryAfter  time.Duration // as the server asks, 1 s to 15 min; 0 if it does not say
	Forced      bool          // the server was asked to ask for credentials again
	Err         error

	movedTo *url.URL // of a redirect
}
