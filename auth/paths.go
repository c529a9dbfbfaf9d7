package auth

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// ConfigPath returns where config.toml lies: $XDG_CONFIG_HOME/curfew on
// Linux, the system's equivalent elsewhere.
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

// WriteConfig replaces a file of the configuration at once: whoever reads it
// sees the old text or the new one. A link (as people have who keep their dot files elsewhere)
// stays a link.
func WriteConfig(path string, text []byte) (err error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".config-*.toml") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return err
	}
	if d, err := os.Open(dir); err == nil { // make the rename last
		d.Sync()
		d.Close()
	}
	return nil
}
