package preferences

import (
	"fmt"
	"path/filepath"

	"curfew/auth"
)

// Window is what one window leaves to the next. Nobody chose it, so it is in the
// state directory and not next to the configuration. It is not in Fyne's
// preferences: of two changes within a tenth of a second, they save the second in
// a goroutine, which may be too late when the program ends.
type Window struct {
	Account string  `toml:"account,omitempty"` // the one shown last
	Width   float32 `toml:"width,omitempty"`   // both in Fyne's units; 0 before a window was closed
	Height  float32 `toml:"height,omitempty"`
}

const (
	windowName   = "window.toml"
	windowHeader = "# Which account the window showed last, and its size.\n"
	mostUnits    = 1 << 14 // of a width or height; no screen has more
)

// LoadWindow reads what the last window left, or the zero value. It ignores a
// size that no screen has.
func LoadWindow() (Window, error) {
	path, err := windowPath()
	if err != nil {
		return Window{}, err
	}
	w, err := read[Window](path)
	if !(w.Width > 0 && w.Height > 0 && w.Width <= mostUnits && w.Height <= mostUnits) { // false for NaN too
		w.Width, w.Height = 0, 0
	}
	return w, err
}

// Save leaves w to the next window. When it returns, w is on the disk.
func (w Window) Save() error {
	path, err := windowPath()
	if err == nil {
		err = save(path, windowHeader, w)
	}
	if err != nil {
		return fmt.Errorf("cannot save the size of the window: %w", err)
	}
	return nil
}

func windowPath() (string, error) {
	dir, err := auth.StateDir()
	return filepath.Join(dir, windowName), err
}
