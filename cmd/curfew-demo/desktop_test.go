//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"curfew/auth"
	"curfew/auth/authserver"
	"curfew/auth/authserver/robot"
	"curfew/ui/tray/traytest"
)

// These tests use a desktop with real panels, a real mouse and a real keychain.
// They need the programs in bin/ and .ci/headless-desktop, and leave pictures
// in build/desktop/. `make test-desktop` and `make rest` run them.

// sitDown starts the agent, and a server of the demo, on this desktop.
func sitDown(t *testing.T, c authserver.Config) *player {
	t.Helper()
	if os.Getenv("CURFEW_DESKTOP") == "" {
		t.Skip("this is no headless desktop; make test-desktop runs it on one")
	}
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	p := &player{browser: &robot.Browser{User: authserver.DefaultUser, Password: authserver.DefaultPassword}, began: time.Now()}
	if p.desktop, err = openDesktop(t.Context(), "../../build/desktop"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, p.desktop.close()) })
	if p.demo, err = startDemo(t.Context(), bin, c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the agent said:\n%s\nthe tray:\n%s", p.lastWords("agent"), p.lastWords("tray"))
		}
		check(t, p.close(context.Background()))
	})
	t.Cleanup(func() {
		if t.Failed() {
			p.desktop.picture(context.Background(), "failed", p.desktop.screen)
		}
	})
	browser := filepath.Join(p.dir, "browser")
	check(t, os.WriteFile(browser, fmt.Appendf(nil, "#!/bin/sh\nprintf '%%s\\n' \"$1\" >>'%s'\n", p.opened()), 0o700))
	p.env = append(p.env, "BROWSER="+browser)
	return p
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// await waits for the account to be as is says.
func awaitAccount(t *testing.T, p *player, what string, is func(auth.Snapshot) bool) auth.Snapshot {
	t.Helper()
	s, err := p.await(t.Context(), 20*time.Second, what, is)
	check(t, err)
	return s
}

func awaitIcon(t *testing.T, p *player, picture string) {
	t.Helper()
	var icon image.Rectangle
	check(t, until(t.Context(), 20*time.Second, "the icon", func() bool {
		_, _, listed := p.desktop.trayName(t.Context())
		var err error
		icon, err = p.desktop.icon(t.Context())
		return err == nil && listed == nil
	}))
	seen, err := p.see(t.Context(), picture, icon)
	check(t, err)
	t.Log(seen)
}

// point moves the mouse.
func (d *desktop) point(ctx context.Context, at image.Point) error {
	_, err := d.xdo(ctx, "mousemove", strconv.Itoa(at.X), strconv.Itoa(at.Y))
	return err
}

// look takes a picture of an area as it is now.
func (d *desktop) look(ctx context.Context, area image.Rectangle) (image.Image, error) {
	shot, err := d.shoot(ctx, area)
	if err != nil {
		return nil, err
	}
	return decode(shot)
}

// decode makes pictures comparable, be they grey or coloured.
func decode(shot []byte) (image.Image, error) {
	decoded, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		return nil, err
	}
	img := image.NewRGBA(decoded.Bounds())
	draw.Draw(img, img.Rect, decoded, decoded.Bounds().Min, draw.Src)
	return img, nil
}

// differ returns the lines in which two pictures differ.
func differ(a, b image.Image) (top, bottom int) {
	top = -1
	for y := a.Bounds().Min.Y; y < a.Bounds().Max.Y; y++ {
		for x := a.Bounds().Min.X; x < a.Bounds().Max.X; x++ {
			if a.At(x, y) != b.At(x, y) {
				if top < 0 {
					top = y
				}
				bottom = y + 1
				break
			}
		}
	}
	return top, bottom
}

