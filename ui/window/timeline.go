package window

import (
	"math"
	"slices"
	"time"

	"fyne.io/fyne/v2"

	"curfew/auth"
	"curfew/ui/status"
	"curfew/ui/window/control"
	"curfew/ui/window/look"
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
	empty *look.Text
	shown []status.Entry
}

func newTimeline(v *View, most int) *timeline {
	t := &timeline{view: v, most: most, empty: look.NewPara(tr("Nothing has happened yet."), look.SizeText, look.Dim)}
	t.root = look.Column(4, t.empty)
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
	var stamps []*look.Text
	width := float32(0) // of the widest stamp: the words get the rest
	for _, l := range lines {
		stamp := look.NewLine(l.Stamp, look.SizeText, look.Dim)
		stamps, width = append(stamps, stamp), max(width, stamp.Natural()+1)
	}
	for i, l := range lines {
		color := look.Ink
		if l.Bad {
			color = look.Bad
		}
		words := look.NewPara(l.Words, look.SizeText, color).Tied(l.Tail)
		t.root.Add(look.Aligned(look.Top, look.RowOf(12, words, look.FixedWidth(width, stamps[i]), words)))
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
	l := &takerList{most: most, root: look.Column(4)}
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
		name, ago := look.NewLine(t.Name, look.SizeText, look.Ink), look.NewText(t.Ago, look.SizeText, look.Dim)
		l.root.Add(look.RowOf(12, name, name, ago))
	}
	l.root.Refresh()
}

// logPage shows all that is known of the selected account's past.
type logPage struct {
	view  *View
	root  *fyne.Container
	title *look.Text
	back  *control.Button
	lines *timeline

	takers *takerList
	took   *look.Panel
}

func newLogPage(v *View) *logPage {
	p := &logPage{view: v, title: look.NewLine("", look.SizeHeading, look.Ink).Strong(), lines: newTimeline(v, allEvents), takers: newTakerList(math.MaxInt)}
	p.back = control.NewButton(v.frame, tr("Back"), func() { v.turn(PageAccount) })
	p.took = look.NewCard(look.Column(look.GapSmall, look.NewHeading(tr("Took tokens")), p.takers.root))
	p.root, _ = v.frame.Page(look.RowOf(12, p.title, p.title, p.back), look.Column(look.Gap, p.took, look.NewCard(p.lines.root)))
	return p
}

func (p *logPage) opened() { p.view.frame.Focus(p.back) }

func (p *logPage) render() {
	s, _ := p.view.snapshot(p.view.selected)
	p.title.Say(tr("What happened at %s", status.Name(s)))
	takers := status.Describe(s, p.view.now).Takers
	p.takers.set(takers)
	p.view.frame.Show(p.took, len(takers) > 0)
	p.lines.set(p.view.local(s.Name).events, p.view.now)
}
