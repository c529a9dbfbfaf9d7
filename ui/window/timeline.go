package window

import (
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
	recentEvents = 6
	allEvents    = 200
)

// timeline is events in words, newest first.
type timeline struct {
	view  *View
	root  *fyne.Container
	most  int
	empty *text
	shown []entryLine
}

// entryLine is one line of a timeline.
type entryLine struct {
	stamp, words string
	color        fyne.ThemeColorName
}

func newTimeline(v *View, most int) *timeline {
	t := &timeline{view: v, most: most, empty: newPara(tr("Nothing has happened yet."), sizeSmall, colorDim)}
	t.root = column(5, t.empty)
	return t
}

// set shows events, which are oldest first.
func (t *timeline) set(events []auth.Event, now time.Time) {
	lines := eventLines(events, now, t.most)
	if slices.Equal(lines, t.shown) {
		return
	}
	t.shown = lines
	t.root.Objects = nil
	for _, l := range lines {
		stamp := container.New(fixedWidth(em(82)), newLine(l.stamp, sizeSmall, colorDim))
		words := newPara(l.words, sizeSmall, l.color)
		t.root.Add(aligned(top, rowOf(8, words, stamp, words)))
	}
	if len(lines) == 0 {
		t.root.Add(t.empty)
	}
	t.root.Refresh()
}

// eventLines puts the newest events into words, newest first. The tokens
// that one program took in a row are one line.
func eventLines(events []auth.Event, now time.Time, most int) []entryLine {
	var lines []entryLine
	for i := len(events) - 1; i >= 0 && len(lines) < most; i-- {
		e, times := events[i], 1
		for ; e.Kind == auth.EventToken && i > 0 && events[i-1].Kind == auth.EventToken && events[i-1].Program == e.Program; i-- {
			times++
		}
		words := eventWords(e)
		if times > 1 {
			words = tr("%s, %d times", words, times)
		}
		color := colorInk
		if e.Kind == auth.EventError {
			color = colorBad
		}
		lines = append(lines, entryLine{status.Stamp(e.At, now), words, color})
	}
	return lines
}

// eventWords is the engine's sentence for an event, or one of ours.
func eventWords(e auth.Event) string {
	if words := status.Clip(status.Said(e.Message), 200); words != "" {
		return words
	}
	who := ""
	if program := status.Clip(e.Program, 40); program != "" {
		who = tr(" for %s", program)
	}
	switch e.Kind {
	case auth.EventSignIn:
		return tr("signed in")
	case auth.EventRefresh:
		return tr("refreshed, %d used%s", e.Count, who)
	case auth.EventToken:
		return tr("token%s", who)
	case auth.EventEnd:
		return tr("the session ended")
	case auth.EventSignOut:
		return tr("signed out")
	case auth.EventConfig:
		return tr("settings changed")
	}
	return string(e.Kind)
}

// logPage shows all that is known of the selected account's past.
type logPage struct {
	view  *View
	root  *fyne.Container
	title *text
	back  *button
	lines *timeline
}

func newLogPage(v *View) *logPage {
	p := &logPage{view: v, title: newLine("", theme.SizeNameHeadingText, colorInk).strong(), lines: newTimeline(v, allEvents)}
	p.back = newButton(v, tr("Back"), func() { v.turn(PageAccount) })
	p.root = v.newPage(rowOf(12, p.title, p.title, p.back), newCard(p.lines.root))
	return p
}

func (p *logPage) opened() { p.view.focus(p.back) }

func (p *logPage) render() {
	s, _ := p.view.snapshot(p.view.selected)
	p.title.say(tr("What happened at %s", status.Name(s)))
	p.lines.set(p.view.local(s.Name).events, p.view.now)
}
