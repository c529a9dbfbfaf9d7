package auth

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"curfew/auth/oauth"
	"curfew/keystore"
)

// account is one configured account and the session it may have. Its
// goroutine (run) is the only one that changes the session, in memory and in
// the store: everybody else leaves a wish (a flight, an op) and pokes it.
type account struct {
	m    *Manager
	name string
	wake chan struct{} // of capacity 1: a poke

	// All below is guarded by m.mu. The owner goroutine may read rec, facts
	// and access without it, being the only writer.
	config Account
	server server
	stop   context.CancelFunc

	loading bool              // the stored sessions were not looked at yet
	found   []keystore.Record // stored sessions of this account, still to be loaded

	rec     *keystore.Record // the live session; nil: none
	facts   facts
	use     use // written by whoever asks for a token
	access  oauth.Secret
	unsaved *unsaved // an answer that could not be made durable yet

	sent     bool    // a request of the open cycle may have left the machine
	flight   *flight // a refresh that is wanted or under way
	inFlight bool    // it is under way
	retry    retry   // after a passing failure
	wantedAt time.Time
	storeErr error // the last keychain call failed like this; nil: it did not

	signIn *signIn // running, or the last one
	ops    []func(context.Context)
	dirty  bool // facts hold news that the store does not have
	noted  time.Time
	asked  time.Time // when a server was last asked for the time

	forecast   ForecastView
	forecastAt time.Time // when it was made; zero: a new one is due
	shown      State     // as last published because of time
}

// facts is what the Manager keeps with a session beside the token. The store
// authenticates it; it holds no secret.
type facts struct {
	Bound           binding        `json:"bound"` // whom the refresh token may be sent to
	Identity        oauth.Identity `json:"identity"`
	Scope           []string       `json:"scope,omitempty"`
	AccessExpiresAt time.Time      `json:"access_expires_at,omitzero"`
	AccessLifetime  time.Duration  `json:"access_lifetime"`
	LastRefreshAt   time.Time      `json:"last_refresh_at,omitzero"`
	Bounds          oauth.Bounds   `json:"bounds"`
	Clock           Anchor         `json:"clock"`
	Use             use            `json:"use"`                       // as of the last time it was written down; account.use is newer
	OutcomeUnknown  bool           `json:"outcome_unknown,omitempty"` // the open cycle had an answer that got lost
	Warned          []string       `json:"warned,omitempty"`          // the warnings given, by id
	Warnings        []string       `json:"warnings,omitempty"`        // the words of the last ones
}

// use is what programs do with an account. Unlike the other facts it changes
// with every request.
type use struct {
	LastActivity time.Time `json:"last_activity"` // the last token handed out, refresh or sign-in
	LastUsedBy   string    `json:"last_used_by,omitempty"`
	Demand       Demand    `json:"demand"`
}

// flight is one refresh that any number of callers wait for, or the loading
// of a stored session, after which they look again.
type flight struct {
	done    chan struct{} // closed when err is set
	err     error
	program string // who asked first; "" when nobody did
	loading bool
}

// server is the authorization server of an account, and what a refresh token
// must have been got with to be sent there.
type server struct {
	*oauth.Client
	bound  binding
	secret bool // Client has the client secret
}

// retry is where a failed refresh stands.
type retry struct {
	at    time.Time // the next try; zero: none failed
	last  time.Time // the last one
	tries int
	err   *oauth.Error
}

// unsaved is an answer of the server that waits for the store.
type unsaved struct {
	secret, access []byte
	meta           []byte // facts, encoded once: Commit wants the same again
	facts          facts
	token          oauth.Secret
	tries          int
	at             time.Time // when to try again
}

func (m *Manager) newAccount(c Account) (*account, error) {
	if c.Refresh == "" {
		c.Refresh = InUse
	}
	client, err := m.newClient(m.clientConfig(c))
	if err != nil {
		return nil, &Error{Kind: KindBadRequest, Message: err.Error(), Hint: "see `curfew providers`, and the account's table in config.toml", cause: err}
	}
	return &account{m: m, name: c.Name, wake: make(chan struct{}, 1), config: c, server: server{client, c.binding(), false}, loading: true}, nil
}

