//go:build linux

package keychain

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/zalando/go-keyring"

	"curfew/keystore/kctest"
)

// What a store does with this keychain is tested in curfew/keystore.

// newOS returns the keychain, until the end of the test.
func newOS(t *testing.T) *OS {
	k := new(OS)
	t.Cleanup(func() { k.Close() })
	return k
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestNoBus(t *testing.T) {
	old := runtimeDir
	defer func() { runtimeDir = old }()
	dir := t.TempDir()
	runtimeDir = func() string { return dir }
	bin := t.TempDir() // a dbus-launch that leaves a trace
	must(t, os.WriteFile(filepath.Join(bin, "dbus-launch"), []byte("#!/bin/sh\ntouch "+bin+"/launched\nexit 1\n"), 0o755))
	t.Setenv("PATH", bin)
	k := newOS(t)
	for _, address := range []string{"", "autolaunch:", "unix:path=/nonexistent/bus", "nonsense"} {
		t.Setenv("DBUS_SESSION_BUS_ADDRESS", address)
		for name, err := range map[string]error{
			"probe":  k.Probe(t.Context()),
			"unlock": k.Unlock(t.Context()),
			"get":    func() error { _, err := k.Get("curfew", "x"); return err }(),
			"set":    k.Set("curfew", "x", "y"),
			"delete": k.Delete("curfew", "x"),
		} {
			if !errors.Is(err, ErrUnavailable) {
				t.Errorf("%q: %s: %v", address, name, err)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(bin, "launched")); err == nil {
		t.Error("dbus-launch was run")
	}
}

// TestRuntimeBus: systemd's bus is found without the environment naming it.
func TestRuntimeBus(t *testing.T) {
	session := kctest.New(t)
	session.Unlocked("pw")
	dir := t.TempDir()
	path, _, _ := strings.Cut(strings.TrimPrefix(session.Address, "unix:path="), ",")
	must(t, os.Symlink(path, filepath.Join(dir, "bus")))
	old := runtimeDir
	defer func() { runtimeDir = old }()
	runtimeDir = func() string { return dir }
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	must(t, newOS(t).Set("curfew", "x", "y"))
}

// TestOtherBus: the next login has another bus, and the first one is still there.
func TestOtherBus(t *testing.T) {
	kctest.New(t).Unlocked("pw")
	k := newOS(t)
	ctx, cancel := context.WithCancel(t.Context())
	ticks := make(chan struct{}, 1)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	watching.Go(func() {
		k.Watch(ctx, func() {
			select {
			case ticks <- struct{}{}:
			default:
			}
		})
	})
	<-ticks
	must(t, k.Probe(t.Context()))
	must(t, k.Set("curfew", "x", "y"))
	second := kctest.New(t) // which points the environment to it
	second.Unlocked("pw")
	must(t, k.Probe(t.Context()))
	if _, err := k.Get("curfew", "x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("its item is in the other keychain: %v", err)
	}
	for listens := false; !listens; { // at the second bus
		<-ticks
		k.mu.Lock()
		listens = k.watched
		k.mu.Unlock()
	}
	for range 2 {
		second.Lock()
		for k.Probe(t.Context()) == nil {
			<-ticks
		}
		second.Kill()
		second.Unlocked("pw")
		for k.Probe(t.Context()) != nil {
			<-ticks
		}
	}
}

// TestKWalletWritesLate: what KWallet took is not durable before it has
// rewritten its file.
func TestKWalletWritesLate(t *testing.T) {
	session := kctest.New(t)
	file := writtenWallet(t, session)
	write := func() {
		must(t, os.WriteFile(file+".new", []byte("after"), 0o600))
		must(t, os.Rename(file+".new", file))
	}
	flush := func(kc *OS, limit time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		return kc.Flush(ctx)
	}
	for _, told := range []bool{true, false} {
		fake := session.Fake(kctest.Faults{})
		var sync func()
		if told {
			sync = write
		}
		kc := new(OS)
		defer kc.Close()
		must(t, flush(kc, time.Minute)) // it is not KWallet, whatever is in its directory
		fake.BeKWallet(t, sync)
		if told {
			must(t, flush(kc, time.Minute))
		} else {
			if err := flush(kc, 300*time.Millisecond); !errors.Is(err, ErrTimeout) {
				t.Errorf("it did not write: %v", err)
			}
			flushed, written := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(written)
				for { // one of them comes after the flush has looked
					select {
					case <-time.After(100 * time.Millisecond):
						write()
					case <-flushed:
						return
					}
				}
			}()
			must(t, flush(kc, time.Minute))
			close(flushed)
			<-written
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != "after" {
			t.Errorf("%q, %v", got, err)
		}
		fake.Set(kctest.Faults{Locked: true, Dismissed: true})
		if err := flush(kc, time.Minute); !errors.Is(err, ErrLocked) {
			t.Errorf("locked: %v", err)
		}
		must(t, os.WriteFile(file, []byte("before"), 0o600))
		fake.Leave()
		session.Gone()
	}
	for wallet, want := range map[string]string{"kdewallet": "kdewallet.kwl", "My wallet": "My wallet.kwl", "a/b;ü": "a;2Fb;3B;C3;BC.kwl"} {
		if got := walletFile(wallet); got != want {
			t.Errorf("%s: %s, not %s", wallet, got, want)
		}
	}
}

// TestKWalletReplaced: the KWallet that took our items has ended. What another
// one writes is not what that one took.
func TestKWalletReplaced(t *testing.T) {
	session := kctest.New(t)
	file := writtenWallet(t, session)
	fake := session.Fake(kctest.Faults{})
	asked := make(chan struct{})
	fake.BeKWallet(t, func() { close(asked) })
	kc := new(OS)
	defer kc.Close()
	flushed := make(chan error, 1)
	go func() { flushed <- kc.Flush(t.Context()) }()
	<-asked
	fake.Leave()
	session.Gone()
	session.Fake(kctest.Faults{}).BeKWallet(t, nil)
	must(t, os.WriteFile(file, []byte("without ours"), 0o600))
	if err := <-flushed; !errors.Is(err, ErrUnavailable) {
		t.Errorf("a write that was lost is called durable: %v", err)
	}
}

// TestClassify maps what go-keyring, D-Bus and the OS were seen to say.
func TestClassify(t *testing.T) {
	for _, c := range []struct {
		err  error
		want error
	}{
		{keyring.ErrNotFound, ErrNotFound},
		{keyring.ErrSetDataTooBig, ErrTooBig},
		{keyring.ErrUnsupportedPlatform, ErrUnavailable},
		{dbus.Error{Name: "org.freedesktop.DBus.Error.ServiceUnknown"}, ErrUnavailable},
		{dbus.Error{Name: "org.freedesktop.DBus.Error.NoReply"}, ErrTimeout},
		{dbus.Error{Name: "org.freedesktop.DBus.Error.TimedOut"}, ErrTimeout},
		{dbus.Error{Name: "org.freedesktop.DBus.Error.AccessDenied"}, ErrDenied},
		{dbus.Error{Name: "org.freedesktop.Secret.Error.IsLocked"}, ErrLocked},
		{dbus.Error{Name: "org.freedesktop.Secret.Error.NoSuchObject"}, ErrUnavailable},
		{dbus.Error{Name: "org.freedesktop.Secret.Error.NoSession"}, ErrUnavailable},
		{errors.New("failed to unlock correct collection '/org/freedesktop/secrets/aliases/default'"), ErrNoCollection},
		{errors.New("failed to unlock correct collection '/org/freedesktop/secrets/collection/login'"), ErrLocked},
		{&net.OpError{Op: "write", Err: syscall.EPIPE}, ErrUnavailable},
		{&exec.Error{Name: "dbus-launch", Err: exec.ErrNotFound}, ErrUnavailable},
		{io.EOF, ErrUnavailable},
		{dbus.ErrClosed, ErrUnavailable},
		{errors.New("anything else"), ErrUnavailable},
	} {
		if err := classify(c.err); !errors.Is(err, c.want) {
			t.Errorf("%v: %v, not %v", c.err, err, c.want)
		}
	}
	if classify(nil) != nil {
		t.Error("nil is an error")
	}
}

// writtenWallet is the file of a wallet, as of before the test.
func writtenWallet(t *testing.T, session *kctest.Session) (file string) {
	t.Helper()
	dir := filepath.Join(session.Dir, "data", "kwalletd")
	must(t, os.Mkdir(dir, 0o700))
	file = filepath.Join(dir, "kdewallet.kwl")
	must(t, os.WriteFile(file, []byte("before"), 0o600))
	return file
}
