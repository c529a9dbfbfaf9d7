package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"curfew/auth"
	"curfew/auth/engine"
	"curfew/keystore"
)

// While sessions are read, requests for one account wait for that account only.
// See TestReady in auth/engine.
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

// A log as JSON has one object a line.
func TestLogFormat(t *testing.T) {
	for format, want := range map[logFormat]string{"text": "level=INFO msg=\"two words\" n=1\n", "json": "\"level\":\"INFO\",\"msg\":\"two words\",\"n\":1}\n"} {
		var b strings.Builder
		var f logFormat
		if err := f.Set(string(format)); err != nil {
			t.Fatal(err)
		}
		slog.New(f.handler(&b)).Info("two words", "n", 1)
		if !strings.HasSuffix(b.String(), want) {
			t.Errorf("%s: %s", format, b.String())
		}
	}
	var f logFormat
	if f.Set("xml") == nil {
		t.Error("xml is taken")
	}
}
