package status

import (
	"time"

	"curfew/auth"
)

const day = 24 * time.Hour

// Coarse says a duration in the words of a countdown that nobody watches
// tick: "23 d", "2 d 5 h", "5 h 12 min", "41 min", "under 1 min". It rounds
// down, but for the last hour before a whole day, and changes at most once a
// minute, so a menu may show it. Below zero is zero.
func Coarse(d time.Duration) string {
	if d < time.Minute {
		return Tr("under 1 min")
	}
	days, hours, minutes := int(d/day), int(d%day/time.Hour), int(d%time.Hour/time.Minute)
	switch {
	case wholeDays(d) >= 3:
		return Tr("%d d", wholeDays(d))
	case days > 0 && hours == 0:
		return Tr("%d d", days)
	case days > 0:
		return Tr("%d d %d h", days, hours)
	case hours > 0 && minutes == 0:
		return Tr("%d h", hours)
	case hours > 0:
		return Tr("%d h %d min", hours, minutes)
	}
	return Tr("%d min", minutes)
}

// Fine says a duration for a place that is redrawn every second: from a day
// on like [Coarse] with hours, from an hour on "5 h 12 min", below that the
// clock "41:07". Below zero is "0:00".
func Fine(d time.Duration) string {
	switch {
	case d >= 3*day && d%day >= time.Hour:
		return Tr("%d d %d h", int(d/day), int(d%day/time.Hour))
	case d >= time.Hour:
		return Coarse(d)
	}
	d = max(d, 0)
	return Tr("%d:%02d", int(d/time.Minute), int(d%time.Minute/time.Second))
}

// seconds says a short wait: "40 s", then like [Coarse].
func seconds(d time.Duration) string {
	if d < time.Minute {
		return Tr("%d s", int(max(d, 0)/time.Second))
	}
	return Coarse(d)
}

// wholeDays is d in days, cut; but a session that has just begun has its 30
// days, not 29: less than an hour to the next day counts as that day.
func wholeDays(d time.Duration) int { return int((d + time.Hour - time.Second) / day) }

// Days says a whole allowance: "30 days", "1 day", or like [Coarse] what is not
// a whole number of days.
func Days(d time.Duration) string {
	if n := int(d / day); n > 0 && d%day == 0 {
		return Trn(n, "%d day", "%d days", n)
	}
	return Coarse(d)
}

// When says a moment in now's zone: "today, 16:40", "Thu 10 Dec, 16:40", with
// the year where it is another. A zero time is "".
func When(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	t = t.In(now.Location())
	switch {
	case sameDay(t, now):
		return Tr("today, %s", t.Format("15:04"))
	case t.Year() != now.Year():
		return date(t, Tr("Mon 2 Jan 2006, 15:04"))
	}
	return date(t, Tr("Mon 2 Jan, 15:04"))
}

// DayOrTime says a moment as short as a menu wants it: "16:40" today, else "8 Dec".
func DayOrTime(t, now time.Time) string {
	t = t.In(now.Location())
	if sameDay(t, now) {
		return t.Format("15:04")
	}
	return Date(t)
}

// Stamp says when something happened, as short as a log line wants it:
// "14:02" today, "Fri 21:40" in the last six days, "10 Nov 21:40" before.
func Stamp(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	t = t.In(now.Location())
	switch ago := now.Sub(t); {
	case sameDay(t, now):
		return t.Format("15:04")
	case ago >= 0 && ago < 6*day:
		return date(t, Tr("Mon 15:04"))
	}
	return date(t, Tr("2 Jan 15:04"))
}

// Date says a day of this or the next months, as short as the foot of a
// chart wants it: "10 Nov".
func Date(t time.Time) string { return date(t, Tr("2 Jan")) }

// Ago says how long ago t was: "just now", "2 min ago", "3 d ago"; a time in
// the future, which only a wrong clock makes, is "just now". A zero time is "never".
func Ago(t, now time.Time) string {
	switch d := now.Sub(t); {
	case t.IsZero():
		return Tr("never")
	case d < time.Minute:
		return Tr("just now")
	case d >= day:
		return Tr("%d d ago", int(d/day))
	case d >= time.Hour:
		return Tr("%d h ago", int(d/time.Hour))
	default:
		return Tr("%s ago", Coarse(d))
	}
}

func sameDay(a, b time.Time) bool {
	return a.Year() == b.Year() && a.YearDay() == b.YearDay()
}

// left returns how long it is until end, or reported seconds where the end is
// not known; ok is false when neither is.
func left(end time.Time, reported int64, now time.Time) (d time.Duration, ok bool) {
	if !end.IsZero() {
		return max(end.Sub(now), 0), true
	}
	if reported <= 0 {
		return 0, false
	}
	return time.Duration(min(reported, int64(auth.BuiltIn.MaxAge/time.Second))) * time.Second, true
}

// ageLeft is the time until the age limit, never above 30 days: a clock that
// is wrong must not promise more.
func ageLeft(s auth.Snapshot, now time.Time) (time.Duration, bool) {
	d, ok := left(s.EndsAt, s.AgeLeft, now)
	return min(d, auth.BuiltIn.MaxAge), ok
}

// accessLeft is the remaining life of the access token.
func accessLeft(s auth.Snapshot, now time.Time) (time.Duration, bool) {
	d, ok := left(s.AccessExpiresAt, s.AccessLeft, now)
	return min(d, auth.BuiltIn.MaxAge), ok
}

// allowance is the whole age the session was given, 30 days unless its own
// end and start say less.
func allowance(s auth.Snapshot) time.Duration {
	if age := time.Duration(s.EndedLimits.MaxAge) * time.Second; s.State == auth.Ended && age > 0 {
		return min(age, auth.BuiltIn.MaxAge)
	}
	if s.SignedInAt.IsZero() || s.EndsAt.IsZero() {
		return auth.BuiltIn.MaxAge
	}
	if d := s.EndsAt.Sub(s.SignedInAt).Round(time.Minute); d > 0 {
		return min(d, auth.BuiltIn.MaxAge)
	}
	return auth.BuiltIn.MaxAge
}
