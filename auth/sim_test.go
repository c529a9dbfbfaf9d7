package auth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"curfew/keystore"
)

var (
	simSeeds = flag.Int("sim.seeds", 24, "how many lives TestSim plays")
	simSeed  = flag.Uint64("sim.seed", 0, "the one life TestSim plays; 0: many")
	simHours = flag.Int("sim.hours", 72, "how long a life is")
)

// TestSim plays lives of a session in virtual time: programs ask, the network
// fails in every way, the keychain locks, clocks are turned, the agent is
// killed at every kind of moment and starts again. Whatever happens, the
// rules must hold; which ones, the methods of watcher say. A failing life
// prints its seed; `make sim SEED=n` plays it again.
func TestSim(t *testing.T) {
	seeds := make([]uint64, *simSeeds)
	for i := range seeds {
		seeds[i] = uint64(i + 1)
	}
	if *simSeed != 0 {
		seeds = []uint64{*simSeed}
	}
	var total tally
	t.Run("lives", func(t *testing.T) {
		for _, seed := range seeds {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				live(t, seed, &total)
			})
		}
	})
	t.Logf("%d lives of %d h: %s", len(seeds), *simHours, &total)
	if *simSeed == 0 && (total.tokens == 0 || total.crashes == 0 || total.refreshes == 0) {
		t.Error("the lives were too quiet to prove anything")
	}
}

// tally counts what lives were made of.
type tally struct {
	mu                                                           sync.Mutex
	tokens, refused, refreshes, crashes, restarts, signIns, ends int
}

func (t *tally) add(o *tally) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tokens += o.tokens
	t.refused += o.refused
	t.refreshes += o.refreshes
	t.crashes += o.crashes
	t.restarts += o.restarts
	t.signIns += o.signIns
	t.ends += o.ends
}

func (t *tally) String() string {
	return fmt.Sprintf("%d tokens served, %d requests refused, %d refreshes, %d crashes, %d restarts, %d sign-ins, %d sessions ended",
		t.tokens, t.refused, t.refreshes, t.crashes, t.restarts, t.signIns, t.ends)
}

// life is one seeded run.
type life struct {
	*world
	rng   *rand.Rand
	watch *watcher
	tally tally
}

// simFaults are what a life's network and server do wrong, each for a while.
var simFaults = []string{
	"refresh:500", "refresh:503;retry-after=7", "refresh:429;retry-after=20", "refresh:drop", "refresh:hang", "refresh:html",
	"refresh:drop-after-rotate*2", "refresh:hang-after-rotate*1", "refresh:502-after-rotate*1", "refresh:html-after-rotate*2",
	"refresh:truncated*1", "refresh:duplicate-keys*1", "refresh:redirect;to=http://127.0.0.1:1/", "refresh:no-refresh-token*1",
	"refresh:400;error=temporarily_unavailable", "refresh:400;error=server_error", "refresh:401", "refresh:400;error=invalid_client",
	"refresh:slow;by=3s", "refresh:expires-in;value=2", "refresh:expires-in;value=missing*1", "refresh:token-type;value=mac*1", "refresh:rollover*1",
}

func live(t *testing.T, seed uint64, total *tally) {
	setup := func(w *world) {
		rng := rand.New(rand.NewPCG(seed, 1))
		w.grace = 30 * 24 * time.Hour // a server that repeats a lost answer
		w.random = func() float64 { return 0.5 }
		w.mode = []Mode{InUse, OnDemand, Always}[rng.IntN(3)]
		if shm, err := os.MkdirTemp("/dev/shm", "curfew-sim"); err == nil { // fsync proves nothing here and costs all the time
			w.dir = filepath.Join(shm, "state")
			w.t.Cleanup(func() { os.RemoveAll(shm) })
		}
	}
	play(t, setup, func(t *testing.T, w *world) {
		l := &life{world: w, rng: rand.New(rand.NewPCG(seed, 2))}
		l.watch = &watcher{life: l, used: map[string]int{}}
		w.net.onRefresh = l.watch.refresh
		l.signInAgain()
		end := time.Now().Add(time.Duration(*simHours) * time.Hour)
		for time.Now().Before(end) && !t.Failed() {
			l.something()
			l.watch.look()
		}
		if t.Failed() {
			t.Logf("seed %d; play it again with: make sim SEED=%d", seed, seed)
		}
		l.tally.refreshes = w.net.refreshes()
		total.add(&l.tally)
	})
}

