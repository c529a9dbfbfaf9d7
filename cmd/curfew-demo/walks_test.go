//go:build linux

package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"image"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"curfew/auth"
	"curfew/auth/authserver"
	"curfew/ui/shots"
)

// These tests walk through Curfew as people do, with the real programs on a
// desktop. `make walks` runs them and leaves a picture of each step, with what
// the person does there.

var walks = flag.String("walks", "", "the album to put pictures of the walks into")

// A walker is somebody who wants to get something done, by keyboard alone.
type walker struct {
	*player
	t      *testing.T
	name   string // of the pictures
	steps  int
	shots  int
	album  *shots.Album
	window string // its X id; "" before there is one
}

// mostSteps is how many steps what people do every month may have.
const mostSteps = 4

func walk(t *testing.T, name string, c authserver.Config) *walker {
	t.Helper()
	if *walks == "" {
		t.Skip("make walks runs it")
	}
	w := &walker{player: sitDown(t, c), t: t, name: name}
	var err error
	w.album, err = shots.Open(*walks)
	check(t, err)
	t.Cleanup(func() {
		if all, err := w.album.Pictures(); err != nil || w.album.Check(all) != nil || w.album.Index(all) != nil {
			t.Errorf("the album: %v, %v", err, w.album.Check(all))
		}
	})
	return w
}

// step begins the next step: caption says what is on the screen and what the
// person does about it.
func (w *walker) step(caption string) {
	w.t.Helper()
	w.steps++
	w.take(fmt.Sprintf("%d. %s", w.steps, caption))
	w.t.Logf("%s, step %d: %s", w.name, w.steps, caption)
}

// done takes the last picture.
func (w *walker) done(caption string) {
	w.t.Helper()
	w.take("Done: " + caption)
	if w.t.Logf("%s, done in %d steps: %s", w.name, w.steps, caption); w.steps > mostSteps {
		w.t.Errorf("%d steps", w.steps)
	}
}

// take adds a picture of the window, or else of the screen, to the album.
func (w *walker) take(caption string) {
	w.t.Helper()
	shot, _, err := w.desktop.still(w.t.Context(), w.area())
	check(w.t, err)
	w.add(caption, shot)
}

func (w *walker) add(caption string, shot []byte) {
	w.t.Helper()
	w.shots++
	check(w.t, w.album.Add(shots.Picture{Name: fmt.Sprintf("%s/%02d", w.name, w.shots), Group: w.name, Caption: caption, Look: "live"}, shot))
}

// area is what a picture shows: the window, or else the corner of the panel and
// of the notices.
func (w *walker) area() image.Rectangle {
	w.t.Helper()
	if w.window == "" {
		return image.Rect(w.desktop.screen.Max.X-900, 0, w.desktop.screen.Max.X, w.desktop.screen.Max.Y)
	}
	all, err := w.desktop.windows(w.t.Context(), "--name", "^Curfew")
	check(w.t, err)
	if len(all) != 1 {
		w.t.Fatalf("there are %d windows", len(all))
	}
	return all[0].Rectangle
}

// open waits for the window that something has opened, and gives it the keyboard.
func (w *walker) open() {
	w.t.Helper()
	var all []xwindow
	check(w.t, until(w.t.Context(), 20*time.Second, "the window", func() bool {
		all, _ = w.desktop.windows(w.t.Context(), "--name", "^Curfew")
		return len(all) == 1
	}))
	w.window = all[0].id
	_, err := w.desktop.xdo(w.t.Context(), "windowfocus", "--sync", w.window, "mousemove", "2", fmt.Sprint(w.desktop.screen.Max.Y-2))
	check(w.t, err)
}

// focusSeen is how many pixels change at the least when the focus moves: an
// outline of two pixels around a short word has more.
const focusSeen = 150

// keys presses keys one after the other, and wants to see where each Tab leads.
func (w *walker) keys(keys ...string) {
	w.t.Helper()
	for i, key := range keys {
		before, _, err := w.desktop.still(w.t.Context(), w.area())
		check(w.t, err)
		check(w.t, w.desktop.press(w.t.Context(), key))
		if key != "Tab" {
			continue
		}
		var after []byte
		err = until(w.t.Context(), 5*time.Second, "the focus", func() bool {
			after, err = w.desktop.shoot(w.t.Context(), w.area())
			return err != nil || changed(w.t, before, after) >= focusSeen
		})
		if err != nil {
			w.t.Fatalf("where Tab %d of %q leads cannot be seen: %v", i+1, keys, err)
		}
	}
}

