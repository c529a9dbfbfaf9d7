package clock

import (
	"crypto/rand"
	"time"

	"golang.org/x/sys/windows"
)

// Windows gives a boot no identity that programs can read cheaply, so the
// boot clock counts within one run of the agent.
var (
	runID          = rand.Text()
	getTickCount64 = windows.NewLazySystemDLL("kernel32.dll").NewProc("GetTickCount64")
)

// bootClock reads GetTickCount64, which counts suspend.
func bootClock() (time.Duration, string) {
	ms, _, _ := getTickCount64.Call()
	return time.Duration(ms) * time.Millisecond, runID
}
