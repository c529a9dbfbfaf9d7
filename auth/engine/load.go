package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"curfew/auth"
	"curfew/auth/engine/failure"
	"curfew/auth/engine/journal"
	"curfew/auth/engine/pair"
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
	case damaged(err):
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
		a.retireFound(rec)
		return
	}
	var facts facts
	if err := facts.decode(rec.Meta); errors.Is(err, keystore.ErrVersion) {
		a.cannotLoad(err)
		return
	} else if err != nil {
		m.log.Error("the facts of a session cannot be read", "account", a.name, "error", err)
	}
	kept, err := m.store.Access(ctx, rec.ID)
	token, id := pair.Split(kept)
	if err == nil && facts.NoRefresh {
		kept, err = m.store.Secret(ctx, rec.ID)
		token, _ = pair.Unpack(kept)
	}
	if err != nil {
		m.log.Warn("the kept access token cannot be read", "account", a.name, "error", err)
	}
	m.mu.Lock()
	if facts.Bound != a.server.bound {
		m.mu.Unlock()
		a.cannotLoad(failure.Binding(a.name))
		return
	}
	defer m.mu.Unlock()
	a.clock.Recall(facts.Clock)
	a.dropFoundLocked(rec.ID)
	if a.rec != nil {
		m.retireLocked(*a.rec, endReplaced, nil)
	}
	a.dropUnsavedLocked()
	a.rec, a.facts, a.use, a.access, a.id = &rec, facts, facts.Use, token, id
	a.forgetFutureLocked(a.clock.Now())
	a.retry, a.storeErr, a.sent = retry{}, nil, false
	if !rec.Pending {
		a.facts.For = nil
	}
	if rec.Pending { // the agent died in a cycle: its request may have left and been answered
		a.sent, a.facts.OutcomeUnknown = true, true
	} else if facts.Useless.Count > 0 {
		a.retry = m.afterUseless(facts)
	}
	if a.access.IsZero() {
		a.facts.AccessExpiresAt = time.Time{}
	}
	m.journal.Forget(a.name)
	// Callers from the time when the sessions were being read ask again. The
	// stored token may do, and a restart must not cost a refresh.
	if f := a.flight; f != nil {
		a.flight, f.again = nil, true
		close(f.done)
	}
	m.publishLocked()
}

// retireFound retires a stored session that is not the account's any more.
func (a *account) retireFound(rec keystore.Record) {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	a.dropFoundLocked(rec.ID)
	why := rec.Ended
	if why == "" {
		why = endReplaced
	} else if a.rec == nil {
		a.noteEndLocked(rec)
	}
	a.m.retireLocked(rec, why, nil)
	a.m.publishLocked()
}

// noteEndLocked notes the end of a stored session that has its tombstone, for
// the case that a crash came between that and the note.
func (a *account) noteEndLocked(rec keystore.Record) {
	if rec.Ended == endReplaced || a.m.journal.Past(rec.Account).Reason != "" {
		return
	}
	a.m.journal.Ended(journal.Past{Account: rec.Account, Reason: auth.Reason(rec.Ended), At: rec.HighWater, SignedInAt: rec.StartedAt, Used: rec.Used})
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
	if a.storeErr == nil { // once, not at each try
		a.m.log.Warn("a stored session cannot be loaded for now", "account", a.name, "error", err)
	}
	a.storeErr = err
	a.retry = retry{at: a.clock.Now().Add(pollInterval)}
	a.failFlightLocked(failure.Keychain(err))
	a.m.publishLocked()
}

// lookForKeychain checks whether the keychain is back, so that nobody is asked
// to unlock an unlocked one.
func (a *account) lookForKeychain(ctx context.Context) {
	err := a.m.store.Status(ctx)
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	if a.storeAt = a.clock.Now().Add(pollInterval); err == nil {
		a.storeErr = nil
		a.m.publishLocked()
	}
}

// isKeychainTransient reports whether err passes when the keychain can be used again.
func isKeychainTransient(err error) bool {
	return errors.Is(err, keystore.ErrLocked) || errors.Is(err, keystore.ErrUnavailable) ||
		errors.Is(err, keystore.ErrNoCollection) || errors.Is(err, keystore.ErrTimeout) || errors.Is(err, keystore.ErrDenied)
}

// A stray is a stored session that no account has taken. Its account is not
// configured, or it cannot be read for now, which err says. A file that could
// not be found must not cost a sign-in. Neither must a table that was cut by
// mistake. So the session waits, sealed, and is checked again until its time is
// up.
type stray struct {
	rec keystore.Record
	err error
}

// peek reads what the files say of stored sessions.
func (m *Manager) peek(ids []string) []stray {
	var found []stray
	for _, id := range ids {
		rec, err := m.store.Peek(id)
		found = append(found, stray{rec, err})
	}
	return found
}

// unclear reports whether nothing is known to be wrong with the session, though
// it cannot be read.
func (s stray) unclear() bool { return s.err != nil && !damaged(s.err) }

// adoptLocked hands stored sessions to their accounts, which load the newest
// live one and close the others: a crash may have cut that short. An account
// looks at its unclear sessions only when there is nothing else.
func (m *Manager) adoptLocked(found []stray) {
	clear := slices.DeleteFunc(slices.Clone(found), stray.unclear)
	found = append(clear, slices.DeleteFunc(found, func(s stray) bool { return !s.unclear() })...)
	for _, s := range found {
		a := m.accounts[s.rec.Account]
		switch {
		case a != nil && (!s.unclear() || a.rec == nil && len(a.found) == 0):
			a.found = append(a.found, s.rec)
			a.poke()
		case a == nil && !s.unclear() && m.strayOverLocked(s.rec):
			m.retireLocked(s.rec, cmp.Or(s.rec.Ended, string(auth.ByAge)), nil)
		default:
			m.strays = append(m.strays, s)
		}
	}
	m.publishLocked()
}

// strayOverLocked reports whether a session whose account is not configured
// has ended.
func (m *Manager) strayOverLocked(rec keystore.Record) bool {
	return rec.Ended != "" || !rec.StartedAt.IsZero() && m.clock.Now().After(rec.StartedAt.Add(m.limits.MaxAge))
}

// takeStraysLocked returns the strays that match, which are strays no longer.
func (m *Manager) takeStraysLocked(match func(keystore.Record) bool) []stray {
	var taken []stray
	m.strays = slices.DeleteFunc(m.strays, func(s stray) bool {
		if !match(s.rec) {
			return false
		}
		taken = append(taken, s)
		return true
	})
	return taken
}

// adoptStrays looks at the strays again.
func (m *Manager) adoptStrays() {
	var ids []string
	m.locked(func() {
		for _, s := range m.strays {
			ids = append(ids, s.rec.ID)
		}
	})
	if len(ids) == 0 {
		return
	}
	found := m.peek(ids)
	m.locked(func() {
		still := m.takeStraysLocked(func(rec keystore.Record) bool { return slices.Contains(ids, rec.ID) })
		m.adoptLocked(slices.DeleteFunc(found, func(s stray) bool {
			return !slices.ContainsFunc(still, func(o stray) bool { return o.rec.ID == s.rec.ID })
		}))
	})
}

func (m *Manager) logStrays() {
	m.locked(func() {
		for _, s := range m.strays {
			if s.err != nil {
				m.log.Error("a stored session cannot be read", "session", s.rec.ID, "account", s.rec.Account, "error", s.err)
			} else {
				m.log.Warn("a stored session belongs to no account and is kept", "account", s.rec.Account, "hint", "add the account to config.toml again, or end the session: curfew remove "+s.rec.Account)
			}
		}
	})
}
