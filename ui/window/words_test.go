//go:build !windows && !darwin

package window

import (
	"testing"

	"fyne.io/fyne/v2/lang"
)

// TestFyneSpeaksWithUs: whatever the desktop's language is, the menu of a text
// field is in the one that is set.
func TestFyneSpeaksWithUs(t *testing.T) {
	for _, desktop := range []string{"", "C", "de_DE.UTF-8", "fr_FR.UTF-8", "pt_BR.UTF-8", "tlh", "sr_RS.UTF-8@latin"} {
		t.Setenv("LC_ALL", "")
		t.Setenv("LC_MESSAGES", "")
		t.Setenv("LANGUAGE", "")
		t.Setenv("LANG", desktop)
		for code, want := range map[string]string{"de": "Kopieren", "en": "Copy"} {
			speak(t, code)
			speakFyne()
			if got := lang.L("Copy"); got != want {
				t.Errorf("on a desktop in %q, in %s: %q", desktop, code, got)
			}
		}
	}
}
