package oauth

import (
	"context"
	"errors"
	"time"
)

// Error returns a sentence without secrets.
func (e *Error) Error() string { return e.Op + ": " + e.Code }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrNoRevocation: the provider has no revocation endpoint; Provider.RemoveAccessURL says where a person removes access.
var ErrNoRevocation = errors.New("the provider has no revocation endpoint")

// Client speaks to one authorization server for one account. Safe for
// concurrent use. It caches discovery and JWKS.
type Client struct{}

// New checks the configuration; it makes no request.
func New(c Config) (*Client, error) { panic("not yet") }

// Provider returns the preset in use.
func (c *Client) Provider() Provider { panic("not yet") }

// SignInOptions shape one sign-in.
type SignInOptions struct {
	ForceLogin bool          // prompt=login
	LoginHint  string        // login_hint
	Timeout    time.Duration // 0: 5 min
}

// Flow is a running loopback sign-in: its listener is open before URL exists.
type Flow struct {
	URL       string // for the system browser
	ExpiresAt time.Time
}

// StartSignIn opens the loopback listener and returns the URL to open.
func (c *Client) StartSignIn(ctx context.Context, o SignInOptions) (*Flow, error) { panic("not yet") }

// Wait waits for the redirect, exchanges the code, verifies the ID token and
// returns the grant. exchanging is called (if not nil) when the redirect has come. When Wait returns the port is closed.
func (f *Flow) Wait(ctx context.Context, exchanging func()) (Grant, error) { panic("not yet") }

// Close ends the flow early; Wait returns a Cancelled error.
func (f *Flow) Close() { panic("not yet") }

// DeviceFlow is a running device sign-in (RFC 8628).
type DeviceFlow struct {
	UserCode, VerificationURI, VerificationURIComplete string
	ExpiresAt                                          time.Time
}

// StartDevice asks for a device code.
func (c *Client) StartDevice(ctx context.Context) (*DeviceFlow, error) { panic("not yet") }

// Wait polls until the person is done.
func (f *DeviceFlow) Wait(ctx context.Context) (Grant, error) { panic("not yet") }

// Refresh makes exactly one POST with rt (RFC 6749 section 6). prev is the session's identity: an ID token with another issuer or subject gives a Grant and ErrSubjectChanged.
func (c *Client) Refresh(ctx context.Context, rt Secret, prev Identity) (Grant, error) {
	panic("not yet")
}

// ErrSubjectChanged: the refreshed ID token is for somebody else (OIDC Core 12.2).
var ErrSubjectChanged = errors.New("the server answered for another subject")

// Revoke revokes the refresh token (RFC 7009), or returns ErrNoRevocation.
func (c *Client) Revoke(ctx context.Context, rt Secret) error { panic("not yet") }

// Provider is one entry of the provider data file.
type Provider struct {
	Name            string
	Title           string
	RemoveAccessURL string        // where a person removes access
	Lifetime        time.Duration // the provider's own end, from sign-in; 0 unknown
	IdleLifetime    time.Duration // the refresh token dies when unused this long; 0: no
	AccessLifetime  time.Duration // when expires_in is missing; 0 unknown
}

// Providers lists the presets, by name.
func Providers() []Provider { panic("not yet") }
