package auth

import (
	"slices"
	"sync"
	"time"
)

// The rules of this file. They bind background refreshes and token requests;
// only an explicit `curfew refresh` stands above them.
//
//   - A background refresh happens only inside the buffer before expiry. That
//     is the last fifth of the token's life, five minutes at most. It never
//     happens earlier. After expiry a refresh waits for a caller.
//   - Inside the buffer it happens late, [refreshLead] before expiry: what a
//     refresh throws away of the old token is lost for good.
//   - Two refreshes are never closer than half a lifetime, so a server that
//     hands out short-lived tokens cannot drain the budget.
//   - A session whose end is nearer than the buffer is not refreshed in the
//     background: the new token would die with it.
//   - Starting up, waking from suspend and a change of network decide nothing.
//     A plan depends on PlanInput alone, which they do not change.

// DefaultMinValid is how much life a token must have left when a caller does
// not say; for tokens shorter than two minutes it is half their life.
const DefaultMinValid = 60 * time.Second

const (
	bufferMost = 5 * time.Minute
	retryRoom  = 30 * time.Second

	// A silence longer than this ends a sitting, as far as a plan can tell.
	sittingGap = 10 * time.Minute

	demandWindow = 28 * 24 * time.Hour // whole weeks, so that weekends weigh what they should
	demandPrior  = 7 * 24 * time.Hour  // the silence that a new account is taken to have behind it
	demandKept   = 1024

	noteTolerance = 24 * 60 * 60 // seconds: what is later than this was noted by a clock that was ahead
)

// Demand is what Plan knows of the callers. It is small, bounded and saved with
// the account. A new sign-in keeps it, because the callers stay the same. Times
// are Unix seconds.
//
// It is all about lives: what a client that refreshes only on demand would
// have gone through. A life starts at a request that found no valid token and
// lasts as long as the token fetched then.
type Demand struct {
	Since    int64   `json:"since,omitempty"`    // when the record begins
	Life     int64   `json:"life,omitempty"`     // when the newest life started
	Requests []int64 `json:"requests,omitempty"` // the first and the last request of each life, oldest first
}

// Note records a token request; lifetime is that of the account's access
// tokens, 0 if unknown. It reports whether a new life began, which is the
// moment to save the record.
//
// What is noted as later than at comes from a clock that was ahead, and is
// dropped: else nothing would count until that time has come.
func (d *Demand) Note(at time.Time, lifetime time.Duration) bool {
	t := at.Unix()
	d.forgetAfter(t + noteTolerance)
	n := len(d.Requests)
	switch {
	case n == 0:
		d.Since = t
	case t < d.Requests[n-1]: // the clock went back; what it says of the order is worth nothing
		return false
	case t-d.Life <= lifeSeconds(lifetime) && d.Requests[n-1] == d.Life:
		d.Requests = append(d.Requests, t)
		return false
	case t-d.Life <= lifeSeconds(lifetime):
		d.Requests[n-1] = t
		return false
	}
	d.Life = t
	d.Requests = append(d.Requests, t)
	if len(d.Requests) > demandKept {
		d.Requests = slices.Clone(d.Requests[demandKept/4:])
		d.Since = d.Requests[0]
	}
	return true
}

// forgetAfter drops the requests later than t.
func (d *Demand) forgetAfter(t int64) {
	n := len(d.Requests)
	for n > 0 && d.Requests[n-1] > t {
		n--
	}
	if n == len(d.Requests) {
		return
	}
	d.Requests, d.Life = slices.Clip(d.Requests[:n]), 0
	if n > 0 {
		d.Life = d.Requests[n-1]
	}
}

// last is the time of the newest request.
func (d Demand) last() time.Time {
	if len(d.Requests) == 0 {
		return time.Time{}
	}
	return time.Unix(d.Requests[len(d.Requests)-1], 0)
}

// pace is how many refreshes a day the callers need when nothing is refreshed
// without them. It rises slowly. Until the window is full, a week of silence
// counts as seen, so the first sitting of a new account does not pass for a
// habit.
func (d Demand) pace(lifetime time.Duration, now time.Time) float64 {
	from := max(d.Since, now.Add(-demandWindow).Unix())
	seen := min(time.Duration(now.Unix()-from)*time.Second+demandPrior, demandWindow)
	lives, covered, life := 0, from, lifeSeconds(lifetime)
	for _, t := range d.Requests {
		if t >= covered {
			lives++
			covered = t + life + 1
		}
	}
	return float64(lives) / (seen.Hours() / 24)
}

// lifeSeconds is how long a token serves callers who do not say how long they
// need it.
func lifeSeconds(lifetime time.Duration) int64 {
	return int64((lifetime - minValidOr(-1, lifetime)) / time.Second)
}

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
	WakeAt  time.Time // when the refresh is due as things stand; zero: none is
	Why     Text      // one phrase for people: why then, or why none is due
}

// phrases are what a decision says. A forecast asks for many thousands, so they are
// made once.
var phrases = sync.OnceValue(func() (p struct {
	noneLeft, onDemand, noLifetime, notInUse, allNeeded, notAgain, always, inUse, idleRule Text
}) {
	p.noneLeft = Say("next_none_left")
	p.onDemand = Say("next_on_demand")
	p.noLifetime = Say("next_on_demand_why", Say("why_lifetime_unknown"))
	p.notInUse = Say("next_on_demand_why", Say("why_not_in_use"))
	p.allNeeded = Say("next_on_demand_why", Say("why_all_needed"))
	p.notAgain = Say("next_not_again")
	p.always = Say("next_always")
	p.inUse = Say("next_in_use")
	p.idleRule = Say("why_provider_idle")
	return p
})

