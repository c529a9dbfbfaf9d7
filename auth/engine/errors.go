package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"curfew/auth"
	"curfew/auth/oauth"
	"curfew/keystore"
)

// This file is the only place that turns failures into words for people.

// endedError is what everybody gets who asks for a token of an ended session.
func endedError(account string, r auth.Reason) *auth.Error {
	return &auth.Error{Kind: auth.KindSignInNeeded, Reason: r, Message: endMessage(r), Hint: "run `curfew login " + account + "`"}
}

// shuttingDown is what everybody gets whom nobody will serve any more.
func shuttingDown() *auth.Error {
	return &auth.Error{Kind: auth.KindUnavailable, Message: "the agent is shutting down", Hint: "try again"}
}

// suspectError says that the clocks contradict each other.
func suspectError() *auth.Error {
	return &auth.Error{
		Kind:    auth.KindUnavailable,
		Message: "the clock of this machine cannot be right, so no token is handed out; nothing is lost",
		Hint:    "set the clock, or connect to the network so that the server can tell the time",
	}
}

// bindingError says that the configuration is not the one that the session
// was got with, so that its refresh token is sent nowhere.
func bindingError(account string) *auth.Error {
	return &auth.Error{
		Kind:    auth.KindBadRequest,
		Message: "the provider or client of " + account + " is not the one that it was signed in with",
		Hint:    "put the old values back into config.toml, or sign in again: `curfew login " + account + " --force`",
	}
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
	return &auth.Error{Kind: auth.KindSignInNeeded, Reason: past, Message: account + " is not signed in", Hint: "run `curfew login " + account + "`"}
}

// failureErrorLocked is what a caller gets while a refresh fails for now.
func (a *account) failureErrorLocked() *auth.Error {
	e := a.retry.err
	if e.Class == oauth.HeldBack {
		return &auth.Error{
			Kind:    auth.KindRefused,
			Message: failureWords(e) + "; the session is kept",
			Hint:    heldHint(a.name, e),
			Cause:   e,
		}
	}
	hint := "try again"
	in := a.retry.at.Sub(a.clock.Now())
	switch {
	case a.retry.useless && in > 0:
		hint = "each try costs a refresh, so the next waits " + auth.ShortDuration(in) + "; look at the provider, or sign in again: `curfew login " + a.name + " --force`"
	case in > 0:
		hint = "Curfew tries again in " + auth.ShortDuration(in) + " by itself"
	}
	return &auth.Error{Kind: auth.KindUnavailable, Message: failureWords(e) + "; the session is kept", Hint: hint, Cause: e}
}

// heldHint is the advice for a refusal: where the client is at fault, to look
// at it first.
func heldHint(account string, e *oauth.Error) string {
	if refusesClient(e) || e.Code == "invalid_scope" {
		return "check the client id and the scopes of " + account + ", or sign in again: `curfew login " + account + " --force`"
	}
	return "sign in again: `curfew login " + account + " --force`"
}

// refusesClient reports whether a server refused the client, not the person or
// the request (RFC 6749 section 5.2).
func refusesClient(e *oauth.Error) bool {
	return e.Code == "invalid_client" || e.Code == "unauthorized_client" || e.Code == "" && e.Description == "" && e.Status == http.StatusUnauthorized
}

// failureWords says what went wrong between here and the server.
func failureWords(e *oauth.Error) string {
	switch e.Class {
	case oauth.NotSent:
		if e.Status != 0 { // what it answered to a question that spends nothing
			return "the server gave no usable answer (" + reasonOf(e) + ")"
		}
		return "the server cannot be reached (" + unreached(e) + ")"
	case oauth.Unknown:
		return "the server gave no usable answer (" + reasonOf(e) + ")"
	case oauth.Throttled:
		return "the server asks to wait"
	case oauth.Protocol:
		return "the server's answer breaks the protocol (" + reasonOf(e) + ")"
	case oauth.HeldBack:
		switch {
		case e.Code == "" && e.Status == 0: // found out here
			return reasonOf(e)
		case refusesClient(e):
			return "the server refused this client (" + reasonOf(e) + ")"
		}
		return "the server refused (" + reasonOf(e) + ")"
	case oauth.Dead:
		return "the server ended this session (" + reasonOf(e) + ")"
	default:
		return e.Error()
	}
}

// unreached is reasonOf for who has just said that the server cannot be reached.
func unreached(e *oauth.Error) string {
	why, found := strings.CutPrefix(reasonOf(e), e.Server+" could not be reached")
	if !found || strings.HasPrefix(why, " through") { // the proxy, which is news
		return reasonOf(e)
	}
	return e.Server + why
}

// reasonOf is the shortest true account of e: the server's words where it has
// any, as what they are.
func reasonOf(e *oauth.Error) string {
	switch {
	case e.Description != "":
		return "it says: " + e.Description
	case e.Code != "":
		return e.Code
	case e.Err != nil:
		return e.Err.Error()
	case e.Status != 0:
		return fmt.Sprintf("HTTP %d", e.Status)
	default:
		return e.Error()
	}
}

