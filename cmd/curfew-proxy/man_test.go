//go:build linux

package main

import (
	"testing"

	"curfew/ui/terminal/mantest"
)

func TestMan(t *testing.T) {
	for _, c := range new(program).root().Commands() {
		if c.HasSubCommands() { // the command line has the page of what is above these
			c = c.Commands()[0]
		}
		mantest.Pages(t, c)
	}
}
