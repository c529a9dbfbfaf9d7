// Package desktop is where a front end leaves its own process: the person's
// browser, the window program, the clipboard. Nothing goes through a shell,
// and every failure says what to do instead.
package desktop

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"time"

	"curfew/auth/agent/client"

	"curfew/auth"
	"curfew/ui/status"
)

// How long a program is watched for failing at once: one that has not by then
// has started.
const startTime = 2 * time.Second

// ShowWindow starts curfew-window, which shows the one that is open already
// where there is one. The window outlives this program. One that ends at once
// has its own words for why, which are the error's, and its exit code is that
// of the error's kind.
func ShowWindow(ctx context.Context, args ...string) error {
	path, err := client.FindProgram("curfew-window")
	if err != nil {
		return &auth.Error{
			Kind:    auth.KindFailed,
			Message: status.Tr("there is no program curfew-window"),
			Hint:    status.Tr("install it next to this program or in a directory of PATH"),
		}
	}
	c := exec.Command(path, args...)
	c.SysProcAttr = client.Detached()
	var said lastWords
	c.Stderr = &said
	err = c.Start()
	if err == nil {
		ended := make(chan error, 1)
		go func() { ended <- c.Wait() }()
		err = settle(ctx, ended)
	}
	if err == nil {
		return nil
	}
	e := &auth.Error{Kind: auth.KindFailed}
	if ended, ok := errors.AsType[*exec.ExitError](err); ok && ended.ExitCode() == 2 {
		e.Kind = auth.KindBadRequest
	}
	if e.Message, e.Hint = client.LastWords("curfew-window", string(said)); e.Message == "" {
		e.Message, e.Hint = status.Tr("the window cannot open (%v)", err), status.Tr("run curfew-window in a terminal to see why")
	}
	return e
}

// lastWords keeps the end of what a program says. Programs that go on speaking
// when nobody listens any more must not fail of it: see cmd/curfew-window.
type lastWords []byte

const mostWords = 4096 // bytes

// Write takes all of p, and keeps the end.
func (w *lastWords) Write(p []byte) (int, error) {
	all := append(*w, p...)
	*w = slices.Clone(all[max(0, len(all)-mostWords):])
	return len(p), nil
}

// settle waits until a program has ended or has run for long enough to have
// started.
func settle(ctx context.Context, ended <-chan error) error {
	select {
	case err := <-ended:
		return err
	case <-time.After(startTime):
	case <-ctx.Done():
	}
	return nil
}
