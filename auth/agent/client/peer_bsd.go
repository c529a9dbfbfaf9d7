//go:build darwin || freebsd

package client

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// PeerOf asks the kernel who is at the other end of c.
func PeerOf(c syscall.Conn) (Peer, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return Peer{}, err
	}
	var cred *unix.Xucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	})
	if err := errors.Join(err, credErr); err != nil {
		return Peer{}, err
	}
	return Peer{UID: int(cred.Uid)}, nil
}
