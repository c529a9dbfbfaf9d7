package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"curfew/auth"
	"curfew/keystore"
)

// load deals with one stored session of the account, the newest first. The
// newest that lives becomes its session, all others are retired.
func (a *account) load(ctx context.Context) {
	m := a.m
	if _, err := a.dial(ctx); err != nil {
		a.cannotLoad(err)
		return
	}
	m.mu.Lock()
	next := slices.MaxFunc(a.found, func(x, y keystore.Record) int { return x.StartedAt.Compare(y.StartedAt) })
	m.mu.Unlock()
	var err error
	rec, newest := next, a.rec == nil || next.StartedAt.After(a.rec.StartedAt)
	if rec.Ended == "" && newest {
		rec, err = m.store.Load(ctx, next.ID)
	}
	switch {
	case errors.Is(err, keystore.ErrTampered), errors.Is(err, keystore.ErrCorrupt):
		m.log.Error("a stored session contradicts itself and is closed", "account", a.name, "session", next.ID, "error", err)
		m.mu.Lock()
		a.dropFoundLocked(next.ID)
		if a.rec == nil {
			a.recordEndLocked(next, auth.ByTampering)
		}
		m.mu.Unlock()
		m.eraseTampered(ctx, next.ID)
		return
	case err != nil:
		a.cannotLoad(err)
		return
	case rec.Ended != "" || !newest:
		a.putAside(rec)
		return
	}
	var facts facts
	if err := facts.decode(rec.Meta); err != nil {
		m.log.Error("the facts of a session cannot be read", "account", a.name, "error", err)
	}
	access, err := m.store.Access(ctx, rec.ID)
	if err != nil {
		m.log.Warn("the kept access token cannot be read", "account", a.name, "error", err)
	}
	defer clear(access)
	m.mu.Lock()
	if facts.Bound != a.server.bound {
		m.mu.Unlock()
		a.cannotLoad(bindingError(a.name))
		return
	}
	defer m.mu.Unlock()
	a.clock.Recall(facts.Clock)
	a.dropFoundLocked(rec.ID)
	if a.rec != nil {
		m.retireLocked(*a.rec, a.server, endReplaced)
	}
	a.dropUnsavedLocked()
	a.rec, a.facts, a.use, a.access = &rec, facts, facts.Use, auth.NewSecret(string(access))
	a.forgetFutureLocked(a.clock.Now())
	a.retry, a.storeErr, a.sent = retry{}, nil, false
	if rec.Pending { // the agent died in a cycle: its request may have left, and been answered
		a.sent, a.facts.OutcomeUnknown = true, true
	} else if facts.Useless.Count > 0 {
		a.retry = m.afterUseless(facts)
	}
	if a.access.IsZero() {
		a.facts.AccessExpiresAt = time.Time{}
	}
	m.journal.forget(a.name)
	// Who asked while the sessions were being read asks again: the token that
	// was kept may do, and a restart must not cost a refresh.
	if f := a.flight; f != nil {
		a.flight, f.again = nil, true
		close(f.done)
	}
	m.publishLocked()
}

// putAside retires a stored session that is not the account's any more.
func (a *account) putAside(rec keystore.Record) {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	a.dropFoundLocked(rec.ID)
	why := rec.Ended
	if why == "" {
		why = endReplaced
	} else if a.rec == nil {
		a.m.journal.endedUnnoted(rec)
	}
	a.m.retireLocked(rec, a.server, why)
	a.m.publishLocked()
}

func (a *account) dropFoundLocked(id string) {
	a.found = slices.DeleteFunc(slices.Clone(a.found), func(r keystore.Record) bool { return r.ID == id })
	if a.rec == nil {
		a.retry, a.storeErr = retry{}, nil
	}
}

// cannotLoad keeps the stored sessions for a later try.
func (a *account) cannotLoad(err error) {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	a.storeErr = err
	a.retry = retry{at: a.clock.Now().Add(pollInterval)}
	a.failFlightLocked(keychainError(err))
	a.m.publishLocked()
}

// lookForKeychain looks whether the keychain is back, so that nobody is told
// to unlock what is unlocked.
func (a *account) lookForKeychain(ctx context.Context) {
	err := a.m.store.Status(ctx)
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	if a.storeAt = a.clock.Now().Add(pollInterval); err == nil {
		a.storeErr = nil
		a.m.publishLocked()
	}
}

// keychainAway reports whether err passes when the keychain can be used again.
func keychainAway(err error) bool {
	return errors.Is(err, keystore.ErrLocked) || errors.Is(err, keystore.ErrUnavailable) ||
		errors.Is(err, keystore.ErrNoCollection) || errors.Is(err, keystore.ErrTimeout) || errors.Is(err, keystore.ErrDenied)
}

// adoptLocked hands stored sessions to their accounts, which load the newest
// live one and close the others: a crash may have cut that short. What cannot
// be read, though nothing is known to be wrong with it, its account looks at
// only when there is nothing else. It returns the others of these, and those
// that do not even say whose they are; they are kept, to be looked at again.
func (m *Manager) adoptLocked(ids []string) (unread []string) {
	byAccount := map[string][]keystore.Record{}
	var unclear []keystore.Record
	for _, id := range ids {
		rec, err := m.store.Peek(id)
		if err != nil {
			m.log.Error("a stored session cannot be read", "session", id, "account", rec.Account, "error", err)
		}
		verdict := errors.Is(err, keystore.ErrCorrupt) || errors.Is(err, keystore.ErrTampered)
		switch {
		case rec.Account == "":
			unread = append(unread, id)
		case err != nil && !verdict:
			unclear = append(unclear, rec)
		default:
			byAccount[rec.Account] = append(byAccount[rec.Account], rec)
		}
	}
	for _, rec := range unclear {
		a := m.accounts[rec.Account]
		if a == nil || a.rec != nil || len(a.found)+len(byAccount[rec.Account]) > 0 {
			unread = append(unread, rec.ID)
			continue
		}
		byAccount[rec.Account] = []keystore.Record{rec}
	}
	for name, recs := range byAccount {
		if a := m.accounts[name]; a != nil {
			a.found = append(a.found, recs...)
			a.poke()
			continue
		}
		for _, rec := range recs {
			m.keepOrphanLocked(rec)
		}
	}
	m.publishLocked()
	return unread
}

// keepOrphanLocked keeps a session whose account is not configured: a file
// that could not be found, or a table that was cut by mistake, must not cost a
// sign-in. It waits, sealed, for its account to come back, until its time is
// over. Without a server to revoke it at, all that can be done then is erase it.
func (m *Manager) keepOrphanLocked(rec keystore.Record) {
	over := !rec.StartedAt.IsZero() && m.clock.Now().After(rec.StartedAt.Add(m.limits.MaxAge))
	if rec.Ended != "" || over {
		m.retireLocked(rec, server{}, "its account is no longer configured")
		return
	}
	m.log.Warn("a stored session belongs to no account and is kept", "account", rec.Account, "hint", "bring the account back in config.toml, or end it: curfew remove "+rec.Account)
	m.orphans[rec.Account] = append(m.orphans[rec.Account], rec)
}

// removeOrphans erases the sessions of an account that is not configured, and
// reports whether there were any.
func (m *Manager) removeOrphans(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	recs := m.orphans[name]
	delete(m.orphans, name)
	for _, rec := range recs {
		m.retireLocked(rec, server{}, string(auth.ByUser))
	}
	return len(recs) > 0
}
