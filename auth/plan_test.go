package auth

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var planEpoch = time.Unix(monday, 0).UTC()

// planAt is a session signed in at planEpoch, with 15-minute tokens and the
// token of the sign-in, as it stands after age.
func planAt(age time.Duration, change func(*PlanInput)) PlanInput {
	in := PlanInput{
		Mode:            InUse,
		Now:             planEpoch.Add(age),
		SignedInAt:      planEpoch,
		EndsAt:          planEpoch.Add(BuiltIn.MaxAge),
		RefreshesLeft:   BuiltIn.MaxRefreshes,
		MaxRefreshes:    BuiltIn.MaxRefreshes,
		AccessExpiresAt: planEpoch.Add(15 * time.Minute),
		AccessLifetime:  15 * time.Minute,
		LastRefreshAt:   planEpoch,
	}
	if change != nil {
		change(&in)
	}
	return in
}

// usedAt records requests so long after planEpoch.
func usedAt(ages ...time.Duration) func(*PlanInput) {
	return func(in *PlanInput) {
		for _, age := range ages {
			in.Demand.Note(planEpoch.Add(age), in.AccessLifetime)
		}
	}
}

func TestPlan(t *testing.T) {
	const (
		m    = time.Minute
		due  = 15*m - 90*time.Second
		week = 7 * 24 * time.Hour
	)
	always := func(in *PlanInput) { in.Mode = Always }
	// A token of an hour, not asked for in the last 20 minutes of it. One life
	// in a week of 30 days makes 4.3 that callers need; twice that is 8.6.
	const hourDue = time.Hour - 90*time.Second
	hourly := func(left int) func(*PlanInput) {
		return func(in *PlanInput) {
			in.AccessLifetime, in.AccessExpiresAt = time.Hour, planEpoch.Add(time.Hour)
			in.RefreshesLeft = left
			usedAt(m, hourDue-20*m)(in)
		}
	}
	tests := []struct {
		name    string
		in      PlanInput
		refresh bool
		wake    time.Duration // after planEpoch; 0: none
		why     string
	}{
		{"always waits for the last 90 s", planAt(5*m, always), false, due, "always kept fresh"},
		{"always, just before", planAt(due-1, always), false, due, "always kept fresh"},
		{"always, in time", planAt(due, always), true, due, "always kept fresh"},
		{"always, late but in the buffer", planAt(15*m-1, always), true, 15*m - 1, "always kept fresh"},
		{"always, after a suspend over the expiry", planAt(15*m, always), false, 0, "when a tool asks"},
		{"always, hours after expiry", planAt(9*time.Hour, always), false, 0, "when a tool asks"},
		{"always, none left", planAt(due, func(in *PlanInput) { always(in); in.RefreshesLeft = 0 }), false, 0, "no refreshes left"},
		{"always, expiry unknown", planAt(due, func(in *PlanInput) { always(in); in.AccessExpiresAt = time.Time{}; in.AccessLifetime = 0 }), false, 0,
			"when a tool asks (how long the token lives is not known)"},
		{"always, refreshed less than half a lifetime ago", planAt(due, func(in *PlanInput) { always(in); in.LastRefreshAt = planEpoch.Add(7 * m) }), false,
			14*m + 30*time.Second, "always kept fresh"},
		{"always, half a lifetime after the refresh is too late", planAt(due, func(in *PlanInput) { always(in); in.LastRefreshAt = planEpoch.Add(8 * m) }), false, 0,
			"when a tool asks"},
		{"always, the session ends within the buffer", planAt(due, func(in *PlanInput) { always(in); in.EndsAt = planEpoch.Add(due + 3*m) }), false, 0,
			"not again: the session ends first"},
		{"always, the session ends just after the buffer", planAt(due, func(in *PlanInput) { always(in); in.EndsAt = planEpoch.Add(due + 3*m + 1) }), true, due,
			"always kept fresh"},
		{"always, a one-second token", planAt(900*time.Millisecond, func(in *PlanInput) {
			always(in)
			in.AccessLifetime, in.AccessExpiresAt = time.Second, planEpoch.Add(time.Second)
		}), true, 900 * time.Millisecond, "always kept fresh"},

		{"on-demand never does", planAt(due, func(in *PlanInput) { in.Mode = OnDemand; usedAt(due - 1)(in) }), false, 0, "when a tool asks"},

		{"in-use, used a moment ago", planAt(due, usedAt(m, due-m)), true, due, "in use"},
		{"in-use, it will be due", planAt(9*m, usedAt(8*m)), false, due, "in use"},
		{"in-use, nobody asked since the sign-in", planAt(due, nil), false, 0, "when a tool asks (not in use)"},
		{"in-use, the only request is the one that refreshed", planAt(due, usedAt(0)), false, 0, "when a tool asks (not in use)"},
		{"in-use, silent for half the life", planAt(due, usedAt(0, 6*m)), false, 0, "when a tool asks (not in use)"},
		{"in-use, silent for almost half the life", planAt(due, usedAt(0, 6*m+time.Second)), true, due, "in use"},
		{"in-use, a long silence, refreshes to waste", planAt(hourDue, hourly(10)), true, hourDue, "in use"},
		{"in-use, a long silence, none to waste", planAt(hourDue, hourly(9)), false, 0, "when a tool asks (not in use)"},
		{"in-use, awake again after a night", planAt(10*time.Hour, usedAt(due-m)), false, 0, "when a tool asks"},
		{"in-use, the last but one is kept for a caller", planAt(due, func(in *PlanInput) {
			usedAt(due - m)(in)
			in.RefreshesLeft = 5 // one life in a week of 30 days: 4.3 are needed
		}), false, 0, "when a tool asks (every refresh left is needed for that)"},
		{"in-use, at the end nothing is needed any more", planAt(30*24*time.Hour-20*m, func(in *PlanInput) {
			in.LastRefreshAt = in.Now.Add(-due)
			in.AccessExpiresAt = in.Now.Add(90 * time.Second)
			in.RefreshesLeft = 2
			for day := range 30 {
				usedAt(time.Duration(day)*24*time.Hour, 30*24*time.Hour-21*m)(in)
			}
		}), true, 30*24*time.Hour - 20*m, "in use"},

		{"the provider's idle rule, affordable to the end", planAt(3*24*time.Hour-90*time.Second, func(in *PlanInput) {
			in.AccessLifetime, in.AccessExpiresAt = 3*24*time.Hour, planEpoch.Add(3*24*time.Hour)
			in.ServerIdle = week
		}), true, 3*24*time.Hour - 90*time.Second, "the provider ends a sign-in that is not used"},
		{"the provider's idle rule, not to be kept with short tokens", planAt(due, func(in *PlanInput) { in.ServerIdle = week }), false, 0, "when a tool asks (not in use)"},
		{"the provider's idle rule keeps its share", planAt(due, func(in *PlanInput) {
			usedAt(due - m)(in)
			in.ServerIdle = 24 * time.Hour // 29 more days, 20 refreshes
		}), false, 0, "when a tool asks (every refresh left is needed for that)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want := Decision{Refresh: test.refresh}
			if test.wake != 0 {
				want.WakeAt = planEpoch.Add(test.wake)
			}
			if got := Plan(test.in); got.Refresh != want.Refresh || !got.WakeAt.Equal(want.WakeAt) || got.Why.Message != test.why {
				t.Errorf("got  %+v\nwant %+v %q", got, want, test.why)
			}
		})
	}
}

