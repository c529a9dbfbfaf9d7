package window

import (
	"time"

	"fyne.io/fyne/v2"

	"curfew/auth"
	"curfew/ui/status"
	"curfew/ui/window/look"
)

// hero is the card that leads the page of a live session: the countdown that
// will end it, large, the other next to it, and when that will be.
type hero struct {
	root             *look.Panel
	number, what     *look.Text
	other, otherWhat *look.Text
	segments         *look.Segments
	runway           *look.Runway
	until, then      *look.Text
}

func newHero() *hero {
	h := &hero{
		number: look.NewText("", look.SizeNumber, look.Ink).Strong(), what: look.NewText("", look.SizeTitle, look.Ink).Strong(),
		other: look.NewText("", look.SizeTitle, look.Time).Strong(), otherWhat: look.NewText("", look.SizeTitle, look.Dim),
		until: look.NewPara("", look.SizeText, look.Ink).Strong(), then: look.NewPara("", look.SizeText, look.Dim),
		segments: look.NewSegments(), runway: look.NewRunway(),
	}
	lead := look.Aligned(look.Baseline, look.Row(look.GapSmall, h.number, h.what))
	other := look.Aligned(look.Baseline, look.Row(look.GapSmall-2, h.other, h.otherWhat))
	h.root = look.NewCard(look.Column(look.Gap, look.Column(look.GapSmall, look.Aside(look.Gap, lead, other), h.segments), h.runway, look.Column(2, h.until, h.then)))
	return h
}

func (h *hero) render(v *View, s auth.Snapshot, words status.View, events []auth.Event) {
	lead, other := words.Lead, words.Other
	color := v.fresh(s, countColor(s, lead, v.now))
	ink := look.Ink
	if color == look.Bad {
		ink = look.Bad
	}
	h.number.Set(lead.Value, ink)
	h.what.Say(lead.What)
	h.other.Set(other.Value, v.fresh(s, countColor(s, other, v.now)))
	h.otherWhat.Say(other.What)
	h.segments.Set(lead.Left, lead.Of, color)
	h.until.Say(words.Outlook.Until)
	h.then.Say(words.Outlook.Then)
	v.frame.Show(h.until, words.Outlook.Until != "")
	v.frame.Show(h.then, words.Outlook.Then != "")
	r, ok := status.RunwayOf(s, events, v.now)
	v.frame.Show(h.runway, ok)
	h.runway.Set(trackOf(r, color, words.Outlook.Flag, words.Outlook.End))
}

// trackOf is a runway as it is drawn, with words where it is expected to end and at
// its end.
func trackOf(r status.Runway, color fyne.ThemeColorName, until, end string) look.Track {
	here := tr("today")
	if r.Over {
		here = tr("ended")
	}
	return look.Track{Start: r.Start, Now: r.Now, End: r.End, Until: r.Until, Marks: r.Spent, Past: r.Over, Color: color,
		AtStart: tr("signed in %s", status.Date(r.Start.In(r.Now.Location()))), AtNow: here, AtUntil: until, AtEnd: end}
}

// countColor is the colour of a countdown: green refreshes and blue days, until
// few are left. Where there is nothing to count, it is that of a side note.
func countColor(s auth.Snapshot, c status.Count, now time.Time) fyne.ThemeColorName {
	switch age := c.Limit == auth.LimitAge; {
	case !age && s.NoRefresh:
		return look.Dim
	case age && c.Fraction == 0 && c.Of > 0, !age && c.Fraction == 0:
		return look.Bad
	case age && status.FewDays(s, now), !age && status.FewRefreshes(s):
		return look.Warn
	case age:
		return look.Time
	}
	return look.OK
}
