package window

import (
	"image/color"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"curfew/ui/window/look"
)

// A button is Fyne's with an outline, a visible focus, and Enter.
type button struct {
	widget.Button
	view             *View
	focused, hovered bool
	face             *look.Panel               // what is shown in the place of Fyne's words
	label            *look.Text                // in the face: its words
	keys             func(*fyne.KeyEvent) bool // takes keys before the window does; may be nil
	name             string                    // what it is called where its words are a sign
}

func newButton(v *View, words string, tapped func()) *button {
	b := &button{view: v}
	b.Text, b.OnTapped = words, tapped
	b.ExtendBaseWidget(b)
	return b
}

func (b *button) primary() *button { b.Importance = widget.HighImportance; return b }
func (b *button) quiet() *button   { b.Importance = widget.LowImportance; return b }
func (b *button) danger() *button  { b.Importance = widget.DangerImportance; return b }

// importance is that of a button which is the thing to do now, or is not.
func importance(now bool) widget.Importance {
	if now {
		return widget.HighImportance
	}
	return widget.MediumImportance
}

// become gives the button another importance.
func (b *button) become(i widget.Importance) {
	if b.Importance != i {
		b.Importance = i
		b.Refresh()
	}
}

// set shows words, usable or not; it does nothing when that is so already.
func (b *button) set(words string, usable bool) {
	if b.Text != words {
		b.SetText(words)
		b.view.moved = true // it may be wider than before
	}
	enable(b, usable)
}

// FocusGained shows the focus, and scrolls to it.
func (b *button) FocusGained() {
	b.focused = true
	b.Button.FocusGained()
	b.view.reveal(b)
}

// FocusLost hides the focus.
func (b *button) FocusLost() { b.focused = false; b.Button.FocusLost() }

// Tapped acts, unless it is the second half of a double click on something else.
func (b *button) Tapped(e *fyne.PointEvent) {
	if b.view.meant(b, b.Text) {
		b.Button.Tapped(e)
	}
}

// TypedKey acts on Space and Enter and keeps the focus, which Fyne's own
// button gives up.
func (b *button) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter:
		if !b.Disabled() && b.OnTapped != nil {
			b.OnTapped()
		}
	default:
		if b.keys == nil || !b.keys(e) {
			b.view.keys(e)
		}
	}
}

// Cursor shows a hand where a tap does something.
func (b *button) Cursor() desktop.Cursor {
	if b.Disabled() {
		return desktop.DefaultCursor
	}
	return desktop.PointerCursor
}

// MouseIn notes the pointer.
func (b *button) MouseIn(e *desktop.MouseEvent) { b.hovered = true; b.Button.MouseIn(e) }

// MouseOut notes that the pointer has gone.
func (b *button) MouseOut() { b.hovered = false; b.Button.MouseOut() }

// linkAir is the room next to the words of a link.
const linkAir = 9

// link makes a button look like a link. It is drawn by us: a theme for it alone
// would make Fyne measure every word of the window again, each time anything is
// laid out.
func link(b *button) *button {
	b.label = look.NewText(b.Text, look.SizeCaption, theme.ColorNameHyperlink).Strong()
	b.setFace(container.New(look.Pad(3, linkAir, 3, linkAir), b.label))
	return b.quiet()
}

// setFace gives the button a face in the place of Fyne's.
func (b *button) setFace(o fyne.CanvasObject) { b.face = look.NewPanel("", "", look.RadiusSmall, o) }

// flush is a link whose words, and not the room next to them, end where its row does.
func flush(b *button) fyne.CanvasObject {
	return container.New(look.Pad(-3, -linkAir, -3, 0), link(b))
}

// CreateRenderer is for Fyne.
func (b *button) CreateRenderer() fyne.WidgetRenderer {
	if b.face != nil {
		r := &faceRenderer{widget.NewSimpleRenderer(b.face), b}
		r.Refresh()
		return r
	}
	return &buttonRenderer{outline(b, b.Button.CreateRenderer(), func() (fyne.ThemeColorName, float32) {
		switch {
		case b.focused:
			return focusColor(b.Importance), 2
		case b.Importance == widget.MediumImportance, b.Disabled() && b.Importance != widget.LowImportance:
			return look.Rim, 1
		}
		return "", 0
	})}
}

type buttonRenderer struct{ fyne.WidgetRenderer }

