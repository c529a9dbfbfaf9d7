//go:build !windows

package desktop

import (
	"cmp"
	"errors"
	"html"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"curfew/assets"
	"curfew/auth"
)

func loginState() (Login, error) {
	f, err := loginFileOn(runtime.GOOS)
	if err != nil {
		return Login{}, err
	}
	return f.state()
}

func setLogin(program string) error {
	f, err := loginFileOn(runtime.GOOS)
	if err != nil {
		return err
	}
	return f.set(program)
}

// A loginFile is a file that tells a system what to start at login.
type loginFile struct {
	path   string                      // the person's own
	others []string                    // the administrator's, for all users; the first that exists counts
	write  func(program string) []byte // with "" it starts nothing
	read   func(text []byte) (program string, on bool)
}

// loginFileOn returns the launch agent of macOS, or the autostart entry of other
// desktops (freedesktop.org, Desktop Application Autostart Specification 0.5).
func loginFileOn(system string) (loginFile, error) {
	if system == "darwin" {
		home, err := os.UserHomeDir()
		return loginFile{
			path:  filepath.Join(home, "Library", "LaunchAgents", assets.AppID+".plist"),
			write: launchAgent,
			read:  readLaunchAgent,
		}, err
	}
	const name = "autostart/" + assets.AppID + ".desktop"
	dir := os.Getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(dir) { // then the specification says to ignore it
		home, err := os.UserHomeDir()
		if err != nil {
			return loginFile{}, err
		}
		dir = filepath.Join(home, ".config")
	}
	f := loginFile{path: filepath.Join(dir, name), write: desktopEntry, read: readDesktopEntry}
	for _, dir := range filepath.SplitList(cmp.Or(os.Getenv("XDG_CONFIG_DIRS"), "/etc/xdg")) {
		if filepath.IsAbs(dir) {
			f.others = append(f.others, filepath.Join(dir, name))
		}
	}
	return f, nil
}

func (f loginFile) state() (Login, error) {
	for _, path := range append([]string{f.path}, f.others...) {
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return Login{}, err
		}
		program, on := f.read(text)
		if !on {
			program = ""
		}
		return Login{On: on, Program: program, Entry: path}, nil
	}
	return Login{Entry: f.path}, nil
}

func (f loginFile) set(program string) error {
	if err := auth.CheckOwner(f.path); err != nil {
		return err
	}
	if program == "" {
		if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		// Only a file of the user can turn off what the administrator starts
		// for everybody.
		if login, err := f.state(); err != nil || !login.On {
			return err
		}
	}
	dir := filepath.Dir(f.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, ".curfew-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // fails after the rename
	_, err = file.Write(f.write(program))
	if err = errors.Join(err, file.Chmod(0o644), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), f.path)
}

// desktopEntry is the autostart entry for a program (Desktop Entry
// Specification 1.5).
func desktopEntry(program string) []byte {
	lines := []string{
		"[Desktop Entry]",
		"Type=Application",
		"Name=" + assets.Name,
		"Comment=Shows how much is left of your sign-ins",
	}
	if program == "" {
		lines = append(lines, "Hidden=true")
	} else {
		lines = append(lines,
			"Exec="+entryString(entryCommand(program)),
			"TryExec="+entryString(program),
			"Icon="+assets.AppID,
			"Terminal=false",
			"StartupNotify=false",
			"X-GNOME-Autostart-enabled=true",
			"X-KDE-autostart-after=panel",
		)
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}

// entryCommand writes a program as the value of Exec. It quotes it if needed, and
// escapes each %. (GLib starts no program with a % in its path, escaped or not.)
func entryCommand(program string) string {
	if strings.ContainsFunc(program, func(r rune) bool { return strings.ContainsRune(" \t\n\"'\\><~|&;$*?#()`", r) }) {
		program = `"` + strings.NewReplacer(`"`, `\"`, "`", "\\`", `$`, `\$`, `\`, `\\`).Replace(program) + `"`
	}
	return strings.ReplaceAll(program, "%", "%%")
}

// entryString writes, and plainString reads, any value of type string.
var (
	entryString = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace
	plainString = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r", `\t`, "\t", `\s`, " ").Replace
)

// readDesktopEntry reads an entry that others may have written or edited. Desktops
// use different keys to turn it off.
func readDesktopEntry(text []byte) (program string, on bool) {
	values := map[string]string{}
	group := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			group = line
		}
		if key, value, ok := strings.Cut(line, "="); ok && group == "[Desktop Entry]" {
			values[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	program = plainString(cmp.Or(values["TryExec"], values["Exec"]))
	return program, program != "" && values["Hidden"] != "true" && values["X-GNOME-Autostart-enabled"] != "false"
}

// The parts of a launch agent (launchd.plist(5)). launchd does not restart the
// tray, because Quit must end it.
const (
	plistHead = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>Label</key>
	<string>` + assets.AppID + `</string>
	<key>ProgramArguments</key>
	<array>
		<string>`
	plistFoot = `</string>
	</array>
	<key>RunAtLoad</key>
	<true/>
	<key>LimitLoadToSessionType</key>
	<string>Aqua</string>
	<key>ProcessType</key>
	<string>Interactive</string>
</dict>
</plist>
`
)

func launchAgent(program string) []byte {
	return []byte(plistHead + html.EscapeString(program) + plistFoot)
}

// readLaunchAgent reads a launch agent that launchAgent wrote. It is on if the file
// exists.
func readLaunchAgent(text []byte) (program string, on bool) {
	_, arguments, _ := strings.Cut(string(text), "<array>")
	_, program, _ = strings.Cut(arguments, "<string>")
	program, _, on = strings.Cut(program, "</string>")
	return html.UnescapeString(program), on && program != ""
}
