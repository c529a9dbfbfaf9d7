package auth

import (
	"errors"
	"fmt"
	"time"

	"curfew/auth/oauth"
	"curfew/keystore"
)

// A Snapshot is everything a person or a program may see of one account: no
// field holds a secret. It is the JSON of `curfew status --json`, of the
// agent's /v1/accounts and of its /v1/watch, and the only input of ui/status,
// the tray and the window.
//
// Durations are whole seconds, times are RFC 3339 in UTC; a time that is not
// known is left out. Counts are always present.
type Snapshot struct {
	Name     string `json:"name"`
	Provider string `json:"provider"` // preset name, or the issuer
	Subject  string `json:"subject"`  // who is signed in, in words (e-mail, name or sub)

	State   State  `json:"state"`
	Reason  Reason `json:"reason"`  // why the session ended; empty unless State is Ended
	Message string `json:"message"` // one sentence for people about State

	SignedInAt time.Time `json:"signed_in_at,omitzero"`
	EndsAt     time.Time `json:"ends_at,omitzero"`  // the age limit, or the server's nearer end
	EndedAt    time.Time `json:"ended_at,omitzero"` // when the last session ended, while there is no new one
	AgeLeft    int64     `json:"age_left_s"`

	RefreshesUsed int `json:"refreshes_used"`
	RefreshesLeft int `json:"refreshes_left"`
	MaxRefreshes  int `json:"max_refreshes"`

	MaxAge  int64 `json:"max_age_s"`  // the limits on time, as MaxRefreshes is that on refreshes: they hold for the next session too
	MaxIdle int64 `json:"max_idle_s"` // 0: off

	AccessExpiresAt time.Time `json:"access_expires_at,omitzero"`
	AccessLeft      int64     `json:"access_left_s"`
	AccessLifetime  int64     `json:"access_lifetime_s"` // as issued

	NextRefreshAt time.Time `json:"next_refresh_at,omitzero"` // planned background refresh or retry
	NextReason    string    `json:"next_reason"`              // why then, or why none is planned, in words
	LastRefreshAt time.Time `json:"last_refresh_at,omitzero"`
	LastUsedAt    time.Time `json:"last_used_at,omitzero"`
	LastUsedBy    string    `json:"last_used_by"` // program that asked for the last token
	TookTokens    []Taker   `json:"took_tokens"`  // which programs got tokens of this session, or of the last; newest first

	LimitedBy   Limit        `json:"limited_by"` // the rule that will end the session first
	RefreshMode Mode         `json:"refresh_mode"`
	Paused      bool         `json:"paused"` // background refresh is paused by the user
	Forecast    ForecastView `json:"forecast"`
	Warnings    []string     `json:"warnings"`

	WarningLevel WarningLevel `json:"warning_level"` // which of them the desktop may show as notifications

	SignIn *SignInView `json:"sign_in,omitempty"` // the running or last sign-in of this agent's life
}

// A Taker is a program that got access tokens, by the name that it gave or
// that the system has for it, and when it got the last.
type Taker struct {
	Program string    `json:"program"`
	At      time.Time `json:"at"`
}

// ForecastView says when the session will end at today's pace. EarliestAt and
// LatestAt are the first and the last end among the futures that [Forecast]
// tried: far apart where use is irregular, and no promise.
type ForecastView struct {
	EndsAt         time.Time `json:"ends_at,omitzero"`
	EarliestAt     time.Time `json:"earliest_at,omitzero"`
	LatestAt       time.Time `json:"latest_at,omitzero"`
	By             Limit     `json:"by"`
	SignInsPer30d  float64   `json:"sign_ins_per_30d"`
	RefreshesPer1d float64   `json:"refreshes_per_1d"`
}

// SignInView is the progress of a sign-in. Its URL is in the answer to the
// sign-in request only, not here.
type SignInView struct {
	Flow      string    `json:"flow"`
	Phase     Phase     `json:"phase"`
	StartedAt time.Time `json:"started_at"`
	Message   string    `json:"message"`         // for people; says what to do when Phase is failed
	Error     Kind      `json:"error,omitempty"` // set when Phase is failed
}

// Phase is where a sign-in stands.
type Phase string

// The phases of a sign-in.
const (
	PhaseBrowser  Phase = "browser"  // waiting for the person in the browser
	PhaseExchange Phase = "exchange" // trading the code for tokens, saving them
	PhaseDone     Phase = "done"
	PhaseFailed   Phase = "failed"
)

