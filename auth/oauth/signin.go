package oauth

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"curfew/auth"

	"golang.org/x/oauth2"

	"curfew/assets/pages"
)

// SignInOptions shape one sign-in.
type SignInOptions struct {
	ForceLogin bool          // prompt=login, or the provider's own way to say it
	LoginHint  string        // login_hint
	Browser    bool          // a front end opens a browser, at Flow.StartPage: the answer must come from there
	Timeout    time.Duration // 0: 5 min
}

const (
	signInLimit = 5 * time.Minute
	// finishLimit bounds exchange, keys and userinfo together; so long a
	// browser waits for the final page.
	finishLimit = 30 * time.Second
)

// Flow is a running loopback sign-in: its listener is open before URL exists.
// Call Wait, or Close.
type Flow struct {
	URL       string // the server's authorization URL; see Printed and StartPage
	ExpiresAt time.Time

	client      *Client
	meta        *metadata
	redirectURI string
	verifier    auth.Secret
	nonce       auth.Secret // zero without OpenID Connect
	deadline    time.Time
	listeners   []net.Listener
	receiver    *receiver

	waited atomic.Bool
	life   context.Context // ends with Close
	end    context.CancelFunc
}

// StartSignIn opens the loopback listener and returns the URL to open. ctx is
// for discovery only.
func (c *Client) StartSignIn(ctx context.Context, o SignInOptions) (*Flow, error) {
	const op = "sign-in"
	m, failed := c.discoverNow(ctx)
	if failed != nil {
		return nil, failed
	}
	if c.openID(m) && m.idTokenAlgs != nil && !slices.ContainsFunc(m.idTokenAlgs, func(alg string) bool { return slices.Contains(idTokenAlgs, alg) }) {
		return nil, &Error{Op: op, Server: hostOf(m.issuer), Class: HeldBack,
			Err: fmt.Errorf("%s signs its ID tokens with %s only, which proves nothing to a program on your computer; have it use RS256 or ES256, or leave the scope openid out", hostOf(m.issuer), clean(strings.Join(m.idTokenAlgs, ", ")))}
	}
	if o.Timeout <= 0 {
		o.Timeout = signInLimit
	}
	listeners, port, err := c.redirect.listen()
	if err != nil {
		return nil, &Error{Op: op, Class: HeldBack, Err: err}
	}
	state := auth.NewSecret(rand.Text())
	f := &Flow{
		ExpiresAt:   c.now().Add(o.Timeout).Round(0),
		client:      c,
		meta:        m,
		redirectURI: c.redirect.uri(port),
		verifier:    auth.NewSecret(oauth2.GenerateVerifier()),
		deadline:    time.Now().Add(o.Timeout),
		listeners:   listeners,
		receiver:    newReceiver(c.redirect, port, state, c.log),
	}
	f.life, f.end = context.WithCancel(context.WithoutCancel(ctx))
	if c.openID(m) {
		f.nonce = auth.NewSecret(rand.Text())
	}
	f.URL = c.authorizationURL(f, state, o)
	f.receiver.doorstep.wanted = o.Browser
	return f, nil
}

// authorizationURL is the request of RFC 6749 section 4.1.1, with PKCE S256
// (RFC 7636) wherever the provider does not refuse it.
func (c *Client) authorizationURL(f *Flow, state auth.Secret, o SignInOptions) string {
	var options []oauth2.AuthCodeOption
	if c.provider.PKCE != "never" {
		options = append(options, oauth2.S256ChallengeOption(f.verifier.Reveal()))
	}
	set := func(key, value string) { options = append(options, oauth2.SetAuthURLParam(key, value)) }
	for key, value := range c.provider.Authorize {
		set(key, value)
	}
	if !f.nonce.IsZero() {
		set("nonce", f.nonce.Reveal())
	}
	var prompt []string
	switch {
	case o.ForceLogin && c.provider.ForceLogin != nil:
		for key, value := range c.provider.ForceLogin {
			set(key, value)
		}
	case o.ForceLogin:
		prompt = append(prompt, "login")
	}
	if !f.nonce.IsZero() && slices.Contains(c.scopes(f.meta), "offline_access") {
		prompt = append(prompt, "consent") // OIDC Core 11: without it offline_access is ignored
	}
	if len(prompt) > 0 {
		set("prompt", strings.Join(prompt, " "))
	}
	if o.LoginHint != "" {
		set("login_hint", o.LoginHint)
	}
	if scopes := c.scopes(f.meta); len(scopes) > 0 {
		set(cmp.Or(c.provider.ScopeParameter, "scope"), c.joinScopes(scopes))
	}
	conf := oauth2.Config{
		ClientID: c.config.ClientID, RedirectURL: f.redirectURI,
		Endpoint: oauth2.Endpoint{AuthURL: f.meta.authorization},
	}
	return conf.AuthCodeURL(state.Reveal(), options...)
}

