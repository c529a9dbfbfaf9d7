package look

import (
	"image/color"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"
)

func TestTextFitsItsWidth(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(NewTheme(Dark))
	for _, words := range []string{
		"", "short", "a few words that do not fit on one line of this width",
		strings.Repeat("x", 300), strings.Repeat("Wörter ", 900), "日本語の長い名前" + strings.Repeat("字", 80),
		"line\nbreak\tand \x1b[31mcontrol\x00",
	} {
		for _, width := range []float32{1, 30, 90, 200} {
			line := NewLine(words, SizeText, Ink)
			para := NewPara(words, SizeText, Ink)
			if got := line.lines(width); len(got) > 1 || len(got) == 1 && width >= 30 && line.measure(got[0]).Width > width+.5 {
				t.Errorf("a line of %v is %q, %v wide", width, got, line.measure(strings.Join(got, "")).Width)
			}
			lines := para.lines(width)
			for _, got := range lines {
				if len([]rune(got)) > 1 && para.measure(got).Width > width+.5 {
					t.Errorf("a paragraph of %v has the line %q", width, got)
				}
			}
			if got := strings.ReplaceAll(strings.Join(lines, ""), " ", ""); got != strings.ReplaceAll(para.words, " ", "") {
				t.Errorf("wrapping at %v lost words: %q of %q", width, got, para.words)
			}
			if len(para.words) > 0 && strings.ContainsAny(para.words, "\n\t\x00\x1b") {
				t.Errorf("control characters reach the screen: %q", para.words)
			}
		}
	}
}

func TestParagraphKeepsItsTailAndItsBound(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(NewTheme(Dark))
	words := "refreshed, 6 of 20, for spotify-tui"
	para := NewPara(words, SizeText, Ink).Tied("for spotify-tui")
	wide := para.Natural() + 1
	for width, want := range map[float32][]string{
		wide:      {words},
		wide - 10: {"refreshed, 6 of 20,", "for spotify-tui"},
	} {
		if got := para.lines(width); !slices.Equal(got, want) {
			t.Errorf("at %v: %q, want %q", width, got, want)
		}
	}
	para.Say("something else entirely") // the tail is not its end any more
	if got := strings.Join(para.lines(40), " "); strings.Contains(got, "spotify") {
		t.Errorf("a tail that is gone is shown: %q", got)
	}
	bound := NewPara(strings.Repeat("word ", 40), SizeText, Ink).AtMost(3)
	got := bound.lines(100)
	if len(got) != 3 || !strings.HasSuffix(got[2], "…") || bound.measure(got[2]).Width > 100.5 {
		t.Errorf("three lines of 100 are %q", got)
	}
}

func TestRowSharesItsWidth(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(NewTheme(Dark))
	name, who := NewLine(strings.Repeat("name ", 40), SizeText, Ink), NewLine("who", SizeText, Ink)
	pressed := NewText("button", SizeText, Ink)
	r := Row(10, name, who, pressed)
	r.Resize(fyne.NewSize(300, 30))
	if got := pressed.Position().X + pressed.Size().Width; got > 300.5 {
		t.Errorf("the row is %v wide, want 300", got)
	}
	if pressed.Size().Width < pressed.Natural() {
		t.Error("what may not shrink was shortened")
	}
	who.Say("somebody else") // shares out again at once
	if got := pressed.Position().X + pressed.Size().Width; got > 300.5 {
		t.Errorf("after a change the row is %v wide, want 300", got)
	}
}

func TestRingNeedsNoRedrawForASecond(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(NewTheme(Dark))
	r := NewRing(90, 10)
	r.Set(.7, OK)
	arc := test.WidgetRenderer(r).Objects()[1]
	for _, c := range []struct {
		left   float64
		hidden bool
	}{{0, true}, {-1, true}, {1e-9, false}, {.5, false}, {1, false}, {7, false}} {
		r.Set(c.left, OK)
		if arc.Visible() == c.hidden {
			t.Errorf("at %v the arc's visibility is %v", c.left, arc.Visible())
		}
		if r.left < 0 || r.left > 1 {
			t.Errorf("%v became %v", c.left, r.left)
		}
	}
}

