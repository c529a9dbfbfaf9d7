package desktop

// copySecret has pbcopy do it, which cannot set org.nspasteboard.ConcealedType,
// the mark of a secret here.
func copySecret(secret string) (clear func() error, err error) {
	return programs{copy: []string{"pbcopy"}, paste: []string{"pbpaste"}, clear: []string{"pbcopy"}}.copySecret(secret)
}
