//go:build unix

package keystore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

var errLockHeld = errors.New("the lock is held")

// checkPrivate refuses a state directory that belongs to somebody else or is open to others.
func checkPrivate(dir string, info os.FileInfo) error {
	if !info.IsDir() {
		return fmt.Errorf("state directory %s is not a directory", dir)
	}
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return fmt.Errorf("state directory %s: %w", dir, err)
	}
	if uid := os.Geteuid(); int(st.Uid) != uid {
		if uid == 0 { // giving it to root would lock the person out
			return fmt.Errorf("state directory %s belongs to user %d; run this as that user, without sudo", dir, st.Uid)
		}
		if real, err := filepath.EvalSymlinks(dir); err == nil && real != filepath.Clean(dir) { // perhaps somebody planted the link
			return fmt.Errorf("state directory %s leads to %s, which belongs to user %d, not to you (user %d)", dir, real, st.Uid, uid)
		}
		return fmt.Errorf("state directory %s belongs to user %d, not to you (user %d); to get it back, run: sudo chown -R %d %s", dir, st.Uid, uid, uid, dir)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("state directory %s is open to other users (mode %04o); run: chmod 700 %s", dir, mode, dir)
	}
	return nil
}

func lockFile(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errLockHeld
	}
	return err
}

func syncDirectory(f *os.File) error { return f.Sync() }