// write types text.
func (w *walker) write(text string) {
	w.t.Helper()
	_, err := w.desktop.xdo(w.t.Context(), "type", "--delay", "20", text)
	check(w.t, err)
}

// press takes a picture with the focus on what Enter presses next, and presses it.
func (w *walker) press(caption string) {
	w.t.Helper()
	w.take(caption)
	w.keys("Return")
}

// changed counts the pixels in which two pictures differ.
func changed(t *testing.T, a, b []byte) (n int) {
	t.Helper()
	if bytes.Equal(a, b) {
		return 0
	}
	one, err := decode(a)
	check(t, err)
	other, err := decode(b)
	check(t, err)
	for x := range one.Bounds().Dx() {
		for y := range one.Bounds().Dy() {
			if one.At(x, y) != other.At(x, y) {
				n++
			}
		}
	}
	return n
}

// account waits for an account to be as is says.
func (w *walker) account(name, what string, is func(auth.Snapshot) bool) {
	w.t.Helper()
	var s auth.Snapshot
	err := until(w.t.Context(), time.Minute, what, func() bool {
		s, _ = w.client.Account(w.t.Context(), name) // which may not be there yet
		return is(s)
	})
	if err != nil {
		w.t.Fatalf("%v; %s is %s: %s", err, name, s.State, s.Message)
	}
}

func signedIn(s auth.Snapshot) bool { return s.State == auth.Active && !s.SignedInAt.IsZero() }

// page waits for the page that a sign-in opens in the browser.
func (w *walker) page() {
	w.t.Helper()
	check(w.t, until(w.t.Context(), 10*time.Second, "a page in the browser", func() bool {
		b, _ := os.ReadFile(w.opened()) // missing until the first
		return bytes.Count(b, []byte("\n")) > w.visited
	}))
}

// run starts one of the programs until the end of the test.
func (w *walker) run(name string, args ...string) {
	w.t.Helper()
	r, err := w.start(name, args...)
	check(w.t, err)
	w.t.Cleanup(func() { check(w.t, r.end(context.Background())) })
}

// past signs in to accounts and spends all refreshes of the first, so that it
// has ended, as over night. curl and git take tokens of it before.
func (w *walker) past(names ...string) {
	w.t.Helper()
	ctx := w.t.Context()
	for _, name := range names {
		a := w.demo.account()
		a.Name = name
		check(w.t, w.client.Put(ctx, a))
		ended := make(chan error, 1)
		go func() {
			_, err := w.succeed(ctx, "login", name)
			ended <- err
		}()
		check(w.t, w.visit(ctx))
		check(w.t, <-ended)
	}
	for _, tool := range []string{"git", "curl"} {
		_, err := w.client.Token(ctx, names[0], -1, tool)
		check(w.t, err)
	}
	for range auth.BuiltIn.MaxRefreshes {
		_, err := w.client.Refresh(ctx, names[0], "curl")
		check(w.t, err)
	}
	w.account(names[0], "the end", func(s auth.Snapshot) bool { return s.State == auth.Ended })
}

// TestWalkKeyboard: everything by keyboard alone. What Tab reaches can be seen.
func TestWalkKeyboard(t *testing.T) {
	w := walk(t, "keyboard", authserver.Config{})
	w.run("curfew-window")
	w.open()
	w.take("The first window asks where to sign in; the cursor is in the search field")
	w.keys("Tab")
	w.press("One Tab further is the demo account; Enter adds it and signs in")
	check(t, w.visit(t.Context()))
	w.account(demoAccount, "a session", signedIn)

	w.keys("Tab")
	w.press("Signed in. The first Tab is on what one does most: copy a token")
	token := w.clipboardHas(t, 10*time.Second, "a token in the clipboard", anything)
	if strings.Count(token, ".") != 2 {
		t.Errorf("the clipboard holds %d bytes that are no token", len(token))
	}

	w.keys("Tab")
	w.press("The next Tab is the menu of the account")
	w.keys("Down", "Down", "Down")
	w.press("Arrows go through it, to Edit account")
	w.take("Each setting has a field")
	w.keys("Tab", "Tab", "Tab", "Tab", "Tab", "Tab")
	w.take("The refresh mode")
	w.keys("o")
	w.take("A letter chooses: On demand")
	w.keys("Tab", "Tab", "Tab")
	w.press("Save")
	check(t, until(t.Context(), 10*time.Second, "the mode to be saved", func() bool {
		a, err := w.client.Config(t.Context(), demoAccount)
		return err == nil && a.Refresh == auth.OnDemand
	}))

	w.keys("Tab", "Tab")
	w.press("Back at the account, its menu again")
	w.keys("Down", "Down", "Down", "Down")
	w.press("Sign out")
	w.take("The question: the harmless answer has the focus")
	w.keys("Tab")
	w.press("Tab leads to the other one")
	w.account(demoAccount, "the end", func(s auth.Snapshot) bool { return s.State != auth.Active })
	w.done("signed out, and no mouse was moved")
}