func (m *Manager) clientConfig(c Account) oauth.Config {
	return oauth.Config{
		Provider:              c.Provider,
		Issuer:                c.Issuer,
		AuthorizationEndpoint: c.AuthorizationEndpoint,
		TokenEndpoint:         c.TokenEndpoint,
		RevocationEndpoint:    c.RevocationEndpoint,
		ClientID:              c.ClientID,
		Scopes:                c.Scopes,
		Redirect:              c.Redirect,
		Logger:                m.log.With("account", c.Name),
		Now:                   m.clock.Now,
	}
}

// dial returns the account's server, ready to be spoken to: a client secret
// is fetched from the keychain when it is first needed.
func (a *account) dial(ctx context.Context) (server, error) {
	a.m.mu.Lock()
	c, s := a.config, a.server
	a.m.mu.Unlock()
	if !c.ClientSecretKeychain || s.secret {
		return s, nil
	}
	secret, err := a.m.clientSecret(ctx, c.Name)
	if err != nil {
		return server{}, err
	}
	oc := a.m.clientConfig(c)
	oc.ClientSecret = secret
	client, err := a.m.newClient(oc)
	if err != nil {
		return server{}, err
	}
	s = server{client, c.binding(), true}
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	if a.config.binding() == s.bound {
		a.server = s
	}
	return s, nil
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
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			a.close()
			return
		case <-a.wake:
		case <-timer.C:
		}
		for a.step(ctx) {
			if ctx.Err() != nil {
				break
			}
		}
		a.publishNewState()
		timer.Reset(a.wait())
	}
}

// step does the most urgent thing, and reports whether it did one.
func (a *account) step(ctx context.Context) bool {
	a.m.mu.Lock()
	now := a.m.clock.Now()
	var op func(context.Context)
	switch {
	case len(a.ops) > 0:
		op = a.ops[0]
		a.ops = a.ops[1:]
	case len(a.found) > 0 && !now.Before(a.retry.at):
		op = a.load
	case a.rec == nil:
		a.endFlightLocked(a.noSessionErrorLocked())
	case a.unsaved != nil && !now.Before(a.unsaved.at):
		op = a.saveAgain
	case a.suspectLocked(now) && now.Sub(a.asked) >= time.Minute:
		a.asked = now
		op = a.askTime
	case a.suspectLocked(now):
		a.endFlightLocked(suspectError())
	case a.endedLocked(now) != "":
		reason := a.endedLocked(now)
		op = func(ctx context.Context) { a.end(ctx, reason) }
	case a.unsaved != nil:
		a.endFlightLocked(keychainError(a.storeErr))
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
		return false
	}
	op(ctx)
	return true
}

const (
	noteInterval     = 5 * time.Minute // mere use of a token is written down this often at most
	forecastInterval = time.Hour       // besides a new one after each sign-in and refresh
)

