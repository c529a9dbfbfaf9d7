package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"curfew/auth/agent/client"
	"curfew/auth/agent/consent"
	"curfew/auth/agent/hooks"
	"curfew/auth/agent/tokenfile"
	"curfew/auth/oauth"

	"curfew/auth/config"
	"curfew/auth/engine"
	"curfew/auth/engine/clock"

	"golang.org/x/sync/errgroup"

	"curfew/assets"
	"curfew/auth"
	"curfew/auth/agent"
	"curfew/auth/agent/resident"
	"curfew/keystore"
)

// This file wires the agent. Every part is made here by hand, and everything
// that runs has one line in run's group.

// stateError says that the state directory cannot be used.
func stateError(err error) error {
	return &auth.Error{Kind: auth.KindFailed, Message: err.Error(), Hint: "fix that directory, or choose another one with XDG_STATE_HOME"}
}

// socketError says that the agent cannot listen.
func socketError(err error) error {
	if errors.Is(err, resident.ErrRunning) {
		return err
	}
	return &auth.Error{Kind: auth.KindFailed, Message: "the agent's socket cannot be made: " + err.Error(),
		Hint: "fix that, or set CURFEW_SOCKET to a path in a directory that only you can write to"}
}

// agentError says what a person can do about an agent that does not start.
func agentError(err error) error {
	switch {
	case errors.Is(err, resident.ErrRunning):
		return &auth.Error{Kind: auth.KindFailed, Message: err.Error(), Hint: "use it as it is, or end it first: curfew doctor says which process it is"}
	case errors.Is(err, keystore.ErrInUse):
		return &auth.Error{Kind: auth.KindFailed, Message: err.Error(), Hint: "end the other agent, which listens at another socket, or give this one its own XDG_STATE_HOME"}
	}
	return err
}

// handover is how long an agent that has lost its socket may take to end.
const handover = time.Second

// leastFiles is how many files the agent may have open at once, with a sign-in and a
// few callers.
const leastFiles = 32