// spot finds a row of an open menu by what a person goes by: how high the last
// row is when the mouse lights it up. All rows are as high, separators share
// what remains.
func (d *desktop) spot(ctx context.Context, menu image.Rectangle, rows []row, words string, above bool) (image.Point, error) {
	inside := menu.Inset(1)
	shot, _, err := d.still(ctx, inside)
	if err != nil {
		return image.Point{}, err
	}
	dark, err := decode(shot)
	if err != nil {
		return image.Point{}, err
	}
	var top, bottom, step int
	err = until(ctx, 10*time.Second, "the last row to light up", func() bool {
		step++ // Qt's menus wait for a mouse that moves more than once
		if err = d.point(ctx, image.Pt(menu.Min.X+menu.Dx()/2+8*(step%3), menu.Max.Y-14)); err != nil {
			return true
		}
		var lit image.Image
		if lit, err = d.look(ctx, inside); err != nil {
			return true
		}
		top, bottom = differ(dark, lit)
		return bottom-top >= 14 && bottom-top <= 48 && bottom > inside.Dy()-16
	})
	if err != nil {
		return image.Point{}, fmt.Errorf("%w: it is lit from %d to %d of %d", err, top, bottom, inside.Dy())
	}
	separators := 0
	for _, r := range rows {
		if r.separator {
			separators++
		}
	}
	height := bottom - top
	margin := inside.Dy() - bottom
	separator := 0
	if separators > 0 {
		separator = (inside.Dy() - 2*margin - (len(rows)-separators)*height) / separators
	}
	y := inside.Min.Y + bottom
	for i := len(rows) - 1; i >= 0; i-- {
		if rows[i].separator {
			y -= separator
			continue
		}
		y -= height
		if rows[i].is(words, above) {
			return image.Pt(menu.Min.X+menu.Dx()/2, y+height/2), nil
		}
	}
	return image.Point{}, fmt.Errorf("the menu has no row %q that can be clicked, but %q", words, rows)
}

// clickRow clicks, with the mouse, the row of the open menu that path leads to.
func (d *desktop) clickRow(ctx context.Context, path ...string) error {
	rows, err := d.menu(ctx)
	if err != nil {
		return err
	}
	for level, words := range path {
		open, err := d.awaitMenus(ctx, level+1)
		if err != nil {
			return err
		}
		above := level < len(path)-1
		at, err := d.spot(ctx, open[level].Rectangle, rows, words, above)
		if err != nil {
			return err
		}
		if err := d.point(ctx, at); err != nil {
			return err
		}
		if _, err := d.xdo(ctx, "click", "1"); err != nil {
			return err
		}
		rows = rows[slices.IndexFunc(rows, func(r row) bool { return r.is(words, above) })].children
	}
	return nil
}

// click opens the menu with the right button, and clicks a row with the left one.
func (p *player) click(t *testing.T, path ...string) {
	t.Helper()
	check(t, p.desktop.openMenu(t.Context()))
	check(t, p.desktop.clickRow(t.Context(), path...))
	_, err := p.desktop.awaitMenus(t.Context(), 0)
	check(t, err)
}

// clipboardHas waits until the clipboard is as is says, and returns it.
func (p *player) clipboardHas(t *testing.T, limit time.Duration, what string, is func(string) bool) (text string) {
	t.Helper()
	check(t, until(t.Context(), limit, what, func() bool {
		text, _ = p.desktop.clipboard(t.Context()) // fails while it is empty
		return is(text)
	}))
	return text
}

func anything(text string) bool { return text != "" }

var xfcePanel = []string{"xfce4-panel", "--sm-client-disable", "--disable-wm-check"}

// restartPanel kills xfce4-panel if it runs, as a crash would. It then starts a
// panel that runs until the end of the test.
func restartPanel(t *testing.T, p *player, command ...string) {
	t.Helper()
	var pid uint32
	if p.desktop.bus.BusObject().CallWithContext(t.Context(), "org.freedesktop.DBus.GetConnectionUnixProcessID", 0, "org.xfce.Panel").Store(&pid) == nil {
		check(t, syscall.Kill(int(pid), syscall.SIGKILL))
	}
	has := func(want bool) func() bool {
		return func() bool {
			var there bool
			err := p.desktop.bus.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, "org.kde.StatusNotifierWatcher").Store(&there)
			return err == nil && there == want
		}
	}
	check(t, until(t.Context(), 20*time.Second, "the panel to be gone", has(false)))
	startProgram(t, nil, command...)
	t.Cleanup(func() {
		if t.Failed() {
			p.desktop.picture(context.Background(), "failed-panel", p.desktop.screen) // while it is there
		}
	})
	check(t, until(t.Context(), 60*time.Second, "the panel to be back", has(true)))
}

// startProgram runs a program until the end of the test.
func startProgram(t *testing.T, env []string, command ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command(command[0], command[1:]...)
	c.Env = env
	var said bytes.Buffer
	c.Stderr = &said
	check(t, c.Start())
	ended := make(chan error)
	go func() { ended <- c.Wait() }()
	t.Cleanup(func() {
		c.Process.Kill()
		if err := <-ended; t.Failed() {
			t.Logf("%s: %v\n%s", command[0], err, &said)
		}
	})
	return c
}

