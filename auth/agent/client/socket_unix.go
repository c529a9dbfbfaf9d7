//go:build unix

package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
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
	if err := checkPeer(c.(*net.UnixConn), socket); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func checkPeer(c syscall.Conn, socket string) error {
	p, err := PeerOf(c)
	if err == nil && p.UID != os.Geteuid() {
		err = &peerError{fmt.Sprintf("the program that listens at %s is of user %d, not yours", socket, p.UID)}
	}
	return err
}

// connect opens the connection of one request. If ctx can only expire, the kernel
// keeps the time. A program with one question then has the answer before package
// net would be ready to wait for several.
func connect(ctx context.Context, socket string) (io.ReadWriteCloser, error) {
	if ctx.Done() != nil {
		return DialPatiently(ctx, socket)
	}
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	c := &blocking{File: os.NewFile(uintptr(fd), socket), fd: fd, socket: socket}
	c.deadline, _ = ctx.Deadline()
	left := min(time.Until(c.deadline), quick)
	err = errors.Join(setTimeout(fd, syscall.SO_SNDTIMEO, left), setTimeout(fd, syscall.SO_RCVTIMEO, left))
	for again := err == nil; again; again = errors.Is(err, syscall.EINTR) { // a signal came while the backlog was full
		err = syscall.Connect(fd, &syscall.SockaddrUnix{Name: socket})
	}
	if err == nil {
		err = checkPeer(c, socket)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

const kernelKeepsTime = true

// blocking is a connection for which the kernel keeps the time.
type blocking struct {
	*os.File
	fd       int
	socket   string
	deadline time.Time
}

// Read waits for [quick]. It goes on until the deadline if the agent answers another
// question in between.
func (c *blocking) Read(b []byte) (int, error) {
	n, err := c.File.Read(b)
	if !errors.Is(err, syscall.EAGAIN) {
		return n, err
	}
	if left := time.Until(c.deadline); left > 0 && !isSilent(context.Background(), c.socket) && setTimeout(c.fd, syscall.SO_RCVTIMEO, left) == nil {
		n, err = c.File.Read(b)
	}
	if errors.Is(err, syscall.EAGAIN) {
		err = errSilent
	}
	return n, err
}

// setTimeout sets how long a socket may block. For the kernel, 0 would be forever.
func setTimeout(fd, direction int, d time.Duration) error {
	t := syscall.NsecToTimeval(max(d, time.Millisecond).Nanoseconds())
	return syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, direction, &t)
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
	if pid := processOf(c); pid > 0 {
		return fmt.Sprintf(" as process %d", pid)
	}
	return ""
}

// processOf is the number of the process at the other end of c, or 0.
func processOf(c net.Conn) int {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return 0
	}
	p, err := PeerOf(u)
	if err != nil {
		return 0
	}
	return p.PID
}
