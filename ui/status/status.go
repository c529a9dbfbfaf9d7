// Package status puts an account into words. It turns a snapshot and a time into
// sentences, countdowns and an urgency. Tray, window, notices and command line all
// use it, so they cannot disagree.
//
// Its functions are pure, except that a process speaks one language; see
// [SetLanguage]. Absolute times are in the zone of the now that is passed in.
//
// Its one hard idea: a snapshot is not trusted to be sane. Whatever counts, times
// or text it holds, nothing negative, absurd, empty or endless reaches a screen.
// The refreshes come before the days, because for daily users they usually end the
// session first.
package status

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"curfew/auth"
)

// Urgency says how much an account needs a person. A higher value needs more.
type Urgency int

// The urgencies. A colour may follow them, but never alone.
const (
	Calm      Urgency = iota // nothing to do
	Soon                     // works, but its end is near
	Attention                // stopped until a person does something, and not ended
	Over                     // the session has ended; only a sign-in helps
)

// String returns the name of u, for logs and tests.
func (u Urgency) String() string {
	return [...]string{"calm", "soon", "attention", "over"}[u]
}

// The end of a session counts as near from these marks on, or from a quarter of
// its limit if that is less.
const (
	fewRefreshes = 5
	fewDays      = 3 * day
)

// SigningIn reports whether a sign-in of the account is running now. It may be the
// first one, or replace a live session.
func SigningIn(s auth.Snapshot) bool {
	return s.State == auth.SigningIn ||
		s.SignIn != nil && (s.SignIn.Phase == auth.PhaseBrowser || s.SignIn.Phase == auth.PhaseExchange)
}

// AtKeychain reports whether a sign-in cannot begin before the person has answered
// the keychain's question. Then there is no page to open yet.
func AtKeychain(s auth.Snapshot) bool {
	return SigningIn(s) && s.SignIn != nil && s.SignIn.ID == auth.PromptID
}

// HasSession reports whether the account has a session that lives: only
// then are there refreshes to count, a token to copy and something to sign out of.
func HasSession(s auth.Snapshot) bool {
	switch s.State {
	case auth.Active, auth.Stale, auth.Refreshing, auth.Waiting, auth.Held, auth.Locked, auth.Suspect:
		return true
	case auth.SigningIn:
		return !s.EndsAt.IsZero() // SignedInAt may be of an earlier session
	}
	return false
}

// UrgencyOf says how much the account needs a person. A person who is signing in
// already knows.
func UrgencyOf(s auth.Snapshot, now time.Time) Urgency {
	switch {
	case SigningIn(s):
		return Calm
	case s.State == auth.Ended && s.Reason != auth.ByUser:
		return Over
	case s.State == auth.Held, s.State == auth.Locked, s.State == auth.Suspect:
		return Attention
	case HasSession(s) && nearEnd(s, now):
		return Soon
	}
	return Calm
}

// FewRefreshes reports whether few refreshes are left.
func FewRefreshes(s auth.Snapshot) bool {
	left, most := refreshes(s)
	return !s.NoRefresh && left <= min(fewRefreshes, most/4)
}

// FewDays reports whether little time is left.
func FewDays(s auth.Snapshot, now time.Time) bool {
	age, known := ageLeft(s, now)
	return known && age <= min(fewDays, allowance(s)/4)
}

func nearEnd(s auth.Snapshot, now time.Time) bool {
	return FewRefreshes(s) || FewDays(s, now)
}

// Sort returns the snapshots, the most urgent first. Within one urgency they are
// sorted by name.
func Sort(all []auth.Snapshot, now time.Time) []auth.Snapshot {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b auth.Snapshot) int {
		return cmp.Or(
			cmp.Compare(UrgencyOf(b, now), UrgencyOf(a, now)),
			cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)),
			cmp.Compare(a.Name, b.Name),
		)
	})
	return sorted
}

// Name returns the account's name, short enough for a menu and never empty.
func Name(s auth.Snapshot) string {
	return cmp.Or(Clip(s.Name, nameRunes), Tr("(no name)"))
}

// Line says in one line how an account is, such as "Spotify: 14 of 20 refreshes,
// 23 d left". It changes at most once a minute.
func Line(s auth.Snapshot, now time.Time) string {
	return Tr("%s: %s", Name(s), Short(s, now))
}

