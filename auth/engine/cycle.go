package engine

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"curfew/auth"
	"curfew/auth/engine/clock"
	"curfew/auth/engine/failure"
	"curfew/auth/engine/pair"
	"curfew/auth/oauth"
	"curfew/auth/oauth/dpop"
	"curfew/keystore"
)

// This file is the refresh. It reserves durably, sends one POST at a time,
// commits durably and only then serves. A cycle is counted once, however many
// POSTs it takes. It survives the end of the agent.

// flight is one refresh that any number of callers wait for.
type flight struct {
	done    chan struct{} // closed when err is set
	err     error
	again   bool   // it brought no token, but another may: waiting callers ask again
	program string // who asked first; "" when nobody did

	asks    *auth.Exchange // for another token than the session's own; nil: for that
	other   oauth.Grant    // that token
	refused *auth.Error    // or why there is none
}

// retry is where a failed refresh stands.
type retry struct {
	at      time.Time // the next try; zero: none failed
	last    time.Time // the last one
	tries   int
	err     *oauth.Error
	useless bool // it was answered, and cost a refresh: see useless
}

// unsaved is an answer of the server that waits for the store.
type unsaved struct {
	secret, access []byte
	meta           []byte // facts, encoded once: Commit wants the same again
	facts          facts
	token, id      auth.Secret
	late           bool // useless, because it had been lost for long: no fault of the server's
	tries          int
	at             time.Time // when to try again
}

// refreshDueLocked reports whether a refresh should run now. Either somebody
// waits for one, or an open cycle must be completed, or the plan says so.
func (a *account) refreshDueLocked(now time.Time) bool {
	if a.flight != nil {
		return true
	}
	if now.Before(a.retry.at) {
		return false
	}
	switch s := a.sessionLocked(); {
	case s.Pending:
		return true
	case s.Left(a.m.limits) == 0:
		return false
	case !a.retry.at.IsZero() && !a.retry.useless && now.Sub(a.wantedAt) < wantedFor && !s.AccessGood(now):
		return true
	}
	return !a.m.paused && a.planLocked(now).Refresh
}

// wantedFor is how long the agent still tries to get a token ready after a
// request that failed without a network. While the old token is valid nobody
// needs that, since it would be a refresh outside of the buffer.
const wantedFor = 10 * time.Minute

func (a *account) failFlightLocked(err error) {
	if f := a.flight; f != nil {
		a.flight, a.inFlight = nil, false
		f.err = err
		close(f.done)
	}
}

// refresh runs one cycle as far as it gets now.
func (a *account) refresh(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a.m.locked(func() { a.interrupt = cancel })
	err := a.cycle(ctx)
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	a.interrupt = nil
	a.failFlightLocked(err)
	a.inFlight = false
	a.m.publishLocked()
}

// The retry times. After an ambiguous failure a retry comes at once, inside a
// server's grace. After a clean refusal it comes slowly.
var ambiguousRetries = []time.Duration{time.Second, 3 * time.Second, 8 * time.Second}

const (
	attemptLimit = 15 * time.Second // what can be asked again
	refreshLimit = 90 * time.Second // discovery, keys, and a POST that is waited for as long as a gateway would
	confirmDelay = 3 * time.Second  // before a dead token is asked about once more

	offlineDelay  = 2 * time.Second  // doubles with every try, up to:
	offlineMax    = 10 * time.Second // and so a token is there that soon after the network
	ambiguousMax  = 5 * time.Minute
	throttleDelay = time.Minute
	throttleMax   = 15 * time.Minute
	heldDelay     = 15 * time.Minute
	heldMax       = 6 * time.Hour
)

// A cycle is one refresh under way. It is counted once, before its first
// request leaves, however many requests it takes.
type cycle struct {
	a         *account
	server    server
	last      *oauth.Error // how the try before this flight failed; nil if it did not, or if its cycle is closed
	resumed   bool         // the cycle is from an earlier flight, or from an earlier agent
	token     auth.Secret  // the refresh token
	key       dpop.Key     // that it is bound to; zero: none
	tries     int          // requests of this flight
	confirmed bool         // the server was asked once more about a token that it had called dead
}

// cycle runs the open cycle, or reserves a new one.
func (a *account) cycle(ctx context.Context) error {
	c := &cycle{a: a}
	if err := c.open(ctx); err != nil {
		return err
	}
	for {
		if reason := a.over(); reason != "" { // the machine slept between two tries
			return failure.Ended(a.name, reason)
		}
		grant, err := c.post(ctx)
		if err == nil {
			return a.renew(ctx, grant, nil, c.resumed)
		}
		if errors.Is(err, oauth.ErrSubjectChanged) {
			a.end(ctx, auth.BySubjectChanged)
			a.revokeGrant(grant)
			return failure.Ended(a.name, auth.BySubjectChanged)
		}
		e, ok := errors.AsType[*oauth.Error](err)
		if !ok {
			e = &oauth.Error{Op: "refresh", Class: oauth.Unknown, Err: err}
		}
		if again, err := c.failed(ctx, grant, e); !again {
			return err
		}
	}
}

