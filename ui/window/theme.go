package window

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
)

// The colours that Fyne has no name for. Each has one meaning everywhere, and
// words always stand next to it: green is refreshes, blue is days, amber is
// soon, red has ended.
const (
	colorSide  fyne.ThemeColorName = "curfewSide"  // behind the accounts
	colorCard  fyne.ThemeColorName = "curfewCard"  // behind what is being read
	colorLine  fyne.ThemeColorName = "curfewLine"  // around cards, the chart's grid
	colorEdge  fyne.ThemeColorName = "curfewEdge"  // around what can be typed into
	colorRim   fyne.ThemeColorName = "curfewRim"   // around what can be pressed
	colorDim   fyne.ThemeColorName = "curfewDim"   // captions
	colorOK    fyne.ThemeColorName = "curfewOK"    // refreshes
	colorTime  fyne.ThemeColorName = "curfewTime"  // days
	colorWarn  fyne.ThemeColorName = "curfewWarn"  // soon
	colorBad   fyne.ThemeColorName = "curfewBad"   // over
	colorTrack fyne.ThemeColorName = "curfewTrack" // the spent part of a ring
	colorInk                       = theme.ColorNameForeground
)

// The measures of the window. What belongs together is near. What does not is a
// step further away.
const (
	gapSmall, gapUsual, gapLarge = 8, 16, 24
	radiusSmall, radiusLarge     = 8, 12 // of what can be pressed, and of what holds it
	columnMost                   = 760   // nobody reads longer lines
)

// Words have five sizes. Four are Fyne's own, the fifth is for the one thing large.
const (
	sizeSmall                     = theme.SizeNameText
	sizeNumber fyne.ThemeSizeName = "curfewNumber"
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

// palette maps names to colours; names that are missing are Fyne's.
type palette map[fyne.ThemeColorName]color.NRGBA

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

func newPalette(t tones) palette {
	time := rgb(t.time)
	return palette{
		colorSide: rgb(t.side), colorCard: rgb(t.card), colorLine: rgb(t.line), colorEdge: rgb(t.edge), colorRim: rgb(t.rim), colorDim: rgb(t.dim),
		colorOK: rgb(t.ok), colorTime: time, colorWarn: rgb(t.warn), colorBad: rgb(t.bad), colorTrack: rgb(t.track),

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

// usualText is the size of words on a desktop that asks for none.
const usualText = 13

// em is how large something that holds words must be where n is enough for
// words of the usual size.
func em(n float32) float32 {
	return n * fyne.CurrentApp().Settings().Theme().Size(theme.SizeNameText) / usualText
}

// Size returns the measure called name, in device-independent pixels.
func (t *Theme) Size(name fyne.ThemeSizeName) float32 {
	words := t.Text
	if words <= 0 {
		words = 1
	}
	switch name {
	case sizeNumber:
		return 34 * words
	case theme.SizeNameText:
		return usualText * words
	case theme.SizeNameCaptionText:
		return 12 * words
	case theme.SizeNameHeadingText:
		return 20 * words
	case theme.SizeNameSubHeadingText:
		return 15 * words
	case theme.SizeNameInlineIcon:
		return t.Theme.Size(name) * words
	case theme.SizeNameInnerPadding:
		return gapSmall * words
	case theme.SizeNameButtonRadius, theme.SizeNameInputRadius, theme.SizeNameSelectionRadius:
		return radiusSmall
	}
	return t.Theme.Size(name)
}
