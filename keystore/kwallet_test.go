//go:build linux

package keystore

import (
	"bytes"
	"errors"
	"flag"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"curfew/keystore/kctest"
)

// KWallet brings half of KDE with it, which would be no good neighbour to the
// other tests' keychains: `make test-kwallet` installs it elsewhere.
var kwalletProgram = flag.String("kwallet", "", "test with the real KWallet, this `program`: kwalletd5, kwalletd6 before 6.14, or ksecretd")

// A wallet is the real KWallet on a session's bus, without a screen.
type wallet struct {
	t       *testing.T
	session *kctest.Session
	conn    *dbus.Conn
	daemon  *exec.Cmd
}

func newWallet(t *testing.T) *wallet {
	if *kwalletProgram == "" {
		t.Skip("only with -kwallet")
	}
	w := &wallet{t: t, session: kctest.New(t)}
	var err error
	w.conn, err = dbus.Connect(w.session.Address)
	must(t, err)
	t.Cleanup(func() { w.conn.Close() })
	t.Cleanup(func() {
		if w.daemon != nil {
			w.kill()
		}
	})
	return w
}

// start starts KWallet, which has nothing open then, and waits until it serves.
func (w *wallet) start() {
	w.t.Helper()
	w.run(exec.Command(*kwalletProgram))
}

// login starts KWallet as logging in does, which hands it the key of the wallet
// on a pipe and its environment on a socket. Without a wallet there, it makes one.
func (w *wallet) login() {
	w.t.Helper()
	key, in, err := os.Pipe()
	must(w.t, err)
	defer key.Close()
	_, err = in.Write(bytes.Repeat([]byte{7}, 56))
	must(w.t, errors.Join(err, in.Close()))
	path := filepath.Join(w.t.TempDir(), "login")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	must(w.t, err)
	defer listener.Close()
	socket, err := listener.File()
	must(w.t, err)
	defer socket.Close()
	environment, err := net.Dial("unix", path)
	must(w.t, err)
	must(w.t, environment.Close())

	daemon := exec.Command(*kwalletProgram, "--pam-login", "3", "4")
	daemon.Env = []string{"PAM_KWALLET5_LOGIN=" + path}
	daemon.ExtraFiles = []*os.File{key, socket}
	w.run(daemon)
}

func (w *wallet) run(daemon *exec.Cmd) {
	w.t.Helper()
	daemon.Env = slices.Concat(daemon.Env, w.session.Vars, []string{"QT_QPA_PLATFORM=offscreen"})
	daemon.Stderr = w.t.Output()
	daemon.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(w.t, daemon.Start())
	w.daemon = daemon
	w.await("KWallet to serve", func() (there bool) {
		must(w.t, w.conn.BusObject().Call(dbusName+".NameHasOwner", 0, ssName).Store(&there))
		return there
	})
	// It has the name before it has opened what it was to open, and answers after it.
	must(w.t, w.conn.Object(ssName, ssPath).Call(ssService+".ReadAlias", 0, "default").Err)
}

// kill ends KWallet at once. What it has not written is gone.
func (w *wallet) kill() {
	w.daemon.Process.Kill()
	w.daemon.Wait()
	w.session.Gone()
}

// opened is a store on a wallet that is open.
func (w *wallet) opened() *Store {
	w.t.Helper()
	w.login()
	w.kill()
	w.login()
	return openGnome(w.t, filepath.Join(w.t.TempDir(), "state"))
}

func (w *wallet) await(what string, happened func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !happened(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited 20 s for %s", what)
		}
	}
}

// TestKWalletStates: each of its states is recognized.
func TestKWalletStates(t *testing.T) {
	w := newWallet(t)
	s := openGnome(t, filepath.Join(t.TempDir(), "state"))
	w.start()
	if err := s.Status(t.Context()); !errors.Is(err, ErrNoCollection) {
		t.Errorf("no wallet: %v", err)
	}
	w.kill()
	w.login()
	w.kill()
	if err := s.Status(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("killed: %v", err)
	}
	w.start()
	if err := s.Status(t.Context()); !errors.Is(err, ErrLocked) {
		t.Errorf("started again: %v", err)
	}
	w.kill()
	w.login()
	must(t, s.Status(t.Context()))
}

// TestKWalletRoundTrips keeps secrets of every size over refreshes and restarts.
func TestKWalletRoundTrips(t *testing.T) {
	w := newWallet(t)
	s := w.opened()
	for _, size := range []int{16, 1500, 4 << 10, 8 << 10, MaxSecret} {
		secret := token(size, "refresh")
		r, err := s.Create(t.Context(), "work", time.Now(), secret, []byte("access"), nil)
		must(t, err)
		const cycles = 3
		var took time.Duration
		for n := range cycles {
			if r, err := s.Load(t.Context(), r.ID); err != nil || r.Unpublished { // when the last cycle is in the keychain
				t.Fatalf("%+v, %v", r, err)
			}
			began := time.Now()
			_, err := s.Reserve(t.Context(), r.ID)
			must(t, err)
			secret = token(size, "refresh"+string(rune('a'+n)))
			_, err = s.Commit(t.Context(), r.ID, secret, nil, nil)
			must(t, err)
			took += time.Since(began)
		}
		t.Logf("%d bytes: %s a cycle", size, (took / cycles).Round(time.Millisecond))
		s = reopen(t, s)
		if r, err := s.Load(t.Context(), r.ID); err != nil || r.Used != cycles {
			t.Fatalf("%+v, %v", r, err)
		}
		if got, err := s.Secret(t.Context(), r.ID); err != nil || !bytes.Equal(got, secret) {
			t.Fatalf("%d bytes: %v", size, err)
		}
		must(t, s.Erase(t.Context(), r.ID))
	}
}

// TestKWalletKilled kills it right after it was written to, five seconds
// before it would have put that on disk.
func TestKWalletKilled(t *testing.T) {
	w := newWallet(t)
	s := w.opened()
	secret := token(4<<10, "first")
	r, err := s.Create(t.Context(), "work", time.Now(), secret, []byte("access"), nil)
	must(t, err)
	for n := range 10 {
		w.kill()
		s = reopen(t, s)
		w.login()
		loaded, err := s.Load(t.Context(), r.ID)
		if err != nil || loaded.Used != n || loaded.Pending {
			t.Fatalf("after %d cycles: %+v, %v", n, loaded, err)
		}
		if got, err := s.Secret(t.Context(), r.ID); err != nil || !bytes.Equal(got, secret) {
			t.Fatalf("after %d cycles: %v", n, err)
		}
		_, err = s.Reserve(t.Context(), r.ID)
		must(t, err)
		if n%2 == 1 { // and in the middle of a cycle
			w.kill()
			w.login()
		}
		secret = token(4<<10, "after"+string(rune('a'+n)))
		_, err = s.Commit(t.Context(), r.ID, secret, nil, nil)
		must(t, err)
	}
	if file, err := os.Stat(filepath.Join(w.session.Dir, "data", "kwalletd", "kdewallet.kwl")); err != nil {
		t.Error(err)
	} else {
		t.Logf("killed 15 times, nothing lost; the wallet has %d bytes", file.Size())
	}
}
