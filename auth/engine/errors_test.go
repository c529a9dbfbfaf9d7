package engine

import (
	"fmt"
	"testing"

	"curfew/auth/engine/failure"
	"curfew/keystore"
)

// TestKeychainWords: each reason that keeps us from the keychain has its own
// words. If it can pass automatically it is checked again.
func TestKeychainWords(t *testing.T) {
	said := map[string]bool{}
	for _, tt := range []struct {
		err  error
		want string // "": whatever
		away bool
	}{
		{keystore.ErrLocked, "The keychain is locked.", true},
		{keystore.ErrDenied, "The keychain refused.", true},
		{keystore.ErrTimeout, "The keychain does not answer.", true},
		{keystore.ErrUnavailable, "", true},
		{keystore.ErrNoCollection, "", true},
		{keystore.ErrChanged, "", false},
		{keystore.ErrTooBig, "", false},
	} {
		err := fmt.Errorf("cannot read a keychain item: %w", tt.err)
		e := failure.Keychain(err)
		words := e.Text().Sentence().Message
		if tt.want != "" && words != tt.want || said[words] || e.Hint == "" {
			t.Errorf("%v: %q, hint %q", tt.err, words, e.Hint)
		}
		said[words] = true
		if away := isKeychainTransient(err); away != tt.away {
			t.Errorf("%v: looked at again: %t", tt.err, away)
		}
	}
}
