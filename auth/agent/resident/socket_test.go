//go:build linux

package resident

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

func TestListen(t *testing.T) {
	t.Setenv("CURFEW_SOCKET", "")
	in := func(mode os.FileMode) func(t *testing.T, base string) string {
		return func(t *testing.T, base string) string {
			dir := filepath.Join(base, "d")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(dir, mode); err != nil {
				t.Fatal(err)
			}
			return filepath.Join(dir, "agent.sock")
		}
	}
	for _, test := range []struct {
		name   string
		make   func(t *testing.T, base string) string
		chosen bool
		want   string // in the error; "" is success
	}{
		{"the directory is made", func(t *testing.T, base string) string { return filepath.Join(base, "new", "agent.sock") }, false, ""},
		{"private", in(0o700), false, ""},
		{"readable", in(0o755), false, "is open to others (mode 0755)"},
		{"readable and chosen", in(0o755), true, ""},
		{"writable", in(0o777), false, "is open to others (mode 0777)"},
		{"writable and chosen", in(0o777), true, "is open to others (mode 0777)"},
		{"group writable and chosen", in(0o770), true, "is open to others (mode 0770)"},
		{"a link", func(t *testing.T, base string) string {
			os.Symlink(t.TempDir(), filepath.Join(base, "d"))
			return filepath.Join(base, "d", "agent.sock")
		}, false, "is not a directory"},
		{"no parent", func(t *testing.T, base string) string { return filepath.Join(base, "a", "b", "agent.sock") }, false, "no such file"},
		{"open parent", func(t *testing.T, base string) string {
			os.Chmod(base, 0o777)
			return filepath.Join(base, "d", "agent.sock")
		}, false, "could swap the directory"},
		{"a file in the way", func(t *testing.T, base string) string {
			s := in(0o700)(t, base)
			os.WriteFile(s, []byte("precious"), 0o600)
			return s
		}, false, "is not a socket"},
		{"a link in the way", func(t *testing.T, base string) string {
			s := in(0o700)(t, base)
			os.Symlink("/dev/null", s)
			return s
		}, false, "is not a socket"},
		{"a dead socket", func(t *testing.T, base string) string {
			s := in(0o700)(t, base)
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: s, Net: "unix"})
			if err != nil {
				t.Fatal(err)
			}
			l.SetUnlinkOnClose(false)
			l.Close()
			return s
		}, false, ""},
		{"a live socket", func(t *testing.T, base string) string {
			s := in(0o700)(t, base)
			l, err := net.Listen("unix", s)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			return s
		}, false, "already running"},
		{"a live agent", func(t *testing.T, base string) string {
			s := in(0o700)(t, base)
			l, err := Listen(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			return s
		}, false, "already running"},
		{"a long path", func(t *testing.T, base string) string {
			return filepath.Join(base, strings.Repeat("d", 100), "agent.sock")
		}, false, "about 100 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			base, err := os.MkdirTemp("", "sock")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(base)
			socket := test.make(t, base)
			if test.chosen {
				t.Setenv("CURFEW_SOCKET", socket)
			}
			l, err := Listen(t.Context(), socket)
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got %v, want %q", err, test.want)
				}
				if b, err := os.ReadFile(socket); err == nil && len(b) > 0 && string(b) != "precious" {
					t.Errorf("what was in the way changed: %q", b)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if fi, err := os.Lstat(socket); err != nil || fi.Mode() != os.ModeSocket|0o600 {
				t.Errorf("socket: %v, %v", fi.Mode(), err)
			}
			if fi, err := os.Lstat(filepath.Dir(socket)); err != nil || !test.chosen && fi.Mode().Perm() != 0o700 {
				t.Errorf("directory: %v, %v", fi.Mode(), err)
			}
		})
	}
}

// What listens next to a chosen socket may be where that one may be.
func TestListenNextToChosen(t *testing.T) {
	dir := t.TempDir()
	os.Chmod(dir, 0o755)
	socket := filepath.Join(dir, "s")
	t.Setenv("CURFEW_SOCKET", socket)
	for _, name := range []string{socket, socket + "-tray", socket + "-window"} {
		l, err := Listen(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
}

// Of many that start at once, one listens, and its socket is the one there.
func TestListenRace(t *testing.T) {
	for range 20 {
		socket := filepath.Join(t.TempDir(), "d", "agent.sock")
		var listeners []net.Listener
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				l, err := Listen(t.Context(), socket)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					listeners = append(listeners, l)
				} else if !errors.Is(err, ErrRunning) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(listeners) != 1 {
			t.Fatalf("%d listen", len(listeners))
		}
		c, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		listeners[0].Close()
	}
}

// Making sockets changes nothing for a file that is made elsewhere in the program.
func TestListenNoUmask(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "program")
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 50 {
				l, err := Listen(t.Context(), filepath.Join(dir, strconv.Itoa(i), strconv.Itoa(j)))
				if err != nil {
					t.Error(err)
					return
				}
				l.Close()
			}
		})
	}
	wg.Wait()
	if err := os.WriteFile(file, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(file); err != nil || fi.Mode().Perm()&0o100 == 0 {
		t.Errorf("%v, %v", fi.Mode(), err)
	}
}
