package auth

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// TestCheckOwnerUnseen: what a person may not look into is judged by the owner of
// what it is in.
func TestCheckOwnerUnseen(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make somebody else's directory")
	}
	dir := filepath.Join(t.TempDir(), "home")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, 12345, 12345), os.Chmod(filepath.Dir(filepath.Dir(dir)), 0o755)); err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := syscall.Setfsuid(12346); err != nil { // of this thread: it may not look in, as root may
		t.Fatal(err)
	}
	err := CheckOwner(filepath.Join(dir, ".config", "curfew"))
	if back := syscall.Setfsuid(0); back != nil {
		t.Fatal(back)
	}
	if err == nil || err.Error() != dir+" belongs to user 12345, and this runs as root" {
		t.Error(err)
	}
}
