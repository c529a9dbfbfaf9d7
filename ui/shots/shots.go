// Package shots is what Curfew is looked at by: every situation that tray,
// menu and window must be able to show, in one table, and the album into which
// their pictures go. Only tests use it; `make ui-shots` makes the album.
//
// A situation is what the agent says, so the same one is an icon, a menu and a
// window. What exists in one of them alone, as a page of the window, is added
// there.
package shots

import (
	"fmt"
	"strings"
	"time"

	"curfew/auth"
)

// A Situation is one state of the world, as the agent tells it.
type Situation struct {
	Name     string // of its pictures: small letters, digits and dashes
	Caption  string // what one should see, in a line
	Accounts []auth.Snapshot
	Agent    Agent
}

// Agent says whether there is one that answers.
type Agent int

// The agent answers, was not heard yet, or has gone.
const (
	Up Agent = iota
	Starting
	Gone
)

// ErrGone is what a front end is told when the agent has gone.
var ErrGone = &auth.Error{Kind: auth.KindNotRunning, Message: "the agent is not running", Hint: "start it with: curfew agent"}

const day = 24 * time.Hour

// Live is a session in the middle of its life: 14 of 20 refreshes, 23 of 30 days.
func Live(now time.Time) auth.Snapshot {
	return auth.Snapshot{
		Name: "Spotify", Provider: "spotify", Subject: "alice@example.org", State: auth.Active, Message: "The access token is good.",
		SignedInAt: now.Add(-7 * day), EndsAt: now.Add(23 * day), AgeLeft: int64(23 * day / time.Second),
		RefreshesUsed: 6, RefreshesLeft: 14, MaxRefreshes: 20,
		AccessExpiresAt: now.Add(41*time.Minute + 7*time.Second), AccessLeft: 2467, AccessLifetime: 3600,
		NextReason: "when a program asks", LastRefreshAt: now.Add(-19 * time.Minute), LastUsedAt: now.Add(-2 * time.Minute), LastUsedBy: "curl",
		TookTokens: []auth.Taker{{Program: "curl", At: now.Add(-2 * time.Minute)}, {Program: "spotify-tui", At: now.Add(-3 * time.Hour)}, {Program: "backup.sh", At: now.Add(-26 * time.Hour)}, {Program: "old", At: now.Add(-5 * day)}},
		LimitedBy:  auth.LimitRefreshes, RefreshMode: auth.InUse, Warnings: []string{},
		Forecast: auth.ForecastView{EndsAt: now.Add(16 * day), By: auth.LimitRefreshes, SignInsPer30d: 1.3, RefreshesPer1d: .86},
	}
}

// Fresh is an account that nobody has signed in to yet.
func Fresh() auth.Snapshot {
	return auth.Snapshot{
		Name: "Notes", Provider: "https://notes.example", State: auth.SignedOut, Message: "Not signed in.",
		MaxRefreshes: 20, RefreshesLeft: 20, RefreshMode: auth.InUse, Warnings: []string{},
	}
}

// spend makes s a session that was signed in to days ago and has spent used refreshes.
func spend(s *auth.Snapshot, now time.Time, days time.Duration, used int) {
	s.SignedInAt, s.EndsAt = now.Add(-days), now.Add(30*day-days)
	s.AgeLeft = int64(s.EndsAt.Sub(now) / time.Second)
	s.RefreshesUsed, s.RefreshesLeft = used, s.MaxRefreshes-used
	if used == 0 || s.RefreshesLeft == 0 {
		s.Forecast = auth.ForecastView{EndsAt: s.EndsAt, By: auth.LimitAge}
		s.LimitedBy = auth.LimitAge
		return
	}
	pace := float64(used) / (float64(days) / float64(day))
	end := now.Add(time.Duration(float64(s.RefreshesLeft) / pace * float64(day)))
	s.Forecast = auth.ForecastView{EndsAt: end, By: auth.LimitRefreshes, SignInsPer30d: 30 * pace / 20, RefreshesPer1d: pace}
	if end.After(s.EndsAt) {
		s.Forecast.EndsAt, s.Forecast.By, s.LimitedBy = s.EndsAt, auth.LimitAge, auth.LimitAge
	}
}

