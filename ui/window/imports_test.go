package window

import (
	"os/exec"
	"strings"
	"testing"
)

// TestImports keeps the window's content apart from the display and from the
// engine.
func TestImports(t *testing.T) {
	list := exec.Command("go", "list", "-deps", "curfew/ui/window")
	list.Env = append(list.Environ(), "CGO_ENABLED=0")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for _, c := range []struct{ path, why string }{
		{"fyne.io/fyne/v2/app", "it needs cgo and a display: only cmd/curfew-window has them"},
		{"fyne.io/fyne/v2/internal/driver/glfw", "it needs cgo and a display"},
		{"fyne.io/systray", "the tray is another program"},
		{"curfew/auth/authserver", "only the demo and tests have a server"},
		{"curfew/ui/tray", "the tray is another program"},
	} {
		for line := range strings.Lines(string(out)) {
			if strings.TrimSpace(line) == c.path {
				t.Errorf("ui/window imports %s: %s", c.path, c.why)
			}
		}
	}
}
