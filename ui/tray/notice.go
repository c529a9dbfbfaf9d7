package tray

import (
	"maps"
	"slices"
	"time"

	"curfew/auth"
	"curfew/ui/status"
)

// A Notice is a notification of the desktop. It replaces the account's last one.
// One without a title only removes the last one.
type Notice struct {
	Account string // "" if it is about the tray itself; for a program that waits, with its question: see [AccountOf]
	Title   string // the fact, in plain text
	Body    string // what it means and what a sign-in gains, in plain text
	Action  string // label of the button that signs in again, or ""
	Later   string // label of the button that brings the notice back tomorrow, or ""

	Allow, Always, Deny string // labels of the buttons that answer a program that waits, or ""

	Over  bool      // the session has ended
	Ended time.Time // when; [Memory] keeps it
	Quiet bool      // only the words change, and nothing pops up
}

// A Memory is what outlives the tray: which notices the desktop has shown, and
// which ones to show again.
type Memory interface {
	// Told returns the end of the last session of an account whose end the
	// desktop has shown.
	Told(account string) time.Time
	// Tomorrow returns when to show the account's notice again, or zero.
	Tomorrow(account string) time.Time
	// SetTomorrow sets what Tomorrow returns.
	SetTomorrow(account string, at time.Time)
}

// forgetful is an empty Memory.
type forgetful struct{}

func (forgetful) Told(string) time.Time             { return time.Time{} }
func (forgetful) Tomorrow(string) time.Time         { return time.Time{} }
func (forgetful) SetTomorrow(_ string, _ time.Time) {}

// NoPlace is the notice that the desktop shows no icons. It says what to do.
func NoPlace() Notice {
	return Notice{
		Title: status.Tr("This desktop shows no icon of Curfew"),
		Body:  status.Tr("Curfew opened its window instead. On GNOME, enable the AppIndicator extension; elsewhere, add a tray (status notifier) to the panel. The icon then appears automatically."),
	}
}

// The marks at which a session's end is announced.
var (
	refreshMarks = []int{5, 2, 0}
	timeMarks    = []time.Duration{3 * 24 * time.Hour, 24 * time.Hour, time.Hour}
)

// wanted reports whether the n-th mark of so many is announced. With few warnings
// it is only the last one.
func wanted(w auth.WarningLevel, n, of int) bool {
	return w != auth.WarnOff && (w != auth.WarnFew || n == of)
}

// A level is how near the end a session is: how many marks it has passed.
type level struct {
	session         time.Time // its sign-in, which identifies the session
	refreshes, time int
	over            bool
	ended           time.Time // when the session ended
	endTold         bool      // there was a notice of that
	told            bool      // there is a notice of it
	left            int       // the refreshes that the notice speaks of; -1: of none
}

func levelOf(a auth.Snapshot, now time.Time) level {
	l := level{session: a.SignedInAt, over: a.State == auth.Ended, ended: a.EndedAt, left: -1}
	for _, mark := range refreshMarks {
		if status.RefreshesLeft(a) <= mark && !a.NoRefresh {
			l.refreshes++
		}
	}
	for _, mark := range timeMarks {
		if !a.EndsAt.IsZero() && a.EndsAt.Sub(now) <= mark {
			l.time++
		}
	}
	return l
}

// notices compares accounts with their last levels. It returns what to announce
// and the new levels. Only a mark that was passed since the last call is
// announced; of several, the last one. So each mark is announced once. None is
// announced at the start of the tray or right after a sign-in, even if the new
// session begins near its end. The person has chosen which marks are announced.
// The end of a session is always announced once, also at the start of the tray.
func notices(before map[string]level, all []auth.Snapshot, mem Memory, now time.Time) ([]Notice, map[string]level) {
	var found []Notice
	after := make(map[string]level, len(all))
	for _, a := range all {
		was, known := before[a.Name]
		switch a.State {
		case auth.SignedOut:
			continue
		case auth.Active, auth.Stale, auth.Refreshing, auth.Waiting, auth.Ended:
		default: // what is left cannot be known now; continue from the last level
			if known {
				after[a.Name] = was
			}
			continue
		}
		l := levelOf(a, now)
		l.endTold = was.endTold && l.over && l.ended.Equal(was.ended)
		// A notice is removed when it is no longer true: another session has
		// followed, or the person has ended this one.
		l.told = was.told && (l.over || l.session.Equal(was.session)) && a.Reason != auth.ByUser
		if l.told {
			l.left = was.left
		} else if was.told {
			found = append(found, Notice{Account: a.Name})
		}
		if n, ok := announce(a, was, known, &l, mem, now); ok {
			found = append(found, n)
		}
		after[a.Name] = l
	}
	for _, account := range slices.Sorted(maps.Keys(before)) {
		if _, there := after[account]; !there && before[account].told {
			found = append(found, Notice{Account: account})
		}
	}
	return found, after
}

