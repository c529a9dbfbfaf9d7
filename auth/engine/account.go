package engine

import (
	"context"
	"sync"
	"time"

	"curfew/auth"
	"curfew/auth/engine/binding"
	"curfew/auth/engine/clock"
	"curfew/auth/engine/exchange"
	"curfew/auth/engine/failure"
	"curfew/auth/engine/journal"
	"curfew/auth/oauth"
	"curfew/keystore"
)

// account is one configured account and the session it may have. Only its
// goroutine (run) changes the session, in memory and in the store. Everybody
// else leaves a wish, which is a flight or an op, and pokes it.
type account struct {
	m     *Manager
	name  string
	clock *clock.Clock  // by which the session lives
	wake  chan struct{} // of capacity 1: a poke

	looked chan struct{} // closed when the stored sessions were loaded, or could not be for now

	// All below is guarded by m.mu. The owner goroutine may read rec, facts
	// and access without it, being the only writer.
	config auth.Account
	server server
	stop   context.CancelFunc

	loading bool              // the stored sessions were not looked at yet
	found   []keystore.Record // stored sessions of this account, still to be loaded

	rec     *keystore.Record // the live session; nil: none
	facts   facts
	use     use // written by callers that ask for a token
	access  auth.Secret
	id      auth.Secret      // the last ID token that came; zero: none did
	traded  *exchange.Tokens // that access was traded for; replaced with each session
	unsaved *unsaved         // an answer that could not be made durable yet

	sent     bool    // a request of the open cycle may have left the machine
	flight   *flight // a refresh that is wanted or under way
	inFlight bool    // it is under way
	retry    retry   // after a passing failure
	wantedAt time.Time
	storeErr error     // the last keychain call failed like this; nil: it did not
	storeAt  time.Time // when to look whether the keychain is back

	leaving   int           // sign-outs that were asked for and are not done: nothing is served
	removed   *auth.Account // what is removed with the sign-out
	interrupt func()        // ends the waits of the refresh under way, not its request

	signIn *signIn // running, or the last one
	ops    []func(context.Context)
	gone   bool // the owner goroutine has ended: see queueLocked
	dirty  bool // facts hold news that the store does not have
	noted  time.Time
	asked  time.Time // when a server was last asked for the time

	forecast   auth.ForecastView
	forecastAt time.Time  // when it was made; zero: a new one is due
	shown      auth.State // as last published because of time
	seen       time.Time  // the latest that the clock has said
}

// server is the authorization server of an account, with the binding that a
// refresh token must have to be sent there.
type server struct {
	*oauth.Client
	bound  binding.Binding
	secret bool   // Client has the client secret
	reach  string // how far revocation reaches, as configured; "" means as the preset says
}

func (m *Manager) newAccount(c auth.Account) (*account, error) {
	if c.Refresh == "" {
		c.Refresh = auth.InUse
	}
	own := m.clock.Another()
	client, err := m.newClient(m.clientConfig(c, own))
	if err != nil {
		return nil, auth.Fail(auth.KindBadRequest, auth.Words(err.Error()), auth.Say("hint_providers")).Because(err)
	}
	return &account{m: m, name: c.Name, clock: own, wake: make(chan struct{}, 1), looked: make(chan struct{}), config: c, traded: new(exchange.Tokens), server: server{client, binding.Of(c), false, c.RevocationReach}, loading: true}, nil
}

func (m *Manager) clientConfig(c auth.Account, own *clock.Clock) oauth.Config {
	accessLifetime, _ := auth.ParseSpan(c.AccessLifetime) // config has checked it
	return oauth.Config{
		Provider:              c.Provider,
		Issuer:                c.Issuer,
		AuthorizationEndpoint: c.AuthorizationEndpoint,
		TokenEndpoint:         c.TokenEndpoint,
		RevocationEndpoint:    c.RevocationEndpoint,
		DeviceEndpoint:        c.DeviceEndpoint,
		UserinfoEndpoint:      c.UserinfoEndpoint,
		ClientID:              c.ClientID,
		ClientAuth:            c.ClientAuth,
		Scopes:                c.Scopes,
		Authorize:             c.Authorize,
		Prompt:                c.Prompt,
		LoginHint:             c.LoginHint,
		Resource:              c.Resource,
		ScopeSeparator:        c.ScopeSeparator,
		AccessLifetime:        accessLifetime,
		DPoP:                  c.DPoP,
		DeadCodes:             c.DeadCodes,
		CAFile:                c.CAFile,
		Proxy:                 c.Proxy,
		Redirect:              c.Redirect,
		Logger:                m.log.With("account", c.Name),
		Now:                   own.Now,
		Confirm:               own.Confirm,
	}
}

