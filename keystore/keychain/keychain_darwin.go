package keychain

import (
	"context"
	"errors"
	"os/exec"

	"github.com/zalando/go-keyring"
)

// OS is the login keychain, through /usr/bin/security. It cannot be asked whether it
// is locked without being opened; a locked one shows its own prompt.
type OS struct{}

// Probe lets calls proceed: on macOS only they find out.
func (*OS) Probe(context.Context) error { return nil }

// Unlock reads an item that is not there, so that a locked keychain asks.
func (*OS) Unlock(context.Context) error {
	_, err := keyring.Get("curfew", "unlock")
	if err = classify(err); errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// classifyOS reads the exit status of security, which is the low byte of an OSStatus.
func classifyOS(err error) error {
	e, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return ErrUnavailable
	}
	switch e.ExitCode() {
	case 36: // errSecInteractionNotAllowed, -25308
		return ErrLocked
	case 44: // errSecItemNotFound, -25300
		return ErrNotFound
	case 51, 128: // errSecAuthFailed, -25293; userCanceledErr, -128
		return ErrDenied
	}
	return ErrUnavailable
}
