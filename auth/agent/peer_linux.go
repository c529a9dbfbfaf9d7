package agent

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// processName prefers the file that runs over the name a process gives
// itself; /proc/PID/exe is not readable when the process forbids it.
func processName(pid int) string {
	proc := "/proc/" + strconv.Itoa(pid)
	if exe, err := os.Readlink(proc + "/exe"); err == nil {
		return strings.TrimSuffix(filepath.Base(exe), " (deleted)")
	}
	comm, err := os.ReadFile(proc + "/comm")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(comm))
}
