//go:build unix

package agent

import "syscall"

// detached: a session of its own, so that no terminal's hang-up reaches it.
var detached = &syscall.SysProcAttr{Setsid: true}
