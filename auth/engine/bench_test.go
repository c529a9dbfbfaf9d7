package engine

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"curfew/auth"
	"curfew/auth/authserver"
	"curfew/keystore"
	"curfew/keystore/kctest"
)

// BenchmarkCycle is a whole refresh: reserved, asked for, saved and served. The
// keychain is in memory, and the server answers at once. The files are real.
func BenchmarkCycle(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprintf("accounts=%d", n), func(b *testing.B) { benchCycle(b, n) })
	}
}

// benchCycle refreshes one of n accounts, all of which are signed in.
func benchCycle(b *testing.B, n int) {
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	var server *authserver.Server
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { server.ServeHTTP(w, r) }))
	b.Cleanup(front.Close)
	var err error
	server, err = authserver.New(authserver.Config{Issuer: front.URL, AutoApprove: authserver.DefaultUser})
	must(err)
	b.Cleanup(server.Close)
	store, err := keystore.Open(keystore.Config{Dir: filepath.Join(b.TempDir(), "state"), Keychain: kctest.NewKeychain(keystore.ErrNotFound, keystore.ErrLocked)})
	must(err)
	b.Cleanup(func() { store.Close(context.Background()) })
	var accounts []auth.Account
	for i := range n {
		accounts = append(accounts, auth.Account{Name: fmt.Sprint("work-", i), Issuer: front.URL, ClientID: authserver.DefaultClientID,
			Scopes: []string{"openid", "offline_access"}, Refresh: auth.OnDemand, RevocationReach: reachGrant})
	}
	m, err := New(Config{Store: store, Accounts: accounts})
	must(err)
	ctx, end := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	b.Cleanup(func() { end(); <-ended })
	go func() { ended <- m.Run(ctx) }()
	m.Begun(ctx)
	signIn := func(name string) {
		watching, done := context.WithCancel(ctx)
		defer done()
		started, err := m.StartSignIn(ctx, name, auth.SignInRequest{})
		must(err)
		page, err := http.Get(started.URL) // the server approves at once
		must(err)
		page.Body.Close()
		for range m.Watch(watching) {
			if s, err := m.Snapshot(name); err != nil || s.SignIn.Phase == auth.PhaseDone && s.RefreshesLeft > 0 {
				must(err)
				return
			}
		}
	}
	for _, a := range accounts[1:] {
		signIn(a.Name)
	}
	left := 0
	for b.Loop() {
		if left == 0 {
			b.StopTimer()
			signIn("work-0")
			b.StartTimer()
		}
		s, err := m.Refresh(ctx, "work-0", "bench")
		must(err)
		left = s.RefreshesLeft
	}
}
