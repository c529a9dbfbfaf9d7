package peer

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestOwnConnection: a connection of this user is known as such, and one that
// another user made is not. Nor is one that is closed at the far end, which
// the kernel lists without an owner.
func TestOwnConnection(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		ln, err := net.Listen("tcp", address)
		if err != nil {
			continue // no IPv6 here
		}
		defer ln.Close()
		accept := func() (here, there netip.AddrPort) {
			conn, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			here, there = netip.MustParseAddrPort(conn.LocalAddr().String()), netip.MustParseAddrPort(conn.RemoteAddr().String())
			return here, there
		}
		mine, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		here, there := accept()
		if !ownConnection(here, there) {
			t.Errorf("%s: my own connection is refused", address)
		}
		mine.Close()
		if ownConnection(here, there) {
			t.Errorf("%s: a connection that nobody holds is taken for ours", address)
		}
		if os.Getuid() != 0 || strings.Contains(address, "::1") {
			continue
		}
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		other := exec.CommandContext(t.Context(), "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/"+port+"; read -u 3")
		other.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		other.Dir = "/"
		if err := other.Start(); err != nil {
			t.Fatal(err)
		}
		here, there = accept()
		if ownConnection(here, there) {
			t.Error("another user's connection is taken for ours")
		}
		other.Process.Kill()
		other.Wait()
	}
}
