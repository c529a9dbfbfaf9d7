package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"curfew/auth"
)

// dieAtAnswer kills the agent when the next refresh has been answered and
// nothing of it is saved, and returns what was durable then.
func dieAtAnswer(t *testing.T, w *world) *death {
	t.Helper()
	var d *death
	w.net.onRefresh = func(string) func([]byte) {
		return func([]byte) {
			if d == nil {
				d = w.setAside("crash")
				w.net.fail(offline)
			}
		}
	}
	w.mustToken() // in a dream
	w.net.onRefresh = nil
	w.stop()
	if d == nil {
		t.Fatal("no refresh was answered")
	}
	return d
}

// A cycle that a crash cut off may have been counted by the server. That the
// first request after the restart does not leave the machine proves nothing
// about the one before.
func TestCrashThenOffline(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		time.Sleep(time.Hour)
		w.rise(dieAtAnswer(t, w))
		_, err := w.token()
		w.wantError(err, auth.KindUnavailable, "")
		if s := w.status(); s.RefreshesUsed != 1 {
			t.Errorf("%d refreshes counted, the server made 1", s.RefreshesUsed)
		}
	})
}

// A strict server calls the token dead after such a crash. That is a lost
// answer, and nobody revoked anything.
func TestCrashStrict(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		must(t, w.faults.Set("refresh:strict"))
		time.Sleep(time.Hour)
		d := dieAtAnswer(t, w)
		w.net.fail(nil)
		w.rise(d)
		_, err := w.token()
		w.wantError(err, auth.KindSignInNeeded, auth.ByRotationLost)
	})
}

// An answer that says "try later" may hide that the server, behind its
// gateway, did refresh. The count stays, also when the next try goes nowhere.
func TestThrottledThenOffline(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		time.Sleep(time.Hour)
		must(t, w.faults.Set("refresh:503-after-rotate;retry-after=2*1"))
		_, err := w.token()
		w.wantError(err, auth.KindUnavailable, "")
		w.net.fail(offline)
		time.Sleep(time.Minute)
		_, err = w.token()
		w.wantError(err, auth.KindUnavailable, "")
		if s := w.status(); s.RefreshesUsed != 1 {
			t.Errorf("%d refreshes counted, the server made 1", s.RefreshesUsed)
		}
		w.net.fail(nil)
		must(t, w.faults.Set("refresh:strict"))
		time.Sleep(time.Minute)
		w.wantState(auth.Ended, auth.ByRotationLost)
	})
}

// ledger is the path of the one session's ledger.
func (w *world) ledger() string {
	w.t.Helper()
	found, err := filepath.Glob(filepath.Join(w.dir, "*.ledger"))
	if err != nil || len(found) != 1 {
		w.t.Fatalf("ledgers: %v, %v", found, err)
	}
	return found[0]
}

// breakDisk makes every write to the ledger fail until repair is called. A
// directory takes its place meanwhile.
func (w *world) breakDisk() (repair func()) {
	w.t.Helper()
	ledger := w.ledger()
	aside := filepath.Join(w.t.TempDir(), "ledger")
	data, err := os.ReadFile(ledger)
	must(w.t, err)
	must(w.t, os.Rename(ledger, aside))
	must(w.t, os.Mkdir(ledger, 0o700))
	return func() {
		w.t.Helper()
		must(w.t, os.Remove(ledger))
		must(w.t, os.WriteFile(ledger, data, 0o600))
	}
}

// What a refresh brought is shown to nobody before it is durable, and it is
// not lost when that takes a while.
func TestNothingServedBeforeSaved(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		old := w.mustToken()
		time.Sleep(time.Hour)
		var repair func()
		w.net.onRefresh = func(string) func([]byte) {
			return func([]byte) { repair = w.breakDisk() }
		}
		tok, err := w.token()
		if err == nil {
			t.Fatalf("a token that is not saved was served (another than before: %v)", tok.AccessToken.Reveal() != old.AccessToken.Reveal())
		}
		w.wantError(err, auth.KindFailed, "")
		w.net.onRefresh = nil
		time.Sleep(5 * time.Minute)
		if n := w.net.refreshes(); n != 1 {
			t.Errorf("%d refreshes without having saved the first", n)
		}
		repair()
		time.Sleep(time.Minute)
		w.mustToken()
		if n := w.net.refreshes(); n != 1 {
			t.Errorf("%d refreshes, want 1", n)
		}
		w.restart()
		w.mustToken()
		if s := w.status(); s.RefreshesUsed != 1 || w.net.refreshes() != 1 {
			t.Errorf("after a restart %d counted, %d made", s.RefreshesUsed, w.net.refreshes())
		}
	})
}