func TestPalettesAreComplete(t *testing.T) {
	for name := range dark {
		if _, ok := light[name]; !ok {
			t.Errorf("light has no %s", name)
		}
	}
	if len(dark) != len(light) {
		t.Errorf("dark has %d colours, light %d", len(dark), len(light))
	}
}

func TestAppearance(t *testing.T) {
	test.NewTempApp(t)
	for _, c := range []struct {
		appearance Appearance
		variant    fyne.ThemeVariant
		want       Palette
	}{
		{System, theme.VariantDark, dark}, {System, theme.VariantLight, light}, {"", theme.VariantLight, light},
		{Dark, theme.VariantLight, dark}, {Light, theme.VariantDark, light},
	} {
		if got := NewTheme(c.appearance).Color(theme.ColorNameBackground, c.variant); got != color.Color(c.want[theme.ColorNameBackground]) {
			t.Errorf("%q on a desktop of variant %d is %v", c.appearance, c.variant, got)
		}
	}
	if NewTheme(System).Color("nobody's", theme.VariantDark) == nil {
		t.Error("an unknown colour is nil")
	}
}

// TestRunwayStaysInside draws sane and insane runways in every size.
func TestRunwayStaysInside(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(NewTheme(Dark))
	const day = 24 * time.Hour
	noon := time.Date(2026, time.November, 22, 9, 41, 0, 0, time.UTC)
	at := func(days float64) time.Time { return noon.Add(time.Duration(days * float64(day))) }
	long := strings.Repeat("words ", 40)
	for name, track := range map[string]Track{
		"usual":         {Start: at(-7), Now: noon, End: at(23), Until: at(12), Marks: []time.Time{at(-5), at(-1)}},
		"just begun":    {Start: noon, Now: noon, End: at(30), Until: at(30)},
		"ends now":      {Start: at(-30), Now: noon, End: noon, Until: noon},
		"past":          {Start: at(-12), Now: at(-1), End: at(18), Past: true},
		"marks outside": {Start: at(-1), Now: noon, End: at(1), Marks: []time.Time{at(-9), at(9)}},
		"now outside":   {Start: at(1), Now: noon, End: at(2), Until: at(9)},
		"backwards":     {Start: at(1), Now: noon, End: at(-1)},
		"nothing":       {},
	} {
		for _, words := range []string{"", "12 Dec", long} {
			for _, width := range []float32{1, 120, 300, 1200} {
				track.Color, track.AtStart, track.AtNow, track.AtUntil, track.AtEnd = OK, words, words, words, words
				r := NewRunway()
				size := fyne.NewSize(width, r.MinSize().Height)
				r.Resize(size)
				r.Set(track)
				for _, o := range test.WidgetRenderer(r).Objects() {
					p, z := o.Position(), o.Position().Add(o.Size())
					if p.X < -1 || p.Y < -1 || z.X > size.Width+1 || z.Y > size.Height+1 {
						t.Errorf("%s, %q, at %v: %T from %v to %v", name, words, size, o, p, z)
					}
				}
			}
		}
	}
}

// TestRunwayNames the flag and the end to those who do not see them.
func TestRunwayNames(t *testing.T) {
	test.NewTempApp(t)
	for want, track := range map[string]Track{"about 4 Dec. ends 15 Dec": {AtUntil: "about 4 Dec", AtEnd: "ends 15 Dec"}, "ends 15 Dec": {AtEnd: "ends 15 Dec"}, "": {}} {
		r := NewRunway()
		if r.Set(track); r.AccessibilityLabel() != want {
			t.Errorf("%q, want %q", r.AccessibilityLabel(), want)
		}
	}
}

func TestSegmentsCanBeCounted(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(NewTheme(Dark))
	for _, c := range []struct{ left, of int }{{14, 20}, {0, 20}, {20, 20}, {23, 30}, {0, 0}} {
		s := NewSegments()
		s.Resize(fyne.NewSize(400, 14))
		s.Set(c.left, c.of, OK)
		bright, all := 0, test.WidgetRenderer(s).Objects()
		for _, o := range all {
			if o.(*canvas.Rectangle).FillColor == color.Color(ColorOf(OK)) {
				bright++
			}
		}
		if bright != c.left || len(all) != c.of {
			t.Errorf("%d of %d is drawn as %d of %d", c.left, c.of, bright, len(all))
		}
	}
}

