package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"curfew/auth"
	"curfew/auth/authserver"
	"curfew/keystore"
)

// Somebody restores files or keychain from an earlier time. This tries every
// pair of what was kept after each of 20 refreshes. Unless both are of the same
// time the session is closed, and none of its tokens goes anywhere. Both
// restored together look like the past itself. The last part shows that this
// ends at the server, which has seen the old token.
func TestRestoredPairs(t *testing.T) {
	const last = 20
	setup := func(w *world) {
		w.inMemory()
		w.mode, w.logger = auth.OnDemand, slog.New(slog.DiscardHandler)
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
					if e, ok := errors.AsType[*auth.Error](err); !ok || e.Kind != auth.KindSignInNeeded || e.Reason != auth.ByTampering {
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
		w.wantError(err, auth.KindSignInNeeded, auth.ByRefreshes)
		if w.net.refreshes() != posts {
			t.Error("a 21st refresh left the machine")
		}

		restore(5, 5)
		_, err = w.m.Refresh(t.Context(), "work", "test")
		w.wantError(err, auth.KindSignInNeeded, auth.ByRevocation)
		if n := w.server.Sessions(); n != 0 {
			t.Errorf("%d sessions at a server that has seen an old token", n)
		}
	})
}

// Whatever is gone, the old token is not used and the count does not start
// again.
func TestGonePieces(t *testing.T) {
	for _, c := range []struct {
		name   string
		remove func(w *world)
		reason auth.Reason
		kind   auth.Kind
	}{
		{"all keychain items", func(w *world) { w.keychain.SetItems(nil) }, "", auth.KindKeychain},
		{"the keychain is an older one's", func(w *world) { w.keychain.SetItems(map[string]string{"curfew/x": "y"}) }, "", auth.KindKeychain},
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

// Any byte of a session's files or items is turned, cut off or replaced. Its
// account says what happened to it. Its tokens go nowhere, not even to be
// revoked. The other account keeps working.
func TestHurtSession(t *testing.T) {
	setup := func(w *world) {
		w.inMemory()
		w.mode, w.logger = auth.OnDemand, slog.New(slog.DiscardHandler)
		work, other := w.account(), w.account()
		other.Name = "other"
		w.accounts = []auth.Account{work, other}
	}
	play(t, setup, func(t *testing.T, w *world) {
		w.signIn()
		_, err := w.m.Refresh(t.Context(), "work", "test")
		must(t, err)
		synctest.Wait()
		ledger := w.ledger()
		id := strings.TrimSuffix(filepath.Base(ledger), ".ledger")
		w.signInTo("other")
		w.stop()
		otherLedger := ""
		for name := range files(t, w.dir) {
			if strings.HasSuffix(name, ".ledger") && !strings.HasPrefix(name, id) {
				otherLedger = name
			}
		}
		good := w.setAside("good")
		parts := files(t, good.dir)
		sent := 0
		w.net.onRefresh = func(string) func([]byte) { sent++; return func([]byte) {} }
		w.net.onAnswer = func(url.Values, []byte) { sent++ }

		n := 0
		// hurt starts the agent on the good state with one file or item changed.
		hurt := func(what, name, text string, want auth.State, reason auth.Reason, kind auth.Kind) {
			t.Helper()
			n++
			d := &death{w.setAside(fmt.Sprint("hurt-", n)).dir, maps.Clone(good.items)}
			if _, ok := good.items[name]; ok {
				d.items[name] = text
			} else {
				must(t, os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o600))
			}
			w.dir = good.dir
			w.rise(d)
			_, err := w.token()
			w.wantError(err, kind, reason)
			s := w.wantState(want, reason)
			if s.Message == "Not signed in." {
				t.Errorf("%s: %s", what, s.Message)
			}
			if _, err := w.m.Token(t.Context(), "other", patient(-1, "test")); err != nil {
				t.Errorf("%s: the other account: %v", what, err)
			}
			if sent != 0 || t.Failed() {
				t.Fatalf("%s: %d requests", what, sent)
			}
			w.stop()
			w.dir = good.dir
		}
		tampered := func(what, name, text string) {
			t.Helper()
			hurt(what, name, text, auth.Ended, auth.ByTampering, auth.KindSignInNeeded)
		}
		newer := func(what, name, text string) {
			t.Helper()
			hurt(what, name, text, auth.Held, "", auth.KindFailed)
		}
		w.dir = good.dir

		led, key, high := id+".ledger", id+".key", "curfew/"+id+".h"
		firstLine := strings.IndexByte(parts[led], '\n')
		for _, name := range []string{led, key, "curfew/" + id + ".k", high, "curfew/" + id + ".b.0"} {
			text, ok := parts[name]
			if !ok {
				text = good.items[name]
			}
			for i := 0; i < len(text); i++ {
				if name == led && i > 150 && i < firstLine-60 || name != led && i > 10 {
					i += min(40, len(text)-1-i) // of what is sealed or encoded every fortieth
				}
				tampered(fmt.Sprintf("byte %d of %s", i, name), name, text[:i]+string([]byte{text[i] ^ 0x01})+text[i+1:])
			}
		}
		for _, cut := range []int{0, 1, 5, 100, firstLine - 1} {
			tampered(fmt.Sprint("the ledger cut at ", cut), led, parts[led][:cut])
			tampered(fmt.Sprint("the beginning of the ledger zeroed, from ", cut), led, strings.Repeat("\x00", cut+1)+parts[led][cut+1:])
		}
		tampered("the other's ledger", led, parts[otherLedger])
		tampered("something else", led, "#!/bin/sh\nexit\n")
		tampered("the key is empty", key, "")
		tampered("the other's key", key, parts[strings.TrimSuffix(otherLedger, "ledger")+"key"])
		newer("a ledger of the future", led, `{"v":2,"entirely":"different"}`+"\n")
		newer("a high-water item of the future", high, "2"+good.items[high][1:])
		t.Logf("%d hurt sessions, 0 requests with their tokens", n)

		w.rise(good) // nothing of it was the session's doing
		w.mustToken()
		for _, name := range []string{"work", "other"} {
			_, err := w.m.Refresh(t.Context(), name, "test")
			must(t, err)
		}
	})
}

// cutNotes cuts the notes off the end of the one ledger and says how many.
func (w *world) cutNotes() (n int) {
	w.t.Helper()
	path := w.ledger()
	b, err := os.ReadFile(path)
	must(w.t, err)
	lines := strings.SplitAfter(strings.TrimSuffix(string(b), "\n"), "\n")
	for ; strings.Contains(lines[len(lines)-1], `{"t":"note"`); n++ {
		lines = lines[:len(lines)-1]
	}
	must(w.t, os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600))
	return n
}

