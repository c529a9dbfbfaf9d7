package engine

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"curfew/auth"
	"curfew/auth/authserver"
	"curfew/auth/engine/clock"
	"curfew/keystore/kctest"
)

var (
	simSeeds = flag.Int("sim.seeds", 8, "how many lives TestSim plays")
	simSeed  = flag.Uint64("sim.seed", 0, "the one life TestSim plays; 0: many")
	simHours = flag.Int("sim.hours", 72, "how long a life is")
)

// TestSim plays lives of a session in virtual time. Programs ask for tokens,
// and people sign in and out. The network fails in every way. The keychain
// locks, clocks are turned and the machine sleeps. The agent is killed at every
// kind of moment and starts again. Whatever happens, the rules in the methods
// of watcher must hold. A failing life prints its seed; `make sim SEED=n` plays
// it again.
//
// Three of four servers repeat a lost answer, as RFC 9700 lets them; the
// fourth is strict. Every second server is lax and counts neither refreshes nor
// days, so only the client's own rules hold. Their access tokens live from a
// quarter of an hour to eight hours, and every other account has no ID token.
func TestSim(t *testing.T) {
	seeds := make([]uint64, *simSeeds)
	for i := range seeds {
		seeds[i] = uint64(i + 1)
	}
	if *simSeed != 0 {
		seeds = []uint64{*simSeed}
	}
	defer debug.SetGCPercent(debug.SetGCPercent(1600)) // worlds are small and many
	began := time.Now()
	var total tally
	t.Run("lives", func(t *testing.T) {
		for _, seed := range seeds {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				live(t, seed, *simHours, &total)
			})
		}
	})
	t.Logf("%d lives of %d h in %.0f s: %s", len(seeds), *simHours, time.Since(began).Seconds(), &total)
	if n := &total.n; *simSeed == 0 && *simSeeds >= 8 && (n.Tokens == 0 || n.Crashes == 0 || n.Refreshes == 0 || n.Sleeps == 0 || n.RotationLost == 0) {
		t.Error("the lives were too quiet to prove anything")
	}
}

// A seed plays the same life again, to the nanosecond; else a failure could
// not be looked at.
func TestSimReplays(t *testing.T) {
	for _, seed := range []uint64{6, 7, 12} { // the second is at a strict server
		var lives [2]tally
		for i := range lives {
			t.Run(fmt.Sprintf("%d, life %d", seed, i+1), func(t *testing.T) { live(t, seed, 24, &lives[i]) })
		}
		if lives[0].n != lives[1].n {
			t.Errorf("seed %d, two lives:\n%x: %s\n%x: %s", seed, lives[0].n.Story, &lives[0], lives[1].n.Story, &lives[1])
		}
	}
}

// tally counts what lives were made of.
type tally struct {
	mu sync.Mutex
	n  struct {
		Tokens, Refused, Refreshes, Crashes, Restarts, Sleeps, SignIns, SignOuts int
		ByAge, ByRefreshes, RotationLost                                         int
		Story                                                                    uint64 // of one life: see tell
	}
}

func (t *tally) add(o *tally) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n.Tokens += o.n.Tokens
	t.n.Refused += o.n.Refused
	t.n.Refreshes += o.n.Refreshes
	t.n.Crashes += o.n.Crashes
	t.n.Restarts += o.n.Restarts
	t.n.Sleeps += o.n.Sleeps
	t.n.SignIns += o.n.SignIns
	t.n.SignOuts += o.n.SignOuts
	t.n.ByAge += o.n.ByAge
	t.n.ByRefreshes += o.n.ByRefreshes
	t.n.RotationLost += o.n.RotationLost
	t.n.Story = o.n.Story
}

func (t *tally) String() string {
	n := &t.n
	return fmt.Sprintf("%d tokens served, %d requests refused, %d refresh requests, %d crashes, %d restarts, %d suspends, %d sign-ins, %d sign-outs; "+
		"sessions ended by age %d, by refreshes %d, by an answer lost at a strict server %d, otherwise 0",
		n.Tokens, n.Refused, n.Refreshes, n.Crashes, n.Restarts, n.Sleeps, n.SignIns, n.SignOuts, n.ByAge, n.ByRefreshes, n.RotationLost)
}

