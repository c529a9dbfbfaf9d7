//go:build unix

package client

import (
	"syscall"
)

// Detached makes a program run in a separate session, so that no terminal's
// hang-up reaches it.
func Detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
