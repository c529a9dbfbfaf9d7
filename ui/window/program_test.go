package window

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"fyne.io/fyne/v2"

	"curfew/auth"
	"curfew/auth/agent"
	"curfew/auth/agent/client"
	"curfew/auth/agent/resident"
	"curfew/auth/config"
	"curfew/keystore/kctest"
	"curfew/ui/window/look"
)

// This file runs cmd/curfew-window itself, on an X server of its own, against
// the agent's real socket. It is here because that package needs cgo and the
// display's headers even to be listed for a test.

// needed skips the test where it cannot run, and fails it where all must run.
func needed(t *testing.T) {
	t.Helper()
	if os.Getenv("CI") == "" && os.Getenv("CURFEW_TEST_ALL") == "" {
		t.Skip("builds cmd/curfew-window, which takes long the first time; set CURFEW_TEST_ALL=1")
	}
	for _, program := range []string{"Xvfb", "openbox", "xdotool", "import"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%v: install the Debian packages xvfb openbox xdotool imagemagick", err)
		}
	}
}

// desk is a private X server with a window manager, and an agent.
type desk struct {
	t       *testing.T
	agent   *fakeAgent
	program string
	home    string
	socket  string // of the agent
	env     []string
}

func newDesk(t *testing.T, fake *fakeAgent) *desk {
	t.Helper()
	d := &desk{t: t, agent: fake, home: t.TempDir()}
	d.program = filepath.Join(d.home, "curfew-window")
	// Exactly the Makefile's flags: with others OpenGL would be compiled again.
	if out, err := exec.Command("go", "build", "-trimpath", "-tags=migrated_fynedo,gles", "-o", d.program, "curfew/cmd/curfew-window").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	socket := filepath.Join(d.home, "run", "agent.sock")
	for _, dir := range []string{filepath.Dir(socket), filepath.Join(d.home, ".cache")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	listener, err := resident.Listen(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	server := agent.NewServer(agent.Config{Engine: engine{fake}, File: config.File(filepath.Join(d.home, "config.toml")), Version: "test",
		Doctor: func(context.Context) []client.Check { return nil }})
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() {
		if err := server.Run(ctx, listener); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); group.Wait() })
	d.socket = socket
	d.env = []string{"HOME=" + d.home, "PATH=" + os.Getenv("PATH"), "XDG_RUNTIME_DIR=" + filepath.Dir(socket), "CURFEW_SOCKET=" + socket, "FYNE_THEME=dark", "LIBGL_ALWAYS_SOFTWARE=1"}

	d.env = append(d.env, "DISPLAY="+d.display())
	d.start(d.command("openbox"))
	return d
}

// display starts an X server and returns its name.
func (d *desk) display(args ...string) string {
	d.t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		d.t.Fatal(err)
	}
	defer read.Close()
	x := exec.Command("Xvfb", append([]string{"-displayfd", "3", "-screen", "0", "1280x900x24", "-nolisten", "tcp"}, args...)...)
	x.ExtraFiles = []*os.File{write}
	d.start(x)
	write.Close()
	name, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		d.t.Fatalf("Xvfb did not start: %v", err)
	}
	return ":" + strings.TrimSpace(name)
}

// command returns a command of this desk.
func (d *desk) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Env = d.env
	return c
}

// start starts c and ends it with the test.
func (d *desk) start(c *exec.Cmd) {
	d.t.Helper()
	if err := c.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
}

// run runs the window and returns its exit code and what it said on stderr.
func (d *desk) run(args ...string) (code int, said string) {
	d.t.Helper()
	var stderr bytes.Buffer
	c := d.command(d.program, args...)
	c.Stderr = &stderr
	err := c.Run()
	if e := (*exec.ExitError)(nil); err != nil && !errors.As(err, &e) {
		d.t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), stderr.String()
}

// open starts the window and returns when it is on the screen, with its X id.
func (d *desk) open(args ...string) (window *exec.Cmd, id string) {
	d.t.Helper()
	c := d.command(d.program, args...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	if err := c.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		c.Process.Kill()
		if d.t.Failed() {
			d.t.Logf("curfew-window said:\n%s", &stderr)
		}
	})
	return c, strings.Fields(d.xdotool("search", "--sync", "--onlyvisible", "--name", "^Curfew$"))[0]
}

func (d *desk) xdotool(args ...string) string {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "xdotool", args...)
	c.Env = d.env
	out, err := c.Output()
	if err != nil {
		d.t.Fatalf("xdotool %q: %v", args, err)
	}
	return string(out)
}

