package window

import (
	"context"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"

	"curfew/ui/status"
)

// settingsPage is everything that belongs to no account, and removing one.
type settingsPage struct {
	view       *View
	root       *fyne.Container
	back       *button
	note       *note
	result     *bar
	appearance *choice
	language   *choice
	background *check
	setting    bool // the check is being set to what the agent says

	removing  string // the account that "Remove?" is about
	busy      bool
	question  *bar
	yes, keep *button
	accounts  *fyne.Container
	none      *text
	rows      []*accountSetting
}

// accountSetting is one account that can be removed.
type accountSetting struct {
	root           *fyne.Container
	name           string
	title, details *text
	remove         *button
}

// An option is one of a choice: what it stands for, and as people read it.
type option[T comparable] struct {
	value T
	words string
}

func appearances() []option[Appearance] {
	return []option[Appearance]{{System, tr("Like the desktop")}, {Dark, tr("Dark")}, {Light, tr("Light")}}
}

func languages() []option[string] {
	options := []option[string]{{"", tr("Like the desktop")}}
	for _, l := range status.Languages() {
		options = append(options, option[string]{l.Code, l.Name})
	}
	return options
}

// choiceOf returns a choice among options, the first where none has the value now.
func choiceOf[T comparable](v *View, options []option[T], now T, chosen func(T)) *choice {
	c := newChoice(v, nil, nil)
	at := 0
	for i, o := range options {
		c.Options = append(c.Options, o.words)
		if o.value == now {
			at = i
		}
	}
	c.SetSelectedIndex(at)
	c.OnChanged = func(string) { chosen(options[c.SelectedIndex()].value) }
	return c
}

func newSettingsPage(v *View) *settingsPage {
	p := &settingsPage{view: v, result: newBar(v)}
	p.back = newButton(v, tr("Back"), func() { v.turn(PageAccount) })
	p.appearance = choiceOf(v, appearances(), v.Appearance, func(a Appearance) {
		v.Appearance = a
		if v.OnAppear != nil {
			v.OnAppear(a)
		}
	})
	p.language = choiceOf(v, languages(), v.Language, func(code string) {
		v.speak(code)
		v.focus(v.settings.language) // another one now
	})
	p.background = newCheck(v, tr("Refresh in the background"), func(on bool) {
		if !p.setting {
			p.pause(!on)
		}
	})

	p.yes = newButton(v, tr("Remove"), p.remove).danger()
	p.keep = newButton(v, tr("Keep"), v.escape)
	p.question = newBar(v, p.keep, p.yes)
	p.none = newPara(tr("No accounts yet."), sizeSmall, colorDim)
	p.accounts = column(10, p.none)

	about := column(3)
	if v.About != nil {
		for _, line := range v.About() {
			about.Add(newPara(line, theme.SizeNameCaptionText, colorDim))
		}
	}
	heading := func(words string) fyne.CanvasObject {
		return newLine(words, theme.SizeNameText, colorInk).strong()
	}
	body := column(14, p.result.root, p.question.root,
		newCard(column(8, heading(tr("Appearance")), row(0, container.New(fixedWidth(220), p.appearance)))),
		newCard(column(8, heading(tr("Language")), row(0, container.New(fixedWidth(220), p.language)))),
		newCard(column(8, heading(tr("Background refresh")), p.background,
			newPara(tr("Off: access tokens are renewed only when a program asks for one. For every account, until you turn it on again."), theme.SizeNameCaptionText, colorDim))),
		newCard(column(10, heading(tr("Accounts")), p.accounts)),
		about)
	title := newLine(tr("Settings"), theme.SizeNameHeadingText, colorInk).strong()
	p.root = v.newPage(rowOf(12, title, title, p.back), body)
	return p
}

// leave takes back an open question and reports whether there was one.
func (p *settingsPage) leave() bool {
	asked := p.removing != ""
	p.removing = ""
	return asked
}

func (p *settingsPage) render() {
	v := p.view
	p.result.set(p.note)
	p.question.set(p.asked())
	usable := v.usable() && !p.busy
	p.yes.set(tr("Remove"), usable)

	paused := false
	for _, s := range v.snaps {
		paused = paused || s.Paused
	}
	p.setting = true
	if !p.busy && p.background.Checked == paused {
		p.background.SetChecked(!paused)
	}
	p.setting = false
	// Without an account there is nobody whose snapshot would tell.
	switch can := usable && len(v.snaps) > 0; {
	case can && p.background.Disabled():
		p.background.Enable()
	case !can && !p.background.Disabled():
		p.background.Disable()
	}

	for len(p.rows) < len(v.snaps) {
		p.rows = append(p.rows, p.newRow())
		p.accounts.Add(p.rows[len(p.rows)-1].root)
	}
	v.show(p.none, len(v.snaps) == 0)
	for i, r := range p.rows {
		v.show(r.root, i < len(v.snaps))
		if i >= len(v.snaps) {
			continue
		}
		s := v.snaps[i]
		r.name = s.Name
		r.title.say(status.Name(s))
		r.details.say(s.Provider)
		r.remove.set(tr("Remove"), usable && p.removing == "")
	}
}

func (p *settingsPage) newRow() *accountSetting {
	r := &accountSetting{title: newLine("", theme.SizeNameText, colorInk), details: newLine("", theme.SizeNameCaptionText, colorDim)}
	r.remove = newButton(p.view, tr("Remove"), func() {
		p.removing, p.note = r.name, nil
		p.view.render()
		p.view.focus(p.keep)
	})
	words := column(1, r.title, r.details)
	r.root = rowOf(12, words, words, r.remove)
	return r
}

func (p *settingsPage) asked() *note {
	s, ok := p.view.snapshot(p.removing)
	if !ok {
		return nil
	}
	n := &note{tone: colorBad, words: tr("Remove %s?", status.Name(s)), hint: tr("This forgets its settings. Tools that ask for its tokens will fail.")}
	if status.HasSession(s) {
		n.hint = tr("This ends its session here and at the server, and forgets its settings. Tools that ask for its tokens will fail.")
	}
	return n
}

func (p *settingsPage) remove() {
	v, name := p.view, p.removing
	if name == "" || p.busy || !v.usable() {
		return
	}
	p.busy = true
	v.render()
	v.background(func(ctx context.Context) func() {
		result, err := v.Agent.Remove(ctx, name)
		snaps, listErr := v.Agent.Accounts(ctx)
		return func() {
			p.busy, p.removing = false, ""
			if err != nil {
				p.note = failure(err)
			} else {
				p.note = v.signedOut(result)
				delete(v.locals, name)
			}
			if listErr == nil {
				v.Show(snaps, v.Now())
			}
			v.render()
		}
	})
}

// pause stops or resumes background refresh, and says what came of it.
func (p *settingsPage) pause(paused bool) {
	v := p.view
	p.busy, p.note = true, nil
	v.background(func(ctx context.Context) func() {
		err := v.Agent.Pause(ctx, paused)
		snaps, listErr := v.Agent.Accounts(ctx)
		return func() {
			p.busy = false
			if err != nil {
				p.note = failure(err)
			}
			if listErr == nil {
				v.Show(snaps, v.Now())
			}
			v.render()
		}
	})
	v.render()
}
