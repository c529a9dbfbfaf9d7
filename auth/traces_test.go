package auth

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// A pattern is a way people and programs ask for tokens. generate makes 30
// days of it that start on a Monday, in seconds from then.
type pattern struct {
	name     string
	generate func(*rand.Rand) []float64
}

const (
	minute = 60.0
	hour   = 60 * minute
	day    = 24 * hour
)

// patterns are the built-in generators.
var patterns = []pattern{
	{"music player in sittings", func(r *rand.Rand) []float64 {
		return eachDay(r, 30, func(weekend bool) (ts []float64) {
			if r.Float64() < pick(weekend, 0.8, 0.6) {
				ts = append(ts, sitting(r, 19.5*hour+gauss(r, 80*minute), logNormal(r, 75*minute, 0.5), 3.5*minute)...)
			}
			if weekend && r.Float64() < 0.5 {
				ts = append(ts, sitting(r, 11*hour+gauss(r, 80*minute), logNormal(r, 60*minute, 0.5), 3.5*minute)...)
			}
			return ts
		})
	}},
	{"developer's working day", workingDays},
	{"a few calls a day", fewCalls},
	{"cron every six hours", func(r *rand.Rand) (ts []float64) {
		for t := 0.0; t < 30*day; t += 6 * hour {
			ts = append(ts, t+r.Float64()*20)
		}
		return ts
	}},
	{"git in bursts", gitBursts},
	{"mail poller that never sleeps", func(r *rand.Rand) (ts []float64) {
		for t := 0.0; t < 30*day; t += 5*minute + r.Float64()*2 {
			ts = append(ts, t)
		}
		return ts
	}},
	{"quiet, then busy from mid-month", func(r *rand.Rand) []float64 {
		early := slices.DeleteFunc(fewCalls(r), func(t float64) bool { return t >= 15*day })
		late := slices.DeleteFunc(append(workingDays(r), gitBursts(r)...), func(t float64) bool { return t < 15*day })
		return append(early, late...)
	}},
	{"busy, then quiet from mid-month", func(r *rand.Rand) []float64 {
		late := slices.DeleteFunc(fewCalls(r), func(t float64) bool { return t < 15*day })
		early := slices.DeleteFunc(append(workingDays(r), gitBursts(r)...), func(t float64) bool { return t >= 15*day })
		return append(early, late...)
	}},
	{"music on Sundays", func(r *rand.Rand) []float64 {
		var ts []float64
		for d := 6.0; d < 30; d += 7 {
			for _, t := range sitting(r, 15*hour+gauss(r, 80*minute), logNormal(r, 40*minute, 0.3), 3.5*minute) {
				ts = append(ts, d*day+t)
			}
		}
		return ts
	}},
	{"a report on Fridays", func(r *rand.Rand) []float64 {
		var ts []float64
		for d := 4.0; d < 30; d += 7 {
			for _, t := range sitting(r, 14*hour+gauss(r, 60*minute), 30*minute+r.Float64()*20*minute, 20) {
				ts = append(ts, d*day+t)
			}
		}
		return ts
	}},
	{"an hour of calls every few days", func(r *rand.Rand) []float64 {
		var ts []float64
		for d := r.Float64() * 4; d < 30; d += 3 + r.Float64()*4 {
			for _, t := range sitting(r, 0, logNormal(r, 35*minute, 0.4), 1*minute) {
				ts = append(ts, d*day+t)
			}
		}
		return ts
	}},
}

func workingDays(r *rand.Rand) []float64 {
	return eachDay(r, 30, func(weekend bool) (ts []float64) {
		if weekend {
			return nil
		}
		start, end := 9*hour+gauss(r, 25*minute), 17.5*hour+gauss(r, 40*minute)
		lunch := 12.5*hour + gauss(r, 20*minute)
		for t := start; t < end; {
			stop := t + r.ExpFloat64()*25*minute
			ts = append(ts, sitting(r, t, stop-t, 1.5*minute)...)
			t = stop + r.ExpFloat64()*12*minute
			if t > lunch {
				t, lunch = t+45*minute+gauss(r, 10*minute), math.Inf(1)
			}
		}
		return ts
	})
}

func fewCalls(r *rand.Rand) []float64 {
	return eachDay(r, 30, func(bool) (ts []float64) {
		for t := 8 * hour; ; {
			t += r.ExpFloat64() * 4 * hour
			if t > 23*hour {
				return ts
			}
			ts = append(ts, t)
		}
	})
}

func gitBursts(r *rand.Rand) []float64 {
	return eachDay(r, 30, func(weekend bool) (ts []float64) {
		if weekend {
			return nil
		}
		for t := 9 * hour; ; {
			t += r.ExpFloat64() * 80 * minute
			if t > 18*hour {
				return ts
			}
			for range 2 + r.IntN(7) {
				ts = append(ts, t)
				t += r.ExpFloat64() * 15
			}
		}
	})
}

func eachDay(r *rand.Rand, days int, one func(weekend bool) []float64) (ts []float64) {
	for d := range days {
		for _, t := range one(d%7 >= 5) {
			ts = append(ts, float64(d)*day+t)
		}
	}
	return ts
}

// sitting is a stretch of use: a request about every gap seconds.
func sitting(r *rand.Rand, start, length, gap float64) (ts []float64) {
	for t := start; t <= start+length; t += gap * (0.5 + r.Float64()) {
		ts = append(ts, t)
	}
	return ts
}

func gauss(r *rand.Rand, sigma float64) float64 { return r.NormFloat64() * sigma }

func logNormal(r *rand.Rand, median, sigma float64) float64 {
	return median * math.Exp(r.NormFloat64()*sigma)
}

func pick(c bool, yes, no float64) float64 {
	if c {
		return yes
	}
	return no
}

const monday = 1_790_553_600 // 2026-09-28 00:00 UTC

// traceOf makes the trace of one seed. Seeds below 1000 were for finding the
// rules of plan.go and forecast.go; those that judge them start there.
func traceOf(p pattern, seed uint64) []time.Time {
	ts := p.generate(rand.New(rand.NewPCG(seed, 20)))
	slices.Sort(ts)
	times := make([]time.Time, len(ts))
	for i, t := range ts {
		times[i] = time.UnixMilli(monday*1000 + int64(t*1000)).UTC()
	}
	return times
}

// longTraceOf is two months of a pattern: what comes after the first must be
// known to judge a forecast.
func longTraceOf(p pattern, seed uint64) []time.Time {
	const weeks = 4 * 7 * 24 * time.Hour
	second := time.Unix(monday, 0).Add(weeks)
	ts := slices.DeleteFunc(traceOf(p, seed), func(t time.Time) bool { return !t.Before(second) })
	for _, t := range traceOf(p, seed+1_000_000) {
		ts = append(ts, t.Add(weeks))
	}
	return ts
}
