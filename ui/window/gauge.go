package window

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"curfew/auth"
	"curfew/ui/status"
)

// hero is the card that leads the page of a live session: the countdown that
// will end it, large, the other next to it, and when that will be.
type hero struct {
	root             *panel
	number, what     *text
	other, otherWhat *text
	segments         *segments
	runway           *runway
	until, then      *text
}

func newHero() *hero {
	h := &hero{
		number: newText("", sizeNumber, colorInk).strong(), what: newText("", theme.SizeNameSubHeadingText, colorInk).strong(),
		other: newText("", theme.SizeNameSubHeadingText, colorTime).strong(), otherWhat: newText("", theme.SizeNameSubHeadingText, colorDim),
		until: newPara("", theme.SizeNameText, colorInk).strong(), then: newPara("", theme.SizeNameText, colorDim),
		segments: &segments{}, runway: newRunway(),
	}
	h.segments.ExtendBaseWidget(h.segments)
	lead := aligned(baseline, row(gapSmall, h.number, h.what))
	other := aligned(baseline, row(gapSmall-2, h.other, h.otherWhat))
	h.root = newCard(column(gapUsual, column(gapSmall, newAside(gapUsual, lead, other), h.segments), h.runway, column(2, h.until, h.then)))
	return h
}

func (h *hero) render(v *View, s auth.Snapshot, words status.View, events []auth.Event) {
	lead, other := words.Lead, words.Other
	color := v.fresh(s, countColor(s, lead, v.now))
	ink := colorInk
	if color == colorBad {
		ink = colorBad
	}
	h.number.set(lead.Value, ink)
	h.what.say(lead.What)
	h.other.set(other.Value, v.fresh(s, countColor(s, other, v.now)))
	h.otherWhat.say(other.What)
	h.segments.set(lead.Left, lead.Of, color)
	h.until.say(words.Outlook.Until)
	h.then.say(words.Outlook.Then)
	v.show(h.until, words.Outlook.Until != "")
	v.show(h.then, words.Outlook.Then != "")
	r, ok := status.RunwayOf(s, events, v.now)
	v.show(h.runway, ok)
	h.runway.set(track{r, color, words.Outlook.Flag, words.Outlook.End})
}

// countColor is the colour of a countdown: green refreshes and blue days, until
// few are left. Where there is nothing to count, it is that of a side note.
func countColor(s auth.Snapshot, c status.Count, now time.Time) fyne.ThemeColorName {
	switch age := c.Limit == auth.LimitAge; {
	case !age && s.NoRefresh:
		return colorDim
	case age && c.Fraction == 0 && c.Of > 0, !age && c.Fraction == 0:
		return colorBad
	case age && status.FewDays(s, now), !age && status.FewRefreshes(s):
		return colorWarn
	case age:
		return colorTime
	}
	return colorOK
}

// segments is what is left of a countdown, to be counted.
type segments struct {
	widget.BaseWidget
	left, of int
	color    fyne.ThemeColorName
}

func (s *segments) set(left, of int, color fyne.ThemeColorName) {
	if s.left != left || s.of != of || s.color != color {
		s.left, s.of, s.color = left, of, color
		s.Refresh()
	}
}

func (s *segments) CreateRenderer() fyne.WidgetRenderer {
	return newDrawing(s, func() fyne.Size { return fyne.NewSize(em(200), em(14)) }, s.draw)
}

func (s *segments) draw(d *drawing, size fyne.Size) {
	gap := float32(4)
	if s.of > 20 {
		gap = 3
	}
	width := (size.Width - gap*float32(s.of-1)) / float32(s.of)
	for i := range s.of {
		color := colorTrack
		if i < s.left {
			color = s.color
		}
		d.rectangle(fyne.NewPos(float32(i)*(width+gap), 0), fyne.NewSize(width, size.Height), d.color(color), 4)
	}
}
