//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"curfew/auth"
	"curfew/auth/agent"
	"curfew/auth/agent/resident"
	"curfew/ui/shots"
	"curfew/ui/status"
	"curfew/ui/tray"
)

var album = flag.String("shots", "", "the album to put pictures of the tray and its menu into")

// An actor is an engine that plays one situation, and is asked for nothing else.
type actor struct {
	agent.Engine // nil: nobody clicks
	snaps        []auth.Snapshot
}

// Snapshots returns the accounts of the situation.
func (a actor) Snapshots() []auth.Snapshot { return a.snaps }

// Watch sends the accounts once.
func (a actor) Watch(ctx context.Context) <-chan []auth.Snapshot {
	c := make(chan []auth.Snapshot, 1)
	c <- a.snaps
	go func() {
		<-ctx.Done()
		close(c)
	}()
	return c
}

// perform starts an agent that plays situation, and a tray in the language of
// locale, both until the end of t. The tray finds no other agent to start. It
// is a new one for each situation, because a menu that was opened keeps its
// rows for half a minute on a panel that does not say when it was closed.
func perform(t *testing.T, d *desktop, situation shots.Situation, locale string) {
	t.Helper()
	check(t, until(t.Context(), 10*time.Second, "the icon before to go", func() bool {
		_, _, err := d.trayName(t.Context())
		return err != nil
	}))
	dir, err := os.MkdirTemp("", "curfew-shots-*") // not t's: the paths of sockets must be short
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "agent.sock")
	if situation.Agent == shots.Up {
		listener, err := resident.Listen(t.Context(), socket)
		check(t, err)
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		server := agent.NewServer(agent.Config{Engine: actor{snaps: situation.Accounts}, Version: "shots"})
		go func() { ended <- server.Run(ctx, listener) }()
		t.Cleanup(func() {
			stop()
			check(t, <-ended)
		})
	}
	program := filepath.Join(dir, "curfew-tray") // alone: it starts the curfew next to it
	built, err := os.ReadFile("../../bin/curfew-tray")
	check(t, err)
	check(t, os.WriteFile(program, built, 0o700))
	startProgram(t, append(os.Environ(), "CURFEW_SOCKET="+socket, "XDG_CONFIG_HOME="+filepath.Join(dir, "config"), "XDG_STATE_HOME="+filepath.Join(dir, "state"),
		"PATH=/usr/bin:/bin", "LC_ALL="+locale, "LANGUAGE="), program)
	check(t, until(t.Context(), 20*time.Second, "the icon", func() bool {
		_, _, listed := d.trayName(t.Context())
		_, err := d.icon(t.Context())
		return err == nil && listed == nil
	}))
}

// show returns a picture of the icon with its menu, and of the submenu at the
// row whose words begin with path. If path is empty it is the submenu of the
// first account, if there is one.
func show(ctx context.Context, d *desktop, situation shots.Situation, path string) ([]byte, error) {
	if err := d.openMenu(ctx); err != nil {
		return nil, err
	}
	rows, err := d.menu(ctx)
	if err != nil {
		return nil, err
	}
	want, got := labels(situation), words(rows)
	if notes := len(got) - len(want); notes < 0 || notes > 2 || !slices.Equal(want, got[notes:]) {
		return nil, fmt.Errorf("the menu of %s is %q, want %q", situation.Name, got, want)
	}
	i := slices.IndexFunc(rows, func(r row) bool { return len(r.children) > 0 && strings.HasPrefix(r.words, path) })
	if i >= 0 {
		if child := slices.IndexFunc(rows[i].children, func(r row) bool { return r.enabled }); child >= 0 {
			if err := d.walk(ctx, rows[i].words, rows[i].children[child].words); err != nil {
				return nil, err
			}
		}
	}
	open, err := d.menus(ctx)
	if err != nil {
		return nil, err
	}
	area := image.Rectangle{}
	for _, m := range open {
		area = area.Union(m.Inset(-16))
	}
	area.Min.Y, area.Max.X = 0, d.screen.Max.X // with the icon
	shot, colours, err := d.still(ctx, area.Intersect(d.screen))
	if err == nil && colours < leastColours {
		err = fmt.Errorf("%s is blank", situation.Name)
	}
	return shot, errors.Join(err, d.closeMenu(ctx))
}

