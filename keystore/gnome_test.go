//go:build linux

package keystore

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"curfew/keystore/kctest"
)

// openGnome opens a store on the OS's keychain.
func openGnome(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.Background()) })
	return s
}

func reopen(t testing.TB, s *Store) *Store {
	t.Helper()
	dir := s.disk.dir
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return openGnome(t, dir)
}

func token(n int, mark string) []byte {
	return []byte(strings.Repeat(mark+"-", n/(len(mark)+1)+1)[:n])
}

func TestGnomeRoundTrips(t *testing.T) {
	session := kctest.New(t)
	session.Unlocked("pw")
	dir := t.TempDir() + "/state"
	s := openGnome(t, dir)
	for _, size := range []int{16, 1500, 1772, 1773, 6000, MaxSecret} {
		secret, access, meta := token(size, "refresh"), token(900, "access"), []byte(`{"subject":"ann"}`)
		r, err := s.Create(t.Context(), "work", time.Now(), secret, access, meta)
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		id := r.ID
		for gen := 2; gen < 5; gen++ {
			if got, err := s.Secret(t.Context(), id); err != nil || !bytes.Equal(got, secret) {
				t.Fatalf("%d bytes, generation %d: %v", size, gen-1, err)
			}
			if _, err := s.Reserve(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			secret, access = token(size, "refresh"+string(rune('a'+gen))), token(900, "access"+string(rune('a'+gen)))
			r, err := s.Commit(t.Context(), id, secret, access, meta)
			if err != nil || r.Generation != gen || r.Used != gen-1 || r.Pending || r.Unpublished {
				t.Fatalf("%+v, %v", r, err)
			}
		}
		s = reopen(t, s)
		if r, err := s.Load(t.Context(), id); err != nil || r.Generation != 4 || r.Used != 3 || r.Account != "work" || string(r.Meta) != string(meta) {
			t.Fatalf("%+v, %v", r, err)
		}
		if got, err := s.Secret(t.Context(), id); err != nil || !bytes.Equal(got, secret) {
			t.Fatal(err)
		}
		if got, err := s.Access(t.Context(), id); err != nil || !bytes.Equal(got, access) {
			t.Fatal(err)
		}
	}
	shown := session.SecretTool("", "search", "--all", "--unlock", "service", "curfew")
	if strings.Count(shown, "secret = ") < 3*6 {
		t.Fatalf("secret-tool shows too little:\n%s", shown)
	}
	for _, clear := range []string{"refresh", "access-", "work", "ann"} {
		if strings.Contains(shown, clear) {
			t.Errorf("secret-tool shows %q", clear)
		}
	}
	for _, id := range s.Sessions() {
		if err := s.Erase(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if shown := session.SecretTool("", "search", "--all", "service", "curfew"); strings.Contains(shown, "[/") {
		t.Errorf("left in the keychain:\n%s", shown)
	}
	if names, err := s.disk.names(); err != nil || len(names) != 1 {
		t.Errorf("left in the state directory: %v, %v", names, err)
	}
}

func TestGnomeLocked(t *testing.T) {
	session := kctest.New(t)
	session.Unlocked("pw")
	s := openGnome(t, t.TempDir()+"/state")
	r, err := s.Create(t.Context(), "work", time.Now(), []byte("refresh"), []byte("access"), []byte("meta"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Reserve(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	session.Lock()
	if err := s.Status(t.Context()); !errors.Is(err, ErrLocked) {
		t.Fatalf("status: %v", err)
	}
	// The answer came just as the screen was locked: it is safe all the same.
	r, err = s.Commit(t.Context(), r.ID, []byte("refresh2"), []byte("access2"), nil)
	if err != nil || !r.Unpublished || r.Generation != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := s.Reserve(t.Context(), r.ID); !errors.Is(err, ErrLocked) {
		t.Fatalf("reserve: %v", err)
	}
	s = reopen(t, s)
	if r, err := s.Load(t.Context(), r.ID); !errors.Is(err, ErrLocked) || !r.Unverified || r.Account != "work" || r.Used != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := s.Unlock(t.Context()); err == nil || errors.Is(err, ErrTimeout) {
		t.Fatalf("nobody can show a prompt here, and it is not slow: %v", err)
	}
	session.Kill()
	if err := s.Status(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("status: %v", err)
	}
	session.Unlocked("pw")
	if r, err := s.Load(t.Context(), r.ID); err != nil || r.Unverified || r.Unpublished || r.Generation != 2 || r.Used != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if got, err := s.Secret(t.Context(), r.ID); err != nil || string(got) != "refresh2" {
		t.Fatalf("%q, %v", got, err)
	}
}