// wait is how long the owner may sleep.
func (a *account) wait() time.Duration {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	wait := pollInterval
	if a.rec == nil && len(a.found) == 0 {
		return wait
	}
	now := a.m.clock.Now()
	until := func(t time.Time) {
		if t.After(now) {
			wait = min(wait, t.Sub(now))
		}
	}
	until(a.retry.at)
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

// close writes down what the store does not have and lets go of everybody
// who waits.
func (a *account) close() {
	if a.dirty && a.rec != nil {
		a.note(context.Background())
	}
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	a.endFlightLocked(&Error{Kind: KindUnavailable, Message: "the agent is shutting down", Hint: "try again"})
}

// publishNewState publishes when mere time has changed the state.
func (a *account) publishNewState() {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	state, _ := Derive(a.factsLocked(a.m.clock.Now()), a.m.limits, a.m.clock.Now())
	if state != a.shown {
		a.shown = state
		a.m.publishLocked()
	}
}

// sessionLocked is the live session as the rules see it.
func (a *account) sessionLocked() Session {
	return Session{
		SignedInAt:      a.rec.StartedAt,
		LastActivity:    a.use.LastActivity,
		Used:            a.rec.Used,
		Pending:         a.rec.Pending,
		AccessExpiresAt: a.facts.AccessExpiresAt,
		AccessLifetime:  a.facts.AccessLifetime,
		Bounds:          a.facts.Bounds,
		ServerLifetime:  a.server.Provider().Lifetime,
	}
}

// planLocked asks the plan about background refresh.
func (a *account) planLocked(now time.Time) Decision { return Plan(a.planInputLocked(now)) }

func (a *account) planInputLocked(now time.Time) PlanInput {
	s := a.sessionLocked()
	end, _ := s.EndsAt(a.m.limits)
	return PlanInput{
		Mode:            a.config.Refresh,
		Now:             now,
		SignedInAt:      s.SignedInAt,
		EndsAt:          end,
		RefreshesLeft:   s.Left(a.m.limits),
		MaxRefreshes:    a.m.limits.MaxRefreshes,
		AccessExpiresAt: s.AccessExpiresAt,
		AccessLifetime:  s.AccessLifetime,
		LastRefreshAt:   a.lastRefresh(),
		ServerIdle:      a.server.Provider().IdleLifetime,
		Demand:          a.use.Demand,
	}
}

// forecastInputLocked is what a forecast is made from: a copy, since making
// one takes a while.
func (a *account) forecastInputLocked(now time.Time) ForecastInput {
	in := ForecastInput{PlanInput: a.planInputLocked(now.Local()), MaxAge: a.m.limits.MaxAge, MaxIdle: a.m.limits.MaxIdle}
	in.Demand.Requests = slices.Clone(in.Demand.Requests)
	noIdle := a.m.limits
	noIdle.MaxIdle = 0 // which the forecast plays itself
	in.EndsAt, in.EndsBy = a.sessionLocked().EndsAt(noIdle)
	return in
}

// makeForecast makes a new forecast.
func (a *account) makeForecast(context.Context) {
	a.m.mu.Lock()
	now := a.m.clock.Now()
	in := a.forecastInputLocked(now)
	a.m.mu.Unlock()
	f := Forecast(in).ForecastView
	f.EndsAt, f.EarliestAt, f.LatestAt = whole(f.EndsAt), whole(f.EarliestAt), whole(f.LatestAt)
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	a.forecast, a.forecastAt = f, now
	a.m.publishLocked()
}

// dueWarningsLocked are the warnings to give now.
func (a *account) dueWarningsLocked(now time.Time) []Warning {
	s, l := a.sessionLocked(), a.m.limits
	f := WarningFacts{
		Now:           now,
		SignedInAt:    s.SignedInAt,
		EndsAt:        s.SignedInAt.Add(l.MaxAge),
		MaxIdle:       l.MaxIdle,
		RefreshesLeft: s.Left(l),
		MaxRefreshes:  l.MaxRefreshes,
		LastRefreshAt: a.lastRefresh(),
		ActiveAt:      s.LastActivity,
	}
	l.MaxIdle = 0
	switch end, by := s.EndsAt(l); by {
	case LimitServer:
		f.ServerEndsAt = end
	default:
		f.EndsAt = end
	}
	if f.MaxIdle > 0 {
		f.IdleEndsAt = s.LastActivity.Add(f.MaxIdle)
	}
	return DueWarnings(f, a.facts.Warned)
}

// warn gives the warnings that are due: each once in a session.
func (a *account) warn(ctx context.Context) {
	a.m.mu.Lock()
	now := a.m.clock.Now()
	var words []string
	for _, w := range a.dueWarningsLocked(now) {
		a.facts.Warned = append(a.facts.Warned, w.ID)
		words = append(words, w.Message)
		a.m.journal.add(Event{At: now, Account: a.name, Kind: EventWarning, Message: w.Message})
	}
	a.facts.Warnings = words
	a.m.publishLocked()
	a.m.mu.Unlock()
	a.note(ctx)
}

func (a *account) lastRefresh() time.Time {
	if a.facts.LastRefreshAt.IsZero() {
		return a.rec.StartedAt
	}
	return a.facts.LastRefreshAt
}

// refreshDueLocked reports whether a refresh should run now: somebody waits
// for one, an open cycle wants its end, or the plan says so.
func (a *account) refreshDueLocked(now time.Time) bool {
	if a.flight != nil {
		return true
	}
	if now.Before(a.retry.at) {
		return false
	}
	switch {
	case a.rec.Pending:
		return true
	case a.sessionLocked().Left(a.m.limits) == 0:
		return false
	case !a.retry.at.IsZero() && now.Sub(a.wantedAt) < wantedFor:
		return true
	}
	return !a.m.paused && a.planLocked(now).Refresh
}

// wantedFor is how long after a request that failed for want of a network
// the agent still tries on its own to have a token ready.
const wantedFor = 10 * time.Minute

// suspectLocked reports whether the clock keeps us from saying if the session
// is over. A session is never ended for good on the word of a wall clock that
// has no witness.
func (a *account) suspectLocked(now time.Time) bool {
	if a.m.clock.Suspect() {
		return true
	}
	return a.sessionLocked().Over(a.m.limits, now) != "" && !a.m.clock.Sure()
}

// endedLocked says why the session must be closed now, or "".
func (a *account) endedLocked(now time.Time) Reason {
	s := a.sessionLocked()
	if r := s.Over(a.m.limits, now); r != "" {
		return r
	}
	if s.Exhausted(a.m.limits) && !s.AccessGood(now) {
		return ByRefreshes
	}
	return ""
}

// loadedLocked has those who waited for the session to be loaded look again: a
// token that is good needs no refresh.
func (a *account) loadedLocked() {
	if a.flight != nil && a.flight.loading {
		a.endFlightLocked(nil)
	}
}

// endFlightLocked ends the flight; err nil: it went well.
func (a *account) endFlightLocked(err error) {
	if f := a.flight; f != nil {
		a.flight, a.inFlight = nil, false
		f.err = err
		close(f.done)
	}
}

// refresh runs one cycle as far as it gets now: reserve, one POST at a time,
// commit, serve.
func (a *account) refresh(ctx context.Context) {
	err := a.cycle(ctx)
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	a.endFlightLocked(err)
	a.inFlight = false
	a.m.publishLocked()
}

// The retry times (reliability of rotating servers): at once inside a
// server's grace after an ambiguous failure, slowly after a clean refusal.
var ambiguousRetries = []time.Duration{time.Second, 3 * time.Second, 8 * time.Second}

const (
	attemptLimit = 15 * time.Second // one POST, all of it
	confirmDelay = 3 * time.Second  // before a dead token is asked about once more

	offlineDelay  = 2 * time.Second // doubles with every try, up to:
	offlineMax    = 8 * time.Second // 10 s with the spread: how long after the network's return
	ambiguousMax  = 5 * time.Minute
	throttleDelay = time.Minute
	throttleMax   = 15 * time.Minute
	heldDelay     = 15 * time.Minute
	heldMax       = 6 * time.Hour
)

// cycle runs the open cycle, or reserves a new one.
func (a *account) cycle(ctx context.Context) error {
	m := a.m
	server, err := a.dial(ctx)
	if err != nil {
		return a.storeFailed(err)
	}
	if !a.rec.Pending {
		if s := a.sessionLocked(); s.Left(m.limits) == 0 {
			return endedError(a.name, ByRefreshes)
		}
		if a.retry.err != nil && a.retry.err.Class == oauth.NotSent {
			// The last try did not reach the server. Look before counting.
			if err := server.Reachable(ctx); err != nil {
				return a.failed(ctx, a.retry.err, false)
			}
		}
		rec, err := m.store.Reserve(ctx, a.rec.ID)
		if err != nil {
			return a.storeFailed(err)
		}
		a.setRecord(rec)
		a.sent = false
	}
	secret, err := m.store.Secret(ctx, a.rec.ID)
	if err != nil {
		return a.storeFailed(err)
	}
	token := oauth.NewSecret(string(secret))
	clear(secret)
	confirmed := false
	for try := 0; ; try++ {
		if reason := a.over(); reason != "" { // the machine slept between two tries
			return endedError(a.name, reason)
		}
		// A request that has left must not be cut by the agent's end.
		attempt, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptLimit)
		grant, err := server.Refresh(attempt, token, a.facts.Identity)
		cancel()
		if err == nil {
			return a.renew(ctx, grant, nil)
		}
		if errors.Is(err, oauth.ErrSubjectChanged) {
			a.revokeGrant(ctx, grant)
			a.end(ctx, BySubjectChanged)
			return endedError(a.name, BySubjectChanged)
		}
		oerr, ok := errors.AsType[*oauth.Error](err)
		if !ok {
			oerr = &oauth.Error{Op: "refresh", Class: oauth.Unknown, Err: err}
		}
		m.log.Info("refresh failed", "account", a.name, "class", oerr.Class, "code", oerr.Code, "status", oerr.Status, "error", err)
		a.sent = a.sent || oerr.Class != oauth.NotSent
		if ambiguous := oerr.Class == oauth.Unknown || oerr.Status >= 500; ambiguous && !a.facts.OutcomeUnknown {
			a.setFacts(func(f *facts) { f.OutcomeUnknown = true }) // a gateway's 503 may hide a refresh
		}
		switch oerr.Class {
		case oauth.Unknown:
			if a.retry.err == nil && try < len(ambiguousRetries) && sleep(ctx, a.m.spread(ambiguousRetries[try])) {
				continue
			}
			return a.failed(ctx, oerr, false)
		case oauth.Dead:
			if !confirmed {
				confirmed = true
				if sleep(ctx, confirmDelay) {
					continue
				}
				return a.failed(ctx, oerr, false)
			}
			reason := a.deathReason(oerr)
			a.end(ctx, reason)
			return endedError(a.name, reason)
		case oauth.Protocol:
			if !grant.RefreshToken.IsZero() { // unusable, but the token was rotated: keep that
				return a.renew(ctx, grant, oerr)
			}
			return a.failed(ctx, oerr, false)
		case oauth.NotSent:
			return a.failed(ctx, oerr, !a.sent)
		default:
			return a.failed(ctx, oerr, false)
		}
	}
}

