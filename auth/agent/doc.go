// Package agent is the local API: HTTP and JSON over a UNIX socket (a named
// pipe on Windows), server and typed client side by side.
package agent
