package client

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"syscall"
)

// runtimeDir returns the directory that the session manager made for this
// user alone.
func runtimeDir() (string, error) {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		if !filepath.IsAbs(dir) {
			return "", fmt.Errorf("XDG_RUNTIME_DIR is %q, which is not an absolute path", dir)
		}
		return dir, nil
	}
	dir := "/run/user/" + strconv.Itoa(os.Geteuid())
	if fi, err := os.Stat(dir); err != nil || !fi.IsDir() {
		return "", fmt.Errorf("there is no place for the agent's socket: XDG_RUNTIME_DIR is not set and %s does not exist", dir)
	}
	return dir, nil
}

func PeerOf(c syscall.Conn) (Peer, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return Peer{}, err
	}
	var cred *syscall.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err := errors.Join(err, credErr); err != nil {
		return Peer{}, err
	}
	return Peer{UID: int(cred.Uid), PID: int(cred.Pid)}, nil
}
