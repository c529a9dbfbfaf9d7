package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"curfew/auth/agent/client"

	"github.com/spf13/cobra"

	"curfew/auth"
	"curfew/auth/authserver"
	"curfew/ui/terminal"
)

// The demo is Curfew as a person has it, with each program started as they
// would start it. It has its own authorization server and a temporary profile.
// It shares nothing with the real profile but the keychain. There it keeps its
// one session under separate names and erases it at the end.

// demoAccount is the account that the demo signs in to.
const demoAccount = "demo"

// playTTL is the shortest life of a token in which the play gets everything done.
const playTTL = 30 * time.Second

type demoOptions struct {
	accessTTL terminal.Span
	play      bool
	out       string
}

func (p *program) demoCommand() *cobra.Command {
	o := demoOptions{accessTTL: terminal.Span(time.Minute)}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Try Curfew with its own server, in a temporary profile",
		Long: `Try Curfew with its own server, in a temporary profile. Access tokens there
live for a minute only and are always kept fresh. So the 20 refreshes of a
session last a quarter of an hour and you see it end.

Your own accounts are not touched. The session is in your keychain while the
demo runs; Ctrl-C signs out and removes everything.`,
		Args: terminal.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.play && o.accessTTL.Duration() < playTTL {
				return terminal.UsageError(cmd, "--access-ttl must be at least %s with --play, which looks at each token while it lives", auth.FormatSpan(playTTL))
			}
			return p.demo(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.Var(&o.accessTTL, "access-ttl", "how long an access token lives")
	f.BoolVar(&o.play, "play", false, "play the person too, and check what happens (.ci/headless-desktop gives it a desktop)")
	f.StringVar(&o.out, "out", "", "with --play: save pictures in this `FOLDER`")
	return cmd
}

func (p *program) demo(ctx context.Context, o demoOptions) (err error) {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		return &auth.Error{Kind: auth.KindFailed, Message: "the demo cannot have its own profile on this system",
			Hint: "run curfew authserver, and add the account that it names"}
	}
	if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return &auth.Error{Kind: auth.KindFailed, Message: "there is no display to show the tray and the window on",
			Hint: "give it one: .ci/headless-desktop curfew demo --play"}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	d, err := startDemo(ctx, filepath.Dir(self), authserver.Config{AccessLifetime: o.accessTTL.Duration()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close(context.WithoutCancel(ctx))) }()
	if o.play {
		return d.play(ctx, p.stdout, o.out)
	}
	if err := d.client.Put(ctx, d.account()); err != nil {
		return err
	}
	if err := d.startTray(); err != nil {
		return err
	}
	p.explainDemo(d, o)
	select {
	case <-ctx.Done():
	case <-d.tray.ended:
		p.note("the tray has ended")
	}
	p.note("signing out and removing %s", d.dir)
	return nil
}

// explainDemo says what there is to click.
func (p *program) explainDemo(d *demo, o demoOptions) {
	fmt.Fprintf(p.stdout, `The demo runs; its icon is in your tray.

  1. Click the icon with the right button, choose %q and "Sign in".
     Your browser asks who you are: %s, password %s.
  2. Watch the two countdowns. A token lives %s here and is refreshed before
     it ends; each time one of 20 refreshes is gone. "Refresh now" spends more.
  3. "Open Curfew" shows the same in a window.
  4. The session ends after the 20th refresh. Only "Sign in" starts a new one.

In another terminal, what programs do:

     export CURFEW_SOCKET=%s
     %s exec %s -- curl -H @{header_file} %s/api/me

"Quit" or Ctrl-C ends the demo, signs out and removes everything.
`, demoAccount, authserver.DefaultUser, authserver.DefaultPassword, &o.accessTTL,
		d.client.Socket(), d.program("curfew"), demoAccount, d.server.Issuer())
}

// A demo is a running server and agent, and what else was started for them.
type demo struct {
	dir    string   // the profile
	bin    string   // where the programs are
	env    []string // in which they run
	client *client.Client
	server *demoServer

	agent, tray *running // tray: nil until startTray
}

