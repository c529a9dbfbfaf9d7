// Package tokenfile keeps tokens in files. It is for programs that can read a
// file again and again but can start no helper, such as AWS SDKs and Vault.
//
// Its one hard idea: a file that is there holds a token that is valid. It is
// replaced before its token expires, and removed when the session ends, at a
// sign-out and when the agent stops. What a killed agent leaves behind is noted
// in the state directory, and the next one removes it.
package tokenfile

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"curfew/auth"
)

// Engine is where accounts and tokens come from.
type Engine interface {
	Watch(ctx context.Context) <-chan []auth.Snapshot
	Token(ctx context.Context, name string, r auth.TokenRequest) (auth.Token, error)
}

// Config is what a Keeper is made of. Every field is needed.
type Config struct {
	Engine   Engine
	StateDir string // for the list of the files that are there
	Logger   *slog.Logger
	Now      func() time.Time
}

// A Keeper keeps the files of all accounts.
type Keeper struct {
	Config
	mine list

	mu       sync.Mutex
	problems map[key]string // why a file is not there
}

// key names a file: which token of which account.
type key struct {
	account string
	id      bool // the ID token
}

// New makes a Keeper; it touches no file.
func New(c Config) *Keeper {
	return &Keeper{Config: c, mine: list{path: filepath.Join(c.StateDir, "token-files")}, problems: map[key]string{}}
}

// Problems says which files cannot be kept, and why.
func (k *Keeper) Problems() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Sorted(maps.Values(k.problems))
}

// Run keeps the files until ctx ends, then removes them.
func (k *Keeper) Run(ctx context.Context) error {
	files := map[key]*file{}
	var running sync.WaitGroup
	defer running.Wait()
	first := true
	for all := range k.Engine.Watch(ctx) {
		wanted, seen := map[string]bool{}, map[string]auth.Snapshot{}
		for _, s := range all {
			seen[s.Name] = s
			for id, path := range map[bool]string{false: s.TokenFile, true: s.IDTokenFile} {
				at := key{s.Name, id}
				if wanted[path] = true; files[at] != nil || path == "" {
					continue
				}
				f := &file{k: k, key: at, news: make(chan auth.Snapshot, 1)}
				files[at] = f
				running.Go(func() { f.run(ctx) })
			}
		}
		for at, f := range files {
			select { // the newest counts
			case <-f.news:
			default:
			}
			f.news <- seen[at.account] // an account that was removed wants no file
		}
		if first {
			k.mine.removeOthers(wanted, k.Logger)
			first = false
		}
	}
	return nil
}

// A file is one that is kept. Only its goroutine uses it.
type file struct {
	k    *Keeper
	key  key
	news chan auth.Snapshot

	path    string // where it is; "" while there is none
	of      stamp  // the answer that its token is from
	expires time.Time
	asked   time.Time // when the engine was last asked
	err     error     // what came of that
}

// stamp tells one answer of the server from another.
type stamp struct{ signedIn, refreshed, expires time.Time }

const (
	margin  = 2 * time.Minute  // before its end a token is replaced: programs look once a minute
	patient = 30 * time.Second // timers stand still in suspend
)

func (f *file) run(ctx context.Context) {
	defer f.remove()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var s auth.Snapshot
	for {
		select {
		case <-ctx.Done():
			return
		case s = <-f.news:
		case <-timer.C:
		}
		err := f.follow(ctx, s)
		if ctx.Err() != nil {
			return
		}
		f.k.report(f.key, err)
		timer.Reset(auth.UntilNext(f.k.Now(), patient))
	}
}

// follow makes the file what s says it should be.
func (f *file) follow(ctx context.Context, s auth.Snapshot) error {
	path, now := s.TokenFile, f.k.Now()
	if f.key.id {
		path = s.IDTokenFile
	}
	if f.path != "" && f.path != path || f.path != "" && !now.Before(f.expires) {
		f.remove()
	}
	if path == "" || s.EndsAt.IsZero() { // no session
		f.remove()
		return nil
	}
	if s.AccessLifetime == 0 {
		f.remove()
		return errors.New("the server does not say how long its tokens live; set access_lifetime")
	}
	early := min(margin, time.Duration(s.AccessLifetime)*time.Second/5)
	of := stamp{s.SignedInAt, s.LastRefreshAt, s.AccessExpiresAt}
	switch {
	case f.of == of && f.path != "" && now.Before(f.expires.Add(-early)):
		return nil
	case f.of == of && now.Sub(f.asked).Abs() < early: // it would answer the same
		return f.err
	case s.Paused && !now.Before(s.AccessExpiresAt):
		return nil
	}
	f.asked, f.of = now, of
	r := auth.TokenRequest{MinValid: early, Best: true, ID: f.key.id, Program: "token file"}
	if s.Paused {
		r.MinValid = 0
	}
	var t auth.Token
	if t, f.err = f.k.Engine.Token(ctx, s.Name, r); f.err == nil {
		f.err = f.k.mine.write(path, t.Value())
	}
	if f.err == nil {
		f.path, f.expires = path, t.ExpiresAt
	}
	return f.err
}

// remove removes the file, if it is there.
func (f *file) remove() {
	if f.path == "" {
		return
	}
	if err := f.k.mine.remove(f.path); err != nil {
		f.k.Logger.Error("a token file cannot be removed", "account", f.key.account, "file", f.path, "error", err)
	}
	f.path, f.of, f.asked = "", stamp{}, time.Time{}
}

// report notes what keeps a file from being there, and logs it once.
func (k *Keeper) report(at key, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil {
		delete(k.problems, at)
		return
	}
	text := cmp.Or(at.account, "?") + ": " + err.Error()
	if k.problems[at] != text {
		k.Logger.Warn("a token file is not up to date", "account", at.account, "error", err)
	}
	k.problems[at] = text
}
