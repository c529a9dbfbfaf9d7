package auth

import (
	"testing"
	"time"
)

func TestUntilNext(t *testing.T) {
	whole := time.Date(2026, 11, 28, 6, 30, 15, 0, time.UTC)
	for after, want := range map[time.Duration]time.Duration{0: 15 * time.Second, 1: 15*time.Second - 1, 14 * time.Second: time.Second, 15*time.Second - 1: 1} {
		if got := UntilNext(whole.Add(after), 15*time.Second); got != want {
			t.Errorf("%s after: %s, want %s", after, got, want)
		}
	}
}
