package auth

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestRunTrace(t *testing.T) {
	// Tokens live 15 minutes. Times are in minutes. r is a refresh, s a
	// sign-in.
	//
	//	on-demand: 0 s, 1, 14, 15 r, 21, 29, 40 r, 300 r
	//	in-use:    0 s, 1, 14, then r in the background because that was in the
	//	           buffer, 15, 21, 27.5 r, 29, 40, 41 r, 300 r
	//	always:    20 refreshes, 13.5 minutes each, end at 285; 300 s, and 20 more
	trace := "# minutes 0 1 14 15 21 29 40 300\n0\n60.25\n840\n\n900\n1260\n1740\n2400\n 18000 \n"
	got, err := RunTrace(strings.NewReader(trace), TraceOptions{AccessTTL: 15 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"optimum":3,"optimum_sign_ins":0,"modes":{` +
		`"always":{"refreshes":40,"sign_ins":1,"waited":1,"requests":8,"avoidable":0},` +
		`"in-use":{"refreshes":4,"sign_ins":0,"waited":1,"requests":8,"avoidable":0},` +
		`"on-demand":{"refreshes":3,"sign_ins":0,"waited":3,"requests":8,"avoidable":2}}}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}

	var out strings.Builder
	if err := got.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	wantText := `8 requests in 0.2 days, access tokens that live 15m

                 refreshes  sign-ins      waited
in-use                   4         0    1 (12 %)
always                  40         1    1 (12 %)
on-demand                3         0    3 (38 %)
fewest possible          3         0

Sign-ins are those after the first that a limit forces. Waited counts requests that found no token with 1m left.
`
	if out.String() != wantText {
		t.Errorf("got\n%s\nwant\n%s", out.String(), wantText)
	}
}

func TestRunTraceOrder(t *testing.T) {
	run := func(trace string) TraceResult {
		res, err := RunTrace(strings.NewReader(trace), TraceOptions{AccessTTL: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	if a, b := run("0\n9000\n5000\n"), run("0\n5000\n9000\n"); fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("the order of the lines matters: %v, %v", a, b)
	}
}

func TestRunTraceErrors(t *testing.T) {
	tests := []struct{ trace, want string }{
		{"", "no request times: expected one Unix time in seconds a line"},
		{"# nothing\n\n", "no request times: expected one Unix time in seconds a line"},
		{"1\n2\nnoon\n", `line 3: "noon" is not a Unix time in seconds`},
		{"1\n-2\n", `line 2: "-2" is not a Unix time in seconds`},
		{"NaN\n", `line 1: "NaN" is not a Unix time in seconds`},
		{"1 2\n", `line 1: "1 2" is not a Unix time in seconds`},
		{"1790553600000\n", `line 1: "1790553600000" is too large for a Unix time in seconds; is it in milliseconds?`},
		{"Inf\n", `line 1: "Inf" is too large for a Unix time in seconds; is it in milliseconds?`},
		{strings.Repeat("1", 100_000), "reading request times: bufio.Scanner: token too long"},
	}
	for _, test := range tests {
		_, err := RunTrace(strings.NewReader(test.trace), TraceOptions{AccessTTL: time.Minute})
		if err == nil || err.Error() != test.want {
			t.Errorf("%.20q: got %v, want %s", test.trace, err, test.want)
		}
	}
	if _, err := RunTrace(strings.NewReader("1\n"), TraceOptions{}); err == nil {
		t.Error("no lifetime: no error")
	}
}

func TestTraceNotes(t *testing.T) {
	every := func(gap time.Duration, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintln(&b, int64(gap/time.Second)*int64(i))
		}
		return b.String()
	}
	tests := []struct{ name, trace, want string }{
		{"enough", every(24*time.Hour, 20), ""},
		{"one sign-in", every(24*time.Hour, 30), "Refreshes are scarce here: even a client that knew the future would have to sign in once more."},
		{"more", every(6*time.Hour, 120), "Refreshes are scarce here: even a client that knew the future would have to sign in 5 more times."},
		{"never sleeps", every(5*time.Minute, 8640), "These programs never pause for as long as a token lives (their longest silence is 5m0s), so no plan can save refreshes. " +
			"Longer-lived tokens would, or programs that ask less often."},
	}
	for _, test := range tests {
		res, err := RunTrace(strings.NewReader(test.trace), TraceOptions{AccessTTL: 15 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if res.Note != test.want {
			t.Errorf("%s: got %q, want %q", test.name, res.Note, test.want)
		}
	}
}

// TestOnDemandIsOptimal compares the replay by Plan and Serve with an optimum
// that uses neither.
func TestOnDemandIsOptimal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := TraceOptions{
			AccessTTL: time.Duration(rapid.Int64Range(1, 100_000).Draw(t, "lifetime")) * time.Second,
			Limits:    Limits{MaxAge: time.Duration(rapid.Int64Range(1, 720).Draw(t, "max age")) * time.Hour, MaxRefreshes: rapid.IntRange(1, 20).Draw(t, "max refreshes")},
		}
		at := planEpoch
		var requests []time.Time
		for _, gap := range rapid.SliceOfN(rapid.Int64Range(0, 200_000), 1, 200).Draw(t, "gaps") {
			requests = append(requests, at)
			at = at.Add(time.Duration(gap) * time.Second)
		}
		res := runTrace(requests, o)
		got := res.Modes[OnDemand]
		if got.Refreshes != res.Optimum || got.SignIns != res.OptimumSignIns {
			t.Fatalf("on-demand: %d refreshes and %d sign-ins, the optimum is %d and %d", got.Refreshes, got.SignIns, res.Optimum, res.OptimumSignIns)
		}
		for mode, m := range res.Modes {
			if m.Refreshes > o.Limits.MaxRefreshes*(m.SignIns+1) {
				t.Fatalf("%s: %d refreshes in %d sessions", mode, m.Refreshes, m.SignIns+1)
			}
			if tokens := m.Refreshes + m.SignIns; tokens < res.Optimum+res.OptimumSignIns {
				t.Fatalf("%s needed %d tokens, the optimum %d", mode, tokens, res.Optimum+res.OptimumSignIns)
			}
		}
	})
}
