package auth

import (
	"fmt"
	"time"
)

// Kind sorts the errors that leave the engine. It is the "error" field of the
// local API, and it decides the exit code of the command line.
type Kind string

// The kinds, with the exit code of the command line.
const (
	KindFailed       Kind = "failed"                  // 1
	KindBadRequest   Kind = "bad_request"             // 2: a name, value or setting is wrong
	KindUnknown      Kind = "unknown_account"         // 2: no account of that name
	KindSignInNeeded Kind = "sign_in_needed"          // 3: limit reached, revoked, never signed in
	KindUnavailable  Kind = "temporarily_unavailable" // 4: offline, throttled, server trouble
	KindRefused      Kind = "refused"                 // 5: consent denied, policy, client refused
	KindKeychain     Kind = "keychain_unavailable"    // 6: locked, absent, not answering
	KindNotRunning   Kind = "agent_not_running"       // 7: made by the client, never by the agent
)

// An Error is what the engine tells a person or a program: a kind to branch
// on, the reason when a session ended, one sentence, and what to do next. It
// never holds a secret.
type Error struct {
	Kind    Kind   `json:"error"`
	Reason  Reason `json:"reason,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Cause   error  `json:"-"` // for logs; it is not sent over the socket
}

// Error returns the message without the hint.
func (e *Error) Error() string { return e.Message }

// Unwrap returns Cause.
func (e *Error) Unwrap() error { return e.Cause }

// The exact words of the session model, on the wire and on screen.
const (
	MessageAge       = "Refresh token has expired. Please login again."
	MessageRefreshes = "Refresh token has reached maximum usage limit. Please login again."
)

// MessageCancelled is the message of a [SignInView] that a person cancelled: a
// sign-in that failed, and no trouble.
const MessageCancelled = "The sign-in was cancelled."

// MessageLocked is the message of a snapshot whose keychain is locked, of all
// that may keep it from us.
const MessageLocked = "The keychain is locked."

// ShortDuration says d in words: to the second, or coarser when it is long.
func ShortDuration(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int((d+time.Second-1)/time.Second))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int((d+time.Minute-1)/time.Minute))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d/time.Hour))
	default:
		return fmt.Sprintf("%d d", int(d/(24*time.Hour)))
	}
}
