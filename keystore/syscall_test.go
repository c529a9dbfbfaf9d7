//go:build linux

package keystore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"curfew/keystore/kctest"
)

// A report is what the child of TestFailingSystemCalls did and was left with.
type report struct {
	ID               string
	Created, Ended   bool
	Posts, MaybePost int
	Refunding        bool
	Secret           string
	Maybe            []string
	MaybeEnd         bool
	Items            map[string]string
	Failed           string // the first error
}

// TestFailingSystemCalls runs a life in a child process whose system calls the
// kernel refuses, as with a full, broken or read-only disk. One call fails, or
// all from one on. What the child was promised must hold afterwards.
func TestFailingSystemCalls(t *testing.T) {
	if dir := os.Getenv("KEYSTORE_TEST_CHILD"); dir != "" {
		liveInChild(t, dir)
		return
	}
	kctest.Need(t, "strace")
	if err := exec.Command("strace", "-qq", "-o", "/dev/null", "true").Run(); err != nil {
		kctest.Missing(t, fmt.Sprintf("strace cannot trace here: %v", err))
	}
	for _, c := range []struct{ call, errno, says string }{
		{"fsync", "EIO", "check it"},
		{"fsync", "ENOSPC", "free some space"},
		{"pwrite64", "ENOSPC", "free some space"},
		{"pwrite64", "EIO", "check it"},
		{"fallocate", "ENOSPC", "free some space"},
		{"renameat", "EROFS", "read-only"},
	} {
		t.Run(c.call+" "+c.errno, func(t *testing.T) {
			failed := 0
			for _, when := range []string{"1", "2", "3", "4", "6", "8", "11", "15", "20", "1+", "4+", "9+", "14+"} {
				dir := scratch(t)
				// The lock file's pid is written by the first pwrite64; it must not matter.
				child := exec.Command("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace="+c.call,
					"-e", fmt.Sprintf("inject=%s:error=%s:when=%s", c.call, c.errno, when),
					os.Args[0], "-test.run=^TestFailingSystemCalls$")
				child.Env = append(os.Environ(), "KEYSTORE_TEST_CHILD="+dir, "GORACE=atexit_sleep_ms=0")
				var stdout, stderr bytes.Buffer
				child.Stdout, child.Stderr = &stdout, &stderr
				err := child.Run()
				data, rerr := os.ReadFile(filepath.Join(dir, "report.json"))
				if err != nil || rerr != nil {
					t.Fatalf("when %s: child: %v, %v\n%s%s", when, err, rerr, &stdout, &stderr)
				}
				must(t, os.Remove(filepath.Join(dir, "report.json")))
				var r report
				must(t, json.Unmarshal(data, &r))
				if r.Failed != "" {
					failed++
					if !strings.Contains(r.Failed, c.says) || !strings.Contains(r.Failed, dir) {
						t.Errorf("when %s: the error does not help: %s", when, r.Failed)
					}
				}
				w := newWorldIn(t, dir)
				w.kc.SetItems(r.Items)
				h := &history{
					id: r.ID, created: r.Created, posts: r.Posts, maybePost: r.MaybePost, refunding: r.Refunding,
					secret: r.Secret, maybe: r.Maybe, ended: r.Ended, maybeEnd: r.MaybeEnd, touched: true,
				}
				h.check(w)
				w.close()
			}
			if failed < 3 {
				t.Errorf("only %d children met the fault", failed)
			}
		})
	}
}

// liveInChild lives until a call fails three times, and reports. All file
// operations are made by one thread, because strace counts by thread.
func liveInChild(t *testing.T, dir string) {
	runtime.LockOSThread()
	w, h := newWorldIn(t, dir), &history{}
	var r report
life:
	for _, step := range aLife {
		if step.name == "erase" {
			break
		}
		for try := 1; ; try++ {
			err := step.do(w, h)
			if err == nil {
				break
			}
			if r.Failed == "" {
				r.Failed = err.Error()
			}
			if try == 3 {
				break life
			}
		}
	}
	r.ID, r.Created, r.Posts, r.MaybePost, r.Refunding = h.id, h.created, h.posts, h.maybePost, h.refunding
	r.Secret, r.Maybe, r.Ended, r.MaybeEnd, r.Items = h.secret, h.maybe, h.ended, h.maybeEnd, w.kc.Items()
	data, err := json.Marshal(r)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "report.json"), data, 0o600)) // by write, not pwrite64
}

// TestFullDisk fills a small file system between Reserve and Commit: what the
// server answered must find its place all the same. It runs in a mount
// namespace that is its own.
func TestFullDisk(t *testing.T) {
	if os.Getenv("KEYSTORE_TEST_MOUNT") != "" {
		fullDisk(t)
		return
	}
	child := exec.Command(os.Args[0], "-test.run=^TestFullDisk$", "-test.v")
	child.Env = append(os.Environ(), "KEYSTORE_TEST_MOUNT="+t.TempDir())
	child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		child.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		child.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		child.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	out, err := child.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || bytes.Contains(out, []byte("cannot mount")) {
		kctest.Missing(t, fmt.Sprintf("no file system can be mounted here: %v", err))
	}
	if err != nil || !bytes.Contains(out, []byte("--- PASS")) {
		t.Fatalf("%v\n%s", err, out)
	}
}

func fullDisk(t *testing.T) {
	dir := os.Getenv("KEYSTORE_TEST_MOUNT")
	err := syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, "")
	if err == nil {
		err = syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m,mode=700")
	}
	if err != nil {
		t.Fatalf("cannot mount: %v", err)
	}
	w, h := newWorldIn(t, dir), &history{}
	fill := func() {
		t.Helper()
		f, err := os.Create(filepath.Join(dir, "ballast"))
		must(t, err)
		defer f.Close()
		for err == nil {
			_, err = f.Write(make([]byte, 1024))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	big := strings.Repeat("x", MaxSecret)
	must(t, doCreate("first")(w, h))
	must(t, doReserve(w, h))
	fill()
	must(t, doNote(w, h))
	if r, err := w.s.Commit(t.Context(), h.id, []byte(big), []byte(big), nil); err != nil || r.Generation != 2 || w.settled(h.id).Unpublished {
		t.Fatalf("%+v, %v", r, err)
	}
	// No cycle starts that could not be finished.
	if r, err := w.s.Reserve(t.Context(), h.id); !errors.Is(err, syscall.ENOSPC) || r.Used != 1 || r.Pending {
		t.Fatalf("%+v, %v", r, err)
	}
	// Signing out works, and makes room.
	must(t, w.s.Erase(t.Context(), h.id))
	must(t, os.Remove(filepath.Join(dir, "ballast")))
	h = &history{}
	must(t, doCreate("first")(w, h))
	must(t, doReserve(w, h))
	must(t, doCommit("second")(w, h))
	h.check(w)
}
