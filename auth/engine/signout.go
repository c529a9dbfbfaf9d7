package engine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"curfew/auth"
	"curfew/auth/oauth"
	"curfew/keystore"
)

// endReplaced is why the store ended a session that a newer sign-in replaced.
const endReplaced = "replaced"

// SignOut ends the session here first, then revokes it at the server, then
// erases it. It waits a while for the server; what it could not reach by then
// is tried again for a day. Errors are of type *Error.
func (m *Manager) SignOut(ctx context.Context, name string) (auth.SignOutResult, error) {
	m.mu.Lock()
	a, err := m.accountLocked(name)
	if err != nil {
		m.mu.Unlock()
		return auth.SignOutResult{}, err
	}
	a.signIn.abandonLocked()
	type outcome struct {
		res auth.SignOutResult
		err error
	}
	done := make(chan outcome, 1)
	op := func(ctx context.Context) {
		res, err := a.signOut(ctx)
		done <- outcome{res, err}
	}
	queued := m.running != nil && a.queueLocked(op)
	m.mu.Unlock()
	if !queued {
		return auth.SignOutResult{}, shuttingDown()
	}
	select {
	case o := <-done:
		return o.res, o.err
	case <-ctx.Done():
		return auth.SignOutResult{}, &auth.Error{Kind: auth.KindUnavailable, Message: "the sign-out takes longer than the caller waits", Hint: "it goes on; look with `curfew status`", Cause: ctx.Err()}
	}
}

// signOut runs on the owner goroutine.
func (a *account) signOut(ctx context.Context) (auth.SignOutResult, error) {
	m := a.m
	if _, err := a.dial(ctx); err != nil {
		m.log.Warn("signing out without the client secret", "account", a.name, "error", err)
	}
	m.mu.Lock()
	recs := slices.Clone(a.found)
	if a.rec != nil {
		recs = append(recs, *a.rec)
	}
	provider := a.server.Provider()
	m.mu.Unlock()
	if len(recs) == 0 {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.journal.past(a.name).Reason != "" {
			m.journal.ended(pastSession{Account: a.name, Reason: auth.ByUser, At: m.clock.Now()})
		}
		m.publishLocked()
		return auth.SignOutResult{Message: "There was no session."}, nil
	}
	var results []<-chan error
	for _, rec := range recs {
		// The tombstone comes first: after it the session never comes back.
		ended, err := m.store.End(context.WithoutCancel(ctx), rec.ID, string(auth.ByUser))
		if err != nil {
			return auth.SignOutResult{}, &auth.Error{Kind: auth.KindFailed, Message: "the session could not be closed: " + err.Error(), Hint: "check the state directory with `curfew doctor`", Cause: err}
		}
		m.mu.Lock()
		if a.rec != nil && a.rec.ID == rec.ID {
			a.recordEndLocked(ended, auth.ByUser)
		} else {
			a.dropFoundLocked(rec.ID)
			m.journal.ended(pastSession{Account: a.name, Reason: auth.ByUser, At: m.clock.Now()})
			m.publishLocked()
		}
		results = append(results, m.retireLocked(ended, a.server, string(auth.ByUser)))
		m.mu.Unlock()
	}
	wait, cancel := context.WithTimeout(ctx, 2*attemptLimit)
	defer cancel()
	res := auth.SignOutResult{Revoked: true, Message: "Signed out, and the server revoked the session."}
	for _, r := range results {
		var err error
		select {
		case err = <-r:
		case <-wait.Done():
			err = wait.Err()
		}
		switch {
		case err == nil:
		case errors.Is(err, oauth.ErrNoRevocation):
			res = auth.SignOutResult{Message: "Signed out and erased here. The provider has no way to revoke a session from outside.", URL: provider.RemoveAccessURL}
			if res.URL != "" {
				res.Message += " Remove access at " + res.URL + "."
			}
		default:
			res = auth.SignOutResult{Message: "Signed out here. The server could not be reached to revoke the session; Curfew tries again for a day."}
		}
	}
	return res, nil
}

// revokeFor is how long a sign-out is tried at the server.
const revokeFor = 24 * time.Hour

