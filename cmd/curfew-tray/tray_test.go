//go:build unix && !darwin

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"curfew/auth/agent/client"
	"curfew/auth/config"

	"curfew/assets"
	"curfew/auth"
	"curfew/auth/agent"
	"curfew/auth/agent/resident"
	"curfew/ui/tray"
	"curfew/ui/tray/traytest"
)

// programs is the folder with the built curfew-tray. Next to it is a curfew-window
// that reports how it was started.
var programs string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "curfew-tray-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		programs = dir
		build := exec.Command("go", "build", "-trimpath", "-o", dir, ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
		for _, name := range []string{"curfew-window", "browser"} {
			script := "#!/bin/sh\necho " + name + " \"$@\" >\"$REPORT\"\n"
			if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
		}
		return m.Run()
	}())
}

// engine stands in for the agent's engine, and reports its calls. The server, its
// socket and its JSON are real.
type engine struct {
	mu       sync.Mutex
	accounts []auth.Snapshot
	changed  chan struct{}
	calls    chan string
	fail     error
}

func newEngine(accounts ...auth.Snapshot) *engine {
	return &engine{accounts: accounts, changed: make(chan struct{}), calls: make(chan string, 64)}
}

func (e *engine) set(accounts ...auth.Snapshot) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.accounts = accounts
	close(e.changed)
	e.changed = make(chan struct{})
}

func (e *engine) called(what string) error {
	e.calls <- what
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.fail
}

func (e *engine) Snapshots() []auth.Snapshot {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.accounts)
}

func (e *engine) Snapshot(name string) (auth.Snapshot, error) {
	for _, a := range e.Snapshots() {
		if a.Name == name {
			return a, nil
		}
	}
	return auth.Snapshot{}, &auth.Error{Kind: auth.KindUnknown, Message: "no account " + name}
}

