package status

import (
	"cmp"
	"errors"

	"curfew/auth"
)

// A Problem is an error in words: what went wrong and what to do next. Either
// text is clean, one line, and of bounded length.
type Problem struct {
	Message string // a sentence; never empty
	Hint    string // a sentence or a command; empty where there is nothing to do
}

// Explain puts an error into words. An [*auth.Error] keeps its message, and
// its hint or the one that fits its kind.
func Explain(err error) Problem {
	e, ok := errors.AsType[*auth.Error](err)
	if !ok {
		if err == nil {
			return Problem{Message: tr("Something went wrong.")}
		}
		return Problem{Message: cmp.Or(sentence(err.Error()), tr("Something went wrong."))}
	}
	message, hint := kindWords(e.Kind)
	return Problem{
		Message: cmp.Or(sentence(e.Message), message),
		Hint:    cmp.Or(Clip(e.Hint, sentenceRunes), hint),
	}
}

func kindWords(k auth.Kind) (message, hint string) {
	switch k {
	case auth.KindBadRequest:
		return tr("A name, value or setting is wrong."), tr("Check the account's settings.")
	case auth.KindUnknown:
		return tr("There is no account of that name."), tr("Add the account first.")
	case auth.KindSignInNeeded:
		return tr("This account needs a sign-in."), tr("Choose Sign in again.")
	case auth.KindUnavailable:
		return tr("The server cannot be reached or asks to wait."), tr("Nothing is lost; Curfew tries again by itself.")
	case auth.KindRefused:
		return tr("The server refused."), tr("Check the account's settings, or ask whoever runs the server.")
	case auth.KindKeychain:
		return tr("The keychain is locked or does not answer."), tr("Unlock the keychain and try again.")
	case auth.KindNotRunning:
		return tr("The Curfew agent is not running."), tr("Start it with: curfew agent")
	case auth.KindSignInRunning:
		return tr("A sign-in of this account runs already."), tr("Finish it in your browser, or cancel it.")
	}
	return tr("Something went wrong."), tr("See why with: curfew log")
}