// closeWindow waits for the window, takes a picture, and closes it by a key.
func closeWindow(t *testing.T, p *player, picture string) {
	t.Helper()
	seen, err := p.seeWindow(t.Context(), picture)
	check(t, err)
	t.Log(seen)
	_, err = p.desktop.xdo(t.Context(), "search", "--onlyvisible", "--name", "^Curfew", "windowfocus", "--sync")
	check(t, err)
	// To whoever has the focus: a key that is sent to a window stays down when the
	// window has gone.
	_, err = p.desktop.xdo(t.Context(), "key", "--clearmodifiers", "ctrl+w")
	check(t, err)
	check(t, until(t.Context(), 15*time.Second, "the window to end", func() bool { return len(p.pids("curfew-window")) == 0 }))
}

// pids finds this desktop's running programs of that name.
func (p *player) pids(name string) (found []int) {
	for _, pid := range p.inhabitants() {
		if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil && filepath.Base(exe) == name {
			found = append(found, pid)
		}
	}
	return found
}

// TestDesktopMouse goes through a life of an account by mouse alone, over the
// crash of a panel.
func TestDesktopMouse(t *testing.T) {
	p := sitDown(t, authserver.Config{})
	ctx := t.Context()
	check(t, p.client.Put(ctx, p.account()))
	check(t, p.startTray())
	awaitIcon(t, p, "xfce-icon")

	p.click(t, demoAccount, "Sign in")
	check(t, p.visit(ctx))
	first := awaitAccount(t, p, "a session", func(s auth.Snapshot) bool { return s.State == auth.Active })
	check(t, p.checkFresh(ctx))
	line, err := p.showMenu(ctx, "xfce-menu")
	check(t, err)
	t.Logf("signed in: %s", line)

	p.click(t, demoAccount, "Copy access token")
	copied := time.Now()
	token := p.clipboardHas(t, 10*time.Second, "a token in the clipboard", anything)
	_, err = expect("200 " + authserver.DefaultUser)(p.server.tryAPI(ctx, token))
	check(t, err)

	restartPanel(t, p, xfcePanel...)
	awaitIcon(t, p, "xfce-icon-again")
	if strings.Contains(p.lastWords("tray"), "no place for tray icons") { // the panel took long, and the window stood in
		closeWindow(t, p, "window-without-panel")
	}

	old := p.server.steal()
	p.click(t, demoAccount, "Sign in again")
	check(t, p.visit(ctx))
	awaitAccount(t, p, "another session", func(s auth.Snapshot) bool {
		return s.State == auth.Active && s.SignedInAt.After(first.SignedInAt)
	})
	check(t, p.checkFresh(ctx))
	check(t, until(ctx, 10*time.Second, "the old session to be revoked", func() bool { return p.server.Sessions() == 1 }))
	refused, err := p.server.tryRefresh(ctx, old)
	check(t, err)
	if !strings.HasPrefix(refused, "400 ") {
		t.Errorf("the old refresh token: %s", refused)
	}

	if text, _ := p.desktop.clipboard(ctx); text != token {
		t.Errorf("the clipboard holds %d bytes, %s after the token came", len(text), time.Since(copied))
	}
	p.clipboardHas(t, time.Minute, "an empty clipboard", func(text string) bool { return text == "" })
	if held := time.Since(copied); held < 40*time.Second || held > 55*time.Second {
		t.Errorf("the clipboard was cleared after %s", held)
	} else {
		t.Logf("the clipboard was cleared after %.1f s", held.Seconds())
	}

	old = p.server.steal()
	p.click(t, demoAccount, "Sign out")
	awaitAccount(t, p, "the end", func(s auth.Snapshot) bool { return s.State == auth.SignedOut })
	check(t, until(ctx, 10*time.Second, "the session to be gone here and at the server", func() bool {
		items, err := p.keychainItems(ctx)
		return err == nil && items == 0 && p.server.Sessions() == 0
	}))
	if refused, err = p.server.tryRefresh(ctx, old); err != nil || !strings.HasPrefix(refused, "400 ") {
		t.Errorf("the refresh token after signing out: %s, %v", refused, err)
	}
	if _, err := p.showMenu(ctx, "xfce-menu-signed-out"); err != nil {
		t.Error(err)
	}
	p.click(t, "Quit")
	select {
	case <-p.tray.ended:
		check(t, p.tray.err)
	case <-time.After(10 * time.Second):
		t.Error("the tray is still there")
	}
}

