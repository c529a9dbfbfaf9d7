package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"curfew/auth"
)

// Whoever comes when an account's goroutine has ended is told so, and what
// was promised before is done.
func TestNobodyWaitsForTheDead(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		time.Sleep(time.Hour)
		a := w.m.accounts["work"]
		promised := make(chan bool, 1)
		w.m.mu.Lock()
		a.stop()
		a.queueLocked(func(context.Context) { promised <- true })
		w.m.mu.Unlock()
		synctest.Wait()
		if len(promised) != 1 {
			t.Error("what was queued before the end was not done")
		}
		_, err := w.token()
		w.wantError(err, auth.KindUnavailable, "")
		_, err = w.m.SignOut(t.Context(), "work")
		w.wantError(err, auth.KindUnavailable, "")
	})
}

// A sign-in that succeeds when nobody is left to keep it is given back.
func TestGrantForTheDead(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		started, err := w.m.StartSignIn(t.Context(), "work", auth.SignInRequest{Device: true})
		must(t, err)
		w.m.accounts["work"].stop()
		w.visit(started.URL)
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if v := w.status().SignIn; v.Phase != auth.PhaseFailed {
			t.Errorf("the sign-in is %s", v.Phase)
		}
		if n := w.server.Sessions(); n != 0 {
			t.Errorf("%d sessions at the server that nobody knows of", n)
		}
	})
}

// A sign-in that is cancelled at the last moment leaves everything as it was.
func TestCancelledAfterTheGrant(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		release := w.hold()
		started, err := w.m.StartSignIn(t.Context(), "work", auth.SignInRequest{Device: true})
		must(t, err)
		w.visit(started.URL)
		time.Sleep(15 * time.Second)
		if n := w.server.Sessions(); n != 1 {
			t.Fatalf("%d sessions at the server, want 1", n)
		}
		must(t, w.m.CancelSignIn("work"))
		release()
		synctest.Wait()
		w.wantState(auth.SignedOut, "")
		if n := w.server.Sessions(); n != 0 {
			t.Errorf("%d sessions at the server that nobody knows of", n)
		}
	})
}

// Who waits for a refresh while a person signs in gets the new session's
// token, which costs it no refresh.
func TestSignInServesWhoWaits(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		time.Sleep(time.Hour)
		release := w.hold()
		started, err := w.m.StartSignIn(t.Context(), "work", auth.SignInRequest{Device: true, Force: true})
		must(t, err)
		w.visit(started.URL)
		time.Sleep(15 * time.Second)
		got := make(chan error)
		go func() {
			_, err := w.token()
			got <- err
		}()
		synctest.Wait()
		release()
		must(t, <-got)
		if s := w.status(); s.RefreshesUsed != 0 || w.net.refreshes() != 0 {
			t.Errorf("used %d, sent %d, want none", s.RefreshesUsed, w.net.refreshes())
		}
	})
}

// What a removed account leaves behind is nothing, its client secret included.
func TestRemoveTakesTheClientSecret(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		c := w.m.accounts["work"].config
		c.Name, c.ClientSecretKeychain = "other", true
		must(t, w.m.SetClientSecret(t.Context(), "other", auth.NewSecret("s3cret")))
		must(t, w.m.SetAccount(c))
		if len(w.keychain.Items()) == 0 {
			t.Fatal("no secret in the keychain")
		}
		_, err := w.m.RemoveAccount(t.Context(), "other")
		must(t, err)
		if items := w.keychain.Items(); len(items) != 0 {
			t.Errorf("the keychain still holds %d items", len(items))
		}
	})
}
