//go:build unix

package agent

import "golang.org/x/sys/unix"

// maxConns leaves half of the file descriptors to the rest of the agent.
func maxConns() int {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil || uint64(r.Cur) > 2048 {
		return 1024
	}
	return max(1, int(r.Cur)/2)
}