// retire closes a session that is no longer its account's: it is revoked at
// the server, then erased. Without a server it is erased only.
func (m *Manager) retire(rec keystore.Record, s server, why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.retireLocked(rec, s, why)
}

// retireLocked starts that and returns where the first outcome at the server
// will be: nil when it confirmed.
func (m *Manager) retireLocked(rec keystore.Record, s server, why string) <-chan error {
	first := make(chan error, 1)
	run := m.running
	if run == nil { // shutting down: the tombstone is found at the next start
		first <- context.Canceled
		return first
	}
	m.wg.Go(func() {
		var once sync.Once
		tell := func(err error) { once.Do(func() { first <- err }) }
		defer tell(context.Canceled)
		if rec.Ended == "" {
			ended, err := m.store.End(context.WithoutCancel(run), rec.ID, why)
			if err != nil {
				m.log.Error("a replaced session is not closed yet", "account", rec.Account, "error", err)
				tell(err)
				return
			}
			rec = ended
		}
		deadline := m.clock.Now().Add(revokeFor)
		if at := rec.HighWater.Add(revokeFor); !rec.HighWater.IsZero() && at.Before(deadline) {
			deadline = at
		}
		err := m.keepTrying(run, deadline, func() error {
			err := m.revoke(run, rec, s)
			tell(err)
			return err
		})
		switch {
		case run.Err() != nil && err != nil && passing(err):
			return // the tombstone is found at the next start
		case err != nil && !errors.Is(err, oauth.ErrNoRevocation):
			m.log.Warn("a session was erased here without the server's word", "account", rec.Account, "error", err)
		}
		for try := 1; ; try++ {
			err := m.store.Erase(context.WithoutCancel(run), rec.ID)
			if err == nil {
				return
			}
			m.log.Warn("a closed session is not erased yet", "account", rec.Account, "error", err)
			if !sleep(run, m.backoff(5*time.Second, 5*time.Minute, try)) {
				return
			}
		}
	})
	return first
}

// keepTrying repeats an attempt that may succeed later, until the deadline or
// the end of ctx, and returns the error of the last one.
func (m *Manager) keepTrying(ctx context.Context, deadline time.Time, attempt func() error) error {
	for try := 1; ; try++ {
		err := attempt()
		if err == nil || !passing(err) || m.clock.Now().After(deadline) || !sleep(ctx, m.backoff(5*time.Second, 5*time.Minute, try)) {
			return err
		}
	}
}

// revoke makes one attempt at the server.
func (m *Manager) revoke(ctx context.Context, rec keystore.Record, s server) error {
	var f facts
	if err := f.decode(rec.Meta); err != nil || s.Client == nil || f.Bound != s.bound {
		return oauth.ErrNoRevocation // nobody to whom this token may be sent
	}
	secret, err := m.store.Secret(ctx, rec.ID)
	if err != nil {
		return err
	}
	token := auth.NewSecret(string(secret))
	clear(secret)
	return s.giveBack(ctx, token)
}

// giveBack revokes a refresh token. A request that has left is not cut by the
// end of ctx.
func (s server) giveBack(ctx context.Context, token auth.Secret) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptLimit)
	defer cancel()
	return s.Revoke(ctx, token)
}

// passing reports whether an error may be gone at the next try.
func passing(err error) bool {
	if e, ok := errors.AsType[*oauth.Error](err); ok {
		switch e.Class {
		case oauth.NotSent, oauth.Unknown, oauth.Throttled:
			return true
		}
		return false
	}
	return isKeychainTransient(err)
}

// eraseTampered removes a session that contradicts itself. Its token is not
// used for anything any more, not even to revoke it.
func (m *Manager) eraseTampered(ctx context.Context, id string) {
	if _, err := m.store.End(context.WithoutCancel(ctx), id, string(auth.ByTampering)); err != nil {
		m.log.Warn("a damaged session has no tombstone", "session", id, "error", err)
	}
	if err := m.store.Erase(context.WithoutCancel(ctx), id); err != nil {
		m.log.Warn("a damaged session is not erased", "session", id, "error", err)
	}
}