// inTerminal runs curfew from a shell in a terminal. It returns what both said,
// and the exit code, when that has ended.
func (p *player) inTerminal(t *testing.T, args string) <-chan string {
	cmd := exec.CommandContext(t.Context(), "script", "-qec", fmt.Sprintf("bash -c '%s %s; echo exit code $?'", p.program("curfew"), args), "/dev/null")
	cmd.Env, cmd.Dir = p.env, p.dir
	said := make(chan string, 1)
	go func() { // ends with cmd
		out, err := cmd.CombinedOutput()
		if err != nil {
			out = fmt.Append(out, err)
		}
		said <- string(out)
	}()
	return said
}

// TestDesktopConsent: a program in a terminal asks for a token, and a person
// answers in the menu with the mouse.
func TestDesktopConsent(t *testing.T) {
	p := sitDown(t, authserver.Config{})
	ctx := t.Context()
	account := p.account()
	account.Consent = auth.ConsentAsk
	check(t, p.client.Put(ctx, account))
	restartPanel(t, p, xfcePanel...)
	check(t, p.startTray())
	awaitIcon(t, p, "consent-icon")
	p.click(t, demoAccount, "Sign in")
	check(t, p.visit(ctx))
	awaitAccount(t, p, "a session", func(s auth.Snapshot) bool { return s.State == auth.Active })

	const question = "bash wants a token of demo"
	asks := func(s auth.Snapshot) bool { return len(s.Asks) == 1 }
	answer := func(label, want, code string) {
		t.Helper()
		said := p.inTerminal(t, "token demo")
		s := awaitAccount(t, p, "a question", asks)
		if who := s.Asks[0].Caller; !strings.HasSuffix(who.Parents[0], "/bash") || !strings.HasPrefix(who.Terminal, "pts/") {
			t.Errorf("it asks about %+v", who)
		}
		if _, err := p.see(ctx, "consent-"+strings.ToLower(strings.Fields(label)[0]), p.desktop.screen); err != nil {
			t.Error(err)
		}
		p.click(t, question, label)
		if got := <-said; !strings.Contains(got, want) || !strings.Contains(got, "exit code "+code) {
			t.Errorf("after %s the terminal says %s", label, got)
		}
	}
	forget := func() {
		t.Helper()
		s := awaitAccount(t, p, "an answer", func(s auth.Snapshot) bool { return len(s.Permits) == 1 && len(s.Asks) == 0 })
		check(t, p.client.Revoke(ctx, demoAccount, s.Permits[0].ID))
	}
	answer("Deny", "bash may not have tokens of demo", "5")
	forget()
	answer("Allow for 12 h", "eyJ", "0")
	forget() // the terminal is closed anyway
	answer("Always for bash", "eyJ", "0")
	if got := <-p.inTerminal(t, "token demo"); !strings.Contains(got, "eyJ") { // another terminal, and no question
		t.Errorf("the second time the terminal says %s", got)
	}
	forget()
	again := p.inTerminal(t, "token demo")
	awaitAccount(t, p, "a question after that was taken back", asks)
	p.click(t, question, "Deny")
	if got := <-again; !strings.Contains(got, "exit code 5") {
		t.Errorf("taken back: the terminal says %s", got)
	}
}

// TestDesktopMenu holds menus open for more than a minute. Meanwhile a token is
// served, a refresh spent and an account added.
func TestDesktopMenu(t *testing.T) {
	t.Run("xfce", func(t *testing.T) { holdMenu(t, false) })
	t.Run("lxqt", func(t *testing.T) { holdMenu(t, true) })
}

const lxqtPanel = `[General]
__userfile__=true
iconTheme=Adwaita

[panel1]
alignment=-1
animation-duration=0
desktop=0
hidable=false
iconSize=22
lineCount=1
lockPanel=true
opacity=100
panelSize=36
plugins=statusnotifier
position=Top
width=100
width-percent=true

[statusnotifier]
alignment=Right
type=statusnotifier
`

