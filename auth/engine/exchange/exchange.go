// Package exchange keeps the tokens that a session's access token was traded
// for (RFC 8693): tokens with less power, each for one audience. Its one hard
// idea is that they cost nothing that is scarce. The refresh token is never
// sent, and many callers share one trade.
package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
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
	busy     chan struct{} // of capacity 1: held by who trades
	grant    oauth.Grant
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
	switch {
	case t.err != nil && at.Sub(t.failedAt).Abs() < failureHeld:
		return oauth.Grant{}, false, t.err
	case !t.grant.AccessToken.IsZero() && auth.Serve(t.grant.ExpiresAt, t.grant.ExpiresIn, minValid, at) == auth.ServeToken:
		return t.grant, false, nil
	}
	if t.grant, t.err = trade(); errors.Is(t.err, context.Canceled) { // of this caller alone
		t.failedAt = time.Time{}
	} else {
		t.failedAt = now()
	}
	return t.grant, t.err == nil, t.err
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
