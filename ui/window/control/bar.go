package control

import (
	"cmp"
	"image/color"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"

	"curfew/ui/window/look"
)

// A Note is something to read, in place, with at most one thing to do.
type Note struct {
	Tone  fyne.ThemeColorName
	Words string
	Hint  string
	Label string // of the button; "": none
	Act   func()
	Until time.Time // gone then; zero: stays until taken away
}

// A Bar says one thing in place, with what to do about it: what other
// programs put into a dialog.
type Bar struct {
	Root        *look.Panel
	Named       *Button // that a note names; nil: the bar has its own
	frame       *Frame
	words, hint *look.Text
	inside      *fyne.Container
	close       *Button // takes the note away; may be nil
	act         func()
	veil        *canvas.Rectangle // over a note that fades in; nil: it does not
}

// NewBar returns a hidden bar with the given buttons, or with its own one
// that a [Note] names.
func NewBar(f *Frame, own ...*Button) *Bar {
	b := &Bar{frame: f, words: look.NewPara("", look.SizeText, look.Ink), hint: look.NewPara("", look.SizeText, look.Dim)}
	b.inside = look.Prompt(look.Column(2, b.words, b.hint))
	if len(own) == 0 {
		b.Named = NewButton(f, "", func() {
			if b.act != nil {
				b.act()
			}
		})
		own = append(own, b.Named)
	}
	if len(own) > 2 { // would leave the words hardly any room
		b.inside = look.Column(look.GapSmall, b.inside, Buttons(own...))
	} else {
		for _, button := range own {
			b.inside.Add(button)
		}
	}
	b.Root = look.NewPanel(look.Card, look.Line, look.RadiusLarge, container.New(look.Pad(look.GapSmall+4, look.Gap, look.GapSmall+4, look.GapLarge), b.inside))
	b.Root.Stripe = look.Time
	b.Root.Hide()
	return b
}

// Set shows n, or nothing.
func (b *Bar) Set(n *Note) {
	if b.veil != nil && n != nil && !b.Root.Visible() && b.frame.Moves() {
		card := look.ColorOf(look.Card)
		clear := color.NRGBA{R: card.R, G: card.G, B: card.B}
		b.veil.FillColor = card
		canvas.NewColorRGBAAnimation(card, clear, fadeIn, func(c color.Color) {
			b.veil.FillColor = c
			b.veil.Refresh()
		}).Start()
	}
	b.frame.Show(b.Root, n != nil)
	if n == nil {
		return
	}
	if b.Root.Stripe != n.Tone {
		b.Root.Stripe = n.Tone
		b.Root.Refresh()
	}
	b.words.Say(n.Words)
	b.hint.Say(n.Hint)
	b.frame.Show(b.words, n.Words != "")
	b.frame.Show(b.hint, n.Hint != "")
	b.act = n.Act
	if b.Named != nil {
		b.Named.Set(cmp.Or(n.Label, b.Named.Text), true)
		b.frame.Show(b.Named, n.Label != "")
	}
	if b.close != nil {
		b.frame.Show(b.close, n.Until.IsZero()) // others go by themselves
	}
}

// Fades reports whether a note is still under the veil.
func (b *Bar) Fades() bool {
	_, _, _, veiled := b.veil.FillColor.RGBA()
	return veiled > 0
}

// ClosedBy puts a link to the note that takes it away.
func (b *Bar) ClosedBy(close *Button) {
	b.close = close
	b.inside.Add(Link(close))
}

// fadeIn is how long a note takes to come.
const fadeIn = 120 * time.Millisecond

// Overlay shows bars at the foot of a page, over what is there: a note that
// comes and goes moves nothing.
func (f *Frame) Overlay(bars ...*Bar) fyne.CanvasObject {
	all := look.Column(look.GapSmall)
	for _, b := range bars {
		b.Root.Line, b.Root.Lifted = look.Rim, true
		b.veil = canvas.NewRectangle(color.Transparent)
		b.Root.Content = container.NewStack(b.Root.Content, container.New(look.Pad(2, 2, 2, 2), b.veil))
		all.Add(b.Root)
	}
	f.Grow(all)
	return container.NewBorder(nil, look.Reading(all), nil, nil)
}
