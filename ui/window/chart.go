package window

import (
	"image/color"
	"math"
	"slices"
	"strconv"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"curfew/auth"
	"curfew/ui/status"
)

// burn is what the burn-down shows: the budget of a session from its sign-in
// to its end. It is a function of a snapshot and the account's events.
type burn struct {
	start, end time.Time
	now        time.Time
	over       bool   // now is when it ended
	budget     int    // refreshes at the sign-in
	spent      []step // one per refresh, oldest first
	left       int    // refreshes now
	until      time.Time
	leftThen   float64 // refreshes left at until, as forecast
	color      fyne.ThemeColorName
}

// step is what was left after a refresh.
type step struct {
	at   time.Time
	left int
}

// burnDown reads the burn-down of s from events; ok is false when s has no session.
func burnDown(s auth.Snapshot, events []auth.Event, now time.Time) (b burn, ok bool) {
	over := s.State == auth.Ended
	if over && !s.SignedInAt.IsZero() { // of a session that is over only what was spent is known
		s.EndsAt, s.RefreshesLeft = s.SignedInAt.Add(auth.BuiltIn.MaxAge), s.MaxRefreshes-s.RefreshesUsed
		if !s.EndedAt.IsZero() {
			now = s.EndedAt
		}
	}
	if s.SignedInAt.IsZero() || !s.EndsAt.After(s.SignedInAt) || s.MaxRefreshes <= 0 {
		return burn{}, false
	}
	b = burn{start: s.SignedInAt, end: s.EndsAt, now: now, over: over, budget: s.MaxRefreshes,
		left: min(max(s.RefreshesLeft, 0), s.MaxRefreshes)}
	if b.now.Before(b.start) {
		b.now = b.start
	}
	if b.now.After(b.end) {
		b.now = b.end
	}
	for _, e := range events {
		// The log also holds the sessions before this one, and an event
		// may be newer than the snapshot.
		if e.Kind == auth.EventRefresh && e.Count > 0 && e.Count <= s.RefreshesUsed && !e.At.Before(b.start) && !e.At.After(b.now) {
			b.spent = append(b.spent, step{e.At, max(0, b.budget-e.Count)})
		}
	}
	slices.SortStableFunc(b.spent, func(x, y step) int { return x.at.Compare(y.at) })
	if !over && s.Forecast.EndsAt.After(b.now) {
		b.until = s.Forecast.EndsAt
		if b.until.After(b.end) {
			b.until = b.end
		}
		if s.Forecast.By != auth.LimitRefreshes {
			b.leftThen = max(0, float64(b.left)-s.Forecast.RefreshesPer1d*b.until.Sub(b.now).Hours()/24)
		}
	}
	return b, true
}

func (b burn) equal(c burn) bool {
	// The dot of today moves by a pixel in an hour or so: minutes are plenty.
	b.now, c.now = b.now.Truncate(5*time.Minute), c.now.Truncate(5*time.Minute)
	return slices.Equal(b.spent, c.spent) && b.start.Equal(c.start) && b.end.Equal(c.end) && b.now.Equal(c.now) && b.budget == c.budget && b.left == c.left &&
		b.until.Equal(c.until) && b.over == c.over && math.Abs(b.leftThen-c.leftThen) < .01 && b.color == c.color
}

// chart draws a burn-down: the steps of what was spent, the even pace that
// would use the budget to the last day, and the forecast.
type chart struct {
	widget.BaseWidget
	burn burn
	loc  *time.Location
}

func newChart(loc *time.Location) *chart {
	c := &chart{loc: loc}
	c.ExtendBaseWidget(c)
	return c
}

func (c *chart) set(b burn) {
	if c.burn.equal(b) {
		return
	}
	c.burn = b
	c.Refresh()
}

func (c *chart) CreateRenderer() fyne.WidgetRenderer {
	r := &chartRenderer{chart: c}
	r.Refresh()
	return r
}

type chartRenderer struct {
	chart   *chart
	objects []fyne.CanvasObject
}

func (r *chartRenderer) Destroy()                     {}
func (r *chartRenderer) Objects() []fyne.CanvasObject { return r.objects }
func (r *chartRenderer) MinSize() fyne.Size           { return fyne.NewSize(200, em(100)) }
func (r *chartRenderer) Layout(size fyne.Size)        { r.draw(size) }
func (r *chartRenderer) Refresh()                     { r.draw(r.chart.Size()); canvas.Refresh(r.chart) }