func runAgent(ctx context.Context, stderr io.Writer, o options) (err error) {
	background, memory := o.background, o.memory
	if err := harden(); err != nil {
		return fmt.Errorf("the memory of the agent cannot be protected: %w", err)
	}
	if most := agent.OpenFiles(); most < leastFiles {
		return &auth.Error{Kind: auth.KindFailed, Message: fmt.Sprintf("this process may open %d files only, and the agent needs %d", most, leastFiles), Hint: "raise the limit: ulimit -n"}
	}
	configPath, err := auth.ConfigPath()
	if err != nil {
		return err
	}
	stateDir, err := auth.StateDir()
	if err != nil {
		return err
	}
	socket, err := client.DefaultSocket()
	if err != nil {
		return err
	}
	if err := auth.CheckOwner(configPath, stateDir, filepath.Dir(socket)); err != nil {
		return err
	}
	settings, err := config.Load(configPath)
	if err != nil {
		return err
	}
	// From here on callers wait in the socket's queue until the agent serves.
	listener, err := resident.Listen(ctx, socket)
	if err != nil {
		return socketError(err)
	}
	defer listener.Close()
	if err := keystore.Prepare(stateDir); err != nil {
		return stateError(err)
	}
	logFile, err := openLog(filepath.Join(stateDir, client.LogName))
	if err != nil {
		return stateError(err)
	}
	defer logFile.Close()
	handler := o.format.handler(logFile)
	if !background {
		handler = slog.NewMultiHandler(handler, o.format.handler(stderr))
	}
	log := slog.New(handler)

	machine := clock.New(nil, nil)
	kept := keystore.Config{Dir: stateDir, Logger: log, Now: machine.Now}
	if memory {
		if kept.Dir, err = os.MkdirTemp(memoryDir(socket), "curfew-memory-"); err != nil {
			return err
		}
		defer os.RemoveAll(kept.Dir) // ledgers and key halves that are worth nothing without the agent's memory
		kept.Keychain = keystore.NewMemoryKeychain()
	}
	store, err := keystore.Open(kept)
	for began := time.Now(); errors.Is(err, keystore.ErrInUse) && time.Since(began) < handover; {
		time.Sleep(handover / 10) // no event reports that a lock is free
		store, err = keystore.Open(kept)
	}
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		err = errors.Join(err, store.Close(closing))
		log.Info("the agent ends", "error", err)
	}()
	manager, err := engine.New(engine.Config{
		Store:      store,
		MemoryOnly: memory,
		Accounts:   settings.Accounts,
		General:    settings.General,
		StateDir:   stateDir,
		Logger:     log,
		Clock:      machine,
	})
	if err != nil {
		return err
	}
	starting, started := context.WithTimeout(ctx, startPatience)
	defer started()
	patient := loading{manager, func(names ...string) { manager.Ready(starting, names...) }}
	permits := stateDir
	if memory {
		permits = ""
	}
	gate := consent.New(permits, machine.Now, manager.Note, log)
	files := tokenfile.New(tokenfile.Config{Engine: patient, StateDir: stateDir, Logger: log, Now: machine.Now})
	server := agent.NewServer(agent.Config{
		Register:  manager.Register,
		Engine:    asking{patient, gate},
		Consent:   gate,
		File:      config.File(configPath),
		Read:      settings.File,
		Version:   assets.Version,
		Providers: oauth.Listing,
		Doctor: func(ctx context.Context) []client.Check {
			return slices.Concat(agentChecks(ctx, manager, stateDir, memory), fileChecks(files.Problems()))
		},
		Session: (&session{log: log, moved: manager.RetryKeychain}).offer,
		Logger:  log,
	})

	log.Info("the agent starts", "version", assets.Version, "pid", os.Getpid(), "socket", socket, "accounts", len(settings.Accounts))
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return manager.Run(running) })
	group.Go(func() error {
		manager.Begun(running)
		return server.Run(running, listener)
	})
	if guests := guestListener(ctx, log, socket); guests != nil {
		group.Go(func() error {
			manager.Begun(running)
			return server.ForGuests().Run(running, guests)
		})
	}
	group.Go(func() error {
		manager.Begun(running)
		return files.Run(running)
	})
	group.Go(func() error {
		manager.Begun(running)
		return hooks.Run(running, hooks.Config{Watch: patient.Watch, Command: hookIn(configPath), Logger: log})
	})
	group.Go(func() error { return reloadOnHangup(running, server) })
	group.Go(func() error { return warnOfKeychain(running, log, manager) })
	group.Go(func() error { return watchResume(running, log, manager.Wake) })
	group.Go(func() error {
		return resident.WatchSocket(running, log, listener, 100*time.Millisecond, func() bool { return busy(manager.Snapshots()) })
	})
	if self, err := os.Executable(); err == nil && !memory { // what is in memory only would not outlive a restart
		group.Go(func() error {
			return resident.WatchProgram(running, log, self, resident.SettleTime, func() bool { return busy(manager.Snapshots()) })
		})
	}
	return group.Wait()
}

// busy reports whether a request is out that a restart would cut off.
func busy(all []auth.Snapshot) bool {
	return slices.ContainsFunc(all, func(s auth.Snapshot) bool { return s.State == auth.SigningIn || s.State == auth.Refreshing })
}

// startPatience is how long after the start somebody may wait for sessions to
// be read: a locked keychain can take any time.
const startPatience = 5 * time.Second

// loading is the engine while it reads the stored sessions: nobody hears
// "signed out" of a session that is being read. Whoever asks for a token waits
// in the engine, for that account's session alone.
type loading struct {
	*engine.Manager
	ready func(names ...string) // waits for these accounts, or for all
}

func (l loading) Snapshots() []auth.Snapshot {
	l.ready()
	return l.Manager.Snapshots()
}

func (l loading) Snapshot(name string) (auth.Snapshot, error) {
	l.ready(name)
	return l.Manager.Snapshot(name)
}

func (l loading) Watch(ctx context.Context) <-chan []auth.Snapshot {
	l.ready()
	return l.Manager.Watch(ctx)
}

func (l loading) Forecast(name string) (auth.ForecastReport, error) {
	l.ready(name)
	return l.Manager.Forecast(name)
}

