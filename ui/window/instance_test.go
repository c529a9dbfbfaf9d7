package window

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// shortDir returns a directory whose path leaves room for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "curfew-window-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestSecondWindowShowsTheFirst(t *testing.T) {
	dir := filepath.Join(shortDir(t), "curfew")
	first, err := Claim(t.Context(), dir, Wish{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	shown := make(chan Wish, 1)
	wish := Wish{Account: "work", Page: PageSettings}
	var group sync.WaitGroup
	group.Go(func() { first.Run(ctx, func(w Wish) { shown <- w }) })

	// Something else that speaks to the socket is no wish.
	c, err := net.Dial("unix", filepath.Join(dir, "window.sock"))
	if err != nil {
		t.Fatal(err)
	}
	c.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
	c.Close()

	if _, err := Claim(t.Context(), dir, wish); !errors.Is(err, ErrShown) {
		t.Fatalf("the second claim gives %v, want ErrShown", err)
	}
	if got := <-shown; got != wish {
		t.Errorf("the first was asked for %+v", got)
	}
	if fi, err := os.Stat(filepath.Join(dir, "window.sock")); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the socket is %v, %v; want mode 0600", fi.Mode(), err)
	}
	if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("the directory is %v, %v; want mode 0700", fi.Mode(), err)
	}
	cancel()
	group.Wait()
	next, err := Claim(t.Context(), dir, Wish{})
	if err != nil {
		t.Fatalf("after the first window closed: %v", err)
	}
	next.Close()
}

func TestCrashedWindowLeavesNoClaim(t *testing.T) {
	dir := shortDir(t)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "window.sock")})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close() // the socket stays, as after a crash
	i, err := Claim(t.Context(), dir, Wish{})
	if err != nil {
		t.Fatal(err)
	}
	i.Close()
}

func TestManyWindowsStartAtOnce(t *testing.T) {
	dir := shortDir(t)
	var group sync.WaitGroup
	var mu sync.Mutex
	firsts, others := 0, 0
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var running sync.WaitGroup
	for range 20 {
		group.Go(func() {
			i, err := Claim(ctx, dir, Wish{Account: "x"})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				firsts++
				running.Go(func() { i.Run(ctx, func(Wish) {}) })
			case errors.Is(err, ErrShown):
				others++
			default:
				t.Error(err)
			}
		})
	}
	group.Wait()
	cancel()
	running.Wait()
	if firsts != 1 || others != 19 {
		t.Errorf("%d windows and %d that showed it, want 1 and 19", firsts, others)
	}
}

func TestSilentWindowIsReported(t *testing.T) {
	dir := shortDir(t)
	i, err := Claim(t.Context(), dir, Wish{}) // and never runs
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := Claim(ctx, dir, Wish{}); err == nil || errors.Is(err, ErrShown) {
		t.Errorf("got %v, want an error that it does not answer", err)
	}
}
