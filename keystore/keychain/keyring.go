//go:build !(linux || netbsd || openbsd || (freebsd && cgo) || (dragonfly && cgo))

package keychain

import "github.com/zalando/go-keyring"

// Get reads an item.
func (*OS) Get(service, user string) (string, error) {
	v, err := keyring.Get(service, user)
	return v, classify(err)
}

// Set writes an item.
func (*OS) Set(service, user, value string) error {
	return classify(keyring.Set(service, user, value))
}

// Delete deletes an item.
func (*OS) Delete(service, user string) error {
	return classify(keyring.Delete(service, user))
}
