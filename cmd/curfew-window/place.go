package main

import (
	"time"

	"fyne.io/fyne/v2"
	"github.com/go-gl/glfw/v3.4/glfw"

	"curfew/ui/display"
)

// This file asks the desktop for what Fyne does not: room for the window, and to
// bring it forward under Wayland.

// hideTime is how long a window is hidden before it is shown as a new one.
const hideTime = 100 * time.Millisecond

// raise brings the window forward. Under Wayland no program can do that, nor show a
// window again that is minimised. So the window is hidden, and shown as a new one a
// moment later: GNOME's compositor leaves it empty when both come at once. It must
// be called on the UI goroutine.
func (l *loop) raise(w fyne.Window) {
	again := func() {
		w.Show()
		w.RequestFocus()
	}
	if !isWayland() || l.is(w, glfw.Focused) {
		again()
		return
	}
	w.Hide()
	time.AfterFunc(hideTime, func() { l.do(again) })
}

// panel is the usual height of a desktop's panel, in pixels.
const panel = 50

// beforehand returns how large a window may begin. Wayland's desktops put a window in
// its place by its first size. X11's pixels can only be counted when there is a window.
func beforehand(wanted fyne.Size) fyne.Size {
	if isWayland() {
		return fit(wanted, 1)
	}
	return wanted
}

// refit makes an open window as large as was wanted, or as there is room.
func refit(w fyne.Window, wanted fyne.Size) {
	if fits := fit(wanted, w.Canvas().Scale()); fits != wanted {
		w.Resize(fits)
	}
}

// fit returns how large a window can be that was wanted so large, where scale pixels
// make one unit. It must be called on the UI goroutine.
func fit(wanted fyne.Size, scale float32) fyne.Size {
	m := glfw.GetPrimaryMonitor()
	if m == nil {
		return wanted
	}
	_, _, across, down := m.GetWorkarea()
	if isWayland() { // which does not say where panels are
		down -= panel
	}
	return fyne.NewSize(display.FitWindow(wanted.Width, wanted.Height, scale, across, down))
}

// beOpaque makes a window without an alpha channel. Fyne leaves less than full alpha
// at every smooth edge, which KWin without OpenGL takes for the colour of light.
func beOpaque() { glfw.WindowHint(glfw.AlphaBits, 0) }

func isWayland() bool { return glfw.GetPlatform() == glfw.PlatformWayland }