// over says why the session is over by time, or "".
func (a *account) over() Reason {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	return a.sessionLocked().Over(a.m.limits, a.m.clock.Now())
}

// deathReason says why a server that called the token dead did so.
func (a *account) deathReason(e *oauth.Error) Reason {
	switch {
	case e.Description == MessageAge:
		return ByAge
	case e.Description == MessageRefreshes:
		return ByRefreshes
	case a.facts.OutcomeUnknown:
		return ByRotationLost
	default:
		return ByRevocation
	}
}

// renew makes what a refresh brought durable and only then shows it to
// anybody. bad is set when the answer holds a new refresh token but no usable
// access token.
func (a *account) renew(ctx context.Context, g oauth.Grant, bad *oauth.Error) error {
	now := a.m.clock.Now()
	a.m.clock.Confirm(g.Bounds.ServerTime)
	f := a.facts
	f.apply(g, now)
	f.LastRefreshAt = now
	f.OutcomeUnknown = false
	f.Clock = a.m.clock.Anchor()
	u := &unsaved{facts: f}
	if !g.RefreshToken.IsZero() {
		u.secret = []byte(g.RefreshToken.Reveal())
	}
	if bad == nil {
		u.token = g.AccessToken
		u.access = []byte(g.AccessToken.Reveal())
	} else {
		u.facts.AccessExpiresAt = a.facts.AccessExpiresAt
		u.token = a.access
		u.access = []byte(a.access.Reveal())
	}
	a.m.mu.Lock()
	a.use.LastActivity = now
	u.meta = u.facts.encode(a.use)
	a.unsaved = u
	a.m.mu.Unlock()
	if err := a.save(ctx); err != nil {
		return err
	}
	if bad != nil {
		return a.failed(ctx, bad, false)
	}
	return nil
}

