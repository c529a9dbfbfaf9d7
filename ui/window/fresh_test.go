package window

import (
	"errors"
	"testing"

	"fyne.io/fyne/v2"

	"curfew/auth"
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
		{"in reach", nil, auth.Active, colorOK, colorOK},
		{"no agent", errors.New("gone"), auth.Active, colorOK, colorDim},
		{"no agent, days", errors.New("gone"), auth.Active, colorTime, colorDim},
		{"no server", nil, auth.Waiting, colorOK, colorDim},
		{"no agent, over", errors.New("gone"), auth.Ended, colorBad, colorBad},
	} {
		v := &View{down: c.down}
		if got := v.fresh(auth.Snapshot{State: c.state}, c.color); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