func (l loading) StartSignIn(ctx context.Context, name string, r auth.SignInRequest) (auth.SignInStarted, error) {
	l.ready(name)
	return l.Manager.StartSignIn(ctx, name, r)
}

func (l loading) Refresh(ctx context.Context, name, program string) (auth.Snapshot, error) {
	l.ready(name)
	return l.Manager.Refresh(ctx, name, program)
}

func (l loading) SignOut(ctx context.Context, name string) (auth.SignOutResult, error) {
	l.ready(name)
	return l.Manager.SignOut(ctx, name)
}

func (l loading) RemoveAccount(ctx context.Context, name string) (auth.SignOutResult, error) {
	l.ready(name)
	return l.Manager.RemoveAccount(ctx, name)
}

// memoryDir is where an agent with --memory keeps its files. That is next to
// its socket, which is in memory as well, because TMPDIR may be gone.
func memoryDir(socket string) string {
	if dir := filepath.Dir(socket); filepath.IsAbs(dir) {
		return dir
	}
	return "" // a pipe of Windows has no directory
}

// warnOfKeychain says once, at the start, that sessions cannot be kept.
func warnOfKeychain(ctx context.Context, log *slog.Logger, m *engine.Manager) error {
	if err := m.KeychainStatus(ctx); err != nil && ctx.Err() == nil {
		e, _ := errors.AsType[*auth.Error](err)
		log.Warn(e.Message+"; the agent goes on, and tries again", "hint", e.Hint)
	}
	return nil
}

// reloadOnHangup reads config.toml again on SIGHUP.
func reloadOnHangup(ctx context.Context, server *agent.Server) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hangup:
		}
		_ = server.Reload(ctx) // it fails only when ctx ends
	}
}

// guestListener listens for programs on other machines and in containers; nil
// where that cannot be, which must not keep the agent from anything else.
func guestListener(ctx context.Context, log *slog.Logger, socket string) net.Listener {
	path := client.GuestSocket(socket)
	if path == "" {
		return nil
	}
	l, err := resident.Listen(ctx, path)
	if err != nil {
		log.Warn("there is no socket to forward to other machines", "socket", path, "error", err)
		return nil
	}
	return l
}

// hookIn reads the commands of hooks from config.toml.
func hookIn(path string) func(account, hook string) ([]string, error) {
	return func(account, hook string) ([]string, error) {
		settings, err := config.Load(path)
		for _, a := range settings.Accounts {
			if words, ok := auth.Setting(&a, hook).(*[]string); ok && a.Name == account {
				return *words, nil
			}
		}
		return nil, err
	}
}

// fileChecks says which token files are not there.
func fileChecks(problems []string) []client.Check {
	var checks []client.Check
	for _, problem := range problems {
		checks = append(checks, client.Check{Name: "token file", Message: problem, Hint: "see token_file of the account in config.toml"})
	}
	return checks
}

// agentChecks is what `curfew doctor` cannot see from outside.
func agentChecks(ctx context.Context, m *engine.Manager, stateDir string, memory bool) []client.Check {
	keychain := client.Check{Name: "keychain", OK: true, Message: "it is there and unlocked"}
	if memory {
		keychain.Message = "none is used: sessions are kept in memory and end with the agent"
	} else if err := m.KeychainStatus(ctx); err != nil {
		e, _ := errors.AsType[*auth.Error](err)
		keychain = client.Check{Name: "keychain", Message: e.Message, Hint: e.Hint}
	}
	state := client.Check{Name: "state", OK: true, Message: stateDir + " can be written"}
	if err := tryToWrite(stateDir); err != nil {
		state = client.Check{Name: "state", Message: "the state directory cannot be written: " + err.Error(), Hint: "free disk space, or fix the permissions of " + stateDir}
	}
	return []client.Check{keychain, state, hardened()}
}

// tryToWrite writes as much into a file of dir as a session takes. A full disk still
// has room for an empty one.
func tryToWrite(dir string) error {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(make([]byte, 32<<10))
	return errors.Join(err, f.Close())
}
