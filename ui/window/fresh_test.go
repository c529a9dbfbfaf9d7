package window

import (
	"errors"
	"testing"

	"fyne.io/fyne/v2"

	"curfew/auth"
	"curfew/ui/window/look"
)

// Beside "No connection", and without the agent, nothing looks healthy; what
// is bad stays so.
func TestNothingHealthyOutOfReach(t *testing.T) {
	for _, c := range []struct {
		name        string
		down        error
		state       auth.State
		color, want fyne.ThemeColorName
	}{
		{"in reach", nil, auth.Active, look.OK, look.OK},
		{"no agent", errors.New("gone"), auth.Active, look.OK, look.Dim},
		{"no agent, days", errors.New("gone"), auth.Active, look.Time, look.Dim},
		{"no server", nil, auth.Waiting, look.OK, look.Dim},
		{"no agent, over", errors.New("gone"), auth.Ended, look.Bad, look.Bad},
	} {
		v := &View{down: c.down}
		if got := v.fresh(auth.Snapshot{State: c.state}, c.color); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
