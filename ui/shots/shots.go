// Package shots has the situations that Curfew's pictures show. One table lists
// every situation that tray, menu and window must be able to show. An album
// collects the pictures. Only tests use this package; `make ui-shots` makes the
// album.
//
// Its one hard idea: a situation is what the agent says. So the same situation
// becomes an icon, a menu and a window. What only one of them has, such as a page
// of the window, is added there.
package shots

import (
	"fmt"
	"strings"
	"time"

	"curfew/auth"
)

// A Situation is one state of the world, as the agent reports it.
type Situation struct {
	Name     string // of its pictures: small letters, digits and dashes
	Caption  string // what the picture should show, in a line
	Accounts []auth.Snapshot
	Agent    Agent
}

// Agent says whether an agent answers.
type Agent int

// The agent answers, has not answered yet, or is gone.
const (
	Up Agent = iota
	Starting
	Gone
)

// ErrGone is the error that a front end gets when the agent is gone.
var ErrGone = auth.Fail(auth.KindNotRunning, auth.Say("agent_not_running"), auth.Say("hint_start_agent"))

const day = 24 * time.Hour

// Live is a session in the middle of its life: 14 of 20 refreshes, 23 of 30 days.
func Live(now time.Time) auth.Snapshot {
	s := auth.Snapshot{
		Name: "Spotify", Provider: "spotify", Subject: "alice@example.org", State: auth.Active,
		SignedInAt: now.Add(-7 * day), EndsAt: now.Add(23 * day), AgeLeft: int64(23 * day / time.Second),
		RefreshesUsed: 6, RefreshesLeft: 14, MaxRefreshes: 20,
		AccessExpiresAt: now.Add(41*time.Minute + 7*time.Second), AccessLeft: 2467, AccessLifetime: 3600,
		LastRefreshAt: now.Add(-19 * time.Minute), LastUsedAt: now.Add(-2 * time.Minute), LastUsedBy: "curl",
		TookTokens: []auth.Taker{{Program: "curl", At: now.Add(-2 * time.Minute)}, {Program: "spotify-tui", At: now.Add(-3 * time.Hour)}, {Program: "backup.sh", At: now.Add(-26 * time.Hour)}, {Program: "old", At: now.Add(-5 * day)}},
		LimitedBy:  auth.LimitRefreshes, RefreshMode: auth.InUse, Warnings: []string{},
		Forecast: auth.ForecastView{EndsAt: now.Add(16 * day), By: auth.LimitRefreshes, SignInsPer30d: 1.3, RefreshesPer1d: .86, HistoryDays: 7},
	}
	s.Say(auth.Say("access_valid"))
	s.Plan(time.Time{}, auth.Say("next_on_demand"))
	return s
}

// Fresh is an account before its first sign-in.
func Fresh() auth.Snapshot {
	s := auth.Snapshot{
		Name: "Notes", Provider: "https://notes.example", State: auth.SignedOut,
		MaxRefreshes: 20, RefreshesLeft: 20, RefreshMode: auth.InUse, Warnings: []string{},
	}
	s.Say(auth.Say("not_signed_in"))
	return s
}

// spend makes s a session that was signed in to days ago and has spent used refreshes.
func spend(s *auth.Snapshot, now time.Time, days time.Duration, used int) {
	s.SignedInAt, s.EndsAt = now.Add(-days), now.Add(30*day-days)
	s.AgeLeft = int64(s.EndsAt.Sub(now) / time.Second)
	s.RefreshesUsed, s.RefreshesLeft = used, s.MaxRefreshes-used
	if used == 0 || s.RefreshesLeft == 0 {
		s.Forecast = auth.ForecastView{EndsAt: s.EndsAt, By: auth.LimitAge, HistoryDays: days.Hours() / 24}
		s.LimitedBy = auth.LimitAge
		return
	}
	pace := float64(used) / (float64(days) / float64(day))
	end := now.Add(time.Duration(float64(s.RefreshesLeft) / pace * float64(day)))
	s.Forecast = auth.ForecastView{EndsAt: end, By: auth.LimitRefreshes, SignInsPer30d: 30 * pace / 20, RefreshesPer1d: pace, HistoryDays: days.Hours() / 24}
	if end.After(s.EndsAt) {
		s.Forecast.EndsAt, s.Forecast.By, s.LimitedBy = s.EndsAt, auth.LimitAge, auth.LimitAge
	}
}