// save commits the unsaved answer and publishes it.
func (a *account) save(ctx context.Context) error {
	u := a.unsaved
	rec, err := a.m.store.Commit(context.WithoutCancel(ctx), a.rec.ID, u.secret, u.access, u.meta)
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	if err != nil {
		u.tries++
		u.at = a.m.clock.Now().Add(a.m.backoff(time.Second, 30*time.Second, u.tries))
		a.storeErr = err
		a.m.log.Error("a refreshed session cannot be saved yet; trying again", "account", a.name, "error", err)
		a.m.publishLocked()
		return keychainError(err)
	}
	clear(u.secret)
	clear(u.access)
	used := rec.Used
	a.rec, a.facts, a.access, a.unsaved = &rec, u.facts, u.token, nil
	a.retry, a.storeErr, a.dirty, a.forecastAt = retry{}, nil, false, time.Time{}
	program := ""
	if a.flight != nil {
		program = a.flight.program
	}
	words := fmt.Sprintf("refreshed, %d of %d", used, a.m.limits.MaxRefreshes)
	if program != "" {
		words += ", for " + program
	}
	a.m.journal.add(Event{At: a.facts.LastRefreshAt, Account: a.name, Kind: EventRefresh, Program: program, Count: used, Message: words})
	a.m.publishLocked()
	return nil
}