// Short is [Line] without the name.
func Short(s auth.Snapshot, now time.Time) string {
	if SigningIn(s) {
		if s.SignIn != nil && s.SignIn.Phase == auth.PhaseExchange {
			return Tr("signing in, almost done")
		}
		if AtKeychain(s) {
			return Tr("signing in, unlock the keychain")
		}
		return Tr("signing in, continue in your browser")
	}
	switch s.State {
	case auth.SignedOut:
		return Tr("signed out")
	case auth.Active, auth.Stale, auth.Refreshing:
		return countdown(s, now)
	case auth.Waiting:
		if wait, ok := left(s.NextRefreshAt, 0, now); ok {
			return Tr("%s; waiting for the server, next try in %s", countdown(s, now), Coarse(wait))
		}
		return Tr("%s; waiting for the server", countdown(s, now))
	case auth.Held:
		return Tr("refused by the server")
	case auth.Locked:
		if !keychainLocked(s) {
			return Tr("keychain unavailable")
		}
		return Tr("keychain locked")
	case auth.Suspect:
		return Tr("check this computer's clock")
	case auth.Ended:
		if s.Reason == auth.ByUser {
			return Tr("signed out")
		}
		return Tr("sign in again: %s", whyEnded(s))
	}
	return Tr("unknown state: restart Curfew")
}

// Row is a short line for a menu, such as "Spotify: 14 left, until 8 Dec".
func Row(s auth.Snapshot, now time.Time) string {
	return Tr("%s: %s", Name(s), Brief(s, now))
}

// Brief is [Row] without the name.
func Brief(s auth.Snapshot, now time.Time) string {
	switch {
	case SigningIn(s):
		return Tr("signing in")
	case s.State == auth.Ended && s.Reason != auth.ByUser:
		return Tr("sign in again")
	case s.State == auth.Suspect:
		return Tr("check the clock")
	}
	switch s.State {
	case auth.Active, auth.Stale, auth.Refreshing, auth.Waiting:
	default:
		return Short(s, now)
	}
	left, _ := refreshes(s)
	count := Tr("%d left", left)
	switch {
	case s.NoRefresh && !LastsUntil(s).IsZero(): // there is nothing to count
		return Tr("until %s", DayOrTime(LastsUntil(s), now))
	case left == 0:
		count = Tr("none left")
	}
	if s.State == auth.Waiting {
		return Tr("%s, no answer", count)
	}
	if end := LastsUntil(s); !end.IsZero() {
		return Tr("%s, until %s", count, DayOrTime(end, now))
	}
	return count
}

// LastsUntil is when a live session is likely to end. Its limits end it, or its
// forecast if that is sooner and has a day of use behind it. With no refresh left,
// it ends when its token expires.
func LastsUntil(s auth.Snapshot) time.Time {
	end := s.EndsAt
	sooner := func(t time.Time) {
		if !t.IsZero() && (end.IsZero() || t.Before(end)) {
			end = t
		}
	}
	if left, _ := refreshes(s); left == 0 {
		sooner(s.AccessExpiresAt)
	} else if s.Forecast.HistoryDays >= 1 {
		sooner(s.Forecast.EndsAt)
	}
	return end
}

// countdown is what is left of a live session.
func countdown(s auth.Snapshot, now time.Time) string {
	left, most := refreshes(s)
	age, known := ageLeft(s, now)
	if s.NoRefresh && known {
		return Tr("cannot be renewed, %s left", Coarse(age))
	}
	if left == 0 {
		if access, ok := accessLeft(s, now); ok && s.State == auth.Active {
			return Tr("no refreshes left, the last token expires in %s", Coarse(access))
		}
		return Tr("no refreshes left")
	}
	if !known {
		return Trn(most, "%d of %d refresh left", "%d of %d refreshes left", left, most)
	}
	return Trn(most, "%d of %d refresh, %s left", "%d of %d refreshes, %s left", left, most, Coarse(age))
}

