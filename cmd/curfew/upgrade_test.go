//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"curfew/assets"
	"curfew/auth/agent/client"
)

// TestOtherAgent: who asks an agent of before an upgrade is told so, on
// standard error. Programs that read JSON are not.
func TestOtherAgent(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"XDG_CONFIG_HOME", "XDG_STATE_HOME"} {
		t.Setenv(name, dir)
	}
	socket := filepath.Join(dir, "agent.sock")
	t.Setenv("CURFEW_SOCKET", socket)
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	answer := `[{"name":"work","state":"active"}]`
	go func() { // ends with l
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Read(make([]byte, 4096))
			fmt.Fprintf(c, "HTTP/1.0 200 OK\r\n%s: 0.0.1\r\n\r\n%s", client.VersionHeader, answer)
			c.Close()
		}
	}()
	for args, want := range map[string]string{
		"status":        "curfew: the agent is still version 0.0.1, and this program is version " + assets.Version + "\nhint: ",
		"status --json": "",
	} {
		var stderr bytes.Buffer
		if code := run(t.Context(), strings.Fields(args), strings.NewReader(""), io.Discard, &stderr); code != 0 ||
			!strings.HasPrefix(stderr.String(), want) || want == "" && stderr.Len() > 0 {
			t.Errorf("curfew %s: exit %d: %q", args, code, &stderr)
		}
	}
}
