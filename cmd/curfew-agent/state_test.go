//go:build linux

package main

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A full disk still has room for an empty file: doctor must write something.
func TestTryToWrite(t *testing.T) {
	dir := t.TempDir()
	if err := tryToWrite(dir); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
	if err := unix.Mount("full", dir, "tmpfs", 0, "size=4k"); err != nil {
		t.Skip("needs the right to mount:", err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	if err := tryToWrite(dir); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("on a full disk: %v", err)
	}
}
