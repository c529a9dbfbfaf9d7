package tray

import (
	"flag"
	"fmt"
	"path/filepath"
	"testing"

	"curfew/ui/shots"
	"curfew/ui/status"
)

var update = flag.Bool("update", false, "write testdata again, from what the menu says now")

// stateOf is what the tray knows in situation s.
func stateOf(s shots.Situation) State {
	agent := map[shots.Agent]AgentState{shots.Up: Connected, shots.Starting: Starting, shots.Gone: Gone}
	state := State{Accounts: status.ForScreen(s.Accounts), Agent: agent[s.Agent]}
	if s.Agent == shots.Gone {
		state.Trouble = status.Explain(shots.ErrGone)
	}
	return state
}

// TestSituations compares icon, tooltip and menu of every situation with
// testdata. After a change: run it with -args -update, and read the diff.
func TestSituations(t *testing.T) {
	defer func(room int) { tooltipRoom = room }(tooltipRoom)
	tooltipRoom = 0 // as on Linux, where testdata is written
	for _, l := range status.Languages() {
		t.Run(l.Code, func(t *testing.T) {
			status.SetLanguage(l.Code)
			defer status.SetLanguage(status.English)
			for _, s := range shots.Situations(now) {
				t.Run(s.Name, func(t *testing.T) {
					m := NewModel(stateOf(s), now)
					got := fmt.Sprintf("%s\nicon %s\n%s\n---\n%s", s.Caption, m.Icon, m.Tooltip, print(m.Items))
					shots.Golden(t, *update, filepath.Join("testdata", l.Code, s.Name+".txt"), got)
				})
			}
		})
	}
}
