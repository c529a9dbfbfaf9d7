//go:build unix && !darwin

package clipboard

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"curfew/auth"
	"curfew/keystore/kctest"
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

// TestWayland uses the real wl-clipboard, of whatever version, in a real
// compositor.
func TestWayland(t *testing.T) {
	kctest.Need(t, "weston", "wl-copy")
	newDisplay(t)
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	const name = "curfew-test"
	weston := exec.Command("weston", "--backend=x11-backend.so", "--use-pixman", "--no-config", "--idle-time=0", "--socket="+name)
	if err := weston.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { weston.Process.Signal(os.Interrupt); weston.Wait() })
	until(t, "weston", func() (string, bool) {
		_, err := os.Stat(filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), name))
		return "no socket", err == nil
	})
	t.Setenv("DISPLAY", "")
	t.Setenv("WAYLAND_DISPLAY", name)
	holds := func(want string) {
		t.Helper()
		if got, err := exec.Command("wl-paste", "--no-newline").Output(); string(got) != want {
			t.Errorf("the clipboard has %q, %v; want %q", got, err, want)
		}
	}
	// Weston's clipboard brings back the text of a program that has ended.
	for _, secret := range []string{"eyJ.a.b", strings.Repeat("0123456789abcdef", 16<<10/16), "Grüße, 世界 🌍"} {
		clear, err := CopySecret(secret)
		if err != nil {
			t.Fatal(err)
		}
		holds(secret)
		if err := clear(); err != nil {
			t.Error(err)
		}
		holds("")
	}
	clear, err := CopySecret("ours")
	if err != nil {
		t.Fatal(err)
	}
	if err := exec.Command("wl-copy", "a poem").Run(); err != nil {
		t.Fatal(err)
	}
	if err := clear(); err != nil {
		t.Error(err)
	}
	holds("a poem")
}

// TestWaylandHint: wl-copy is asked for the hint if it can give it. The programs
// are stand-ins, because no stable Debian has one that can.
func TestWaylandHint(t *testing.T) {
	d := newDisplay(t) // Xwayland's, that is
	d.copy("of X")
	for _, tt := range []struct{ name, help, want string }{
		{"2.1", "", "--type text/plain"},
		{"2.3", "      --sensitive      Mark it as a secret.", "--type text/plain --sensitive"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("WAYLAND_DISPLAY", "wayland-0")
			t.Setenv("CLIP", filepath.Join(t.TempDir(), "clip"))
			t.Setenv("HELP", tt.help)
			bin := filepath.Dir(program(t, "wl-copy", `case $1 in
--help) echo "$HELP" ;;
*) echo "$@" >"$CLIP.args"; cat >"$CLIP" ;;
esac`))
			paste := []byte("#!/bin/sh\n[ \"$*\" = --no-newline ] && cat \"$CLIP\" 2>/dev/null\n")
			if err := os.WriteFile(filepath.Join(bin, "wl-paste"), paste, 0o755); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
			clip := os.Getenv("CLIP")
			for _, since := range []string{"", "a poem"} {
				clear, err := CopySecret("ours")
				if err != nil {
					t.Fatal(err)
				}
				if got, err := os.ReadFile(clip); string(got) != "ours" || err != nil {
					t.Errorf("wl-copy got %q, %v", got, err)
				}
				if got, err := os.ReadFile(clip + ".args"); strings.TrimSpace(string(got)) != tt.want || err != nil {
					t.Errorf("wl-copy was called with %q, %v, want %q", got, err, tt.want)
				}
				if since != "" {
					if err := os.WriteFile(clip, []byte(since), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				for range 2 {
					if err := clear(); err != nil {
						t.Error(err)
					}
					if got, _ := os.ReadFile(clip); string(got) != since {
						t.Errorf("cleared, the clipboard has %q, want %q", got, since)
					}
				}
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		t.Setenv("WAYLAND_DISPLAY", "wayland-0")
		t.Setenv("PATH", t.TempDir())
		_, err := CopySecret("x")
		wantError(t, err, "No program here can set the clipboard.", "Install wl-clipboard; or use: curfew token NAME")
	})
	t.Run("hangs", func(t *testing.T) {
		t.Setenv("WAYLAND_DISPLAY", "wayland-0")
		t.Setenv("PATH", filepath.Dir(program(t, "wl-copy", `[ "$1" = --help ] || exec sleep 60`))+":"+os.Getenv("PATH"))
		_, err := CopySecret("x")
		wantError(t, err, "The clipboard did not take the token (wl-copy does not answer).", "Use: curfew token NAME")
	})
	if got := d.paste("UTF8_STRING"); got != "of X" {
		t.Errorf("X's clipboard was touched: %q", got)
	}
}
