//go:build darwin || freebsd

package agent

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

func peerOf(c *net.UnixConn) (peer, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return peer{}, err
	}
	var cred *unix.Xucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	})
	if err := errors.Join(err, credErr); err != nil {
		return peer{}, err
	}
	return peer{uid: int(cred.Uid)}, nil
}

func processName(int) string { return "" }
