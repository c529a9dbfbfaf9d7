package status

import (
	"strings"
	"unicode"

	"curfew/auth"
)

// How many runes of foreign text a line of a menu and a sentence may have.
const (
	nameRunes     = 40
	sentenceRunes = 300
)

// Clip is [auth.Clip].
func Clip(text string, n int) string { return auth.Clip(text, n) }

// translateSentence is [Translate], as a sentence.
func translateSentence(t auth.Text) string { return sentence(Translate(t)) }

// sentence clips foreign text and gives it a capital and a full stop.
func sentence(text string) string {
	text = Clip(text, sentenceRunes)
	if text == "" {
		return ""
	}
	r := []rune(text)
	r[0] = unicode.ToUpper(r[0])
	if !strings.ContainsRune(".!?…", r[len(r)-1]) {
		r = append(r, '.')
	}
	return string(r)
}
