package window

import (
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"fyne.io/fyne/v2/test"

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
	data := []string{"Spotify", "Work (Entra)", "Gitea", "Notes", "Offline", "Held", "Locked", "Suspect", "alice", "spotify", "gitea", "https://", "openid", "Curfew 1.0", "Accounts and limits are in", "Ü"}
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
