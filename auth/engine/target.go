package engine

import (
	"context"

	"curfew/auth"
	"curfew/auth/engine/exchange"
	"curfew/auth/engine/failure"
	"curfew/auth/oauth"
)

// This file is the refresh that asks for a token of another resource (RFC 8707
// section 2.2), or for one with fewer scopes (RFC 6749 section 6). It is counted
// like any other, and as durable. What it brings is not the session's own access
// token, which stays. So the facts say what the open cycle asks for, from before
// it is counted until it is closed.

// refreshFor spends a refresh on a token for r, and returns that.
func (m *Manager) refreshFor(ctx context.Context, name, program string, r *auth.Exchange) (oauth.Grant, error) {
	for {
		f, err := m.wantRefresh(name, program, r)
		if err == nil {
			err = f.wait(ctx)
		}
		switch {
		case err != nil:
			return oauth.Grant{}, err
		case f.asks == r && f.refused != nil:
			return oauth.Grant{}, f.refused
		case f.asks == r && !f.other.AccessToken.IsZero():
			return f.other, nil
		} // it was another's refresh, or completed an open cycle
	}
}

// aim notes what the cycle is to ask for, before it is counted.
func (c *cycle) aim(ctx context.Context) error {
	a := c.a
	var meta []byte
	a.m.locked(func() {
		var asks *auth.Exchange
		if a.flight != nil {
			asks = a.flight.asks
		}
		if exchange.Same(a.facts.For, asks) {
			return
		}
		a.facts.For = asks
		meta = a.encodeLocked(a.facts)
	})
	if meta == nil {
		return nil
	}
	if _, err := a.m.store.Note(ctx, a.rec.ID, meta); err != nil {
		return a.recordFailed(ctx, err)
	}
	return nil
}

// namesAnother reports whether the open cycle asks for something that a server
// can refuse and still know the session.
func (f facts) namesAnother() bool { return f.For != nil && len(f.For.Resource)+len(f.For.Scope) > 0 }

// refuse ends what the cycle asks for that is not the session's own token. It
// says nothing about the session: the cycle stays open, and goes on with what
// every refresh asks for. If an answer may have been lost before, the server may
// repeat that. So what comes then is nobody's.
func (c *cycle) refuse(ctx context.Context, e *oauth.Error) error {
	a := c.a
	a.m.locked(func() {
		if f := a.flight; f != nil {
			f.again = true
			if exchange.Same(f.asks, a.facts.For) {
				f.refused = failure.Exchange(a.name, e, false)
			}
		}
		if a.facts.For = nil; a.facts.OutcomeUnknown {
			a.facts.For = &auth.Exchange{Refresh: true}
		}
	})
	a.note(context.WithoutCancel(ctx))
	return nil
}

// deliverLocked hands out what a refresh that asked for it has brought. Callers
// that wait for another token ask again.
func (a *account) deliverLocked(asked *auth.Exchange, g oauth.Grant) {
	if asked != nil {
		if g.ExpiresAt.IsZero() { // most likely it lives as long as the session's own
			g.ExpiresIn, g.ExpiresAt = a.facts.AccessLifetime, g.ReceivedAt.Add(a.facts.AccessLifetime)
		}
		a.traded.Put(*asked, g)
	}
	f := a.flight
	if f == nil || asked == nil && f.asks == nil {
		return
	}
	if f.again = true; exchange.Same(f.asks, asked) {
		f.other = g
	}
}
