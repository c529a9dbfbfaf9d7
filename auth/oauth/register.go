package oauth

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"curfew/auth"
)

// A Registered is the client that a server made for this computer. It is
// public, or has a secret because the server insists on one.
type Registered struct {
	ClientID   string
	Secret     auth.Secret
	ClientAuth string // how the secret is sent; empty: as discovery says
	Manage     Management
}

// Management is how a registered client can be deleted (RFC 7592). The zero value
// is that of a server without a way.
type Management struct {
	URI   string
	Token auth.Secret
}

// Register asks the server for a new client (RFC 7591). The client ID of
// c is not used.
func (c *Client) Register(ctx context.Context) (Registered, error) {
	const op = "registration"
	m, failed := c.discover(ctx)
	if failed != nil {
		return Registered{}, failed
	}
	if m.registration == "" {
		server := hostOf(cmp.Or(m.issuer, m.token))
		return Registered{}, &Error{Op: op, Server: server, Class: HeldBack,
			Err: fmt.Errorf("%s does not register clients automatically; register one there, and give its client ID", server)}
	}
	grants := []string{"authorization_code", "refresh_token"}
	if m.device != "" {
		grants = append(grants, "urn:ietf:params:oauth:grant-type:device_code")
	}
	wish, err := json.Marshal(map[string]any{
		"client_name": "Curfew", "application_type": "native", "redirect_uris": []string{c.redirect.uri(c.redirect.port)},
		"grant_types": grants, "response_types": []string{"code"}, "token_endpoint_auth_method": "none", "scope": strings.Join(c.scopes(m), " "),
	})
	if err != nil {
		return Registered{}, err
	}
	req, err := http.NewRequest(http.MethodPost, m.registration, strings.NewReader(string(wish)))
	if err != nil {
		return Registered{}, &Error{Op: op, Class: HeldBack, Err: errors.New("the endpoint's address cannot be parsed")}
	}
	req.Header.Set("Content-Type", "application/json")
	server := hostOf(m.registration)
	r, failed := c.send(ctx, op, req, tokenLimit)
	if failed != nil {
		return Registered{}, failed
	}
	if !r.ok() {
		failed = c.refusal(op, server, r)
		if r.status/100 == 4 && failed.Class != Throttled {
			failed.Class = HeldBack
		}
		return Registered{}, failed
	}
	o, _ := r.object()
	var made Registered
	made.ClientID, _ = o.str("client_id")
	secret, _ := o.str("client_secret")
	made.Secret = auth.NewSecret(secret)
	switch how, _ := o.str("token_endpoint_auth_method"); {
	case how == "none":
		made.Secret = auth.Secret{} // some give one all the same
	case how == "client_secret_post":
		made.ClientAuth = "post"
	}
	if !validToken(made.ClientID) || secret != "" && !validToken(secret) {
		return Registered{}, &Error{Op: op, Server: server, Class: Protocol, Status: r.status, Err: fmt.Errorf("%s answered without a usable client_id", server)}
	}
	uri, _ := o.str("registration_client_uri")
	token, _ := o.str("registration_access_token")
	if _, err := parseURL(uri); err == nil && hostOf(uri) == server && validToken(token) {
		made.Manage = Management{uri, auth.NewSecret(token)}
	}
	return made, nil
}

// Unregister deletes a client that the server has made (RFC 7592 section 2.3). One
// that is gone already is no error. Errors are of type *Error.
func (c *Client) Unregister(ctx context.Context, at Management) error {
	const op = "deleting the registration"
	req, err := http.NewRequest(http.MethodDelete, at.URI, nil)
	if err != nil {
		return &Error{Op: op, Class: HeldBack, Err: errors.New("the registration's address cannot be parsed")}
	}
	req.Header.Set("Authorization", "Bearer "+at.Token.Reveal())
	r, failed := c.send(ctx, op, req, tokenLimit)
	switch {
	case failed != nil:
		return failed
	case r.ok(), r.status == http.StatusUnauthorized, r.status == http.StatusNotFound:
		return nil
	}
	r.secrets = []string{at.Token.Reveal()}
	return c.refusal(op, hostOf(at.URI), r)
}