// open prepares the first request.
func (c *cycle) open(ctx context.Context) (err error) {
	a := c.a
	if c.server, err = a.dial(ctx); err != nil {
		return a.storeFailed(err)
	}
	if c.server.bound != a.facts.Bound { // never to a server that did not give it
		return a.storeFailed(failure.Binding(a.name))
	}
	a.m.mu.Lock()
	if !a.retry.useless {
		c.last = a.retry.err
	}
	a.m.mu.Unlock()
	if c.resumed = a.rec.Pending; !c.resumed {
		if err := c.aim(ctx); err != nil {
			return err
		}
		if err := c.reserve(ctx); err != nil {
			return err
		}
	}
	secret, err := a.m.store.Secret(ctx, a.rec.ID)
	if err != nil {
		return a.recordFailed(ctx, err)
	}
	c.token, c.key = pair.Unpack(secret)
	return nil
}

// reserve counts a new cycle.
func (c *cycle) reserve(ctx context.Context) error {
	a, m := c.a, c.a.m
	m.mu.Lock()
	left := a.sessionLocked().Left(m.limits)
	m.mu.Unlock()
	if left == 0 {
		return failure.Ended(a.name, auth.ByRefreshes)
	}
	if c.last != nil && c.last.Class == oauth.NotSent {
		// The last try did not reach the server. Look before counting.
		if err := c.server.Reachable(ctx); err != nil {
			return a.failed(ctx, c.last, false)
		}
	}
	rec, err := m.store.Reserve(ctx, a.rec.ID)
	if err != nil {
		return a.recordFailed(ctx, err)
	}
	a.setRecord(rec)
	a.sent = false
	return nil
}

// post makes one request. It is not cut by the agent's end: the server may
// have rotated the token already.
func (c *cycle) post(ctx context.Context) (oauth.Grant, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshLimit)
	defer cancel()
	c.tries++
	from := c.a.facts.origin(c.key)
	if asks := c.a.facts.For; asks != nil {
		from.Resource, from.Scope = asks.Resource, asks.Scope
	}
	return c.server.Refresh(ctx, c.token, from)
}

// late reports whether a server may still be busy with a request that nobody
// waits for any more. Sending the token again at once would look like theft to
// a server that is strict, and comes too late for the grace of any other.
func late(e *oauth.Error) bool {
	return e.Class == oauth.Unknown && (errors.Is(e, context.DeadlineExceeded) || e.Status == http.StatusGatewayTimeout || e.Status == 524) // Cloudflare's
}

// failed judges a request that failed. If the cycle goes on with another
// request, it waits a while and reports true. grant holds what the server
// rotated to, even if its answer cannot be used otherwise.
func (c *cycle) failed(ctx context.Context, grant oauth.Grant, e *oauth.Error) (again bool, err error) {
	a := c.a
	a.m.log.Info("refresh failed", "account", a.name, "class", e.Class, "code", e.Code, "status", e.Status, "error", e)
	a.sent = a.sent || e.Class != oauth.NotSent
	if ambiguous := e.Class == oauth.Unknown || e.Status >= 500; ambiguous && !a.facts.OutcomeUnknown {
		a.m.locked(func() { a.facts.OutcomeUnknown = true }) // a gateway's 503 may hide a refresh
		a.note(context.WithoutCancel(ctx))
	}
	if a.facts.namesAnother() && (e.Class == oauth.HeldBack || e.Class == oauth.Dead) {
		return false, c.refuse(ctx, e)
	}
	switch e.Class {
	case oauth.Unknown:
		n := c.tries - 1
		if c.last == nil && !late(e) && n < len(ambiguousRetries) && sleep(ctx, a.m.spread(ambiguousRetries[n])) {
			return true, nil
		}
	case oauth.Dead:
		if c.confirmed {
			a.m.locked(func() { a.learnReachLocked(reachClient) })
			reason := a.deathReason(e)
			a.end(ctx, reason)
			return false, failure.Ended(a.name, reason)
		}
		if c.confirmed = true; sleep(ctx, confirmDelay) {
			return true, nil
		}
	case oauth.Protocol:
		if !grant.RefreshToken.IsZero() { // unusable, but the token was rotated: keep that
			return false, a.renew(ctx, grant, e, c.resumed)
		}
	}
	return false, a.failed(ctx, e, e.Class == oauth.NotSent && !a.sent)
}

