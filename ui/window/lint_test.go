package window

import (
	"fmt"
	"image/color"
	"image/png"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"curfew/ui/window/look"
)

// A box is a rectangle of the canvas.
type box struct{ left, top, right, bottom float32 }

func (b box) meet(c box) box {
	return box{max(b.left, c.left), max(b.top, c.top), min(b.right, c.right), min(b.bottom, c.bottom)}
}

func (b box) empty() bool { return b.right <= b.left || b.bottom <= b.top }

func (b box) inset(x, y float32) box { return box{b.left + x, b.top + y, b.right - x, b.bottom - y} }

func (b box) String() string {
	r := func(v float32) int { return int(math.Round(float64(v))) }
	return fmt.Sprintf("%d,%d %dx%d", r(b.left), r(b.top), r(b.right-b.left), r(b.bottom-b.top))
}

// A mark is something that is drawn: where, in what room, and seen through
// which window.
type mark struct {
	object fyne.CanvasObject // of package canvas
	at     box               // what it covers; of words, what the letters do
	room   box               // what holds it: it must not stick out
	seen   box               // the part of the canvas in which it can be seen now
	path   string            // the widgets it is in, for messages
	layer  int               // what is lifted is above all else
}

// A surveyed canvas is all that is drawn on it, first to last, and what has
// less room than it needs.
type surveyed struct {
	canvas   box
	marks    []mark
	squeezed []string // the innermost
	short    []string // words of ours that were shortened
	layer    int      // of what is walked over now
}

// survey walks over all that can be seen on c, as a painter does.
func survey(c fyne.Canvas) surveyed {
	s := surveyed{canvas: box{0, 0, c.Size().Width, c.Size().Height}}
	s.walk(c.Content(), fyne.Position{}, s.canvas, s.canvas, "")
	return s
}

// far is further than any content scrolls.
const far = 1e6

func (s *surveyed) walk(o fyne.CanvasObject, origin fyne.Position, room, seen box, path string) {
	if o == nil || !o.Visible() {
		return
	}
	at := origin.Add(o.Position())
	bounds := box{at.X, at.Y, at.X + o.Size().Width, at.Y + o.Size().Height}
	inside := func(children []fyne.CanvasObject, room box, path string) {
		for _, c := range children {
			s.walk(c, at, room, seen, path)
		}
	}
	before := len(s.squeezed)
	defer func() {
		_, round := o.(*look.Ring) // a ring fills what it gets, and so does the eye in a field of Fyne's
		round = round || fmt.Sprintf("%T", o) == "*widget.passwordRevealer"
		if least := o.MinSize(); !round && len(s.squeezed) == before && (least.Width > o.Size().Width+1 || least.Height > o.Size().Height+1) {
			s.squeezed = append(s.squeezed, fmt.Sprintf("%s/%T at %s needs %.0fx%.0f", path, o, bounds, least.Width, least.Height))
		}
	}()
	switch o := o.(type) {
	case *fyne.Container:
		inside(o.Objects, room.meet(bounds), path)
	case *container.Scroll:
		seen = seen.meet(bounds)
		room := room.meet(bounds)
		switch o.Direction { // what scrolls may be longer than what holds it
		case container.ScrollVerticalOnly:
			room.top, room.bottom = -far, far
		case container.ScrollHorizontalOnly:
			room.left, room.right = -far, far
		default:
			room = box{-far, -far, far, far}
		}
		s.walk(o.Content, at, room, seen, path)
	case fyne.Widget:
		if p, ok := o.(*look.Panel); ok && p.Lifted {
			s.layer++
			defer func() { s.layer-- }()
		}
		if t, ok := o.(*look.Text); ok {
			if lines := test.WidgetRenderer(t).Objects(); len(lines) == 1 && lines[0].(*canvas.Text).Text != t.Words() {
				s.short = append(s.short, lines[0].(*canvas.Text).Text)
			}
		}
		inside(test.WidgetRenderer(o).Objects(), room.meet(bounds), strings.TrimPrefix(fmt.Sprintf("%s/%T", path, o), "/"))
	case *canvas.Text:
		size := o.MinSize()
		switch o.Alignment {
		case fyne.TextAlignTrailing:
			bounds.left = bounds.right - size.Width
		case fyne.TextAlignCenter:
			middle := (bounds.left + bounds.right) / 2
			bounds.left, bounds.right = middle-size.Width/2, middle+size.Width/2
		}
		bounds.right = bounds.left + size.Width
		bounds.top = (bounds.top + bounds.bottom - size.Height) / 2
		bounds.bottom = bounds.top + size.Height
		if o.Text != "" {
			s.marks = append(s.marks, mark{o, bounds, room, seen, path, s.layer})
		}
	default:
		s.marks = append(s.marks, mark{o, bounds, room, seen, path, s.layer})
	}
}

