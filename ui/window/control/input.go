package control

import (
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"curfew/ui/window/look"
)

// An Entry is Fyne's, passing on the keys of the window.
type Entry struct {
	widget.Entry
	Name  string // what it asks for
	frame *Frame
}

// NewEntry returns a field of one line, with an example in it until something is typed.
func NewEntry(f *Frame, name, example string) *Entry {
	e := &Entry{frame: f, Name: name}
	e.Wrapping, e.Scroll, e.PlaceHolder = fyne.TextWrapOff, fyne.ScrollHorizontalOnly, example
	e.ExtendBaseWidget(e)
	return e
}

// CreateRenderer lays a guard over the entry.
func (e *Entry) CreateRenderer() fyne.WidgetRenderer {
	g := &wheelGuard{entry: e}
	g.ExtendBaseWidget(g)
	return covered{e.Entry.CreateRenderer(), g}
}

// A wheelGuard is above an entry, unseen, and leaves the mouse wheel to the
// page: the scroll within Fyne's entries takes every turn of it, even where
// there is nothing to scroll.
type wheelGuard struct {
	widget.BaseWidget
	entry *Entry
}

func (g *wheelGuard) CreateRenderer() fyne.WidgetRenderer {
	return widget.NewSimpleRenderer(container.NewWithoutLayout())
}

// Scrolled scrolls the page.
func (g *wheelGuard) Scrolled(e *fyne.ScrollEvent) {
	for _, scroll := range g.entry.frame.scrollsOf(g.entry) {
		scroll.Scrolled(e)
	}
}

// FocusGained scrolls to the entry, and selects what is in it, as other programs do.
// It does not when it is the window that gets the focus back.
func (e *Entry) FocusGained() {
	e.Entry.FocusGained()
	if e.frame.focused != fyne.CanvasObject(e) {
		e.Entry.TypedShortcut(&fyne.ShortcutSelectAll{})
	}
	e.frame.reveal(e)
}

// TypedKey types, but for the keys of the window.
func (e *Entry) TypedKey(k *fyne.KeyEvent) {
	if k.Name == fyne.KeyEscape || k.Name == fyne.KeyF5 {
		e.frame.key(k)
		return
	}
	e.Entry.TypedKey(k)
}

// TypedShortcut offers the shortcut to the window, too: Fyne gives it to the focused text alone.
func (e *Entry) TypedShortcut(s fyne.Shortcut) {
	e.frame.shortcuts.TypedShortcut(s)
	e.Entry.TypedShortcut(s)
}

// A Choice is Fyne's select with an outline, Enter, the keys of the window, and
// a list that leaves in sight what it belongs to: Fyne's covers it where there
// is no room below.
type Choice struct {
	widget.Select
	Name    string // what it asks for
	frame   *Frame
	values  []string // that the options stand for
	focused bool
}

// An Option is one of a choice: what it stands for, and as people read it.
type Option struct{ Value, Words string }

// NewChoice returns a choice among options that shows what value stands for, or the
// first where that is no option.
func NewChoice(f *Frame, options []Option, value string, chosen func(value string)) *Choice {
	c := &Choice{frame: f}
	c.ExtendBaseWidget(c)
	c.Offer(options, value)
	if c.Selected == "" && len(options) > 0 {
		c.Selected = c.Options[0]
	}
	c.OnChanged = func(string) { chosen(c.Value()) }
	return c
}

// Offer shows options, and of these what value stands for, without choosing it.
func (c *Choice) Offer(options []Option, value string) {
	c.Options, c.values = nil, nil
	for _, o := range options {
		c.Options, c.values = append(c.Options, o.Words), append(c.values, o.Value)
	}
	c.ShowValue(value)
}

// Value returns what was chosen, or the first option as long as nothing is.
func (c *Choice) Value() string { return c.values[max(0, c.SelectedIndex())] }

// ShowValue shows what value stands for, without choosing it. It shows nothing
// where that is no option.
func (c *Choice) ShowValue(value string) {
	words := ""
	if at := slices.Index(c.values, value); at >= 0 {
		words = c.Options[at]
	}
	if c.Selected != words {
		c.Selected = words
		c.Refresh()
	}
}

// FocusGained shows the focus, and scrolls to it.
func (c *Choice) FocusGained() {
	c.focused = true
	c.Select.FocusGained()
	c.frame.reveal(c)
}

// FocusLost hides the focus.
func (c *Choice) FocusLost() { c.focused = false; c.Select.FocusLost() }

// TypedKey opens on Enter, too.
func (c *Choice) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeyEscape, fyne.KeyF5:
		c.frame.key(e)
	case fyne.KeyReturn, fyne.KeyEnter, fyne.KeySpace, fyne.KeyUp, fyne.KeyDown:
		c.open()
	default:
		c.Select.TypedKey(e)
	}
}

