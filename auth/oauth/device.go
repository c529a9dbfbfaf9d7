package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"curfew/auth"

	"golang.org/x/oauth2"
)

// DeviceFlow is a running device sign-in (RFC 8628).
type DeviceFlow struct {
	UserCode, VerificationURI, VerificationURIComplete string
	ExpiresAt                                          time.Time

	client   *Client
	meta     *metadata
	answer   *oauth2.DeviceAuthResponse
	deadline time.Time
}

const (
	pollInterval  = 5 * time.Second // RFC 8628 section 3.2: when the server does not say
	maxBackOff    = time.Minute
	maxDeviceLife = 30 * time.Minute
)

// StartDevice asks for a device code.
func (c *Client) StartDevice(ctx context.Context) (*DeviceFlow, error) {
	const op = "device sign-in"
	m, failed := c.discover(ctx)
	if failed != nil {
		return nil, failed
	}
	if m.device == "" {
		return nil, &Error{Op: op, Server: hostOf(m.token), Class: HeldBack,
			Err: fmt.Errorf("%s does not offer sign-ins on another device; sign in with the browser", c.provider.Title)}
	}
	conf := c.conf(m, "")
	g := &guard{client: c, op: op, read: readDevice}
	var options []oauth2.AuthCodeOption
	if !c.config.ClientSecret.IsZero() {
		g.authenticate = conf.Endpoint.AuthStyle == oauth2.AuthStyleInHeader
		if !g.authenticate { // x/oauth2 sends no secret here, though section 3.1 asks for it
			options = append(options, oauth2.SetAuthURLParam("client_secret", conf.ClientSecret))
		}
	}
	answer, err := conf.DeviceAuth(g.context(ctx), options...)
	if err != nil {
		return nil, g.failed(err)
	}
	left := time.Until(answer.Expiry)
	return &DeviceFlow{
		UserCode:                answer.UserCode,
		VerificationURI:         answer.VerificationURI,
		VerificationURIComplete: answer.VerificationURIComplete,
		ExpiresAt:               c.now().Add(left).Round(0),
		client:                  c,
		meta:                    m,
		answer:                  answer,
		deadline:                time.Now().Add(left),
	}, nil
}

// readDevice reads a device authorization answer (RFC 8628 section 3.2). What
// it says is shown to a person and opened in a browser, so it is checked.
func readDevice(g *guard, server string, r *reply) ([]byte, *Error) {
	if !r.ok() {
		return nil, refusal(g.op, server, r, nil)
	}
	bad := func(what string) ([]byte, *Error) {
		return nil, &Error{Class: Protocol, Err: fmt.Errorf("%s gave a device answer that cannot be used: %s", server, what)}
	}
	o, err := parseObject(r.body)
	switch {
	case !r.isJSON() || o == nil:
		return bad("not a JSON object")
	case err != nil:
		return bad(err.Error())
	}
	if code, _ := o.str("error"); code != "" {
		return nil, refusal(g.op, server, r, nil)
	}
	deviceCode, _ := o.str("device_code")
	userCode, _ := o.str("user_code")
	if !validToken(deviceCode) {
		return bad("no device_code")
	}
	if userCode == "" || len(userCode) > 64 || clean(userCode) != userCode {
		return bad("no user_code that could be typed")
	}
	uri, _ := o.str("verification_uri")
	if uri == "" {
		uri, _ = o.str("verification_url") // as Google spells it
	}
	if uri, err = parseURL(uri); err != nil {
		return bad("its verification_uri cannot be opened")
	}
	complete, _ := o.str("verification_uri_complete")
	if complete != "" {
		if complete, err = parseURL(complete); err != nil {
			return bad("its verification_uri_complete cannot be opened")
		}
	}
	life, _, err1 := o.seconds("expires_in")
	interval, _, err2 := o.seconds("interval")
	if err1 != nil || err2 != nil || life <= 0 || interval < 0 {
		return bad("its times make no sense")
	}
	if interval == 0 {
		interval = int64(pollInterval / time.Second)
	}
	body, _ := json.Marshal(map[string]any{ // strings and numbers only
		"device_code": deviceCode, "user_code": userCode,
		"verification_uri": uri, "verification_uri_complete": complete,
		"expires_in": min(life, int64(maxDeviceLife/time.Second)), "interval": min(interval, int64(maxDeviceLife/time.Second)),
	})
	return body, nil
}

// readPoll is readTokens for polling: it lets the two answers through that
// x/oauth2 handles itself (RFC 8628 section 3.5).
func readPoll(g *guard, server string, r *reply) ([]byte, *Error) {
	body, failed := readTokens(g, server, r)
	if failed != nil && (failed.Code == "authorization_pending" || failed.Code == "slow_down") {
		if failed.Code == "slow_down" {
			g.slowed++
		}
		body, _ := json.Marshal(map[string]string{"error": failed.Code})
		return body, nil
	}
	return body, failed
}

// Wait polls until the person is done.
//
// x/oauth2 polls, and gives up at the first sign of trouble; Wait starts it
// again with twice the pause (RFC 8628 section 3.5), until the code expires.
func (f *DeviceFlow) Wait(ctx context.Context) (Grant, error) {
	const op = "device sign-in"
	c := f.client
	waiting, cancel := context.WithDeadline(ctx, f.deadline)
	defer cancel()
	g := &guard{client: c, op: op, read: readPoll, repeat: true}
	for trouble := 0; ; trouble++ {
		answer := *f.answer
		answer.Expiry = time.Time{} // our deadline is the same and says why
		answer.Interval += 5 * g.slowed
		answer.Interval = max(answer.Interval, min(answer.Interval<<min(trouble, 10), int64(maxBackOff/time.Second)))
		_, err := c.conf(f.meta, "").DeviceAccessToken(g.context(waiting), &answer)
		if err == nil {
			finishing, cancel := context.WithTimeout(ctx, finishLimit)
			defer cancel()
			return c.finishSignIn(finishing, f.meta, g, auth.Secret{})
		}
		switch failed := g.failed(err); {
		case ctx.Err() != nil:
			return Grant{}, &Error{Op: op, Class: Cancelled, Err: errors.New("it was cancelled")}
		case waiting.Err() != nil, failed.Code == "expired_token":
			return Grant{}, &Error{Op: op, Class: Cancelled, Err: errors.New("nobody entered the code in time; start it again")}
		case failed.Class == NotSent, failed.Class == Unknown, failed.Class == Throttled:
			c.log.Info("device sign-in goes on after trouble", "error", failed)
		default:
			return Grant{}, failed
		}
	}
}
