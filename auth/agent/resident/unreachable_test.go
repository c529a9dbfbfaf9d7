//go:build linux

package resident

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// TestWatchSocket: whose socket is gone ends, also with its directory, once it has
// finished what is under way.
func TestWatchSocket(t *testing.T) {
	for name, remove := range map[string]func(socket string) error{
		"the socket":    os.Remove,
		"its directory": func(socket string) error { return os.RemoveAll(filepath.Dir(socket)) },
		"replaced": func(socket string) error {
			return errors.Join(os.WriteFile(socket+".new", nil, 0o600), os.Rename(socket+".new", socket), os.Remove(socket+".lock"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "curfew", "agent.sock")
			l, err := Listen(t.Context(), socket)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			var asked atomic.Int32
			began, finish := make(chan bool, 1), make(chan bool)
			busy := func() bool {
				if asked.Add(1) == 1 {
					began <- true
					<-finish
					return true
				}
				return false
			}
			ended := make(chan error, 1)
			go func() {
				ended <- WatchSocket(t.Context(), slog.New(slog.DiscardHandler), l, time.Millisecond, busy)
			}()
			if err := remove(socket); err != nil {
				t.Fatal(err)
			}
			<-began
			if len(ended) > 0 {
				t.Error("it ended while busy")
			}
			close(finish)
			if err := <-ended; !errors.Is(err, ErrUnreachable) || asked.Load() != 2 {
				t.Errorf("%v, asked %d times", err, asked.Load())
			}
			_, before := os.Lstat(socket)
			l.Close()
			if _, after := os.Lstat(socket); before == nil && after != nil {
				t.Error("it removed another program's socket")
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	socket := filepath.Join(t.TempDir(), "curfew", "agent.sock")
	l, err := Listen(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := WatchSocket(ctx, slog.New(slog.DiscardHandler), l, time.Hour, nil); err != nil {
		t.Error(err)
	}
}
