//go:build unix

package main

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// onlyMine says whether other users can read or change a file.
func onlyMine(path string, fi fs.FileInfo) error {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d", path, st.Uid)
	}
	if fi.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("others can read %s (run chmod 600 %s)", path, path)
	}
	return nil
}
