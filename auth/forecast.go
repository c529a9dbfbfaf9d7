package auth

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// ForecastInput is everything a forecast may depend on. The time zone of Now
// says when a day begins and which days are weekends.
type ForecastInput struct {
	PlanInput
	EndsBy  Limit         // the rule behind EndsAt: LimitAge or LimitServer
	MaxAge  time.Duration // of a session; 0: as built in
	MaxIdle time.Duration // our inactivity limit; 0: off
}

// ForecastReport is the answer of `curfew forecast NAME`.
type ForecastReport struct {
	ForecastView
	HistoryDays float64               `json:"history_days"` // how much use it is made from
	Modes       map[Mode]ModeForecast `json:"modes"`        // what each mode would have cost
	Note        string                `json:"note"`         // how sure it is, and what no plan can help, in words
}

// ModeForecast is what a mode costs if use goes on as it was.
type ModeForecast struct {
	RefreshesPer1d float64 `json:"refreshes_per_1d"`
	SignInsPer30d  float64 `json:"sign_ins_per_30d"`
	WaitedPer1d    float64 `json:"waited_per_1d"` // times a day that a program waits for the network
}

const (
	// futures is how many continuations of the past a forecast tries; odd, so
	// that one of them is the median.
	futures = 15
	// habitHalfLife is the age in days at which a day counts half as much as
	// today: habits change, and a change should not take a month to show.
	habitHalfLife = 4
)

// Forecast says when the session will end if use goes on as it was, and what
// each mode would cost. It is pure.
//
// The future it assumes is the past again: days are drawn from the record,
// working days for working days and weekends for weekends, newer ones more
// often, and played to the real [Plan] from the session as it stands. The
// median of their ends is the forecast; the first and the last of them say how
// sure it is. With less than a day of record the hours so far repeat.
func Forecast(in ForecastInput) ForecastReport {
	if in.MaxAge == 0 {
		in.MaxAge = BuiltIn.MaxAge
	}
	past := in.Demand.expand(in.AccessLifetime)
	f := ForecastReport{Modes: in.modes(past)}
	f.SignInsPer30d = f.Modes[in.Mode].SignInsPer30d
	f.RefreshesPer1d = f.Modes[in.Mode].RefreshesPer1d

	type end struct {
		at time.Time
		by Limit
	}
	ends := make([]end, futures)
	for i := range ends {
		ends[i].at, ends[i].by = in.end(repeat(past, in.Demand.Since, in.Now, in.EndsAt, uint64(i)))
	}
	slices.SortStableFunc(ends, func(a, b end) int { return a.at.Compare(b.at) })
	f.EndsAt, f.By = ends[futures/2].at, ends[futures/2].by
	f.EarliestAt, f.LatestAt = ends[0].at, ends[futures-1].at

	if len(past) > 0 {
		f.HistoryDays = in.Now.Sub(time.Unix(in.Demand.Since, 0)).Hours() / 24
	}
	f.Note = in.note(past, f.HistoryDays)
	return f
}

// end plays a future to the session and returns when and by which rule it ends.
func (in ForecastInput) end(future iter.Seq[time.Time]) (time.Time, Limit) {
	r := &replayed{session: in.PlanInput, o: TraceOptions{AccessTTL: in.AccessLifetime}}
	s := &r.session
	s.Demand.Requests = slices.Clone(s.Demand.Requests)
	active := s.SignedInAt
	if last := s.Demand.last(); last.After(active) {
		active = last
	}
	idle := func() (time.Time, Limit) {
		at, by := s.EndsAt, in.EndsBy
		if ours := active.Add(in.MaxIdle); in.MaxIdle > 0 && ours.Before(at) {
			at, by = ours, LimitIdle
		}
		if theirs := s.LastRefreshAt.Add(in.ServerIdle); in.ServerIdle > 0 && theirs.Before(at) {
			at, by = theirs, LimitServer
		}
		return at, by
	}
	for t := range future {
		r.idleUntil(t)
		if s.RefreshesLeft <= 0 {
			break
		}
		if at, by := idle(); !t.Before(at) {
			return at, by
		}
		r.request(t)
		active = t
	}
	r.idleUntil(s.EndsAt)
	at, by := idle()
	if s.RefreshesLeft <= 0 && s.AccessExpiresAt.Before(at) {
		return s.AccessExpiresAt, LimitRefreshes
	}
	return at, by
}

