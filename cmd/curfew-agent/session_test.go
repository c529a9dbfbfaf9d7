//go:build unix

package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"curfew/auth"
	"curfew/auth/agent/resident"
)

// TestSession: an agent without a live D-Bus session follows to that of a
// program that asks. One that answers is kept.
func TestSession(t *testing.T) {
	dir := t.TempDir()
	listen := func(name string) (address string, stop func()) {
		path := filepath.Join(dir, name)
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return "unix:path=" + path, func() { l.Close() }
	}
	first, end := listen("first")
	second, _ := listen("second")
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	moves := 0
	s := &session{log: slog.New(slog.DiscardHandler), moved: func() { moves++ }}
	want := func(what, address string, n int) {
		t.Helper()
		if got := os.Getenv("DBUS_SESSION_BUS_ADDRESS"); got != address || moves != n {
			t.Errorf("%s: the session is %q after %d moves, want %q after %d", what, got, moves, address, n)
		}
	}
	s.offer("unix:path=" + filepath.Join(dir, "none"))
	want("one that does not answer", "", 0)
	s.offer("tcp:host=127.0.0.1")
	want("one of another kind", "", 0)
	s.offer("nonce-tcp:;unix:guid=1;unix:path=" + filepath.Join(dir, "first") + ",guid=1")
	want("the first", "nonce-tcp:;unix:guid=1;unix:path="+filepath.Join(dir, "first")+",guid=1", 1)
	s.offer(second)
	want("another, while the first answers", "nonce-tcp:;unix:guid=1;unix:path="+filepath.Join(dir, "first")+",guid=1", 1)
	end()
	s.offer(first)
	s.at = time.Time{} // later
	s.offer(second)
	want("another, when the first has ended", second, 2)
}

// TestUpgrade: a new program file ends the agent, but not while a request is
// out that would be cut off.
func TestUpgrade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "curfew-agent")
	put := func() {
		if err := errors.Join(os.WriteFile(path+".new", []byte("#!/bin/sh\n"), 0o755), os.Rename(path+".new", path)); err != nil {
			t.Fatal(err)
		}
	}
	put()
	var asked atomic.Int32
	accounts := func() []auth.Snapshot {
		if asked.Add(1) < 3 {
			return []auth.Snapshot{{State: auth.Active}, {State: auth.Refreshing}}
		}
		return []auth.Snapshot{{State: auth.Active}}
	}
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		ended <- resident.WatchProgram(ctx, slog.New(slog.DiscardHandler), path, 5*time.Millisecond, func() bool { return busy(accounts()) })
	}()
	for tick := time.NewTicker(20 * time.Millisecond); ; { // the watch may not be there yet
		select {
		case err := <-ended:
			if !errors.Is(err, resident.ErrUpgraded) || asked.Load() < 3 {
				t.Errorf("it ended with %v after %d looks at what is under way", err, asked.Load())
			}
			return
		case <-tick.C:
			if asked.Load() == 0 {
				put()
			}
		}
	}
}
