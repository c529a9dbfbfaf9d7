//go:build unix && !darwin

package clipboard

import (
	"errors"
	"os"
	"os/exec"
	"strings"

	"curfew/auth"
	"curfew/ui/status"
)

// copySecret uses the clipboard of the running desktop. Under Wayland it never uses
// Xwayland's, which is Wayland's clipboard only while a window of X has the focus.
func copySecret(secret string) (clear func() error, err error) {
	if os.Getenv("WAYLAND_DISPLAY") != "" {
		return copyWayland(secret)
	}
	if display := os.Getenv("DISPLAY"); display != "" {
		return copyX11(display, secret)
	}
	return nil, &auth.Error{
		Kind:    auth.KindFailed,
		Message: status.Tr("There is no clipboard without a desktop: neither DISPLAY nor WAYLAND_DISPLAY is set."),
		Hint:    status.Tr("Use: curfew token NAME"),
	}
}

// copyWayland runs wl-clipboard. Few Wayland desktops let a program without a
// window set the clipboard, and wl-clipboard knows a way for each. From version
// 2.3 on it can give the hint.
func copyWayland(secret string) (clear func() error, err error) {
	p := programs{
		copy:  []string{"wl-copy", "--type", "text/plain"},
		paste: []string{"wl-paste", "--no-newline"},
		clear: []string{"wl-copy", "--type", "text/plain"},
	}
	var help strings.Builder
	if err := call([]string{"wl-copy", "--help"}, nil, &help); errors.Is(err, exec.ErrNotFound) {
		return nil, &auth.Error{
			Kind:    auth.KindFailed,
			Message: status.Tr("No program here can set the clipboard."),
			Hint:    status.Tr("Install wl-clipboard; or use: curfew token NAME"),
		}
	}
	if strings.Contains(help.String(), "--sensitive") {
		p.copy = append(p.copy, "--sensitive")
	}
	return p.copySecret(secret)
}
