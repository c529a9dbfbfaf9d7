//go:build unix

package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"syscall"
)

// DefaultSocket says where the agent listens: CURFEW_SOCKET, else
// curfew/agent.sock in the user's runtime directory. There is no fallback to
// a directory that others can write to.
func DefaultSocket() (string, error) {
	if s := os.Getenv("CURFEW_SOCKET"); s != "" {
		if !filepath.IsAbs(s) {
			return "", fmt.Errorf("CURFEW_SOCKET is %q, which is not an absolute path", s)
		}
		return s, nil
	}
	dir, err := runtimeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "curfew", "agent.sock"), nil
}

// GuestSocket says where an agent that listens at socket also listens for
// programs on other machines and in containers, which get tokens and can change
// nothing.
func GuestSocket(socket string) string {
	return filepath.Join(filepath.Dir(socket), "guest", filepath.Base(socket))
}

// Dial connects once and checks that this user answers.
func Dial(ctx context.Context, socket string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, err
	}
	p, err := PeerOf(c.(*net.UnixConn))
	if err != nil {
		c.Close()
		return nil, err
	}
	if p.UID != os.Geteuid() {
		c.Close()
		return nil, &peerError{fmt.Sprintf("the program that listens at %s is of user %d, not yours", socket, p.UID)}
	}
	return c, nil
}

func isNobody(err error) bool {
	return errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOTSOCK)
}

func isBusy(err error) bool { return errors.Is(err, syscall.EAGAIN) }

// Peer is the program at the other end, as the kernel knows it.
type Peer struct {
	UID int
	PID int // 0 if the system does not say; advisory, since pids are reused
}

// AsProcess names the process at the other end of c, with words around its
// number: " as process 42". It is "" where the system does not tell.
func AsProcess(c net.Conn) string {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return ""
	}
	p, err := PeerOf(u)
	if err != nil || p.PID == 0 {
		return ""
	}
	return fmt.Sprintf(" as process %d", p.PID)
}
