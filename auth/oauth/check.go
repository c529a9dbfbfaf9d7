package oauth

import (
	"context"
	"fmt"
	"slices"
)

// Check asks the server's metadata whether an account can work there, before a
// person tries to sign in. Without discovery there is nothing to ask. That is
// not an error, and neither is a server that cannot be reached.
func (c *Client) Check(ctx context.Context) error {
	m, failed := c.discover(ctx)
	switch {
	case failed != nil && (failed.Class == HeldBack || failed.Class == Protocol || failed.Status/100 == 4):
		return failed
	case failed != nil || m.issuer == "":
		return nil
	}
	refuse := func(format string, a ...any) error {
		return &Error{Op: "discovery", Server: hostOf(m.issuer), Class: HeldBack, Err: fmt.Errorf(format, a...)}
	}
	// Servers leave entries out of their lists. So a list counts only if it has
	// the other way.
	other := map[string]string{"basic": "post", "post": "basic"}[c.provider.ClientAuth]
	if other != "" && slices.Contains(m.authMethods, "client_secret_"+other) && !slices.Contains(m.authMethods, "client_secret_"+c.provider.ClientAuth) {
		return refuse("%s takes a client secret by %q only; change client_auth", m.issuer, other)
	}
	if c.config.DPoP == "always" && !m.proofs {
		return refuse("%s binds no tokens to keys; leave dpop out", m.issuer)
	}
	if c.provider.DeviceFirst && m.device == "" {
		return refuse("%s names no device_authorization_endpoint; give device_endpoint", m.issuer)
	}
	return nil
}
