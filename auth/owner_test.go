//go:build unix

package auth

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestCheckOwner: root must not work in a person's directories, whether or not
// the last parts of the path exist.
func TestCheckOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make somebody else's directory")
	}
	dir := filepath.Join(t.TempDir(), "home")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, 12345, 12345)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, filepath.Join(dir, ".config", "curfew")} {
		e, ok := errors.AsType[*Error](CheckOwner(os.TempDir(), path))
		if !ok || e.Message != dir+" belongs to user 12345, and this runs as root" || e.Hint != "run it without sudo" {
			t.Errorf("%s: %+v", path, e)
		}
	}
	if err := CheckOwner(t.TempDir(), filepath.Join(t.TempDir(), "new", "er"), "/tmp"); err != nil {
		t.Error("one's own: ", err)
	}
}
