package auth

import (
	"context"
	"log/slog"
	"time"

	"curfew/auth/oauth"
	"curfew/keystore"
)

// Config is what a Manager is made of.
type Config struct {
	Store    *keystore.Store
	Accounts []Account
	Limits   Limits // tightened built-in limits; zero means BuiltIn
	StateDir string // for the audit log
	Logger   *slog.Logger
	Now      func() time.Time
	// NewClient makes the protocol client of an account; nil: oauth.New.
	NewClient func(oauth.Config) (*oauth.Client, error)
}

// Manager owns all sessions and every goroutine that touches them.
type Manager struct{}

// New makes a Manager. Nothing runs and nothing is read before Run.
func New(c Config) (*Manager, error) { panic("not yet") }

// Run loads the sessions and keeps them until ctx ends, then finishes what
// must not be cut (a refresh in flight) and returns.
func (m *Manager) Run(ctx context.Context) error { panic("not yet") }

// Snapshots returns every account's snapshot, by name.
func (m *Manager) Snapshots() []Snapshot { panic("not yet") }

// Snapshot returns one account's snapshot.
func (m *Manager) Snapshot(name string) (Snapshot, error) { panic("not yet") }

// Watch delivers all snapshots, at once and after every change, the newest
// always winning, until ctx ends; then the channel is closed.
func (m *Manager) Watch(ctx context.Context) <-chan []Snapshot { panic("not yet") }

// SetAccount adds an account or changes its configuration; the caller has
// already saved it. A change of issuer or client of a signed-in account is refused.
func (m *Manager) SetAccount(a Account) error { panic("not yet") }

// RemoveAccount signs the account out and forgets it.
func (m *Manager) RemoveAccount(ctx context.Context, name string) (SignOutResult, error) {
	panic("not yet")
}

// StartSignIn starts a sign-in, or joins the one that runs.
func (m *Manager) StartSignIn(ctx context.Context, name string, r SignInRequest) (SignInStarted, error) {
	panic("not yet")
}

// CancelSignIn ends a running sign-in; the session that was there stays.
func (m *Manager) CancelSignIn(name string) error { panic("not yet") }

// Token returns an access token good for at least minValid (below zero: the
// default of 60 s). program names who asks, for the log.
func (m *Manager) Token(ctx context.Context, name string, minValid time.Duration, program string) (Token, error) {
	panic("not yet")
}

// Refresh spends one refresh now, whatever the plan says.
func (m *Manager) Refresh(ctx context.Context, name, program string) (Snapshot, error) {
	panic("not yet")
}

// SignOut ends the session here first, then revokes it, then erases it.
func (m *Manager) SignOut(ctx context.Context, name string) (SignOutResult, error) { panic("not yet") }

// Events returns the newest n events of an account, oldest first; name "" means all.
func (m *Manager) Events(name string, n int) []Event { panic("not yet") }

// SetPaused pauses or resumes background refresh.
func (m *Manager) SetPaused(paused bool) { panic("not yet") }
