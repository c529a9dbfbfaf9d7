package engine

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"curfew/auth"
	"curfew/auth/oauth"
	"curfew/keystore"
)

// The journal is what the state directory remembers for people: the log of
// events, how each account's last session ended, and that background refresh
// is paused. Nothing in it is secret, and no limit depends on it.
type journal struct {
	log *slog.Logger
	dir string // "": memory only

	mu     sync.Mutex
	events []auth.Event // the newest, oldest first
	file   *os.File
	size   int64
	pasts  map[string]pastSession
	told   map[string]time.Time // account and program: last EventToken
}

// pastSession is how an account's last session ended.
type pastSession struct {
	Account    string         `json:"account"`
	Reason     auth.Reason    `json:"reason"`
	At         time.Time      `json:"at"`
	SignedInAt time.Time      `json:"signed_in_at,omitzero"`
	Used       int            `json:"used"`
	TookTokens []auth.Taker   `json:"took_tokens,omitempty"`
	Subject    string         `json:"subject,omitempty"`
	Identity   oauth.Identity `json:"identity,omitzero"`
	Demand     auth.Demand    `json:"demand,omitzero"` // a new sign-in plans with it
}

const (
	journalFile  = "events.jsonl"
	pastsFile    = "ended.json"
	pausedFile   = "paused" // it is there, or it is not
	journalLimit = 1 << 20  // bytes; then the file is put aside once
	eventsKept   = 1000
)

func openJournal(dir string, log *slog.Logger) (*journal, error) {
	j := &journal{log: log, dir: dir, pasts: map[string]pastSession{}, told: map[string]time.Time{}}
	if dir == "" {
		return j, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the state directory cannot be made: %w", err)
	}
	if err := j.readPasts(); err != nil {
		log.Warn("how earlier sessions ended cannot be read", "error", err)
	}
	for _, name := range []string{journalFile + ".1", journalFile} {
		j.readEvents(filepath.Join(dir, name))
	}
	f, err := os.OpenFile(filepath.Join(dir, journalFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the log of events cannot be opened: %w", err)
	}
	j.file = f
	if st, err := f.Stat(); err == nil {
		j.size = st.Size()
	}
	return j, nil
}

func (j *journal) readPasts() error {
	b, err := os.ReadFile(filepath.Join(j.dir, pastsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var pasts map[string]pastSession
	if err := json.Unmarshal(b, &pasts); err != nil {
		return err
	}
	maps.Copy(j.pasts, pasts) // which may be null
	return nil
}

// readEvents adds a file's events; lines that are none are passed over.
func (j *journal) readEvents(path string) {
	b, err := os.ReadFile(path)
	if err != nil {
		return
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		var e auth.Event
		if json.Unmarshal(lines.Bytes(), &e) == nil && e.Kind != "" {
			j.events = append(j.events, e)
		}
	}
	j.trim()
}

func (j *journal) trim() {
	if n := len(j.events) - eventsKept; n > 0 {
		j.events = slices.Delete(j.events, 0, n)
	}
}

// add appends an event. A full disk costs the line, not the session.
func (j *journal) add(e auth.Event) {
	e.At = e.At.UTC().Truncate(time.Second)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
	j.trim()
	if j.file == nil {
		return
	}
	line, err := json.Marshal(e)
	if err == nil {
		var n int
		n, err = j.file.Write(append(line, '\n'))
		j.size += int64(n)
	}
	if err != nil {
		j.log.Warn("an event was not written down", "error", err)
	}
	if j.size > journalLimit {
		j.rotate()
	}
}

func (j *journal) rotate() {
	path := filepath.Join(j.dir, journalFile)
	if err := os.Rename(path, path+".1"); err != nil {
		j.log.Warn("the log of events was not put aside", "error", err)
		return
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		j.log.Warn("the log of events cannot be opened", "error", err)
		return
	}
	j.file.Close()
	j.file, j.size = f, 0
}

// last returns the newest n events of an account ("" for all), oldest first.
func (j *journal) last(account string, n int) []auth.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := []auth.Event{}
	for _, e := range slices.Backward(j.events) {
		if len(out) == n {
			break
		}
		if account == "" || e.Account == account {
			out = append(out, e)
		}
	}
	slices.Reverse(out)
	return out
}

// tokenIsNews reports whether a token for program is worth a line: the first,
// and then one a minute at most.
func (j *journal) tokenIsNews(account, program string, now time.Time) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	key := account + "\x00" + program
	if t, ok := j.told[key]; ok && now.Sub(t) < time.Minute {
		return false
	}
	if len(j.told) > eventsKept {
		clear(j.told)
	}
	j.told[key] = now
	return true
}

// past returns how the account's last session ended; the zero value when
// there was none or a newer one lives.
func (j *journal) past(account string) pastSession {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.pasts[account]
}

func (j *journal) ended(p pastSession) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.pasts[p.Account] = p
	j.writePasts()
}

// endedUnnoted notes the end of a stored session that has its tombstone, for
// the case that a crash came between that and the note.
func (j *journal) endedUnnoted(rec keystore.Record) {
	if rec.Ended == endReplaced || j.past(rec.Account).Reason != "" {
		return
	}
	j.ended(pastSession{Account: rec.Account, Reason: auth.Reason(rec.Ended), At: rec.HighWater, SignedInAt: rec.StartedAt, Used: rec.Used})
}

// forget forgets how the last session ended: a new one lives, or the account
// is gone.
func (j *journal) forget(account string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, ok := j.pasts[account]; ok {
		delete(j.pasts, account)
		j.writePasts()
	}
}

func (j *journal) writePasts() {
	if j.dir == "" {
		return
	}
	b, err := json.MarshalIndent(j.pasts, "", "\t")
	if err == nil {
		tmp := filepath.Join(j.dir, pastsFile+".new")
		if err = os.WriteFile(tmp, append(b, '\n'), 0o600); err == nil {
			err = os.Rename(tmp, filepath.Join(j.dir, pastsFile))
		}
	}
	if err != nil {
		j.log.Warn("how a session ended was not written down", "error", err)
	}
}

// paused reports whether a pause was written down.
func (j *journal) paused() bool {
	if j.dir == "" {
		return false
	}
	_, err := os.Stat(filepath.Join(j.dir, pausedFile))
	return err == nil
}

func (j *journal) setPaused(paused bool) error {
	if j.dir == "" {
		return nil
	}
	path := filepath.Join(j.dir, pausedFile)
	if paused {
		return os.WriteFile(path, nil, 0o600)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (j *journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file != nil {
		j.file.Close()
		j.file = nil
	}
}
