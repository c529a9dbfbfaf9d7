package engine

import (
	"context"
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
	m, err := New(Config{Store: store, Accounts: []auth.Account{{Name: "work", Issuer: front.URL, ClientID: authserver.DefaultClientID,
		Scopes: []string{"openid", "offline_access"}, Refresh: auth.OnDemand, RevocationReach: reachGrant}}})
	must(err)
	ctx, end := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	b.Cleanup(func() { end(); <-ended })
	go func() { ended <- m.Run(ctx) }()
	m.Begun(ctx)
	signIn := func() {
		watching, done := context.WithCancel(ctx)
		defer done()
		started, err := m.StartSignIn(ctx, "work", auth.SignInRequest{})
		must(err)
		page, err := http.Get(started.URL) // the server approves at once
		must(err)
		page.Body.Close()
		for all := range m.Watch(watching) {
			if all[0].SignIn.Phase == auth.PhaseDone && all[0].RefreshesLeft > 0 {
				return
			}
		}
	}
	left := 0
	for b.Loop() {
		if left == 0 {
			b.StopTimer()
			signIn()
			b.StartTimer()
		}
		s, err := m.Refresh(ctx, "work", "bench")
		must(err)
		left = s.RefreshesLeft
	}
}
