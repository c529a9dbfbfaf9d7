package engine

import (
	"context"
	"errors"
	"net/http"

	"curfew/auth"
	"curfew/auth/oauth"
	"curfew/keystore"
)

// This file is the only place that turns failures into words for people.

// endedError is what callers get that ask for a token of an ended session.
func endedError(account string, r auth.Reason) *auth.Error {
	e := auth.Fail(auth.KindSignInNeeded, auth.EndText(r), auth.Say("hint_login", account))
	e.Reason = r
	return e
}

// shuttingDown is what callers get that will not be served any more.
func shuttingDown() *auth.Error {
	return auth.Fail(auth.KindUnavailable, auth.Say("shutting_down"), auth.Say("hint_retry"))
}

// suspectError says that the clocks contradict each other.
func suspectError() *auth.Error {
	return auth.Fail(auth.KindUnavailable, auth.Say("clock_wrong"), auth.Say("hint_set_clock"))
}

// bindingError says that the session was made with another configuration, so
// its refresh token is sent nowhere.
func bindingError(account string) *auth.Error {
	return auth.Fail(auth.KindBadRequest, auth.Say("binding_changed", account), auth.Say("hint_old_values", account))
}

// noSessionErrorLocked says why an account has no session.
func (a *account) noSessionErrorLocked() *auth.Error {
	switch past := a.m.journal.Past(a.name).Reason; {
	case a.storeErr != nil:
		return keychainError(a.storeErr)
	case past != "" && past != auth.ByUser:
		return endedError(a.name, past)
	default:
		return notSignedIn(a.name, past)
	}
}

func notSignedIn(account string, past auth.Reason) *auth.Error {
	e := auth.Fail(auth.KindSignInNeeded, auth.Say("account_signed_out", account), auth.Say("hint_login", account))
	e.Reason = past
	return e
}

// failureErrorLocked is what a caller gets while a refresh fails for now.
func (a *account) failureErrorLocked() *auth.Error {
	e := a.retry.err
	words := auth.Say("kept", failureText(e))
	if e.Class == oauth.HeldBack {
		return auth.Fail(auth.KindRefused, words, heldHint(a.name, e)).Because(e)
	}
	hint := auth.Say("hint_retry")
	in := a.retry.at.Sub(a.clock.Now())
	switch {
	case a.retry.useless && in > 0 && errors.Is(e, errNoLifetime):
		hint = auth.Say("hint_set_lifetime", auth.SpanText(in), a.name)
	case a.retry.useless && in > 0:
		hint = auth.Say("hint_useless", auth.SpanText(in), a.name)
	case in > 0:
		hint = auth.Say("hint_auto_retry", auth.SpanText(in))
	}
	return auth.Fail(auth.KindUnavailable, words, hint).Because(e)
}

// heldHint is the advice for a refusal: where the client is at fault, to look
// at it first.
func heldHint(account string, e *oauth.Error) auth.Text {
	if refusesClient(e) || e.Code == "invalid_scope" {
		return auth.Say("hint_check_client", account, account)
	}
	return auth.Say("hint_login_force", account)
}

// refusesClient reports whether a server refused the client, not the person or
// the request (RFC 6749 section 5.2).
func refusesClient(e *oauth.Error) bool {
	return e.Code == "invalid_client" || e.Code == "unauthorized_client" || e.Code == "" && e.Description == "" && e.Status == http.StatusUnauthorized
}

// failureText says what went wrong between here and the server.
func failureText(e *oauth.Error) auth.Text {
	switch e.Class {
	case oauth.NotSent:
		if e.Status != 0 { // what it answered to a question that spends nothing
			return auth.Say("server_no_answer", reasonOf(e))
		}
		return auth.Say("server_not_reached", unreached(e, reasonOf(e)))
	case oauth.Unknown:
		return auth.Say("server_no_answer", reasonOf(e))
	case oauth.Throttled:
		return auth.Say("server_throttles")
	case oauth.Protocol:
		if errors.Is(e, errNoLifetime) {
			return auth.Say("server_no_lifetime")
		}
		return auth.Say("server_protocol", reasonOf(e))
	case oauth.HeldBack:
		switch {
		case e.Code == "" && e.Status == 0: // decided here
			return reasonOf(e)
		case e.Op == "refresh" && e.Code == "invalid_grant": // with a mark that says so: see kept_marks
			return auth.Say("server_wants_person", reasonOf(e))
		case refusesClient(e):
			return auth.Say("server_refused", reasonOf(e))
		}
		return auth.Say("server_refused_request", reasonOf(e))
	case oauth.Dead:
		return auth.Say("server_ended", reasonOf(e))
	default:
		return auth.Words(e.Error())
	}
}

// unreached is why, for a sentence that has just said that the server cannot
// be reached.
func unreached(e *oauth.Error, why auth.Text) auth.Text {
	switch why.ID {
	case "net_unreachable":
		return auth.Words(e.Server)
	case "net_unreachable_why":
		return auth.Say("net_unreachable_at", why.Args...)
	case "with_issuer":
		if inner, ok := why.Args[0].(auth.Text); ok {
			return auth.Say(why.ID, unreached(e, inner), why.Args[1])
		}
	}
	return why
}