func (a *account) saveAgain(ctx context.Context) { a.save(ctx) }

// failed notes a failure that may pass: the cycle stays open, unless unsent
// says that it is proven that no byte of it left the machine; then its count
// is given back.
func (a *account) failed(ctx context.Context, e *oauth.Error, unsent bool) error {
	if unsent {
		if rec, err := a.m.store.Refund(ctx, a.rec.ID); err != nil {
			a.m.log.Warn("an unsent refresh stays counted", "account", a.name, "error", err)
		} else {
			a.setRecord(rec)
		}
	}
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	now := a.m.clock.Now()
	r := &a.retry
	if r.err == nil || r.err.Class != e.Class {
		r.tries = 0
		a.m.journal.add(Event{At: now, Account: a.name, Kind: EventError, Message: failureWords(e)})
	}
	r.tries++
	r.err, r.last = e, now
	var delay time.Duration
	switch e.Class {
	case oauth.Throttled:
		delay = max(e.RetryAfter, a.m.backoff(cmp.Or(e.RetryAfter, throttleDelay), throttleMax, r.tries))
	case oauth.HeldBack:
		delay = a.m.backoff(heldDelay, heldMax, r.tries)
	case oauth.Protocol:
		delay = a.m.backoff(throttleDelay, throttleMax, r.tries)
	case oauth.NotSent:
		delay = a.m.backoff(offlineDelay, offlineMax, r.tries)
	default:
		delay = a.m.backoff(offlineDelay, ambiguousMax, r.tries)
	}
	r.at = now.Add(delay)
	return a.failureErrorLocked()
}

// storeFailed notes that the keychain or the state directory failed.
func (a *account) storeFailed(err error) error {
	a.m.mu.Lock()
	news := a.storeErr == nil || a.storeErr.Error() != err.Error()
	a.storeErr = err
	a.retry.at = a.m.clock.Now().Add(pollInterval)
	a.m.mu.Unlock()
	if news {
		a.m.log.Warn("the session's store failed", "account", a.name, "error", err)
	}
	if errors.Is(err, keystore.ErrTampered) || errors.Is(err, keystore.ErrCorrupt) {
		a.end(context.Background(), ByTampering)
		return endedError(a.name, ByTampering)
	}
	return keychainError(err)
}

