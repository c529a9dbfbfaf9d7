package auth

import "time"

// DefaultMinValid is how much life a token must have left when a caller does
// not say.
const DefaultMinValid = 60 * time.Second

// Demand is what Plan knows of the callers: when tokens were asked for, and
// by how many. It is small, bounded, and saved with the session.
type Demand struct {
	Requests []int64 `json:"requests,omitempty"` // Unix seconds, oldest first, bounded
}

// Note records a token request.
func (d *Demand) Note(at time.Time) { d.Requests = append(d.Requests, at.Unix()) }

// PlanInput is everything a plan may depend on.
type PlanInput struct {
	Mode            Mode
	Now             time.Time
	SignedInAt      time.Time
	EndsAt          time.Time // the nearest absolute end (ours or the server's)
	RefreshesLeft   int       // cycles that may still start
	MaxRefreshes    int
	AccessExpiresAt time.Time     // zero: expiry unknown, counts as expired
	AccessLifetime  time.Duration // as issued; 0 unknown
	LastRefreshAt   time.Time     // or the sign-in
	ServerIdle      time.Duration // the provider's refresh token dies when unused this long; 0: no such rule
	Demand          Demand
}

// Decision is what to do in the background.
type Decision struct {
	Refresh bool
	WakeAt  time.Time // when to ask again; zero: only when something changes
	Why     string    // one phrase for people: "when a program asks", "at 14:02, in use"
}

// Plan decides whether to refresh now in the background. It is pure.
func Plan(in PlanInput) Decision { panic("not yet") }