func (r *buttonRenderer) MinSize() fyne.Size {
	// Fyne pads a button as much above as at its sides, which looks cramped there.
	return r.WidgetRenderer.MinSize().AddWidthHeight(10, -4)
}

// faceRenderer draws a button that has its own face.
type faceRenderer struct {
	fyne.WidgetRenderer
	button *button
}

func (r *faceRenderer) Refresh() {
	b := r.button
	ink, fill, line, width := theme.ColorNameHyperlink, fyne.ThemeColorName(""), fyne.ThemeColorName(""), float32(1)
	if b.Importance != widget.LowImportance {
		ink, fill, line = look.Ink, look.Card, look.Rim
	}
	switch {
	case b.Disabled():
		ink = theme.ColorNameDisabled
	case b.hovered:
		fill = look.Spent
	}
	if b.focused {
		line, width = focusColor(b.Importance), 2
	}
	b.label.Set(b.Text, ink)
	b.face.Paint(fill, line, width)
}

// covered is a renderer with something over all of the widget.
type covered struct {
	fyne.WidgetRenderer
	cover fyne.CanvasObject
}

func (r covered) Objects() []fyne.CanvasObject {
	objects := r.WidgetRenderer.Objects()
	return append(objects[:len(objects):len(objects)], r.cover)
}

func (r covered) Layout(size fyne.Size) {
	r.WidgetRenderer.Layout(size)
	r.cover.Resize(size)
}

// outlined is a renderer with a line around the widget. Like every renderer
// of this package it lays out when it refreshes: Fyne throws the renderers of
// what was hidden for a minute away, and tells new ones no size.
type outlined struct {
	covered
	widget fyne.Widget
	line   *canvas.Rectangle
	look   func() (color fyne.ThemeColorName, width float32)
}

func outline(w fyne.Widget, r fyne.WidgetRenderer, look func() (fyne.ThemeColorName, float32)) fyne.WidgetRenderer {
	line := &canvas.Rectangle{FillColor: color.Transparent}
	o := &outlined{covered{r, line}, w, line, look}
	o.paint()
	return o
}

func (r *outlined) Refresh() {
	r.paint()
	r.WidgetRenderer.Refresh()
}

func (r *outlined) paint() {
	name, width := r.look()
	r.line.StrokeColor, r.line.StrokeWidth = color.Transparent, width
	if name != "" {
		r.line.StrokeColor = look.ColorOf(name)
	}
	r.line.Resize(r.widget.Size())
	r.line.CornerRadius = theme.Current().Size(theme.SizeNameButtonRadius)
	canvas.Refresh(r.line)
}

// focusColor is one that can be told from the button it surrounds.
func focusColor(i widget.Importance) fyne.ThemeColorName {
	if i == widget.HighImportance || i == widget.DangerImportance {
		return look.Ink
	}
	return theme.ColorNamePrimary
}

// An entry is Fyne's, passing on the keys of the window.
type entry struct {
	widget.Entry
	view *View
	name string // what it asks for
}

// CreateRenderer lays a guard over the entry.
func (e *entry) CreateRenderer() fyne.WidgetRenderer {
	g := &wheelGuard{entry: e}
	g.ExtendBaseWidget(g)
	return covered{e.Entry.CreateRenderer(), g}
}

// A wheelGuard is above an entry, unseen, and leaves the mouse wheel to the
// page: the scroll within Fyne's entries takes every turn of it, even where
// there is nothing to scroll.
type wheelGuard struct {
	widget.BaseWidget
	entry *entry
}

func (g *wheelGuard) CreateRenderer() fyne.WidgetRenderer {
	return widget.NewSimpleRenderer(container.NewWithoutLayout())
}

// Scrolled scrolls the page.
func (g *wheelGuard) Scrolled(e *fyne.ScrollEvent) {
	for _, b := range g.entry.view.bodies {
		if b.scroll != nil && inside(g.entry, b.content) {
			b.scroll.Scrolled(e)
		}
	}
}

// FocusGained scrolls to the entry, and selects what is in it, as other programs do.
// It does not when it is the window that gets the focus back.
func (e *entry) FocusGained() {
	e.Entry.FocusGained()
	if e.view.focused != fyne.CanvasObject(e) {
		e.Entry.TypedShortcut(&fyne.ShortcutSelectAll{})
	}
	e.view.reveal(e)
}

