package keystore

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"curfew/keystore/kctest"
)

// A world is a state directory and a keychain in which every operation that
// changes something is counted, and can be made to fail or to be the last.
type world struct {
	t   testing.TB
	dir string
	kc  *kctest.Keychain
	s   *Store

	mu      sync.Mutex
	n       int               // changing operations so far
	at      int               // the one that fails; 0: none
	how     failure           // and how
	dead    bool              // nothing happens any more
	ops     []string          // what they were
	flushed map[string]string // the keychain as a power cut would leave it

	fault func(op, name string) error // asked before every operation on the disk; nil: nothing fails
}

type failure int

const (
	stop     failure = iota // the program ends before it
	stopTorn                // the program ends in the middle of it, if it is a write
	once                    // it fails
	forever                 // it and all after it fail
	hidden                  // a keychain call works but says it failed
)

var (
	errDead  = errors.New("the program ended here")
	errFault = fmt.Errorf("injected: %w", syscall.EIO)
)

// scratch is a directory where fsync costs nothing.
func scratch(t testing.TB) string {
	t.Helper()
	base := "/dev/shm"
	if info, err := os.Stat(base); err != nil || !info.IsDir() {
		base = ""
	}
	dir, err := os.MkdirTemp(base, "keystore")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func newKeychain() *kctest.Keychain { return kctest.NewKeychain(ErrNotFound, ErrLocked) }

func newWorld(t testing.TB) *world { return newWorldIn(t, scratch(t)) }

func newWorldIn(t testing.TB, dir string) *world {
	w := &world{t: t, dir: dir, kc: newKeychain(), flushed: map[string]string{}}
	w.kc.Before(func(c kctest.Call) error {
		if c.Op == "get" || c.Op == "probe" {
			return w.alive()
		}
		return w.op("keychain "+c.Op, c.User)
	})
	w.kc.After(func(c kctest.Call) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if c.Op == "flush" {
			w.flushed = w.kc.Items()
		}
		if w.how == hidden && w.n == w.at && (c.Op == "set" || c.Op == "delete") {
			return fmt.Errorf("injected: %w", ErrTimeout)
		}
		return nil
	})
	w.open()
	t.Cleanup(w.close)
	return w
}

func (w *world) alive() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return errDead
	}
	return nil
}

// op counts a changing operation and decides about it.
func (w *world) op(op, name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return errDead
	}
	w.n++
	w.ops = append(w.ops, op+" "+name)
	switch {
	case w.at == 0 || w.n < w.at || w.how == hidden:
		return nil
	case w.how == stop, w.how == stopTorn:
		w.dead = true
		if w.how == stopTorn && op == "write" {
			return torn(20)
		}
		return errDead
	case w.how == once && w.n > w.at:
		return nil
	}
	return errFault
}

func (w *world) open() {
	w.t.Helper()
	s, err := Open(Config{Dir: w.dir, Keychain: w.kc})
	if err != nil {
		w.t.Fatal(err)
	}
	w.s = s
	w.fault = func(op, name string) error {
		if op == "read" || op == "list" || op == "open" {
			return w.alive()
		}
		return w.op(op, name)
	}
	s.disk.root = faultyDirectory{s.disk.root, w}
}

// A faultyDirectory asks its world before every single operation. An error
// takes the operation's place. A torn error lets that many bytes through first.
type faultyDirectory struct {
	directory
	w *world
}

// torn is the error of a write that stopped after so many bytes.
type torn int

func (t torn) Error() string { return fmt.Sprintf("write cut short after %d bytes", int(t)) }

func (w *world) asked(op, name string, f func() error) error {
	if w.fault != nil {
		if err := w.fault(op, name); err != nil {
			return err
		}
	}
	return f()
}

func (d faultyDirectory) Open(name string, flag int) (f file, err error) {
	op := map[int]string{os.O_RDONLY: "read", os.O_WRONLY: "open"}[flag]
	if op == "" {
		op = "create"
	}
	err = d.w.asked(op, name, func() error {
		f, err = d.directory.Open(name, flag)
		return err
	})
	return faultyFile{f, name, d.w}, err
}

func (d faultyDirectory) Names() (names []string, err error) {
	err = d.w.asked("list", ".", func() error { names, err = d.directory.Names(); return err })
	return names, err
}

func (d faultyDirectory) Rename(from, to string) error {
	return d.w.asked("rename", to, func() error { return d.directory.Rename(from, to) })
}

func (d faultyDirectory) Remove(name string) error {
	return d.w.asked("remove", name, func() error { return d.directory.Remove(name) })
}

func (d faultyDirectory) Sync() error {
	return d.w.asked("sync", "the directory", d.directory.Sync)
}

type faultyFile struct {
	file
	name string
	w    *world
}

