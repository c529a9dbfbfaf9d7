// Package journal is what the state directory remembers for people. It has the
// log of events and how each account's last session ended. It also keeps what
// was learned of servers, and whether background refresh is paused.
//
// Its one hard idea: callers that note something never wait for the disk.
// Nothing in it is secret, and no limit depends on it.
package journal

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"curfew/auth"
	"curfew/auth/oauth"
)

// A Journal is safe for concurrent use. Its files are written by Run.
type Journal struct {
	log  *slog.Logger
	dir  *os.Root // nil: memory only
	wake chan struct{}

	mu     sync.Mutex
	events []auth.Event // the newest, oldest first
	pasts  map[string]Past
	reach  map[string]string    // how far revocation reaches at a server, as far as it was learned
	told   map[string]time.Time // account, program and what it got: its last line
	quotas map[string]*quota    // of each account
	lines  []byte               // of events that are not in the file yet
	stale  bool                 // pasts or reach hold more than their files

	writing sync.Mutex // held while files are written; never locked while holding mu
	file    *os.File
	size    int64
}

// A Past is how an account's last session ended.
type Past struct {
	Account    string           `json:"account"`
	Reason     auth.Reason      `json:"reason"`
	At         time.Time        `json:"at"`
	SignedInAt time.Time        `json:"signed_in_at,omitzero"`
	Used       int              `json:"used"`
	Limits     auth.EndedLimits `json:"limits,omitzero"`
	TookTokens []auth.Taker     `json:"took_tokens,omitempty"`
	Subject    string           `json:"subject,omitempty"`
	Identity   oauth.Identity   `json:"identity,omitzero"`
	Demand     auth.Demand      `json:"demand,omitzero"` // a new sign-in plans with it
}

const (
	journalFile  = "events.jsonl"
	pastsFile    = "ended.json"
	reachFile    = "reach.json"
	pausedFile   = "paused" // it is there, or it is not
	formatFile   = "format" // which format all of the directory has, as a number; missing: 1
	format       = 1
	journalLimit = 1 << 20 // bytes; then the file is put aside once
	eventsKept   = 1000
)

// Open reads what there is in dir, and makes it; dir "" keeps all in memory.
func Open(dir string, log *slog.Logger) (*Journal, error) {
	j := &Journal{log: log, wake: make(chan struct{}, 1), pasts: map[string]Past{}, reach: map[string]string{}, told: map[string]time.Time{}, quotas: map[string]*quota{}}
	if dir == "" {
		return j, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the state directory: %w", err)
	}
	var err error
	if j.dir, err = os.OpenRoot(dir); err != nil {
		return nil, fmt.Errorf("cannot open the state directory: %w", err)
	}
	if err := j.checkFormat(); err != nil {
		j.dir.Close()
		return nil, err
	}
	for name, into := range map[string]any{pastsFile: &j.pasts, reachFile: &j.reach} {
		if err := j.readMap(name, into); err != nil {
			log.Warn("cannot read what earlier sessions left", "file", name, "error", err)
		}
	}
	for _, name := range []string{journalFile + ".1", journalFile} {
		j.readEvents(name)
	}
	if err := j.openFile(); err != nil {
		j.dir.Close()
		return nil, fmt.Errorf("cannot open the log of events: %w", err)
	}
	return j, nil
}

// checkFormat refuses a directory that a newer version wrote in a format that
// this one would misread, and writes down the format of one that is new.
func (j *Journal) checkFormat() error {
	b, err := j.dir.ReadFile(formatFile)
	if errors.Is(err, fs.ErrNotExist) {
		if err := j.dir.WriteFile(formatFile, fmt.Appendln(nil, format), 0o600); err != nil {
			j.log.Warn("cannot write down the format of the state directory", "error", err)
		}
		return nil
	}
	if n, bad := strconv.Atoi(string(bytes.TrimSpace(b))); err == nil && bad == nil && n > format {
		return auth.Fail(auth.KindFailed, auth.Say("state_newer", j.dir.Name()), auth.Say("hint_state_newer"))
	}
	return nil
}

