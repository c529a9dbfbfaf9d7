package clipboard

// copySecret runs pbcopy. That cannot set org.nspasteboard.ConcealedType, the mark
// of a secret on macOS.
func copySecret(secret string) (clear func() error, err error) {
	return programs{copy: []string{"pbcopy"}, paste: []string{"pbpaste"}, clear: []string{"pbcopy"}}.copySecret(secret)
}
