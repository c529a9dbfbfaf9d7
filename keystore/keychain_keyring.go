//go:build !(linux || netbsd || openbsd || (freebsd && cgo) || (dragonfly && cgo))

package keystore

import "github.com/zalando/go-keyring"

// Get reads an item.
func (*osKeychain) Get(service, user string) (string, error) {
	v, err := keyring.Get(service, user)
	return v, classify(err)
}

// Set writes an item.
func (*osKeychain) Set(service, user, value string) error {
	return classify(keyring.Set(service, user, value))
}

// Delete deletes an item.
func (*osKeychain) Delete(service, user string) error {
	return classify(keyring.Delete(service, user))
}
