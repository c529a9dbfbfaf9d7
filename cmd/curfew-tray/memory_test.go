package main

import (
	"log/slog"
	"testing"
	"time"

	"curfew/ui/tray"
)

// TestMemory: the next tray knows which notices were shown.
func TestMemory(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_STATE_HOME", dir)
	t.Setenv("LocalAppData", dir) // on Windows
	ended, at := time.Unix(1800000000, 0).UTC(), time.Unix(1800086400, 0).UTC()
	m := openMemory(slog.Default())
	if !m.Told("work").IsZero() {
		t.Error("something was shown before anything happened")
	}
	m.wasShown(tray.Notice{Account: "work", Over: true, Ended: ended})
	m.SetTomorrow("work", at)
	again := openMemory(slog.Default())
	if !again.Told("work").Equal(ended) || !again.Tomorrow("work").Equal(at) || !again.Told("other").IsZero() {
		t.Errorf("told %v, tomorrow %v", again.Told("work"), again.Tomorrow("work"))
	}
}
