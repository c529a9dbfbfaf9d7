package look

import (
	"image/color"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// A Track is what a [Runway] shows. What has no words is not named.
type Track struct {
	Start, Now, End time.Time // of the line, and where on it we are
	Until           time.Time // where it is expected to end, before End; zero: at End
	Marks           []time.Time
	Past            bool // nothing comes after Now
	Color           fyne.ThemeColorName

	AtStart, AtNow, AtUntil, AtEnd string
}

func (t Track) equal(u Track) bool {
	// The mark of now moves by a pixel in an hour or so: minutes are plenty.
	t.Now, u.Now = t.Now.Truncate(5*time.Minute), u.Now.Truncate(5*time.Minute)
	return slices.Equal(t.Marks, u.Marks) && t.Start.Equal(u.Start) && t.End.Equal(u.End) && t.Now.Equal(u.Now) && t.Until.Equal(u.Until) && t.Past == u.Past &&
		t.Color == u.Color && t.AtStart == u.AtStart && t.AtNow == u.AtNow && t.AtUntil == u.AtUntil && t.AtEnd == u.AtEnd
}

// A Runway draws a track: a line with its marks, a pole where we are, and a flag
// where it is expected to end.
type Runway struct {
	widget.BaseWidget
	track Track
}

// NewRunway returns a runway that shows nothing yet.
func NewRunway() *Runway {
	r := &Runway{}
	r.ExtendBaseWidget(r)
	return r
}

// Set shows t.
func (r *Runway) Set(t Track) {
	if !r.track.equal(t) {
		r.track = t
		r.Refresh()
	}
}

// Track returns what is shown.
func (r *Runway) Track() Track { return r.track }

// AccessibilityLabel says when it ends. What is left is a text elsewhere.
func (r *Runway) AccessibilityLabel() string {
	return strings.Trim(r.track.AtUntil+". "+r.track.AtEnd, ". ")
}

// AccessibilityRole says that the runway is to be read.
func (r *Runway) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// CreateRenderer is for Fyne.
func (r *Runway) CreateRenderer() fyne.WidgetRenderer {
	return newDrawing(r, func() fyne.Size { return fyne.NewSize(Em(200), Em(58)) }, r.draw)
}

func (r *Runway) draw(d *drawing, size fyne.Size) {
	t := r.track
	if !t.End.After(t.Start) || size.Width < Em(60) {
		return
	}
	w := way{d: d, size: size, track: t}
	now, until := w.x(t.Now), size.Width
	if !t.Until.IsZero() {
		until = w.x(t.Until)
	}
	w.bar(0, size.Width, ColorOf(Spent))
	if !t.Past {
		w.bar(max(0, now-Em(6)), until, alpha(ColorOf(t.Color), 0x59)) // it has not come yet
	}
	w.bar(0, now, ColorOf(t.Color))
	for _, at := range t.Marks {
		w.mark(w.x(at))
	}
	w.pole(now, Ink)

	// Words stand above their poles and below the ends. What would touch another is
	// left out, last things first.
	low := size.Height - Em(17)
	if !t.Until.IsZero() && t.AtUntil != "" {
		w.pole(until, t.Color)
		w.label(t.AtUntil, t.Color, until, 0)
	}
	above := w.label(t.AtNow, Ink, now, 0)
	w.label(t.AtEnd, Dim, size.Width, low)
	w.label(t.AtStart, Dim, 0, low)
	if !above {
		w.label(t.AtNow, Ink, now, low)
	}
}

// A way is a runway while it is drawn.
type way struct {
	d      *drawing
	size   fyne.Size
	track  Track
	labels []fyne.CanvasObject
}

// x is where on the line a time is.
func (w *way) x(at time.Time) float32 {
	part := at.Sub(w.track.Start).Seconds() / w.track.End.Sub(w.track.Start).Seconds()
	return w.size.Width * float32(min(max(0, part), 1))
}

// bar draws a part of the line.
func (w *way) bar(from, to float32, c color.Color) {
	thick := Em(6)
	w.d.rectangle(fyne.NewPos(from, (w.size.Height-thick)/2), fyne.NewSize(to-from, thick), c, thick/2)
}

// mark draws a small circle on the line.
func (w *way) mark(at float32) {
	wide := Em(9)
	c := canvas.NewCircle(ColorOf(Card))
	c.StrokeColor, c.StrokeWidth = ColorOf(w.track.Color), Em(2.5)
	c.Resize(fyne.NewSquareSize(wide))
	c.Move(fyne.NewPos(w.within(at, wide), (w.size.Height-wide)/2))
	w.d.objects = append(w.d.objects, c)
}

// pole draws an upright line.
func (w *way) pole(at float32, color fyne.ThemeColorName) {
	tall := Em(22)
	w.d.rectangle(fyne.NewPos(w.within(at, 2), (w.size.Height-tall)/2), fyne.NewSize(2, tall), ColorOf(color), 0)
}

// label writes words at a place, y below the top, unless they would touch others or
// there is no room. It reports whether it did.
func (w *way) label(words string, color fyne.ThemeColorName, at, y float32) bool {
	t := canvas.NewText(words, ColorOf(color))
	t.TextSize = theme.Current().Size(SizeCaption)
	size := t.MinSize()
	if words == "" || size.Width > w.size.Width {
		return false
	}
	t.Resize(size)
	t.Move(fyne.NewPos(w.within(at, size.Width), y))
	from, to := t.Position().X-GapSmall, t.Position().X+size.Width+GapSmall
	for _, o := range w.labels {
		if o.Position().Y == y && o.Position().X < to && from < o.Position().X+o.Size().Width {
			return false
		}
	}
	w.labels, w.d.objects = append(w.labels, t), append(w.d.objects, t)
	return true
}

// within is where something so wide begins whose middle is to be at x: nothing
// sticks out.
func (w *way) within(x, wide float32) float32 {
	return min(max(0, x-wide/2), w.size.Width-wide)
}
