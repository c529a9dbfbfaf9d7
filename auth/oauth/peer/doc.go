// Package peer says whose program is at the far end of a connection on this
// machine. Another user of the machine can reach the port of a sign-in too.
package peer