// over makes s a session that ended five minutes ago for reason. Signing out also forgets the user.
func over(s *auth.Snapshot, now time.Time, reason auth.Reason) {
	subject, took := s.Subject, s.TookTokens
	if reason == auth.ByUser {
		subject, took = "", nil
	}
	*s = auth.Snapshot{
		Name: s.Name, Provider: s.Provider, Subject: subject, State: auth.Ended, Reason: reason,
		SignedInAt: s.SignedInAt, EndedAt: now.Add(-5 * time.Minute), TookTokens: took, RefreshesUsed: s.RefreshesUsed, MaxRefreshes: s.MaxRefreshes, RefreshMode: s.RefreshMode, Warnings: []string{},
		EndedLimits: auth.EndedLimits{MaxAge: int64(30 * day / time.Second), MaxRefreshes: s.MaxRefreshes},
	}
	s.Say(auth.EndText(reason))
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
	in := func(state auth.State, message auth.Text) func(*auth.Snapshot) {
		return func(s *auth.Snapshot) { s.State = state; s.Say(message) }
	}

	away := auth.Say("server_not_reached", auth.Say("net_lookup", "id.example.com"))

	all = append(all,
		Situation{Name: "accounts-0", Caption: "no account yet"},
		Situation{Name: "accounts-5", Caption: "five accounts, one of them over", Accounts: Crowd(now, 5)},
		Situation{Name: "accounts-30", Caption: "thirty accounts", Accounts: Crowd(now, 30)},
		Situation{Name: "agent-starting", Caption: "nothing heard of the agent yet", Agent: Starting},
		Situation{Name: "agent-gone", Caption: "the agent has gone; the last known state is shown", Agent: Gone, Accounts: []auth.Snapshot{Live(now)}},
		Situation{Name: "agent-never", Caption: "the agent cannot be started", Agent: Gone},
	)

	one("active", "a session in the middle of its life", func(*auth.Snapshot) {})
	one("just-signed-in", "signed in a moment ago: nothing is spent", func(s *auth.Snapshot) {
		spend(s, now, 0, 0)
		s.AccessExpiresAt, s.LastRefreshAt, s.LastUsedAt, s.LastUsedBy = now.Add(time.Hour), time.Time{}, time.Time{}, ""
		s.TookTokens = nil
	})
	one("background", "a background refresh is planned", func(s *auth.Snapshot) {
		s.Plan(now.Add(37*time.Minute), auth.Say("next_in_use"))
	})
	one("stale", "the access token has expired", func(s *auth.Snapshot) {
		in(auth.Stale, auth.Say("access_expired"))(s)
		s.AccessExpiresAt, s.AccessLeft = now.Add(-3*time.Minute), 0
	})
	one("refreshing", "a refresh is in flight", in(auth.Refreshing, auth.Say("refreshing")))
	one("offline", "the server cannot be reached", func(s *auth.Snapshot) {
		in(auth.Waiting, auth.Say("kept", away).Sentence())(s)
		s.Warn(away.Sentence())
		s.Plan(now.Add(4*time.Minute), auth.Say("next_try"))
		s.AccessExpiresAt, s.AccessLeft = now.Add(-3*time.Minute), 0
	})
	one("throttled", "the server asks to wait", func(s *auth.Snapshot) {
		in(auth.Waiting, auth.Say("kept", auth.Say("server_throttles")).Sentence())(s)
		s.Plan(now.Add(40*time.Second), auth.Say("next_try"))
	})
	one("held", "the server refuses this client", func(s *auth.Snapshot) {
		in(auth.Held, refused("invalid_client"))(s)
		s.Warn(auth.Say("server_refused", "invalid_client").Sentence())
	})
	one("locked", "the keychain is locked", func(s *auth.Snapshot) {
		in(auth.Locked, auth.Say(auth.LockedID).Sentence())(s)
		s.Warn(auth.Say(auth.LockedID).Sentence())
	})
	one("suspect", "the clock cannot be right", in(auth.Suspect, auth.Say("clock_wrong").Sentence()))
	one("unknown-state", "a state that a newer agent has and this version does not know", in("hibernating", auth.Text{}))

	one("refreshes-5", "five refreshes left", func(s *auth.Snapshot) { spend(s, now, 14*day, 15) })
	one("refreshes-1", "one refresh left", func(s *auth.Snapshot) { spend(s, now, 16*day, 19) })
	one("refreshes-0", "no refresh left, the last token still works", func(s *auth.Snapshot) {
		spend(s, now, 17*day, 20)
		s.Say(auth.Say("last_access_token", 20))
		s.Plan(time.Time{}, auth.Say("next_none_left"))
	})
	one("days-3", "three days left", func(s *auth.Snapshot) { spend(s, now, 27*day, 9) })
	one("days-1", "one day left", func(s *auth.Snapshot) { spend(s, now, 29*day, 12) })
	one("minutes-40", "forty minutes left", func(s *auth.Snapshot) { spend(s, now, 30*day-40*time.Minute, 13) })
	one("paused", "background refresh is paused", func(s *auth.Snapshot) {
		s.Paused = true
		s.Plan(time.Time{}, auth.Say("next_paused"))
	})
	one("consent", "a program asks for a token, and the person is asked", func(s *auth.Snapshot) {
		s.Consent = auth.ConsentAsk
		s.Asks = []auth.Ask{{ID: "q1", Program: "git", At: now.Add(-5 * time.Second), Caller: auth.Caller{Executable: "/usr/bin/git", Parents: []string{"/usr/bin/bash"}, Terminal: "pts/3"}}}
	})
	one("consent-claim", "a program asks that calls itself something else; others were answered before", func(s *auth.Snapshot) {
		s.Consent = auth.ConsentAsk
		in(auth.Stale, auth.Say("access_expired"))(s)
		s.AccessExpiresAt, s.AccessLeft = now.Add(-3*time.Minute), 0
		s.Asks = []auth.Ask{{ID: "q2", Program: "fetch", At: now.Add(-20 * time.Second), Caller: auth.Caller{Executable: "/home/alice/bin/fetch", Parents: []string{"/usr/bin/bash"}, Terminal: "pts/3", Claimed: "git"}}}
		s.Permits = []auth.Permit{{ID: "1", Program: "/usr/bin/git"}, {ID: "2", Program: "/usr/bin/curl", Terminal: "pts/3", Until: now.Add(11 * time.Hour)},
			{ID: "3", Program: "/home/alice/bin/backup.sh", Until: now.Add(8 * time.Minute), Denied: true}}
	})
	one("warnings", "kept in memory only, with two warnings", func(s *auth.Snapshot) {
		s.Warn(auth.Say("warning_memory"))
		s.Warn(auth.Say("warning_unsaved"))
	})
	one("tightened", "an administrator allows 7 days and 5 refreshes", func(s *auth.Snapshot) {
		s.MaxRefreshes, s.RefreshesUsed, s.RefreshesLeft = 5, 3, 2
		s.SignedInAt, s.EndsAt = now.Add(-3*day), now.Add(4*day)
		s.Forecast = auth.ForecastView{EndsAt: now.Add(2 * day), By: auth.LimitRefreshes, RefreshesPer1d: 1, HistoryDays: 3}
	})
	one("server-limit", "the server ends the session sooner than our limits", func(s *auth.Snapshot) {
		s.EndsAt, s.LimitedBy = now.Add(5*day), auth.LimitServer
		s.Forecast = auth.ForecastView{EndsAt: s.EndsAt, By: auth.LimitServer, RefreshesPer1d: .86, HistoryDays: 7}
	})
	alone := func(name, caption string, left time.Duration) {
		one(name, caption, func(s *auth.Snapshot) {
			s.Name, s.Provider, s.Subject = "Hugging Face", "huggingface", "alice"
			s.SignedInAt, s.EndsAt, s.AgeLeft = now.Add(left-8*time.Hour), now.Add(left), int64(left/time.Second)
			s.NoRefresh, s.RefreshesUsed, s.RefreshesLeft, s.LastRefreshAt = true, 0, 0, time.Time{}
			s.AccessExpiresAt, s.AccessLeft, s.AccessLifetime = s.EndsAt, s.AgeLeft, 8*3600
			s.LimitedBy, s.Forecast = auth.LimitServer, auth.ForecastView{EndsAt: s.EndsAt, By: auth.LimitServer}
			s.TookTokens = s.TookTokens[:1]
			s.Plan(time.Time{}, auth.Say("next_no_refresh"))
			s.Warn(auth.Say("warning_no_refresh"))
		})
	}
	alone("no-refresh-token", "the server gave no refresh token: the session ends with its one token", 5*time.Hour+12*time.Minute)
	alone("no-refresh-token-soon", "the same, forty minutes before the end", 40*time.Minute)

	all = append(all, Situation{Name: "signed-out", Caption: "never signed in", Accounts: []auth.Snapshot{Fresh()}})
	signingIn := func(name, caption string, phase auth.Phase) {
		s := Fresh()
		s.State = auth.SigningIn
		s.Say(auth.Say("waiting_browser"))
		s.SignIn = &auth.SignInView{Flow: "flow", Phase: phase, StartedAt: now.Add(-time.Minute), Text: s.Text()}
		all = append(all, Situation{Name: name, Caption: caption, Accounts: []auth.Snapshot{s}})
	}
	signingIn("sign-in-browser", "a first sign-in waits for the person in the browser", auth.PhaseBrowser)
	signingIn("sign-in-exchange", "a first sign-in fetches the tokens", auth.PhaseExchange)
	failed := Fresh()
	refusal := auth.Say("both", auth.Say("consent_denied", "access_denied").Sentence(), auth.Say("hint_login_again", failed.Name).Sentence())
	failed.SignIn = &auth.SignInView{Flow: "flow", Phase: auth.PhaseFailed, Text: refusal, Error: auth.KindRefused}
	all = append(all, Situation{Name: "sign-in-failed", Caption: "the first sign-in has failed", Accounts: []auth.Snapshot{failed}})
	one("sign-in-again-failed", "a sign-in that was to replace a live session has failed", func(s *auth.Snapshot) { s.SignIn = failed.SignIn })
	again := func(name, caption string, phase auth.Phase) {
		one(name, caption, func(s *auth.Snapshot) {
			in(auth.SigningIn, auth.Say("waiting_browser"))(s)
			s.SignIn = &auth.SignInView{Flow: "flow", Phase: phase, StartedAt: now.Add(-time.Minute), Text: s.Text()}
		})
	}
	again("sign-in-again", "a sign-in that is to replace a live session", auth.PhaseBrowser)
	again("sign-in-again-exchange", "the same, almost done", auth.PhaseExchange)

	for _, e := range []struct {
		reason  auth.Reason
		caption string
	}{
		{auth.ByAge, "over: 30 days"},
		{auth.ByRefreshes, "over: 20 refreshes"},
		{auth.ByIdle, "over: not used for too long"},
		{auth.ByRevocation, "over: the server ended it"},
		{auth.ByRotationLost, "over: the newest token was lost"},
		{auth.ByTampering, "over: the stored session was changed"},
		{auth.BySubjectChanged, "over: the server answered for somebody else"},
		{auth.ByToken, "over: the one access token of a server that gives no refresh token"},
		{auth.ByUser, "signed out by the person"},
	} {
		one("ended-"+strings.ReplaceAll(string(e.reason), "_", "-"), e.caption, func(s *auth.Snapshot) {
			switch e.reason {
			case auth.ByAge:
				spend(s, now, 30*day, 17)
			case auth.ByRefreshes:
				spend(s, now, 12*day, 20)
			case auth.ByToken:
				s.SignedInAt, s.RefreshesUsed = now.Add(-8*time.Hour), 0
			}
			over(s, now, e.reason)
		})
	}

	one("long-words", "a name, a person and a program of 4096 letters", func(s *auth.Snapshot) {
		s.Name, s.Subject, s.LastUsedBy = Long(4096), Long(4096), Long(4096)
		s.Warn(auth.Words(Long(300)))
	})
	one("one-long-word", "an address without a place to break it", func(s *auth.Snapshot) {
		s.Name = strings.Repeat("account", 9)
		s.Subject = strings.Repeat("alice", 20) + "@example.org"
		in(auth.Held, refused(strings.Repeat("https://id.example.com/", 8)))(s)
	})
	one("foreign-words", "Greek, Cyrillic, accents, and marks that turn the direction", func(s *auth.Snapshot) {
		s.Name, s.Subject, s.LastUsedBy = "Счёт «Работа»", "Ζωή Đặng \u202eexample\u202c", "скрипт.sh"
		in(auth.Held, auth.Words("Сервер отклонил этого клиента (invalid_client); сеанс сохранён."))(s)
	})
	return all
}

