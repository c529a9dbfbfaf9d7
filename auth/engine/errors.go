package engine

import (
	"errors"

	"curfew/auth"
	"curfew/auth/engine/failure"
	"curfew/auth/oauth"
)

// noSessionErrorLocked says why an account has no session.
func (a *account) noSessionErrorLocked() *auth.Error {
	switch past := a.m.journal.Past(a.name).Reason; {
	case a.storeErr != nil:
		return failure.Keychain(a.storeErr)
	case past != "" && past != auth.ByUser:
		return failure.Ended(a.name, past)
	default:
		return failure.NotSignedIn(a.name, past)
	}
}

// failureErrorLocked is what a caller gets while a refresh fails for now.
func (a *account) failureErrorLocked() *auth.Error {
	e := a.retry.err
	words := auth.Say("kept", failure.Text(e))
	if e.Class == oauth.HeldBack {
		return auth.Fail(auth.KindRefused, words, failure.HeldHint(a.name, e)).Because(e)
	}
	hint := auth.Say("hint_retry")
	in := a.retry.at.Sub(a.clock.Now())
	switch {
	case a.retry.useless && in > 0 && errors.Is(e, failure.ErrNoLifetime):
		hint = auth.Say("hint_set_lifetime", auth.SpanText(in), a.name)
	case a.retry.useless && in > 0:
		hint = auth.Say("hint_useless", auth.SpanText(in), a.name)
	case in > 0:
		hint = auth.Say("hint_auto_retry", auth.SpanText(in))
	}
	return auth.Fail(auth.KindUnavailable, words, hint).Because(e)
}
