package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"curfew/auth/oauth"
	"curfew/keystore"
)

// signInLimit is how long a person has in the browser.
const signInLimit = 5 * time.Minute

// signIn is one sign-in of an account, running or the last one.
type signIn struct {
	cancel context.CancelFunc
	ready  chan struct{} // closed when started or err is set
	start  SignInStarted
	err    error // why it could not start

	// guarded by Manager.mu
	view SignInView
}

func (s *signIn) running() bool {
	return s != nil && (s.view.Phase == PhaseBrowser || s.view.Phase == PhaseExchange)
}

// waiter is a sign-in that waits for the person: by redirect or by device code.
type waiter func(ctx context.Context, exchanging func()) (oauth.Grant, error)

// StartSignIn starts a sign-in, or joins the one that runs. The session that
// is there stays untouched until the new one is safe. Errors are of type
// *Error.
func (m *Manager) StartSignIn(ctx context.Context, name string, r SignInRequest) (SignInStarted, error) {
	if err := m.awaitRun(ctx); err != nil {
		return SignInStarted{}, err
	}
	m.mu.Lock()
	a, err := m.accountLocked(name)
	if err == nil && m.running == nil {
		err = &Error{Kind: KindUnavailable, Message: "the agent is shutting down", Hint: "try again"}
	}
	if err != nil {
		m.mu.Unlock()
		return SignInStarted{}, err
	}
	if s := a.signIn; s.running() {
		m.mu.Unlock()
		select {
		case <-s.ready:
		case <-ctx.Done():
			return SignInStarted{}, &Error{Kind: KindUnavailable, Message: "the sign-in is still starting", Hint: "try again", cause: ctx.Err()}
		}
		joined := s.start
		joined.Joined = true
		return joined, s.err
	}
	run, cancel := context.WithTimeout(m.running, signInLimit)
	s := &signIn{
		cancel: cancel,
		ready:  make(chan struct{}),
		view:   SignInView{Flow: rand.Text(), Phase: PhaseBrowser, StartedAt: m.clock.Now(), Message: "Waiting for you in the browser."},
	}
	a.signIn = s
	hint := a.loginHintLocked()
	m.publishLocked()
	m.wg.Go(func() {
		defer cancel()
		wait, err := m.openSignIn(run, a, s, r, hint)
		if err != nil {
			s.err = m.finishSignIn(a, s, err)
			close(s.ready)
			return
		}
		close(s.ready)
		m.finishSignIn(a, s, m.completeSignIn(run, a, s, wait))
	})
	m.mu.Unlock()
	select {
	case <-s.ready:
		return s.start, s.err
	case <-ctx.Done(): // who asked has gone: nobody will open the browser
		cancel()
		return SignInStarted{}, &Error{Kind: KindUnavailable, Message: "the sign-in took too long to start", Hint: "try again", cause: ctx.Err()}
	}
}

// openSignIn gets the keychain and the listener (or the device code) ready.
func (m *Manager) openSignIn(ctx context.Context, a *account, s *signIn, r SignInRequest, loginHint string) (waiter, error) {
	if err := m.store.Status(ctx); errors.Is(err, keystore.ErrLocked) {
		if err := m.store.Unlock(ctx); err != nil { // a person is there: ask
			return nil, keychainError(err)
		}
	} else if err != nil {
		return nil, keychainError(err)
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
		url := f.VerificationURIComplete
		if url == "" {
			url = f.VerificationURI
		}
		s.start = SignInStarted{Flow: s.view.Flow, URL: url, UserCode: f.UserCode, ExpiresAt: f.ExpiresAt}
		return func(ctx context.Context, _ func()) (oauth.Grant, error) { return f.Wait(ctx) }, nil
	}
	o := oauth.SignInOptions{Timeout: signInLimit, LoginHint: loginHint, ForceLogin: r.Force}
	f, err := client.StartSignIn(ctx, o)
	if err != nil {
		return nil, err
	}
	s.start = SignInStarted{Flow: s.view.Flow, URL: f.URL, ExpiresAt: f.ExpiresAt}
	return f.Wait, nil
}

