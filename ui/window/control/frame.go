// Package control is what people press, choose and type into: Fyne's widgets
// with an outline, a focus that can be seen, and Enter. It knows neither
// accounts nor pages.
//
// All controls of a window stand in one [Frame]. What has the focus, which list is
// open and what has to be laid out again are matters of the whole window. A key
// that a control has no use for goes to the canvas, as if nothing had the focus.
//
// Like those of curfew/ui/window/look, a control is made once and then told what
// to show. Everything belongs to the goroutine of the user interface.
package control

import (
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"

	"curfew/ui/status"
	"curfew/ui/window/look"
)

// tr is the door to a person's language that all front ends share.
func tr(format string, args ...any) string { return status.Tr(format, args...) }

// A Frame is what the controls of a window stand in.
type Frame struct {
	Root   *fyne.Container  // of all that the window shows
	Canvas fyne.Canvas      // that Root is on; nil before
	Now    func() time.Time // for what is pressed
	Still  bool             // the desktop asks for no motion

	shortcuts fyne.ShortcutHandler

	pressed press
	focused fyne.CanvasObject // that got the focus last
	list    *list             // that was opened last; nil: none was
	scrolls []*container.Scroll
	grows   []fyne.CanvasObject // with what they say
	moved   bool                // something was hidden or shown since the last layout
	shape   []fyne.Size         // the least room of all that grows, at the last layout
}

// NewFrame returns a Frame that holds nothing.
func NewFrame(now func() time.Time) *Frame {
	return &Frame{Root: container.NewWithoutLayout(), Now: now}
}

// Clear forgets what it holds, before other controls are made.
func (f *Frame) Clear() {
	f.Focus(nil)
	f.CloseList()
	f.scrolls, f.grows, f.focused = nil, nil, nil
}

// Fill shows objects, laid out by l, in the place of all that was there.
func (f *Frame) Fill(l fyne.Layout, objects ...fyne.CanvasObject) {
	f.Root.Objects, f.Root.Layout, f.moved = objects, l, true
}

// Moved says that what is shown has to be laid out again.
func (f *Frame) Moved() { f.moved = true }

// Grow says that o may need more room than before whenever something is said.
func (f *Frame) Grow(o fyne.CanvasObject) { f.grows = append(f.grows, o) }

// Moves reports whether things may move. Fyne knows its own setting only.
func (f *Frame) Moves() bool { return !f.Still && fyne.CurrentApp().Settings().ShowAnimations() }

// Show hides o or shows it.
func (f *Frame) Show(o fyne.CanvasObject, yes bool) {
	switch {
	case yes && !o.Visible():
		o.Show()
	case !yes && o.Visible():
		o.Hide()
	default:
		return
	}
	f.moved = true
}

// Place lays everything out again when something came, went or grew. Wrapped
// words know their height only when they know their width, hence the passes.
func (f *Frame) Place() {
	defer func() { f.list.place() }()
	for range 3 {
		shape := []fyne.Size{f.Root.MinSize()}
		for _, o := range f.grows {
			shape = append(shape, o.MinSize())
		}
		if !f.moved && slices.Equal(f.shape, shape) {
			return
		}
		f.moved, f.shape = false, shape
		f.Root.Refresh()
	}
}

// Focus gives the keyboard to o, or takes it from what has it.
func (f *Frame) Focus(o fyne.Focusable) {
	if f.Canvas != nil {
		f.Canvas.Focus(o)
	}
}

// Focused returns what got the focus last; nil when nothing did.
func (f *Frame) Focused() fyne.CanvasObject { return f.focused }

// SetFocused notes that o has got the focus.
func (f *Frame) SetFocused(o fyne.CanvasObject) { f.focused = o }

// reveal scrolls to o, which has just got the focus. Fyne leaves it where it is.
func (f *Frame) reveal(o fyne.CanvasObject) {
	f.SetFocused(o)
	driver := fyne.CurrentApp().Driver()
	for _, scroll := range f.scrollsOf(o) {
		const air = 8
		y := driver.AbsolutePositionForObject(o).Y - driver.AbsolutePositionForObject(scroll).Y
		over := y + o.Size().Height + air - scroll.Size().Height
		if y < air {
			over = y - air
		}
		if y < air || over > 0 {
			scroll.ScrollToOffset(fyne.NewPos(0, max(0, scroll.Offset.Y+over)))
		}
	}
}

