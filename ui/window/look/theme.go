// Package look is how the window looks: colours and measures as a Fyne theme,
// words, panels, layouts, and the drawings of what is left. It knows neither
// accounts nor what is pressed: whoever uses it says what to show.
//
// A widget is made once and then told what to show, as often as anything may
// have changed: it draws itself again only when it looks different. Everything
// belongs to the goroutine of the user interface.
package look

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
)

// The colours that Fyne has no name for. Each has one meaning everywhere, and
// words always stand next to it: green is refreshes, blue is days, amber is
// soon, red has ended.
const (
	Side  fyne.ThemeColorName = "curfewSide"  // behind the accounts
	Card  fyne.ThemeColorName = "curfewCard"  // behind what is being read
	Line  fyne.ThemeColorName = "curfewLine"  // around cards
	Edge  fyne.ThemeColorName = "curfewEdge"  // around what can be typed into
	Rim   fyne.ThemeColorName = "curfewRim"   // around what can be pressed
	Dim   fyne.ThemeColorName = "curfewDim"   // captions
	OK    fyne.ThemeColorName = "curfewOK"    // refreshes
	Time  fyne.ThemeColorName = "curfewTime"  // days
	Warn  fyne.ThemeColorName = "curfewWarn"  // soon
	Bad   fyne.ThemeColorName = "curfewBad"   // ended
	Spent fyne.ThemeColorName = "curfewTrack" // what is gone of a limit
	Ink                       = theme.ColorNameForeground
)

// The measures, in pixels that do not depend on the screen. What belongs
// together is near. What does not is a step further away.
const (
	GapSmall, Gap, GapLarge  = 8, 16, 24
	RadiusSmall, RadiusLarge = 8, 12 // of what can be pressed, and of what holds it
)

// The sizes of words. Four are Fyne's own, the fifth is for the one thing large.
const (
	SizeCaption                    = theme.SizeNameCaptionText
	SizeText                       = theme.SizeNameText
	SizeTitle                      = theme.SizeNameSubHeadingText // of a card
	SizeHeading                    = theme.SizeNameHeadingText    // of a page
	SizeNumber  fyne.ThemeSizeName = "curfewNumber"
)

// Appearance is which of the two palettes is shown.
type Appearance string

// The appearances. System follows the desktop.
const (
	System Appearance = "system"
	Dark   Appearance = "dark"
	Light  Appearance = "light"
)

// A Theme is Curfew's look: its palette, dark and light, and its measures.
// Everything else, the font too, is Fyne's own.
type Theme struct {
	fyne.Theme
	Appearance Appearance
	Text       float32 // how much larger than usual words are, as the desktop asks; 0 is 1
}

// As returns t in appearance a.
func (t Theme) As(a Appearance) *Theme { t.Appearance = a; return &t }

// Scaled returns t with words scale times as large as usual.
func (t Theme) Scaled(scale float32) *Theme { t.Text = scale; return &t }

// NewTheme returns the theme in appearance a; the zero value is System.
func NewTheme(a Appearance) *Theme { return &Theme{Theme: theme.DefaultTheme(), Appearance: a} }

func rgb(hex uint32) color.NRGBA {
	return color.NRGBA{R: uint8(hex >> 16), G: uint8(hex >> 8), B: uint8(hex), A: 0xff}
}

func alpha(c color.NRGBA, a uint8) color.NRGBA { c.A = a; return c }

// A Palette is the colours of one appearance. Names that are missing are Fyne's.
type Palette map[fyne.ThemeColorName]color.NRGBA

var (
	dark = newPalette(tones{
		bg: 0x15181d, side: 0x101317, card: 0x1c2027, line: 0x2a3039, edge: 0x6a7485, rim: 0x39414d, lift: 0x232931, ink: 0xe8ebf0, dim: 0x98a2b1,
		ok: 0x4cc38a, time: 0x6ea8fe, warn: 0xf2b84b, bad: 0xf0655f, track: 0x2b313b, on: 0x0c1320, off: 0x7f8997, shade: 0x66,
	})
	light = newPalette(tones{
		bg: 0xf7f8fa, side: 0xeef0f4, card: 0xffffff, line: 0xdde2ea, edge: 0x7c8799, rim: 0xc9d0db, lift: 0xffffff, ink: 0x1b2230, dim: 0x566172,
		ok: 0x1a7f4e, time: 0x2463c8, warn: 0x8f5a00, bad: 0xc0322c, track: 0xd3d9e3, on: 0xffffff, off: 0x6f7989, shade: 0x22,
	})
)

