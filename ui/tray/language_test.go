package tray

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"curfew/auth"
	"curfew/ui/status"
)

// speak sets a language until the end of the test.
func speak(t *testing.T, code string) {
	t.Helper()
	status.SetLanguage(code)
	t.Cleanup(func() { status.SetLanguage(status.English) })
}

// TestReword changes the language while the menu is open. Every word changes in
// its place, and the rows stay where they are.
func TestReword(t *testing.T) {
	speak(t, status.English)
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, live("work"), live("home", in(auth.Locked)))
		d.opened <- time.Minute
		synctest.Wait()
		d.mu.Lock()
		before := d.items
		d.mu.Unlock()

		status.SetLanguage("de")
		d.reword <- struct{}{}
		synctest.Wait()
		d.mu.Lock()
		defer d.mu.Unlock()
		if !sameRows(before, d.items) {
			t.Errorf("rows were\n%sand are\n%s", print(before), print(d.items))
		}
		if menu := print(d.items); !strings.Contains(menu, "Curfew öffnen") || !strings.Contains(menu, "work: noch 14, bis ") {
			t.Errorf("menu\n%s", menu)
		}
		if !strings.HasPrefix(d.tooltip, "home: Schlüsselbund gesperrt\nwork: 14 von 20") {
			t.Errorf("tooltip %q", d.tooltip)
		}
	})
}

// TestNoEnglishIsLeft compares the menus and notices of every state in each
// language with the English ones.
func TestNoEnglishIsLeft(t *testing.T) {
	var states []State
	for _, state := range []auth.State{auth.SignedOut, auth.SigningIn, auth.Active, auth.Stale, auth.Refreshing, auth.Waiting, auth.Held, auth.Locked, auth.Suspect, "dreaming"} {
		for _, n := range []int{14, 5, 1, 0} {
			states = append(states, connected(live("a", in(state), left(n))))
		}
	}
	for _, r := range []auth.Reason{auth.ByAge, auth.ByRefreshes, auth.ByIdle, auth.ByRevocation, auth.ByRotationLost, auth.ByTampering, auth.BySubjectChanged, auth.ByUser} {
		states = append(states, connected(live("a", ended(r))))
	}
	var many []auth.Snapshot
	for range 14 {
		many = append(many, live("a"))
	}
	states = append(states, State{}, connected(), connected(many...), connected(live("a", isPaused)), connected(live("a", signingIn("f"))),
		State{Agent: Gone, Trouble: status.Problem{}})

	said := func(s State) (all []string) {
		var walk func(items []Item)
		walk = func(items []Item) {
			for _, i := range items {
				all = append(all, i.Label)
				walk(i.Children)
			}
		}
		m := NewModel(s, now)
		walk(m.Items)
		all = append(all, strings.Split(m.Tooltip, "\n")...)
		all = append(all, NoPlace().Title, NoPlace().Body)
		for _, a := range s.Accounts {
			was := level{session: a.SignedInAt}
			found, _ := notices(map[string]level{a.Name: was}, s.Accounts, forgetful{}, now)
			for _, n := range found {
				all = append(all, n.Title, n.Body, n.Action, n.Later)
			}
		}
		return all
	}
	for _, s := range states {
		english := said(s)
		for _, l := range status.Languages()[1:] {
			status.SetLanguage(l.Code)
			for i, words := range said(s) {
				if strings.HasSuffix(words, "…") && !strings.HasSuffix(english[i], "…") {
					t.Errorf("%s: %q is too long for a menu", l.Code, words)
				}
				if strings.ContainsFunc(words, unicode.IsLetter) && slices.Contains(english, words) && words != "Curfew:" {
					t.Errorf("%s: %q is said as in English", l.Code, words)
				}
			}
			status.SetLanguage(status.English)
		}
	}
}
