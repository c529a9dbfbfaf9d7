// Package pair joins what a session keeps in one place of the store: a token, and
// what goes with it. Its one hard idea is that either may be missing, as it is in
// what an older version kept.
package pair

import (
	"strings"

	"curfew/auth"
	"curfew/auth/oauth/dpop"
	"curfew/keystore"
)

// Pack joins what the keychain keeps of a session: its token, and the key that
// the token is bound to.
func Pack(token auth.Secret, key dpop.Key) []byte {
	return join(token, key.Secret())
}

// join is a secret, and on a second line the one that goes with it, if there is
// one. No secret has a line break.
func join(first, second auth.Secret) []byte {
	if second.IsZero() {
		return []byte(first.Reveal())
	}
	return []byte(first.Reveal() + "\n" + second.Reveal())
}

// Tokens joins the access token and the ID token, or takes the first alone where
// both are more than the store keeps.
func Tokens(access, id auth.Secret) []byte {
	if both := join(access, id); len(both) <= keystore.MaxSecret {
		return both
	}
	return join(access, auth.Secret{})
}

// Split is the reverse of join, and clears its argument.
func Split(joined []byte) (first, second auth.Secret) {
	defer clear(joined)
	one, two, _ := strings.Cut(string(joined), "\n")
	return auth.NewSecret(one), auth.NewSecret(two)
}

// Unpack is the reverse of Pack, and clears its argument.
func Unpack(secret []byte) (auth.Secret, dpop.Key) {
	token, text := Split(secret)
	key, err := dpop.ReadKey(text.Reveal())
	if err != nil { // there is none: the store has authenticated it, so nobody else wrote this
		key = dpop.Key{}
	}
	return token, key
}
