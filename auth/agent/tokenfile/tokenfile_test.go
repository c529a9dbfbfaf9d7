package tokenfile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"curfew/auth"
)

// engine has one account, whose tokens live for 15 minutes.
type engine struct {
	changes chan []auth.Snapshot

	mu     sync.Mutex // for what follows; a test holds it, but in pass
	s      auth.Snapshot
	asked  int
	tokens int
	err    error
}

const life = 15 * time.Minute

func (e *engine) Watch(ctx context.Context) <-chan []auth.Snapshot {
	context.AfterFunc(ctx, func() { close(e.changes) })
	return e.changes
}

// signIn begins a session, or is a refresh of it.
func (e *engine) signIn() {
	e.tokens++
	now := time.Now().UTC().Truncate(time.Second)
	if e.s.SignedInAt.IsZero() {
		e.s.SignedInAt, e.s.EndsAt = now, now.Add(720*time.Hour)
	}
	e.s.LastRefreshAt, e.s.AccessExpiresAt, e.s.AccessLifetime = now, now.Add(life), int64(life/time.Second)
}

func (e *engine) publish() {
	e.changes <- []auth.Snapshot{e.s}
	e.pass(0)
}

// pass lets d pass, and whatever happens meanwhile.
func (e *engine) pass(d time.Duration) {
	e.mu.Unlock()
	time.Sleep(d)
	synctest.Wait()
	e.mu.Lock()
}

func (e *engine) Token(_ context.Context, _ string, r auth.TokenRequest) (auth.Token, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked++
	if time.Until(e.s.AccessExpiresAt) < r.MinValid {
		if e.err != nil {
			return auth.Token{}, e.err
		}
		e.signIn()
		e.changes <- []auth.Snapshot{e.s}
	}
	t := auth.Token{AccessToken: auth.NewSecret(fmt.Sprint("token-", e.tokens)), ExpiresAt: e.s.AccessExpiresAt}
	if r.ID {
		t.AccessToken, t.IDToken = auth.Secret{}, auth.NewSecret(fmt.Sprint("id-", e.tokens))
	}
	return t, nil
}

// play runs a Keeper of an account that is signed in.
func play(t *testing.T, f func(t *testing.T, e *engine, k *Keeper, stop func())) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		e := &engine{changes: make(chan []auth.Snapshot, 8)}
		e.s = auth.Snapshot{Name: "work", TokenFile: filepath.Join(dir, "here", "token")}
		k := New(Config{Engine: e, StateDir: dir, Logger: slog.New(slog.DiscardHandler), Now: time.Now})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- k.Run(ctx) }()
		e.mu.Lock()
		f(t, e, k, func() {
			e.mu.Unlock()
			defer e.mu.Lock()
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			done <- nil
		})
		e.mu.Unlock()
		cancel()
		<-done
	})
}

func holds(t *testing.T, path, want string) {
	t.Helper()
	text, err := os.ReadFile(path)
	switch {
	case want == "" && !errors.Is(err, os.ErrNotExist):
		t.Errorf("%s has %q, %v; want none", path, text, err)
	case want != "" && string(text) != want:
		t.Errorf("%s has %q, %v; want %q", path, text, err, want)
	}
}

