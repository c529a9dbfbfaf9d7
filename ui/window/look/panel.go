package look

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"
)

// A Panel is a rectangle behind content. Refresh it after a change.
type Panel struct {
	widget.BaseWidget
	Content    fyne.CanvasObject
	Fill, Line fyne.ThemeColorName // "": none
	Stripe     fyne.ThemeColorName // a bar down the leading edge; "": none
	Radius     float32
	Width      float32 // of the line; 0 is 1
	Lifted     bool    // it is above other things
}

// NewPanel returns a panel with the given colours, "" for none.
func NewPanel(fill, line fyne.ThemeColorName, radius float32, content fyne.CanvasObject) *Panel {
	p := &Panel{Content: content, Fill: fill, Line: line, Radius: radius}
	p.ExtendBaseWidget(p)
	return p
}

// NewRule returns a line as wide or as high as it is made.
func NewRule() *Panel { return NewPanel(Line, "", 0, container.NewWithoutLayout()) }

// NewCard returns a panel with the padding and look of everything that is read.
func NewCard(content fyne.CanvasObject) *Panel {
	return NewPanel(Card, Line, RadiusLarge, container.New(Pad(Gap, Gap, Gap, Gap), content))
}

// Paint changes the colours of a panel and the width of its line.
func (p *Panel) Paint(fill, line fyne.ThemeColorName, width float32) {
	p.Fill, p.Line, p.Width = fill, line, width
	p.Refresh()
}

// CreateRenderer is for Fyne.
func (p *Panel) CreateRenderer() fyne.WidgetRenderer {
	r := &panelRenderer{panel: p, back: &canvas.Rectangle{}, stripe: &canvas.Rectangle{}}
	r.Refresh()
	return r
}

// A panelRenderer lays out when it refreshes, like every renderer of this
// package: Fyne throws the renderers of what was hidden for a minute away, and
// tells new ones no size.
type panelRenderer struct {
	panel        *Panel
	back, stripe *canvas.Rectangle
}

func (r *panelRenderer) Destroy()           {}
func (r *panelRenderer) MinSize() fyne.Size { return r.panel.Content.MinSize() }

func (r *panelRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.back, r.stripe, r.panel.Content}
}

func (r *panelRenderer) Layout(size fyne.Size) {
	r.back.Resize(size)
	r.stripe.Resize(fyne.NewSize(4, max(0, size.Height-16)))
	r.stripe.Move(fyne.NewPos(8, 8))
	r.panel.Content.Resize(size)
}

func (r *panelRenderer) Refresh() {
	th, variant := r.panel.Theme(), fyne.CurrentApp().Settings().ThemeVariant()
	r.back.FillColor, r.back.StrokeColor, r.back.StrokeWidth = color.Transparent, color.Transparent, 0
	if r.panel.Fill != "" {
		r.back.FillColor = th.Color(r.panel.Fill, variant)
	}
	if r.panel.Line != "" {
		r.back.StrokeColor, r.back.StrokeWidth = th.Color(r.panel.Line, variant), max(1, r.panel.Width)
	}
	r.back.CornerRadius = r.panel.Radius
	r.stripe.Hidden = r.panel.Stripe == ""
	if !r.stripe.Hidden {
		r.stripe.FillColor, r.stripe.CornerRadius = th.Color(r.panel.Stripe, variant), 2
	}
	r.Layout(r.panel.Size())
	r.panel.Content.Refresh()
	canvas.Refresh(r.panel)
}