// The room around the plot, for the words at its edges when they are as large
// as usual.
const (
	plotLeft   = 26
	plotTop    = 8
	plotBottom = 18
	plotRight  = 4
)

func (r *chartRenderer) draw(size fyne.Size) {
	r.objects = nil
	b := r.chart.burn
	plotLeft, plotTop, plotBottom := em(plotLeft), em(plotTop), em(plotBottom)
	if size.Width < plotLeft+40 || size.Height < plotTop+plotBottom+20 || b.budget <= 0 {
		return
	}
	width, height := size.Width-plotLeft-plotRight, size.Height-plotTop-plotBottom
	at := func(t time.Time, left float64) fyne.Position {
		return fyne.NewPos(
			plotLeft+width*float32(t.Sub(b.start).Seconds()/b.end.Sub(b.start).Seconds()),
			plotTop+height*float32(1-left/float64(b.budget)))
	}
	bottom := at(b.start, 0).Y

	for _, left := range []int{b.budget, b.budget / 2, 0} {
		y := at(b.start, float64(left)).Y
		r.line(fyne.NewPos(plotLeft, y), fyne.NewPos(plotLeft+width, y), colorLine, 1)
		label := r.words(strconv.Itoa(left), fyne.TextAlignTrailing)
		label.Resize(fyne.NewSize(plotLeft-8, label.MinSize().Height))
		label.Move(fyne.NewPos(0, y-label.MinSize().Height/2))
	}

	r.dashes(at(b.start, float64(b.budget)), at(b.end, 0), colorDim, 1, 4, 5)

	here := at(b.now, float64(b.left))
	from := at(b.start, float64(b.budget))
	for i, s := range append(slices.Clone(b.spent), step{b.now, b.left}) {
		to := at(s.at, float64(s.left))
		if i == 0 && s.left < b.budget-1 {
			// The log does not reach back to the first refreshes: that they
			// were spent is known, when is not.
			before := at(s.at, float64(s.left+1))
			r.line(from, before, b.color, 2)
			from = before
		}
		r.bar(from, fyne.NewPos(to.X, from.Y), b.color)
		r.bar(fyne.NewPos(to.X, from.Y), to, b.color)
		from = to
	}
	if !b.until.IsZero() {
		r.dashes(here, at(b.until, b.leftThen), b.color, 2, 2, 5)
	}
	dot := canvas.NewCircle(r.color(b.color))
	dot.Resize(fyne.NewSquareSize(9))
	dot.Move(here.SubtractXY(4.5, 4.5))
	r.objects = append(r.objects, dot)

	first := r.words(status.Date(b.start.In(r.chart.loc)), fyne.TextAlignLeading)
	first.Move(fyne.NewPos(plotLeft, bottom+4))
	last := r.words(status.Date(b.end.In(r.chart.loc)), fyne.TextAlignLeading)
	last.Move(fyne.NewPos(plotLeft+width-last.MinSize().Width, bottom+4))
	// Today stands between the two on the time axis, where nothing crosses it.
	mark := tr("today")
	if b.over {
		mark = tr("ended")
	}
	today := r.words(mark, fyne.TextAlignLeading)
	x := here.X - today.MinSize().Width/2
	if x > first.Position().X+first.MinSize().Width+8 && x+today.MinSize().Width < last.Position().X-8 {
		r.line(fyne.NewPos(here.X, bottom-3), fyne.NewPos(here.X, bottom+3), colorDim, 1)
		today.Move(fyne.NewPos(x, bottom+4))
	} else {
		r.objects = r.objects[:len(r.objects)-1]
	}
	r.label(tr("even pace"), at(b.start, float64(b.budget)), at(b.end, 0), .72)
	if !b.until.IsZero() {
		r.label(tr("forecast"), here, at(b.until, b.leftThen), .55)
	}
}