// A session that is replaced while its newest token is not saved leaves
// nothing behind at the server: the store can only give the old token back.
func TestUnsavedIsRevoked(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		time.Sleep(time.Hour)
		var repair func()
		w.net.onRefresh = func(string) func([]byte) {
			return func([]byte) { repair = w.breakDisk() }
		}
		_, err := w.token()
		w.wantError(err, auth.KindFailed, "")
		w.net.onRefresh = nil
		w.signIn()
		time.Sleep(time.Minute)
		w.mustToken()
		if n := w.server.Sessions(); n != 1 {
			t.Errorf("%d sessions at the server", n)
		}
		repair()
	})
}

// The answer to a refresh is lost, and the server repeats it when its access
// token has long expired. Nobody gets that token, and callers wait for one more
// refresh.
func TestLostAnswerGrewOld(t *testing.T) {
	for _, plain := range []bool{false, true} { // with an ID token, which has expired as well, and without one
		t.Run(fmt.Sprintf("plain %v", plain), func(t *testing.T) {
			play(t, func(w *world) { w.grace, w.plain = 60*aDay, plain }, func(t *testing.T, w *world) {
				w.signIn()
				time.Sleep(time.Hour)
				must(t, w.faults.Set("refresh:drop-after-rotate*1"))
				w.net.onRefresh = func(string) func([]byte) {
					return func([]byte) { w.net.fail(offline) }
				}
				_, err := w.token()
				w.wantError(err, auth.KindUnavailable, "")
				w.net.onRefresh = nil
				w.stop()
				w.net.fail(nil)
				time.Sleep(3 * time.Hour)
				w.start()
				tok := w.mustToken()
				if code := w.me(tok); code != 200 {
					t.Errorf("a token that is good until %v is answered with %d", tok.ExpiresAt, code)
				}
				if s := w.status(); s.RefreshesUsed != 2 || s.AccessLifetime != 15*60 {
					t.Errorf("%d refreshes used, of tokens that live %d s", s.RefreshesUsed, s.AccessLifetime)
				}
			})
		})
	}
}

// Without a durable count no request leaves. When the disk is back the
// session goes on.
func TestNoRequestWithoutReserve(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		time.Sleep(time.Hour)
		repair := w.breakDisk()
		for range 20 {
			_, err := w.token()
			w.wantError(err, auth.KindFailed, "")
			if !strings.Contains(err.Error(), w.dir) {
				t.Fatalf("%q does not say where", err)
			}
			time.Sleep(time.Minute)
		}
		if n := w.net.refreshes(); n != 0 {
			t.Errorf("%d requests without a count", n)
		}
		repair()
		time.Sleep(time.Minute)
		w.mustToken()
		if s := w.status(); s.RefreshesUsed != 1 {
			t.Errorf("used %d, want 1", s.RefreshesUsed)
		}
	})
}

// The moment of the resume is the dangerous one: the timers know of nothing.
func TestSuspend(t *testing.T) {
	for _, c := range []struct {
		name  string
		d     time.Duration
		state auth.State
	}{{"a night", 8 * time.Hour, auth.Active}, {"a month", 31 * aDay, auth.Ended}, {"30 days less a minute", 30*aDay - time.Minute, auth.Active}} {
		t.Run(c.name, func(t *testing.T) {
			play(t, nil, func(t *testing.T, w *world) {
				w.signIn()
				w.mustToken()
				w.suspend(c.d - 2*time.Second) // a sign-in takes some
				tok, err := w.token()
				switch {
				case c.state == auth.Ended:
					w.wantError(err, auth.KindSignInNeeded, auth.ByAge)
				case err != nil:
					t.Error(err)
				case w.me(tok) != 200:
					t.Error("a stale token was served")
				}
				time.Sleep(pollInterval)
				synctest.Wait()
				s := w.status()
				if s.State != c.state {
					t.Errorf("state %s, want %s", s.State, c.state)
				}
				t.Logf("suspend of %v: %s; served before that was known: %v", c.d, s.State, err == nil && c.state == auth.Ended)
			})
		})
	}
}

// A machine that sleeps past the end of the session between two tries of a
// refresh does not send the second.
func TestSuspendBetweenTries(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		time.Sleep(time.Hour)
		must(t, w.faults.Set("refresh:500"))
		w.net.onRefresh = func(string) func([]byte) {
			return func([]byte) { w.slept.Store(int64(31 * aDay)) }
		}
		_, err := w.token()
		w.wantError(err, auth.KindSignInNeeded, auth.ByAge)
		if n := w.net.refreshes(); n != 1 {
			t.Errorf("%d requests left the machine, want 1", n)
		}
		w.wantState(auth.Ended, auth.ByAge)
	})
}