// tones is one palette as 0xRRGGBB. rim and lift are the outline and the
// face of a button, on is for text on a filled button, off for what cannot be used now.
type tones struct {
	bg, side, card, line, edge, rim, lift, ink, dim, ok, time, warn, bad, track, on, off uint32

	shade uint8 // how dark a shadow is
}

// Colors returns the palette of appearance a, which is Dark or Light.
func Colors(a Appearance) Palette {
	if a == Light {
		return light
	}
	return dark
}

func newPalette(t tones) Palette {
	time := rgb(t.time)
	return Palette{
		Side: rgb(t.side), Card: rgb(t.card), Line: rgb(t.line), Edge: rgb(t.edge), Rim: rgb(t.rim), Dim: rgb(t.dim),
		OK: rgb(t.ok), Time: time, Warn: rgb(t.warn), Bad: rgb(t.bad), Spent: rgb(t.track),

		theme.ColorNameBackground:          rgb(t.bg),
		theme.ColorNameForeground:          rgb(t.ink),
		theme.ColorNameButton:              rgb(t.lift),
		theme.ColorNameDisabledButton:      rgb(t.lift),
		theme.ColorNameDisabled:            rgb(t.off),
		theme.ColorNamePlaceHolder:         rgb(t.dim),
		theme.ColorNamePrimary:             time,
		theme.ColorNameHyperlink:           time,
		theme.ColorNameForegroundOnPrimary: rgb(t.on),
		theme.ColorNameSuccess:             rgb(t.ok),
		theme.ColorNameForegroundOnSuccess: rgb(t.on),
		theme.ColorNameWarning:             rgb(t.warn),
		theme.ColorNameForegroundOnWarning: rgb(t.on),
		theme.ColorNameError:               rgb(t.bad),
		theme.ColorNameForegroundOnError:   rgb(t.on),
		theme.ColorNameFocus:               alpha(time, 0x2a),
		theme.ColorNameSelection:           alpha(time, 0x40),
		theme.ColorNameHover:               alpha(rgb(t.ink), 0x0c),
		theme.ColorNamePressed:             alpha(rgb(t.ink), 0x22),
		theme.ColorNameInputBackground:     rgb(t.bg),
		theme.ColorNameInputBorder:         rgb(t.edge),
		theme.ColorNameMenuBackground:      rgb(t.track), // it is on cards
		theme.ColorNameOverlayBackground:   rgb(t.card),
		theme.ColorNameSeparator:           rgb(t.line),
		theme.ColorNameShadow:              alpha(rgb(0x000000), t.shade),
		theme.ColorNameScrollBar:           alpha(rgb(t.dim), 0x99),
	}
}

// Color returns the colour called name, in the palette of t's appearance.
func (t *Theme) Color(name fyne.ThemeColorName, variant fyne.ThemeVariant) color.Color {
	switch t.Appearance {
	case Dark:
		variant = theme.VariantDark
	case Light:
		variant = theme.VariantLight
	}
	p := dark
	if variant == theme.VariantLight {
		p = light
	}
	if c, ok := p[name]; ok {
		return c
	}
	return t.Theme.Color(name, variant)
}

// ColorOf returns the colour called name in the theme that is shown.
func ColorOf(name fyne.ThemeColorName) color.NRGBA {
	return color.NRGBAModel.Convert(theme.Current().Color(name, fyne.CurrentApp().Settings().ThemeVariant())).(color.NRGBA)
}

// usualText is the size of words on a desktop that asks for none.
const usualText = 13

// Em is how large something that holds words must be where n is enough for
// words of the usual size.
func Em(n float32) float32 {
	return n * fyne.CurrentApp().Settings().Theme().Size(SizeText) / usualText
}

// Size returns the measure called name, in device-independent pixels.
func (t *Theme) Size(name fyne.ThemeSizeName) float32 {
	words := t.Text
	if words <= 0 {
		words = 1
	}
	switch name {
	case SizeNumber:
		return 34 * words
	case SizeText:
		return usualText * words
	case SizeCaption:
		return 12 * words
	case SizeHeading:
		return 20 * words
	case SizeTitle:
		return 15 * words
	case theme.SizeNameInlineIcon:
		return t.Theme.Size(name) * words
	case theme.SizeNameInnerPadding:
		return GapSmall * words
	case theme.SizeNameButtonRadius, theme.SizeNameInputRadius, theme.SizeNameSelectionRadius:
		return RadiusSmall
	}
	return t.Theme.Size(name)
}
