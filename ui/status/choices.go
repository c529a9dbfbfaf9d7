package status

import (
	"math"
	"strconv"
	"strings"
	"time"

	"curfew/auth"
)

// Mode returns the name of a refresh mode for people, and what it does.
func Mode(m auth.Mode) (name, meaning string) {
	switch m {
	case auth.Always:
		return Tr("Always"), Tr("Before every access token expires, used or not.")
	case auth.OnDemand:
		return Tr("On demand"), Tr("Only when a tool asks. That tool waits for the network.")
	case auth.InUse, "":
		return Tr("While in use"), Tr("Before an access token expires, while tools ask for it and there are enough refreshes.")
	}
	return Clip(string(m), nameRunes), Tr("Unknown to this version.")
}

// Setting is the name of a setting of an account for people: "Client ID".
func Setting(key string) string {
	words := strings.Split(key, "_")
	for i, w := range words {
		if w == "id" || w == "ca" {
			words[i] = strings.ToUpper(w)
		}
	}
	return Sentence(strings.Join(words, " "))
}

// Option is what people call an option of a setting.
func Option(key, option string) string {
	if key == "refresh" {
		name, _ := Mode(auth.Mode(option))
		return name
	}
	if strings.TrimSpace(option) == "" {
		return strconv.Quote(option)
	}
	return option
}

// Cost says what a refresh mode costs if use continues as it was, such as "1 to 2
// sign-ins in 30 days, tools never wait". The numbers are a forecast's, so they
// are rounded.
func Cost(f auth.ModeForecast) string {
	waits := Tr("tools never wait")
	switch n := f.WaitedPer1d; {
	case !(n > .02): // once in seven weeks; and NaN
	case n < .75:
		waits = Tr("tools seldom wait")
	default:
		whole := int(math.Round(min(n, 10_000)))
		waits = Trn(whole, "tools wait about %d time a day", "tools wait about %d times a day", whole)
	}
	return Tr("%s, %s", signIns(f.SignInsPer30d), waits)
}

func signIns(perMonth float64) string {
	if !(perMonth > 0) { // and NaN
		return Tr("no sign-in in 30 days")
	}
	n := min(perMonth, 10_000)
	low, near := int(math.Floor(n)), int(math.Round(n))
	switch {
	case n < 1.2:
		return Tr("1 sign-in in 30 days")
	case n < 10 && math.Abs(n-float64(near)) > .2:
		return Tr("%d to %d sign-ins in 30 days", low, low+1)
	}
	return Tr("about %d sign-ins in 30 days", near)
}

// Limits says when a session ends by the limits l.
func Limits(l auth.Limits) string {
	age := Days(l.MaxAge)
	count := Trn(l.MaxRefreshes, "%d refresh", "%d refreshes", l.MaxRefreshes)
	if l.MaxIdle > 0 {
		return Tr("A session ends after %s, %s, or %s without use, whichever comes first.", age, count, Days(l.MaxIdle))
	}
	return Tr("A session ends after %s or %s, whichever comes first.", age, count)
}

// LimitsOf returns the limits of an account's sessions, including the next one. If
// the agent reports none, they are the built-in ones.
func LimitsOf(s auth.Snapshot) auth.Limits {
	return auth.BuiltIn.Tighten(auth.Limits{
		MaxAge:       time.Duration(s.MaxAge) * time.Second,
		MaxRefreshes: s.MaxRefreshes,
		MaxIdle:      time.Duration(s.MaxIdle) * time.Second,
	})
}

// EndedBy returns the names of the accounts whose session the limits l would end at
// once. spent are those that would have no refresh left, whose session lives until
// its access token expires.
func EndedBy(l auth.Limits, all []auth.Snapshot, now time.Time) (ended, spent []string) {
	for _, s := range all {
		used := s.LastUsedAt
		if used.IsZero() {
			used = s.SignedInAt
		}
		rules := auth.Session{SignedInAt: s.SignedInAt, LastActivity: used, Used: s.RefreshesUsed, AccessExpiresAt: s.AccessExpiresAt}
		switch {
		case !HasSession(s):
		case rules.Over(l, now) != "", rules.Exhausted(l) && !rules.AccessGood(now):
			ended = append(ended, Name(s))
		case rules.Exhausted(l):
			spent = append(spent, Name(s))
		}
	}
	return ended, spent
}