// startDemo makes the profile, and starts the server and the agent of the
// programs in bin.
func startDemo(ctx context.Context, bin string, c authserver.Config) (_ *demo, err error) {
	d := &demo{bin: bin}
	fail := func(err error) (*demo, error) {
		return nil, errors.Join(err, d.close(context.WithoutCancel(ctx)))
	}
	for _, name := range []string{"curfew", "curfew-agent", "curfew-tray", "curfew-window"} {
		if _, err := os.Stat(d.program(name)); err != nil {
			return nil, &auth.Error{Kind: auth.KindFailed, Message: "there is no program " + d.program(name), Hint: "build them all: make build"}
		}
	}
	if d.dir, err = os.MkdirTemp("", "curfew-demo-*"); err != nil {
		return nil, err
	}
	socket := filepath.Join(d.dir, "agent.sock")
	d.client = client.NewClient(socket)
	d.env = append(os.Environ(),
		"CURFEW_DEMO="+d.dir, // marks what belongs to it
		"CURFEW_SOCKET="+socket,
		"XDG_CONFIG_HOME="+filepath.Join(d.dir, "config"),
		"XDG_STATE_HOME="+filepath.Join(d.dir, "state"),
		"PATH="+d.dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
	if err := d.setBrowser(asBefore("xdg-open", "BROWSER", "PATH", "XDG_CONFIG_HOME", "XDG_STATE_HOME")); err != nil {
		return fail(err)
	}
	if err := d.speakEnglish(); err != nil {
		return fail(err)
	}
	if d.server, err = startDemoServer(ctx, c); err != nil {
		return fail(err)
	}
	if d.agent, err = d.start("curfew-agent"); err != nil {
		return fail(err)
	}
	err = until(ctx, 10*time.Second, "the agent to answer", func() bool {
		_, err := d.client.Version(ctx)
		return err == nil
	})
	if err != nil {
		return fail(fmt.Errorf("%w: %s", err, d.lastWords("agent")))
	}
	return d, nil
}

// speakEnglish makes the tray and the window begin in the language of the
// instructions, which name what to click.
func (d *demo) speakEnglish() error {
	dir := filepath.Join(d.dir, "config", "curfew")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "ui.toml"), []byte("language = \"en\"\n"), 0o600)
}

// setBrowser makes the programs open web pages with a script, which gets the
// address as its first argument.
func (d *demo) setBrowser(script string) error {
	d.env = append(d.env, "BROWSER=") // it would come first
	return os.WriteFile(filepath.Join(d.dir, "xdg-open"), []byte("#!/bin/sh\n"+script), 0o700)
}