// One answer that calls the token dead ends nothing: some servers and the
// proxies before them say so in passing. The second does.
func TestDeadIsConfirmed(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		time.Sleep(time.Hour)
		must(t, w.faults.Set("refresh:400;error=invalid_grant*1"))
		w.mustToken()
		if s := w.wantState(auth.Active, ""); s.RefreshesUsed != 1 || w.net.refreshes() != 2 {
			t.Errorf("%d counted, %d requests", s.RefreshesUsed, w.net.refreshes())
		}
		time.Sleep(time.Hour)
		must(t, w.faults.Set("refresh:400;error=invalid_grant*2"))
		_, err := w.token()
		w.wantError(err, auth.KindSignInNeeded, auth.ByRevocation)
		if n := w.net.refreshes(); n != 4 {
			t.Errorf("%d requests, want 4", n)
		}
	})
}

// An answer that rotates the token and is useless otherwise leaves the current
// access token in use until it expires.
func TestUselessAnswerKeepsTheToken(t *testing.T) {
	play(t, func(w *world) { w.mode = auth.OnDemand }, func(t *testing.T, w *world) {
		w.signIn()
		old := w.mustToken()
		time.Sleep(5 * time.Minute)
		must(t, w.faults.Set("refresh:token-type;value=mac*1"))
		_, err := w.m.Refresh(t.Context(), "work", "test")
		w.wantError(err, auth.KindUnavailable, "")
		for range 5 {
			if tok := w.mustToken(); tok.AccessToken.Reveal() != old.AccessToken.Reveal() {
				t.Error("another token")
			}
			time.Sleep(time.Minute)
		}
		if n := w.net.refreshes(); n != 1 {
			t.Errorf("%d refreshes, want 1", n)
		}
		w.restart()
		w.mustToken()
		time.Sleep(time.Hour)
		w.mustToken()
		if s := w.status(); s.RefreshesUsed != 2 {
			t.Errorf("%d used, want 2", s.RefreshesUsed)
		}
	})
}

// Every answer of this server rotates the refresh token and brings no token
// that can be relied on. It does not get the budget. After the second such
// answer in a row the account is held and the person is notified. Every further
// try waits longer. A person may try at once. The first good answer ends it.
func TestUselessAnswers(t *testing.T) {
	var first string // the access token of the sign-in
	for name, c := range map[string]struct {
		fault  string
		twist  func(map[string]any)
		served bool // to the waiting caller, once
	}{
		"no access token":       {twist: func(a map[string]any) { delete(a, "access_token") }},
		"an empty access token": {twist: func(a map[string]any) { a["access_token"] = "" }},
		"a token with a space":  {twist: func(a map[string]any) { a["access_token"] = "a b" }},
		"an expired token":      {twist: func(a map[string]any) { a["access_token"] = first }},
		"another token type":    {fault: "refresh:token-type;value=mac"},
		"two access tokens":     {fault: "refresh:duplicate-keys"},
		"another's ID token":    {fault: "refresh:id-aud"},
		"an ID token unsigned":  {fault: "refresh:id-sig"},
		"a lifetime in words":   {twist: func(a map[string]any) { a["access_token"], a["expires_in"] = "opaque", "soon" }, served: true},
		"no lifetime":           {twist: func(a map[string]any) { a["access_token"] = "opaque"; delete(a, "expires_in") }, served: true},
		"a lifetime of 0":       {twist: func(a map[string]any) { a["access_token"], a["expires_in"] = "opaque", 0 }, served: true},
		"a lifetime below 0":    {twist: func(a map[string]any) { a["access_token"], a["expires_in"] = "opaque", -3600 }, served: true},
	} {
		t.Run(name, func(t *testing.T) {
			setup := func(w *world) {
				w.inMemory()
				w.mode, w.random, w.logger = auth.OnDemand, func() float64 { return 0.5 }, slog.New(slog.DiscardHandler)
				w.plain = c.served // an ID token would show that the access token is another
			}
			play(t, setup, func(t *testing.T, w *world) {
				w.signIn()
				first = w.mustToken().AccessToken.Reveal()
				time.Sleep(time.Hour)
				w.net.twist = c.twist
				must(t, w.faults.Set(c.fault))
				served := 0
				for range 24 * 12 {
					_, err := w.token()
					if err == nil {
						served++
					} else {
						w.wantError(err, auth.KindUnavailable, "")
					}
					time.Sleep(5 * time.Minute)
				}
				s := w.wantState(auth.Held, "")
				n := w.net.refreshes()
				if n != 8 || s.RefreshesUsed != 8 { // after 0, 5, 20 and 50 min, and 2, 4, 8 and 16 h
					t.Errorf("%d refreshes in a day, %d counted, want 8", n, s.RefreshesUsed)
				}
				t.Logf("24 h of answers with %s: %d requests, %d refreshes used, held", name, n, s.RefreshesUsed)
				if want := map[bool]int{true: n}[c.served]; served != want {
					t.Errorf("%d tokens served, want %d", served, want)
				}
				_, err := w.token()
				if e, ok := errors.AsType[*auth.Error](err); !ok || !strings.Contains(e.Hint, map[bool]string{true: "access_lifetime", false: "curfew login work --force"}[c.served]) || !strings.Contains(e.Hint, "h;") {
					t.Errorf("the hint is %+v", err)
				}
				w.restart() // which lifts no bar
				_, err = w.token()
				w.wantError(err, auth.KindUnavailable, "")
				w.wantState(auth.Held, "")
				if w.net.refreshes() != n {
					t.Error("a restart cost a refresh")
				}

				w.net.twist = nil
				must(t, w.faults.Set(""))
				_, err = w.m.Refresh(t.Context(), "work", "test")
				must(t, err)
				w.wantState(auth.Active, "")
				w.mustToken()
				time.Sleep(time.Hour)
				must(t, w.faults.Set("refresh:token-type;value=mac*1")) // the first in a row again
				_, err = w.token()
				w.wantError(err, auth.KindUnavailable, "")
				w.wantState(auth.Waiting, "")
				time.Sleep(time.Minute)
				w.mustToken()
			})
		})
	}
}

