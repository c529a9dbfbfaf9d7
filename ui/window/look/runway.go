package look

import (
	"image/color"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
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
	span := t.End.Sub(t.Start).Seconds()
	if span <= 0 || size.Width < Em(60) {
		return
	}
	thick, mark, tall := Em(6), Em(9), Em(22)
	middle := size.Height / 2
	x := func(at time.Time) float32 {
		return size.Width * float32(min(max(0, at.Sub(t.Start).Seconds()/span), 1))
	}
	bar := func(from, to float32, c color.Color) {
		d.rectangle(fyne.NewPos(from, middle-thick/2), fyne.NewSize(to-from, thick), c, thick/2)
	}
	today, until := x(t.Now), size.Width
	bar(0, size.Width, ColorOf(Spent))
	if !t.Until.IsZero() {
		until = x(t.Until)
	}
	if !t.Past {
		bar(max(0, today-thick), until, alpha(ColorOf(t.Color), 0x59)) // it has not come yet
	}
	bar(0, today, ColorOf(t.Color))
	for _, at := range t.Marks {
		c := canvas.NewCircle(ColorOf(Card))
		c.StrokeColor, c.StrokeWidth = ColorOf(t.Color), Em(2.5)
		c.Resize(fyne.NewSquareSize(mark))
		c.Move(fyne.NewPos(min(max(0, x(at)-mark/2), size.Width-mark), middle-mark/2))
		d.objects = append(d.objects, c)
	}
	pole := func(at float32, color fyne.ThemeColorName) {
		d.rectangle(fyne.NewPos(min(max(0, at-1), size.Width-2), middle-tall/2), fyne.NewSize(2, tall), ColorOf(color), 0)
	}
	pole(today, Ink)

	// Words stand above their marks and below the ends; what would touch another
	// is left out, last things first.
	var taken []fyne.CanvasObject
	label := func(words string, color fyne.ThemeColorName, at, y float32) bool {
		w := canvas.NewText(words, ColorOf(color))
		w.TextSize = r.Theme().Size(SizeCaption)
		m := w.MinSize()
		w.Resize(m)
		w.Move(fyne.NewPos(min(max(0, at-m.Width/2), size.Width-m.Width), y))
		for _, o := range taken {
			if o.Position().Y == y && o.Position().X < w.Position().X+m.Width+GapSmall && w.Position().X < o.Position().X+o.Size().Width+GapSmall {
				return false
			}
		}
		if words == "" || m.Width > size.Width {
			return false
		}
		taken, d.objects = append(taken, w), append(d.objects, w)
		return true
	}
	low := size.Height - Em(17)
	if !t.Until.IsZero() && t.AtUntil != "" {
		pole(until, t.Color)
		label(t.AtUntil, t.Color, until, 0)
	}
	above := label(t.AtNow, Ink, today, 0)
	label(t.AtEnd, Dim, size.Width, low)
	label(t.AtStart, Dim, 0, low)
	if !above {
		label(t.AtNow, Ink, today, low)
	}
}
