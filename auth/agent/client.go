package agent

import (
	"context"
	"time"

	"curfew/auth"
)

// Client speaks the local API. Its methods return an [*auth.Error] for
// everything that went wrong, with Kind auth.KindNotRunning when no agent
// answers. It is safe for concurrent use.
type Client struct{ socket string }

// NewClient returns a client of the agent behind socket; "" means
// [DefaultSocket].
func NewClient(socket string) *Client { panic("not yet") }

// Accounts lists every account's snapshot, by name.
func (c *Client) Accounts(ctx context.Context) ([]auth.Snapshot, error) { panic("not yet") }

// Account returns one account's snapshot.
func (c *Client) Account(ctx context.Context, name string) (auth.Snapshot, error) { panic("not yet") }

// Put adds or changes an account's configuration.
func (c *Client) Put(ctx context.Context, a auth.Account) error { panic("not yet") }

// Remove signs the account out and removes it from the configuration.
func (c *Client) Remove(ctx context.Context, name string) (auth.SignOutResult, error) {
	panic("not yet")
}

// SignIn starts a sign-in, or joins the one that runs.
func (c *Client) SignIn(ctx context.Context, name string, r auth.SignInRequest) (auth.SignInStarted, error) {
	panic("not yet")
}

// CancelSignIn ends a running sign-in; the session that was there stays.
func (c *Client) CancelSignIn(ctx context.Context, name string) error { panic("not yet") }

// Token returns an access token good for at least minValid; program names who asks, for the log.
func (c *Client) Token(ctx context.Context, name string, minValid time.Duration, program string) (auth.Token, error) {
	panic("not yet")
}

// Refresh spends one refresh now, whatever the plan says.
func (c *Client) Refresh(ctx context.Context, name, program string) (auth.Snapshot, error) {
	panic("not yet")
}

// SignOut ends the session here, revokes it at the server and erases it.
func (c *Client) SignOut(ctx context.Context, name string) (auth.SignOutResult, error) {
	panic("not yet")
}

// Events returns the newest n events of an account, oldest first; name "" means all accounts.
func (c *Client) Events(ctx context.Context, name string, n int) ([]auth.Event, error) {
	panic("not yet")
}

// Pause pauses or resumes background refresh for every account.
func (c *Client) Pause(ctx context.Context, paused bool) error { panic("not yet") }

// Watch calls f with all snapshots, at once and after every change, until ctx
// ends or the agent goes away (the error says so).
func (c *Client) Watch(ctx context.Context, f func([]auth.Snapshot)) error { panic("not yet") }

// EnsureRunning starts the agent when none answers: the `curfew` beside this
// program's own file, else on PATH; and waits until it answers.
func (c *Client) EnsureRunning(ctx context.Context) error { panic("not yet") }