// faults lists what a person would call clipped, overlapping or lost.
func (s surveyed) faults() []string {
	var faults []string
	complain := func(m mark, format string, args ...any) {
		faults = append(faults, fmt.Sprintf("%s %q at %s: ", m.path, m.object.(*canvas.Text).Text, m.at)+fmt.Sprintf(format, args...))
	}
	for _, q := range s.squeezed {
		faults = append(faults, "squeezed: "+q)
	}
	for i, m := range s.marks {
		words, ok := m.object.(*canvas.Text)
		if !ok {
			continue
		}
		const slack = 1 // a pixel of rounding
		if room := m.room; m.at.left < room.left-slack || m.at.right > room.right+slack || m.at.top < room.top-slack || m.at.bottom > room.bottom+slack {
			complain(m, "sticks out of what holds it, %s", room)
		}
		if m.at.left < s.canvas.left-slack || m.at.right > s.canvas.right+slack {
			complain(m, "is not all on the canvas")
		}
		if width := words.Size().Width; words.MinSize().Width > width+slack {
			complain(m, "is wider than the %.0f it has", width)
		}
		// Fonts leave air above and below the letters.
		letters := m.at.inset(.5, words.TextSize/5).meet(m.seen)
		if letters.empty() {
			continue
		}
		for _, other := range s.marks { // a line is as bad before as behind
			at := other.at.meet(m.at.inset(.5, words.TextSize/4))
			if r, ok := other.object.(*canvas.Rectangle); ok && other.layer == m.layer && min(r.Size().Width, r.Size().Height) <= 3 && !at.empty() {
				complain(m, "a line at %s goes through it", other.at)
			}
		}
		for _, other := range s.marks[i+1:] {
			if other.layer != m.layer { // a note is above the page
				continue
			}
			what := ""
			switch o := other.object.(type) {
			case *canvas.Text:
				if !other.at.inset(.5, o.TextSize/5).meet(other.seen).meet(letters).empty() {
					what = fmt.Sprintf("the words %q", o.Text)
				}
			case *canvas.Rectangle:
				if _, _, _, alpha := colorOf(o.FillColor).RGBA(); alpha == 0xffff && !other.at.meet(other.seen).meet(letters).empty() {
					what = "a rectangle"
				}
			case *canvas.Circle:
				if !other.at.meet(other.seen).meet(letters).empty() {
					what = "a circle"
				}
			case *canvas.Image:
				if !other.at.meet(other.seen).meet(letters).empty() {
					what = "a picture"
				}
			}
			if what != "" {
				complain(m, "%s at %s lies over it", what, other.at)
			}
		}
	}
	return faults
}

func colorOf(c color.Color) color.Color {
	if c == nil {
		return color.Transparent
	}
	return c
}

