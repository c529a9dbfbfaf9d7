package keystore

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestRandomLives lets sessions meet everything in any order. Both stores fail
// and the keychain gets locked. There are crashes and power cuts. Callers try
// again or start over. Each life is a subtest named by its seed, so a failure
// is replayed with -run 'TestRandomLives/17$'.
func TestRandomLives(t *testing.T) {
	lives := 200
	if testing.Short() {
		lives = 50
	}
	for seed := range lives {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { randomLife(t, uint64(seed)) })
	}
}

func randomLife(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	w, h := newWorld(t), &history{}
	must(t, doCreate("token 0")(w, h))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("history %+v\noperations %q", *h, w.ops)
		}
	})
	// settle heals the world and learns from Load what is so: it must be possible.
	settle := func() {
		t.Helper()
		w.heal()
		w.kc.SetLocked(false)
		least := h.posts
		if h.refunding {
			least--
		}
		r, err := w.s.Load(t.Context(), h.id)
		secret, serr := w.s.Secret(t.Context(), h.id)
		if err != nil || serr != nil {
			t.Fatalf("lost: %+v, %v, %v", r, err, serr)
		}
		if r.Used < least || r.Used > max(h.posts, h.maybePost) || r.Unpublished || h.ended && r.Ended == "" || r.Ended != "" && !h.maybeEnd {
			t.Fatalf("%+v", r)
		}
		known := string(secret) == h.secret
		for _, m := range h.maybe {
			known = known || string(secret) == m
		}
		if !known {
			t.Fatalf("secret %q", secret)
		}
		access, err := w.s.Access(t.Context(), h.id)
		if err != nil || string(access) != h.access && !h.touched {
			t.Fatalf("access %q, not %q, %v", access, h.access, err)
		}
		h.access = string(access)
		h.posts, h.maybePost, h.refunding, h.pending, h.touched = r.Used, r.Used, false, r.Pending, false
		h.secret, h.maybe, h.ended = string(secret), nil, r.Ended != ""
	}
	token := 0
	var last doing // that failed and is to be tried again
	for range 60 {
		switch random.IntN(12) {
		case 0:
			w.arm(1+random.IntN(25), []failure{once, forever, hidden}[random.IntN(3)])
		case 1:
			w.arm(1+random.IntN(25), []failure{stop, stopTorn}[random.IntN(2)])
		case 2:
			w.kc.SetLocked(true)
		case 3:
			w.kc.SetLocked(false)
		case 4:
			w.restart(random.IntN(2) == 0)
			settle()
			last = nil
		}
		if w.alive() != nil {
			w.restart(random.IntN(2) == 0)
			settle()
			last = nil
		}
		var do doing
		switch {
		case last != nil && random.IntN(3) > 0:
			do = last
		case last != nil:
			settle()
			last = nil
			continue
		case random.IntN(6) == 0:
			do = doNote
		case random.IntN(8) == 0:
			do = func(w *world, h *history) error { w.s.Load(w.t.Context(), h.id); return nil }
		case h.pending && random.IntN(4) == 0:
			do = doRefund
		case h.pending && random.IntN(20) == 0:
			do = doEnd
		case h.pending && random.IntN(4) == 0:
			do = doCommit("")
		case h.pending:
			token++
			do = doCommit(fmt.Sprint("token ", token))
		case h.ended || h.maybeEnd:
			do = doEnd
		default:
			do = doReserve
		}
		if last = do; do(w, h) == nil {
			last = nil
		}
	}
	w.heal()
	w.restart(random.IntN(2) == 0)
	settle()
	h.check(w)
}
