package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"time"

	"curfew/auth"
	"curfew/auth/engine/binding"
	"curfew/auth/engine/exchange"
	"curfew/auth/engine/failure"
	"curfew/auth/engine/pair"
	"curfew/auth/oauth"
	"curfew/keystore"
)

// signInLimit is how long a person has in the browser.
const signInLimit = 5 * time.Minute

// signIn is one sign-in of an account, running or the last one.
type signIn struct {
	cancel context.CancelFunc
	device bool          // by device code (RFC 8628), not by redirect
	ready  chan struct{} // closed when started or err is set
	start  auth.SignInStarted
	flow   *oauth.Flow   // by redirect; set when ready
	err    error         // why it could not start
	ended  chan struct{} // closed when it has ended and its port is free

	// guarded by Manager.mu
	view      auth.SignInView
	abandoned bool // a person does not want it any more
}

// abandonLocked ends a running sign-in; even a grant that has come is not kept.
func (s *signIn) abandonLocked() {
	if s.running() {
		s.abandoned = true
		s.cancel()
	}
}

func (s *signIn) running() bool {
	return s != nil && (s.view.Phase == auth.PhaseBrowser || s.view.Phase == auth.PhaseExchange)
}

// waiter is a sign-in that waits for the person: by redirect or by device code.
type waiter func(ctx context.Context, exchanging func()) (oauth.Grant, error)

// StartSignIn starts a sign-in, or joins the one that runs. A sign-in in the
// browser gives way to one by device code, and the other way round. The session
// that is there stays untouched until the new one is safe. Errors are of type
// *Error.
func (m *Manager) StartSignIn(ctx context.Context, name string, r auth.SignInRequest) (auth.SignInStarted, error) {
	m.mu.Lock()
	a, err := m.accountLocked(name)
	if err == nil && m.running == nil {
		err = failure.ShuttingDown()
	}
	if err != nil {
		m.mu.Unlock()
		return auth.SignInStarted{}, err
	}
	r.Device = r.Device || a.server.Client != nil && a.server.Provider().DeviceFirst
	before := a.signIn
	if r.Flow != "" && (!before.running() || before.view.Flow != r.Flow) {
		m.mu.Unlock()
		return auth.SignInStarted{}, auth.Fail(auth.KindBadRequest, auth.Say("sign_in_gone"), auth.Say("hint_sign_in_gone", name))
	}
	if s := before; r.Flow == "" && s.running() && s.view.Phase == auth.PhaseBrowser && s.device != r.Device {
		s.abandonLocked() // the person wants the other way
	} else if s.running() {
		m.mu.Unlock()
		select {
		case <-s.ready:
		case <-ctx.Done():
			return auth.SignInStarted{}, auth.Fail(auth.KindUnavailable, auth.Say("sign_in_starting"), auth.Say("hint_retry")).Because(ctx.Err())
		}
		joined := s.started(r)
		joined.Joined = true
		return joined, s.err
	}
	run, cancel := context.WithTimeout(m.running, signInLimit)
	s := &signIn{
		cancel: cancel,
		ready:  make(chan struct{}),
		ended:  make(chan struct{}),
		device: r.Device,
		view:   auth.SignInView{Flow: rand.Text(), Phase: auth.PhaseBrowser, StartedAt: m.clock.Now(), Text: auth.Say("waiting_browser")},
	}
	s.start.Flow = s.view.Flow
	a.signIn = s
	s.start.Browser = a.config.Browser
	hint := a.loginHintLocked()
	m.publishLocked()
	m.wg.Go(func() {
		defer close(s.ended)
		defer cancel()
		if before != nil && !r.Device {
			select { // a fixed port is free when the one before has let go of it
			case <-before.ended:
			case <-run.Done():
			}
		}
		wait, err := m.openSignIn(run, a, s, r, hint)
		if err != nil {
			s.err = m.finishSignIn(a, s, err)
			close(s.ready)
			return
		}
		close(s.ready)
		_ = m.finishSignIn(a, s, m.completeSignIn(run, a, s, wait))
	})
	m.mu.Unlock()
	select {
	case <-s.ready:
		return s.started(r), s.err
	case <-ctx.Done(): // the caller has gone: nobody will open the browser
		cancel()
		return auth.SignInStarted{}, auth.Fail(auth.KindUnavailable, auth.Say("sign_in_slow"), auth.Say("hint_retry")).Because(ctx.Err())
	}
}

