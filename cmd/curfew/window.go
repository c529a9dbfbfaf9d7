package main

import (
	"github.com/spf13/cobra"

	"curfew/ui/terminal"

	ui "curfew/ui/desktop"
)

func (p *program) windowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "window",
		Short: "Open the window",
		Args:  terminal.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return ui.ShowWindow(cmd.Context()) },
	}
}
