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
	if err != nil {
		return "", fmt.Errorf("the configuration has no place: %w", err)
	}
	return filepath.Join(dir, "curfew", "config.toml"), nil
}

// StateDir returns where the agent keeps its state: $XDG_STATE_HOME/curfew on
// Linux, the system's equivalent elsewhere. It may not exist yet.
func StateDir() (string, error) {
	if runtime.GOOS != "windows" {
		if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
			if !filepath.IsAbs(dir) {
				return "", fmt.Errorf("XDG_STATE_HOME is %q, which is not an absolute path", dir)
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
	if err != nil {
		return "", fmt.Errorf("the state has no place: %w", err)
	}
	return dir, nil
}
