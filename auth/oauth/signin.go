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
	"curfew/auth/oauth/dpop"
	"curfew/auth/oauth/jws"

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
	options     SignInOptions
	redirectURI string
	verifier    auth.Secret
	nonce       auth.Secret // zero without OpenID Connect
	key         dpop.Key    // zero: the tokens are not bound
	again       bool        // the server has been asked once more for what was missing
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
	if c.openID(m) && m.idTokenAlgs != nil && !slices.ContainsFunc(m.idTokenAlgs, func(alg string) bool { return slices.Contains(jws.Algorithms, alg) }) {
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
	f := &Flow{
		ExpiresAt:   c.now().Add(o.Timeout).Round(0),
		client:      c,
		meta:        m,
		options:     o,
		redirectURI: c.redirect.uri(port),
		deadline:    time.Now().Add(o.Timeout),
		listeners:   listeners,
	}
	f.life, f.end = context.WithCancel(context.WithoutCancel(ctx))
	state := auth.NewSecret(rand.Text())
	f.receiver = newReceiver(c.redirect, port, state, c.log)
	f.receiver.doorstep.wanted = o.Browser
	if failed := f.ask(ctx, state, false, false); failed != nil {
		f.Close()
		return nil, failed
	}
	f.URL = f.receiver.doorstep.to
	return f, nil
}

// ask makes the authorization request of a round, with its own secrets. offline
// asks in every way there is for a refresh token; without leaves the scope
// offline_access out.
func (f *Flow) ask(ctx context.Context, state auth.Secret, offline, without bool) *Error {
	c, m := f.client, f.meta
	f.verifier, f.nonce, f.key = auth.NewSecret(oauth2.GenerateVerifier()), auth.Secret{}, dpop.Key{}
	if c.proves(m) {
		var err error
		if f.key, err = dpop.NewKey(); err != nil {
			return &Error{Op: "sign-in", Class: HeldBack, Err: err}
		}
	}
	if c.openID(m) {
		f.nonce = auth.NewSecret(rand.Text())
	}
	scopes := c.scopes(m)
	if without {
		scopes = slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return s == offlineAccess })
	}
	address := c.authorizationURL(f, state, scopes, offline)
	c.mu.Lock()
	pushes := c.pushes || m.pushedOnly
	c.mu.Unlock()
	if pushes {
		var failed *Error
		if address, failed = c.push(ctx, m, address); failed != nil {
			return failed
		}
	}
	d := &f.receiver.doorstep
	d.mu.Lock()
	defer d.mu.Unlock()
	d.to = address
	return nil
}

// offlineAccess is the scope that asks for a refresh token (OIDC Core 11).
const offlineAccess = "offline_access"

// authorizationURL is the request of RFC 6749 section 4.1.1, with PKCE S256
// (RFC 7636) wherever the provider does not refuse it.
func (c *Client) authorizationURL(f *Flow, state auth.Secret, scopes []string, offline bool) string {
	o := f.options
	var options []oauth2.AuthCodeOption
	if c.provider.PKCE != "never" {
		options = append(options, oauth2.S256ChallengeOption(f.verifier.Reveal()))
	}
	set := func(key, value string) { options = append(options, oauth2.SetAuthURLParam(key, value)) }
	if offline {
		set("access_type", "offline") // Google's way; others ignore what they do not know (RFC 6749 section 3.1)
	}
	for key, value := range c.provider.Authorize {
		set(key, value)
	}
	if !f.nonce.IsZero() {
		set("nonce", f.nonce.Reveal())
	}
	if thumb, err := f.key.Thumbprint(); err == nil {
		set("dpop_jkt", thumb) // RFC 9449 section 10: the code is bound as well
	}
	var prompt []string
	switch {
	case offline: // the person has just signed in
	case o.ForceLogin && c.provider.ForceLogin != nil:
		for key, value := range c.provider.ForceLogin {
			set(key, value)
		}
	case o.ForceLogin:
		prompt = append(prompt, "login")
	}
	if offline && !f.nonce.IsZero() {
		prompt = append(prompt, "consent") // OIDC Core 11 lets a server ignore offline_access without it
	}
	switch {
	case c.config.Prompt == "none":
	case c.config.Prompt != "":
		set("prompt", c.config.Prompt)
	case len(prompt) > 0:
		set("prompt", strings.Join(prompt, " "))
	}
	if hint := cmp.Or(c.config.LoginHint, o.LoginHint); hint != "" {
		set("login_hint", hint)
	}
	if len(scopes) > 0 {
		set(cmp.Or(c.provider.ScopeParameter, "scope"), c.joinScopes(scopes))
	}
	conf := oauth2.Config{
		ClientID: c.config.ClientID, RedirectURL: f.redirectURI,
		Endpoint: oauth2.Endpoint{AuthURL: f.meta.authorization},
	}
	var address strings.Builder
	address.WriteString(conf.AuthCodeURL(state.Reveal(), options...))
	for _, resource := range c.config.Resource { // RFC 8707 section 2: it may come several times
		address.WriteString("&resource=" + url.QueryEscape(resource))
	}
	return address.String()
}

