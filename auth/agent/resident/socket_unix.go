//go:build unix

package resident

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"curfew/auth/agent/client"
)

// Listen opens the agent's socket, mode 0600, for this user's programs only.
// A socket that a dead agent left is removed; a live one gives ErrRunning. The
// tray and the window listen next to it in the same way, so that only one of
// each runs.
func Listen(ctx context.Context, socket string) (net.Listener, error) {
	dir := filepath.Dir(socket)
	if err := checkDir(dir, dir == filepath.Dir(os.Getenv("CURFEW_SOCKET"))); err != nil {
		return nil, err
	}
	// The lock decides which of two agents that start together may remove the
	// old socket. Without it, one could remove the other's new one.
	lock, err := os.OpenFile(socket+".lock", os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w at %s", ErrRunning, socket)
		}
		return nil, fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	l, err := inherited(socket, firstInherited)
	if l == nil && err == nil {
		l, err = listenLocked(ctx, socket)
	}
	var made fs.FileInfo
	if err == nil {
		if made, err = os.Lstat(socket); err != nil {
			l.Close()
		}
	}
	if err != nil {
		lock.Close()
		return nil, err
	}
	return &listener{l, lock, made}, nil
}

// firstInherited is the first file descriptor that systemd passes to what it
// starts when somebody asks: sd_listen_fds(3).
const firstInherited = 3

// inherited returns the socket at which systemd has listened for this process;
// nil when it has not. The descriptor stays open, so that a newer program that
// takes this one's place inherits it as well.
func inherited(socket string, fd int) (*net.UnixListener, error) {
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) || os.Getenv("LISTEN_FDS") != "1" {
		return nil, nil
	}
	ours, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("the socket that systemd passed: %w", err)
	}
	file := os.NewFile(uintptr(ours), "systemd's socket")
	defer file.Close()
	passed, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("the socket that systemd passed: %w", err)
	}
	l, ok := passed.(*net.UnixListener)
	if !ok || l.Addr().String() != socket {
		passed.Close()
		return nil, nil // meant for something else
	}
	l.SetUnlinkOnClose(false) // it is systemd's
	return l, nil
}

func listenLocked(ctx context.Context, socket string) (*net.UnixListener, error) {
	if err := removeStale(ctx, socket); err != nil {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		if errors.Is(err, unix.EINVAL) || len(socket) > 100 {
			return nil, fmt.Errorf("%s is too long: the path of a socket may have about 100 bytes", socket)
		}
		return nil, err
	}
	// A stranger who is quicker than this is sent away by Accept. An umask would
	// be quicker, but also one for every file that another thread makes meanwhile.
	if err := os.Chmod(socket, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// removeStale removes a socket at which nobody answers, and nothing else.
func removeStale(ctx context.Context, socket string) error {
	fi, err := os.Lstat(socket)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if fi.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is in the way: it is not a socket", socket)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	c, err := client.Dial(ctx, socket)
	if err == nil {
		c.Close()
		return fmt.Errorf("%w at %s", ErrRunning, socket)
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("somebody may be listening at %s: %w", socket, err)
	}
	return os.Remove(socket)
}

// checkDir makes sure that nobody else can put a socket where ours will be.
// The directory is made when missing. Its owner must be this user and nobody
// else may enter it. A directory that the person chose by CURFEW_SOCKET may be
// readable. It may even be root's when sticky, as /tmp is. Both ends check each
// other's user anyway.
func checkDir(dir string, chosen bool) error {
	if parent, err := os.Stat(filepath.Dir(dir)); err != nil {
		return err
	} else if parent.Mode().Perm()&0o022 != 0 && parent.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("%s is open to others (mode %04o): they could swap the directory of the agent's socket", filepath.Dir(dir), parent.Mode().Perm())
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	fi, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !fi.IsDir() {
		return fmt.Errorf("%s is not a directory", dir)
	}
	owner, mode := ownerOf(fi), fi.Mode()
	switch {
	case owner == os.Geteuid() && mode.Perm()&0o077 == 0:
		return nil
	case chosen && owner == os.Geteuid() && mode.Perm()&0o022 == 0:
		return nil
	case chosen && owner == 0 && (mode.Perm()&0o022 == 0 || mode&fs.ModeSticky != 0):
		return nil
	case owner != os.Geteuid():
		return fmt.Errorf("%s belongs to user %d, not to you", dir, owner)
	default:
		return fmt.Errorf("%s is open to others (mode %04o): run chmod 700 %s", dir, mode.Perm(), dir)
	}
}

func ownerOf(fi fs.FileInfo) int { return int(fi.Sys().(*syscall.Stat_t).Uid) }

// listener hands out connections of this user's programs only.
type listener struct {
	*net.UnixListener
	lock *os.File
	made fs.FileInfo // the socket
}

// Accept waits for the next connection of this user. A stranger's is closed
// unread.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if p, err := client.PeerOf(c); err == nil && p.UID == os.Geteuid() {
			return c, nil
		}
		c.Close()
	}
}

// gone reports whether the socket was removed, or another one is in its place.
func (l *listener) gone() bool {
	now, err := os.Lstat(l.Addr().String())
	return err != nil || !os.SameFile(l.made, now)
}

// Close stops listening, removes the socket and lets another agent start.
func (l *listener) Close() error {
	if l.gone() {
		l.SetUnlinkOnClose(false) // that one is another program's
	}
	return errors.Join(l.UnixListener.Close(), l.lock.Close())
}
