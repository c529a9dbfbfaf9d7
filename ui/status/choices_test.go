package status

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"curfew/auth"
)

func TestCost(t *testing.T) {
	for _, test := range []struct {
		signIns, waits float64
		want           string
	}{
		{1, 0, "1 sign-in in 30 days, tools never wait"},
		{1.3, .3, "1 to 2 sign-ins in 30 days, tools seldom wait"},
		{1.9, 1, "about 2 sign-ins in 30 days, tools wait about 1 time a day"},
		{2.5, 2.6, "2 to 3 sign-ins in 30 days, tools wait about 3 times a day"},
		{43.4, 96, "about 43 sign-ins in 30 days, tools wait about 96 times a day"},
		{0, -1, "no sign-in in 30 days, tools never wait"},
		{math.NaN(), math.NaN(), "no sign-in in 30 days, tools never wait"},
		{math.Inf(1), math.Inf(1), "about 10000 sign-ins in 30 days, tools wait about 10000 times a day"},
	} {
		if got := Cost(auth.ModeForecast{SignInsPer30d: test.signIns, WaitedPer1d: test.waits}); got != test.want {
			t.Errorf("%v, %v: %q, want %q", test.signIns, test.waits, got, test.want)
		}
	}
	for _, m := range []auth.Mode{auth.InUse, auth.Always, auth.OnDemand, "", "another"} {
		if name, meaning := Mode(m); name == "" || meaning == "" {
			t.Errorf("%q is called %q: %q", m, name, meaning)
		}
	}
}

func TestLimits(t *testing.T) {
	const day = 24 * time.Hour
	for _, test := range []struct {
		l    auth.Limits
		want string
	}{
		{auth.BuiltIn, "A session ends after 30 days or 20 refreshes, whichever comes first."},
		{auth.Limits{MaxAge: day, MaxRefreshes: 1, MaxIdle: 36 * time.Hour}, "A session ends after 1 day, 1 refresh, or 1 d 12 h without use, whichever comes first."},
	} {
		if got := Limits(test.l); got != test.want {
			t.Errorf("%+v: %q, want %q", test.l, got, test.want)
		}
	}
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	session := func(name string, age time.Duration, used int, idle time.Duration) auth.Snapshot {
		return auth.Snapshot{Name: name, State: auth.Active, SignedInAt: now.Add(-age), RefreshesUsed: used, LastUsedAt: now.Add(-idle)}
	}
	gone := session("gone", 90*day, 20, 90*day)
	gone.State = auth.Ended
	unused := session("unused", 3*day, 0, 0)
	unused.LastUsedAt = time.Time{}
	last := session("last", day, 10, 0)
	last.AccessExpiresAt = now.Add(time.Minute)
	old := session("old", 8*day, 10, 0)
	old.AccessExpiresAt = now.Add(time.Minute) // which does not help
	all := []auth.Snapshot{old, session("spent", day, 10, 0), session("idle", 4*day, 1, 2*day+time.Second), session("good", 7*day, 9, 2*day), gone, unused, last}
	over, spent := EndedBy(auth.Limits{MaxAge: 7 * day, MaxRefreshes: 10, MaxIdle: 2 * day}, all, now)
	if got := strings.Join(over, " "); got != "old spent idle unused" {
		t.Errorf("over are %q", got)
	}
	if got := strings.Join(spent, " "); got != "last" {
		t.Errorf("spent are %q", got)
	}
	if over, spent := EndedBy(auth.BuiltIn, slices.Concat(all[:4], all[5:]), now); over != nil || spent != nil {
		t.Errorf("by the built-in limits %q have ended and %q are spent", over, spent)
	}
}
