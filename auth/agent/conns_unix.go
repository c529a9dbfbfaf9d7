//go:build unix

package agent

import "golang.org/x/sys/unix"

// OpenFiles returns how many files this process may have open.
func OpenFiles() int {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil || uint64(r.Cur) > 3*mostConns {
		return 3 * mostConns
	}
	return int(r.Cur)
}
