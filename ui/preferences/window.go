package preferences

import (
	"fmt"
	"path/filepath"

	"curfew/auth"
)

// Window is what one window leaves to the next. Nobody chose it, so it lies
// with the state, not beside the configuration, and nothing follows it. It is
// not kept in Fyne's preferences: they leave the second of two changes in a
// tenth of a second to a goroutine that the end of the program overtakes.
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

// LoadWindow reads what the last window left; without one, the zero value. A
// size that no screen has is none.
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

// Save leaves w to the next window. It has reached the disk on return.
func (w Window) Save() error {
	path, err := windowPath()
	if err == nil {
		err = save(path, windowHeader, w)
	}
	if err != nil {
		return fmt.Errorf("the window will not be remembered: %w", err)
	}
	return nil
}

func windowPath() (string, error) {
	dir, err := auth.StateDir()
	return filepath.Join(dir, windowName), err
}
