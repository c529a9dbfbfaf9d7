// Package exchange keeps the tokens that a session's access token was traded
// for (RFC 8693). They have less power, each for one audience. Its one hard
// idea is that they cost nothing that is scarce: the refresh token is not
// sent, and many callers share one trade.
package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"sync"
	"time"

	"curfew/auth"
	"curfew/auth/oauth"
)

// Form is the request of r on the strength of an access token (RFC 8693
// section 2.1).
func Form(r auth.Exchange, access auth.Secret) url.Values {
	const accessToken = "urn:ietf:params:oauth:token-type:access_token"
	form := url.Values{"subject_token": {access.Reveal()}, "subject_token_type": {accessToken}, "requested_token_type": {accessToken}}
	for name, values := range map[string][]string{"audience": r.Audience, "resource": r.Resource} {
		if len(values) > 0 {
			form[name] = values
		}
	}
	return form
}

const (
	maxKept     = 64              // tokens of one session; more are traded for again
	failureHeld = 2 * time.Second // a refusal answers those who wait for the same trade
)

// Tokens are those of one session. The zero value has none, and it is safe for
// concurrent use. They are in memory only.
type Tokens struct {
	mu   sync.Mutex
	kept map[string]*token
}

// token is what one request got.
type token struct {
	grant oauth.Grant // guarded by Tokens.mu

	busy     chan struct{} // of capacity 1: held by who trades, for what follows
	err      error
	failedAt time.Time
}

// Get returns a token for r that is valid for minValid, if that can be had.
// trade asks the server for another. now is the session's clock.
func (k *Tokens) Get(ctx context.Context, r auth.Exchange, minValid time.Duration, now func() time.Time, trade func() (oauth.Grant, error)) (g oauth.Grant, traded bool, err error) {
	t, err := k.token(r)
	if err != nil {
		return oauth.Grant{}, false, err
	}
	select {
	case t.busy <- struct{}{}:
		defer func() { <-t.busy }()
	case <-ctx.Done():
		return oauth.Grant{}, false, ctx.Err()
	}
	at := now()
	var held oauth.Grant
	k.locked(func() { held = t.grant })
	if r.Refresh { // which costs one: not before half of the token's life is over
		minValid = min(minValid, held.ExpiresIn/2)
	}
	switch {
	case t.err != nil && at.Sub(t.failedAt).Abs() < failureHeld:
		return oauth.Grant{}, false, t.err
	case !held.AccessToken.IsZero() && auth.Serve(held.ExpiresAt, held.ExpiresIn, minValid, at) == auth.ServeToken:
		return held, false, nil
	}
	if g, t.err = trade(); t.err != nil {
		if t.failedAt = now(); errors.Is(t.err, context.Canceled) { // of this caller alone
			t.failedAt = time.Time{}
		}
		return oauth.Grant{}, false, t.err
	}
	k.locked(func() { t.grant = g })
	return g, true, nil
}

// Put keeps a token for r that nobody may be waiting for any more.
func (k *Tokens) Put(r auth.Exchange, g oauth.Grant) {
	if t, err := k.token(r); err == nil {
		k.locked(func() { t.grant = g })
	}
}

func (k *Tokens) locked(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f()
}

// Same reports whether two requests ask for the same; nil is none.
func Same(r, o *auth.Exchange) bool {
	if r == nil || o == nil {
		return r == o
	}
	return r.Refresh == o.Refresh && slices.Equal(r.Audience, o.Audience) && slices.Equal(r.Resource, o.Resource) && slices.Equal(r.Scope, o.Scope)
}

// token finds the place of a request's token.
func (k *Tokens) token(r auth.Exchange) (*token, error) {
	key, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.kept[string(key)]
	if t == nil {
		if k.kept == nil || len(k.kept) >= maxKept {
			k.kept = map[string]*token{}
		}
		t = &token{busy: make(chan struct{}, 1)}
		k.kept[string(key)] = t
	}
	return t, nil
}
