package engine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"curfew/auth"
	"curfew/keystore"
	"curfew/keystore/kctest"
)

func TestSignInServeRefreshEnd(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.wantState(auth.SignedOut, "")
		_, err := w.token()
		w.wantError(err, auth.KindSignInNeeded, "")

		w.signIn()
		s := w.wantState(auth.Active, "")
		if s.RefreshesLeft != 20 || s.RefreshesUsed != 0 || s.Subject == "" || s.AgeLeft != 30*24*3600 && s.AgeLeft != 30*24*3600-1 {
			t.Errorf("after the sign-in: %+v", s)
		}
		first := w.mustToken()
		if code := w.me(first); code != 200 {
			t.Errorf("the resource answered %d", code)
		}
		if again := w.mustToken(); again.AccessToken.Reveal() != first.AccessToken.Reveal() {
			t.Error("a good token was replaced")
		}

		for i := 1; i <= 20; i++ {
			s, err := w.m.Refresh(t.Context(), "work", "test")
			if err != nil {
				t.Fatalf("refresh %d: %v", i, err)
			}
			if s.RefreshesUsed != i || s.RefreshesLeft != 20-i {
				t.Errorf("after refresh %d: used %d, left %d", i, s.RefreshesUsed, s.RefreshesLeft)
			}
		}
		posts := w.net.refreshes()
		_, err = w.m.Refresh(t.Context(), "work", "test")
		w.wantError(err, auth.KindSignInNeeded, auth.ByRefreshes)
		if err.Error() != "Refresh token has reached maximum usage limit. Please login again." {
			t.Errorf("the 21st says %q", err)
		}
		if n := w.net.refreshes(); n != posts || n != 20 {
			t.Errorf("%d refresh requests reached the server, want 20", n)
		}
		t.Logf("20 refreshes worked; of the 21st %d requests left the machine", w.net.refreshes()-posts)
		w.wantState(auth.Active, "") // the last token lives on
		w.mustToken()
		time.Sleep(16 * time.Minute)
		w.wantState(auth.Ended, auth.ByRefreshes)
		_, err = w.token()
		w.wantError(err, auth.KindSignInNeeded, auth.ByRefreshes)
		if n := w.server.Sessions(); n != 0 {
			t.Errorf("%d sessions live at the server after the end, want 0: it was not revoked", n)
		}
		w.restart()
		w.wantState(auth.Ended, auth.ByRefreshes)

		w.signIn()
		if s := w.wantState(auth.Active, ""); s.RefreshesLeft != 20 {
			t.Errorf("a new sign-in has %d refreshes", s.RefreshesLeft)
		}
	})
}

func TestThirtyDays(t *testing.T) {
	play(t, func(w *world) { w.mode = auth.OnDemand }, func(t *testing.T, w *world) {
		w.signIn()
		start := w.status().SignedInAt
		time.Sleep(time.Until(start.Add(30*aDay - 10*time.Minute)))
		w.mustToken()
		time.Sleep(time.Until(start.Add(30*aDay - 10*time.Second)))
		w.wantState(auth.Active, "")
		time.Sleep(time.Until(start.Add(30*aDay + 2*time.Second)))
		w.wantState(auth.Ended, auth.ByAge)
		_, err := w.token()
		w.wantError(err, auth.KindSignInNeeded, auth.ByAge)
		if err.Error() != "Refresh token has expired. Please login again." {
			t.Errorf("it says %q", err)
		}
		if n := w.server.Sessions(); n != 0 {
			t.Errorf("%d sessions live at the server", n)
		}
	})
}

func TestIdle(t *testing.T) {
	play(t, func(w *world) { w.limits.MaxIdle = 2 * aDay }, func(t *testing.T, w *world) {
		w.signIn()
		time.Sleep(aDay)
		w.mustToken()
		time.Sleep(2*aDay - time.Minute)
		w.wantState(auth.Stale, "")
		time.Sleep(2 * time.Minute)
		w.wantState(auth.Ended, auth.ByIdle)
	})
}

func TestManyCallersOneRefresh(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		time.Sleep(time.Hour)
		var wg sync.WaitGroup
		tokens := make([]string, 1000)
		for i := range tokens {
			wg.Go(func() {
				tok, err := w.token()
				if err != nil {
					t.Error(err)
					return
				}
				tokens[i] = tok.AccessToken.Reveal()
			})
		}
		wg.Wait()
		for _, tok := range tokens {
			if tok != tokens[0] {
				t.Fatal("callers got different tokens")
			}
		}
		synctest.Wait() // until nothing moves any more
		n := w.net.refreshes()
		if n != 1 {
			t.Errorf("%d refreshes, want 1", n)
		}
		t.Logf("%d goroutines asked at expiry: %d refresh request", len(tokens), n)
	})
}

// A caller that gives up does not cancel the others.
func TestImpatientCaller(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		time.Sleep(time.Hour)
		must(t, w.faults.Set("refresh:slow;by=5s*1"))
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := w.m.Token(impatient, "work", patient(-1, "impatient"))
			w.wantError(err, auth.KindUnavailable, "")
		})
		time.Sleep(time.Millisecond)
		w.mustToken()
		wg.Wait()
		if n := w.net.refreshes(); n != 1 {
			t.Errorf("%d refreshes, want 1", n)
		}
	})
}

func TestRestartCostsNothing(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		before := w.mustToken()
		w.restart()
		w.wantState(auth.Active, "")
		if after := w.mustToken(); after.AccessToken.Reveal() != before.AccessToken.Reveal() {
			t.Error("another token after a restart")
		}
		if n := w.net.refreshes(); n != 0 {
			t.Errorf("the restart cost %d refreshes", n)
		}
		time.Sleep(time.Hour)
		w.restart()
		w.mustToken()
		if s := w.status(); s.RefreshesUsed != 1 || w.net.refreshes() != 1 {
			t.Errorf("used %d, sent %d, want 1 and 1", s.RefreshesUsed, w.net.refreshes())
		}
	})
}

