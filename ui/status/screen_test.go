package status

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"curfew/auth"
)

// TestForScreen: what the engine says about a failed sign-in names a command in
// the terminal, and the account's button in a window and a menu.
func TestForScreen(t *testing.T) {
	failed := auth.Say("both", auth.Say("consent_denied", "access_denied").Sentence(), auth.Say("hint_login_again", "work").Sentence())
	before := signIn(auth.PhaseFailed, "")
	for _, tt := range []struct {
		language string
		s        auth.Snapshot
		want     string
	}{
		{"en", auth.Snapshot{Name: "work", State: auth.SignedOut}, "Consent was denied (access_denied). Choose Sign in."},
		{"en", live(), "Consent was denied (access_denied). Choose Sign in again."},
		{"de", live(), "Die Zustimmung wurde verweigert (access_denied). „Neu anmelden“ wählen."},
		{"fr", live(), "Le consentement a été refusé (access_denied). Choisissez « Se reconnecter »."},
	} {
		speak(t, tt.language)
		before(&tt.s)
		tt.s.SignIn.Text = failed
		if got := Translate(ForScreen([]auth.Snapshot{tt.s})[0].SignIn.Text); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
		if got := tt.s.SignIn.Text.Message; !strings.Contains(got, "`curfew login work`") {
			t.Errorf("the agent's snapshot says %q now", got)
		}
	}
	speak(t, "en")
	for _, words := range []auth.Text{{}, auth.Words("A server's own words."), {Message: "Newer.", ID: "both"}, {Message: "Unknown.", ID: "newer", Args: auth.Args{"x"}}, auth.Say("signed_in")} {
		if got := button(words, true); got.Message != words.Message || got.ID != words.ID {
			t.Errorf("%+v becomes %+v", words, got)
		}
	}
}

// TestButtonsForCommands finds hints with a command that have no button.
func TestButtonsForCommands(t *testing.T) {
	terminal := []string{ // what is only said there, or is only done there
		"hint_see_providers", "hint_providers_name", "hint_providers_list", "hint_account_exists", "hint_dpop", "hint_id_token", "hint_id_token_none", "hint_program_denied", "hint_program_unanswered",
		"hint_start_agent", "hint_start_yourself", "hint_start_in_terminal", "hint_keychain_start", "hint_doctor", "hint_state_doctor",
	}
	command := regexp.MustCompile("`curfew |: curfew [a-z]|with curfew ")
	for id, format := range auth.Formats {
		if command.MatchString(format) && buttons[id] == "" && !slices.Contains(terminal, id) {
			t.Errorf("%s has a command: %s", id, format)
		}
	}
	used := map[string]bool{"do_sign_in_again": true}
	for hint, id := range buttons {
		used[id] = true
		if auth.Format(hint) == "" || auth.Format(id) == "" || command.MatchString(auth.Format(id)) {
			t.Errorf("%s becomes %s: %q", hint, id, auth.Format(id))
		}
	}
	for id := range auth.Formats {
		if strings.HasPrefix(id, "do_") && !used[id] {
			t.Errorf("nobody says %s", id)
		}
	}
}

// TestOwnProgramsAreNoTools: who copies a token in the window or the tray has not
// let a tool use it.
func TestOwnProgramsAreNoTools(t *testing.T) {
	copied := live(took("curfew-window", "curfew-tray"), ended(auth.ByAge))
	if v := Describe(copied, now); len(v.Takers) > 0 || v.LastUsed != "not yet" || Loss(copied) != "Programs get no tokens until you sign in again." {
		t.Errorf("takers %v, last used %q, %q", v.Takers, v.LastUsed, Loss(copied))
	}
	used := live(took("curfew-window", "curl"))
	if v := Describe(used, now); len(v.Takers) != 1 || v.Takers[0].Name != "curl" || Loss(used) != "curl gets no tokens until you sign in again." {
		t.Errorf("takers %v, %q", v.Takers, Loss(used))
	}
}

// TestOwnEvents: what a person did in the window or the tray names neither.
func TestOwnEvents(t *testing.T) {
	for text, want := range map[*auth.Event]string{
		{Kind: auth.EventToken, Program: "curfew-window", Text: auth.Say("event_token", "curfew-window")}:           "token copied",
		{Kind: auth.EventRefresh, Program: "curfew-tray", Text: auth.Say("event_refreshed_for", "curfew-tray", 13)}: "refreshed, 13 left",
		{Kind: auth.EventRefresh, Program: "git", Text: auth.Say("event_refreshed_for", "git", 13)}:                 "refreshed for git, 13 left",
	} {
		if got, _ := Event(*text); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestAdvice: a session that has stopped says what helps, once.
func TestAdvice(t *testing.T) {
	said := func(s *auth.Snapshot) { s.Say(auth.Say("server_refused", "invalid_client").Sentence()) }
	for _, tt := range []struct {
		s    auth.Snapshot
		want string
	}{
		{live(), ""}, {live(ended(auth.ByAge)), ""}, {live(in(auth.Held)), ""},
		{live(in(auth.Held), said), "Sign in again, or check the account's settings."},
		{live(in(auth.Locked), said), "Once it is unlocked, Curfew continues."},
		{live(in(auth.Suspect), said), "Set the time, and Curfew continues."},
	} {
		if got := Describe(tt.s, now).Advice; got != tt.want {
			t.Errorf("%s: %q, want %q", tt.s.State, got, tt.want)
		}
	}
}
