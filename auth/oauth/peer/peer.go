// Package peer says whose program is at the far end of a connection on this
// machine. Another user of the machine can reach the port of a sign-in too.
package peer

import "net/netip"

// Own reports whether the far end of a connection belongs to this user, as far
// as the system can tell.
func Own(here, there netip.AddrPort) bool { return ownConnection(here, there) }