// The store does not notice when notes are cut off a ledger's end. No limit, no
// count and no state depends on them. What they add to the last counted event
// brings an end nearer, since idleness is put off less. It may also give a
// better word or the time. Without it the agent knows no more than after as
// long a time in which it did not run.
func TestNotesCut(t *testing.T) {
	idle := func(w *world) { w.mode, w.limits.MaxIdle = auth.OnDemand, 14*aDay }
	t.Run("at rest", func(t *testing.T) {
		play(t, idle, func(t *testing.T, w *world) {
			w.signIn()
			time.Sleep(time.Hour)
			w.mustToken()
			time.Sleep(6 * time.Minute)
			w.mustToken()
			time.Sleep(time.Minute)
			with := w.wantState(auth.Active, "")
			w.stop()
			if w.cutNotes() == 0 {
				t.Fatal("there are no notes")
			}
			w.start()
			without := w.wantState(auth.Active, "")
			if without.EndsAt.After(with.EndsAt) || without.LastUsedAt.After(with.LastUsedAt) {
				t.Errorf("it ends at %v, last used at %v; with the notes %v and %v", without.EndsAt, without.LastUsedAt, with.EndsAt, with.LastUsedAt)
			}
			type counted struct {
				used, left int
				in, exp    time.Time
				who        string
			}
			of := func(s auth.Snapshot) counted {
				return counted{s.RefreshesUsed, s.RefreshesLeft, s.SignedInAt, s.AccessExpiresAt, s.Subject}
			}
			if of(without) != of(with) {
				t.Errorf("%+v, with the notes %+v", of(without), of(with))
			}
		})
	})
	t.Run("that an answer may have been lost", func(t *testing.T) {
		play(t, nil, func(t *testing.T, w *world) {
			w.signIn()
			time.Sleep(time.Hour)
			must(t, w.faults.Set("refresh:503-after-rotate*1,refresh:503*1000"))
			_, err := w.token()
			w.wantError(err, auth.KindUnavailable, "")
			w.stop()
			if w.cutNotes() == 0 {
				t.Fatal("there are no notes")
			}
			must(t, w.faults.Set("refresh:strict"))
			w.start()
			if s := w.status(); s.RefreshesUsed != 1 {
				t.Errorf("%d refreshes counted", s.RefreshesUsed)
			}
			_, err = w.token()
			w.wantError(err, auth.KindSignInNeeded, auth.ByRotationLost)
		})
	})
	// The machine is started again with a clock that was turned back. With the
	// notes cut that clock is believed until a server answers, as after a time
	// when the machine was off. Here the server counts no days itself.
	for _, cut := range []bool{true, false} {
		t.Run(fmt.Sprint("and the clock turned back, cut ", cut), func(t *testing.T) {
			lax := func(c *authserver.Config) { c.MaxAge = 400 * aDay }
			play(t, func(w *world) { w.mode, w.tune = auth.OnDemand, lax }, func(t *testing.T, w *world) {
				w.signIn()
				if cut {
					time.Sleep(29 * aDay)
					w.stop()
					if w.cutNotes() == 0 {
						t.Fatal("there are no notes")
					}
				} else { // the machine was off instead
					w.stop()
					time.Sleep(29 * aDay)
				}
				time.Sleep(2 * aDay)
				w.skew.Store(int64(-28 * aDay))
				w.boots++
				w.start()
				s := w.wantState(auth.Stale, "")
				if s.RefreshesUsed != 0 {
					t.Errorf("%d refreshes counted", s.RefreshesUsed)
				}
				_, err := w.token()
				w.wantError(err, auth.KindSignInNeeded, auth.ByAge)
				w.wantState(auth.Ended, auth.ByAge)
			})
		})
	}
}

// files are the files of a directory.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		must(t, err)
		all[e.Name()] = string(b)
	}
	return all
}