// something happens.
func (l *life) something() {
	switch p := l.rng.IntN(100); {
	case p < 55:
		time.Sleep(time.Duration(l.rng.ExpFloat64() * float64(7*time.Minute)))
		l.ask()
	case p < 63:
		for range 1 + l.rng.IntN(8) { // a burst, at once
			go l.ask()
		}
		synctest.Wait()
		time.Sleep(time.Minute)
	case p < 74:
		if err := l.faults.Set(simFaults[l.rng.IntN(len(simFaults))]); err != nil {
			l.t.Fatal(err)
		}
		l.while(30 * time.Minute)
		l.faults.Set("")
	case p < 79:
		l.net.fail(offline)
		l.while(2 * time.Hour)
		l.net.fail(nil)
	case p < 83:
		l.keychain.SetLocked(true)
		l.while(time.Hour)
		l.keychain.SetLocked(false)
	case p < 86:
		l.skew.Store(int64((l.rng.Float64()*2 - 1) * float64(60*aDay)))
		l.while(10 * time.Minute)
		l.skew.Store(0)
	case p < 89:
		l.restart()
		l.tally.restarts++
	case p < 97:
		l.crashSoon()
		l.while(time.Hour)
		l.crashNow()
	case p < 99:
		time.Sleep(time.Duration(l.rng.Float64() * float64(9*time.Hour)))
	default:
		if _, err := l.m.Refresh(l.t.Context(), "work", "sim"); err == nil {
			l.watch.served()
		}
	}
	if s := l.status(); s.State == Ended || s.State == SignedOut {
		l.watch.ended(s.Reason)
		l.faults.Set("")
		l.signInAgain()
	}
}

// while programs go on asking for up to d.
func (l *life) while(d time.Duration) {
	end := time.Now().Add(time.Duration(l.rng.Float64() * float64(d)))
	for time.Now().Before(end) {
		l.ask()
		time.Sleep(time.Duration(l.rng.ExpFloat64() * float64(5*time.Minute)))
	}
}

func (l *life) ask() {
	tok, err := l.token()
	if err != nil {
		if e, ok := errors.AsType[*Error](err); !ok || e.Hint == "" || e.Message == "" {
			l.t.Errorf("an error without a hint: %v", err)
		}
		l.tally.mu.Lock()
		l.tally.refused++
		l.tally.mu.Unlock()
		return
	}
	if code := l.me(tok); code != 200 && tok.ExpiresAt.After(time.Now().Add(time.Minute)) {
		l.t.Errorf("a served token that is good until %v is answered with %d", tok.ExpiresAt, code)
	}
	l.watch.served()
	l.tally.mu.Lock()
	l.tally.tokens++
	l.tally.mu.Unlock()
}

func (l *life) signInAgain() {
	l.t.Helper()
	l.signIn()
	l.tally.signIns++
	l.watch.mu.Lock()
	defer l.watch.mu.Unlock()
	l.watch.sid = "" // known at the first refresh
}

// crash is a copy of all that was durable at some moment.
type crash struct {
	dir   string
	items map[string]string
}

// crashSoon picks a moment at which everything durable is set aside: a
// refresh request that leaves, its answer that comes, a call of the keychain.
func (l *life) crashSoon() {
	where, nth := l.rng.IntN(3), 1+l.rng.IntN(12)
	l.watch.mu.Lock()
	defer l.watch.mu.Unlock()
	l.watch.crashed = nil
	switch where {
	case 0:
		l.watch.onRequest = l.setAside
	case 1:
		l.watch.onAnswer = l.setAside
	default:
		calls := 0
		l.hook(func() {
			if calls++; calls == nth {
				l.setAside()
			}
		}, l.rng.IntN(2) == 0)
	}
}

