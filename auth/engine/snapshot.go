package engine

import (
	"cmp"
	"errors"
	"time"

	"curfew/auth"
	"curfew/auth/engine/clock"
	"curfew/auth/engine/failure"
	"curfew/auth/oauth"
	"curfew/keystore"
)

// factsLocked gathers what the account's state follows from.
func (a *account) factsLocked(t clock.Reading) auth.Facts {
	f := auth.Facts{SigningIn: a.signIn.running(), Refreshing: a.inFlight}
	if a.leaving > 0 {
		f.Past = auth.ByUser
		return f
	}
	if a.rec == nil {
		f.Past = a.m.journal.Past(a.name).Reason
	}
	if e, ok := errors.AsType[*auth.Error](a.storeErr); ok && e.Kind == auth.KindBadRequest || errors.Is(a.storeErr, keystore.ErrVersion) {
		f.Held = true // a setting, an update or a sign-in can fix it; the keychain cannot
	} else {
		f.Locked = a.storeErr != nil
	}
	if a.triesAgainLocked(t.Now) {
		f.RetryAt = a.retry.at
	}
	if a.rec != nil {
		s := a.sessionLocked()
		f.Session = &s
		f.Suspect = a.suspectLocked(t)
		f.Held = f.Held || a.retry.err != nil && a.retry.err.Class == oauth.HeldBack || a.uselessLocked()
	}
	return f
}

// uselessLocked reports whether the server's answers cost refreshes and bring
// nothing, so that a person has to look.
func (a *account) uselessLocked() bool {
	return a.retry.useless && a.facts.Useless.Count >= uselessHolds
}

// triesAgainLocked reports whether a failed refresh is tried again without
// anybody asking. What failed long ago says nothing of how things are.
func (a *account) triesAgainLocked(now time.Time) bool {
	switch {
	case a.rec == nil || a.retry.err == nil:
		return false
	case a.rec.Pending || now.Before(a.retry.at):
		return true
	}
	return !a.retry.useless && now.Sub(a.wantedAt) < wantedFor && !a.sessionLocked().AccessGood(now)
}

// snapshotLocked builds the account's snapshot of this moment.
func (a *account) snapshotLocked() auth.Snapshot {
	t := a.readLocked()
	now := t.Now
	f := a.factsLocked(t)
	v := auth.Snapshot{
		Name:         a.name,
		Provider:     cmp.Or(a.config.Issuer, a.config.Provider, a.config.TokenEndpoint),
		Hosts:        a.config.Hosts,
		Directories:  a.config.Directories,
		Consent:      a.config.Consent,
		TokenFile:    a.config.TokenFile,
		IDTokenFile:  a.config.IDTokenFile,
		MaxRefreshes: a.m.limits.MaxRefreshes,
		MaxAge:       seconds(a.m.limits.MaxAge),
		MaxIdle:      seconds(a.m.limits.MaxIdle),
		RefreshMode:  a.config.Refresh,
		Paused:       a.m.paused,
		Warnings:     []string{},
		WarningTexts: []auth.Text{},
		WarningLevel: a.m.warnings,
		TookTokens:   []auth.Taker{},
	}
	v.State, v.Reason = auth.Derive(f, a.m.limits, now)
	if a.signIn != nil {
		view := a.signIn.view
		view.StartedAt = view.StartedAt.UTC().Truncate(time.Second)
		v.SignIn = &view
	}
	if f.Session != nil {
		a.describeSessionLocked(&v, f, now)
	} else if past := a.m.journal.Past(a.name); past.Reason != "" {
		v.Subject = past.Subject
		v.SignedInAt = truncateUTC(past.SignedInAt)
		v.EndedAt = truncateUTC(past.At)
		v.RefreshesUsed = past.Used
		v.EndedLimits = past.Limits
		v.TookTokens = append(v.TookTokens, past.TookTokens...)
	}
	v.Say(a.messageLocked(v, now))
	return v
}

