package window

import (
	"fmt"
	"image/color"
	"math"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"
)

// luminance is the relative luminance of WCAG 2.2.
func luminance(c color.NRGBA) float64 {
	linear := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= .04045 {
			return s / 12.92
		}
		return math.Pow((s+.055)/1.055, 2.4)
	}
	return .2126*linear(c.R) + .7152*linear(c.G) + .0722*linear(c.B)
}

func contrast(a, b color.NRGBA) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + .05) / (min(x, y) + .05)
}

// over lays a translucent colour over an opaque one.
func over(top, under color.NRGBA) color.NRGBA {
	mix := func(a, b uint8) uint8 { return uint8((int(a)*int(top.A) + int(b)*(255-int(top.A))) / 255) }
	return color.NRGBA{mix(top.R, under.R), mix(top.G, under.G), mix(top.B, under.B), 255}
}

// TestContrast keeps the palette at WCAG 2.2 level AA: 4.5 for words
// (criterion 1.4.3), 3 for what must be seen to use it (1.4.11).
func TestContrast(t *testing.T) {
	if got := contrast(rgb(0xffffff), rgb(0x767676)); math.Abs(got-4.54) > .01 {
		t.Fatalf("contrast of white and #767676 is %.2f, want 4.54", got)
	}
	words := map[fyne.ThemeColorName][]fyne.ThemeColorName{
		colorInk:                           {theme.ColorNameBackground, colorSide, colorCard, theme.ColorNameButton, theme.ColorNameInputBackground, theme.ColorNameMenuBackground},
		colorDim:                           {theme.ColorNameBackground, colorSide, colorCard},
		colorOK:                            {theme.ColorNameBackground, colorCard},
		colorTime:                          {theme.ColorNameBackground, colorCard},
		colorWarn:                          {theme.ColorNameBackground, colorSide, colorCard},
		colorBad:                           {theme.ColorNameBackground, colorSide, colorCard},
		theme.ColorNamePlaceHolder:         {theme.ColorNameInputBackground},
		theme.ColorNameForegroundOnPrimary: {theme.ColorNamePrimary},
		theme.ColorNameForegroundOnError:   {theme.ColorNameError},
	}
	shapes := map[fyne.ThemeColorName][]fyne.ThemeColorName{
		colorOK:                 {colorCard, colorTrack, colorSide},
		colorTime:               {colorCard, colorTrack},
		colorWarn:               {colorCard, colorTrack, colorSide},
		colorBad:                {colorCard, colorTrack, colorSide},
		theme.ColorNamePrimary:  {theme.ColorNameBackground, colorSide, colorCard, theme.ColorNameButton}, // the focus
		colorEdge:               {colorCard, theme.ColorNameInputBackground},                              // where to type
		theme.ColorNameDisabled: {theme.ColorNameButton},
		colorDim:                {colorCard}, // the even pace
	}
	for name, p := range map[string]palette{"dark": dark, "light": light} {
		check := func(pairs map[fyne.ThemeColorName][]fyne.ThemeColorName, least float64) {
			for on, grounds := range pairs {
				for _, ground := range grounds {
					if got := contrast(p[on], p[ground]); got < least {
						t.Errorf("%s: %s on %s has contrast %.2f, want %.1f", name, on, ground, got, least)
					}
				}
			}
		}
		check(words, 4.5)
		check(shapes, 3)
		// Words stay legible under the pointer and with the focus.
		for _, veil := range []fyne.ThemeColorName{theme.ColorNameHover, theme.ColorNameFocus, theme.ColorNamePressed, theme.ColorNameSelection} {
			for _, ground := range []fyne.ThemeColorName{theme.ColorNameButton, theme.ColorNameInputBackground, colorSide} {
				if got := contrast(p[colorInk], over(p[veil], p[ground])); got < 4.5 {
					t.Errorf("%s: words on %s under %s have contrast %.2f", name, ground, veil, got)
				}
			}
			if got := contrast(p[theme.ColorNameForegroundOnPrimary], over(p[veil], p[theme.ColorNamePrimary])); veil == theme.ColorNameHover && got < 4.5 {
				t.Errorf("%s: words on the main button under %s have contrast %.2f", name, veil, got)
			}
		}
	}
}

// faint lists the words that cannot be told well enough from what they stand
// on, as they are drawn; WCAG 2.2 asks nothing of what cannot be used.
func faint(s surveyed, p palette) (faults []string) {
	for i, m := range s.marks {
		words, ok := m.object.(*canvas.Text)
		if !ok || words.Color == color.Color(p[theme.ColorNameDisabled]) {
			continue
		}
		ground := p[theme.ColorNameBackground]
		for _, under := range s.marks[:i] {
			if r, ok := under.object.(*canvas.Rectangle); ok && !under.at.meet(m.at).empty() && under.at.left <= m.at.left && under.at.right >= m.at.right {
				ground = over(color.NRGBAModel.Convert(colorOf(r.FillColor)).(color.NRGBA), ground)
			}
		}
		if got := contrast(color.NRGBAModel.Convert(words.Color).(color.NRGBA), ground); got < 4.5 {
			faults = append(faults, fmt.Sprintf("%q in %s has contrast %.2f", words.Text, m.path, got))
		}
	}
	return faults
}

// TestContrastDrawn finds no faint words in any state.
func TestContrastDrawn(t *testing.T) {
	for _, a := range []Appearance{Dark, Light} {
		l := look{a, usual, 1, ""}
		p := map[Appearance]palette{Dark: dark, Light: light}[a]
		dress(t, l)
		for _, state := range states() {
			t.Run(string(a)+"/"+state.name, func(t *testing.T) {
				for _, f := range faint(survey(state.set(t, l).window.Canvas()), p) {
					t.Error(f)
				}
			})
		}
	}
	grey := canvas.NewText("grey on grey", rgb(0x888888))
	grey.Resize(grey.MinSize())
	w := test.NewTempWindow(t, newPanel(colorDim, "", 0, grey))
	if got := faint(survey(w.Canvas()), light); len(got) != 1 {
		t.Errorf("of grey words on a grey panel is found %q", got)
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
		want       palette
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

// TestLargerWords: what a window shows follows the size of words that the
// desktop asks for, and so does the least window.
func TestLargerWords(t *testing.T) {
	s := still(t, look{Dark, usual, 1, ""}, spotify())
	before, least := s.account.title.measure(s.account.title.words), s.window.Content().MinSize()
	s.turn(PageSettings)
	th := NewTheme(Dark).Scaled(1.5)
	fyne.CurrentApp().Settings().SetTheme(th)
	s.Refit()
	if s.page != PageSettings {
		t.Errorf("the page is %q now", s.page)
	}
	s.turn(PageAccount)
	if after := s.account.title.measure(s.account.title.words); after.Height < 1.4*before.Height {
		t.Errorf("the title is %v high, and was %v", after.Height, before.Height)
	}
	if after := s.window.Content().MinSize(); after.Width < 1.4*least.Width || after.Height < least.Height {
		t.Errorf("the least window is %v, and was %v", after, least)
	}
	if light := th.As(Light); light.Text != 1.5 || light.Appearance != Light || th.Appearance != Dark {
		t.Errorf("in another appearance: %+v, of %+v", light, th)
	}
}
