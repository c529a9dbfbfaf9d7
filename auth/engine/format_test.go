package engine

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"curfew/auth"
	"curfew/keystore"
)

var writeState = flag.String("state", "", "write testdata/state-NAME, as this version stores it")

// stored is what testdata has in addition to a state directory.
type stored struct {
	At       time.Time         `json:"at"`
	Keychain map[string]string `json:"keychain"`
	Token    string            `json:"token"`
	Used     int               `json:"used"`
	Events   int               `json:"events"`
}

// TestEarlierState reads the state of each earlier version: the session goes on
// with its token, its count and its history. Before a release, make a folder
// for it with -args -state=VERSION. Folders are never changed.
func TestEarlierState(t *testing.T) {
	if *writeState != "" {
		play(t, nil, func(t *testing.T, w *world) { w.writeState(filepath.Join("testdata", "state-"+*writeState)) })
	}
	folders, err := filepath.Glob("testdata/state-*.json")
	if err != nil || len(folders) == 0 {
		t.Fatal(folders, err)
	}
	for _, folder := range folders {
		folder = strings.TrimSuffix(folder, ".json")
		t.Run(filepath.Base(folder), func(t *testing.T) {
			play(t, nil, func(t *testing.T, w *world) {
				w.stop()
				want := w.readState(folder)
				time.Sleep(time.Until(want.At.Add(time.Minute)))
				w.accounts = []auth.Account{w.account(), {Name: "left", Issuer: issuer, ClientID: "curfew"}}
				w.start()
				s := w.wantState(auth.Active, "")
				if s.RefreshesUsed != want.Used || s.SignedInAt.IsZero() || s.SignedInAt.After(want.At.Add(-time.Hour)) {
					t.Errorf("%d refreshes used, signed in at %v", s.RefreshesUsed, s.SignedInAt)
				}
				if tok := w.mustToken(); tok.AccessToken.Reveal() != want.Token || w.net.refreshes() != 0 {
					t.Errorf("another token, %d refreshes", w.net.refreshes())
				}
				if left, err := w.m.Snapshot("left"); err != nil || left.State != auth.SignedOut || left.Reason != auth.ByUser {
					t.Errorf("the account that was signed out: %+v, %v", left, err)
				}
				if events := w.m.Events("", 100); len(events) < want.Events {
					t.Errorf("%d events, want %d", len(events), want.Events)
				}
				if _, err := w.m.Refresh(t.Context(), "work", "test"); w.net.refreshes() == 0 {
					t.Errorf("the refresh token was not sent: %v", err)
				}
			})
		})
	}
}

// writeState plays the life that testdata keeps: a session with three refreshes,
// and an account that was signed out.
func (w *world) writeState(folder string) {
	t := w.t
	w.accounts = []auth.Account{w.account(), {Name: "left", Issuer: issuer, ClientID: "curfew"}}
	w.restart()
	w.signInTo("left")
	if _, err := w.m.SignOut(t.Context(), "left"); err != nil {
		t.Fatal(err)
	}
	w.signIn()
	for range 3 {
		time.Sleep(30 * time.Minute)
		w.mustToken()
	}
	token := w.mustToken().AccessToken.Reveal()
	synctest.Wait()
	s := w.status()
	events := w.m.Events("", 100)
	w.stop()
	w.stop = func() {}
	must(t, os.MkdirAll(folder, 0o755))
	text, err := json.MarshalIndent(stored{time.Now(), w.keychain.Items(), token, s.RefreshesUsed, len(events)}, "", "\t")
	must(t, err)
	must(t, os.WriteFile(folder+".json", append(text, '\n'), 0o644))
	for name, content := range files(t, w.dir) {
		if name == "lock" {
			continue // of a process
		}
		must(t, os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644))
	}
}

// readState puts a folder of testdata in the place of the machine's state.
func (w *world) readState(folder string) (s stored) {
	text, err := os.ReadFile(folder + ".json")
	must(w.t, err)
	must(w.t, json.Unmarshal(text, &s))
	w.dir = filepath.Join(filepath.Dir(w.dir), "earlier")
	must(w.t, os.MkdirAll(w.dir, 0o700))
	for name, content := range files(w.t, folder) {
		must(w.t, os.WriteFile(filepath.Join(w.dir, name), []byte(content), 0o600))
	}
	w.keychain.SetItems(s.Keychain)
	return s
}

// TestNewerState: what a newer version stored in another format is refused with
// words, and stays as it is.
func TestNewerState(t *testing.T) {
	var f facts
	if err := f.decode([]byte(`{"v": 2, "bound": 7}`)); !errors.Is(err, keystore.ErrVersion) {
		t.Errorf("newer facts: %v", err)
	}
	if err := f.decode(facts{}.encode(use{})); err != nil || f.Version != factsVersion {
		t.Errorf("facts of this version: %v, %d", err, f.Version)
	}
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		rec := w.m.accounts["work"].rec
		_, err := w.m.store.Note(t.Context(), rec.ID, []byte(`{"v": 2, "bound": 7}`))
		must(t, err)
		w.restart()
		w.wantState(auth.Held, "")
		if _, err := w.token(); err == nil || !strings.Contains(err.Error(), "newer version") {
			t.Errorf("a token of newer facts: %v", err)
		}
	})
}
