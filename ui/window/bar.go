package window

import (
	"cmp"
	"image/color"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"

	"curfew/ui/window/look"
)

// A bar says one thing in place, with what to do about it: what other
// programs put into a dialog.
type bar struct {
	view        *View
	root        *look.Panel
	words, hint *look.Text
	inside      *fyne.Container
	named       *button // that a note names; nil: the bar has its own
	close       *button // takes the note away; may be nil
	act         func()
	veil        *canvas.Rectangle // over a note that fades in; nil: it does not
}

// newBar returns a hidden bar with the given buttons, or with its own one
// that a [note] names.
func newBar(v *View, own ...*button) *bar {
	b := &bar{view: v, words: look.NewPara("", look.SizeText, look.Ink), hint: look.NewPara("", look.SizeText, look.Dim)}
	b.inside = look.Prompt(look.Column(2, b.words, b.hint))
	if len(own) == 0 {
		b.named = newButton(v, "", func() {
			if b.act != nil {
				b.act()
			}
		})
		own = append(own, b.named)
	}
	if len(own) > 2 { // would leave the words hardly any room
		b.inside = look.Column(look.GapSmall, b.inside, buttons(own...))
	} else {
		for _, button := range own {
			b.inside.Add(button)
		}
	}
	b.root = look.NewPanel(look.Card, look.Line, look.RadiusLarge, container.New(look.Pad(look.GapSmall+4, look.Gap, look.GapSmall+4, look.GapLarge), b.inside))
	b.root.Stripe = look.Time
	b.root.Hide()
	return b
}

// set shows n, or nothing.
func (b *bar) set(n *note) {
	if b.veil != nil && n != nil && !b.root.Visible() && b.view.moves() {
		card := look.ColorOf(look.Card)
		clear := color.NRGBA{R: card.R, G: card.G, B: card.B}
		b.veil.FillColor = card
		canvas.NewColorRGBAAnimation(card, clear, fadeIn, func(c color.Color) {
			b.veil.FillColor = c
			b.veil.Refresh()
		}).Start()
	}
	b.view.show(b.root, n != nil)
	if n == nil {
		return
	}
	if b.root.Stripe != n.tone {
		b.root.Stripe = n.tone
		b.root.Refresh()
	}
	b.words.Say(n.words)
	b.hint.Say(n.hint)
	b.view.show(b.words, n.words != "")
	b.view.show(b.hint, n.hint != "")
	b.act = n.act
	if b.named != nil {
		b.named.set(cmp.Or(n.label, b.named.Text), true)
		b.view.show(b.named, n.label != "")
	}
	if b.close != nil {
		b.view.show(b.close, n.until.IsZero()) // others go by themselves
	}
}

// fades reports whether a note is still under the veil.
func (b *bar) fades() bool {
	_, _, _, veiled := b.veil.FillColor.RGBA()
	return veiled > 0
}

// closes gives the bar a button that takes its note away, as Escape does.
func (b *bar) closes() {
	b.close = newButton(b.view, tr("Close"), b.view.escape)
	b.inside.Add(link(b.close))
}

// fadeIn is how long a note takes to come.
const fadeIn = 120 * time.Millisecond

// newOverlay shows bars at the foot of a page, over what is there: a note that
// comes and goes moves nothing.
func (v *View) newOverlay(bars ...*bar) fyne.CanvasObject {
	all := look.Column(look.GapSmall)
	for _, b := range bars {
		b.root.Line, b.root.Lifted = look.Rim, true
		b.veil = canvas.NewRectangle(color.Transparent)
		b.root.Content = container.NewStack(b.root.Content, container.New(look.Pad(2, 2, 2, 2), b.veil))
		all.Add(b.root)
	}
	v.bodies = append(v.bodies, body{all, nil})
	return container.NewBorder(nil, container.New(columnLayout{}, all), nil, nil)
}
