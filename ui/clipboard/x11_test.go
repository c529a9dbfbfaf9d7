//go:build unix && !darwin

package clipboard

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xfixes"
	"github.com/jezek/xgb/xproto"

	"curfew/auth"
	"curfew/keystore/kctest"
)

// display is a private X server without a screen.
type display struct {
	t      *testing.T
	name   string
	server *os.Process
}

// newDisplay starts one. At the end of the test it checks that the code under test
// is no longer connected.
func newDisplay(t *testing.T) *display {
	t.Helper()
	kctest.Need(t, "Xvfb", "xclip")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	x := exec.Command("Xvfb", "-displayfd", "3", "-nolisten", "tcp", "-noreset") // without this it resets when its last client goes
	x.ExtraFiles = []*os.File{w}
	if err := x.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() { x.Process.Kill(); x.Wait() })
	number, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		until(t, "no connection to be left", func() (string, bool) {
			stacks := make([]byte, 1<<20)
			stacks = stacks[:runtime.Stack(stacks, true)]
			return string(stacks), !strings.Contains(string(stacks), "jezek/xgb.")
		})
	})
	d := &display{t, ":" + strings.TrimSpace(number), x.Process}
	t.Setenv("DISPLAY", d.name)
	t.Setenv("WAYLAND_DISPLAY", "")
	knowXFixes.Do(d.knowXFixes)
	return d
}

// knowXFixes makes the library know the events of the extension XFIXES, before the
// first connection that other code makes. The library keeps them in a map of the
// program, which every connection reads without a lock.
var knowXFixes sync.Once

func (d *display) knowXFixes() {
	d.t.Helper()
	c := d.connect()
	if err := xfixes.Init(c.conn); err != nil {
		d.t.Fatal(err)
	}
	c.conn.Close()
	for event, err := c.conn.WaitForEvent(); event != nil || err != nil; event, err = c.conn.WaitForEvent() {
	}
}

// until waits for something that comes, and ends a test that hangs.
func until(t *testing.T, what string, done func() (seen string, ok bool)) {
	t.Helper()
	limit := time.After(time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		seen, ok := done()
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Errorf("waited in vain for %s, and saw\n%s", what, seen)
			return
		}
	}
}

// paste returns what xclip gets for a target, "" when it gets nothing. xclip waits
// for ever for a program that ends after it was asked.
func (d *display) paste(target string) string {
	ctx, stop := context.WithTimeout(d.t.Context(), time.Minute)
	defer stop()
	out, err := exec.CommandContext(ctx, "xclip", "-out", "-selection", "clipboard", "-target", target).Output()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		d.t.Error(err)
	}
	return string(out)
}

// copy makes another program copy something. xclip ends before the process that it
// leaves has taken the clipboard.
func (d *display) copy(text string) {
	d.t.Helper()
	before := d.owner()
	c := exec.Command("xclip", "-in", "-selection", "clipboard")
	c.Stdin = strings.NewReader(text)
	if err := c.Run(); err != nil {
		d.t.Fatal(err)
	}
	until(d.t, "xclip to own the clipboard", func() (string, bool) {
		owner := d.owner()
		return fmt.Sprintf("window %#x", owner), owner != 0 && owner != before
	})
}

// secret copies a secret, which is cleared at the end of the test.
func (d *display) secret(text string) (clear func() error) {
	d.t.Helper()
	clear, err := CopySecret(text)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { clear() })
	return clear
}

