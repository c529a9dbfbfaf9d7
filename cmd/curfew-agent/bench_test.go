//go:build unix

package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"curfew/auth"
	"curfew/auth/agent"
	"curfew/auth/agent/client"
	"curfew/auth/agent/consent"
	"curfew/auth/agent/resident"
	"curfew/auth/authserver"
	"curfew/auth/engine"
	"curfew/keystore"
)

// newBenchAgent runs what answers in the agent, behind a real socket, and returns
// a client. It has n accounts, and somebody is signed in to the one called work.
func newBenchAgent(b *testing.B, n int) *client.Client {
	b.Helper()
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

	accounts := []auth.Account{{Name: "work", Issuer: front.URL, ClientID: authserver.DefaultClientID, Scopes: []string{"openid", "offline_access"}}}
	for i := 1; i < n; i++ {
		other := accounts[0]
		other.Name = fmt.Sprintf("work-%03d", i)
		accounts = append(accounts, other)
	}
	dir := b.TempDir()
	store, err := keystore.Open(keystore.Config{Dir: filepath.Join(dir, "state"), Keychain: keystore.NewMemoryKeychain()})
	must(err)
	b.Cleanup(func() { store.Close(context.Background()) })
	manager, err := engine.New(engine.Config{Store: store, Accounts: accounts, MemoryOnly: true})
	must(err)
	socket := filepath.Join(dir, "curfew", "agent.sock")
	listener, err := resident.Listen(b.Context(), socket)
	must(err)
	ctx, end := context.WithCancel(b.Context())
	ended := make(chan error, 2)
	b.Cleanup(func() {
		end()
		<-ended
		<-ended
	})
	go func() { ended <- manager.Run(ctx) }()
	manager.Begun(ctx)
	patient := loading{manager, func(names ...string) { manager.Ready(ctx, names...) }}
	gate := consent.New("", time.Now, manager.Note, slog.New(slog.DiscardHandler))
	go func() {
		ended <- agent.NewServer(agent.Config{Engine: asking{patient, gate}, Consent: gate}).Run(ctx, listener)
	}()

	c := client.NewClient(socket)
	started, err := c.SignIn(ctx, "work", auth.SignInRequest{})
	must(err)
	seen, err := http.Get(started.URL) // the server approves at once, and the answer comes back to the agent
	must(err)
	seen.Body.Close()
	watching, done := context.WithCancel(ctx)
	defer done()
	for all := range manager.Watch(watching) {
		if all[0].State == auth.Active {
			return c
		}
	}
	b.Fatal("nobody is signed in")
	return nil
}

// The whole way of a token that the agent has.
func BenchmarkToken(b *testing.B) {
	c := newBenchAgent(b, 1)
	for b.Loop() {
		if _, err := c.Token(b.Context(), "work", auth.AnyValidity, "bench"); err != nil {
			b.Fatal(err)
		}
	}
}

// What `curfew status` asks for.
func BenchmarkSnapshot(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprintf("accounts=%d", n), func(b *testing.B) {
			c := newBenchAgent(b, n)
			for b.Loop() {
				if _, err := c.Accounts(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
