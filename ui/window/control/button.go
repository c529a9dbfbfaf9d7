package control

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"curfew/ui/window/look"
)

// A Button is Fyne's with an outline, a visible focus, and Enter.
type Button struct {
	widget.Button
	frame            *Frame
	focused, hovered bool
	face             *look.Panel               // what is shown in the place of Fyne's words
	label            *look.Text                // in the face: its words
	Keys             func(*fyne.KeyEvent) bool // takes keys before the window does; may be nil
	name             string                    // what it is called where its words are a sign
}

// NewButton returns a button that says words.
func NewButton(f *Frame, words string, tapped func()) *Button {
	b := &Button{frame: f}
	b.Text, b.OnTapped = words, tapped
	b.ExtendBaseWidget(b)
	return b
}

// Primary makes the button that of the thing to do.
func (b *Button) Primary() *Button { b.Importance = widget.HighImportance; return b }

// Quiet takes the outline away.
func (b *Button) Quiet() *Button { b.Importance = widget.LowImportance; return b }

// Danger makes the button that of what cannot be taken back.
func (b *Button) Danger() *Button { b.Importance = widget.DangerImportance; return b }

// Sign shows a picture, called name, in the place of words.
func (b *Button) Sign(picture fyne.Resource, name string) *Button {
	b.Icon, b.name = picture, name
	return b
}

// Stress says whether the button is the thing to do now.
func (b *Button) Stress(now bool) {
	i := widget.MediumImportance
	if now {
		i = widget.HighImportance
	}
	if b.Importance != i {
		b.Importance = i
		b.Refresh()
	}
}

// Set shows words, usable or not; it does nothing when that is so already.
func (b *Button) Set(words string, usable bool) {
	if b.Text != words {
		b.SetText(words)
		b.frame.moved = true // it may be wider than before
	}
	Enable(b, usable)
}

// FocusGained shows the focus, and scrolls to it.
func (b *Button) FocusGained() {
	b.focused = true
	b.Button.FocusGained()
	b.frame.reveal(b)
}

// FocusLost hides the focus.
func (b *Button) FocusLost() { b.focused = false; b.Button.FocusLost() }

// Tapped acts, unless it is the second half of a double click on something else.
func (b *Button) Tapped(e *fyne.PointEvent) {
	if b.frame.meant(b, b.Text) {
		b.Button.Tapped(e)
	}
}

// TypedKey acts on Space and Enter and keeps the focus, which Fyne's own
// button gives up.
func (b *Button) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter:
		if !b.Disabled() && b.OnTapped != nil {
			b.OnTapped()
		}
	default:
		if b.Keys == nil || !b.Keys(e) {
			b.frame.key(e)
		}
	}
}

// Cursor shows a hand where a tap does something.
func (b *Button) Cursor() desktop.Cursor {
	if b.Disabled() {
		return desktop.DefaultCursor
	}
	return desktop.PointerCursor
}

// MouseIn notes the pointer.
func (b *Button) MouseIn(e *desktop.MouseEvent) { b.hovered = true; b.Button.MouseIn(e) }

// MouseOut notes that the pointer has gone.
func (b *Button) MouseOut() { b.hovered = false; b.Button.MouseOut() }

// linkAir is the room next to the words of a link.
const linkAir = 9

// Link makes a button look like a link. It is drawn by us: a theme for it alone
// would make Fyne measure every word of the window again, each time anything is
// laid out.
func Link(b *Button) *Button {
	label := look.NewText(b.Text, look.SizeCaption, theme.ColorNameHyperlink).Strong()
	b.SetFace(label, container.New(look.Pad(3, linkAir, 3, linkAir), label))
	return b.Quiet()
}

// SetFace gives the button a face in the place of Fyne's, in which label has its
// words. It must come before the button is on screen.
func (b *Button) SetFace(label *look.Text, face fyne.CanvasObject) {
	b.label, b.face = label, look.NewPanel("", "", look.RadiusSmall, face)
}

// Flush is a link whose words, and not the room next to them, end where its row does.
func Flush(b *Button) fyne.CanvasObject {
	return container.New(look.Pad(-3, -linkAir, -3, 0), Link(b))
}

// CreateRenderer is for Fyne.
func (b *Button) CreateRenderer() fyne.WidgetRenderer {
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
	button *Button
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

// Enable lets a widget be used, or not; it does nothing when that is so already.
func Enable(w fyne.Disableable, yes bool) {
	switch {
	case yes && w.Disabled():
		w.Enable()
	case !yes && !w.Disabled():
		w.Disable()
	}
}

// Buttons puts buttons next to each other, and those for which there is no
// room below.
func Buttons(objects ...*Button) *fyne.Container {
	c := look.Wrap()
	for _, b := range objects {
		c.Add(b)
	}
	return c
}
