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
