package window

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"curfew/auth"
	"curfew/auth/agent"
)

// TestServeFake serves the fake agent for looking at the real window.
func TestServeFake(t *testing.T) {
	socket := os.Getenv("FAKE_SOCKET")
	if socket == "" {
		t.Skip("for looking by hand")
	}
	shift := time.Since(noon)
	move := func(s auth.Snapshot) auth.Snapshot {
		for _, at := range []*time.Time{&s.SignedInAt, &s.EndsAt, &s.AccessExpiresAt, &s.NextRefreshAt, &s.LastRefreshAt, &s.LastUsedAt, &s.Forecast.EndsAt} {
			if !at.IsZero() {
				*at = at.Add(shift)
			}
		}
		return s
	}
	var snaps []auth.Snapshot
	add := func(name string, s auth.Snapshot) { s.Name = name; snaps = append(snaps, s) }
	add("spotify", spotify())
	add("entra", entra())
	add("gitea", gitea())
	add("notes", fresh())
	w := in(spotify(), auth.Waiting, "The server cannot be reached.")
	w.NextRefreshAt = ahead(4 * time.Minute)
	add("offline", w)
	add("held", in(spotify(), auth.Held, "The server refuses this client: invalid_client. The session is kept."))
	add("locked", in(spotify(), auth.Locked, ""))
	add("suspect", in(spotify(), auth.Suspect, ""))
	warned := spotify()
	warned.Warnings = []string{"The provider ends this session after 90 days without a word."}
	warned.Subject = long(4096)
	add("a-name-that-is-as-long-as-a-name-may-be-and-that-is-64-letters.x", warned)
	for i := range 12 {
		s := spotify()
		s.RefreshesUsed, s.RefreshesLeft = i, 20-i
		add(fmt.Sprintf("service-%02d", i), s)
	}
	for i := range snaps {
		snaps[i].AccessLeft = 0
	}
	f := newFakeAgent(snaps...)
	for name, events := range f.events {
		for i := range events {
			events[i].At = events[i].At.Add(shift)
		}
		f.events[name] = events
	}
	for i := range f.snaps {
		f.snaps[i] = move(f.snaps[i])
	}
	f.started.ExpiresAt = time.Now().Add(5 * time.Minute)
	l, err := agent.Listen(context.Background(), socket)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "config.toml")
	server := agent.NewServer(agent.Config{Engine: engine{f}, Path: config, Version: "test", Doctor: func(context.Context) []agent.Check { return nil }})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // control by files
		dir := filepath.Dir(socket)
		for range time.Tick(100 * time.Millisecond) {
			for _, p := range []auth.Phase{auth.PhaseExchange, auth.PhaseDone, auth.PhaseFailed} {
				if b, err := os.ReadFile(filepath.Join(dir, string(p))); err == nil {
					os.Remove(filepath.Join(dir, string(p)))
					f.phase(string(b), p, auth.KindRefused, "The server says: access_denied.")
				}
			}
			if _, err := os.Stat(filepath.Join(dir, "stop")); err == nil {
				cancel()
			}
		}
	}()
	server.Run(ctx, l)
}
