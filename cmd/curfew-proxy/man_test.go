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

// TestMan makes the manual pages of `curfew proxy` and `curfew mcp`.
func TestMan(t *testing.T) {
	dir := *man
	if dir == "" {
		dir = t.TempDir()
	}
	header := &doc.GenManHeader{Section: "1", Source: assets.Name + " " + assets.Version, Manual: assets.Name}
	for _, c := range new(program).root().Commands() {
		if err := doc.GenManTree(c, header, dir); err != nil {
			t.Fatal(err)
		}
		page, err := os.ReadFile(filepath.Join(dir, "curfew-"+c.Name()+".1"))
		if err != nil || !strings.Contains(string(page), c.Short) {
			t.Errorf("the page of curfew %s: %v", c.Name(), err)
		}
	}
}
