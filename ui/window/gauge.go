package window

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"

	"curfew/ui/status"
)

// A gauge is a card with one countdown: a ring, the number, what it counts.
type gauge struct {
	root           *panel
	ring           *ring
	value, caption *text
	small          bool // there was little room at the last layout
	low            bool // there is little height for it
}

func newGauge() *gauge {
	g := &gauge{ring: newRing(em(gaugeLarge), em(10)), value: newLine("", sizeNumber, colorInk).strong(), caption: newLine("", sizeSmall, colorDim)}
	g.root = newPanel(colorCard, colorLine, 10, pad(14, 12, container.New(gaugeLayout{g}, g.ring, g.value, g.caption)))
	return g
}

// lower makes the gauge low, to leave height to what is more urgent.
func (g *gauge) lower(yes bool) {
	if g.low != yes {
		g.low = yes
		g.root.Refresh()
	}
}

func (g *gauge) set(r status.Ring, color fyne.ThemeColorName) {
	g.ring.set(r.Fraction, color)
	ink := colorInk
	if color == colorBad {
		ink = colorBad
	}
	g.value.set(r.Value, ink)
	g.caption.say(r.Caption)
}

// The diameters of a gauge's ring, with room and without.
const (
	gaugeLarge = 92
	gaugeSmall = 56
)

// gaugeLayout puts the words beside the ring, and makes both smaller where
// there is no room.
type gaugeLayout struct{ *gauge }

func (l gaugeLayout) MinSize([]fyne.CanvasObject) fyne.Size {
	height := em(gaugeLarge)
	if l.small || l.low {
		height = em(gaugeSmall) + 8
	}
	return fyne.NewSize(em(gaugeSmall)+12+em(90), max(height, l.value.MinSize().Height+l.caption.MinSize().Height))
}

func (l gaugeLayout) Layout(_ []fyne.CanvasObject, size fyne.Size) {
	l.small = size.Width < em(240) || l.low
	diameter, gap, number, words := em(gaugeLarge), float32(18), sizeNumber, sizeSmall
	if l.small {
		diameter, gap, number, words = em(gaugeSmall), 10, theme.SizeNameHeadingText, theme.SizeNameCaptionText
	}
	l.ring.stroke = diameter / 9
	l.ring.Resize(fyne.NewSquareSize(diameter))
	l.ring.Move(fyne.NewPos(0, (size.Height-diameter)/2))
	if l.value.size != number {
		l.value.size, l.caption.size = number, words
		l.value.Refresh()
		l.caption.Refresh()
	}
	x := diameter + gap
	top, below := l.value.MinSize().Height, l.caption.MinSize().Height
	y := (size.Height - top - below) / 2
	l.value.Resize(fyne.NewSize(size.Width-x, top))
	l.value.Move(fyne.NewPos(x, y))
	l.caption.Resize(fyne.NewSize(size.Width-x, below))
	l.caption.Move(fyne.NewPos(x, y+top))
}