func TestServe(t *testing.T) {
	const m = time.Minute
	tests := []struct {
		name                    string
		age, lifetime, minValid time.Duration
		want                    Serving
	}{
		{"fresh", 0, 15 * m, -1, ServeToken},
		{"down to the last second of the default", 14 * m, 15 * m, -1, ServeToken},
		{"and not further", 14*m + 1, 15 * m, -1, ServeRefresh},
		{"in the buffer it is still good", 13 * m, 15 * m, -1, ServeToken},
		{"a caller who needs no time", 15*m - 1, 15 * m, 0, ServeToken},
		{"but not an expired one", 15 * m, 15 * m, 0, ServeRefresh},
		{"a caller who needs half an hour", 30 * m, 60 * m, 30 * m, ServeToken},
		{"and gets a fresh one", 30*m + 1, 60 * m, 30 * m, ServeRefresh},
		{"as much as a fresh token has", 0, 15 * m, 15 * m, ServeToken},
		{"more than a fresh token has", 0, 15 * m, 15*m + 1, ServeImpossible},
		{"more than a fresh token has, expired", 99 * m, 15 * m, 16 * m, ServeImpossible},
		{"more than is left, before half the life", 6 * m, 15 * m, 10 * m, ServeTooSoon},
		{"more than is left, at half the life", 7*m + 30*time.Second, 15 * m, 10 * m, ServeRefresh},
		{"the default of a token of a minute is half of it", 30 * time.Second, m, -1, ServeToken},
		{"and not more", 30*time.Second + 1, m, -1, ServeRefresh},
		{"a minute of a token of 30 s", 0, 30 * time.Second, m, ServeImpossible},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := Serve(planEpoch.Add(test.lifetime), test.lifetime, test.minValid, planEpoch.Add(test.age)); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
	if got := Serve(time.Time{}, 15*m, 0, planEpoch); got != ServeRefresh {
		t.Errorf("expiry unknown: got %d, want %d", got, ServeRefresh)
	}
}

func TestDemandNote(t *testing.T) {
	var d Demand
	grew := 0
	for age := time.Duration(0); age < 2*time.Hour; age += time.Second {
		if d.Note(planEpoch.Add(age), 15*time.Minute) {
			grew++
		}
	}
	// Lives of 14 minutes and a second, the last from 1:52:08.
	if grew != 9 || len(d.Requests) != 18 {
		t.Errorf("two hours of a request a second: %d lives, %d requests kept, want 9 and 18", grew, len(d.Requests))
	}
	if got, want := d.last(), planEpoch.Add(2*time.Hour-time.Second); !got.Equal(want) {
		t.Errorf("last is %v, want %v", got, want)
	}
	if d.Note(planEpoch, 15*time.Minute); !d.last().Equal(planEpoch.Add(2*time.Hour - time.Second)) {
		t.Error("a request before the last one changed the record")
	}
	for day := range 10_000 {
		d.Note(planEpoch.Add(time.Duration(day)*24*time.Hour), 15*time.Minute)
	}
	if len(d.Requests) > demandKept {
		t.Errorf("%d requests kept, want at most %d", len(d.Requests), demandKept)
	}
	if d.Since != d.Requests[0] {
		t.Errorf("the record begins at %d, its first request is at %d", d.Since, d.Requests[0])
	}
	if got := d.pace(15*time.Minute, planEpoch.Add(9_999*24*time.Hour)); math.Abs(got-1) > 0.05 {
		t.Errorf("a request a day is a pace of %.2f", got)
	}
}

// TestPlanRules makes callers, suspends and polls come at random for any
// lifetime. It checks every refresh against the rules.
func TestPlanRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lifetime := time.Duration(rapid.OneOf(rapid.Int64Range(1, 600), rapid.Int64Range(1, 30*3600)).Draw(t, "lifetime")) * time.Second
		in := planAt(0, func(in *PlanInput) {
			in.Mode = rapid.SampledFrom([]Mode{InUse, Always, OnDemand}).Draw(t, "mode")
			in.AccessLifetime, in.AccessExpiresAt = lifetime, planEpoch.Add(lifetime)
			in.EndsAt = planEpoch.Add(time.Duration(rapid.Int64Range(60, 30*24*3600).Draw(t, "session")) * time.Second)
			in.ServerIdle = rapid.SampledFrom([]time.Duration{0, 0, 7 * 24 * time.Hour}).Draw(t, "idle")
		})
		asked, background, forCallers := 0, 0, 0
		spend := func(what string) {
			if in.RefreshesLeft == 0 {
				t.Fatalf("%s: refresh 21", what)
			}
			if gap := in.Now.Sub(in.LastRefreshAt); gap < in.AccessLifetime/2 {
				t.Fatalf("%s: %v after the last refresh, with tokens of %v", what, gap, in.AccessLifetime)
			}
			in.RefreshesLeft--
			in.LastRefreshAt = in.Now
			in.AccessLifetime = min(lifetime, in.EndsAt.Sub(in.Now))
			in.AccessExpiresAt = in.Now.Add(in.AccessLifetime)
		}
		think := func() {
			d := Plan(in)
			if d.Why.Message == "" {
				t.Fatal("no reason")
			}
			if !d.Refresh {
				return
			}
			left, buffer := in.AccessExpiresAt.Sub(in.Now), min(5*time.Minute, in.AccessLifetime/5)
			switch {
			case left <= 0:
				t.Fatalf("in the background %v after expiry", -left)
			case left > buffer:
				t.Fatalf("in the background %v before expiry; the buffer is %v", left, buffer)
			case in.EndsAt.Sub(in.Now) <= buffer:
				t.Fatalf("in the background %v before the end; the buffer is %v", in.EndsAt.Sub(in.Now), buffer)
			case in.Mode == OnDemand:
				t.Fatal("in the background, on demand")
			case in.Mode == InUse && asked == 0 && in.ServerIdle == 0:
				t.Fatal("in the background, and nobody has asked")
			}
			spend("background")
			background++
		}
		steps := rapid.IntRange(1, 300).Draw(t, "steps")
		for range steps {
			switch d := Plan(in); rapid.IntRange(0, 3).Draw(t, "what") {
			case 0: // the alarm that the plan asked for
				if !d.WakeAt.IsZero() {
					in.Now = d.WakeAt
				}
			case 1: // a poll, or a wake-up from suspend
				in.Now = in.Now.Add(time.Duration(rapid.Int64Range(1, 2*int64(lifetime/time.Second)).Draw(t, "sleep")) * time.Second)
			default:
				in.Now = in.Now.Add(time.Duration(rapid.Int64Range(0, int64(lifetime/time.Second)/4+1).Draw(t, "gap")) * time.Second)
				if !in.Now.Before(in.EndsAt) {
					return
				}
				asked++
				in.Demand.Note(in.Now, in.AccessLifetime)
				minValid := time.Duration(rapid.SampledFrom([]int64{-1, -1, -1, 0, 30, 600, 3600}).Draw(t, "min valid")) * time.Second
				if Serve(in.AccessExpiresAt, min(lifetime, in.EndsAt.Sub(in.Now)), minValid, in.Now) == ServeRefresh && in.RefreshesLeft > 0 {
					spend("caller")
					forCallers++
				}
			}
			if !in.Now.Before(in.EndsAt) {
				return
			}
			think()
		}
		if in.Mode == InUse && in.ServerIdle == 0 && background+forCallers > asked {
			t.Fatalf("%d requests cost %d refreshes", asked, background+forCallers)
		}
	})
}