// push hands the request to the server beforehand (RFC 9126) and returns the
// address with what stands for it.
func (c *Client) push(ctx context.Context, m *metadata, address string) (string, *Error) {
	const op = "sign-in"
	u, err := url.Parse(address)
	if err != nil {
		return "", &Error{Op: op, Class: HeldBack, Err: errors.New("the authorization endpoint's address cannot be parsed")}
	}
	r, failed := c.post(ctx, op, m, m.pushed, u.Query(), dpop.Key{})
	if failed != nil {
		return "", failed
	}
	if !r.ok() {
		return "", c.refusal(op, hostOf(m.pushed), r)
	}
	o, _ := r.object()
	uri, _ := o.str("request_uri")
	if !validToken(uri) {
		return "", &Error{Op: op, Server: hostOf(m.pushed), Class: Protocol, Status: r.status, Err: fmt.Errorf("%s took the sign-in's request and gave no request_uri for it", hostOf(m.pushed))}
	}
	base, err := url.Parse(m.authorization)
	if err != nil {
		return "", &Error{Op: op, Class: HeldBack, Err: errors.New("the authorization endpoint's address cannot be parsed")}
	}
	q := base.Query()
	q.Set("client_id", c.config.ClientID)
	q.Set("request_uri", uri)
	base.RawQuery = q.Encode()
	return base.String(), nil
}

// Wait waits for the redirect, exchanges the code, verifies the ID token and
// returns the grant. exchanging is called (if not nil) when the redirect has
// come. When Wait returns the port is closed.
//
// The browser is answered last, when the tokens are verified or refused, so
// that its page says what is true. It waits 30 s at most. What it cannot know
// is whether the caller can save the grant.
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
	grant, err := f.rounds(ctx, timeout.C, exchanging)
	if f.receiver.doorstep.isSpoiled() && err == nil {
		grant, err = grant.rotatedOnly(), errStartedTwice
	}
	f.receiver.round.Load().end(pageFor(err), "")
	return grant, err
}

// rounds waits for what the browser brings. Another round asks for what the one
// before did not bring, in the same tab.
func (f *Flow) rounds(ctx context.Context, timeout <-chan time.Time, exchanging func()) (Grant, error) {
	for first := true; ; first = false {
		now := f.receiver.round.Load()
		select {
		case values := <-now.answer:
			if first && exchanging != nil {
				exchanging()
			}
			grant, err := f.finish(ctx, values)
			if !f.another(ctx, grant, err) {
				return grant, err
			}
			now.end(pages.Page{}, f.receiver.doorstep.address())
		case <-f.receiver.doorstep.spoiled:
			return Grant{}, errStartedTwice
		case <-ctx.Done():
			return Grant{}, errSignInCancelled
		case <-timeout:
			return Grant{}, &Error{Op: "sign-in", Class: Cancelled, Err: &saidError{text: auth.Say("sign_in_no_time")}}
		}
	}
}