// State is what an account is doing, derived by [Derive] and never stored.
type State string

// The states of design section 2.
const (
	SignedOut  State = "signed_out"
	SigningIn  State = "signing_in"
	Active     State = "active"     // the access token is good
	Stale      State = "stale"      // the access token is over, a refresh can renew it
	Refreshing State = "refreshing" // one refresh is in flight
	Waiting    State = "waiting"    // offline or throttled; NextRefreshAt says when it tries again
	Held       State = "held"       // the server refused for a reason a sign-in or a setting can mend
	Locked     State = "locked"     // the keychain is locked or away
	Suspect    State = "suspect"    // the clock cannot be right
	Ended      State = "ended"      // over for good; Reason says why
)

// Reason is why a session ended.
type Reason string

// The reasons of design section 2.
const (
	ByAge            Reason = "age"
	ByRefreshes      Reason = "refreshes"
	ByIdle           Reason = "idle"
	ByRevocation     Reason = "revoked"
	ByRotationLost   Reason = "rotation_lost"
	ByTampering      Reason = "tampered"
	BySubjectChanged Reason = "subject_changed"
	ByUser           Reason = "user"
)

// Limit names a rule that will end a session.
type Limit string

// The rules that can end a session. The server's own end is LimitServer.
const (
	LimitNone      Limit = ""
	LimitAge       Limit = "age"
	LimitRefreshes Limit = "refreshes"
	LimitIdle      Limit = "idle"
	LimitServer    Limit = "server"
)

// Mode is how an account spends its refreshes (`refresh` in the configuration).
type Mode string

// The refresh modes of design section 6.
const (
	InUse    Mode = "in-use"
	Always   Mode = "always"
	OnDemand Mode = "on-demand"
)

// An Event is one line of an account's log: what happened, in words, without
// secrets. `curfew log`, GET .../events and the window's timeline show it.
type Event struct {
	At      time.Time `json:"at"`
	Account string    `json:"account"`
	Kind    EventKind `json:"kind"`
	Program string    `json:"program,omitempty"` // who asked, where somebody did
	Count   int       `json:"count,omitempty"`   // refreshes used after a refresh
	Message string    `json:"message"`
}

// EventKind sorts events.
type EventKind string

// The kinds of events.
const (
	EventSignIn  EventKind = "sign_in"
	EventRefresh EventKind = "refresh"
	EventToken   EventKind = "token" // a token was handed out
	EventError   EventKind = "error"
	EventEnd     EventKind = "end"
	EventSignOut EventKind = "sign_out"
	EventConfig  EventKind = "config"
	EventWarning EventKind = "warning" // once per session and warning
)

