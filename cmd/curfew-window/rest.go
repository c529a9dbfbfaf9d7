package main

import (
	"sync"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver"
	"fyne.io/fyne/v2/driver/mobile"
	"github.com/go-gl/glfw/v3.4/glfw"
)

const (
	restTime   = time.Second            // how long a window may rest, if no event comes
	typeTime   = 100 * time.Millisecond // the same in a field for text, whose cursor blinks
	drawTime   = time.Second / 30       // in which Fyne's loop draws at least once
	activeTime = time.Second            // after an event, for what it has set in motion
	hideTime   = 100 * time.Millisecond // between hiding a window and showing it again
)

// A loop lets Fyne's loop rest while nothing happens. By itself Fyne looks for
// events, and for something to draw, 60 times a second, also when the window is
// idle or minimised. Between two rounds a loop makes it wait for the next event.
type loop struct {
	mu     sync.Mutex // held while a rest is disturbed, because GLFW may end when the window has closed
	open   bool       // run has begun
	closed bool
	asked  bool // by do, since the last rest
}

// run lets the loop of an open window rest until the window closes, but not while
// something in the window moves by itself.
func (l *loop) run(w fyne.Window, moving func() bool) {
	l.mu.Lock()
	l.open = true
	l.mu.Unlock()
	for pause := activeTime; pause > 0; {
		time.Sleep(pause)
		pause = 0
		fyne.DoAndWait(func() { pause = l.rest(w, moving) })
	}
}

// rest waits for an event. It returns how long Fyne's loop must run then, or 0
// after the window has closed.
func (l *loop) rest(w fyne.Window, moving func() bool) time.Duration {
	switch {
	case !l.isOpen():
		return 0
	case l.wasAsked(): // Fyne may have taken the event already, and what do was given waits for this
		return drawTime
	case moving() && !l.minimised(w):
		return activeTime
	}
	most := restTime
	if _, typing := w.Canvas().Focused().(mobile.Keyboardable); typing {
		most = typeTime
	}
	began := time.Now()
	glfw.WaitEventsTimeout(most.Seconds())
	if l.wasAsked() || time.Since(began) >= most {
		return drawTime // there was no event
	}
	return activeTime
}

func (l *loop) isOpen() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open && !l.closed
}

func (l *loop) wasAsked() (asked bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	asked, l.asked = l.asked, false
	return asked
}

// do runs f on the UI goroutine, soon and in order, as [fyne.Do] does.
func (l *loop) do(f func()) {
	fyne.Do(f)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open && !l.closed {
		l.asked = true
		glfw.PostEmptyEvent()
	}
}

// close ends the rests for ever. It must be called before GLFW ends.
func (l *loop) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}

// minimised reports whether a window is open and minimised, as far as the desktop
// says: Wayland's never do. It must be called on the UI goroutine.
func (l *loop) minimised(w fyne.Window) bool { return l.is(w, glfw.Iconified) }

func (l *loop) is(w fyne.Window, attribute glfw.Hint) (yes bool) {
	if w, ok := w.(interface{ RunWithContext(func()) }); ok && l.isOpen() {
		w.RunWithContext(func() { yes = glfw.GetCurrentContext().GetAttrib(attribute) == glfw.True })
	}
	return yes
}

// raise brings the window forward. Under Wayland no program can do that, nor show a
// window again that is minimised. So the window is hidden, and shown as a new one a
// moment later: GNOME's compositor leaves it empty when both come at once. It must
// be called on the UI goroutine.
func (l *loop) raise(w fyne.Window) {
	show := func() {
		w.Show()
		w.RequestFocus()
	}
	if !isWayland(w) || l.is(w, glfw.Focused) {
		show()
		return
	}
	w.Hide()
	time.AfterFunc(hideTime, func() { l.do(show) })
}

func isWayland(w fyne.Window) (yes bool) {
	w.(driver.NativeWindow).RunNative(func(native any) { _, yes = native.(driver.WaylandWindowContext) })
	return yes
}