func TestBackgroundRefresh(t *testing.T) {
	play(t, func(w *world) { w.mode = auth.Always }, func(t *testing.T, w *world) {
		w.signIn()
		expires := w.status().AccessExpiresAt
		for w.net.refreshes() == 0 {
			time.Sleep(time.Second)
			if time.Now().After(expires) {
				t.Fatal("no background refresh")
			}
		}
		if early := time.Until(expires); early > 5*time.Minute {
			t.Errorf("refreshed %v before expiry, outside the buffer", early)
		}
		if s := w.status(); s.RefreshesUsed != 1 {
			t.Errorf("%d used", s.RefreshesUsed)
		}
	})
}

func TestNobodyAsksNothingSpent(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		w.mustToken()
		time.Sleep(24 * time.Hour)
		if n := w.net.refreshes(); n != 0 {
			t.Errorf("%d refreshes in a day without callers", n)
		}
	})
}

func TestPause(t *testing.T) {
	play(t, func(w *world) { w.mode = auth.Always }, func(t *testing.T, w *world) {
		w.signIn()
		must(t, w.m.SetPaused(true))
		w.restart() // the next agent keeps to it
		time.Sleep(2 * time.Hour)
		if n := w.net.refreshes(); n != 0 {
			t.Errorf("%d refreshes while paused", n)
		}
		if !w.status().Paused {
			t.Error("the snapshot does not say so")
		}
		w.mustToken()
		must(t, w.m.SetPaused(false))
		w.restart()
		time.Sleep(20 * time.Minute)
		if n := w.net.refreshes(); n < 2 {
			t.Errorf("%d refreshes after the pause", n)
		}
	})
}

// A pause that the next agent would not know of is none.
func TestPauseThatCannotBeKept(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		must(t, os.MkdirAll(filepath.Join(w.dir, "paused", "in the way"), 0o700))
		w.restart()
		if !w.status().Paused {
			t.Fatal("whatever has the name is a pause")
		}
		err := w.m.SetPaused(false)
		if e, ok := errors.AsType[*auth.Error](err); !ok || e.Kind != auth.KindFailed || e.Hint == "" {
			t.Errorf("got %v, want an error that says what to do", err)
		}
		if !w.status().Paused {
			t.Error("the pause ended in memory only")
		}
	})
}

// Limits and warnings change while sessions live: only sessions that exceed the
// new limits are touched.
func TestGeneralChanges(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		time.Sleep(48 * time.Hour)
		w.mustToken()
		before := w.status()
		if before.WarningLevel != auth.WarnAll {
			t.Errorf("warnings are %q", before.WarningLevel)
		}
		w.m.SetGeneral(auth.General{Limits: auth.Limits{MaxAge: 7 * 24 * time.Hour, MaxRefreshes: 10}, Warnings: auth.WarnFew})
		synctest.Wait()
		after := w.wantState(before.State, "")
		if after.MaxRefreshes != 10 || after.RefreshesUsed != before.RefreshesUsed || after.RefreshesLeft != before.RefreshesLeft-10 ||
			!after.EndsAt.Equal(before.EndsAt.Add(-23*24*time.Hour)) || after.WarningLevel != auth.WarnFew || after.Forecast.EndsAt.After(after.EndsAt) {
			t.Errorf("before %+v\nafter  %+v", before, after)
		}
		w.m.SetGeneral(auth.General{Limits: auth.Limits{MaxAge: 90 * 24 * time.Hour, MaxRefreshes: 400}})
		synctest.Wait()
		if s := w.status(); s.MaxRefreshes != 20 || !s.EndsAt.Equal(before.EndsAt) {
			t.Errorf("limits were loosened: %d refreshes, until %v", s.MaxRefreshes, s.EndsAt)
		}
		if n := w.net.refreshes(); n != before.RefreshesUsed {
			t.Errorf("%d refreshes, want %d: a change cost one", n, before.RefreshesUsed)
		}
		w.m.SetGeneral(auth.General{Limits: auth.Limits{MaxAge: 24 * time.Hour, MaxIdle: time.Hour}})
		synctest.Wait()
		s := w.wantState(auth.Ended, auth.ByAge)
		if s.EndedAt.IsZero() || s.RefreshesUsed != before.RefreshesUsed {
			t.Errorf("the end is shown as %+v", s)
		}
		if s.MaxAge != 24*3600 || s.MaxRefreshes != 20 || s.MaxIdle != 3600 { // what the next one will get
			t.Errorf("the limits are shown as %d s, %d refreshes, %d s", s.MaxAge, s.MaxRefreshes, s.MaxIdle)
		}
	})
}

// The programs that took tokens are shown, newest first. The list outlives
// agent and session.
func TestTookTokens(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		names := func() (all []string) {
			for _, taker := range w.status().TookTokens {
				all = append(all, taker.Program)
			}
			return all
		}
		take := func(program string) {
			t.Helper()
			if _, err := w.m.Token(t.Context(), "work", patient(-1, program)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if got := w.status().TookTokens; got == nil || len(got) != 0 {
			t.Errorf("right after a sign-in: %v, want an empty list", got)
		}
		for i := range maxTakers + 2 {
			take(fmt.Sprintf("program-%d", i))
		}
		take("program-5")
		want := []string{"program-5", "program-9", "program-8", "program-7", "program-6", "program-4", "program-3", "program-2"}
		if got := names(); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if s := w.status(); s.LastUsedBy != "program-5" || !s.TookTokens[0].At.Equal(s.LastUsedAt) {
			t.Errorf("last used by %q at %v, and %+v", s.LastUsedBy, s.LastUsedAt, s.TookTokens[0])
		}
		w.restart()
		if got := names(); !slices.Equal(got, want) {
			t.Errorf("after a restart %v", got)
		}
		time.Sleep(31 * 24 * time.Hour)
		w.wantState(auth.Ended, auth.ByAge)
		w.restart()
		if got := names(); !slices.Equal(got, want) {
			t.Errorf("after the end %v", got)
		}
	})
}

