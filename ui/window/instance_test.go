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

	"curfew/auth/agent"
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
	socket := filepath.Join(shortDir(t), "window")
	l, err := agent.Listen(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	shown := make(chan Wish, 1)
	wish := Wish{Account: "work", Page: PageSettings}
	var group sync.WaitGroup
	group.Go(func() { NewInstance(l).Run(ctx, func(w Wish) { shown <- w }) })

	// Something else that speaks to the socket is no wish.
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	c.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
	c.Close()

	if err := Tell(t.Context(), socket, wish); err != nil {
		t.Fatal(err)
	}
	if got := <-shown; got != wish {
		t.Errorf("the first was asked for %+v", got)
	}
	cancel()
	group.Wait()
	if _, err := os.Stat(socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the first window closed, its socket is still there: %v", err)
	}
}

// A second may come before the first listens.
func TestTellWaits(t *testing.T) {
	socket := filepath.Join(shortDir(t), "window")
	told := make(chan error, 1)
	go func() { told <- Tell(t.Context(), socket, Wish{}) }()
	l, err := agent.Listen(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() { NewInstance(l).Run(ctx, func(Wish) {}) })
	if err := <-told; err != nil {
		t.Error(err)
	}
	cancel()
	group.Wait()
}

func TestSilentWindowIsReported(t *testing.T) {
	socket := filepath.Join(shortDir(t), "window")
	l, err := agent.Listen(t.Context(), socket) // and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := Tell(ctx, socket, Wish{}); err == nil {
		t.Error("no error")
	}
}
