package window

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
)

// A bar says one thing in place, with what to do about it: what other
// programs put into a dialog.
type bar struct {
	view        *View
	root        *panel
	words, hint *text
	buttons     []*button
	act         func()
}

// newBar returns a hidden bar with the given buttons, or with one of its own
// that a [note] names.
func newBar(v *View, buttons ...*button) *bar {
	b := &bar{view: v, words: newPara("", theme.SizeNameText, colorInk), hint: newPara("", sizeSmall, colorDim), buttons: buttons}
	if len(buttons) == 0 {
		b.buttons = []*button{newButton(v, "", func() {
			if b.act != nil {
				b.act()
			}
		})}
	}
	words := column(2, b.words, b.hint)
	inside := container.New(&barLayout{}, words)
	for _, button := range b.buttons {
		inside.Add(button)
	}
	b.root = newPanel(colorCard, colorLine, radiusLarge, container.New(paddings{12, 14, 12, 24}, inside))
	b.root.stripe = colorTime
	b.root.Hide()
	return b
}

// barLayout puts the buttons beside the words, the first object, or below them
// where the words would be squeezed.
type barLayout struct {
	below bool // at the last layout
}

const barGap = 12

func (l *barLayout) MinSize(objects []fyne.CanvasObject) fyne.Size {
	size := objects[0].MinSize()
	for _, b := range visible(objects[1:]) {
		m := b.MinSize()
		if l.below {
			size = fyne.NewSize(max(size.Width, m.Width), max(size.Height, objects[0].MinSize().Height+barGap+m.Height))
		} else {
			size = fyne.NewSize(size.Width+barGap+m.Width, max(size.Height, m.Height))
		}
	}
	return size
}

func (l *barLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	words, shown := objects[0], visible(objects[1:])
	room := size.Width
	for _, b := range shown {
		room -= barGap + b.MinSize().Width
	}
	l.below = len(shown) > 0 && room < em(190)
	at := fyne.NewPos(room+barGap, 0)
	if l.below {
		room, at = size.Width, fyne.Position{}
	}
	words.Resize(fyne.NewSize(room, words.Size().Height))
	tall := words.MinSize().Height // which its width decides
	words.Resize(fyne.NewSize(room, tall))
	words.Move(fyne.NewPos(0, (size.Height-tall)/2))
	if l.below {
		words.Move(fyne.Position{})
		at.Y = tall + barGap
	}
	for _, b := range shown {
		m := b.MinSize()
		y := at.Y
		if !l.below {
			y = (size.Height - m.Height) / 2
		}
		b.Resize(m)
		b.Move(fyne.NewPos(at.X, y))
		at.X += m.Width + barGap
	}
}

// set shows n, or nothing.
func (b *bar) set(n *note) {
	b.view.show(b.root, n != nil)
	if n == nil {
		return
	}
	if b.root.stripe != n.tone {
		b.root.stripe = n.tone
		b.root.Refresh()
	}
	b.words.say(n.words)
	b.hint.say(n.hint)
	b.view.show(b.words, n.words != "")
	b.view.show(b.hint, n.hint != "")
	b.act = n.act
	if len(b.buttons) == 1 && n.label != "" {
		b.buttons[0].set(n.label, true)
	}
	if len(b.buttons) == 1 {
		b.view.show(b.buttons[0], n.label != "")
	}
}

// paddings is space around content: top, right, bottom, left.
type paddings [4]float32

func (p paddings) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var size fyne.Size
	for _, o := range objects {
		size = size.Max(o.MinSize())
	}
	return size.AddWidthHeight(p[1]+p[3], p[0]+p[2])
}

func (p paddings) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	for _, o := range objects {
		o.Resize(size.SubtractWidthHeight(p[1]+p[3], p[0]+p[2]))
		o.Move(fyne.NewPos(p[3], p[0]))
	}
}
