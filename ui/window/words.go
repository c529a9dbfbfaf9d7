package window

import "curfew/ui/status"

// tr is the door to a person's language that all front ends share.
func tr(format string, args ...any) string { return status.Tr(format, args...) }
