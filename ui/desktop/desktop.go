// Package desktop is what a front end uses of the desktop: the person's browser,
// and the start at login. It also starts the window. Nothing goes through a shell,
// and every error says what to do instead. The command line links it, so what
// speaks to displays is in ui/clipboard and ui/display.
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

// How long a program is watched for an early failure. If it has not failed by then,
// it has started.
const startTime = 2 * time.Second

// ShowWindow starts curfew-window. If a window is already open, that one is shown.
// The window outlives this program. If curfew-window ends at once, the error has
// its words, and the kind that its exit code means.
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
	shown := make(firstWord, 1)
	c.Stdout, c.Stderr = shown, &said
	err = c.Start()
	if err == nil {
		ended := make(chan error, 1)
		go func() { ended <- c.Wait() }()
		err = settle(ctx, shown, ended)
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

// lastWords keeps the end of what a program prints. The program must not fail when
// it prints more after this one has ended; see cmd/curfew-window.
type lastWords []byte

const mostWords = 4096 // bytes

// Write takes all of p, and keeps the end.
func (w *lastWords) Write(p []byte) (int, error) {
	all := append(*w, p...)
	*w = slices.Clone(all[max(0, len(all)-mostWords):])
	return len(p), nil
}

// firstWord hears that a program prints something: curfew-window says when it is
// shown.
type firstWord chan struct{}

// Write takes all of p.
func (w firstWord) Write(p []byte) (int, error) {
	select {
	case w <- struct{}{}:
	default:
	}
	return len(p), nil
}

// settle waits until a program has ended, has said that it is there, or has run long
// enough to have started.
func settle(ctx context.Context, there <-chan struct{}, ended <-chan error) error {
	select {
	case err := <-ended:
		return err
	case <-there:
	case <-time.After(startTime):
	case <-ctx.Done():
	}
	return nil
}
