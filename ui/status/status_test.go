package status

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"curfew/auth"
)

var (
	zone  = time.FixedZone("CET", 3600)
	now   = time.Date(2026, 11, 22, 14, 30, 0, 0, zone)
	start = now.Add(-7 * day)
)

// live is a session on its eighth day with six refreshes spent. edits change it.
func live(edits ...func(*auth.Snapshot)) auth.Snapshot {
	s := auth.Snapshot{
		Name: "Spotify", Provider: "spotify", Subject: "alice@example.org", State: auth.Active,
		SignedInAt: start, EndsAt: start.Add(30 * day),
		RefreshesUsed: 6, RefreshesLeft: 14, MaxRefreshes: 20,
		AccessExpiresAt: now.Add(41*time.Minute + 7*time.Second), AccessLifetime: 3600,
		LastUsedAt: now.Add(-2 * time.Minute), LastUsedBy: "curl", TookTokens: []auth.Taker{{Program: "curl", At: now.Add(-2 * time.Minute)}},
		LimitedBy: auth.LimitRefreshes,
	}
	s.Plan(time.Time{}, auth.Say("next_on_demand"))
	for _, edit := range edits {
		edit(&s)
	}
	return s
}

func in(state auth.State) func(*auth.Snapshot) {
	return func(s *auth.Snapshot) { s.State = state }
}

func ended(r auth.Reason) func(*auth.Snapshot) {
	return func(s *auth.Snapshot) { s.State, s.Reason = auth.Ended, r }
}

func used(n int) func(*auth.Snapshot) {
	return func(s *auth.Snapshot) { s.RefreshesUsed, s.RefreshesLeft = n, 20-n }
}

func endsIn(d time.Duration) func(*auth.Snapshot) {
	return func(s *auth.Snapshot) { s.EndsAt, s.SignedInAt = now.Add(d), now.Add(d-30*day) }
}

func signIn(p auth.Phase, message string) func(*auth.Snapshot) {
	return func(s *auth.Snapshot) { s.SignIn = &auth.SignInView{Flow: "f", Phase: p, Text: auth.Words(message)} }
}

// took makes programs the takers of tokens, each a minute before the last.
func took(programs ...string) func(*auth.Snapshot) {
	return func(s *auth.Snapshot) {
		s.TookTokens = nil
		for i, p := range programs {
			s.TookTokens = append(s.TookTokens, auth.Taker{Program: p, At: now.Add(-time.Duration(i+2) * time.Minute)})
		}
	}
}

func limit(n int) func(*auth.Snapshot) {
	return func(s *auth.Snapshot) { s.MaxRefreshes = n }
}

// lived is a session that ended by its refreshes, under a limit.
func lived(used, most int, edits ...func(*auth.Snapshot)) auth.Snapshot {
	return live(append([]func(*auth.Snapshot){ended(auth.ByRefreshes), func(s *auth.Snapshot) {
		s.RefreshesUsed, s.RefreshesLeft, s.EndedAt = used, 0, now
		s.EndedLimits = auth.EndedLimits{MaxRefreshes: most}
	}}, edits...)...)
}

func nextAt(d time.Duration) func(*auth.Snapshot) {
	return func(s *auth.Snapshot) { s.NextRefreshAt = now.Add(d) }
}

