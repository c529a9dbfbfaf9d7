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

// Of returns what the kernel says of the program at the other end of c: its file,
// and for Curfew's command line that of what started it. With deep it is
// everything. It is the zero Caller where the kernel says nothing, or the program
// has ended.
func Of(c *net.UnixConn, deep bool) auth.Caller { return of(c, deep) }
