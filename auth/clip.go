package auth

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxProgram is how many characters of a program's name are kept.
const MaxProgram = 64

// Clip makes foreign text fit for one line of a screen or a log. Control
// characters, line breaks, invalid bytes and the marks that turn the direction
// of text become spaces. Runs of space become one. What is longer than n
// characters ends in "…".
func Clip(text string, n int) string {
	var b strings.Builder
	runes, space := 0, false
	for _, r := range text {
		if r == utf8.RuneError || unicode.IsSpace(r) || !unicode.IsPrint(r) {
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
