package auth

import (
	"time"
)

// WarningLevel is which warnings of a session's coming end the desktop shows
// as notifications. The end of a session is shown at every level.
type WarningLevel string

// The levels.
const (
	WarnAll WarningLevel = "all" // the default
	WarnFew WarningLevel = "few" // only the last of each kind
	WarnOff WarningLevel = "off"
)

// A Snapshot is everything a person or a program may see of one account. No
// field holds a secret. It is the JSON of `curfew status --json` and of the
// agent's /v1/accounts and /v1/watch. The tray, the window and ui/status have
// no other input.
//
// Durations are whole seconds. Times are RFC 3339 in UTC, and unknown ones are
// left out. Counts are always present.
type Snapshot struct {
	Name     string `json:"name"`
	Provider string `json:"provider"` // preset name, or the issuer
	Subject  string `json:"subject"`  // who is signed in, in words (e-mail, name or sub)

	Hosts []string `json:"hosts,omitempty"` // whose tools get this account's tokens

	Directories []string `json:"directories,omitempty"`   // where commands that name no account mean this one
	Consent     string   `json:"consent,omitempty"`       // "ask": a person is asked first
	Asks        []Ask    `json:"asks,omitempty"`          // the programs that wait for an answer, the longest first
	Permits     []Permit `json:"permits,omitempty"`       // the answers that hold
	TokenFile   string   `json:"token_file,omitempty"`    // where its access token is kept for programs
	IDTokenFile string   `json:"id_token_file,omitempty"` // and its ID token

	State   State  `json:"state"`
	Reason  Reason `json:"reason"`  // why the session ended; empty unless State is Ended
	Message string `json:"message"` // one sentence for people about State

	MessageID   string `json:"message_id,omitempty"` // see [Text]
	MessageArgs Args   `json:"message_args,omitempty"`

	SignedInAt time.Time `json:"signed_in_at,omitzero"`
	EndsAt     time.Time `json:"ends_at,omitzero"`  // the age limit, or the server's nearer end
	EndedAt    time.Time `json:"ended_at,omitzero"` // when the last session ended, while there is no new one
	AgeLeft    int64     `json:"age_left_s"`

	RefreshesUsed int `json:"refreshes_used"`
	RefreshesLeft int `json:"refreshes_left"`
	MaxRefreshes  int `json:"max_refreshes"`

	NoRefresh bool `json:"no_refresh,omitempty"` // the server gave no refresh token: the session ends with its access token

	EndedLimits EndedLimits `json:"ended_limits,omitzero"` // those that the last session had when it ended

	MaxAge  int64 `json:"max_age_s"`  // the limits on time, as MaxRefreshes is that on refreshes: they hold for the next session too
	MaxIdle int64 `json:"max_idle_s"` // 0: off

	AccessExpiresAt time.Time `json:"access_expires_at,omitzero"`
	AccessLeft      int64     `json:"access_left_s"`
	AccessLifetime  int64     `json:"access_lifetime_s"` // as issued

	NextRefreshAt  time.Time `json:"next_refresh_at,omitzero"` // planned background refresh or retry
	NextReason     string    `json:"next_reason"`              // why then, or why none is planned, in words
	NextReasonID   string    `json:"next_reason_id,omitempty"` // see [Text]
	NextReasonArgs Args      `json:"next_reason_args,omitempty"`
	LastRefreshAt  time.Time `json:"last_refresh_at,omitzero"`
	LastUsedAt     time.Time `json:"last_used_at,omitzero"`
	LastUsedBy     string    `json:"last_used_by"` // program that asked for the last token
	TookTokens     []Taker   `json:"took_tokens"`  // which programs got tokens of this session, or of the last; newest first

	LimitedBy   Limit        `json:"limited_by"` // the rule that will end the session first
	RefreshMode Mode         `json:"refresh_mode"`
	Paused      bool         `json:"paused"` // background refresh is paused by the user
	Forecast    ForecastView `json:"forecast"`
	Warnings    []string     `json:"warnings"`

	WarningTexts []Text `json:"warning_texts"` // Warnings, as they can be said in any language

	WarningLevel WarningLevel `json:"warning_level"` // which of them the desktop may show as notifications

	SignIn *SignInView `json:"sign_in,omitempty"` // the running or last sign-in of this agent's life
}

