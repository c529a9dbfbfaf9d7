//go:build darwin || freebsd

package agent

// processName is empty, because the system does not say.
func processName(int) string { return "" }
