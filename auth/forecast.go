package auth

import (
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
	Modes    map[Mode]ModeForecast `json:"modes"`             // what each mode would have cost
	Note     string                `json:"note"`              // how sure it is, and what no plan can help, in words
	NoteID   string                `json:"note_id,omitempty"` // see [Text]
	NoteArgs Args                  `json:"note_args,omitempty"`
}

// NoteText returns the note as it can be said in any language.
func (f ForecastReport) NoteText() Text { return Text{f.Note, f.NoteID, f.NoteArgs} }

// ModeForecast is what a mode costs if use goes on as it was.
type ModeForecast struct {
	RefreshesPer1d float64 `json:"refreshes_per_1d"`
	SignInsPer30d  float64 `json:"sign_ins_per_30d"`
	WaitedPer1d    float64 `json:"waited_per_1d"` // times a day that a program waits for the network
}

const (
	// futuresTried is how many continuations of the past a forecast tries;
	// odd, so that one of them is the median.
	futuresTried = 15
	// habitHalfLife is the age in days at which a day counts half as much as
	// today: habits change, and a change should not take a month to show.
	habitHalfLife = 4
)

// Forecast says when the session will end if use goes on as it was, and what
// each mode would cost. It is pure.
//
// It assumes that the past repeats. Days are drawn from the record, newer ones
// more often, working days for working days and weekends for weekends. They are
// played to the real [Plan] from the session as it stands. The median of their
// ends is the forecast. The first and the last of them say how sure it is. With
// less than a day of record the hours so far repeat.
func Forecast(in ForecastInput) ForecastReport {
	in, past := in.prepare()
	f := ForecastReport{Modes: make(map[Mode]ModeForecast)}
	for _, mode := range []Mode{InUse, Always, OnDemand} {
		f.Modes[mode] = in.cost(mode, past)
	}
	f.ForecastView = in.view(past, f.Modes[in.Mode])
	f.HistoryDays = in.historyDays(past)
	note := in.caveat(past, f.HistoryDays)
	f.Note, f.NoteID, f.NoteArgs = note.Message, note.ID, note.Args
	return f
}

// ForecastSnapshot is the part of a [Forecast] that a snapshot shows. It costs
// less than all of it.
func ForecastSnapshot(in ForecastInput) ForecastView {
	in, past := in.prepare()
	v := in.view(past, in.cost(in.Mode, past))
	v.HistoryDays = in.historyDays(past)
	return v
}

// historyDays is how much use there is to go by.
func (in ForecastInput) historyDays(past []int64) float64 {
	if len(past) == 0 {
		return 0
	}
	return in.Now.Sub(time.Unix(in.Demand.Since, 0)).Hours() / 24
}

// prepare fills in what is left out, and returns all requests so far.
func (in ForecastInput) prepare() (ForecastInput, []int64) {
	if in.MaxAge == 0 {
		in.MaxAge = BuiltIn.MaxAge
	}
	return in, in.Demand.expand(in.AccessLifetime)
}

