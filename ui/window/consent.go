package window

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"

	"curfew/auth"
	"curfew/ui/status"
	"curfew/ui/window/control"
	"curfew/ui/window/look"
)

// consentPanel asks about the program that has waited longest for a token of the
// account, and lists the answers that hold.
type consentPanel struct {
	view  *View
	ask   *control.Bar
	asked auth.Ask
	since time.Time // when it came on screen

	deny, always, allow *control.Button

	answers *look.Panel
	rows    *fyne.Container
	shown   []auth.Permit
	words   []*look.Text // how long each holds
}

// readable is how long a question is on screen before it takes an answer. Nobody has
// read it before: it has come under the pointer, or another was answered twice.
const readable = 500 * time.Millisecond

func newConsentPanel(v *View) *consentPanel {
	p := &consentPanel{view: v, rows: look.Column(look.GapSmall)}
	say := func(answer auth.Answer) func() {
		return func() {
			if v.Now().Sub(p.since) >= readable {
				v.answer(v.selected, p.asked.ID, answer)
			}
		}
	}
	p.deny, p.always, p.allow = control.NewButton(v.frame, tr("Deny"), say(auth.Deny)), control.NewButton(v.frame, tr("Always"), say(auth.AllowAlways)), control.NewButton(v.frame, tr("Allow for 12 h"), say(auth.AllowToday))
	p.ask = control.NewBar(v.frame, p.deny, p.always, p.allow)
	p.answers = look.NewCard(look.Column(look.GapSmall, look.NewHeading(tr("Programs that you answered")), p.rows))
	return p
}

// render shows the questions and answers of s.
func (p *consentPanel) render(v *View, s auth.Snapshot, usable bool) {
	var n *control.Note
	if len(s.Asks) > 0 {
		if p.asked.ID != s.Asks[0].ID {
			p.since = v.Now()
		}
		p.asked = s.Asks[0]
		words := status.AskingOf(s, p.asked)
		n = &control.Note{Tone: look.Warn, Words: words.Title, Hint: words.Detail}
		if words.Cost != "" {
			n.Hint = sentences(strings.TrimSuffix(words.Detail, "."), words.Cost)
		}
		for _, b := range []*control.Button{p.deny, p.always, p.allow} {
			control.Enable(b, usable)
		}
	}
	p.ask.Set(n)
	v.frame.Show(p.answers, len(s.Permits) > 0)
	if !slices.Equal(s.Permits, p.shown) {
		p.list(s.Permits)
	}
	for i, m := range s.Permits {
		p.words[i].Say(status.PermitWords(m, v.now))
	}
}

// list makes a row for each answer.
func (p *consentPanel) list(all []auth.Permit) {
	p.shown = slices.Clone(all)
	p.rows.Objects, p.words = nil, nil
	for _, m := range all {
		forget := control.NewButton(p.view.frame, tr("Forget"), func() { p.view.revoke(p.view.selected, m.ID) })
		name, words := look.NewLine(filepath.Base(m.Program), look.SizeText, look.Ink), look.NewPara("", look.SizeCaption, look.Dim)
		p.words = append(p.words, words)
		what := look.Column(0, name, words)
		p.rows.Add(look.RowOf(12, what, what, control.Flush(forget)))
	}
	p.rows.Refresh()
}

// answer says whether a program that waits may have tokens.
func (v *View) answer(name, ask string, answer auth.Answer) {
	v.ask(name, busyAnswer, func(ctx context.Context) (func(*local), error) {
		return nil, v.Agent.Answer(ctx, name, ask, answer)
	})
}

// revoke forgets an answer.
func (v *View) revoke(name, permit string) {
	v.ask(name, busyAnswer, func(ctx context.Context) (func(*local), error) {
		return nil, v.Agent.Revoke(ctx, name, permit)
	})
}