// How an account is refreshed does not concern the server. A change of it costs
// nothing, and does not forget what the server asked for.
func TestModeChangeCostsNothing(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		time.Sleep(time.Hour)
		must(t, w.faults.Set("refresh:429;retry-after=600"))
		_, err := w.token()
		w.wantError(err, auth.KindUnavailable, "")
		must(t, w.faults.Set(""))
		c := w.m.accounts["work"].config
		server := w.m.accounts["work"].server
		for _, mode := range []auth.Mode{auth.OnDemand, auth.Always, auth.InUse} {
			c.Refresh = mode
			must(t, w.m.SetAccount(c))
			synctest.Wait()
			if s := w.status(); s.RefreshMode != mode || s.RefreshesUsed != 1 {
				t.Errorf("%s: %+v", mode, s)
			}
		}
		_, err = w.token()
		w.wantError(err, auth.KindUnavailable, "")
		if n := w.net.refreshes(); n != 1 {
			t.Errorf("%d requests, want 1", n)
		}
		if w.m.accounts["work"].server != server {
			t.Error("the server was looked for again")
		}
	})
}

func TestForcedSignIn(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		for range 3 {
			if _, err := w.m.Refresh(t.Context(), "work", "test"); err != nil {
				t.Fatal(err)
			}
		}
		old := w.mustToken()
		if err := w.trySignIn(auth.SignInRequest{Device: true, Force: true}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s := w.status(); s.RefreshesUsed != 0 || s.RefreshesLeft != 20 {
			t.Errorf("after the forced sign-in: %+v", s)
		}
		if code := w.me(old); code != 401 {
			t.Errorf("the old session's token still works: %d", code)
		}
		if n := w.server.Sessions(); n != 1 {
			t.Errorf("%d sessions at the server, want 1", n)
		}
		w.restart()
		w.wantState(auth.Active, "")
	})
}

// While the keychain asks for its password, a sign-in says that it waits for that: no
// page is open yet.
func TestSignInWaitsForKeychain(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.keychain.SetLocked(true)
		said := ""
		w.keychain.Before(func(c kctest.Call) error {
			if c.Op == "unlock" {
				said = w.status().SignIn.ID
			}
			return nil
		})
		_, err := w.m.StartSignIn(t.Context(), "work", auth.SignInRequest{Device: true})
		must(t, err)
		if said != auth.PromptID {
			t.Errorf("at the keychain's question it says %q", said)
		}
		if now := w.status().SignIn.ID; now != "waiting_browser" {
			t.Errorf("after the answer it says %q", now)
		}
	})
}

// A sign-in that fails, is cancelled or runs out leaves the session alone.
func TestFailedSignInLosesNothing(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		before := w.mustToken()
		must(t, w.faults.Set("poll:400;error=access_denied"))
		if err := w.trySignIn(auth.SignInRequest{Device: true}); err == nil {
			t.Error("a denied sign-in succeeded")
		}
		must(t, w.faults.Set(""))

		started, err := w.m.StartSignIn(t.Context(), "work", auth.SignInRequest{Device: true})
		must(t, err)
		w.wantState(auth.SigningIn, "")
		joined, err := w.m.StartSignIn(t.Context(), "work", auth.SignInRequest{Device: true})
		must(t, err)
		if !joined.Joined || joined.Flow != started.Flow || joined.URL != started.URL {
			t.Errorf("the second sign-in got %+v, want to join %+v", joined, started)
		}
		must(t, w.m.CancelSignIn("work"))
		time.Sleep(10 * time.Second)
		w.wantState(auth.Active, "")
		if v := w.status().SignIn; v.Phase != auth.PhaseFailed {
			t.Errorf("the cancelled sign-in is %s", v.Phase)
		}

		_, err = w.m.StartSignIn(t.Context(), "work", auth.SignInRequest{Device: true})
		must(t, err)
		time.Sleep(6 * time.Minute)
		if v := w.status().SignIn; v.Phase != auth.PhaseFailed {
			t.Errorf("the sign-in that nobody finished is %s", v.Phase)
		}
		if after := w.mustToken(); after.AccessToken.Reveal() != before.AccessToken.Reveal() {
			t.Error("the session changed")
		}
	})
}

func TestSignOut(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		tok := w.mustToken()
		res, err := w.m.SignOut(t.Context(), "work")
		must(t, err)
		if !res.Revoked {
			t.Errorf("not revoked: %+v", res)
		}
		w.wantState(auth.SignedOut, auth.ByUser)
		if last := w.m.Events("work", 1); len(last) != 1 || last[0].Kind != auth.EventSignOut {
			t.Errorf("noted: %+v", last)
		}
		if code := w.me(tok); code != 401 {
			t.Errorf("the token still works: %d", code)
		}
		_, err = w.token()
		w.wantError(err, auth.KindSignInNeeded, auth.ByUser)
		w.restart()
		w.wantState(auth.SignedOut, auth.ByUser)
	})
}