func (e *engine) Watch(ctx context.Context) <-chan []auth.Snapshot {
	c := make(chan []auth.Snapshot)
	go func() {
		defer close(c)
		for {
			e.mu.Lock()
			all, changed := slices.Clone(e.accounts), e.changed
			e.mu.Unlock()
			select {
			case c <- all:
			case <-ctx.Done():
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return c
}

func (e *engine) SetAccount(auth.Account) error { return errors.New("not asked for") }

func (e *engine) RemoveAccount(context.Context, string) (auth.SignOutResult, error) {
	return auth.SignOutResult{}, errors.New("not asked for")
}

func (e *engine) StartSignIn(_ context.Context, name string, r auth.SignInRequest) (auth.SignInStarted, error) {
	return auth.SignInStarted{Flow: "f1", URL: "https://id.example.org/authorize?state=x&a='$(id)'"}, e.called(fmt.Sprintf("sign-in %s force=%t", name, r.Force))
}

func (e *engine) CancelSignIn(name string) error { return e.called("cancel " + name) }

func (e *engine) Token(_ context.Context, name string, r auth.TokenRequest) (auth.Token, error) {
	return auth.Token{AccessToken: auth.NewSecret("token-of-" + name), TokenType: "Bearer", ExpiresAt: time.Now().Add(time.Hour)}, e.called("token " + name + " by " + r.Program)
}

func (e *engine) Refresh(_ context.Context, name, by string) (auth.Snapshot, error) {
	return auth.Snapshot{Name: name}, e.called("refresh " + name + " by " + by)
}

func (e *engine) SignOut(_ context.Context, name string) (auth.SignOutResult, error) {
	return auth.SignOutResult{Revoked: true}, e.called("sign-out " + name)
}

func (e *engine) Events(string, int) []auth.Event { return nil }

func (e *engine) SetGeneral(auth.General) {}

func (e *engine) Answer(account, id string, answer auth.Answer) error {
	e.called(fmt.Sprintf("answer %s %s %s", account, id, answer))
	return nil
}

func (e *engine) Revoke(account, id string) error {
	e.called(fmt.Sprintf("revoke %s %s", account, id))
	return nil
}

func (e *engine) SetPaused(paused bool) error {
	e.called(fmt.Sprintf("pause %t", paused))
	all := e.Snapshots()
	for i := range all {
		all[i].Paused = paused
	}
	e.set(all...)
	return nil
}

func (e *engine) SetClientSecret(context.Context, string, auth.Secret) error {
	return errors.New("not asked for")
}

// serve runs the agent's server until stop is called.
func serve(t *testing.T, socket string, e *engine) (stop func()) {
	t.Helper()
	l, err := resident.Listen(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- agent.NewServer(agent.Config{
			Engine: e, Consent: e, Version: "test", File: config.File(filepath.Join(t.TempDir(), "config.toml")),
			Doctor: func(context.Context) []client.Check { return nil },
			Logger: slog.New(slog.DiscardHandler),
		}).Run(ctx, l)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("agent: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// session is one desktop session with a tray in it.
type session struct {
	*testing.T
	ctx     context.Context
	home    string
	socket  string
	desktop *traytest.Desktop
	env     []string
	reports chan string // what curfew-window and the browser were started with
	item    traytest.Item
	bus     string // its address
}

// need skips the test when a program is missing, or fails it where everything
// must be there.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") != "" || os.Getenv("CURFEW_TEST_ALL") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
}

// newSession starts a private bus, and a panel on it if asked.
func newSession(t *testing.T, watcher bool) *session {
	t.Helper()
	need(t, "dbus-daemon")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute) // which only a test that hangs takes
	t.Cleanup(cancel)
	s := &session{T: t, ctx: ctx, home: t.TempDir(), reports: make(chan string, 16)}
	run := filepath.Join(s.home, "run")
	if err := os.Mkdir(run, 0o700); err != nil {
		t.Fatal(err)
	}
	s.socket = filepath.Join(run, "agent.sock")
	s.listenForReports()

	address, stop, err := traytest.StartBus()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	s.bus = address
	d, err := traytest.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	s.desktop = d
	if watcher {
		s.check(s.desktop.StartWatcher(true))
	}
	s.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.home, "XDG_RUNTIME_DIR=" + run, "XDG_CONFIG_HOME=" + s.home, "XDG_STATE_HOME=" + s.home,
		"CURFEW_SOCKET=" + s.socket, "DBUS_SESSION_BUS_ADDRESS=" + address, "TZ=UTC",
		"REPORT=" + filepath.Join(s.home, "report"), "BROWSER=" + filepath.Join(programs, "browser"),
	}
	return s
}

// listenForReports reads the named pipe that the scripts write to.
func (s *session) listenForReports() {
	path := filepath.Join(s.home, "report")
	s.check(syscall.Mkfifo(path, 0o600))
	pipe, err := os.OpenFile(path, os.O_RDWR, 0) // being open for writing, too, keeps it open
	s.check(err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		lines := bufio.NewScanner(pipe)
		for lines.Scan() {
			s.reports <- lines.Text()
		}
	}()
	s.Cleanup(func() { pipe.Close(); <-done })
}

func (s *session) check(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// program is a running curfew-tray.
type program struct {
	*exec.Cmd
	ended chan struct{}
	text  *lockedBuffer
}

type lockedBuffer struct {
	mu      sync.Mutex
	b       bytes.Buffer
	written chan struct{} // closed and replaced at every write
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.written)
	b.written = make(chan struct{})
	return b.b.Write(p)
}

// said waits until the program has said text.
func (s *session) said(p *program, text string) {
	s.Helper()
	for {
		p.text.mu.Lock()
		all, written := p.text.b.String(), p.text.written
		p.text.mu.Unlock()
		if strings.Contains(all, text) {
			return
		}
		select {
		case <-written:
		case <-s.ctx.Done():
			s.Fatalf("waiting for %q; said:\n%s", text, all)
		}
	}
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// start starts curfew-tray; it is killed at the end of the test if it still runs.
func (s *session) start(args ...string) *program {
	s.Helper()
	return s.startProgram(filepath.Join(programs, "curfew-tray"), args...)
}

func (s *session) startProgram(path string, args ...string) *program {
	s.Helper()
	p := &program{Cmd: exec.Command(path, args...), ended: make(chan struct{}), text: &lockedBuffer{written: make(chan struct{})}}
	p.Env, p.Stdout, p.Stderr = s.env, p.text, p.text
	s.check(p.Start())
	go func() { p.Wait(); close(p.ended) }()
	s.Cleanup(func() {
		p.Process.Kill()
		<-p.ended
		if s.Failed() {
			s.Logf("curfew-tray ended with %v, and said:\n%s", p.ProcessState, p.text)
		}
	})
	return p
}

// exit waits for the program's end and returns its code.
func (s *session) exit(p *program) int {
	s.Helper()
	select {
	case <-p.ended:
	case <-s.ctx.Done():
		s.Fatal("curfew-tray does not end")
	}
	return p.ProcessState.ExitCode()
}

// registered waits for the icon.
func (s *session) registered() {
	s.Helper()
	s.wait("the icon", func() (string, bool) {
		items, err := s.desktop.Items()
		if err != nil || len(items) != 1 {
			return fmt.Sprintf("%d icons, %v", len(items), err), false
		}
		s.item = items[0]
		return "", true
	})
}

// wait waits until ok, which also returns what there is instead.
func (s *session) wait(what string, ok func() (string, bool)) {
	s.Helper()
	var got string
	err := s.desktop.Wait(s.ctx, func() bool {
		var done bool
		got, done = ok()
		return done
	})
	if err != nil {
		s.Fatalf("waiting for %s: %v; there is:\n%s", what, err, got)
	}
}

// row waits for a row whose label begins with the last prefix, below those before.
func (s *session) row(prefixes ...string) traytest.Row {
	s.Helper()
	var row traytest.Row
	s.wait("the row "+strings.Join(prefixes, " > "), func() (string, bool) {
		menu, err := s.item.Menu()
		if err != nil {
			return err.Error(), false
		}
		var ok bool
		row, ok = menu.Find(prefixes...)
		return menu.String(), ok
	})
	return row
}

func (s *session) click(prefixes ...string) {
	s.Helper()
	s.check(s.item.Click(s.row(prefixes...)))
}

// icon waits until the icon is the named one, to the pixel.
func (s *session) icon(name string) {
	s.Helper()
	img, err := png.Decode(bytes.NewReader(assets.TrayIcon(name, assets.Any)))
	s.check(err)
	want := img.(*image.NRGBA)
	s.wait("the icon "+name, func() (string, bool) {
		got, err := s.item.Icon()
		if err != nil {
			return err.Error(), false
		}
		return "another icon", bytes.Equal(got.Pix, want.Pix)
	})
}

func (s *session) tooltip(want string) {
	s.Helper()
	s.wait("the tooltip "+want, func() (string, bool) {
		got, err := s.item.Tooltip()
		return fmt.Sprint(got, err), got == want
	})
}

// next waits for what comes next on a channel of reports.
func (s *session) next(c <-chan string, want string) {
	s.Helper()
	select {
	case got := <-c:
		if got != want {
			s.Fatalf("got %q, want %q", got, want)
		}
	case <-s.ctx.Done():
		s.Fatalf("nothing came; want %q", want)
	}
}

func account(name string, edits ...func(*auth.Snapshot)) auth.Snapshot {
	now := time.Now()
	a := auth.Snapshot{
		Name: name, State: auth.Active, SignedInAt: now.AddDate(0, 0, -7), EndsAt: now.Add(23*24*time.Hour + time.Hour),
		RefreshesUsed: 6, RefreshesLeft: 14, MaxRefreshes: 20, AccessExpiresAt: now.Add(time.Hour),
	}
	for _, edit := range edits {
		edit(&a)
	}
	return a
}

// menuRow is the row of a healthy account.
func menuRow(name string) string {
	return name + ": 14 left, until " + account(name).EndsAt.UTC().Format("2 Jan")
}

func ended(a *auth.Snapshot) { a.State, a.Reason, a.RefreshesLeft = auth.Ended, auth.ByRefreshes, 0 }

func TestTray(t *testing.T) {
	t.Parallel()
	s := newSession(t, true)
	e := newEngine(account("spotify"), account("my_work", ended))
	serve(t, s.socket, e)
	p := s.start()
	s.registered()

	s.icon("ended")
	s.tooltip("my_work: sign in again: all 20 refreshes are used\nspotify: 14 of 20 refreshes, 23 d left")
	for property, want := range map[string]string{"Id": "Curfew", "Title": "Curfew", "Status": "Active"} {
		if got, err := s.item.Name(property); got != want || err != nil {
			t.Errorf("%s = %q, %v", property, got, err)
		}
	}
	s.row(menuRow("spotify"), "Sign out")
	menu, err := s.item.Menu()
	s.check(err)
	if got, want := strings.Join(labels(menu.Children), "|"), "my_work: sign in again|"+menuRow("spotify")+"||Add account|Pause background refresh|Open Curfew|Settings||Quit (tokens stay available)"; got != want {
		t.Errorf("menu %q, want %q", got, want)
	}

	s.click("spotify", "Refresh now")
	s.next(e.calls, "refresh spotify by curfew-tray")
	s.click("spotify", "Sign in again")
	s.next(e.calls, "sign-in spotify force=true")
	s.next(s.reports, "browser https://id.example.org/authorize?state=x&a='$(id)'") // to the letter: no shell read it
	s.click("my_work", "Sign in again")
	s.next(e.calls, "sign-in my_work force=true")
	s.next(s.reports, "browser https://id.example.org/authorize?state=x&a='$(id)'")
	s.click("spotify", "Sign out")
	s.next(e.calls, "sign-out spotify")
	s.click("my_work", "Open")
	s.next(s.reports, "curfew-window --account my_work")
	s.click("Add account")
	s.next(s.reports, "curfew-window --add")
	s.click("Settings")
	s.next(s.reports, "curfew-window --settings")
	s.check(s.item.Activate())
	s.next(s.reports, "curfew-window")

	s.click("Pause background refresh")
	s.next(e.calls, "pause true")
	s.wait("the tick", func() (string, bool) {
		menu, err := s.item.Menu()
		row, _ := menu.Find("Pause")
		return fmt.Sprint(menu, err), row.Checked
	})
	s.click("Pause background refresh")
	s.next(e.calls, "pause false")

	e.mu.Lock()
	e.fail = &auth.Error{Kind: auth.KindUnavailable, Message: "the server did not answer", Hint: "Try again later."}
	e.mu.Unlock()
	s.click("spotify", "Refresh now")
	s.next(e.calls, "refresh spotify by curfew-tray")
	s.row("spotify: The server did not answer.")
	s.row("Try again later.")
	s.tooltip("Curfew: spotify: The server did not answer.\nTry again later.")

	s.click("Quit")
	if code := s.exit(p); code != 0 || p.text.String() != "" && !strings.Contains(p.text.String(), "the server did not answer") {
		t.Errorf("exit %d after Quit: %s", code, p.text)
	}
	s.gone()
}

func labels(rows []traytest.Row) []string {
	var l []string
	for _, r := range rows {
		l = append(l, r.Label)
	}
	return l
}

// TestLanguage: the tray speaks the desktop's language, and then the one that a
// person chooses while it runs. Only the words of the menu change.
func TestLanguage(t *testing.T) {
	t.Parallel()
	s := newSession(t, true)
	s.env = append(s.env, "LANG=de_DE.UTF-8")
	serve(t, s.socket, newEngine(account("spotify")))
	s.start()
	s.registered()
	s.tooltip("spotify: 14 von 20 Aktualisierungen, noch 23 d")
	german := s.row("spotify: noch 14, bis", "Abmelden")
	s.row("Curfew öffnen")

	choose := func(content string) time.Time {
		path := filepath.Join(s.home, "curfew", "ui.toml")
		s.check(os.MkdirAll(filepath.Dir(path), 0o700))
		s.check(os.WriteFile(path+".new", []byte(content), 0o600))
		s.check(os.Rename(path+".new", path))
		return time.Now()
	}
	at := choose("language = 'en'\n")
	english := s.row(menuRow("spotify"), "Sign out")
	s.row("Open Curfew")
	s.tooltip("spotify: 14 of 20 refreshes, 23 d left")
	if took := time.Since(at); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	if english.ID != german.ID {
		t.Errorf("row %d became row %d: the menu was built again", german.ID, english.ID)
	}
	choose("")
	s.row("spotify: noch 14, bis", "Abmelden")
}

// TestOpenMenu: in an open menu words change without a new layout, because some
// panels close the menu then. New rows appear when it is closed.
func TestOpenMenu(t *testing.T) {
	t.Parallel()
	s := newSession(t, true)
	e := newEngine(account("spotify"))
	serve(t, s.socket, e)
	s.start()
	s.registered()
	before := s.row("spotify: 14 left", "Refresh now (uses 1 of 14 left)")
	s.check(s.item.Open())
	s.desktop.Signals()
	for n := 13; n > 2; n-- {
		e.set(account("spotify", func(a *auth.Snapshot) { a.RefreshesLeft = n }))
		after := s.row(fmt.Sprintf("spotify: %d left", n), fmt.Sprintf("Refresh now (uses 1 of %d left)", n))
		if before.ID != after.ID {
			t.Errorf("row %d became row %d", before.ID, after.ID)
		}
	}
	e.set(account("spotify", func(a *auth.Snapshot) { a.RefreshesLeft = 2 }), account("work", ended))
	s.icon("ended") // which may change, and so the new account has been heard of
	menu, err := s.item.Menu()
	s.check(err)
	if _, there := menu.Find("work:"); there {
		t.Errorf("a row came to an open menu:\n%s", menu)
	}
	if got := s.desktop.Signals()["com.canonical.dbusmenu.LayoutUpdated"]; got != 0 {
		t.Errorf("%d new layouts for an open menu", got)
	}
	s.check(s.item.Click(before))
	s.next(e.calls, "refresh spotify by curfew-tray")

	s.check(s.item.Open())
	e.set(account("spotify"))
	s.icon("ring-07")
	s.check(s.item.Close())
	s.row(menuRow("spotify"))
	s.wait("the row to go", func() (string, bool) {
		menu, err := s.item.Menu()
		_, there := menu.Find("work:")
		return fmt.Sprint(menu, err), !there
	})
}

// TestOpenMenuOfGTK: GTK's panels say that the menu opens, and not that it closes.
// New rows appear when it opens again, at once.
func TestOpenMenuOfGTK(t *testing.T) {
	t.Parallel()
	s := newSession(t, true)
	e := newEngine(account("spotify"))
	serve(t, s.socket, e)
	s.start()
	s.registered()
	s.row("spotify: 14 left")
	s.check(s.item.About())
	e.set(account("spotify", func(a *auth.Snapshot) { a.RefreshesLeft = 2 }), account("work", ended))
	s.icon("ended") // which may change, and so the new account has been heard of
	for _, want := range []bool{false, true} {
		menu, err := s.item.Menu()
		s.check(err)
		if _, there := menu.Find("work:"); there != want {
			t.Errorf("the new row is there: %t, want %t\n%s", there, want, menu)
		}
		s.check(s.item.About())
	}
}

// TestAnswersInOrder: a panel that asks for a row and then for the rows below it
// gets the row first. Otherwise it would show an empty submenu.
func TestAnswersInOrder(t *testing.T) {
	t.Parallel()
	s := newSession(t, true)
	serve(t, s.socket, newEngine(account("spotify")))
	s.start()
	s.registered()
	row, below := s.row("spotify"), s.row("spotify", "Open")
	for n := range 200 {
		if inOrder, err := s.item.Hurry(row.ID, below.ID, row.ID, below.ID); err != nil || !inOrder {
			t.Fatalf("at the %dth time: in order %t, %v", n+1, inOrder, err)
		}
	}
}

// TestHints: a panel that asks for the top rows only gets a hint of the rows below
// them, once. Others get none.
func TestHints(t *testing.T) {
	t.Parallel()
	s := newSession(t, true)
	e := newEngine(account("spotify"), account("work"))
	serve(t, s.socket, e)
	s.start()
	s.registered()
	s.row("work", "Open")
	hints := func(read func() (traytest.Row, error)) int {
		s.desktop.Signals()
		_, err := read()
		s.check(err)
		_, err = s.item.Menu() // what was sent before has come
		s.check(err)
		return s.desktop.Signals()[traytest.Hint]
	}
	if n := hints(s.item.TopRows); n != 2 {
		t.Errorf("%d hints for two accounts", n)
	}
	if n := hints(s.item.TopRows); n != 0 {
		t.Errorf("%d hints more", n)
	}
	other, err := traytest.Connect(s.bus)
	s.check(err)
	t.Cleanup(func() { other.Close() })
	second := s.item.In(other)
	if n := hints(second.TopRows); n != 2 {
		t.Errorf("%d hints for another panel", n)
	}
	for range 2 { // both hear those of the other, and may ask again
		if n := hints(s.item.TopRows) + hints(second.TopRows); n != 0 {
			t.Errorf("%d hints that panels send each other", n)
		}
	}
	e.set(account("spotify"), account("work"), account("home"))
	s.row("home", "Open")
	if n := hints(s.item.Menu); n != 0 {
		t.Errorf("%d hints for a panel that reads all rows", n)
	}
	if n := hints(s.item.TopRows); n != 3 {
		t.Errorf("%d hints for three accounts", n)
	}
}

// TestCopy: the token is in the clipboard of a real X server, and gone from it
// when the tray has ended.
func TestCopy(t *testing.T) {
	t.Parallel()
	need(t, "Xvfb", "xclip")
	s := newSession(t, true)
	r, w, err := os.Pipe()
	s.check(err)
	defer r.Close()
	x := exec.Command("Xvfb", "-displayfd", "3", "-nolisten", "tcp", "-noreset") // a reset would clear what the tray is to clear
	x.ExtraFiles = []*os.File{w}
	s.check(x.Start())
	w.Close()
	t.Cleanup(func() { x.Process.Kill(); x.Wait() })
	number, err := bufio.NewReader(r).ReadString('\n')
	s.check(err)
	s.env = append(s.env, "DISPLAY=:"+strings.TrimSpace(number))
	clipboard := func() string {
		c := exec.Command("xclip", "-out", "-selection", "clipboard")
		c.Env = s.env
		text, _ := c.Output() // fails when it is empty
		return string(text)
	}

	e := newEngine(account("spotify"))
	serve(t, s.socket, e)
	p := s.start()
	s.registered()
	s.click("spotify", "Copy access token")
	s.next(e.calls, "token spotify by curfew-tray")
	s.row("spotify: access token copied. The clipboard is cleared in 45 s")
	if got := clipboard(); got != "token-of-spotify" {
		t.Errorf("clipboard %q", got)
	}
	s.click("Quit")
	if code := s.exit(p); code != 0 {
		t.Errorf("exit %d", code)
	}
	if got := clipboard(); got != "" {
		t.Errorf("clipboard %q after the end", got)
	}
}

// TestNotices: passing a mark is announced once. A click in the notification does
// its work. A notification that is no longer true is removed.
func TestNotices(t *testing.T) {
	t.Parallel()
	s := newSession(t, true)
	s.check(s.desktop.StartNotifications())
	spotify := account("spotify")
	e := newEngine(spotify, account("work"))
	serve(t, s.socket, e)
	p := s.start()
	s.registered()
	s.row(menuRow("spotify"))
	spotify.RefreshesLeft = 5
	e.set(spotify, account("work"))
	n := s.shown(1)
	if n.App != "Curfew" || n.Summary != "spotify: 5 refreshes left" || n.Body == "" ||
		!slices.Equal(n.Actions, []string{"default", "Open", "sign-in", "Sign in again", "tomorrow", "Tomorrow"}) || n.Timeout != -1 || n.Replaces != 0 {
		t.Errorf("notification %+v", n)
	}
	s.check(s.desktop.Act(n, "sign-in"))
	s.next(e.calls, "sign-in spotify force=true")
	s.next(s.reports, "browser https://id.example.org/authorize?state=x&a='$(id)'")
	s.check(s.desktop.Act(n, "default"))
	s.next(s.reports, "curfew-window --account spotify")

	closed := func(want ...uint32) {
		t.Helper()
		s.wait("notifications to go", func() (string, bool) {
			got := s.desktop.Closed()
			return fmt.Sprint(got), slices.Equal(got, want)
		})
	}
	ended(&spotify)
	e.set(spotify, account("work"))
	over := s.shown(2)
	closed(n.ID) // before: one that takes its place Plasma would not show
	if over.Replaces != 0 || over.ID == n.ID || over.Summary != "spotify: session ended" || over.Hints["urgency"].Value() != byte(2) {
		t.Errorf("notification %+v", over)
	}

	again := account("spotify", func(a *auth.Snapshot) { a.SignedInAt = time.Now() })
	e.set(again, account("work"))
	closed(n.ID, over.ID)
	again.RefreshesLeft = 2
	e.set(again, account("work"))
	last := s.shown(3)
	s.click("Quit")
	if code := s.exit(p); code != 0 {
		t.Errorf("exit %d", code)
	}
	closed(n.ID, over.ID, last.ID)
}

// kill ends the program without a word.
func (s *session) kill(p *program) {
	s.Helper()
	s.check(p.Process.Kill())
	s.exit(p)
	s.gone()
}

// gone waits until the desktop has no icon, which is a moment after the tray's end.
func (s *session) gone() {
	s.Helper()
	s.wait("the icon to go", func() (string, bool) {
		items, _ := s.desktop.Items()
		return "an icon", len(items) == 0
	})
}

// shown waits until so many notifications were shown, and returns the last.
func (s *session) shown(n int) traytest.Notification {
	s.Helper()
	var last traytest.Notification
	s.wait(fmt.Sprintf("notification %d", n), func() (string, bool) {
		all := s.desktop.Notifications()
		if len(all) > 0 {
			last = all[len(all)-1]
		}
		return fmt.Sprintf("%+v", all), len(all) == n
	})
	return last
}

// TestNoticesChange: the words of a notification stay true without a new one. A
// notification that has expired does not come back.
func TestNoticesChange(t *testing.T) {
	t.Parallel()
	s := newSession(t, true)
	s.check(s.desktop.StartNotifications())
	spotify, work := account("spotify"), account("work")
	e := newEngine(spotify, work)
	serve(t, s.socket, e)
	s.start()
	s.registered()
	s.row(menuRow("spotify"))
	left := func(n, m int) {
		spotify.RefreshesLeft, work.RefreshesLeft = n, m
		e.set(spotify, work)
	}
	left(5, 14)
	first := s.shown(1)
	left(4, 14)
	if n := s.shown(2); n.Summary != "spotify: 4 refreshes left" || n.Replaces != first.ID || n.Hints["urgency"].Value() != byte(0) {
		t.Errorf("%+v", n)
	}
	s.check(s.desktop.Expire(first))
	s.check(s.desktop.Act(first, "default")) // heard after that
	s.next(s.reports, "curfew-window --account spotify")
	left(3, 14)
	s.row("spotify: 3 left")
	left(3, 5)
	if n := s.shown(3); n.Summary != "work: 5 refreshes left" {
		t.Errorf("%+v", n)
	}
	if closed := s.desktop.Closed(); len(closed) > 0 {
		t.Errorf("taken away: %v", closed)
	}
}

// TestConsent: a program that waits is a notification with three answers, which
// goes when the question does, and a row of the menu.
func TestConsent(t *testing.T) {
	t.Parallel()
	s := newSession(t, true)
	s.check(s.desktop.StartNotifications())
	work := account("work")
	e := newEngine(work)
	serve(t, s.socket, e)
	s.start()
	s.registered()
	s.row(menuRow("work"))
	work.Asks = []auth.Ask{{ID: "q1", Program: "git", Caller: auth.Caller{Executable: "/usr/bin/git", Terminal: "pts/3", Claimed: "curl"}}}
	e.set(work)
	n := s.shown(1)
	if n.Summary != "git wants a token of work" || n.Body != "/usr/bin/git, terminal pts/3. It calls itself curl." || n.Hints["urgency"].Value() != byte(2) ||
		!slices.Equal(n.Actions, []string{"default", "Open", "allow", "Allow for 12 h", "allow-always", "Always for git", "deny", "Deny"}) {
		t.Errorf("notification %+v", n)
	}
	s.check(s.desktop.Act(n, "allow"))
	s.next(e.calls, "answer work q1 12h")
	s.check(s.desktop.Act(n, "default"))
	s.next(s.reports, "curfew-window --account work")
	s.click("git wants a token of work", "Deny")
	s.next(e.calls, "answer work q1 deny")
	work.Asks = nil
	e.set(work)
	s.wait("the notification to go", func() (string, bool) {
		got := s.desktop.Closed()
		return fmt.Sprint(got), slices.Equal(got, []uint32{n.ID})
	})
}

// TestNoNotificationService: notices from before there was a notification service
// are shown when one appears, if they are still true. The end of a session is
// shown once, even by another tray.
func TestNoNotificationService(t *testing.T) {
	t.Parallel()
	s := newSession(t, true)
	at := func(a *auth.Snapshot) { a.EndedAt = time.Unix(1800000000, 0).UTC() }
	left := func(n int) func(*auth.Snapshot) { return func(a *auth.Snapshot) { a.RefreshesLeft = n } }
	spotify, home, work := account("spotify"), account("home"), account("work", ended, at)
	e := newEngine(spotify, home, work)
	serve(t, s.socket, e)
	p := s.start("--verbose")
	s.registered()
	const missed = `"notification not shown" title="work: session ended"`
	s.said(p, missed)
	s.kill(p)
	p = s.start("--verbose")
	s.registered()
	s.said(p, missed) // nobody has seen it yet
	left(5)(&spotify)
	left(5)(&home)
	e.set(spotify, home, work)
	s.said(p, `title="spotify: 5 refreshes left"`)
	s.said(p, `title="home: 5 refreshes left"`)
	left(4)(&spotify) // the missed notice is no longer true
	home.SignedInAt = time.Now()
	e.set(spotify, home, work)
	s.row("spotify: 4 left")
	s.check(s.desktop.StartNotifications())
	s.shown(2)
	var titles []string
	for _, n := range s.desktop.Notifications() {
		titles = append(titles, n.Summary)
	}
	slices.Sort(titles)
	if want := []string{"spotify: 4 refreshes left", "work: session ended"}; !slices.Equal(titles, want) {
		t.Errorf("said %q, want %q", titles, want)
	}

	// Another service has other numbers: a click on one of them is not meant
	// for what the service before has shown. An end that stood there is shown
	// again, because perhaps nobody has seen it.
	var over traytest.Notification
	for _, n := range s.desktop.Notifications() {
		if n.Summary == "work: session ended" {
			over = n
		}
	}
	s.check(s.desktop.StopNotifications())
	left(2)(&spotify)
	e.set(spotify, home, work)
	s.said(p, `title="spotify: 2 refreshes left"`)
	s.check(s.desktop.StartNotifications())
	s.shown(4)
	again := s.desktop.Notifications()[2:]
	slices.SortFunc(again, func(a, b traytest.Notification) int { return strings.Compare(a.Summary, b.Summary) })
	s.check(s.desktop.Act(over, "default"))
	s.check(s.desktop.Act(again[0], "default"))
	s.next(s.reports, "curfew-window --account spotify")
	if again[0].Summary != "spotify: 2 refreshes left" || again[1].Summary != "work: session ended" || len(s.desktop.Closed()) > 0 {
		t.Errorf("%+v, taken away %v", again, s.desktop.Closed())
	}
	s.kill(p)
	s.start()
	s.registered()
	s.row("spotify: 2 left")
	left(0)(&spotify)
	e.set(spotify, home, work)
	if n := s.shown(5); !strings.HasPrefix(n.Summary, "spotify: ") {
		t.Errorf("%+v", n)
	}
}

// TestWatcherRestart: a panel that crashes and comes back has the icon again.
func TestWatcherRestart(t *testing.T) {
	t.Parallel()
	s := newSession(t, true)
	serve(t, s.socket, newEngine(account("spotify")))
	s.start()
	s.registered()
	s.row(menuRow("spotify"), "Open") // by now the tray listens for a new panel
	s.check(s.desktop.StopWatcher())
	s.check(s.desktop.StartWatcher(true))
	s.registered()
	s.row(menuRow("spotify"), "Open")
}

// TestNoHost: without a place for icons, the tray says so once, also in a
// notification, and the window opens. When a host appears, so does the icon, and
// the notification is removed.
func TestNoHost(t *testing.T) {
	t.Parallel()
	s := newSession(t, false)
	s.check(s.desktop.StartNotifications())
	serve(t, s.socket, newEngine(account("spotify")))
	p := s.start()
	s.next(s.reports, "curfew-window")
	var n traytest.Notification
	s.wait("a notification", func() (string, bool) {
		all := s.desktop.Notifications()
		if len(all) == 1 {
			n = all[0]
		}
		return fmt.Sprintf("%+v", all), len(all) == 1
	})
	if n.Summary != "This desktop shows no icon of Curfew" || !strings.Contains(n.Body, "AppIndicator") || !slices.Equal(n.Actions, []string{"default", "Open"}) {
		t.Errorf("notification %+v", n)
	}
	s.check(s.desktop.Act(n, "default"))
	s.next(s.reports, "curfew-window")
	s.check(s.desktop.StartWatcher(true))
	s.registered()
	s.wait("the notification to go", func() (string, bool) {
		got := s.desktop.Closed()
		return fmt.Sprint(got), slices.Equal(got, []uint32{n.ID})
	})
	s.row(menuRow("spotify"), "Open")
	s.check(s.desktop.StopWatcher())
	s.check(s.desktop.StartWatcher(true))
	s.registered()
	if n := strings.Count(p.text.String(), "no place for tray icons"); n != 1 {
		t.Errorf("said %d times: %s", n, p.text)
	}
	if all := s.desktop.Notifications(); len(all) != 1 {
		t.Errorf("notified %d times: %+v", len(all), all)
	}
}

// TestCheck: what `curfew doctor` asks, of a desktop without a place for icons, of
// one with a place, and of none.
func TestCheck(t *testing.T) {
	t.Parallel()
	s := newSession(t, false)
	for _, want := range []string{"this desktop has no place for tray icons", "the desktop shows tray icons", "there is no D-Bus session"} {
		switch want {
		case "the desktop shows tray icons":
			s.check(s.desktop.StartWatcher(true))
		case "there is no D-Bus session":
			s.env = append(s.env, "DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent/bus")
		}
		p := s.start("--check")
		code := s.exit(p)
		var c client.Check
		err := json.Unmarshal([]byte(p.text.String()), &c)
		if code != 0 || err != nil || c.Name != "tray" || !strings.HasPrefix(c.Message, want) || c.OK != (c.Hint == "") || c.OK != strings.Contains(want, "shows") {
			t.Errorf("exit %d: %q, want %q", code, p.text, want)
		}
	}
}

// TestNoBus: without a session bus the tray says so in one line and a hint, and
// does not start a bus.
func TestNoBus(t *testing.T) {
	t.Parallel()
	s := newSession(t, false)
	for _, address := range []string{"DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent/bus", "DBUS_SESSION_BUS_ADDRESS="} {
		s.env = append(s.env, address)
		p := s.start()
		if code := s.exit(p); code != 1 {
			t.Errorf("exit %d", code)
		}
		text := p.text.String()
		if !strings.HasPrefix(text, "curfew-tray: there is no D-Bus session, so there is no tray") || !strings.Contains(text, "\nhint: ") || strings.Count(text, "\n") != 2 {
			t.Errorf("said %q", text)
		}
	}
}

// TestWrongUser: as root in a person's directories, the tray writes nothing there.
func TestWrongUser(t *testing.T) {
	t.Parallel()
	s := newSession(t, true)
	home := t.TempDir()
	if os.Geteuid() != 0 || os.Chown(home, 12345, 12345) != nil {
		t.Skip("only root can make somebody else's directory")
	}
	s.env = append(s.env, "XDG_STATE_HOME="+home)
	p := s.start()
	if code := s.exit(p); code != 1 || !strings.HasSuffix(p.text.String(), "belongs to user 12345, and this runs as root\nhint: run it without sudo\n") {
		t.Errorf("exit %d, said %q", code, p.text)
	}
}

// TestAgentDies: the tray shows that the agent is gone, and follows it again when
// it is back.
func TestAgentDies(t *testing.T) {
	t.Parallel()
	s := newSession(t, true)
	s.env = append(s.env, "PATH="+t.TempDir()) // no curfew that could be started
	e := newEngine(account("spotify"))
	stop := serve(t, s.socket, e)
	s.start()
	s.registered()
	s.icon("ring-07")
	stop()
	s.icon("no-agent")
	s.row("The agent is not running, and there is no program curfew-agent to start.")
	s.row("Install curfew-agent next to this program or in a directory of PATH")
	serve(t, s.socket, e)
	s.icon("ring-07")
	s.row(menuRow("spotify"), "Open")
}

// secondStart starts another tray, which has the first show its window and ends.
func (s *session) secondStart() {
	s.Helper()
	second := s.start()
	if code := s.exit(second); code != 0 {
		s.Errorf("exit %d: %s", code, second.text)
	}
	s.next(s.reports, "curfew-window")
	if items, err := s.desktop.Items(); len(items) != 1 || err != nil {
		s.Errorf("%d icons, %v", len(items), err)
	}
}

// TestSecondStart: there is one tray; a second start shows the first's window.
func TestSecondStart(t *testing.T) {
	t.Parallel()
	s := newSession(t, true)
	serve(t, s.socket, newEngine(account("spotify")))
	s.start()
	s.registered()
	s.secondStart()
}

// TestSocketGone: a tray that nobody can reach any more, as after a clean-up of the
// runtime directory, is there again. So a second start finds it.
func TestSocketGone(t *testing.T) {
	t.Parallel()
	s := newSession(t, true)
	serve(t, s.socket, newEngine(account("spotify")))
	s.start()
	s.registered()
	s.check(os.Remove(traySocket(s.socket)))
	for before := s.item; s.item == before; { // it may not be known yet that it is gone
		s.registered()
	}
	s.row(menuRow("spotify"), "Open")
	s.secondStart()
}

// TestSlowPanel: in a desktop that has just begun, a panel has long before the window
// opens instead.
func TestSlowPanel(t *testing.T) {
	for wait, want := range map[time.Duration]bool{patience: true, loginPatience: false} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			present, said := make(chan bool), new(strings.Builder)
			var notices []tray.Notice
			ended := make(chan error)
			t.Setenv("PATH", t.TempDir()) // there is no window to open
			go func() {
				ended <- watchPanel(ctx, slowPanel{present: present}, wait, func(n tray.Notice) { notices = append(notices, n) }, said, slog.New(slog.DiscardHandler))
			}()
			present <- false
			time.Sleep(20 * time.Second)
			present <- true
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if got := said.Len() > 0 || len(notices) > 0; got != want {
				t.Errorf("with %v: %q, %+v", wait, said, notices)
			}
		})
	}
}

// slowPanel comes when it is told to.
type slowPanel struct {
	panel
	present chan bool
}

func (p slowPanel) Watch(context.Context) (<-chan bool, <-chan error) { return p.present, nil }

// TestSignals: both polite ways to end a program end this one cleanly, and a
// killed tray does not keep the next from starting.
func TestSignals(t *testing.T) {
	t.Parallel()
	s := newSession(t, true)
	serve(t, s.socket, newEngine(account("spotify")))
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM, os.Kill} {
		p := s.start()
		s.registered()
		s.row("spotify")
		s.check(p.Process.Signal(signal))
		if code := s.exit(p); code != 0 && signal != os.Kill {
			t.Errorf("exit %d after %v: %s", code, signal, p.text)
		}
		s.gone()
	}
	s.start()
	s.registered()
}

