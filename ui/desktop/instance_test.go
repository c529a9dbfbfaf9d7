package desktop

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"curfew/auth/agent/client"
	"curfew/auth/agent/resident"
)

// wish is what a second window asks of the first.
type wish struct{ Account, Page string }

// windowSocket returns where a first window of this test listens: a pipe on
// Windows, elsewhere a socket.
func windowSocket(t *testing.T) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		return `\\.\pipe\curfew-window-` + rand.Text()
	}
	return filepath.Join(t.TempDir(), "run", "window") // Listen makes the folder, for this user only
}

func stays(map[string]string) bool { return false }

func TestSecondWindowShowsTheFirst(t *testing.T) {
	socket := windowSocket(t)
	l, err := resident.Listen(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	shown := make(chan wish, 1)
	asked := wish{"work", "settings"}
	var group sync.WaitGroup
	group.Go(func() { Listen(ctx, l, func(w wish) { shown <- w }, stays, func() { t.Error("it closes") }) })

	// Something else that speaks to the socket is no wish.
	c, err := client.Dial(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	c.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
	c.Close()

	if closes, err := Tell(t.Context(), socket, asked, nil); err != nil || closes {
		t.Fatal(closes, err)
	}
	if got := <-shown; got != asked {
		t.Errorf("the first was asked for %+v", got)
	}
	cancel()
	group.Wait()
	if c, err := client.Dial(t.Context(), socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the first window closed, its socket is still there: %v, %v", c, err)
	}
}

// A window of another desktop session closes, and the second takes over.
func TestWindowOfAnotherSession(t *testing.T) {
	socket := windowSocket(t)
	l, err := resident.Listen(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	left := make(chan struct{}, 1)
	var group sync.WaitGroup
	group.Go(func() {
		elsewhere := func(session map[string]string) bool { return session["DISPLAY"] != ":1" }
		Listen(t.Context(), l, func(wish) { t.Error("it is shown in the other session") }, elsewhere, func() { left <- struct{}{} })
	})
	if closes, err := Tell(t.Context(), socket, wish{Account: "work"}, map[string]string{"DISPLAY": ":2"}); !closes || err != nil {
		t.Errorf("closes: %t, %v", closes, err)
	}
	<-left
	group.Wait()
	second, err := resident.Listen(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
}

// A second may come before the first listens.
func TestTellWaits(t *testing.T) {
	socket := windowSocket(t)
	told := make(chan error, 1)
	go func() {
		_, err := Tell(t.Context(), socket, wish{}, nil)
		told <- err
	}()
	l, err := resident.Listen(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() { Listen(ctx, l, func(wish) {}, stays, func() {}) })
	if err := <-told; err != nil {
		t.Error(err)
	}
	cancel()
	group.Wait()
}

func TestSilentWindowIsReported(t *testing.T) {
	socket := windowSocket(t)
	l, err := resident.Listen(t.Context(), socket) // and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := Tell(ctx, socket, wish{}, nil); err == nil {
		t.Error("no error")
	}
}
