package status

import (
	"cmp"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"curfew/auth"
)

// A Problem is an error in words: what went wrong and what to do next. Each text
// is clean and short, and on one line.
type Problem struct {
	Message string // a sentence; never empty
	Hint    string // a sentence or a command; empty if there is nothing to do
}

// Explain puts an error into words. An [*auth.Error] keeps its message and its
// hint, for somebody who looks at a window or a menu. If it has none, those of its
// kind are used.
func Explain(err error) Problem {
	e, ok := errors.AsType[*auth.Error](err)
	if !ok {
		if err == nil {
			return Problem{Message: Tr("Something went wrong.")}
		}
		return Problem{Message: cmp.Or(sentence(err.Error()), Tr("Something went wrong."))}
	}
	message, hint := kindWords(e.Kind)
	return Problem{
		Message: cmp.Or(translateSentence(e.Text()), message),
		Hint:    cmp.Or(advice(button(e.HintText(), false)), hint),
	}
}

// advice clips a hint and gives it a capital, unless it is a command.
func advice(t auth.Text) string {
	hint := Clip(Translate(t), sentenceRunes)
	if hint == "" || strings.HasPrefix(hint, "curfew ") {
		return hint
	}
	r, size := utf8.DecodeRuneInString(hint)
	return string(unicode.ToUpper(r)) + hint[size:]
}

func kindWords(k auth.Kind) (message, hint string) {
	switch k {
	case auth.KindBadRequest:
		return Tr("A name, value or setting is wrong."), Tr("Check the account's settings.")
	case auth.KindUnknown:
		return Tr("There is no account of that name."), Tr("Add the account first.")
	case auth.KindSignInNeeded:
		return Tr("This account needs a sign-in."), Tr("Choose Sign in again.")
	case auth.KindUnavailable:
		return Tr("The server cannot be reached or asks to wait."), Tr("Nothing is lost; Curfew tries again automatically.")
	case auth.KindRefused:
		return Tr("The server refused."), Tr("Check the account's settings, or ask whoever runs the server.")
	case auth.KindKeychain:
		return Tr("The keychain is locked or does not answer."), Tr("Unlock the keychain and try again.")
	case auth.KindNotRunning:
		return Tr("The Curfew agent is not running."), Tr("Start it with: curfew agent")
	}
	return Tr("Something went wrong."), Tr("The history of the account may say more.")
}
