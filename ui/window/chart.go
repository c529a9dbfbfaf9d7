package window

import (
	"image/color"
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"curfew/ui/status"
)

// track is what a runway shows.
type track struct {
	status.Runway
	color      fyne.ThemeColorName
	flag, last string // words at Until, and at the end
}

func (t track) equal(u track) bool {
	// Today's mark moves by a pixel in an hour or so: minutes are plenty.
	t.Now, u.Now = t.Now.Truncate(5*time.Minute), u.Now.Truncate(5*time.Minute)
	return slices.Equal(t.Spent, u.Spent) && t.Start.Equal(u.Start) && t.End.Equal(u.End) && t.Now.Equal(u.Now) && t.Until.Equal(u.Until) &&
		t.Over == u.Over && t.color == u.color && t.flag == u.flag && t.last == u.last
}

// runway draws a track: a line from the sign-in to the last day, with a mark for
// each refresh, one for today and a flag where the forecast ends.
type runway struct {
	widget.BaseWidget
	track track
}

func newRunway() *runway {
	r := &runway{}
	r.ExtendBaseWidget(r)
	return r
}

func (r *runway) set(t track) {
	if !r.track.equal(t) {
		r.track = t
		r.Refresh()
	}
}

func (r *runway) CreateRenderer() fyne.WidgetRenderer {
	return newDrawing(r, func() fyne.Size { return fyne.NewSize(em(200), em(58)) }, r.draw)
}

func (r *runway) draw(d *drawing, size fyne.Size) {
	t := r.track
	span := t.End.Sub(t.Start).Seconds()
	if span <= 0 || size.Width < em(60) {
		return
	}
	thick, mark, tall := em(6), em(9), em(22)
	middle := size.Height / 2
	x := func(at time.Time) float32 { return size.Width * float32(at.Sub(t.Start).Seconds()/span) }
	bar := func(from, to float32, c color.Color) {
		d.rectangle(fyne.NewPos(from, middle-thick/2), fyne.NewSize(to-from, thick), c, thick/2)
	}
	today, until := x(t.Now), size.Width
	bar(0, size.Width, d.color(colorTrack))
	if !t.Until.IsZero() {
		until = x(t.Until)
	}
	if !t.Over {
		bar(max(0, today-thick), until, d.faint(t.color))
	}
	bar(0, today, d.color(t.color))
	for _, at := range t.Spent {
		c := canvas.NewCircle(d.color(colorCard))
		c.StrokeColor, c.StrokeWidth = d.color(t.color), em(2.5)
		c.Resize(fyne.NewSquareSize(mark))
		c.Move(fyne.NewPos(min(max(0, x(at)-mark/2), size.Width-mark), middle-mark/2))
		d.objects = append(d.objects, c)
	}
	pole := func(at float32, color fyne.ThemeColorName) {
		d.rectangle(fyne.NewPos(min(max(0, at-1), size.Width-2), middle-tall/2), fyne.NewSize(2, tall), d.color(color), 0)
	}
	here := tr("today")
	if t.Over {
		here = tr("ended")
	}
	pole(today, colorInk)

	// Words stand above their marks and below the ends; what would touch another
	// is left out, last things first.
	var taken []fyne.CanvasObject
	label := func(words string, color fyne.ThemeColorName, at, y float32) bool {
		w := canvas.NewText(words, d.color(color))
		w.TextSize = r.Theme().Size(theme.SizeNameCaptionText)
		m := w.MinSize()
		w.Resize(m)
		w.Move(fyne.NewPos(min(max(0, at-m.Width/2), size.Width-m.Width), y))
		for _, o := range taken {
			if o.Position().Y == y && o.Position().X < w.Position().X+m.Width+gapSmall && w.Position().X < o.Position().X+o.Size().Width+gapSmall {
				return false
			}
		}
		if words == "" || m.Width > size.Width {
			return false
		}
		taken, d.objects = append(taken, w), append(d.objects, w)
		return true
	}
	low := size.Height - em(17)
	if !t.Until.IsZero() && t.flag != "" {
		pole(until, t.color)
		label(t.flag, t.color, until, 0)
	}
	above := label(here, colorInk, today, 0)
	label(t.last, colorDim, size.Width, low)
	label(tr("signed in %s", status.Date(t.Start.In(t.Now.Location()))), colorDim, 0, low)
	if !above {
		label(here, colorInk, today, low)
	}
}

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

func (d *drawing) color(name fyne.ThemeColorName) color.Color {
	return theme.Current().Color(name, fyne.CurrentApp().Settings().ThemeVariant())
}

// faint is a colour of what has not come yet.
func (d *drawing) faint(name fyne.ThemeColorName) color.Color {
	return alpha(color.NRGBAModel.Convert(d.color(name)).(color.NRGBA), 0x59)
}

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
