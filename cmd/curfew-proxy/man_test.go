//go:build linux

package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra/doc"

	"curfew/assets"
)

var man = flag.String("man", "", "leave the manual pages in this `folder`")

// TestMan makes the manual pages of what this program does.
func TestMan(t *testing.T) {
	dir := *man
	if dir == "" {
		dir = t.TempDir()
	}
	header := &doc.GenManHeader{Section: "1", Source: assets.Name + " " + assets.Version, Manual: assets.Name}
	for _, c := range new(program).root().Commands() {
		if c.HasSubCommands() { // the command line has the page of what is above these
			c = c.Commands()[0]
		}
		if err := doc.GenManTree(c, header, dir); err != nil {
			t.Fatal(err)
		}
		page, err := os.ReadFile(filepath.Join(dir, strings.ReplaceAll(c.CommandPath(), " ", "-")+".1"))
		if err != nil || !strings.Contains(string(page), c.Short) {
			t.Errorf("the page of %s: %v", c.CommandPath(), err)
		}
	}
}
