// Package consent asks a person before a program gets tokens of an account, and
// remembers the answer.
//
// Its one hard idea: a question must not tire. A program in its terminal asks
// once, however many of its requests wait. The answer holds for twelve hours
// there, or always and everywhere. A refusal holds for ten minutes, so that a
// program which tries again asks nobody.
//
// It keeps honest programs from surprising a person. A program that runs as the
// same user and means harm can give the answer itself.
package consent

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"curfew/auth"
)

const (
	patience   = time.Minute      // how long a program waits for an answer
	today      = 12 * time.Hour   // how long a permit for a terminal holds
	denial     = 10 * time.Minute // how long a refusal holds
	maxAsks    = 20               // questions of an account at a time
	maxPermits = 500              // of all accounts
)

// permitsFile is in the state directory. It holds no secret.
const permitsFile = "consent.json"

// A Gate is safe for concurrent use.
type Gate struct {
	path string // of what is remembered; "": nothing outlives the agent
	now  func() time.Time
	note func(account string, text auth.Text)
	log  *slog.Logger

	mu      sync.Mutex
	asks    map[string]*ask
	permits []permit
	changed chan struct{} // closed at the next change, and replaced
}

// An ask is a question, and who waits for the answer.
type ask struct {
	auth.Ask
	account  string
	key      key
	waiting  int
	answered chan struct{}
	answer   auth.Answer
}

// A key is what an answer is for.
type key struct {
	Subject string `json:"subject"`
	Session string `json:"session,omitempty"` // of the terminal; "": none
}

// permit is a permit as it is kept.
type permit struct {
	auth.Permit
	Account string `json:"account"`
	Key     key    `json:"key"`
}

// New returns a Gate that keeps answers in dir; "" for nowhere. note writes to the
// log that people read.
func New(dir string, now func() time.Time, note func(account string, text auth.Text), log *slog.Logger) *Gate {
	g := &Gate{now: now, note: note, log: log, asks: map[string]*ask{}, changed: make(chan struct{})}
	if dir == "" {
		return g
	}
	g.path = filepath.Join(dir, permitsFile)
	b, err := os.ReadFile(g.path)
	if err == nil {
		err = json.Unmarshal(b, &g.permits)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("what was allowed cannot be read, so it is asked again", "error", err)
	}
	return g
}

// Pass waits until a person lets the caller have a token of an account, or says
// why it gets none.
func (g *Gate) Pass(ctx context.Context, account string, c auth.Caller) error {
	a, err := g.join(account, c)
	if a == nil {
		return err
	}
	defer g.leave(a)
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-a.answered:
	case <-ctx.Done():
		return ctx.Err()
	case <-late.C:
		return auth.Fail(auth.KindRefused, auth.Say("program_unanswered", a.Program, account), auth.Say("hint_program_unanswered", account))
	}
	if a.answer == auth.Deny {
		return denied(a.Program, account)
	}
	return nil
}

func denied(program, account string) error {
	return auth.Fail(auth.KindRefused, auth.Say("program_denied", program, account), auth.Say("hint_program_denied", account))
}

// join returns the question to wait for; nil when none is needed, or when the
// answer is no.
func (g *Gate) join(account string, c auth.Caller) (*ask, error) {
	k := key{c.Subject(), c.Session}
	name := cmp.Or(filepath.Base(k.Subject), "?")
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.IndexFunc(g.permits, func(p permit) bool { return p.holds(account, k, g.now()) }); i >= 0 {
		if g.permits[i].Denied {
			return nil, denied(name, account)
		}
		return nil, nil
	}
	pending := 0
	for _, a := range g.asks {
		if a.account != account {
			continue
		}
		if a.key == k {
			a.waiting++
			return a, nil
		}
		pending++
	}
	if pending >= maxAsks {
		return nil, auth.Fail(auth.KindRefused, auth.Say("program_unanswered", name, account), auth.Say("hint_program_unanswered", account))
	}
	a := &ask{Ask: auth.Ask{ID: rand.Text(), Program: name, Caller: c, At: g.now().UTC().Truncate(time.Second)}, account: account, key: k, waiting: 1, answered: make(chan struct{})}
	g.asks[a.ID] = a
	g.changeLocked()
	return a, nil
}