func holdMenu(t *testing.T, qt bool) {
	const hold, most = 70 * time.Second, 3 * time.Minute
	p := sitDown(t, authserver.Config{})
	ctx := t.Context()
	name := "xfce"
	if qt {
		name = "lxqt"
		if _, err := exec.LookPath("lxqt-panel"); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(p.dir, "panel.conf")
		check(t, os.WriteFile(file, []byte(lxqtPanel), 0o600))
		restartPanel(t, p, "lxqt-panel", "-c", file)
		p.desktop.qt = true
	} else {
		restartPanel(t, p, xfcePanel...)
	}
	check(t, p.client.Put(ctx, p.account()))
	_, err := p.signIn(ctx)
	check(t, err)
	check(t, p.startTray())
	awaitIcon(t, p, name+"-icon")

	check(t, p.desktop.openMenu(ctx))
	check(t, p.desktop.clickRow(ctx, demoAccount)) // which opens the menu below it
	open, err := p.desktop.awaitMenus(ctx, 2)
	check(t, err)
	closed := make(chan string, 8)
	for _, w := range open {
		watchClose(t, w, closed)
	}
	area := open[0].Union(open[1].Rectangle)
	_, err = p.see(ctx, name+"-menu-opened", area)
	check(t, err)
	before, err := p.desktop.menu(ctx)
	check(t, err)

	refresh, another, end := time.After(20*time.Second), time.After(30*time.Second), time.After(most)
	every := time.NewTicker(2 * time.Second)
	defer every.Stop()
	rows := before
	served, began := 0, time.Now()
	for time.Since(began) < hold || !strings.Contains(rows[0].words, "19 left") {
		select {
		case what := <-closed:
			p.desktop.picture(ctx, name+"-menu-closed", p.desktop.screen)
			t.Fatalf("the menu closed unasked after %.1f s: %s", time.Since(began).Seconds(), what)
		case <-every.C:
			_, err := p.client.Token(ctx, demoAccount, -1, "desktop test")
			check(t, err)
			served++
			rows, err = p.desktop.menu(ctx)
			check(t, err)
		case <-refresh:
			_, err := p.client.Refresh(ctx, demoAccount, "desktop test")
			check(t, err)
		case <-another:
			a := p.account()
			a.Name = "another"
			check(t, p.client.Put(ctx, a))
		case <-end:
			t.Fatalf("the refresh does not show: %s", rows[0])
		}
	}
	held := time.Since(began)
	open, err = p.desktop.awaitMenus(ctx, 2)
	check(t, err)
	_, err = p.see(ctx, name+"-menu-held", open[0].Union(open[1].Rectangle))
	check(t, err)
	t.Logf("held for %.0f s, %d tokens served\n  %s\n  %s", held.Seconds(), served, before[0], rows[0])
	if len(rows) != len(before) || !strings.Contains(before[0].words, "20 left") {
		t.Errorf("the menu was\n  %q\nand is\n  %q", before, rows)
	}
	at, err := p.desktop.spot(ctx, open[1].Rectangle, rows[0].children, "Copy access token", false)
	check(t, err)
	check(t, p.desktop.point(ctx, at))
	_, err = p.desktop.xdo(ctx, "click", "1")
	check(t, err)
	token := p.clipboardHas(t, 10*time.Second, "a token in the clipboard", anything)
	_, err = expect("200 " + authserver.DefaultUser)(p.server.tryAPI(ctx, token))
	check(t, err)
	_, err = p.desktop.awaitMenus(ctx, 0)
	check(t, err)
	check(t, until(ctx, 10*time.Second, "the other account in the menu", func() bool {
		rows, err = p.desktop.menu(ctx)
		return err == nil && strings.Contains(fmt.Sprint(rows), "another")
	}))
	_, err = p.client.Remove(ctx, "another")
	check(t, err)
}

// watchClose sends on closed when a window goes, even for a moment.
func watchClose(t *testing.T, w xwindow, closed chan<- string) {
	t.Helper()
	c := exec.Command("xev", "-id", w.id, "-event", "structure")
	out, err := c.StdoutPipe()
	check(t, err)
	check(t, c.Start())
	var wg sync.WaitGroup
	t.Cleanup(func() { c.Process.Kill(); wg.Wait(); c.Wait() })
	wg.Go(func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if line := lines.Text(); strings.HasPrefix(line, "UnmapNotify") || strings.HasPrefix(line, "DestroyNotify") {
				select {
				case closed <- line:
				default: // the first is enough
				}
			}
		}
	})
}

