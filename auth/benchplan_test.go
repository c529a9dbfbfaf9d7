package auth

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// `go test ./auth -run TestBenchPlan -args -bench-plan DIR` measures the plan
// on the built-in generators and writes DIR/table.md and DIR/plan.svg. Without
// the flag the same measurement, on fewer seeds, is held to its bounds.
var benchPlan = flag.String("bench-plan", "", "folder to write the table and the picture of the plan into")

const (
	judgeSeed     = 1000 // seeds below were for finding the rules
	frontierSeeds = 10
	forecastSeeds = 5
)

// A row is one line of the table: a pattern with one token lifetime.
type row struct {
	pattern pattern
	ttl     time.Duration
	traces  []measured
}

// measured is one trace.
type measured struct {
	TraceResult
	free      ModeResult // in-use if refreshes were unlimited
	foresight []int      // fewest refreshes with at most so many waits; nil: not computed
}

// scarce says that a session is not enough for the callers alone.
func (m measured) scarce() bool { return m.OptimumSignIns > 0 }

// plentiful says that a session is enough for twice what the callers need.
func (m measured) plentiful() bool { return m.Optimum <= BuiltIn.MaxRefreshes/2 }

// ratio is the refreshes of in-use over those of the optimum.
func (m measured) ratio() float64 {
	return float64(m.Modes[InUse].Refreshes) / math.Max(1, float64(m.Optimum))
}

func measure(seeds, withFrontier int) (rows []row) {
	for _, p := range patterns {
		for _, ttl := range []time.Duration{15 * time.Minute, time.Hour} {
			r := row{pattern: p, ttl: ttl}
			for i := range seeds {
				trace := traceOf(p, judgeSeed+uint64(i))
				m := measured{TraceResult: runTrace(trace, TraceOptions{AccessTTL: ttl})}
				m.free = replay(trace, trace[0].Add(BuiltIn.MaxAge), InUse,
					TraceOptions{AccessTTL: ttl, Limits: Limits{MaxAge: BuiltIn.MaxAge, MaxRefreshes: math.MaxInt32}})
				if i < withFrontier {
					m.foresight = frontier(trace, ttl)
				}
				r.traces = append(r.traces, m)
			}
			rows = append(rows, r)
		}
	}
	return rows
}

func (r row) mean(f func(measured) float64) float64 {
	sum := 0.0
	for _, m := range r.traces {
		sum += f(m)
	}
	return sum / float64(len(r.traces))
}

func (r row) count(f func(measured) bool) (n int) {
	for _, m := range r.traces {
		if f(m) {
			n++
		}
	}
	return n
}

// point is where a way to refresh stands: the share of the requests that
// waited, and the refreshes it spent.
func (r row) point(of func(measured) ModeResult) (waited, refreshes float64) {
	mean := func(f func(ModeResult) int) float64 {
		return r.mean(func(m measured) float64 { return float64(f(of(m))) })
	}
	requests := mean(func(m ModeResult) int { return m.Requests })
	return mean(func(m ModeResult) int { return m.Waited }) / requests, mean(func(m ModeResult) int { return m.Refreshes })
}

func mode(mode Mode) func(measured) ModeResult {
	return func(m measured) ModeResult { return m.Modes[mode] }
}

func unlimited(m measured) ModeResult { return m.free }

func (r row) waited(of func(measured) ModeResult) float64 {
	waited, _ := r.point(of)
	return waited
}

// late is the share that had to wait of the requests that a background refresh
// of the token before could have served: on the traces that keep says.
func (r row) late(mode Mode, keep func(measured) bool) float64 {
	late, could := 0, 0
	for _, m := range r.traces {
		if c := m.Modes[mode]; keep(m) {
			late += c.Avoidable
			could += c.Requests - c.Waited + c.Avoidable
		}
	}
	return float64(late) / float64(could)
}

