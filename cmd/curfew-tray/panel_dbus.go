//go:build unix && !darwin

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	watcherName = "org.kde.StatusNotifierWatcher"
	watcherPath = "/StatusNotifierWatcher"

	answerTime = 3 * time.Second // for a question to the watcher
	askAgain   = time.Second     // the first wait before a watcher without a host is asked again
)

// bus is a panel on D-Bus. Programs called hosts show the icons, and a watcher
// knows the hosts.
type bus struct{ *dbus.Conn }

// findPanel connects to the session bus. It does not start one: nobody would see
// an icon on a private bus.
func findPanel(context.Context) (panel, error) {
	conn, err := dbus.SessionBusPrivateNoAutoStartup()
	if err == nil {
		if err = conn.Auth(nil); err == nil {
			err = conn.Hello()
		}
		if err != nil {
			conn.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("there is no D-Bus session, so there is no tray (%w)", err)
	}
	return bus{conn}, nil
}

func (b bus) Watch(ctx context.Context) (<-chan bool, <-chan error) {
	present, gone := make(chan bool), make(chan error, 1)
	go func() {
		gone <- b.watch(ctx, present)
	}()
	return present, gone
}

func (b bus) watch(ctx context.Context, present chan<- bool) error {
	signals := make(chan *dbus.Signal, 16)
	b.Signal(signals)
	defer b.RemoveSignal(signals)
	for _, match := range [][]dbus.MatchOption{
		{dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, watcherName)},
		{dbus.WithMatchInterface(watcherName), dbus.WithMatchMember("StatusNotifierHostRegistered")},
		{dbus.WithMatchInterface(watcherName), dbus.WithMatchMember("StatusNotifierHostUnregistered")},
	} {
		if err := b.AddMatchSignalContext(ctx, match...); err != nil {
			return b.lost(ctx, err)
		}
	}
	wait := askAgain
	for {
		owned, there, err := b.hasHost(ctx)
		if err != nil {
			return b.lost(ctx, err)
		}
		select {
		case present <- there:
		case <-ctx.Done():
			return nil
		}
		var again <-chan time.Time
		if owned && !there { // LXQt's watcher does not report when its host appears
			again = time.After(wait)
			wait = min(2*wait, time.Minute)
		} else {
			wait = askAgain
		}
		select {
		case <-again:
		case <-signals:
		case <-b.Context().Done():
			return b.lost(ctx, errors.New("connection closed"))
		case <-ctx.Done():
			return nil
		}
	}
}

func (b bus) lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errBusGone, err)
}

// hasHost asks whether there is a watcher, and whether it has a host. It starts
// nothing: a watcher that does not run has no host.
func (b bus) hasHost(ctx context.Context) (owned, there bool, err error) {
	err = b.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.NameHasOwner", 0, watcherName).Store(&owned)
	if err != nil || !owned {
		return false, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	err = b.Object(watcherName, watcherPath).CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, watcherName, "IsStatusNotifierHostRegistered").Store(&there)
	return true, there || err != nil, nil // a watcher that does not say is most likely a host itself
}