// whyEnded says why a session ended, in words that follow "sign in again:".
func whyEnded(s auth.Snapshot) string {
	switch s.Reason {
	case auth.ByAge:
		return Tr("its %s have passed", Days(allowance(s)))
	case auth.ByRefreshes:
		_, most := refreshes(s)
		if serversLimit(s) {
			return Tr("the server allows no more refreshes")
		}
		return Trn(most, "its %d refresh is used", "all %d refreshes are used", most)
	case auth.ByIdle:
		return Tr("not used for too long")
	case auth.ByRevocation:
		return Tr("the server ended the session")
	case auth.ByRotationLost:
		return Tr("the newest token was lost on its way")
	case auth.ByTampering:
		return Tr("the stored session was modified outside Curfew")
	case auth.BySubjectChanged:
		return Tr("the server returned a different user")
	case auth.ByToken:
		return Tr("its one access token has expired")
	}
	return Tr("the session has ended")
}

// serversLimit reports whether a session ended by the server's count of refreshes,
// before Curfew's limit was reached. How many the server allows is not known: the
// refresh that it refused is counted, too.
func serversLimit(s auth.Snapshot) bool {
	return s.Reason == auth.ByRefreshes && s.RefreshesUsed > 0 && s.RefreshesUsed < s.EndedLimits.MaxRefreshes
}

// LeastLeft returns the smaller of what is left of the refreshes and of the
// days, as a fraction from 0 to 1: what one ring can say of a live session.
func LeastLeft(s auth.Snapshot, now time.Time) float64 {
	fraction := refreshCount(s).Fraction
	if s.NoRefresh {
		fraction = 1
	}
	if _, known := ageLeft(s, now); known {
		fraction = min(fraction, ageCount(s, now).Fraction)
	}
	return fraction
}

// RefreshesLeft returns how many refreshes a live session has left, at least 0.
func RefreshesLeft(s auth.Snapshot) int {
	n, _ := refreshes(s)
	return n
}

// refreshes returns how many are left and how many there were. Both are sane: the
// built-in limit can only be tightened.
func refreshes(s auth.Snapshot) (left, most int) {
	most = s.MaxRefreshes
	if s.State == auth.Ended && s.EndedLimits.MaxRefreshes > 0 {
		most = s.EndedLimits.MaxRefreshes
	}
	if most <= 0 || most > auth.BuiltIn.MaxRefreshes {
		most = auth.BuiltIn.MaxRefreshes
	}
	return min(max(s.RefreshesLeft, 0), most), most
}

// tooltipLines is how many accounts a tooltip names.
const tooltipLines = 5

// Tooltip is the tooltip of the tray icon. It has a line for each account, the most
// urgent first, and says how many did not fit. room is how many UTF-16 units the
// desktop shows, which is how Windows counts. 0 means any number.
func Tooltip(all []auth.Snapshot, now time.Time, room int) string {
	if len(all) == 0 {
		return Tr("Curfew: no accounts yet")
	}
	var lines []string
	for _, s := range Sort(all, now)[:min(len(all), tooltipLines)] {
		lines = append(lines, Line(s, now))
	}
	rest := func(shown int) string {
		if shown == len(all) {
			return ""
		}
		return "\n" + Tr("and %d more", len(all)-shown)
	}
	for n := len(lines); n > 0; n-- {
		if text := strings.Join(lines[:n], "\n") + rest(n); room == 0 || units(text) <= room {
			return text
		}
	}
	// Even one line is too long. No rune takes more than two units.
	return Clip(lines[0], (room-units(rest(1)))/2) + rest(1)
}

// IconText is the text next to the tray icon, where there is room for a few
// characters. It gives the refreshes and the time of the account with the least
// left, such as "14 · 23 d". It is "" if no session is live.
func IconText(all []auth.Snapshot, now time.Time) string {
	var least *auth.Snapshot
	for i := range all {
		switch a := &all[i]; a.State {
		case auth.Active, auth.Stale, auth.Refreshing, auth.Waiting:
			if least == nil || LeastLeft(*a, now) < LeastLeft(*least, now) {
				least = a
			}
		}
	}
	if least == nil {
		return ""
	}
	left := RefreshesLeft(*least)
	end, known := ageLeft(*least, now)
	if access, ok := accessLeft(*least, now); ok && left == 0 {
		end, known = access, true // this is the last token
	}
	switch {
	case !known:
		return strconv.Itoa(left)
	case least.NoRefresh: // nothing to count
		return Coarse(end)
	}
	return Tr("%d · %s", left, Coarse(end))
}

func units(s string) int { return len(utf16.Encode([]rune(s))) }