// TestCanCopy: a session has a token to copy as long as that is valid, also while it
// is being replaced.
func TestCanCopy(t *testing.T) {
	state := func(state auth.State) func(*auth.Snapshot) {
		return func(s *auth.Snapshot) { s.State = state }
	}
	expired := func(s *auth.Snapshot) { s.AccessExpiresAt = now.Add(-time.Minute) }
	first := func(s *auth.Snapshot) { s.EndsAt = time.Time{} }
	for name, c := range map[string]struct {
		s    auth.Snapshot
		want bool
	}{
		"active":                   {live(), true},
		"waiting":                  {live(state(auth.Waiting)), true},
		"waiting, expired":         {live(state(auth.Waiting), expired), false},
		"signing in again":         {live(state(auth.SigningIn)), true},
		"signing in again, stale":  {live(state(auth.SigningIn), expired), false},
		"signing in for the first": {live(state(auth.SigningIn), first), false},
		"locked":                   {live(state(auth.Locked)), false},
	} {
		if got := CanCopy(c.s, now); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestSigningInAgain: what an ended session leaves behind is not a session.
func TestSigningInAnew(t *testing.T) {
	s := auth.Snapshot{Name: "x", State: auth.SigningIn, SignedInAt: time.Unix(1, 0), RefreshesUsed: 20, MaxRefreshes: 20}
	if HasSession(s) {
		t.Error("a session that ended counts down while the next sign-in is under way")
	}
	s.EndsAt = time.Unix(2, 0)
	if !HasSession(s) {
		t.Error("a session stops counting down while a new sign-in is under way")
	}
}

func TestWords(t *testing.T) {
	for _, tt := range []struct {
		name                 string
		s                    auth.Snapshot
		short, title, detail string
		urgency              Urgency
		action               string
	}{
		{"active", live(), "14 of 20 refreshes, 23 d left", "Signed in", "Your tools get tokens without asking you.", Calm, "Sign in again"},
		{"stale", live(in(auth.Stale)), "14 of 20 refreshes, 23 d left", "Signed in", "The access token has expired. The next tool that asks gets a new one.", Calm, "Sign in again"},
		{"refreshing", live(in(auth.Refreshing)), "14 of 20 refreshes, 23 d left", "Refreshing", "A new access token is on its way.", Calm, "Sign in again"},
		{"waiting", live(in(auth.Waiting), nextAt(40*time.Second)), "14 of 20 refreshes, 23 d left; waiting for the server, next try in under 1 min", "Waiting for the server",
			"The server cannot be reached or asks to wait. Nothing is lost. Next try in 40 s.", Calm, "Sign in again"},
		{"waiting, no time", live(in(auth.Waiting)), "14 of 20 refreshes, 23 d left; waiting for the server", "Waiting for the server",
			"The server cannot be reached or asks to wait. Nothing is lost.", Calm, "Sign in again"},
		{"held", live(in(auth.Held), func(s *auth.Snapshot) { s.Message = "the server says invalid_client" }), "refused by the server", "Refused by the server",
			"The server says invalid_client.", Attention, "Sign in again"},
		{"locked", live(in(auth.Locked)), "keychain locked", "Keychain locked", "The keychain is locked or does not answer. Unlock it, and Curfew continues.", Attention, "Unlock"},
		{"locked, as it says", live(in(auth.Locked), func(s *auth.Snapshot) { s.Say(auth.Say(auth.LockedID).Sentence()) }), "keychain locked", "Keychain locked", "The keychain is locked.", Attention, "Unlock"},
		{"locked out", live(in(auth.Locked), func(s *auth.Snapshot) { s.Say(auth.Say("keychain_refused").Sentence()) }), "keychain unavailable", "Keychain unavailable", "The keychain refused.", Attention, "Unlock"},
		{"suspect", live(in(auth.Suspect)), "check this computer's clock", "Check the clock", "This computer's clock looks wrong. Set the time, and Curfew continues.", Attention, ""},
		{"signed out", auth.Snapshot{Name: "x", State: auth.SignedOut}, "signed out", "Signed out", "Sign in once, in your own browser. Then your tools get tokens from Curfew.", Calm, "Sign in"},
		{"signing in", auth.Snapshot{Name: "x", State: auth.SigningIn}, "signing in, continue in your browser", "Signing in",
			"Continue in your browser. You can reopen the page or cancel safely.", Calm, "Cancel sign-in"},
		{"signing in, locked", auth.Snapshot{Name: "x", State: auth.SigningIn, SignIn: &auth.SignInView{Phase: auth.PhaseBrowser, Text: auth.Say(auth.PromptID)}}, "signing in, unlock the keychain", "Signing in",
			"The keychain asks for its password. The sign-in page opens after that.", Calm, "Cancel sign-in"},
		{"signing in, exchange", auth.Snapshot{Name: "x", State: auth.SigningIn, SignIn: &auth.SignInView{Phase: auth.PhaseExchange}}, "signing in, almost done", "Signing in",
			"Browser sign-in finished; saving the session.", Calm, "Cancel sign-in"},
		{"signing in again during a live session", live(signIn(auth.PhaseBrowser, "")), "signing in, continue in your browser", "Signing in",
			"Continue in your browser. You can reopen the page or cancel safely.", Calm, "Cancel sign-in"},
		{"sign-in done", live(signIn(auth.PhaseDone, "")), "14 of 20 refreshes, 23 d left", "Signed in", "Your tools get tokens without asking you.", Calm, "Sign in again"},
		{"sign-in failed", auth.Snapshot{Name: "x", State: auth.SignedOut, SignIn: &auth.SignInView{Phase: auth.PhaseFailed, Text: auth.Words("you said no in the browser")}}, "signed out", "Signed out",
			"Sign in once, in your own browser. Then your tools get tokens from Curfew. The last sign-in failed: You said no in the browser.", Calm, "Sign in"},
		{"signing in after the end", live(ended(auth.ByAge), signIn(auth.PhaseBrowser, "")), "signing in, continue in your browser", "Signing in",
			"Continue in your browser. You can reopen the page or cancel safely.", Calm, "Cancel sign-in"},
		{"ended by age", live(ended(auth.ByAge)), "sign in again: its 30 days have passed", "Session ended", "Refresh token has expired. Please login again.", Over, "Sign in again"},
		{"ended by tightened age", live(ended(auth.ByAge), func(s *auth.Snapshot) { s.EndsAt = s.SignedInAt.Add(7 * day) }), "sign in again: its 7 days have passed", "Session ended",
			"Refresh token has expired. Please login again.", Over, "Sign in again"},
		{"ended by refreshes", live(ended(auth.ByRefreshes), used(20)), "sign in again: all 20 refreshes are used", "Session ended",
			"Refresh token has reached maximum usage limit. Please login again.", Over, "Sign in again"},
		{"ended by one refresh", live(ended(auth.ByRefreshes), func(s *auth.Snapshot) { s.MaxRefreshes, s.RefreshesLeft = 1, 0 }), "sign in again: its 1 refresh is used", "Session ended",
			"Refresh token has reached maximum usage limit. Please login again.", Over, "Sign in again"},
		{"ended by idle", live(ended(auth.ByIdle)), "sign in again: not used for too long", "Session ended", "Sign in again: not used for too long.", Over, "Sign in again"},
		{"ended, revoked", live(ended(auth.ByRevocation)), "sign in again: the server ended the session", "Session ended", "Sign in again: the server ended the session.", Over, "Sign in again"},
		{"ended, rotation lost", live(ended(auth.ByRotationLost)), "sign in again: the newest token was lost on its way", "Session ended", "Sign in again: the newest token was lost on its way.", Over, "Sign in again"},
		{"ended, tampered", live(ended(auth.ByTampering)), "sign in again: the stored session was modified outside Curfew", "Session ended",
			"Sign in again: the stored session was modified outside Curfew.", Over, "Sign in again"},
		{"ended, somebody else", live(ended(auth.BySubjectChanged)), "sign in again: the server returned a different user", "Session ended",
			"Sign in again: the server returned a different user.", Over, "Sign in again"},
		{"ended by the user", live(ended(auth.ByUser)), "signed out", "Signed out", "You signed out. Sign in whenever you need tokens.", Calm, "Sign in"},
		{"ended, reason of a newer agent", live(ended("eclipse")), "sign in again: the session has ended", "Session ended", "Sign in again: the session has ended.", Over, "Sign in again"},
		{"state of a newer agent", live(in("dreaming")), "unknown state: restart Curfew", "Unknown state",
			"The agent is newer than this program. Restart Curfew to bring both to one version.", Calm, ""},

		{"fresh", live(used(0), endsIn(30*day)), "20 of 20 refreshes, 30 d left", "Signed in", "Your tools get tokens without asking you.", Calm, "Sign in again"},
		{"six left", live(used(14)), "6 of 20 refreshes, 23 d left", "Signed in", "Your tools get tokens without asking you.", Calm, "Sign in again"},
		{"five left", live(used(15)), "5 of 20 refreshes, 23 d left", "Signed in", "The session ends soon. Sign in again when it suits you.", Soon, "Sign in again"},
		{"one left", live(used(19)), "1 of 20 refreshes, 23 d left", "Signed in", "The session ends soon. Sign in again when it suits you.", Soon, "Sign in again"},
		{"one of one", live(func(s *auth.Snapshot) { s.MaxRefreshes, s.RefreshesLeft = 1, 1 }), "1 of 1 refresh, 23 d left", "Signed in", "Your tools get tokens without asking you.", Calm, "Sign in again"},
		{"none left", live(used(20)), "no refreshes left, the last token expires in 41 min", "Signed in", "This is the last access token of the session. Sign in again before it expires.", Soon, "Sign in again"},
		{"none left, stale", live(used(20), in(auth.Stale)), "no refreshes left", "Signed in", "The access token has expired. The next tool that asks gets a new one.", Soon, "Sign in again"},
		{"three days", live(endsIn(3 * day)), "14 of 20 refreshes, 3 d left", "Signed in", "The session ends soon. Sign in again when it suits you.", Soon, "Sign in again"},
		{"59 s", live(endsIn(59 * time.Second)), "14 of 20 refreshes, under 1 min left", "Signed in", "The session ends in under 1 min. Sign in again now, and your tools notice nothing.", Soon, "Sign in again"},
		{"age exactly 30 d, still alive", live(endsIn(0)), "14 of 20 refreshes, under 1 min left", "Signed in", "The session ends in under 1 min. Sign in again now, and your tools notice nothing.", Soon, "Sign in again"},
		{"end unknown", live(func(s *auth.Snapshot) { s.EndsAt = time.Time{} }), "14 of 20 refreshes left", "Signed in", "Your tools get tokens without asking you.", Calm, "Sign in again"},
		{"end unknown, age reported", live(func(s *auth.Snapshot) { s.EndsAt, s.AgeLeft = time.Time{}, 86400 }), "14 of 20 refreshes, 1 d left", "Signed in", "The session ends soon. Sign in again when it suits you.", Soon, "Sign in again"},
		{"counts below zero", live(func(s *auth.Snapshot) { s.RefreshesLeft = -3 }), "no refreshes left, the last token expires in 41 min", "Signed in", "This is the last access token of the session. Sign in again before it expires.", Soon, "Sign in again"},
		{"counts beyond the limit", live(func(s *auth.Snapshot) { s.RefreshesLeft, s.MaxRefreshes = 5000, 9000 }), "20 of 20 refreshes, 23 d left", "Signed in", "Your tools get tokens without asking you.", Calm, "Sign in again"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := Describe(tt.s, now)
			if got := Short(tt.s, now); got != tt.short {
				t.Errorf("Short = %q, want %q", got, tt.short)
			}
			if got, want := Line(tt.s, now), tt.s.Name+": "+tt.short; got != want {
				t.Errorf("Line = %q, want %q", got, want)
			}
			if v.Title != tt.title {
				t.Errorf("Title = %q, want %q", v.Title, tt.title)
			}
			if v.Detail != tt.detail {
				t.Errorf("Detail = %q, want %q", v.Detail, tt.detail)
			}
			if v.Urgency != tt.urgency {
				t.Errorf("Urgency = %v, want %v", v.Urgency, tt.urgency)
			}
			if v.ActionLabel != tt.action {
				t.Errorf("ActionLabel = %q, want %q", v.ActionLabel, tt.action)
			}
		})
	}
}

func TestDescribeFields(t *testing.T) {
	get := func(s auth.Snapshot) View { return Describe(s, now) }
	for _, tt := range []struct{ name, got, want string }{
		{"access", get(live()).AccessToken, "valid for 41:07"},
		{"access by reported seconds", get(live(func(s *auth.Snapshot) { s.AccessExpiresAt, s.AccessLeft = time.Time{}, 61 })).AccessToken, "valid for 1:01"},
		{"access unknown", get(live(func(s *auth.Snapshot) { s.AccessExpiresAt = time.Time{} })).AccessToken, "expired"},
		{"access past", get(live(func(s *auth.Snapshot) { s.AccessExpiresAt = now })).AccessToken, "expired"},
		{"access stale", get(live(in(auth.Stale))).AccessToken, "expired"},
		{"access signed out", get(auth.Snapshot{State: auth.SignedOut}).AccessToken, "none"},
		{"token line", TokenLine(live(), now), "Access token valid until 15:11"},
		{"token line, tomorrow", TokenLine(live(func(s *auth.Snapshot) { s.AccessExpiresAt = now.AddDate(0, 0, 1) }), now), "Access token valid until " + When(now.AddDate(0, 0, 1), now)},
		{"token line, a short life", TokenLine(live(func(s *auth.Snapshot) { s.AccessExpiresAt, s.AccessLifetime = now.Add(31*time.Second), 60 }), now), "Access token valid until " + now.Add(31*time.Second).Format("15:04:05")},
		{"token line, end unknown", TokenLine(live(func(s *auth.Snapshot) { s.AccessExpiresAt, s.AccessLeft = time.Time{}, 61 }), now), "Access token valid"},
		{"token line, stale", TokenLine(live(in(auth.Stale)), now), "Access token expired"},
		{"token line, signed out", TokenLine(auth.Snapshot{State: auth.SignedOut}, now), "No access token"},
		{"next, why", get(live()).NextRefresh, "when a tool asks"},
		{"next, when", get(live(nextAt(time.Hour), func(s *auth.Snapshot) { s.NextReason = "" })).NextRefresh, "today, 15:30"},
		{"next, nothing known", get(live(func(s *auth.Snapshot) { s.NextReason = "" })).NextRefresh, "when a tool asks"},
		{"next, paused", get(live(func(s *auth.Snapshot) { s.Paused = true })).NextRefresh, "paused; when a tool asks"},
		{"next, none left", get(live(used(20))).NextRefresh, "none left"},
		{"next, now", get(live(in(auth.Refreshing))).NextRefresh, "now"},
		{"next, no session", get(live(ended(auth.ByAge))).NextRefresh, "none"},
		{"used", get(live()).LastUsed, "2 min ago by curl"},
		{"used, nobody named", get(live(took(""))).LastUsed, "2 min ago by a tool"},
		{"used by no tool: the sign-in, and a person who copied", get(live(took("curfew-window", "curfew-tray"))).LastUsed, "not yet"},
		{"used by a tool, before a person copied", get(live(took("curfew-tray", "git"))).LastUsed, "3 min ago by git"},
		{"lead", said(get(live(forecast(auth.LimitRefreshes, 7))).Lead), "14 of 20 refreshes left"},
		{"the other count", said(get(live(forecast(auth.LimitRefreshes, 7))).Other), "23 of 30 days left"},
		{"lead, the days end first", said(get(live(forecast(auth.LimitAge, 7))).Lead), "23 of 30 days left"},
		{"lead, the server ends first", said(get(live(forecast(auth.LimitServer, 7))).Lead), "23 of 30 days left"},
		{"lead, too early to tell", said(get(live(forecast(auth.LimitAge, .5))).Lead), "14 of 20 refreshes left"},
		{"lead, no refresh left", said(get(live(used(20), forecast(auth.LimitAge, 7))).Lead), "41:07 left of the last token"},
		{"lead, no refresh left and no token", said(get(live(used(20), in(auth.Stale), func(s *auth.Snapshot) { s.AccessExpiresAt, s.AccessLeft = time.Time{}, 0 })).Lead), "0 of 20 refreshes left"},
		{"hours", said(ageCount(live(endsIn(5*time.Hour+12*time.Minute)), now)), "5 h 12 min left of 30 days"},
		{"clock", said(ageCount(live(endsIn(59*time.Second)), now)), "0:59 left of 30 days"},
		{"days unknown", said(ageCount(live(func(s *auth.Snapshot) { s.EndsAt, s.AgeLeft = time.Time{}, 0 }), now)), "– end unknown"},
		{"over", said(get(live(ended(auth.ByAge))).Refreshes), "0 of 20 refreshes left"},
		{"outlook", told(live(forecast(auth.LimitRefreshes, 7))), "Good until about Thu 10 Dec. Then Curfew asks you to sign in again. | refreshes end, about 10 Dec | 30 days end Tue 15 Dec, 14:30"},
		{"outlook, not used", told(live(forecast(auth.LimitIdle, 7))), "Good until about Thu 10 Dec. Then Curfew asks you to sign in again. | ends unused, about 10 Dec | 30 days end Tue 15 Dec, 14:30"},
		{"outlook, the server", told(live(forecast(auth.LimitServer, 7), func(s *auth.Snapshot) { s.LimitedBy, s.Forecast.EndsAt = auth.LimitServer, s.EndsAt })),
			"Good until Tue 15 Dec, 14:30. Then Curfew asks you to sign in again. |  | the server ends it Tue 15 Dec, 14:30"},
		{"outlook, too early", told(live(forecast(auth.LimitAge, .9))),
			"Good until Tue 15 Dec, 14:30 at the latest. It is too early to tell when the refreshes will be used up. |  | 30 days end Tue 15 Dec, 14:30"},
		{"outlook, nothing left", told(live(used(20), forecast(auth.LimitAge, 3))),
			"Good until today, 15:11. Sign in again before, and your tools notice nothing. |  | 30 days end Tue 15 Dec, 14:30"},
		{"outlook, over", told(live(ended(auth.ByAge))), "  |  | "},
		{"past", get(lived(20, 20)).Past.Spent, "20 of 20 used"},
		{"past, limits tightened since", get(lived(20, 20, limit(5))).Past.Spent, "20 of 20 used"},
		{"past, of an agent that does not say", get(lived(20, 0)).Past.Spent, "20 of 20 used"},
		{"past, the server's limit", get(lived(6, 20)).Past.Spent, "6 of 20 used"},
		{"past, tightened to what was used", get(lived(8, 5, limit(5))).Past.Spent, "8 of 8 used"},
		{"why, the server's limit", WhyEnded(lived(6, 20)), "The server allows no more refreshes."},
		{"why, limits tightened since", WhyEnded(lived(20, 20, limit(5))), "All 20 refreshes are used."},
		{"row", Row(live(), now), "Spotify: 14 left, until 15 Dec"},
		{"row, a forecast to go by", Row(live(func(s *auth.Snapshot) {
			s.Forecast = auth.ForecastView{EndsAt: now.Add(16 * day), HistoryDays: 7}
		}), now), "Spotify: 14 left, until 8 Dec"},
		{"row, a forecast of nothing", Row(live(func(s *auth.Snapshot) {
			s.Forecast = auth.ForecastView{EndsAt: now.Add(16 * day)}
		}), now), "Spotify: 14 left, until 15 Dec"},
		{"row, none left", Row(live(used(20)), now), "Spotify: none left, until 15:11"},
		{"row, today", Row(live(endsIn(2*time.Hour)), now), "Spotify: 14 left, until 16:30"},
		{"row, offline", Row(live(in(auth.Waiting)), now), "Spotify: 14 left, no answer"},
		{"row, ended", Row(live(ended(auth.ByAge)), now), "Spotify: sign in again"},
		{"row, signed out", Row(live(ended(auth.ByUser)), now), "Spotify: signed out"},
		{"row, signing in", Row(live(signIn(auth.PhaseBrowser, "")), now), "Spotify: signing in"},
		{"row, clock", Row(live(in(auth.Suspect)), now), "Spotify: check the clock"},
		{"tools", Tools(live(took("git", "curl")), 2), "git and curl"},
		{"tools, more", Tools(live(took("git", "curl", "gh")), 2), "git, curl and more"},
		{"tools, one", Tools(live(took("curfew-tray", "git")), 2), "git"},
		{"tools, none", Tools(live(took()), 2), ""},
		{"warning", strings.Join(get(live(func(s *auth.Snapshot) { s.Warnings = []string{"no keychain:\n memory only", ""} })).Warnings, "|"), "No keychain: memory only."},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, tt.got, tt.want)
		}
	}
	for _, tt := range []struct {
		name string
		got  float64
		want float64
	}{
		{"refreshes", get(live()).Refreshes.Fraction, 0.7},
		{"days", ageCount(live(), now).Fraction, 23.0 / 30},
		{"least, refreshes", LeastLeft(live(), now), 0.7},
		{"least, days", LeastLeft(live(endsIn(3*day)), now), 0.1},
		{"least, days unknown", LeastLeft(live(func(s *auth.Snapshot) { s.EndsAt = time.Time{} }), now), 0.7},
		{"full", ageCount(live(endsIn(30*day)), now).Fraction, 1},
		{"over", get(live(ended(auth.ByAge))).Refreshes.Fraction, 0},
	} {
		if math.Abs(tt.got-tt.want) > 1e-9 {
			t.Errorf("ring of %s: %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

func TestDurations(t *testing.T) {
	for _, tt := range []struct {
		d            time.Duration
		coarse, fine string
	}{
		{-time.Hour, "under 1 min", "0:00"},
		{0, "under 1 min", "0:00"},
		{59*time.Second + 999*time.Millisecond, "under 1 min", "0:59"},
		{time.Minute, "1 min", "1:00"},
		{41*time.Minute + 7*time.Second, "41 min", "41:07"},
		{time.Hour - 1, "59 min", "59:59"},
		{time.Hour, "1 h", "1 h"},
		{5*time.Hour + 12*time.Minute, "5 h 12 min", "5 h 12 min"},
		{day - 1, "23 h 59 min", "23 h 59 min"},
		{day, "1 d", "1 d"},
		{2*day + 5*time.Hour, "2 d 5 h", "2 d 5 h"},
		{3*day + 5*time.Hour, "3 d", "3 d 5 h"},
		{30 * day, "30 d", "30 d"},
		{30*day - 1, "30 d", "29 d 23 h"},
	} {
		if got := Coarse(tt.d); got != tt.coarse {
			t.Errorf("Coarse(%v) = %q, want %q", tt.d, got, tt.coarse)
		}
		if got := Fine(tt.d); got != tt.fine {
			t.Errorf("Fine(%v) = %q, want %q", tt.d, got, tt.fine)
		}
	}
}

func TestMoments(t *testing.T) {
	for _, tt := range []struct {
		t                time.Time
		when, stamp, ago string
	}{
		{time.Time{}, "", "", "never"},
		{now, "today, 14:30", "14:30", "just now"},
		{now.Add(time.Hour), "today, 15:30", "15:30", "just now"},
		{now.Add(-59 * time.Second), "today, 14:29", "14:29", "just now"},
		{now.Add(-5 * time.Hour), "today, 09:30", "09:30", "5 h ago"},
		{now.Add(-17 * time.Hour), "Sat 21 Nov, 21:30", "Sat 21:30", "17 h ago"},
		{now.Add(-8 * day), "Sat 14 Nov, 14:30", "14 Nov 14:30", "8 d ago"},
		{time.Date(2026, 11, 22, 23, 30, 0, 0, time.UTC), "Mon 23 Nov, 00:30", "23 Nov 00:30", "just now"}, // another day in now's zone
		{time.Date(2026, 12, 10, 15, 40, 0, 0, time.UTC), "Thu 10 Dec, 16:40", "10 Dec 16:40", "just now"},
		{time.Date(2027, 1, 2, 3, 4, 0, 0, zone), "Sat 2 Jan 2027, 03:04", "2 Jan 03:04", "just now"},
	} {
		if got := When(tt.t, now); got != tt.when {
			t.Errorf("When(%v) = %q, want %q", tt.t, got, tt.when)
		}
		if got := Stamp(tt.t, now); got != tt.stamp {
			t.Errorf("Stamp(%v) = %q, want %q", tt.t, got, tt.stamp)
		}
		if got := Ago(tt.t, now); got != tt.ago {
			t.Errorf("Ago(%v) = %q, want %q", tt.t, got, tt.ago)
		}
	}
}

func TestClip(t *testing.T) {
	for _, tt := range []struct {
		text string
		n    int
		want string
	}{
		{"work", 40, "work"},
		{"  two\r\n lines\t", 40, "two lines"},
		{"a\u202egnp.exe", 40, "a gnp.exe"}, // no text that turns around
		{"\x00\x1b[31m", 40, "[31m"},
		{strings.Repeat("ä", 4096), 10, strings.Repeat("ä", 9) + "…"},
		{"exactly ten", 11, "exactly ten"},
		{"cut at a space", 5, "cut…"},
		{"x", 0, "…"},
		{"", 5, ""},
		{"\xff\xfe", 5, ""},
	} {
		if got := Clip(tt.text, tt.n); got != tt.want {
			t.Errorf("Clip(%.20q, %d) = %q, want %q", tt.text, tt.n, got, tt.want)
		}
	}
}

func TestSort(t *testing.T) {
	named := func(name string, edits ...func(*auth.Snapshot)) auth.Snapshot {
		s := live(edits...)
		s.Name = name
		return s
	}
	all := []auth.Snapshot{named("b"), named("over", ended(auth.ByAge)), named("A"), named("held", in(auth.Held)), named("few", used(18)), named("out", ended(auth.ByUser))}
	before := slices.Clone(all)
	var got []string
	for _, s := range Sort(all, now) {
		got = append(got, s.Name)
	}
	if want := []string{"over", "held", "few", "A", "b", "out"}; !slices.Equal(got, want) {
		t.Errorf("Sort = %v, want %v", got, want)
	}
	if all[0].Name != before[0].Name {
		t.Error("Sort changed its argument")
	}
}

func TestTooltip(t *testing.T) {
	many := make([]auth.Snapshot, 30)
	for i := range many {
		many[i] = live(func(s *auth.Snapshot) { s.Name = fmt.Sprintf("account-%02d", i) })
	}
	many[17].State, many[17].Reason = auth.Ended, auth.ByRefreshes
	const windows = 127
	line := func(n int) string { return fmt.Sprintf("account-%02d: 14 of 20 refreshes, 23 d left\n", n) }
	const over = "account-17: sign in again: all 20 refreshes are used\n"
	for _, tt := range []struct {
		name string
		all  []auth.Snapshot
		room int
		want string
	}{
		{"none", nil, windows, "Curfew: no accounts yet"},
		{"one", many[:1], windows, strings.TrimSpace(line(0))},
		{"five", many[:5], 0, strings.TrimSpace(line(0) + line(1) + line(2) + line(3) + line(4))},
		{"six", many[:6], 0, line(0) + line(1) + line(2) + line(3) + line(4) + "and 1 more"},
		{"thirty", many, 0, over + line(0) + line(1) + line(2) + line(3) + "and 25 more"},
		{"thirty on Windows", many, windows, over + line(0) + "and 28 more"},
	} {
		if got := Tooltip(tt.all, now, tt.room); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestIconText(t *testing.T) {
	full := live()
	for _, tt := range []struct {
		name string
		all  []auth.Snapshot
		want string
	}{
		{"none", nil, ""},
		{"one", []auth.Snapshot{full}, "14 · 23 d"},
		{"the least of two", []auth.Snapshot{full, live(func(s *auth.Snapshot) { s.RefreshesLeft = 3 })}, "3 · 23 d"},
		{"the last token", []auth.Snapshot{live(func(s *auth.Snapshot) { s.RefreshesLeft, s.AccessExpiresAt = 0, now.Add(41*time.Minute) })}, "0 · 41 min"},
		{"a locked session is unknown", []auth.Snapshot{live(func(s *auth.Snapshot) { s.State = auth.Locked })}, ""},
		{"an ended session has nothing left", []auth.Snapshot{{State: auth.Ended, Reason: auth.ByAge}, full}, "14 · 23 d"},
		{"no end known", []auth.Snapshot{{State: auth.Active, RefreshesLeft: 14, MaxRefreshes: 20}}, "14"},
		{"no refresh token", []auth.Snapshot{live(func(s *auth.Snapshot) { s.NoRefresh, s.RefreshesLeft = true, 0 })}, "41 min"},
	} {
		if got := IconText(tt.all, now); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestExplain(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want Problem
	}{
		{"words of the agent", &auth.Error{Kind: auth.KindSignInNeeded, Message: auth.MessageRefreshes, Hint: "curfew login work"},
			Problem{"Refresh token has reached maximum usage limit. Please login again.", "curfew login work"}},
		{"hint for people", &auth.Error{Kind: auth.KindNotRunning, Message: "no agent", Hint: "install it next to this program"},
			Problem{"No agent.", "Install it next to this program"}},
		{"wrapped, bare kind", fmt.Errorf("copy: %w", &auth.Error{Kind: auth.KindNotRunning}), Problem{"The Curfew agent is not running.", "Start it with: curfew agent"}},
		{"bad request", &auth.Error{Kind: auth.KindBadRequest}, Problem{"A name, value or setting is wrong.", "Check the account's settings."}},
		{"unknown account", &auth.Error{Kind: auth.KindUnknown}, Problem{"There is no account of that name.", "Add the account first."}},
		{"sign-in needed", &auth.Error{Kind: auth.KindSignInNeeded}, Problem{"This account needs a sign-in.", "Choose Sign in again."}},
		{"unavailable", &auth.Error{Kind: auth.KindUnavailable}, Problem{"The server cannot be reached or asks to wait.", "Nothing is lost; Curfew tries again automatically."}},
		{"refused", &auth.Error{Kind: auth.KindRefused}, Problem{"The server refused.", "Check the account's settings, or ask whoever runs the server."}},
		{"keychain", &auth.Error{Kind: auth.KindKeychain}, Problem{"The keychain is locked or does not answer.", "Unlock the keychain and try again."}},
		{"failed", &auth.Error{Kind: auth.KindFailed}, Problem{"Something went wrong.", "The history of the account may say more."}},
		{"plain", errors.New("no browser found"), Problem{"No browser found.", ""}},
		{"nil", nil, Problem{"Something went wrong.", ""}},
	} {
		got := Explain(tt.err)
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if p := Explain(&auth.Error{Message: strings.Repeat("x\n", 9000)}); utf8.RuneCountInString(p.Message) > sentenceRunes || strings.Contains(p.Message, "\n") {
		t.Errorf("a long message came through: %d runes", utf8.RuneCountInString(p.Message))
	}
}

// absurd finds what a countdown must not say: numbers below zero, not-a-numbers, and
// counts with more digits than any limit has.
var absurd = regexp.MustCompile(`NaN|Inf|%!|(^|[\s(])-\d|\d{5,}`)

// TestNothingAbsurd: not even a broken snapshot makes an empty, negative or
// endless sentence.
func TestNothingAbsurd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		moment := rapid.Custom(func(t *rapid.T) time.Time {
			if rapid.Bool().Draw(t, "unknown") {
				return time.Time{}
			}
			return now.Add(time.Duration(rapid.Int64Range(int64(-90*day), int64(90*day)).Draw(t, "offset")))
		})
		word := rapid.StringN(-1, -1, 5000)
		s := auth.Snapshot{
			Name: word.Draw(t, "name"), State: auth.State(rapid.SampledFrom([]auth.State{
				auth.SignedOut, auth.SigningIn, auth.Active, auth.Stale, auth.Refreshing, auth.Waiting, auth.Held, auth.Locked, auth.Suspect, auth.Ended, "", "new"}).Draw(t, "state")),
			Reason: rapid.SampledFrom([]auth.Reason{"", auth.ByAge, auth.ByRefreshes, auth.ByIdle, auth.ByRevocation, auth.ByRotationLost,
				auth.ByTampering, auth.BySubjectChanged, auth.ByUser, "new"}).Draw(t, "reason"),
			SignedInAt: moment.Draw(t, "signed in"), EndsAt: moment.Draw(t, "ends"), AgeLeft: rapid.Int64().Draw(t, "age"),
			RefreshesLeft: rapid.Int().Draw(t, "left"), MaxRefreshes: rapid.IntRange(-5, 50).Draw(t, "max"),
			AccessExpiresAt: moment.Draw(t, "access"), AccessLeft: rapid.Int64().Draw(t, "access left"),
			NextRefreshAt: moment.Draw(t, "next"), LastUsedAt: moment.Draw(t, "used"),
			LimitedBy: rapid.SampledFrom([]auth.Limit{"", auth.LimitAge, auth.LimitRefreshes, auth.LimitIdle, auth.LimitServer, "new"}).Draw(t, "by"),
			Paused:    rapid.Bool().Draw(t, "paused"),
			Forecast:  auth.ForecastView{EndsAt: moment.Draw(t, "forecast"), By: auth.LimitRefreshes},
		}
		v := Describe(s, now)
		for what, text := range map[string]string{
			"Short": Short(s, now), "Title": v.Title, "Detail": v.Detail, "Refreshes": said(v.Refreshes), "Lead": said(v.Lead), "Lead.Value": v.Lead.Value, "Other": said(v.Other), "Other.Value": v.Other.Value,
			"AccessToken": v.AccessToken, "NextRefresh": v.NextRefresh, "LastUsed": v.LastUsed,
		} {
			if strings.TrimSpace(text) == "" || absurd.MatchString(text) || utf8.RuneCountInString(text) > 2*sentenceRunes {
				t.Fatalf("%s = %q", what, text)
			}
		}
		for what, text := range map[string]string{"Outlook": told(s)} {
			if absurd.MatchString(text) {
				t.Fatalf("%s = %q", what, text)
			}
		}
		if v.Name == "" || utf8.RuneCountInString(v.Name) > nameRunes || strings.ContainsAny(v.Name, "\n\r\x00") {
			t.Fatalf("Name = %q", v.Name)
		}
		for what, f := range map[string]Count{"refreshes": v.Refreshes, "lead": v.Lead, "other": v.Other} {
			if !(f.Fraction >= 0 && f.Fraction <= 1) || f.Left < 0 || f.Left > f.Of || f.Of > 48 {
				t.Fatalf("%s = %+v", what, f)
			}
		}
		if (v.Action == NoAction) != (v.ActionLabel == "") {
			t.Fatalf("action %q has label %q", v.Action, v.ActionLabel)
		}
		if tip := Tooltip([]auth.Snapshot{s, s}, now, 127); units(tip) > 127 {
			t.Fatalf("tooltip of %d units: %q", units(tip), tip)
		}
	})
}

// said is a count as a person reads it.
func said(c Count) string { return c.Value + " " + c.What }

// told is all of an outlook.
func told(s auth.Snapshot) string {
	o := Describe(s, now).Outlook
	return strings.Join([]string{o.Until + " " + o.Then, o.Flag, o.End}, " | ")
}

func forecast(by auth.Limit, days float64) func(*auth.Snapshot) {
	return func(s *auth.Snapshot) {
		s.Forecast = auth.ForecastView{EndsAt: time.Date(2026, 12, 10, 15, 40, 0, 0, time.UTC), By: by, HistoryDays: days}
	}
}

func FuzzClip(f *testing.F) {
	f.Add("work", 40)
	f.Add("a\u202e\x00\xff\nb", 3)
	f.Fuzz(func(t *testing.T, text string, n int) {
		n = int(uint(n) % 1000)
		got := Clip(text, n)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > max(n, 1) || strings.ContainsAny(got, "\n\r\t\x00\u202e") {
			t.Errorf("Clip(%q, %d) = %q", text, n, got)
		}
		if again := Clip(got, max(n, 1)); again != got {
			t.Errorf("Clip(%q, %d) = %q, and again %q", text, n, got, again)
		}
	})
}
