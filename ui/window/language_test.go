package window

import (
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/test"

	"curfew/auth"
	"curfew/ui/status"
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

// TestNoEnglishIsLeft draws every state in each language, and finds what is
// said as in English although it is no name.
func TestNoEnglishIsLeft(t *testing.T) {
	same := []string{"Curfew", "Client-ID", "Scopes", "Name", "Deutsch", "English"}
	data := []string{"Spotify", "Work (Entra)", "Gitea", "Notes", "Offline", "Held", "Locked", "Suspect", "alice", "spotify", "gitea", "https://", "openid", "Curfew 1.0", "Accounts and limits are in", "Ü", "curl", "backup.sh", "old", "36h"}
	for _, g := range goldens() {
		english := texts(g.set(t))
		for _, l := range status.Languages()[1:] {
			t.Run(g.name+"/"+l.Code, func(t *testing.T) {
				speak(t, l.Code)
				for _, words := range texts(g.set(t)) {
					if slices.Contains(english, words) && strings.ContainsFunc(words, unicode.IsLetter) && !slices.Contains(same, words) &&
						!slices.ContainsFunc(data, func(d string) bool { return strings.HasPrefix(words, d) }) {
						t.Errorf("%q is said as in English", words)
					}
				}
			})
		}
	}
}

// TestNothingIsTooWide draws the states with most to show in each language in
// the least window, and finds what is cut because it can neither wrap nor shrink.
func TestNothingIsTooWide(t *testing.T) {
	few := []string{"dark", "ended", "signing-in", "sign-out", "add", "settings-tighter"}
	for _, l := range status.Languages() {
		for _, g := range goldens() {
			if !slices.Contains(few, g.name) {
				continue
			}
			t.Run(g.name+"/"+l.Code, func(t *testing.T) {
				speak(t, l.Code)
				s := g.set(t)
				s.window.Resize(fyne.NewSize(leastWidth, leastHeight))
				for i, b := range s.bodies {
					if b.scroll != nil && b.scroll.Size().Width > 0 && b.content.MinSize().Width > b.scroll.Size().Width {
						t.Errorf("body %d is %v wide, and there is room for %v", i, b.content.MinSize().Width, b.scroll.Size().Width)
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
		s.reads("Signed in", "[Sign out]", "14 of 20", "until Tue 15 Dec, 09:41")
		s.tap(s.side.settings)
		s.reads("Settings", "Language")
		s.settings.desktop.language.SetSelected("Deutsch")
		s.settle()
		s.reads("Einstellungen", "Sprache", "[Konto hinzufügen]", "14 von 20 Aktualisierungen, noch 23 T")
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
		s.reads("Angemeldet", "[Abmelden]", "14 von 20", "bis Di 15.12., 09:41", "aktualisiert, 6 von 20, für curl", "Token geholt")
		s.agent.edit("Spotify", func(s *auth.Snapshot) { s.State = auth.Refreshing })
		s.settle()
		s.reads("Wird aktualisiert")

		s.tap(s.side.settings)
		s.settings.desktop.language.SetSelectedIndex(0)
		s.settle()
		s.reads("Settings", "[Add account]", "14 of 20 refreshes, 23 d left")
		if got := lang.L("Copy"); got != "Copy" {
			t.Errorf("the menu of a text field says %q", got)
		}
		if !slices.Equal(chosen, []string{"de", ""}) {
			t.Errorf("chosen %q", chosen)
		}
	})
}
