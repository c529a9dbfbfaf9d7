package auth

// Kind sorts the errors that leave the engine. It is the "error" field of the
// local API, and it decides the exit code of the command line.
type Kind string

// The kinds, with the exit code of the command line.
const (
	KindFailed       Kind = "failed"                  // 1
	KindBadRequest   Kind = "bad_request"             // 2: a name, value or setting is wrong
	KindUnknown      Kind = "unknown_account"         // 2: no account of that name
	KindSignInNeeded Kind = "sign_in_needed"          // 3: limit reached, revoked or never signed in
	KindUnavailable  Kind = "temporarily_unavailable" // 4: offline, throttled or server trouble
	KindRefused      Kind = "refused"                 // 5: refused by a person, by policy or for the client
	KindKeychain     Kind = "keychain_unavailable"    // 6: locked, absent or not answering
	KindNotRunning   Kind = "agent_not_running"       // 7: made by the client, never by the agent
)

// An Error is what the engine tells a person or a program. Kind is there to
// branch on, and Reason says why a session ended. A sentence says what failed,
// and a hint what to do next. It never holds a secret. [Fail] makes one.
type Error struct {
	Kind        Kind   `json:"error"`
	Reason      Reason `json:"reason,omitempty"`
	Message     string `json:"message"`
	MessageID   string `json:"message_id,omitempty"` // see [Text]
	MessageArgs Args   `json:"message_args,omitempty"`
	Hint        string `json:"hint,omitempty"`
	HintID      string `json:"hint_id,omitempty"`
	HintArgs    Args   `json:"hint_args,omitempty"`
	Setting     string `json:"setting,omitempty"` // the setting of an account that is wrong
	Cause       error  `json:"-"`                 // for logs; it is not sent over the socket
}

// Fail makes an error that says message, and hint if that has words.
func Fail(k Kind, message, hint Text) *Error {
	return &Error{
		Kind:    k,
		Message: message.Message, MessageID: message.ID, MessageArgs: message.Args,
		Hint: hint.Message, HintID: hint.ID, HintArgs: hint.Args,
	}
}

// Because notes the cause of e.
func (e *Error) Because(cause error) *Error {
	e.Cause = cause
	return e
}

// Text returns the message as it can be said in any language.
func (e *Error) Text() Text { return Text{e.Message, e.MessageID, e.MessageArgs} }

// HintText returns the hint as it can be said in any language.
func (e *Error) HintText() Text { return Text{e.Hint, e.HintID, e.HintArgs} }

// Error returns the message without the hint.
func (e *Error) Error() string { return e.Message }

// Unwrap returns Cause.
func (e *Error) Unwrap() error { return e.Cause }

// The exact words of the session model, on the wire and on screen.
const (
	MessageAge       = "Refresh token has expired. Please login again."
	MessageRefreshes = "Refresh token has reached maximum usage limit. Please login again."
)

// EndText is the sentence for a session that ended for r.
func EndText(r Reason) Text {
	switch r {
	case ByAge, ByRefreshes, ByIdle, ByRevocation, ByRotationLost, ByTampering, BySubjectChanged, ByUser, ByToken:
		return Say("ended_" + string(r))
	}
	return Say("ended")
}

// The ids of messages that front ends treat in a special way. A sign-in that a
// person cancelled is not a problem. A locked keychain is the one keychain
// problem that a person can solve with a password.
const (
	CancelledID = "sign_in_cancelled"
	PromptID    = "waiting_keychain"
	LockedID    = "keychain_locked"
)
