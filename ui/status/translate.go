package status

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"curfew/auth"
)

// deepest is how deep phrases may be nested.
const deepest = 6

// Translate puts a text of the engine into the language that is set. It uses the
// message id and the arguments, which may be texts themselves. A text without a
// translation stays as it is: a server's own words, or those of another version.
func Translate(t auth.Text) string { return current.Load().translate(t, deepest) }

func (l *table) translate(t auth.Text, deep int) string {
	format := auth.Format(t.ID)
	if l == nil || format == "" || deep == 0 || strings.Count(strings.ReplaceAll(format, "%%", ""), "%") != len(t.Args) {
		return t.Message
	}
	translation, ok := l.words[format]
	if !ok {
		return t.Message
	}
	n, counted := 0, false
	args := make([]any, len(t.Args))
	for i, a := range t.Args {
		args[i] = a
		switch a := a.(type) {
		case auth.Text:
			args[i] = l.translate(a, deep-1)
		case int:
			if !counted {
				n, counted = a, true
			}
		}
	}
	format = translation["other"]
	if counted {
		format = translation.of(l.code, n)
	}
	return dressed(fmt.Sprintf(format, args...), t.Message)
}

// dressed gives a phrase the capital and the full stop that like has.
func dressed(s, like string) string {
	if strings.HasSuffix(like, ".") {
		s = strings.TrimSuffix(s, ".") + "."
	}
	if r, _ := utf8.DecodeRuneInString(like); unicode.IsUpper(r) {
		r, n := utf8.DecodeRuneInString(s)
		s = string(unicode.ToUpper(r)) + s[n:]
	}
	return s
}
