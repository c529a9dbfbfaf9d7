package auth

import (
	"math"
	"slices"
	"time"
)

// WarningFacts is everything a warning may depend on. The session lives: what
// is to be said of one that ended is not a warning.
type WarningFacts struct {
	Now           time.Time
	SignedInAt    time.Time
	EndsAt        time.Time     // our own absolute end
	ServerEndsAt  time.Time     // the provider's; zero: not known
	IdleEndsAt    time.Time     // when the session dies if it is not used until then; zero: never
	MaxIdle       time.Duration // the rule behind IdleEndsAt
	RefreshesLeft int
	MaxRefreshes  int
	LastRefreshAt time.Time // or the sign-in
	ActiveAt      time.Time // when a person or a program was last seen to use the account
}

// A Warning is one thing to tell the person, once in a session.
type Warning struct {
	ID string // stable; goes into the fired set
	Text
}

const (
	quietAfterSignIn = time.Minute
	activeFor        = 5 * time.Minute // after its last sign of life a user counts as being there
)

// countWarnings and timeWarnings list the thresholds, the most urgent first,
// and how long each waits for a moment at which the user is active.
var (
	countWarnings = []struct {
		id       string
		left     int
		patience time.Duration // from the refresh that reached it
	}{
		{"refreshes-0", 0, 10 * time.Minute},
		{"refreshes-2", 2, 4 * time.Hour},
		{"refreshes-5", 5, 12 * time.Hour},
	}
	timeWarnings = []struct {
		id       string
		left     time.Duration
		patience time.Duration
	}{
		{"ends-1h", time.Hour, 30 * time.Minute},
		{"ends-24h", 24 * time.Hour, 8 * time.Hour},
		{"ends-3d", 72 * time.Hour, 12 * time.Hour},
	}
)

// DueWarnings returns the warnings to give now, and not those whose ids are in
// fired. It is pure; the caller adds what it returns to fired and saves that
// with the session.
//
// A warning waits for the user to be active, but not for ever. Of several
// thresholds passed at once only the most urgent one is shown. A threshold at
// more than half of what the session started with is left out: nobody who has
// just signed in wants to hear that the end is near.
func DueWarnings(f WarningFacts, fired []string) []Warning {
	if f.Now.Sub(f.SignedInAt) < quietAfterSignIn {
		return nil
	}
	active := f.Now.Sub(f.ActiveAt) <= activeFor
	var due []Warning
	warn := func(id string, waited, patience time.Duration, message func() Text) {
		if (active || waited >= patience) && !slices.Contains(fired, id) {
			due = append(due, Warning{id, message()})
		}
	}

	for _, c := range countWarnings {
		if f.RefreshesLeft > c.left {
			continue
		}
		if f.MaxRefreshes >= 2*c.left && f.MaxRefreshes > 0 {
			warn(c.id, f.Now.Sub(f.LastRefreshAt), c.patience, func() Text {
				if f.RefreshesLeft <= 0 {
					return Say("warning_none_left", f.MaxRefreshes)
				}
				return Say("warning_few_left", f.RefreshesLeft, f.MaxRefreshes, f.MaxRefreshes)
			})
		}
		break
	}

	ends, words := f.EndsAt, "warning_ends"
	if !f.ServerEndsAt.IsZero() && f.ServerEndsAt.Before(f.EndsAt) {
		ends, words = f.ServerEndsAt, "warning_provider_ends"
		warn("server-end", f.Now.Sub(f.SignedInAt), 24*time.Hour, func() Text {
			return Say("warning_server_sooner", roughly(ends.Sub(f.Now)), int(math.RoundToEven(f.EndsAt.Sub(f.SignedInAt).Hours()/24)))
		})
	}
	for _, t := range timeWarnings {
		left := ends.Sub(f.Now)
		if left > t.left {
			continue
		}
		if ends.Sub(f.SignedInAt) >= 2*t.left {
			warn(t.id, t.left-left, t.patience, func() Text { return Say(words, roughly(left)) })
		}
		break
	}

	if left, near := f.IdleEndsAt.Sub(f.Now), min(24*time.Hour, f.MaxIdle/4); !f.IdleEndsAt.IsZero() && left <= near && f.IdleEndsAt.Before(ends) {
		warn("idle", near-left, near/2, func() Text {
			return Say("warning_idle", roughly(left))
		})
	}
	return due
}

// roughly says a duration as people do.
func roughly(d time.Duration) Text {
	switch {
	case d >= 47*time.Hour+30*time.Minute:
		return Say("in_days", int(math.RoundToEven(d.Hours()/24)))
	case d >= 90*time.Minute:
		return Say("in_hours", int(math.RoundToEven(d.Hours())))
	case d >= 90*time.Second:
		return Say("in_minutes", int(math.RoundToEven(d.Minutes())))
	}
	return Say("in_minute")
}
