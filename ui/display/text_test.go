//go:build unix && !darwin

package display

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"curfew/ui/tray/traytest"
)

func TestTextScale(t *testing.T) {
	for _, c := range []struct {
		asked float64
		want  float32
	}{{1, 1}, {1.25, 1.25}, {2, 2}, {3, 2}, {.5, .8}, {0, 1}, {-1, 1}, {math.NaN(), 1}, {math.Inf(1), 2}} {
		if got := textScale(c.asked); got != c.want {
			t.Errorf("a desktop that asks for %v gets %v, want %v", c.asked, got, c.want)
		}
	}
}

// portal is the settings of a desktop, as the real one answers.
type portal struct{ scale any }

// Read returns a setting in two variants, as xdg-desktop-portal does.
func (p portal) Read(namespace, key string) (dbus.Variant, *dbus.Error) {
	if namespace != textNamespace || key != textScalingName {
		return dbus.Variant{}, dbus.NewError("org.freedesktop.portal.Error.NotFound", []any{"Requested setting not found"})
	}
	return dbus.MakeVariant(dbus.MakeVariant(p.scale)), nil
}

func TestFollowLook(t *testing.T) {
	address, stop, err := traytest.StartBus()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", address)
	conn, err := dbus.ConnectSessionBus()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.Export(portal{1.25}, portalPath, portalSettings); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.RequestName(portalName, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	told, motion, ended := make(chan float32), make(chan bool, 2), make(chan struct{})
	go func() {
		defer close(ended)
		FollowLook(ctx, func(scale float32) { told <- scale }, func(on bool) { motion <- on })
	}()
	expect := func(want float32) {
		t.Helper()
		select {
		case got := <-told:
			if got != want {
				t.Errorf("words are to be %v times as large, want %v", got, want)
			}
		case <-ctx.Done():
			t.Fatalf("nothing was said of %v", want)
		}
	}
	change := func(namespace, key string, value any) {
		t.Helper()
		if err := conn.Emit(portalPath, portalSettings+".SettingChanged", namespace, key, dbus.MakeVariant(value)); err != nil {
			t.Fatal(err)
		}
	}
	expect(1.25)
	change("org.freedesktop.appearance", "color-scheme", uint32(1))
	change(textNamespace, textScalingName, "large") // nonsense is passed over
	change(textNamespace, textScalingName, 1.5)
	expect(1.5)
	change(textNamespace, textScalingName, 1.0)
	expect(1)
	change(textNamespace, animationsName, "off") // nonsense too
	change(textNamespace, animationsName, false)
	select {
	case on := <-motion:
		if on {
			t.Error("things may move, though the desktop asks for less motion")
		}
	case <-ctx.Done():
		t.Fatal("nothing was said of motion")
	}
	cancel()
	<-ended
}

func TestNoTextScale(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	FollowLook(t.Context(), func(float32) { t.Error("nobody was there to say anything") }, func(bool) { t.Error("nor of motion") })
}
