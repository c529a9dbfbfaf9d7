// Command curfew-tray is Curfew's icon in the tray, with a tooltip, a menu and
// notifications. It starts the agent when none runs, and curfew-window on demand.
// It holds no secret. On Linux it needs no cgo and no connection to the display.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"curfew/auth/agent/client"

	"curfew/assets"
	"curfew/auth/agent/resident"
	"curfew/ui/clipboard"
	"curfew/ui/desktop"
	"curfew/ui/preferences"
	"curfew/ui/tray"
)

func main() {
	// The tray waits for others, like the agent. It needs no second processor, and
	// no heap that grows to 4 MB before it is collected.
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(25)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // there is nowhere to show an icon
	exitUsage  = 2
)

const usage = `Usage: curfew-tray [flags]

Shows in the tray how many refreshes and days are left of your sign-ins. If a
tray is already running, its window is shown instead. A tray that an earlier
session or an upgrade has left behind is replaced.

  --icons=any|light  any: readable on every panel (default); light: dark icons for light panels
  --check            say as JSON whether the desktop has a place for icons, and end
  --verbose          log what the tray does to standard error
  --version          print the version
`

// run is the whole program. It ends when ctx does, when the person chooses
// Quit, or when a second tray takes over.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("curfew-tray", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	tone := flags.String("icons", string(assets.Any), "")
	verbose := flags.Bool("verbose", false, "")
	check := flags.Bool("check", false, "")
	version := flags.Bool("version", false, "")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return exitOK
	case err == nil && flags.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case err == nil && *tone != string(assets.Any) && *tone != string(assets.Light):
		err = fmt.Errorf("unknown icons %q", *tone)
	}
	if err != nil {
		return fail(stderr, exitUsage, err, "see: curfew-tray --help")
	}
	if *version {
		fmt.Fprintf(stdout, "curfew-tray %s (%s %s/%s)\n", assets.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return exitOK
	}

	level := slog.LevelWarn
	if *verbose {
		level = slog.LevelDebug
	}
	handler := slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level})
	logger := slog.New(handler)
	// The tray library logs to package log, mostly what this program logs better.
	log.SetFlags(0)
	log.SetOutput(slog.NewLogLogger(handler, slog.LevelDebug).Writer())

	socket, _ := client.DefaultSocket()
	if wrong := client.WrongUser(socket); wrong != nil && !*check {
		return fail(stderr, exitFailed, wrong, wrong.Hint)
	}
	client := client.NewClient("")
	panel, err := findPanel(ctx)
	if *check {
		_ = json.NewEncoder(stdout).Encode(checkPanel(ctx, panel, err)) // who asks sees that it is missing
		return exitOK
	}
	if err != nil {
		return fail(stderr, exitFailed, err, "start curfew-tray from your desktop, or use: curfew window")
	}

	first, err := claim(ctx, client.Socket())
	switch {
	case errors.Is(err, resident.ErrRunning):
		panel.Close()
		fmt.Fprintln(stderr, "curfew-tray: already running; its window is shown")
		return exitOK
	case errors.Is(err, errSilent):
		panel.Close()
		return fail(stderr, exitFailed, err, "end that process and start curfew-tray again")
	case err != nil:
		logger.Warn("a second tray will not be noticed", "err", err)
		first = newFirst(nil)
	}
	defer first.release()
	ctx, end := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { first.serve(ctx, end) })
	self, _ := os.Executable() // before an upgrade renames it
	var again atomic.Bool      // this program, or its successor, in this one's place
	begin := func(err error) {
		if errors.Is(err, resident.ErrUpgraded) || errors.Is(err, resident.ErrUnreachable) {
			again.Store(true)
			end()
		}
	}
	never := func() bool { return false }
	wg.Go(func() { begin(resident.WatchProgram(ctx, logger, self, resident.SettleTime, never)) })
	if first.Listener != nil {
		wg.Go(func() { begin(resident.WatchSocket(ctx, logger, first.Listener, 100*time.Millisecond, never)) })
	}

	a := &app{client: client, tone: assets.Tone(*tone), told: openMemory(logger), knocks: first.knocks, patience: patience, stderr: stderr, logger: logger}
	err = a.stay(ctx, panel)
	end()
	wg.Wait()
	switch {
	case again.Load() && first.successor == nil:
		return fail(stderr, exitFailed, resident.Become(self), "start curfew-tray again")
	case err != nil:
		return fail(stderr, exitFailed, err, "start curfew-tray again once the desktop is there")
	}
	return exitOK
}

// stay shows the icon in one desktop after the other, until ctx ends or the person
// chooses Quit. It closes the panel.
func (a *app) stay(ctx context.Context, panel panel) error {
	for {
		err := a.live(ctx, panel)
		panel.Close()
		switch {
		case ctx.Err() != nil:
			return nil
		case !errors.Is(err, errBusGone):
			return err
		}
		// The desktop ended, or only its bus did: the icon is there again when
		// one comes. At the next login a second tray may take over before.
		a.logger.Warn("no icon until there is a D-Bus session again", "err", err)
		if panel = awaitPanel(ctx); panel == nil {
			return nil
		}
		a.patience = loginPatience
		a.logger.Info("a D-Bus session is there again")
	}
}