// closes presses keys until the window with the X id has ended, and wants exit
// code 0. On a busy machine the window manager gives the focus to another
// window between the two calls now and then, and the keys with it.
func (d *desk) closes(c *exec.Cmd, id, keys string) {
	d.t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	for range 10 {
		d.command("xdotool", "windowfocus", "--sync", id, "key", keys).Run() // fails on a window that is just gone
		select {
		case err := <-ended:
			if err != nil {
				d.t.Fatalf("the window ended with %v", err)
			}
			return
		case <-time.After(5 * time.Second):
		}
	}
	d.t.Fatalf("%s does not end the window", keys)
}

// ends waits until the window has ended, and wants exit code 0.
func (d *desk) ends(c *exec.Cmd) {
	d.t.Helper()
	kill := time.AfterFunc(time.Minute, func() { c.Process.Kill() })
	defer kill.Stop()
	if err := c.Wait(); err != nil {
		d.t.Fatalf("the window ended with %v", err)
	}
}

// asked waits until the agent was called as want says.
func (d *desk) asked(want string) {
	d.t.Helper()
	limit := time.After(time.Minute)
	for {
		select {
		case got := <-d.agent.asked:
			if got == want {
				return
			}
		case <-limit:
			d.t.Fatalf("the agent was not asked for %q", want)
		}
	}
}

// picture returns the window as it is on the screen.
func (d *desk) picture(id string) image.Image {
	d.t.Helper()
	out, err := d.command("import", "-window", id, "png:-").Output()
	if err != nil {
		d.t.Fatalf("import: %v", err)
	}
	if dir := os.Getenv("CURFEW_LOOK"); dir != "" {
		os.WriteFile(filepath.Join(dir, "program.png"), out, 0o644)
	}
	picture, err := png.Decode(bytes.NewReader(out))
	if err != nil {
		d.t.Fatal(err)
	}
	return picture
}

// soon looks until something is so, which a person would not wait a minute for.
func soon(so func() bool) bool {
	for began := time.Now(); time.Since(began) < time.Minute; {
		if so() {
			return true
		}
	}
	return so()
}

// share returns how much of the picture has about the colour called name, in the
// dark.
func share(picture image.Image, name fyne.ThemeColorName) float64 {
	want, n := look.Colors(look.Dark)[name], 0
	b := picture.Bounds()
	near := func(x uint32, y uint8) bool { return max(x>>8, uint32(y))-min(x>>8, uint32(y)) <= 8 }
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if r, g, bl, _ := picture.At(x, y).RGBA(); near(r, want.R) && near(g, want.G) && near(bl, want.B) {
				n++
			}
		}
	}
	return float64(n) / float64(b.Dx()*b.Dy())
}

// now is an account of the pictures at the time of this run.
func now(s auth.Snapshot) auth.Snapshot {
	shift := time.Since(noon)
	for _, at := range []*time.Time{&s.SignedInAt, &s.EndsAt, &s.AccessExpiresAt, &s.LastRefreshAt, &s.LastUsedAt, &s.Forecast.EndsAt} {
		if !at.IsZero() {
			*at = at.Add(shift)
		}
	}
	return s
}