// TypedKey types, but for the keys of the window.
func (e *entry) TypedKey(k *fyne.KeyEvent) {
	if k.Name == fyne.KeyEscape || k.Name == fyne.KeyF5 {
		e.view.keys(k)
		return
	}
	e.Entry.TypedKey(k)
}

// TypedShortcut offers the shortcut to the window first: Fyne gives it to the focused text alone.
func (e *entry) TypedShortcut(s fyne.Shortcut) {
	if !e.view.shortcut(s) {
		e.Entry.TypedShortcut(s)
	}
}

// pressed is what was pressed last with the pointer, and when.
type pressed struct {
	what  fyne.CanvasObject
	words string
	at    time.Time
}

// doubleClick is how far apart the two presses of a double click may be.
const doubleClick = 400 * time.Millisecond

// meant notes that the pointer presses o, which says words. It reports false for the
// second half of a double click on something else, which is gone or says something
// else now: nobody means what has just come under the pointer.
func (v *View) meant(o fyne.CanvasObject, words string) bool {
	before := v.pressed
	v.pressed = pressed{o, words, v.Now()}
	return v.pressed.at.Sub(before.at) >= doubleClick || before.what == o && before.words == words
}

// enable says whether something can be typed.
func (e *entry) enable(yes bool) { enable(e, yes) }

// enable lets a widget be used, or not; it does nothing when that is so already.
func enable(w fyne.Disableable, yes bool) {
	switch {
	case yes && w.Disabled():
		w.Enable()
	case !yes && !w.Disabled():
		w.Disable()
	}
}

// A choice is Fyne's select with an outline, Enter, the keys of the window, and
// a list that leaves in sight what it belongs to: Fyne's covers it where there
// is no room below.
type choice struct {
	widget.Select
	view    *View
	name    string // what it asks for
	focused bool
}

func newChoice(v *View, options []string, chosen func(string)) *choice {
	c := &choice{view: v}
	c.Options, c.OnChanged = options, chosen
	c.ExtendBaseWidget(c)
	return c
}

// FocusGained shows the focus, and scrolls to it.
func (c *choice) FocusGained() {
	c.focused = true
	c.Select.FocusGained()
	c.view.reveal(c)
}

// FocusLost hides the focus.
func (c *choice) FocusLost() { c.focused = false; c.Select.FocusLost() }

// TypedKey opens on Enter, too.
func (c *choice) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeyEscape, fyne.KeyF5:
		c.view.keys(e)
	case fyne.KeyReturn, fyne.KeyEnter, fyne.KeySpace, fyne.KeyUp, fyne.KeyDown:
		c.open()
	default:
		c.Select.TypedKey(e)
	}
}

// TypedRune chooses the next option that begins so.
func (c *choice) TypedRune(r rune) {
	for i := range c.Options {
		option := c.Options[(max(c.SelectedIndex(), -1)+1+i)%len(c.Options)]
		if !c.Disabled() && strings.HasPrefix(strings.ToLower(option), strings.ToLower(string(r))) {
			c.SetSelected(option)
			return
		}
	}
}

// Tapped opens the list of the options.
func (c *choice) Tapped(*fyne.PointEvent) {
	if !c.Disabled() && c.view.meant(c, c.Selected) {
		c.view.focus(c)
		c.open()
	}
}

// open shows the list of the options.
func (c *choice) open() {
	if c.Disabled() {
		return
	}
	menu := fyne.NewMenu("")
	for _, option := range c.Options {
		menu.Items = append(menu.Items, fyne.NewMenuItem(option, func() {
			c.view.meant(nil, option)
			c.SetSelected(option)
		}))
	}
	c.view.openList(c, menu)
}

// openMenu shows deeds in a list at button b.
func (v *View) openMenu(b *button, deeds []deed) {
	menu := fyne.NewMenu("")
	for _, d := range deeds {
		menu.Items = append(menu.Items, fyne.NewMenuItem(d.words, func() {
			v.meant(nil, d.words)
			d.do(v.selected)
		}))
	}
	v.openList(b, menu)
}

// openList shows menu at the widget it is of.
func (v *View) openList(of fyne.CanvasObject, menu *fyne.Menu) {
	canvas := fyne.CurrentApp().Driver().CanvasForObject(of)
	if canvas == nil {
		return
	}
	v.list.close()
	v.list = &choiceList{widget.NewPopUpMenu(menu, canvas), of}
	v.list.menu.OnDismiss = v.list.menu.Hide
	v.list.menu.Show()
	v.list.place()
}