// markup says in lines what is drawn where: words, and shapes with their colours
// by name. What scrolls out of sight is there too.
func markup(s surveyed, a look.Appearance) string {
	p := look.Colors(a)
	names := slices.Sorted(maps.Keys(p))
	colour := func(c color.Color) string {
		n := color.NRGBAModel.Convert(colorOf(c)).(color.NRGBA)
		for _, name := range names {
			if p[name] == n {
				return string(name)
			}
		}
		return fmt.Sprintf("#%02x%02x%02x%02x", n.R, n.G, n.B, n.A)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "canvas %s\n", s.canvas)
	path := ""
	for _, m := range s.marks {
		if m.path != path {
			path = m.path
			fmt.Fprintf(&b, "%s\n", strings.NewReplacer("*window.", "", "*look.", "", "*control.", "").Replace(path))
		}
		switch o := m.object.(type) {
		case *canvas.Text:
			style := ""
			if o.TextStyle.Bold {
				style = " bold"
			}
			fmt.Fprintf(&b, "  %q %s size %g%s %s\n", o.Text, m.at, o.TextSize, style, colour(o.Color))
		case *canvas.Rectangle:
			fill, line := colour(o.FillColor), ""
			if o.StrokeWidth > 0 && colorOf(o.StrokeColor) != color.Transparent {
				line = fmt.Sprintf(" edge %g %s", o.StrokeWidth, colour(o.StrokeColor))
			}
			if _, _, _, alpha := colorOf(o.FillColor).RGBA(); alpha > 0 || line != "" {
				fmt.Fprintf(&b, "  rectangle %s %s%s\n", m.at, fill, line)
			}
		case *canvas.Arc:
			fmt.Fprintf(&b, "  arc %s %s to %.0f°\n", m.at, colour(o.FillColor), o.EndAngle)
		case *canvas.Circle:
			fmt.Fprintf(&b, "  circle %s %s\n", m.at, colour(o.FillColor))
		case *canvas.Image:
			name := "none"
			if o.Resource != nil {
				name = o.Resource.Name()
			}
			fmt.Fprintf(&b, "  picture %s %s\n", m.at, name)
		}
	}
	return b.String()
}

func encode(w io.Writer, c fyne.Canvas) error { return png.Encode(w, c.Capture()) }

// TestLayout goes over every state in every size of window and of text, and
// finds no words that are clipped, overlap, are lost or can hardly be read.
func TestLayout(t *testing.T) {
	for _, l := range []viewing{
		{look.Dark, usual, 1, ""}, {look.Light, small, 1, ""}, {look.Light, usual, 1, "de"}, {look.Dark, small, 1, "de"}, {look.Dark, usual, 1, "fr"}, {look.Light, fyne.NewSize(sidesFrom, 600), 1, "fr"}, {look.Light, fyne.NewSize(sidesFrom, 600), 1, "de"}, {look.Light, fyne.NewSize(sidesFrom, 600), 1, ""}, {look.Dark, large, 1.5, "de"}, {look.Dark, largest, 2, ""},
	} {
		t.Run(fmt.Sprintf("%.0fx%.0f text %g %s", l.size.Width, l.size.Height, l.text, l.language), func(t *testing.T) {
			dress(t, l)
			for _, s := range states() {
				t.Run(s.name, func(t *testing.T) {
					drawn := survey(s.set(t, l).window.Canvas())
					if len(drawn.marks) < 10 {
						t.Fatalf("only %d things are drawn", len(drawn.marks))
					}
					p := look.Colors(l.appearance)
					for _, f := range append(drawn.faults(), drawn.faint(p)...) {
						t.Error(f)
					}
					if l.text == 1 && l.size.Width >= usual.Width && !s.long {
						for _, words := range drawn.short {
							t.Errorf("%q is shortened in a window of the usual size", words)
						}
					}
				})
			}
		})
	}
}

