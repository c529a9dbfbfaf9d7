//go:build !unix || darwin

package display

// screenSize returns 0: these systems give a window the size that their screen
// has room for.
func screenSize() (width, height int) { return 0, 0 }
