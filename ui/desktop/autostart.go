package desktop

import (
	"errors"
	"os/exec"

	"curfew/auth/agent/client"
)

// A Login says whether the tray starts when the person logs in, and where that is
// written for the desktop. The tray starts the agent. Nothing starts until a
// person turns it on.
type Login struct {
	On      bool   `json:"on"`
	Program string `json:"program,omitempty"` // what starts; "" when off
	Lost    bool   `json:"lost,omitempty"`    // on, but Program is gone; turning it on again finds the installed one
	Entry   string `json:"entry"`             // the file or the value in the registry, even if it does not exist
}

// ErrNoTray is the error of SetAutostart when curfew-tray is not installed.
var ErrNoTray = errors.New("there is no program curfew-tray")

// Autostart reports what happens at login. On macOS a person can also turn a
// program off in the system's settings, which no program can read.
func Autostart() (Login, error) {
	login, err := loginState()
	if login.On {
		_, missing := exec.LookPath(login.Program)
		login.Lost = missing != nil
	}
	return login, err
}

// SetAutostart makes curfew-tray start at login, or not. It takes the curfew-tray
// next to this program, else the one on PATH. It does not touch a running tray or
// other users.
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
