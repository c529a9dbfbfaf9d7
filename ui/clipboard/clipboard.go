// Package clipboard puts secrets into the desktop's clipboard, and takes them out
// again.
//
// Its one hard idea: other programs keep what was in the clipboard. So a secret is
// marked as one if the system has such a mark, and it is removed only while it is
// still there.
package clipboard

import (
	"errors"

	"curfew/auth"
	"curfew/ui/status"
)

// A clipboard history would keep a token longer than Curfew wants. A hint next to
// the text asks it not to. This is its name and value on Linux, where Klipper and
// others respect it.
const (
	secretHint  = "x-kde-passwordManagerHint"
	secretValue = "secret"
)

// CopySecret puts a secret into the desktop's clipboard. If the system has such a
// mark, it marks it as a secret. clear removes the secret if the clipboard still
// has it. The caller must call clear, also before the program ends. Neither takes
// longer than a few seconds, and any goroutine may call them. An error says what
// to do instead.
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
