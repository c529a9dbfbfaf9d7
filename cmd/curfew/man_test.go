//go:build linux

package main

import (
	"errors"
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
	file, err := os.Create(filepath.Join(dir, "curfew.1"))
	if err == nil {
		err = errors.Join(doc.GenMan(root, header, file), file.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range root.Commands() {
		if c.DisableFlagParsing { // another program, which writes the page
			continue
		}
		if err := doc.GenManTree(c, header, dir); err != nil {
			t.Fatal(err)
		}
		page, err := os.ReadFile(filepath.Join(dir, "curfew-"+c.Name()+".1"))
		if c.IsAvailableCommand() && (err != nil || !strings.Contains(string(page), c.Short)) {
			t.Errorf("the page of curfew %s: %v", c.Name(), err)
		}
	}
}