func TestBenchPlan(t *testing.T) {
	seeds, withFrontier := 8, 0
	if *benchPlan != "" {
		seeds, withFrontier = 100, frontierSeeds
	}
	rows := measure(seeds, withFrontier)
	plentiful := row{}
	for _, r := range rows {
		for i, m := range r.traces {
			in := m.Modes[InUse]
			if m.scarce() && m.ratio() > 1.15 {
				t.Errorf("%s, %v, seed %d: %d refreshes, the optimum is %d", r.pattern.name, r.ttl, judgeSeed+i, in.Refreshes, m.Optimum)
			}
			if float64(in.SignIns) > 1.15*float64(m.OptimumSignIns)+1 {
				t.Errorf("%s, %v, seed %d: %d sign-ins, the optimum is %d", r.pattern.name, r.ttl, judgeSeed+i, in.SignIns, m.OptimumSignIns)
			}
			if m.plentiful() {
				plentiful.traces = append(plentiful.traces, m)
			}
		}
	}
	if got := plentiful.late(InUse, measured.plentiful); !(got <= 0.01) {
		t.Errorf("of the requests that could have been warm on plentiful traces, %.2f %% waited", 100*got)
	}
	if *benchPlan == "" {
		return
	}
	if err := os.MkdirAll(*benchPlan, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"table.md": table(rows), "plan.svg": picture(rows)} {
		if err := os.WriteFile(filepath.Join(*benchPlan, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// frontier returns, for every number of waits, the fewest refreshes of a client
// that knows the future and keeps the rules. It refreshes for a caller or in
// the buffer before expiry. It does so at most 20 times in a session, and signs
// in only when a request needs that. -1 means that not even such a client can
// do it.
//
// Of all ways to spend as many tokens on as many waits, the one whose token
// expires last is as good as any other from there on. So it is enough to
// remember that one. A background refresh is best made at the last moment.
func frontier(requests []time.Time, ttl time.Duration) []int {
	at := make([]int64, len(requests))
	for i, t := range requests {
		at[i] = t.Sub(requests[0]).Milliseconds()
	}
	life, minValid := ttl.Milliseconds(), DefaultMinValid.Milliseconds()
	const none = -1
	waits := len(requests) + 1
	best := make([]int, waits)
	for i := range best {
		best[i] = none
	}
	expires := slices.Repeat([]int64{none}, waits)
	expires[0] = life
	for tokens, open := 0, true; open; tokens++ { // after the first sign-in
		next := slices.Repeat([]int64{none}, waits)
		open = false
		for w, e := range expires {
			if e == none {
				continue
			}
			i, _ := slices.BinarySearch(at, e-minValid+1)
			if i == len(at) {
				if refreshes := tokens - tokens/(BuiltIn.MaxRefreshes+1); best[w] == none || refreshes < best[w] {
					best[w] = refreshes
				}
				continue
			}
			open = true
			next[w+1] = max(next[w+1], at[i]+life)
			if tokens%(BuiltIn.MaxRefreshes+1) < BuiltIn.MaxRefreshes {
				next[w] = max(next[w], min(at[i], e)+life)
			}
		}
		expires = next
	}
	fewest := none
	for w, n := range best {
		if n != none && (fewest == none || n < fewest) {
			fewest = n
		}
		best[w] = fewest
	}
	return best
}

func table(rows []row) string {
	var b strings.Builder
	any := func(measured) bool { return true }
	spent := func(r row, of func(measured) ModeResult) string {
		_, refreshes := r.point(of)
		return fmt.Sprintf("%.1f (%.1f)", refreshes, r.mean(func(m measured) float64 { return float64(of(m).SignIns) }))
	}
	fmt.Fprintf(&b, "Refreshes in 30 days, with forced sign-ins in brackets. Each number is the mean of %d traces.\n\n", len(rows[0].traces))
	fmt.Fprintln(&b, "| use | tokens | scarce, between, plentiful | optimum | on-demand | in-use | always | in-use over the optimum: mean, worst scarce |")
	fmt.Fprintln(&b, "|---|---|---|---|---|---|---|---|")
	for _, r := range rows {
		scarce, plentiful := r.count(measured.scarce), r.count(measured.plentiful)
		worst := "-"
		for _, m := range r.traces {
			if s := fmt.Sprintf("%.2f", m.ratio()); m.scarce() && (worst == "-" || s > worst) {
				worst = s
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %d, %d, %d | %s | %s | %s | %s | %.2f, %s |\n",
			r.pattern.name, lifetimeName(r.ttl), scarce, len(r.traces)-scarce-plentiful, plentiful,
			spent(r, func(m measured) ModeResult {
				return ModeResult{Refreshes: m.Optimum, SignIns: m.OptimumSignIns, Requests: 1}
			}),
			spent(r, mode(OnDemand)), spent(r, mode(InUse)), spent(r, mode(Always)), r.mean(measured.ratio), worst)
	}
	fmt.Fprintln(&b, "\nRequests that waited, as shares.")
	fmt.Fprintln(&b, "\n| use | tokens | on-demand | in-use | always | late: on-demand | late: in-use | in-use over the fewest with foresight | were refreshes unlimited: in-use spends | and waits |")
	fmt.Fprintln(&b, "|---|---|---|---|---|---|---|---|---|---|")
	for _, r := range rows {
		spent, needed := 0, 0
		for _, m := range r.traces {
			if m.foresight != nil {
				spent += m.Modes[InUse].Refreshes
				needed += m.foresight[m.Modes[InUse].Waited]
			}
		}
		freeWaits, freeSpends := r.point(unlimited)
		fmt.Fprintf(&b, "| %s | %s | %.1f %% | %.1f %% | %.1f %% | %.2f %% | %.2f %% | %.2f | %.1f | %.1f %% |\n", r.pattern.name, lifetimeName(r.ttl),
			100*r.waited(mode(OnDemand)), 100*r.waited(mode(InUse)), 100*r.waited(mode(Always)), 100*r.late(OnDemand, any), 100*r.late(InUse, any),
			float64(spent)/float64(needed), freeSpends, 100*freeWaits)
	}
	fmt.Fprintf(&b, "\n| class | traces | refreshes over the optimum: mean, worst | beyond 1.15 | sign-ins beyond 1.15 times the optimum and one | late: in-use, on-demand |\n|---|---|---|---|---|---|\n")
	for _, class := range []struct {
		name string
		keep func(measured) bool
	}{
		{"scarce", measured.scarce},
		{"between", func(m measured) bool { return !m.scarce() && !m.plentiful() }},
		{"plentiful", measured.plentiful},
	} {
		var all row
		for _, r := range rows {
			for _, m := range r.traces {
				if class.keep(m) {
					all.traces = append(all.traces, m)
				}
			}
		}
		worst := 0.0
		for _, m := range all.traces {
			worst = max(worst, m.ratio())
		}
		fmt.Fprintf(&b, "| %s | %d | %.3f, %.2f | %d | %d | %.2f, %.2f %% |\n", class.name, len(all.traces), all.mean(measured.ratio), worst,
			all.count(func(m measured) bool { return m.ratio() > 1.15 }),
			all.count(func(m measured) bool { return float64(m.Modes[InUse].SignIns) > 1.15*float64(m.OptimumSignIns)+1 }),
			100*all.late(InUse, any), 100*all.late(OnDemand, any))
	}
	fmt.Fprintf(&b, "\n| use | tokens | forecasts | median error | nine of ten below | median error if the generator is known |\n|---|---|---|---|---|---|\n")
	var pooled, pooledKnowing []float64
	line := func(name, tokens string, errors, knowing []float64) {
		slices.Sort(errors)
		fmt.Fprintf(&b, "| %s | %s | %d | %.1f %% | %.0f %% | %.1f %% |\n", name, tokens, len(errors), 100*median(errors), 100*errors[len(errors)*9/10], 100*median(knowing))
	}
	for _, r := range rows {
		ask := func(in ForecastInput) time.Time { return Forecast(in).EndsAt }
		errors := forecastErrors(r.pattern, r.ttl, judgeSeed, judgeSeed+forecastSeeds, 5*time.Hour, ask)
		knowing := forecastErrors(r.pattern, r.ttl, judgeSeed, judgeSeed+forecastSeeds, 5*time.Hour, knowingForecast(r.pattern))
		pooled, pooledKnowing = append(pooled, errors...), append(pooledKnowing, knowing...)
		line(r.pattern.name, lifetimeName(r.ttl), errors, knowing)
	}
	line("all", "", pooled, pooledKnowing)
	return b.String()
}

// knowingForecast forecasts with futures made by the generator itself: what is
// left of the error is chance, and no forecast can be much better.
func knowingForecast(p pattern) func(ForecastInput) time.Time {
	var drawn [futuresTried][]time.Time
	for i := range drawn {
		drawn[i] = longTraceOf(p, 2*judgeSeed+uint64(i))
	}
	return func(in ForecastInput) time.Time {
		var ends []time.Time
		for _, future := range drawn {
			i, _ := slices.BinarySearchFunc(future, in.Now, time.Time.Compare)
			end, _ := in.end(slices.Values(future[i:]))
			ends = append(ends, end)
		}
		slices.SortFunc(ends, time.Time.Compare)
		return ends[futuresTried/2]
	}
}

func lifetimeName(d time.Duration) string {
	if d >= time.Hour {
		return fmt.Sprintf("%.0f h", d.Hours())
	}
	return fmt.Sprintf("%.0f min", d.Minutes())
}

// shown are the patterns of the picture.
var shown = []string{"music player in sittings", "developer's working day", "a few calls a day", "a report on Fridays"}

// picture draws refreshes against requests that waited: the modes, and the
// frontier of clients that know the future.
func picture(rows []row) string {
	const (
		width, height = 250, 210
		left, top     = 50, 78
		plotW, plotH  = 190, 140
	)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11" fill="#222">`+"\n", len(shown)*width+20, 2*height+top+10)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#fff"/>`+"\n")
	fmt.Fprintf(&b, `<text x="20" y="24" font-size="16" font-weight="bold">Refreshes spent in 30 days (up) against the share of requests that had to wait (across), means of %d traces</text>`+"\n", frontierSeeds)
	marks := []struct {
		name  string
		of    func(measured) ModeResult
		color string
		shape string // around 0,0
	}{
		{"on-demand", mode(OnDemand), "#b35900", `<rect x="-4.5" y="-4.5" width="9" height="9" fill="none" stroke-width="2"/>`},
		{"always", mode(Always), "#666", `<path d="M0,-6L6,5H-6Z" fill="none" stroke-width="2"/>`},
		{"in-use", mode(InUse), "#0050b3", `<circle r="4"/>`},
		{"in-use, were refreshes unlimited", unlimited, "#0050b3", `<circle r="4" fill="none" stroke-width="2"/>`},
	}
	x := 20
	for _, m := range marks {
		fmt.Fprintf(&b, `<g transform="translate(%d,42)" fill="%s" stroke="%s">%s</g><text x="%d" y="46">%s</text>`+"\n", x+6, m.color, m.color, m.shape, x+18, m.name)
		x += 40 + 7*len(m.name)
	}
	fmt.Fprintf(&b, `<path d="M%d,42h24" stroke="#2a7d2a" stroke-width="2"/><text x="%d" y="46">the fewest with perfect foresight, at each share</text>`+"\n", x, x+30)
	for _, r := range rows {
		col := slices.Index(shown, r.pattern.name)
		if col < 0 {
			continue
		}
		line := 0
		if r.ttl == time.Hour {
			line = 1
		}
		r.traces = r.traces[:frontierSeeds]
		shares, refreshes := r.meanFrontier()
		maxX, maxY := 0.0, 0.0
		for _, m := range marks {
			share, spent := r.point(m.of)
			maxX, maxY = max(maxX, share), max(maxY, spent)
		}
		maxX, maxY = nice(1.05*maxX), nice(1.05*maxY)
		px := func(share float64) float64 { return left + share/maxX*plotW }
		py := func(n float64) float64 { return 24 + plotH - n/maxY*plotH }
		fmt.Fprintf(&b, `<g transform="translate(%d,%d)">`+"\n", col*width+10, line*height+top-10)
		fmt.Fprintf(&b, `<text x="%d" y="14" font-weight="bold">%s, %s</text>`+"\n", left, r.pattern.name, lifetimeName(r.ttl))
		for i := range 5 {
			f := float64(i) / 4
			fmt.Fprintf(&b, `<path d="M%d,%.1fh%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%.0f</text>`+"\n", left, py(f*maxY), plotW, left-5, py(f*maxY)+4, f*maxY)
			fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%.3g %%</text>`+"\n", px(f*maxX), 24+plotH+15, 100*f*maxX)
		}
		fmt.Fprintf(&b, `<path fill="none" stroke="#2a7d2a" stroke-width="2" d="`)
		for i, s := range shares {
			fmt.Fprintf(&b, "%c%.1f,%.1f", "ML"[min(i, 1)], px(s), py(refreshes[i]))
		}
		fmt.Fprintln(&b, `"/>`)
		for _, m := range marks {
			share, spent := r.point(m.of)
			fmt.Fprintf(&b, `<g transform="translate(%.1f,%.1f)" fill="%s" stroke="%s">%s</g>`+"\n", px(share), py(spent), m.color, m.color, m.shape)
		}
		fmt.Fprintln(&b, `</g>`)
	}
	fmt.Fprintln(&b, `</svg>`)
	return b.String()
}

// meanFrontier averages the frontiers of the traces over shares of waits.
func (r row) meanFrontier() (shares, refreshes []float64) {
	const steps = 60
	most := r.waited(mode(OnDemand))
next:
	for i := range steps + 1 {
		share, sum := most*float64(i)/steps, 0.0
		for _, m := range r.traces {
			waits := int(math.Round(share * float64(m.Modes[InUse].Requests)))
			n := m.foresight[min(waits, len(m.foresight)-1)]
			if n < 0 {
				continue next
			}
			sum += float64(n)
		}
		shares = append(shares, share)
		refreshes = append(refreshes, sum/float64(len(r.traces)))
	}
	return shares, refreshes
}

// nice rounds up to a number that divides into four.
func nice(x float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(x)))
	for _, f := range []float64{1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10} {
		if f*unit >= x {
			return f * unit
		}
	}
	return 10 * unit
}
