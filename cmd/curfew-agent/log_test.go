package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestLogRotates: a log of any length takes a bounded space, and nothing has it
// open while it is renamed, which Windows would refuse.
func TestLogRotates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.log")
	l, err := openLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { l.Close() }()
	renamed := 0
	l.rename = func(from, to string) error {
		renamed++
		fds, _ := os.ReadDir("/proc/self/fd") // nothing elsewhere than on Linux
		for _, fd := range fds {
			if target, _ := os.Readlink("/proc/self/fd/" + fd.Name()); target == path {
				t.Errorf("descriptor %s is of the log while it is renamed", fd.Name())
			}
		}
		return os.Rename(from, to)
	}
	line := append(bytes.Repeat([]byte("x"), 1<<16-1), '\n')
	write := func(n int) {
		t.Helper()
		for range n {
			if _, err := l.Write(line); err != nil {
				t.Fatal(err)
			}
		}
	}
	sizes := func(most int64) {
		t.Helper()
		for _, name := range []string{path, path + ".1"} {
			if fi, err := os.Stat(name); err != nil || fi.Size() == 0 || fi.Size() > most {
				t.Errorf("%s: %v, %v", name, fi, err)
			}
		}
	}
	write(50)
	if sizes(maxLog); renamed != 3 {
		t.Errorf("renamed %d times", renamed)
	}
	l.rename = func(string, string) error { return errors.New("somebody reads it") }
	write(100)
	sizes(3 * maxLog)
}

// TestLogFollowsNoLink: what somebody has put in the log's place is left alone.
func TestLogFollowsNoLink(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("making a link needs a right that few have")
	}
	dir := t.TempDir()
	path, other := filepath.Join(dir, "agent.log"), filepath.Join(dir, "other")
	for _, content := range []string{"precious", ""} {
		os.Remove(other)
		os.Remove(path)
		if content != "" {
			if err := os.WriteFile(other, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink(other, path); err != nil {
			t.Fatal(err)
		}
		if l, err := openLog(path); err == nil || !strings.Contains(err.Error(), "agent.log is not a regular file") {
			t.Errorf("opened %v, %v", l, err)
		}
		if got, _ := os.ReadFile(other); string(got) != content {
			t.Errorf("the file behind the link has %q", got)
		}
	}
}