// openSignIn gets the keychain and the listener (or the device code) ready.
func (m *Manager) openSignIn(ctx context.Context, a *account, s *signIn, r auth.SignInRequest, loginHint string) (waiter, error) {
	if err := m.store.Status(ctx); errors.Is(err, keystore.ErrLocked) || errors.Is(err, keystore.ErrNoCollection) || errors.Is(err, keystore.ErrDenied) {
		m.saySignIn(s, auth.PhaseBrowser, auth.PromptID)
		if err := m.store.Unlock(ctx); err != nil { // a person is there: ask
			return nil, failure.Keychain(err)
		}
		m.saySignIn(s, auth.PhaseBrowser, "waiting_browser")
	} else if err != nil {
		return nil, failure.Keychain(err)
	}
	client, err := a.dial(ctx)
	if err != nil {
		return nil, err
	}
	if r.Device {
		f, err := client.StartDevice(ctx)
		if err != nil {
			return nil, err
		}
		s.start.URL, s.start.UserCode, s.start.ExpiresAt = cmp.Or(f.VerificationURIComplete, f.VerificationURI), f.UserCode, f.ExpiresAt
		return func(ctx context.Context, _ func()) (oauth.Grant, error) { return f.Wait(ctx) }, nil
	}
	o := oauth.SignInOptions{Timeout: signInLimit, LoginHint: loginHint, ForceLogin: r.Force, Browser: r.Browser}
	f, err := client.StartSignIn(ctx, o)
	if errors.Is(err, oauth.ErrPort) {
		if holder := m.portHolder(a, client.FixedPort()); holder != "" {
			return nil, auth.Fail(auth.KindFailed, auth.Say("sign_in_same_port", holder, client.FixedPort()), auth.Say("hint_sign_in_same_port")).Because(err)
		}
	}
	if err != nil {
		return nil, err
	}
	s.flow = f
	s.start.ExpiresAt = f.ExpiresAt
	return f.Wait, nil
}

// saySignIn publishes what a sign-in waits for.
func (m *Manager) saySignIn(s *signIn, phase auth.Phase, id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.view.Phase, s.view.Text = phase, auth.Say(id)
	m.publishLocked()
}

// portHolder names the other account whose sign-in listens on a fixed port.
func (m *Manager) portHolder(a *account, port string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, other := range m.accounts {
		if s := other.signIn; other != a && s.running() && !s.device && other.server.Client != nil && other.server.FixedPort() == port {
			return name
		}
	}
	return ""
}

// started is the answer to a request for a sign-in that is ready. Each start
// page works once, so each request gets its own.
func (s *signIn) started(r auth.SignInRequest) auth.SignInStarted {
	start := s.start
	switch {
	case s.flow == nil:
	case r.Browser:
		start.URL = s.flow.StartPage()
	default:
		start.URL = s.flow.Printed()
	}
	return start
}

// completeSignIn waits for the person, then makes the owner goroutine install
// the session.
func (m *Manager) completeSignIn(ctx context.Context, a *account, s *signIn, wait waiter) error {
	grant, err := wait(ctx, func() { m.saySignIn(s, auth.PhaseExchange, "signing_in") })
	if err != nil {
		a.revokeGrant(grant) // refused, but the server has made a session of it
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return ctx.Err()
		}
		return err
	}
	done := make(chan error, 1)
	m.mu.Lock()
	queued := a.queueLocked(func(ctx context.Context) { done <- a.install(ctx, s, grant) })
	m.mu.Unlock()
	if !queued {
		a.revokeGrant(grant)
		return failure.ShuttingDown()
	}
	return <-done
}

