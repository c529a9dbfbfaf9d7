package look

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/widget"
)

// A Ring is a circle that empties: what is left, clockwise from the top, over a
// track of what there was.
type Ring struct {
	widget.BaseWidget
	left     float32 // 0 to 1
	color    fyne.ThemeColorName
	diameter float32
	stroke   float32 // the ring's width
	turned   float32 // where it begins, in degrees from the top
	turning  *fyne.Animation
}

// NewRing returns a ring of that diameter, drawn with a stroke of that width.
func NewRing(diameter, stroke float32) *Ring {
	r := &Ring{diameter: diameter, stroke: stroke, color: OK}
	r.ExtendBaseWidget(r)
	return r
}

// Set shows what is left, of 1.
func (r *Ring) Set(left float64, color fyne.ThemeColorName) {
	// A thousandth is less than a pixel of the circle, so a ring of days
	// is drawn again every three quarters of an hour, not every second.
	part := float32(int(min(max(left, 0), 1)*1000)) / 1000
	if left > 0 && part == 0 {
		part = .001
	}
	if r.left == part && r.color == color {
		return
	}
	r.left, r.color = part, color
	r.Refresh()
}

// Turn makes the ring turn, for something that is going on.
func (r *Ring) Turn(on bool) {
	switch {
	case on && r.turning == nil:
		r.turning = &fyne.Animation{Duration: 1200 * time.Millisecond, RepeatCount: fyne.AnimationRepeatForever, Curve: fyne.AnimationLinear,
			Tick: func(part float32) { r.turned = 360 * part; r.Refresh() }}
		r.turning.Start()
	case !on && r.turning != nil:
		r.turning.Stop()
		r.turning, r.turned = nil, 0
		r.Refresh()
	}
}

// Turning reports whether the ring turns.
func (r *Ring) Turning() bool { return r.turning != nil }

// CreateRenderer is for Fyne.
func (r *Ring) CreateRenderer() fyne.WidgetRenderer {
	rr := &ringRenderer{ring: r, track: canvas.NewArc(0, 360, 0, nil), arc: canvas.NewArc(0, 0, 0, nil)}
	rr.Refresh()
	return rr
}

type ringRenderer struct {
	ring       *Ring
	track, arc *canvas.Arc
}

func (r *ringRenderer) Destroy()                     {}
func (r *ringRenderer) Objects() []fyne.CanvasObject { return []fyne.CanvasObject{r.track, r.arc} }
func (r *ringRenderer) MinSize() fyne.Size           { return fyne.NewSquareSize(r.ring.diameter) }

func (r *ringRenderer) Layout(size fyne.Size) {
	d := min(size.Width, size.Height)
	for _, arc := range []*canvas.Arc{r.track, r.arc} {
		arc.Resize(fyne.NewSquareSize(d))
		arc.Move(fyne.NewPos((size.Width-d)/2, (size.Height-d)/2))
		arc.CutoutRatio = 1
		if d > 0 {
			stroke := r.ring.stroke
			if r.ring.left == 0 {
				stroke = min(stroke, max(1.5, stroke/3)) // an outline: nothing is left
			}
			arc.CutoutRatio = max(0, 1-2*stroke/d)
		}
	}
}

func (r *ringRenderer) Refresh() {
	th, variant := r.ring.Theme(), fyne.CurrentApp().Settings().ThemeVariant()
	r.Layout(r.ring.Size())
	r.track.FillColor = th.Color(Spent, variant)
	if r.ring.left == 0 {
		r.track.FillColor = th.Color(Edge, variant) // else there is nothing to see
	}
	r.arc.FillColor = th.Color(r.ring.color, variant)
	r.arc.StartAngle = r.ring.turned
	r.arc.EndAngle = r.ring.turned + max(360*r.ring.left, 5) // a dot at the least
	r.arc.CornerRadius = r.ring.stroke / 2
	r.arc.Hidden = r.ring.left == 0
	canvas.Refresh(r.ring)
}
