package auth

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// ConfigPath returns where config.toml is: $XDG_CONFIG_HOME/curfew on Linux,
// the system's equivalent elsewhere.
func ConfigPath() (string, error) {
	dir, err := os.UserConfigDir()
	if err == nil && !filepath.IsAbs(dir) {
		err = fmt.Errorf("%q is not an absolute path", dir)
	}
	if err != nil {
		return "", noPlace("the configuration", err)
	}
	return filepath.Join(dir, "curfew", "config.toml"), nil
}

// noPlace says that the environment names no place for something.
func noPlace(what string, err error) error {
	return &Error{Kind: KindFailed, Message: what + " has no place: " + err.Error(),
		Hint: "set HOME to your home directory; XDG_CONFIG_HOME and XDG_STATE_HOME, where they are set, must be absolute paths"}
}

// StateDir returns where the agent keeps its state: $XDG_STATE_HOME/curfew on
// Linux, the system's equivalent elsewhere. It may not exist yet.
func StateDir() (string, error) {
	if runtime.GOOS != "windows" {
		if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
			if !filepath.IsAbs(dir) {
				return "", noPlace("the state", fmt.Errorf("XDG_STATE_HOME is %q, which is not an absolute path", dir))
			}
			return filepath.Join(dir, "curfew"), nil
		}
	}
	var dir string
	var err error
	switch runtime.GOOS {
	case "darwin":
		if dir, err = os.UserConfigDir(); err == nil {
			dir = filepath.Join(dir, "curfew", "state")
		}
	case "windows":
		if dir, err = os.UserCacheDir(); err == nil { // %LocalAppData%
			dir = filepath.Join(dir, "curfew")
		}
	default:
		if dir, err = os.UserHomeDir(); err == nil {
			dir = filepath.Join(dir, ".local", "state", "curfew")
		}
	}
	if err == nil && !filepath.IsAbs(dir) {
		err = fmt.Errorf("%q is not an absolute path", dir)
	}
	if err != nil {
		return "", noPlace("the state", err)
	}
	return dir, nil
}
