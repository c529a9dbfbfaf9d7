package consent

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"curfew/auth"
)

var (
	git    = auth.Caller{Executable: "/usr/bin/curfew", Parents: []string{"/usr/bin/git", "/usr/bin/bash"}, Terminal: "pts/1", Session: "pts/1 10 5", Claimed: "git"}
	curl   = auth.Caller{Executable: "/usr/bin/curl", Terminal: "pts/1", Session: "pts/1 10 5"}
	forged = auth.Caller{Executable: "/tmp/evil", Claimed: "git", Terminal: "pts/1", Session: "pts/1 10 5"}
)

// elsewhere is the program in another terminal, or without one.
func elsewhere(c auth.Caller, session string) auth.Caller {
	c.Terminal, _, _ = strings.Cut(session, " ")
	c.Session = session
	return c
}

// open returns a Gate and what it wrote into the log.
func open(t *testing.T, dir string) (*Gate, *[]string) {
	var noted []string
	return New(dir, time.Now, func(account string, text auth.Text) { noted = append(noted, account+": "+text.Message) }, slog.New(slog.NewTextHandler(t.Output(), nil))), &noted
}

// pass asks in the background and returns the answer that comes.
func pass(t *testing.T, g *Gate, c auth.Caller) <-chan error {
	got := make(chan error, 1)
	go func() { got <- g.Pass(t.Context(), "work", c) }()
	synctest.Wait()
	return got
}

// asks returns the questions of the account.
func asks(g *Gate) []auth.Ask { return g.Show([]auth.Snapshot{{Name: "work"}})[0].Asks }

func permits(g *Gate) []auth.Permit { return g.Show([]auth.Snapshot{{Name: "work"}})[0].Permits }

// free reports whether a caller gets through without a question.
func free(t *testing.T, g *Gate, c auth.Caller) bool {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return g.Pass(ctx, "work", c) == nil
}

func refused(err error) bool {
	e, ok := errors.AsType[*auth.Error](err)
	return ok && e.Kind == auth.KindRefused && e.Hint != ""
}

// TestTerminal: one question for all requests of a program in a terminal. The
// answer holds there for twelve hours, and for nobody else.
func TestTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, noted := open(t, "")
		first, second := pass(t, g, git), pass(t, g, git)
		if all := asks(g); len(all) != 1 || all[0].Program != "git" || all[0].Caller.Terminal != "pts/1" {
			t.Fatalf("%+v", all)
		}
		if err := g.Answer("work", asks(g)[0].ID, auth.AllowToday); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(<-first, <-second); err != nil || len(asks(g)) != 0 {
			t.Error(err, asks(g))
		}
		for _, test := range []struct {
			name string
			auth.Caller
			want bool
		}{
			{"again", git, true},
			{"another program", curl, false},
			{"by the same name", forged, false},
			{"in another terminal", elsewhere(git, "pts/2 11 6"), false},
			{"in a later terminal of the same number", elsewhere(git, "pts/1 99 7"), false},
			{"without a terminal", elsewhere(git, ""), false},
		} {
			if free(t, g, test.Caller) != test.want {
				t.Errorf("%s: free is %v", test.name, !test.want)
			}
		}
		time.Sleep(today)
		if free(t, g, git) {
			t.Error("after twelve hours it is not asked again")
		}
		if len(*noted) != 1 || (*noted)[0] != "work: git may have tokens for 12 hours" {
			t.Errorf("the log says %q", *noted)
		}
	})
}

// TestAlways: it holds in every terminal and after a restart, until it is revoked.
func TestAlways(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		g, _ := open(t, dir)
		got := pass(t, g, git)
		g.Answer("work", asks(g)[0].ID, auth.AllowAlways)
		if err := <-got; err != nil {
			t.Error(err)
		}
		time.Sleep(365 * 24 * time.Hour)
		g, _ = open(t, dir)
		if !free(t, g, elsewhere(git, "pts/7 1 1")) || !free(t, g, elsewhere(git, "")) || free(t, g, curl) || free(t, g, forged) {
			t.Error("always is not always, or for others too")
		}
		all := permits(g)
		if len(all) != 1 || all[0].Program != "/usr/bin/git" || all[0].Terminal != "" || !all[0].Until.IsZero() {
			t.Fatalf("%+v", all)
		}
		if err := g.Revoke("work", all[0].ID); err != nil || free(t, g, git) {
			t.Error("it still holds:", err)
		}
		g, _ = open(t, dir)
		if err := g.Revoke("work", all[0].ID); err == nil || free(t, g, git) {
			t.Error("it is back after a restart")
		}
	})
	fi, err := os.Stat(filepath.Join(dir, permitsFile))
	if err != nil || runtime.GOOS != "windows" && fi.Mode().Perm() != 0o600 {
		t.Error(fi, err)
	}
}

// TestDenied: a program that tries again asks nobody, for a while.
func TestDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := open(t, "")
		got := pass(t, g, git)
		g.Answer("work", asks(g)[0].ID, auth.Deny)
		if err := <-got; !refused(err) || err.Error() != "git may not have tokens of work" {
			t.Error(err)
		}
		if err := g.Pass(t.Context(), "work", git); !refused(err) || len(asks(g)) != 0 {
			t.Error(err)
		}
		time.Sleep(denial)
		again := pass(t, g, git)
		if len(asks(g)) != 1 {
			t.Error("it is not asked again")
		}
		time.Sleep(patience)
		if err := <-again; !refused(err) || len(asks(g)) != 0 {
			t.Error("nobody answers:", err)
		}
	})
}

// TestBounds: a question goes when nobody waits, and there are only so many. A
// wrong answer changes nothing.
func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, noted := open(t, "")
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan error, 1)
		go func() { got <- g.Pass(ctx, "work", git) }()
		synctest.Wait()
		id := asks(g)[0].ID
		for _, err := range []error{g.Answer("work", id, "yes"), g.Answer("home", id, auth.AllowAlways), g.Answer("work", "x", auth.AllowAlways), g.Revoke("work", "x")} {
			if e, ok := errors.AsType[*auth.Error](err); !ok || e.Kind != auth.KindBadRequest || e.Hint == "" {
				t.Error(err)
			}
		}
		cancel()
		if err := <-got; !errors.Is(err, context.Canceled) || len(asks(g)) != 0 {
			t.Error(err, asks(g))
		}
		var all []<-chan error
		for i := range maxAsks {
			all = append(all, pass(t, g, auth.Caller{Executable: "/tmp/" + string(rune('a'+i))}))
		}
		if err := g.Pass(t.Context(), "work", curl); !refused(err) || len(asks(g)) != maxAsks {
			t.Error(err)
		}
		time.Sleep(patience)
		for _, got := range all {
			<-got
		}
		if len(*noted) != 0 || len(permits(g)) != 0 {
			t.Error(*noted, permits(g))
		}
	})
}

// TestChanged: who watches hears of each question and each answer.
func TestChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := open(t, "")
		before := g.Changed()
		got := pass(t, g, git)
		<-before
		before = g.Changed()
		g.Answer("work", asks(g)[0].ID, auth.AllowToday)
		<-before
		<-got
	})
}