// Offline, the session ends here at once. It ends at the server as soon as that
// can be reached, even after a restart.
func TestSignOutOffline(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		w.net.fail(offline)
		res, err := w.m.SignOut(t.Context(), "work")
		must(t, err)
		if res.Revoked {
			t.Error("revoked without a network")
		}
		w.wantState(auth.SignedOut, auth.ByUser)
		time.Sleep(time.Hour)
		w.restart()
		w.wantState(auth.SignedOut, auth.ByUser)
		if n := w.server.Sessions(); n != 1 {
			t.Fatalf("%d sessions at the server", n)
		}
		w.net.fail(nil)
		time.Sleep(6 * time.Minute)
		if n := w.server.Sessions(); n != 0 {
			t.Errorf("%d sessions at the server after the network came back", n)
		}
	})
}

// A session that nobody used for days is signed out while the keychain is
// locked: the day for reaching the server begins at the sign-out, over a
// restart too.
func TestSignOutLocked(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		time.Sleep(3 * aDay)
		w.keychain.SetLocked(true)
		w.restart()
		res, err := w.m.SignOut(t.Context(), "work")
		must(t, err)
		if res.Revoked {
			t.Error("revoked with a token that nobody could read")
		}
		w.wantState(auth.SignedOut, auth.ByUser)
		time.Sleep(5 * time.Hour)
		w.restart()
		time.Sleep(5 * time.Hour)
		w.keychain.SetLocked(false)
		time.Sleep(6 * time.Minute)
		if n := w.server.Sessions(); n != 0 {
			t.Errorf("%d sessions at the server after the keychain was unlocked", n)
		}
	})
}

// A request for a device code while a sign-in waits in the browser gets one. It
// gets no link to a page that the other device cannot use.
func TestSignInTheOtherWay(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		browser, err := w.m.StartSignIn(t.Context(), "work", auth.SignInRequest{})
		must(t, err)
		device, err := w.m.StartSignIn(t.Context(), "work", auth.SignInRequest{Device: true})
		must(t, err)
		if device.Joined || device.UserCode == "" || device.Flow == browser.Flow {
			t.Errorf("the browser's sign-in %+v gave way to %+v", browser, device)
		}
		again, err := w.m.StartSignIn(t.Context(), "work", auth.SignInRequest{Device: true})
		must(t, err)
		if !again.Joined || again.Flow != device.Flow {
			t.Errorf("the second click started another: %+v", again)
		}
		synctest.Wait()
		if v := w.status().SignIn; v == nil || v.Flow != device.Flow || v.Phase != auth.PhaseBrowser {
			t.Errorf("the sign-in is shown as %+v", v)
		}
		for _, e := range w.m.Events("work", 10) {
			t.Errorf("noted: %+v", e)
		}
	})
}

// A front end that gives the address to a command gets one that works once,
// and each such front end its own. One that shows it gets the server's.
func TestSignInAddresses(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		start := func(r auth.SignInRequest) auth.SignInStarted {
			t.Helper()
			s, err := w.m.StartSignIn(t.Context(), "work", r)
			must(t, err)
			return s
		}
		w.m.mu.Lock()
		w.m.accounts["work"].config.Browser = []string{"firefox", "-P", "work"}
		w.m.mu.Unlock()
		first := start(auth.SignInRequest{Browser: true})
		second := start(auth.SignInRequest{Browser: true})
		shown := start(auth.SignInRequest{Flow: first.Flow})
		if first.Flow != second.Flow || first.Flow != shown.Flow || first.URL == second.URL {
			t.Errorf("%+v, %+v, %+v", first, second, shown)
		}
		if want := []string{"firefox", "-P", "work"}; !slices.Equal(first.Browser, want) {
			t.Errorf("browser %q, want %q", first.Browser, want)
		}
		for _, s := range []auth.SignInStarted{first, second} {
			if !strings.HasPrefix(s.URL, "http://127.0.0.1:") || !strings.Contains(s.URL, "/start/") || strings.Contains(s.URL, "state") {
				t.Errorf("an argument would hold %s", s.URL)
			}
		}
		if !strings.Contains(shown.URL, "state=") {
			t.Errorf("shown: %s", shown.URL)
		}
		must(t, w.m.CancelSignIn("work"))
		synctest.Wait()
		if _, err := w.m.StartSignIn(t.Context(), "work", auth.SignInRequest{Flow: first.Flow}); err == nil {
			t.Error("a sign-in that has ended was joined")
		}
	})
}

// A day without a way to the server costs nothing. Ten seconds after the way is
// back a token is there, though nobody asked in between.
func TestOfflineCostsNothing(t *testing.T) {
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	for name, down := range map[string]error{
		"no name":          offline,
		"refused":          dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)),
		"no route":         dial(os.NewSyscallError("connect", syscall.ENETUNREACH)),
		"a portal's TLS":   x509.UnknownAuthorityError{},
		"no TLS":           tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"},
		"a handshake cut":  &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)},
		"slow to connect":  dial(os.ErrDeadlineExceeded),
		"another's domain": x509.HostnameError{Certificate: &x509.Certificate{}, Host: "id.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, nil, func(t *testing.T, w *world) {
				w.signIn()
				time.Sleep(time.Hour)
				w.net.fail(down)
				for range 100 {
					_, err := w.token()
					w.wantError(err, auth.KindUnavailable, "")
					time.Sleep(15 * time.Minute)
				}
				s := w.status()
				if s.RefreshesUsed != 0 {
					t.Errorf("%d refreshes used without a network", s.RefreshesUsed)
				}
				_, err := w.token()
				w.wantError(err, auth.KindUnavailable, "")
				time.Sleep(4 * time.Minute)
				w.net.fail(nil)
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if s := w.wantState(auth.Active, ""); s.RefreshesUsed != 1 {
					t.Errorf("used %d after the network came back, want 1", s.RefreshesUsed)
				}
				t.Logf("25 h of %q: 0 refreshes used, 1 with the fresh token 10 s after the network's return", down)
			})
		})
	}
}

