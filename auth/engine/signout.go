package engine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"curfew/auth"
	"curfew/auth/engine/failure"
	"curfew/auth/engine/journal"
	"curfew/auth/engine/pair"
	"curfew/auth/oauth"
	"curfew/keystore"
)

// endReplaced is why the store ended a session that a newer sign-in replaced.
const endReplaced = "replaced"

const (
	revokeFor   = 24 * time.Hour   // a sign-out is tried at the server
	signOutWait = 15 * time.Second // a person waits for the server's word
)

// SignOut ends the session here at once, whatever the account is busy with.
// Then it is revoked at the server and erased. SignOut waits a while for the
// server. What that did not confirm by then is tried again for a day. Errors
// are of type *Error.
func (m *Manager) SignOut(ctx context.Context, name string) (auth.SignOutResult, error) {
	return m.signOut(ctx, name, false)
}

func (m *Manager) signOut(ctx context.Context, name string, remove bool) (auth.SignOutResult, error) {
	done := make(chan signedOut, 1)
	a, err := m.leave(name, remove, done)
	if err != nil {
		return auth.SignOutResult{}, err
	}
	a.tombstone(ctx)
	ctx, cancel := context.WithTimeout(ctx, signOutWait)
	defer cancel()
	select {
	case o := <-done:
		if o.err != nil {
			return auth.SignOutResult{}, o.err
		}
		return o.wait(ctx), nil
	case <-ctx.Done():
		return auth.SignOutResult{Text: auth.Say("sign_out_unconfirmed")}, nil
	}
}

// leave makes the account signed out for all callers and queues the rest. The
// owner may be busy, perhaps with a refresh that hangs. That then ends in the
// background.
func (m *Manager) leave(name string, remove bool, done chan<- signedOut) (*account, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, err := m.accountLocked(name)
	if err != nil {
		return nil, err
	}
	a.signIn.abandonLocked()
	queued := m.running != nil && a.queueLocked(func(ctx context.Context) {
		o := a.signOut(ctx)
		m.locked(func() {
			a.leaving--
			m.publishLocked()
		})
		done <- o
	})
	if !queued {
		return nil, failure.ShuttingDown()
	}
	a.leaving++
	if remove {
		a.removed = new(a.config)
	}
	a.failFlightLocked(failure.NotSignedIn(a.name, auth.ByUser))
	if a.interrupt != nil {
		a.interrupt()
	}
	m.publishLocked()
	return a, nil
}

// tombstone ends the live session in the store, from the caller's goroutine.
// From then on it does not come back, even if the agent dies while the owner is
// busy. The owner treats the tombstone as one that it wrote.
func (a *account) tombstone(ctx context.Context) {
	var id string
	a.m.locked(func() {
		if a.rec != nil {
			id = a.rec.ID
		}
	})
	if id == "" {
		return
	}
	if _, err := a.m.store.End(context.WithoutCancel(ctx), id, string(auth.ByUser)); err != nil {
		a.m.log.Warn("the end of a session is not saved yet", "account", a.name, "error", err)
	}
}

// A signedOut says what happened to an account's sessions.
type signedOut struct {
	closing []*closing
	err     error
}

// signOut runs on the owner goroutine.
func (a *account) signOut(ctx context.Context) signedOut {
	m := a.m
	var recs []keystore.Record
	m.locked(func() {
		recs = slices.Clone(a.found)
		if a.rec != nil {
			recs = append(recs, *a.rec)
		}
		if len(recs) == 0 && m.journal.Past(a.name).Reason != "" {
			m.journal.Ended(journal.Past{Account: a.name, Reason: auth.ByUser, At: a.clock.Now()})
		}
	})
	a.noteRemoval(ctx)
	var out signedOut
	for _, rec := range recs {
		// The tombstone comes first: after it the session never comes back.
		ended, err := m.store.End(context.WithoutCancel(ctx), rec.ID, string(auth.ByUser))
		if err != nil {
			out.err = auth.Fail(auth.KindFailed, auth.Say("sign_out_failed", err), auth.Say("hint_state_doctor")).Because(err)
			return out
		}
		m.locked(func() {
			if a.rec != nil && a.rec.ID == rec.ID {
				a.recordEndLocked(ended, auth.ByUser)
			} else {
				a.dropFoundLocked(rec.ID)
				m.journal.Ended(journal.Past{Account: a.name, Reason: auth.ByUser, At: a.clock.Now()})
			}
			out.closing = append(out.closing, m.retireLocked(ended, string(auth.ByUser), m.liveLocked()))
		})
	}
	return out
}

