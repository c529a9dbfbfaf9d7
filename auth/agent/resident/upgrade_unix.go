//go:build unix

package resident

import (
	"context"
	"log/slog"
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

// Become runs the program at path in this one's place, with its arguments. It
// returns only with an error.
func Become(path string) error {
	return syscall.Exec(path, append([]string{path}, os.Args[1:]...), os.Environ())
}