// A day of a server that fails keeps the session and costs one count. After an
// outage the next caller, ten seconds later, gets a token. A server that said
// when to come back is given that time.
func TestOutages(t *testing.T) {
	const soon = 10 * time.Second
	for fault, wait := range map[string]time.Duration{
		"refresh:500": soon, "refresh:502": soon, "refresh:503": soon, "refresh:504": soon, "refresh:drop": soon, "refresh:html": soon,
		"refresh:truncated": soon, "refresh:400;error=server_error": soon,
		"refresh:hang":               20 * time.Second, // the last try still hangs
		"refresh:429;retry-after=30": 16 * time.Minute, "refresh:503;retry-after=30": 16 * time.Minute,
		"refresh:400;error=temporarily_unavailable": 16 * time.Minute, "refresh:redirect;to=http://127.0.0.1:1/": 16 * time.Minute,
		"refresh:401": 0, "refresh:400;error=invalid_client": 0, // held: a person has to look
	} {
		t.Run(fault, func(t *testing.T) {
			play(t, func(w *world) { w.grace = 2 * aDay }, func(t *testing.T, w *world) {
				w.signIn()
				time.Sleep(time.Hour)
				must(t, w.faults.Set(fault))
				for range 48 {
					if _, err := w.token(); err == nil {
						t.Fatal("a token came through the outage")
					}
					time.Sleep(30 * time.Minute)
				}
				if s := w.status(); s.State == auth.Ended || s.RefreshesUsed > 1 {
					t.Fatalf("after a day: %s, %d used", s.State, s.RefreshesUsed)
				}
				if n := w.net.refreshes(); n > 600 {
					t.Errorf("%d requests in a day of outage", n)
				}
				must(t, w.faults.Set(""))
				if wait == 0 {
					_, err := w.m.Refresh(t.Context(), "work", "test")
					must(t, err)
				}
				time.Sleep(wait)
				w.mustToken()
				s := w.status()
				if s.RefreshesUsed > 2 {
					t.Errorf("%d used after the outage", s.RefreshesUsed)
				}
				t.Logf("24 h of %s: %d requests, %d refreshes used with the fresh token %v after the end", fault, w.net.refreshes(), s.RefreshesUsed, wait)
			})
		})
	}
}

// A lost answer is asked for again inside the server's grace.
func TestLostAnswer(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		time.Sleep(time.Hour)
		must(t, w.faults.Set("refresh:drop-after-rotate*1"))
		w.mustToken()
		if s := w.status(); s.RefreshesUsed != 1 {
			t.Errorf("used %d, want 1", s.RefreshesUsed)
		}
		time.Sleep(time.Hour)
		w.mustToken()
	})
}

// Without a grace the session is lost, and called by its name.
func TestLostAnswerStrict(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		time.Sleep(time.Hour)
		must(t, w.faults.Set("refresh:drop-after-rotate*1,refresh:strict"))
		_, err := w.token()
		w.wantError(err, auth.KindSignInNeeded, auth.ByRotationLost)
		w.wantState(auth.Ended, auth.ByRotationLost)
	})
}

func TestRevokedAtTheServer(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		w.server.EndSession("alice")
		time.Sleep(time.Hour)
		_, err := w.token()
		w.wantError(err, auth.KindSignInNeeded, auth.ByRevocation)
		w.wantState(auth.Ended, auth.ByRevocation)
		posts := w.net.refreshes()
		for range 50 {
			_, err := w.token()
			w.wantError(err, auth.KindSignInNeeded, auth.ByRevocation)
		}
		if n := w.net.refreshes(); n != posts {
			t.Errorf("%d more requests for a dead session", n-posts)
		}
	})
}

func TestAnotherSubject(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		time.Sleep(time.Hour)
		must(t, w.faults.Set("refresh:other-sub"))
		_, err := w.token()
		w.wantError(err, auth.KindSignInNeeded, auth.BySubjectChanged)
	})
}

// A server that issues second-long or endless tokens does not empty the budget.
func TestHostileLifetimes(t *testing.T) {
	for _, value := range []string{"1", "2", "10", "60", "0", "-1", "missing", "huge", "float", "string"} {
		t.Run(value, func(t *testing.T) {
			play(t, func(w *world) { w.mode = auth.Always }, func(t *testing.T, w *world) {
				must(t, w.faults.Set("token:expires-in;value="+value))
				w.signIn()
				time.Sleep(10 * time.Minute)
				if n := w.net.refreshes(); value == "missing" && n > 0 {
					t.Errorf("%d refreshes of a token whose expiry is unknown", n)
				}
				if s := w.status(); s.State == auth.Ended && value != "1" && value != "2" && value != "10" {
					t.Errorf("ended after ten minutes: %s", s.Reason)
				}
			})
		})
	}
}

