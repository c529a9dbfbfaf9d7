package window

import "fyne.io/fyne/v2"

// frame is the room that the title bar and borders of a window may need, in pixels.
const frame = 40

// Fit returns the size of a window on a screen of so many pixels, of which
// scale make one unit: the size that was wanted, or what the screen has room for.
// The window of before may have been on a larger one.
func Fit(wanted fyne.Size, width, height int, scale float32) fyne.Size {
	if width <= frame || height <= frame || scale <= 0 {
		return wanted
	}
	return fyne.NewSize(min(wanted.Width, float32(width)/scale), min(wanted.Height, float32(height-frame)/scale))
}
