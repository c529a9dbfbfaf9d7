package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"curfew/auth/oauth/jws"
)

// keyCache is the issuer's key set.
type keyCache struct {
	from      string    // the address that it was read from
	keys      []jws.Key // nil before the first fetch
	refetched time.Time // when an unknown key last made us fetch again
}

// errNoKey: the key set has been read, and none of its keys can have signed.
var errNoKey = errors.New("no key that fits the ID token")

// refetchPause keeps tokens with made-up key ids from making us fetch. Servers
// may roll their keys twice in a minute.
const refetchPause = 5 * time.Second

// verificationKeys returns the keys that may have signed a token; without a kid
// every key that fits the alg may be tried. Servers roll their keys, so refetch
// and an unknown key both make it fetch the set again, if the last time is long
// enough ago.
func (c *Client) verificationKeys(ctx context.Context, m *metadata, kid, alg string, refetch bool) (fit []jws.Key, failed *Error) {
	c.mu.Lock()
	keys := c.keys.keys
	c.mu.Unlock()
	if refetch && c.mayRefetch() {
		keys = nil
	}
	fresh := keys == nil
	if fresh {
		if keys, failed = c.fetchKeys(ctx, m); failed != nil {
			return nil, failed
		}
	}
	fit = jws.Fitting(keys, kid, alg)
	if len(fit) == 0 && !fresh && c.mayRefetch() {
		if keys, failed = c.fetchKeys(ctx, m); failed != nil {
			return nil, failed
		}
		fit = jws.Fitting(keys, kid, alg)
	}
	if len(fit) == 0 {
		return nil, &Error{Op: "discovery", Server: hostOf(m.jwks), Class: Protocol, Err: fmt.Errorf("%s has %w", hostOf(m.jwks), errNoKey)}
	}
	return fit, nil
}

// mayRefetch reports whether the last time that an unknown key made us fetch is
// long enough ago, and notes this one.
func (c *Client) mayRefetch() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if now.Sub(c.keys.refetched).Abs() < refetchPause {
		return false
	}
	c.keys.refetched = now
	return true
}

// fetchKeys reads the issuer's key set and keeps it.
func (c *Client) fetchKeys(ctx context.Context, m *metadata) ([]jws.Key, *Error) {
	o, failed := c.getPublic(ctx, "discovery", m.jwks)
	if failed != nil {
		return nil, failed
	}
	keys, err := readKeys(o)
	if err != nil {
		return nil, &Error{Op: "discovery", Server: hostOf(m.jwks), Class: Protocol, Err: fmt.Errorf("%s %w", hostOf(m.jwks), err)}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys.keys = keys
	return keys, nil
}

// warmKeys gets the server's keys if none are known yet. It comes before a
// refresh. The answer may make the old refresh token useless, so nothing should
// have to be fetched before the new one is saved. The refresh goes on without
// the keys, which are tried again when needed.
func (c *Client) warmKeys(ctx context.Context, m *metadata) {
	c.mu.Lock()
	known := c.keys.keys != nil
	c.mu.Unlock()
	if known || !c.openID(m) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, keysLimit)
	defer cancel()
	if _, failed := c.fetchKeys(ctx, m); failed != nil {
		c.log.Info("the server's keys cannot be read yet", "error", failed)
	}
}

// keysLimit bounds the fetch of keys ahead of a refresh, of whose time it is taken.
const keysLimit = 4 * time.Second

// maxKeys bounds a key set. One that is full of slow keys must not make a check
// last for minutes.
const maxKeys = 100

// readKeys returns the usable keys of a JWKS, not nil without an error.
func readKeys(o object) ([]jws.Key, error) {
	keys := []jws.Key{}
	var list []json.RawMessage
	if json.Unmarshal(o["keys"], &list) != nil {
		return keys, nil
	}
	if len(list) > maxKeys {
		return nil, fmt.Errorf("publishes %d keys, and no more than %d are read", len(list), maxKeys)
	}
	for _, raw := range list {
		jwk, err := parseObject(raw)
		if err != nil {
			continue
		}
		if key, err := jws.ReadKey(jwk); err == nil {
			keys = append(keys, key)
		}
	}
	return keys, nil
}