// westonConfig is a screen of one colour. Its other shell makes each window
// fill the screen, and ends those that draw their own frame around that.
const westonConfig = `[shell]
panel-position=none
background-color=0xff24405e
locking=false
animation=none
startup-animation=none
close-animation=none
`

// TestDesktopWayland opens and closes the window on a Wayland compositor whose
// desktop has no place for tray icons.
func TestDesktopWayland(t *testing.T) {
	if _, err := exec.LookPath("weston"); err != nil {
		t.Skip(err) // the only test that needs it
	}
	p := sitDown(t, authserver.Config{})
	ctx := t.Context()
	check(t, p.client.Put(ctx, p.account()))
	_, err := p.signIn(ctx)
	check(t, err)

	const display = "curfew-test"
	config := filepath.Join(p.dir, "weston.ini")
	check(t, os.WriteFile(config, []byte(westonConfig), 0o600))
	startProgram(t, nil, "weston", "--backend=x11-backend.so", "--config="+config, "--idle-time=0",
		"--width=1000", "--height=740", "--socket="+display, "--log="+filepath.Join(p.dir, "weston.log"))
	check(t, until(ctx, 20*time.Second, "weston", func() bool {
		_, err := os.Stat(filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), display))
		return err == nil
	}))
	var screens []xwindow
	check(t, until(ctx, 20*time.Second, "weston's window", func() bool {
		screens, err = p.desktop.windows(ctx, "--class", "^Weston Compositor$")
		return err == nil && len(screens) == 1
	}))
	screen := screens[0]

	// A session bus without a panel, for the tray and the window alone: the
	// agent keeps its keychain.
	address, stop, err := traytest.StartBus()
	check(t, err)
	t.Cleanup(stop)
	p.env = append(p.env, "DISPLAY=", "WAYLAND_DISPLAY="+display, "FYNE_PLATFORM=wayland", "DBUS_SESSION_BUS_ADDRESS="+address)
	check(t, p.desktop.point(ctx, p.desktop.screen.Max)) // weston draws the mouse, too
	var empty image.Image
	check(t, until(ctx, 10*time.Second, "an empty screen", func() bool {
		empty, err = p.desktop.look(ctx, screen.Rectangle)
		if err != nil {
			return true
		}
		corner := empty.At(0, 0)
		return corner == color.RGBA{0x24, 0x40, 0x5e, 0xff} && empty.At(empty.Bounds().Dx()/2, empty.Bounds().Dy()/2) == corner
	}))
	check(t, err)
	// covered is how much of the screen is a window, in percent.
	covered := func() int {
		img, err := p.desktop.look(ctx, screen.Rectangle)
		check(t, err)
		n := 0
		for x := range img.Bounds().Dx() {
			for y := range img.Bounds().Dy() {
				if img.At(x, y) != empty.At(x, y) {
					n++
				}
			}
		}
		return 100 * n / (img.Bounds().Dx() * img.Bounds().Dy())
	}
	check(t, p.startTray())
	check(t, until(ctx, 20*time.Second, "the tray to open the window", func() bool { return len(p.pids("curfew-window")) == 1 }))
	if said := p.lastWords("tray"); !strings.Contains(said, "this desktop has no place for tray icons, so the window opens instead") {
		t.Errorf("the tray said %q", said)
	}
	check(t, until(ctx, 20*time.Second, "the window to show", func() bool { return covered() > 50 }))
	seen, err := p.see(ctx, "wayland-window", screen.Rectangle)
	check(t, err)
	t.Log(seen)

	// A second start shows the same window, as a new one: see loop.raise.
	_, err = p.succeed(ctx, "window")
	check(t, err)
	check(t, until(ctx, 20*time.Second, "the window to show again", func() bool { return covered() > 50 }))

	_, err = p.desktop.xdo(ctx, "windowfocus", "--sync", screen.id, "key", "--clearmodifiers", "ctrl+w")
	check(t, err)
	check(t, until(ctx, 15*time.Second, "the window to end", func() bool { return len(p.pids("curfew-window")) == 0 }))
	check(t, until(ctx, 10*time.Second, "the screen to be empty again", func() bool { return covered() == 0 }))
	check(t, p.tray.end(ctx)) // before its bus ends
}