// setAside copies what a power cut would leave now, once.
func (l *life) setAside() {
	l.watch.mu.Lock()
	defer l.watch.mu.Unlock()
	if l.watch.crashed != nil {
		return
	}
	dir := filepath.Join(filepath.Dir(l.dir), fmt.Sprintf("crash-%d", l.tally.crashes))
	if err := os.CopyFS(dir, os.DirFS(l.dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.t.Errorf("copying the state: %v", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		l.t.Error(err)
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		os.Chmod(filepath.Join(dir, e.Name()), 0o600)
	}
	l.watch.crashed = &crash{dir, l.keychain.Items()}
	l.net.fail(offline) // the agent is dead from here on; what it still does happens in a dream
}

// hook has f run before or after every keychain call; nil: nothing does.
func (l *life) hook(f func(), after bool) {
	var call func(keystore.KeychainCall) error
	if f != nil {
		call = func(keystore.KeychainCall) error { f(); return nil }
	}
	if after {
		l.keychain.After(call)
	} else {
		l.keychain.Before(call)
	}
}

// crashNow kills the agent and starts another on what was set aside: all that
// the first one did since then never happened.
func (l *life) crashNow() {
	l.hook(nil, false)
	l.hook(nil, true)
	l.net.fail(nil)
	l.watch.mu.Lock()
	c := l.watch.crashed
	l.watch.crashed, l.watch.onRequest, l.watch.onAnswer = nil, nil, nil
	l.watch.mu.Unlock()
	if c == nil {
		return
	}
	l.tally.crashes++
	l.stop()
	l.dir = c.dir
	l.keychain.SetItems(c.items)
	l.start()
}

// watcher looks for broken rules.
type watcher struct {
	*life
	mu        sync.Mutex
	inFlight  int
	crashed   *crash
	onRequest func()
	onAnswer  func()
	sid       string         // whose refresh token was sent last
	used      map[string]int // refreshes the server made, per session
}

// refresh sees one refresh request: only one at a time.
func (w *watcher) refresh(token string) func([]byte) {
	w.mu.Lock()
	w.inFlight++
	if w.inFlight > 1 {
		w.t.Errorf("%d refresh requests at once", w.inFlight)
	}
	sid, count := refreshClaims(token)
	if count >= 20 {
		w.t.Errorf("refresh number %d left the machine", count+1)
	}
	w.sid = sid
	hook := w.onRequest
	w.mu.Unlock()
	if hook != nil {
		hook()
	}
	return func(body []byte) {
		w.mu.Lock()
		w.inFlight--
		var answer struct {
			RefreshToken string `json:"refresh_token"`
		}
		if json.Unmarshal(body, &answer) == nil && answer.RefreshToken != "" {
			sid, count := refreshClaims(answer.RefreshToken)
			w.used[sid] = max(w.used[sid], count)
		}
		hook := w.onAnswer
		w.mu.Unlock()
		if hook != nil {
			hook()
		}
	}
}

// refreshClaims reads whose a refresh token is and how many came before it.
func refreshClaims(token string) (sid string, count int) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", 0
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", 0
	}
	var claims struct {
		Sid          string `json:"sid"`
		RefreshCount int    `json:"refreshCount"`
	}
	if json.Unmarshal(b, &claims) != nil {
		return "", 0
	}
	return claims.Sid, claims.RefreshCount
}

// look checks what must hold at any time.
func (w *watcher) look() {
	s := w.status()
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.State == Ended || s.State == SignedOut || s.State == Locked {
		return
	}
	if made := w.used[w.sid]; s.RefreshesUsed < made {
		w.t.Errorf("%d refreshes counted, the server made %d", s.RefreshesUsed, made)
	}
	if s.RefreshesUsed > 20 || s.RefreshesLeft < 0 || s.AgeLeft > 30*24*3600 {
		w.t.Errorf("the snapshot breaks a limit: %+v", s)
	}
}

// served notes that a token was handed out: the session must be alive.
func (w *watcher) served() {
	if s := w.status(); s.State == Ended && s.Reason != ByRefreshes {
		w.t.Errorf("a token was served in state %s %s", s.State, s.Reason)
	}
}

// ended checks why a session is over. A server that repeats lost answers and
// a keychain that comes back give no reason but the limits.
func (w *watcher) ended(r Reason) {
	w.tally.ends++
	switch r {
	case ByAge, ByRefreshes:
	default:
		w.t.Errorf("a session was lost: %q", r)
	}
}