// labels are the rows that the tray is to show in a situation, below its notes,
// which depend on this machine.
func labels(situation shots.Situation) (all []string) {
	state := tray.State{Accounts: situation.Accounts, Agent: tray.Connected}
	if situation.Agent == shots.Gone {
		state.Agent, state.Trouble = tray.Gone, status.Explain(shots.ErrGone)
	}
	for _, i := range tray.NewModel(state, time.Now()).Items {
		if !i.Hidden && i.ID.Verb != tray.Separator && i.ID.Verb != tray.Note {
			all = append(all, i.Label)
		}
	}
	return all
}

// words are what labels is compared with.
func words(rows []row) (all []string) {
	for _, r := range rows {
		if !r.separator {
			all = append(all, r.words)
		}
	}
	return all
}

// TestShots puts the tray, as a panel that people use shows it, into the album.
func TestShots(t *testing.T) {
	if *album == "" {
		t.Skip("make ui-shots takes the pictures")
	}
	if os.Getenv("CURFEW_DESKTOP") == "" {
		t.Fatal("this is no headless desktop; make ui-shots runs it on one")
	}
	ctx := t.Context()
	a, err := shots.Open(*album)
	check(t, err)
	d, err := openDesktop(ctx, "")
	check(t, err)
	t.Cleanup(func() { check(t, d.close()) })

	for _, look := range []struct {
		group, words     string
		dark             bool
		language, locale string
		names            []string // of situations, with the row to open
	}{
		{"menu, dark", "dark panel", true, "en", "C.UTF-8", []string{"accounts-0", "active", "accounts-5", "accounts-5/Work", "accounts-30",
			"offline", "locked", "consent", "refreshes-1", "sign-in-browser", "ended-refreshes", "paused", "no-refresh-token", "sign-in-failed", "long-words", "agent-gone"}},
		{"menu, light", "light panel", false, "en", "C.UTF-8", []string{"active", "accounts-5", "accounts-30"}},
		{"menu, German", "dark panel, German", true, "de", "de_DE.UTF-8", []string{"accounts-0", "active", "accounts-5", "consent", "refreshes-1", "ended-subject-changed", "agent-gone"}},
	} {
		t.Run(look.group, func(t *testing.T) {
			check(t, setDark(ctx, d, look.dark))
			status.SetLanguage(look.language)
			defer status.SetLanguage(status.English)
			for _, name := range look.names {
				t.Run(name, func(t *testing.T) {
					name, path, _ := strings.Cut(name, "/")
					all := shots.Situations(time.Now().Add(20 * time.Second)) // no minute ends while it is looked at
					i := slices.IndexFunc(all, func(s shots.Situation) bool { return s.Name == name })
					if i < 0 {
						t.Fatalf("there is no situation %q", name)
					}
					perform(t, d, all[i], look.locale)
					shot, err := show(ctx, d, all[i], path)
					check(t, err)
					if path != "" {
						name += "-" + strings.ToLower(strings.ReplaceAll(path, " ", "-"))
					}
					file := strings.ReplaceAll(strings.ReplaceAll(look.group, ",", ""), " ", "-") + "/" + name
					check(t, a.Add(shots.Picture{Name: file, Group: look.group, Caption: all[i].Caption, Look: look.words}, shot))
				})
			}
		})
	}
}

// setDark makes the panel dark or light, and waits until it is.
func setDark(ctx context.Context, d *desktop, dark bool) error {
	set := exec.CommandContext(ctx, "xfconf-query", "-c", "xfce4-panel", "-p", "/panels/dark-mode", "-s", fmt.Sprint(dark))
	if out, err := set.CombinedOutput(); err != nil {
		return fmt.Errorf("xfconf-query: %w: %s", err, out)
	}
	var last error
	waited := until(ctx, 10*time.Second, "the panel to change its colour", func() bool {
		shot, err := d.shoot(ctx, image.Rect(200, 4, 400, 30))
		if err != nil {
			last = err
			return false
		}
		img, err := decode(shot)
		if err != nil {
			last = err
			return false
		}
		r, g, b, _ := img.At(100, 12).RGBA()
		return (r+g+b < 3*0x8000) == dark
	})
	return errors.Join(waited, last)
}
