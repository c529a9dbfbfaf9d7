package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"time"

	"curfew/auth/agent/client"
	ui "curfew/ui/desktop"
	"curfew/ui/terminal"

	"github.com/spf13/cobra"

	"curfew/assets"
	"curfew/auth"
)

func (p *program) doctorCommand() *cobra.Command {
	return p.addJSON(&cobra.Command{
		Use:   "doctor",
		Short: "Check everything that Curfew needs",
		Args:  terminal.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return p.doctor(cmd.Context()) },
	})
}

func (p *program) unlockCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "unlock",
		Short: "Unlock the keychain, with the desktop's own prompt",
		Args:  terminal.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			_, err := ask(ctx, p, func() (struct{}, error) { return struct{}{}, p.client.Unlock(ctx) })
			if err == nil {
				p.note("the keychain is unlocked")
			}
			return err
		},
	}
}

// doctor prints every check, and exits with 1 when one found a problem.
func (p *program) doctor(ctx context.Context) error {
	checks := []client.Check{p.checkAgent(ctx)}
	if checks[0].OK {
		p.configSaid = true // below
		more, err := p.client.Doctor(ctx)
		if err != nil {
			return err
		}
		checks = slices.Insert(more, min(1, len(more)), checks[0]) // what the agent depends on comes first: its configuration
	}
	checks = append(checks, checkBrowser(), checkTray(ctx))

	var failed error
	t := p.page().Table()
	for _, c := range checks {
		word, tone := "ok", terminal.Plain
		if !c.OK {
			word, tone, failed = "problem", terminal.Alarm, terminal.Silent(terminal.Failed)
		}
		t.Toned(tone, word, c.Name, c.Message)
		if c.Hint != "" && !c.OK {
			t.Row("", "", "hint: "+c.Hint)
		}
	}
	if p.json {
		if err := p.printJSON(checks, false); err != nil {
			return err
		}
		return failed
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return failed
}

// problemCheck is a check that found err.
func problemCheck(name string, err error) client.Check {
	c := client.Check{Name: name, Message: err.Error()}
	if e, ok := errors.AsType[*auth.Error](err); ok {
		c.Hint = e.Hint
	}
	return c
}

func (p *program) checkAgent(ctx context.Context) client.Check {
	v, err := ask(ctx, p, func() (client.Version, error) { return p.client.Version(ctx) })
	switch {
	case err != nil:
		return problemCheck("agent", err)
	case v.Version != assets.Version:
		return client.Check{
			Name:    "agent",
			Message: fmt.Sprintf("process %d is version %s, this program is %s", v.PID, v.Version, assets.Version),
			Hint:    fmt.Sprintf("the new agent takes over when no sign-in or refresh is running; to start it now, end process %d", v.PID),
		}
	}
	return client.Check{Name: "agent", OK: true, Message: fmt.Sprintf("process %d answers at %s", v.PID, p.client.Socket())}
}

// checkTray asks the tray's program, which knows how to speak to panels.
func checkTray(ctx context.Context) client.Check {
	if !ui.HasDisplay() {
		return client.Check{Name: "tray", OK: true, Message: "no desktop here, so no tray icon is needed"}
	}
	program, err := client.FindProgram("curfew-tray")
	if err != nil {
		return client.Check{Name: "tray", Message: ui.ErrNoTray.Error(), Hint: "install it next to this program or in a directory of PATH"}
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var c client.Check
	said, err := exec.CommandContext(ctx, program, "--check").Output()
	if err == nil {
		err = json.Unmarshal(said, &c)
	}
	if err != nil {
		return client.Check{Name: "tray", Message: fmt.Sprintf("%s --check does not say whether icons have a place: %v", program, err), Hint: "run: curfew-tray --verbose"}
	}
	return c
}

func checkBrowser() client.Check {
	switch {
	case ui.CanOpenURL():
		return client.Check{Name: "browser", OK: true, Message: "sign-in pages can be opened"}
	case !ui.HasDisplay():
		return client.Check{Name: "browser", OK: true, Message: "no desktop here: sign in with --device, or with --no-browser"}
	}
	return client.Check{Name: "browser", Message: "no program to open a browser with", Hint: "install xdg-utils, or set BROWSER"}
}