// modes replays the past through every mode.
func (in ForecastInput) modes(past []int64) map[Mode]ModeForecast {
	modes := make(map[Mode]ModeForecast)
	fewest := (30 * 24 * time.Hour).Hours() / in.MaxAge.Hours()
	if len(past) == 0 {
		for _, mode := range []Mode{InUse, Always, OnDemand} {
			modes[mode] = ModeForecast{SignInsPer30d: fewest}
		}
		return modes
	}
	requests := make([]time.Time, len(past))
	for i, t := range past {
		requests[i] = time.Unix(t, 0)
	}
	o := TraceOptions{AccessTTL: in.AccessLifetime, Limits: Limits{MaxAge: in.MaxAge, MaxRefreshes: in.MaxRefreshes}}
	days := max(in.Now.Sub(requests[0]), time.Hour).Hours() / 24
	for _, mode := range []Mode{InUse, Always, OnDemand} {
		r := replay(requests, in.Now, mode, o)
		tokens := float64(1 + r.Refreshes + r.SignIns)
		modes[mode] = ModeForecast{
			RefreshesPer1d: float64(r.Refreshes) / days,
			SignInsPer30d:  max(fewest, tokens/float64(in.MaxRefreshes+1)*30/days),
			WaitedPer1d:    float64(r.Waited) / days,
		}
	}
	return modes
}

func (in ForecastInput) note(past []int64, days float64) string {
	switch {
	case len(past) == 0:
		return "Nothing has asked for a token yet, so this is only the nearest fixed end."
	case in.ServerIdle > 0 && in.EndsAt.Sub(in.Now)/in.ServerIdle > time.Duration(in.RefreshesLeft):
		return fmt.Sprintf("The provider ends a sign-in that is not refreshed for %.0f days, and the refreshes left are too few to prevent that until the end.", in.ServerIdle.Hours()/24)
	case days < 1:
		return "Rough: made from less than a day of use, as if every hour were like those so far."
	case longestSilence(append(past, in.Now.Unix())) <= int64(in.AccessLifetime/time.Second):
		return "Programs ask around the clock and never pause for as long as a token lives, so no plan can save refreshes. Longer-lived tokens would, or programs that ask less often."
	case days < 7:
		return fmt.Sprintf("Made from %.0f days of use; a weekend or a working day not seen yet counts like the others.", days)
	}
	return fmt.Sprintf("Made from the last %.0f days of use, as if the coming days were like them.", min(days, demandWindow.Hours()/24))
}

// expand returns the requests of the record with the lives filled in: between
// the first and the last request of a life there were others, about which the
// record is silent, and which a token of another phase will meet.
func (d Demand) expand(lifetime time.Duration) []int64 {
	var past []int64
	var covered int64
	step := max(lifeSeconds(lifetime)/8, 1)
	for _, t := range d.Requests {
		if t >= covered {
			covered = t + lifeSeconds(lifetime) + 1
		} else {
			for at := past[len(past)-1] + step; at < t; at += step {
				past = append(past, at)
			}
		}
		past = append(past, t)
	}
	return past
}

// repeat continues the past, a record that begins at since, from now until an
// end.
func repeat(past []int64, since int64, now, until time.Time, seed uint64) iter.Seq[time.Time] {
	const day = 24 * 60 * 60
	year, month, date := now.Date()
	today := time.Date(year, month, date, 0, 0, 0, 0, now.Location()).Unix()
	whole := min((today-since)/day, int64(demandWindow.Hours()/24)) // days from midnight to midnight

	// slice yields the requests in [from, from+length) as if from were at to.
	slice := func(from, to, length int64, yield func(time.Time) bool) bool {
		i, _ := slices.BinarySearch(past, from)
		for ; i < len(past) && past[i] < from+length; i++ {
			if t := past[i] - from + to; t > now.Unix() && !yield(time.Unix(t, 0)) {
				return false
			}
		}
		return true
	}
	if whole <= 0 {
		length := max(now.Unix()-since+1, 60*60)
		return func(yield func(time.Time) bool) {
			newest := now.Unix() + 1 - length
			for to := now.Unix() + 1; to < until.Unix() && slice(newest, to, length, yield); to += length {
			}
		}
	}
	weekend := func(midnight int64) bool {
		d := time.Unix(midnight+day/2, 0).In(now.Location()).Weekday()
		return d == time.Saturday || d == time.Sunday
	}
	days := make(map[bool][]int64) // by weekend: how many days back
	for back := int64(1); back <= whole; back++ {
		w := weekend(today - back*day)
		days[w] = append(days[w], back)
	}
	return func(yield func(time.Time) bool) {
		draw := rand.New(rand.NewPCG(seed, 0))
		for to := today; to < until.Unix(); to += day {
			from := days[weekend(to)]
			if len(from) == 0 {
				from = days[!weekend(to)]
			}
			if !slice(today-pickRecent(draw, from)*day, to, day, yield) {
				return
			}
		}
	}
}

// pickRecent draws one of the days, the newer the likelier.
func pickRecent(draw *rand.Rand, back []int64) int64 {
	weight := func(b int64) float64 { return math.Exp2(-float64(b) / habitHalfLife) }
	total := 0.0
	for _, b := range back {
		total += weight(b)
	}
	u := draw.Float64() * total
	for _, b := range back {
		if u -= weight(b); u < 0 {
			return b
		}
	}
	return back[len(back)-1]
}