// A person may try at once, whatever bars it. A try that failed because the
// keychain or the network was missing does not let programs try after it.
func TestUselessAndInVain(t *testing.T) {
	for name, way := range map[string]struct {
		bar  func(w *world, yes bool)
		kind auth.Kind
	}{
		"the keychain is locked": {func(w *world, yes bool) { w.keychain.SetLocked(yes) }, auth.KindKeychain},
		"there is no network": {func(w *world, yes bool) {
			if w.net.fail(nil); yes {
				w.net.fail(offline)
			}
		}, auth.KindUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(w *world) { w.mode, w.random = auth.Always, func() float64 { return 0.5 } }, func(t *testing.T, w *world) {
				w.signIn()
				time.Sleep(time.Hour)
				must(t, w.faults.Set("refresh:token-type;value=mac"))
				for range 60 { // five hours; the last wait is until the eighth is nearly over
					w.token()
					time.Sleep(5 * time.Minute)
				}
				way.bar(w, true)
				_, err := w.m.Refresh(t.Context(), "work", "test")
				w.wantError(err, way.kind, "")
				way.bar(w, false)
				n := w.net.refreshes()
				for range 30 {
					_, err = w.token()
					if w.net.refreshes() != n {
						t.Fatal("a program's try was not barred")
					}
					time.Sleep(5 * time.Minute)
				}
				w.wantError(err, auth.KindUnavailable, "")
				if s := w.wantState(auth.Held, ""); s.RefreshesUsed != n {
					t.Errorf("%d refreshes counted of %d", s.RefreshesUsed, n)
				}
				for range 8 {
					w.token()
					time.Sleep(5 * time.Minute)
				}
				if got := w.net.refreshes(); got != n+1 {
					t.Errorf("%d refreshes after the wait", got-n)
				}
			})
		})
	}
}

// Such a server for a whole session with restarts, in the mode that refreshes
// most readily. It does not spend the budget. When the server is fixed, the
// session is still there.
func TestUselessForAMonth(t *testing.T) {
	setup := func(w *world) {
		w.inMemory()
		w.mode, w.logger = auth.Always, slog.New(slog.DiscardHandler)
	}
	play(t, setup, func(t *testing.T, w *world) {
		w.signIn()
		must(t, w.faults.Set("refresh:token-type;value=mac"))
		for range 29 {
			for range 24 * 6 {
				w.token()
				time.Sleep(10 * time.Minute)
			}
			w.restart()
		}
		s := w.wantState(auth.Held, "")
		t.Logf("29 days of such answers, restarted every day: %d refreshes used", s.RefreshesUsed)
		if s.RefreshesLeft < 6 {
			t.Errorf("%d refreshes are left", s.RefreshesLeft)
		}
		must(t, w.faults.Set(""))
		_, err := w.m.Refresh(t.Context(), "work", "test")
		must(t, err)
		w.wantState(auth.Active, "")
		w.mustToken()
	})
}

// A ledger that goes away under a refresh ends the session by its name, here
// and at the server.
func TestLedgerGoneDuringRefresh(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		time.Sleep(time.Hour)
		w.net.onRefresh = func(string) func([]byte) {
			return func([]byte) { must(t, os.Remove(w.ledger())) }
		}
		_, err := w.token()
		w.wantError(err, auth.KindSignInNeeded, auth.ByTampering)
		w.wantState(auth.Ended, auth.ByTampering)
		if n := w.server.Sessions(); n != 0 {
			t.Errorf("%d sessions at the server", n)
		}
	})
}