// another starts the second round where it may help: the server does not know
// the scope offline_access, or it gave no refresh token though one was wanted, or
// it bound the access token to a key, which nobody asked for. What it gave then
// is worth nothing to anybody without that key, which is dropped. Or it wants the
// requests of this client beforehand, which its metadata do not say.
// To ask for consent from the start would annoy where it was given before, and
// some servers then want an administrator.
func (f *Flow) another(ctx context.Context, grant Grant, err error) bool {
	c := f.client
	e, refused := errors.AsType[*Error](err)
	without := refused && e.Code == "invalid_scope" && slices.Contains(c.scopes(f.meta), offlineAccess)
	missing := err == nil && grant.RefreshToken.IsZero() && !f.nonce.IsZero() && slices.Contains(c.wantedScopes(), offlineAccess)
	bound := c.config.DPoP == "" && !f.key.IsZero() && (err == nil && grant.TokenType == dpop.TokenType || refused && e.Code == "invalid_dpop_proof")
	push := refused && e.Code == "invalid_request" && e.Status == 0 && f.meta.pushed != "" && !f.meta.pushedOnly // RFC 9126 section 6
	c.mu.Lock()
	push = push && !c.pushes // once, and it does not count as another round
	again := push || !f.again && (without || missing || bound)
	f.again = f.again || again && !push
	c.binds, c.pushes = c.binds || bound, c.pushes || push
	c.mu.Unlock()
	if !again {
		return false
	}
	state := auth.NewSecret(rand.Text())
	if failed := f.ask(ctx, state, without || missing, without); failed != nil {
		c.mu.Lock()
		c.pushes = c.pushes && !push
		c.mu.Unlock()
		return false
	}
	c.log.Info("asking the server once more", "without offline_access", without, "for a refresh token", missing, "for tokens without a key", bound, "beforehand", push)
	f.receiver.begin(state)
	return true
}

// finish turns the answer that the browser brought into a grant.
func (f *Flow) finish(ctx context.Context, values url.Values) (Grant, error) {
	code, err := f.readAnswer(values)
	if err != nil {
		return Grant{}, err
	}
	limited, cancel := context.WithTimeout(ctx, finishLimit)
	defer cancel()
	grant, err := f.client.exchange(limited, f.meta, f.redirectURI, code, f.verifier, f.nonce, f.key)
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
	// code traded at the wrong place. Errors carry iss as well. A JWT has it inside.
	if iss, ok := values["iss"]; ok && f.meta.issuer != "" && !f.meta.isIssuer(iss[0]) {
		return refuse("the answer came from another server than %s; do not sign in there", f.meta.issuer)
	} else if !ok && f.meta.namesItself && !values.Has("response") {
		return refuse("the answer does not say that it is from %s, although that server always does", f.meta.issuer)
	}
	if values.Has("error") || values.Has("error_code") { // which is Facebook's
		if values.Has("code") {
			return refuse("%s answered with both a code and an error", server)
		}
		code, words := cmp.Or(values.Get("error"), values.Get("error_code")), cmp.Or(values.Get("error_description"), values.Get("error_message"))
		e := &Error{Op: "sign-in", Server: server, Class: f.client.codeClass(code, words),
			Code: cleanCode(code), Description: clean(words), Forced: f.options.ForceLogin}
		if e.Class == Dead { // there is no token yet that could be
			e.Class = HeldBack
		}
		return auth.Secret{}, e
	}
	code, ok := codeFrom(values)
	switch {
	case values.Has("error_description"):
		return auth.Secret{}, &Error{Op: "sign-in", Server: server, Class: HeldBack, Description: clean(values.Get("error_description"))}
	case values.Has("response"):
		return refuse("%s answered in the response mode jwt; have it use query for this client", server)
	case values.Has("access_token") || values.Has("id_token"):
		return refuse("%s answered with tokens in place of a code; have it use the response type code for this client", server)
	case !values.Has("state"):
		return refuse("%s answered without the state that it was given, which proves that an answer belongs to this sign-in", server)
	case !ok:
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
	// errStartedTwice means that another browser or program has read the
	// address.
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
