//go:build unix

package desktop

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"curfew/auth"
)

// program writes a script of that name into a new folder and returns its path.
func program(t *testing.T, name, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func wantError(t *testing.T, err error, message, hint string) {
	t.Helper()
	e, ok := errors.AsType[*auth.Error](err)
	if !ok || e.Message != message || e.Hint != hint {
		t.Errorf("error %#v, want %q and %q", err, message, hint)
	}
}

func TestOpenURL(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	t.Setenv("OUT", out)
	log := program(t, "log", `printf '%s\n' "$@" >"$OUT"`)
	fail := program(t, "fail", `exit 3`)
	spaced := filepath.Join(t.TempDir(), "Program Files", "fire fox")
	text := program(t, "lynx", `exit 0`) // its success would look like a page that was shown
	if err := errors.Join(os.Mkdir(filepath.Dir(spaced), 0o700), os.Link(log, spaced)); err != nil {
		t.Fatal(err)
	}
	const address = "https://id.example.org/a?x=1&y=$(id)%3B'z'"
	for _, tt := range []struct{ name, browser, want string }{
		{"plain", log, address},
		{"placed", log + " --new %s --end", "--new\n" + address + "\n--end"},
		{"the first fails", fail + ":" + log, address},
		{"a path with spaces", spaced, address},
		{"quoted", `"` + spaced + `" --new`, "--new\n" + address},
		{"escaped", strings.ReplaceAll(spaced, " ", `\ `) + " %s", address},
		{"a terminal's first", "w3m:" + text + " %s:" + log, address},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("BROWSER", tt.browser)
			if err := OpenURL(t.Context(), address); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(out)
			if err != nil || strings.TrimSpace(string(got)) != tt.want {
				t.Errorf("browser got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
	t.Run("the account's own", func(t *testing.T) { // its arguments are passed on without a shell
		t.Setenv("BROWSER", fail)
		if err := RunBrowser(address, log, "-P", "my work"); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(out); err != nil || string(got) != "-P\nmy work\n"+address+"\n" {
			t.Errorf("browser got %q, %v", got, err)
		}
	})
	t.Run("none", func(t *testing.T) {
		t.Setenv("BROWSER", "")
		t.Setenv("PATH", t.TempDir())
		err := OpenURL(t.Context(), address)
		e, ok := errors.AsType[*auth.Error](err)
		if !ok || !strings.HasPrefix(e.Message, "No browser could be opened (") || e.Hint != "Sign in from a terminal: curfew login NAME --no-browser" {
			t.Errorf("error %#v", err)
		}
	})
}

// TestNoTextBrowser: without a display no opener is started, because it could find
// a browser of the terminal. With one, xdg-open is told not to.
func TestNoTextBrowser(t *testing.T) {
	ran := filepath.Join(t.TempDir(), "ran")
	t.Setenv("RAN", ran)
	opener := program(t, "xdg-open", `echo "$BROWSER" >"$RAN"`)
	t.Setenv("PATH", filepath.Dir(opener)+":"+os.Getenv("PATH"))
	t.Setenv("BROWSER", "")
	t.Setenv("DISPLAY", "")
	t.Setenv("WAYLAND_DISPLAY", "")
	if err := RunBrowser("https://id.example.org/"); !errors.Is(err, ErrNoBrowser) || CanOpenURL() {
		t.Errorf("without a display: %v, can open: %v", err, CanOpenURL())
	}
	dir := t.TempDir()
	w3m, link := program(t, "w3m", `touch "$RAN"`), filepath.Join(dir, "browser")
	if err := os.Symlink(w3m, link); err != nil {
		t.Fatal(err)
	}
	for _, browser := range []string{opener, "xdg-open %s", "env " + w3m, link, "sh -c '' " + link} {
		t.Setenv("BROWSER", browser)
		if err := RunBrowser("https://id.example.org/"); !errors.Is(err, ErrNoBrowser) || CanOpenURL() {
			t.Errorf("without a display, BROWSER=%s: %v, can open: %v", browser, err, CanOpenURL())
		}
	}
	t.Setenv("BROWSER", filepath.Join(dir, "missing"))
	if CanOpenURL() {
		t.Error("a missing browser can open a page")
	}
	t.Setenv("BROWSER", "")
	if _, err := os.Stat(ran); err == nil {
		t.Error("an opener was started without a display")
	}
	t.Setenv("DISPLAY", ":99")
	if err := RunBrowser("https://id.example.org/"); err != nil || !CanOpenURL() {
		t.Errorf("with a display: %v, can open: %v", err, CanOpenURL())
	}
	if got, _ := os.ReadFile(ran); !strings.Contains(string(got), "firefox") || strings.Contains(string(got), "w3m") {
		t.Errorf("xdg-open is told to use %q", got)
	}
}

// TestNoWebAddress: only web pages are opened, whatever else the desktop can open.
func TestNoWebAddress(t *testing.T) {
	started := filepath.Join(t.TempDir(), "started")
	t.Setenv("STARTED", started)
	t.Setenv("BROWSER", program(t, "browser", `touch "$STARTED"`))
	for _, address := range []string{"file:///etc/passwd", "javascript:alert(1)", "https://", "-n", "", "ftp://x/", "https:opaque", "http://[::1", "https://user@evil.example/", "mailto:a@b"} {
		wantError(t, OpenURL(t.Context(), address), "The address of the sign-in page is not a web address, so it was not opened.", "Check the account's settings.")
	}
	if _, err := os.Stat(started); err == nil {
		t.Error("the browser was started")
	}
}

// TestSettle: a program that says that it is there is not waited for any longer.
func TestSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said := make(firstWord, 1)
		for _, words := range []string{"sho", "wn\n"} {
			if n, err := said.Write([]byte(words)); n != len(words) || err != nil {
				t.Errorf("%q: %d, %v", words, n, err)
			}
		}
		for _, tt := range []struct {
			there <-chan struct{}
			want  time.Duration
		}{{said, 0}, {nil, startTime}} {
			began := time.Now()
			if err := settle(t.Context(), tt.there, make(chan error)); err != nil || time.Since(began) != tt.want {
				t.Errorf("%v after %v, want %v", err, time.Since(began), tt.want)
			}
		}
	})
}

func TestShowWindow(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	t.Setenv("OUT", out)
	for _, tt := range []struct{ name, script, want, message, hint string }{
		{"ends at once, having shown another", `echo "$@" >"$OUT"`, "--account a b\n", "", ""},
		{"says why it fails", `echo "$@" >"$OUT"; echo "a driver's noise" >&2; echo "curfew-window: there is no display" >&2; echo "hint: use one" >&2; exit 1`,
			"--account a b\n", "there is no display", "use one"},
		{"fails at once", `echo "$@" >"$OUT"; exit 1`, "--account a b\n", "the window cannot open (exit status 1)", "run curfew-window in a terminal to see why"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("PATH", filepath.Dir(program(t, "curfew-window", tt.script))+":"+os.Getenv("PATH"))
			err := ShowWindow(t.Context(), "--account", "a b")
			if tt.message == "" && err != nil {
				t.Error(err)
			}
			if tt.message != "" {
				wantError(t, err, tt.message, tt.hint)
			}
			if got, err := os.ReadFile(out); string(got) != tt.want {
				t.Errorf("window got %q, %v", got, err)
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		wantError(t, ShowWindow(t.Context()), "there is no program curfew-window", "install it next to this program or in a directory of PATH")
	})
}