func (f faultyFile) WriteAt(data []byte, off int64) (int, error) {
	err := f.w.asked("write", f.name, func() error {
		_, err := f.file.WriteAt(data, off)
		return err
	})
	if n, ok := errors.AsType[torn](err); ok {
		f.file.WriteAt(data[:min(int(n), len(data))], off)
	}
	return len(data), err
}

func (f faultyFile) Sync() error { return f.w.asked("sync", f.name, f.file.Sync) }

func (f faultyFile) Truncate(size int64) error {
	return f.w.asked("truncate", f.name, func() error { return f.file.Truncate(size) })
}

func (f faultyFile) Allocate(off, n int64) error {
	return f.w.asked("reserve space for", f.name, func() error { return f.file.Allocate(off, n) })
}

// settled waits until the keychain follows, or failed to.
func (w *world) settled(id string) Record {
	t, err := w.s.take(w.t.Context(), id)
	if err != nil {
		return Record{}
	}
	defer t.release()
	return t.record()
}

// settleAll does so for everything that is kept.
func (w *world) settleAll() {
	w.s.mu.Lock()
	ids := slices.Collect(maps.Keys(w.s.sessions))
	w.s.mu.Unlock()
	for _, id := range ids {
		w.settled(id)
	}
}

func (w *world) close() { w.s.Close(w.t.Context()) }

// arm makes the nth changing operation from now fail.
func (w *world) arm(n int, how failure) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.n, w.at, w.how, w.ops = 0, n, how, nil
}

// heal ends all faults.
func (w *world) heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at, w.dead = 0, false
}

// restart is what happens after a crash: a new program on what is there. After a
// power cut the keychain is as it was last flushed.
func (w *world) restart(powerCut bool) {
	w.close()
	w.heal()
	if powerCut {
		w.kc.SetItems(w.flushed)
	}
	w.open()
}

// A snapshot is everything that is stored.
type snapshot struct{ files, items map[string]string }

func (w *world) snapshot() snapshot {
	return snapshot{readDir(w.t, w.dir), w.kc.Items()}
}

func readDir(t testing.TB, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		if e.Name() == "lock" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(data)
	}
	return files
}