// A choiceList is a list at what it was opened with, while it is open and after.
type choiceList struct {
	menu *widget.PopUpMenu
	of   fyne.CanvasObject
}

func (l *choiceList) close() {
	if l != nil && l.menu.Visible() {
		l.menu.Dismiss()
	}
}

// place puts an open list below what it belongs to, or above it where there is room
// for it only there. One that is too long for both is as long as the window
// allows, and scrolls. Without what it belongs to there is no list.
func (l *choiceList) place() {
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

// show shows the option at the index, -1 for none, without choosing it.
func (c *choice) show(at int) {
	chosen := c.OnChanged
	c.OnChanged = nil
	if at < 0 {
		c.ClearSelected()
	} else {
		c.SetSelectedIndex(at)
	}
	c.OnChanged = chosen
	c.Refresh()
}

func (c *choice) CreateRenderer() fyne.WidgetRenderer {
	return outline(c, c.Select.CreateRenderer(), func() (fyne.ThemeColorName, float32) {
		if c.focused {
			return theme.ColorNamePrimary, 2
		}
		return look.Edge, 1
	})
}

// A check is Fyne's with Enter and the keys of the window.
type check struct {
	widget.Check
	view *View
}

func newCheck(v *View, words string, changed func(bool)) *check {
	c := &check{view: v}
	c.Text, c.OnChanged = words, changed
	c.ExtendBaseWidget(c)
	return c
}

// show shows what holds, without a change.
func (c *check) show(on bool) {
	if c.Checked != on {
		c.Checked = on
		c.Refresh()
	}
}

// enable says whether the check can be changed.
func (c *check) enable(yes bool) { enable(c, yes) }

// FocusGained scrolls to the check.
func (c *check) FocusGained() {
	c.Check.FocusGained()
	c.view.reveal(c)
}

// Tapped changes, unless it is the second half of a double click on something else.
func (c *check) Tapped(e *fyne.PointEvent) {
	if c.view.meant(c, c.Text) {
		c.Check.Tapped(e)
	}
}

// TypedKey changes on Enter; Fyne does on Space.
func (c *check) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeyReturn, fyne.KeyEnter:
		if !c.Disabled() {
			c.SetChecked(!c.Checked)
		}
	default:
		c.view.keys(e)
	}
}

// buttons puts buttons next to each other, and those for which there is no
// room below.
func buttons(objects ...*button) *fyne.Container {
	c := look.Wrap()
	for _, b := range objects {
		c.Add(b)
	}
	return c
}

// margin is the room between the right side and the window's edge, in which
// the scroll bar moves.
const margin = 16

// newPage is a page of the right side: its head stays, its content scrolls.
func (v *View) newPage(head, content fyne.CanvasObject) *fyne.Container {
	top, scroll := v.newBody(head, content)
	return container.New(layout.NewBorderLayout(top, nil, nil, nil), top, scroll)
}

// newForm is a page with the buttons that end it at its foot, in sight all the
// time. Its head is the last that Tab comes to.
func (v *View) newForm(head, content, foot fyne.CanvasObject) *fyne.Container {
	v.heads = append(v.heads, foot)
	top, scroll := v.newBody(head, content)
	return container.New(layout.NewBorderLayout(top, foot, nil, nil), scroll, foot, top)
}

// newBody makes the parts of a page.
func (v *View) newBody(head, content fyne.CanvasObject) (top *fyne.Container, scroll *container.Scroll) {
	// The painter of the test driver shifts an outline that begins exactly
	// at the edge of a scroll's clip, and that of the screen cuts it: 2 keeps clear.
	scroll = container.NewVScroll(container.New(look.Pad(2, 0, look.Gap, 0), container.New(columnLayout{}, content)))
	v.heads = append(v.heads, head)
	v.bodies = append(v.bodies, body{content, scroll})
	return container.New(columnLayout{}, container.New(look.Pad(0, 0, gapBorder, 0), head)), scroll
}

// gapBorder and the room that Fyne's border leaves are look.Gap.
const gapBorder = look.Gap - 4

// newFoot puts buttons at the trailing end of the foot of a form, after words.
func newFoot(words fyne.CanvasObject, buttons ...fyne.CanvasObject) *fyne.Container {
	return container.New(columnLayout{}, container.New(look.Pad(gapBorder, 0, look.Gap, 0), look.Prompt(words, buttons...)))
}
