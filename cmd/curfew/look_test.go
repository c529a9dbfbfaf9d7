package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"curfew/ui/shots"
	"curfew/ui/terminal"
)

// TestNoRefreshToken: the terminal says of a session without a refresh token what
// it is, what that means and what to do, and nothing of refreshes that are left.
func TestNoRefreshToken(t *testing.T) {
	at := time.Date(2026, time.November, 22, 9, 41, 0, 0, time.UTC)
	all := shots.Situations(at)
	i := slices.IndexFunc(all, func(s shots.Situation) bool { return s.Name == "no-refresh-token" })
	if i < 0 {
		t.Fatal("there is no such situation")
	}
	var page bytes.Buffer
	if err := writeAccount(terminal.NewPage(&page), all[i].Accounts[0], at); err != nil {
		t.Fatal(err)
	}
	said := strings.Join(strings.Fields(page.String()), " ")
	for _, want := range []string{"Hugging Face: cannot be renewed, 5 h 12 min left", "refreshes no refresh token", "session 5 h 12 min left of 8 h",
		"next refresh not possible without a refresh token", "forecast Good until today, 14:53. Then Curfew asks you to sign in again.", "The server gave no refresh token, so Curfew cannot renew"} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, &page)
		}
	}
	if strings.Contains(said, "refreshes left") || strings.Contains(said, "refreshes are left") {
		t.Errorf("it speaks of refreshes that are left:\n%s", &page)
	}
}