// TypedRune chooses the next option that begins so.
func (c *Choice) TypedRune(r rune) {
	for i := range c.Options {
		option := c.Options[(max(c.SelectedIndex(), -1)+1+i)%len(c.Options)]
		if !c.Disabled() && strings.HasPrefix(strings.ToLower(option), strings.ToLower(string(r))) {
			c.SetSelected(option)
			return
		}
	}
}

// Tapped opens the list of the options.
func (c *Choice) Tapped(*fyne.PointEvent) {
	if !c.Disabled() && c.frame.meant(c, c.Selected) {
		c.frame.Focus(c)
		c.open()
	}
}

// open shows the list of the options.
func (c *Choice) open() {
	if c.Disabled() {
		return
	}
	menu := fyne.NewMenu("")
	for _, option := range c.Options {
		menu.Items = append(menu.Items, fyne.NewMenuItem(option, func() {
			c.frame.meant(nil, option)
			c.SetSelected(option)
		}))
	}
	c.frame.openList(c, menu)
}

// A Deed is what can be chosen from a menu.
type Deed struct {
	Words string
	Do    func()
}

// OpenMenu shows deeds in a list at b.
func (f *Frame) OpenMenu(b *Button, deeds []Deed) {
	menu := fyne.NewMenu("")
	for _, d := range deeds {
		menu.Items = append(menu.Items, fyne.NewMenuItem(d.Words, func() {
			f.meant(nil, d.Words)
			d.Do()
		}))
	}
	f.openList(b, menu)
}

// openList shows menu at the widget it is of.
func (f *Frame) openList(of fyne.CanvasObject, menu *fyne.Menu) {
	canvas := fyne.CurrentApp().Driver().CanvasForObject(of)
	if canvas == nil {
		return
	}
	f.CloseList()
	f.list = &list{widget.NewPopUpMenu(menu, canvas), of}
	f.list.menu.OnDismiss = f.list.menu.Hide
	f.list.menu.Show()
	f.list.place()
}

// A list is at what it was opened with, while it is open and after.
type list struct {
	menu *widget.PopUpMenu
	of   fyne.CanvasObject
}

// CloseList closes the list that is open, if one is.
func (f *Frame) CloseList() { f.list.close() }

func (l *list) close() {
	if l != nil && l.menu.Visible() {
		l.menu.Dismiss()
	}
}

// place puts an open list below what it belongs to, or above it where there is room
// for it only there. One that is too long for both is as long as the window
// allows, and scrolls. Without what it belongs to there is no list.
func (l *list) place() {
	if l == nil || !l.menu.Visible() {
		return
	}
	driver := fyne.CurrentApp().Driver()
	canvas := driver.CanvasForObject(l.of)
	if canvas == nil || !l.of.Visible() {
		l.close()
		return
	}
	at := driver.AbsolutePositionForObject(l.of)
	size := fyne.NewSize(max(l.of.Size().Width, l.menu.MinSize().Width), l.menu.MinSize().Height)
	at.X = max(0, min(at.X, at.X+l.of.Size().Width-size.Width)) // a wide one ends where its button does
	const overlap = 1                                           // of the list and the outline of its choice
	below, bottom := at.Y+l.of.Size().Height-overlap, canvas.Size().Height
	switch above := at.Y + overlap - size.Height; {
	case below+size.Height <= bottom:
		at.Y = below
	case above >= 0:
		at.Y = above
	case bottom-below >= bottom/2:
		at.Y, size.Height = below, bottom-below
	default:
		at.Y, size.Height = max(0, bottom-size.Height), min(size.Height, bottom)
	}
	l.menu.Menu.Move(at) // its own Move would put it over the choice
	l.menu.Menu.Resize(size)
}
func (c *Choice) CreateRenderer() fyne.WidgetRenderer {
	return outline(c, c.Select.CreateRenderer(), func() (fyne.ThemeColorName, float32) {
		if c.focused {
			return theme.ColorNamePrimary, 2
		}
		return look.Edge, 1
	})
}

// A Check is Fyne's with Enter and the keys of the window.
type Check struct {
	widget.Check
	frame *Frame
}

// NewCheck returns a check that says words.
func NewCheck(f *Frame, words string, changed func(bool)) *Check {
	c := &Check{frame: f}
	c.Text, c.OnChanged = words, changed
	c.ExtendBaseWidget(c)
	return c
}

// ShowValue shows what holds, without a change.
func (c *Check) ShowValue(on bool) {
	if c.Checked != on {
		c.Checked = on
		c.Refresh()
	}
}

// FocusGained scrolls to the check.
func (c *Check) FocusGained() {
	c.Check.FocusGained()
	c.frame.reveal(c)
}

// Tapped changes, unless it is the second half of a double click on something else.
func (c *Check) Tapped(e *fyne.PointEvent) {
	if c.frame.meant(c, c.Text) {
		c.Check.Tapped(e)
	}
}

// TypedKey changes on Enter; Fyne does on Space.
func (c *Check) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeyReturn, fyne.KeyEnter:
		if !c.Disabled() {
			c.SetChecked(!c.Checked)
		}
	default:
		c.frame.key(e)
	}
}
