//go:build linux

package keystore

import (
	"bytes"
	"errors"
	"flag"
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
var withKWallet = flag.Bool("kwallet", false, "test with the real KWallet, kwalletd5")

// A wallet is the real KWallet on a session's bus, without a screen.
type wallet struct {
	t       *testing.T
	session *kctest.Session
	conn    *dbus.Conn
	daemon  *exec.Cmd
}

func newWallet(t *testing.T) *wallet {
	if !*withKWallet {
		t.Skip("only with -kwallet")
	}
	w := &wallet{t: t, session: kctest.New(t)}
	var err error
	w.conn, err = dbus.Connect(w.session.Address)
	must(t, err)
	t.Cleanup(func() { w.conn.Close() })
	w.start()
	t.Cleanup(w.kill)
	return w
}

// start starts KWallet and waits until it serves.
func (w *wallet) start() {
	w.t.Helper()
	w.daemon = exec.Command("kwalletd5")
	w.daemon.Env = append(slices.Clone(w.session.Vars), "QT_QPA_PLATFORM=offscreen")
	w.daemon.Stderr = w.t.Output()
	w.daemon.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(w.t, w.daemon.Start())
	w.await("KWallet to serve", func() (there bool) {
		must(w.t, w.conn.BusObject().Call(dbusName+".NameHasOwner", 0, ssName).Store(&there))
		return there
	})
}

// kill ends KWallet at once. What it has not written is gone.
func (w *wallet) kill() {
	w.daemon.Process.Kill()
	w.daemon.Wait()
	gone(w.t, w.session)
}

// login opens the wallet as logging in does, with the password; without one
// there, it makes one, which KWallet shows as a Secret Service when it is started anew.
func (w *wallet) login() {
	w.t.Helper()
	hash := bytes.Repeat([]byte{7}, 56)
	o := w.conn.Object("org.kde.kwalletd5", "/modules/kwalletd5")
	must(w.t, o.Call(kwallet+".pamOpen", 0, kwalletWallet, hash, int32(0)).Err)
	var open bool
	if must(w.t, o.Call(kwallet+".isOpen", 0, kwalletWallet).Store(&open)); !open {
		w.t.Fatal("the wallet does not open")
	}
}

// opened is a store on a wallet that is open.
func (w *wallet) opened() *Store {
	w.t.Helper()
	w.login()
	w.kill()
	w.start()
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

// TestKWalletStates: each state of it is told apart.
func TestKWalletStates(t *testing.T) {
	w := newWallet(t)
	s := openGnome(t, filepath.Join(t.TempDir(), "state"))
	if err := s.Status(t.Context()); !errors.Is(err, ErrNoCollection) {
		t.Errorf("no wallet: %v", err)
	}
	w.login()
	w.kill()
	if err := s.Status(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("killed: %v", err)
	}
	w.start()
	if err := s.Status(t.Context()); !errors.Is(err, ErrLocked) {
		t.Errorf("started again: %v", err)
	}
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
		began := time.Now()
		const cycles = 5
		for n := range cycles {
			_, err := s.Reserve(t.Context(), r.ID)
			must(t, err)
			secret = token(size, "refresh"+string(rune('a'+n)))
			if r, err := s.Commit(t.Context(), r.ID, secret, nil, nil); err != nil || r.Unpublished {
				t.Fatalf("%+v, %v", r, err)
			}
		}
		t.Logf("%d bytes: %s a cycle", size, (time.Since(began) / cycles).Round(time.Millisecond))
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
// before it would have put that on disk by itself.
func TestKWalletKilled(t *testing.T) {
	w := newWallet(t)
	s := w.opened()
	secret := token(4<<10, "first")
	r, err := s.Create(t.Context(), "work", time.Now(), secret, []byte("access"), nil)
	must(t, err)
	for n := range 10 {
		w.kill()
		s = reopen(t, s)
		w.start()
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
			w.start()
			w.login()
		}
		secret = token(4<<10, "after"+string(rune('a'+n)))
		_, err = s.Commit(t.Context(), r.ID, secret, nil, nil)
		must(t, err)
	}
	if file, err := os.Stat(filepath.Join(w.session.Dir, "data", "kwalletd", walletFile(kwalletWallet))); err != nil {
		t.Error(err)
	} else {
		t.Logf("killed 15 times, nothing lost; the wallet has %d bytes", file.Size())
	}
}
