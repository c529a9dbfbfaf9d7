//go:build linux

package main

import (
	"slices"
	"testing"

	"github.com/spf13/cobra"

	"curfew/ui/terminal/mantest"
)

func TestMan(t *testing.T) {
	root := new(program).root()
	mantest.Page(t, root)
	mantest.Pages(t, slices.DeleteFunc(root.Commands(), func(c *cobra.Command) bool {
		return c.DisableFlagParsing // another program, which writes the page
	})...)
}