// tell makes what happens, and when, part of the life's story.
func (t *tally) tell(what string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := fnv.New64a()
	fmt.Fprintln(h, t.n.Story, time.Now().UnixNano(), what, n)
	t.n.Story = h.Sum64()
}

// life is one seeded run.
type life struct {
	*world
	rng    *rand.Rand
	strict bool // the server never repeats an answer
	watch  *watcher
	tally  tally
	killed *death // set aside; nil: the agent lives

	// repeats: the server rotated and did not say to what. It repeats that answer
	// to the next request, whatever that asks for.
	repeats bool
}

// simFaults are what a life's network and server do wrong, each for a while.
var simFaults = []string{
	"refresh:500", "refresh:503;retry-after=7", "refresh:429;retry-after=20", "refresh:drop", "refresh:hang", "refresh:html",
	"refresh:drop-after-rotate*2", "refresh:hang-after-rotate*1", "refresh:502-after-rotate*1", "refresh:html-after-rotate*2",
	"refresh:503-after-rotate*1", "refresh:truncated*1", "refresh:duplicate-keys*1", "refresh:redirect;to=http://127.0.0.1:1/",
	"refresh:400;error=temporarily_unavailable", "refresh:400;error=server_error", "refresh:401", "refresh:400;error=invalid_client",
	"refresh:slow;by=3s", "refresh:expires-in;value=2", "refresh:expires-in;value=missing*1", "refresh:token-type;value=mac*1",
	"refresh:rollover*1", "refresh:no-refresh-token*1",
}

func live(t *testing.T, seed uint64, hours int, total *tally) {
	rng := rand.New(rand.NewPCG(seed, 1))
	strict, lax := seed%4 == 3, seed%2 == 0
	setup := func(w *world) {
		w.grace = 60 * 24 * time.Hour // a server that repeats a lost answer
		if strict {
			w.grace = authserver.None
		}
		ttl := []time.Duration{15 * time.Minute, time.Hour, 4 * time.Hour, 8 * time.Hour}[rng.IntN(4)]
		w.tune = func(c *authserver.Config) {
			c.AccessLifetime = ttl
			if lax {
				c.MaxRefreshes, c.MaxAge = 1000, 400*aDay
			}
		}
		w.random = func() float64 { return 0.5 }
		w.plain = rng.IntN(2) == 0
		w.mode = []auth.Mode{auth.InUse, auth.InUse, auth.OnDemand, auth.Always}[rng.IntN(4)]
		if *simSeed == 0 {
			w.logger = slog.New(slog.DiscardHandler) // to read it, play the one seed
		}
		w.inMemory()
	}
	play(t, setup, func(t *testing.T, w *world) {
		l := &life{world: w, rng: rng, strict: strict}
		l.watch = &watcher{life: l, sent: map[string]map[string]bool{}, made: map[string]int{}, slack: map[string]int{},
			unsure: map[string]bool{}, over: map[string]bool{}, revoked: map[string]bool{}, begun: map[string]time.Time{}}
		w.net.onRefresh, w.net.onAnswer = l.watch.refresh, l.watch.answer
		l.signIn()
		l.tally.n.SignIns++
		end := time.Now().Add(time.Duration(hours) * time.Hour)
		for time.Now().Before(end) && !t.Failed() {
			l.something()
			synctest.Wait()
			l.watch.look()
		}
		if t.Failed() {
			t.Logf("seed %d; play it again with: make sim SEED=%d", seed, seed)
		}
		l.tally.n.Refreshes = w.net.refreshes()
		total.add(&l.tally)
	})
}

// pass lets time go on and then waits until every goroutine that woke up is
// idle again. Whatever happens next must not race with the agent, or else a
// seed would not be one life.
func (l *life) pass(d time.Duration) {
	synctest.Wait()
	time.Sleep(d)
	synctest.Wait()
}

