//go:build unix

package keystore

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestLockIsNotInherited: a child that outlives the agent does not keep the lock.
func TestLockIsNotInherited(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s, err := Open(Config{Dir: dir, Keychain: newKeychain()})
	must(t, err)
	child := exec.Command("sleep", "60")
	must(t, child.Start())
	defer func() { child.Process.Kill(); child.Wait() }()
	must(t, s.Close(t.Context()))
	s, err = Open(Config{Dir: dir, Keychain: newKeychain()})
	must(t, err)
	must(t, s.Close(t.Context()))
}

func TestStateDirectory(t *testing.T) {
	open := func(dir string) error {
		s, err := Open(Config{Dir: dir, Keychain: newKeychain()})
		if err == nil {
			s.Close(t.Context())
		}
		return err
	}
	dir := filepath.Join(t.TempDir(), "a", "b")
	must(t, open(dir))
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	must(t, os.Chmod(dir, 0o750))
	if err := open(dir); err == nil || !strings.Contains(err.Error(), "run: chmod 700 "+dir) {
		t.Error(err)
	}
	must(t, os.Chmod(dir, 0o700))
	file := filepath.Join(dir, "lock")
	if err := open(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Error(err)
	}
	if err := open(""); err == nil {
		t.Error("no directory at all")
	}
	if os.Geteuid() == 0 {
		must(t, os.Chown(dir, 12345, -1))
		if err := open(dir); err == nil || !strings.Contains(err.Error(), "user 12345") || !strings.Contains(err.Error(), "without sudo") || strings.Contains(err.Error(), "chown") {
			t.Error(err)
		}
		must(t, os.Chown(dir, 0, -1))
	}
	link := filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink(dir, link))
	must(t, open(link))
	// Files are private whatever the umask.
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	s, err := Open(Config{Dir: dir, Keychain: newKeychain()})
	must(t, err)
	defer s.Close(t.Context())
	_, err = s.Create(t.Context(), "work", start, []byte("x"), nil, nil)
	must(t, err)
	must(t, s.PutSecret(t.Context(), "name", []byte("x")))
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // a temporary file that has its place by now
		}
		if must(t, err); info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", e.Name(), info.Mode())
		}
	}
}