// login is a new desktop with a panel, at an address. "" is an unused address.
func (s *session) login(at string) (stop func()) {
	s.Helper()
	address, stop, err := traytest.StartBusAt(at)
	s.check(err)
	stop = sync.OnceFunc(stop)
	s.Cleanup(stop)
	d, err := traytest.Connect(address)
	s.check(err)
	s.Cleanup(func() { d.Close() })
	s.desktop = d
	s.check(s.desktop.StartWatcher(true))
	s.env = append(s.env, "DBUS_SESSION_BUS_ADDRESS="+address, "DISPLAY="+address)
	return stop
}

// TestBusDies: when its desktop ends, a tray automatically shows its icon in the next
// one at the same address. If the next one is elsewhere, the tray that is started
// there replaces it.
func TestBusDies(t *testing.T) {
	t.Parallel()
	s := newSession(t, true)
	serve(t, s.socket, newEngine(account("spotify")))
	at := "unix:path=" + filepath.Join(s.home, "bus")
	logout := s.login(at)
	p := s.start()
	s.registered()
	for range 2 {
		logout()
		s.said(p, "no icon until there is a D-Bus session again")
		logout = s.login(at)
		s.registered()
		s.row(menuRow("spotify"), "Open")
	}

	logout()
	s.login("")
	second := s.start()
	s.registered()
	s.row(menuRow("spotify"), "Open")
	if code := s.exit(p); code != 0 {
		t.Errorf("exit %d: %s", code, p.text)
	}

	// Both desktops live, as when somebody is logged in twice.
	old := s.desktop
	s.login("")
	s.start()
	s.registered()
	s.row(menuRow("spotify"), "Open")
	if code := s.exit(second); code != 0 {
		t.Errorf("exit %d: %s", code, second.text)
	}
	s.desktop = old
	s.gone()
}

