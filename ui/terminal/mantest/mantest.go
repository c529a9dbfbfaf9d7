// Package mantest makes the manual pages of the programs in their tests, so that no
// program carries what writes them. The packages get the pages from there.
package mantest

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"curfew/assets"
)

var man = flag.String("man", "", "leave the manual pages in this `folder`")

// Pages makes a page for each of the commands and for what is below them. It checks
// that the pages of the commands say what they are for.
func Pages(t *testing.T, commands ...*cobra.Command) {
	t.Helper()
	dir := folder(t)
	for _, c := range commands {
		if err := doc.GenManTree(c, header(), dir); err != nil {
			t.Fatal(err)
		}
		page, err := os.ReadFile(filepath.Join(dir, strings.ReplaceAll(c.CommandPath(), " ", "-")+".1"))
		if c.IsAvailableCommand() && (err != nil || !strings.Contains(string(page), c.Short)) {
			t.Errorf("the page of %s: %v", c.CommandPath(), err)
		}
	}
}

// Page makes the page of one command, and none for what is below it.
func Page(t *testing.T, c *cobra.Command) {
	t.Helper()
	file, err := os.Create(filepath.Join(folder(t), strings.ReplaceAll(c.CommandPath(), " ", "-")+".1"))
	if err == nil {
		err = errors.Join(doc.GenMan(c, header(), file), file.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func folder(t *testing.T) string {
	if *man != "" {
		return *man
	}
	return t.TempDir()
}

func header() *doc.GenManHeader {
	return &doc.GenManHeader{Section: "1", Source: assets.Name + " " + assets.Version, Manual: assets.Name}
}
