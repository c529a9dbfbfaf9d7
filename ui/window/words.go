package window

import (
	"encoding/json"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/lang"

	"curfew/ui/status"
)

// tr is the door to a person's language that all front ends share.
func tr(format string, args ...any) string { return status.Tr(format, args...) }

// speakFyne gives the menu of a text field, which is Fyne's, the language of
// everything else. Fyne itself knows no other than the desktop's, so our words
// become the desktop's.
func speakFyne() {
	words, err := json.Marshal(map[string]string{
		"Cut": tr("Cut"), "Copy": tr("Copy"), "Paste": tr("Paste"), "Select all": tr("Select all"), "Undo": tr("Undo"), "Redo": tr("Redo"),
	})
	if err == nil {
		err = lang.AddTranslationsForLocale(words, lang.SystemLocale())
	}
	if err != nil { // one that Fyne cannot know, for which it takes English
		err = lang.AddTranslationsForLocale(words, status.English)
	}
	if err != nil {
		fyne.LogError("The menu of text fields stays in the language of the desktop", err)
	}
}

// sentences joins what is not empty.
func sentences(all ...string) string {
	var said []string
	for _, s := range all {
		if s != "" {
			said = append(said, s)
		}
	}
	return strings.Join(said, ". ")
}
