package tray

import (
	"slices"
	"testing"
	"time"

	"curfew/auth"
)

// TestNotices plays lives of a session, a snapshot after the other, and
// compares the titles of what is announced.
func TestNotices(t *testing.T) {
	start := now
	session := func(edits ...func(*auth.Snapshot)) auth.Snapshot {
		return live("a", append([]func(*auth.Snapshot){func(s *auth.Snapshot) {
			s.SignedInAt, s.EndsAt = start, start.AddDate(0, 0, 30)
		}}, edits...)...)
	}
	told := func(w auth.WarningLevel) func(*auth.Snapshot) {
		return func(s *auth.Snapshot) { s.WarningLevel = w }
	}
	few, off := told(auth.WarnFew), told(auth.WarnOff)
	newer := func(s *auth.Snapshot) {
		s.SignedInAt, s.EndsAt = start.AddDate(0, 0, 10), start.AddDate(0, 0, 10).Add(30*time.Minute)
	}
	type step struct {
		after time.Duration
		a     auth.Snapshot
	}
	const day = 24 * time.Hour
	for _, tt := range []struct {
		name  string
		steps []step
		want  []string
	}{
		{"each mark once", []step{{0, session(left(7))}, {0, session(left(6))}, {0, session(left(5))}, {0, session(left(5))}, {0, session(left(4))}, {0, session(left(3))},
			{0, session(left(2))}, {0, session(left(1))}, {0, session(left(0))}, {0, session(left(0))}, {0, session(left(0), ended(auth.ByRefreshes))}, {day, session(left(0), ended(auth.ByRefreshes))}},
			[]string{"a: 5 of 20 refreshes, 30 d left", "a: 2 of 20 refreshes, 30 d left", "a: no refreshes left, the last token ends in 41 min", "a: sign in again: the 20 refreshes are used up"}},
		{"the days", []step{{26 * day, session()}, {27 * day, session()}, {28 * day, session()}, {29 * day, session()}, {30*day - time.Hour, session()}, {30*day + time.Second, session(ended(auth.ByAge))}},
			[]string{"a: 14 of 20 refreshes, 3 d left", "a: 14 of 20 refreshes, 1 d left", "a: 14 of 20 refreshes, 1 h left", "a: sign in again: the 30 days are over"}},
		{"few of the refreshes", []step{{0, session(few, left(6))}, {0, session(few, left(5))}, {0, session(few, left(2))}, {0, session(few, left(0))}, {0, session(few, left(0), ended(auth.ByRefreshes))}},
			[]string{"a: no refreshes left, the last token ends in 41 min", "a: sign in again: the 20 refreshes are used up"}},
		{"few of the days", []step{{26 * day, session(few)}, {27 * day, session(few)}, {29 * day, session(few)}, {30*day - time.Hour, session(few)}, {30*day + time.Second, session(few, ended(auth.ByAge))}},
			[]string{"a: 14 of 20 refreshes, 1 h left", "a: sign in again: the 30 days are over"}},
		{"off, but for the end", []step{{0, session(off, left(6))}, {0, session(off, left(2))}, {30*day - time.Hour, session(off, left(0))}, {30 * day, session(off, left(0), ended(auth.ByRefreshes))}},
			[]string{"a: sign in again: the 20 refreshes are used up"}},
		{"on again, without what was passed", []step{{0, session(off, left(6))}, {0, session(off, left(5))}, {0, session(told(auth.WarnAll), left(5))}, {0, session(told(auth.WarnAll), left(2))}},
			[]string{"a: 2 of 20 refreshes, 30 d left"}},
		{"few refreshes, last hour", []step{{0, session(few, left(6))}, {30*day - time.Hour, session(few, left(5))}}, []string{"a: 5 of 20 refreshes, 1 h left"}},
		{"several at once are one", []step{{0, session()}, {29*day + 23*time.Hour + 30*time.Minute, session()}}, []string{"a: 14 of 20 refreshes, 30 min left"}},
		{"none at the start", []step{{0, session(left(1))}, {0, session(left(1))}}, nil},
		{"none for an end seen at the start", []step{{0, session(ended(auth.ByAge))}}, nil},
		{"none right after a sign-in", []step{{0, session(left(9))}, {10 * day, session(left(1), newer)}}, nil},
		{"none for a sign-in after the end", []step{{0, session(ended(auth.ByAge))}, {10 * day, session(left(1), newer)}}, nil},
		{"none while signing in", []step{{0, session(left(9))}, {0, session(left(2), signingIn("f"))}}, nil},
		{"none by the user", []step{{0, session()}, {0, session(ended(auth.ByUser))}}, nil},
		{"revoked", []step{{0, session()}, {0, session(ended(auth.ByRevocation))}}, []string{"a: sign in again: the server ended the session"}},
		{"a lock hides nothing", []step{{0, session(left(6))}, {0, session(left(0), in(auth.Locked))}, {0, session(left(5))}}, []string{"a: 5 of 20 refreshes, 30 d left"}},
		{"followed by a new session", []step{{0, session()}, {0, session(ended(auth.ByRevocation))}, {10 * day, session(left(9), newer)}, {10 * day, session(left(9), newer)}},
			[]string{"a: sign in again: the server ended the session", ""}},
		{"still so while signing in", []step{{0, session(left(6))}, {0, session(left(5))}, {0, session(left(5), signingIn("f"))}, {0, session(left(5))}}, []string{"a: 5 of 20 refreshes, 30 d left"}},
		{"ended by the user", []step{{0, session(left(6))}, {0, session(left(5))}, {0, session(ended(auth.ByUser))}, {0, session(ended(auth.ByUser))}}, []string{"a: 5 of 20 refreshes, 30 d left", ""}},
		{"signed out", []step{{0, session(left(6))}, {0, session(left(5))}, {0, auth.Snapshot{Name: "a", State: auth.SignedOut}}, {0, auth.Snapshot{Name: "a", State: auth.SignedOut}}}, []string{"a: 5 of 20 refreshes, 30 d left", ""}},
		{"removed", []step{{0, session(left(6))}, {0, session(left(5))}, {0, live("b")}, {0, live("b")}}, []string{"a: 5 of 20 refreshes, 30 d left", ""}},
		{"signed out and in", []step{{0, session()}, {0, auth.Snapshot{Name: "a", State: auth.SignedOut}}, {0, session(left(5), newer)}}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			var levels map[string]level
			for _, s := range tt.steps {
				at := start.Add(s.after)
				if !s.a.AccessExpiresAt.IsZero() {
					s.a.AccessExpiresAt = at.Add(41 * time.Minute)
				}
				var found []Notice
				found, levels = notices(levels, []auth.Snapshot{s.a}, at)
				for _, n := range found {
					got = append(got, n.Title)
					if n == (Notice{Account: "a"}) {
						continue // takes the last one away
					}
					if n.Body == "" || n.Action != "Sign in again" || n.Account != "a" {
						t.Errorf("notice %+v", n)
					}
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("announced %q, want %q", got, tt.want)
			}
		})
	}
}