func TestClockTurned(t *testing.T) {
	t.Run("back", func(t *testing.T) {
		play(t, func(w *world) { w.mode = auth.OnDemand }, func(t *testing.T, w *world) {
			w.signIn()
			start := time.Now()
			w.skew.Store(int64(-60 * aDay))
			time.Sleep(time.Until(start.Add(29 * aDay)))
			w.mustToken()
			time.Sleep(time.Until(start.Add(30*aDay - time.Minute)))
			w.mustToken()
			time.Sleep(time.Until(start.Add(30*aDay + 5*time.Second)))
			w.wantState(auth.Ended, auth.ByAge)
			t.Logf("ended %v after 30 true days", time.Since(start)-30*aDay)
		})
	})
	t.Run("forward and back", func(t *testing.T) {
		play(t, func(w *world) { w.mode = auth.OnDemand }, func(t *testing.T, w *world) {
			w.signIn()
			w.net.fail(offline)
			w.skew.Store(int64(60 * aDay))
			time.Sleep(time.Minute)
			w.wantState(auth.Suspect, "")
			_, err := w.token()
			w.wantError(err, auth.KindUnavailable, "")
			w.skew.Store(int64(0))
			time.Sleep(time.Minute)
			s := w.wantState(auth.Active, "")
			w.mustToken()
			t.Logf("suspect meanwhile; active again, %d refreshes used", s.RefreshesUsed)
		})
	})
	t.Run("forward, and the server knows", func(t *testing.T) {
		play(t, func(w *world) { w.mode = auth.OnDemand }, func(t *testing.T, w *world) {
			w.signIn()
			w.skew.Store(int64(60 * aDay))
			time.Sleep(2 * time.Minute)
			w.wantState(auth.Active, "")
			w.mustToken()
		})
	})
}

// A machine that starts with a wrong time learns the right one from the answer
// that brings a token. How long that token lives does not depend on it, nor
// whether the answer is believed.
func TestClockWrongAfterReboot(t *testing.T) {
	for _, skew := range []time.Duration{5 * time.Hour, -5 * time.Hour} {
		for _, plain := range []bool{true, false} {
			for _, bySignIn := range []bool{true, false} {
				t.Run(fmt.Sprintf("by %v, without ID tokens %t, by a sign-in %t", skew, plain, bySignIn), func(t *testing.T) {
					play(t, func(w *world) { w.mode, w.plain = auth.OnDemand, plain }, func(t *testing.T, w *world) {
						w.signIn()
						w.stop()
						w.suspend(aDay) // it was off
						w.skew.Store(int64(skew))
						w.boots++
						w.start()
						want := 1
						if bySignIn {
							w.signIn()
							want = 0
						}
						tok := w.mustToken()
						if left := tok.ExpiresAt.Sub(w.now()); left < 14*time.Minute || left > 15*time.Minute+time.Second {
							t.Errorf("the token is said to live %v", left)
						}
						if n := w.net.refreshes(); n != want {
							t.Errorf("it took %d refreshes, want %d", n, want)
						}
						if s := w.status(); s.LastRefreshAt.After(w.now()) || w.now().Sub(s.LastUsedAt).Abs() > time.Minute {
							t.Errorf("refreshed at %v, used at %v; it is %v", s.LastRefreshAt, s.LastUsedAt, w.now())
						}
						time.Sleep(20 * time.Minute)
						if code := w.me(w.mustToken()); code != http.StatusOK {
							t.Errorf("a token that the server answers with %d", code)
						}
					})
				})
			}
		}
	}
}

func TestConfigurationBindsTheToken(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		err := w.m.SetAccount(auth.Account{Name: "work", Issuer: "https://elsewhere.example", ClientID: "x"})
		w.wantError(err, auth.KindBadRequest, "")
		if !strings.Contains(err.Error(), "work is signed in") {
			t.Errorf("under a session: %v", err)
		}
		must(t, w.m.SetAccount(auth.Account{Name: "work", Issuer: issuer, ClientID: "curfew", Refresh: auth.OnDemand}))
		if s := w.status(); s.RefreshMode != auth.OnDemand {
			t.Errorf("mode %s", s.RefreshMode)
		}
	})
}

func TestUnknownAccount(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		_, err := w.m.Token(t.Context(), "wrok", patient(-1, ""))
		w.wantError(err, auth.KindUnknown, "")
		if e, _ := errors.AsType[*auth.Error](err); !strings.Contains(e.Hint, "work") {
			t.Errorf("the hint does not name the accounts: %q", e.Hint)
		}
	})
}

func TestImpossibleMinValid(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		_, err := w.m.Token(t.Context(), "work", patient(time.Hour, "test"))
		w.wantError(err, auth.KindBadRequest, "")
		if n := w.net.refreshes(); n != 0 {
			t.Errorf("%d refreshes for a wish that nothing can grant", n)
		}
	})
}

func TestLockedKeychain(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		w.keychain.SetLocked(true)
		w.mustToken() // what is in memory is served
		time.Sleep(time.Hour)
		_, err := w.token()
		w.wantError(err, auth.KindKeychain, "")
		w.wantState(auth.Locked, "")
		if n := w.net.refreshes(); n != 0 {
			t.Errorf("%d refreshes without a keychain to count in", n)
		}
		w.restart()
		w.wantState(auth.Locked, "")
		w.keychain.SetLocked(false)
		w.mustToken()
		w.wantState(auth.Active, "")
	})
}

// A stored session of an unknown owner stays where it is and harms no other.
func TestUnreadableSessionIsKept(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		w.stop()
		ledgers, err := filepath.Glob(filepath.Join(w.dir, "*.ledger"))
		if err != nil || len(ledgers) != 1 {
			t.Fatalf("ledgers: %v %v", ledgers, err)
		}
		b, err := os.ReadFile(ledgers[0])
		must(t, err)
		name := filepath.Base(ledgers[0])
		foreign := filepath.Join(w.dir, name[1:10]+name[:1]+name[10:])
		must(t, os.WriteFile(foreign, b, 0o600))
		w.start()
		w.wantState(auth.Active, "")
		time.Sleep(3 * time.Minute)
		w.mustToken()
		if _, err := os.Stat(foreign); err != nil {
			t.Error(err)
		}
	})
}

