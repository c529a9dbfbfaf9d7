package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"curfew/auth"
	ui "curfew/ui/desktop"
	"curfew/ui/terminal"
)

func (p *program) autostartCommand() *cobra.Command {
	return p.addJSON(&cobra.Command{
		Use:   "autostart [on|off]",
		Short: "Start the tray when you log in",
		Long: `Start the tray when you log in (on), or do not (off, the default). Without on or
off, print the setting.

The tray starts the agent. A machine without a desktop needs no tray: there
commands start the agent, or systemd does:
systemctl --user enable --now curfew-agent.socket`,
		ValidArgs: []string{"on", "off"},
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 || len(args) == 1 && args[0] != "on" && args[0] != "off" {
				return terminal.UsageError(cmd, "expected on or off")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				if err := ui.SetAutostart(args[0] == "on"); err != nil {
					return autostartError(err)
				}
			}
			return p.autostart()
		},
	})
}

func autostartError(err error) error {
	if errors.Is(err, ui.ErrNoTray) {
		return &auth.Error{Kind: auth.KindFailed, Message: err.Error(), Hint: "install it next to curfew or in a directory of PATH"}
	}
	if _, ok := errors.AsType[*auth.Error](err); ok {
		return err
	}
	return &auth.Error{Kind: auth.KindFailed, Message: fmt.Sprintf("cannot change what starts at login: %v", err), Hint: "fix the owner and mode of that file or directory, or free disk space"}
}

// autostart says what happens at login.
func (p *program) autostart() error {
	login, err := ui.Autostart()
	if err != nil {
		return fmt.Errorf("cannot read what starts at login: %w", err)
	}
	if p.json {
		return p.printJSON(login, false)
	}
	switch {
	case login.Lost:
		err = p.say("on, but %s is gone (%s)", login.Program, login.Entry)
		p.hint("to start the installed one: curfew autostart on")
	case login.On:
		err = p.say("on: %s starts when you log in (%s)", login.Program, login.Entry)
	default:
		err = p.say("off: nothing starts when you log in")
		p.hint("to start the tray then: curfew autostart on")
	}
	return err
}