// TestCopySecret: other programs get the whole text, and the hint that it is a
// secret. After clear, nobody owns the clipboard.
func TestCopySecret(t *testing.T) {
	d := newDisplay(t)
	targets := []string{"MULTIPLE", "STRING", "TARGETS", "TEXT", "TIMESTAMP", "UTF8_STRING", "text/plain", "text/plain;charset=utf-8", "x-kde-passwordManagerHint"}
	for _, tt := range []struct {
		text  string
		ascii bool
	}{
		{"eyJ.a.b", true},
		{strings.Repeat("0123456789abcdef", 16<<10/16), true},
		{strings.Repeat("0123456789abcdef", 64<<10/16), true},
		{"Grüße, 世界 🌍", false},
	} {
		clear := d.secret(tt.text)
		got := strings.Fields(d.paste("TARGETS"))
		slices.Sort(got)
		want := slices.DeleteFunc(slices.Clone(targets), func(name string) bool { return name == "STRING" && !tt.ascii })
		if !slices.Equal(got, want) {
			t.Errorf("targets %q, want %q", got, want)
		}
		for _, target := range []string{"UTF8_STRING", "TEXT", "text/plain", "text/plain;charset=utf-8", "STRING"} {
			want := tt.text
			if target == "STRING" && !tt.ascii {
				want = "" // it is Latin-1
			}
			if got := d.paste(target); got != want {
				t.Errorf("%s has %d bytes, want %d", target, len(got), len(want))
			}
		}
		if got := d.paste("x-kde-passwordManagerHint"); got != "secret" {
			t.Errorf("the hint is %q", got)
		}
		if got := d.paste("image/png"); got != "" {
			t.Errorf("%q is a picture", got)
		}
		for range 2 {
			if err := clear(); err != nil {
				t.Error(err)
			}
			if owner := d.owner(); owner != 0 {
				t.Errorf("window %#x owns what was cleared", owner)
			}
		}
	}
}

// TestCopyOfOthers: clear leaves a later copy alone, of another program or of this
// one.
func TestCopyOfOthers(t *testing.T) {
	d := newDisplay(t)
	clear := d.secret("ours")
	d.copy("a poem")
	if err := clear(); err != nil {
		t.Error(err)
	}
	if got := d.paste("UTF8_STRING"); got != "a poem" {
		t.Errorf("the clipboard has %q", got)
	}
	first, second := d.secret("first"), d.secret("second")
	if err := first(); err != nil {
		t.Error(err)
	}
	if got := d.paste("UTF8_STRING"); got != "second" {
		t.Errorf("the clipboard has %q", got)
	}
	if err := second(); err != nil {
		t.Error(err)
	}
	if owner := d.owner(); owner != 0 {
		t.Errorf("window %#x owns what was cleared", owner)
	}
}

// TestGivenUp: clear gives up the clipboard explicitly. If a text only disappears
// with its program, GNOME and Cinnamon bring it back, even with the hint.
func TestGivenUp(t *testing.T) {
	d := newDisplay(t)
	c := d.connect()
	const name = "XFIXES"
	extension, err := xproto.QueryExtension(c.conn, uint16(len(name)), name).Reply()
	if err != nil {
		t.Fatal(err)
	}
	c.conn.Extensions[name] = extension.MajorOpcode // and nothing else of what xfixes.Init does
	if _, err := xfixes.QueryVersion(c.conn, 5, 0).Reply(); err != nil {
		t.Fatal(err)
	}
	err = xfixes.SelectSelectionInputChecked(c.conn, c.window, c.atom("CLIPBOARD"), xfixes.SelectionEventMaskSetSelectionOwner|
		xfixes.SelectionEventMaskSelectionWindowDestroy|xfixes.SelectionEventMaskSelectionClientClose).Check()
	if err != nil {
		t.Fatal(err)
	}
	clear := d.secret("ours")
	if err := clear(); err != nil {
		t.Error(err)
	}
	for {
		event, err := c.conn.WaitForEvent()
		if event == nil {
			t.Fatalf("nobody gave it up: %v", err)
		}
		if e, ok := event.(xfixes.SelectionNotifyEvent); ok && e.Owner == xproto.WindowNone {
			if e.Subtype != xfixes.SelectionEventSetSelectionOwner {
				t.Errorf("it went in way %d", e.Subtype)
			}
			return
		}
	}
}

// TestLostAlone: a copy of another program ends the connection, even without clear.
func TestLostAlone(t *testing.T) {
	d := newDisplay(t)
	if _, err := CopySecret("ours"); err != nil {
		t.Fatal(err)
	}
	d.copy("a poem") // newDisplay looks for what is left
}

