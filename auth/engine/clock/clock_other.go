//go:build !linux && !windows

package clock

import (
	"crypto/rand"
	"time"

	"golang.org/x/sys/unix"
)

// runID makes the boot clock count within one run of the agent.
var runID = rand.Text()

// bootClock reads the monotonic clock that counts suspend: on macOS that is
// CLOCK_MONOTONIC_RAW (mach_continuous_time), on the BSDs CLOCK_MONOTONIC.
func bootClock() (time.Duration, string) {
	var ts unix.Timespec
	if err := unix.ClockGettime(suspendClock, &ts); err != nil {
		return 0, ""
	}
	return time.Duration(ts.Nano()), runID
}