// Wait waits for the redirect, exchanges the code, verifies the ID token and
// returns the grant. exchanging is called (if not nil) when the redirect has
// come. When Wait returns the port is closed.
//
// The browser is answered last, when the tokens are verified or refused, so
// that its page tells the truth; it waits 30 s at most. What it cannot know is
// whether the caller can save the grant.
func (f *Flow) Wait(ctx context.Context, exchanging func()) (Grant, error) {
	if f.waited.Swap(true) {
		return Grant{}, &Error{Op: "sign-in", Class: Cancelled, Err: &saidError{text: auth.Say("sign_in_taken")}}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(f.life, cancel)()

	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	var server sync.WaitGroup
	server.Go(func() { f.receiver.serve(serving, f.listeners) })
	defer server.Wait()
	defer stop()

	timeout := time.NewTimer(time.Until(f.deadline))
	defer timeout.Stop()
	var grant Grant
	var err error
	select {
	case values := <-f.receiver.answer:
		if exchanging != nil {
			exchanging()
		}
		grant, err = f.finish(ctx, values)
	case <-f.receiver.doorstep.spoiled:
		err = errStartedTwice
	case <-ctx.Done():
		err = errSignInCancelled
	case <-timeout.C:
		err = &Error{Op: "sign-in", Class: Cancelled, Err: &saidError{text: auth.Say("sign_in_no_time")}}
	}
	if f.receiver.doorstep.isSpoiled() && err == nil {
		grant, err = grant.rotatedOnly(), errStartedTwice
	}
	f.receiver.end(pageFor(err))
	return grant, err
}

// finish turns the answer that the browser brought into a grant.
func (f *Flow) finish(ctx context.Context, values url.Values) (Grant, error) {
	code, err := f.readAnswer(values)
	if err != nil {
		return Grant{}, err
	}
	limited, cancel := context.WithTimeout(ctx, finishLimit)
	defer cancel()
	grant, err := f.client.exchange(limited, f.meta, f.redirectURI, code, f.verifier, f.nonce)
	if err != nil && ctx.Err() != nil {
		return grant, errSignInCancelled
	}
	return grant, err
}

// readAnswer checks an authorization answer with the right state and returns
// its code (RFC 6749 section 4.1.2).
func (f *Flow) readAnswer(values url.Values) (auth.Secret, error) {
	server := hostOf(f.meta.authorization)
	refuse := func(format string, a ...any) (auth.Secret, error) {
		return auth.Secret{}, &Error{Op: "sign-in", Server: server, Class: Protocol, Err: fmt.Errorf(format, a...)}
	}
	// RFC 9207 section 2.4: an answer of another server, sent here to have its
	// code traded at the wrong place. Errors carry iss as well.
	if iss, ok := values["iss"]; ok && f.meta.issuer != "" && !f.meta.isIssuer(iss[0]) {
		return refuse("the answer came from another server than %s; do not sign in there", f.meta.issuer)
	} else if !ok && f.meta.namesItself {
		return refuse("the answer does not say that it is from %s, although that server always does", f.meta.issuer)
	}
	if values.Has("error") {
		if values.Has("code") {
			return refuse("%s answered with both a code and an error", server)
		}
		code, words := values.Get("error"), values.Get("error_description")
		e := &Error{Op: "sign-in", Server: server, Class: f.client.codeClass(code, words),
			Code: cleanCode(code), Description: clean(words)}
		if e.Class == Dead { // there is no token yet that could be
			e.Class = HeldBack
		}
		return auth.Secret{}, e
	}
	code, ok := codeFrom(values)
	if !ok {
		return refuse("%s answered with neither a code nor an error", server)
	}
	return code, nil
}

// Close ends the flow early; Wait returns a Cancelled error. It may be called
// more than once.
func (f *Flow) Close() {
	f.end()
	for _, ln := range f.listeners {
		ln.Close()
	}
}

var (
	// errStartedTwice: another browser, or another program, has read the address.
	errStartedTwice    error = &Error{Op: "sign-in", Class: Cancelled, Err: &saidError{text: auth.Say("sign_in_started_twice")}}
	errCancelled             = &saidError{text: auth.Say(auth.CancelledID)}
	errSignInCancelled error = &Error{Op: "sign-in", Class: Cancelled, Err: errCancelled}
)

// pageFor is the page that a browser ends on.
func pageFor(err error) pages.Page {
	e, failed := errors.AsType[*Error](err)
	switch {
	case err == nil:
		return pages.SignInDone
	case failed && e.Class == Denied:
		return pages.SignInDenied
	case failed && e.Class == Cancelled:
		return pages.SignInExpired
	}
	return pages.SignInFailed
}
