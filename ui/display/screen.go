// Package display is what a desktop's display asks of a window: to be no larger
// than the screen, to write as large as the person reads, and to keep still.
package display

// frame is the room that the title bar and borders of a window may need, in pixels.
const frame = 40

// FitWindow returns the size of a window where the screen has room for across and
// down pixels, of which scale make one unit: the size that was wanted, or what
// there is room for. The window of before may have been on a larger screen.
func FitWindow(width, height, scale float32, across, down int) (float32, float32) {
	if across <= frame || down <= frame || scale <= 0 {
		return width, height
	}
	return min(width, float32(across)/scale), min(height, float32(down-frame)/scale)
}