// something happens.
func (l *life) something() {
	switch p := l.rng.IntN(200); {
	case p < 104:
		l.pass(time.Duration(l.rng.ExpFloat64() * float64(14*time.Minute)))
		l.ask()
	case p < 120:
		for range 1 + l.rng.IntN(8) { // a burst, at once
			go l.ask()
		}
		l.pass(time.Minute)
	case p < 142:
		l.setFault()
		l.while(30 * time.Minute)
		l.faults.Set("")
	case p < 152:
		l.net.fail(offline)
		l.while(2 * time.Hour)
		l.net.fail(nil)
	case p < 160:
		l.keychain.SetLocked(true)
		l.while(time.Hour)
		l.keychain.SetLocked(false)
	case p < 166:
		l.skew.Store(int64((l.rng.Float64()*2 - 1) * float64(60*aDay)))
		l.while(10 * time.Minute)
		l.skew.Store(0)
	case p < 172:
		l.restart()
		l.tally.n.Restarts++
	case p < 186:
		l.crashSoon()
		l.while(time.Hour)
		l.crashNow()
	case p < 189: // the network is gone when the agent comes back
		l.crashSoon()
		l.while(time.Hour)
		l.crashNow()
		l.net.fail(offline)
		l.while(20 * time.Minute)
		l.watch.look()
		l.net.fail(nil)
	case p < 193:
		l.pass(time.Duration(l.rng.Float64() * float64(9*time.Hour)))
	case p < 195:
		l.sleepAndWake()
	case p < 196:
		l.signOut()
	case p < 198:
		l.signInAmid()
	case p < 199:
		l.askForAnother()
	default:
		if _, err := l.m.Refresh(l.t.Context(), "work", "sim"); err == nil {
			l.watch.alive()
		}
	}
	synctest.Wait()
	if s := l.status(); s.State == auth.Ended || s.State == auth.SignedOut {
		l.watch.ended(s.Reason)
		l.faults.Set("")
		l.signIn()
		l.tally.n.SignIns++
	}
}

// askForAnother spends a refresh on a token that is not the session's own,
// perhaps with a fault or a crash amid it.
func (l *life) askForAnother() {
	l.ask()
	crash := l.rng.IntN(2) == 0
	if fault := simFaults[l.rng.IntN(len(simFaults))]; l.rng.IntN(2) == 0 && !strings.Contains(fault, "no-refresh-token") {
		l.faults.Set(fault)
	}
	if crash {
		l.crashSoon()
	}
	if tok, err := l.byRefresh(fewer, -1); err == nil && !l.repeats && readClaims(tok.AccessToken.Reveal()).Scope != "openid" {
		l.t.Error("a token for another resource is the session's own")
	}
	l.pass(time.Minute) // a server that has ended the session is heard twice
	l.while(20 * time.Minute)
	if crash {
		l.crashNow()
	}
	l.faults.Set("")
}

// setFault makes the server do something wrong.
func (l *life) setFault() {
	fault := simFaults[l.rng.IntN(len(simFaults))]
	if l.strict && strings.Contains(fault, "no-refresh-token") {
		return // a server that rotates and does not say to what: nobody can live with that
	}
	if err := l.faults.Set(fault); err != nil {
		l.t.Fatal(err)
	}
	l.repeats = l.repeats || strings.Contains(fault, "no-refresh-token")
}

// sleepAndWake suspends the machine: the timers stand, the clocks do not.
// What is asked for at the very moment of the resume must be right.
func (l *life) sleepAndWake() {
	d := time.Duration(l.rng.Float64() * float64(12*time.Hour))
	long := l.rng.IntN(4) == 0
	if long {
		d = 31 * aDay
	}
	l.suspend(d)
	l.tally.n.Sleeps++
	before := l.watch.newestServed()
	tok, err := l.token()
	switch {
	case err == nil && long:
		l.t.Errorf("a token, good until %v, was served after a suspend of 31 days", tok.ExpiresAt)
	case err == nil:
		l.watch.served(tok, before)
	}
	l.pass(pollInterval)
	if s := l.status(); long && (s.State != auth.Ended || s.Reason != auth.ByAge) {
		l.t.Errorf("after a suspend of 31 days the session is %s %s", s.State, s.Reason)
	}
}

// signOut signs out without a network. Nothing is served from then on, and
// the server hears of it when the network is back, over restarts too.
func (l *life) signOut() {
	l.net.fail(offline)
	defer l.net.fail(nil)
	if _, err := l.m.SignOut(l.t.Context(), "work"); err != nil {
		l.t.Errorf("sign-out without a network: %v", err)
		return
	}
	synctest.Wait()
	l.tally.n.SignOuts++
	sid := l.watch.current()
	l.watch.close(sid)
	for range 1 + l.rng.IntN(3) {
		if tok, err := l.token(); err == nil {
			l.t.Errorf("a token, good until %v, was served after a sign-out", tok.ExpiresAt)
		}
		l.pass(time.Duration(l.rng.Float64() * float64(6*time.Hour)))
		if l.rng.IntN(3) == 0 {
			l.restart()
		}
	}
	l.net.fail(nil)
	l.pass(6*time.Minute + 10*time.Second)
	if _, live := l.server.Refreshes(sid); live && !l.watch.wasRevoked(sid) {
		l.t.Error("a session that was signed out lives on at the server")
	}
}

