//go:build unix

package client

import (
	"errors"
	"net"
	"path/filepath"
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
	if err := c.do(t.Context(), 50*time.Millisecond, "GET", "/v1/accounts", "", nil, nil); !isKind(err, auth.KindNotRunning) || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("got %v", err)
	}
}
