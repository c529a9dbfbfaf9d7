package engine

import (
	"context"
	"errors"

	"curfew/auth"
	"curfew/auth/engine/failure"
	"curfew/auth/oauth"
	"curfew/keystore"
)

// clientSecret reads an account's client secret from the keychain. What is
// wrong with it says nothing about the account's session, so the error wraps
// no verdict of the keystore.
func (m *Manager) clientSecret(ctx context.Context, account string) (auth.Secret, error) {
	b, err := m.store.GetSecret(ctx, clientSecretName(account))
	wrong := "client_secret_missing"
	switch {
	case errors.Is(err, keystore.ErrNotFound), errors.Is(err, keystore.ErrChanged):
	case errors.Is(err, keystore.ErrTampered), errors.Is(err, keystore.ErrCorrupt):
		m.log.Error("a client secret cannot be used", "account", account, "error", err)
		wrong = "client_secret_damaged"
	case err != nil:
		return auth.Secret{}, failure.Keychain(err)
	default:
		defer clear(b)
		return auth.NewSecret(string(b)), nil
	}
	return auth.Secret{}, auth.Fail(auth.KindBadRequest, auth.Say(wrong, account), auth.Say("hint_client_secret", account))
}

func clientSecretName(account string) string { return "client-secret/" + account }

// SetClientSecret keeps the client secret of a configured account in the
// keychain. The zero Secret deletes it, also that of an account that is gone.
func (m *Manager) SetClientSecret(ctx context.Context, name string, secret auth.Secret) error {
	keep := m.store.DeleteSecret
	if !secret.IsZero() {
		var err error
		m.locked(func() { _, err = m.accountLocked(name) })
		if err != nil {
			return err
		}
		keep = func(ctx context.Context, key string) error {
			return m.store.PutSecret(ctx, key, []byte(secret.Reveal()))
		}
	}
	if err := keep(ctx, clientSecretName(name)); err != nil {
		return failure.Keychain(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if a := m.accounts[name]; a != nil { // callers that wait for the right one try it now
		a.server.secret = false
		if e := a.retry.err; e == nil || e.Class == oauth.HeldBack {
			a.retry.at = a.clock.Now()
		}
		a.poke()
	}
	return nil
}
