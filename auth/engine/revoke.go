package engine

import (
	"cmp"
	"context"
	"slices"
	"time"

	"curfew/auth"
	"curfew/auth/engine/binding"
	"curfew/auth/engine/pair"
	"curfew/auth/oauth"
	"curfew/auth/oauth/dpop"
)

// This file decides whether a refresh token may be revoked, and where.
//
// At some servers a revocation ends more than the grant of that token. At
// Keycloak and Google it ends every session of that person at that client.
// Other servers give a new session the same refresh token again, so it would
// end too. A token that a person did not ask to revoke therefore waits while
// another session could die with it.

// How far a revocation reaches at a server, as far as it matters here.
const (
	reachToken  = "token"       // that token alone
	reachGrant  = "grant"       // its sign-in
	reachClient = "user-client" // all of the person's sign-ins with this client
)

var (
	// errSameToken: a live session has the token that was to be revoked.
	errSameToken = auth.Fail(auth.KindFailed, auth.Say("revoke_same_token"), auth.Text{})
	// errReachesFurther: the revocation would end a live session too.
	errReachesFurther = auth.Fail(auth.KindFailed, auth.Say("revoke_reaches_further"), auth.Text{})
	// errSigningIn: it might end one that is about to begin.
	errSigningIn = auth.Fail(auth.KindFailed, auth.Say("revoke_signing_in"), auth.Text{})
	// errNotYet: it might end one, and nobody knows. This passes when that
	// session ends.
	errNotYet = auth.Fail(auth.KindFailed, auth.Say("revoke_not_yet"), auth.Text{})
)

// A revocation is a refresh token on its way back to its server.
type revocation struct {
	account string
	session string // the ID of its record; "" where it has none
	facts   facts
	token   auth.Secret
	known   map[string]facts // the live sessions when a person asked, who knew what else it ends
	shared  bool             // of the same sign-in as a live session's
}

// attempt makes one attempt at the server. A request that has left is not cut
// by the end of ctx.
func (m *Manager) attempt(ctx context.Context, r revocation) error {
	others, spared, err := m.othersAt(ctx, r)
	if err != nil {
		return err
	}
	reach := m.reachOf(r)
	switch {
	case reach == reachToken || reach == reachGrant && !r.shared:
	case m.signsInAt(r.facts.Bound):
		return errSigningIn
	case !spared:
	case reach == "":
		return errNotYet
	default:
		return errReachesFurther
	}
	s, err := m.serverFor(ctx, r.account, r.facts)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptLimit)
	defer cancel()
	if err := s.RevokeFrom(ctx, r.token, r.facts.origin(dpop.Key{})); err != nil {
		return err
	}
	if others {
		m.locked(func() { m.revokedAt[grantOf(r.facts)] = time.Now() })
	}
	return nil
}

// giveBackLocked revokes a token that no record has, for a day at most and as
// long as the agent runs.
func (m *Manager) giveBackLocked(r revocation) {
	run := m.running
	if run == nil {
		return
	}
	deadline := m.clock.Now().Add(revokeFor)
	m.wg.Go(func() {
		if err := m.keepTrying(run, deadline, func() error { return m.attempt(run, r) }); err != nil {
			m.log.Warn("a refresh token that is not kept was not revoked", "account", r.account, "error", err)
		}
	})
}

func grantOf(f facts) binding.Grant {
	return binding.Grant{Bound: f.Bound, Subject: f.Identity.Subject}
}

// othersAt reports whether a revocation could reach another live session, and
// one that it must not end, such as one that began after a person had asked for
// it. It returns errSameToken where one has the very token.
func (m *Manager) othersAt(ctx context.Context, r revocation) (others, spared bool, err error) {
	var ids []string
	same := false
	m.locked(func() {
		for id, f := range m.liveLocked() {
			if id != r.session && grantOf(f).Covers(grantOf(r.facts)) {
				ids = append(ids, id)
				_, known := r.known[id]
				spared = spared || !known
			}
		}
		for _, a := range m.accounts {
			same = same || a.unsaved != nil && slices.Contains(ids, a.rec.ID) && holds(slices.Clone(a.unsaved.secret), r.token)
		}
	})
	for _, id := range ids {
		secret, err := m.store.Secret(ctx, id)
		if err != nil && isKeychainTransient(err) {
			return true, spared, err
		}
		same = same || err == nil && holds(secret, r.token)
	}
	if same {
		err = errSameToken
	}
	return len(ids) > 0, spared, err
}

// holds reports whether token is the one in secret, which it clears.
func holds(secret []byte, token auth.Secret) bool {
	mine, _ := pair.Unpack(secret)
	return mine.Reveal() == token.Reveal()
}

// signsInAt reports whether a sign-in is under way there. What the server has
// given it by now is not saved yet.
func (m *Manager) signsInAt(b binding.Binding) (yes bool) {
	m.locked(func() {
		for _, a := range m.accounts {
			yes = yes || a.signIn.running() && !a.signIn.abandoned && binding.Of(a.config) == b
		}
	})
	return yes
}

// reachOf is how far revocation reaches at a token's server; "" when nobody
// knows. A loss that happened counts more than what a preset or a person says.
func (m *Manager) reachOf(r revocation) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	learned := m.journal.Reach(r.facts.Bound.Key())
	if learned == reachClient {
		return learned
	}
	if a := m.accounts[r.account]; a != nil && binding.Of(a.config) == r.facts.Bound && a.server.Reach() != "" {
		return a.server.Reach()
	}
	return learned
}

// learnReachLocked notes what a refresh shows after another token of the same
// person and client was revoked. The session lives, or it died with that token.
func (a *account) learnReachLocked(reach string) {
	for k := range a.m.revokedAt {
		if !k.Covers(grantOf(a.facts)) {
			continue
		}
		delete(a.m.revokedAt, k)
		a.m.log.Info("learned how far revocation reaches", "account", a.name, "reach", reach)
		if key := a.facts.Bound.Key(); a.m.journal.Reach(key) != reachClient { // what was lost once stays known
			a.m.journal.Learn(key, reach)
		}
	}
}

// serverFor returns the server that a closed session's token may be sent to:
// its account's while that is the one it is from, else the one that is kept
// with the session.
func (m *Manager) serverFor(ctx context.Context, name string, f facts) (server, error) {
	if f.Bound == (binding.Binding{}) {
		return server{}, oauth.ErrNoRevocation // nobody knows which server it is from
	}
	var a *account
	ours, foreign := false, false // the account is the one that the session is of, or is at another server
	m.locked(func() {
		if a = m.accounts[name]; a != nil {
			b := binding.Of(a.config)
			ours, foreign = b == f.Bound, b.Key() != f.Bound.Key()
		}
	})
	if ours {
		return a.dial(ctx)
	}
	c := f.Bound.Account(name)
	if f.Removed != nil && binding.Of(*f.Removed) == f.Bound {
		c = *f.Removed
	} else if _, err := m.clientSecret(ctx, name); err == nil {
		c.ClientSecretKeychain = true
	}
	if foreign { // so is the secret of that name
		c.ClientSecretKeychain = false
	}
	return m.makeServer(ctx, c, m.clock.Another())
}

// Reach is what preset or configuration say of the reach of a revocation.
func (s server) Reach() string { return cmp.Or(s.reach, s.Provider().RevocationReach) }
