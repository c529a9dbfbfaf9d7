package engine

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"curfew/auth"
	"curfew/keystore"
)

// A session that waits for its revocation is taken in hand once, however
// often the loading of the next one fails.
func TestLockedStartLeaksNothing(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		must(t, w.faults.Set("revoke:503"))
		must(t, w.trySignIn(auth.SignInRequest{Device: true, Force: true}))
		w.stop()
		w.keychain.SetLocked(true)
		w.start()
		time.Sleep(time.Minute)
		synctest.Wait()
		before := runtime.NumGoroutine()
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := runtime.NumGoroutine() - before; n > 2 {
			t.Errorf("%d goroutines more after an hour", n)
		}
		must(t, w.faults.Set(""))
		w.keychain.SetLocked(false)
		w.mustToken()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		w.wantState(auth.Active, "")
		if n := w.server.Sessions(); n != 1 {
			t.Errorf("%d sessions at the server, want 1", n)
		}
	})
}

// An older session that can be read only later does not take the place of the
// one that lives.
func TestLateSessionIsRetired(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		old := w.setAside("old")
		time.Sleep(time.Minute)
		must(t, w.trySignIn(auth.SignInRequest{Device: true, Force: true}))
		synctest.Wait()
		want := w.status().SignedInAt
		w.stop()

		items := w.keychain.Items()
		maps.Copy(items, old.items)
		w.keychain.SetItems(items)
		files, err := filepath.Glob(filepath.Join(old.dir, "*.key"))
		if err != nil || len(files) != 1 {
			t.Fatalf("key files: %v %v", files, err)
		}
		id := filepath.Base(files[0][:len(files[0])-len(".key")])
		must(t, os.Rename(files[0], filepath.Join(w.dir, id+".key")))
		ledger := filepath.Join(w.dir, id+".ledger")
		if err := os.Symlink(ledger, ledger); err != nil { // cannot be read for now
			t.Skip(err)
		}
		w.start()
		w.wantState(auth.Active, "")
		must(t, os.Remove(ledger))
		must(t, os.Rename(filepath.Join(old.dir, id+".ledger"), ledger))
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if got := w.wantState(auth.Active, "").SignedInAt; !got.Equal(want) {
			t.Errorf("the session of %v took the place of that of %v", got, want)
		}
		if _, err := os.Stat(ledger); err == nil {
			t.Error("the older session is still there")
		}
	})
}

// A client secret that is damaged in the keychain is a setting to fix. It says
// nothing about the session.
func TestDamagedClientSecret(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		confidential := w.account()
		confidential.ClientSecretKeychain = true
		before := w.keychain.Items()
		must(t, w.m.SetAccount(confidential))
		must(t, w.m.SetClientSecret(t.Context(), "work", auth.NewSecret("s3cret")))
		items := w.keychain.Items()
		for k := range before {
			delete(items, k)
		}
		if len(items) == 0 {
			t.Fatal("the client secret is not in the keychain")
		}
		must(t, w.m.SetAccount(w.account()))
		w.signIn()
		must(t, w.m.SetAccount(confidential))
		damaged := w.keychain.Items()
		for k := range items {
			damaged[k] = "" // what a new item holds when the keychain dies between its two writes
		}
		w.keychain.SetItems(damaged)
		time.Sleep(time.Hour)
		if _, err := w.token(); err == nil {
			t.Fatal("a token without the client secret")
		}
		if s := w.status(); s.State == auth.Ended {
			t.Fatalf("the session ended: %s", s.Message)
		}
		must(t, w.m.SetAccount(w.account()))
		time.Sleep(time.Minute)
		w.mustToken()
	})
}

// A caller that waits for an account's session waits for that account only,
// even from before the engine runs.
func TestReady(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.stop()
		store, err := keystore.Open(keystore.Config{Dir: w.dir, Keychain: w.keychain})
		must(t, err)
		m, err := New(Config{Store: store, StateDir: w.dir, Accounts: []auth.Account{w.account()}})
		must(t, err)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		m.Ready(ctx, "nobody")
		ready := make(chan string, 2)
		go func() { m.Begun(ctx); ready <- "begun" }()
		go func() { m.Ready(ctx, w.account().Name); ready <- "read" }()
		synctest.Wait()
		if len(ready) > 0 {
			t.Errorf("%s before Run", <-ready)
		}
		ran := make(chan error)
		go func() { ran <- m.Run(ctx) }()
		<-ready
		<-ready
		stop()
		must(t, <-ran)
		must(t, store.Close(t.Context()))
		w.start()
	})
}
