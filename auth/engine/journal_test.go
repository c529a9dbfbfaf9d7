package engine

import (
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
	j, err := openJournal(dir, slog.New(slog.NewTextHandler(t.Output(), nil)))
	must(t, err)
	for range 260 {
		j.add(auth.Event{At: t0, Account: "a", Kind: auth.EventError, Message: strings.Repeat("x", 16<<10)})
		j.flush()
	}
	j.close()
	for _, name := range []string{journalFile, journalFile + ".1"} {
		fi, err := os.Stat(filepath.Join(dir, name))
		must(t, err)
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
	if j, err := openJournal(dir, slog.New(slog.DiscardHandler)); err == nil {
		j.close()
		t.Error("the log was opened through the link")
	}
	if _, err := os.Stat(victim); err == nil {
		t.Error("a file was made through the link")
	}
}

// Who notes something waits for no disk, and what was noted before a restart
// is there after it.
func TestJournalSurvives(t *testing.T) {
	dir := t.TempDir()
	j, err := openJournal(dir, slog.New(slog.NewTextHandler(t.Output(), nil)))
	must(t, err)
	j.add(auth.Event{At: t0, Account: "a", Kind: auth.EventError, Message: "one"})
	j.ended(pastSession{Account: "a", Reason: auth.ByAge, At: t0.Add(time.Hour)})
	j.writing.Lock() // a disk that hangs
	j.add(auth.Event{At: t0, Account: "a", Kind: auth.EventError, Message: "two"})
	j.writing.Unlock()
	j.close()
	again, err := openJournal(dir, slog.New(slog.NewTextHandler(t.Output(), nil)))
	must(t, err)
	defer again.close()
	if got := again.last("a", 10); len(got) != 2 || got[1].Message != "two" {
		t.Errorf("events after a restart: %+v", got)
	}
	if p := again.past("a"); p.Reason != auth.ByAge {
		t.Errorf("the past after a restart: %+v", p)
	}
}
