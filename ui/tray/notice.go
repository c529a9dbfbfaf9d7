package tray

import (
	"maps"
	"slices"
	"time"

	"curfew/auth"
	"curfew/ui/status"
)

// A Notice is what a desktop shows for a moment and then keeps in its list. It
// replaces the account's last one; one without a title only takes that away.
type Notice struct {
	Account string // "": of the tray itself
	Title   string // plain text
	Body    string // plain text
	Action  string // label of what signs in again; "": nothing does
	Over    bool   // the session has ended
}

// NoPlace is the notice that the desktop shows no icons, and what to do.
func NoPlace() Notice {
	return Notice{
		Title: status.Tr("This desktop shows no icon of Curfew"),
		Body:  status.Tr("So its window opens instead. On GNOME, enable the AppIndicator extension; elsewhere, add a tray (status notifier) to the panel. The icon then comes by itself."),
	}
}

// The marks at which a session's end is announced.
var (
	refreshMarks = []int{5, 2, 0}
	timeMarks    = []time.Duration{3 * 24 * time.Hour, 24 * time.Hour, time.Hour}
)

// wanted reports whether the mark that was passed as the n-th of so many is to
// be announced: of few warnings only the last of each kind.
func wanted(w auth.WarningLevel, n, of int) bool {
	return w != auth.WarnOff && (w != auth.WarnFew || n == of)
}

// A level is how near the end a session is: how many marks it has passed.
type level struct {
	session         time.Time // which session: its sign-in
	refreshes, time int
	over            bool
	told            bool // there is a notice of it
}

func levelOf(a auth.Snapshot, now time.Time) level {
	l := level{session: a.SignedInAt, over: a.State == auth.Ended}
	for _, mark := range refreshMarks {
		if status.RefreshesLeft(a) <= mark {
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

// notices compares accounts with the levels they were at, and returns what to
// announce and the levels now. It is pure. Only a mark that was passed since
// the last look is announced, and of several the last: so each comes once, none
// at the start of the tray, and none right after a sign-in, however near its
// end the new session begins. Which marks are, the person has chosen; that a
// session is over is announced in any case.
func notices(before map[string]level, all []auth.Snapshot, now time.Time) ([]Notice, map[string]level) {
	var found []Notice
	after := make(map[string]level, len(all))
	for _, a := range all {
		was, known := before[a.Name]
		switch a.State {
		case auth.SignedOut:
			continue
		case auth.Active, auth.Stale, auth.Refreshing, auth.Waiting, auth.Ended:
		default: // what is left cannot be told now; go on from the last level
			if known {
				after[a.Name] = was
			}
			continue
		}
		l := levelOf(a, now)
		// What is no longer so is taken away: the words of a session that
		// another has followed, or that the person has ended.
		l.told = was.told && (l.over || l.session.Equal(was.session)) && a.Reason != auth.ByUser
		if was.told && !l.told {
			found = append(found, Notice{Account: a.Name})
		}
		after[a.Name] = l
		if !known || status.SigningIn(a) || !l.over && !l.session.Equal(was.session) {
			continue
		}
		n := Notice{Account: a.Name, Title: status.Line(a, now), Action: status.SignInLabel(a), Over: l.over}
		switch {
		case l.over:
			if was.over || a.Reason == auth.ByUser {
				continue
			}
			n.Body = status.Describe(a, now).Detail
		case l.refreshes > was.refreshes && wanted(a.WarningLevel, l.refreshes, len(refreshMarks)):
			n.Body = status.Tr("Sign in again when it suits you; it gives you a new session with all its refreshes.")
		case l.time > was.time && wanted(a.WarningLevel, l.time, len(timeMarks)):
			n.Body = status.Tr("The session ends %s. Sign in again when it suits you.", status.When(a.EndsAt, now))
		default:
			continue
		}
		found = append(found, n)
		l.told = true
		after[a.Name] = l
	}
	for _, account := range slices.Sorted(maps.Keys(before)) {
		if _, there := after[account]; !there && before[account].told {
			found = append(found, Notice{Account: account})
		}
	}
	return found, after
}