// TestServerGone: a secret disappears with its display. A display that is missing,
// slow or refuses gives an error in words.
func TestServerGone(t *testing.T) {
	d := newDisplay(t)
	clear := d.secret("ours")
	if err := d.server.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := clear(); err != nil {
		t.Errorf("clear: %v", err)
	}
	until(t, "the display to be gone", func() (string, bool) {
		_, err := CopySecret("ours")
		e, ok := errors.AsType[*auth.Error](err)
		return cmp.Or(err, errors.New("no error")).Error(), ok &&
			strings.HasPrefix(e.Message, "The clipboard did not take the token (cannot connect to "+d.name) && e.Hint == "Use: curfew token NAME"
	})
}

// TestServerHangs: CopySecret does not wait for a display that does not answer. When
// the display answers again, it does not get the secret.
func TestServerHangs(t *testing.T) {
	d := newDisplay(t)
	clear := d.secret("ours")
	d.signal(syscall.SIGSTOP)
	_, err := CopySecret("another")
	wantError(t, err, "The clipboard did not take the token (the display does not answer).", "Use: curfew token NAME")
	if err := clear(); err == nil {
		t.Error("cleared without an answer")
	}
	d.signal(syscall.SIGCONT)
	until(t, "nobody to own it", func() (string, bool) { return d.paste("UTF8_STRING"), d.owner() == 0 })
}

func (d *display) signal(s os.Signal) {
	d.t.Helper()
	if err := d.server.Signal(s); err != nil {
		d.t.Fatal(err)
	}
}

// TestTooLong: a text that does not fit into one request is refused, with the limit.
func TestTooLong(t *testing.T) {
	newDisplay(t)
	_, err := CopySecret(strings.Repeat("x", 1<<20))
	wantError(t, err, "The clipboard did not take the token (it takes 262116 bytes at most).", "Use: curfew token NAME")
}

// TestNoScreen: the display has no screen of that number.
func TestNoScreen(t *testing.T) {
	d := newDisplay(t)
	t.Setenv("DISPLAY", d.name+".7")
	_, err := CopySecret("x")
	wantError(t, err, "The clipboard did not take the token (the display has no screen 7).", "Use: curfew token NAME")
}

func TestNoDisplay(t *testing.T) {
	t.Setenv("DISPLAY", "")
	t.Setenv("WAYLAND_DISPLAY", "")
	_, err := CopySecret("x")
	wantError(t, err, "There is no clipboard without a desktop: neither DISPLAY nor WAYLAND_DISPLAY is set.", "Use: curfew token NAME")
}

// An xclient is a program of X that sends any request.
type xclient struct {
	*display
	conn   *xgb.Conn
	window xproto.Window
}

