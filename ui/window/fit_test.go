package window

import (
	"testing"

	"fyne.io/fyne/v2"
)

func TestFit(t *testing.T) {
	for _, tt := range []struct {
		wanted        fyne.Size
		width, height int
		scale         float32
		want          fyne.Size
	}{
		{fyne.NewSize(900, 700), 1920, 1080, 1, fyne.NewSize(900, 700)},
		{fyne.NewSize(1700, 1050), 1024, 600, 1, fyne.NewSize(1024, 560)},
		{fyne.NewSize(1700, 700), 2048, 2000, 2, fyne.NewSize(1024, 700)},
		{fyne.NewSize(900, 700), 0, 0, 1, fyne.NewSize(900, 700)},
	} {
		if got := Fit(tt.wanted, tt.width, tt.height, tt.scale); got != tt.want {
			t.Errorf("%v on %d x %d at %v: %v, want %v", tt.wanted, tt.width, tt.height, tt.scale, got, tt.want)
		}
	}
}
