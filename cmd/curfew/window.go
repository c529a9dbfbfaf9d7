package main

import (
	"github.com/spf13/cobra"

	ui "curfew/ui/desktop"
)

func (p *program) windowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "window",
		Short: "Open the window",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return ui.ShowWindow(cmd.Context()) },
	}
}