func (f *Frame) scrollsOf(o fyne.CanvasObject) (around []*container.Scroll) {
	for _, s := range f.scrolls {
		if Inside(o, s.Content) {
			around = append(around, s)
		}
	}
	return around
}

// Inside reports whether o is somewhere in tree.
func Inside(o, tree fyne.CanvasObject) bool {
	var parts []fyne.CanvasObject
	switch t := tree.(type) {
	case *fyne.Container:
		parts = t.Objects
	case *look.Panel:
		parts = []fyne.CanvasObject{t.Content}
	}
	return o == tree || slices.ContainsFunc(parts, func(part fyne.CanvasObject) bool { return Inside(o, part) })
}

// AddShortcut has do run wherever the focus is. It needs the canvas.
func (f *Frame) AddShortcut(s fyne.Shortcut, do func()) {
	f.Canvas.AddShortcut(s, func(fyne.Shortcut) { do() })
	f.shortcuts.AddShortcut(s, func(fyne.Shortcut) { do() })
}

// key hands on a key that the control with the focus has no use for.
func (f *Frame) key(e *fyne.KeyEvent) {
	if f.Canvas != nil && f.Canvas.OnTypedKey() != nil {
		f.Canvas.OnTypedKey()(e)
	}
}

// A press is what was pressed last with the pointer, and when.
type press struct {
	what  fyne.CanvasObject
	words string
	at    time.Time
}

// DoubleClick is how far apart the two presses of a double click may be.
const DoubleClick = 400 * time.Millisecond

// meant notes that the pointer presses o, which says words. It reports false for the
// second half of a double click on something else, which is gone or says something
// else now: nobody means what has just come under the pointer.
func (f *Frame) meant(o fyne.CanvasObject, words string) bool {
	before := f.pressed
	f.pressed = press{o, words, f.Now()}
	return f.pressed.at.Sub(before.at) >= DoubleClick || before.what == o && before.words == words
}

// Scroll scrolls content, which grows with what it says.
func (f *Frame) Scroll(content fyne.CanvasObject, padding fyne.Layout) *container.Scroll {
	scroll := container.NewVScroll(container.New(padding, content))
	f.scrolls = append(f.scrolls, scroll)
	f.Grow(content)
	return scroll
}

// Page is a page: its head stays, its content scrolls.
func (f *Frame) Page(head, content fyne.CanvasObject) (*fyne.Container, *container.Scroll) {
	top, scroll := f.body(head, content)
	return container.New(layout.NewBorderLayout(top, nil, nil, nil), top, scroll), scroll
}

// Form is a page with words and the buttons that end it at its foot, in sight all
// the time. Its head is the last that Tab comes to. It returns the foot, too.
func (f *Frame) Form(head, content, words fyne.CanvasObject, buttons ...fyne.CanvasObject) (page, foot *fyne.Container, scroll *container.Scroll) {
	foot = look.Reading(container.New(look.Pad(GapBorder, 0, look.Gap, 0), look.Prompt(words, buttons...)))
	f.Grow(foot)
	top, scroll := f.body(head, content)
	return container.New(layout.NewBorderLayout(top, foot, nil, nil), scroll, foot, top), foot, scroll
}

// body makes the parts of a page.
func (f *Frame) body(head, content fyne.CanvasObject) (top *fyne.Container, scroll *container.Scroll) {
	f.Grow(head)
	// The painter of the test driver shifts an outline that begins exactly
	// at the edge of a scroll's clip, and that of the screen cuts it: 2 keeps clear.
	scroll = f.Scroll(look.Reading(content), look.Pad(2, 0, look.Gap, 0))
	return look.Reading(container.New(look.Pad(0, 0, GapBorder, 0), head)), scroll
}

// GapBorder and the room that Fyne's border leaves are look.Gap.
const GapBorder = look.Gap - 4
