package keystore

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// live goes through aLife until a call fails, and returns how far it came.
func live(w *world, h *history) error {
	for _, step := range aLife {
		if err := step.do(w, h); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

// operations is how many changing operations aLife takes.
func operations(t *testing.T) int {
	w, h := newWorld(t), &history{}
	w.arm(0, stop)
	if err := live(w, h); err != nil {
		t.Fatal(err)
	}
	h.check(w)
	return w.n
}

// TestDurableOrder reads the operations of a life in their order. What was
// written is synced before anything else happens. So is the directory after a
// name came or went, and the keychain before the ledger relies on it. The file
// half of a key is the first thing that goes.
func TestDurableOrder(t *testing.T) {
	w, h := newWorld(t), &history{}
	w.arm(0, stop)
	must(t, live(w, h))
	follows := func(i int, want string) {
		t.Helper()
		if i+1 >= len(w.ops) || w.ops[i+1] != want {
			t.Errorf("after %q comes %q, not %q", w.ops[i], w.ops[min(i+1, len(w.ops)-1)], want)
		}
	}
	unflushed, erased := "", false
	for i, op := range w.ops {
		verb, name, _ := strings.Cut(op, " ")
		switch verb {
		case "write":
			follows(i, "sync "+name)
			if strings.HasSuffix(name, suffixLedger) && unflushed != "" {
				t.Errorf("%q is not durable when the ledger goes on", unflushed)
			}
		case "rename":
			follows(i, "sync the directory")
		case "remove":
			follows(i, "sync the directory")
			erased = erased || strings.HasSuffix(name, suffixKey)
			if !erased {
				t.Errorf("%q before the file half of the key", op)
			}
		case "keychain":
			switch {
			case strings.HasPrefix(name, "set"):
				unflushed = op
			case strings.HasPrefix(name, "flush"):
				unflushed = ""
			}
		}
	}
}

// TestCrashAnywhere ends the program before each operation that changes
// anything, and in the middle of each write, then starts it again.
func TestCrashAnywhere(t *testing.T) {
	n := operations(t)
	t.Logf("%d operations", n)
	if n < 100 {
		t.Fatalf("a life of %d operations: are they counted?", n)
	}
	for _, c := range []struct {
		name     string
		how      failure
		powerCut bool
	}{{"kill", stop, false}, {"torn write", stopTorn, false}, {"power cut", stop, true}, {"power cut in a write", stopTorn, true}} {
		t.Run(c.name, func(t *testing.T) {
			for i := 1; i <= n; i++ {
				w, h := newWorld(t), &history{}
				w.arm(i, c.how)
				err := live(w, h)
				if !w.dead {
					t.Fatalf("operation %d was never reached", i)
				}
				if err != nil && !errors.Is(err, errDead) {
					if _, ok := errors.AsType[torn](err); !ok {
						t.Fatalf("operation %d: an error hides the crash: %v", i, err)
					}
				}
				w.restart(c.powerCut)
				if c.powerCut && h.erased {
					continue // unreadable items may come back; nothing knows of them any more
				}
				h.check(w)
				w.close()
			}
		})
	}
}

// TestCrashTwice ends the program a second time while it recovers.
func TestCrashTwice(t *testing.T) {
	thorough(t)
	n := operations(t)
	for i := 1; i <= n; i++ {
		for j := 1; ; j++ {
			w, h := newWorld(t), &history{}
			w.arm(i, stopTorn)
			live(w, h)
			w.restart(false)
			w.arm(j, stop)
			if h.created && len(w.s.Sessions()) == 1 {
				w.s.Load(t.Context(), h.id)
			} else {
				w.s.sweep(t.Context())
			}
			done := !w.dead
			w.restart(true)
			h.check(w)
			w.close()
			if done {
				break
			}
		}
	}
}

// TestFaultAnywhere lets each operation fail, once or from then on. The caller
// tries again, as the contract says.
func TestFaultAnywhere(t *testing.T) {
	n := operations(t)
	for _, c := range []struct {
		name string
		how  failure
	}{{"once", once}, {"forever", forever}, {"worked but said it did not", hidden}} {
		t.Run(c.name, func(t *testing.T) {
			for i := 1; i <= n; i++ {
				w, h := newWorld(t), &history{}
				w.arm(i, c.how)
				for _, step := range aLife {
					err := step.do(w, h)
					for try := 0; err != nil && try < 3; try++ {
						if try == 1 {
							w.heal()
						}
						err = step.do(w, h)
					}
					if err != nil {
						t.Fatalf("operation %d, %q: %s: %v", i, w.ops[max(0, len(w.ops)-8):], step.name, err)
					}
				}
				w.restart(false)
				h.check(w)
				w.close()
			}
		})
	}
}

// TestFaultThenCrash makes the program end after a call failed for good.
func TestFaultThenCrash(t *testing.T) {
	n := operations(t)
	for i := 1; i <= n; i++ {
		for _, how := range []failure{once, forever} {
			w, h := newWorld(t), &history{}
			w.arm(i, how)
			for _, step := range aLife {
				if step.do(w, h) != nil {
					break
				}
			}
			w.restart(true)
			if !h.erased {
				h.check(w)
			}
			w.close()
		}
	}
}