// factsLocked gathers what the account's state follows from.
func (a *account) factsLocked(t Reading) Facts {
	f := Facts{SigningIn: a.signIn.running(), Refreshing: a.inFlight}
	if a.rec == nil {
		f.Past = a.m.journal.past(a.name).Reason
	}
	if e, ok := errors.AsType[*Error](a.storeErr); ok && e.Kind == KindBadRequest || errors.Is(a.storeErr, keystore.ErrVersion) {
		f.Held = true // a setting, an update or a sign-in can mend it; the keychain cannot
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

// snapshotLocked builds the account's snapshot of the moment t.
func (a *account) snapshotLocked(t Reading) Snapshot {
	now := t.Now
	f := a.factsLocked(t)
	v := Snapshot{
		Name:         a.name,
		Provider:     providerName(a.config),
		MaxRefreshes: a.m.limits.MaxRefreshes,
		MaxAge:       seconds(a.m.limits.MaxAge),
		MaxIdle:      seconds(a.m.limits.MaxIdle),
		RefreshMode:  a.config.Refresh,
		Paused:       a.m.paused,
		Warnings:     []string{},
		WarningLevel: a.m.warnings,
		TookTokens:   []Taker{},
	}
	v.State, v.Reason = Derive(f, a.m.limits, now)
	if a.signIn != nil {
		view := a.signIn.view
		view.StartedAt = view.StartedAt.UTC().Truncate(time.Second)
		v.SignIn = &view
	}
	if f.Session != nil {
		a.describeSessionLocked(&v, f, now)
	} else if past := a.m.journal.past(a.name); past.Reason != "" {
		v.Subject = past.Subject
		v.SignedInAt = whole(past.SignedInAt)
		v.EndedAt = whole(past.At)
		v.RefreshesUsed = past.Used
		v.TookTokens = append(v.TookTokens, past.TookTokens...)
	}
	v.Message = a.messageLocked(v, now)
	return v
}

// describeSessionLocked fills in what a live session adds.
func (a *account) describeSessionLocked(v *Snapshot, f Facts, now time.Time) {
	s := *f.Session
	l := a.m.limits
	end, by := s.EndsAt(l)
	v.Subject = a.facts.Identity.Display
	v.SignedInAt = whole(s.SignedInAt)
	v.EndsAt = whole(end)
	v.AgeLeft = seconds(end.Sub(now))
	v.RefreshesUsed = l.MaxRefreshes - s.Left(l)
	v.RefreshesLeft = s.Left(l)
	v.AccessExpiresAt = whole(s.AccessExpiresAt)
	v.AccessLifetime = seconds(s.AccessLifetime)
	if s.AccessGood(now) {
		v.AccessLeft = seconds(s.AccessExpiresAt.Sub(now))
	}
	v.LastRefreshAt = whole(a.facts.LastRefreshAt)
	v.LastUsedAt = whole(a.use.LastActivity)
	v.LastUsedBy = a.use.LastUsedBy
	v.TookTokens = append(v.TookTokens, a.use.Takers...)
	d := a.planLocked(now)
	switch {
	case a.retry.at.After(now):
		v.NextRefreshAt, v.NextReason = whole(a.retry.at), "next try"
	case a.m.paused:
		v.NextReason = "background refresh is paused"
	default:
		v.NextRefreshAt, v.NextReason = whole(d.WakeAt), d.Why
	}
	v.Forecast = a.forecast
	if a.forecastAt.IsZero() { // not made yet: the nearest fixed end
		v.Forecast = ForecastView{EndsAt: v.EndsAt, By: by}
	}
	v.Warnings = append(v.Warnings, a.warningWordsLocked(now)...)
	v.LimitedBy = s.LimitedBy(l, v.Forecast)
	if a.m.memory {
		v.Warnings = append(v.Warnings, "Kept in memory only: this session ends when the agent does.")
	}
	switch {
	case a.unsaved != nil:
		v.Warnings = append(v.Warnings, "The refreshed session is not saved yet; Curfew keeps trying. Do not shut down.")
	case a.storeErr != nil:
		v.Warnings = append(v.Warnings, sentence(keychainError(a.storeErr).Message))
	}
	if a.triesAgainLocked(now) || f.Held && a.retry.err != nil {
		v.Warnings = append(v.Warnings, sentence(failureWords(a.retry.err)))
	}
}

// messageLocked is one sentence for people about the state.
func (a *account) messageLocked(v Snapshot, now time.Time) string {
	switch v.State {
	case SignedOut:
		return "Not signed in."
	case SigningIn:
		return v.SignIn.Message
	case Active:
		if v.RefreshesLeft == 0 && !a.rec.Pending {
			if v.MaxRefreshes == 1 {
				return "The one refresh is used up. The last access token works until it expires; then it takes a new sign-in."
			}
			return fmt.Sprintf("The %d refreshes are used up. The last access token works until it expires; then it takes a new sign-in.", v.MaxRefreshes)
		}
		return "The access token is good."
	case Stale:
		return "The access token is over; the next request renews it."
	case Refreshing:
		return "Refreshing."
	case Waiting:
		return sentence(a.failureErrorLocked().Message)
	case Held:
		if a.retry.err == nil {
			return sentence(keychainError(a.storeErr).Message)
		}
		return sentence(a.failureErrorLocked().Message)
	case Locked:
		return sentence(keychainError(a.storeErr).Message)
	case Suspect:
		return sentence(suspectError().Message)
	case Ended:
		return endMessage(v.Reason)
	}
	return ""
}

func providerName(c Account) string {
	switch {
	case c.Issuer != "":
		return c.Issuer
	case c.Provider != "":
		return c.Provider
	default:
		return c.TokenEndpoint
	}
}

// whole is t in UTC, to the second; the zero time stays zero.
func whole(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Second)
}

// seconds is d in whole seconds, never below zero.
func seconds(d time.Duration) int64 { return max(0, int64(d/time.Second)) }
