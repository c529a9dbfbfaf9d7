// Curfew-window is the window of Curfew: one process per user, started by the
// tray or by `curfew window`, gone when it is closed. It holds no secret.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"curfew/auth/agent/client"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/app"
	"fyne.io/fyne/v2/driver"

	"curfew/assets"
	"curfew/auth"
	"curfew/auth/agent/resident"
	"curfew/ui/clipboard"
	"curfew/ui/desktop"
	"curfew/ui/display"
	"curfew/ui/preferences"
	"curfew/ui/status"
	"curfew/ui/window"
	"curfew/ui/window/look"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// The exit codes, those of the command line.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// How long another window has to answer: at a time, and in all.
const (
	askTime    = 500 * time.Millisecond
	answerTime = 3 * time.Second
)

// usualSize is that of the first window. The content itself says which is the least.
var usualSize = fyne.NewSize(900, 700)

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("curfew-window", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	var wish window.Wish
	flags.StringVar(&wish.Account, "account", "", "show this `account`")
	for page, use := range map[window.Page]string{window.PageAdd: "show the page that adds an account", window.PageSettings: "show the settings"} {
		flags.BoolFunc(string(page), use, func(string) error { wish.Page = page; return nil })
	}
	version := flags.Bool("version", false, "print the version")
	usage := func(w io.Writer) {
		fmt.Fprintln(w, "usage: curfew-window [--account NAME] [--add | --settings]\n\nShows the accounts that Curfew keeps signed in. A second start brings the window forward.")
		flags.SetOutput(w)
		flags.PrintDefaults()
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		usage(stdout)
		return exitOK
	case err != nil:
		return fail(stderr, exitUsage, err, "see curfew-window --help")
	case flags.NArg() > 0:
		return fail(stderr, exitUsage, fmt.Errorf("unexpected argument %q", flags.Arg(0)), "name an account with --account")
	case *version:
		fmt.Fprintln(stdout, assets.Name, assets.Version)
		return exitOK
	}

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := checkDisplay(ctx); err != nil {
		return fail(stderr, exitFailed, err, noDesktop)
	}
	socket, err := client.DefaultSocket()
	if err != nil {
		return fail(stderr, exitFailed, err, "set XDG_RUNTIME_DIR to a directory that only you can write to")
	}
	if wrong := client.WrongUser(socket); wrong != nil {
		return fail(stderr, exitFailed, wrong, wrong.Hint)
	}
	// Who started it has listened for a moment, and may have ended: a word to
	// standard error must not end the window.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	socket += "-window" // it is a window onto the agent of that socket
	var listener net.Listener
	for began := time.Now(); listener == nil; {
		listener, err = resident.Listen(ctx, socket)
		if err == nil {
			break
		}
		if !errors.Is(err, resident.ErrRunning) {
			return fail(stderr, exitFailed, err, "set XDG_RUNTIME_DIR to a directory that only you can write to")
		}
		asked, stop := context.WithTimeout(ctx, askTime)
		closes, err := desktop.Tell(asked, socket, wish, desktop.Here())
		stop()
		switch {
		case err == nil && !closes:
			return exitOK
		case err != nil && time.Since(began) > answerTime: // until then it may be about to listen, or about to end
			return fail(stderr, exitFailed, err, "close the other window, or look at "+socket)
		}
	}
	client := client.NewClient("")
	err = show(ctx, cancel, client, listener, wish)
	if errors.Is(err, errRefused) {
		return fail(stderr, exitFailed, err, noDesktop)
	}
	if err != nil {
		return fail(stderr, exitFailed, err, "install the graphics driver (on Debian libgl1-mesa-dri); until then, use the tray's menu or: curfew status")
	}
	return exitOK
}

// noDesktop is what to do without a display.
const noDesktop = "run it in a desktop session; without one, use: curfew status"

// errRefused is the error of a display that answers and lets nobody in.
var errRefused = errors.New("the display refuses this program, as that of another user does")

// errNoOpenGL is the error of a display that has no OpenGL.
var errNoOpenGL = errors.New("this display has no OpenGL, which the window needs to draw")