// TestUpgrade: a start after an upgrade takes over from the tray of before. Without
// one, the new program takes its place a moment later.
func TestUpgrade(t *testing.T) {
	for _, again := range []bool{true, false} {
		t.Run(fmt.Sprintf("started again %v", again), func(t *testing.T) {
			t.Parallel()
			s := newSession(t, true)
			serve(t, s.socket, newEngine(account("spotify")))
			path := filepath.Join(s.home, "curfew-tray")
			install := func() {
				b, err := os.ReadFile(filepath.Join(programs, "curfew-tray"))
				s.check(err)
				syscall.ForkLock.RLock() // a program of another test would hold the file open, so that it could not run
				err = os.WriteFile(path+".new", b, 0o755)
				syscall.ForkLock.RUnlock()
				s.check(err)
				s.check(os.Rename(path+".new", path))
			}
			install()
			p := s.startProgram(path)
			s.registered()
			install()
			if again {
				s.startProgram(path)
				if code := s.exit(p); code != 0 {
					t.Errorf("exit %d: %s", code, p.text)
				}
			}
			for before := s.item; s.item == before; { // it may not be known yet that it is gone
				s.registered()
			}
			s.row(menuRow("spotify"), "Open")
		})
	}
}

// TestTimeZone: times are those of the zone that the machine is in now.
func TestTimeZone(t *testing.T) {
	t.Parallel()
	s := newSession(t, true)
	zone := filepath.Join(s.home, "localtime")
	move := func(name string) {
		b, err := os.ReadFile(filepath.Join("/usr/share/zoneinfo", name))
		if err != nil {
			t.Skip(err)
		}
		s.check(os.WriteFile(zone+".new", b, 0o600))
		s.check(os.Rename(zone+".new", zone))
	}
	move("UTC")
	s.env = append(s.env, "TZ=:"+zone)
	soon := account("spotify", func(a *auth.Snapshot) { a.EndsAt = time.Now().UTC().Add(time.Minute) })
	e := newEngine(soon)
	serve(t, s.socket, e)
	s.start()
	s.registered()
	s.row("spotify: 14 left, until " + soon.EndsAt.Format("15:04"))
	move("Asia/Tokyo")
	soon.RefreshesLeft = 13
	e.set(soon)
	s.row("spotify: 13 left, until " + soon.EndsAt.Add(9*time.Hour).Format("15:04"))
}

