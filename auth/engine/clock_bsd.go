//go:build freebsd || netbsd || openbsd || dragonfly

package engine

import "golang.org/x/sys/unix"

const suspendClock = unix.CLOCK_MONOTONIC
