package keystore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"curfew/keystore/kctest"
)

func TestSizes(t *testing.T) {
	w := newWorld(t)
	big := bytes.Repeat([]byte("x"), MaxSecret+1)
	if _, err := w.s.Create(t.Context(), "work", start, big, nil, nil); !errors.Is(err, ErrTooBig) {
		t.Error(err)
	}
	if _, err := w.s.Create(t.Context(), "work", start, []byte("x"), nil, make([]byte, maxMeta)); !errors.Is(err, ErrTooBig) {
		t.Error(err)
	}
	if err := w.s.PutSecret(t.Context(), "name", big); !errors.Is(err, ErrTooBig) {
		t.Error(err)
	}
	if _, err := w.s.Create(t.Context(), "work", start, nil, nil, nil); err == nil {
		t.Error("an empty secret")
	}
	if _, err := w.s.Create(t.Context(), "w\xf6rk", start, []byte("x"), nil, nil); err == nil {
		t.Error("a name that the ledger cannot give back")
	}
	if n := len(w.ops); n != 0 {
		t.Errorf("%d operations before the refusal: %q", n, w.ops)
	}
	// The largest that is allowed, in every part at once, in one line of the ledger.
	r, err := w.s.Create(t.Context(), strings.Repeat("a", 100), start, big[1:], big[1:], make([]byte, maxMeta-100))
	must(t, err)
	_, err = w.s.Reserve(t.Context(), r.ID)
	must(t, err)
	if _, err = w.s.Commit(t.Context(), r.ID, big[1:], big[1:], make([]byte, maxMeta)); err != nil || w.settled(r.ID).Unpublished {
		t.Fatalf("%+v, %v", r, err)
	}
	// A bigger access token is not worth a session.
	_, err = w.s.Reserve(t.Context(), r.ID)
	must(t, err)
	_, err = w.s.Commit(t.Context(), r.ID, big[1:], big, nil)
	must(t, err)
	w.restart(true)
	if r, err := w.s.Load(t.Context(), r.ID); err != nil || r.Generation != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	if access, err := w.s.Access(t.Context(), r.ID); err != nil || access != nil {
		t.Errorf("%d bytes, %v", len(access), err)
	}
}

