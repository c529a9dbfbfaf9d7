package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"curfew/auth"
	"curfew/auth/agent/client"
)

// This file makes the engine follow config.toml, which a person may edit at any
// time. The server looks whether the file has changed whenever somebody asks, and
// while somebody watches. So nobody has to tell the agent.

// edits is what the server knows of config.toml. Server.writing guards what follows looking,
// but for found.
type edits struct {
	looking sync.Mutex // held while the file is looked at for a request: others wait for what that finds

	seen  fs.FileInfo              // the file when it was looked at last; nil: there was none
	had   bool                     // there has been one
	going map[string]chan struct{} // accounts that are out of the file, and leave the engine by and by; closed then
	found atomic.Pointer[[]client.Check]
}

// problems are why not all that config.toml says holds.
func (e *edits) problems() []client.Check {
	if p := e.found.Load(); p != nil {
		return *p
	}
	return nil
}

// Reload reads config.toml again, also if it seems unchanged. It waits for a change
// that is being made over the socket, or until ctx ends.
func (s *Server) Reload(ctx context.Context) error {
	release, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	s.readLocked(os.Stat(s.File.Path()))
	return nil
}

// lock waits for s.writing, or until ctx ends.
func (s *Server) lock(ctx context.Context) (release func(), err error) {
	select {
	case s.writing <- struct{}{}:
		return func() { <-s.writing }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// lockConfig waits until nobody changes config.toml, or until ctx ends. Nobody
// else can change it until release is called. No other change may come between
// reading the file and passing it to the engine.
func (s *Server) lockConfig(ctx context.Context) (release func(), err error) {
	if release, err = s.lock(ctx); err == nil {
		s.followLocked(ctx)
	}
	return release, err
}

// lockAccount is lockConfig for a change of one account. If that is being removed, it
// waits until it is gone.
func (s *Server) lockAccount(ctx context.Context, name string) (release func(), err error) {
	for {
		release, err := s.lockConfig(ctx)
		if err != nil {
			return nil, err
		}
		going := s.edits.going[name]
		if going == nil {
			return release, nil
		}
		release()
		select {
		case <-going:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// leave notes that an account is out of the file, and takes some time to leave the
// engine: that waits for a server. The caller holds s.writing, and calls left without
// it when the account is gone.
func (s *Server) leave(name string) (left func()) {
	going := make(chan struct{})
	s.edits.going[name] = going
	return func() {
		s.writing <- struct{}{}
		delete(s.edits.going, name)
		<-s.writing
		close(going)
	}
}

// follow makes the engine follow config.toml, unless a change is being made over the
// socket at the moment.
func (s *Server) follow(ctx context.Context) {
	s.edits.looking.Lock()
	defer s.edits.looking.Unlock()
	select {
	case s.writing <- struct{}{}:
		defer func() { <-s.writing }()
		s.followLocked(ctx)
	default:
	}
}

// followLocked reads config.toml if it has changed, or if not all of it could take
// effect. The caller holds s.writing.
func (s *Server) followLocked(ctx context.Context) {
	if s.File == nil {
		return
	}
	now, err := os.Stat(s.File.Path())
	changed := !sameFile(s.edits.seen, now)
	if changed {
		now, err = settled(ctx, s.File.Path(), now, err)
	}
	if changed || s.edits.problems() != nil {
		s.readLocked(now, err)
	}
}

// settled waits until a file has been left alone for a moment, because a program may
// be in the middle of writing it. It waits once.
func settled(ctx context.Context, path string, fi fs.FileInfo, err error) (fs.FileInfo, error) {
	const alone = 100 * time.Millisecond
	if err != nil {
		return fi, err
	}
	left := alone - time.Since(fi.ModTime())
	if left <= 0 || left > alone {
		return fi, err
	}
	select {
	case <-time.After(left):
	case <-ctx.Done():
	}
	return os.Stat(path)
}

func sameFile(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// readLocked makes the engine do what config.toml says, and notes what could not
// take effect. A file with a mistake changes nothing, nor does one that is missing
// now. The caller holds s.writing, and has looked at the file before.
func (s *Server) readLocked(now fs.FileInfo, err error) {
	e := s.edits
	before, same := e.problems(), sameFile(e.seen, now)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
		if e.had {
			err = auth.Fail(auth.KindFailed, auth.Words(s.File.Path()+" is gone"), auth.Words("restore it; without it, the next start of the agent has no accounts"))
		}
	}
	e.seen, e.had = now, e.had || now != nil
	var problems []client.Check
	if err == nil {
		problems, err = s.apply()
	}
	if err != nil {
		problems = []client.Check{problem(err)}
	}
	e.found.Store(&problems)
	if same && slices.Equal(before, problems) {
		return
	}
	for _, p := range problems {
		s.Logger.Error("config.toml is not followed", "error", p.Message, "hint", p.Hint)
	}
	if err == nil {
		s.Logger.Info("config.toml is read again")
	}
}

// apply passes what config.toml says to the engine. An account that the engine has
// and the file has no more stays until the agent ends, because its session would
// have to end with it.
func (s *Server) apply() (problems []client.Check, err error) {
	general, accounts, err := s.File.Load()
	if err != nil {
		return nil, err
	}
	s.Engine.SetGeneral(general)
	for _, a := range accounts {
		if s.edits.going[a.Name] != nil {
			problems = append(problems, client.Check{Name: configCheck, Message: a.Name + " is still being removed", Hint: "wait a moment; then what the file says of it takes effect"})
			continue
		}
		if err := s.Engine.SetAccount(a); err != nil {
			p := problem(err)
			p.Message = a.Name + ": " + p.Message
			problems = append(problems, p)
		}
	}
	for _, snap := range s.Engine.Snapshots() {
		if s.edits.going[snap.Name] == nil && !slices.ContainsFunc(accounts, func(a auth.Account) bool { return a.Name == snap.Name }) {
			problems = append(problems, client.Check{
				Name:    configCheck,
				Message: fmt.Sprintf("%s is no longer in %s, but stays until the agent ends", snap.Name, s.File.Path()),
				Hint:    "to sign out and forget the account, run `curfew remove " + snap.Name + "`",
			})
		}
	}
	return problems, nil
}

// configCheck is what `curfew doctor` calls the check of config.toml.
const configCheck = "config"

func problem(err error) client.Check {
	p := client.Check{Name: configCheck, Message: err.Error()}
	if e, ok := errors.AsType[*auth.Error](err); ok {
		p.Hint = e.Hint
	}
	return p
}

// doctor checks config.toml, which was read if it has changed, and what else only
// the agent can.
func (s *Server) doctor(r *http.Request) (any, error) {
	checks := s.edits.problems()
	if checks == nil {
		_, accounts, err := s.File.Load()
		checks = []client.Check{{Name: configCheck, OK: true, Message: fmt.Sprintf("%s; accounts: %d", s.File.Path(), len(accounts))}}
		if err != nil {
			checks = []client.Check{problem(err)}
		}
	}
	return slices.Concat(checks, s.Doctor(r.Context())), nil
}

// saved notes that the server itself has changed config.toml. The caller holds
// s.writing.
func (s *Server) saved() {
	if now, err := os.Stat(s.File.Path()); err == nil {
		s.edits.seen, s.edits.had = now, true
	}
}