// holds reports whether the permit answers a question.
func (p permit) holds(account string, k key, now time.Time) bool {
	return p.Account == account && p.Key.Subject == k.Subject && (p.Key.Session == k.Session || p.Terminal == "" && p.Until.IsZero()) &&
		(p.Until.IsZero() || now.Before(p.Until))
}

// leave takes a question away that nobody waits for any more.
func (g *Gate) leave(a *ask) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if a.waiting--; a.waiting == 0 && g.asks[a.ID] == a {
		delete(g.asks, a.ID)
		g.changeLocked()
	}
}

// Answer gives a person's answer to a question.
func (g *Gate) Answer(account, id string, answer auth.Answer) error {
	if answer != auth.AllowAlways && answer != auth.AllowToday && answer != auth.Deny {
		return auth.Fail(auth.KindBadRequest, auth.Say("answer_unknown", string(answer)), auth.Say("hint_answer"))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.asks[id]
	if a == nil || a.account != account {
		return auth.Fail(auth.KindBadRequest, auth.Say("ask_gone"), auth.Say("hint_ask_gone"))
	}
	delete(g.asks, id)
	a.answer = answer
	close(a.answered)
	p := permit{Permit: auth.Permit{ID: id, Program: a.key.Subject, Terminal: a.Caller.Terminal}, Account: account, Key: a.key}
	text := auth.Say("event_allowed", a.Program)
	switch answer {
	case auth.AllowAlways:
		p.Terminal, p.Key.Session = "", ""
		text = auth.Say("event_allowed_always", a.Program)
	case auth.AllowToday:
		p.Until = g.now().Add(today).UTC().Truncate(time.Second)
	case auth.Deny:
		p.Until, p.Denied = g.now().Add(denial).UTC().Truncate(time.Second), true
		text = auth.Say("event_denied", a.Program)
	}
	g.permits = append(g.permits, p)
	g.note(account, text)
	g.saveLocked()
	g.changeLocked()
	return nil
}

// Revoke forgets an answer.
func (g *Gate) Revoke(account, id string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	before := len(g.permits)
	g.permits = slices.DeleteFunc(g.permits, func(p permit) bool { return p.Account == account && p.ID == id })
	if len(g.permits) == before {
		return auth.Fail(auth.KindBadRequest, auth.Say("permit_gone"), auth.Say("hint_permit_gone"))
	}
	g.saveLocked()
	g.changeLocked()
	return nil
}

// saveLocked writes what is remembered, without what has expired.
func (g *Gate) saveLocked() {
	now := g.now()
	g.permits = slices.DeleteFunc(g.permits, func(p permit) bool { return !p.Until.IsZero() && !now.Before(p.Until) })
	if n := len(g.permits) - maxPermits; n > 0 {
		g.permits = slices.Delete(g.permits, 0, n)
	}
	if g.path == "" {
		return
	}
	b, err := json.MarshalIndent(g.permits, "", "\t")
	if err == nil {
		err = auth.ReplaceFile(g.path, append(b, '\n'))
	}
	if err != nil {
		g.log.Warn("what was allowed cannot be saved, so it is asked again after a restart", "error", err)
	}
}

// Changed returns a channel that is closed at the next change.
func (g *Gate) Changed() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.changed
}

func (g *Gate) changeLocked() {
	close(g.changed)
	g.changed = make(chan struct{})
}

// Show returns snapshots with the questions and answers of their accounts.
func (g *Gate) Show(all []auth.Snapshot) []auth.Snapshot {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := slices.Clone(all)
	now := g.now()
	for i := range out {
		out[i].Asks, out[i].Permits = nil, nil
		for _, a := range g.asks {
			if a.account == out[i].Name {
				out[i].Asks = append(out[i].Asks, a.Ask)
			}
		}
		slices.SortFunc(out[i].Asks, func(a, b auth.Ask) int {
			if n := a.At.Compare(b.At); n != 0 {
				return n
			}
			return strings.Compare(a.ID, b.ID)
		})
		for _, p := range g.permits {
			if p.Account == out[i].Name && (p.Until.IsZero() || now.Before(p.Until)) {
				out[i].Permits = append(out[i].Permits, p.Permit)
			}
		}
	}
	return out
}

// Forget forgets the answers of an account that is removed.
func (g *Gate) Forget(account string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.permits = slices.DeleteFunc(g.permits, func(p permit) bool { return p.Account == account })
	g.saveLocked()
	g.changeLocked()
}