// signInAmid signs in while a session lives and the server or the network
// fails, or the agent is killed in between. One of both sessions is there
// afterwards; the replaced one is never used again.
func (l *life) signInAmid() {
	before := l.watch.current()
	l.setFault()
	crash := l.rng.IntN(2) == 0
	if crash {
		l.crashSoon()
	}
	err := l.trySignIn(auth.SignInRequest{Device: true})
	l.while(10 * time.Minute)
	died := crash && l.crashNow()
	l.faults.Set("")
	if !died && err == nil && before != "" {
		l.watch.close(before)
	}
	l.watch.know("") // the next refresh shows which one is there
	if err == nil {
		l.tally.n.SignIns++
	}
}

// while programs go on asking for up to d.
func (l *life) while(d time.Duration) {
	end := time.Now().Add(time.Duration(l.rng.Float64() * float64(d)))
	synctest.Wait()
	for time.Now().Before(end) {
		l.ask()
		l.pass(time.Duration(l.rng.ExpFloat64() * float64(9*time.Minute)))
	}
}

func (l *life) ask() {
	before := l.watch.newestServed()
	tok, err := l.token()
	if err != nil {
		if e, ok := errors.AsType[*auth.Error](err); !ok || e.Hint == "" || e.Message == "" {
			l.t.Errorf("an error without a hint: %v", err)
		}
		l.tally.mu.Lock()
		l.tally.n.Refused++
		l.tally.mu.Unlock()
		return
	}
	l.watch.served(tok, before)
	l.tally.mu.Lock()
	l.tally.n.Tokens++
	l.tally.mu.Unlock()
}

// crashSoon picks a moment at which a copy is made of everything durable. That
// is when a refresh request leaves or its answer comes, or at a call of the
// keychain.
func (l *life) crashSoon() {
	where, nth, after := l.rng.IntN(3), 1+l.rng.IntN(12), l.rng.IntN(2) == 0
	l.watch.mu.Lock()
	defer l.watch.mu.Unlock()
	switch where {
	case 0:
		l.watch.onRequest = l.die
	case 1:
		l.watch.onAnswer = l.die
	default:
		var calls atomic.Int32 // the keychain is written behind the engine's back, too
		l.hook(func() {
			if calls.Add(1) == int32(nth) {
				l.die()
			}
		}, after)
	}
}

// die sets aside what a power cut would leave now, once. The agent is dead
// from here on: what it still does happens in a dream.
func (l *life) die() {
	l.watch.mu.Lock()
	defer l.watch.mu.Unlock()
	if l.killed == nil {
		l.tally.tell("killed", len(l.keychain.Items()))
		l.killed = l.setAside(fmt.Sprintf("crash-%d", l.tally.n.Crashes))
		l.watch.died()
		l.net.fail(offline)
	}
}

// hook has f run before or after every keychain call; nil: nothing does.
func (l *life) hook(f func(), after bool) {
	var call func(kctest.Call) error
	if f != nil {
		call = func(kctest.Call) error { f(); return nil }
	}
	if after {
		l.keychain.After(call)
	} else {
		l.keychain.Before(call)
	}
}

// crashNow starts another agent on what was set aside: all that the first one
// did since then never happened. It reports whether there was a crash.
func (l *life) crashNow() bool {
	l.hook(nil, false)
	l.hook(nil, true)
	l.watch.mu.Lock()
	d := l.killed
	l.watch.onRequest, l.watch.onAnswer = nil, nil
	l.watch.mu.Unlock()
	if d == nil {
		return false
	}
	l.tally.n.Crashes++
	l.stop()
	l.watch.mu.Lock()
	l.killed = nil
	l.watch.woke()
	l.watch.mu.Unlock()
	l.net.fail(nil)
	l.rise(d)
	return true
}

