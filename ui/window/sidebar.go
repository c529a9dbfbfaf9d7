package window

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"curfew/auth"
	"curfew/ui/status"
)

// sidebar is the left side: the accounts, and what belongs to none of them.
type sidebar struct {
	view          *View
	root          *panel
	list          *accountList
	add, settings *button
}

func newSidebar(v *View) *sidebar {
	s := &sidebar{view: v, list: newAccountList(v)}
	s.add = newButton(v, tr("Add account"), func() { v.turn(PageAdd) })
	s.settings = newButton(v, tr("Settings"), func() { v.turn(PageSettings) })
	title := newLine("Curfew", theme.SizeNameSubHeadingText, colorInk).strong()
	inside := container.New(&stackLayout{gap: 10, grow: []fyne.CanvasObject{s.list.scroll}},
		pad(0, 10, title), s.list.scroll, container.New(paddings{0, 8, 0, 2}, column(4, s.add, link(s.settings))))
	s.root = newPanel(colorSide, "", 0, container.New(paddings{16, 4, 16, 8}, inside))
	return s
}

func (s *sidebar) render() { s.list.render() }

// fixedWidth is a layout of objects above each other, of one width.
type fixedWidth float32

func (w fixedWidth) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var size fyne.Size
	for _, o := range objects {
		size = size.Max(o.MinSize())
	}
	return fyne.NewSize(float32(w), size.Height)
}

func (w fixedWidth) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	for _, o := range objects {
		o.Resize(size)
		o.Move(fyne.Position{})
	}
}

// accountList is the list of accounts: one stop for Tab, in which the arrows
// select.
type accountList struct {
	widget.BaseWidget
	view    *View
	rows    []*accountRow
	box     *fyne.Container
	scroll  *container.Scroll
	focused bool
	shown   string // the row that was last brought into sight
}

func newAccountList(v *View) *accountList {
	l := &accountList{view: v, box: column(4)}
	l.ExtendBaseWidget(l)
	l.scroll = container.NewVScroll(container.New(paddings{2, 8, 2, 2}, l))
	v.bodies = append(v.bodies, body{l, l.scroll})
	return l
}

func (l *accountList) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(l.box) }

func (l *accountList) render() {
	v := l.view
	for len(l.rows) < len(v.snaps) {
		r := newAccountRow(l)
		l.rows = append(l.rows, r)
		l.box.Add(r)
	}
	if len(l.rows) > len(v.snaps) {
		l.rows = l.rows[:len(v.snaps)]
		l.box.Objects = l.box.Objects[:len(v.snaps)]
		l.box.Refresh()
	}
	for i, s := range v.snaps {
		l.rows[i].set(s, s.Name == v.selected, l.focused)
	}
	if l.shown != v.selected {
		l.reveal()
	}
}

// reveal scrolls the selected row into sight.
func (l *accountList) reveal() {
	for _, r := range l.rows {
		height := l.scroll.Size().Height
		if !r.selected || r.Size().Height == 0 || height == 0 {
			continue
		}
		l.shown = r.name
		top, bottom := r.Position().Y, r.Position().Y+r.Size().Height
		switch y := l.scroll.Offset.Y; {
		case top < y:
			l.scroll.ScrollToOffset(fyne.NewPos(0, top))
		case bottom > y+height:
			l.scroll.ScrollToOffset(fyne.NewPos(0, bottom-height))
		}
	}
}

// FocusGained shows the focus at the selected account.
func (l *accountList) FocusGained() { l.focused = true; l.render() }

// FocusLost hides the focus.
func (l *accountList) FocusLost() { l.focused = false; l.render() }

// TypedRune does nothing.
func (l *accountList) TypedRune(rune) {}

