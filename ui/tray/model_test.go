package tray

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"curfew/assets"
	"curfew/auth"
	"curfew/ui/shots"
	"curfew/ui/status"
)

var now = time.Date(2026, 11, 22, 14, 30, 0, 0, time.UTC)

// live is a session on its eighth day with six refreshes spent. edits change it.
func live(name string, edits ...func(*auth.Snapshot)) auth.Snapshot {
	s := auth.Snapshot{
		Name: name, State: auth.Active, SignedInAt: now.AddDate(0, 0, -7), EndsAt: now.AddDate(0, 0, 23),
		RefreshesUsed: 6, RefreshesLeft: 14, MaxRefreshes: 20, AccessExpiresAt: now.Add(41 * time.Minute),
	}
	for _, edit := range edits {
		edit(&s)
	}
	return s
}

func in(state auth.State) func(*auth.Snapshot) { return func(s *auth.Snapshot) { s.State = state } }

func left(n int) func(*auth.Snapshot) {
	return func(s *auth.Snapshot) { s.RefreshesUsed, s.RefreshesLeft = 20-n, n }
}

func ended(r auth.Reason) func(*auth.Snapshot) {
	return func(s *auth.Snapshot) { s.State, s.Reason = auth.Ended, r }
}

func signingIn(flow string) func(*auth.Snapshot) {
	return func(s *auth.Snapshot) { s.SignIn = &auth.SignInView{Flow: flow, Phase: auth.PhaseBrowser} }
}

func isPaused(s *auth.Snapshot) { s.Paused = true }

func connected(all ...auth.Snapshot) State { return State{Accounts: all, Agent: Connected} }

func TestIcon(t *testing.T) {
	for _, tt := range []struct {
		name  string
		state State
		want  string
	}{
		{"starting", State{}, "signed-out"},
		{"no agent", State{Agent: Gone, Accounts: []auth.Snapshot{live("a")}}, "no-agent"},
		{"no accounts", connected(), "signed-out"},
		{"signed out", connected(live("a", in(auth.SignedOut))), "signed-out"},
		{"by the user", connected(live("a", ended(auth.ByUser))), "signed-out"},
		{"fresh", connected(live("a", left(20), func(s *auth.Snapshot) { s.EndsAt = now.AddDate(0, 0, 30); s.SignedInAt = now })), "ring-10"},
		{"fourteen", connected(live("a")), "ring-07"},
		{"six", connected(live("a", left(6))), "ring-03"},
		{"the least of two", connected(live("a"), live("b", left(8))), "ring-04"},
		{"the days are less", connected(live("a", func(s *auth.Snapshot) { s.EndsAt = now.AddDate(0, 0, 6); s.SignedInAt = now.AddDate(0, 0, -24) })), "ring-02"},
		{"five", connected(live("a", left(5))), "soon-02"},
		{"one", connected(live("a", left(1))), "soon-02"},
		{"none", connected(live("a", left(0))), "soon-00"},
		{"over", connected(live("a", ended(auth.ByRefreshes)), live("b")), "ended"},
		{"over beats locked", connected(live("a", in(auth.Locked)), live("b", ended(auth.ByAge))), "ended"},
		{"locked", connected(live("a", in(auth.Locked)), live("b", left(2))), "locked"},
		{"held", connected(live("a", in(auth.Held))), "attention"},
		{"suspect", connected(live("a", in(auth.Suspect))), "attention"},
		{"signing in", connected(live("a", signingIn("f")), live("b", left(3))), "signing-in"},
		{"signing in after the end", connected(live("a", ended(auth.ByAge), signingIn("f"))), "signing-in"},
		{"offline", connected(live("a", in(auth.Waiting)), live("b")), "offline-08"},
		{"offline, nearly over", connected(live("a", in(auth.Waiting), left(1))), "soon-02"},
		{"paused", connected(live("a", isPaused)), "paused-08"},
		{"paused and few", connected(live("a", isPaused, left(4))), "soon-02"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := NewModel(tt.state, now).Icon; got != tt.want {
				t.Errorf("icon %q, want %q", got, tt.want)
			}
		})
	}
}

// TestIconsExist: models name exactly the icons that exist.
func TestIconsExist(t *testing.T) {
	named := map[string]bool{}
	add := func(s State) { named[NewModel(s, now).Icon] = true }
	add(State{})
	add(State{Agent: Gone})
	for n := range 21 {
		for days := range 31 {
			for _, edit := range []func(*auth.Snapshot){in(auth.Active), in(auth.Waiting), in(auth.Held), in(auth.Locked), isPaused, signingIn("f"), ended(auth.ByAge)} {
				add(connected(live("a", left(n), edit, func(s *auth.Snapshot) {
					s.EndsAt = now.AddDate(0, 0, days)
					s.SignedInAt = s.EndsAt.AddDate(0, 0, -30)
				})))
			}
		}
	}
	if got, want := slices.Sorted(maps.Keys(named)), assets.TrayIcons(); !slices.Equal(got, want) {
		t.Errorf("models name %v\nthere are   %v", got, want)
	}
}

