//go:build unix

package desktop

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"curfew/assets"
	"curfew/keystore/kctest"
)

// awkward is a folder name that is allowed, and hard to quote.
const awkward = "a b $(id) `id` \"c\" 'd' \\n & é"

// tempLogin makes temporary folders the person's and the administrator's.
func tempLogin(t *testing.T) (own, others string) {
	own, others = t.TempDir(), t.TempDir()
	t.Setenv("HOME", own)
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(own, "config"))
	t.Setenv("XDG_CONFIG_DIRS", "relative:"+others)
	return own, others
}

func TestLoginFile(t *testing.T) {
	for _, tt := range []struct{ system, entry string }{
		{"linux", "config/autostart/" + assets.AppID + ".desktop"},
		{"darwin", "Library/LaunchAgents/" + assets.AppID + ".plist"},
	} {
		t.Run(tt.system, func(t *testing.T) {
			own, _ := tempLogin(t)
			f, err := loginFileOn(tt.system)
			if err != nil {
				t.Fatal(err)
			}
			entry := filepath.Join(own, tt.entry)
			for _, program := range []string{"", "/usr/bin/curfew-tray", "", "", "/opt/" + awkward + "/100%/curfew-tray", "/usr/bin/curfew-tray"} {
				if err := f.set(program); err != nil {
					t.Fatal(err)
				}
				want := Login{On: program != "", Program: program, Entry: entry}
				if got, err := f.state(); got != want || err != nil {
					t.Errorf("set to %q: %+v, %v", program, got, err)
				}
			}
			fi, err := os.Stat(entry)
			if err != nil || fi.Mode() != 0o644 {
				t.Errorf("the entry: %v, %v", fi, err)
			}
			if left, _ := os.ReadDir(filepath.Dir(entry)); len(left) != 1 {
				t.Errorf("left next to the entry: %v", left)
			}
			if err := os.Chmod(filepath.Dir(entry), 0o500); err != nil || os.Geteuid() == 0 {
				return // root may write everywhere
			}
			if f.set("/bin/true") == nil || f.set("") == nil {
				t.Error("no error where nothing can be written")
			}
		})
	}
}

// TestLoginForEverybody: an administrator may start the tray for all users. Each
// user can turn it off and on again.
// Root does not write into a person's directory, which would lock them out.
func TestLoginWrongUser(t *testing.T) {
	own, _ := tempLogin(t)
	if os.Geteuid() != 0 || os.Chown(own, 12345, 12345) != nil {
		t.Skip("only root can make somebody else's directory")
	}
	f, err := loginFileOn(runtime.GOOS)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.set("/usr/bin/curfew-tray"); err == nil || !strings.HasSuffix(err.Error(), "belongs to user 12345, and this runs as root") {
		t.Error(err)
	}
	if left, _ := os.ReadDir(own); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
}

func TestLoginForEverybody(t *testing.T) {
	own, others := tempLogin(t)
	name := filepath.Join("autostart", assets.AppID+".desktop")
	f, err := loginFileOn("linux")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(others, "autostart"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(others, name), desktopEntry("/usr/bin/curfew-tray"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, want := range []Login{
		{On: true, Program: "/usr/bin/curfew-tray", Entry: filepath.Join(others, name)},
		{Entry: filepath.Join(own, "config", name)},
		{On: true, Program: "/home/me/curfew-tray", Entry: filepath.Join(own, "config", name)},
		{Entry: filepath.Join(own, "config", name)},
	} {
		if want.Entry != filepath.Join(others, name) {
			if err := f.set(want.Program); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := f.state(); got != want || err != nil {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
}

// TestReadDesktopEntry: people and the settings of their desktop may edit entries.
func TestReadDesktopEntry(t *testing.T) {
	for _, tt := range []struct {
		name, text, program string
		on                  bool
	}{
		{"GNOME's settings turned it off", "[Desktop Entry]\nTryExec=/x\nX-GNOME-Autostart-enabled=false\n", "/x", false},
		{"Xfce's settings turned it off", "[Desktop Entry]\nExec=/x\nHidden=true\n", "/x", false},
		{"spaces", "# mine\n\n[Desktop Entry]\n Exec = /x \nHidden= false\n", "/x", true},
		{"another group", "[Desktop Entry]\nExec=/x\n[Desktop Action a]\nExec=/y\nHidden=true\n", "/x", true},
		{"empty", "", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if program, on := readDesktopEntry([]byte(tt.text)); program != tt.program || on != tt.on {
				t.Errorf("%q, %v; want %q, %v", program, on, tt.program, tt.on)
			}
		})
	}
}

// TestDesktopEntry lets the desktop's own programs read the entry.
func TestDesktopEntry(t *testing.T) {
	if runtime.GOOS == "darwin" {
		t.Skip("macOS reads no such entries")
	}
	dir := filepath.Join(t.TempDir(), awkward)
	started := filepath.Join(t.TempDir(), "started")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "curfew-tray")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nprintf '%s %s\\n' \"$0\" $# >\"$STARTED\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	entry := filepath.Join(t.TempDir(), assets.AppID+".desktop")
	for _, what := range []string{"", "/usr/bin/curfew-tray", program} {
		if err := os.WriteFile(entry, desktopEntry(what), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Run("desktop-file-validate", func(t *testing.T) {
			kctest.Need(t, "desktop-file-validate")
			if out, err := exec.Command("desktop-file-validate", entry).CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	t.Run("gio launch", func(t *testing.T) {
		kctest.Need(t, "gio")
		c := exec.Command("gio", "launch", entry)
		c.Env = append(os.Environ(), "STARTED="+started, "DBUS_SESSION_BUS_ADDRESS=disabled:")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		// It starts the program and does not wait for it.
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			if got, _ := os.ReadFile(started); strings.HasSuffix(string(got), "\n") {
				if string(got) != program+" 0\n" {
					t.Errorf("started %q, want %q", got, program)
				}
				return
			}
			if time.Now().After(deadline) {
				t.Fatal("the program was not started")
			}
		}
	})
}