// completeSignIn waits for the person and has the session installed.
func (m *Manager) completeSignIn(ctx context.Context, a *account, s *signIn, wait waiter) error {
	grant, err := wait(ctx, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		s.view.Phase, s.view.Message = PhaseExchange, "Signing in."
		m.publishLocked()
	})
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	m.mu.Lock()
	a.ops = append(a.ops, func(ctx context.Context) { done <- a.install(ctx, grant) })
	a.poke()
	m.mu.Unlock()
	select {
	case err := <-done:
		return err
	case <-ctx.Done(): // the owner goroutine may be gone
		select {
		case err := <-done:
			return err
		case <-time.After(attemptLimit):
			return ctx.Err()
		}
	}
}

// finishSignIn notes how a sign-in went, in words, and returns the *Error.
func (m *Manager) finishSignIn(a *account, s *signIn, err error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		s.view.Phase, s.view.Message = PhaseDone, "Signed in."
		m.publishLocked()
		return nil
	}
	e := signInError(a.name, err)
	m.log.Info("sign-in failed", "account", a.name, "error", err)
	s.view.Phase, s.view.Error = PhaseFailed, e.Kind
	s.view.Message = sentence(e.Message)
	if e.Hint != "" {
		s.view.Message += " " + sentence(e.Hint)
	}
	m.journal.add(Event{At: m.clock.Now(), Account: a.name, Kind: EventError, Message: "sign-in failed: " + e.Message})
	m.publishLocked()
	return e
}

