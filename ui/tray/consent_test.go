package tray

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"curfew/auth"
)

// wanting is an account with a program that waits.
func wanting(name string, asks ...auth.Ask) auth.Snapshot {
	s := at(name)
	s.Asks = asks
	return s
}

var (
	gitAsks  = auth.Ask{ID: "q1", Program: "git", Caller: auth.Caller{Executable: "/usr/bin/git", Parents: []string{"/usr/bin/zsh"}, Terminal: "pts/3", Claimed: "git"}}
	evilAsks = auth.Ask{ID: "q2", Program: "evil", Caller: auth.Caller{Executable: "/tmp/evil", Claimed: "git"}}
)

// TestAskNotices: a question has one notice, which says what is proven, and which
// goes when the question does.
func TestAskNotices(t *testing.T) {
	found, asked := askNotices(nil, []auth.Snapshot{wanting("work", gitAsks, evilAsks), at("home")})
	if len(found) != 2 || len(asked) != 2 {
		t.Fatalf("%+v", found)
	}
	for i, want := range []string{
		"git wants a token of work|/usr/bin/git, started by zsh, terminal pts/3",
		"evil wants a token of work|/tmp/evil. It calls itself git.",
	} {
		n := found[i]
		if got := n.Title + "|" + n.Body; got != want || n.Allow == "" || n.Always == "" || n.Deny == "" || AccountOf(n.Account) != "work" {
			t.Errorf("%q, want %q: %+v", got, want, n)
		}
	}
	if again, _ := askNotices(asked, []auth.Snapshot{wanting("work", gitAsks, evilAsks)}); len(again) > 0 {
		t.Errorf("twice: %+v", again)
	}
	gone, asked := askNotices(asked, []auth.Snapshot{wanting("work", evilAsks)})
	if len(gone) != 1 || gone[0].Title != "" || gone[0].Account != "work:q1" || len(asked) != 1 {
		t.Errorf("%+v", gone)
	}
}

// TestAskRows: the menu has the answers, above the accounts, and the icon says that
// somebody waits.
func TestAskRows(t *testing.T) {
	m := NewModel(State{Agent: Connected, Accounts: []auth.Snapshot{wanting("work", gitAsks)}}, now)
	i := slices.IndexFunc(m.Items, func(i Item) bool { return i.ID == ID{AskLine, "work:q1"} })
	if i < 0 || m.Items[i].Label != "git wants a token of work" || m.Icon != "attention" {
		t.Fatalf("%q, %+v", m.Icon, m.Items)
	}
	var labels []string
	for _, row := range m.Items[i].Children {
		labels = append(labels, fmt.Sprint(row.ID.Verb, ": ", row.Label))
	}
	if got, want := strings.Join(labels, "|"), "note: /usr/bin/git, started by zsh, terminal pts/3|allow: Allow for 12 h|allow-always: Always for git|deny: Deny"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	var many []auth.Ask
	for n := range 10 {
		many = append(many, auth.Ask{ID: fmt.Sprint(n), Program: "x"})
	}
	if rows := asks([]auth.Snapshot{wanting("work", many...)}); len(rows) != shownAsks+1 {
		t.Errorf("%d rows", len(rows))
	}
}