// view plays the futures.
func (in ForecastInput) view(past []int64, cost ModeForecast) ForecastView {
	type end struct {
		at time.Time
		by Limit
	}
	all := newFutures(past, in.Demand.Since, in.Now)
	ends := make([]end, all.different())
	for i := range ends {
		ends[i].at, ends[i].by = in.end(all.play(in.EndsAt, uint64(i)))
	}
	slices.SortStableFunc(ends, func(a, b end) int { return a.at.Compare(b.at) })
	first, median, last := ends[0], ends[len(ends)/2], ends[len(ends)-1]
	return ForecastView{EndsAt: median.at, By: median.by, EarliestAt: first.at, LatestAt: last.at,
		SignInsPer30d: cost.SignInsPer30d, RefreshesPer1d: cost.RefreshesPer1d}
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

// cost replays the past through a mode.
func (in ForecastInput) cost(mode Mode, past []int64) ModeForecast {
	fewest := (30 * 24 * time.Hour).Hours() / in.MaxAge.Hours()
	if len(past) == 0 {
		return ModeForecast{SignInsPer30d: fewest}
	}
	requests := make([]time.Time, len(past))
	for i, t := range past {
		requests[i] = time.Unix(t, 0)
	}
	o := TraceOptions{AccessTTL: in.AccessLifetime, Limits: Limits{MaxAge: in.MaxAge, MaxRefreshes: in.MaxRefreshes}}
	days := max(in.Now.Sub(requests[0]), time.Hour).Hours() / 24
	r := replay(requests, in.Now, mode, o)
	tokens := float64(r.Refreshes + r.SignIns) // the current one is not used up
	return ModeForecast{
		RefreshesPer1d: float64(r.Refreshes) / days,
		SignInsPer30d:  max(fewest, tokens/float64(in.MaxRefreshes+1)*30/days),
		WaitedPer1d:    float64(r.Waited) / days,
	}
}

func (in ForecastInput) caveat(past []int64, days float64) Text {
	switch {
	case len(past) == 0:
		return Say("forecast_nothing_yet")
	case in.ServerIdle > 0 && in.EndsAt.Sub(in.Now)/in.ServerIdle > time.Duration(in.RefreshesLeft):
		return Say("forecast_too_idle", int(math.Round(in.ServerIdle.Hours()/24)))
	case days < 1:
		return Say("forecast_rough")
	case longestSilence(append(past, in.Now.Unix())) <= int64(in.AccessLifetime/time.Second):
		return Say("forecast_no_pause")
	case days < 7:
		return Say("forecast_days", int(math.Round(days)))
	}
	return Say("forecast_window", int(math.Round(min(days, demandWindow.Hours()/24))))
}

// expand returns the requests of the record with the lives filled in. Between
// the first and the last request of a life there were others that the record
// leaves out. A token of another phase will meet them.
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

// futures are continuations of the past, a record that begins at since.
type futures struct {
	past  []int64
	since int64
	now   time.Time
	today int64            // midnight
	back  map[bool][]int64 // by weekend: how many days back there are whole ones to draw from
}

const secondsADay = 24 * 60 * 60

func newFutures(past []int64, since int64, now time.Time) futures {
	year, month, date := now.Date()
	f := futures{past: past, since: since, now: now, today: time.Date(year, month, date, 0, 0, 0, 0, now.Location()).Unix(), back: make(map[bool][]int64)}
	whole := min((f.today-since)/secondsADay, int64(demandWindow.Hours()/24)) // from midnight to midnight
	for back := int64(1); back <= whole; back++ {
		w := f.weekend(f.today - back*secondsADay)
		f.back[w] = append(f.back[w], back)
	}
	return f
}

func (f futures) weekend(midnight int64) bool {
	d := time.Unix(midnight+secondsADay/2, 0).In(f.now.Location()).Weekday()
	return d == time.Saturday || d == time.Sunday
}

// different is how many futures can differ: one where there is nothing to
// draw from.
func (f futures) different() int {
	if len(f.back[true]) <= 1 && len(f.back[false]) <= 1 {
		return 1
	}
	return futuresTried
}

// play yields the requests from now until an end, in the future of a seed.
func (f futures) play(until time.Time, seed uint64) iter.Seq[time.Time] {
	// slice yields the requests in [from, from+length) as if from were at to.
	slice := func(from, to, length int64, yield func(time.Time) bool) bool {
		i, _ := slices.BinarySearch(f.past, from)
		for ; i < len(f.past) && f.past[i] < from+length; i++ {
			if t := f.past[i] - from + to; t > f.now.Unix() && !yield(time.Unix(t, 0)) {
				return false
			}
		}
		return true
	}
	if len(f.back) == 0 {
		length := max(f.now.Unix()-f.since+1, 60*60)
		return func(yield func(time.Time) bool) {
			newest := f.now.Unix() + 1 - length
			for to := f.now.Unix() + 1; to < until.Unix() && slice(newest, to, length, yield); to += length {
			}
		}
	}
	return func(yield func(time.Time) bool) {
		draw := rand.New(rand.NewPCG(seed, 0))
		for to := f.today; to < until.Unix(); to += secondsADay {
			from := f.back[f.weekend(to)]
			if len(from) == 0 {
				from = f.back[!f.weekend(to)]
			}
			if !slice(f.today-pickRecent(draw, from)*secondsADay, to, secondsADay, yield) {
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
