package engine

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"curfew/auth"
)

// Callers that come after an account's goroutine has ended get an error that
// says so. What was promised before is done.
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

// A caller that waits for a refresh while a person signs in gets the new
// session's token, which costs no refresh.
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
		must(t, w.m.SetAccount(c))
		must(t, w.m.SetClientSecret(t.Context(), "other", auth.NewSecret("s3cret")))
		if len(w.keychain.Items()) == 0 {
			t.Fatal("no secret in the keychain")
		}
		_, err := w.m.RemoveAccount(t.Context(), "other")
		must(t, err)
		if items := w.keychain.Items(); len(items) != 0 {
			t.Errorf("the keychain still holds %d items", len(items))
		}
		w.wantError(w.m.SetClientSecret(t.Context(), "other", auth.NewSecret("s3cret")), auth.KindUnknown, "")
		if items := w.keychain.Items(); len(items) != 0 {
			t.Errorf("a secret of no account: the keychain holds %d items", len(items))
		}
	})
}

// A client secret that is damaged or deleted can be stored again. It costs no
// session.
func TestHurtClientSecret(t *testing.T) {
	for name, hurt := range map[string]func(w *world, item string){
		"emptied": func(w *world, item string) { // as by a keychain that dies between two writes
			items := w.keychain.Items()
			items[item] = ""
			w.keychain.SetItems(items)
		},
		"gone from the keychain": func(w *world, item string) {
			items := w.keychain.Items()
			delete(items, item)
			w.keychain.SetItems(items)
		},
		"deleted": func(w *world, _ string) {
			must(w.t, w.m.SetClientSecret(w.t.Context(), "work", auth.Secret{}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, nil, func(t *testing.T, w *world) {
				w.signIn()
				before := w.keychain.Items()
				must(t, w.m.SetClientSecret(t.Context(), "work", auth.NewSecret("s3cret")))
				key := ""
				for item := range w.keychain.Items() {
					if _, ok := before[item]; !ok && strings.HasSuffix(item, ".k") {
						key = item
					}
				}
				w.restart()
				hurt(w, key)
				c := w.m.accounts["work"].config
				c.ClientSecretKeychain = true
				must(t, w.m.SetAccount(c))
				time.Sleep(time.Hour)
				_, err := w.token()
				w.wantError(err, auth.KindBadRequest, "")
				if s := w.status(); s.State == auth.Ended || s.State == auth.SignedOut {
					t.Errorf("the session is %s, %s", s.State, s.Reason)
				}
				must(t, w.m.SetClientSecret(t.Context(), "work", auth.NewSecret("again")))
				_, err = w.m.accounts["work"].dial(t.Context())
				must(t, err)
			})
		})
	}
}
