package engine

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"curfew/auth"
	"curfew/auth/engine/clock"
	"curfew/auth/engine/exchange"
	"curfew/auth/engine/failure"
	"curfew/auth/engine/pair"
	"curfew/auth/oauth"
	"curfew/auth/oauth/dpop"
)

// Token returns an access token that is valid for as long as the request asks.
// A token in memory is handed out at once. Otherwise all callers wait for one
// refresh. Errors are of type *Error.
func (m *Manager) Token(ctx context.Context, name string, r auth.TokenRequest) (auth.Token, error) {
	r.Program = auth.Clip(r.Program, auth.MaxProgram)
	until := time.Now().Add(cmp.Or(r.MaxWait, auth.DefaultMaxWait)) // only a caller that waits needs a timer
	var t auth.Token
	var err error
	if r.Exchange != nil && r.Exchange.Refresh { // which needs no other token
		err = r.Exchange.Check()
	} else {
		t, err = m.awaitToken(ctx, until, name, r)
	}
	switch {
	case err != nil:
		return auth.Token{}, err
	case r.ID:
		return m.idToken(name, r)
	case r.Exchange == nil && r.Proof == nil:
		return t, nil
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	if r.Exchange != nil {
		t, err = m.exchange(ctx, name, r)
	}
	if err == nil && r.Proof != nil {
		err = m.prove(ctx, name, &t, *r.Proof)
	}
	return t, err
}

// idToken returns the ID token of the last answer that had one. It costs no
// extra refresh: some servers give ID tokens that live for two minutes.
func (m *Manager) idToken(name string, r auth.TokenRequest) (auth.Token, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, err := m.accountLocked(name)
	if err != nil {
		return auth.Token{}, err
	}
	end := oauth.IDTokenEnd(a.id)
	left := end.Sub(a.clock.Now())
	switch {
	case a.id.IsZero():
		return auth.Token{}, auth.Fail(auth.KindRefused, auth.Say("id_token_none", name), auth.Say("hint_id_token_none", name))
	case left <= 0:
		return auth.Token{}, auth.Fail(auth.KindUnavailable, auth.Say("id_token_expired", name), auth.Say("hint_id_token", name))
	case left < r.MinValid && !r.Best:
		return auth.Token{}, auth.Fail(auth.KindUnavailable, auth.Say("id_token_short", name, auth.SpanText(left)), auth.Say("hint_id_token", name))
	}
	return auth.Token{IDToken: a.id, ExpiresAt: end, ExpiresIn: left}, nil
}

// awaitToken returns the token of a request, after a refresh if it takes one.
func (m *Manager) awaitToken(ctx context.Context, until time.Time, name string, r auth.TokenRequest) (auth.Token, error) {
	t, f, err := m.tokenOrFlight(name, r, false)
	if f == nil {
		return t, err
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	for waited := false; f != nil; {
		if err := f.wait(ctx); err != nil {
			return m.bestOr(name, r, err)
		}
		waited = waited || !f.again
		t, f, err = m.tokenOrFlight(name, r, waited)
	}
	return t, err
}

// exchange trades the session's access token for another. That is not a
// refresh, and costs none.
func (m *Manager) exchange(ctx context.Context, name string, r auth.TokenRequest) (auth.Token, error) {
	a, err := m.loaded(ctx, name)
	if err != nil {
		return auth.Token{}, err
	}
	server, err := a.dial(ctx)
	if err != nil {
		return auth.Token{}, failure.Keychain(err)
	}
	key, err := m.key(ctx, name)
	if err != nil {
		return auth.Token{}, err
	}
	var access auth.Secret // with kept, of one session
	var kept *exchange.Tokens
	var was facts
	m.locked(func() {
		switch {
		case a.rec == nil || a.leaving > 0:
			err = a.noSessionErrorLocked()
		case server.bound != a.facts.Bound:
			err = failure.Binding(name)
		default:
			access, kept, was = a.access, a.traded, a.facts
		}
	})
	if err != nil {
		return auth.Token{}, err
	}
	g, traded, err := kept.Get(ctx, *r.Exchange, r.MinValid, a.clock.Now, func() (oauth.Grant, error) {
		if r.Exchange.Refresh {
			return m.refreshFor(ctx, name, r.Program, r.Exchange)
		}
		g, err := server.Exchange(ctx, exchange.Form(*r.Exchange, access), r.Exchange.Scope, was.origin(key))
		if !g.RefreshToken.IsZero() { // which nobody asked for
			m.locked(func() { m.giveBackLocked(revocation{account: name, facts: was, token: g.RefreshToken, shared: true}) })
		}
		return g, err
	})
	if err != nil {
		return auth.Token{}, failure.Exchange(name, err, isTransient(err))
	}
	now := a.clock.Now()
	left := max(0, g.ExpiresAt.Sub(now))
	if left < r.MinValid && !r.Best {
		return auth.Token{}, auth.Fail(auth.KindUnavailable, auth.Say("exchange_short", name, auth.SpanText(left)), auth.Say("hint_less_valid"))
	}
	e := auth.Event{At: now, Account: name, Kind: auth.EventToken, Program: r.Program}
	if !r.Exchange.Refresh {
		e.Text = auth.Say("event_exchanged", cmp.Or(r.Program, "curfew"))
	}
	m.locked(func() {
		a.use.recordTaker(r.Program, now)
		a.dirty = true
		if traded && r.Exchange.Refresh && a.rec != nil {
			e.Count = a.rec.Used
		}
	})
	if traded || r.Exchange.Refresh { // else the session's own token has its line
		m.journal.AddToken(e, r.Caller)
	}
	return auth.Token{AccessToken: g.AccessToken, TokenType: g.TokenType, ExpiresAt: g.ExpiresAt, ExpiresIn: left, Scope: g.Scope}, nil
}

// loaded returns the account when its session has been read, or says why nothing
// can be asked of that.
func (m *Manager) loaded(ctx context.Context, name string) (a *account, err error) {
	for {
		var f *flight
		m.locked(func() {
			if a, err = m.accountLocked(name); err != nil {
				return
			}
			var unread bool
			if unread, err = a.checkServableLocked(a.readLocked()); unread {
				f = a.joinLocked("", nil)
			}
		})
		if err != nil || f == nil {
			return a, err
		}
		if err := f.wait(ctx); err != nil {
			return nil, err
		}
	}
}

// key is the key that the account's tokens are bound to, or zero.
func (m *Manager) key(ctx context.Context, name string) (dpop.Key, error) {
	var id string
	m.locked(func() {
		if a := m.accounts[name]; a != nil && a.rec != nil && a.facts.TokenType == dpop.TokenType {
			id = a.rec.ID
		}
	})
	if id == "" {
		return dpop.Key{}, nil
	}
	secret, err := m.store.Secret(ctx, id)
	if err != nil {
		return dpop.Key{}, failure.Keychain(err)
	}
	_, key := pair.Unpack(secret)
	return key, nil
}

// prove adds a proof for one request with t, which must be bound to a key.
func (m *Manager) prove(ctx context.Context, name string, t *auth.Token, p auth.ProofRequest) error {
	key, err := m.key(ctx, name)
	if err != nil {
		return err
	}
	if key.IsZero() {
		return auth.Fail(auth.KindBadRequest, auth.Say("token_not_bound", name), auth.Say("hint_dpop", name, name))
	}
	proof, err := key.Proof(dpop.Request{Method: p.Method, URL: p.URL, Nonce: p.Nonce, AccessToken: t.AccessToken}, m.clock.Now())
	if err != nil {
		return auth.Fail(auth.KindBadRequest, auth.Say("no_proof", err), auth.Say("hint_url")).Because(err)
	}
	t.Proof = auth.NewSecret(proof)
	return nil
}

// bestOr returns what token there is, if the request takes that, or the error.
func (m *Manager) bestOr(name string, r auth.TokenRequest, err error) (auth.Token, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a := m.accounts[name]; a != nil && r.Best {
		t := a.readLocked()
		if unread, refused := a.checkServableLocked(t); refused == nil && !unread && a.sessionLocked().AccessGood(t.Now) {
			return a.serveLocked(r, t.Now, false), nil
		}
	}
	return auth.Token{}, err
}

// tokenOrFlight answers with a token, an error, or the refresh to wait for.
func (m *Manager) tokenOrFlight(name string, r auth.TokenRequest, waited bool) (t auth.Token, f *flight, err error) {
	m.locked(func() {
		var a *account
		if a, err = m.accountLocked(name); err == nil {
			t, f, err = a.tokenOrFlightLocked(r, waited)
		}
	})
	if err != nil {
		t, err = m.bestOr(name, r, err)
	}
	return t, f, err
}

func (a *account) tokenOrFlightLocked(r auth.TokenRequest, waited bool) (auth.Token, *flight, error) {
	name, m, minValid, program := a.name, a.m, r.MinValid, r.Program
	t := a.readLocked()
	now := t.Now
	if !waited {
		a.wantedAt = now
		if a.rec != nil {
			a.use.Demand.Note(now, a.facts.AccessLifetime)
			a.dirty = true
		}
	}
	switch unread, err := a.checkServableLocked(t); {
	case err != nil:
		return auth.Token{}, nil, err
	case unread:
		return auth.Token{}, a.joinLocked(program, nil), nil
	}
	s := a.sessionLocked()
	end, _ := s.EndsAt(m.limits)
	fresh := min(s.AccessLifetime, end.Sub(now))
	if r.Best && fresh > 0 {
		minValid = min(minValid, fresh/2) // what is younger is not replaced anyway
	}
	switch serving := auth.Serve(s.AccessExpiresAt, fresh, minValid, now); {
	case serving == auth.ServeToken, waited && (s.AccessExpiresAt.IsZero() || s.AccessGood(now)):
		return a.serveLocked(r, now, waited), nil, nil
	case serving == auth.ServeImpossible:
		return auth.Token{}, nil, auth.Fail(auth.KindBadRequest,
			auth.Say("token_too_short", name, auth.SpanText(fresh), auth.SpanText(minValid)), auth.Say("hint_less_valid"))
	case serving == auth.ServeTooSoon:
		return auth.Token{}, nil, auth.Fail(auth.KindUnavailable,
			auth.Say("token_too_new", name, auth.SpanText(s.AccessExpiresAt.Sub(now))), auth.Say("hint_best_or_refresh", name))
	case waited: // a refresh has just worked, but its token has expired or has no known lifetime
		return auth.Token{}, nil, auth.Fail(auth.KindUnavailable, auth.Say("token_useless", name), auth.Say("hint_lifetime"))
	case s.Exhausted(m.limits):
		return auth.Token{}, nil, failure.Ended(name, s.Spent())
	case a.flight == nil && a.retryBarsLocked(now):
		return auth.Token{}, nil, a.failureErrorLocked()
	}
	return auth.Token{}, a.joinLocked(program, nil), nil
}

// checkServableLocked says why nothing can be asked of the account's session at
// t. If the stored sessions were not read yet, it starts that and reports it.
// Callers that wait for the next flight then ask again.
func (a *account) checkServableLocked(t clock.Reading) (unread bool, err error) {
	switch {
	case a.m.running == nil:
		return false, failure.ShuttingDown()
	case a.leaving > 0:
		return false, failure.NotSignedIn(a.name, auth.ByUser)
	case a.loading || a.rec == nil && len(a.found) > 0:
		a.retry.at = time.Time{} // look at the keychain again
		return true, nil
	case a.rec == nil:
		return false, a.noSessionErrorLocked()
	case a.suspectLocked(t):
		return false, failure.Suspect()
	}
	if over := a.sessionLocked().Over(a.m.limits, t.Now); over != "" {
		return false, failure.Ended(a.name, over)
	}
	return false, nil
}

// retryBarsLocked reports whether a failure is too fresh to try again because
// somebody asks: a server that wants to be left alone, or a try a moment ago.
func (a *account) retryBarsLocked(now time.Time) bool {
	r := a.retry
	switch {
	case r.err == nil || !now.Before(r.at):
		return false
	case r.err.Class == oauth.HeldBack, r.err.Class == oauth.Protocol, r.throttles():
		return true
	case r.err.Class == oauth.Throttled: // an outage looks like a bare 503
		return now.Sub(r.last) < offlineMax
	}
	return now.Sub(r.last) < offlineDelay
}

// throttles reports whether the server said that it is asked too often, or
// when to come back (RFC 9110 section 10.2.3, RFC 6585 section 4).
func (r retry) throttles() bool {
	return r.err != nil && r.err.Class == oauth.Throttled && (r.err.Status != http.StatusServiceUnavailable || r.err.RetryAfter > 0)
}

// serveLocked hands the token out, of a refresh that was made for it or not, and
// remembers who took it.
func (a *account) serveLocked(r auth.TokenRequest, now time.Time, refreshed bool) auth.Token {
	e := auth.Event{At: now, Account: a.name, Kind: auth.EventToken, Program: r.Program}
	if refreshed {
		e.Count = a.rec.Used
	}
	other := a.use.LastUsedBy != r.Program
	a.use.recordTaker(r.Program, now)
	if a.m.journal.AddToken(e, r.Caller) || other {
		a.m.publishLocked()
	}
	a.dirty = true
	return auth.Token{
		AccessToken: a.access,
		TokenType:   cmp.Or(a.facts.TokenType, "Bearer"),
		ExpiresAt:   a.facts.AccessExpiresAt,
		ExpiresIn:   max(0, a.facts.AccessExpiresAt.Sub(now)),
		Scope:       a.facts.Scope,
	}
}

// Refresh spends one refresh now, whatever the plan says, and returns what is
// left. An open cycle is completed instead of starting another, unless the
// token that it brings has expired already. Errors are of type *Error.
func (m *Manager) Refresh(ctx context.Context, name, program string) (auth.Snapshot, error) {
	for {
		f, err := m.wantRefresh(name, auth.Clip(program, auth.MaxProgram), nil)
		if err == nil {
			err = f.wait(ctx)
		}
		if err != nil {
			return auth.Snapshot{}, err
		}
		if !f.again {
			return m.Snapshot(name)
		}
	}
}

// wantRefresh joins the refresh under way, or asks for one that asks for a token
// of the session's own (nil) or another.
func (m *Manager) wantRefresh(name, program string, asks *auth.Exchange) (*flight, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, err := m.accountLocked(name)
	if err != nil {
		return nil, err
	}
	t := a.readLocked()
	a.wantedAt = t.Now
	unread, err := a.checkServableLocked(t)
	switch {
	case err != nil:
		return nil, err
	case unread:
	case a.facts.NoRefresh:
		return nil, auth.Fail(auth.KindRefused, auth.Say("cannot_renew", name), auth.Say("hint_login_force", name))
	case a.sessionLocked().Exhausted(m.limits):
		return nil, failure.Ended(name, auth.ByRefreshes)
	case a.flight == nil && a.retry.throttles() && t.Now.Before(a.retry.at):
		return nil, a.failureErrorLocked()
	}
	return a.joinLocked(program, asks), nil
}

// joinLocked joins the refresh under way, or asks for one.
func (a *account) joinLocked(program string, asks *auth.Exchange) *flight {
	if a.gone {
		f := &flight{done: make(chan struct{}), err: failure.ShuttingDown()}
		close(f.done)
		return f
	}
	if a.flight == nil {
		a.flight = &flight{done: make(chan struct{}), program: program, asks: asks}
	}
	a.poke()
	return a.flight
}

// wait waits for the refresh, or until ctx ends. The refresh goes on: it
// belongs to the Manager, not to the caller who asked first.
func (f *flight) wait(ctx context.Context) error {
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return auth.Fail(auth.KindUnavailable, auth.Say("refresh_goes_on"), auth.Say("hint_refresh_goes_on")).Because(ctx.Err())
	}
}
