package oauth

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"curfew/auth"
	"curfew/auth/oauth/dpop"
)

// DeviceFlow is a running device sign-in (RFC 8628).
type DeviceFlow struct {
	UserCode, VerificationURI, VerificationURIComplete string
	ExpiresAt                                          time.Time

	client   *Client
	meta     *metadata
	code     auth.Secret
	key      dpop.Key // zero: the tokens are not bound
	interval time.Duration
	deadline time.Time
}

const (
	pollInterval  = 5 * time.Second // RFC 8628 section 3.2: when the server does not say
	slowerBy      = 5 * time.Second // section 3.5: added for every slow_down
	maxBackOff    = time.Minute
	maxDeviceLife = 30 * time.Minute
)

// StartDevice asks for a device code.
func (c *Client) StartDevice(ctx context.Context) (*DeviceFlow, error) {
	const op = "device sign-in"
	m, failed := c.discoverNow(ctx)
	if failed != nil {
		return nil, failed
	}
	if m.device == "" {
		return nil, &Error{Op: op, Server: hostOf(m.token), Class: HeldBack,
			Err: fmt.Errorf("%s names no address for sign-ins on another device; sign in with the browser, or set device_endpoint", hostOf(m.token))}
	}
	// Section 3.1 wants client_id in the body, whatever authenticates the client.
	form := url.Values{"client_id": {c.config.ClientID}}
	if scopes := c.scopes(m); len(scopes) > 0 {
		form.Set(cmp.Or(c.provider.DeviceScopeParameter, "scope"), c.joinScopes(scopes))
	}
	c.addResource(form)
	r, failed := c.post(ctx, op, m, m.device, form, dpop.Key{})
	if failed != nil {
		return nil, failed
	}
	server := hostOf(m.device)
	f, life, failed := c.readDevice(op, server, r)
	if failed != nil {
		failed.Op, failed.Server, failed.Status = op, server, r.status
		return nil, failed
	}
	f.client, f.meta = c, m
	if c.config.DPoP == "always" { // there is no second round here: see Flow.another
		var err error
		if f.key, err = dpop.NewKey(); err != nil {
			return nil, &Error{Op: op, Class: HeldBack, Err: err}
		}
	}
	f.ExpiresAt, f.deadline = c.now().Add(life).Round(0), time.Now().Add(life)
	return f, nil
}

// readDevice reads a device authorization answer (RFC 8628 section 3.2) and
// how long it is valid. What it says is shown to a person and opened in a
// browser, so it is checked.
func (c *Client) readDevice(op, server string, r *reply) (*DeviceFlow, time.Duration, *Error) {
	if !r.ok() {
		return nil, 0, c.refusal(op, server, r)
	}
	bad := func(what string) (*DeviceFlow, time.Duration, *Error) {
		return nil, 0, &Error{Class: Protocol, Err: fmt.Errorf("%s gave a device answer that cannot be used: %s", server, what)}
	}
	o, err := r.object()
	switch {
	case o == nil:
		return bad("not a JSON object")
	case err != nil:
		return bad(err.Error())
	}
	if code, _ := o.str("error"); code != "" {
		return nil, 0, c.refusal(op, server, r)
	}
	deviceCode := strings.TrimSpace(o.text("device_code"))
	userCode := strings.TrimSpace(o.text("user_code"))
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
	if uri, err = parsePage(uri); err != nil {
		return bad("its verification_uri cannot be opened")
	}
	complete, _ := o.str("verification_uri_complete")
	if complete != "" {
		if complete, err = parsePage(complete); err != nil {
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
	limited := func(seconds int64) time.Duration { return min(time.Duration(seconds)*time.Second, maxDeviceLife) }
	f := &DeviceFlow{UserCode: userCode, VerificationURI: uri, VerificationURIComplete: complete,
		code: auth.NewSecret(deviceCode), interval: limited(interval)}
	return f, limited(life), nil
}

// parsePage is parseURL for a page that only a person opens: it may be of those
// whose path is behind a #.
func parsePage(s string) (string, error) {
	address, fragment, ok := strings.Cut(strings.TrimSpace(s), "#")
	address, err := parseURL(address)
	if ok {
		address += (&url.URL{Fragment: fragment}).String()
	}
	return address, err
}

// Wait polls until the person is done. After trouble it goes on with twice the
// pause (RFC 8628 section 3.5), until the code expires.
func (f *DeviceFlow) Wait(ctx context.Context) (Grant, error) {
	const op = "device sign-in"
	c := f.client
	waiting, cancel := context.WithDeadline(ctx, f.deadline)
	defer cancel()
	interval := f.interval
	for trouble := 0; ; {
		pause := time.NewTimer(max(interval, min(interval<<min(trouble, 10), maxBackOff)))
		select {
		case <-pause.C:
		case <-waiting.Done():
		}
		pause.Stop()
		var a answer
		failed := &Error{Op: op, Class: Cancelled, Err: waiting.Err()}
		if waiting.Err() == nil {
			a, failed = c.requestTokens(waiting, op, f.meta, url.Values{
				"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {f.code.Reveal()},
			}, f.key)
		}
		said := ""
		if failed != nil {
			said = cmp.Or(failed.Code, failed.Description) // Twitch has it where others explain
		}
		switch {
		case failed == nil:
			finishing, cancel := context.WithTimeout(ctx, finishLimit)
			defer cancel()
			return c.finishSignIn(finishing, op, f.meta, a, auth.Secret{})
		case ctx.Err() != nil:
			return Grant{}, &Error{Op: op, Class: Cancelled, Err: errCancelled}
		case waiting.Err() != nil, said == "expired_token", said == "code_expired":
			return Grant{}, &Error{Op: op, Class: Cancelled, Err: &saidError{text: auth.Say("sign_in_no_code")}}
		case said == "authorization_pending":
			trouble = 0
		case said == "slow_down":
			interval += slowerBy
		case failed.Class == NotSent, failed.Class == Unknown, failed.Class == Throttled:
			trouble++
			c.log.Info("device sign-in goes on after trouble", "error", failed)
		case failed.Class == Dead: // the code, of a session that is not there yet
			failed.Class = HeldBack
			fallthrough
		default:
			return Grant{}, failed
		}
	}
}
