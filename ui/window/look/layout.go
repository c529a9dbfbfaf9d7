package look

import (
	"math"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
)

// Column stacks objects with gap between them.
func Column(gap float32, objects ...fyne.CanvasObject) *fyne.Container {
	return container.New(layout.NewCustomPaddedVBoxLayout(gap), objects...)
}

// Row puts objects next to each other with gap between them, each in the
// middle of the row's height. Lines that were shortened share what is left.
func Row(gap float32, objects ...fyne.CanvasObject) *fyne.Container {
	return RowOf(gap, nil, objects...)
}

// RowOf is a Row in which grow, one of objects, takes what is left when the lines
// have their words.
func RowOf(gap float32, grow fyne.CanvasObject, objects ...fyne.CanvasObject) *fyne.Container {
	c := container.New(&rowLayout{gap: gap, grow: grow}, objects...)
	for _, o := range objects {
		if t, ok := o.(*Text); ok && (t.wrap || t.least > 0) {
			t.row = c
		}
	}
	return c
}

// Wrap puts objects next to each other, and those for which there is no room
// below.
func Wrap(objects ...fyne.CanvasObject) *fyne.Container {
	return container.New(&wrapLayout{gap: GapSmall}, objects...)
}

// Grid puts what is added to it next to each other, in columns of one width that
// is at least this.
func Grid(least float32) *fyne.Container {
	return container.New(&wrapLayout{gap: GapSmall, column: least, most: math.MaxInt})
}

// Shares puts objects in columns of one width, all in one row where each gets the
// least width.
func Shares(least float32, objects ...fyne.CanvasObject) *fyne.Container {
	return container.New(&wrapLayout{gap: 14, column: least, most: len(objects)}, objects...)
}

type wrapLayout struct {
	gap    float32
	column float32 // the least width of a column; 0: each object has the width it needs
	most   int     // columns
	height float32 // at the last layout
}

func (l *wrapLayout) MinSize(objects []fyne.CanvasObject) fyne.Size {
	size := fyne.NewSize(0, l.height)
	for _, o := range Visible(objects) {
		size = size.Max(o.MinSize())
	}
	return size
}

func (l *wrapLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	var at fyne.Position
	var tall float32 // the line so far
	for _, o := range Visible(objects) {
		m := o.MinSize()
		if l.column > 0 {
			n := min(l.most, max(1, int((size.Width+l.gap)/(l.column+l.gap))))
			m.Width = (size.Width+l.gap)/float32(n) - l.gap
			o.Resize(fyne.NewSize(m.Width, o.Size().Height))
			m.Height = o.MinSize().Height // which its width decides
		}
		if at.X > 0 && at.X+m.Width > size.Width+.5 {
			at = fyne.NewPos(0, at.Y+tall+l.gap)
			tall = 0
		}
		o.Resize(m)
		o.Move(at)
		at.X += m.Width + l.gap
		tall = max(tall, m.Height)
	}
	l.height = at.Y + tall
}

// An Align says where the objects of a row stand.
type Align int

// The ways to align a row.
const (
	Middle   Align = iota // each in the middle of the row's height
	Top                   // hanging from its top
	Baseline              // words of any size on one line
)

// at is how far below the top of a row an object of height stands.
func (a Align) at(row, height float32) float32 {
	switch a {
	case Top:
		return 0
	case Baseline:
		return (row - height) * .785 // so much of a line of the font is above it
	}
	return (row - height) / 2
}

// Aligned returns row, which Row or RowOf has made, with its objects aligned.
func Aligned(how Align, row *fyne.Container) *fyne.Container {
	row.Layout.(*rowLayout).align = how
	return row
}

type rowLayout struct {
	gap   float32
	grow  fyne.CanvasObject // takes what is left; nil: nothing does
	align Align
}

// Visible returns those of objects that are shown.
func Visible(objects []fyne.CanvasObject) []fyne.CanvasObject {
	var shown []fyne.CanvasObject
	for _, o := range objects {
		if o.Visible() {
			shown = append(shown, o)
		}
	}
	return shown
}

func (l *rowLayout) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var size fyne.Size
	for i, o := range Visible(objects) {
		m := o.MinSize()
		if i > 0 {
			size.Width += l.gap
		}
		size.Width += m.Width
		size.Height = max(size.Height, m.Height)
	}
	return size
}