// describeSessionLocked fills in what a live session adds.
func (a *account) describeSessionLocked(v *auth.Snapshot, f auth.Facts, now time.Time) {
	s := *f.Session
	l := a.m.limits
	end, by := s.EndsAt(l)
	v.Subject = a.facts.Identity.Display
	v.SignedInAt = truncateUTC(s.SignedInAt)
	v.EndsAt = truncateUTC(end)
	v.AgeLeft = seconds(end.Sub(now))
	if v.NoRefresh = s.NoRefresh; !v.NoRefresh {
		v.RefreshesUsed = l.MaxRefreshes - s.Left(l)
	}
	v.RefreshesLeft = s.Left(l)
	v.AccessExpiresAt = truncateUTC(s.AccessExpiresAt)
	v.AccessLifetime = seconds(s.AccessLifetime)
	if s.AccessGood(now) {
		v.AccessLeft = seconds(s.AccessExpiresAt.Sub(now))
	}
	v.LastRefreshAt = truncateUTC(a.facts.LastRefreshAt)
	v.LastUsedAt = truncateUTC(a.use.LastActivity)
	v.LastUsedBy = a.use.LastUsedBy
	v.TookTokens = append(v.TookTokens, a.use.Takers...)
	d := a.planLocked(now)
	switch {
	case s.NoRefresh:
		v.Plan(time.Time{}, auth.Say("next_no_refresh"))
	case a.retry.at.After(now):
		v.Plan(truncateUTC(a.retry.at), auth.Say("next_try"))
	case a.m.paused:
		v.Plan(time.Time{}, auth.Say("next_paused"))
	default:
		v.Plan(truncateUTC(d.WakeAt), d.Why)
	}
	v.Forecast = a.forecast
	if a.forecastAt.IsZero() { // not made yet: the nearest fixed end
		v.Forecast = auth.ForecastView{EndsAt: v.EndsAt, By: by}
	}
	a.warnAgainLocked(v, now)
	v.LimitedBy = s.LimitedBy(l, v.Forecast)
	switch {
	case s.NoRefresh:
		v.Warn(auth.Say("warning_no_refresh"))
	case s.AccessLifetime == 0:
		v.Warn(auth.Say("warning_no_lifetime"))
	}
	if a.m.memory {
		v.Warn(auth.Say("warning_memory"))
	}
	switch {
	case a.unsaved != nil:
		v.Warn(auth.Say("warning_unsaved"))
	case a.storeErr != nil:
		v.Warn(failure.Keychain(a.storeErr).Text().Sentence())
	}
	if a.triesAgainLocked(now) || f.Held && a.retry.err != nil {
		v.Warn(failure.Text(a.retry.err).Sentence())
	}
}

// messageLocked is one sentence for people about the state.
func (a *account) messageLocked(v auth.Snapshot, now time.Time) auth.Text {
	switch v.State {
	case auth.SignedOut:
		return auth.Say("not_signed_in")
	case auth.SigningIn:
		return v.SignIn.Text
	case auth.Active:
		if v.RefreshesLeft == 0 && !a.rec.Pending && !v.NoRefresh {
			return auth.Say("last_access_token", v.MaxRefreshes)
		}
		return auth.Say("access_valid")
	case auth.Stale:
		return auth.Say("access_expired")
	case auth.Refreshing:
		return auth.Say("refreshing")
	case auth.Waiting:
		return a.failureErrorLocked().Text().Sentence()
	case auth.Held:
		if a.retry.err == nil {
			return failure.Keychain(a.storeErr).Text().Sentence()
		}
		return a.failureErrorLocked().Text().Sentence()
	case auth.Locked:
		return failure.Keychain(a.storeErr).Text().Sentence()
	case auth.Suspect:
		return failure.Suspect().Text().Sentence()
	case auth.Ended:
		return auth.EndText(v.Reason)
	}
	return auth.Text{}
}

// truncateUTC is t in UTC, to the second; the zero time stays zero.
func truncateUTC(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Second)
}

// seconds is d in whole seconds, never below zero.
func seconds(d time.Duration) int64 { return max(0, int64(d/time.Second)) }
