package tray

import (
	"slices"
	"testing"
	"time"

	"curfew/auth"
)

// TestNotices plays lives of a session, one snapshot after another, and compares
// the titles of the notices.
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
	newest := func(s *auth.Snapshot) { s.EndedAt = start.Add(time.Hour) }
	history := func(s *auth.Snapshot) {
		s.Forecast = auth.ForecastView{EndsAt: start.AddDate(0, 0, 2), HistoryDays: 5}
	}
	fives, twos, last, over := "a: 5 refreshes left", "a: 2 refreshes left", "a: last token, until 15:11", "a: session ended"
	for _, tt := range []struct {
		name  string
		steps []step
		want  []string // "~": changed where it stands
	}{
		{"each mark once, and true after it", []step{{0, session(left(7))}, {0, session(left(6))}, {0, session(left(5))}, {0, session(left(5))}, {0, session(left(4))}, {0, session(left(3))},
			{0, session(left(2))}, {0, session(left(1))}, {0, session(left(0))}, {0, session(left(0))}, {0, session(left(0), ended(auth.ByRefreshes))}, {day, session(left(0), ended(auth.ByRefreshes))}},
			[]string{fives, "~a: 4 refreshes left", "~a: 3 refreshes left", twos, "~a: 1 refresh left", last, over}},
		{"the days", []step{{26 * day, session()}, {27 * day, session()}, {28 * day, session()}, {29 * day, session()}, {30*day - time.Hour, session()}, {30*day + time.Second, session(ended(auth.ByAge))}},
			[]string{"a: 3 d left", "a: 1 d left", "a: 1 h left", over}},
		{"few of the refreshes", []step{{0, session(few, left(6))}, {0, session(few, left(5))}, {0, session(few, left(2))}, {0, session(few, left(0))}, {0, session(few, left(0), ended(auth.ByRefreshes))}},
			[]string{last, over}},
		{"few of the days", []step{{26 * day, session(few)}, {27 * day, session(few)}, {29 * day, session(few)}, {30*day - time.Hour, session(few)}, {30*day + time.Second, session(few, ended(auth.ByAge))}},
			[]string{"a: 1 h left", over}},
		{"off, but for the end", []step{{0, session(off, left(6))}, {0, session(off, left(2))}, {30*day - time.Hour, session(off, left(0))}, {30 * day, session(off, left(0), ended(auth.ByRefreshes))}},
			[]string{over}},
		{"on again, without what was passed", []step{{0, session(off, left(6))}, {0, session(off, left(5))}, {0, session(told(auth.WarnAll), left(5))}, {0, session(told(auth.WarnAll), left(2))}},
			[]string{twos}},
		{"few refreshes, last hour", []step{{0, session(few, left(6))}, {30*day - time.Hour, session(few, left(5))}}, []string{"a: 1 h left"}},
		{"several at once are one", []step{{0, session()}, {29*day + 23*time.Hour + 30*time.Minute, session()}}, []string{"a: 30 min left"}},
		{"none at the start", []step{{0, session(left(1))}, {0, session(left(1))}}, nil},
		{"the end while the tray was off", []step{{day, session(ended(auth.ByAge), newest)}, {day, session(ended(auth.ByAge), newest)}}, []string{over}},
		{"and once", []step{{day, session(ended(auth.ByAge), newest)}, {-1, auth.Snapshot{}}, {day, session(ended(auth.ByAge), newest)}}, []string{over}},
		{"and after a sign-in that was cancelled", []step{{day, session(ended(auth.ByAge), newest, signingIn("f"))}, {day, session(ended(auth.ByAge), newest)}, {day, session(ended(auth.ByAge), newest)}}, []string{over}},
		{"the end during a sign-in that was cancelled", []step{{0, session(left(6))}, {0, session(left(5))}, {0, session(ended(auth.ByAge), newest, signingIn("f"))}, {0, session(ended(auth.ByAge), newest)}}, []string{fives, over}},
		{"none of a sign-out while the tray was off", []step{{day, session(ended(auth.ByUser), newest)}}, nil},
		{"none right after a sign-in", []step{{0, session(left(9))}, {10 * day, session(left(1), newer)}}, nil},
		{"none for a sign-in after the end", []step{{0, session(ended(auth.ByAge))}, {10 * day, session(left(1), newer)}}, nil},
		{"none while signing in", []step{{0, session(left(9))}, {0, session(left(2), signingIn("f"))}}, nil},
		{"none by the user", []step{{0, session()}, {0, session(ended(auth.ByUser))}}, nil},
		{"revoked", []step{{0, session()}, {0, session(ended(auth.ByRevocation))}}, []string{over}},
		{"a lock hides nothing", []step{{0, session(left(6))}, {0, session(left(0), in(auth.Locked))}, {0, session(left(5))}}, []string{fives}},
		{"followed by a new session", []step{{0, session()}, {0, session(ended(auth.ByRevocation))}, {10 * day, session(left(9), newer)}, {10 * day, session(left(9), newer)}},
			[]string{over, ""}},
		{"still so while signing in", []step{{0, session(left(6))}, {0, session(left(5))}, {0, session(left(5), signingIn("f"))}, {0, session(left(5))}}, []string{fives}},
		{"ended by the user", []step{{0, session(left(6))}, {0, session(left(5))}, {0, session(ended(auth.ByUser))}, {0, session(ended(auth.ByUser))}}, []string{fives, ""}},
		{"signed out", []step{{0, session(left(6))}, {0, session(left(5))}, {0, auth.Snapshot{Name: "a", State: auth.SignedOut}}, {0, auth.Snapshot{Name: "a", State: auth.SignedOut}}}, []string{fives, ""}},
		{"removed", []step{{0, session(left(6))}, {0, session(left(5))}, {0, live("b")}, {0, live("b")}}, []string{fives, ""}},
		{"signed out and in", []step{{0, session()}, {0, auth.Snapshot{Name: "a", State: auth.SignedOut}}, {0, session(left(5), newer)}}, nil},
		{"tomorrow", []step{{0, session(left(6))}, {0, session(left(5), history)}, {-2, auth.Snapshot{}}, {0, session(left(5))}, {time.Hour, session(left(2))}, {day, session(left(1))}, {day, session(left(1))}},
			[]string{fives, "a: 1 refresh left"}},
		{"tomorrow, of the end", []step{{0, session()}, {0, session(ended(auth.ByAge), newest)}, {-2, auth.Snapshot{}}, {time.Hour, session(ended(auth.ByAge), newest)}, {day, session(ended(auth.ByAge), newest)}, {day, session(ended(auth.ByAge), newest)}},
			[]string{over, over}},
		{"the end does not wait for tomorrow", []step{{0, session(left(6))}, {0, session(left(5))}, {-2, auth.Snapshot{}}, {time.Hour, session(ended(auth.ByRevocation), newest)}}, []string{fives, over}},
		{"tomorrow is another session", []step{{0, session(left(6))}, {0, session(left(5))}, {-2, auth.Snapshot{}}, {time.Hour, session(left(20), newer)}, {day, session(left(19), newer)}}, []string{fives, ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			var levels map[string]level
			mem := &memory{}
			for _, s := range tt.steps {
				switch s.after {
				case -1: // the tray is started again
					levels = nil
					continue
				case -2:
					mem.tomorrow = tomorrow(start)
					continue
				}
				at := start.Add(s.after)
				if !s.a.AccessExpiresAt.IsZero() {
					s.a.AccessExpiresAt = at.Add(41 * time.Minute)
				}
				var found []Notice
				found, levels = notices(levels, []auth.Snapshot{s.a}, mem, at)
				for _, n := range found {
					if n == (Notice{Account: "a"}) {
						got = append(got, "") // takes the last one away
						continue
					}
					if n.Over {
						mem.told = n.Ended
					}
					if n.Quiet {
						n.Title = "~" + n.Title
					}
					got = append(got, n.Title)
					if n.Body == "" || n.Action != "Sign in again" || n.Later != "Tomorrow" || n.Account != "a" {
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

// memory is a Memory of one account.
type memory struct{ told, tomorrow time.Time }

func (m *memory) Told(string) time.Time              { return m.told }
func (m *memory) Tomorrow(string) time.Time          { return m.tomorrow }
func (m *memory) SetTomorrow(_ string, at time.Time) { m.tomorrow = at }

// TestNoticeWords: the title is the fact. The body says what it means and what a
// sign-in gains.
func TestNoticeWords(t *testing.T) {
	took := func(s *auth.Snapshot) {
		s.TookTokens = []auth.Taker{{Program: "curl", At: now}, {Program: "curfew-tray", At: now}, {Program: "git", At: now}}
	}
	used := func(s *auth.Snapshot) { s.Forecast = auth.ForecastView{EndsAt: now.AddDate(0, 0, 2), HistoryDays: 5} }
	for _, tt := range []struct {
		n           Notice
		title, body string
	}{
		{fewLeft(live("Work", left(5)), now), "Work: 5 refreshes left", "A new sign-in gives you 20 refreshes and 30 days."},
		{fewLeft(live("Work", left(5), used), now), "Work: 5 refreshes left", "At this pace they last until Tue 24 Nov, 14:30. A new sign-in gives you 20 refreshes and 30 days."},
		{fewLeft(live("Work", left(0)), now), "Work: last token, until 15:11", "No refreshes are left. Sign in before then (today, 15:11), and your tools notice nothing."},
		{endsSoon(live("Work", func(s *auth.Snapshot) { s.EndsAt = now.Add(time.Hour) }), now), "Work: 1 h left", "The session ends today, 15:30. Sign in before then, and your tools notice nothing. A new sign-in gives you 20 refreshes and 30 days."},
		{endsSoon(live("Work", func(s *auth.Snapshot) { s.NoRefresh, s.EndsAt = true, now.Add(time.Hour) }), now), "Work: 1 h left", "The session ends today, 15:30. Sign in before then, and your tools notice nothing. The server gave no refresh token, so Curfew cannot renew it."},
		{endNotice(live("Work", ended(auth.ByRefreshes), took)), "Work: session ended", "All 20 refreshes are used. curl and git: no tokens until you sign in again."},
		{endNotice(live("Work", ended(auth.ByRevocation))), "Work: session ended", "The server ended the session. Programs get no tokens until you sign in again."},
	} {
		if tt.n.Title != tt.title || tt.n.Body != tt.body {
			t.Errorf("%q: %q\nwant %q: %q", tt.n.Title, tt.n.Body, tt.title, tt.body)
		}
	}
	for _, tt := range []struct{ now, want string }{
		{"2026-11-22 14:30", "2026-11-23 09:00"}, {"2026-11-22 00:30", "2026-11-22 09:00"}, {"2026-11-22 02:00", "2026-11-23 09:00"}, {"2026-11-22 23:59", "2026-11-23 09:00"},
	} {
		at, err := time.Parse("2006-01-02 15:04", tt.now)
		if got := tomorrow(at).Format("2006-01-02 15:04"); got != tt.want || err != nil {
			t.Errorf("tomorrow of %s is %s, want %s", tt.now, got, tt.want)
		}
	}
}