// over says why the session has ended by time or by a sign-out, or "".
func (a *account) over() auth.Reason {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	if a.leaving > 0 {
		return auth.ByUser
	}
	return a.sessionLocked().Over(a.m.limits, a.clock.Now())
}

// deathReason says why a server that called the token dead did so.
func (a *account) deathReason(e *oauth.Error) auth.Reason {
	switch {
	case e.Description == auth.MessageAge:
		return auth.ByAge
	case e.Description == auth.MessageRefreshes:
		return auth.ByRefreshes
	case a.facts.OutcomeUnknown:
		return auth.ByRotationLost
	default:
		return auth.ByRevocation
	}
}

// renew makes what a refresh brought durable and only then shows it to
// anybody. bad is set when the answer holds a new refresh token but no usable
// access token. The current access token then stays. resumed says that the
// cycle is not from this flight. The answer may be one that was lost a while
// ago, with tokens that have expired by now. Waiting callers then get another
// refresh, unless answers before this one were useless too.
func (a *account) renew(ctx context.Context, g oauth.Grant, bad *oauth.Error, resumed bool) error {
	now := a.clock.Now()
	f, asked := a.facts, a.facts.For
	f.apply(g)
	f.For, f.LastRefreshAt = nil, now
	f.OutcomeUnknown = false
	f.Clock = a.clock.Anchor()
	if bad == nil && !f.AccessExpiresAt.IsZero() && !now.Before(f.AccessExpiresAt) {
		bad = failure.Protocol("its access token has already expired")
	}
	switch {
	case bad != nil:
		f.Useless = useless{f.Useless.Count + 1, failure.Reason(bad).Message}
	case asked != nil:
	case f.AccessExpiresAt.IsZero(): // waiting callers get it; for later ones it counts as expired
		f.Useless = useless{f.Useless.Count + 1, failure.ErrNoLifetime.Error()}
	default:
		f.Useless = useless{}
	}
	u := &unsaved{facts: f, id: a.id}
	if !g.RefreshToken.IsZero() {
		u.secret = pair.Pack(g.RefreshToken, g.Key)
	}
	if bad == nil && !g.IDToken.IsZero() {
		u.id = g.IDToken
	}
	if u.token = g.AccessToken; bad != nil || asked != nil {
		u.facts.AccessExpiresAt, u.facts.AccessLifetime, u.facts.TokenType = a.facts.AccessExpiresAt, a.facts.AccessLifetime, a.facts.TokenType
		u.facts.Scope, u.token = a.facts.Scope, a.access
	}
	u.access = pair.Tokens(u.token, u.id)
	a.m.mu.Lock()
	u.late = bad != nil && resumed && f.Useless.Count == 1 && !a.sessionLocked().AccessGood(now)
	a.use.LastActivity = now
	u.meta = a.encodeLocked(u.facts)
	a.unsaved = u
	a.m.mu.Unlock()
	if err := a.save(ctx); err != nil {
		return err
	}
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	if bad == nil {
		a.deliverLocked(asked, g)
		return nil
	}
	if !u.late {
		return a.failureErrorLocked()
	}
	if a.flight != nil {
		a.flight.again = true
	}
	return nil
}

// A useless answer rotates the refresh token and brings no access token that
// can be relied on: a broken server, or one that is set up badly. Unlike the
// retries of one cycle each costs a refresh, so every one that follows another
// waits longer.
type useless struct {
	Count int    `json:"count"` // in a row
	Why   string `json:"why"`   // what was wrong with the last
}

// uselessHolds is how many of them in a row hold the account until a person
// looks.
const uselessHolds = 2

// delay is how long no refresh is tried after so many of them. It doubles
// without end. So the 30 days of a session have room for 14 of them, and the
// budget outlives the fault.
func (u useless) delay() time.Duration {
	if u.Count < uselessHolds {
		return throttleDelay
	}
	return heldDelay << min(u.Count-uselessHolds, 12)
}

// afterUseless is where a session stands whose last answer was useless.
func (m *Manager) afterUseless(f facts) retry {
	return retry{
		at: f.LastRefreshAt.Add(m.spread(f.Useless.delay())), last: f.LastRefreshAt, tries: f.Useless.Count,
		err: failure.Protocol(f.Useless.Why), useless: true,
	}
}

