// Package hooks runs a person's commands when a session was refreshed or has
// ended. Its one hard idea: a hook learns what everybody may know. No token and
// no other secret is in its arguments or its environment, no shell reads what a
// server said, and a hook that hangs holds up the other hooks at most.
package hooks

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"curfew/auth"
)

// The hooks, by the names of their settings.
const (
	OnEnded     = "on_ended"     // the session has ended, not by a sign-out
	OnRefreshed = "on_refreshed" // a refresh has worked
)

// Config is what hooks are run with. Every field but Limit is needed.
type Config struct {
	Watch func(ctx context.Context) <-chan []auth.Snapshot
	// Command is the command of an account's hook, as config.toml has it now.
	// None means that there is no such hook.
	Command func(account, hook string) ([]string, error)
	Logger  *slog.Logger
	Limit   time.Duration // after which a command is killed; 0: 30 s
}

// maxWaiting is how many hooks wait for the one that runs. More are left out.
const maxWaiting = 64

// happened is something that a hook may be for.
type happened struct {
	hook string
	s    auth.Snapshot
}

// Run runs the hooks of what happens from now on, one at a time, until ctx ends.
func Run(ctx context.Context, c Config) error {
	if c.Limit == 0 {
		c.Limit = 30 * time.Second
	}
	waiting, done := make(chan happened, maxWaiting), make(chan struct{})
	go func() {
		defer close(done)
		for h := range waiting {
			if ctx.Err() == nil {
				c.run(ctx, h)
			}
		}
	}()
	before := map[string]auth.Snapshot{}
	for all := range c.Watch(ctx) {
		for _, s := range all {
			hook := what(before[s.Name], s)
			before[s.Name] = s
			if hook == "" {
				continue
			}
			select {
			case waiting <- happened{hook, s}:
			default:
				c.Logger.Warn("too many hooks wait, so one is left out", "account", s.Name, "hook", hook)
			}
		}
	}
	close(waiting)
	<-done
	return nil
}

// what says which hook a change is for, or "". An account that was not seen
// before has not changed.
func what(was, is auth.Snapshot) string {
	switch {
	case was.EndsAt.IsZero(): // it had no session
	case is.State == auth.Ended && !is.EndedAt.IsZero():
		return OnEnded
	case is.SignedInAt.Equal(was.SignedInAt) && is.LastRefreshAt.After(was.LastRefreshAt):
		return OnRefreshed
	}
	return ""
}

// run runs a hook, if there is one.
func (c Config) run(ctx context.Context, h happened) {
	command, err := c.Command(h.s.Name, h.hook)
	if err == nil && len(command) == 0 {
		return
	}
	if err == nil {
		err = c.start(ctx, command, h)
	}
	if err != nil && ctx.Err() == nil {
		c.Logger.Warn("a hook failed", "account", h.s.Name, "hook", h.hook, "error", err)
	}
}

// start runs a command to its end. What it prints is not kept: it may be
// anything.
func (c Config) start(ctx context.Context, command []string, h happened) error {
	limited, cancel := context.WithTimeout(ctx, c.Limit)
	defer cancel()
	facts := map[string]string{
		"account": h.s.Name, "event": strings.TrimPrefix(h.hook, "on_"), "message": h.s.Message,
		"reason": string(h.s.Reason), "refreshes_left": strconv.Itoa(h.s.RefreshesLeft),
	}
	var blanks []string
	env := os.Environ()
	for name, value := range facts {
		blanks = append(blanks, "{"+name+"}", value)
		env = append(env, "CURFEW_"+strings.ToUpper(name)+"="+value)
	}
	fill := strings.NewReplacer(blanks...)
	args := []string{}
	for _, word := range command[1:] {
		args = append(args, fill.Replace(word))
	}
	cmd := exec.CommandContext(limited, command[0], args...)
	cmd.Env = env
	if home, err := os.UserHomeDir(); err == nil {
		cmd.Dir = home
	}
	cmd.WaitDelay = time.Second // what it started may hold its streams
	group(cmd)
	err := cmd.Run()
	if errors.Is(limited.Err(), context.DeadlineExceeded) {
		return errors.New("it took longer than " + auth.ShortDuration(c.Limit) + ", so it was ended")
	}
	return err
}
