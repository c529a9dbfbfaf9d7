//go:build linux

package keystore

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"curfew/keystore/kctest"
)

// Names on the bus.
const (
	dbusName     = "org.freedesktop.DBus"
	ssName       = "org.freedesktop.secrets"
	ssPath       = dbus.ObjectPath("/org/freedesktop/secrets")
	ssLogin      = ssPath + "/collection/login"
	ssService    = "org.freedesktop.Secret.Service"
	ssCollection = "org.freedesktop.Secret.Collection"
	ssItem       = "org.freedesktop.Secret.Item"
)

// openGnome opens a store on the OS's keychain.
func openGnome(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.Background()) })
	return s
}

func reopen(t testing.TB, s *Store) *Store {
	t.Helper()
	dir := s.disk.dir
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return openGnome(t, dir)
}

// followed waits until the keychain has what the last call made durable.
func followed(t testing.TB, s *Store, id string) {
	t.Helper()
	if r, err := s.Load(t.Context(), id); err != nil || r.Unpublished {
		t.Fatalf("%+v, %v", r, err)
	}
}

func token(n int, mark string) []byte {
	return []byte(strings.Repeat(mark+"-", n/(len(mark)+1)+1)[:n])
}

func TestGnomeRoundTrips(t *testing.T) {
	session := kctest.New(t)
	session.Unlocked("pw")
	dir := filepath.Join(t.TempDir(), "state")
	s := openGnome(t, dir)
	for _, size := range []int{16, 1500, 1772, 1773, 6000, MaxSecret} {
		secret, access, meta := token(size, "refresh"), token(900, "access"), []byte(`{"subject":"ann@example.com"}`)
		r, err := s.Create(t.Context(), "work account", time.Now(), secret, access, meta)
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		id := r.ID
		for gen := 2; gen < 5; gen++ {
			if got, err := s.Secret(t.Context(), id); err != nil || !bytes.Equal(got, secret) {
				t.Fatalf("%d bytes, generation %d: %v", size, gen-1, err)
			}
			if _, err := s.Reserve(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			secret, access = token(size, "refresh"+string(rune('a'+gen))), token(900, "access"+string(rune('a'+gen)))
			r, err := s.Commit(t.Context(), id, secret, access, meta)
			if err != nil || r.Generation != gen || r.Used != gen-1 || r.Pending {
				t.Fatalf("%+v, %v", r, err)
			}
		}
		s = reopen(t, s)
		if r, err := s.Load(t.Context(), id); err != nil || r.Unpublished || r.Generation != 4 || r.Used != 3 || r.Account != "work account" || string(r.Meta) != string(meta) {
			t.Fatalf("%+v, %v", r, err)
		}
		if got, err := s.Secret(t.Context(), id); err != nil || !bytes.Equal(got, secret) {
			t.Fatal(err)
		}
		if got, err := s.Access(t.Context(), id); err != nil || !bytes.Equal(got, access) {
			t.Fatal(err)
		}
	}
	shown := session.SecretTool("", "search", "--all", "--unlock", "service", "curfew")
	if strings.Count(shown, "secret = ") < 3*6 {
		t.Fatalf("secret-tool shows too little:\n%s", shown)
	}
	for _, clear := range []string{"refresh-", "refreshc-", "access-", "work account", "ann@example"} {
		if strings.Contains(shown, clear) {
			t.Errorf("secret-tool shows %q", clear)
		}
	}
	for _, id := range s.Sessions() {
		if err := s.Erase(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if shown := session.SecretTool("", "search", "--all", "service", "curfew"); strings.Contains(shown, "[/") {
		t.Errorf("left in the keychain:\n%s", shown)
	}
	if names, err := s.disk.names(); err != nil || len(names) != 1 {
		t.Errorf("left in the state directory: %v, %v", names, err)
	}
}

func TestGnomeLocked(t *testing.T) {
	session := kctest.New(t)
	session.Unlocked("pw")
	s := openGnome(t, filepath.Join(t.TempDir(), "state"))
	r, err := s.Create(t.Context(), "work", time.Now(), []byte("refresh"), []byte("access"), []byte("meta"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Reserve(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	session.Lock()
	if err := s.Status(t.Context()); !errors.Is(err, ErrLocked) {
		t.Fatalf("status: %v", err)
	}
	// The answer came just as the screen was locked: it is safe all the same.
	r, err = s.Commit(t.Context(), r.ID, []byte("refresh2"), []byte("access2"), nil)
	if err != nil || !r.Unpublished || r.Generation != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := s.Reserve(t.Context(), r.ID); !errors.Is(err, ErrLocked) {
		t.Fatalf("reserve: %v", err)
	}
	s = reopen(t, s)
	if r, err := s.Load(t.Context(), r.ID); !errors.Is(err, ErrLocked) || !r.Unverified || r.Account != "work" || r.Used != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := s.Unlock(t.Context()); err == nil || errors.Is(err, ErrTimeout) {
		t.Fatalf("nobody can show a prompt here, and it is not slow: %v", err)
	}
	session.Kill()
	if err := s.Status(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("status: %v", err)
	}
	session.Unlocked("pw")
	if r, err := s.Load(t.Context(), r.ID); err != nil || r.Unverified || r.Unpublished || r.Generation != 2 || r.Used != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if got, err := s.Secret(t.Context(), r.ID); err != nil || string(got) != "refresh2" {
		t.Fatalf("%q, %v", got, err)
	}
}

// TestGnomeKilled kills gnome-keyring at random within calls, as a crash of the
// desktop would. After 20 refreshes nothing is lost or uncounted.
func TestGnomeKilled(t *testing.T) {
	session := kctest.New(t)
	session.Unlocked("pw")
	s := openGnome(t, filepath.Join(t.TempDir(), "state"))
	ctx := t.Context()
	r, err := s.Create(ctx, "work", time.Now(), []byte("token 0"), nil, nil)
	must(t, err)
	id, secret, kills := r.ID, "token 0", 0
	random := rand.New(rand.NewPCG(1, 2))
	for n := 1; n <= 20; n++ {
		killed := make(chan struct{})
		if n%2 == 0 {
			time.AfterFunc(time.Duration(random.IntN(25))*time.Millisecond, func() { session.Kill(); close(killed) })
			kills++
		} else {
			close(killed)
		}
		restarted := false
		again := func(what string, f func() error) {
			t.Helper()
			err := f()
			for err != nil {
				if restarted || isVerdict(err) {
					t.Fatalf("refresh %d, %s: %v", n, what, err)
				}
				<-killed
				session.Unlocked("pw")
				restarted = true
				err = f()
			}
		}
		again("reserve", func() error {
			r, err := s.Reserve(ctx, id)
			if r.Used > n {
				t.Fatalf("counted twice: %+v", r)
			}
			return err
		})
		again("secret", func() error {
			got, err := s.Secret(ctx, id)
			if err == nil && string(got) != secret {
				t.Fatalf("refresh %d with %q, not %q", n, got, secret)
			}
			return err
		})
		secret = fmt.Sprint("token ", n)
		again("commit", func() error { _, err := s.Commit(ctx, id, []byte(secret), nil, nil); return err })
		<-killed
		if n%2 == 0 && !restarted {
			session.Unlocked("pw")
		}
		if n%5 == 0 {
			s = reopen(t, s)
		}
	}
	if r, err := s.Load(ctx, id); err != nil || r.Used != 20 || r.Generation != 21 || r.Unpublished {
		t.Fatalf("%+v, %v", r, err)
	}
	t.Logf("%d kills", kills)
}

// TestGnomeChanged: an item deleted by hand, and another keychain altogether.
func TestGnomeChanged(t *testing.T) {
	session := kctest.New(t)
	session.Unlocked("pw")
	s := openGnome(t, filepath.Join(t.TempDir(), "state"))
	ctx := t.Context()
	r, err := s.Create(ctx, "work", time.Now(), []byte("refresh"), nil, nil)
	must(t, err)
	followed(t, s, r.ID)
	for _, item := range []string{".k", ".h", ".a.0"} {
		value := session.SecretTool("", "lookup", "service", "curfew", "username", r.ID+item)
		session.SecretTool("", "clear", "service", "curfew", "username", r.ID+item)
		s = reopen(t, s)
		if _, err := s.Load(ctx, r.ID); !errors.Is(err, ErrChanged) {
			t.Errorf("without %s: %v", item, err)
		}
		session.SecretTool(value, "store", "--label=back", "service", "curfew", "username", r.ID+item)
		if _, err := s.Load(ctx, r.ID); err != nil {
			t.Errorf("with %s back: %v", item, err)
		}
	}
	session.Kill()
	must(t, os.Rename(session.Keyrings(), session.Keyrings()+".away"))
	session.Unlocked("other")
	if _, err := s.Load(ctx, r.ID); !errors.Is(err, ErrChanged) {
		t.Errorf("another keychain: %v", err)
	}
	session.Kill()
	must(t, os.RemoveAll(session.Keyrings()))
	session.Locked() // there is no collection now
	if err := s.Status(ctx); !errors.Is(err, ErrNoCollection) {
		t.Errorf("no collection: %v", err)
	}
	session.Kill()
	must(t, os.RemoveAll(session.Keyrings()))
	must(t, os.Rename(session.Keyrings()+".away", session.Keyrings()))
	session.Unlocked("pw")
	if secret, err := s.Secret(ctx, r.ID); err != nil || string(secret) != "refresh" {
		t.Errorf("the right one again: %q, %v", secret, err)
	}
	session.SecretTool("2.0.0.0.0.0.x", "store", "--label=forged", "service", "curfew", "username", r.ID+".h")
	if _, err := s.Reserve(ctx, r.ID); !errors.Is(err, ErrVersion) {
		t.Errorf("forged: %v", err)
	}
}

// TestGnomeRolledBack puts an old keyring file back under a session.
func TestGnomeRolledBack(t *testing.T) {
	session := kctest.New(t)
	session.Unlocked("pw")
	s := openGnome(t, filepath.Join(t.TempDir(), "state"))
	ctx := t.Context()
	r, err := s.Create(ctx, "work", time.Now(), []byte("old"), nil, nil)
	must(t, err)
	followed(t, s, r.ID)
	old, err := os.ReadFile(filepath.Join(session.Keyrings(), "login.keyring"))
	must(t, err)
	_, err = s.Reserve(ctx, r.ID)
	must(t, err)
	_, err = s.Commit(ctx, r.ID, []byte("new"), nil, nil)
	must(t, err)
	followed(t, s, r.ID)
	session.Kill()
	must(t, os.WriteFile(filepath.Join(session.Keyrings(), "login.keyring"), old, 0o600))
	session.Unlocked("pw")
	if got, err := s.Secret(ctx, r.ID); !errors.Is(err, ErrTampered) {
		t.Fatalf("%q, %v", got, err)
	}
	s = reopen(t, s)
	if r, err := s.Load(ctx, r.ID); !errors.Is(err, ErrTampered) || !r.Unverified {
		t.Fatalf("%+v, %v", r, err)
	}
}

// TestGnomeStopped: the daemon hangs. The caller is free after three seconds,
// and when the daemon goes on so does the session.
func TestGnomeStopped(t *testing.T) {
	session := kctest.New(t)
	session.Unlocked("pw")
	s := openGnome(t, filepath.Join(t.TempDir(), "state"))
	r, err := s.Create(t.Context(), "work", time.Now(), []byte("x"), nil, nil)
	must(t, err)
	followed(t, s, r.ID)
	session.Signal(syscall.SIGSTOP)
	began := time.Now()
	if _, err := s.Reserve(t.Context(), r.ID); !errors.Is(err, ErrTimeout) {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*backgroundLimit {
		t.Errorf("gave up after %v", took)
	}
	session.Signal(syscall.SIGCONT)
	if r, err := s.Reserve(t.Context(), r.ID); err != nil || r.Used != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestGnomeProcessKilled kills a program that keeps refreshing, at random, and
// looks what is left. The child prints what it was promised.
func TestGnomeProcessKilled(t *testing.T) {
	if dir := os.Getenv("KEYSTORE_TEST_REFRESH"); dir != "" {
		keepRefreshing(t, dir)
		return
	}
	session := kctest.New(t)
	session.Unlocked("pw")
	dir := filepath.Join(t.TempDir(), "state")
	s := openGnome(t, dir)
	r, err := s.Create(t.Context(), "work", time.Now(), []byte("token 0"), nil, nil)
	must(t, err)
	must(t, s.Close(t.Context()))
	random := rand.New(rand.NewPCG(3, 4))
	reserved, committed, kills := 0, 0, 0
	for range 15 {
		child := exec.Command(os.Args[0], "-test.run=^TestGnomeProcessKilled$", "-test.v")
		child.Env = append(session.Vars, "KEYSTORE_TEST_REFRESH="+dir)
		out, err := child.StdoutPipe()
		must(t, err)
		must(t, child.Start())
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if lines.Text() == "loaded" {
				time.AfterFunc(time.Duration(random.IntN(80_000))*time.Microsecond, func() { child.Process.Kill() })
			}
			fmt.Sscanf(lines.Text(), "reserved %d", &reserved)
			fmt.Sscanf(lines.Text(), "committed %d", &committed)
			if strings.Contains(lines.Text(), "FAIL") || strings.Contains(lines.Text(), "_test.go") {
				t.Errorf("child: %s", lines.Text())
			}
		}
		child.Wait()
		kills++
		s := openGnome(t, dir)
		r, err := s.Load(t.Context(), r.ID)
		if err != nil || r.Used < reserved || r.Used > reserved+1 || r.Generation-1 < committed || r.Generation-1 > committed+1 {
			t.Fatalf("after kill %d, %d reserved, %d committed: %+v, %v", kills, reserved, committed, r, err)
		}
		if secret, err := s.Secret(t.Context(), r.ID); err != nil || string(secret) != fmt.Sprint("token ", r.Generation-1) {
			t.Fatalf("generation %d: %q, %v", r.Generation, secret, err)
		}
		must(t, s.Close(t.Context()))
		reserved, committed = r.Used, r.Generation-1 // done, though the child could not say so
	}
	t.Logf("%d kills, %d cycles reserved, %d committed", kills, reserved, committed)
}

// keepRefreshing is the child of TestGnomeProcessKilled.
func keepRefreshing(t *testing.T, dir string) {
	s := openGnome(t, dir)
	id := s.Sessions()[0]
	r, err := s.Load(t.Context(), id)
	must(t, err)
	fmt.Println("loaded")
	for {
		if !r.Pending {
			r, err = s.Reserve(t.Context(), id)
			must(t, err)
			fmt.Println("reserved", r.Used)
		}
		r, err = s.Commit(t.Context(), id, fmt.Append(nil, "token ", r.Generation), nil, nil)
		must(t, err)
		fmt.Println("committed", r.Generation-1)
	}
}

func TestGnomeChanges(t *testing.T) {
	session := kctest.New(t)
	session.Unlocked("pw")
	s := openGnome(t, filepath.Join(t.TempDir(), "state"))
	ctx, cancel := context.WithCancel(t.Context())
	ticks := s.Changes(ctx)
	wait := func(what string) {
		t.Helper()
		select {
		case <-ticks:
		case <-time.After(time.Minute):
			t.Fatalf("no tick: %s", what)
		}
	}
	wait("it listens")
	must(t, s.Status(ctx))
	session.Lock()
	wait("locked")
	if err := s.Status(ctx); !errors.Is(err, ErrLocked) {
		t.Errorf("it was unlocked a moment ago, and now: %v", err)
	}
	session.Kill()
	for {
		wait("killed")
		if errors.Is(s.Status(ctx), ErrUnavailable) {
			break
		}
	}
	session.Unlocked("pw")
	for {
		wait("back")
		if s.Status(ctx) == nil {
			break
		}
	}
	// Our own writes are not news. What it said at its start may come late, but not
	// with each of them.
	for try := 1; ; try++ {
		for len(ticks) > 0 {
			<-ticks
		}
		r, err := s.Create(ctx, "work", time.Now(), []byte("x"), nil, nil)
		must(t, err)
		followed(t, s, r.ID)
		if len(ticks) == 0 {
			break
		}
		if try == 10 {
			t.Fatal("a tick for each item of our own")
		}
	}
	cancel()
	for range ticks {
	}
}

func TestBusRestarted(t *testing.T) {
	first := kctest.New(t)
	first.Unlocked("pw")
	s := openGnome(t, filepath.Join(t.TempDir(), "state"))
	must(t, s.Status(t.Context()))
	first.KillBus()
	if err := s.Status(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
	second := kctest.New(t)
	second.Unlocked("pw")
	_, err := s.Create(t.Context(), "work", time.Now(), []byte("x"), nil, nil)
	must(t, err)
}

func TestFakePrompts(t *testing.T) {
	session := kctest.New(t)
	fake := session.Fake(kctest.Faults{Locked: true, Unanswered: true})
	s := openGnome(t, filepath.Join(t.TempDir(), "state"))
	// The background never prompts.
	if err := s.Status(t.Context()); !errors.Is(err, ErrLocked) {
		t.Error(err)
	}
	if _, err := s.Create(t.Context(), "work", time.Now(), []byte("x"), nil, nil); !errors.Is(err, ErrLocked) {
		t.Error(err)
	}
	if n := fake.Prompts(); n != 0 {
		t.Errorf("%d prompts", n)
	}
	// Nobody answers: the caller decides how long to wait, and the prompt is left alone.
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-fake.Asked(); cancel() }()
	if err := s.Unlock(ctx); !errors.Is(err, ErrTimeout) {
		t.Error(err)
	}
	fake.Set(kctest.Faults{Locked: true, Dismissed: true})
	if err := s.Unlock(t.Context()); !errors.Is(err, ErrDenied) {
		t.Error(err)
	}
	fake.Set(kctest.Faults{Locked: true})
	must(t, s.Unlock(t.Context()))
	must(t, s.Unlock(t.Context())) // nothing to do
	if n := fake.Prompts(); n != 3 {
		t.Errorf("%d prompts", n)
	}
	r, err := s.Create(t.Context(), "work", time.Now(), []byte("x"), nil, nil)
	must(t, err)
	// The user declines what go-keyring then says was done.
	fake.Set(kctest.Faults{DeclineWrite: true})
	if _, err := s.Reserve(t.Context(), r.ID); !errors.Is(err, ErrDenied) {
		t.Error(err)
	}
	fake.Set(kctest.Faults{DeclineDrop: true})
	must(t, s.Erase(t.Context(), r.ID))
	if fake.Items() == 0 {
		t.Error("it was to decline")
	}
	fake.Set(kctest.Faults{})
	r, err = s.Create(t.Context(), "work", time.Now(), []byte("x"), nil, nil)
	must(t, err)
	followed(t, s, r.ID)
	if n := fake.Items(); n != 3 {
		t.Errorf("%d items: those of the erased session are still there", n)
	}
	// Its provider leaves while it asks.
	fake.Set(kctest.Faults{Locked: true, Unanswered: true})
	for len(fake.Asked()) > 0 { // of the prompts before it
		<-fake.Asked()
	}
	go func() { <-fake.Asked(); fake.Leave() }()
	if err := s.Unlock(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
}

// TestFakeGuarded: KeePassXC asks about each program that wants to read its
// items. It is to ask once about all of them, to be heard when it says no, and not
// to be asked again before somebody wants that.
func TestFakeGuarded(t *testing.T) {
	session := kctest.New(t)
	fake := session.Fake(kctest.Faults{})
	dir := filepath.Join(t.TempDir(), "state")
	s := openGnome(t, dir)
	r, err := s.Create(t.Context(), "work", time.Now(), []byte("x"), nil, nil)
	must(t, err)
	followed(t, s, r.ID)
	prompts := func(want int) {
		t.Helper()
		if n := fake.Prompts(); n != want {
			t.Errorf("%d prompts, want %d", n, want)
		}
	}
	// The session is on its own, since what was allowed holds for a connection.
	conn, err := dbus.SessionBus()
	must(t, err)
	conn.Close()

	fake.Set(kctest.Faults{Guarded: true, Dismissed: true})
	for range 3 {
		if _, err := s.Reserve(t.Context(), r.ID); !errors.Is(err, ErrDenied) {
			t.Error(err)
		}
	}
	prompts(1)
	if err := s.Status(t.Context()); !errors.Is(err, ErrDenied) {
		t.Error(err)
	}
	if err := s.Unlock(t.Context()); !errors.Is(err, ErrDenied) {
		t.Error(err)
	}
	prompts(2)

	fake.Set(kctest.Faults{Guarded: true})
	must(t, s.Unlock(t.Context()))
	prompts(3)
	must(t, s.Status(t.Context()))
	r, err = s.Reserve(t.Context(), r.ID)
	must(t, err)
	if r.Used != 1 {
		t.Errorf("%d cycles counted", r.Used)
	}
	_, err = s.Commit(t.Context(), r.ID, []byte("y"), nil, nil)
	must(t, err)
	followed(t, s, r.ID)
	prompts(3) // all items were in the one

	// What another agent keeps there is not asked about.
	fake.Set(kctest.Faults{Guarded: true, Foreign: "another agent's"})
	_, err = s.Reserve(t.Context(), r.ID)
	must(t, err)
	_, err = s.Commit(t.Context(), r.ID, []byte("z"), nil, nil)
	must(t, err)
	followed(t, s, r.ID)
	prompts(3)

	// A prompt that nobody answers is not an answer, and does not get a second.
	conn, err = dbus.SessionBus()
	must(t, err)
	conn.Close()
	fake.Set(kctest.Faults{Guarded: true, Unanswered: true})
	for len(fake.Asked()) > 0 {
		<-fake.Asked()
	}
	ctx, giveUp := context.WithCancel(t.Context())
	go func() {
		<-fake.Asked()
		giveUp()
	}()
	if _, err := s.Reserve(ctx, r.ID); !errors.Is(err, ErrTimeout) {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := s.Reserve(ctx, r.ID); !errors.Is(err, ErrTimeout) {
		t.Error(err)
	}
	prompts(4)
	fake.Leave() // so that the call in flight ends
}

func TestFakeStalled(t *testing.T) {
	session := kctest.New(t)
	stall := make(chan struct{})
	fake := session.Fake(kctest.Faults{})
	s := openGnome(t, filepath.Join(t.TempDir(), "state"))
	r, err := s.Create(t.Context(), "work", time.Now(), []byte("x"), nil, nil)
	must(t, err)
	followed(t, s, r.ID)
	fake.Set(kctest.Faults{Stall: stall})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := s.Reserve(ctx, r.ID); !errors.Is(err, ErrTimeout) {
		t.Error(err)
	}
	fake.Set(kctest.Faults{})
	close(stall)
	if r, err := s.Reserve(t.Context(), r.ID); err != nil || r.Used != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestNoObject: a provider that has taken the name but does not serve yet says
// nothing about an item. In particular, that does not mean that the item is
// gone.
func TestNoObject(t *testing.T) {
	session := kctest.New(t)
	conn, err := dbus.Connect(session.Address)
	must(t, err)
	defer conn.Close()
	must(t, conn.Export(noObject{}, ssPath, dbusName+".Properties"))
	_, err = conn.RequestName(ssName, 0)
	must(t, err)
	s := openGnome(t, filepath.Join(t.TempDir(), "state"))
	_, dropErr := s.keychain.drop(t.Context(), "item")
	for what, err := range map[string]error{
		"status": s.Status(t.Context()),
		"unlock": s.Unlock(t.Context()),
		"drop":   dropErr,
	} {
		if !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// noObject answers as Qt does for a path that nothing is at.
type noObject struct{}

func (noObject) Get(iface, name string) (dbus.Variant, *dbus.Error) {
	return dbus.Variant{}, dbus.NewError(dbusName+".Error.UnknownObject", nil)
}

// TestActivated: a provider that the bus can start is started, also when the
// bus does not know what it is.
func TestActivated(t *testing.T) {
	if name, ok := os.LookupEnv("KEYSTORE_TEST_SERVE"); ok {
		kctest.Serve(t, os.Getenv("DBUS_STARTER_ADDRESS"), name)
		return
	}
	for _, name := range []string{"", "org.kde.kwalletd5", "org.kde.secretservicecompat"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("KEYSTORE_TEST_SERVE", name)
			session := kctest.New(t)
			s := openGnome(t, filepath.Join(t.TempDir(), "state"))
			if err := s.Status(t.Context()); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "gnome-keyring") {
				t.Errorf("nobody serves: %v", err)
			}
			session.Activatable(name, os.Args[0]+" -test.run=^TestActivated$")
			must(t, s.Status(t.Context()))
			_, err := s.Create(t.Context(), "work", time.Now(), []byte("x"), nil, nil)
			must(t, err)
		})
	}
}

// TestActivatedInVain: of a provider that ends at once it is said, and is not
// started again at the next question.
func TestActivatedInVain(t *testing.T) {
	session := kctest.New(t)
	s := openGnome(t, filepath.Join(t.TempDir(), "state"))
	starts := filepath.Join(t.TempDir(), "starts")
	session.Activatable("org.kde.kwalletd5", "/bin/sh -c 'echo >>"+starts+"; exit 1'")
	for range 3 {
		if err := s.Status(t.Context()); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "org.kde.kwalletd5 was started") {
			t.Error(err)
		}
	}
	if n, err := os.ReadFile(starts); err != nil || len(n) != 1 {
		t.Errorf("started %d times, %v", len(n), err)
	}
}

// TestFakeBare: a keychain without a collection is asked to make one when it is
// to be unlocked.
func TestFakeBare(t *testing.T) {
	for _, kwallet := range []bool{false, true} {
		session := kctest.New(t)
		fake := session.Fake(kctest.Faults{Bare: true, Dismissed: true})
		want := "Default keyring"
		if kwallet {
			fake.BeKWallet(t, func() {})
			want = "kdewallet"
		}
		s := openGnome(t, filepath.Join(t.TempDir(), "state"))
		if err := s.Status(t.Context()); !errors.Is(err, ErrNoCollection) || fake.Made() != "" {
			t.Errorf("%v, made %q", err, fake.Made())
		}
		if err := s.Unlock(t.Context()); !errors.Is(err, ErrDenied) {
			t.Error(err)
		}
		fake.Set(kctest.Faults{Bare: true})
		must(t, s.Unlock(t.Context()))
		must(t, s.Status(t.Context()))
		if fake.Made() != want || fake.Prompts() != 2 {
			t.Errorf("%q after %d prompts", fake.Made(), fake.Prompts())
		}
		fake.Leave()
	}
}

// TestKWalletOpenForOthers: a wallet that KWallet has open but calls locked is
// unlocked in the background. If that asks somebody, it does so only once.
func TestKWalletOpenForOthers(t *testing.T) {
	session := kctest.New(t)
	s := openGnome(t, filepath.Join(t.TempDir(), "state"))
	for _, c := range []struct {
		faults  kctest.Faults
		sync    func()
		want    error
		prompts int
	}{
		{kctest.Faults{Locked: true}, func() {}, nil, 1},
		{kctest.Faults{Locked: true, Dismissed: true}, func() {}, ErrLocked, 1},
		{kctest.Faults{Locked: true}, nil, ErrLocked, 0},
	} {
		fake := session.Fake(c.faults)
		fake.BeKWallet(t, c.sync)
		for range 3 {
			if err := s.Status(t.Context()); !errors.Is(err, c.want) {
				t.Errorf("%+v: %v", c, err)
			}
		}
		if n := fake.Prompts(); n != c.prompts {
			t.Errorf("%+v: %d prompts", c, n)
		}
		fake.Leave()
		session.Gone()
	}
}