// An account that is missing from the configuration keeps its session until
// it is back.
func TestMissingAccountKeepsItsSession(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		w.mustToken()
		w.stop()
		w.accounts = []auth.Account{}
		w.start()
		if _, err := w.m.Snapshot("work"); err == nil {
			t.Fatal("the account is still configured")
		}
		time.Sleep(time.Hour)
		w.stop()
		w.accounts = nil
		w.start()
		w.wantState(auth.Stale, "")
		if w.mustToken(); w.status().RefreshesUsed != 1 {
			t.Errorf("%d used", w.status().RefreshesUsed)
		}

		// Back while the agent runs.
		w.stop()
		w.accounts = []auth.Account{}
		w.start()
		must(t, w.m.SetAccount(w.account()))
		synctest.Wait()
		w.wantState(auth.Active, "")

		// Removed for good.
		w.stop()
		w.accounts = []auth.Account{}
		w.start()
		if _, err := w.m.RemoveAccount(t.Context(), "work"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		must(t, w.m.SetAccount(w.account()))
		synctest.Wait()
		w.wantState(auth.SignedOut, "")
	})
}

// A warning is given once, and says later what is true then.
func TestWarnings(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		for range 15 {
			_, err := w.m.Refresh(t.Context(), "work", "test")
			must(t, err)
		}
		time.Sleep(2 * time.Minute)
		warned := func() (words []string) {
			for _, e := range w.m.Events("work", 100) {
				if e.Kind == auth.EventWarning {
					words = append(words, e.Message)
				}
			}
			return words
		}
		if got := warned(); len(got) != 1 || !strings.Contains(got[0], "5 of 20") {
			t.Fatalf("warnings after 15 refreshes: %q", got)
		}
		_, err := w.m.Refresh(t.Context(), "work", "test")
		must(t, err)
		w.restart()
		if s := w.status(); len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "4 of 20") {
			t.Errorf("the snapshot warns %q", s.Warnings)
		}
		if got := warned(); len(got) != 1 {
			t.Errorf("warned again: %q", got)
		}
	})
}

// Events tell the story in words and without secrets.
func TestEvents(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		tok := w.mustToken()
		_, err := w.m.Refresh(t.Context(), "work", "test")
		must(t, err)
		_, err = w.m.SignOut(t.Context(), "work")
		must(t, err)
		var kinds []auth.EventKind
		for _, e := range w.m.Events("work", 100) {
			kinds = append(kinds, e.Kind)
			if e.Message == "" || strings.Contains(e.Message, tok.AccessToken.Reveal()) {
				t.Errorf("event %+v", e)
			}
		}
		if got, want := fmt.Sprint(kinds), "[sign_in token refresh sign_out]"; got != want {
			t.Errorf("events %s, want %s", got, want)
		}
		before := w.m.Events("", 100)
		w.restart()
		if after := w.m.Events("", 100); len(after) != len(before) {
			t.Errorf("%d events after a restart, want %d", len(after), len(before))
		}
	})
}

func TestWatch(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancel(t.Context())
		ch := w.m.Watch(ctx)
		if all := <-ch; len(all) != 1 || all[0].State != auth.SignedOut {
			t.Errorf("first: %+v", all)
		}
		w.signIn()
		synctest.Wait()
		if all := <-ch; all[0].State != auth.Active { // the newest wins
			t.Errorf("then: %s", all[0].State)
		}
		cancel()
		synctest.Wait()
		if _, open := <-ch; open {
			t.Error("the channel is still open")
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A sign-in that failed binds nothing: a wrong client id can be corrected.
func TestConfigurationAfterFailedSignIn(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		must(t, w.faults.Set("poll:400;error=invalid_client"))
		if err := w.trySignIn(auth.SignInRequest{Device: true}); err == nil {
			t.Fatal("signed in")
		}
		must(t, w.m.SetAccount(auth.Account{Name: "work", Issuer: issuer, ClientID: "another"}))
		must(t, w.m.SetAccount(auth.Account{Name: "work", Issuer: issuer, ClientID: "curfew"}))
		_, err := w.m.StartSignIn(t.Context(), "work", auth.SignInRequest{Device: true})
		must(t, err)
		err = w.m.SetAccount(auth.Account{Name: "work", Issuer: issuer, ClientID: "another"})
		w.wantError(err, auth.KindBadRequest, "")
		if !strings.Contains(err.Error(), "a sign-in of work is running") { // it is not signed in
			t.Errorf("under a sign-in: %v", err)
		}
	})
}

// Reading the same configuration again changes nothing: what a server asked
// for still holds.
func TestSameConfigurationAgain(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		time.Sleep(time.Hour)
		must(t, w.faults.Set("refresh:429;retry-after=600"))
		_, err := w.token()
		w.wantError(err, auth.KindUnavailable, "")
		must(t, w.faults.Set(""))
		must(t, w.m.SetAccount(w.m.accounts["work"].config))
		_, err = w.token()
		w.wantError(err, auth.KindUnavailable, "")
		if n := w.net.refreshes(); n != 1 {
			t.Errorf("%d requests, want 1", n)
		}
	})
}

// A configuration that changes while an offline account looks for its server
// harms nothing.
func TestConfigurationChangesDuringRefresh(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		time.Sleep(time.Hour)
		w.net.fail(offline)
		_, err := w.token()
		w.wantError(err, auth.KindUnavailable, "")
		c := w.m.accounts["work"].config
		w.net.mu.Lock()
		w.net.onFail = func() {
			c.Refresh = auth.OnDemand
			must(t, w.m.SetAccount(c))
		}
		w.net.mu.Unlock()
		time.Sleep(30 * time.Second) // it tries again automatically
		if w.status().RefreshMode != auth.OnDemand {
			t.Error("it did not try again")
		}
		_, err = w.token()
		w.wantError(err, auth.KindUnavailable, "")
	})
}