// load brings the stored sessions of the account back: the newest live one
// becomes its session, all others are retired.
func (a *account) load(ctx context.Context) {
	if _, err := a.dial(ctx); err != nil {
		a.cannotLoad(err)
		return
	}
	found := a.found
	var best *keystore.Record
	var facts facts
	for _, peeked := range found {
		if peeked.Ended != "" {
			a.m.journal.endedUnnoted(peeked)
			a.m.retire(peeked, a.server, peeked.Ended)
			continue
		}
		if best != nil && !peeked.StartedAt.After(best.StartedAt) {
			a.m.retire(peeked, a.server, endReplaced)
			continue
		}
		rec, err := a.m.store.Load(ctx, peeked.ID)
		switch {
		case errors.Is(err, keystore.ErrTampered), errors.Is(err, keystore.ErrCorrupt):
			a.m.log.Error("a stored session contradicts itself and is closed", "account", a.name, "session", peeked.ID, "error", err)
			a.m.mu.Lock()
			a.recordEndLocked(peeked, ByTampering)
			a.m.mu.Unlock()
			a.m.eraseTampered(ctx, peeked.ID)
			continue
		case err != nil:
			a.cannotLoad(err)
			return
		}
		if err := facts.decode(rec.Meta); err != nil {
			a.m.log.Error("the facts of a session cannot be read", "account", a.name, "error", err)
		}
		if facts.Bound != a.server.bound {
			a.cannotLoad(bindingError(a.name))
			return
		}
		if best != nil {
			a.m.retire(*best, a.server, endReplaced)
		}
		best = &rec
	}
	var access []byte
	if best != nil {
		a.m.clock.Recall(facts.Clock)
		var err error
		if access, err = a.m.store.Access(ctx, best.ID); err != nil {
			a.m.log.Warn("the kept access token cannot be read", "account", a.name, "error", err)
		}
	}
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	a.found, a.retry, a.storeErr = nil, retry{}, nil
	if best != nil {
		a.rec, a.facts, a.use = best, facts, facts.Use
		if best.Pending { // the agent died in a cycle: its request may have left, and been answered
			a.sent, a.facts.OutcomeUnknown = true, true
		}
		a.access = oauth.NewSecret(string(access))
		if a.access.IsZero() {
			a.facts.AccessExpiresAt = time.Time{}
		}
		clear(access)
		a.m.journal.forget(a.name)
		a.loadedLocked()
	}
	a.m.publishLocked()
}

// cannotLoad keeps the stored sessions for a later try.
func (a *account) cannotLoad(err error) {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	a.storeErr = err
	a.retry = retry{at: a.m.clock.Now().Add(pollInterval)}
	a.endFlightLocked(keychainError(err))
	a.m.publishLocked()
}

// note writes the facts down.
func (a *account) note(ctx context.Context) {
	a.m.mu.Lock()
	a.facts.Clock = a.m.clock.Anchor()
	meta := a.facts.encode(a.use)
	id := a.rec.ID
	a.noted = a.m.clock.Now()
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
	t, err := a.server.ServerTime(ctx)
	if err != nil {
		a.m.log.Info("no server could settle the time", "account", a.name, "error", err)
	}
	a.m.clock.Confirm(t)
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	a.m.publishLocked()
}

// end closes the session for good: tombstone first, then revocation and
// erasure, which go on by themselves.
func (a *account) end(ctx context.Context, reason Reason) {
	rec := *a.rec
	if ended, err := a.m.store.End(context.WithoutCancel(ctx), rec.ID, string(reason)); err != nil {
		a.m.log.Error("the end of a session is not written down yet", "account", a.name, "error", err)
		rec.Ended = string(reason)
	} else {
		rec = ended
	}
	a.m.mu.Lock()
	a.recordEndLocked(rec, reason)
	server := a.server
	a.m.mu.Unlock()
	if reason == ByTampering {
		a.m.eraseTampered(ctx, rec.ID)
		return
	}
	a.m.retire(rec, server, string(reason))
}

