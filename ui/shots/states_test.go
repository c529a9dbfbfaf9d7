package shots

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"curfew/assets"
	"curfew/auth"
	"curfew/ui/status"
)

// TestStatesPage holds docs/states.md against what is shown: every title, state,
// reason and message, and every kind of icon.
func TestStatesPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/states.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	now := time.Date(2026, 11, 22, 14, 30, 0, 0, time.UTC)
	want := map[string]string{}
	for _, situation := range Situations(now) {
		for _, s := range situation.Accounts {
			title := status.Describe(s, now).Title
			want["| "+title+" |"] = situation.Name
			if title != "Unknown state" && !status.SigningIn(s) {
				want["`"+string(s.State)+"`"] = situation.Name
			}
			if s.State == auth.Ended {
				want["| `"+string(s.Reason)+"` | "+auth.EndText(s.Reason).Message+" |"] = situation.Name
			}
		}
	}
	delete(want, "| Unknown state |") // the page has a sentence for it
	for _, icon := range assets.TrayIcons() {
		kind := regexp.MustCompile(`-\d\d$`).ReplaceAllString(icon, "")
		want["assets/icons/any/"+kind] = icon
	}
	for words, from := range want {
		if !strings.Contains(page, words) {
			t.Errorf("docs/states.md lacks %q, which %s shows", words, from)
		}
	}
	for _, picture := range regexp.MustCompile(`\]\((\S+\.png)\)`).FindAllStringSubmatch(page, -1) {
		if _, err := os.Stat(filepath.Join("../../docs", picture[1])); err != nil {
			t.Error(err)
		}
	}
}
