package auth

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

var t0 = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

const aDay = 24 * time.Hour

func TestTighten(t *testing.T) {
	tests := []struct {
		name string
		o    Limits
		want Limits
	}{
		{"nothing said", Limits{}, BuiltIn},
		{"stricter age", Limits{MaxAge: aDay}, Limits{MaxAge: aDay, MaxRefreshes: 20}},
		{"looser age", Limits{MaxAge: 31 * aDay}, BuiltIn},
		{"stricter count", Limits{MaxRefreshes: 3}, Limits{MaxAge: 30 * aDay, MaxRefreshes: 3}},
		{"looser count", Limits{MaxRefreshes: 21}, BuiltIn},
		{"idle", Limits{MaxIdle: 14 * aDay}, Limits{MaxAge: 30 * aDay, MaxRefreshes: 20, MaxIdle: 14 * aDay}},
		{"negative says nothing", Limits{MaxAge: -1, MaxRefreshes: -1, MaxIdle: -1}, BuiltIn},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := BuiltIn.Tighten(tt.o); got != tt.want {
				t.Errorf("Tighten(%+v) = %+v, want %+v", tt.o, got, tt.want)
			}
		})
	}
}

func TestOver(t *testing.T) {
	idle := BuiltIn.Tighten(Limits{MaxIdle: 2 * aDay})
	fresh := Session{SignedInAt: t0, LastActivity: t0}
	with := func(change func(*Session)) Session { s := fresh; change(&s); return s }
	tests := []struct {
		name   string
		s      Session
		l      Limits
		at     time.Time
		want   Reason
		wantBy Limit
	}{
		{"new", fresh, BuiltIn, t0, "", LimitAge},
		{"age of exactly 30 days lives", fresh, BuiltIn, t0.Add(30 * aDay), "", LimitAge},
		{"a nanosecond over has ended", fresh, BuiltIn, t0.Add(30*aDay + 1), ByAge, LimitAge},
		{"idle at the edge lives", fresh, idle, t0.Add(2 * aDay), "", LimitIdle},
		{"idle over", fresh, idle, t0.Add(2*aDay + 1), ByIdle, LimitIdle},
		{"use resets idleness, not age", with(func(s *Session) { s.LastActivity = t0.Add(29 * aDay) }), idle, t0.Add(30*aDay + 1), ByAge, LimitAge},
		{"the server began earlier", with(func(s *Session) { s.Bounds.OriginalIat = t0.Add(-aDay) }), BuiltIn, t0.Add(29*aDay + 1), ByAge, LimitAge},
		{"the server ends earlier", with(func(s *Session) { s.Bounds.EndsAt = t0.Add(7 * aDay) }), BuiltIn, t0.Add(7*aDay + 1), ByAge, LimitServer},
		{"the server ends later", with(func(s *Session) { s.Bounds.EndsAt = t0.Add(90 * aDay) }), BuiltIn, t0.Add(30 * aDay), "", LimitAge},
		{"the server's same 30 days, in whole seconds", with(func(s *Session) { s.Bounds.EndsAt = t0.Add(30*aDay - time.Second) }), BuiltIn, t0.Add(30 * aDay), "", LimitAge},
		{"the provider's own end", with(func(s *Session) { s.ServerLifetime = aDay }), BuiltIn, t0.Add(aDay + 1), ByAge, LimitServer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.s.Over(tt.l, tt.at); got != tt.want {
				t.Errorf("Over = %q, want %q", got, tt.want)
			}
			if _, by := tt.s.EndsAt(tt.l); by != tt.wantBy {
				t.Errorf("EndsAt names %q, want %q", by, tt.wantBy)
			}
		})
	}
}

func TestLeft(t *testing.T) {
	tests := []struct {
		name      string
		s         Session
		want      int
		exhausted bool
	}{
		{"new", Session{}, 20, false},
		{"nineteen used", Session{Used: 19}, 1, false},
		{"the twentieth is open", Session{Used: 20, Pending: true}, 0, false},
		{"twenty used", Session{Used: 20}, 0, true},
		{"the server counted more", Session{Used: 3, Bounds: Bounds{RefreshCount: 5}}, 15, false},
		{"the server counted all", Session{Used: 3, Bounds: Bounds{RefreshCount: 25}}, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.s.Left(BuiltIn); got != tt.want {
				t.Errorf("Left = %d, want %d", got, tt.want)
			}
			if got := tt.s.Exhausted(BuiltIn); got != tt.exhausted {
				t.Errorf("Exhausted = %v, want %v", got, tt.exhausted)
			}
		})
	}
}