// TestWalkFirst: from the first start to the first token that a tool takes.
func TestWalkFirst(t *testing.T) {
	w := walk(t, "first start to first token", authserver.Config{})
	ctx := t.Context()
	w.run("curfew-window")
	w.open()
	w.step("Where to sign in? Paste the address of your server, and press Enter")
	w.write(w.server.Issuer())
	w.keys("Return")
	w.step("Type the client ID and a name, and press Enter")
	w.write(authserver.DefaultClientID)
	w.keys("Tab")
	w.write("work")
	w.press("   The same, typed: both look right")
	w.page()
	w.step("Sign in on the page that opens in your browser")
	check(t, w.visit(ctx))
	w.account("work", "a session", signedIn)
	w.step("Copy the line below “Now let a tool use it”, and run it in a terminal")
	w.keys("Tab", "Tab", "Tab")
	w.press("   The button next to the line")
	line := w.clipboardHas(t, 10*time.Second, "a line in the clipboard", anything)
	command := strings.Replace(line, "URL", "-sS "+w.server.Issuer()+"/api/me", 1)
	c := exec.CommandContext(ctx, "sh", "-c", command)
	c.Env = append(w.env, "PATH="+w.bin+":"+os.Getenv("PATH"))
	answer, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(answer), `"`+authserver.DefaultUser+`"`) {
		t.Fatalf("%s: %v: %s", command, err, answer)
	}
	w.account("work", "the tool to be noted", func(s auth.Snapshot) bool { return len(s.TookTokens) > 0 })
	w.done("the tool has its token, and the window says which took one")
}

// TestWalkMorning: the morning after a session has ended.
func TestWalkMorning(t *testing.T) {
	w := walk(t, "the morning after a session ended", authserver.Config{AccessLifetime: 20 * time.Second})
	ctx := t.Context()
	w.past(demoAccount)
	check(t, w.startTray())
	_, err := w.desktop.awaitIcon(ctx, 20*time.Second)
	check(t, err)
	_, err = w.desktop.notice(ctx)
	check(t, err)
	w.step("The desktop says that a session has ended, and so does the icon. Open Curfew")
	check(t, w.desktop.choose(ctx, "Open Curfew"))
	w.open()
	w.keys("Tab")
	w.step("What happened, what it costs, and one button: press Enter")
	w.keys("Return")
	w.page()
	w.step("Sign in on the page that opens in your browser")
	check(t, w.visit(ctx))
	w.account(demoAccount, "a session", signedIn)
	_, err = w.succeed(ctx, "token", demoAccount)
	check(t, err)
	w.done("tools get tokens again")
}

// TestWalkThree: three accounts, one of which needs somebody.
func TestWalkThree(t *testing.T) {
	w := walk(t, "three accounts, one in need", authserver.Config{AccessLifetime: 20 * time.Second})
	ctx := t.Context()
	w.past("work", "music", "notes")
	check(t, w.startTray())
	_, err := w.desktop.awaitIcon(ctx, 20*time.Second)
	check(t, err)
	check(t, w.desktop.openMenu(ctx))
	w.step("The icon says so, too. Its menu has the account that needs you first. Choose Open Curfew")
	check(t, w.desktop.walk(ctx, "Open Curfew"))
	check(t, w.desktop.press(ctx, "Return"))
	w.open()
	w.keys("Tab")
	w.step("The account that needs you is shown, with one bright button: press Enter")
	w.keys("Return")
	w.page()
	w.step("Sign in on the page that opens in your browser")
	check(t, w.visit(ctx))
	w.account("work", "a session", signedIn)
	w.done("all three are fine")
}
