//go:build freebsd || netbsd || openbsd || dragonfly

package clock

import "golang.org/x/sys/unix"

const suspendClock = unix.CLOCK_MONOTONIC