// TestLayoutFindsFaults plants each kind of fault.
func TestLayoutFindsFaults(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(look.NewTheme(look.Dark))
	label := func(words string, x, y, width float32) fyne.CanvasObject {
		l := canvas.NewText(words, color.White)
		l.Resize(fyne.NewSize(width, l.MinSize().Height))
		l.Move(fyne.NewPos(x, y))
		return l
	}
	at := func(o fyne.CanvasObject, x, y, width, height float32) fyne.CanvasObject {
		o.Resize(fyne.NewSize(width, height))
		o.Move(fyne.NewPos(x, y))
		return o
	}
	for _, c := range []struct {
		name, want string
		content    []fyne.CanvasObject
	}{
		{"nothing", "", []fyne.CanvasObject{label("one", 0, 0, 100), label("two", 0, 30, 100)}},
		{"no room", "wider than the 20 it has", []fyne.CanvasObject{label("more than twenty pixels", 0, 0, 20)}},
		{"off the canvas", "not all on the canvas", []fyne.CanvasObject{label("far away", 380, 0, 100)}},
		{"out of its panel", "sticks out", []fyne.CanvasObject{at(look.NewPanel(look.Card, "", 0, container.NewWithoutLayout(label("below the panel", 0, 20, 150))), 0, 0, 200, 30)}},
		{"over each other", "the words", []fyne.CanvasObject{label("one", 0, 0, 100), label("two", 10, 8, 100)}},
		{"struck out", "goes through it", []fyne.CanvasObject{at(canvas.NewRectangle(color.White), 10, 0, 2, 40), label("one", 0, 10, 100)}},
		{"covered", "a rectangle", []fyne.CanvasObject{label("one", 0, 0, 100), at(canvas.NewRectangle(color.White), 10, 5, 50, 50)}},
		{"squeezed", "squeezed", []fyne.CanvasObject{at(widget.NewButton("a button of some width", nil), 0, 0, 40, 30)}},
		{"beside a scroll", "sticks out", []fyne.CanvasObject{at(container.NewVScroll(container.NewWithoutLayout(label("wider than what scrolls it", 60, 0, 200))), 0, 0, 100, 100)}},
		{"below a scroll", "", []fyne.CanvasObject{at(container.NewVScroll(container.New(layout.NewCustomPaddedLayout(300, 0, 0, 0), label("further down", 0, 0, 90))), 0, 0, 100, 100)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := test.NewTempWindow(t, container.NewWithoutLayout(c.content...))
			w.SetPadded(false)
			w.Resize(fyne.NewSize(400, 200))
			got := strings.Join(survey(w.Canvas()).faults(), "\n")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("faults %q, want %q", got, c.want)
			}
		})
	}
	pale := label("pale", 0, 0, 100)
	pale.(*canvas.Text).Color = color.NRGBA{0x55, 0x55, 0x55, 0xff}
	if got := survey(test.NewTempWindow(t, container.NewWithoutLayout(pale)).Canvas()).faint(look.Colors(look.Dark)); len(got) != 1 {
		t.Errorf("pale words: %q, want one fault", got)
	}
	line := look.NewLine("words that are many more than there is room for", look.SizeText, look.Ink)
	w := test.NewTempWindow(t, container.NewWithoutLayout(at(line, 0, 0, 60, 20)))
	if got := survey(w.Canvas()).short; len(got) != 1 {
		t.Errorf("shortened words: %q, want one line", got)
	}
}

// ground is the colour behind the middle of mark i.
func (s surveyed) ground(i int, p look.Palette) color.NRGBA {
	ground, m := p[theme.ColorNameBackground], s.marks[i]
	x, y := (m.at.left+m.at.right)/2, (m.at.top+m.at.bottom)/2
	for _, under := range s.marks[:i] {
		r, ok := under.object.(*canvas.Rectangle)
		if !ok || under.layer > m.layer || x < under.at.left || x > under.at.right || y < under.at.top || y > under.at.bottom {
			continue
		}
		ground = over(color.NRGBAModel.Convert(colorOf(r.FillColor)).(color.NRGBA), ground)
	}
	return ground
}

// faint lists the words whose contrast is below AA of WCAG 2.2: 4.5, or 3 where
// they are large. It does not ask it of what cannot be used now.
func (s surveyed) faint(p look.Palette) (faults []string) {
	for i, m := range s.marks {
		words, ok := m.object.(*canvas.Text)
		if !ok || color.NRGBAModel.Convert(words.Color) == color.Color(p[theme.ColorNameDisabled]) {
			continue
		}
		want := 4.5
		if words.TextSize >= 24 || words.TextStyle.Bold && words.TextSize >= 18.66 {
			want = 3
		}
		ink := color.NRGBAModel.Convert(words.Color).(color.NRGBA)
		if got := contrast(ink, s.ground(i, p)); got < want {
			faults = append(faults, fmt.Sprintf("%s %q at %s has a contrast of %.1f, want %v", m.path, words.Text, m.at, got, want))
		}
	}
	return faults
}