// show shows the window until it is closed.
func show(ctx context.Context, cancel func(), client *client.Client, listener net.Listener, wish window.Wish) (err error) {
	defer func() {
		// Fyne panics where the display refuses it, as that of another user does.
		switch r := recover().(type) {
		case nil:
		case error:
			if !strings.HasPrefix(r.Error(), "NotInitialized") {
				panic(r)
			}
			err = errRefused
		default:
			panic(r)
		}
	}()
	icon := fyne.NewStaticResource("curfew.png", assets.AppIcon)
	app.SetMetadata(fyne.AppMetadata{
		ID: assets.AppID, Name: assets.Name, Version: assets.Version, Build: assets.Build, Icon: icon, Release: true,
		Migrations: map[string]bool{"fyneDo": true},
	})
	// Fyne keeps its fonts and shaders there, and starts slowly without.
	if cache, err := os.UserCacheDir(); err == nil {
		os.MkdirAll(cache, 0o700)
	}
	a := app.NewWithID(assets.AppID)
	a.SetIcon(icon)
	// At its end Fyne saves its preferences, which are not used, in an event that
	// now and then nobody takes. It would then wait for that without end.
	if l, ok := a.Lifecycle().(interface{ SetOnStoppedHookExecuted(func()) }); ok {
		l.SetOnStoppedHookExecuted(nil)
	}
	last, err := preferences.LoadWindow()
	if err != nil {
		fyne.LogError("The window begins as the first one did", err)
	}
	remember := func() {
		if err := last.Save(); err != nil {
			fyne.LogError("The next window will not be like this one", err)
		}
	}
	chosen, err := preferences.Load()
	if err != nil {
		fyne.LogError("Everything is as the desktop has it", err)
	}
	chosen.Speak()
	change := func(edit func(*preferences.Preferences)) {
		edit(&chosen) // also when it cannot be saved: then for this window
		if err := preferences.Change(edit); err != nil {
			fyne.LogError("A choice holds until the window closes", err)
		}
	}
	theme := look.NewTheme(look.Appearance(chosen.Appearance))
	a.Settings().SetTheme(theme)

	var tried atomic.Bool // the demo
	loop := new(loop)
	w := a.NewWindow(assets.Name)
	w.SetMaster()
	w.SetPadded(false)
	view := window.New(window.Config{
		Agent: client, Do: loop.do, Now: func() time.Time { return auth.Local(time.Now()) }, Clipboard: a.Clipboard(), CopySecret: clipboard.CopySecret,
		Demo: func(c context.Context) (auth.Account, error) {
			tried.Store(true)
			return demo(c, ctx)
		},
		Open:       func(u *url.URL, command ...string) error { return desktop.OpenURL(ctx, u.String(), command...) },
		Selected:   last.Account,
		OnSelect:   func(name string) { last.Account = name; remember() },
		Appearance: theme.Appearance,
		OnAppear: func(now look.Appearance) {
			change(func(p *preferences.Preferences) { p.Appearance = string(now) })
			theme = theme.As(now)
			a.Settings().SetTheme(theme)
		},
		Language: chosen.Language,
		OnLanguage: func(code string) {
			change(func(p *preferences.Preferences) { p.Language = code })
			chosen.Speak()
		},
		Autostart:    autostart,
		SetAutostart: desktop.SetAutostart,
		Close:        w.Close,
		Minimised:    func() bool { return loop.minimised(w) },
		About:        about,
	})
	w.SetContent(view.Content())
	view.AddShortcuts(w.Canvas())
	view.Go(wish)
	size := usualSize
	if last.Width > 0 {
		size = fyne.NewSize(last.Width, last.Height)
	}
	w.Resize(beforehand(size))
	beOpaque()
	listening, leave := context.WithCancel(ctx)
	defer leave()
	closing := sync.OnceFunc(func() {
		loop.close()
		size := w.Canvas().Size()
		last.Width, last.Height = size.Width, size.Height
		remember()
		view.Closing()
		leave() // a window that starts now is not told that this one is shown
	})
	w.SetOnClosed(closing)
	// At these, Fyne ends without closing the window, but only once it has begun.
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, os.Interrupt, syscall.SIGTERM)

	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	group.Go(func() { view.Run(ctx) })
	group.Go(func() {
		select {
		case <-ended:
			loop.do(func() { // which ends a rest
				loop.close()
				a.Driver().Quit()
			})
		case <-ctx.Done():
		}
	})
	group.Go(func() {
		if list := providers(ctx, client); list != nil {
			loop.do(func() { view.SetProviders(list) })
		}
	})
	group.Go(func() {
		desktop.Listen(listening, listener, func(wish window.Wish) {
			loop.do(func() {
				view.Go(wish)
				loop.raise(w)
			})
		}, func(session map[string]string) bool { return desktop.Here().Left(session) }, func() { loop.do(w.Close) })
	})
	group.Go(func() {
		display.FollowLook(ctx, func(scale float32) {
			loop.do(func() {
				theme = theme.Scaled(scale)
				a.Settings().SetTheme(theme)
				view.Refit()
			})
		}, func(on bool) { loop.do(func() { view.Move(on) }) })
	})
	// Fyne logs that it could not make the window, and runs on without one.
	a.Lifecycle().SetOnStarted(func() {
		if !exists(w) {
			err = errNoOpenGL
			a.Quit()
			return
		}
		go loop.run(w, view.Moving)
		refit(w, size)
		// Who started it need not wait any longer. A terminal is told nothing.
		if out, err := os.Stdout.Stat(); err == nil && out.Mode()&os.ModeNamedPipe != 0 {
			fmt.Println("shown")
		}
	})
	w.ShowAndRun()
	closing()
	if tried.Load() {
		removeDemo(client)
	}
	return err
}

