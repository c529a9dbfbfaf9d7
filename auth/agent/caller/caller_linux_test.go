package caller

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"curfew/auth"
)

// TestMain lets this program connect to a socket: CALL=path.
func TestMain(m *testing.M) {
	if socket := os.Getenv("CALL"); socket != "" {
		c, err := net.Dial("unix", socket)
		if err != nil {
			os.Exit(1)
		}
		bufio.NewReader(c).ReadString('\n') // until the test has seen it
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// call runs a command that connects, and returns what is found out about it.
// before is called when it has connected.
func call(t *testing.T, before func(*exec.Cmd), command ...string) auth.Caller {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "CALL="+socket)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	c, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if before != nil {
		before(cmd)
	}
	return Of(c, "", true)
}

func self(t *testing.T) string {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOf(t *testing.T) {
	me := self(t)
	sh, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	got := call(t, nil, "/bin/sh", "-c", me+"; exit")
	if got.Executable != me || len(got.Parents) < 2 || got.Parents[0] != sh || got.Parents[1] != me || got.Container != "" || got.Claimed != "" {
		t.Errorf("%+v, want %s from %s from this test", got, me, sh)
	}
}

// TestEnded: nothing is proven of a process that has ended, even if another one
// has its number now.
func TestEnded(t *testing.T) {
	var another *exec.Cmd
	got := call(t, func(c *exec.Cmd) {
		c.Process.Kill()
		c.Wait()
		if os.WriteFile("/proc/sys/kernel/ns_last_pid", fmt.Append(nil, c.Process.Pid-1), 0) != nil {
			t.Log("only root can give the number away")
			return
		}
		another = exec.CommandContext(t.Context(), "sleep", "60")
		if err := another.Start(); err != nil {
			t.Fatal(err)
		}
		if another.Process.Pid != c.Process.Pid {
			t.Log("somebody else was faster")
		}
	}, self(t))
	if another != nil {
		another.Process.Kill()
		another.Wait()
	}
	if got.Executable != "" || got.Parents != nil || got.Terminal != "" {
		t.Errorf("%+v", got)
	}
}

// TestSignals: a process that runs has not ended, whatever signals come meanwhile.
func TestSignals(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	thread := unix.Gettid()
	me, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		t.Skip(err)
	}
	defer unix.Close(me)
	ctx, cancel := context.WithCancel(t.Context())
	var sender sync.WaitGroup
	sender.Go(func() {
		for ctx.Err() == nil {
			unix.Tgkill(os.Getpid(), thread, unix.SIGURG)
		}
	})
	defer sender.Wait()
	defer cancel()
	for range 20_000 {
		if ended(me) {
			t.Fatal("it has ended, by what is said")
		}
	}
}

func TestTerminal(t *testing.T) {
	if _, err := exec.LookPath("script"); err != nil {
		t.Skip("script is not installed")
	}
	got := call(t, nil, "script", "-qec", self(t), "/dev/null")
	if !strings.HasPrefix(got.Terminal, "pts/") || !slices.ContainsFunc(got.Parents, func(p string) bool { return filepath.Base(p) == "script" }) {
		t.Errorf("%+v", got)
	}
	for device, want := range map[uint64]string{0: "", 0x8803: "pts/3", 0x108800: "pts/256", 0x0401: "tty1", 0x0501: "5:1"} {
		if got := terminal(device); got != want {
			t.Errorf("%#x is %s, want %s", device, got, want)
		}
	}
}

func TestContainer(t *testing.T) {
	if exec.Command("unshare", "-rm", "true").Run() != nil {
		t.Skip("no namespaces here")
	}
	if got := call(t, nil, "unshare", "-rm", self(t)); got.Container == "" || got.Executable != self(t) {
		t.Errorf("%+v", got)
	}
}

func BenchmarkOf(b *testing.B) {
	socket := filepath.Join(b.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	there, err := net.Dial("unix", socket)
	if err != nil {
		b.Fatal(err)
	}
	defer there.Close()
	c, err := l.AcceptUnix()
	if err != nil {
		b.Fatal(err)
	}
	for _, deep := range []bool{false, true} {
		b.Run(fmt.Sprint("deep=", deep), func(b *testing.B) {
			for b.Loop() {
				Of(c, "bench", deep)
			}
		})
	}
}