// TestCalls says what each call does in the state it must not be made in.
func TestCalls(t *testing.T) {
	w := newWorld(t)
	h := &history{}
	must(t, doCreate("first")(w, h))
	ctx := t.Context()
	wrong := func(what string, r Record, err error) {
		t.Helper()
		if err == nil || isVerdict(err) {
			t.Errorf("%s: %+v, %v", what, r, err)
		}
	}
	r, err := w.s.Refund(ctx, h.id)
	wrong("refund of nothing", r, err)
	r, err = w.s.Commit(ctx, h.id, []byte("x"), nil, nil)
	wrong("commit of nothing", r, err)
	must(t, doReserve(w, h))
	r, err = w.s.Reserve(ctx, h.id)
	wrong("reserve twice", r, err)
	if r.Used != 1 || !r.Pending {
		t.Errorf("%+v", r)
	}
	must(t, doCommit("second")(w, h))
	must(t, doCommit("second")(w, h)) // the same again changes nothing
	if r, err = w.s.Load(ctx, h.id); r.Generation != 2 || err != nil {
		t.Errorf("%+v, %v", r, err)
	}
	r, err = w.s.Commit(ctx, h.id, []byte("third"), []byte(h.access), []byte("meta"))
	wrong("another commit", r, err)
	if r, err = w.s.End(ctx, h.id, "revoked"); err != nil || r.Ended != "revoked" {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err = w.s.End(ctx, h.id, "user"); err != nil || r.Ended != "revoked" {
		t.Errorf("%+v, %v", r, err)
	}
	r, err = w.s.Reserve(ctx, h.id)
	wrong("reserve after the end", r, err)
	if secret, err := w.s.Secret(ctx, h.id); err != nil || string(secret) != "second" {
		t.Errorf("%q, %v", secret, err)
	}
	must(t, w.s.Erase(ctx, h.id))
	must(t, w.s.Erase(ctx, h.id))
	_, err = w.s.Secret(ctx, h.id)
	wrong("secret of an erased one", Record{}, err)
	for _, id := range []string{"", "../../etc/passwd", "lock", strings.Repeat("a", 26)} {
		_, err = w.s.Load(ctx, id)
		wrong(id, Record{}, err)
	}
}

func TestRecord(t *testing.T) {
	w := newWorld(t)
	var now atomic.Pointer[time.Time] // the keychain follows in its own goroutine
	at := func(t time.Time) { now.Store(&t) }
	at(start)
	w.s.clock = func() time.Time { return *now.Load() }
	r, err := w.s.Create(t.Context(), "work ünd more", start.Add(-time.Minute), []byte("x"), nil, []byte{0, 1, 2, 0xff})
	must(t, err)
	at(start.Add(time.Hour))
	_, err = w.s.Note(t.Context(), r.ID, []byte("new"))
	must(t, err)
	at(start.Add(time.Minute)) // the clock is set back
	got, err := w.s.Note(t.Context(), r.ID, []byte("newer"))
	want := Record{ID: r.ID, Account: "work ünd more", StartedAt: start.Add(-time.Minute), Generation: 1, HighWater: start.Add(time.Hour), Meta: []byte("newer")}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	w.restart(true)
	if got, err := w.s.Load(t.Context(), r.ID); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

// TestLongLedger: thousands of notes do not make the ledger grow without end,
// also while a cycle is pending for days.
func TestLongLedger(t *testing.T) {
	w := newWorld(t)
	h := &history{}
	must(t, doCreate("first")(w, h))
	must(t, doReserve(w, h))
	longest := int64(0)
	for i := range 3000 {
		_, err := w.s.Note(t.Context(), h.id, bytes.Repeat([]byte{byte(i)}, 1000))
		must(t, err)
		info, err := os.Stat(filepath.Join(w.dir, h.id+suffixLedger))
		must(t, err)
		longest = max(longest, info.Size())
	}
	if longest > longLedger+maxLine {
		t.Errorf("it grew to %d bytes", longest)
	}
	w.restart(true)
	h.check(w)
}

// TestCallersBytes: what a caller does with its slices afterwards is its own affair.
func TestCallersBytes(t *testing.T) {
	w := newWorld(t)
	h := &history{}
	must(t, doCreate("first")(w, h))
	for _, f := range []func(meta []byte) error{
		func(meta []byte) error { _, err := w.s.Note(t.Context(), h.id, meta); return err },
		func(meta []byte) error {
			must(t, doReserve(w, h))
			_, err := w.s.Commit(t.Context(), h.id, nil, nil, meta)
			return err
		},
	} {
		meta := []byte("mine")
		must(t, f(meta))
		copy(meta, "xxxx")
		r, err := w.s.Reserve(t.Context(), h.id)
		must(t, err)
		copy(r.Meta, "yyyy")
		if r, err = w.s.Refund(t.Context(), h.id); err != nil || string(r.Meta) != "mine" {
			t.Errorf("%q, %v", r.Meta, err)
		}
	}
}

// TestLockedFromTheStart: nothing is known for certain and nothing is lost. The
// user can sign out all the same.
func TestLockedFromTheStart(t *testing.T) {
	w := newWorld(t)
	h := &history{}
	must(t, doCreate("first")(w, h))
	must(t, doReserve(w, h))
	must(t, doCommit("second")(w, h))
	w.kc.SetLocked(true)
	w.restart(false)
	ctx := t.Context()
	if err := w.s.Status(ctx); !errors.Is(err, ErrLocked) {
		t.Error(err)
	}
	if _, err := w.s.Note(ctx, h.id, nil); !errors.Is(err, ErrLocked) {
		t.Error(err)
	}
	r, err := w.s.Load(ctx, h.id)
	if !errors.Is(err, ErrLocked) || !r.Unverified || r.Account != "work" || r.Used != 1 || r.Generation != 2 || string(r.Meta) != "meta" {
		t.Errorf("%+v, %v", r, err)
	}
	for name, f := range map[string]func() error{
		"secret":  func() error { _, err := w.s.Secret(ctx, h.id); return err },
		"access":  func() error { _, err := w.s.Access(ctx, h.id); return err },
		"reserve": func() error { _, err := w.s.Reserve(ctx, h.id); return err },
		"note":    func() error { _, err := w.s.Note(ctx, h.id, nil); return err },
	} {
		if err := f(); !errors.Is(err, ErrLocked) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if r, err := w.s.End(ctx, h.id, "user"); err != nil || r.Ended != "user" {
		t.Fatalf("%+v, %v", r, err)
	}
	w.restart(false)
	if r, err := w.s.Load(ctx, h.id); !errors.Is(err, ErrLocked) || r.Ended != "user" {
		t.Errorf("%+v, %v", r, err)
	}
	must(t, w.s.Unlock(ctx))
	if r, err := w.s.Load(ctx, h.id); err != nil || r.Ended != "user" || r.Unverified {
		t.Errorf("%+v, %v", r, err)
	}
	if secret, err := w.s.Secret(ctx, h.id); err != nil || string(secret) != "second" { // to revoke it
		t.Errorf("%q, %v", secret, err)
	}
	if names := readDir(t, w.dir); len(names) != 2 {
		t.Errorf("the mark is in the ledger now: %v", slices.Collect(maps.Keys(names)))
	}
	// Erasing needs no keychain; its items go when it can be reached.
	w.kc.SetLocked(true)
	must(t, w.s.Erase(ctx, h.id))
	if _, ok := readDir(t, w.dir)[h.id+suffixKey]; ok {
		t.Error("the file half is there")
	}
	w.restart(false)
	if ids := w.s.Sessions(); len(ids) != 0 {
		t.Error(ids)
	}
	w.kc.SetLocked(false)
	must(t, doCreate("another")(w, h))
	must(t, doErase(w, h))
	if items := w.kc.Items(); len(items) != 0 {
		t.Errorf("left: %v", items)
	}
}

func TestNamedSecrets(t *testing.T) {
	thorough(t)
	w := newWorld(t)
	ctx := t.Context()
	if _, err := w.s.GetSecret(ctx, "client"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	must(t, w.s.DeleteSecret(ctx, "client"))
	values := map[string]string{"client": "one", "../other\x00\n": strings.Repeat("two", 3000), "": "empty name"}
	for name, value := range values {
		must(t, w.s.PutSecret(ctx, name, []byte("earlier "+value)))
		must(t, w.s.PutSecret(ctx, name, []byte(value)))
	}
	w.settleAll()
	if files := readDir(t, w.dir); len(files) != 2*len(values) { // key and ledger
		t.Errorf("%d files", len(files))
	}
	for range 2 {
		for name, value := range values {
			if got, err := w.s.GetSecret(ctx, name); err != nil || string(got) != value {
				t.Errorf("%q: %q, %v", name, got, err)
			}
		}
		w.restart(true)
	}
	if ids := w.s.Sessions(); len(ids) != 0 {
		t.Error(ids)
	}
	w.settleAll()
	good := w.snapshot()
	for name, text := range good.items {
		for i := 0; i < len(text); i += 7 {
			b := []byte(text)
			b[i] ^= 1
			items := maps.Clone(good.items)
			items[name] = string(b)
			w.restore(good.files, items)
			bad := 0
			for name := range values {
				if _, err := w.s.GetSecret(ctx, name); err != nil {
					bad++
				}
			}
			if bad != 1 {
				t.Fatalf("%s byte %d: %d bad", name, i, bad)
			}
		}
	}
	// A damaged one can be put again, and deleted.
	for name := range values {
		must(t, w.s.PutSecret(ctx, name, []byte("again")))
		if got, err := w.s.GetSecret(ctx, name); err != nil || string(got) != "again" {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
	for name := range values {
		must(t, w.s.DeleteSecret(ctx, name))
		if _, err := w.s.GetSecret(ctx, name); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	}
	if left := w.snapshot(); len(left.files) != 0 || len(left.items) != 0 {
		t.Errorf("left: %v", left)
	}
}

// TestNamedSecretFaults crashes at each operation of putting and deleting a
// named secret, and then lets each fail. The secret has the old value or the
// new one, or while deleting none. It never has another, and nothing is left
// over.
func TestNamedSecretFaults(t *testing.T) {
	thorough(t)
	for _, how := range []failure{stop, stopTorn, once, forever, hidden} {
		for i := 1; ; i++ {
			w := newWorld(t)
			ctx := t.Context()
			must(t, w.s.PutSecret(ctx, "name", []byte("old")))
			w.settleAll()
			w.arm(i, how)
			err := w.s.PutSecret(ctx, "name", []byte("new"))
			w.settleAll()
			reached := w.n >= i
			w.heal()
			if err != nil || how == stop || how == stopTorn {
				w.restart(how == stop)
			}
			got, gerr := w.s.GetSecret(ctx, "name")
			if gerr != nil || err == nil && string(got) != "new" || string(got) != "old" && string(got) != "new" {
				t.Fatalf("put, operation %d (%d), %v: %q, %v", i, how, err, got, gerr)
			}
			w.restart(false)
			if again, err := w.s.GetSecret(ctx, "name"); err != nil || string(again) != string(got) {
				t.Fatalf("put, operation %d (%d): %q, then %q, %v", i, how, got, again, err)
			}
			w.s.sweep(ctx)
			if left := w.snapshot(); len(left.files) != 2 || len(left.items) != 3 || len(w.s.Sessions()) != 0 {
				t.Fatalf("put, operation %d (%d): left %v", i, how, left)
			}
			w.arm(i, how)
			err = w.s.DeleteSecret(ctx, "name")
			w.heal()
			w.restart(false)
			if _, gerr = w.s.GetSecret(ctx, "name"); err == nil && !errors.Is(gerr, ErrNotFound) {
				t.Fatalf("delete, operation %d (%d): %v", i, how, gerr)
			}
			must(t, w.s.DeleteSecret(ctx, "name"))
			w.s.sweep(ctx)
			w.restart(false)
			w.s.sweep(ctx)
			if left := w.snapshot(); len(left.files) != 0 || len(left.items) != 0 {
				t.Fatalf("operation %d (%d): left %v", i, how, left)
			}
			w.close()
			if !reached {
				break
			}
		}
	}
}

// TestHangingKeychain: a keychain that does not answer costs its caller three
// seconds. Nothing overtakes the call that hangs. All goes on afterwards.
func TestHangingKeychain(t *testing.T) {
	dir := scratch(t)
	synctest.Test(t, func(t *testing.T) {
		kc := newKeychain()
		s, err := Open(Config{Dir: dir, Keychain: kc})
		must(t, err)
		r, err := s.Create(t.Context(), "work", start, []byte("first"), nil, nil)
		must(t, err)
		id := r.ID
		synctest.Wait() // until the keychain follows
		hang := make(chan struct{})
		var sets atomic.Int32
		kc.Before(func(c kctest.Call) error {
			if c.Op == "set" {
				sets.Add(1)
				<-hang
			}
			return nil
		})
		began := time.Now()
		if _, err := s.Reserve(t.Context(), id); !errors.Is(err, ErrTimeout) {
			t.Error(err)
		}
		if took := time.Since(began); took != backgroundLimit {
			t.Errorf("gave up after %v", took)
		}
		for range 3 {
			if _, err := s.Reserve(t.Context(), id); !errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(), "busy") {
				t.Error(err)
			}
			if err := s.Status(t.Context()); !errors.Is(err, ErrTimeout) {
				t.Error(err)
			}
		}
		if n := sets.Load(); n != 1 {
			t.Errorf("%d writes at once", n)
		}
		kc.Before(nil)
		close(hang) // the write lands late
		synctest.Wait()
		if r, err := s.Reserve(t.Context(), id); err != nil || r.Used != 1 || !r.Pending {
			t.Errorf("%+v, %v", r, err)
		}
		// One that hangs in Commit keeps no caller waiting.
		hang = make(chan struct{})
		kc.Before(func(c kctest.Call) error {
			if c.Op == "set" {
				<-hang
			}
			return nil
		})
		began = time.Now()
		if r, err := s.Commit(t.Context(), id, []byte("second"), nil, nil); err != nil || !r.Unpublished || time.Since(began) > 0 {
			t.Errorf("%+v, %v after %v", r, err, time.Since(began))
		}
		synctest.Wait()
		// Close waits no longer than its context.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Close(ctx); err == nil {
			t.Error("the call in flight was forgotten")
		}
		close(hang)
		kc.Before(nil)
		synctest.Wait()
		if s, err = Open(Config{Dir: dir, Keychain: kc}); err != nil {
			t.Fatal(err)
		}
		if r, err := s.Load(t.Context(), id); err != nil || r.Generation != 2 || r.Unpublished {
			t.Errorf("%+v, %v", r, err)
		}
		must(t, s.Close(t.Context()))
	})
}

// TestLateKeychain: a keychain is slow to make a write durable. That delays
// what comes before a request and the call after it, but not callers that wait
// for a token.
func TestLateKeychain(t *testing.T) {
	dir := scratch(t)
	synctest.Test(t, func(t *testing.T) {
		kc := &lateKeychain{Keychain: newKeychain()}
		kc.After(func(c kctest.Call) error {
			if c.Op == "set" || c.Op == "delete" {
				kc.changed.Store(true)
			}
			return nil
		})
		s, err := Open(Config{Dir: dir, Keychain: kc})
		must(t, err)
		took := func(what string, want time.Duration, f func() error) {
			t.Helper()
			began := time.Now()
			if err := f(); err != nil || time.Since(began) != want {
				t.Errorf("%s: %v, %v after %v, not %v", what, kc.Items(), err, time.Since(began), want)
			}
		}
		var r Record
		load := func() error {
			r, err = s.Load(t.Context(), r.ID)
			return err
		}
		took("Create", slowness, func() error {
			r, err = s.Create(t.Context(), "work", start, []byte("first"), nil, nil)
			return err
		})
		took("Load", slowness, load)
		took("Reserve", slowness, func() error {
			_, err := s.Reserve(t.Context(), r.ID)
			return err
		})
		took("Commit", 0, func() error {
			r, err = s.Commit(t.Context(), r.ID, []byte("second"), nil, nil)
			return err
		})
		if !r.Unpublished || r.Pending || r.Generation != 2 || r.Used != 1 {
			t.Errorf("%+v", r)
		}
		took("the next Reserve", 2*slowness, func() error {
			r, err = s.Reserve(t.Context(), r.ID)
			return err
		})
		if r.Unpublished || !r.Pending || r.Used != 2 {
			t.Errorf("%+v", r)
		}
		_, err = s.Commit(t.Context(), r.ID, []byte("third"), nil, nil)
		must(t, err)
		took("Close", 0, func() error { return s.Close(t.Context()) })

		s, err = Open(Config{Dir: dir, Keychain: kc})
		must(t, err)
		took("Load of what was cut short", slowness, load)
		if r.Unpublished || r.Generation != 3 || r.Used != 2 {
			t.Errorf("%+v", r)
		}
		took("Erase", slowness, func() error { return s.Erase(t.Context(), r.ID) })
		must(t, os.WriteFile(filepath.Join(dir, r.ID+suffixGone), nil, 0o600)) // as a crash leaves it
		must(t, s.Close(t.Context()))
		s, err = Open(Config{Dir: dir, Keychain: kc})
		must(t, err)
		took("a sweep of what is swept", slowness, func() error {
			s.sweep(t.Context())
			return nil
		})
		if s.disk.exists(r.ID + suffixGone) {
			t.Error("it is to be swept again")
		}
		must(t, s.Close(t.Context()))
	})
}

// A lateKeychain writes late, and only what changed, as KWallet's ksecretd.
type lateKeychain struct {
	*kctest.Keychain
	changed atomic.Bool
}

const slowness = 5 * time.Second

func (k *lateKeychain) Flush(ctx context.Context) error {
	if k.changed.Swap(false) {
		select {
		case <-time.After(slowness):
			return nil
		case <-ctx.Done():
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

// TestSecretLooksAgain: what Reserve saw of the keychain holds for a moment, not
// for as long as its cycle is pending.
func TestSecretLooksAgain(t *testing.T) {
	dir := scratch(t)
	synctest.Test(t, func(t *testing.T) {
		kc := newKeychain()
		s, err := Open(Config{Dir: dir, Keychain: kc})
		must(t, err)
		defer s.Close(t.Context())
		r, err := s.Create(t.Context(), "work", start, []byte("first"), nil, nil)
		must(t, err)
		synctest.Wait()
		before := kc.Items()
		_, err = s.Reserve(t.Context(), r.ID)
		must(t, err)
		read := 0
		kc.Before(func(c kctest.Call) error {
			if c.Op == "get" {
				read++
			}
			return nil
		})
		if secret, err := s.Secret(t.Context(), r.ID); err != nil || string(secret) != "first" || read != 1 {
			t.Errorf("%q, %v after %d reads", secret, err, read)
		}
		kc.SetItems(before)
		time.Sleep(aMoment + 1)
		if secret, err := s.Secret(t.Context(), r.ID); !errors.Is(err, ErrTampered) {
			t.Errorf("%q, %v", secret, err)
		}
	})
}

// TestProbeHangs: what hangs before a write must not write when it wakes up.
func TestProbeHangs(t *testing.T) {
	dir := scratch(t)
	synctest.Test(t, func(t *testing.T) {
		kc := newKeychain()
		s, err := Open(Config{Dir: dir, Keychain: kc})
		must(t, err)
		defer s.Close(t.Context())
		hang := make(chan struct{})
		kc.Before(func(c kctest.Call) error {
			if c.Op == "probe" {
				<-hang
			}
			return nil
		})
		if err := s.keychain.set(t.Context(), "late", "value"); !errors.Is(err, ErrTimeout) {
			t.Error(err)
		}
		close(hang)
		synctest.Wait()
		if items := kc.Items(); len(items) != 0 {
			t.Errorf("written for nobody: %v", items)
		}
	})
}

func TestUnlockWaits(t *testing.T) {
	dir := scratch(t)
	synctest.Test(t, func(t *testing.T) {
		kc := newKeychain()
		kc.SetLocked(true)
		s, err := Open(Config{Dir: dir, Keychain: kc})
		must(t, err)
		defer s.Close(t.Context())
		kc.Before(func(c kctest.Call) error {
			if c.Op == "unlock" {
				time.Sleep(100 * time.Second) // somebody looks for the password
			}
			return nil
		})
		must(t, s.Unlock(t.Context()))
		must(t, s.Status(t.Context()))
	})
}

func TestPanickingKeychain(t *testing.T) {
	w := newWorld(t)
	w.kc.Before(func(kctest.Call) error { panic("of the secret x") })
	err := w.s.Status(t.Context())
	if !errors.Is(err, ErrUnavailable) || strings.Contains(err.Error(), "secret x") {
		t.Error(err)
	}
	w.kc.Before(func(kctest.Call) error { var p []int; _ = p[len(p)]; return nil })
	if err := w.s.Status(t.Context()); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "index out of range") {
		t.Error(err)
	}
	w.kc.Before(nil)
	must(t, w.s.Status(t.Context()))
}

// TestLyingKeychain: it says "stored" or "deleted" and does neither, as go-keyring
// does when the user declined.
func TestLyingKeychain(t *testing.T) {
	w := newWorld(t)
	before := w.kc.Items()
	w.kc.After(func(c kctest.Call) error {
		if c.Op == "set" {
			w.kc.SetItems(before)
		}
		return nil
	})
	if _, err := w.s.Create(t.Context(), "work", start, []byte("x"), nil, nil); !errors.Is(err, ErrDenied) {
		t.Error(err)
	}
	w.kc.After(nil)
	if err := w.s.Status(t.Context()); !errors.Is(err, ErrDenied) { // it is not asked again automatically
		t.Error(err)
	}
	must(t, w.s.Unlock(t.Context()))
	must(t, w.s.Status(t.Context()))
	w.s.sweep(t.Context())
	if ids := w.s.Sessions(); len(ids) != 0 || len(readDir(t, w.dir)) != 0 {
		t.Errorf("%v, %v", ids, readDir(t, w.dir))
	}
	// One that keeps half of what it was given.
	h := &history{}
	must(t, doCreate("first")(w, h))
	w.kc.After(func(c kctest.Call) error {
		if c.Op == "set" {
			items := w.kc.Items()
			items["curfew/"+c.User] = c.Value[:len(c.Value)/2]
			w.kc.SetItems(items)
		}
		return nil
	})
	if _, err := w.s.Reserve(t.Context(), h.id); !errors.Is(err, ErrDenied) {
		t.Error(err)
	}
}

// TestUndeletable: one item that cannot be deleted stays until it can. All
// others go.
func TestUndeletable(t *testing.T) {
	w := newWorld(t)
	var ids []string
	for range 3 {
		h := &history{}
		must(t, doCreate(strings.Repeat("first ", 500))(w, h))
		ids = append(ids, h.id)
	}
	slices.Sort(ids)
	stays := itemHighWater(ids[0])
	w.kc.Before(func(c kctest.Call) error {
		if c.Op == "delete" && c.User == stays {
			return ErrDenied
		}
		return nil
	})
	for _, id := range ids {
		must(t, w.s.Erase(t.Context(), id))
	}
	for range 2 {
		if items := w.kc.Items(); len(items) != 1 || items["curfew/"+stays] == "" {
			t.Errorf("left: %v", slices.Collect(maps.Keys(items)))
		}
		if files := readDir(t, w.dir); len(files) != 1 {
			t.Errorf("left: %v", files)
		}
		w.restart(false)
		w.s.sweep(t.Context())
	}
	w.kc.Before(nil)
	w.s.sweep(t.Context())
	if left := w.snapshot(); len(left.items)+len(left.files) != 0 {
		t.Errorf("left: %v", left)
	}
}

// TestLoadWhileTaken: a session is loaded again while others wait for it. The race
// detector sees whether they look at what a load replaces.
func TestLoadWhileTaken(t *testing.T) {
	w := newWorld(t)
	h := &history{}
	must(t, doCreate("first")(w, h))
	var calls sync.WaitGroup
	for range 4 {
		calls.Go(func() {
			for range 20 {
				if _, err := w.s.Load(t.Context(), h.id); err != nil {
					t.Error(err)
				}
				if secret, err := w.s.Secret(t.Context(), h.id); err != nil || string(secret) != "first" {
					t.Errorf("%q, %v", secret, err)
				}
			}
		})
	}
	calls.Wait()
}

func TestChanges(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	ticks := w.s.Changes(ctx)
	for w.kc.SetLocked(true); len(ticks) == 0; w.kc.SetLocked(true) { // until it listens
		runtime.Gosched()
	}
	<-ticks
	cancel()
	for range ticks { // closed in the end
	}
}

// TestLateAnswer: Changes ticks when the keychain has answered a call that was
// given up, also where the keychain reports nothing else.
func TestLateAnswer(t *testing.T) {
	slow := slowKeychain{newKeychain(), make(chan struct{}, 2), make(chan struct{})}
	s, err := Open(Config{Dir: filepath.Join(t.TempDir(), "state"), Keychain: slow})
	must(t, err)
	ticks := s.Changes(t.Context())
	ctx, giveUp := context.WithCancel(t.Context())
	go func() {
		<-slow.asked
		giveUp()
	}()
	if err := s.Status(ctx); !errors.Is(err, ErrTimeout) {
		t.Error(err)
	}
	if len(ticks) > 0 {
		t.Error("a tick before there was an answer")
	}
	close(slow.answer)
	select {
	case <-ticks:
	case <-time.After(time.Minute):
		t.Error("no tick")
	}
	must(t, s.Status(t.Context()))
	must(t, s.Close(t.Context()))
}

// slowKeychain has nothing but the methods of Keychain, and answers late.
type slowKeychain struct {
	Keychain
	asked, answer chan struct{}
}

func (k slowKeychain) Probe(context.Context) error {
	k.asked <- struct{}{}
	<-k.answer
	return nil
}

func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s, err := Open(Config{Dir: dir, Keychain: newKeychain()})
	must(t, err)
	_, err = Open(Config{Dir: dir, Keychain: newKeychain()})
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), fmt.Sprintf("process %d", os.Getpid())) || !strings.Contains(err.Error(), dir) {
		t.Error(err)
	}
	must(t, s.Close(t.Context()))
	must(t, s.Close(t.Context()))
	if err := s.Status(t.Context()); err == nil {
		t.Error("it works after Close")
	}
	s, err = Open(Config{Dir: dir, Keychain: newKeychain()})
	must(t, err)
	must(t, s.Close(t.Context()))
}

// TestDiskErrors: the message says what failed and where, and the hint what to
// do.
func TestDiskErrors(t *testing.T) {
	w := newWorld(t)
	h := &history{}
	must(t, doCreate("first")(w, h))
	for _, c := range []struct {
		err  error
		want string
	}{
		{syscall.ENOSPC, "free some space"}, {syscall.EROFS, "read-only"}, {syscall.EIO, "check it"}, {syscall.EACCES, "owner and mode"},
	} {
		w.fault = func(op, _ string) error {
			if op == "read" || op == "open" {
				return nil
			}
			return c.err
		}
		_, err := w.s.Reserve(t.Context(), h.id)
		if !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), w.dir) {
			t.Errorf("%v: %v", c.err, err)
		}
		if r, _ := w.s.Load(t.Context(), h.id); r.Used != 0 {
			t.Errorf("counted without a line: %+v", r)
		}
	}
	w.fault = nil
	must(t, doReserve(w, h))
}

// TestOverlappingCalls are not allowed to callers, and harmless.
func TestOverlappingCalls(t *testing.T) {
	w := newWorld(t)
	h := &history{}
	must(t, doCreate("first")(w, h))
	ok, done := atomic.Int32{}, make(chan bool)
	for range 20 {
		go func() {
			if _, err := w.s.Reserve(t.Context(), h.id); err == nil {
				ok.Add(1)
			}
			w.s.Note(t.Context(), h.id, []byte("x"))
			w.s.Secret(t.Context(), h.id)
			done <- true
		}()
	}
	for range 20 {
		<-done
	}
	if r, err := w.s.Load(t.Context(), h.id); ok.Load() != 1 || err != nil || r.Used != 1 {
		t.Errorf("%d reserved, %+v, %v", ok.Load(), r, err)
	}
}

// TestNoSecretIsLogged runs a life with everything failing in turn and reads the log.
func TestNoSecretIsLogged(t *testing.T) {
	var log bytes.Buffer
	n := operations(t)
	for i := 1; i <= n; i++ {
		w, h := newWorld(t), &history{}
		logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		w.s.log, w.s.keychain.log = logger, logger
		w.arm(i, forever)
		for _, step := range aLife {
			if err := step.do(w, h); err != nil {
				fmt.Fprintln(&log, err)
				w.heal()
			}
		}
		for _, text := range w.kc.Items() {
			if strings.Contains(log.String(), text) {
				t.Fatalf("the log shows an item: %s", text)
			}
		}
		w.close()
	}
	if log.Len() == 0 {
		t.Fatal("nothing was logged")
	}
	for _, clear := range []string{"first ", "second", "third ", "fourth", "access of", "access after"} {
		if strings.Contains(log.String(), clear) {
			t.Errorf("the log shows %q", clear)
		}
	}
}