// signInError says why a sign-in failed and what to do next.
func signInError(account string, err error) *auth.Error {
	if e, ok := errors.AsType[*auth.Error](err); ok {
		return e
	}
	again := "start it again: `curfew login " + account + "`"
	e, ok := errors.AsType[*oauth.Error](err)
	switch {
	case ok: // sorted below: a server that did not answer in time is none of the person's doing
	case errors.Is(err, context.DeadlineExceeded):
		return &auth.Error{Kind: auth.KindFailed, Message: "nobody finished the sign-in in the browser in time", Hint: again, Cause: err}
	case errors.Is(err, context.Canceled):
		return &auth.Error{Kind: auth.KindFailed, Message: auth.MessageCancelled, Hint: again, Cause: err}
	default:
		return &auth.Error{Kind: auth.KindFailed, Message: "the sign-in failed: " + err.Error(), Hint: again, Cause: err}
	}
	switch e.Class {
	case oauth.Denied:
		return &auth.Error{Kind: auth.KindRefused, Message: "consent was denied (" + reasonOf(e) + ")", Hint: again, Cause: err}
	case oauth.Cancelled: // or too slow
		return &auth.Error{Kind: auth.KindFailed, Message: e.Error(), Hint: again, Cause: err}
	case oauth.HeldBack:
		hint := again
		switch {
		case e.Op == "discovery":
			hint = "check the issuer of " + account + " in config.toml"
		case e.Code == "invalid_scope":
			hint = "check the scopes of " + account + " in config.toml; a server that does not know offline_access may want authorize = { access_type = \"offline\" }"
		case e.Code != "" && e.Code != "invalid_grant":
			hint = "check the client id, the redirect and the scopes of " + account + " at the provider and in config.toml"
		}
		return &auth.Error{Kind: auth.KindRefused, Message: failureWords(e), Hint: hint, Cause: err}
	case oauth.NotSent:
		return &auth.Error{Kind: auth.KindUnavailable, Message: failureWords(e), Hint: "check the network and the issuer of " + account, Cause: err}
	case oauth.Throttled, oauth.Unknown:
		return &auth.Error{Kind: auth.KindUnavailable, Message: failureWords(e), Hint: again, Cause: err}
	default:
		return &auth.Error{Kind: auth.KindFailed, Message: failureWords(e), Hint: again, Cause: err}
	}
}

// keychainError says what is wrong with the keychain and what helps.
func keychainError(err error) *auth.Error {
	if e, ok := errors.AsType[*auth.Error](err); ok {
		return e
	}
	e := &auth.Error{Kind: auth.KindKeychain, Message: err.Error(), Cause: err}
	switch {
	case errors.Is(err, keystore.ErrLocked):
		e.Message, e.Hint = "the keychain is locked", "unlock it (log in to the desktop, open its password manager, or run `curfew unlock`) and try again; nothing is lost"
	case errors.Is(err, keystore.ErrUnavailable):
		e.Message, e.Hint = "no keychain is available", "start one that speaks the Secret Service (gnome-keyring, KWallet, KeePassXC) in this session, or switch KWallet on in KDE's System Settings; or end the agent, whose process `curfew doctor` names, and run `curfew agent --memory` for sessions that end with it"
	case errors.Is(err, keystore.ErrNoCollection):
		e.Message, e.Hint = "the keychain has no default collection", "run `curfew unlock` or sign in: the keychain then asks for the password of a new one"
	case errors.Is(err, keystore.ErrDenied):
		e.Message, e.Hint = "the keychain refused", "run `curfew unlock`, and allow Curfew in the prompt of the keychain; nothing is lost"
	case errors.Is(err, keystore.ErrTimeout):
		e.Message, e.Hint = "the keychain does not answer", "look for a prompt of the keychain that waits for you"
	case errors.Is(err, keystore.ErrChanged):
		e.Message, e.Hint = "this is not the keychain that the session was kept in", "bring that keychain back, or sign in again"
	case errors.Is(err, keystore.ErrTooBig):
		e.Kind = auth.KindFailed
		e.Message, e.Hint = fmt.Sprintf("the server's refresh token is larger than the %d KB that can be kept", keystore.MaxSecret>>10), "ask the provider for smaller tokens (fewer scopes or groups)"
	case errors.Is(err, keystore.ErrVersion):
		e.Kind = auth.KindFailed
		e.Message, e.Hint = "the stored session was written by a newer version of Curfew", "update Curfew, or sign in again"
	default:
		e.Kind = auth.KindFailed
		e.Hint = "look with `curfew doctor`"
	}
	return e
}

// sentence makes a message into a sentence.
func sentence(s string) string {
	if s == "" {
		return s
	}
	r, n := utf8.DecodeRuneInString(s)
	s = string(unicode.ToUpper(r)) + s[n:]
	if !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "?") {
		s += "."
	}
	return s
}

func programWords(program string) string {
	if program == "" {
		return "a program"
	}
	return program
}

// endMessage is the sentence for an ended session. The first two are the
// exact words of the session model.
func endMessage(r auth.Reason) string {
	switch r {
	case auth.ByAge:
		return auth.MessageAge
	case auth.ByRefreshes:
		return auth.MessageRefreshes
	case auth.ByIdle:
		return "The session was not used for too long. Please sign in again."
	case auth.ByRevocation:
		return "The server ended this session. Please sign in again."
	case auth.ByRotationLost:
		return "The answer to a refresh was lost and the server does not repeat it. Please sign in again."
	case auth.ByTampering:
		return "The stored session was changed by something else than Curfew, so it was closed. Please sign in again."
	case auth.BySubjectChanged:
		return "The server answered for another person, so the session was closed. Please sign in again."
	case auth.ByUser:
		return "Signed out."
	}
	return "The session is over. Please sign in again."
}