// Plan decides whether to refresh now in the background. It is pure. Ask it at
// WakeAt, and after every sign-in, refresh or token request. Asking more often
// changes nothing.
func Plan(in PlanInput) Decision {
	switch {
	case in.RefreshesLeft <= 0:
		return Decision{Why: phrases().noneLeft}
	case in.Mode == OnDemand:
		return Decision{Why: phrases().onDemand}
	case in.AccessExpiresAt.IsZero() || in.AccessLifetime <= 0:
		return Decision{Why: phrases().noLifetime}
	}
	due := in.AccessExpiresAt.Add(-refreshLead(in.AccessLifetime))
	if soonest := in.LastRefreshAt.Add(in.AccessLifetime / 2); soonest.After(due) {
		due = soonest
	}
	if in.Now.After(due) {
		due = in.Now
	}
	if !due.Before(in.AccessExpiresAt) {
		return Decision{Why: phrases().onDemand}
	}
	if in.EndsAt.Sub(due) <= refreshBuffer(in.AccessLifetime) {
		return Decision{Why: phrases().notAgain}
	}
	why := phrases().always
	if in.Mode != Always {
		var worth bool
		if worth, why = worthWarming(in, due); !worth {
			return Decision{Why: why}
		}
	}
	return Decision{Refresh: !in.Now.Before(due), WakeAt: due, Why: why}
}

// worthWarming reports whether mode in-use spends a refresh at due, and why.
//
// Two questions decide. Is the account in use, so that the next request is
// likely to come within the next token's life? And would the refresh go to
// waste otherwise, because the callers' pace leaves some over at the session's
// end? Where even twice their pace leaves some, a longer silence still counts as
// use.
func worthWarming(in PlanInput, due time.Time) (bool, Text) {
	left := float64(in.RefreshesLeft)
	if in.ServerIdle > 0 && left >= refreshesToEnd(in) {
		return true, phrases().idleRule
	}
	silence := due.Sub(in.Demand.last())
	if silence >= in.AccessLifetime/2 { // so it was asked for since it was fetched
		return false, phrases().notInUse
	}
	need := refreshesNeeded(in, due)
	switch {
	case left-need < 1:
		return false, phrases().allNeeded
	case silence > sittingGap && left-2*need < 1:
		return false, phrases().notInUse
	}
	return true, phrases().inUse
}

// refreshesNeeded is how many refreshes callers will ask for from at until the
// session's end, at their pace so far. If it takes more to keep the provider
// from ending the sign-in as unused, it is that number.
func refreshesNeeded(in PlanInput, at time.Time) float64 {
	left := in.EndsAt.Sub(at)
	need := in.Demand.pace(in.AccessLifetime, at) * left.Hours() / 24
	if in.ServerIdle > 0 {
		need = max(need, float64(left/in.ServerIdle))
	}
	return need
}

// refreshesToEnd is how many refreshes keep the current token fresh without a
// break until the session's end.
func refreshesToEnd(in PlanInput) float64 {
	step := in.AccessLifetime - refreshLead(in.AccessLifetime)
	return float64(in.EndsAt.Sub(in.AccessExpiresAt)/step) + 1
}

// refreshBuffer is the time before expiry in which a background refresh may
// happen: five minutes, or a fifth of the lifetime if that is less.
func refreshBuffer(lifetime time.Duration) time.Duration {
	return min(bufferMost, lifetime/5)
}

// refreshLead is how long before expiry a background refresh is due. Every
// second of it is token life paid for and thrown away. But in the last
// DefaultMinValid a caller finds no token, so the refresh comes half a minute
// before that. This leaves room for a slow attempt and a retry while nobody has
// to wait. Another minute is left for more of them before the old token
// expires. At 15 minutes that is 90 s of a buffer of 180 s.
func refreshLead(lifetime time.Duration) time.Duration {
	return min(refreshBuffer(lifetime), DefaultMinValid+retryRoom)
}

// Serving is the answer of [Serve].
type Serving int

// What to do with a token request.
const (
	ServeToken      Serving = iota // hand out the current token
	ServeRefresh                   // refresh first, then hand out what came
	ServeTooSoon                   // the current token is too short, but too new to be replaced
	ServeImpossible                // not even a fresh token lives that long
)

// Serve decides a request for a token with at least minValid of life left
// (below zero: the default). expiresAt is that of the current token. An unknown
// (zero) one counts as expired. lifetime is how long a fresh token would live,
// which the rest of the session bounds. So a token that lives to the session's
// end is not exchanged for another such token.
//
// After ServeRefresh the caller gets the token that the refresh brought,
// without another check. Seconds on the wire must not turn into a second
// refresh. Neither must a lifetime that the server shortened or left out.
// Neither ServeTooSoon nor ServeImpossible spends a refresh. The first ends half
// a lifetime after the token was issued, the second only with a smaller minValid.
func Serve(expiresAt time.Time, lifetime, minValid time.Duration, now time.Time) Serving {
	if expiresAt.IsZero() || lifetime <= 0 {
		return ServeRefresh
	}
	minValid = minValidOr(minValid, lifetime)
	left := expiresAt.Sub(now)
	switch {
	case left > 0 && left >= minValid:
		return ServeToken
	case minValid > lifetime:
		return ServeImpossible
	case left > lifetime/2:
		return ServeTooSoon
	}
	return ServeRefresh
}

// minValidOr returns minValid, or the default where it is below zero.
func minValidOr(minValid, lifetime time.Duration) time.Duration {
	if minValid < 0 {
		return min(DefaultMinValid, lifetime/2)
	}
	return minValid
}