// A file that is there has a token that is valid, for a whole day and over an
// outage, at a refresh for each token and no more.
func TestKept(t *testing.T) {
	play(t, func(t *testing.T, e *engine, k *Keeper, stop func()) {
		e.publish()
		holds(t, e.s.TokenFile, "")
		e.signIn()
		e.publish()
		holds(t, e.s.TokenFile, "token-1")
		if fi, err := os.Stat(e.s.TokenFile); err != nil || runtime.GOOS != "windows" && fi.Mode() != 0o600 {
			t.Errorf("the mode is %v, %v", fi.Mode(), err)
		}
		for range 24 * 60 {
			e.pass(time.Minute)
			holds(t, e.s.TokenFile, fmt.Sprint("token-", e.tokens))
			if time.Until(e.s.AccessExpiresAt) < time.Minute {
				t.Fatalf("a token that lives for another %v", time.Until(e.s.AccessExpiresAt))
			}
		}
		if most := int(24*time.Hour/(life-margin)) + 2; e.tokens > most || e.asked > 3*most {
			t.Errorf("%d tokens and %d questions in a day", e.tokens, e.asked)
		}

		// Without a network the file goes when its token does, and comes back.
		e.err = errors.New("offline")
		e.pass(life + time.Minute)
		holds(t, e.s.TokenFile, "")
		if p := k.Problems(); len(p) != 1 || p[0] != "work: offline" {
			t.Errorf("problems: %q", p)
		}
		e.err = nil
		e.pass(3 * time.Minute)
		holds(t, e.s.TokenFile, fmt.Sprint("token-", e.tokens))
		if p := k.Problems(); len(p) != 0 {
			t.Errorf("problems: %q", p)
		}

		// It ends with the session, and with the agent.
		e.s.EndsAt, e.s.SignedInAt = time.Time{}, time.Time{}
		e.publish()
		holds(t, e.s.TokenFile, "")
		e.signIn()
		e.publish()
		holds(t, e.s.TokenFile, fmt.Sprint("token-", e.tokens))
		old := e.s.TokenFile
		e.s.TokenFile, e.s.IDTokenFile = filepath.Join(filepath.Dir(old), "other"), filepath.Join(filepath.Dir(old), "id")
		e.publish()
		holds(t, old, "")
		holds(t, e.s.TokenFile, fmt.Sprint("token-", e.tokens))
		holds(t, e.s.IDTokenFile, fmt.Sprint("id-", e.tokens))

		// It goes with its account.
		e.changes <- nil
		e.pass(0)
		holds(t, e.s.TokenFile, "")
		holds(t, e.s.IDTokenFile, "")
		e.publish()
		holds(t, e.s.TokenFile, fmt.Sprint("token-", e.tokens))
		stop()
		left, err := os.ReadDir(filepath.Dir(old))
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
		if _, err := os.Stat(k.mine.path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the list stays: %v", err)
		}
	})
}

// While background refresh is paused, the file costs none.
func TestPaused(t *testing.T) {
	play(t, func(t *testing.T, e *engine, _ *Keeper, _ func()) {
		e.s.Paused = true
		e.signIn()
		e.publish()
		holds(t, e.s.TokenFile, "token-1")
		e.pass(life + time.Hour)
		holds(t, e.s.TokenFile, "")
		if e.tokens != 1 {
			t.Errorf("%d tokens", e.tokens)
		}
	})
}

// What an agent that was killed left behind goes, and is written over; nothing
// else is.
func TestLeftBehind(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links and modes are those of UNIX")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l := list{path: filepath.Join(dir, "token-files")}
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secret := auth.NewSecret("token")
	mine, old := filepath.Join(dir, "mine"), filepath.Join(dir, "old")
	for _, path := range []string{mine, old} {
		if err := l.write(path, secret); err != nil {
			t.Fatal(err)
		}
	}
	put(".mine.curfew", "cut off") // as of a crash
	if err := l.write(mine, auth.NewSecret("next")); err != nil {
		t.Error(err)
	}
	holds(t, mine, "next")
	l.removeOthers(map[string]bool{mine: true}, slog.New(slog.DiscardHandler))
	holds(t, old, "")
	holds(t, mine, "next")

	key := put("id_rsa", "my own key")
	if err := os.Symlink(key, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"id_rsa", "link"} {
		if err := l.write(filepath.Join(dir, name), secret); err == nil || !strings.Contains(err.Error(), "another file") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A link that takes the place of a file later is neither written to nor removed.
	if err := errors.Join(os.Remove(mine), os.Symlink(key, mine)); err != nil {
		t.Fatal(err)
	}
	if err := l.write(mine, secret); err == nil {
		t.Error("a link is written to")
	}
	if err := l.remove(mine); err != nil {
		t.Error(err)
	}
	holds(t, key, "my own key")
	if _, err := os.Lstat(mine); err != nil {
		t.Error(err)
	}

	open := filepath.Join(dir, "open")
	if err := errors.Join(os.Mkdir(open, 0o700), os.Chmod(open, 0o777)); err != nil {
		t.Fatal(err)
	}
	if err := l.write(filepath.Join(open, "token"), secret); err == nil || !strings.Contains(err.Error(), "others can write") {
		t.Errorf("a directory of everybody: %v", err)
	}
	if paths := l.read(); len(paths) != 0 {
		t.Errorf("the list has %q", paths)
	}
}
