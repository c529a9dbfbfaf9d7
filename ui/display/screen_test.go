package display

import "testing"

func TestFitWindow(t *testing.T) {
	for _, tt := range []struct {
		width, height, scale  float32
		across, down          int
		wantWidth, wantHeight float32
	}{
		{900, 700, 1, 1920, 1080, 900, 700},
		{1700, 1050, 1, 1024, 600, 1024, 560},
		{1700, 700, 2, 2048, 2000, 1024, 700},
		{900, 700, 1, 0, 0, 900, 700},
	} {
		if w, h := FitWindow(tt.width, tt.height, tt.scale, tt.across, tt.down); w != tt.wantWidth || h != tt.wantHeight {
			t.Errorf("%v x %v on %d x %d at %v: %v x %v, want %v x %v", tt.width, tt.height, tt.across, tt.down, tt.scale, w, h, tt.wantWidth, tt.wantHeight)
		}
	}
}
