package window

import (
	"math"
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"

	"curfew/auth"
	"curfew/ui/status"
)

// The most lines of "Recently", and of the page that shows all.
const (
	recentEvents = 4
	recentTakers = 3
	allEvents    = 200
)

// timeline is events in words, newest first.
type timeline struct {
	view  *View
	root  *fyne.Container
	most  int
	empty *text
	shown []status.Entry
}

func newTimeline(v *View, most int) *timeline {
	t := &timeline{view: v, most: most, empty: newPara(tr("Nothing has happened yet."), sizeSmall, colorDim)}
	t.root = column(4, t.empty)
	return t
}

// set shows events, which are oldest first.
func (t *timeline) set(events []auth.Event, now time.Time) {
	lines := status.History(events, now, t.most)
	if slices.Equal(lines, t.shown) {
		return
	}
	t.shown = lines
	t.root.Objects = nil
	var stamps []*text
	width := float32(0) // of the widest stamp: the words get the rest
	for _, l := range lines {
		stamp := newLine(l.Stamp, sizeSmall, colorDim)
		stamps, width = append(stamps, stamp), max(width, stamp.natural()+1)
	}
	for i, l := range lines {
		color := colorInk
		if l.Bad {
			color = colorBad
		}
		words := newPara(l.Words, sizeSmall, color).tied(l.Tail)
		t.root.Add(aligned(top, rowOf(12, words, container.New(fixedWidth(width), stamps[i]), words)))
	}
	if len(lines) == 0 {
		t.root.Add(t.empty)
	}
	t.root.Refresh()
}

// takerList is which programs took tokens, and when the last.
type takerList struct {
	root  *fyne.Container
	most  int
	shown []status.Taker
}

func newTakerList(most int) *takerList {
	l := &takerList{most: most, root: column(4)}
	return l
}

func (l *takerList) set(takers []status.Taker) {
	takers = takers[:min(len(takers), l.most)]
	if slices.Equal(takers, l.shown) {
		return
	}
	l.shown = slices.Clone(takers)
	l.root.Objects = nil
	for _, t := range takers {
		name, ago := newLine(t.Name, sizeSmall, colorInk), newText(t.Ago, sizeSmall, colorDim)
		l.root.Add(rowOf(12, name, name, ago))
	}
	l.root.Refresh()
}

// logPage shows all that is known of the selected account's past.
type logPage struct {
	view  *View
	root  *fyne.Container
	title *text
	back  *button
	lines *timeline

	takers *takerList
	took   *panel
}

func newLogPage(v *View) *logPage {
	p := &logPage{view: v, title: newLine("", theme.SizeNameHeadingText, colorInk).strong(), lines: newTimeline(v, allEvents), takers: newTakerList(math.MaxInt)}
	p.back = newButton(v, tr("Back"), func() { v.turn(PageAccount) })
	p.took = newCard(column(gapSmall, heading(tr("Took tokens")), p.takers.root))
	p.root = v.newPage(rowOf(12, p.title, p.title, p.back), column(gapUsual, p.took, newCard(p.lines.root)))
	return p
}

func (p *logPage) opened() { p.view.focus(p.back) }

func (p *logPage) render() {
	s, _ := p.view.snapshot(p.view.selected)
	p.title.say(tr("What happened at %s", status.Name(s)))
	takers := status.Describe(s, p.view.now).Takers
	p.takers.set(takers)
	p.view.show(p.took, len(takers) > 0)
	p.lines.set(p.view.local(s.Name).events, p.view.now)
}