// watcher looks for broken rules. Its view is that of the wire and of the
// server, never that of the Manager.
type watcher struct {
	*life
	mu        sync.Mutex
	inFlight  int
	onRequest func()
	onAnswer  func()

	// By the server's id of a session:
	sid     string                     // the one that is signed in; "": known at the next refresh
	begun   map[string]time.Time       // when it started, in true time
	sent    map[string]map[string]bool // the refresh tokens that left the machine
	made    map[string]int             // refreshes the server made
	slack   map[string]int             // cycles that can cost a count without making one
	unsure  map[string]bool            // an answer may have been lost since the last good one
	over    map[string]bool            // it has its tombstone: never used again
	revoked map[string]bool            // at the server

	newest    claims // the newest access token served
	beforeDie claims // as of the crash; after it what the dream served does not count
}

// claims are those of all tokens of authserver.
type claims struct {
	Sid          string `json:"sid"`
	Scope        string `json:"scope"`
	RefreshCount int    `json:"refreshCount"`
	Iat          int64  `json:"iat"`
	Exp          int64  `json:"exp"`
}

// readClaims reads a token without checking it.
func readClaims(token string) claims {
	var c claims
	if parts := strings.Split(token, "."); len(parts) == 3 {
		if b, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil {
			json.Unmarshal(b, &c)
		}
	}
	return c
}

// refresh checks one refresh request. Only one may run at a time, none for an
// ended session, and never a 21st.
func (w *watcher) refresh(token string) func([]byte) {
	w.mu.Lock()
	if w.inFlight++; w.inFlight > 1 {
		w.t.Errorf("%d refresh requests at once", w.inFlight)
	}
	c := readClaims(token)
	w.tally.tell("refresh request", c.RefreshCount)
	switch {
	case c.Sid == "":
		w.t.Errorf("a refresh request with something that is not a refresh token of the server")
	case w.over[c.Sid]:
		w.t.Errorf("a refresh request with the token of an ended session")
	case w.now().Sub(w.begun[c.Sid]) > 30*aDay+clock.Tolerance:
		w.t.Errorf("a refresh request of a session that is %v old", w.now().Sub(w.begun[c.Sid]))
	case w.sent[c.Sid] == nil:
		w.sent[c.Sid] = map[string]bool{}
	}
	w.sent[c.Sid][token] = true
	if c.RefreshCount >= 20 || len(w.sent[c.Sid]) > 20 {
		w.t.Errorf("refresh number %d of a session left the machine, with the token number %d", len(w.sent[c.Sid]), c.RefreshCount)
	}
	w.sid = c.Sid
	unsureBefore := w.unsure[c.Sid]
	w.unsure[c.Sid] = true
	hook := w.onRequest
	w.mu.Unlock()
	if hook != nil {
		hook()
	}
	return func(body []byte) {
		w.mu.Lock()
		w.inFlight--
		n, _ := w.server.Refreshes(c.Sid)
		lost := n > w.made[c.Sid]
		w.made[c.Sid] = max(w.made[c.Sid], n)
		var answer struct {
			Access  string `json:"access_token"`
			Refresh string `json:"refresh_token"`
			Error   string `json:"error"`
		}
		switch err := json.Unmarshal(body, &answer); {
		case err == nil && answer.Access != "" && answer.Refresh != "" && strings.Count(string(body), `"access_token"`) == 1:
			w.unsure[c.Sid] = false
		case err == nil && answer.Access != "":
			w.slack[c.Sid]++ // rotated to an unknown token: that cycle is repeated as another
		case err == nil && answer.Error != "" && !lost:
			w.unsure[c.Sid] = unsureBefore
		}
		hook := w.onAnswer
		w.mu.Unlock()
		if hook != nil {
			hook()
		}
	}
}

// answer sees what other token requests brought: sign-ins and revocations.
func (w *watcher) answer(form url.Values, body []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if form.Has("token") {
		w.revoked[readClaims(form.Get("token")).Sid] = true
		return
	}
	var answer struct {
		Refresh string `json:"refresh_token"`
	}
	if json.Unmarshal(body, &answer) == nil && answer.Refresh != "" {
		w.sid = readClaims(answer.Refresh).Sid
		w.begun[w.sid] = w.now()
	}
}

// died is called with mu held when the agent is killed, woke when the next is
// about to start: a request may have left and its answer not have been saved.
func (w *watcher) died() { w.beforeDie = w.newest }