// TestWrapGrid and the others keep what they hold inside, and apart.
func TestLayoutsKeepThingsApart(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(NewTheme(Dark))
	some := func(n int) (all []fyne.CanvasObject) {
		for range n {
			all = append(all, NewText("some words", SizeText, Ink))
		}
		return all
	}
	for name, c := range map[string]*fyne.Container{
		"wrap": Wrap(some(7)...), "shares": Shares(100, some(3)...), "column": Column(8, some(3)...), "row": Row(8, some(2)...),
		"aside": Aside(16, some(1)[0], some(1)...), "prompt": Prompt(NewPara("many words that want room", SizeText, Ink), some(2)...),
	} {
		for _, width := range []float32{180, 260, 600} {
			c.Resize(fyne.NewSize(width, 0))
			c.Resize(fyne.NewSize(width, c.MinSize().Height)) // what wraps knows its height now
			for i, a := range c.Objects {
				if a.Position().X < 0 || a.Position().X+a.Size().Width > width+.5 || a.Position().Y+a.Size().Height > c.Size().Height+.5 {
					t.Errorf("%s at %v: object %d is at %v of %v", name, width, i, a.Position(), a.Size())
				}
				for j, b := range c.Objects[:i] {
					if a.Position().X < b.Position().X+b.Size().Width && b.Position().X < a.Position().X+a.Size().Width &&
						a.Position().Y < b.Position().Y+b.Size().Height && b.Position().Y < a.Position().Y+a.Size().Height {
						t.Errorf("%s at %v: objects %d and %d overlap", name, width, j, i)
					}
				}
			}
		}
	}
}

// TestNothingIsDrawnAgain: what is told the same again does nothing.
func TestNothingIsDrawnAgain(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(NewTheme(Dark))
	now := time.Date(2026, time.November, 22, 9, 41, 0, 0, time.UTC)
	track := Track{Start: now.Add(-time.Hour), Now: now, End: now.Add(time.Hour), Color: OK}
	runway, segments := NewRunway(), NewSegments()
	set := func() { runway.Set(track); segments.Set(3, 5, OK) }
	for _, w := range []fyne.Widget{runway, segments} {
		w.Resize(fyne.NewSize(300, 60))
		set()
		before := test.WidgetRenderer(w).Objects()[0]
		track.Now = now.Add(time.Second)
		if set(); test.WidgetRenderer(w).Objects()[0] != before {
			t.Errorf("%T is drawn again", w)
		}
		track.Color = Warn
		segments.Set(2, 5, OK)
		if runway.Set(track); test.WidgetRenderer(w).Objects()[0] == before {
			t.Errorf("%T shows what was before", w)
		}
		track.Now, track.Color = now, OK
	}
}

// TestRenderersCanBeReplaced: Fyne throws the renderers of what was hidden for a
// minute away. A new one is told to refresh, and never a size.
func TestRenderersCanBeReplaced(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(NewTheme(Dark))
	ring, runway, segments := NewRing(90, 10), NewRunway(), NewSegments()
	ring.Set(.4, OK)
	segments.Set(2, 5, OK)
	now := time.Now()
	runway.Set(Track{Start: now.Add(-time.Hour), Now: now, End: now.Add(time.Hour), Color: OK, AtNow: "today"})
	for _, w := range []fyne.Widget{NewCard(NewText("words", SizeText, Ink)), NewPara("words that need two lines", SizeText, Ink), ring, runway, segments} {
		w.Resize(fyne.NewSize(100, 90))
		old := test.WidgetRenderer(w).Objects()
		again := w.CreateRenderer()
		again.Refresh()
		if len(old) == 0 || len(again.Objects()) != len(old) {
			t.Fatalf("%T has %d objects, and then %d", w, len(old), len(again.Objects()))
		}
		for i, o := range again.Objects() {
			if o.Size() != old[i].Size() || o.Position() != old[i].Position() {
				t.Errorf("a new renderer of %T has %T at %v of %v, want %v of %v", w, o, o.Position(), o.Size(), old[i].Position(), old[i].Size())
			}
		}
	}
}
