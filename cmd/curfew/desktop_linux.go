package main

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"curfew/auth/agent/client"
	ui "curfew/ui/desktop"

	"github.com/godbus/dbus/v5"
)

// checkTray asks the session bus for a status notifier host. If there is no bus,
// it does not connect: the library would start one.
func checkTray(ctx context.Context) client.Check {
	if !ui.HasDisplay() {
		return client.Check{Name: "tray", OK: true, Message: "no desktop here, so no tray icon is needed"}
	}
	bus := filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "bus")
	if _, err := os.Stat(bus); err != nil && os.Getenv("DBUS_SESSION_BUS_ADDRESS") == "" {
		return client.Check{Name: "tray", Message: "there is no D-Bus session", Hint: "log in through a display manager, or start your desktop with dbus-run-session"}
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	conn, err := dbus.ConnectSessionBus(dbus.WithContext(ctx))
	if err != nil {
		return client.Check{Name: "tray", Message: "the D-Bus session does not answer: " + err.Error(), Hint: "log out, then log in again"}
	}
	defer conn.Close()
	var there bool
	err = conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.NameHasOwner", 0, "org.kde.StatusNotifierWatcher").Store(&there)
	if err != nil || !there {
		return client.Check{Name: "tray", Message: "this desktop has no place for tray icons", Hint: "on GNOME, enable the AppIndicator extension; or use: curfew window"}
	}
	return client.Check{Name: "tray", OK: true, Message: "the desktop shows tray icons"}
}
