package keystore

import (
	"errors"
	"fmt"

	"github.com/zalando/go-keyring"
)

// OSKeychain is the keychain of the operating system: the Secret Service on
// Linux, the login keychain on macOS, the Credential Manager on Windows. Its
// errors wrap those of this package.
func OSKeychain() Keychain { return &osKeychain{} }

// Get reads an item, after the OS has been looked at (prepare).
func (k *osKeychain) Get(service, user string) (string, error) {
	if err := k.prepare(service, user); err != nil {
		return "", err
	}
	v, err := keyring.Get(service, user)
	return v, classify(err)
}

// Set writes an item.
func (k *osKeychain) Set(service, user, value string) error {
	if err := k.prepare(service, user); err != nil {
		return err
	}
	return classify(keyring.Set(service, user, value))
}

// Delete deletes an item.
func (k *osKeychain) Delete(service, user string) error {
	if err := k.prepare(service, user); err != nil {
		return err
	}
	return classify(keyring.Delete(service, user))
}

// classify wraps what go-keyring and the OS say in an error of this package.
// An error of which nothing is known is ErrUnavailable: it says nothing about an item.
func classify(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, keyring.ErrNotFound):
		return ErrNotFound
	case errors.Is(err, keyring.ErrSetDataTooBig):
		return ErrTooBig
	case errors.Is(err, keyring.ErrUnsupportedPlatform):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", classifyOS(err), err)
}
