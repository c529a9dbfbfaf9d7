package client

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

func runtimeDir() (string, error) {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return dir, nil
	}
	dir := "/var/run/user/" + strconv.Itoa(os.Geteuid())
	if fi, err := os.Stat(dir); err != nil || !fi.IsDir() {
		return "", fmt.Errorf("there is no place for the agent's socket: XDG_RUNTIME_DIR is not set and %s does not exist", dir)
	}
	return dir, nil
}
