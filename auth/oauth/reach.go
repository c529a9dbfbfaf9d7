package oauth

import (
	"cmp"
	"context"
	"net/http"
	"time"
)

// Reachable asks whether the authorization server answers at all, with a
// request that carries nothing and spends nothing. The answer's content does
// not matter. Errors are of type *Error.
func (c *Client) Reachable(ctx context.Context) error {
	_, err := c.ServerTime(ctx)
	return err
}

// ServerTime asks the authorization server what time it is: the Date header
// of an answer over TLS, or of one from this machine. It is zero when the
// answer has none. Errors are of type *Error.
func (c *Client) ServerTime(ctx context.Context) (time.Time, error) {
	c.mu.Lock()
	address := cmp.Or(c.config.Issuer, c.config.TokenEndpoint)
	if c.meta != nil {
		address = c.meta.token
	}
	c.mu.Unlock()
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return time.Time{}, &Error{Op: "time", Class: NotSent, Err: err}
	}
	r, failed := c.send(ctx, "time", req, tokenLimit)
	if failed != nil && failed.Class != Protocol { // a redirect is an answer too
		return time.Time{}, failed
	}
	if r == nil {
		return time.Time{}, nil
	}
	return r.date, nil
}
