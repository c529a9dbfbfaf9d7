//go:build unix

package hooks

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"curfew/auth"
)

var start = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// live is an account with a session, that many refreshes after its start.
func live(refreshes int) auth.Snapshot {
	s := auth.Snapshot{Name: "work", State: auth.Active, SignedInAt: start, EndsAt: start.Add(720 * time.Hour), RefreshesLeft: 20 - refreshes}
	if refreshes > 0 {
		s.LastRefreshAt = start.Add(time.Duration(refreshes) * time.Hour)
	}
	return s
}

func ended() auth.Snapshot {
	return auth.Snapshot{Name: "work", State: auth.Ended, Reason: auth.ByAge, SignedInAt: start, EndedAt: start.Add(721 * time.Hour), Message: "it's $(over); done"}
}

// play runs hooks with these commands on what happens, and returns the log. limit
// is how long a hook may take.
func play(t *testing.T, limit time.Duration, commands map[string][]string, happens ...auth.Snapshot) string {
	t.Helper()
	changes := make(chan []auth.Snapshot, len(happens))
	for _, s := range happens {
		changes <- []auth.Snapshot{s}
	}
	close(changes)
	var log bytes.Buffer
	err := Run(t.Context(), Config{
		Watch: func(context.Context) <-chan []auth.Snapshot { return changes },
		Command: func(account, hook string) ([]string, error) {
			if account != "work" {
				return nil, errors.New("another account")
			}
			return commands[hook], nil
		},
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Limit:  limit,
	})
	if err != nil {
		t.Error(err)
	}
	return log.String()
}

// Hooks run for what happens while the agent runs, in order, one at a time. No
// shell reads their words.
func TestHooks(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	script := func(name string) []string {
		return []string{"sh", "-c", `printf '%s|%s|%s|%s|%s|%s\n' "$@" "$CURFEW_ACCOUNT" "$CURFEW_REFRESHES_LEFT" >>` + out, name, "{event}", "{reason}", "{message}", "{account} {unknown}"}
	}
	signedOut := auth.Snapshot{Name: "work", State: auth.SignedOut, Reason: auth.ByUser, EndedAt: start}
	another := live(0)
	another.SignedInAt, another.LastRefreshAt = start.Add(time.Hour), start.Add(9*time.Hour)
	log := play(t, time.Minute, map[string][]string{OnEnded: script("e"), OnRefreshed: script("r")},
		ended(), live(1), live(1), live(2), live(3), ended(), ended(), live(0), another, signedOut)
	text, err := os.ReadFile(out)
	want := strings.ReplaceAll("refreshed|||NAME|work|18\nrefreshed|||NAME|work|17\nended|age|it's $(over); done|NAME|work|0\n", "NAME", "work {unknown}")
	if err != nil || string(text) != want || log != "" {
		t.Errorf("%v\n%s\nwant\n%s\nlog %s", err, text, want, log)
	}
}

// A hook that hangs is ended with all that it started, one that fails is logged
// with none of its words, and the next ones run.
func TestHookFails(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	log := play(t, 3*time.Second, map[string][]string{OnRefreshed: {"sh", "-c", `sleep 60 & sleep 60`}, OnEnded: {"sh", "-c", "echo secret >&2; echo x >" + out + "; exit 7"}},
		live(0), live(1), ended())
	if text, err := os.ReadFile(out); err != nil || string(text) != "x\n" {
		t.Errorf("the next hook: %q, %v", text, err)
	}
	if strings.Count(log, "a hook failed") != 2 || !strings.Contains(log, "took longer") || !strings.Contains(log, "exit status 7") || strings.Contains(log, "secret") {
		t.Error(log)
	}
	if log := play(t, time.Minute, map[string][]string{OnRefreshed: {"/no/such/program"}}, live(0), live(1)); !strings.Contains(log, "no such file") {
		t.Error(log)
	}
}
