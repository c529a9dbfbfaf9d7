package keystore

import (
	"errors"
	"fmt"

	"github.com/zalando/go-keyring"
)

// OSKeychain is the keychain of the operating system. That is the Secret Service
// on Linux, the login keychain on macOS and the Credential Manager on Windows.
// Its errors wrap those of this package.
func OSKeychain() Keychain { return &osKeychain{} }

// classify wraps what go-keyring and the OS say in an error of this package.
// An error of which nothing is known is ErrUnavailable: it says nothing about an item.
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