// dial returns the account's server, ready for requests. A client secret is
// fetched from the keychain when it is first needed.
func (a *account) dial(ctx context.Context) (server, error) {
	a.m.mu.Lock()
	c, s := a.config, a.server
	a.m.mu.Unlock()
	if !c.ClientSecretKeychain || s.secret {
		return s, nil
	}
	s, err := a.m.makeServer(ctx, c, a.clock)
	if err != nil {
		return server{}, err
	}
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	if binding.Of(a.config) == s.bound {
		a.server = s
	}
	return s, nil
}

// makeServer makes a server with the client secret that c names.
func (m *Manager) makeServer(ctx context.Context, c auth.Account, own *clock.Clock) (server, error) {
	oc := m.clientConfig(c, own)
	if c.ClientSecretKeychain {
		var err error
		if oc.ClientSecret, err = m.clientSecret(ctx, c.Name); err != nil {
			return server{}, err
		}
	}
	client, err := m.newClient(oc)
	if err != nil {
		return server{}, err
	}
	return server{client, binding.Of(c), c.ClientSecretKeychain, c.RevocationReach}, nil
}

// poke makes the owner goroutine look again.
func (a *account) poke() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// run is the owner goroutine.
func (a *account) run(ctx context.Context) {
	// Not a timer of 0, which would do the same: Go 1.26 crashes when two such
	// timers fire in one synctest bubble under the race detector.
	timer := time.NewTimer(pollInterval)
	defer timer.Stop()
	looked := sync.OnceFunc(func() { close(a.looked) })
	for {
		for did := true; did && ctx.Err() == nil; {
			if a.hasLooked() {
				looked()
			}
			var t clock.Reading
			if did, t = a.step(ctx); !did {
				timer.Reset(a.rest(t))
			}
		}
		select {
		case <-ctx.Done():
			a.close(ctx)
			return
		case <-a.wake:
		case <-timer.C:
		}
	}
}

// hasLooked reports whether what is known of the account is what the store knows.
func (a *account) hasLooked() bool {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	return !a.loading && (len(a.found) == 0 || a.storeErr != nil)
}

// step does the most urgent thing, and reports whether there was one at t.
func (a *account) step(ctx context.Context) (did bool, t clock.Reading) {
	a.m.mu.Lock()
	t = a.readLocked()
	now := t.Now
	var op func(context.Context)
	var suspect bool
	var ended auth.Reason
	if a.rec != nil {
		suspect, ended = a.suspectLocked(t), a.endedLocked(now)
	}
	switch {
	case len(a.ops) > 0:
		op = a.ops[0]
		a.ops = a.ops[1:]
	case len(a.found) > 0 && !now.Before(a.retry.at):
		op = a.load
	case a.rec == nil:
		a.failFlightLocked(a.noSessionErrorLocked())
	case a.unsaved != nil && !now.Before(a.unsaved.at):
		op = func(ctx context.Context) { _ = a.save(ctx) } // which tries again
	case suspect && now.Sub(a.asked) >= time.Minute:
		a.asked = now
		op = a.askTime
	case suspect:
		a.failFlightLocked(failure.Suspect())
	case ended != "":
		op = func(ctx context.Context) { a.end(ctx, ended) }
	case a.unsaved != nil:
		a.failFlightLocked(failure.Keychain(a.storeErr))
	case isKeychainTransient(a.storeErr) && !now.Before(a.storeAt):
		op = a.lookForKeychain
	case a.refreshDueLocked(now):
		if a.flight == nil {
			a.flight = &flight{done: make(chan struct{})}
		}
		a.inFlight = true
		op = a.refresh
		a.m.publishLocked()
	case len(a.dueWarningsLocked(now)) > 0:
		op = a.warn
	case a.forecastAt.IsZero() || now.Sub(a.forecastAt) >= forecastInterval:
		op = a.makeForecast
	case a.dirty && now.Sub(a.noted) >= noteInterval:
		op = a.note
	}
	a.m.mu.Unlock()
	if op == nil {
		return false, t
	}
	op(ctx)
	return true, t
}

const (
	noteInterval     = 5 * time.Minute // mere use of a token is written down this often at most
	forecastInterval = time.Hour       // besides a new one after each sign-in and refresh
)

