// Package caller finds out which program is at the other end of a connection.
//
// Its one hard idea: a number is not a process. The kernel gives the number of a
// process when it connects, and another process can have that number a moment
// later. So what was read of a process counts only if it still ran afterwards.
package caller

import (
	"net"

	"curfew/auth"
)

// Of returns what the kernel says of the program at the other end of c, next to
// what that claims to be: its file, and for Curfew's command line that of what
// started it, if the claim does not name that. With deep it is everything. Only the
// claim is left where the kernel says nothing, or the program has ended.
func Of(c *net.UnixConn, claimed string, deep bool) auth.Caller {
	who := of(c, claimed, deep)
	who.Claimed = claimed
	return who
}

// Starter names the program that started this one, for the log: "git" says more
// than "curfew". It is "" if the system does not say.
func Starter() string { return starter() }
