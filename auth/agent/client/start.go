package client

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"curfew/auth"
)

// LogName is the agent's log, in the state directory.
const LogName = "agent.log"

// startTime is how long EnsureRunning waits for a new agent to answer.
const startTime = 10 * time.Second

// headStart is what an agent that somebody else has just started gets.
const headStart = 50 * time.Millisecond

// Ask asks the agent of c a question, and starts the agent when none answers. It
// asks first: an agent that runs costs no extra question.
func Ask[T any](ctx context.Context, c *Client, question func() (T, error)) (T, error) {
	v, err := question()
	if !isAway(err) {
		return v, err
	}
	if err := c.EnsureRunning(ctx); err != nil {
		return v, err
	}
	return question()
}

// isAway reports whether err says that no agent runs.
func isAway(err error) bool {
	e, ok := errors.AsType[*auth.Error](err)
	return ok && e.Kind == auth.KindNotRunning && e.MessageID != silent
}

// EnsureRunning starts the agent when none answers. It starts the
// `curfew-agent` next to this program's own file, or else the one on PATH, and
// waits until it answers. Any number of programs may call it at once. One agent
// stays. The others have ended when it returns, so none of them comes up later.
//
// The agent outlives the program that started it. It runs in a separate session
// without a terminal, and logs to [LogName] in the state directory.
func (c *Client) EnsureRunning(ctx context.Context) error {
	_, err := c.Version(ctx)
	if c.err != nil || !isAway(err) {
		return err // it runs (nil), or starting one would not help
	}
	// One may be on its way up: a script that runs `curfew agent &` and then asks
	// means that one, with its flags.
	select {
	case <-time.After(headStart):
	case <-ctx.Done():
	}
	if _, err := c.Version(ctx); err == nil {
		return nil
	}
	pid, exited, err := c.start()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	var again <-chan time.Time // when to start one again
	for wait := 2 * time.Millisecond; ; wait = min(2*wait, 200*time.Millisecond) {
		if v, err := c.Version(ctx); err == nil {
			if v.PID != pid && exited != nil { // ours is about to notice the other one
				select {
				case failed := <-exited:
					_ = failed // because of the other one, whatever it says
				case <-time.After(time.Second): // or it is a wrapper's, and stays
				case <-ctx.Done():
				}
			}
			return nil
		}
		select {
		case <-time.After(wait):
		case failed := <-exited:
			if failed != nil {
				return failed
			}
			exited = nil // it ended because another one runs: wait for that
			again = time.After(time.Second)
		case <-again: // that one was about to end
			again = nil
			if pid, exited, err = c.start(); err != nil {
				return err
			}
		case <-ctx.Done():
			return auth.Fail(auth.KindNotRunning, auth.Say("agent_started_silent", startTime), SeeLog())
		}
	}
}

// start starts the agent. If the agent ends, the channel gives the reason once.
// It is nil when the agent ended in favor of another one.
func (c *Client) start() (pid int, exited <-chan error, err error) {
	program, err := FindProgram("curfew-agent")
	if err != nil {
		return 0, nil, auth.Fail(auth.KindNotRunning, auth.Say("agent_no_program"), auth.Say("hint_install"))
	}
	cannot := func(err error) (int, <-chan error, error) {
		return 0, nil, auth.Fail(auth.KindNotRunning, auth.Say("agent_not_started", err), auth.Say("hint_start_yourself"))
	}
	// What the agent says before it has a log goes to an unlinked file, because
	// a pipe would kill the agent when its reader is gone.
	said, err := openSaid()
	if err != nil {
		return cannot(err)
	}
	forget := func() { said.Close(); os.Remove(said.Name()) }
	os.Remove(said.Name()) // Windows waits for forget
	cmd := exec.Command(program, "--background")
	cmd.Stderr = said
	cmd.Dir = filepath.VolumeName(program) + string(filepath.Separator)
	if c.chosen {
		cmd.Env = append(os.Environ(), "CURFEW_SOCKET="+c.socket)
	}
	cmd.SysProcAttr = Detached()
	if err := cmd.Start(); err != nil {
		forget()
		return cannot(err)
	}
	ended := make(chan error, 1)
	go func() { // ends with the agent, or with this program
		defer forget()
		if cmd.Wait() == nil {
			ended <- nil
			return
		}
		ended <- whatItSaid(said, cmd.ProcessState.String())
	}()
	return cmd.Process.Pid, ended, nil
}

// openSaid makes the file for an agent's first words. A TMPDIR that is gone, as
// that of a shell which has ended, keeps no agent from starting.
func openSaid() (*os.File, error) {
	f, err := os.CreateTemp("", "curfew-start-*")
	for _, dir := range []string{"/tmp", os.Getenv("XDG_RUNTIME_DIR")} {
		if err != nil && dir != "" {
			f, err = os.CreateTemp(dir, "curfew-start-*")
		}
	}
	return f, err
}

// FindProgram finds one of Curfew's programs next to this one, else on PATH.
func FindProgram(name string) (string, error) {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if self, err := os.Executable(); err == nil {
		sibling := filepath.Join(filepath.Dir(self), name)
		if fi, err := os.Stat(sibling); err == nil && fi.Mode().IsRegular() && (runtime.GOOS == "windows" || fi.Mode()&0o111 != 0) {
			return sibling, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// whatItSaid turns the last words of an agent that ended into an error.
func whatItSaid(said io.ReaderAt, state string) error {
	b := make([]byte, 4096)
	n, _ := said.ReadAt(b, 0)
	message, hint := LastWords("curfew", string(b[:n]))
	if message == "" {
		return auth.Fail(auth.KindNotRunning, auth.Say("agent_ended_at_once", state), or(hint, SeeLog()))
	}
	return auth.Fail(auth.KindNotRunning, auth.Say("agent_cannot_start", message), or(hint, auth.Say("hint_start_in_terminal")))
}

// or is the hint that a program gave, else another.
func or(hint string, other auth.Text) auth.Text {
	if hint != "" {
		return auth.Words(hint)
	}
	return other
}

// SeeLog is the hint that the agent's log says more.
func SeeLog() auth.Text { return auth.Say("hint_log", LogHint()) }

// LastWords finds in what one of Curfew's programs said on standard error why
// it ended, and what to do; "" where it did not say.
func LastWords(program, said string) (message, hint string) {
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if text, ok := strings.CutPrefix(line, program+": "); ok {
			message, hint = text, ""
		} else if text, ok := strings.CutPrefix(line, "hint: "); ok {
			hint = text
		}
	}
	return message, hint
}

// LogHint names the agent's log, for people.
func LogHint() string {
	dir, err := auth.StateDir()
	if err != nil {
		return LogName
	}
	return filepath.Join(dir, LogName)
}
