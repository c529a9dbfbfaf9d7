//go:build linux

package resident

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"curfew/auth/agent/client"
)

// TestInheritedSocket: what systemd listens at for this process is served, is
// left where it is, and can be inherited again; any other is not touched.
func TestInheritedSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "curfew")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "agent.sock")
	systemd, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer systemd.Close()
	file, err := systemd.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	fd := int(file.Fd())

	t.Setenv("LISTEN_FDS", "1")
	for pid, want := range map[int]bool{os.Getpid(): true, os.Getppid(): false} {
		t.Setenv("LISTEN_PID", strconv.Itoa(pid))
		for range 2 {
			l, err := inherited(socket, fd)
			if err != nil || (l != nil) != want {
				t.Fatalf("process %d: %v, %v", pid, l, err)
			}
			if l == nil {
				continue
			}
			caller, err := client.Dial(t.Context(), socket)
			if err != nil {
				t.Fatal(err)
			}
			if err := l.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(c.Close(), caller.Close(), l.Close()); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(socket); err != nil {
				t.Errorf("systemd's socket is gone: %v", err)
			}
		}
	}
	t.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	if l, err := inherited(filepath.Join(dir, "window.sock"), fd); l != nil || err != nil {
		t.Errorf("a socket for something else: %v, %v", l, err)
	}
}