// rest publishes the state when mere time has changed it, and says how long
// the owner may sleep from t on.
func (a *account) rest(t clock.Reading) time.Duration {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	now := t.Now
	if state, _ := auth.Derive(a.factsLocked(t), a.m.limits, now); state != a.shown {
		a.shown = state
		a.m.publishLocked()
	}
	wait := auth.UntilNext(now, pollInterval) // one waking for all accounts
	if a.rec == nil && len(a.found) == 0 {
		return wait
	}
	until := func(t time.Time) {
		if t.After(now) {
			wait = min(wait, t.Sub(now))
		}
	}
	until(a.retry.at)
	until(a.storeAt)
	if a.unsaved != nil {
		until(a.unsaved.at)
	}
	if a.rec != nil {
		s := a.sessionLocked()
		end, _ := s.EndsAt(a.m.limits)
		until(end.Add(time.Nanosecond))
		until(s.AccessExpiresAt)
		if !a.m.paused {
			until(a.planLocked(now).WakeAt)
		}
	}
	return wait
}

// queueLocked makes the owner goroutine run op. It reports false when that has
// ended. Every op that was queued before is run.
func (a *account) queueLocked(op func(context.Context)) bool {
	if a.gone {
		return false
	}
	a.ops = append(a.ops, op)
	a.poke()
	return true
}

// close does what was promised, saves what the store does not have and releases
// all waiting callers.
func (a *account) close(ctx context.Context) {
	a.m.mu.Lock()
	for len(a.ops) > 0 {
		op := a.ops[0]
		a.ops = a.ops[1:]
		a.m.mu.Unlock()
		op(ctx)
		a.m.mu.Lock()
	}
	a.gone = true
	a.failFlightLocked(failure.ShuttingDown())
	unsaved := a.dirty && a.rec != nil
	a.m.mu.Unlock()
	if unsaved {
		a.note(context.WithoutCancel(ctx))
	}
}

// sessionLocked is the live session as the rules see it.
func (a *account) sessionLocked() auth.Session {
	return auth.Session{
		SignedInAt:      a.rec.StartedAt,
		LastActivity:    a.use.LastActivity,
		Used:            a.rec.Used,
		Pending:         a.rec.Pending,
		AccessExpiresAt: a.facts.AccessExpiresAt,
		AccessLifetime:  a.facts.AccessLifetime,
		Bounds:          a.facts.Bounds,
		ServerLifetime:  a.server.Provider().Lifetime.Duration,
		NoRefresh:       a.facts.NoRefresh,
	}
}

// planLocked asks the plan about background refresh.
func (a *account) planLocked(now time.Time) auth.Decision { return auth.Plan(a.planInputLocked(now)) }

func (a *account) planInputLocked(now time.Time) auth.PlanInput {
	s := a.sessionLocked()
	idle := a.server.Provider().IdleLifetime.Duration
	if slide := a.facts.Slide; slide > 0 { // an end that each refresh puts off is an idle limit
		s.Bounds.EndsAt = time.Time{}
		if idle == 0 || slide < idle {
			idle = slide
		}
	}
	end, _ := s.EndsAt(a.m.limits.Absolute())
	return auth.PlanInput{
		Mode:            a.config.Refresh,
		Now:             now,
		SignedInAt:      s.SignedInAt,
		EndsAt:          end,
		RefreshesLeft:   s.Left(a.m.limits),
		MaxRefreshes:    a.m.limits.MaxRefreshes,
		AccessExpiresAt: s.AccessExpiresAt,
		AccessLifetime:  s.AccessLifetime,
		LastRefreshAt:   a.lastRefresh(),
		ServerIdle:      idle,
		Demand:          a.use.Demand,
	}
}

// readLocked reads the account's clock. If it was ahead and is right now,
// nothing waits for the time that it had shown.
func (a *account) readLocked() clock.Reading {
	t := a.clock.Read()
	if t.Now.Before(a.seen.Add(-clock.Tolerance)) {
		a.forgetFutureLocked(t.Now)
	}
	a.seen = t.Now
	return t
}

// forgetFutureLocked moves noted times that are later than now to now, since a
// wrong clock noted them. What was to wait until then is due.
func (a *account) forgetFutureLocked(now time.Time) {
	past := func(t *time.Time) {
		if t.After(now) {
			*t = now
		}
	}
	for _, t := range []*time.Time{
		&a.retry.at, &a.retry.last, &a.storeAt, &a.wantedAt, &a.noted, &a.asked,
		&a.use.LastActivity, &a.facts.LastRefreshAt,
	} {
		past(t)
	}
	if a.unsaved != nil {
		past(&a.unsaved.at)
	}
	a.forecastAt = time.Time{}
}