// over makes s a session that ended five minutes ago for reason, with the
// engine's words. Who signs out wants to be forgotten.
func over(s *auth.Snapshot, now time.Time, reason auth.Reason, message string) {
	subject, took := s.Subject, s.TookTokens
	if reason == auth.ByUser {
		subject, took = "", nil
	}
	*s = auth.Snapshot{
		Name: s.Name, Provider: s.Provider, Subject: subject, State: auth.Ended, Reason: reason, Message: message,
		SignedInAt: s.SignedInAt, EndedAt: now.Add(-5 * time.Minute), TookTokens: took, RefreshesUsed: s.RefreshesUsed, MaxRefreshes: s.MaxRefreshes, RefreshMode: s.RefreshMode, Warnings: []string{},
	}
}

// Situations returns the table, as it is at now. Names are unique.
func Situations(now time.Time) []Situation {
	var all []Situation
	// one adds a situation of one account, a live session that edit changes.
	one := func(name, caption string, edit func(s *auth.Snapshot)) {
		s := Live(now)
		edit(&s)
		all = append(all, Situation{Name: name, Caption: caption, Accounts: []auth.Snapshot{s}})
	}
	in := func(state auth.State, message string) func(*auth.Snapshot) {
		return func(s *auth.Snapshot) { s.State, s.Message = state, message }
	}

	all = append(all,
		Situation{Name: "accounts-0", Caption: "no account yet"},
		Situation{Name: "accounts-5", Caption: "five accounts, one of them over", Accounts: Crowd(now, 5)},
		Situation{Name: "accounts-30", Caption: "thirty accounts", Accounts: Crowd(now, 30)},
		Situation{Name: "agent-starting", Caption: "nothing heard of the agent yet", Agent: Starting},
		Situation{Name: "agent-gone", Caption: "the agent has gone; what was known is from before", Agent: Gone, Accounts: []auth.Snapshot{Live(now)}},
		Situation{Name: "agent-never", Caption: "the agent cannot be started", Agent: Gone},
	)

	one("active", "a session in the middle of its life", func(*auth.Snapshot) {})
	one("just-signed-in", "signed in a moment ago: nothing is spent", func(s *auth.Snapshot) {
		spend(s, now, 0, 0)
		s.AccessExpiresAt, s.LastRefreshAt, s.LastUsedAt, s.LastUsedBy = now.Add(time.Hour), time.Time{}, time.Time{}, ""
		s.TookTokens = nil
	})
	one("background", "a background refresh is planned", func(s *auth.Snapshot) {
		s.NextRefreshAt, s.NextReason = now.Add(37*time.Minute), "in use"
	})
	one("stale", "the access token has expired", func(s *auth.Snapshot) {
		in(auth.Stale, "The access token is over; the next request renews it.")(s)
		s.AccessExpiresAt, s.AccessLeft = now.Add(-3*time.Minute), 0
	})
	one("refreshing", "a refresh is in flight", in(auth.Refreshing, "Refreshing."))
	one("offline", "the server cannot be reached", func(s *auth.Snapshot) {
		in(auth.Waiting, "The server cannot be reached (dial tcp: lookup id.example.com: no such host); the session is kept.")(s)
		s.Warnings = []string{"The server cannot be reached (dial tcp: lookup id.example.com: no such host)."}
		s.NextRefreshAt, s.NextReason = now.Add(4*time.Minute), "next try"
		s.AccessExpiresAt, s.AccessLeft = now.Add(-3*time.Minute), 0
	})
	one("throttled", "the server asks to wait", func(s *auth.Snapshot) {
		in(auth.Waiting, "The server asks to wait; the session is kept.")(s)
		s.NextRefreshAt, s.NextReason = now.Add(40*time.Second), "next try"
	})
	one("held", "the server refuses this client", func(s *auth.Snapshot) {
		in(auth.Held, "The server refused this client (invalid_client); the session is kept.")(s)
		s.Warnings = []string{"The server refused this client (invalid_client)."}
	})
	one("locked", "the keychain is locked", func(s *auth.Snapshot) {
		in(auth.Locked, "The keychain is locked.")(s)
		s.Warnings = []string{"The keychain is locked."}
	})
	one("suspect", "the clock cannot be right", in(auth.Suspect, "The clock of this machine cannot be right, so no token is handed out; nothing is lost."))
	one("unknown-state", "a state that a newer agent has and this version does not know", in("hibernating", ""))

	one("refreshes-5", "five refreshes left", func(s *auth.Snapshot) { spend(s, now, 14*day, 15) })
	one("refreshes-1", "one refresh left", func(s *auth.Snapshot) { spend(s, now, 16*day, 19) })
	one("refreshes-0", "no refresh left, the last token still works", func(s *auth.Snapshot) {
		spend(s, now, 17*day, 20)
		s.Message = "The 20 refreshes are used up. The last access token works until it expires; then it takes a new sign-in."
		s.NextReason = "no refreshes left"
	})
	one("days-3", "three days left", func(s *auth.Snapshot) { spend(s, now, 27*day, 9) })
	one("days-1", "one day left", func(s *auth.Snapshot) { spend(s, now, 29*day, 12) })
	one("minutes-40", "forty minutes left", func(s *auth.Snapshot) { spend(s, now, 30*day-40*time.Minute, 13) })
	one("paused", "background refresh is paused", func(s *auth.Snapshot) {
		s.Paused, s.NextReason = true, "background refresh is paused"
	})
	one("warnings", "kept in memory only, with two warnings", func(s *auth.Snapshot) {
		s.Warnings = []string{"Kept in memory only: this session ends when the agent does.", "The refreshed session is not saved yet; Curfew keeps trying. Do not shut down."}
	})
	one("tightened", "an administrator allows 7 days and 5 refreshes", func(s *auth.Snapshot) {
		s.MaxRefreshes, s.RefreshesUsed, s.RefreshesLeft = 5, 3, 2
		s.SignedInAt, s.EndsAt = now.Add(-3*day), now.Add(4*day)
		s.Forecast = auth.ForecastView{EndsAt: now.Add(2 * day), By: auth.LimitRefreshes, RefreshesPer1d: 1}
	})
	one("server-limit", "the server ends the session sooner than our limits", func(s *auth.Snapshot) {
		s.EndsAt, s.LimitedBy = now.Add(5*day), auth.LimitServer
		s.Forecast = auth.ForecastView{EndsAt: s.EndsAt, By: auth.LimitServer, RefreshesPer1d: .86}
	})

	all = append(all, Situation{Name: "signed-out", Caption: "never signed in", Accounts: []auth.Snapshot{Fresh()}})
	signingIn := func(name, caption string, phase auth.Phase) {
		s := Fresh()
		s.State, s.Message = auth.SigningIn, "Waiting for you in the browser."
		s.SignIn = &auth.SignInView{Flow: "flow", Phase: phase, StartedAt: now.Add(-time.Minute), Message: s.Message}
		all = append(all, Situation{Name: name, Caption: caption, Accounts: []auth.Snapshot{s}})
	}
	signingIn("sign-in-browser", "a first sign-in waits for the person in the browser", auth.PhaseBrowser)
	signingIn("sign-in-exchange", "a first sign-in fetches the tokens", auth.PhaseExchange)
	failed := Fresh()
	failed.SignIn = &auth.SignInView{Flow: "flow", Phase: auth.PhaseFailed, Message: "You said no in the browser.", Error: auth.KindRefused}
	all = append(all, Situation{Name: "sign-in-failed", Caption: "the first sign-in has failed", Accounts: []auth.Snapshot{failed}})
	one("sign-in-again", "a sign-in that is to replace a live session", func(s *auth.Snapshot) {
		s.SignIn = &auth.SignInView{Flow: "flow", Phase: auth.PhaseBrowser}
	})
	one("sign-in-again-exchange", "the same, almost done", func(s *auth.Snapshot) {
		s.SignIn = &auth.SignInView{Flow: "flow", Phase: auth.PhaseExchange}
	})

	for _, e := range []struct {
		reason           auth.Reason
		caption, message string
	}{
		{auth.ByAge, "over: 30 days", auth.MessageAge},
		{auth.ByRefreshes, "over: 20 refreshes", auth.MessageRefreshes},
		{auth.ByIdle, "over: not used for too long", "The session was not used for too long. Please sign in again."},
		{auth.ByRevocation, "over: the server ended it", "The server ended this session. Please sign in again."},
		{auth.ByRotationLost, "over: the newest token was lost", "The answer to a refresh was lost and the server does not repeat it. Please sign in again."},
		{auth.ByTampering, "over: the stored session was changed", "The stored session was changed by something else than Curfew, so it was closed. Please sign in again."},
		{auth.BySubjectChanged, "over: the server answered for somebody else", "The server answered for another person, so the session was closed. Please sign in again."},
		{auth.ByUser, "signed out by the person", "Signed out."},
	} {
		one("ended-"+strings.ReplaceAll(string(e.reason), "_", "-"), e.caption, func(s *auth.Snapshot) {
			switch e.reason {
			case auth.ByAge:
				spend(s, now, 30*day, 17)
			case auth.ByRefreshes:
				spend(s, now, 12*day, 20)
			}
			over(s, now, e.reason, e.message)
		})
	}

	one("long-words", "a name, a person and a program of 4096 letters", func(s *auth.Snapshot) {
		s.Name, s.Subject, s.LastUsedBy = Long(4096), Long(4096), Long(4096)
		s.Warnings = []string{Long(300)}
	})
	one("one-long-word", "an address without a place to break it", func(s *auth.Snapshot) {
		s.Name = strings.Repeat("account", 9)
		s.Subject = strings.Repeat("alice", 20) + "@example.org"
		in(auth.Held, "The server refused this client ("+strings.Repeat("https://id.example.com/", 8)+"); the session is kept.")(s)
	})
	one("foreign-words", "Greek, Cyrillic, accents, and marks that turn the direction", func(s *auth.Snapshot) {
		s.Name, s.Subject, s.LastUsedBy = "Счёт «Работа»", "Ζωή Đặng \u202eexample\u202c", "скрипт.sh"
		in(auth.Held, "Сервер отклонил этого клиента (invalid_client); сеанс сохранён.")(s)
	})
	return all
}