// recordEndLocked drops the session from memory and remembers how it ended.
func (a *account) recordEndLocked(rec keystore.Record, reason Reason) {
	now := a.m.clock.Now()
	past := pastSession{Account: a.name, Reason: reason, At: now, SignedInAt: rec.StartedAt, Used: rec.Used, Demand: a.use.Demand}
	if reason != ByUser { // who signs out wants to be forgotten
		past.Subject, past.Identity = a.facts.Identity.Display, a.facts.Identity
	}
	a.m.journal.ended(past)
	a.m.journal.add(Event{At: now, Account: a.name, Kind: EventEnd, Count: rec.Used, Message: endMessage(reason)})
	a.rec, a.access, a.facts, a.use, a.unsaved = nil, oauth.Secret{}, facts{}, use{}, nil
	a.retry, a.storeErr, a.dirty = retry{}, nil, false
	a.endFlightLocked(endedError(a.name, reason))
	a.m.publishLocked()
}

func (a *account) setRecord(rec keystore.Record) {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	a.rec = &rec
	a.storeErr = nil
	a.m.publishLocked()
}

func (a *account) setFacts(change func(*facts)) {
	a.m.mu.Lock()
	change(&a.facts)
	a.m.mu.Unlock()
	a.note(context.Background())
}

// revokeGrant gives back what must not be kept.
func (a *account) revokeGrant(ctx context.Context, g oauth.Grant) {
	if g.RefreshToken.IsZero() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptLimit)
	defer cancel()
	if err := a.server.Revoke(ctx, g.RefreshToken); err != nil {
		a.m.log.Warn("tokens that must not be kept were not revoked", "account", a.name, "error", err)
	}
}

// apply takes over what an answer says. What an answer leaves out stays.
func (f *facts) apply(g oauth.Grant, now time.Time) {
	received := g.ReceivedAt
	if received.IsZero() || received.After(now) {
		received = now
	}
	f.AccessLifetime = g.ExpiresIn
	f.AccessExpiresAt = time.Time{}
	if g.ExpiresIn > 0 {
		f.AccessExpiresAt = received.Add(g.ExpiresIn)
	}
	if g.Scope != nil {
		f.Scope = g.Scope
	}
	if g.Identity.Subject != "" {
		f.Identity = g.Identity
	}
	f.Bounds = tightest(f.Bounds, g.Bounds)
}

// tightest keeps the strictest of what a server said over time.
func tightest(a, b oauth.Bounds) oauth.Bounds {
	earlier := func(x, y time.Time) time.Time {
		if x.IsZero() || !y.IsZero() && y.Before(x) {
			return y
		}
		return x
	}
	return oauth.Bounds{
		EndsAt:       earlier(a.EndsAt, b.EndsAt),
		OriginalIat:  earlier(a.OriginalIat, b.OriginalIat),
		RefreshCount: max(a.RefreshCount, b.RefreshCount),
		ServerTime:   b.ServerTime,
	}
}

// encode makes facts, with the use up to now, into what the store keeps.
func (f facts) encode(u use) []byte {
	f.Use = u
	b, err := json.Marshal(f)
	if err != nil {
		panic("auth: facts do not encode: " + err.Error()) // no field can fail
	}
	return b
}

func (f *facts) decode(b []byte) error {
	*f = facts{}
	return json.Unmarshal(b, f)
}

// sleep waits for d and reports false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// spread moves d by up to a fifth either way.
func (m *Manager) spread(d time.Duration) time.Duration {
	return d - d/5 + time.Duration(m.random()*float64(2*d/5))
}

// backoff doubles base with every try after the first, up to limit, spread so
// that many machines do not come back at once.
func (m *Manager) backoff(base, limit time.Duration, tries int) time.Duration {
	return m.spread(min(base<<min(tries-1, 12), limit))
}
