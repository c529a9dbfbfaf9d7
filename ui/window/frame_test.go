package window

import (
	"fmt"
	"testing"
	"time"

	"curfew/auth"
	"curfew/ui/window/look"
)

// BenchmarkFrame draws the window with its software painter: the first frame, for
// which everything is built, and the next, a second later and with one refresh
// less.
func BenchmarkFrame(b *testing.B) {
	for _, n := range []int{1, 5, 100} {
		snaps := []auth.Snapshot{spotify()}
		for i := 1; i < n; i++ {
			s := entra()
			s.Name = fmt.Sprintf("Work %d", i)
			snaps = append(snaps, s)
		}
		b.Run(fmt.Sprintf("first/accounts=%d", n), func(b *testing.B) {
			dress(b, viewing{appearance: look.Dark})
			for b.Loop() {
				still(b, viewing{appearance: look.Dark, size: usual}, snaps...).window.Canvas().Capture()
			}
		})
		b.Run(fmt.Sprintf("next/accounts=%d", n), func(b *testing.B) {
			dress(b, viewing{appearance: look.Dark})
			s := still(b, viewing{appearance: look.Dark, size: usual}, snaps...)
			now := noon
			for b.Loop() {
				now = now.Add(time.Second)
				snaps[0].RefreshesUsed = (snaps[0].RefreshesUsed + 1) % 20
				snaps[0].RefreshesLeft = 20 - snaps[0].RefreshesUsed
				s.Show(snaps, now)
				s.window.Canvas().Capture()
			}
		})
	}
}
