package look

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"
)

// drawing renders a widget that draws itself again from what it shows.
type drawing struct {
	widget  fyne.Widget
	least   func() fyne.Size
	paint   func(d *drawing, size fyne.Size)
	objects []fyne.CanvasObject
}

func newDrawing(w fyne.Widget, least func() fyne.Size, paint func(*drawing, fyne.Size)) *drawing {
	d := &drawing{widget: w, least: least, paint: paint}
	d.Refresh()
	return d
}

func (d *drawing) Destroy()                     {}
func (d *drawing) Objects() []fyne.CanvasObject { return d.objects }
func (d *drawing) MinSize() fyne.Size           { return d.least() }
func (d *drawing) Layout(size fyne.Size)        { d.objects = nil; d.paint(d, size) }
func (d *drawing) Refresh()                     { d.Layout(d.widget.Size()); canvas.Refresh(d.widget) }

func (d *drawing) rectangle(at fyne.Position, size fyne.Size, fill color.Color, radius float32) {
	if !(size.Width > 0 && size.Height > 0) {
		return
	}
	r := canvas.NewRectangle(fill)
	r.CornerRadius = radius
	r.Resize(size)
	r.Move(at)
	d.objects = append(d.objects, r)
}

// Segments are what is left of a number, to be counted, before what is spent.
type Segments struct {
	widget.BaseWidget
	left, of int
	color    fyne.ThemeColorName
}

// NewSegments returns segments that show nothing yet.
func NewSegments() *Segments {
	s := &Segments{}
	s.ExtendBaseWidget(s)
	return s
}

// Set shows what is left of how many.
func (s *Segments) Set(left, of int, color fyne.ThemeColorName) {
	if s.left != left || s.of != of || s.color != color {
		s.left, s.of, s.color = left, of, color
		s.Refresh()
	}
}

// Left returns how many are left.
func (s *Segments) Left() int { return s.left }

// CreateRenderer is for Fyne.
func (s *Segments) CreateRenderer() fyne.WidgetRenderer {
	return newDrawing(s, func() fyne.Size { return fyne.NewSize(Em(200), Em(14)) }, s.draw)
}

func (s *Segments) draw(d *drawing, size fyne.Size) {
	gap := float32(4)
	if s.of > 20 {
		gap = 3
	}
	width := (size.Width - gap*float32(s.of-1)) / float32(s.of)
	for i := range s.of {
		color := Spent
		if i < s.left {
			color = s.color
		}
		d.rectangle(fyne.NewPos(float32(i)*(width+gap), 0), fyne.NewSize(width, size.Height), ColorOf(color), 4)
	}
}

// NewMonogram returns the sign of what has none: letters on a square whose colour is
// one of eleven, by number. size is that of the square.
func NewMonogram(letters string, number int, size float32) fyne.CanvasObject {
	grounds := []uint32{0x4a5568, 0x9a4a1e, 0x2b5ea8, 0x8a3a3a, 0x3d6b4f, 0x35507a, 0x4c6b2f, 0x5a5f6b, 0x7a4a35, 0x5d3a66, 0x2a678f}
	back := canvas.NewRectangle(rgb(grounds[number%len(grounds)]))
	back.CornerRadius = 6
	words := canvas.NewText(letters, color.White)
	words.TextSize, words.TextStyle.Bold, words.Alignment = Em(size*.42), true, fyne.TextAlignCenter
	return container.NewGridWrap(fyne.NewSquareSize(Em(size)), container.NewStack(back, words))
}