// EndedLimits are the limits that a session had when it ended. A session that
// ended by its refreshes before MaxRefreshes were used has met the server's limit.
type EndedLimits struct {
	MaxAge       int64 `json:"max_age_s"`
	MaxRefreshes int   `json:"max_refreshes"`
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
	HistoryDays    float64   `json:"history_days"` // how much use it is made from
}

// SignInView is the progress of a sign-in. Its URL is in the answer to the
// sign-in request only, not here.
type SignInView struct {
	Flow      string    `json:"flow"`
	Phase     Phase     `json:"phase"`
	StartedAt time.Time `json:"started_at"`
	Text                // for people; says what to do when Phase is failed
	Error     Kind      `json:"error,omitempty"` // set when Phase is failed
}

// Say sets the message.
func (s *Snapshot) Say(t Text) { s.Message, s.MessageID, s.MessageArgs = t.Message, t.ID, t.Args }

// Plan sets the next refresh and its reason.
func (s *Snapshot) Plan(at time.Time, why Text) {
	s.NextRefreshAt = at
	s.NextReason, s.NextReasonID, s.NextReasonArgs = why.Message, why.ID, why.Args
}

// Text returns the message as it can be said in any language.
func (s Snapshot) Text() Text { return Text{s.Message, s.MessageID, s.MessageArgs} }

// NextText returns the reason of the next refresh as it can be said in any language.
func (s Snapshot) NextText() Text { return Text{s.NextReason, s.NextReasonID, s.NextReasonArgs} }

// Warn adds a warning.
func (s *Snapshot) Warn(t Text) {
	s.Warnings, s.WarningTexts = append(s.Warnings, t.Message), append(s.WarningTexts, t)
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

// The states.
const (
	SignedOut  State = "signed_out"
	SigningIn  State = "signing_in"
	Active     State = "active"     // the access token is valid
	Stale      State = "stale"      // the access token has expired, a refresh can renew it
	Refreshing State = "refreshing" // one refresh is in flight
	Waiting    State = "waiting"    // offline or throttled; NextRefreshAt says when it tries again
	Held       State = "held"       // the server refused for a reason a sign-in or a setting can fix
	Locked     State = "locked"     // the keychain is locked or away
	Suspect    State = "suspect"    // the clock cannot be right
	Ended      State = "ended"      // ended for good; Reason says why
)

// Reason is why a session ended.
type Reason string

// The reasons.
const (
	ByAge            Reason = "age"
	ByRefreshes      Reason = "refreshes"
	ByIdle           Reason = "idle"
	ByRevocation     Reason = "revoked"
	ByRotationLost   Reason = "rotation_lost"
	ByTampering      Reason = "tampered"
	BySubjectChanged Reason = "subject_changed"
	ByUser           Reason = "user"
	ByToken          Reason = "token" // its one access token expired, and there was no refresh token
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

// The refresh modes.
const (
	InUse    Mode = "in-use"
	Always   Mode = "always"
	OnDemand Mode = "on-demand"
)

// An Event is one line of an account's log. It says in words what happened and
// holds no secret. `curfew log`, GET .../events and the window's timeline show
// it.
type Event struct {
	At      time.Time `json:"at"`
	Account string    `json:"account"`
	Kind    EventKind `json:"kind"`
	Program string    `json:"program,omitempty"` // who asked, where somebody did
	Caller  *Caller   `json:"caller,omitempty"`  // what is known of it
	Count   int       `json:"count,omitempty"`   // refreshes used after a refresh; of a token, if that refresh was made for it
	Text
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
