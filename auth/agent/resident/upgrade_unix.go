//go:build unix

package resident

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// WatchProgram waits until the program file at path was replaced, as an upgrade
// does, and until nothing is under way that a restart would cut off, as busy says.
// Then it returns [ErrUpgraded], and [Become] runs the new program. It returns nil
// when ctx ends, or if the file cannot be watched.
func WatchProgram(ctx context.Context, log *slog.Logger, path string, settled time.Duration, busy func() bool) error {
	before, err := os.Stat(path)
	if err != nil {
		return nil // it was deleted already: there is nothing to become
	}
	w, err := fsnotify.NewWatcher()
	if err == nil {
		err = w.Add(filepath.Dir(path))
	}
	if err != nil {
		log.Info("an upgrade takes effect at the next start: the program cannot be watched", "error", err)
		return nil
	}
	defer w.Close()
	quiet := time.NewTimer(settled) // it may have been replaced before it was watched
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-w.Events:
			if !ok {
				return nil
			}
			if filepath.Clean(e.Name) == path {
				quiet.Reset(settled)
			}
		case _, ok := <-w.Errors: // too much has changed here to hear of all of it
			if !ok {
				return nil
			}
			quiet.Reset(settled)
		case <-quiet.C:
			now, err := os.Stat(path)
			switch {
			case err != nil || os.SameFile(before, now) || now.Mode()&0o111 == 0:
			case busy():
				quiet.Reset(settled)
			default:
				return ErrUpgraded
			}
		}
	}
}

// WatchSocket waits until the socket of a listener of [Listen] is gone, as after a
// logout that removes the runtime directory, and until nothing is under way, as busy
// says. Then it returns [ErrUnreachable]: nobody can start another agent before this
// one's end. It returns nil when ctx ends, or if the socket cannot be watched.
func WatchSocket(ctx context.Context, log *slog.Logger, l net.Listener, settled time.Duration, busy func() bool) error {
	socket, gone := l.Addr().String(), l.(*listener).gone
	w, err := fsnotify.NewWatcher()
	if err == nil {
		defer w.Close()
		err = w.Add(filepath.Dir(socket))
	}
	if err != nil && (w == nil || !gone()) {
		log.Info("the socket cannot be watched", "error", err)
		return nil
	}
	quiet := time.NewTimer(settled) // it may have gone before
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-w.Events:
			if !ok {
				return nil
			}
			if filepath.Base(e.Name) == filepath.Base(socket) || e.Name == filepath.Dir(socket) {
				quiet.Reset(settled)
			}
		case <-quiet.C:
			switch {
			case !gone():
			case busy():
				quiet.Reset(settled)
			default:
				return ErrUnreachable
			}
		}
	}
}

// Become runs the program at path in this one's place, with its arguments. It
// returns only with an error.
func Become(path string) error {
	return syscall.Exec(path, append([]string{path}, os.Args[1:]...), os.Environ())
}
