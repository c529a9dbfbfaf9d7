package kctest

import (
	"os"
	"os/exec"
	"testing"
)

// Need skips the test when a program is missing. Where everything must be
// tested (CI or CURFEW_TEST_ALL is set) it fails it.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			Missing(t, p+" is not installed")
		}
	}
}

// Missing skips the test for a reason, or fails it where everything must be tested.
func Missing(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" || os.Getenv("CURFEW_TEST_ALL") != "" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}