// TestNoCommands goes over every state and finds command lines: a window names its
// buttons. Only the line to copy for a tool is one.
func TestNoCommands(t *testing.T) {
	l := viewing{look.Dark, usual, 1, ""}
	dress(t, l)
	command := regexp.MustCompile("`curfew|^curfew |: curfew [a-z]")
	for _, s := range states() {
		t.Run(s.name, func(t *testing.T) {
			v := s.set(t, l)
			for _, words := range texts(v) {
				if command.MatchString(words) && words != v.account.exec.Words() {
					t.Errorf("%q", words)
				}
			}
		})
	}
}

// The facts that are said in more than one place, and how.
var facts = map[string]*regexp.Regexp{
	"refreshes left": regexp.MustCompile(`(\d+) of \d+ refresh|^(\d+) left|, (\d+) left$|uses 1 of (\d+) left`),
	"end":            regexp.MustCompile(`until (?:about )?(?:today, )?(?:[A-Z][a-z]{2} )?(\d+ [A-Z][a-z]{2}|\d\d:\d\d)|refreshes end, about (\d+ [A-Z][a-z]{2}|\d\d:\d\d)`),
	"last token":     regexp.MustCompile(`^(\d+:\d\d) left of the last token`),
	"days left":      regexp.MustCompile(`(\d+) of \d+ days left`),
}

// contradictions lists the facts of the selected account of which s says more
// than one thing: in its row, on its page, in its menu and by its segments.
func contradictions(s *screen) (faults []string) {
	a := s.account
	said := []string{a.hero.number.Words() + " " + a.hero.what.Words(), a.hero.other.Words() + " " + a.hero.otherWhat.Words(), a.hero.until.Words(), a.hero.runway.Track().AtUntil}
	if lead := a.hero.segments; lead.Left() > 0 && strings.Contains(a.hero.what.Words(), "refresh") {
		said = append(said, fmt.Sprintf("%d left", lead.Left()))
	}
	for _, r := range s.side.list.rows {
		if r.selected {
			said = append(said, r.line.Words())
		}
	}
	for _, d := range a.deeds() {
		said = append(said, d.Words)
	}
	for _, line := range a.recent.shown {
		if strings.HasPrefix(line.Words, "refreshed") {
			said = append(said, line.Words)
			break // those before had more
		}
	}
	if token, ok := strings.CutPrefix(a.access.Words(), "valid for "); ok && strings.Contains(a.hero.what.Words(), "last token") {
		said = append(said, token+" left of the last token")
	}
	for fact, how := range facts {
		values := map[string]string{}
		for _, words := range said {
			for _, found := range how.FindAllStringSubmatch(words, -1) {
				values[strings.Join(found[1:], "")] = words
			}
		}
		if len(values) > 1 {
			faults = append(faults, fmt.Sprintf("%s: %q", fact, values))
		}
	}
	return faults
}

// TestContradictions goes over every state, and finds no fact of which two
// places say different things.
func TestContradictions(t *testing.T) {
	l := viewing{look.Dark, usual, 1, ""}
	dress(t, l)
	looked := 0
	for _, s := range states() {
		t.Run(s.name, func(t *testing.T) {
			v := s.set(t, l)
			if !v.account.root.Visible() || !v.account.hero.root.Visible() {
				return
			}
			looked++
			for _, f := range contradictions(v) {
				t.Error(f)
			}
		})
	}
	if looked < 10 && !raceDetector {
		t.Errorf("only %d states have a live session", looked)
	}
	v := still(t, l, spotify())
	v.side.list.rows[0].line.Say("13 left, until 9 Dec")
	if got := contradictions(v); len(got) != 2 {
		t.Errorf("of a row with another number and another day is found %q", got)
	}
}
