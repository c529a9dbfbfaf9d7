//go:build linux

package resident

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestManyChanges: so much changes next to the program that the kernel drops news
// of it. A newer program is noticed all the same.
func TestManyChanges(t *testing.T) {
	dir := t.TempDir()
	path, first := filepath.Join(dir, "program"), filepath.Join(dir, "first")
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	put := func() {
		t.Helper()
		check(os.WriteFile(path+".new", nil, 0o700))
		check(os.Rename(path+".new", path))
	}
	put()
	check(os.Link(path, first))
	asked, answer := make(chan bool), make(chan bool)
	ended := make(chan error, 1)
	go func() {
		ended <- WatchProgram(t.Context(), slog.New(slog.DiscardHandler), path, time.Millisecond, func() bool { asked <- true; return <-answer })
	}()
	watch := awaitWatch(t)
	put()
	<-asked
	check(os.Rename(first, path)) // it is as it was
	text, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	check(err)
	most, err := strconv.Atoi(string(bytes.TrimSpace(text)))
	check(err)
	files := []string{filepath.Join(dir, "a"), filepath.Join(dir, "b")}
	for _, file := range files {
		check(os.WriteFile(file, nil, 0o600))
	}
	for i := range most + 100 {
		check(os.Chmod(files[i%2], 0o600))
	}
	answer <- true
	for queued := 1; queued > 0; { // else the program would be looked at before the watch meets the gap
		queued, err = unix.IoctlGetInt(watch, unix.TIOCINQ)
		check(err)
	}
	put()
	limit := time.After(time.Minute)
	for {
		select {
		case <-asked:
			answer <- false
		case err := <-ended:
			if !errors.Is(err, ErrUpgraded) {
				t.Error(err)
			}
			return
		case <-limit:
			t.Fatal("the newer program is not noticed")
		}
	}
}

// awaitWatch waits until this program watches a folder, and returns the descriptor
// that it reads from.
func awaitWatch(t *testing.T) int {
	t.Helper()
	for began := time.Now(); time.Since(began) < time.Minute; {
		for fd := range 100 {
			to, err := os.Readlink(fmt.Sprint("/proc/self/fd/", fd))
			if err != nil || to != "anon_inode:inotify" {
				continue
			}
			if info, err := os.ReadFile(fmt.Sprint("/proc/self/fdinfo/", fd)); err == nil && bytes.Contains(info, []byte("inotify wd:")) {
				return fd
			}
		}
	}
	t.Fatal("nothing is watched")
	return -1
}
