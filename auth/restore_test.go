package auth

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"

	"curfew/keystore"
)

// Somebody puts files or keychain back to where they were: every pair of all
// that was kept after each of 20 refreshes. Unless both are of the same time
// the session is closed, and no token of it, old or new, goes anywhere. Both
// put back together look like the past itself; that this ends at the server,
// which has seen the old token, is the last part.
func TestRestoredPairs(t *testing.T) {
	const last = 20
	setup := func(w *world) {
		w.inMemory()
		w.mode, w.logger = OnDemand, slog.New(slog.DiscardHandler)
	}
	play(t, setup, func(t *testing.T, w *world) {
		w.signIn()
		var history []*death
		for i := range last + 1 {
			if i > 0 {
				if _, err := w.m.Refresh(t.Context(), "work", "test"); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			history = append(history, w.setAside(fmt.Sprint("generation-", i)))
		}
		posts := w.net.refreshes()
		if posts != last {
			t.Fatalf("%d refreshes", posts)
		}
		pairs, n := 0, 0
		// restore starts the agent on a copy of files and on items.
		restore := func(files, items int) {
			w.stop()
			w.dir = history[files].dir
			n++
			w.rise(&death{w.setAside(fmt.Sprint("pair-", n)).dir, history[items].items})
		}
		for files := range history {
			for items := range history {
				if files == items {
					continue
				}
				pairs++
				restore(files, items)
				_, err := w.token()
				_, again := w.m.Refresh(t.Context(), "work", "test")
				for _, err := range []error{err, again} {
					if e, ok := errors.AsType[*Error](err); !ok || e.Kind != KindSignInNeeded || e.Reason != ByTampering {
						t.Errorf("files of refresh %d, keychain of %d: %v", files, items, err)
					}
				}
				if w.net.refreshes() != posts {
					t.Fatalf("files of refresh %d, keychain of %d: a refresh left the machine", files, items)
				}
			}
		}
		t.Logf("%d pairs refused, 0 requests sent", pairs)

		restore(last, last)
		if _, err := w.token(); err != nil {
			t.Errorf("the present: %v", err)
		}
		_, err := w.m.Refresh(t.Context(), "work", "test")
		w.wantError(err, KindSignInNeeded, ByRefreshes)
		if w.net.refreshes() != posts {
			t.Error("a 21st refresh left the machine")
		}

		restore(5, 5)
		_, err = w.m.Refresh(t.Context(), "work", "test")
		w.wantError(err, KindSignInNeeded, ByRevocation)
		if n := w.server.Sessions(); n != 0 {
			t.Errorf("%d sessions at a server that has seen an old token", n)
		}
	})
}

// Whatever is gone, the old token is not used and the count does not start
// anew.
func TestGonePieces(t *testing.T) {
	for _, c := range []struct {
		name   string
		remove func(w *world)
		reason Reason
		kind   Kind
	}{
		{"all keychain items", func(w *world) { w.keychain.SetItems(nil) }, "", KindKeychain},
		{"the keychain is an older one's", func(w *world) { w.keychain.SetItems(map[string]string{"curfew/x": "y"}) }, "", KindKeychain},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, nil, func(t *testing.T, w *world) {
				w.signIn()
				items := w.keychain.Items()
				w.stop()
				c.remove(w)
				w.start()
				_, err := w.m.Refresh(t.Context(), "work", "test")
				w.wantError(err, c.kind, c.reason)
				if !errors.Is(err, keystore.ErrChanged) {
					t.Errorf("%v is not called a changed keychain", err)
				}
				if n := w.net.refreshes(); n != 0 {
					t.Errorf("%d refreshes", n)
				}
				w.keychain.SetItems(items) // the right one comes back
				_, err = w.m.Refresh(t.Context(), "work", "test")
				must(t, err)
			})
		})
	}
}
