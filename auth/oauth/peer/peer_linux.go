package peer

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// ownConnection reports whether the far end of a connection on this machine is
// a socket of this user or of root, who relays for browsers in containers and
// virtual machines. The kernel lists both ends. A far end that is closed has
// no owner any more, so it is not believed to be ours.
func ownConnection(here, there netip.AddrPort) bool {
	here, there = plain(here), plain(there)
	own := strconv.Itoa(os.Getuid())
	works := false
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue
		}
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			field := strings.Fields(lines.Text()) // sl local remote state queues timer retransmits uid timeout inode
			if len(field) < 10 {
				continue
			}
			switch near, far := procAddress(field[1]), procAddress(field[2]); {
			case near == there && far == here:
				return (field[7] == own || field[7] == "0") && field[9] != "0"
			case near.Port() == here.Port():
				works = true // our own end, or our listener, is listed
			}
		}
	}
	return !works
}

// procAddress reads an address of /proc/net/tcp: words in the machine's byte
// order, then the port.
func procAddress(s string) netip.AddrPort {
	host, port, _ := strings.Cut(s, ":")
	words, err1 := hex.DecodeString(host)
	number, err2 := strconv.ParseUint(port, 16, 16)
	if err1 != nil || err2 != nil || len(words)%4 != 0 {
		return netip.AddrPort{}
	}
	for i := 0; i < len(words); i += 4 {
		binary.BigEndian.PutUint32(words[i:], binary.NativeEndian.Uint32(words[i:]))
	}
	addr, _ := netip.AddrFromSlice(words)
	return plain(netip.AddrPortFrom(addr, uint16(number)))
}

// plain is an address without the forms that mean the same.
func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}
