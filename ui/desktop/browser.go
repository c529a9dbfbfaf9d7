package desktop

import (
	"context"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/cli/browser"

	"curfew/auth"
	"curfew/auth/agent/client"
	"curfew/ui/status"
)

// This file opens web pages, by these rules.
//   - $BROWSER comes first, as xdg-open reads it. It has commands, separated like
//     PATH. %s is the address. A command may be the path of a program with spaces
//     in it, quoted or not.
//   - A browser in the terminal is never started. Nobody would see it, and it might
//     complete a sign-in without a person.
//   - Without a display no opener is started, because it would find such a browser.

// finders look for a browser themselves. Without a display they find one of the
// terminal.
var finders = []string{"xdg-open", "sensible-browser", "x-www-browser", "exo-open", "gio", "open"}

// textBrowsers run in a terminal.
var textBrowsers = []string{"w3m", "lynx", "links", "links2", "elinks", "www-browser", "browsh", "carbonyl", "netrik", "retawq"}

// graphicalBrowsers is what xdg-open should try if the desktop names no browser. It
// is xdg-open's list without the browsers of the terminal.
const graphicalBrowsers = "x-www-browser:firefox:iceweasel:seamonkey:mozilla:epiphany:konqueror:chromium:chromium-browser:google-chrome"

// OpenURL opens a web page in the person's browser. The given command and its
// arguments come first, if there are any. OpenURL returns when the browser has
// started, even if that keeps running. It refuses anything but a web page: the
// address comes from a configuration or a server, and a desktop opens any scheme
// that it knows.
func OpenURL(ctx context.Context, address string, command ...string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return &auth.Error{
			Kind:    auth.KindRefused,
			Message: status.Tr("The address of the sign-in page is not a web address, so it was not opened."),
			Hint:    status.Tr("Check the account's settings."),
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- RunBrowser(u.String(), command...) }() // ends with the browser, which may outlive this program
	if err := settle(ctx, nil, ended); err != nil {
		return &auth.Error{
			Kind:    auth.KindFailed,
			Message: status.Tr("No browser could be opened (%v).", err),
			Hint:    status.Tr("Sign in from a terminal: curfew login NAME --no-browser"),
		}
	}
	return nil
}

// ErrNoBrowser says that there is no browser to open a page with.
var ErrNoBrowser = errors.New("no browser here shows a window")

// RunBrowser runs the person's browser and returns when that program has ended,
// which may be never. The given command and its arguments come first, if there are
// any. What a browser prints is dropped. The caller has checked the address.
func RunBrowser(address string, command ...string) error {
	commands := chosenBrowsers()
	if len(command) > 0 {
		commands = append([][]string{slices.Clone(command)}, commands...)
	}
	failed := ErrNoBrowser
	for _, args := range commands {
		placed := false
		for i := range args {
			if strings.Contains(args[i], "%s") {
				args[i], placed = strings.ReplaceAll(args[i], "%s", address), true
			}
		}
		if !placed {
			args = append(args, address)
		}
		if failed = runDetached(os.Environ(), args...); failed == nil {
			return nil
		}
	}
	if !HasDisplay() {
		return failed
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		browser.Stdout, browser.Stderr = nil, nil
		return browser.OpenURL(address)
	}
	env := os.Environ()
	if os.Getenv("BROWSER") == "" {
		env = append(env, "BROWSER="+graphicalBrowsers)
	}
	for _, opener := range openers {
		if _, err := exec.LookPath(opener); err == nil {
			if failed = runDetached(env, opener, address); failed == nil {
				return nil
			}
		}
	}
	return failed
}

// openers open an address in the desktop's default browser.
var openers = []string{"xdg-open", "x-www-browser", "wslview"}

// CanOpenURL reports whether there is a program to open a page with.
func CanOpenURL() bool {
	chosen := slices.ContainsFunc(chosenBrowsers(), func(args []string) bool {
		_, err := exec.LookPath(args[0])
		return err == nil
	})
	if chosen || runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		return true
	}
	return HasDisplay() && slices.ContainsFunc(openers, func(opener string) bool {
		_, err := exec.LookPath(opener)
		return err == nil
	})
}

// HasDisplay reports whether a program can show a window here.
func HasDisplay() bool {
	return runtime.GOOS == "windows" || runtime.GOOS == "darwin" || os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != ""
}

func runDetached(env []string, args ...string) error {
	c := exec.Command(args[0], args[1:]...)
	c.Env = env
	c.SysProcAttr = client.Detached() // otherwise Ctrl-C would end the browser, too
	return c.Run()
}

// chosenBrowsers are the commands of $BROWSER that show a window.
func chosenBrowsers() [][]string {
	var commands [][]string
	for text := range strings.SplitSeq(os.Getenv("BROWSER"), string(os.PathListSeparator)) {
		args := splitWords(text)
		if _, err := exec.LookPath(text); err == nil {
			args = []string{text} // a program's path, which may have spaces
		}
		if len(args) > 0 && !hidden(args) {
			commands = append(commands, args)
		}
	}
	return commands
}

// hidden reports whether a command shows no window. Without a display, no word of
// it may name a browser of the terminal, as in "env lynx".
func hidden(args []string) bool {
	if HasDisplay() {
		args = args[:1]
	} else if slices.Contains(finders, programName(args[0])) {
		return true
	}
	return slices.ContainsFunc(args, func(word string) bool {
		names := []string{programName(word)}
		if path, err := exec.LookPath(word); err == nil {
			if real, err := filepath.EvalSymlinks(path); err == nil {
				names = append(names, programName(real))
			}
		}
		return slices.ContainsFunc(names, func(name string) bool { return slices.Contains(textBrowsers, name) })
	})
}

func programName(path string) string { return strings.TrimSuffix(filepath.Base(path), ".exe") }

// splitWords splits text at spaces that are neither quoted nor escaped.
func splitWords(text string) []string {
	var words []string
	var word strings.Builder
	begun, quote := false, rune(0)
	escaped := false
	for _, r := range text {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'' && os.PathSeparator != '\\':
			begun, escaped = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			begun, quote = true, r
		case quote == 0 && (r == ' ' || r == '\t'):
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			begun = true
			word.WriteRune(r)
		}
	}
	if begun {
		words = append(words, word.String())
	}
	return words
}
