package engine

import (
	"context"
	"slices"
	"time"

	"curfew/auth"
)

// dueWarningsLocked are the warnings to give now.
func (a *account) dueWarningsLocked(now time.Time) []auth.Warning {
	return auth.DueWarnings(a.warningFactsLocked(now), a.facts.Warned)
}

// warnAgainLocked puts the warnings into v that were given and still hold, in
// the words of now.
func (a *account) warnAgainLocked(v *auth.Snapshot, now time.Time) {
	f := a.warningFactsLocked(now)
	f.ActiveAt = now
	for _, w := range auth.DueWarnings(f, nil) {
		if slices.Contains(a.facts.Warned, w.ID) {
			v.Warn(w.Text)
		}
	}
}

func (a *account) warningFactsLocked(now time.Time) auth.WarningFacts {
	s, l := a.sessionLocked(), a.m.limits
	f := auth.WarningFacts{
		Now:           now,
		SignedInAt:    s.SignedInAt,
		EndsAt:        s.SignedInAt.Add(l.MaxAge),
		MaxIdle:       l.MaxIdle,
		RefreshesLeft: s.Left(l),
		MaxRefreshes:  l.MaxRefreshes,
		LastRefreshAt: a.lastRefresh(),
		ActiveAt:      s.LastActivity,
	}
	if s.NoRefresh { // there are none to run out of
		f.RefreshesLeft = l.MaxRefreshes
	}
	switch end, by := s.EndsAt(l.Absolute()); by {
	case auth.LimitServer:
		f.ServerEndsAt = end
	default:
		f.EndsAt = end
	}
	if f.MaxIdle > 0 {
		f.IdleEndsAt = s.LastActivity.Add(f.MaxIdle)
	}
	if idle := a.server.Provider().IdleLifetime.Duration; idle > 0 {
		if at := f.LastRefreshAt.Add(idle); f.IdleEndsAt.IsZero() || at.Before(f.IdleEndsAt) {
			f.IdleEndsAt, f.MaxIdle = at, idle
		}
	}
	return f
}

// warn gives the warnings that are due: each once in a session.
func (a *account) warn(ctx context.Context) {
	a.m.mu.Lock()
	now := a.clock.Now()
	for _, w := range a.dueWarningsLocked(now) {
		a.facts.Warned = append(a.facts.Warned, w.ID)
		a.m.journal.Add(auth.Event{At: now, Account: a.name, Kind: auth.EventWarning, Text: w.Text})
	}
	a.m.publishLocked()
	a.m.mu.Unlock()
	a.note(ctx)
}