// finishSignIn notes how a sign-in went, in words, and returns the *Error.
func (m *Manager) finishSignIn(a *account, s *signIn, err error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		s.view.Phase, s.view.Text = auth.PhaseDone, auth.Say("signed_in")
		m.publishLocked()
		return nil
	}
	e := failure.SignIn(a.name, err)
	m.log.Info("sign-in failed", "account", a.name, "error", err)
	s.view.Phase, s.view.Error = auth.PhaseFailed, e.Kind
	s.view.Text = e.Text().Sentence()
	switch {
	case s.abandoned: // as it was wanted
		s.view.Text = auth.Say(auth.CancelledID)
	case e.Hint != "":
		s.view.Text = auth.Say("both", s.view.Text, e.HintText().Sentence())
	}
	if !s.abandoned {
		m.journal.Add(auth.Event{At: m.clock.Now(), Account: a.name, Kind: auth.EventError, Text: auth.Say("event_sign_in_failed", e.Text())})
	}
	m.publishLocked()
	return e
}

// install makes the new session durable, puts it in place of the old one,
// and only then retires the old one.
func (a *account) install(ctx context.Context, s *signIn, g oauth.Grant) error {
	m := a.m
	m.mu.Lock()
	abandoned, bound := s.abandoned, binding.Of(a.config)
	m.mu.Unlock()
	if abandoned {
		a.revokeGrant(g)
		return context.Canceled
	}
	secret, alone := kept(g)
	if alone && g.ExpiresAt.IsZero() { // it counts as expired, so there is nothing to keep
		a.revokeGrant(g)
		return auth.Fail(auth.KindRefused, auth.Say("no_lifetime"), auth.Say("hint_access_lifetime", a.name))
	}
	f := facts{Bound: bound, Clock: a.clock.Anchor(), NoRefresh: alone}
	now := a.clock.Now()
	f.apply(g)
	m.mu.Lock()
	u := use{LastActivity: now, Demand: a.use.Demand} // the callers stay the same
	if a.rec == nil {
		u.Demand = m.journal.Past(a.name).Demand
	}
	meta := f.encode(u)
	m.mu.Unlock()
	rec, err := m.store.Create(context.WithoutCancel(ctx), a.name, now,
		pair.Pack(secret, g.Key), pair.Tokens(g.AccessToken, g.IDToken), meta)
	if err != nil {
		a.revokeGrant(g)
		return failure.Keychain(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	old, found := a.rec, a.found
	words := auth.Say("event_sign_in")
	if f.Identity.Display != "" {
		words = auth.Say("event_sign_in_as", f.Identity.Display)
	}
	if old != nil && a.facts.Identity.Subject != "" && a.facts.Identity.Subject != f.Identity.Subject {
		words = auth.Say("event_replaced", words, a.facts.Identity.Display)
	}
	a.dropUnsavedLocked()
	a.traded = new(exchange.Tokens)
	a.rec, a.facts, a.use, a.access, a.id, a.found = &rec, f, u, g.AccessToken, g.IDToken, nil
	a.retry, a.storeErr, a.dirty, a.noted, a.forecastAt = retry{}, nil, false, now, time.Time{}
	a.failFlightLocked(nil) // callers that waited for a refresh get the new token
	if old != nil {
		m.retireLocked(*old, endReplaced, nil)
	}
	for _, r := range found {
		m.retireLocked(r, endReplaced, nil)
	}
	m.journal.Forget(a.name)
	m.journal.Add(auth.Event{At: now, Account: a.name, Kind: auth.EventSignIn, Text: words})
	m.publishLocked()
	return nil
}

// loginHintLocked is whom to suggest to the server.
func (a *account) loginHintLocked() string {
	id := a.facts.Identity
	if id.Subject == "" {
		id = a.m.journal.Past(a.name).Identity
	}
	return cmp.Or(id.Display, id.Subject)
}

// CancelSignIn ends a running sign-in; the session that was there stays.
// Without one it does nothing.
func (m *Manager) CancelSignIn(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, err := m.accountLocked(name)
	if err != nil {
		return err
	}
	a.signIn.abandonLocked()
	return nil
}