// Where the keychain has nothing to keep items in yet, a sign-in has it made.
func TestSignInMakesCollection(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		made := false
		w.keychain.Before(func(c kctest.Call) error {
			if made = made || c.Op == "unlock"; !made {
				return keystore.ErrNoCollection
			}
			return nil
		})
		w.signIn()
		w.wantState(auth.Active, "")
	})
}

// A keychain whose prompt was declined asks nobody in the background, however
// long. At a sign-in it asks again.
func TestDeniedIsAskedAtSignIn(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		time.Sleep(time.Hour)
		asked, answer := 0, error(keystore.ErrDenied)
		w.keychain.Before(func(c kctest.Call) error {
			if c.Op != "get" {
				return nil
			}
			asked++
			return answer
		})
		_, err := w.token()
		w.wantError(err, auth.KindKeychain, "")
		for range 60 {
			time.Sleep(time.Minute)
			_, err = w.token()
			w.wantError(err, auth.KindKeychain, "")
		}
		w.wantState(auth.Locked, "")
		again := auth.SignInRequest{Device: true, Force: true}
		w.wantError(w.trySignIn(again), auth.KindKeychain, "")
		if asked != 2 {
			t.Errorf("asked %d times in an hour and for a sign-in", asked)
		}
		answer = nil
		must(t, w.trySignIn(again))
		w.wantState(auth.Active, "")
	})
}

// A keychain that is unlocked is not called locked, whether or not anybody
// asks for a token then.
func TestUnlockedIsSeen(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		time.Sleep(time.Hour)
		w.keychain.SetLocked(true)
		_, err := w.token()
		w.wantError(err, auth.KindKeychain, "")
		time.Sleep(time.Hour)
		if s := w.wantState(auth.Locked, ""); len(s.Warnings) == 0 {
			t.Error("no warning")
		}
		w.keychain.SetLocked(false)
		if s := w.wantState(auth.Stale, ""); len(s.Warnings) != 0 {
			t.Errorf("still warns: %q", s.Warnings)
		}

		w.keychain.SetLocked(true)
		_, err = w.token()
		w.wantError(err, auth.KindKeychain, "")
		must(t, w.m.UnlockKeychain(t.Context()))
		synctest.Wait()
		if s := w.wantState(auth.Active, ""); s.RefreshesUsed != 1 { // it was wanted a moment ago
			t.Errorf("%d used", s.RefreshesUsed)
		}
	})
}

// A sign-in says whether the server or the person was too slow.
func TestSlowSignIn(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.net.fail(&net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded})
		_, err := w.m.StartSignIn(t.Context(), "work", auth.SignInRequest{})
		w.wantError(err, auth.KindUnavailable, "")
		if strings.Contains(err.Error(), "nobody") {
			t.Errorf("the server did not answer, and it says %q", err)
		}
		w.net.fail(nil)
		_, err = w.m.StartSignIn(t.Context(), "work", auth.SignInRequest{Device: true})
		must(t, err)
		time.Sleep(6 * time.Minute)
		if v := w.status().SignIn; v.Phase != auth.PhaseFailed || !strings.Contains(v.Message, "in time") {
			t.Errorf("nobody finished it, and it says %s %q", v.Phase, v.Message)
		}
	})
}

// What failed long ago is not shown as if it were so now.
func TestOldFailureIsForgotten(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		time.Sleep(time.Hour)
		w.net.fail(offline)
		_, err := w.token()
		w.wantError(err, auth.KindUnavailable, "")
		time.Sleep(time.Minute)
		if s := w.wantState(auth.Waiting, ""); s.NextRefreshAt.IsZero() || len(s.Warnings) != 1 {
			t.Errorf("while it tries: %+v", s)
		}
		time.Sleep(10 * time.Minute)
		w.net.fail(nil) // nobody tries any more, so nobody notices
		time.Sleep(time.Hour)
		if s := w.wantState(auth.Stale, ""); len(s.Warnings) != 0 {
			t.Errorf("an hour later it says %q", s.Warnings)
		}
		w.mustToken()
	})
}

// Whatever somebody writes into the list of ended sessions, the agent goes on.
func TestEndedSessionsOverwritten(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		w.stop()
		must(t, os.WriteFile(filepath.Join(w.dir, "ended.json"), []byte("null"), 0o600))
		w.start()
		_, err := w.m.SignOut(t.Context(), "work")
		must(t, err)
		w.wantState(auth.SignedOut, auth.ByUser)
	})
}

// A tombstone whose time no calendar has is believed as to the end alone.
func TestTombstoneOfNoTime(t *testing.T) {
	for _, at := range []string{"9223372036854775807", "-9223372036854775808", "253402300800000"} {
		play(t, nil, func(t *testing.T, w *world) {
			w.signIn()
			id := w.m.accounts["work"].rec.ID
			w.stop()
			must(t, os.WriteFile(filepath.Join(w.dir, id+".end"), []byte("ended: age\n"+at+"\n"), 0o600))
			w.start()
			s := w.wantState(auth.Ended, auth.ByAge)
			if _, err := json.Marshal(s); err != nil {
				t.Errorf("%s: nobody can be told: %v", at, err)
			}
		})
	}
}

// A new client secret is used from the next request on.
func TestNewClientSecret(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		a := w.m.accounts["work"]
		c := a.config
		c.ClientSecretKeychain = true
		must(t, w.m.SetAccount(c))
		must(t, w.m.SetClientSecret(t.Context(), "work", auth.NewSecret("wrong")))
		first, err := a.dial(t.Context())
		must(t, err)
		must(t, w.m.SetClientSecret(t.Context(), "work", auth.NewSecret("right")))
		second, err := a.dial(t.Context())
		must(t, err)
		if first.Client == second.Client {
			t.Error("the old secret is still in use")
		}
	})
}