// save commits the unsaved answer and publishes it.
func (a *account) save(ctx context.Context) error {
	u := a.unsaved
	rec, err := a.m.store.Commit(context.WithoutCancel(ctx), a.rec.ID, u.secret, u.access, u.meta)
	if damaged(err) {
		return a.recordFailed(ctx, err)
	}
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	if err != nil {
		u.tries++
		u.at = a.clock.Now().Add(a.m.backoff(time.Second, 30*time.Second, u.tries))
		a.storeErr = err
		a.m.log.Error("a refreshed session cannot be saved yet; trying again", "account", a.name, "error", err)
		a.m.publishLocked()
		return failure.Keychain(err)
	}
	clear(u.secret)
	clear(u.access)
	used := rec.Used
	a.rec, a.facts, a.access, a.id, a.unsaved = &rec, u.facts, u.token, u.id, nil
	a.retry, a.storeErr, a.dirty, a.forecastAt = retry{}, nil, false, time.Time{}
	a.learnReachLocked(reachGrant)
	program := ""
	if a.flight != nil {
		program = a.flight.program
	}
	left := a.sessionLocked().Left(a.m.limits)
	words := auth.Say("event_refreshed", left)
	if program != "" {
		words = auth.Say("event_refreshed_for", program, left)
	}
	a.m.journal.Add(auth.Event{At: a.facts.LastRefreshAt, Account: a.name, Kind: auth.EventRefresh, Program: program, Count: used, Text: words})
	if a.facts.Useless.Count > 0 && !u.late {
		a.retry = a.m.afterUseless(a.facts)
		a.m.journal.Add(auth.Event{At: a.facts.LastRefreshAt, Account: a.name, Kind: auth.EventError, Text: failure.Text(a.retry.err)})
	}
	a.m.publishLocked()
	return nil
}

// dropUnsavedLocked gives up an answer that could not be saved, and gives its
// refresh token back. The session had two, and the store knows only the earlier
// one.
func (a *account) dropUnsavedLocked() {
	u := a.unsaved
	a.unsaved = nil
	if u == nil || len(u.secret) == 0 {
		return
	}
	r := revocation{account: a.name, facts: u.facts}
	r.token, _ = pair.Unpack(u.secret)
	clear(u.access)
	a.m.giveBackLocked(r)
}

// failed notes a failure that may pass. The cycle stays open, unless unsent
// says that certainly no byte of it left the machine. Then its count is given
// back.
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
	now := a.clock.Now()
	if bar := a.retry; unsent && bar.useless && now.Before(bar.at) { // a person tried in vain, which lifts no bar
		defer func() { a.retry = bar }()
		a.retry.err = e
		return a.failureErrorLocked()
	}
	r := &a.retry
	if r.err == nil || r.err.Class != e.Class {
		r.tries = 0
		a.m.journal.Add(auth.Event{At: now, Account: a.name, Kind: auth.EventError, Text: failure.Text(e)})
	}
	r.tries++
	r.err, r.last, r.useless = e, now, false
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
	if late(e) { // while the old access token works, asking gains nothing and risks the session
		r.at = clock.Later(now.Add(max(delay, throttleDelay)), a.facts.AccessExpiresAt.Add(-auth.DefaultMinValid))
	}
	return a.failureErrorLocked()
}

// storeFailed notes that the keychain, the state directory or a setting keeps
// the refresh from running. It says nothing about the session.
func (a *account) storeFailed(err error) error {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	if a.storeErr == nil || a.storeErr.Error() != err.Error() {
		a.m.log.Warn("the session's store failed", "account", a.name, "error", err)
	}
	a.storeErr = err
	a.storeAt = a.clock.Now().Add(pollInterval)
	if a.retry.at.Before(a.storeAt) { // else something bars it for longer
		a.retry.at = a.storeAt
	}
	return failure.Keychain(err)
}

// recordFailed notes that the session's own record failed. A damaged one
// ends the session.
func (a *account) recordFailed(ctx context.Context, err error) error {
	if !damaged(err) {
		return a.storeFailed(err)
	}
	a.m.log.Error("the stored session is damaged and is closed", "account", a.name, "error", err)
	a.end(ctx, auth.ByTampering)
	return failure.Ended(a.name, auth.ByTampering)
}

// damaged reports whether the store's verdict on a session is final. It means
// something only for an error of that session's record.
func damaged(err error) bool {
	return errors.Is(err, keystore.ErrTampered) || errors.Is(err, keystore.ErrCorrupt)
}

// revokeGrant gives back what must not be kept.
func (a *account) revokeGrant(g oauth.Grant) {
	token, alone := kept(g)
	if token.IsZero() {
		return
	}
	a.m.locked(func() {
		a.m.giveBackLocked(revocation{account: a.name, facts: facts{Bound: a.server.bound, Identity: g.Identity, NoRefresh: alone}, token: token})
	})
}

// kept is the token of a grant that stands for the session, and whether that is
// its access token for lack of another.
func kept(g oauth.Grant) (token auth.Secret, alone bool) {
	if g.RefreshToken.IsZero() {
		return g.AccessToken, true
	}
	return g.RefreshToken, false
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
	return min(m.spread(min(base<<min(tries-1, 12), limit)), limit)
}
