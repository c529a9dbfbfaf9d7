package status

import (
	"path/filepath"
	"strings"
	"time"

	"curfew/auth"
)

// Asking are the words for a program that waits for a person's consent.
type Asking struct {
	Title  string // who wants what
	Detail string // what is proven of the program, and what it claims
	Cost   string // what a token costs now; "" if nothing
	Always string // label of the button that allows it for good
}

// Asks says in a few words that a program waits for a token of s; "" if none does.
func Asks(s auth.Snapshot) string {
	if len(s.Asks) == 0 {
		return ""
	}
	return Tr("%s wants a token", Clip(s.Asks[0].Program, nameRunes))
}

// AskingOf describes a question about a token of s.
func AskingOf(s auth.Snapshot, a auth.Ask) Asking {
	program := Clip(a.Program, nameRunes)
	words := Asking{Title: Tr("%s wants a token of %s", program, Name(s)), Always: Tr("Always for %s", program)}
	var parts []string
	c := a.Caller
	if c.Executable != "" {
		parts = append(parts, pathEnd(c.Subject()))
		if parents := c.Parents; len(parents) > 0 && parents[0] != c.Subject() {
			parts = append(parts, Tr("started by %s", Clip(filepath.Base(parents[0]), nameRunes)))
		} else if len(parents) > 1 {
			parts = append(parts, Tr("started by %s", Clip(filepath.Base(parents[1]), nameRunes)))
		}
	}
	if c.Terminal != "" {
		parts = append(parts, Tr("terminal %s", c.Terminal))
	}
	words.Detail = strings.Join(parts, ", ")
	if claim := Clip(c.Claimed, nameRunes); claim != "" && claim != program {
		words.Detail += ". " + Tr("It calls itself %s", claim) + "."
	}
	words.Detail = strings.TrimPrefix(words.Detail, ". ")
	if s.State == auth.Stale {
		words.Cost = Tr("A token uses 1 of %d refreshes left.", RefreshesLeft(s))
	}
	return words
}

// pathEnd returns the end of a path that is long. It says more than its beginning,
// and no line can break in it.
func pathEnd(path string) string {
	const most = 44
	r := []rune(Clip(path, 300))
	if len(r) <= most {
		return string(r)
	}
	return "…" + string(r[len(r)-most+1:])
}

// PermitWords says how long an answer holds, and where.
func PermitWords(p auth.Permit, now time.Time) string {
	until := When(p.Until, now)
	if sameDay(p.Until.In(now.Location()), now) {
		until = p.Until.In(now.Location()).Format("15:04")
	}
	switch {
	case p.Denied:
		return Tr("denied until %s", until)
	case p.Until.IsZero():
		return Tr("always allowed")
	case p.Terminal != "":
		return Tr("allowed in terminal %s until %s", p.Terminal, until)
	default:
		return Tr("allowed until %s", until)
	}
}
