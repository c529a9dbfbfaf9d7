//go:build unix && !darwin

package desktop

import (
	"context"
	"os"
	"path/filepath"

	"github.com/godbus/dbus/v5"
)

// The desktop's settings, as xdg-desktop-portal passes them on to programs. "Large
// text" of GNOME and similar desktops is a factor of 1.25.
const (
	portalName      = "org.freedesktop.portal.Desktop"
	portalPath      = "/org/freedesktop/portal/desktop"
	portalSettings  = "org.freedesktop.portal.Settings"
	textNamespace   = "org.gnome.desktop.interface"
	textScalingName = "text-scaling-factor"
)

// FollowTextScale calls tell with the scale of words that the desktop wants; 1 is
// usual. It calls it once the desktop has answered, and at every change until ctx
// ends. If the desktop says nothing, tell is not called. Fyne knows only the size
// of the screen's pixels.
func FollowTextScale(ctx context.Context, tell func(scale float32)) {
	if os.Getenv("DBUS_SESSION_BUS_ADDRESS") == "" {
		if _, err := os.Stat(filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "bus")); err != nil {
			return // there is no session bus, and the library would start one
		}
	}
	conn, err := dbus.ConnectSessionBus(dbus.WithContext(ctx))
	if err != nil {
		return
	}
	defer conn.Close()
	changes := make(chan *dbus.Signal, 16)
	conn.Signal(changes)
	err = conn.AddMatchSignalContext(ctx, dbus.WithMatchInterface(portalSettings), dbus.WithMatchMember("SettingChanged"),
		dbus.WithMatchObjectPath(portalPath), dbus.WithMatchArg(0, textNamespace), dbus.WithMatchArg(1, textScalingName))
	if err != nil {
		return
	}
	var now dbus.Variant
	read := conn.Object(portalName, portalPath).CallWithContext(ctx, portalSettings+".Read", 0, textNamespace, textScalingName)
	if read.Store(&now) == nil {
		if scale, ok := number(now); ok {
			tell(textScale(scale))
		}
	}
	for {
		select {
		case s, ok := <-changes:
			if !ok {
				return // the bus has gone
			}
			if len(s.Body) != 3 {
				continue
			}
			if v, ok := s.Body[2].(dbus.Variant); ok {
				if scale, ok := number(v); ok {
					tell(textScale(scale))
				}
			}
		case <-ctx.Done():
			return
		}
	}
}

// number unwraps a number; Read packs it into two variants.
func number(v dbus.Variant) (float64, bool) {
	for {
		switch value := v.Value().(type) {
		case dbus.Variant:
			v = value
		case float64:
			return value, true
		default:
			return 0, false
		}
	}
}
