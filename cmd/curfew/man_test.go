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

// TestMan makes the manual pages, a page for each command. The packages get
// them from here, so that no program carries what writes them.
func TestMan(t *testing.T) {
	dir := *man
	if dir == "" {
		dir = t.TempDir()
	}
	root := new(program).root()
	root.InitDefaultCompletionCmd()
	header := &doc.GenManHeader{Section: "1", Source: assets.Name + " " + assets.Version, Manual: assets.Name}
	if err := doc.GenManTree(root, header, dir); err != nil {
		t.Fatal(err)
	}
	for _, c := range root.Commands() {
		page, err := os.ReadFile(filepath.Join(dir, "curfew-"+c.Name()+".1"))
		if c.IsAvailableCommand() && (err != nil || !strings.Contains(string(page), c.Short)) {
			t.Errorf("the page of curfew %s: %v", c.Name(), err)
		}
	}
}
