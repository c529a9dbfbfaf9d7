package keychain

import (
	"context"
	"errors"

	"golang.org/x/sys/windows"
)

// OS is the Credential Manager. It is open as long as its user is logged on.
type OS struct{}

// Probe lets calls proceed: there is no locked state.
func (*OS) Probe(context.Context) error { return nil }

// Unlock has nothing to do.
func (*OS) Unlock(context.Context) error { return nil }

func classifyOS(err error) error {
	switch {
	case errors.Is(err, windows.ERROR_NOT_FOUND):
		return ErrNotFound
	case errors.Is(err, windows.ERROR_ACCESS_DENIED):
		return ErrDenied
	}
	return ErrUnavailable // above all ERROR_NO_SUCH_LOGON_SESSION, of a network logon
}
