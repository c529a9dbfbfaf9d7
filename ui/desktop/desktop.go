// Package desktop is where a front end leaves its own process: the person's
// browser, the window program, the clipboard. Nothing goes through a shell,
// and every failure says what to do instead.
package desktop

import (
	"context"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"curfew/auth/agent/client"

	"github.com/cli/browser"

	"curfew/auth"
	"curfew/ui/status"
)

// How long a program is watched for failing at once: one that has not by then
// has started.
const startTime = 2 * time.Second

// OpenURL opens a web page in the person's browser: by $BROWSER (commands
// separated as PATH is, %s for the address, as xdg-open reads it), else by the
// system's opener. It returns when the browser was started, be that of the
// kind that ends at once or that stays. It refuses what is not a web page: a
// sign-in page's address comes from a configuration or a server, and a desktop
// opens any scheme that it knows.
func OpenURL(ctx context.Context, address string, command ...string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return &auth.Error{
			Kind:    auth.KindRefused,
			Message: status.Tr("The sign-in page is no web address, so it was not opened."),
			Hint:    status.Tr("Check the account's settings."),
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- RunBrowser(u.String(), command...) }() // ends with the browser, which may outlive this program
	if err := settle(ctx, ended); err != nil {
		return &auth.Error{
			Kind:    auth.KindFailed,
			Message: status.Tr("No browser could be opened (%v).", err),
			Hint:    status.Tr("Sign in from a terminal: curfew login NAME --no-browser"),
		}
	}
	return nil
}

// RunBrowser runs the person's browser, and returns when that program has ended,
// which may be never. It is the given command and its arguments, and where that
// fails or is none, $BROWSER or the system's opener as [OpenURL] says. What it
// prints goes nowhere. The caller has checked the address.
func RunBrowser(address string, command ...string) error {
	commands := [][]string{slices.Clone(command)}
	for words := range strings.SplitSeq(os.Getenv("BROWSER"), string(os.PathListSeparator)) {
		commands = append(commands, strings.Fields(words))
	}
	for _, args := range commands {
		if len(args) == 0 {
			continue
		}
		placed := false
		for i := range args {
			if strings.Contains(args[i], "%s") {
				args[i], placed = strings.ReplaceAll(args[i], "%s", address), true
			}
		}
		if !placed {
			args = append(args, address)
		}
		c := exec.Command(args[0], args[1:]...)
		c.SysProcAttr = client.Detached() // or Ctrl-C would end the person's browser as well
		if c.Run() == nil {
			return nil
		}
	}
	browser.Stdout, browser.Stderr = nil, nil
	return browser.OpenURL(address)
}

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
			Hint:    status.Tr("install it beside this program or in a directory of PATH"),
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