// Crowd is n accounts; from five on one of them is in each kind of trouble.
func Crowd(now time.Time, n int) []auth.Snapshot {
	names := []string{"Spotify", "Work (Entra)", "Gitea", "Notes", "Offline"}
	var all []auth.Snapshot
	for i := range n {
		s := Live(now)
		switch {
		case i < len(names):
			s.Name = names[i]
		default:
			s.Name = fmt.Sprintf("account-%02d", i+1)
			spend(&s, now, time.Duration(1+i*7%25)*day, (i*3)%15)
		}
		switch s.Name {
		case "Work (Entra)":
			s.Provider, s.Subject = "https://login.example.com/tenant", "alice.liddell@work.example"
			spend(&s, now, 20*day, 17)
		case "Gitea":
			s.Provider, s.Subject = "gitea", "alice"
			spend(&s, now, 12*day, 20)
			over(&s, now, auth.ByRefreshes, auth.MessageRefreshes)
		case "Notes":
			s = Fresh()
		case "Offline":
			s.State, s.Message = auth.Waiting, "The server cannot be reached (network is unreachable); the session is kept."
			s.NextRefreshAt, s.NextReason = now.Add(4*time.Minute), "next try"
		case "account-08":
			s.State, s.Message = auth.Held, "The server refused this client (invalid_client); the session is kept."
		}
		all = append(all, s)
	}
	return all
}

