//go:build unix && !darwin

package tray

import (
	"slices"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"curfew/assets"
)

// TestOpened: how long a menu counts as open, after what panels say when their
// menu opens and closes.
func TestOpened(t *testing.T) {
	opened := func(c menuCalls) { c.Event(rootRow, "opened", dbus.MakeVariant(""), 0) }
	closed := func(c menuCalls) { c.Event(rootRow, "closed", dbus.MakeVariant(""), 0) }
	about := func(c menuCalls) { c.AboutToShow(rootRow) }
	aboutGroup := func(c menuCalls) { c.AboutToShowGroup([]int32{rootRow}) }
	below := func(what string) func(menuCalls) {
		return func(c menuCalls) { c.Event(7, what, dbus.MakeVariant(""), 0) }
	}
	for _, tt := range []struct {
		name  string
		calls []func(menuCalls)
		want  []time.Duration
	}{
		{"Qt", []func(menuCalls){about, opened, below("opened"), below("closed"), closed}, []time.Duration{openSoon, openMost, openMost, 0}},
		{"GNOME", []func(menuCalls){opened, about, closed}, []time.Duration{openMost, 0}},
		{"GNOME, a new icon that nobody clicks", []func(menuCalls){about}, []time.Duration{openSoon}},
		{"GTK", []func(menuCalls){aboutGroup, below("opened"), below("closed")}, []time.Duration{0, quiet, openMost, openStill}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i := NewIcon("Curfew", assets.Any)
			i.Opened = make(chan time.Duration, 2*len(tt.calls))
			for _, call := range tt.calls {
				call(menuCalls{i, t.Context()})
			}
			close(i.Opened)
			var got []time.Duration
			for d := range i.Opened {
				got = append(got, d)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("open for %v, want %v", got, tt.want)
			}
		})
	}
}
