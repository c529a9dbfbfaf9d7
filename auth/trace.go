package auth

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// TraceOptions are the circumstances of a replay.
type TraceOptions struct {
	AccessTTL time.Duration // life of an access token as issued
	Limits    Limits        // tightened limits; zero means BuiltIn
}

// TraceResult is what a file of request times would have cost in each mode. It
// is the JSON of `curfew forecast --trace FILE --json`.
type TraceResult struct {
	// Optimum is the number of refreshes of a client that refreshes only at
	// the first request that finds no valid token, and signs in only when the
	// limits force it. No client needs fewer: every token starts to live when
	// it is needed, and is used for as long as it lives.
	Optimum        int                 `json:"optimum"`
	OptimumSignIns int                 `json:"optimum_sign_ins"` // forced ones, after the first
	Modes          map[Mode]ModeResult `json:"modes"`
	Note           string              `json:"note,omitempty"` // what no mode can help, in words

	ttl, span time.Duration
}

// ModeResult is what one mode costs.
type ModeResult struct {
	Refreshes int `json:"refreshes"`
	SignIns   int `json:"sign_ins"` // forced ones, after the first
	Waited    int `json:"waited"`   // requests that had to wait for the network: they found no token with DefaultMinValid left
	Requests  int `json:"requests"`
	// Avoidable counts those of Waited that a background refresh of the token
	// before would have served at once.
	Avoidable int `json:"avoidable"`
}

// RunTrace reads request times and replays them through every mode. It uses the
// same [Plan] and [Serve] as the agent.
//
// A trace has one Unix time in seconds a line, in any order. Decimals are
// allowed. Empty lines and lines that start with # are skipped. The first
// request finds a sign-in made at that moment, and a sign-in brings a fresh
// token as a refresh does. After the last request the background goes on until
// the first sign-in is as old as a session may get. Time on the network is
// taken as none.
func RunTrace(r io.Reader, o TraceOptions) (TraceResult, error) {
	if o.AccessTTL < time.Second {
		return TraceResult{}, errors.New("the lifetime of an access token must be a second or more")
	}
	requests, err := readTrace(r)
	if err != nil {
		return TraceResult{}, err
	}
	return runTrace(requests, o), nil
}

func runTrace(requests []time.Time, o TraceOptions) TraceResult {
	if o.Limits == (Limits{}) {
		o.Limits = BuiltIn
	}
	res := TraceResult{
		Modes: make(map[Mode]ModeResult),
		ttl:   o.AccessTTL,
		span:  requests[len(requests)-1].Sub(requests[0]),
	}
	res.Optimum, res.OptimumSignIns = optimum(requests, o)
	for _, mode := range []Mode{InUse, Always, OnDemand} {
		res.Modes[mode] = replay(requests, requests[0].Add(o.Limits.MaxAge), mode, o)
	}
	if res.OptimumSignIns > 0 {
		res.Note = Say("trace_scarce", times(res.OptimumSignIns)).Message
		unix := make([]int64, len(requests))
		for i, t := range requests {
			unix[i] = t.Unix()
		}
		if silence := time.Duration(longestSilence(unix)) * time.Second; silence <= o.AccessTTL {
			res.Note = Say("trace_no_pause", silence.String()).Message
		}
	}
	return res
}

// WriteText writes the result for people.
func (t TraceResult) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests in %.1f days, access tokens that live %s\n\n", t.Modes[InUse].Requests, t.span.Hours()/24, FormatSpan(t.ttl))
	fmt.Fprintf(&b, "%-16s%10s%10s%12s\n", "", "refreshes", "sign-ins", "waited")
	for _, mode := range []Mode{InUse, Always, OnDemand} {
		m := t.Modes[mode]
		fmt.Fprintf(&b, "%-16s%10d%10d%12s\n", mode, m.Refreshes, m.SignIns, fmt.Sprintf("%d (%.0f %%)", m.Waited, 100*float64(m.Waited)/float64(m.Requests)))
	}
	fmt.Fprintf(&b, "%-16s%10d%10d\n\n", "fewest possible", t.Optimum, t.OptimumSignIns)
	fmt.Fprintf(&b, "Sign-ins are those after the first that a limit forces. Waited counts requests that found no token with %s left.\n", FormatSpan(DefaultMinValid))
	if t.Note != "" {
		fmt.Fprintln(&b, t.Note)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func times(n int) Text {
	if n == 1 {
		return Say("once_more")
	}
	return Say("times_more", n)
}

// maxTraceTime keeps milliseconds, the usual mistake, from passing as seconds.
const maxTraceTime = 1e11

func readTrace(r io.Reader) ([]time.Time, error) {
	var times []time.Time
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		seconds, err := strconv.ParseFloat(text, 64)
		switch {
		case err != nil || math.IsNaN(seconds) || seconds < 0:
			return nil, fmt.Errorf("line %d: %.40q is not a Unix time in seconds", n, text)
		case seconds >= maxTraceTime:
			return nil, fmt.Errorf("line %d: %.40q is too large for a Unix time in seconds; is it in milliseconds?", n, text)
		}
		whole, part := math.Modf(seconds)
		times = append(times, time.Unix(int64(whole), int64(part*1e9)).UTC())
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading request times: %w", err)
	}
	if len(times) == 0 {
		return nil, errors.New("no request times: expected one Unix time in seconds a line")
	}
	slices.SortFunc(times, time.Time.Compare)
	return times, nil
}

