package engine

import (
	"context"
	"errors"
	"strings"

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

func registrationName(account string) string { return "registration/" + account }

// keepRegistration keeps in the keychain how the client that a server made for an
// account can be deleted.
func (m *Manager) keepRegistration(ctx context.Context, name string, at oauth.Management) error {
	if at.URI == "" {
		return m.store.DeleteSecret(ctx, registrationName(name))
	}
	return m.store.PutSecret(ctx, registrationName(name), []byte(at.URI+"\n"+at.Token.Reveal()))
}

// unregister deletes the client that a server has made for a removed account, if
// it has. It tries once: a client without sessions is worth nothing to anybody.
func (m *Manager) unregister(ctx context.Context, name string, c auth.Account) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkLimit)
	defer cancel()
	b, err := m.store.GetSecret(ctx, registrationName(name))
	if err != nil { // there is none, for most
		return
	}
	defer clear(b)
	uri, token, _ := strings.Cut(string(b), "\n")
	client, err := m.newClient(m.clientConfig(c, m.clock.Another()))
	if err == nil {
		err = client.Unregister(ctx, oauth.Management{URI: uri, Token: auth.NewSecret(token)})
	}
	if err != nil {
		m.log.Warn("the client that the server made for a removed account stays there", "account", name, "error", err)
	}
	if err := m.store.DeleteSecret(ctx, registrationName(name)); err != nil {
		m.log.Warn("the key to a registration stays in the keychain", "account", name, "error", err)
	}
}
