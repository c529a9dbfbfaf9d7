//go:build unix

package agent

import "golang.org/x/sys/unix"

// maxConns is for one socket of two: the guests' has as many. That leaves a third of
// the file descriptors to the rest of the agent.
func maxConns() int {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil || uint64(r.Cur) > 3072 {
		return 1024
	}
	return max(1, int(r.Cur)/3)
}