func (a *account) lastRefresh() time.Time {
	if a.facts.LastRefreshAt.IsZero() {
		return a.rec.StartedAt
	}
	return a.facts.LastRefreshAt
}

// suspectLocked reports whether the clock keeps us from saying if the session
// has ended. A session is never ended for good on the word of a wall clock that
// has no witness.
func (a *account) suspectLocked(t clock.Reading) bool {
	return t.Suspect || !t.Sure && a.sessionLocked().Over(a.m.limits, t.Now) != ""
}

// endedLocked says why the session must be closed now, or "".
func (a *account) endedLocked(now time.Time) auth.Reason {
	s := a.sessionLocked()
	if r := s.Over(a.m.limits, now); r != "" {
		return r
	}
	if s.Exhausted(a.m.limits) && !s.AccessGood(now) {
		return s.Spent()
	}
	return ""
}

// note writes the facts down.
func (a *account) note(ctx context.Context) {
	a.m.mu.Lock()
	a.facts.Clock = a.clock.Anchor()
	meta := a.encodeLocked(a.facts)
	id := a.rec.ID
	a.noted = a.clock.Now()
	a.dirty = false
	a.m.mu.Unlock()
	if _, err := a.m.store.Note(ctx, id, meta); err != nil {
		a.m.log.Warn("the last use of a session was not written down", "account", a.name, "error", err)
	}
}

// askTime asks the server for the time, to settle what the clocks contradict.
func (a *account) askTime(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, attemptLimit)
	defer cancel()
	var s server
	a.m.locked(func() { s = a.server })
	t, err := s.ServerTime(ctx)
	if err != nil {
		a.m.log.Info("no server could settle the time", "account", a.name, "error", err)
	}
	a.clock.Confirm(t)
	if !a.clock.Read().Suspect {
		a.note(ctx) // the next start must not have to ask again
	}
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	a.m.publishLocked()
}

// end closes the session for good, beginning with the tombstone. Revocation and
// erasure follow automatically.
func (a *account) end(ctx context.Context, reason auth.Reason) {
	rec := *a.rec
	if ended, err := a.m.store.End(context.WithoutCancel(ctx), rec.ID, string(reason)); err != nil {
		a.m.log.Error("the end of a session is not written down yet", "account", a.name, "error", err)
		rec.Ended = string(reason)
	} else {
		rec = ended
	}
	a.m.mu.Lock()
	a.recordEndLocked(rec, reason)
	if reason != auth.ByTampering {
		a.m.retireLocked(rec, string(reason), nil)
	}
	a.m.mu.Unlock()
	if reason == auth.ByTampering {
		a.m.eraseTampered(ctx, rec.ID)
	}
}

// recordEndLocked drops the session from memory and remembers how it ended.
func (a *account) recordEndLocked(rec keystore.Record, reason auth.Reason) {
	now := a.clock.Now()
	past := journal.Past{Account: a.name, Reason: reason, At: now, SignedInAt: rec.StartedAt, Used: rec.Used, Demand: a.use.Demand,
		Limits: auth.EndedLimits{MaxAge: seconds(a.m.limits.MaxAge), MaxRefreshes: a.m.limits.MaxRefreshes}}
	kind := auth.EventEnd
	if reason == auth.ByUser {
		kind = auth.EventSignOut
	} else { // a sign-out also means to be forgotten
		past.Subject, past.Identity, past.TookTokens = a.facts.Identity.Display, a.facts.Identity, a.use.Takers
	}
	a.m.journal.Ended(past)
	a.m.journal.Add(auth.Event{At: now, Account: a.name, Kind: kind, Count: rec.Used, Text: auth.EndText(reason)})
	a.dropUnsavedLocked()
	a.rec, a.access, a.id, a.facts, a.use = nil, auth.Secret{}, auth.Secret{}, facts{}, use{}
	a.retry, a.storeErr, a.dirty, a.traded = retry{}, nil, false, new(exchange.Tokens)
	a.failFlightLocked(failure.Ended(a.name, reason))
	close(a.m.sessionEnded) // what waited for that goes on
	a.m.sessionEnded = make(chan struct{})
	a.m.publishLocked()
}

func (a *account) setRecord(rec keystore.Record) {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	a.rec = &rec
	a.storeErr = nil
	a.m.publishLocked()
}
