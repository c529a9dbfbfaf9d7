//go:build linux

package agent

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"curfew/auth"
	"curfew/auth/config"
)

// An edit of config.toml holds from the next request on. What cannot hold is said,
// and changes nothing.
func TestFollow(t *testing.T) {
	const (
		music = "[account.music]\nprovider = \"spotify\"\nclient_id = \"x\"\n"
		work  = "[account.work]\nissuer = \"https://id.example.com\"\nclient_id = \"x\"\n"
		tight = "[limits]\nmax_refreshes = 5\n"
	)
	e := newEngine()
	c, cfg := serve(t, e)
	path := cfg.File.Path()
	edit := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// holds asks for the accounts, and checks which there are, the limit, and what
	// is said of the file.
	holds := func(names string, refreshes int, problem string) {
		t.Helper()
		all, err := c.Accounts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range all {
			got = append(got, s.Name)
		}
		limits := auth.BuiltIn
		if heard := len(e.General); heard > 0 {
			limits = e.General[heard-1].Limits
		}
		if strings.Join(got, " ") != names || limits.MaxRefreshes != refreshes {
			t.Errorf("accounts %q, limits %+v; want %q, %d", got, limits, names, refreshes)
		}
		if p := c.ConfigProblem(); !strings.Contains(p, problem) || (p == "") != (problem == "") {
			t.Errorf("the problem is %q, want %q", p, problem)
		}
		d, err := c.Doctor(t.Context())
		if err != nil || d[0].Name != "config" || d[0].OK != (problem == "") || !strings.Contains(d[0].Message, problem) || !d[0].OK && d[0].Hint == "" {
			t.Errorf("doctor: %+v, %v", d, err)
		}
	}

	holds("", 20, "")
	edit(tight + work)
	holds("work", 5, "")
	edit(tight + work + "colour = \"red\"\n")
	holds("work", 5, `config.toml:6: there is no setting "account.work.colour"`)
	edit("[limits]\nmax_refreshes = 21\n" + work)
	holds("work", 5, "config.toml:2")
	os.Remove(path)
	holds("work", 5, "config.toml is gone")
	edit(tight + work)
	holds("work", 5, "")

	// What the engine refuses is tried again when something else has changed.
	e.err = &auth.Error{Kind: auth.KindBadRequest, Message: "work is signed in", Hint: "sign out first"}
	edit(strings.Replace(work, "id.example", "other.example", 1))
	holds("work", 20, "work: work is signed in")
	e.err = nil
	holds("work", 20, "")
	if a := e.accounts["work"]; a.Issuer != "https://other.example.com" {
		t.Errorf("the engine has %+v", a)
	}

	// An account that is taken out stays, and that is said.
	edit(music)
	holds("work music", 20, "work is no longer in "+path)
	if _, err := c.Remove(t.Context(), "work"); err != nil {
		t.Fatal(err)
	}
	holds("music", 20, "")

	// A change over the socket keeps what was edited just before, and is not read
	// again.
	edit(tight + music)
	if err := c.Put(t.Context(), auth.Account{Name: "home", Provider: "spotify", ClientID: "y"}); err != nil {
		t.Fatal(err)
	}
	heard := len(e.General)
	if holds("home music", 5, ""); len(e.General) != heard {
		t.Errorf("the engine heard of %+v", e.General[heard:])
	}
}

// Of many who ask at once after an edit, each finds it.
func TestFollowTogether(t *testing.T) {
	c, cfg := serve(t, newEngine())
	if err := os.WriteFile(cfg.File.Path(), []byte("[account.work]\nprovider = \"spotify\"\nclient_id = \"x\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			if _, err := c.Account(t.Context(), "work"); err != nil {
				t.Error(err)
			}
		})
	}
	asking.Wait()
}

// slow is an engine whose removals wait for a server.
type slow struct {
	*engine
	began, answer chan bool
}

func (e slow) RemoveAccount(ctx context.Context, name string) (auth.SignOutResult, error) {
	e.began <- true
	<-e.answer
	return e.engine.RemoveAccount(ctx, name)
}

// A server that does not answer holds up the removal of its account, and nothing else.
func TestSlowRemoval(t *testing.T) {
	e := slow{newEngine(), make(chan bool, 1), make(chan bool)}
	c, cfg := serve(t, e)
	put := func(name string) error {
		return c.Put(t.Context(), auth.Account{Name: name, Provider: "spotify", ClientID: "x"})
	}
	if err := put("work"); err != nil {
		t.Fatal(err)
	}
	var asking sync.WaitGroup
	asking.Go(func() {
		if _, err := c.Remove(t.Context(), "work"); err != nil {
			t.Error(err)
		}
	})
	<-e.began
	if err := put("home"); err != nil {
		t.Error(err)
	}
	before, err := os.ReadFile(cfg.File.Path())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"hand", "work"} { // the second is the one that is going
		before = append(before, "[account."+name+"]\nprovider = \"spotify\"\nclient_id = \"y\"\n"...)
	}
	if err := os.WriteFile(cfg.File.Path(), before, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Account(t.Context(), "hand"); err != nil || c.ConfigProblem() != "work is still being removed" {
		t.Errorf("%v, %q", err, c.ConfigProblem())
	}
	asking.Go(func() {
		if err := put("work"); err != nil {
			t.Error(err)
		}
	})
	close(e.answer)
	asking.Wait()
	if _, err := c.Account(t.Context(), "work"); err != nil || c.ConfigProblem() != "" {
		t.Errorf("added again: %v, %q", err, c.ConfigProblem())
	}
}

// heard is an engine that reports which accounts it is given.
type heard struct {
	*engine
	accounts chan auth.Account
}

func (h heard) SetAccount(a auth.Account) error {
	h.accounts <- a
	return h.engine.SetAccount(a)
}

// An edit holds also while nobody asks, and somebody only watches.
func TestFollowWhileWatched(t *testing.T) {
	e := heard{newEngine(), make(chan auth.Account, 1)}
	file := config.File(filepath.Join(t.TempDir(), "config.toml"))
	p := usual
	p.beat = time.Millisecond
	c := impatient(t, Config{Engine: e, File: file}, p)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- c.Watch(ctx, func([]auth.Snapshot) {
			os.WriteFile(file.Path(), []byte("[account.work]\nprovider = \"spotify\"\nclient_id = \"x\"\n"), 0o600)
		})
	}()
	if a := <-e.accounts; a.Name != "work" {
		t.Errorf("%+v", a)
	}
	cancel()
	<-ended
}
