//go:build unix && !darwin

package display

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
	animationsName  = "enable-animations" // off: the person asks for less motion
)

// FollowLook calls text with the scale of words that the desktop wants, 1 is
// usual, and motion with whether things may move. It calls them once the desktop
// has answered, and at every change until ctx ends. What the desktop does not say
// is not passed on. Fyne knows only the size of the screen's pixels.
func FollowLook(ctx context.Context, text func(scale float32), motion func(on bool)) {
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
		dbus.WithMatchObjectPath(portalPath), dbus.WithMatchArg(0, textNamespace))
	if err != nil {
		return
	}
	for _, name := range []string{textScalingName, animationsName} {
		var now dbus.Variant
		read := conn.Object(portalName, portalPath).CallWithContext(ctx, portalSettings+".Read", 0, textNamespace, name)
		if read.Store(&now) == nil {
			tell(name, now, text, motion)
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
			name, _ := s.Body[1].(string)
			if v, ok := s.Body[2].(dbus.Variant); ok {
				tell(name, v, text, motion)
			}
		case <-ctx.Done():
			return
		}
	}
}

// tell passes on the setting called name.
func tell(name string, v dbus.Variant, text func(scale float32), motion func(on bool)) {
	switch value := plain(v).(type) {
	case float64:
		if name == textScalingName {
			text(textScale(value))
		}
	case bool:
		if name == animationsName {
			motion(value)
		}
	}
}

// plain unwraps a value; Read packs it into two variants.
func plain(v dbus.Variant) any {
	for {
		inner, ok := v.Value().(dbus.Variant)
		if !ok {
			return v.Value()
		}
		v = inner
	}
}