// install makes the new session durable, puts it in place of the old one,
// and only then retires the old one.
func (a *account) install(ctx context.Context, g oauth.Grant) error {
	m := a.m
	if g.RefreshToken.IsZero() {
		return &Error{
			Kind:    KindRefused,
			Message: "the server gave no refresh token, so the session could not last",
			Hint:    "add the scope offline_access to the account, or allow refresh tokens for this client at the provider",
		}
	}
	m.clock.Confirm(g.Bounds.ServerTime)
	now := m.clock.Now()
	f := facts{Bound: a.config.binding(), Clock: m.clock.Anchor()}
	f.apply(g, now)
	m.mu.Lock()
	u := use{LastActivity: now, Demand: a.use.Demand} // the callers stay the same
	if a.rec == nil {
		u.Demand = m.journal.past(a.name).Demand
	}
	meta := f.encode(u)
	m.mu.Unlock()
	rec, err := m.store.Create(context.WithoutCancel(ctx), a.name, now,
		[]byte(g.RefreshToken.Reveal()), []byte(g.AccessToken.Reveal()), meta)
	if err != nil {
		a.revokeGrant(ctx, g)
		return keychainError(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	old, found := a.rec, a.found
	words := "signed in"
	if f.Identity.Display != "" {
		words += " as " + f.Identity.Display
	}
	if old != nil && a.facts.Identity.Subject != "" && a.facts.Identity.Subject != f.Identity.Subject {
		words += ", in place of " + a.facts.Identity.Display
	}
	a.rec, a.facts, a.use, a.access, a.unsaved, a.found = &rec, f, u, g.AccessToken, nil, nil
	a.retry, a.storeErr, a.dirty, a.noted, a.forecastAt = retry{}, nil, false, now, time.Time{}
	a.loadedLocked()
	if old != nil {
		m.retireLocked(*old, a.server, endReplaced)
	}
	for _, r := range found {
		m.retireLocked(r, a.server, endReplaced)
	}
	m.journal.forget(a.name)
	m.journal.add(Event{At: now, Account: a.name, Kind: EventSignIn, Message: words})
	m.publishLocked()
	return nil
}

// loginHintLocked is whom to suggest to the server.
func (a *account) loginHintLocked() string {
	id := a.facts.Identity
	if id.Subject == "" {
		id = a.m.journal.past(a.name).Identity
	}
	if id.Display != "" {
		return id.Display
	}
	return id.Subject
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
	if a.signIn.running() {
		a.signIn.cancel()
	}
	return nil
}

// endReplaced is why the store ended a session that a newer sign-in replaced.
const endReplaced = "replaced"

// SignOut ends the session here first, then revokes it at the server, then
// erases it. It waits a while for the server; what it could not reach by then
// is tried again for a day. Errors are of type *Error.
func (m *Manager) SignOut(ctx context.Context, name string) (SignOutResult, error) {
	if err := m.awaitRun(ctx); err != nil {
		return SignOutResult{}, err
	}
	m.mu.Lock()
	a, err := m.accountLocked(name)
	if err != nil {
		m.mu.Unlock()
		return SignOutResult{}, err
	}
	if a.signIn.running() {
		a.signIn.cancel()
	}
	type outcome struct {
		res SignOutResult
		err error
	}
	done := make(chan outcome, 1)
	op := func(ctx context.Context) {
		res, err := a.signOut(ctx)
		done <- outcome{res, err}
	}
	if m.running == nil {
		err = &Error{Kind: KindUnavailable, Message: "the agent is shutting down", Hint: "try again"}
		m.mu.Unlock()
		return SignOutResult{}, err
	}
	a.ops = append(a.ops, op)
	a.poke()
	m.mu.Unlock()
	select {
	case o := <-done:
		return o.res, o.err
	case <-ctx.Done():
		return SignOutResult{}, &Error{Kind: KindUnavailable, Message: "the sign-out takes longer than the caller waits", Hint: "it goes on; look with `curfew status`", cause: ctx.Err()}
	}
}

// signOut runs on the owner goroutine.
func (a *account) signOut(ctx context.Context) (SignOutResult, error) {
	m := a.m
	if _, err := a.dial(ctx); err != nil {
		m.log.Warn("signing out without the client secret", "account", a.name, "error", err)
	}
	m.mu.Lock()
	recs := a.found
	a.found = nil
	if a.rec != nil {
		recs = append(recs, *a.rec)
	}
	provider := a.server.Provider()
	m.mu.Unlock()
	if len(recs) == 0 {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.journal.past(a.name).Reason != "" {
			m.journal.ended(pastSession{Account: a.name, Reason: ByUser, At: m.clock.Now()})
		}
		m.publishLocked()
		return SignOutResult{Message: "There was no session."}, nil
	}
	var results []<-chan error
	for _, rec := range recs {
		// The tombstone comes first: after it the session never comes back.
		ended, err := m.store.End(context.WithoutCancel(ctx), rec.ID, string(ByUser))
		if err != nil {
			return SignOutResult{}, &Error{Kind: KindFailed, Message: "the session could not be closed: " + err.Error(), Hint: "check the state directory with `curfew doctor`", cause: err}
		}
		m.mu.Lock()
		if a.rec != nil && a.rec.ID == rec.ID {
			a.recordEndLocked(ended, ByUser)
		} else {
			m.journal.ended(pastSession{Account: a.name, Reason: ByUser, At: m.clock.Now()})
		}
		results = append(results, m.retireLocked(ended, a.server, string(ByUser)))
		m.mu.Unlock()
	}
	wait, cancel := context.WithTimeout(ctx, 2*attemptLimit)
	defer cancel()
	res := SignOutResult{Revoked: true, Message: "Signed out, and the server revoked the session."}
	for _, r := range results {
		var err error
		select {
		case err = <-r:
		case <-wait.Done():
			err = wait.Err()
		}
		switch {
		case err == nil:
		case errors.Is(err, oauth.ErrNoRevocation):
			res = SignOutResult{Message: "Signed out and erased here. The provider has no way to revoke a session from outside.", URL: provider.RemoveAccessURL}
			if res.URL != "" {
				res.Message += " Remove access at " + res.URL + "."
			}
		default:
			res = SignOutResult{Message: "Signed out here. The server could not be reached to revoke the session; Curfew tries again for a day."}
		}
	}
	return res, nil
}

// revokeFor is how long a sign-out is tried at the server.
const revokeFor = 24 * time.Hour

// retire closes a session that is no longer its account's: it is revoked at
// the server, then erased. Without a server it is erased only.
func (m *Manager) retire(rec keystore.Record, s server, why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.retireLocked(rec, s, why)
}

// retireLocked starts that and returns where the first outcome at the server
// will be: nil when it confirmed.
func (m *Manager) retireLocked(rec keystore.Record, s server, why string) <-chan error {
	first := make(chan error, 1)
	run := m.running
	if run == nil { // shutting down: the tombstone is found at the next start
		first <- context.Canceled
		return first
	}
	m.wg.Go(func() {
		var once sync.Once
		tell := func(err error) { once.Do(func() { first <- err }) }
		defer tell(context.Canceled)
		if rec.Ended == "" {
			ended, err := m.store.End(context.WithoutCancel(run), rec.ID, why)
			if err != nil {
				m.log.Error("a replaced session is not closed yet", "account", rec.Account, "error", err)
				tell(err)
				return
			}
			rec = ended
		}
		deadline := m.clock.Now().Add(revokeFor)
		if !rec.HighWater.IsZero() {
			deadline = rec.HighWater.Add(revokeFor)
		}
		for try := 1; ; try++ {
			err := m.revoke(run, rec, s)
			tell(err)
			if err == nil || errors.Is(err, oauth.ErrNoRevocation) || !passing(err) || m.clock.Now().After(deadline) {
				if err != nil && !errors.Is(err, oauth.ErrNoRevocation) {
					m.log.Warn("a session was erased here without the server's word", "account", rec.Account, "error", err)
				}
				break
			}
			if !sleep(run, m.backoff(5*time.Second, 5*time.Minute, try)) {
				return
			}
		}
		for try := 1; ; try++ {
			err := m.store.Erase(context.WithoutCancel(run), rec.ID)
			if err == nil {
				return
			}
			m.log.Warn("a closed session is not erased yet", "account", rec.Account, "error", err)
			if !sleep(run, m.backoff(5*time.Second, 5*time.Minute, try)) {
				return
			}
		}
	})
	return first
}

// revoke makes one attempt at the server.
func (m *Manager) revoke(ctx context.Context, rec keystore.Record, s server) error {
	var f facts
	if err := f.decode(rec.Meta); err != nil || s.Client == nil || f.Bound != s.bound {
		return oauth.ErrNoRevocation // nobody to whom this token may be sent
	}
	secret, err := m.store.Secret(ctx, rec.ID)
	if err != nil {
		return err
	}
	token := oauth.NewSecret(string(secret))
	clear(secret)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptLimit)
	defer cancel()
	return s.Revoke(ctx, token)
}

// passing reports whether an error may be gone at the next try.
func passing(err error) bool {
	if e, ok := errors.AsType[*oauth.Error](err); ok {
		switch e.Class {
		case oauth.NotSent, oauth.Unknown, oauth.Throttled:
			return true
		}
		return false
	}
	return errors.Is(err, keystore.ErrLocked) || errors.Is(err, keystore.ErrUnavailable) || errors.Is(err, keystore.ErrTimeout)
}

// eraseTampered removes a session that contradicts itself. Its token is not
// used for anything any more, not even to revoke it.
func (m *Manager) eraseTampered(ctx context.Context, id string) {
	if _, err := m.store.End(context.WithoutCancel(ctx), id, string(ByTampering)); err != nil {
		m.log.Warn("a damaged session has no tombstone", "session", id, "error", err)
	}
	if err := m.store.Erase(context.WithoutCancel(ctx), id); err != nil {
		m.log.Warn("a damaged session is not erased", "session", id, "error", err)
	}
}

// clientSecret reads an account's client secret from the keychain.
func (m *Manager) clientSecret(ctx context.Context, account string) (oauth.Secret, error) {
	b, err := m.store.GetSecret(ctx, clientSecretName(account))
	if errors.Is(err, keystore.ErrNotFound) {
		return oauth.Secret{}, &Error{
			Kind:    KindBadRequest,
			Message: fmt.Sprintf("the client secret of %s is not in the keychain", account),
			Hint:    "store it again: `curfew add " + account + " ... --client-secret-stdin`",
		}
	}
	if err != nil {
		return oauth.Secret{}, keychainError(err)
	}
	defer clear(b)
	return oauth.NewSecret(string(b)), nil
}

func clientSecretName(account string) string { return "client-secret/" + account }

// SetClientSecret keeps an account's client secret in the keychain.
func (m *Manager) SetClientSecret(ctx context.Context, name string, secret oauth.Secret) error {
	if err := m.store.PutSecret(ctx, clientSecretName(name), []byte(secret.Reveal())); err != nil {
		return keychainError(err)
	}
	return nil
}
