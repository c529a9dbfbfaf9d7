package window

import (
	"image/color"
	"math"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"curfew/ui/window/look"
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
	if got := contrast(color.NRGBA{255, 255, 255, 255}, color.NRGBA{0x76, 0x76, 0x76, 255}); math.Abs(got-4.54) > .01 {
		t.Fatalf("contrast of white and #767676 is %.2f, want 4.54", got)
	}
	words := map[fyne.ThemeColorName][]fyne.ThemeColorName{
		look.Ink:                           {theme.ColorNameBackground, look.Side, look.Card, theme.ColorNameButton, theme.ColorNameInputBackground, theme.ColorNameMenuBackground},
		look.Dim:                           {theme.ColorNameBackground, look.Side, look.Card},
		look.OK:                            {theme.ColorNameBackground, look.Card},
		look.Time:                          {theme.ColorNameBackground, look.Card},
		look.Warn:                          {theme.ColorNameBackground, look.Side, look.Card},
		look.Bad:                           {theme.ColorNameBackground, look.Side, look.Card},
		theme.ColorNamePlaceHolder:         {theme.ColorNameInputBackground},
		theme.ColorNameForegroundOnPrimary: {theme.ColorNamePrimary},
		theme.ColorNameForegroundOnError:   {theme.ColorNameError},
	}
	shapes := map[fyne.ThemeColorName][]fyne.ThemeColorName{
		look.OK:                 {look.Card, look.Spent, look.Side},
		look.Time:               {look.Card, look.Spent},
		look.Warn:               {look.Card, look.Spent, look.Side},
		look.Bad:                {look.Card, look.Spent, look.Side},
		theme.ColorNamePrimary:  {theme.ColorNameBackground, look.Side, look.Card, theme.ColorNameButton}, // the focus
		look.Edge:               {look.Card, theme.ColorNameInputBackground},                              // where to type
		theme.ColorNameDisabled: {theme.ColorNameButton},
		look.Dim:                {look.Card}, // the even pace
	}
	for name, p := range map[look.Appearance]look.Palette{look.Dark: look.Colors(look.Dark), look.Light: look.Colors(look.Light)} {
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
			for _, ground := range []fyne.ThemeColorName{theme.ColorNameButton, theme.ColorNameInputBackground, look.Side} {
				if got := contrast(p[look.Ink], over(p[veil], p[ground])); got < 4.5 {
					t.Errorf("%s: words on %s under %s have contrast %.2f", name, ground, veil, got)
				}
			}
			if got := contrast(p[theme.ColorNameForegroundOnPrimary], over(p[veil], p[theme.ColorNamePrimary])); veil == theme.ColorNameHover && got < 4.5 {
				t.Errorf("%s: words on the main button under %s have contrast %.2f", name, veil, got)
			}
		}
	}
}

// TestLargerWords: what a window shows follows the size of words that the
// desktop asks for, and so does the least window.
func TestLargerWords(t *testing.T) {
	s := still(t, viewing{look.Dark, usual, 1, ""}, spotify())
	before, least := s.account.title.MinSize(), s.window.Content().MinSize()
	s.turn(PageSettings)
	th := look.NewTheme(look.Dark).Scaled(1.5)
	fyne.CurrentApp().Settings().SetTheme(th)
	s.Refit()
	if s.page != PageSettings {
		t.Errorf("the page is %q now", s.page)
	}
	s.turn(PageAccount)
	if after := s.account.title.MinSize(); after.Height < 1.4*before.Height {
		t.Errorf("the title is %v high, and was %v", after.Height, before.Height)
	}
	if after := s.window.Content().MinSize(); after.Width < 1.4*least.Width || after.Height < least.Height {
		t.Errorf("the least window is %v, and was %v", after, least)
	}
	if light := th.As(look.Light); light.Text != 1.5 || light.Appearance != look.Light || th.Appearance != look.Dark {
		t.Errorf("in another appearance: %+v, of %+v", light, th)
	}
}
