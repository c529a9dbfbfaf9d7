package auth

import "time"

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
	Joined    bool      `json:"joined,omitempty"`  // a sign-in ran already; this is it
	Browser   []string  `json:"browser,omitempty"` // to open URL with, and its arguments; none means the person's usual one
}

// A TokenRequest asks for an access token, or for the ID token.
type TokenRequest struct {
	MinValid time.Duration // how long it must still be valid; below zero: [DefaultMinValid]
	Best     bool          // what is valid for less is better than nothing
	MaxWait  time.Duration // for a refresh; 0: [DefaultMaxWait]
	Program  string        // the caller, for the log
	Caller   func() Caller // finds out more about it, while it waits; nil: there is no more
	Exchange *Exchange     // nil: the session's own token
	ID       bool          // the ID token (OpenID Connect) instead; MinValid holds for both
	Proof    *ProofRequest // nil: none is wanted
}

// An Exchange asks for a token with less power, in place of the session's own
// (RFC 8693 section 2.1). The zero value asks for another of the same power.
type Exchange struct {
	Audience []string `json:"audience,omitempty"` // whom it is for, by names that the server knows
	Resource []string `json:"resource,omitempty"` // whom it is for, by addresses
	Scope    []string `json:"scope,omitempty"`    // what it is good for; none: as the server decides
	Refresh  bool     `json:"refresh,omitempty"`  // with a refresh, which is counted (RFC 8707), in place of an exchange
}

// Check refuses what no refresh can ask for. Its error is an [*Error].
func (e Exchange) Check() error {
	if e.Refresh && (len(e.Audience) > 0 || len(e.Resource)+len(e.Scope) == 0) {
		return Fail(KindBadRequest, Say("refresh_for_what"), Say("hint_refresh_for_what"))
	}
	return nil
}

// A ProofRequest asks for a proof that goes with a token which is bound to a
// key, for one request to an API (RFC 9449 section 4).
type ProofRequest struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	Nonce  string `json:"nonce,omitempty"` // as the API's DPoP-Nonce header says; empty: none
}

// AnyValidity is the MinValid of callers that do not say.
const AnyValidity = time.Duration(-1)

// DefaultMaxWait is how long a caller waits for a refresh. The refresh itself
// may take longer, and goes on.
const DefaultMaxWait = 10 * time.Second

// Token is an access token, or the ID token, on its way to the program that
// asked for it.
type Token struct {
	AccessToken Secret
	IDToken     Secret        // zero: the request was for the access token
	TokenType   string        // of an access token
	ExpiresAt   time.Time     // zero: unknown
	ExpiresIn   time.Duration // what that means now, by the same clock
	Scope       []string
	Proof       Secret // zero: none was asked for
}

// Value is the token that was asked for.
func (t Token) Value() Secret {
	if t.IDToken.IsZero() {
		return t.AccessToken
	}
	return t.IDToken
}

// SignOutResult says honestly what a sign-out reached.
type SignOutResult struct {
	Text
	Revoked bool   `json:"revoked"` // the server confirmed (RFC 7009)
	URL     string `json:"url,omitempty"`
}

// General is what config.toml says of no account in particular.
type General struct {
	Limits   Limits       // BuiltIn, tightened
	Warnings WarningLevel // never empty
}