// removeDemo removes the account of the demo, whose server ends with the window.
func removeDemo(client *client.Client) {
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	if _, err := client.Remove(ctx, window.DemoAccount); err != nil {
		fyne.LogError("The demo account stays", err)
	}
}

// exists reports whether the desktop made a window for w.
func exists(w fyne.Window) (yes bool) {
	w.(driver.NativeWindow).RunNative(func(native any) {
		switch native := native.(type) {
		case driver.X11WindowContext:
			yes = native.WindowHandle != 0
		case driver.WaylandWindowContext:
			yes = native.WaylandSurface != 0
		case driver.WindowsWindowContext:
			yes = native.HWND != 0
		default:
			yes = true
		}
	})
	return yes
}

// providers asks the agent for the presets until it answers.
func providers(ctx context.Context, client *client.Client) []auth.Provider {
	for {
		all, err := client.Providers(ctx)
		if err == nil {
			return all
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

// demo starts the server of the demo, which grants every sign-in, and ends with
// ctx. What it answers is the account to sign in to there.
func demo(ctx, life context.Context) (a auth.Account, err error) {
	path, err := client.FindProgram("curfew-demo")
	if err != nil {
		return a, err
	}
	c := exec.CommandContext(life, path, "authserver", "--auto-approve")
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		return a, err
	}
	go func() {
		<-life.Done()
		c.Wait()
	}()
	stop := context.AfterFunc(ctx, func() { out.Close() })
	defer stop()
	a.Name, a.RevocationReach, a.Scopes = window.DemoAccount, "grant", []string{"openid", "profile", "email", "offline_access"}
	return a, json.NewDecoder(out).Decode(&a)
}

// autostart reports whether the tray starts at login. One whose program is gone
// does not; turning it on names the one that is there.
func autostart() (bool, error) {
	login, err := desktop.Autostart()
	return login.On && !login.Lost, err
}

// about is the foot of the settings.
func about() []string {
	lines := []string{assets.Name + " " + assets.Version}
	if path, err := auth.ConfigPath(); err == nil {
		lines = append(lines, status.Tr("Accounts and limits are in %s", path))
	}
	if dir, err := auth.StateDir(); err == nil {
		lines = append(lines, status.Tr("What happened is in %s", dir))
	}
	return lines
}

func fail(stderr io.Writer, code int, err error, hint string) int {
	fmt.Fprintf(stderr, "curfew-window: %v\nhint: %s\n", err, hint)
	return code
}
