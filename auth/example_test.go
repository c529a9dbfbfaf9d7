package auth_test

import (
	"fmt"
	"strings"
	"time"

	"curfew/auth"
)

// When is the next background refresh due, and why then?
func ExamplePlan() {
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	in := auth.PlanInput{
		Mode:            auth.Always,
		Now:             now,
		SignedInAt:      now,
		EndsAt:          now.Add(30 * 24 * time.Hour),
		RefreshesLeft:   20,
		MaxRefreshes:    20,
		AccessExpiresAt: now.Add(15 * time.Minute),
		AccessLifetime:  15 * time.Minute,
	}
	d := auth.Plan(in)
	fmt.Println(d.Refresh, d.WakeAt.Format("15:04"), d.Why.Message)

	in.Mode = auth.OnDemand
	d = auth.Plan(in)
	fmt.Println(d.Refresh, d.WakeAt.IsZero(), d.Why.Message)
	// Output:
	// false 09:13 always kept fresh
	// false true when a tool asks
}

// The state of an account follows from facts, limits and the time.
func ExampleDerive() {
	signedIn := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	session := auth.Session{
		SignedInAt:      signedIn,
		Used:            19,
		AccessExpiresAt: signedIn.Add(15 * time.Minute),
	}
	for _, age := range []time.Duration{time.Minute, time.Hour, 31 * 24 * time.Hour} {
		state, reason := auth.Derive(auth.Facts{Session: &session}, auth.BuiltIn, signedIn.Add(age))
		fmt.Printf("%s %q\n", state, reason)
	}
	// Output:
	// active ""
	// stale ""
	// ended "age"
}

// What would a day of requests have cost?
func ExampleRunTrace() {
	requests := strings.NewReader("0\n600\n1800\n7200\n")
	result, err := auth.RunTrace(requests, auth.TraceOptions{AccessTTL: 15 * time.Minute, Limits: auth.BuiltIn})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Optimum, result.Modes[auth.OnDemand].Refreshes)
	// Output: 2 2
}
