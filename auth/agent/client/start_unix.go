//go:build unix

package client

import (
	"syscall"
)

// Detached has a program run in a session of its own, so that no terminal's
// hang-up reaches it.
func Detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
