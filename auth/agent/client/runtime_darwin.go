package client

import (
	"fmt"
	"os"
	"path/filepath"
)

// runtimeDir: macOS has no XDG_RUNTIME_DIR unless a person sets it. The user's
// Application Support is private and its path is short enough for a socket.
func runtimeDir() (string, error) {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return dir, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("there is no place for the agent's socket: %w", err)
	}
	return dir, nil
}