// print draws a menu as text. "> " opens a submenu, and "-" is a separator. A row
// in "( )" cannot be clicked. "[x]" is a tick.
func print(items []Item) string {
	var b strings.Builder
	var walk func([]Item, string)
	walk = func(items []Item, indent string) {
		for _, i := range items {
			switch {
			case i.Hidden:
				continue
			case i.ID.Verb == Separator:
				fmt.Fprintf(&b, "%s-\n", indent)
				continue
			case i.Checkbox && i.Checked:
				fmt.Fprintf(&b, "%s[x] %s", indent, i.Label)
			case i.Checkbox:
				fmt.Fprintf(&b, "%s[ ] %s", indent, i.Label)
			default:
				fmt.Fprintf(&b, "%s%s", indent, i.Label)
			}
			if !i.Enabled {
				b.WriteString(" (off)")
			}
			b.WriteString("\n")
			walk(i.Children, indent+"  ")
		}
	}
	walk(items, "")
	return b.String()
}

func TestMenu(t *testing.T) {
	foot := "Add account\n[ ] Pause background refresh\nOpen Curfew\nSettings\n-\nQuit (tokens stay available)\n"
	noAccounts := strings.Replace(foot, "[ ] Pause background refresh\n", "", 1)
	noAgent := strings.Replace(noAccounts, "Add account\n", "", 1)
	for _, tt := range []struct {
		name  string
		state State
		want  string
	}{
		{"no accounts", connected(), "No accounts yet\n" + noAccounts},
		{"starting", State{}, "Starting…\n" + noAgent},
		{"no agent", State{Agent: Gone, Accounts: []auth.Snapshot{live("work")}, Trouble: status.Problem{Message: "The Curfew agent is not running.", Hint: "Start it with: curfew agent"}},
			"The Curfew agent is not running.\nStart it with: curfew agent\nOpen Curfew\nSettings\n-\nQuit\n"},
		{"one account", connected(live("Spotify")), `Spotify: 14 left, until 15 Dec
  Access token valid until 15:11
  Copy access token
  Refresh now (uses 1 of 14 left)
  Sign in again
  Sign out
  Open
-
` + foot},
		{"stale", connected(live("a", in(auth.Stale))), `a: 14 left, until 15 Dec
  Access token expired
  Copy access token (uses 1 refresh)
  Refresh now (uses 1 of 14 left)
  Sign in again
  Sign out
  Open
-
` + foot},
		{"signing in", connected(live("a", in(auth.SigningIn), func(s *auth.Snapshot) { s.SignedInAt, s.EndsAt = time.Time{}, time.Time{} })), `a: signing in
  No access token
  Open sign-in page again
  Cancel sign-in
  Open
-
` + foot},
		{"ended comes first, with a notice", State{Agent: Connected, Notice: status.Problem{Message: "a: signed in"}, Accounts: []auth.Snapshot{live("a", isPaused), live("z", ended(auth.ByRefreshes))}}, `a: signed in
z: sign in again
  Refresh token has reached maximum usage limit. Please login again.
  Sign in again
  Sign out
  Open
a: 14 left, until 15 Dec
  Access token valid until 15:11
  Copy access token
  Refresh now (uses 1 of 14 left)
  Sign in again
  Sign out
  Open
-
` + strings.Replace(foot, "[ ]", "[x]", 1)},
		{"locked", connected(live("a", in(auth.Locked))), `a: keychain locked
  The keychain is locked or does not answer. Unlock it, and Curfew continues.
  Unlock the keychain
  Sign out
  Open
-
` + foot},
		{"failed sign-in", connected(auth.Snapshot{Name: "a", State: auth.SignedOut, SignIn: &auth.SignInView{Phase: auth.PhaseFailed, Text: auth.Words("You said no in the browser.")}}), `a: signed out
  You said no in the browser.
  Sign in
  Open
-
` + foot},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := print(NewModel(tt.state, now).Items); got != tt.want {
				t.Errorf("menu:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}

// TestNothingIsGrey: what cannot be done is not there.
func TestNothingIsGrey(t *testing.T) {
	for _, s := range shots.Situations(now) {
		for _, agent := range []AgentState{Starting, Connected, Gone} {
			if text := print(NewModel(State{Accounts: s.Accounts, Agent: agent}, now).Items); strings.Contains(text, "(off)") {
				t.Errorf("%s:\n%s", s.Name, text)
			}
		}
	}
}

// TestMenuOfThirty: the menu has the eight accounts that need a person most or
// were used last, and a row that shows the others.
func TestMenuOfThirty(t *testing.T) {
	var all []auth.Snapshot
	for i := range 30 {
		all = append(all, live(fmt.Sprintf("account-%02d", i), func(s *auth.Snapshot) {
			s.LastUsedAt = now.Add(-time.Duration((i*7)%30) * time.Hour)
		}))
	}
	all[29].State, all[29].Reason = auth.Ended, auth.ByAge
	all[28].RefreshesLeft = 2
	var got []string
	for _, i := range NewModel(connected(all...), now).Items {
		if len(i.Children) > 0 || i.ID.Verb == AllAccounts {
			got = append(got, i.Label)
		}
	}
	want := []string{"account-29: sign in again", "account-28: 2 left, until 15 Dec", "account-00: 14 left, until 15 Dec", "account-13: 14 left, until 15 Dec",
		"account-26: 14 left, until 15 Dec", "account-09: 14 left, until 15 Dec", "account-22: 14 left, until 15 Dec", "account-05: 14 left, until 15 Dec", "All accounts…"}
	if !slices.Equal(got, want) {
		t.Errorf("rows %q\nwant %q", got, want)
	}
	if n := len(NewModel(connected(all[:8]...), now).Items); n != 8+9 {
		t.Errorf("eight accounts make %d rows", n)
	}
}

// TestIDs: ids are unique, and the rows depend only on which accounts there are.
// Whatever happens to a session changes words in place.
func TestIDs(t *testing.T) {
	menu := func(a auth.Snapshot) []Item { return NewModel(connected(a, live("other")), now).Items }
	base := menu(live("a"))
	seen := map[ID]bool{}
	var walk func([]Item)
	walk = func(items []Item) {
		for _, i := range items {
			if seen[i.ID] {
				t.Errorf("two rows are %v", i.ID)
			}
			seen[i.ID] = true
			walk(i.Children)
		}
	}
	walk(base)
	for _, edit := range []func(*auth.Snapshot){in(auth.Stale), in(auth.Refreshing), in(auth.Waiting), in(auth.Held), in(auth.Locked), in(auth.Suspect),
		left(0), left(3), ended(auth.ByAge), signingIn("f"), isPaused} {
		a := live("a", edit)
		if !sameRows(base, menu(a)) {
			t.Errorf("state %s %s rebuilds the menu", a.State, a.Reason)
		}
	}
	if sameRows(base, NewModel(connected(live("a")), now).Items) {
		t.Error("an account less is the same menu")
	}
}

// TestLongName: 4 KB of foreign text break neither a row nor a tooltip.
func TestLongName(t *testing.T) {
	m := NewModel(connected(live(strings.Repeat("Kontö\n", 700), in(auth.Held), func(s *auth.Snapshot) { s.Message = strings.Repeat("x ", 5000) })), now)
	for line := range strings.Lines(m.Tooltip + "\n" + print(m.Items)) {
		if n := len([]rune(line)); n > 130 {
			t.Errorf("a line of %d characters: %q", n, line)
		}
	}
}

// TestMinutes: nothing in a menu ticks by the second.
func TestMinutes(t *testing.T) {
	s := connected(live("a"), live("b", in(auth.Waiting), func(s *auth.Snapshot) { s.NextRefreshAt = now.Add(100 * time.Second) }),
		live("c", func(s *auth.Snapshot) { s.EndsAt = now.Add(90 * time.Minute) }))
	a, b := NewModel(s, now.Add(10*time.Second)), NewModel(s, now.Add(35*time.Second))
	if !reflect.DeepEqual(a.Items, b.Items) {
		t.Errorf("the menu changed within a minute:\n%s\n%s", print(a.Items), print(b.Items))
	}
	if c := NewModel(s, now.Add(80*time.Second)); a.Tooltip == c.Tooltip {
		t.Error("the tooltip does not count down")
	}
}

func TestTooltip(t *testing.T) {
	gone := "Curfew: The agent is not running."
	if tooltipRoom == 0 {
		gone += "\nDo this."
	}
	for _, tt := range []struct {
		name  string
		state State
		want  string
	}{
		{"starting", State{}, "Curfew: Starting…"},
		{"no agent", State{Agent: Gone, Trouble: status.Problem{Message: "The agent is not running.", Hint: "Do this."}}, gone},
		{"no accounts", connected(), "Curfew: no accounts yet"},
		{"one", connected(live("Spotify")), "Spotify: 14 of 20 refreshes, 23 d left"},
		{"notice", State{Agent: Connected, Notice: status.Problem{Message: "Spotify: signed in"}}, "Curfew: Spotify: signed in"},
	} {
		if got := NewModel(tt.state, now).Tooltip; got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestLiteral(t *testing.T) {
	want := map[string]string{"windows": "my_work && co", "darwin": "my_work & co"}[runtime.GOOS]
	if got := literal("my_work & co"); got != cmp.Or(want, "my__work & co") {
		t.Errorf("literal = %q", got)
	}
}
