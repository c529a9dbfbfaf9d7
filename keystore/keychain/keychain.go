// Package keychain is the keychain of the operating system. That is the Secret
// Service on Linux, the login keychain on macOS and the Credential Manager on Windows.
// It keeps small ASCII texts by service and user, and knows nothing of what they mean.
//
// Its one hard idea is that nobody is asked anything without having asked for it.
// Only [OS.Unlock] prompts, and a provider that asks about each item. [OS.Probe] says
// beforehand whether a call would. Calls may block for ever: the caller bounds them.
package keychain

import (
	"errors"
	"fmt"

	"github.com/zalando/go-keyring"
)

// Errors that callers branch on. Every error of this package wraps one of them.
var (
	ErrNotFound     = errors.New("no such item in the keychain")
	ErrLocked       = errors.New("the keychain is locked")
	ErrUnavailable  = errors.New("no keychain is available")
	ErrNoCollection = errors.New("the keychain has no default collection")
	ErrDenied       = errors.New("the keychain refused")
	ErrTimeout      = errors.New("the keychain did not answer in time") // outcome unknown
	ErrTooBig       = errors.New("too big to keep")
)

// classify wraps what go-keyring and the OS say in an error of this package.
// One of which nothing is known is ErrUnavailable: it says nothing about an item.
func classify(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrLocked):
		return err
	case errors.Is(err, keyring.ErrNotFound):
		return ErrNotFound
	case errors.Is(err, keyring.ErrSetDataTooBig):
		return ErrTooBig
	case errors.Is(err, keyring.ErrUnsupportedPlatform):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", classifyOS(err), err)
}
