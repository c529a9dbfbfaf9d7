package keystore

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

var errLockHeld = errors.New("the lock is held")

// checkPrivate trusts the access list that a user's profile directory passes on.
func checkPrivate(dir string, info os.FileInfo) error {
	if !info.IsDir() {
		return fmt.Errorf("state directory %s is not a directory", dir)
	}
	return nil
}

// lockFile locks one byte far beyond the content: a Windows lock also keeps
// others from reading what it covers, and they want to read the pid.
func lockFile(f *os.File) error {
	at := windows.Overlapped{OffsetHigh: 1}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return errLockHeld
	}
	return err
}

// syncDirectory does nothing: NTFS journals names, and a directory handle cannot be flushed.
func syncDirectory(*os.File) error { return nil }
