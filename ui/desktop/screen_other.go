//go:build !unix || darwin

package desktop

// ScreenSize returns 0: these systems give a window the size that their screen
// has room for.
func ScreenSize() (width, height int) { return 0, 0 }