func (j *Journal) openFile() error {
	f, err := j.dir.OpenFile(journalFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	j.file, j.size = f, 0
	if st, err := f.Stat(); err == nil {
		j.size = st.Size()
	}
	return nil
}

func (j *Journal) readMap(name string, into any) error {
	b, err := j.dir.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) || string(bytes.TrimSpace(b)) == "null" {
		return nil
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

// readEvents adds a file's events. Other lines are skipped.
func (j *Journal) readEvents(name string) {
	b, err := j.dir.ReadFile(name)
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

// trim drops the oldest events when there are too many: first of tokens, while
// they are more than half, so that programs which ask often push out nothing else.
func (j *Journal) trim() {
	over := len(j.events) - eventsKept
	if over <= 0 {
		return
	}
	tokens := 0
	for _, e := range j.events {
		if e.Kind == auth.EventToken {
			tokens++
		}
	}
	j.events = slices.DeleteFunc(j.events, func(e auth.Event) bool {
		drop := over > 0 && tokens > eventsKept/2 && e.Kind == auth.EventToken
		if drop {
			over--
			tokens--
		}
		return drop
	})
	j.events = slices.Delete(j.events, 0, over)
}

// Add notes an event. A full disk costs the line, not the session.
func (j *Journal) Add(e auth.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.addLocked(e)
}

func (j *Journal) addLocked(e auth.Event) {
	e.At = e.At.UTC().Truncate(time.Second)
	j.events = append(j.events, e)
	j.trim()
	line, err := json.Marshal(e)
	if err != nil || j.dir == nil || len(j.lines) > journalLimit {
		return
	}
	j.lines = append(append(j.lines, line...), '\n')
	j.poke()
}

func (j *Journal) poke() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// Run writes what was noted until ctx ends.
func (j *Journal) Run(ctx context.Context) {
	for {
		select {
		case <-j.wake:
			j.flush()
		case <-ctx.Done():
			return
		}
	}
}

// flush brings the files up to what was noted.
func (j *Journal) flush() {
	if j.dir == nil {
		return
	}
	j.writing.Lock()
	defer j.writing.Unlock()
	lines, files := j.take()
	for name, b := range files {
		if err := j.replace(name, b); err != nil {
			j.log.Warn("cannot save how a session ended", "error", err)
		}
	}
	if len(lines) > 0 {
		if err := j.writeLines(lines); err != nil {
			j.log.Warn("cannot save the log of events", "error", err)
		}
	}
}

// take returns what the files lack: lines, and whole new files.
func (j *Journal) take() (lines []byte, files map[string][]byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	lines, j.lines = j.lines, nil
	if !j.stale {
		return lines, nil
	}
	j.stale, files = false, map[string][]byte{}
	for name, v := range map[string]any{pastsFile: j.pasts, reachFile: j.reach} {
		b, err := json.MarshalIndent(v, "", "\t")
		if err != nil {
			j.log.Warn("cannot save how a session ended", "error", err)
			continue
		}
		files[name] = append(b, '\n')
	}
	return lines, files
}

func (j *Journal) writeLines(lines []byte) error {
	if j.file == nil {
		if err := j.openFile(); err != nil {
			return err
		}
	}
	n, err := j.file.Write(lines)
	if j.size += int64(n); err != nil || j.size <= journalLimit {
		return err
	}
	j.file.Close() // an open file cannot be renamed on Windows
	j.file = nil
	if err := j.dir.Rename(journalFile, journalFile+".1"); err != nil {
		return err
	}
	return j.openFile()
}

// Last returns the newest n events of an account ("" for all), oldest first.
func (j *Journal) Last(account string, n int) []auth.Event {
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

// A quota is how many lines about tokens an account may still have: many at once,
// and then one a minute. Names are easy to invent.
type quota struct {
	left     int
	at       time.Time // when the next one comes
	unlisted int       // requests that got no line
}

// tokenBurst is how many programs that ask for the first time get a line at once.
const tokenBurst = 60

// AddToken notes that a program got a token, if that is worth a line: the first,
// and then one a minute at most. It reports whether it did. who, which may be nil,
// finds out more about the program.
func (j *Journal) AddToken(e auth.Event, who func() auth.Caller) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	key := e.Account + "\x00" + e.Program + "\x00" + e.ID
	if t, ok := j.told[key]; ok && e.At.Sub(t) < time.Minute {
		return false
	}
	if len(j.told) > eventsKept {
		clear(j.told)
	}
	j.told[key] = e.At
	q := j.quotas[e.Account]
	if q == nil {
		q = &quota{left: tokenBurst, at: e.At}
		j.quotas[e.Account] = q
	}
	if minutes := int(e.At.Sub(q.at) / time.Minute); minutes > 0 {
		q.left, q.at = min(tokenBurst, q.left+minutes), q.at.Add(time.Duration(minutes)*time.Minute)
	}
	if q.left == 0 {
		q.unlisted++
		return false
	}
	q.left--
	if q.unlisted > 0 {
		j.addLocked(auth.Event{At: e.At, Account: e.Account, Kind: auth.EventToken, Text: auth.Say("event_tokens_unlisted", q.unlisted)})
		q.unlisted = 0
	}
	var caller auth.Caller
	if who != nil {
		caller = who()
		e.Caller = &caller
	}
	if e.ID == "" {
		e.Text = auth.TokenText(e.Program, caller)
	}
	j.addLocked(e)
	return true
}

// Past returns how the account's last session ended; the zero value when
// there was none or a newer one lives.
func (j *Journal) Past(account string) Past {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.pasts[account]
}

// Ended notes how an account's session ended.
func (j *Journal) Ended(p Past) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.pasts[p.Account] = p
	j.stale = true
	j.poke()
}

// Forget forgets how the last session ended: a new one lives, or the account
// is gone.
func (j *Journal) Forget(account string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, ok := j.pasts[account]; ok {
		delete(j.pasts, account)
		j.stale = true
		j.poke()
	}
}

func (j *Journal) replace(name string, b []byte) error {
	tmp := name + ".new"
	if err := j.dir.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	return j.dir.Rename(tmp, name)
}

// Reach returns what was learned of a server; "": nothing.
func (j *Journal) Reach(server string) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.reach[server]
}

// Learn notes how far revocation reaches at a server.
func (j *Journal) Learn(server, reach string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.reach[server] == reach {
		return
	}
	j.reach[server] = reach
	j.stale = true
	j.poke()
}

// Paused reports whether a pause is saved.
func (j *Journal) Paused() bool {
	if j.dir == nil {
		return false
	}
	_, err := j.dir.Stat(pausedFile)
	return err == nil
}

// SetPaused saves a pause, or its end. It waits for the disk.
func (j *Journal) SetPaused(paused bool) error {
	if j.dir == nil {
		return nil
	}
	j.writing.Lock()
	defer j.writing.Unlock()
	if paused {
		return j.dir.WriteFile(pausedFile, nil, 0o600)
	}
	if err := j.dir.Remove(pausedFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Close writes what is left. Nothing may be noted after it.
func (j *Journal) Close() {
	j.flush()
	j.writing.Lock()
	defer j.writing.Unlock()
	if j.file != nil {
		j.file.Close()
		j.file = nil
	}
	if j.dir != nil {
		j.dir.Close()
	}
}
