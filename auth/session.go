package auth

import (
	"time"
)

// Bounds is what the server lets us know of the session's end. Zero fields
// are unknown. They are read from the answer. If the refresh token is a JWT,
// its claims count too, without verification, since they can only tighten.
type Bounds struct {
	EndsAt       time.Time `json:"ends_at,omitzero"`      // refresh_expires_in, refresh_token_expires_in, exp
	OriginalIat  time.Time `json:"original_iat,omitzero"` // originalIat
	RefreshCount int       `json:"refresh_count"`         // refreshCount; 0 also when unknown
}

// This file holds the rules of a session. They are pure: facts and a time in,
// an answer out. Nothing here can extend a session. The strictest of our limits
// and the server's counts.

// Limits are the hard limits of a session.
type Limits struct {
	MaxAge       time.Duration // since sign-in; an age of exactly MaxAge still lives
	MaxRefreshes int           // the last one works, the next never starts
	MaxIdle      time.Duration // since the last use; 0: off
}

// BuiltIn are the limits that nothing can loosen: 30 days since sign-in, 20
// refreshes.
var BuiltIn = Limits{MaxAge: 30 * 24 * time.Hour, MaxRefreshes: 20}

// Tighten returns the stricter of l and o, rule by rule. Zero fields of o
// say nothing.
func (l Limits) Tighten(o Limits) Limits {
	if o.MaxAge > 0 && o.MaxAge < l.MaxAge {
		l.MaxAge = o.MaxAge
	}
	if o.MaxRefreshes > 0 && o.MaxRefreshes < l.MaxRefreshes {
		l.MaxRefreshes = o.MaxRefreshes
	}
	if o.MaxIdle > 0 && (l.MaxIdle == 0 || o.MaxIdle < l.MaxIdle) {
		l.MaxIdle = o.MaxIdle
	}
	return l
}

// Absolute is l without the rule about idleness, which use puts off.
func (l Limits) Absolute() Limits {
	l.MaxIdle = 0
	return l
}

// Session is what the rules need to know of one sign-in.
type Session struct {
	SignedInAt      time.Time
	LastActivity    time.Time     // the last token handed out, refresh or sign-in
	Used            int           // refresh cycles started, the open one included
	Pending         bool          // a cycle is open: counted, its outcome not known yet
	AccessExpiresAt time.Time     // zero: unknown, which counts as expired
	AccessLifetime  time.Duration // as issued
	Bounds          Bounds        // what the server said
	ServerLifetime  time.Duration // from sign-in to the provider's documented end; 0 if unknown
	NoRefresh       bool          // the server gave no refresh token: the session ends with its access token
}

// Left is the number of refresh cycles that may still start.
func (s Session) Left(l Limits) int {
	if s.NoRefresh {
		return 0
	}
	return max(0, l.MaxRefreshes-max(s.Used, s.Bounds.RefreshCount))
}

// EndsAt is the last instant at which the session still lives, and the rule
// that sets it.
func (s Session) EndsAt(l Limits) (time.Time, Limit) {
	at, by := s.SignedInAt.Add(l.MaxAge), LimitAge
	earlier := func(t time.Time, limit Limit) {
		if !t.IsZero() && t.Before(at) {
			at, by = t, limit
		}
	}
	if !s.Bounds.OriginalIat.IsZero() {
		earlier(s.Bounds.OriginalIat.Add(l.MaxAge), LimitAge)
	}
	if s.ServerLifetime > 0 {
		earlier(s.SignedInAt.Add(s.ServerLifetime), LimitServer)
	}
	// A server that counts the same days rounds its end to seconds; that is
	// our rule in other words, not a nearer one.
	if e := s.Bounds.EndsAt; !e.IsZero() && e.Before(at.Add(-2*time.Minute)) {
		earlier(e, LimitServer)
	}
	if s.NoRefresh {
		earlier(s.AccessExpiresAt, LimitServer)
	}
	if l.MaxIdle > 0 {
		earlier(s.LastActivity.Add(l.MaxIdle), LimitIdle)
	}
	return at, by
}

// Over says why the session has ended at now by age or idleness, or "" while it
// lives. Used up refreshes do not end it here, since the last access token is
// still valid. See [Session.Exhausted].
func (s Session) Over(l Limits, now time.Time) Reason {
	at, by := s.EndsAt(l)
	switch {
	case s.NoRefresh && !s.AccessGood(now) && by == LimitServer, s.NoRefresh && s.AccessExpiresAt.IsZero():
		return ByToken
	case !now.After(at):
		return ""
	case by == LimitIdle:
		return ByIdle
	default:
		return ByAge
	}
}

// Spent is why a session ends that has no refreshes left.
func (s Session) Spent() Reason {
	if s.NoRefresh {
		return ByToken
	}
	return ByRefreshes
}

// Exhausted reports whether no refresh may start or is still open.
func (s Session) Exhausted(l Limits) bool { return s.Left(l) == 0 && !s.Pending }

// AccessGood reports whether the access token has life left at now. An
// unknown expiry counts as expired.
func (s Session) AccessGood(now time.Time) bool { return now.Before(s.AccessExpiresAt) }

// Facts are all that the state of an account follows from.
type Facts struct {
	Session    *Session // nil: there is none
	Past       Reason   // how the last session ended, while there is no new one
	SigningIn  bool
	Refreshing bool
	Held       bool      // the server refused the client or its configuration
	Locked     bool      // the keychain is locked, away or does not answer
	RetryAt    time.Time // the next try after a passing failure; zero: none failed
	Suspect    bool      // wall clock and boot clock contradict each other
}

// Derive names the state of an account. It is the only place that does.
func Derive(f Facts, l Limits, now time.Time) (State, Reason) {
	s := f.Session
	switch {
	case f.SigningIn:
		return SigningIn, ""
	case s == nil && f.Past == ByUser:
		return SignedOut, ByUser
	case s == nil && f.Past != "":
		return Ended, f.Past
	case s == nil && f.Held:
		return Held, ""
	case s == nil && f.Locked:
		return Locked, ""
	case s == nil:
		return SignedOut, ""
	case f.Suspect:
		return Suspect, ""
	case s.Over(l, now) != "":
		return Ended, s.Over(l, now)
	case f.Refreshing:
		return Refreshing, ""
	case s.AccessGood(now):
		return Active, ""
	case s.Exhausted(l):
		return Ended, s.Spent()
	case f.Locked:
		return Locked, ""
	case f.Held:
		return Held, ""
	case !f.RetryAt.IsZero():
		return Waiting, ""
	default:
		return Stale, ""
	}
}

// LimitedBy names the rule that will end the session first at the pace so
// far: when the refreshes run out (by forecast) or the nearest end in time.
func (s Session) LimitedBy(l Limits, forecast ForecastView) Limit {
	if s.Left(l) == 0 && !s.NoRefresh {
		return LimitRefreshes
	}
	at, by := s.EndsAt(l)
	if forecast.By == LimitRefreshes && forecast.EndsAt.Before(at) {
		return LimitRefreshes
	}
	return by
}
