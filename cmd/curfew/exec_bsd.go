//go:build unix && !linux

package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// hold returns the path of a pipe that the command inherits and that gives text
// once, and then the end.
func hold(text string) (path string, remove func(), err error) {
	var fds [2]int
	if err := unix.Pipe(fds[:]); err != nil {
		return "", nil, err
	}
	defer unix.Close(fds[1])
	// A pipe takes 64 KB without a reader (on macOS at least 16 KB). No token that
	// Curfew keeps is that long, and if one were, this must not hang.
	if err := unix.SetNonblock(fds[1], true); err != nil {
		return "", nil, err
	}
	if n, err := unix.Write(fds[1], []byte(text)); err != nil || n != len(text) {
		return "", nil, fmt.Errorf("the token does not fit into a pipe (%v)", err)
	}
	return fmt.Sprintf("/dev/fd/%d", fds[0]), func() { unix.Close(fds[0]) }, nil
}