// reasonOf is the shortest true account of e: the server's words where it has
// any, as what they are.
func reasonOf(e *oauth.Error) auth.Text {
	switch {
	case e.Description != "":
		return auth.Say("server_says", e.Description)
	case e.Code != "":
		return auth.Words(e.Code)
	case e.Err != nil:
		return e.Reason()
	case e.Status == http.StatusGone:
		return auth.Say("http_gone")
	case e.Status != 0:
		return auth.Say("http_status", e.Status)
	default:
		return auth.Words(e.Error())
	}
}

// signInError says why a sign-in failed and what to do next.
func signInError(account string, err error) *auth.Error {
	if e, ok := errors.AsType[*auth.Error](err); ok {
		return e
	}
	again := auth.Say("hint_login_again", account)
	fail := func(k auth.Kind, message, hint auth.Text) *auth.Error {
		return auth.Fail(k, message, hint).Because(err)
	}
	e, ok := errors.AsType[*oauth.Error](err)
	switch {
	case ok: // sorted below: a server that did not answer in time is not the person's fault
	case errors.Is(err, context.DeadlineExceeded):
		return fail(auth.KindFailed, auth.Say("sign_in_no_time"), again)
	case errors.Is(err, context.Canceled):
		return fail(auth.KindFailed, auth.Say(auth.CancelledID), again)
	default:
		return fail(auth.KindFailed, auth.Say("sign_in_failed", err), again)
	}
	switch e.Class {
	case oauth.Denied:
		return fail(auth.KindRefused, auth.Say("consent_denied", reasonOf(e)), again)
	case oauth.Cancelled: // or too slow
		return fail(auth.KindFailed, e.Reason(), again)
	case oauth.HeldBack:
		hint := again
		switch {
		case e.Op == "discovery":
			hint = auth.Say("hint_check_issuer", account)
		case e.Code == "invalid_scope":
			hint = auth.Say("hint_check_scopes", account)
		case e.Code == "invalid_client" && e.Op != "sign-in": // the token endpoint has checked the secret
			hint = auth.Say("hint_check_secret", account)
		case e.Code != "" && e.Code != "invalid_grant":
			hint = auth.Say("hint_check_redirect", account)
		}
		return fail(auth.KindRefused, failureText(e), hint)
	case oauth.NotSent:
		return fail(auth.KindUnavailable, failureText(e), auth.Say("hint_check_network", account))
	case oauth.Throttled, oauth.Unknown:
		return fail(auth.KindUnavailable, failureText(e), again)
	default:
		return fail(auth.KindFailed, failureText(e), again)
	}
}

// exchangeError says why a token could not be exchanged. It says nothing of the
// session.
func exchangeError(account string, err error) *auth.Error {
	e, ok := errors.AsType[*oauth.Error](err)
	switch {
	case !ok: // not waited for
		return auth.Fail(auth.KindUnavailable, auth.Say("exchange_failed", account, err), auth.Say("hint_retry")).Because(err)
	case isTransient(err):
		return auth.Fail(auth.KindUnavailable, auth.Say("exchange_failed", account, failureText(e)), auth.Say("hint_retry")).Because(err)
	}
	return auth.Fail(auth.KindRefused, auth.Say("exchange_failed", account, failureText(e)), auth.Say("hint_exchange")).Because(err)
}

// keychainFaults are what can be wrong with the keychain, and what helps.
var keychainFaults = []struct {
	err           error
	message, hint string // ids
}{
	{keystore.ErrLocked, auth.LockedID, "hint_unlock"},
	{keystore.ErrUnavailable, "keychain_none", "hint_keychain_start"},
	{keystore.ErrNoCollection, "keychain_no_collection", "hint_keychain_new"},
	{keystore.ErrDenied, "keychain_refused", "hint_keychain_allow"},
	{keystore.ErrTimeout, "keychain_silent", "hint_keychain_prompt"},
	{keystore.ErrChanged, "keychain_other", "hint_keychain_restore"},
}

// keychainError says what is wrong with the keychain and what helps.
func keychainError(err error) *auth.Error {
	if e, ok := errors.AsType[*auth.Error](err); ok {
		return e
	}
	for _, f := range keychainFaults {
		if errors.Is(err, f.err) {
			return auth.Fail(auth.KindKeychain, auth.Say(f.message), auth.Say(f.hint)).Because(err)
		}
	}
	message, hint := auth.Words(err.Error()), auth.Say("hint_doctor")
	switch {
	case errors.Is(err, keystore.ErrTooBig):
		message, hint = auth.Say("keychain_too_big", keystore.MaxSecret>>10), auth.Say("hint_smaller_tokens")
	case errors.Is(err, keystore.ErrVersion):
		message, hint = auth.Say("keychain_version"), auth.Say("hint_update")
	}
	return auth.Fail(auth.KindFailed, message, hint).Because(err)
}

// tokenText says which program got a token.
func tokenText(program string) auth.Text {
	if program == "" {
		return auth.Say("event_token_unknown")
	}
	return auth.Say("event_token", program)
}