// announce decides whether to announce that an account has gone from level was to
// l. It notes that in l.
func announce(a auth.Snapshot, was level, known bool, l *level, mem Memory, now time.Time) (Notice, bool) {
	later := mem.Tomorrow(a.Name)
	due := !later.IsZero() && !later.After(now)
	switch {
	case status.SigningIn(a), a.Reason == auth.ByUser:
		return Notice{}, false
	case l.over:
		first := !mem.Told(a.Name).Equal(a.EndedAt) || known && !was.over
		if !due && (l.endTold || !first) {
			return Notice{}, false
		}
		l.endTold = true
		l.left = -1
		return say(a, endNotice(a), l, mem, now)
	case !known || !l.session.Equal(was.session):
		if !later.IsZero() && known { // it was about the session before
			mem.SetTomorrow(a.Name, time.Time{})
		}
		return Notice{}, false
	case due && (l.refreshes > 0 || l.time > 0):
	case later.After(now): // not before tomorrow
		return Notice{}, false
	case l.refreshes > was.refreshes && wanted(a.WarningLevel, l.refreshes, len(refreshMarks)):
		l.left = status.RefreshesLeft(a)
		return say(a, fewLeft(a, now), l, mem, now)
	case l.time > was.time && wanted(a.WarningLevel, l.time, len(timeMarks)):
		l.left = -1
		return say(a, endsSoon(a, now), l, mem, now)
	case l.told && l.left >= 0 && l.left != status.RefreshesLeft(a): // the notice is no longer true
		l.left = status.RefreshesLeft(a)
		n, ok := say(a, fewLeft(a, now), l, mem, now)
		n.Quiet = true
		return n, ok
	default:
		return Notice{}, false
	}
	if l.refreshes > 0 {
		l.left = status.RefreshesLeft(a)
		return say(a, fewLeft(a, now), l, mem, now)
	}
	return say(a, endsSoon(a, now), l, mem, now)
}

// say completes a notice.
func say(a auth.Snapshot, n Notice, l *level, mem Memory, now time.Time) (Notice, bool) {
	if later := mem.Tomorrow(a.Name); !later.IsZero() && !later.After(now) {
		mem.SetTomorrow(a.Name, time.Time{})
	}
	l.told = true
	n.Account, n.Action, n.Later = a.Name, status.SignInLabel(a), status.Tr("Tomorrow")
	return n, true
}

// endNotice is the notice that a session has ended.
func endNotice(a auth.Snapshot) Notice {
	body := status.Tr("Programs get no tokens until you sign in again.")
	if tools := status.Tools(a, 2); tools != "" {
		body = status.Tr("%s: no tokens until you sign in again.", tools)
	}
	return Notice{
		Title: status.Tr("%s: session ended", status.Name(a)),
		Body:  status.WhyEnded(a) + " " + body,
		Over:  true,
		Ended: a.EndedAt,
	}
}

// fewLeft is the notice that few refreshes are left, or none.
func fewLeft(a auth.Snapshot, now time.Time) Notice {
	left := status.RefreshesLeft(a)
	end := status.LastsUntil(a)
	if left == 0 {
		n := Notice{Title: status.Tr("%s: no refreshes left", status.Name(a)), Body: status.Tr("Sign in again, and your tools notice nothing.")}
		if !end.IsZero() {
			at := status.When(end, now)
			n.Title = status.Tr("%s: last token, until %s", status.Name(a), status.DayOrTime(end, now))
			n.Body = status.Tr("No refreshes are left. Sign in before then (%s), and your tools notice nothing.", at)
		}
		return n
	}
	gain := gained(a)
	if a.Forecast.HistoryDays >= 1 && end.After(now) {
		gain = status.Tr("At this pace they last until %s.", status.When(end, now)) + " " + gain
	}
	return Notice{Title: status.Trn(left, "%s: %d refresh left", "%s: %d refreshes left", status.Name(a), left), Body: gain}
}

// endsSoon is the notice that little time is left.
func endsSoon(a auth.Snapshot, now time.Time) Notice {
	return Notice{
		Title: status.Tr("%s: %s left", status.Name(a), status.Coarse(a.EndsAt.Sub(now)+time.Minute-1)),
		Body:  status.Tr("The session ends %s. Sign in before then, and your tools notice nothing.", status.When(a.EndsAt, now)) + " " + gained(a),
	}
}

// gained says what a new sign-in brings.
func gained(a auth.Snapshot) string {
	if a.NoRefresh {
		return status.Tr("The server gave no refresh token, so Curfew cannot renew it.")
	}
	l := status.LimitsOf(a)
	return status.Trn(l.MaxRefreshes, "A new sign-in gives you %d refresh and %s.", "A new sign-in gives you %d refreshes and %s.", l.MaxRefreshes, status.Days(l.MaxAge))
}

// tomorrow is when a postponed notice comes back: the next morning that is at
// least eight hours away.
func tomorrow(now time.Time) time.Time {
	morning := time.Date(now.Year(), now.Month(), now.Day(), 9, 0, 0, 0, now.Location())
	for morning.Sub(now) < 8*time.Hour {
		morning = morning.AddDate(0, 0, 1)
	}
	return morning
}
