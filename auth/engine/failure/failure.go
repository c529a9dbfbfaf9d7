// Package failure turns failures into words for people. Its one hard idea is
// that nothing else does: what the protocol, the keychain and the rules report
// becomes a sentence and a next step here.
package failure

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"curfew/auth"
	"curfew/auth/oauth"
	"curfew/keystore"
)

// Ended is what callers get that ask for a token of an ended session.
func Ended(account string, r auth.Reason) *auth.Error {
	e := auth.Fail(auth.KindSignInNeeded, auth.EndText(r), auth.Say("hint_login", account))
	e.Reason = r
	return e
}

// ShuttingDown is what callers get that will not be served any more.
func ShuttingDown() *auth.Error {
	return auth.Fail(auth.KindUnavailable, auth.Say("shutting_down"), auth.Say("hint_retry"))
}

// Suspect says that the clocks contradict each other.
func Suspect() *auth.Error {
	return auth.Fail(auth.KindUnavailable, auth.Say("clock_wrong"), auth.Say("hint_set_clock"))
}

// Binding says that the session was made with another configuration, so its
// refresh token is sent nowhere.
func Binding(account string) *auth.Error {
	return auth.Fail(auth.KindBadRequest, auth.Say("binding_changed", account), auth.Say("hint_old_values", account))
}

// NotSignedIn says that an account has no session, and what ended the last one.
func NotSignedIn(account string, past auth.Reason) *auth.Error {
	e := auth.Fail(auth.KindSignInNeeded, auth.Say("account_signed_out", account), auth.Say("hint_login", account))
	e.Reason = past
	return e
}

// HeldHint is the advice for a refusal: where the client is at fault, to look
// at it first.
func HeldHint(account string, e *oauth.Error) auth.Text {
	if RefusesClient(e) || e.Code == "invalid_scope" {
		return auth.Say("hint_check_client", account, account)
	}
	return auth.Say("hint_login_force", account)
}

// RefusesClient reports whether a server refused the client, not the person or
// the request (RFC 6749 section 5.2).
func RefusesClient(e *oauth.Error) bool {
	return e.Code == "invalid_client" || e.Code == "unauthorized_client" || e.Code == "" && e.Description == "" && e.Status == http.StatusUnauthorized
}

// Text says what went wrong between here and the server.
func Text(e *oauth.Error) auth.Text {
	switch e.Class {
	case oauth.NotSent:
		if e.Status != 0 { // what it answered to a question that spends nothing
			return auth.Say("server_no_answer", Reason(e))
		}
		return auth.Say("server_not_reached", unreached(e, Reason(e)))
	case oauth.Unknown:
		return auth.Say("server_no_answer", Reason(e))
	case oauth.Throttled:
		return auth.Say("server_throttles")
	case oauth.Protocol:
		if errors.Is(e, ErrNoLifetime) {
			return auth.Say("server_no_lifetime")
		}
		return auth.Say("server_protocol", Reason(e))
	case oauth.HeldBack:
		switch {
		case e.Code == "" && e.Status == 0: // decided here
			return Reason(e)
		case e.Op == "refresh" && e.Code == "invalid_grant": // with a mark that says so: see kept_marks
			return auth.Say("server_wants_person", Reason(e))
		case RefusesClient(e):
			return auth.Say("server_refused", Reason(e))
		}
		return auth.Say("server_refused_request", Reason(e))
	case oauth.Dead:
		return auth.Say("server_ended", Reason(e))
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

// Reason is the shortest true account of e: the server's words where it has
// any, as what they are.
func Reason(e *oauth.Error) auth.Text {
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

// SignIn says why a sign-in failed and what to do next.
func SignIn(account string, err error) *auth.Error {
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
		return fail(auth.KindRefused, auth.Say("consent_denied", Reason(e)), again)
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
		case strings.Contains(e.Code+e.Description, "dpop") || strings.Contains(e.Description, "DPoP"):
			hint = auth.Say("hint_bound_tokens", account)
		case e.Forced:
			hint = auth.Say("hint_check_prompt", account)
		case e.Code != "" && e.Code != "invalid_grant":
			hint = auth.Say("hint_check_redirect", account)
		}
		return fail(auth.KindRefused, Text(e), hint)
	case oauth.NotSent:
		return fail(auth.KindUnavailable, Text(e), auth.Say("hint_check_network", account))
	case oauth.Throttled, oauth.Unknown:
		return fail(auth.KindUnavailable, Text(e), again)
	default:
		return fail(auth.KindFailed, Text(e), again)
	}
}

// Exchange says why a token could not be exchanged. It says nothing of the
// session.
func Exchange(account string, err error, transient bool) *auth.Error {
	if e, ok := errors.AsType[*auth.Error](err); ok { // of a refresh
		return e
	}
	e, ok := errors.AsType[*oauth.Error](err)
	switch {
	case !ok: // not waited for
		return auth.Fail(auth.KindUnavailable, auth.Say("exchange_failed", account, err), auth.Say("hint_retry")).Because(err)
	case transient:
		return auth.Fail(auth.KindUnavailable, auth.Say("exchange_failed", account, Text(e)), auth.Say("hint_retry")).Because(err)
	}
	return auth.Fail(auth.KindRefused, auth.Say("exchange_failed", account, Text(e)), auth.Say("hint_exchange")).Because(err)
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

// Keychain says what is wrong with the keychain and what helps.
func Keychain(err error) *auth.Error {
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

// ErrNoLifetime breaks no rule (RFC 6749 section 5.1 only recommends
// expires_in), but a token that counts as expired at once costs a refresh.
var ErrNoLifetime = errors.New("it does not say how long its access token lives")

// Protocol says what is wrong with an answer of the server.
func Protocol(why string) *oauth.Error {
	err := errors.New(why)
	if why == ErrNoLifetime.Error() {
		err = ErrNoLifetime
	}
	return &oauth.Error{Op: "refresh", Class: oauth.Protocol, Err: err}
}
