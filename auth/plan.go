package auth

import (
	"slices"
	"time"
)

// The rules of this file. They bind background refreshes and token requests;
// only an explicit `curfew refresh` stands above them.
//
//   - A background refresh happens only inside the buffer before expiry: the
//     last fifth of the token's life, five minutes at most. Never earlier, and
//     never after expiry, where a refresh waits for a caller.
//   - Inside the buffer it happens late, [refreshLead] before expiry: what a
//     refresh throws away of the old token is lost for good.
//   - Two refreshes are never closer than half a lifetime, so a server that
//     hands out short-lived tokens cannot drain the budget.
//   - A session whose end is nearer than the buffer is not refreshed in the
//     background: the new token would die with it.
//   - Starting up, waking from suspend and a change of network decide nothing:
//     a plan depends on nothing but PlanInput, which they do not change.

// DefaultMinValid is how much life a token must have left when a caller does
// not say; for tokens shorter than two minutes it is half their life.
const DefaultMinValid = 60 * time.Second

const (
	bufferMost    = 5 * time.Minute
	retryRoom     = 30 * time.Second // for one slow attempt and its retry before default callers would notice
	demandHistory = 14 * 24 * time.Hour
	demandPrior   = 7 * 24 * time.Hour // a new account counts as having been silent this long
	demandKept    = 512
)

// Demand is what Plan knows of the callers. It is small, bounded, and saved
// with the account; a new sign-in keeps it.
type Demand struct {
	// Requests holds the requests at which a client that refreshes only on
	// demand would have needed a new token: Unix seconds, oldest first, at
	// most one per token life, bounded.
	Requests []int64 `json:"requests,omitempty"`
	Since    int64   `json:"since,omitempty"` // when the record begins, Unix seconds
	Last     int64   `json:"last,omitempty"`  // the newest request, Unix seconds
}

// Note records a token request; lifetime is that of the account's access
// tokens, 0 if unknown. It reports whether the record grew, which happens at
// most once per token life: the moment to save it.
func (d *Demand) Note(at time.Time, lifetime time.Duration) bool {
	t := at.Unix()
	if t < d.Last {
		return false
	}
	d.Last = t
	if d.Since == 0 {
		d.Since = t
	}
	if n := len(d.Requests); n > 0 {
		life := lifetime - minValidOr(-1, lifetime)
		if t-d.Requests[n-1] <= int64(life/time.Second) {
			return false
		}
	}
	d.Requests = append(d.Requests, t)
	if n := len(d.Requests); n > demandKept {
		d.Requests = slices.Clone(d.Requests[n-demandKept:])
		d.Since = d.Requests[0]
	}
	return true
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
	WakeAt  time.Time // when the refresh is due as things stand; zero: only when something changes
	Why     string    // one phrase for people: why then, or why not
}

// Plan decides whether to refresh now in the background. It is pure. Ask it at
// WakeAt, and whenever an input changed: after a sign-in, a refresh, a token
// request. Asking more often changes nothing.
func Plan(in PlanInput) Decision {
	switch {
	case in.RefreshesLeft <= 0:
		return Decision{Why: "no refreshes left"}
	case in.Mode == OnDemand:
		return Decision{Why: "when a program asks"}
	case in.AccessExpiresAt.IsZero() || in.AccessLifetime <= 0:
		return Decision{Why: "when a program asks: the token does not say how long it lives"}
	case !in.Now.Before(in.AccessExpiresAt):
		return Decision{Why: "when a program asks"}
	}
	due := in.AccessExpiresAt.Add(-refreshLead(in.AccessLifetime))
	if soonest := in.LastRefreshAt.Add(in.AccessLifetime / 2); soonest.After(due) {
		due = soonest
	}
	if in.Now.After(due) {
		due = in.Now
	}
	if !due.Before(in.AccessExpiresAt) {
		return Decision{Why: "when a program asks"}
	}
	if in.EndsAt.Sub(due) <= refreshBuffer(in.AccessLifetime) {
		return Decision{Why: "not again: this session ends first"}
	}
	why := "always kept fresh"
	if in.Mode != Always {
		var worth bool
		if worth, why = worthWarming(in, due); !worth {
			return Decision{Why: why}
		}
	}
	return Decision{Refresh: !in.Now.Before(due), WakeAt: due, Why: why}
}

// worthWarming reports whether mode in-use spends a refresh at due, and why.
func worthWarming(in PlanInput, due time.Time) (bool, string) {
	if in.Demand.Last <= in.LastRefreshAt.Unix() {
		return false, "when a program asks: not in use"
	}
	if spareRefreshes(in, due) < 1 {
		return false, "when a program asks: the refreshes left are needed for that"
	}
	return true, "in use"
}

// spareRefreshes is how many refreshes would be left over at the session's
// end if from now on only callers spent them, at their pace so far.
func spareRefreshes(in PlanInput, at time.Time) float64 {
	days := in.EndsAt.Sub(at).Hours() / 24
	need := demandPace(in.Demand, at) * days
	if in.ServerIdle > 0 {
		need = max(need, days/(in.ServerIdle.Hours()/24))
	}
	return float64(in.RefreshesLeft) - need
}

// demandPace is how many refreshes a day the callers of d need on demand.
func demandPace(d Demand, at time.Time) float64 {
	from := max(d.Since, at.Add(-demandHistory).Unix())
	i, _ := slices.BinarySearch(d.Requests, from)
	seen := time.Duration(at.Unix()-from) * time.Second
	if d.Since == 0 {
		seen = 0
	}
	seen = min(seen+demandPrior, demandHistory)
	return float64(len(d.Requests)-i) / (seen.Hours() / 24)
}

// refreshBuffer is the time before expiry in which a background refresh may
// happen: five minutes, or a fifth of the lifetime if that is less.
func refreshBuffer(lifetime time.Duration) time.Duration {
	return min(bufferMost, lifetime/5)
}

// refreshLead is how long before expiry a background refresh is due. Every
// second of it is a second of token life paid for and thrown away, but a
// default caller finds no token in the last DefaultMinValid, so the refresh
// comes half a minute before that: room for a slow attempt and a retry while
// nobody waits, and a minute more before the old token is dead.
func refreshLead(lifetime time.Duration) time.Duration {
	return min(refreshBuffer(lifetime), DefaultMinValid+retryRoom)
}

// Serving is the answer of [Serve].
type Serving int

// What to do with a token request.
const (
	ServeToken      Serving = iota // hand out the token at hand
	ServeRefresh                   // refresh first, then hand out what came
	ServeTooSoon                   // the token at hand is too short, and too young to be replaced
	ServeImpossible                // not even a fresh token lives that long
)

// Serve decides a request for a token with at least minValid of life left
// (below zero: the default). expiresAt is that of the token at hand; unknown
// (zero) counts as expired. lifetime is what a fresh token would live: as
// issued, or what is left of the session where that is less, so that a token
// which lives to the session's end is not exchanged for another such token.
//
// After ServeRefresh the caller gets the token the refresh brought without
// another look: seconds on the wire, or a lifetime the server shortened or
// left out, must not turn into a second refresh. ServeTooSoon ends half a
// lifetime after the token was issued, ServeImpossible only with a smaller
// minValid; neither spends a refresh.
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
