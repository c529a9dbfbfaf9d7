package main

import (
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	"curfew/auth"
	"curfew/auth/agent"
)

func (p *program) windowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "window",
		Short: "Open the window",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := agent.FindProgram("curfew-window")
			if err != nil {
				return &auth.Error{Kind: auth.KindFailed, Message: "there is no program curfew-window", Hint: "install it beside curfew or in a directory of PATH"}
			}
			c := exec.Command(path)
			c.SysProcAttr = agent.Detached()
			if err := c.Start(); err != nil {
				return err
			}
			// A window that cannot open says so at once; one that stays for a
			// moment is there, or has shown the one that was open already.
			ended := make(chan error, 1)
			go func() { ended <- c.Wait() }()
			select {
			case err := <-ended:
				if err != nil {
					return &auth.Error{Kind: auth.KindFailed, Message: "the window cannot open (" + err.Error() + ")", Hint: "run curfew-window in a terminal to see why"}
				}
			case <-time.After(time.Second):
			case <-cmd.Context().Done():
			}
			return nil
		},
	}
}