// noteRemoval keeps the configuration of an account that is being removed with
// its session: a revocation that is tried after a restart needs it.
func (a *account) noteRemoval(ctx context.Context) {
	removed := false
	a.m.locked(func() { removed = a.removed != nil && a.rec != nil })
	if removed {
		a.note(context.WithoutCancel(ctx))
	}
}

// wait says, when the server has answered or ctx ends, what a sign-out reached.
func (o signedOut) wait(ctx context.Context) auth.SignOutResult {
	if len(o.closing) == 0 {
		return auth.SignOutResult{Text: auth.Say("sign_out_none")}
	}
	res := auth.SignOutResult{Revoked: true, Text: auth.Say("sign_out_revoked")}
	for _, c := range o.closing {
		select {
		case <-c.tried:
		case <-ctx.Done():
			return auth.SignOutResult{Text: auth.Say("sign_out_unconfirmed")}
		}
		if c.err != nil {
			res = c.result()
		}
	}
	return res
}

// result says honestly how far a sign-out came that the server did not confirm.
func (c *closing) result() auth.SignOutResult {
	why := failure.Keychain(c.err).Text()
	switch e, ok := errors.AsType[*oauth.Error](c.err); {
	case ok && failure.RefusesClient(e):
		why = auth.Say("revoking_wants_secret")
	case ok && isTransient(e):
		why = failure.Text(e)
	case ok:
		why = failure.Reason(e)
	}
	if isTransient(c.err) {
		return auth.SignOutResult{Text: auth.Say("sign_out_later", why)}
	}
	r := auth.SignOutResult{URL: c.url, Text: auth.Say("sign_out_not_revoked", why)}
	if errors.Is(c.err, oauth.ErrNoRevocation) {
		r.Text = auth.Say("sign_out_no_way")
	}
	if r.URL != "" {
		r.Text = auth.Say("both", r.Text, auth.Say("sign_out_remove_there", r.URL))
	}
	return r
}

// A closing is a session that has ended and is being revoked and erased.
type closing struct {
	m   *Manager
	rec keystore.Record
	why string

	known map[string]facts // see revocation
	tell  sync.Once
	tried chan struct{} // closed after the first attempt
	err   error         // of that; nil: the server confirmed
	url   string        // where a person removes access
}

// liveLocked returns the facts of the sessions that live and are to stay. Those of
// one that is not loaded yet are what its file claims.
func (m *Manager) liveLocked() map[string]facts {
	live := map[string]facts{}
	for _, a := range m.accounts {
		if a.leaving > 0 {
			continue
		}
		for _, rec := range a.found {
			if f := (facts{}); rec.Ended == "" && f.decode(rec.Meta) == nil {
				live[rec.ID] = f
			}
		}
		if a.rec != nil {
			live[a.rec.ID] = a.facts
		}
	}
	return live
}

// retireLocked closes a session that does not belong to its account any more.
// A person who asked for it knew of the others.
func (m *Manager) retireLocked(rec keystore.Record, why string, known map[string]facts) *closing {
	c := &closing{m: m, rec: rec, why: why, known: known, tried: make(chan struct{})}
	run := m.running
	if run == nil { // shutting down: the tombstone is found at the next start
		c.outcome(context.Canceled)
		return c
	}
	m.closing[rec.Account]++
	m.wg.Go(func() {
		defer c.outcome(context.Canceled)
		if c.run(run) {
			c.forgetAccount(run)
		}
	})
	return c
}

func (c *closing) outcome(err error) {
	c.tell.Do(func() {
		c.err = err
		close(c.tried)
	})
}

// run goes as far as it gets, and reports whether nothing is left of the session.
func (c *closing) run(run context.Context) bool {
	m := c.m
	if c.rec.Ended == "" {
		ended, err := m.store.End(context.WithoutCancel(run), c.rec.ID, c.why)
		if err != nil {
			m.log.Error("a replaced session is not closed yet", "account", c.rec.Account, "error", err)
			c.outcome(err)
			return false
		}
		c.rec = ended
	}
	deadline := m.clock.Now().Add(revokeFor)
	if at := c.rec.HighWater.Add(revokeFor); !c.rec.HighWater.IsZero() && at.Before(deadline) {
		deadline = at
	}
	err := m.keepTrying(run, deadline, func() error {
		err := c.revoke(run)
		c.outcome(err)
		return err
	})
	switch {
	case run.Err() != nil && err != nil && isTransient(err):
		return false // the tombstone is found at the next start
	case err != nil && !errors.Is(err, oauth.ErrNoRevocation):
		m.log.Warn("a session is erased here and was not revoked", "account", c.rec.Account, "error", err)
	}
	return c.erase(run)
}

