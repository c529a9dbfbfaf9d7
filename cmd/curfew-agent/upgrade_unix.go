//go:build unix

package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"curfew/auth"
)

// errUpgraded ends an agent whose program file is another one now.
var errUpgraded = errors.New("the program was replaced by another version")

// settleTime is how long a new program file must have been left alone: a package
// manager may still be at work.
const settleTime = 2 * time.Second

// watchProgram waits until the agent's program file was replaced, as an upgrade
// does, and until nothing is under way that a restart would cut off. Then it
// returns errUpgraded.
func watchProgram(ctx context.Context, log *slog.Logger, path string, settled time.Duration, accounts func() []auth.Snapshot) error {
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
	quiet := time.NewTimer(0)
	quiet.Stop()
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
		case <-quiet.C:
			now, err := os.Stat(path)
			switch {
			case err != nil || os.SameFile(before, now) || now.Mode()&0o111 == 0:
			case busy(accounts()):
				quiet.Reset(settled)
			default:
				return errUpgraded
			}
		}
	}
}

// busy reports whether a request is out that a restart would cut off.
func busy(all []auth.Snapshot) bool {
	for _, s := range all {
		if s.State == auth.SigningIn || s.State == auth.Refreshing {
			return true
		}
	}
	return false
}

// becomeNew runs the new program in this one's place, with its arguments.
func becomeNew(path string) error {
	return syscall.Exec(path, append([]string{path}, os.Args[1:]...), os.Environ())
}

// noFollow keeps a link from being opened that came a moment ago.
const noFollow = syscall.O_NOFOLLOW
