package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"curfew/auth"
)

func TestJournalIsBounded(t *testing.T) {
	dir := t.TempDir()
	j, err := Open(dir, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	for range 260 {
		j.Add(auth.Event{At: time.Unix(1800000000, 0), Account: "a", Kind: auth.EventError, Text: auth.Words(strings.Repeat("x", 16<<10))})
		j.flush()
	}
	j.Close()
	for _, name := range []string{journalFile, journalFile + ".1"} {
		fi, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if fi.Size() > journalLimit+17<<10 {
			t.Errorf("%s has %d KB", name, fi.Size()>>10)
		}
	}
}

// A link that somebody put in the place of the log leads nowhere.
func TestJournalFollowsNoLink(t *testing.T) {
	dir, victim := t.TempDir(), filepath.Join(t.TempDir(), "victim")
	if err := os.Symlink(victim, filepath.Join(dir, journalFile)); err != nil {
		t.Skip(err)
	}
	if j, err := Open(dir, slog.New(slog.DiscardHandler)); err == nil {
		j.Close()
		t.Error("the log was opened through the link")
	}
	if _, err := os.Stat(victim); err == nil {
		t.Error("a file was made through the link")
	}
}

// A caller that notes something never waits for the disk. What was noted before
// a restart is there after it.
func TestJournalSurvives(t *testing.T) {
	dir := t.TempDir()
	j, err := Open(dir, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	j.Add(auth.Event{At: time.Unix(1800000000, 0), Account: "a", Kind: auth.EventError, Text: auth.Words("one")})
	j.Ended(Past{Account: "a", Reason: auth.ByAge, At: time.Unix(1800000000, 0).Add(time.Hour)})
	j.writing.Lock() // a disk that hangs
	j.Add(auth.Event{At: time.Unix(1800000000, 0), Account: "a", Kind: auth.EventError, Text: auth.Words("two")})
	j.writing.Unlock()
	j.Close()
	again, err := Open(dir, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got := again.Last("a", 10); len(got) != 2 || got[1].Message != "two" {
		t.Errorf("events after a restart: %+v", got)
	}
	if p := again.Past("a"); p.Reason != auth.ByAge {
		t.Errorf("the past after a restart: %+v", p)
	}
}

// TestNewerFormat: a directory of a newer version is refused with words, and
// nothing in it is changed.
func TestNewerFormat(t *testing.T) {
	dir := t.TempDir()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	j, err := Open(dir, log)
	if err != nil {
		t.Fatal(err)
	}
	j.Close()
	if j, err = Open(dir, log); err != nil {
		t.Fatalf("its own format: %v", err)
	}
	j.Close()
	if err := os.WriteFile(filepath.Join(dir, formatFile), []byte("2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Open(dir, log)
	if e, ok := errors.AsType[*auth.Error](err); !ok || !strings.Contains(e.Message, "newer version") || e.Hint == "" {
		t.Errorf("a newer format: %v", err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, formatFile)); string(b) != "2\n" {
		t.Errorf("its format is now %q: %v", b, err)
	}
}

// Programs that call themselves something else each time push out nothing that
// is older, and what they did can still be seen. After a while they get lines
// again.
func TestInventedNames(t *testing.T) {
	dir := t.TempDir()
	j, err := Open(dir, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Unix(1800000000, 0)
	for i := range eventsKept/2 - 10 {
		j.Add(auth.Event{At: start, Account: "a", Kind: auth.EventRefresh, Count: i})
	}
	asks := func(from, to int, at time.Time) (lines int) {
		for i := range to - from {
			if j.AddToken(auth.Event{At: at, Account: "a", Kind: auth.EventToken, Program: fmt.Sprint("name-", from+i)}, nil) {
				lines++
			}
		}
		return lines
	}
	if n := asks(0, 12000, start); n != tokenBurst {
		t.Errorf("%d lines for 12000 names", n)
	}
	if n := asks(0, 1, start.Add(30*time.Second)); n != 0 {
		t.Errorf("%d lines more after half a minute", n)
	}
	if n := asks(12000, 24000, start.Add(time.Minute)); n != 1 {
		t.Errorf("%d lines more after a minute", n)
	}
	for minute := range 3 * eventsKept { // for two days
		asks(24000, 24003, start.Add(time.Duration(minute+2)*time.Minute))
	}
	j.Close()
	if j, err = Open(dir, slog.New(slog.NewTextHandler(t.Output(), nil))); err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	refreshes, unlisted := 0, false
	for _, e := range j.Last("a", 2*eventsKept) {
		if e.Kind == auth.EventRefresh {
			refreshes++
		}
		unlisted = unlisted || e.ID == "event_tokens_unlisted"
	}
	if refreshes != eventsKept/2-10 || !unlisted {
		t.Errorf("%d refreshes are left of %d; unlisted ones are said: %v", refreshes, eventsKept/2-10, unlisted)
	}
}

// A line says more about the program only when there is a line.
func TestCallerOfLine(t *testing.T) {
	j, err := Open("", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	who := func() auth.Caller {
		asked++
		return auth.Caller{Claimed: "git", Executable: "/usr/bin/curl"}
	}
	for range 3 {
		j.AddToken(auth.Event{At: time.Unix(1800000000, 0), Account: "a", Kind: auth.EventToken, Program: "curl"}, who)
	}
	events := j.Last("a", 10)
	if asked != 1 || len(events) != 1 || events[0].Message != "token for curl, which calls itself git" || events[0].Caller.Executable != "/usr/bin/curl" {
		t.Errorf("asked %d times: %+v", asked, events)
	}
}
