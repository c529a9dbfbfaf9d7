package window

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// A radio is one of several things to choose from, with room to say what it
// means before it is chosen. Tab and the arrows move the focus; only Space,
// Enter and a tap choose.
type radio struct {
	widget.BaseWidget
	view                      *View
	group                     *radioGroup
	at                        int
	title, cost, meaning      *text
	content                   fyne.CanvasObject
	chosen, focused, disabled bool
}

// A radioGroup is radios of which at most one is chosen.
type radioGroup struct {
	root   *fyne.Container
	radios []*radio
	choose func(at int)
}

func newRadioGroup(v *View, n int, choose func(at int)) *radioGroup {
	g := &radioGroup{root: column(4), choose: choose}
	for at := range n {
		r := &radio{view: v, group: g, at: at, title: newLine("", theme.SizeNameText, colorInk).strong(),
			cost: newPara("", sizeSmall, colorInk), meaning: newPara("", theme.SizeNameCaptionText, colorDim)}
		r.content = container.New(paddings(5, 8, 5, 15+em(14)), column(2, r.title, r.cost, r.meaning))
		r.ExtendBaseWidget(r)
		g.radios = append(g.radios, r)
		g.root.Add(r)
	}
	return g
}

// say gives a radio its words; cost may be empty.
func (g *radioGroup) say(at int, title, cost, meaning string) {
	r := g.radios[at]
	r.title.say(title)
	r.cost.say(cost)
	r.meaning.say(meaning)
	r.view.show(r.cost, cost != "")
}

// set shows which radio is chosen, -1 for none, and whether another can be.
func (g *radioGroup) set(chosen int, usable bool) {
	for i, r := range g.radios {
		if r.chosen != (i == chosen) || r.disabled == usable {
			r.chosen, r.disabled = i == chosen, !usable
			r.Refresh()
		}
	}
}

// pick chooses, unless that is so already.
func (r *radio) pick() {
	if !r.disabled && !r.chosen {
		r.group.choose(r.at)
	}
}

// Tapped chooses.
func (r *radio) Tapped(*fyne.PointEvent) {
	r.view.focus(r)
	r.pick()
}

// Cursor shows a hand where a tap does something.
func (r *radio) Cursor() desktop.Cursor {
	if r.disabled {
		return desktop.DefaultCursor
	}
	return desktop.PointerCursor
}

// FocusGained shows the focus, and scrolls to it.
func (r *radio) FocusGained() { r.focused = true; r.Refresh(); r.view.reveal(r) }

// FocusLost hides the focus.
func (r *radio) FocusLost() { r.focused = false; r.Refresh() }

// TypedRune does nothing.
func (r *radio) TypedRune(rune) {}

// TypedKey chooses with Space and Enter, and moves on with the arrows.
func (r *radio) TypedKey(e *fyne.KeyEvent) {
	to := r.at
	switch e.Name {
	case fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter:
		r.pick()
	case fyne.KeyUp:
		to--
	case fyne.KeyDown:
		to++
	default:
		r.view.keys(e)
	}
	if to != r.at && to >= 0 && to < len(r.group.radios) {
		r.view.focus(r.group.radios[to])
	}
}

func (r *radio) CreateRenderer() fyne.WidgetRenderer {
	rr := &radioRenderer{radio: r, back: &canvas.Rectangle{}, circle: &canvas.Circle{}, dot: &canvas.Circle{}}
	rr.Refresh()
	return rr
}

type radioRenderer struct {
	radio       *radio
	back        *canvas.Rectangle
	circle, dot *canvas.Circle
}

func (r *radioRenderer) Destroy()           {}
func (r *radioRenderer) MinSize() fyne.Size { return r.radio.content.MinSize() }

func (r *radioRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.back, r.circle, r.dot, r.radio.content}
}

func (r *radioRenderer) Layout(size fyne.Size) {
	r.back.Resize(size)
	middle := fyne.NewPos(6+em(8), 5+r.radio.title.MinSize().Height/2) // of the first line
	for c, diameter := range map[*canvas.Circle]float32{r.circle: em(16), r.dot: em(8)} {
		c.Resize(fyne.NewSquareSize(diameter))
		c.Move(middle.SubtractXY(diameter/2, diameter/2))
	}
	r.radio.content.Resize(size)
}

func (r *radioRenderer) Refresh() {
	th, variant := r.radio.Theme(), fyne.CurrentApp().Settings().ThemeVariant()
	r.back.FillColor, r.back.StrokeColor, r.back.StrokeWidth, r.back.CornerRadius = color.Transparent, color.Transparent, 0, 7
	if r.radio.focused {
		r.back.StrokeColor, r.back.StrokeWidth = th.Color(theme.ColorNamePrimary, variant), 2
	}
	mark := colorEdge
	switch {
	case r.radio.disabled:
		mark = theme.ColorNameDisabled
	case r.radio.chosen:
		mark = theme.ColorNamePrimary
	}
	r.circle.FillColor, r.circle.StrokeColor, r.circle.StrokeWidth = color.Transparent, th.Color(mark, variant), 2
	r.dot.Hidden, r.dot.FillColor = !r.radio.chosen, th.Color(mark, variant)
	r.Layout(r.radio.Size())
	r.radio.content.Refresh()
	canvas.Refresh(r.radio)
}
