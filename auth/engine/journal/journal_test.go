package journal

import (
	"errors"
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
