package agent

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
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

func peerOf(c *net.UnixConn) (peer, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return peer{}, err
	}
	var cred *unix.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, credErr); err != nil {
		return peer{}, err
	}
	return peer{uid: int(cred.Uid), pid: int(cred.Pid)}, nil
}

// processName prefers the file that runs over the name a process gives
// itself; /proc/PID/exe is not readable when the process forbids it.
func processName(pid int) string {
	proc := "/proc/" + strconv.Itoa(pid)
	if exe, err := os.Readlink(proc + "/exe"); err == nil {
		return strings.TrimSuffix(filepath.Base(exe), " (deleted)")
	}
	comm, err := os.ReadFile(proc + "/comm")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(comm))
}