// longestSilence is the longest time in seconds without a request.
func longestSilence(requests []int64) (longest int64) {
	for i, t := range requests[1:] {
		longest = max(longest, t-requests[i])
	}
	return longest
}

// optimum counts the refreshes of the offline optimum, and its forced
// sign-ins. It shares no code with Plan and Serve, so that it can judge them.
func optimum(requests []time.Time, o TraceOptions) (refreshes, signIns int) {
	var ends, expires time.Time
	used := 0
	for i, t := range requests {
		fresh := min(o.AccessTTL, ends.Sub(t)) // what a refresh would bring
		if i > 0 && t.Before(ends) && expires.Sub(t) >= min(DefaultMinValid, fresh/2) {
			continue
		}
		switch {
		case i == 0:
			ends = t.Add(o.Limits.MaxAge)
		case used < o.Limits.MaxRefreshes && t.Before(ends):
			used++
			refreshes++
		default:
			used = 0
			signIns++
			ends = t.Add(o.Limits.MaxAge)
		}
		expires = t.Add(min(o.AccessTTL, ends.Sub(t)))
	}
	return refreshes, signIns
}

// A replayed is a session in a replay, and what the account has cost so far.
type replayed struct {
	ModeResult
	o       TraceOptions
	session PlanInput // as Plan sees it
}

// replay signs in at the first request, plays them all, and lets the
// background go on until an end.
func replay(requests []time.Time, until time.Time, mode Mode, o TraceOptions) ModeResult {
	r := &replayed{o: o, session: PlanInput{Mode: mode}}
	r.signIn(requests[0])
	for _, t := range requests {
		r.idleUntil(t)
		r.request(t)
	}
	r.idleUntil(until)
	return r.ModeResult
}

// idleUntil lets the background work until t.
func (r *replayed) idleUntil(t time.Time) {
	if t.Before(r.session.AccessExpiresAt.Add(-refreshBuffer(r.session.AccessLifetime))) {
		return // Plan would refuse, at more expense
	}
	for {
		d := Plan(r.session)
		switch {
		case d.Refresh:
			r.refresh()
		case d.WakeAt.IsZero() || d.WakeAt.After(t):
			return
		default:
			r.session.Now = d.WakeAt
		}
	}
}

// request asks for a token at t.
func (r *replayed) request(t time.Time) {
	s := &r.session
	s.Now = t
	s.Demand.Note(t, r.o.AccessTTL)
	r.Requests++
	over := !t.Before(s.EndsAt)
	if !over && Serve(s.AccessExpiresAt, min(r.o.AccessTTL, s.EndsAt.Sub(t)), -1, t) == ServeToken {
		return
	}
	r.Waited++
	if over || s.RefreshesLeft == 0 {
		r.SignIns++
		r.signIn(t)
		return
	}
	reach := s.AccessLifetime - refreshLead(s.AccessLifetime) - minValidOr(-1, s.AccessLifetime)
	if t.Sub(s.AccessExpiresAt) <= reach {
		r.Avoidable++
	}
	r.refresh()
}

func (r *replayed) signIn(t time.Time) {
	r.session.Now = t
	r.session.SignedInAt = t
	r.session.EndsAt = t.Add(r.o.Limits.MaxAge)
	r.session.MaxRefreshes = r.o.Limits.MaxRefreshes
	r.session.RefreshesLeft = r.o.Limits.MaxRefreshes
	r.issue()
}

func (r *replayed) refresh() {
	r.Refreshes++
	r.session.RefreshesLeft--
	r.issue()
}

// issue gives the session a new access token, which never outlives it.
func (r *replayed) issue() {
	s := &r.session
	s.LastRefreshAt = s.Now
	s.AccessLifetime = min(r.o.AccessTTL, s.EndsAt.Sub(s.Now))
	s.AccessExpiresAt = s.Now.Add(s.AccessLifetime)
}
