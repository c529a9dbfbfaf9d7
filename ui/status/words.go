package status

import (
	"strings"
	"unicode"
)

// The most runes of foreign text on one line of a menu, and in a sentence.
const (
	nameRunes     = 40
	sentenceRunes = 300
)

// Clip makes foreign text fit for one line of a screen: control characters,
// line breaks and the marks that turn the direction of text become spaces,
// runs of space become one, and what is longer than n runes ends in "…".
func Clip(text string, n int) string {
	var b strings.Builder
	runes, space := 0, false
	for _, r := range text {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			space = runes > 0
			continue
		}
		if space {
			space = false
			b.WriteByte(' ')
			runes++
		}
		if runes++; runes > n {
			kept := []rune(b.String())
			return strings.TrimRight(string(kept[:min(len(kept), max(n-1, 0))]), " ") + "…"
		}
		b.WriteRune(r)
	}
	return b.String()
}

// said is a sentence of the engine in the language that is set.
func said(text string) string { return sentence(Said(text)) }

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
