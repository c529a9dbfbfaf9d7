package main

import (
	"sync"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/mobile"
	"github.com/go-gl/glfw/v3.4/glfw"
)

const (
	restTime   = time.Second            // how long a window may rest, if no event comes
	typeTime   = 100 * time.Millisecond // the same in a field for text, whose cursor blinks
	drawTime   = time.Second / 30       // in which Fyne's loop draws at least once
	activeTime = time.Second            // after an event, for what it has set in motion
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
// something in the window is animated.
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
