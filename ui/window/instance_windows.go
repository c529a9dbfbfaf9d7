package window

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lockFile locks the file at path for this process; first is false when
// another has it. Its directory is the user's own, in AppData.
func lockFile(path string) (lock *os.File, first bool, err error) {
	lock, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, false, err
	}
	err = windows.LockFileEx(windows.Handle(lock.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &windows.Overlapped{})
	if err != nil {
		lock.Close()
		if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
			return nil, false, nil
		}
		return nil, false, err
	}
	return lock, true, nil
}

// checkOwner has nothing to check: the directory is the user's own.
func checkOwner(string) error { return nil }
