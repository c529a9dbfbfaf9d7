//go:build unix

package client

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"curfew/auth"
)

func isKind(err error, k auth.Kind) bool {
	e, ok := errors.AsType[*auth.Error](err)
	return ok && e.Kind == k
}

// A listening socket that never answers does not hang a command for ever.
func TestSilence(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := NewClient(socket)
	asked := 0
	_, err = Ask(t.Context(), c, func() (bool, error) {
		asked++
		return true, c.do(t.Context(), 50*time.Millisecond, "GET", "/v1/accounts", "", nil, nil)
	})
	if !isKind(err, auth.KindNotRunning) || !strings.Contains(err.Error(), "does not answer") || asked != 1 {
		t.Errorf("asked %d times, got %v", asked, err)
	}
	if who := fmt.Sprintf("the agent, process %d, ", os.Getpid()); runtime.GOOS == "linux" && !strings.HasPrefix(err.Error(), who) {
		t.Errorf("got %v, want %q", err, who)
	}
}
