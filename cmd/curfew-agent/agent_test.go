package main

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"

	"curfew/auth"
	"curfew/auth/engine"
	"curfew/keystore"
)

// While sessions are read, questions about one account wait for that account,
// and a token for nobody else's: see TestReady in auth/engine.
func TestLoading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, err := keystore.Open(keystore.Config{Dir: filepath.Join(t.TempDir(), "state"), Keychain: keystore.NewMemoryKeychain()})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close(t.Context())
		m, err := engine.New(engine.Config{Store: store, MemoryOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		var waited [][]string
		e := loading{m, func(names ...string) { waited = append(waited, names) }}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		e.Token(ctx, "a", auth.TokenRequest{MinValid: 0, Program: ""})
		if waited != nil {
			t.Errorf("a token waited for %q", waited)
		}
		e.Snapshots()
		e.Watch(ctx)
		e.Snapshot("a")
		e.Forecast("a")
		e.StartSignIn(ctx, "a", auth.SignInRequest{})
		e.Refresh(ctx, "a", "")
		e.SignOut(ctx, "a")
		e.RemoveAccount(ctx, "a")
		if want := [][]string{nil, nil, {"a"}, {"a"}, {"a"}, {"a"}, {"a"}, {"a"}}; !slices.EqualFunc(waited, want, slices.Equal) {
			t.Errorf("waited for %q", waited)
		}
	})
}
