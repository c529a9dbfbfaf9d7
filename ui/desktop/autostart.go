package desktop

import (
	"errors"
	"os/exec"

	"curfew/auth/agent/client"
)

// A Login is what happens when the person logs in: whether the tray starts,
// which then starts the agent, and where that is written for the desktop to
// read. It is off until somebody turns it on.
type Login struct {
	On      bool   `json:"on"`
	Program string `json:"program,omitempty"` // what starts; "" when off
	Lost    bool   `json:"lost,omitempty"`    // on, but Program is gone: turning it on again names the one that is there
	Entry   string `json:"entry"`             // the file, or the value in the registry, that says so or would
}

// ErrNoTray is the error of SetAutostart when there is nothing to start.
var ErrNoTray = errors.New("there is no program curfew-tray")

// Autostart reports what happens at login. On macOS a person can also turn a
// program off in the system's settings, which say so to nobody.
func Autostart() (Login, error) {
	login, err := loginState()
	if login.On {
		_, missing := exec.LookPath(login.Program)
		login.Lost = missing != nil
	}
	return login, err
}

// SetAutostart makes curfew-tray start at login, the one next to this program or
// else on PATH, or has it not start. It changes nothing for the tray that runs
// now, nor for other users.
func SetAutostart(on bool) error {
	if !on {
		return setLogin("")
	}
	program, err := client.FindProgram("curfew-tray")
	if err != nil {
		return ErrNoTray
	}
	return setLogin(program)
}
