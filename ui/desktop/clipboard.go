package desktop

import (
	"errors"

	"curfew/auth"
	"curfew/ui/status"
)

// A clipboard history keeps what is copied for longer than Curfew would have
// it, so whoever keeps one is asked not to: by a hint that lies beside the
// text. This is its name on Linux, where Klipper and others heed it, and the
// value that says so.
const (
	secretHint  = "x-kde-passwordManagerHint"
	secretValue = "secret"
)

// CopySecret puts a secret into the desktop's clipboard, marked as one where
// the system knows such a mark. clear takes it out again, if it still is what
// lies there; to call it is the caller's part, also before the program ends.
// Neither takes longer than a few seconds, and both may be called by any
// goroutine. An error says what to do instead.
func CopySecret(secret string) (clear func() error, err error) {
	clear, err = copySecret(secret)
	if err == nil {
		return clear, nil
	}
	if _, ok := errors.AsType[*auth.Error](err); !ok {
		err = &auth.Error{
			Kind:    auth.KindFailed,
			Message: status.Tr("The clipboard did not take the token (%v).", err),
			Hint:    status.Tr("Use: curfew token NAME"),
		}
	}
	return nil, err
}
