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
	concerns := func(name string) bool { return filepath.Clean(name) == path }
	if whenQuiet(ctx, w, settled, concerns, busy, func() bool {
		now, err := os.Stat(path)
		return err == nil && !os.SameFile(before, now) && now.Mode()&0o111 != 0
	}) {
		return ErrUpgraded
	}
	return nil
}

// whenQuiet waits until something has happened, as happened says, to what concerns
// the caller, and has settled, and nothing is under way, as busy says. It returns
// false when ctx ends, or if nothing more is heard.
func whenQuiet(ctx context.Context, w *fsnotify.Watcher, settled time.Duration, concerns func(name string) bool, busy, happened func() bool) bool {
	quiet := time.NewTimer(settled) // it may have happened before it was watched
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case e, ok := <-w.Events:
			if !ok {
				return false
			}
			if concerns(e.Name) {
				quiet.Reset(settled)
			}
		case _, ok := <-w.Errors: // too much has changed here to hear of all of it
			if !ok {
				return false
			}
			quiet.Reset(settled)
		case <-quiet.C:
			switch {
			case !happened():
			case busy():
				quiet.Reset(settled)
			default:
				return true
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
	concerns := func(name string) bool {
		return filepath.Base(name) == filepath.Base(socket) || name == filepath.Dir(socket)
	}
	if whenQuiet(ctx, w, settled, concerns, busy, gone) {
		return ErrUnreachable
	}
	return nil
}

// Become runs the program at path in this one's place, with its arguments. It
// returns only with an error.
func Become(path string) error {
	return syscall.Exec(path, append([]string{path}, os.Args[1:]...), os.Environ())
}
