package keystore

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// allocate reserves disk space beyond the end of f without changing its size.
func allocate(f *os.File, off, n int64) error {
	err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, off, n)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	return err
}