// TestSilentFirst: a tray that neither shows its window nor ends is named.
func TestSilentFirst(t *testing.T) {
	t.Parallel()
	run := filepath.Join(t.TempDir(), "run")
	if err := os.Mkdir(run, 0o700); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(run, "agent.sock")
	first, err := claim(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		c, err := first.Accept()
		if err != nil {
			return
		}
		c.Read(make([]byte, 1)) // it has said who it is, and waits
		cancel()
	}()
	_, err = claim(ctx, socket)
	want := fmt.Sprintf("another curfew-tray runs as process %d and does not answer", os.Getpid())
	if !errors.Is(err, errSilent) || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestManyAccounts(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 30} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s := newSession(t, true)
			var all []auth.Snapshot
			for i := range n {
				all = append(all, account(fmt.Sprintf("a%02d", i)))
			}
			serve(t, s.socket, newEngine(all...))
			s.start()
			s.registered()
			switch n {
			case 0:
				s.row("No accounts yet")
				s.tooltip("Curfew: no accounts yet")
				s.icon("signed-out")
			case 1:
				s.row(menuRow("a00"), "Open")
			case 30:
				s.row("All accounts…")
				s.tooltip("a00: 14 of 20 refreshes, 23 d left\na01: 14 of 20 refreshes, 23 d left\na02: 14 of 20 refreshes, 23 d left\na03: 14 of 20 refreshes, 23 d left\na04: 14 of 20 refreshes, 23 d left\nand 25 more")
			}
		})
	}
}