func (c *closing) erase(run context.Context) bool {
	for try := 1; ; try++ {
		err := c.m.store.Erase(context.WithoutCancel(run), c.rec.ID)
		if err == nil {
			return true
		}
		c.m.log.Warn("a closed session is not erased yet", "account", c.rec.Account, "error", err)
		if !sleep(run, c.m.backoff(5*time.Second, 5*time.Minute, try)) {
			return false
		}
	}
}

// revoke makes one attempt at the server. Whom the token may be sent to is
// read from the record when that was verified, never from what the files claim.
func (c *closing) revoke(ctx context.Context) error {
	m := c.m
	rec, err := m.store.Load(ctx, c.rec.ID)
	if err != nil {
		return err
	}
	r := revocation{account: rec.Account, session: rec.ID, known: c.known}
	if err := r.facts.decode(rec.Meta); err != nil {
		return oauth.ErrNoRevocation
	}
	if p, err := oauth.LookupProvider(r.facts.Bound.Provider); err == nil {
		c.url = p.AccessPage(r.facts.Identity.Issuer)
	}
	secret, err := m.store.Secret(ctx, rec.ID)
	if err != nil {
		return err
	}
	r.token, _ = pair.Unpack(secret)
	return m.attempt(ctx, r)
}

// forgetAccount deletes the client secret of an account that is gone, when the
// last of its sessions is.
func (c *closing) forgetAccount(ctx context.Context) {
	name, m, gone := c.rec.Account, c.m, false
	m.locked(func() {
		m.closing[name]--
		if m.closing[name] > 0 {
			return
		}
		delete(m.closing, name)
		gone = m.accounts[name] == nil && !slices.ContainsFunc(m.strays, func(s stray) bool { return s.rec.Account == name })
	})
	if gone {
		m.forgetSecret(ctx, name)
	}
}

func (m *Manager) forgetSecret(ctx context.Context, name string) {
	if err := m.store.DeleteSecret(context.WithoutCancel(ctx), clientSecretName(name)); err != nil {
		m.log.Warn("a client secret stays in the keychain", "account", name, "error", err)
	}
}

// RemoveAccount signs the account out and forgets it. Sessions of an account
// that is not configured can be removed like that too.
func (m *Manager) RemoveAccount(ctx context.Context, name string) (auth.SignOutResult, error) {
	if out, ok := m.removeStrays(name); ok {
		ctx, cancel := context.WithTimeout(ctx, signOutWait)
		defer cancel()
		return out.wait(ctx), nil
	}
	res, err := m.signOut(ctx, name, true)
	if err != nil {
		return res, err
	}
	closing := false
	var config auth.Account
	m.locked(func() {
		if a := m.accounts[name]; a != nil {
			config = a.config
			a.signIn.abandonLocked()
			a.stop()
			delete(m.accounts, name)
			m.journal.Forget(name)
			closing = a.leaving > 0
		}
		closing = closing || m.closing[name] > 0
		m.publishLocked()
	})
	m.unregister(ctx, name, config)
	if !closing {
		m.forgetSecret(ctx, name)
	}
	return res, nil
}

// removeStrays closes the sessions of an account that is not configured, and
// reports whether there were any.
func (m *Manager) removeStrays(name string) (out signedOut, found bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.accounts[name] != nil || m.running == nil {
		return out, false
	}
	for _, s := range m.takeStraysLocked(func(rec keystore.Record) bool { return rec.Account == name }) {
		out.closing = append(out.closing, m.retireLocked(s.rec, string(auth.ByUser), m.liveLocked()))
	}
	return out, len(out.closing) > 0
}

// keepTrying repeats an attempt that may succeed later, until the deadline or
// the end of ctx, and returns the error of the last one. What waits for another
// session waits without a deadline.
func (m *Manager) keepTrying(ctx context.Context, deadline time.Time, attempt func() error) error {
	for try := 1; ; try++ {
		var changed <-chan struct{}
		m.locked(func() { changed = m.sessionEnded })
		err := attempt()
		switch {
		case err == nil || !isTransient(err):
			return err
		case errors.Is(err, errNotYet):
			select {
			case <-changed:
				try = 0
			case <-ctx.Done():
				return err
			}
		case m.clock.Now().After(deadline) || !sleep(ctx, m.backoff(5*time.Second, 5*time.Minute, try)):
			return err
		}
	}
}

// isTransient reports whether an error may be gone at the next try.
func isTransient(err error) bool {
	if e, ok := errors.AsType[*oauth.Error](err); ok {
		switch e.Class {
		case oauth.NotSent, oauth.Unknown, oauth.Throttled:
			return true
		}
		return false
	}
	if e, ok := errors.AsType[*auth.Error](err); ok {
		return e.Kind == auth.KindKeychain || e == errNotYet || e == errSigningIn
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