// refused is the message of a held account.
func refused(why string) auth.Text {
	return auth.Say("kept", auth.Say("server_refused", why)).Sentence()
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
			over(&s, now, auth.ByRefreshes)
		case "Notes":
			s = Fresh()
		case "Offline":
			s.State = auth.Waiting
			s.Say(auth.Say("kept", auth.Say("server_not_reached", "network is unreachable")).Sentence())
			s.Plan(now.Add(4*time.Minute), auth.Say("next_try"))
		case "account-08":
			s.State = auth.Held
			s.Say(refused("invalid_client"))
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
	events := []auth.Event{{At: s.SignedInAt, Kind: auth.EventSignIn, Account: s.Name, Text: auth.Say("event_sign_in_as", s.Subject)}}
	end := now.Add(-20 * time.Minute)
	if s.SignedInAt.After(end) {
		return events
	}
	span := end.Sub(s.SignedInAt)
	for i := 1; i <= s.RefreshesUsed; i++ {
		at := s.SignedInAt.Add(span * time.Duration(i*i+3*i) / time.Duration(s.RefreshesUsed*s.RefreshesUsed+3*s.RefreshesUsed))
		program := []string{"curl", "spotify-tui"}[i%2]
		events = append(events,
			auth.Event{At: at, Account: s.Name, Kind: auth.EventRefresh, Program: program, Count: i, Text: auth.Say("event_refreshed_for", program, s.MaxRefreshes-i)},
			auth.Event{At: at.Add(time.Second), Account: s.Name, Kind: auth.EventToken, Program: program, Text: auth.Say("event_token", program)})
	}
	if s.State == auth.Ended {
		events = append(events, auth.Event{At: now.Add(-5 * time.Minute), Account: s.Name, Kind: auth.EventEnd, Text: s.Text()})
	}
	return events
}