// errBusGone ends an icon whose desktop has gone.
var errBusGone = errors.New("the D-Bus session went away")

// awaitPanel waits for a desktop, and returns nil when ctx ends first.
func awaitPanel(ctx context.Context) panel {
	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
		if p, err := findPanel(ctx); err == nil {
			return p
		}
	}
}

// An app is what outlives the icon when the desktop goes away.
type app struct {
	client   *client.Client
	tone     assets.Tone
	told     *memory
	knocks   <-chan struct{}
	patience time.Duration
	stderr   io.Writer
	logger   *slog.Logger
}

// live shows the icon in one desktop, until ctx ends or the person chooses Quit. When
// the desktop goes away, it returns errBusGone.
func (a *app) live(ctx context.Context, panel panel) error {
	chosen, err := preferences.Load()
	if err != nil {
		a.logger.Warn("everything is as the desktop has it", "err", err)
	}
	chosen.Speak()
	reword := make(chan struct{})
	icon := tray.NewIcon(assets.Name, a.tone)
	notices := make(chan tray.Notice, 64)
	notify := func(n tray.Notice) {
		select {
		case notices <- n:
		default: // 64 are waiting: the service is stuck
			a.told.sayAgain(n)
		}
	}
	t := tray.New(tray.Config{
		Agent: a.client, Display: icon, CopySecret: clipboard.CopySecret,
		Clicks: icon.Clicks, Opened: icon.Opened, Show: icon.Show, Reword: reword,
		OpenURL: desktop.OpenURL, OpenWindow: desktop.ShowWindow, Logger: a.logger,
		Notify: notify, Memory: a.told,
	})
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err = icon.Run(ctx, func(ctx context.Context) {
		var wg sync.WaitGroup
		ctx, end := context.WithCancel(ctx)
		defer wg.Wait()
		defer end()
		events := noticeEvents{clicks: icon.Clicks, shown: a.told.wasShown, again: func(n tray.Notice) {
			if n.Account == "" {
				notify(n)
				return
			}
			a.told.sayAgain(n)
			send(ctx, reword)
		}}
		wg.Go(func() { pass(ctx, a.knocks, icon.Show) })
		wg.Go(func() { panel.ServeNotices(ctx, notices, events, a.logger) })
		wg.Go(func() { followPreferences(ctx, reword, a.logger) })
		wg.Go(func() {
			if err := watchPanel(ctx, panel, a.patience, notify, a.stderr, a.logger); err != nil {
				cancel(err)
			}
		})
		t.Run(ctx)
	})
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	return err
}

func fail(stderr io.Writer, code int, err error, hint string) int {
	fmt.Fprintf(stderr, "curfew-tray: %v\nhint: %s\n", err, hint)
	return code
}

// followPreferences speaks the language that is chosen while the tray runs,
// until ctx ends.
func followPreferences(ctx context.Context, reword chan<- struct{}, logger *slog.Logger) {
	err := preferences.Watch(ctx, func(p preferences.Preferences) {
		p.Speak()
		send(ctx, reword)
	})
	if err != nil {
		logger.Warn("another language will not be noticed", "err", err)
	}
}

// send sends to c unless ctx ends first.
func send(ctx context.Context, c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	case <-ctx.Done():
	}
}

// pass passes on what comes from one channel to another, until ctx ends.
func pass(ctx context.Context, from <-chan struct{}, to chan<- struct{}) {
	for {
		select {
		case <-from:
			send(ctx, to)
		case <-ctx.Done():
			return
		}
	}
}

// How long to wait for a panel. At login it often starts after the programs that have
// icons. When a new desktop comes, this one has seen its very beginning.
const (
	patience      = 5 * time.Second
	loginPatience = 30 * time.Second
)

// watchPanel says once when there is nowhere to show an icon, and opens the window
// instead. When a panel appears, it shows the icon automatically, and the notice
// is removed. watchPanel returns when ctx ends, or with an error when the desktop
// is gone.
func watchPanel(ctx context.Context, p panel, patience time.Duration, notify func(tray.Notice), stderr io.Writer, logger *slog.Logger) error {
	present, gone := p.Watch(ctx)
	var overdue <-chan time.Time
	said := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-gone:
			return err
		case there := <-present:
			logger.Debug("panel", "there", there)
			overdue = nil
			switch {
			case there && said:
				notify(tray.Notice{})
			case !there && !said:
				overdue = time.After(patience)
			}
		case <-overdue:
			said, overdue = true, nil
			fmt.Fprintln(stderr, "curfew-tray: this desktop has no place for tray icons, so the window opens instead; the icon appears when there is one\n"+
				"hint: on GNOME, enable the AppIndicator extension; elsewhere, add a tray (status notifier) to the panel")
			notify(tray.NoPlace()) // a tray that started at login has no terminal
			if err := desktop.ShowWindow(ctx); err != nil {
				logger.Warn("window not opened", "err", err)
			}
		}
	}
}