func (l *rowLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	shown := Visible(objects)
	left := size.Width - l.MinSize(objects).Width
	// Lines that were shortened get their words back first, in order.
	widths := make([]float32, len(shown))
	for i, o := range shown {
		widths[i] = o.MinSize().Width
		if t, ok := o.(*Text); ok && t.least > 0 && o != l.grow {
			more := max(0, min(left, t.Natural()+.5-widths[i]))
			widths[i] += more
			left -= more
		}
	}
	x := float32(0)
	for i, o := range shown {
		if o == l.grow {
			widths[i] += max(0, left)
		}
		height := o.MinSize().Height
		o.Resize(fyne.NewSize(widths[i], height))
		o.Move(fyne.NewPos(x, l.align.at(size.Height, height)))
		x += widths[i] + l.gap
	}
}

// Aside puts asides at the trailing end of a row that lead fills, or below it
// where lead would be squeezed. Words of all sizes are on one line.
func Aside(gap float32, lead fyne.CanvasObject, asides ...fyne.CanvasObject) *fyne.Container {
	return container.New(&asideLayout{gap: gap, align: Baseline}, append([]fyne.CanvasObject{lead}, asides...)...)
}

// Prompt puts what can be pressed at the trailing end of words, or below them
// where there would be hardly any room for words.
func Prompt(words fyne.CanvasObject, pressed ...fyne.CanvasObject) *fyne.Container {
	return container.New(&asideLayout{gap: GapSmall, least: func() float32 { return Em(190) }}, append([]fyne.CanvasObject{words}, pressed...)...)
}

type asideLayout struct {
	gap   float32
	least func() float32 // that lead wants; nil: what it needs
	align Align
	below bool // at the last layout
}

func (l *asideLayout) MinSize(objects []fyne.CanvasObject) fyne.Size {
	lead := objects[0].MinSize()
	size, others := lead, float32(0)
	for _, o := range Visible(objects[1:]) {
		m := o.MinSize()
		if l.below {
			size.Height = max(size.Height, lead.Height+l.gap/2+m.Height)
		} else {
			size.Height = max(size.Height, m.Height)
		}
		others += l.gap + m.Width
	}
	size.Width = max(size.Width, others-l.gap) // each has room on its own line
	return size
}

func (l *asideLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	lead, shown := objects[0], Visible(objects[1:])
	room, least := size.Width, lead.MinSize().Width
	if l.least != nil {
		least = l.least()
	}
	for _, o := range shown {
		room -= l.gap + o.MinSize().Width
	}
	l.below = len(shown) > 0 && room < least
	at := fyne.NewPos(room+l.gap, 0)
	if l.below {
		room, at = size.Width, fyne.Position{}
	}
	lead.Resize(fyne.NewSize(room, lead.Size().Height))
	tall := lead.MinSize().Height // which its width decides
	lead.Resize(fyne.NewSize(room, tall))
	lead.Move(fyne.NewPos(0, l.align.at(size.Height, tall)))
	if l.below {
		lead.Move(fyne.Position{})
	}
	for _, o := range shown {
		m := o.MinSize()
		at.Y = l.align.at(size.Height, m.Height)
		if l.below {
			at.Y = tall + l.gap/2
		}
		o.Resize(m)
		o.Move(at)
		at.X += m.Width + l.gap
	}
}

// Pad is space around content, from the top clockwise.
func Pad(top, right, bottom, left float32) fyne.Layout {
	return layout.NewCustomPaddedLayout(top, bottom, left, right)
}

// FixedWidth puts object into a column of that width.
func FixedWidth(width float32, object fyne.CanvasObject) *fyne.Container {
	return container.New(fixedWidth(width), object)
}

type fixedWidth float32

func (w fixedWidth) MinSize(objects []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(float32(w), objects[0].MinSize().Height)
}

func (w fixedWidth) Layout(objects []fyne.CanvasObject, size fyne.Size) { objects[0].Resize(size) }

// ReadingMargin is the room that Reading leaves at the trailing edge, in which the
// scroll bar moves.
const ReadingMargin = 16

// readingMost is how wide what is read may be: nobody reads longer lines.
const readingMost = 760

// Reading keeps what is read in the middle, no wider than lines are good for.
func Reading(object fyne.CanvasObject) *fyne.Container {
	return container.New(readingLayout{}, object)
}

type readingLayout struct{}

func (readingLayout) MinSize(objects []fyne.CanvasObject) fyne.Size {
	return Pad(0, ReadingMargin, 0, 2).MinSize(objects)
}

func (readingLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	side := max(0, (size.Width-ReadingMargin-2-Em(readingMost))/2)
	Pad(0, ReadingMargin+side, 0, 2+side).Layout(objects, size)
}