// asBefore is a script that runs a command with the environment variables
// that this program has, so that the browser finds the person's own profile.
func asBefore(command string, names ...string) string {
	var b strings.Builder
	for _, name := range names {
		if value, ok := os.LookupEnv(name); ok {
			fmt.Fprintf(&b, "export %s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`))
		} else {
			fmt.Fprintf(&b, "unset %s\n", name)
		}
	}
	fmt.Fprintf(&b, "exec %s \"$@\"\n", command)
	return b.String()
}

// account is the configuration of the demo's account. It is always kept fresh,
// since a person who watches does not ask for tokens.
func (d *demo) account() auth.Account {
	return auth.Account{
		Name:     demoAccount,
		Issuer:   d.server.Issuer(),
		ClientID: authserver.DefaultClientID,
		Scopes:   []string{"openid", "profile", "email", "offline_access"},
		Refresh:  auth.Always,
		// Its server revokes one grant at a time, so a replaced session is revoked at once.
		RevocationReach: "grant",
	}
}

func (d *demo) startTray() (err error) {
	d.tray, err = d.start("curfew-tray")
	return err
}

// program returns the path of one of the programs.
func (d *demo) program(name string) string { return filepath.Join(d.bin, name) }

// running is one of the programs, started. err is how it ended.
type running struct {
	*exec.Cmd
	ended chan struct{}
	err   error
}

// start starts one of the programs. What it prints goes to a file.
func (d *demo) start(name string, args ...string) (*running, error) {
	r := &running{Cmd: exec.Command(d.program(name), args...), ended: make(chan struct{})}
	r.Env = d.env
	r.SysProcAttr = client.Detached() // or Ctrl-C would end the agent before it can sign out
	log, err := os.Create(filepath.Join(d.dir, strings.Join(append([]string{name}, args...), "-")+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	r.Stdout, r.Stderr = log, log
	if err := r.Start(); err != nil {
		return nil, err
	}
	go func() { // ends with the program
		defer close(r.ended)
		if err := r.Wait(); err != nil {
			r.err = fmt.Errorf("%s: %w", name, err)
		}
	}()
	return r, nil
}

// end asks the program to end and waits until it has.
func (r *running) end(ctx context.Context) error {
	if r == nil {
		return nil
	}
	r.Process.Signal(os.Interrupt) // fails when it has ended already
	select {
	case <-r.ended:
		return r.err
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("%s does not end", filepath.Base(r.Path)), r.Process.Kill())
	}
}

// lastWords returns the end of what a program printed.
func (d *demo) lastWords(name string) string {
	logs, _ := filepath.Glob(filepath.Join(d.dir, "*"+name+".log"))
	if len(logs) == 0 {
		return "it said nothing"
	}
	b, err := os.ReadFile(logs[0])
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-2000):])
}

// close signs out, ends what runs and removes the profile, as far as each was
// come to.
func (d *demo) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	var errs []error
	errs = append(errs, d.tray.end(ctx))
	if d.agent != nil {
		// Removing signs out: it revokes at the server and erases in the keychain.
		if _, err := d.client.Remove(ctx, demoAccount); err != nil && !isKind(err, auth.KindUnknown) {
			errs = append(errs, fmt.Errorf("the demo's session stays in the keychain: %w", err))
		}
		errs = append(errs, d.agent.end(ctx))
	}
	if d.server != nil {
		errs = append(errs, d.server.close(ctx))
	}
	return errors.Join(append(errs, d.endWindows(ctx), os.RemoveAll(d.dir))...)
}

// endWindows ends the windows that the tray or a command opened, and waits
// until they are gone: they write to the profile. What does not end is killed.
func (d *demo) endWindows(ctx context.Context) error {
	asked := map[int]bool{}
	var living []int
	err := until(ctx, 20*time.Second, "the window to end", func() bool {
		living = d.inhabitants()
		for _, pid := range living {
			if !asked[pid] { // also one that is just starting
				asked[pid] = true
				signalTo(pid, os.Interrupt)
			}
		}
		return len(living) == 0
	})
	for _, pid := range living {
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		err = errors.Join(err, fmt.Errorf("process %d is killed: %s", pid, strings.ReplaceAll(string(name), "\x00", " ")))
		signalTo(pid, os.Kill)
	}
	return err
}

// signalTo sends a signal to a process that may have ended meanwhile.
func signalTo(pid int, s os.Signal) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Signal(s)
	}
}

// inhabitants finds the programs that run in the demo's environment. Windows
// are not children of this program, but it marks them too.
func (d *demo) inhabitants() []int {
	var pids []int
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		env, err := os.ReadFile(file)
		if err != nil || !slices.Contains(strings.Split(string(env), "\x00"), "CURFEW_DEMO="+d.dir) {
			continue // most are not ours to read
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// until waits until happened, which it asks again and again.
func until(ctx context.Context, limit time.Duration, what string, happened func() bool) error {
	deadline := time.Now().Add(limit)
	for !happened() {
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %s for %s", limit, what)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// isKind reports whether err is an [auth.Error] of that kind.
func isKind(err error, k auth.Kind) bool {
	e, ok := errors.AsType[*auth.Error](err)
	return ok && e.Kind == k
}