func TestProgram(t *testing.T) {
	needed(t)
	home, work := now(entra()), now(spotify()) // the one that needs somebody is shown first
	home.Name, work.Name = "home", "work"
	fake := newFakeAgent(home, work)
	fake.asked = make(chan string, 1000)
	d := newDesk(t, fake)

	t.Run("says what it is", func(t *testing.T) {
		out, err := d.command(d.program, "--version").Output()
		if err != nil || !strings.HasPrefix(string(out), "Curfew ") {
			t.Errorf("--version gives %q, %v", out, err)
		}
		if code, said := d.run("--acount", "work"); code != 2 || !strings.Contains(said, "hint: ") {
			t.Errorf("a wrong flag gives %d and %q, want 2 and a hint", code, said)
		}
	})
	t.Run("needs a display", func(t *testing.T) {
		env := d.env
		defer func() { d.env = env }()
		for display, want := range map[string]string{"DISPLAY=": "no display", "DISPLAY=:9999": "does not answer", "DISPLAY=localhost:9999": "does not answer", "DISPLAY=screen": "does not answer", "DISPLAY=:0.x": "does not answer"} {
			d.env = append(env[:len(env):len(env)], display)
			code, said := d.run()
			if lines := strings.Split(strings.TrimSpace(said), "\n"); code != 1 || len(lines) != 2 || !strings.Contains(lines[0], want) || !strings.HasPrefix(lines[1], "hint: ") {
				t.Errorf("with %s it gives %d and %q, want 1, one line with %q and a hint", display, code, said, want)
			}
		}
	})
	t.Run("needs a display that lets it in", func(t *testing.T) {
		env := d.env
		defer func() { d.env = env }()
		cookies := filepath.Join(t.TempDir(), "cookies")
		if err := os.WriteFile(cookies, []byte("\xff\xff\x00\x00\x00\x00\x00\x12MIT-MAGIC-COOKIE-1\x00\x10sixteen bytes..."), 0o600); err != nil {
			t.Fatal(err)
		}
		d.env = append(env[:len(env):len(env)], "DISPLAY="+d.display("-auth", cookies), "XAUTHORITY="+os.DevNull)
		if code, said := d.run(); code != 1 || !strings.Contains(said, "curfew-window: the display refuses this program") || !strings.Contains(said, "\nhint: ") || strings.Contains(said, "goroutine") {
			t.Errorf("it gives %d and %q, want 1, words and a hint", code, said)
		}
	})
	t.Run("opens on the display that lets it in", func(t *testing.T) {
		kctest.Need(t, "weston")
		env := d.env
		defer func() { d.env = env }()
		wayland, run := "curfew-window-test", filepath.Dir(d.socket)
		d.start(d.command("weston", "--backend=x11-backend.so", "--idle-time=0", "--socket="+wayland, "--log="+filepath.Join(run, "weston.log")))
		for deadline := time.Now().Add(time.Minute); ; {
			if c, err := net.Dial("unix", filepath.Join(run, wayland)); err == nil {
				c.Close()
				break
			} else if time.Now().After(deadline) {
				t.Fatal(err)
			}
		}
		cookies := filepath.Join(t.TempDir(), "cookies")
		if err := os.WriteFile(cookies, []byte("\xff\xff\x00\x00\x00\x00\x00\x12MIT-MAGIC-COOKIE-1\x00\x10sixteen bytes..."), 0o600); err != nil {
			t.Fatal(err)
		}
		strangers := d.display("-auth", cookies)
		for name, more := range map[string][]string{
			"X11 of another session":     {"WAYLAND_DISPLAY=" + wayland, "DISPLAY=" + strangers, "XAUTHORITY=" + os.DevNull},
			"X11 that is gone":           {"WAYLAND_DISPLAY=" + wayland, "DISPLAY=:9999"},
			"Wayland that is gone":       {"WAYLAND_DISPLAY=gone", "XDG_SESSION_TYPE=wayland"},
			"Wayland by its path":        {"WAYLAND_DISPLAY=" + filepath.Join(run, wayland), "DISPLAY="},
			"Wayland that is not a name": {"WAYLAND_DISPLAY=" + run, "XDG_SESSION_TYPE=wayland"},
		} {
			d.env = append(env[:len(env):len(env)], more...)
			c := d.command(d.program)
			out, err := c.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			var said bytes.Buffer
			c.Stderr = &said
			d.start(c)
			if line, err := bufio.NewReader(out).ReadString('\n'); line != "shown\n" {
				t.Errorf("%s: it says %q (%v) and %q", name, line, err, &said)
			}
			c.Process.Signal(syscall.SIGTERM)
			d.ends(c)
		}
	})
	t.Run("needs directories of its own user", func(t *testing.T) {
		other := t.TempDir()
		if os.Geteuid() != 0 || os.Chown(other, 12345, 12345) != nil {
			t.Skip("only root can make somebody else's directory")
		}
		env := d.env
		defer func() { d.env = env }()
		d.env = append(env[:len(env):len(env)], "XDG_CONFIG_HOME="+other)
		if code, said := d.run(); code != 1 || !strings.Contains(said, "belongs to user 12345, and this runs as root\nhint: run it without sudo") {
			t.Errorf("it gives %d and %q, want 1, words and a hint", code, said)
		}
	})
	t.Run("needs OpenGL", func(t *testing.T) {
		env := d.env
		defer func() { d.env = env }()
		d.env = append(env[:len(env):len(env)], "DISPLAY="+d.display("-extension", "GLX"))
		if code, said := d.run(); code != 1 || !strings.Contains(said, "curfew-window: this display has no OpenGL") || !strings.Contains(said, "\nhint: ") {
			t.Errorf("without OpenGL it gives %d and %q, want 1, words and a hint", code, said)
		}
	})
	t.Run("the command line passes on what it says", func(t *testing.T) {
		curfew := filepath.Join(d.home, "curfew")
		build := exec.Command("go", "build", "-trimpath", "-o", curfew, "curfew/cmd/curfew")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
		env := d.env
		defer func() { d.env = env }()
		d.env = append(env[:len(env):len(env)], "DISPLAY=")
		c := d.command(curfew, "window")
		said, _ := c.CombinedOutput()
		if want := "curfew: there is no display to show a window on\nhint: run it in a desktop session; without one, use: curfew status\n"; c.ProcessState.ExitCode() != 1 || string(said) != want {
			t.Errorf("curfew window gives %d and %q, want 1 and %q", c.ProcessState.ExitCode(), said, want)
		}
	})
	t.Run("is one window, and remembers", func(t *testing.T) {
		first, id := d.open()
		d.asked("events home")
		d.xdotool("windowminimize", "--sync", id)
		if code, said := d.run("--account", "work"); code != 0 || said != "" {
			t.Errorf("a second start gives %d and %q, want silence", code, said)
		}
		d.asked("events work")
		if code, said := d.run("--add"); code != 0 || said != "" {
			t.Errorf("a second start for an account gives %d and %q, want silence", code, said)
		}
		if code, said := d.run("--settings"); code != 0 || said != "" {
			t.Errorf("a second start for the settings gives %d and %q, want silence", code, said)
		}
		d.xdotool("search", "--sync", "--onlyvisible", "--name", "^Curfew$") // it is back
		d.xdotool("windowsize", "--sync", id, "1000", "640")
		d.closes(first, id, "ctrl+w")

		next, id := d.open()
		d.asked("events work")
		got := ""
		if !soon(func() bool { // it takes its size some frames after it is there
			got = d.xdotool("getwindowgeometry", id)
			return strings.Contains(got, "1000x640")
		}) {
			t.Errorf("the next window is %s, want the size of the last", got)
		}
		next.Process.Signal(syscall.SIGTERM)
		d.ends(next)
	})
	t.Run("opens at the settings", func(t *testing.T) {
		c, id := d.open("--settings")
		var picture image.Image
		soon(func() bool {
			picture = d.picture(id)
			return share(picture, look.Card) > .2
		})
		if got := share(picture, look.OK); got > .002 {
			t.Errorf("%.4f of the picture is green, as an account is", got)
		}
		d.closes(c, id, "ctrl+q")
	})
	t.Run("shows the accounts", func(t *testing.T) {
		c, id := d.open("--account", "work")
		// The segments are drawn some frames after the window is there.
		var picture image.Image
		soon(func() bool {
			picture = d.picture(id)
			return share(picture, look.OK) > .002 && share(picture, look.Time) > .002
		})
		for name, least := range map[fyne.ThemeColorName]float64{look.OK: .002, look.Time: .002, look.Card: .2, look.Side: .15} {
			if got := share(picture, name); got < least {
				t.Errorf("%.4f of the picture is of the colour %s, want %.4f", got, name, least)
			}
		}
		d.closes(c, id, "ctrl+q")
	})
	t.Run("moves while a sign-in goes on", func(t *testing.T) {
		fake.edit("work", func(s *auth.Snapshot) { s.SignIn = &auth.SignInView{Flow: "flow", Phase: auth.PhaseBrowser} })
		defer fake.edit("work", func(s *auth.Snapshot) { s.SignIn = nil })
		c, id := d.open("--account", "work")
		// It has just opened at first, and a busy machine draws and looks slowly. Of a
		// picture that only counts the time, two in a row are mostly the same.
		most := 0
		if !soon(func() bool {
			seen := map[string]bool{}
			for range 20 {
				seen[string(d.picture(id).(*image.RGBA).Pix)] = true
			}
			most = max(most, len(seen))
			return len(seen) >= 10
		}) {
			t.Errorf("20 pictures of the window show at most %d different ones", most)
		}
		d.closes(c, id, "ctrl+q")
	})
	t.Run("outlives who listened to it", func(t *testing.T) {
		remembered := filepath.Join(d.home, ".local", "state", "curfew", "window.toml")
		if err := os.MkdirAll(filepath.Dir(remembered), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(remembered, []byte("broken ="), 0o600); err != nil { // of which it has something to say
			t.Fatal(err)
		}
		defer os.Remove(remembered)
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		read.Close()
		c := d.command(d.program)
		c.Stderr = write
		d.start(c)
		write.Close()
		id := strings.Fields(d.xdotool("search", "--sync", "--onlyvisible", "--name", "^Curfew$"))[0]
		d.asked("events work")
		d.closes(c, id, "ctrl+q")
	})
	t.Run("leaves no claim", func(t *testing.T) {
		if _, err := os.Stat(filepath.Join(d.home, "run", "agent.sock-window")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket is still there: %v", err)
		}
	})
}