func TestDerive(t *testing.T) {
	good := &Session{SignedInAt: t0, LastActivity: t0, AccessExpiresAt: t0.Add(15 * time.Minute)}
	stale := &Session{SignedInAt: t0, LastActivity: t0, AccessExpiresAt: t0.Add(-time.Minute)}
	spentGood := &Session{SignedInAt: t0, LastActivity: t0, AccessExpiresAt: t0.Add(time.Minute), Used: 20}
	spent := &Session{SignedInAt: t0, LastActivity: t0, Used: 20}
	spentOpen := &Session{SignedInAt: t0, LastActivity: t0, Used: 20, Pending: true}
	old := &Session{SignedInAt: t0.Add(-31 * aDay), LastActivity: t0, AccessExpiresAt: t0.Add(time.Minute)}
	tests := []struct {
		name   string
		f      Facts
		want   State
		reason Reason
	}{
		{"nothing", Facts{}, SignedOut, ""},
		{"signed out", Facts{Past: ByUser}, SignedOut, ByUser},
		{"ended before", Facts{Past: ByRefreshes}, Ended, ByRefreshes},
		{"keychain locked, nothing loaded", Facts{Locked: true}, Locked, ""},
		{"ended before, keychain locked", Facts{Past: ByAge, Locked: true}, Ended, ByAge},
		{"signing in over an ended one", Facts{Past: ByAge, SigningIn: true}, SigningIn, ""},
		{"signing in over a live one", Facts{Session: good, SigningIn: true}, SigningIn, ""},
		{"active", Facts{Session: good}, Active, ""},
		{"active while the keychain is locked", Facts{Session: good, Locked: true}, Active, ""},
		{"active while the server is away", Facts{Session: good, RetryAt: t0.Add(time.Second)}, Active, ""},
		{"refreshing", Facts{Session: stale, Refreshing: true}, Refreshing, ""},
		{"stale", Facts{Session: stale}, Stale, ""},
		{"expiry unknown counts as expired", Facts{Session: &Session{SignedInAt: t0, LastActivity: t0}}, Stale, ""},
		{"waiting", Facts{Session: stale, RetryAt: t0.Add(time.Second)}, Waiting, ""},
		{"held", Facts{Session: stale, Held: true, RetryAt: t0.Add(time.Second)}, Held, ""},
		{"locked", Facts{Session: stale, Locked: true}, Locked, ""},
		{"the last token lives on", Facts{Session: spentGood}, Active, ""},
		{"used up", Facts{Session: spent}, Ended, ByRefreshes},
		{"the last refresh is open", Facts{Session: spentOpen, RetryAt: t0.Add(time.Second)}, Waiting, ""},
		{"too old, whatever the access token says", Facts{Session: old}, Ended, ByAge},
		{"too old by a clock nobody believes", Facts{Session: old, Suspect: true}, Suspect, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, reason := Derive(tt.f, BuiltIn, t0); got != tt.want || reason != tt.reason {
				t.Errorf("Derive = %s %q, want %s %q", got, reason, tt.want, tt.reason)
			}
		})
	}
}

// Whatever a server says and however a session was used, no time and no
// refresh is gained over the built-in limits, and time only ever ends it.
func TestLimitsOnlyTighten(t *testing.T) {
	at := func(t *rapid.T, name string) time.Time {
		return t0.Add(time.Duration(rapid.Int64Range(-int64(90*aDay), int64(90*aDay)).Draw(t, name)))
	}
	rapid.Check(t, func(t *rapid.T) {
		s := Session{
			SignedInAt:      t0,
			LastActivity:    at(t, "activity"),
			Used:            rapid.IntRange(0, 25).Draw(t, "used"),
			Pending:         rapid.Bool().Draw(t, "pending"),
			AccessExpiresAt: at(t, "access"),
			Bounds: Bounds{
				EndsAt:       at(t, "server end"),
				OriginalIat:  at(t, "iat"),
				RefreshCount: rapid.IntRange(-3, 30).Draw(t, "server count"),
			},
		}
		l := BuiltIn.Tighten(Limits{
			MaxAge:       time.Duration(rapid.Int64Range(-1, int64(60*aDay)).Draw(t, "max age")),
			MaxRefreshes: rapid.IntRange(-1, 40).Draw(t, "max refreshes"),
			MaxIdle:      time.Duration(rapid.Int64Range(-1, int64(60*aDay)).Draw(t, "max idle")),
		})
		if left := s.Left(l); left > 20-s.Used && left > 0 {
			t.Fatalf("%d left after %d used", left, s.Used)
		}
		end, _ := s.EndsAt(l)
		if end.After(t0.Add(30 * aDay)) {
			t.Fatalf("ends at %v, after 30 days", end)
		}
		now := at(t, "now")
		if s.Over(l, now) != "" && s.Over(l, now.Add(time.Duration(rapid.Int64Range(0, int64(aDay)).Draw(t, "later")))) == "" {
			t.Fatal("over, and alive again later")
		}
		if state, _ := Derive(Facts{Session: &s}, l, now); s.Over(l, now) != "" && state != Ended {
			t.Fatalf("over, but %s", state)
		}
	})
}
