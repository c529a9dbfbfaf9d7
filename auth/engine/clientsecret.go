package engine

import (
	"context"
	"errors"
	"fmt"

	"curfew/auth"
	"curfew/auth/oauth"
	"curfew/keystore"
)

// clientSecret reads an account's client secret from the keychain.
func (m *Manager) clientSecret(ctx context.Context, account string) (auth.Secret, error) {
	b, err := m.store.GetSecret(ctx, clientSecretName(account))
	if errors.Is(err, keystore.ErrNotFound) {
		return auth.Secret{}, &auth.Error{
			Kind:    auth.KindBadRequest,
			Message: fmt.Sprintf("the client secret of %s is not in the keychain", account),
			Hint:    "store it again: `curfew add " + account + " ... --client-secret-stdin`",
		}
	}
	if err != nil {
		return auth.Secret{}, keychainError(err)
	}
	defer clear(b)
	return auth.NewSecret(string(b)), nil
}

func clientSecretName(account string) string { return "client-secret/" + account }

// SetClientSecret keeps an account's client secret in the keychain.
func (m *Manager) SetClientSecret(ctx context.Context, name string, secret auth.Secret) error {
	if err := m.store.PutSecret(ctx, clientSecretName(name), []byte(secret.Reveal())); err != nil {
		return keychainError(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if a := m.accounts[name]; a != nil { // who waits for the right one tries it now
		a.server.secret = false
		if e := a.retry.err; e == nil || e.Class == oauth.HeldBack {
			a.retry.at = m.clock.Now()
		}
		a.poke()
	}
	return nil
}
