package main

import (
	"context"
	"os"
	"path/filepath"

	"curfew/auth"
	"curfew/auth/agent/consent"
)

// asking is the engine for programs: those that want a token of an account with
// consent = "ask" wait for a person.
type asking struct {
	loading
	gate *consent.Gate
}

// Token asks a person first, if the account says so.
func (a asking) Token(ctx context.Context, name string, r auth.TokenRequest) (auth.Token, error) {
	if a.Manager.Consent(name) == auth.ConsentAsk {
		if s, err := a.loading.Snapshot(name); err == nil && (s.State == auth.SignedOut || s.State == auth.Ended) {
			if _, err := a.Manager.Token(ctx, name, r); err != nil {
				return auth.Token{}, err // there is nothing to ask about
			}
		}
		var who auth.Caller
		if r.Caller != nil {
			who = r.Caller()
		}
		if !isFrontEnd(who) {
			if err := a.gate.Pass(ctx, name, who); err != nil {
				return auth.Token{}, err
			}
		}
	}
	return a.Manager.Token(ctx, name, r)
}

// isFrontEnd reports whether the caller is the tray or the window that was
// installed with this program: a person has clicked there.
func isFrontEnd(c auth.Caller) bool {
	self, err := os.Executable()
	if err != nil || c.Container != "" {
		return false
	}
	dir := filepath.Dir(self)
	return c.Executable == filepath.Join(dir, "curfew-tray") || c.Executable == filepath.Join(dir, "curfew-window")
}

// Snapshots lists the accounts with their questions.
func (a asking) Snapshots() []auth.Snapshot { return a.gate.Show(a.loading.Snapshots()) }

// Snapshot returns an account with its questions.
func (a asking) Snapshot(name string) (auth.Snapshot, error) {
	s, err := a.loading.Snapshot(name)
	if err != nil {
		return s, err
	}
	return a.gate.Show([]auth.Snapshot{s})[0], nil
}

// Watch sends the snapshots after each change of a session or a question.
func (a asking) Watch(ctx context.Context) <-chan []auth.Snapshot {
	in, out := a.loading.Watch(ctx), make(chan []auth.Snapshot)
	go func() { // ends with ctx, as in does
		defer close(out)
		for {
			changed := a.gate.Changed()
			var all []auth.Snapshot
			select {
			case s, ok := <-in:
				if !ok {
					return
				}
				all = a.gate.Show(s)
			case <-changed:
				all = a.Snapshots()
			}
			select {
			case out <- all:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// RemoveAccount forgets the answers for the account, too.
func (a asking) RemoveAccount(ctx context.Context, name string) (auth.SignOutResult, error) {
	r, err := a.loading.RemoveAccount(ctx, name)
	if err == nil {
		a.gate.Forget(name)
	}
	return r, err
}
