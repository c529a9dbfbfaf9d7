package status

import (
	"strconv"
	"time"

	"curfew/auth"
)

// A Count is one countdown, to be said as its number and what that counts, and
// drawn as a ring or as segments.
type Count struct {
	Limit    auth.Limit // LimitRefreshes or LimitAge; LimitNone: the last token
	Value    string     // "14", "23", "5 h 12 min", "41:07"; "–" when unknown
	What     string     // "of 20 refreshes left", "of 30 days left"
	Left, Of int        // segments that are there, of how many; Of is 0 where there is nothing to count
	Fraction float64    // of the whole that is left: 0 empty to 1 full
}

// An Outlook is how a live session is going to end. What is not known is empty.
type Outlook struct {
	Until string // "Good until about Tue 8 Dec."
	Then  string // "Then Curfew asks you to sign in again."
	Flag  string // of the forecast, where that is no limit on time: "refreshes end, about 8 Dec"
	End   string // of the limit on time: "30 days end Tue 15 Dec, 09:41"
}

// hero returns the countdown that will end the session, which leads, and the
// other. With no refresh left that is the last token's.
func hero(s auth.Snapshot, now time.Time) (lead, other Count) {
	lead, other = refreshCount(s), ageCount(s, now)
	if s.NoRefresh {
		return other, lead
	}
	if lead.Left == 0 {
		if access, ok := accessLeft(s, now); ok && HasSession(s) && access > 0 {
			return Count{Value: Fine(access), What: Tr("left of the last token"), Fraction: lead.Fraction, Of: lead.Of}, other
		}
		return lead, other
	}
	by := s.Forecast.By
	if !forecasts(s) {
		by = s.LimitedBy
		if by == auth.LimitAge && !FewDays(s, now) { // nothing is spent yet
			by = auth.LimitRefreshes
		}
	}
	if by == auth.LimitAge || by == auth.LimitServer || by == auth.LimitIdle {
		return other, lead
	}
	return lead, other
}

// forecasts reports whether the forecast of s is made from enough use to go by.
func forecasts(s auth.Snapshot) bool {
	return s.Forecast.HistoryDays >= 1 && !s.Forecast.EndsAt.IsZero()
}

func refreshCount(s auth.Snapshot) Count {
	left, most := refreshes(s)
	if !HasSession(s) {
		left = 0
	}
	if s.NoRefresh {
		return Count{Limit: auth.LimitRefreshes, Value: Tr("no"), What: Tr("refresh token")}
	}
	return Count{Limit: auth.LimitRefreshes, Value: strconv.Itoa(left), What: Trn(most, "of %d refresh left", "of %d refreshes left", most),
		Left: left, Of: most, Fraction: float64(left) / float64(most)}
}

func ageCount(s auth.Snapshot, now time.Time) Count {
	left, ok := ageLeft(s, now)
	c := Count{Limit: auth.LimitAge, Value: Tr("–")}
	switch {
	case !HasSession(s):
		c.What = Tr("no session")
		return c
	case !ok:
		c.What = Tr("end unknown")
		return c
	}
	whole := allowance(s)
	c.Fraction = min(float64(left)/float64(whole), 1)
	unit := day
	if whole < 2*day {
		unit = time.Hour
	}
	c.Of = int((whole + unit - 1) / unit)
	c.Left = min(int((left+unit-1)/unit), c.Of)
	switch n, most := wholeDays(left), int((whole+day/2)/day); {
	case n < 3:
		c.Value, c.What = Fine(left), Tr("left of %s", Days(whole))
	default:
		c.Left = min(n, c.Of) // as the number says
		c.Value, c.What = strconv.Itoa(n), Trn(most, "of %d day left", "of %d days left", most)
	}
	return c
}

func outlook(s auth.Snapshot, now time.Time) (o Outlook) {
	if !HasSession(s) {
		return o
	}
	f, end := s.Forecast, s.EndsAt
	o.Then = Tr("Then Curfew asks you to sign in again.")
	if !end.IsZero() {
		o.End = Tr("%s end %s", Days(allowance(s)), When(end, now))
		if s.LimitedBy == auth.LimitServer {
			o.End = Tr("the server ends it %s", When(end, now))
		}
	}
	left, _ := refreshes(s)
	sooner := forecasts(s) && (end.IsZero() || f.EndsAt.Before(end))
	about := func() string {
		if at := f.EndsAt.In(now.Location()); !sameDay(at, now) {
			return Tr("Good until about %s.", date(at, Tr("Mon 2 Jan")))
		}
		return Tr("Good until about %s today.", f.EndsAt.In(now.Location()).Format("15:04"))
	}
	if nearEnd(s, now) {
		o.Then = Tr("Sign in again before, and your tools notice nothing.")
	}
	switch access, ok := accessLeft(s, now); {
	case left == 0 && ok && access > 0:
		o.Until = Tr("Good until %s.", When(now.Add(access), now))
	case left == 0:
		o.Then = ""
	case !forecasts(s) && end.IsZero():
		o.Then = Tr("It is too early to tell when the refreshes will be used up.")
	case !forecasts(s):
		o.Until, o.Then = Tr("Good until %s at the latest.", When(end, now)), Tr("It is too early to tell when the refreshes will be used up.")
	case sooner && f.By == auth.LimitIdle:
		o.Until, o.Flag = about(), Tr("ends unused, about %s", DayOrTime(f.EndsAt, now))
	case sooner:
		o.Until, o.Flag = about(), Tr("refreshes end, about %s", DayOrTime(f.EndsAt, now))
	default:
		o.Until = Tr("Good until %s.", When(end, now))
	}
	return o
}
