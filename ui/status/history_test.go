package status

import (
	"slices"
	"testing"
	"time"

	"curfew/auth"
)

func TestHistory(t *testing.T) {
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	events := []auth.Event{
		{At: ago(9 * day), Kind: auth.EventSignIn, Text: auth.Words("signed in as alice")},
		{At: ago(2 * day), Kind: auth.EventError, Text: auth.Words("offline for 12 min")},
		{At: ago(3 * time.Hour), Kind: auth.EventToken, Program: "curl", Text: auth.Words("token for curl")},
		{At: ago(2 * time.Hour), Kind: auth.EventToken, Program: "curl", Text: auth.Words("token for curl")},
		{At: ago(time.Hour), Kind: auth.EventToken, Program: "curl", Text: auth.Words("token for curl")},
		{At: ago(50 * time.Minute), Kind: auth.EventRefresh, Program: "curl", Count: 6},
		{At: ago(40 * time.Minute), Kind: auth.EventToken, Program: "gh", Text: auth.Words("token\nfor\x1b gh")},
	}
	want := []Entry{
		{"13:50", "token for gh", "for gh", false},
		{"13:40", "refreshed, 6 used for curl", "for curl", false},
		{"13:30", "token for curl, 3 times", "", false},
		{"Fri 14:30", "offline for 12 min", "", true},
		{"13 Nov 14:30", "signed in as alice", "", false},
	}
	if got := History(events, now, 10); !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := History(events, now, 2); !slices.Equal(got, want[:2]) {
		t.Errorf("got %+v, want the newest two", got)
	}
	if got := History(WithoutTokens(events), now, 10); len(got) != 3 || !Used(auth.Snapshot{}, events) || Used(auth.Snapshot{}, WithoutTokens(events)) {
		t.Errorf("without tokens it is %+v", got)
	}
}

func TestRunway(t *testing.T) {
	s := live(forecast(auth.LimitRefreshes, 7))
	var events []auth.Event
	refreshed := func(at time.Time, n int) {
		events = append(events, auth.Event{At: at, Kind: auth.EventRefresh, Count: n})
	}
	refreshed(s.SignedInAt.Add(-day), 3) // of the session before
	for n := range s.RefreshesUsed {
		refreshed(s.SignedInAt.Add(time.Duration(n+1)*day), n+1)
	}
	refreshed(now.Add(time.Hour), 7) // of a clock set back
	r, ok := RunwayOf(s, events, now)
	if !ok || len(r.Spent) != 6 || !r.Until.Equal(s.Forecast.EndsAt) {
		t.Fatalf("runway %+v, %v; want the six refreshes of this session and its forecast", r, ok)
	}
	s.Forecast.EndsAt = s.EndsAt
	if r, _ = RunwayOf(s, events, now); !r.Until.IsZero() {
		t.Errorf("a flag at %v, though the days end first", r.Until)
	}
	s.Forecast.EndsAt, s.Forecast.HistoryDays = now.Add(day), .5
	if r, _ = RunwayOf(s, events, now); !r.Until.IsZero() {
		t.Errorf("a flag at %v, from half a day of use", r.Until)
	}
	for name, broken := range map[string]auth.Snapshot{
		"no session": {State: auth.SignedOut},
		"backwards":  {SignedInAt: now, EndsAt: now.Add(-day), MaxRefreshes: 20},
	} {
		if _, ok := RunwayOf(broken, nil, now); ok {
			t.Errorf("%s has a runway", name)
		}
	}
	over := live(ended(auth.ByRefreshes), func(s *auth.Snapshot) { s.EndedAt, s.EndsAt = now.Add(-5*time.Minute), time.Time{} })
	if r, ok := RunwayOf(over, events, now.Add(90*day)); !ok || !r.Over || !r.Now.Equal(over.EndedAt) || !r.Until.IsZero() {
		t.Errorf("an ended session has now %v and a forecast until %v", r.Now, r.Until)
	}
}