// TypedKey selects with the arrows, Home and End.
func (l *accountList) TypedKey(e *fyne.KeyEvent) {
	at := -1
	for i, r := range l.rows {
		if r.selected {
			at = i
		}
	}
	switch e.Name {
	case fyne.KeyUp:
		at--
	case fyne.KeyDown:
		at++
	case fyne.KeyHome:
		at = 0
	case fyne.KeyEnd:
		at = len(l.rows) - 1
	case fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter: // back from another page
	default:
		l.view.keys(e)
		return
	}
	if at = max(at, 0); at < len(l.rows) {
		l.view.Select(l.rows[at].name)
	}
}

// accountRow is one account of the list.
type accountRow struct {
	widget.BaseWidget
	list              *accountList
	name              string
	selected, focused bool
	hovered           bool
	ring              *ring
	title, line       *text
	content           fyne.CanvasObject
}

func newAccountRow(l *accountList) *accountRow {
	r := &accountRow{list: l, ring: newRing(em(24), em(4)),
		title: newLine("", theme.SizeNameText, colorInk).strong(), line: newPara("", theme.SizeNameCaptionText, colorDim)}
	r.line.most = 3
	words := column(1, r.title, r.line)
	r.content = pad(9, 8, rowOf(8, words, r.ring, words))
	r.ExtendBaseWidget(r)
	return r
}

func (r *accountRow) set(s auth.Snapshot, selected, focused bool) {
	v := r.list.view
	words := status.Describe(s, v.now)
	r.name = s.Name
	r.ring.set(words.Refreshes.Fraction, v.fresh(s, countColor(s, words.Refreshes, v.now)))
	r.title.say(words.Name)
	color := colorDim
	if words.Urgency == status.Over {
		color = colorBad
	}
	r.line.set(status.Short(s, v.now), color)
	if r.selected != selected || r.focused != focused {
		r.selected, r.focused = selected, focused
		r.Refresh()
	}
}

// Tapped selects the account.
func (r *accountRow) Tapped(*fyne.PointEvent) {
	r.list.view.Select(r.name)
	r.list.view.focus(r.list)
}

// Cursor shows a hand.
func (r *accountRow) Cursor() desktop.Cursor { return desktop.PointerCursor }

// MouseIn marks the row under the pointer.
func (r *accountRow) MouseIn(*desktop.MouseEvent) { r.hovered = true; r.Refresh() }

// MouseMoved does nothing.
func (r *accountRow) MouseMoved(*desktop.MouseEvent) {}

// MouseOut takes the mark away.
func (r *accountRow) MouseOut() { r.hovered = false; r.Refresh() }

func (r *accountRow) CreateRenderer() fyne.WidgetRenderer {
	rr := &accountRowRenderer{r, &canvas.Rectangle{}}
	rr.Refresh()
	return rr
}

type accountRowRenderer struct {
	row  *accountRow
	back *canvas.Rectangle
}

func (r *accountRowRenderer) Destroy()           {}
func (r *accountRowRenderer) MinSize() fyne.Size { return r.row.content.MinSize() }
func (r *accountRowRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.back, r.row.content}
}

func (r *accountRowRenderer) Layout(size fyne.Size) {
	r.back.Resize(size)
	r.row.content.Resize(size)
}

func (r *accountRowRenderer) Refresh() {
	th, variant := r.row.Theme(), fyne.CurrentApp().Settings().ThemeVariant()
	r.back.FillColor, r.back.StrokeColor, r.back.StrokeWidth, r.back.CornerRadius = color.Transparent, color.Transparent, 0, radiusSmall
	switch {
	case r.row.selected:
		r.back.FillColor = th.Color(colorCard, variant)
		r.back.StrokeColor, r.back.StrokeWidth = th.Color(colorLine, variant), 1
	case r.row.hovered:
		r.back.FillColor = th.Color(theme.ColorNameHover, variant)
	}
	if r.row.selected && r.row.focused {
		r.back.StrokeColor, r.back.StrokeWidth = th.Color(theme.ColorNamePrimary, variant), 2
	}
	r.Layout(r.row.Size())
	r.row.content.Refresh()
	canvas.Refresh(r.row)
}
