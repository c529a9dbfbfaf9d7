package window

import (
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/test"

	"curfew/auth"
	"curfew/auth/oauth"
	"curfew/ui/status"
	"curfew/ui/window/look"
)

// speak sets a language until the end of the test.
func speak(t testing.TB, code string) {
	t.Helper()
	status.SetLanguage(code)
	t.Cleanup(func() { status.SetLanguage(status.English) })
}

var inMarkup = regexp.MustCompile(`<text[^>]*>([^<]*)</text>`)

// texts are the words on a screen, in the order of its markup.
func texts(s *screen) (all []string) {
	for _, m := range inMarkup.FindAllStringSubmatch(test.RenderToMarkup(s.window.Canvas()), -1) {
		all = append(all, html.UnescapeString(m[1]))
	}
	return all
}

// span is a span of time: its units are the same everywhere.
var span = regexp.MustCompile(`^(\d+ (d|h|min|s) ?)+$`)

// TestNoEnglishIsLeft draws every state in each language, and finds what is
// said as in English although it is no name.
func TestNoEnglishIsLeft(t *testing.T) {
	same := []string{"Curfew", "Client-ID", "Scopes", "Name", "Deutsch", "English"}
	data := []string{"Spotify", "Work (Entra)", "Gitea", "Notes", "Offline", "Held", "Locked", "Suspect", "alice", "spotify", "gitea", "https://", "openid", "Curfew 1.0", "Accounts and limits are in", "Ü", "curl", "backup.sh", "old", "36h",
		"account", "curfew exec", "git", "acme", "two words", "WDJB-MJHT", "http://", "music", "5f1d"}
	for _, o := range oauth.Listing() {
		data = append(append(data, o.Name, o.Title, o.IssuerExample), o.MoreScopes...)
	}
	for _, k := range auth.Keys() {
		data = append(data, status.Setting(k.Name)) // as in config.toml
	}
	data = slices.DeleteFunc(data, func(d string) bool { return d == "" })
	dress(t, viewing{look.Dark, usual, 1, ""})
	for _, state := range states() {
		if state.long {
			continue // of words that are nobody's
		}
		english := texts(state.set(t, viewing{look.Dark, usual, 1, ""}))
		for _, l := range status.Languages()[1:] {
			t.Run(state.name+"/"+l.Code, func(t *testing.T) {
				for _, words := range texts(state.set(t, viewing{look.Dark, usual, 1, l.Code})) {
					if slices.Contains(english, words) && !span.MatchString(words) && strings.ContainsFunc(words, unicode.IsLetter) && !slices.Contains(same, words) && len(words) > 2 && // as a monogram has
						!slices.ContainsFunc(data, func(d string) bool { return strings.HasPrefix(words, d) }) {
						t.Errorf("%q is said as in English", words)
					}
				}
			})
		}
	}
}

// TestLanguageIsChosen chooses German in the settings, and the desktop's
// language again: everything on screen follows at once.
func TestLanguageIsChosen(t *testing.T) {
	speak(t, status.English)
	live(t, newFakeAgent(spotify()), func(s *stage) {
		var chosen []string
		s.OnLanguage = func(code string) {
			chosen = append(chosen, code)
			status.SetLanguage(code)
		}
		s.reads("Signed in", "[Copy access token]", "of 20 refreshes left", "of 30 days left")
		s.tap(s.side.settings)
		s.reads("Settings", "Language")
		s.settings.desktop.language.SetSelected("Deutsch")
		s.settle()
		s.reads("Einstellungen", "Sprache", "[Konto hinzufügen]", "noch 14, bis 8.12.")
		s.readsNot("Settings", "Language", "[Add account]")
		if got := s.settings.desktop.language.Selected; got != "Deutsch" {
			t.Errorf("the choice says %q", got)
		}
		if s.window.Canvas().Focused() != s.settings.desktop.language {
			t.Error("the focus is lost")
		}
		if got := lang.L("Copy"); got != "Kopieren" {
			t.Errorf("the menu of a text field says %q", got)
		}
		s.tap(s.settings.back)
		s.reads("Angemeldet", "[Zugriffstoken kopieren]", "von 20 Aktualisierungen übrig", "Gültig bis etwa Di 8.12.", "für curl aktualisiert, noch 14", "Token geholt")
		s.agent.edit("Spotify", func(s *auth.Snapshot) { s.State = auth.Refreshing })
		s.settle()
		s.reads("Wird aktualisiert")

		s.tap(s.side.settings)
		s.settings.desktop.language.SetSelectedIndex(0)
		s.settle()
		s.reads("Settings", "[Add account]", "14 left, until 8 Dec")
		if got := lang.L("Copy"); got != "Copy" {
			t.Errorf("the menu of a text field says %q", got)
		}
		if !slices.Equal(chosen, []string{"de", ""}) {
			t.Errorf("chosen %q", chosen)
		}
	})
}