// label puts words beside the line from a to z where they touch nothing that
// is drawn: as near to part of the way along it as there is such a place,
// above it or below. Where there is none it leaves them out.
func (r *chartRenderer) label(words string, a, z fyne.Position, part float32) {
	drawn := slices.Clone(r.objects)
	w := r.words(words, fyne.TextAlignLeading)
	size := w.MinSize()
	for i := range 16 {
		along := part + float32((i+1)/2)*.05*float32(1-i%2*2) // part, then ever further to both sides
		if along < .1 || along > .9 {
			continue
		}
		p := fyne.NewPos(a.X+(z.X-a.X)*along, a.Y+(z.Y-a.Y)*along)
		for _, corner := range []fyne.Position{
			p.AddXY(6, -size.Height-1),             // above a line that falls
			p.AddXY(-size.Width-6, 1),              // below it
			p.AddXY(-size.Width/2, -size.Height-3), // above a level one
			p.AddXY(-size.Width/2, 3),              // below it
		} {
			if corner.Y < 0 || corner.X < em(plotLeft) || corner.X+size.Width > r.chart.Size().Width {
				continue
			}
			if !slices.ContainsFunc(drawn, func(o fyne.CanvasObject) bool { return r.touches(o, corner, size) }) {
				w.Move(corner)
				return
			}
		}
	}
	r.objects = drawn
}

// touches reports whether o comes near a text of size at corner. The grid may
// lie behind words.
func (r *chartRenderer) touches(o fyne.CanvasObject, corner fyne.Position, size fyne.Size) bool {
	const air = 2
	left, right := corner.X-air, corner.X+size.Width+air
	top, bottom := corner.Y+air, corner.Y+size.Height-air // fonts have air of their own
	if l, ok := o.(*canvas.Line); ok {
		if l.StrokeColor == r.color(colorLine) {
			return false
		}
		return crosses(l.Position1, l.Position2, left, top, right, bottom)
	}
	p, z := o.Position(), o.Position().Add(o.Size())
	return p.X < right && z.X > left && p.Y < bottom && z.Y > top
}

// crosses reports whether the line from a to z has a point in a rectangle.
func crosses(a, z fyne.Position, left, top, right, bottom float32) bool {
	from, to := float32(0), float32(1) // the part of the line that is inside so far
	for _, side := range []struct{ d, room float32 }{{a.X - z.X, a.X - left}, {z.X - a.X, right - a.X}, {a.Y - z.Y, a.Y - top}, {z.Y - a.Y, bottom - a.Y}} {
		switch {
		case side.d == 0 && side.room < 0:
			return false
		case side.d < 0:
			from = max(from, side.room/side.d)
		case side.d > 0:
			to = min(to, side.room/side.d)
		}
	}
	return from <= to
}

func (r *chartRenderer) color(name fyne.ThemeColorName) color.Color {
	return r.chart.Theme().Color(name, fyne.CurrentApp().Settings().ThemeVariant())
}

func (r *chartRenderer) words(words string, align fyne.TextAlign) *canvas.Text {
	t := canvas.NewText(words, r.color(colorDim))
	t.TextSize, t.Alignment = r.chart.Theme().Size(theme.SizeNameCaptionText)-1, align
	t.Resize(t.MinSize())
	r.objects = append(r.objects, t)
	return t
}

func (r *chartRenderer) line(a, z fyne.Position, color fyne.ThemeColorName, width float32) {
	l := canvas.NewLine(r.color(color))
	l.StrokeWidth, l.Position1, l.Position2 = width, a, z
	r.objects = append(r.objects, l)
}

// bar draws a level or upright piece of the steps, as a rectangle: it has
// square ends and edges without blur, which a line has not.
func (r *chartRenderer) bar(a, z fyne.Position, color fyne.ThemeColorName) {
	const width = 2.5
	b := canvas.NewRectangle(r.color(color))
	b.Move(fyne.NewPos(min(a.X, z.X)-width/2, min(a.Y, z.Y)-width/2))
	b.Resize(fyne.NewSize(max(a.X, z.X)-min(a.X, z.X)+width, max(a.Y, z.Y)-min(a.Y, z.Y)+width))
	r.objects = append(r.objects, b)
}

// dashes draws a broken line of dashes on long with gaps off long.
func (r *chartRenderer) dashes(a, z fyne.Position, color fyne.ThemeColorName, width, on, off float32) {
	dx, dy := z.X-a.X, z.Y-a.Y
	length := float32(math.Hypot(float64(dx), float64(dy)))
	if length == 0 {
		return
	}
	point := func(d float32) fyne.Position { return fyne.NewPos(a.X+dx*d/length, a.Y+dy*d/length) }
	for d := float32(0); d < length; d += on + off {
		r.line(point(d), point(min(d+on, length)), color, width)
	}
}
