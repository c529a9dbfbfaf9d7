package status

import (
	"time"

	"curfew/auth"
)

const day = 24 * time.Hour

// Coarse writes a duration for a countdown without seconds, such as "23 d" or "5 h
// 12 min". It changes at most once a minute, so a menu may show it. It rounds
// down, except in the last hour before a whole day. Below zero is zero.
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

// Fine writes a duration for a place that is redrawn every second. Below an hour
// it is a clock such as "41:07". From an hour on it is like [Coarse], but always
// with the hours. Below zero is "0:00".
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

// seconds writes a short wait such as "40 s". From a minute on it is [Coarse].
func seconds(d time.Duration) string {
	if d < time.Minute {
		return Tr("%d s", int(max(d, 0)/time.Second))
	}
	return Coarse(d)
}

// wholeDays is d in days, rounded down. The last hour before a whole day counts as
// that day, so that a session that has just begun has 30 days and not 29.
func wholeDays(d time.Duration) int { return int((d + time.Hour - time.Second) / day) }

// Days writes a whole allowance, such as "30 days" or "1 day". If it is not a
// whole number of days, Days is [Coarse].
func Days(d time.Duration) string {
	if n := int(d / day); n > 0 && d%day == 0 {
		return Trn(n, "%d day", "%d days", n)
	}
	return Coarse(d)
}

// When writes a moment in now's zone, such as "today, 16:40". Another year than
// now's is added. A zero time is "".
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

// DayOrTime writes a moment for a menu: today "16:40", on other days "8 Dec".
func DayOrTime(t, now time.Time) string {
	t = t.In(now.Location())
	if sameDay(t, now) {
		return t.Format("15:04")
	}
	return Date(t)
}

// Stamp writes when something happened, for a log line. Today it is "14:02". In
// the last six days it is "Fri 21:40", and before that "10 Nov 21:40".
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

// Date writes a day for the foot of a chart: "10 Nov".
func Date(t time.Time) string { return date(t, Tr("2 Jan")) }

// Ago writes how long ago t was, such as "2 min ago". A time in the future, which
// only a wrong clock makes, is "just now". A zero time is "never".
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

// left returns how long it is until end. If end is not known it returns the
// reported seconds. ok is false if neither is known.
func left(end time.Time, reported int64, now time.Time) (d time.Duration, ok bool) {
	if !end.IsZero() {
		return max(end.Sub(now), 0), true
	}
	if reported <= 0 {
		return 0, false
	}
	return time.Duration(min(reported, int64(auth.BuiltIn.MaxAge/time.Second))) * time.Second, true
}

// ageLeft is the time until the age limit. It is at most 30 days, because a wrong
// clock must not promise more.
func ageLeft(s auth.Snapshot, now time.Time) (time.Duration, bool) {
	d, ok := left(s.EndsAt, s.AgeLeft, now)
	return min(d, auth.BuiltIn.MaxAge), ok
}

// accessLeft is the remaining life of the access token.
func accessLeft(s auth.Snapshot, now time.Time) (time.Duration, bool) {
	d, ok := left(s.AccessExpiresAt, s.AccessLeft, now)
	return min(d, auth.BuiltIn.MaxAge), ok
}

// allowance is the longest age of the session. It is 30 days unless the start and
// the end of the session say less.
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
