//go:build !unix

package auth

// CheckOwner accepts every path: this system's directories name their owner in
// other ways, and no program of another user comes here by mistake.
func CheckOwner(...string) error { return nil }