func (w *watcher) woke() {
	w.newest = w.beforeDie
	for sid := range w.sent {
		w.unsure[sid] = true
	}
}

// current is the session that is signed in, as far as the wire shows.
func (w *watcher) current() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sid
}

// know notes which session is signed in; "" if unknown.
func (w *watcher) know(sid string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sid = sid
}

// close notes that a session has its tombstone.
func (w *watcher) close(sid string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over[sid] = true
}

func (w *watcher) wasRevoked(sid string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.revoked[sid]
}

// look checks what must hold at any time: the count is never below what the
// server made, and at most one open cycle above it.
func (w *watcher) look() {
	s := w.status()
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.State == auth.Ended || s.State == auth.SignedOut || s.State == auth.Locked || w.sid == "" {
		return
	}
	if n, live := w.server.Refreshes(w.sid); live {
		w.made[w.sid] = max(w.made[w.sid], n)
	}
	made := w.made[w.sid]
	if s.RefreshesUsed < made {
		w.t.Errorf("%d refreshes counted, the server made %d", s.RefreshesUsed, made)
	}
	if s.RefreshesUsed > made+1+w.slack[w.sid] {
		w.t.Errorf("%d refreshes counted, the server made %d: more than one was wasted", s.RefreshesUsed, made)
	}
	if s.RefreshesUsed > 20 || s.RefreshesLeft < 0 || s.AgeLeft > 30*24*3600 {
		w.t.Errorf("the snapshot breaks a limit: %+v", s)
	}
}

// alive checks that the session is not over.
func (w *watcher) alive() {
	if s := w.status(); s.State == auth.Ended && s.Reason != auth.ByRefreshes {
		w.t.Errorf("a token was served in state %s %s", s.State, s.Reason)
	}
}

// newestServed is the newest access token that anybody was given so far.
func (w *watcher) newestServed() claims {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.newest
}

// served checks a token that was handed out. Its session must be live and the
// server must accept it. It must not be older than what had been served before
// the request.
func (w *watcher) served(tok auth.Token, before claims) {
	w.alive()
	c := readClaims(tok.AccessToken.Reveal())
	w.tally.tell("served", c.RefreshCount)
	w.mu.Lock()
	newer := c.Iat > w.newest.Iat
	begun, known := w.begun[c.Sid]
	switch {
	case w.over[c.Sid]:
		w.t.Error("a token of an ended session was served")
	case known && w.now().Sub(begun) > 30*aDay+clock.Tolerance:
		w.t.Errorf("a token was served at an age of %v", w.now().Sub(begun))
	case !w.repeats && !strings.Contains(c.Scope, "offline_access"):
		w.t.Error("a token that was got for another resource was served as the session's own")
	case !time.Unix(c.Exp, 0).After(w.now()):
		w.t.Errorf("a token was served at %v that expired at %v", w.now(), time.Unix(c.Exp, 0))
	case c.Sid == before.Sid && c.Iat < before.Iat:
		w.t.Error("a token was served that is older than one served before: it was shown before it was saved")
	}
	if newer {
		w.newest = c
	}
	w.mu.Unlock()
	if !newer { // the server has seen it before
		return
	}
	if code := w.me(tok); code != 200 {
		w.t.Errorf("a served token that is good until %v is answered with %d", time.Unix(c.Exp, 0), code)
	}
}

// ended checks why a session has ended. With a server that repeats lost answers
// and a keychain that comes back, the only reasons are the limits. A strict
// server gives one more, but only after an answer may have been lost.
func (w *watcher) ended(r auth.Reason) {
	w.mu.Lock()
	defer w.mu.Unlock()
	age, used := w.now().Sub(w.begun[w.sid]), len(w.sent[w.sid])
	switch {
	case r == auth.ByAge && (w.sid == "" || age > 30*aDay-clock.Tolerance):
		w.tally.n.ByAge++
	case r == auth.ByRefreshes && (w.sid == "" || used+w.slack[w.sid] >= 20):
		w.tally.n.ByRefreshes++
	case r == auth.ByRotationLost && w.strict && (w.sid == "" || w.unsure[w.sid]):
		w.tally.n.RotationLost++
	case r == auth.ByUser && w.over[w.sid]:
	default:
		w.t.Errorf("a session was lost: %q, at an age of %v with %d refreshes sent", r, age, used)
	}
	w.over[w.sid] = true
}