func (d *display) connect() *xclient {
	d.t.Helper()
	conn, err := xgb.NewConnDisplay(d.name)
	if err != nil {
		d.t.Fatal(err)
	}
	c := &xclient{display: d, conn: conn}
	d.t.Cleanup(c.conn.Close)
	if c.window, err = xproto.NewWindowId(conn); err == nil {
		screen := xproto.Setup(conn).DefaultScreen(conn)
		err = xproto.CreateWindowChecked(conn, 0, c.window, screen.Root, 0, 0, 1, 1, 0, xproto.WindowClassInputOnly, 0, 0, nil).Check()
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

func (c *xclient) atom(name string) xproto.Atom {
	c.t.Helper()
	atom, err := xproto.InternAtom(c.conn, false, uint16(len(name)), name).Reply()
	if err != nil {
		c.t.Fatal(err)
	}
	return atom.Atom
}

// owner returns the window that owns the clipboard, or 0.
func (d *display) owner() xproto.Window {
	d.t.Helper()
	c := d.connect()
	defer c.conn.Close()
	owner, err := xproto.GetSelectionOwner(c.conn, c.atom("CLIPBOARD")).Reply()
	if err != nil {
		d.t.Fatal(err)
	}
	return owner.Owner
}

// ask asks for a target at a time. It returns the property that was set, or None
// after a refusal.
func (c *xclient) ask(target, property xproto.Atom, at xproto.Timestamp) xproto.Atom {
	c.t.Helper()
	xproto.ConvertSelection(c.conn, c.window, c.atom("CLIPBOARD"), target, property, at)
	for {
		event, err := c.conn.WaitForEvent()
		if event == nil {
			c.t.Fatalf("no answer: %v", err)
		}
		if e, ok := event.(xproto.SelectionNotifyEvent); ok {
			if e.Target != target || e.Requestor != c.window || e.Time != at {
				c.t.Errorf("asked for %d at %d and got %v", target, at, e)
			}
			return e.Property
		}
	}
}

// property returns the value of a property of the client's window.
func (c *xclient) property(property xproto.Atom) *xproto.GetPropertyReply {
	c.t.Helper()
	got, err := xproto.GetProperty(c.conn, false, c.window, property, xproto.GetPropertyTypeAny, 0, 1<<20).Reply()
	if err != nil {
		c.t.Fatal(err)
	}
	return got
}

// TestConventions: requests that xclip never sends (ICCCM, section 2).
func TestConventions(t *testing.T) {
	d := newDisplay(t)
	d.secret("ours")
	c := d.connect()
	utf8, mine, other := c.atom("UTF8_STRING"), c.atom("MINE"), c.atom("OTHER")

	if got := c.ask(utf8, xproto.AtomNone, xproto.TimeCurrentTime); got != utf8 {
		t.Errorf("without a property the answer is in %d, want %d, the target", got, utf8)
	}
	if got := c.property(utf8); string(got.Value) != "ours" || got.Type != utf8 {
		t.Errorf("answer %q of type %d", got.Value, got.Type)
	}

	if got := c.ask(c.atom("TIMESTAMP"), mine, xproto.TimeCurrentTime); got != mine {
		t.Fatal("no timestamp")
	}
	stamp := c.property(mine)
	if stamp.Type != xproto.AtomInteger || stamp.Format != 32 || len(stamp.Value) != 4 {
		t.Fatalf("timestamp %+v", stamp)
	}
	since := xproto.Timestamp(xgb.Get32(stamp.Value))
	if since == xproto.TimeCurrentTime {
		t.Error("the timestamp is not a time")
	}
	if got := c.ask(utf8, mine, since); got != mine {
		t.Error("refused to who asks for the moment at which it was copied")
	}
	if got := c.ask(utf8, mine, since-1); got != xproto.AtomNone {
		t.Error("given to who asks for what was there before")
	}

	multiple, pairType := c.atom("MULTIPLE"), c.atom("ATOM_PAIR")
	pairs := numbers(pairType, uint32(utf8), uint32(mine), uint32(other), uint32(other), uint32(c.atom(secretHint)), uint32(other)).data
	xproto.ChangeProperty(c.conn, xproto.PropModeReplace, c.window, multiple, pairType, 32, uint32(len(pairs)/4), pairs)
	if got := c.ask(multiple, multiple, xproto.TimeCurrentTime); got != multiple {
		t.Fatal("MULTIPLE was refused")
	}
	want := numbers(pairType, uint32(utf8), uint32(mine), uint32(other), 0, uint32(c.atom(secretHint)), uint32(other)).data
	if got := c.property(multiple); !slices.Equal(got.Value, want) {
		t.Errorf("MULTIPLE left %v, want %v", got.Value, want)
	}
	if text, hint := c.property(mine), c.property(other); string(text.Value) != "ours" || string(hint.Value) != "secret" {
		t.Errorf("MULTIPLE gave %q and %q", text.Value, hint.Value)
	}
	if got := c.ask(multiple, xproto.AtomNone, xproto.TimeCurrentTime); got != xproto.AtomNone && got != multiple {
		t.Errorf("MULTIPLE without a list answered in %d", got)
	}

	// A program that asks and goes before the answer does no harm. Nobody else is heard
	// until it is gone.
	clipboard := c.atom("CLIPBOARD")
	for range 50 {
		gone := d.connect()
		if err := xproto.GrabServerChecked(gone.conn).Check(); err != nil {
			t.Fatal(err)
		}
		xproto.ConvertSelection(gone.conn, gone.window, clipboard, utf8, mine, xproto.TimeCurrentTime)
		gone.conn.Close()
	}
	// Once all have their answers, the next program may have the number of their window.
	if got := c.ask(utf8, mine, xproto.TimeCurrentTime); got != mine {
		t.Error("then it is refused")
	}
	if got := d.paste("UTF8_STRING"); got != "ours" {
		t.Errorf("then the clipboard has %q", got)
	}
}
