package main

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"curfew/keystore/kctest"
)

// A private bus in place of the system's, on which the test is logind.
func TestWatchResume(t *testing.T) {
	bus := kctest.New(t)
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.Address)
	logind, err := dbus.Connect(bus.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer logind.Close()

	ctx, cancel := context.WithCancel(t.Context())
	resumed, done := make(chan struct{}, 100), make(chan error, 1)
	go func() {
		done <- watchResume(ctx, slog.New(slog.DiscardHandler), func() { resumed <- struct{}{} })
	}()
	emit := func(asleep bool) {
		t.Helper()
		if err := logind.Emit("/org/freedesktop/login1", "org.freedesktop.login1.Manager.PrepareForSleep", asleep); err != nil {
			t.Fatal(err)
		}
	}
	// Until the watcher listens, nobody hears: say it until it is heard.
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for heard := false; !heard; {
		select {
		case <-resumed:
			heard = true
		case <-tick.C:
			emit(true)
			emit(false)
		case <-t.Context().Done():
			t.Fatal("the resume was not heard")
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
