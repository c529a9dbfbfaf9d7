package status

import (
	"slices"
	"strings"

	"curfew/auth"
)

// buttons has, for a hint that names a command or config.toml, what somebody does who
// looks at a window or a menu. Hints about a terminal stay as they are.
var buttons = map[string]string{
	"hint_login":           "do_sign_in",
	"hint_login_again":     "do_sign_in",
	"hint_login_force":     "do_sign_in_again",
	"hint_sign_in_gone":    "do_sign_in",
	"hint_useless":         "do_useless",
	"hint_check_client":    "do_check_client",
	"hint_old_values":      "do_old_values",
	"hint_best_or_refresh": "do_refresh",
	"hint_sign_out_first":  "do_sign_out_first",
	"hint_add_account":     "do_add_account",
	"hint_add_there":       "do_add_account",
	"hint_providers":       "do_edit",
	"hint_check_issuer":    "do_check_issuer",
	"hint_check_redirect":  "do_check_redirect",
	"hint_check_secret":    "do_check_secret",
	"hint_check_scopes":    "do_check_scopes",
	"hint_set_lifetime":    "do_set_lifetime",
	"hint_client_secret":   "do_client_secret",
	"hint_secret_in_file":  "do_secret_in_file",
	"hint_unlock":          "do_unlock",
	"hint_keychain_new":    "do_keychain_new",
	"hint_keychain_start":  "do_keychain_start",
	"hint_keychain_allow":  "do_keychain_allow",
}

// ForScreen returns the accounts for a window or a menu. Where the engine names
// a command, it names the button. Front ends call it for all that the agent sends.
func ForScreen(all []auth.Snapshot) []auth.Snapshot {
	all = slices.Clone(all)
	for i, s := range all {
		if s.SignIn == nil {
			continue
		}
		signIn := *s.SignIn
		signIn.Text = button(signIn.Text, NeedsForce(s))
		all[i].SignIn = &signIn
	}
	return all
}

// button returns t with buttons in the place of commands. again says that the
// account's button is "Sign in again".
func button(t auth.Text, again bool) auth.Text {
	id, args := t.ID, slices.Clone(t.Args)
	for i, a := range args {
		if inner, ok := a.(auth.Text); ok {
			args[i] = button(inner, again)
		}
	}
	if named, ok := buttons[id]; ok {
		if id = named; id == "do_sign_in" && again {
			id = "do_sign_in_again"
		}
		args = args[:min(len(args), strings.Count(auth.Format(id), "%"))]
	}
	if id == t.ID && len(args) == 0 || strings.Count(strings.ReplaceAll(auth.Format(id), "%%", ""), "%") != len(args) {
		return t // there is nothing to change, or it is of another version
	}
	said := auth.Say(id, args...)
	said.Message = dressed(said.Message, t.Message)
	return said
}
