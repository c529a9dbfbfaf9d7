package tray

import (
	"cmp"
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"

	"curfew/auth"
	"curfew/ui/status"
)

// A State is all that the tray knows. The model is derived from it.
type State struct {
	Accounts []auth.Snapshot
	Agent    AgentState
	Trouble  status.Problem // why Agent is Gone
	Notice   status.Problem // what came of the last click, good or bad; may be zero
}

// AgentState says whether the agent answers.
type AgentState int

// The states of the connection to the agent.
const (
	Starting  AgentState = iota // nothing heard yet
	Connected                   // State.Accounts is current
	Gone                        // it does not answer; State.Accounts is out of date
)

// A Model is what the tray shows, as plain data.
type Model struct {
	Icon    string // one of assets.TrayIcons
	Tooltip string
	Text    string // a few characters next to the icon, where the system has room for them
	Items   []Item
}

// An Item is one row of the menu.
type Item struct {
	ID       ID // unique in the model
	Label    string
	Enabled  bool
	Hidden   bool // but it keeps its place
	Checkbox bool
	Checked  bool
	Children []Item
}

// An ID is what an item is for. An item keeps its ID as long as it means the
// same. So a click never does something else than its label said.
type ID struct {
	Verb    Verb
	Account string
}

// Verb is what an item does when it is clicked.
type Verb string

// The verbs. Those of the first block are rows to read. The first two do nothing;
// the others open the window, which shows more.
const (
	Separator   Verb = "separator" // Account is its name
	AccountLine Verb = "account"
	Note        Verb = "note"
	TokenLine   Verb = "token-line"
	AllAccounts Verb = "all-accounts"

	Unlock       Verb = "unlock"
	CopyToken    Verb = "copy"
	Refresh      Verb = "refresh"
	SignIn       Verb = "sign-in"
	CancelSignIn Verb = "cancel-sign-in"
	Tomorrow     Verb = "tomorrow" // of a notice
	SignOut      Verb = "sign-out"
	OpenAccount  Verb = "open-account"

	// Answers to a program that waits. Account is made by askKey.
	AskLine     Verb = "ask"
	Allow       Verb = "allow"
	AllowAlways Verb = "allow-always"
	Deny        Verb = "deny"

	AddAccount Verb = "add"
	Pause      Verb = "pause"
	Open       Verb = "open"
	Settings   Verb = "settings"
	Quit       Verb = "quit"
)

// opens reports whether v opens the window, and so has no outcome to show.
func (v Verb) opens() bool {
	return slices.Contains([]Verb{Note, AskLine, TokenLine, AllAccounts, Open, OpenAccount, AddAccount, Settings}, v)
}

const (
	linesAtTop  = 8 // accounts in the menu; the others are in the window
	noteRunes   = 90
	tooltipNote = 120 // runes of a note in the tooltip
)

// tooltipRoom is how long a tooltip may be: on Windows, 127 UTF-16 units.
var tooltipRoom = map[string]int{"windows": 127}[runtime.GOOS]

// NewModel derives what to show. It is pure. The rows are the same in every
// state: what cannot be done is hidden, never greyed. So the menu is rebuilt only
// when the accounts or their order change. On some panels a new menu closes an
// open one, and loses a click.
func NewModel(s State, now time.Time) Model {
	m := Model{Icon: icon(s, now), Tooltip: tooltip(s, now)}
	if s.Agent == Connected {
		m.Text = status.IconText(s.Accounts, now)
	}
	n := note(s)
	m.Items = append(m.Items,
		Item{ID: ID{Note, "message"}, Label: status.Clip(n.Message, noteRunes), Enabled: true, Hidden: n.Message == ""},
		Item{ID: ID{Note, "hint"}, Label: status.Clip(n.Hint, noteRunes), Enabled: true, Hidden: n.Hint == ""},
	)
	if s.Agent == Connected {
		m.Items = append(m.Items, asks(s.Accounts)...)
	}
	if s.Agent == Connected && len(s.Accounts) > 0 {
		sorted := sortForMenu(s.Accounts, now)
		for _, a := range sorted[:min(len(sorted), linesAtTop)] {
			m.Items = append(m.Items, account(a, now))
		}
		if len(sorted) > linesAtTop {
			m.Items = append(m.Items, Item{ID: ID{Verb: AllAccounts}, Label: status.Tr("All accounts…"), Enabled: true})
		}
		m.Items = append(m.Items, separator("accounts"))
	}
	connected := s.Agent == Connected
	quit := status.Tr("Quit (tokens stay available)") // the agent keeps running
	if s.Agent == Gone {
		quit = status.Tr("Quit")
	}
	m.Items = append(m.Items,
		Item{ID: ID{Verb: AddAccount}, Label: status.Tr("Add account"), Enabled: true, Hidden: !connected},
		Item{ID: ID{Verb: Pause}, Label: status.Tr("Pause background refresh"), Enabled: true, Hidden: !connected || len(s.Accounts) == 0, Checkbox: true, Checked: paused(s)},
		Item{ID: ID{Verb: Open}, Label: status.Tr("Open Curfew"), Enabled: true},
		Item{ID: ID{Verb: Settings}, Label: status.Tr("Settings"), Enabled: true},
		separator("end"),
		Item{ID: ID{Verb: Quit}, Label: quit, Enabled: true},
	)
	return m
}

// note is the text above the accounts, or in place of them.
func note(s State) status.Problem {
	switch {
	case s.Notice != status.Problem{}:
		return s.Notice
	case s.Agent == Starting:
		return status.Problem{Message: status.Tr("Starting…")}
	case s.Agent == Gone:
		return s.Trouble
	case len(s.Accounts) == 0:
		return status.Problem{Message: status.Tr("No accounts yet")}
	}
	return status.Problem{}
}

