//go:build linux

package main

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra/doc"

	"curfew/assets"
)

var man = flag.String("man", "", "leave the manual pages in this `folder`")

// TestMan makes the manual page.
func TestMan(t *testing.T) {
	dir := *man
	if dir == "" {
		dir = t.TempDir()
	}
	header := &doc.GenManHeader{Section: "1", Source: assets.Name + " " + assets.Version, Manual: assets.Name}
	if err := doc.GenManTree(command(io.Discard), header, dir); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "curfew-agent.1"))
	if err != nil || !strings.Contains(string(page), "--memory") {
		t.Errorf("the page: %v\n%s", err, page)
	}
}