// restore puts files and items back and starts a new program on them.
func (w *world) restore(files, items map[string]string) {
	w.t.Helper()
	w.close()
	for name := range readDir(w.t, w.dir) {
		os.Remove(filepath.Join(w.dir, name))
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(data), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	w.kc.SetItems(maps.Clone(items))
	w.open()
}

// A history is what a caller knows it did with one session: what must hold
// whatever happened to the program meanwhile.
type history struct {
	id        string
	created   bool
	posts     int      // cycles whose Reserve succeeded, less refunds that did
	maybePost int      // posts, and those begun
	refunding bool     // a Refund was begun and did not succeed
	secret    string   // of the last Commit that succeeded
	maybe     []string // what a Commit that failed may have left instead
	access    string
	ended     bool
	maybeEnd  bool
	pending   bool // a Reserve succeeded and nothing after it
	touched   bool // a call failed, so pending is not certain
	erased    bool
	maybeGone bool
}

// A doing is one call of a life.
type doing func(w *world, h *history) error

var start = time.UnixMilli(1_795_000_000_000)

func doCreate(secret string) doing {
	return func(w *world, h *history) error {
		r, err := w.s.Create(w.t.Context(), "work", start, []byte(secret), []byte("access of "+secret), []byte("meta"))
		if err == nil {
			w.settled(r.ID)
			h.id, h.created, h.secret, h.access = r.ID, true, secret, "access of "+secret
		}
		return err
	}
}

func doReserve(w *world, h *history) error {
	if h.maybePost == h.posts {
		h.maybePost++
	}
	_, err := w.s.Reserve(w.t.Context(), h.id)
	if err == nil {
		h.posts++
	}
	h.pending, h.touched = err == nil, err != nil
	return err
}

func doRefund(w *world, h *history) error {
	h.refunding = true
	_, err := w.s.Refund(w.t.Context(), h.id)
	if err == nil {
		h.refunding = false
		h.posts--
		h.maybePost = h.posts + 1 // until the keychain has it, it still counts
		h.pending = false
	}
	h.touched = err != nil
	return err
}

func doCommit(secret string) doing {
	return func(w *world, h *history) error {
		var b []byte
		if secret != "" {
			b = []byte(secret)
			h.maybe = append(h.maybe, secret)
		}
		access := fmt.Sprint("access after ", h.posts)
		_, err := w.s.Commit(w.t.Context(), h.id, b, []byte(access), []byte("meta"))
		w.settled(h.id)
		if err == nil {
			if secret != "" {
				h.secret = secret
			}
			h.maybe, h.access, h.pending = nil, access, false
		}
		h.touched = err != nil
		return err
	}
}

func doNote(w *world, h *history) error {
	_, err := w.s.Note(w.t.Context(), h.id, []byte(strings.Repeat("note", 100)))
	return err
}

func doEnd(w *world, h *history) error {
	h.maybeEnd = true
	_, err := w.s.End(w.t.Context(), h.id, "user")
	h.ended = h.ended || err == nil
	return err
}

func doErase(w *world, h *history) error {
	h.maybeGone = true
	err := w.s.Erase(w.t.Context(), h.id)
	h.erased = err == nil
	return err
}

func doLoad(w *world, h *history) error {
	_, err := w.s.Load(w.t.Context(), h.id)
	return err
}

// aLife goes through everything that can happen to a session.
var aLife = []struct {
	name string
	do   doing
}{
	{"create", doCreate(strings.Repeat("first ", 500))},
	{"reserve", doReserve}, {"commit", doCommit("second")},
	{"reserve", doReserve}, {"refund", doRefund},
	{"note", doNote},
	{"reserve", doReserve}, {"commit", doCommit(strings.Repeat("third ", 900))},
	{"load", doLoad},
	{"reserve", doReserve}, {"commit the old one", doCommit("")},
	{"reserve", doReserve}, {"end", doEnd}, {"commit after the end", doCommit("fourth")},
	{"erase", doErase},
}

// check loads the session after whatever happened and holds it against the history.
func (h *history) check(w *world) {
	w.t.Helper()
	fail := func(format string, args ...any) {
		w.t.Helper()
		w.t.Fatalf("after %q (%d):\n%s", w.ops[max(0, len(w.ops)-8):], w.how, fmt.Sprintf(format, args...))
	}
	ids := w.s.Sessions()
	if !h.created {
		// It was never promised. If it is there nevertheless it must be whole.
		for _, id := range ids {
			if _, err := w.s.Load(w.t.Context(), id); err != nil {
				fail("a session that was half made: %v", err)
			}
		}
		return
	}
	if h.erased || h.maybeGone && len(ids) == 0 {
		if len(ids) != 0 {
			fail("an erased session is there")
		}
		w.s.sweep(w.t.Context())
		if items := w.kc.Items(); len(items) != 0 {
			fail("an erased session left %v", items)
		}
		return
	}
	if len(ids) != 1 || ids[0] != h.id {
		fail("sessions: %v", ids)
	}
	r, err := w.s.Load(w.t.Context(), h.id)
	if err != nil {
		fail("the session is lost: %v", err)
	}
	if r.Unpublished || r.Unverified {
		fail("not finished: %+v", r)
	}
	least := h.posts
	if h.refunding {
		least--
	}
	if r.Used < least || r.Used > max(h.posts, h.maybePost) {
		fail("used %d after %d to %d cycles", r.Used, h.posts, h.maybePost)
	}
	if h.pending && !h.touched && !r.Pending {
		fail("the pending cycle is forgotten")
	}
	secret, err := w.s.Secret(w.t.Context(), h.id)
	if err != nil {
		fail("secret: %v", err)
	}
	if string(secret) != h.secret {
		known := false
		for _, m := range h.maybe {
			known = known || m == string(secret)
		}
		if !known {
			fail("secret %.10q, not %.10q", secret, h.secret)
		}
		h.secret = string(secret)
	} else if len(h.maybe) == 0 {
		if access, err := w.s.Access(w.t.Context(), h.id); err != nil || string(access) != h.access && !h.touched {
			fail("access %q, not %q, %v", access, h.access, err)
		}
	}
	if h.ended && r.Ended == "" || r.Ended != "" && !h.maybeEnd {
		fail("ended: %q", r.Ended)
	}
	// Only one generation may be in the keychain.
	slots := map[string]bool{}
	for name := range w.kc.Items() {
		if name = strings.TrimPrefix(name, "curfew/"+h.id+"."); name[0] == 'a' || name[0] == 'b' {
			slots[name[:1]] = true
		}
	}
	if len(slots) != 1 {
		fail("slots %v", slots)
	}
	// And it goes on.
	if r.Ended == "" {
		used := r.Used
		if !r.Pending {
			if r, err = w.s.Reserve(w.t.Context(), h.id); err != nil || r.Used != used+1 {
				fail("cannot go on: %+v %v", r, err)
			}
		}
		if _, err = w.s.Commit(w.t.Context(), h.id, []byte("next"), nil, nil); err != nil || w.settled(h.id).Unpublished {
			fail("cannot go on: %+v %v", r, err)
		}
		if secret, err := w.s.Secret(w.t.Context(), h.id); err != nil || string(secret) != "next" {
			fail("cannot go on: %q %v", secret, err)
		}
	}
}

// thorough skips a test of thousands of stores where the short ones are asked for.
func thorough(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("a thousand stores on the disk: minutes under Wine")
	}
}