// TestAttacks has the row of the attack list that the plan answers. The others
// are those of auth/oauth.
func TestAttacks(t *testing.T) { t.Run("B6 a tiny lifetime", shortTokens) }

// shortTokens asks now and then for a day for tokens that live from a second to
// ten minutes, the way servers near their own limits hand them out.
func shortTokens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := TraceOptions{AccessTTL: time.Duration(rapid.Int64Range(1, 600).Draw(t, "lifetime")) * time.Second, Limits: BuiltIn}
		requests := []time.Time{planEpoch}
		for _, gap := range rapid.SliceOfN(rapid.Int64Range(0, 4*3600), 0, 40).Draw(t, "gaps") {
			next := requests[len(requests)-1].Add(time.Duration(gap) * time.Second)
			if next.Sub(planEpoch) > 24*time.Hour {
				break
			}
			requests = append(requests, next)
		}
		for _, mode := range []Mode{InUse, OnDemand} {
			if r := replay(requests, planEpoch.Add(24*time.Hour), mode, o); r.Refreshes >= len(requests) {
				t.Fatalf("%s: the sign-in and %d requests cost %d refreshes", mode, len(requests)-1, r.Refreshes)
			}
		}
	})
}

func TestNobodyAsks(t *testing.T) {
	for _, lifetime := range []time.Duration{time.Second, time.Minute, 15 * time.Minute, time.Hour, 24 * time.Hour} {
		// A habit of a month, and then a sign-in and a day of silence.
		in := planAt(0, func(in *PlanInput) {
			for age := -30 * 24 * time.Hour; age < 0; age += 9 * time.Hour {
				in.Demand.Note(planEpoch.Add(age), lifetime)
			}
			in.AccessLifetime, in.AccessExpiresAt = lifetime, planEpoch.Add(lifetime)
		})
		for ; in.Now.Before(planEpoch.Add(24 * time.Hour)); in.Now = in.Now.Add(time.Second) {
			if d := Plan(in); d.Refresh {
				t.Errorf("tokens of %v: a refresh %v after the sign-in: %s", lifetime, in.Now.Sub(planEpoch), d.Why)
				break
			}
		}
	}
}

// One request while the clock was 60 days ahead must not keep the record from
// growing for 60 days.
func TestDemandForgetsTheFuture(t *testing.T) {
	var d Demand
	d.Note(planEpoch, time.Hour)
	d.Note(planEpoch.Add(60*24*time.Hour), time.Hour)
	for hour := range 50 {
		d.Note(planEpoch.Add(time.Duration(hour)*time.Hour), time.Hour)
	}
	if got, want := d.last(), planEpoch.Add(49*time.Hour); !got.Equal(want) || len(d.Requests) < 50 || d.Since != planEpoch.Unix() {
		t.Errorf("last is %v, want %v; %d requests since %d", got, want, len(d.Requests), d.Since)
	}
}