// sortForMenu returns the accounts with the most urgent first. Among equals, the
// one that a tool used last comes first.
func sortForMenu(all []auth.Snapshot, now time.Time) []auth.Snapshot {
	sorted := status.Sort(all, now)
	slices.SortStableFunc(sorted, func(a, b auth.Snapshot) int {
		return cmp.Or(cmp.Compare(status.UrgencyOf(b, now), status.UrgencyOf(a, now)), b.LastUsedAt.Compare(a.LastUsedAt))
	})
	return sorted
}

func separator(name string) Item { return Item{ID: ID{Separator, name}} }

// account is the line of one account with its submenu.
func account(a auth.Snapshot, now time.Time) Item {
	refreshes := status.RefreshesLeft(a)
	signingIn := status.SigningIn(a)
	copyLabel := status.Tr("Copy access token")
	if a.State == auth.Stale {
		copyLabel = status.Tr("Copy access token (uses 1 refresh)")
	}
	row := func(verb Verb, label string, can bool) Item {
		return Item{ID: ID{verb, a.Name}, Label: label, Enabled: true, Hidden: !can}
	}
	return Item{
		ID: ID{AccountLine, a.Name}, Label: status.Row(a, now), Enabled: true,
		Children: []Item{
			row(TokenLine, tokenLine(a, now), true),
			row(Unlock, status.Tr("Unlock the keychain"), a.State == auth.Locked),
			row(CopyToken, copyLabel, status.CanCopy(a, now)),
			row(Refresh, status.Tr("Refresh now (uses 1 of %d left)", refreshes), refreshes > 0 && !signingIn && (a.State == auth.Active || a.State == auth.Stale || a.State == auth.Waiting)),
			row(SignIn, status.SignInLabel(a), a.State != auth.Locked && a.State != auth.Suspect),
			row(CancelSignIn, status.Tr("Cancel sign-in"), signingIn),
			row(SignOut, status.Tr("Sign out"), status.HasSession(a) || a.State == auth.Ended && a.Reason != auth.ByUser),
			row(OpenAccount, status.Tr("Open"), true),
		},
	}
}

// tokenLine is the first row of an account. It shows the token, or why there is
// none.
func tokenLine(a auth.Snapshot, now time.Time) string {
	switch status.UrgencyOf(a, now) {
	case status.Attention, status.Over:
		return status.Clip(status.Describe(a, now).Detail, noteRunes)
	}
	if status.SignInFailed(a) && !status.HasSession(a) {
		return status.Clip(cmp.Or(status.Translate(a.SignIn.Text), status.Tr("The last sign-in failed")), noteRunes)
	}
	return status.TokenLine(a, now)
}

func paused(s State) bool {
	for _, a := range s.Accounts {
		if a.Paused {
			return true // one switch pauses all accounts
		}
	}
	return false
}

func tooltip(s State, now time.Time) string {
	if s.Agent == Connected && s.Notice == (status.Problem{}) {
		return status.Tooltip(s.Accounts, now, tooltipRoom)
	}
	n := note(s)
	text := status.Clip(status.Tr("Curfew: %s", n.Message), tooltipNote)
	if n.Hint != "" && tooltipRoom == 0 {
		text += "\n" + status.Clip(n.Hint, tooltipNote)
	}
	return text
}

// icon picks the most important picture. What needs a person comes before what
// recovers automatically. Among healthy accounts, the one with the least left
// counts.
func icon(s State, now time.Time) string {
	switch s.Agent {
	case Starting:
		return "signed-out"
	case Gone:
		return "no-agent"
	}
	var soon, waiting, live *auth.Snapshot
	var attention, locked, signingIn bool
	for i := range s.Accounts {
		a := &s.Accounts[i]
		signingIn = signingIn || status.SigningIn(*a)
		attention = attention || len(a.Asks) > 0
		switch status.UrgencyOf(*a, now) {
		case status.Over:
			return "ended"
		case status.Attention:
			locked = locked || a.State == auth.Locked
			attention = attention || a.State != auth.Locked
		case status.Soon:
			soon = least(soon, a, now)
		}
		if a.State == auth.Waiting {
			waiting = least(waiting, a, now)
		}
		if status.HasSession(*a) {
			live = least(live, a, now)
		}
	}
	switch {
	case locked:
		return "locked"
	case attention:
		return "attention"
	case signingIn:
		return "signing-in"
	case soon != nil:
		return ring("soon", soon, now)
	case waiting != nil:
		return ring("offline", waiting, now)
	case live == nil:
		return "signed-out"
	case paused(s):
		return ring("paused", live, now)
	}
	return ring("ring", live, now)
}

func least(a, b *auth.Snapshot, now time.Time) *auth.Snapshot {
	if a != nil && status.LeastLeft(*a, now) <= status.LeastLeft(*b, now) {
		return a
	}
	return b
}

// ring names the icon whose ring is as full as the account. A plain ring has
// steps of a tenth, and one with a sign in it has steps of a fifth. A ring with a
// sign is empty only when nothing is left.
func ring(kind string, a *auth.Snapshot, now time.Time) string {
	step := 2
	if kind == "ring" {
		step = 1
	}
	left := status.LeastLeft(*a, now)
	tenths := step * int(math.Round(left*10/float64(step)))
	if left > 0 || kind == "ring" {
		tenths = max(tenths, step)
	}
	return fmt.Sprintf("%s-%02d", kind, tenths)
}