// Long is n bytes of foreign words.
func Long(n int) string { return strings.Repeat("Überlanger Name ", n/16+1)[:n] }

// History is the events of s: a session of which some refreshes are spent, by
// two programs that take turns.
func History(s auth.Snapshot, now time.Time) []auth.Event {
	if s.SignedInAt.IsZero() {
		return nil
	}
	events := []auth.Event{{At: s.SignedInAt, Kind: auth.EventSignIn, Account: s.Name, Message: "signed in as " + s.Subject}}
	end := now.Add(-20 * time.Minute)
	if s.SignedInAt.After(end) {
		return events
	}
	span := end.Sub(s.SignedInAt)
	for i := 1; i <= s.RefreshesUsed; i++ {
		at := s.SignedInAt.Add(span * time.Duration(i*i+3*i) / time.Duration(s.RefreshesUsed*s.RefreshesUsed+3*s.RefreshesUsed))
		program := []string{"curl", "spotify-tui"}[i%2]
		events = append(events,
			auth.Event{At: at, Account: s.Name, Kind: auth.EventRefresh, Program: program, Count: i, Message: fmt.Sprintf("refreshed, %d of %d, for %s", i, s.MaxRefreshes, program)},
			auth.Event{At: at.Add(time.Second), Account: s.Name, Kind: auth.EventToken, Program: program, Message: "token for " + program})
	}
	if s.State == auth.Ended {
		events = append(events, auth.Event{At: now.Add(-5 * time.Minute), Account: s.Name, Kind: auth.EventEnd, Message: s.Message})
	}
	return events
}