func TestFlags(t *testing.T) {
	for _, tt := range []struct {
		args   string
		code   int
		stdout string
		stderr string
	}{
		{"--version", 0, "curfew-tray " + assets.Version + " (", ""},
		{"--help", 0, "Usage: curfew-tray [flags]\n", ""},
		{"-h", 0, "Usage: curfew-tray [flags]\n", ""},
		{"--icons=pink", 2, "", "curfew-tray: unknown icons \"pink\"\nhint: "},
		{"--what", 2, "", "curfew-tray: flag provided but not defined: -what\nhint: "},
		{"now", 2, "", "curfew-tray: unexpected argument \"now\"\nhint: "},
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), strings.Fields(tt.args), &stdout, &stderr)
		if code != tt.code || !strings.HasPrefix(stdout.String(), tt.stdout) || !strings.HasPrefix(stderr.String(), tt.stderr) || (tt.stderr == "") != (stderr.Len() == 0) {
			t.Errorf("%s: exit %d, %q, %q", tt.args, code, &stdout, &stderr)
		}
	}
}

func (e *engine) CheckAccount(context.Context, auth.Account) error { return nil }
func (e *engine) Forecast(string) (auth.ForecastReport, error)     { return auth.ForecastReport{}, nil }

func (e *engine) UnlockKeychain(context.Context) error { return nil }
