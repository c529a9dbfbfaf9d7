package window

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"curfew/auth"
	"curfew/ui/status"
	"curfew/ui/window/look"
)

// settingsPage is everything that can be chosen, a card for each subject. A
// change takes effect at once, and the card says what came of it.
type settingsPage struct {
	view   *View
	root   *fyne.Container
	scroll *container.Scroll
	back   *button
	result *bar // of what concerns no card, or no longer
	note   *note

	asked   bool          // the agent that is there was asked
	general *auth.General // nil: it has not answered yet

	pause   *pauseSettings
	limits  *limitSettings
	notices *noticeSettings
	desktop *desktopSettings
}

func newSettingsPage(v *View) *settingsPage {
	p := &settingsPage{view: v, result: newBar(v)}
	p.back = newButton(v, tr("Back"), func() { v.turn(PageAccount) })
	p.pause = newPauseSettings(v)
	p.limits = newLimitSettings(v, p)
	p.notices = newNoticeSettings(v, p)
	p.desktop = newDesktopSettings(v)
	about := look.Column(3)
	if v.About != nil {
		for _, line := range v.About() {
			about.Add(look.NewPara(line, look.SizeCaption, look.Dim))
		}
	}
	body := look.Column(14, p.result.root, p.pause.root, p.limits.root, p.notices.root, p.desktop.root, about)
	title := look.NewLine(tr("Settings"), look.SizeHeading, look.Ink).Strong()
	p.root = v.newPage(look.RowOf(12, title, title, p.back), body)
	p.scroll = v.bodies[len(v.bodies)-1].scroll
	return p
}

// opened begins at the top, with the account that was shown, and without what
// was said, or typed and not saved, the last time.
func (p *settingsPage) opened() {
	p.asked, p.note = false, nil
	for _, s := range []*section{p.pause.section, p.limits.section, p.notices.section, p.desktop.section} {
		s.note = nil
	}
	if p.general != nil {
		p.limits.fill(p.general.Limits)
	}
	p.scroll.ScrollToTop()
	p.view.focus(p.back)
	p.view.render()
}

// load asks for what no snapshot tells.
func (p *settingsPage) load() {
	v := p.view
	p.note = nil
	v.background(func(ctx context.Context) func() {
		general, err := v.Agent.Settings(ctx)
		return func() {
			if err != nil {
				p.note = failure(err)
			} else {
				p.heard(general)
			}
			v.render()
		}
	})
	p.desktop.load()
}

// heard takes over what the agent says of the settings.
func (p *settingsPage) heard(g auth.General) {
	first := p.general == nil
	changed := first || p.general.Limits != g.Limits
	p.general = &g
	if changed {
		p.limits.fill(g.Limits)
	}
}

// put has s save what edit changes of the settings as they are now, which may
// not be as the page shows them: somebody may have edited config.toml since.
func (p *settingsPage) put(s *section, edit func(*auth.General), done func()) {
	var now auth.General
	s.change(func(ctx context.Context) (err error) {
		if now, err = p.view.Agent.Settings(ctx); err != nil {
			return err
		}
		edit(&now)
		return p.view.Agent.PutSettings(ctx, now)
	}, func() *note {
		p.heard(now)
		done()
		return saved(tr("Saved."))
	})
}

func (p *settingsPage) render() {
	if p.view.usable() && !p.asked {
		p.load()
	}
	p.asked = p.view.usable()
	p.result.set(p.note)
	p.pause.render()
	p.limits.render()
	p.notices.render()
	p.desktop.render()
}

// A section is a card of the settings. It changes one thing at a time, and
// says what came of it, or why not, until the next change.
type section struct {
	view       *View
	root       *look.Panel
	body       *fyne.Container
	busy       bool
	note       *note
	said, hint *look.Text
	outcome    *fyne.Container
}

func newSection(v *View, head fyne.CanvasObject, content ...fyne.CanvasObject) *section {
	s := &section{view: v, said: look.NewPara("", look.SizeText, look.OK), hint: look.NewPara("", look.SizeText, look.Dim)}
	s.outcome = look.Column(1, s.said, s.hint)
	s.outcome.Hide()
	s.body = look.Column(8, append(append([]fyne.CanvasObject{head}, content...), s.outcome)...)
	s.root = look.NewCard(s.body)
	return s
}

func newHeading(words string) *look.Text {
	return look.NewLine(words, look.SizeText, look.Ink).Strong()
}

// usable reports whether something can be changed now.
func (s *section) usable() bool { return s.view.usable() && !s.busy }

// change does work, unless something is being changed already. Then done, on
// the UI goroutine, takes it over and says what came of it; an error says so
// itself. What the agent knows is asked for again in any case.
func (s *section) change(work func(ctx context.Context) error, done func() *note) {
	v := s.view
	s.attempt(s.usable(), func(ctx context.Context) (learned func(), err error) {
		err = work(ctx)
		snaps, listErr := v.Agent.Accounts(ctx)
		return func() {
			if listErr == nil {
				v.Show(snaps, v.Now())
			}
		}, err
	}, done)
}

// attempt does work if it may, and shows what came of it, with what work
// learned besides.
func (s *section) attempt(may bool, work func(ctx context.Context) (learned func(), err error), done func() *note) {
	v := s.view
	if !may {
		v.render() // what was pressed shows again what holds
		return
	}
	s.busy, s.note = true, nil
	v.background(func(ctx context.Context) func() {
		learned, err := work(ctx)
		return func() {
			s.busy = false
			if err != nil {
				s.note = failure(err)
			} else {
				s.note = done()
			}
			learned()
			v.render()
		}
	})
	v.render()
}

func saved(words string) *note { return &note{tone: look.OK, words: words} }

func (s *section) render() {
	s.view.show(s.outcome, s.note != nil)
	s.view.show(s.hint, s.note != nil && s.note.hint != "")
	if s.note != nil {
		s.said.Set(s.note.words, s.note.tone)
		s.hint.Say(s.note.hint)
	}
}

// pauseSettings is the one switch for all accounts.
type pauseSettings struct {
	*section
	background *check
}

func newPauseSettings(v *View) *pauseSettings {
	p := &pauseSettings{}
	p.background = newCheck(v, tr("Refresh in the background"), func(on bool) {
		p.change(func(ctx context.Context) error { return v.Agent.Pause(ctx, !on) }, func() *note {
			if on {
				return saved(tr("Access tokens are renewed in the background again."))
			}
			return saved(tr("Paused until you turn it on again. Programs that ask still get tokens."))
		})
	})
	p.section = newSection(v, newHeading(tr("Background refresh")), p.background,
		look.NewPara(tr("Off: access tokens are renewed only when a program asks for one. For every account, until you turn it on again."), look.SizeCaption, look.Dim))
	return p
}

func (p *pauseSettings) render() {
	paused := false
	for _, s := range p.view.snaps {
		paused = paused || s.Paused
	}
	if !p.busy {
		p.background.show(!paused)
	}
	p.background.enable(p.usable() && len(p.view.snaps) > 0) // without an account there is nobody whose snapshot would tell
	p.section.render()
}

// limitSettings is the limits, which can only be tightened.
type limitSettings struct {
	*section
	page                 *settingsPage
	age, refreshes, idle *field
	meaning              *look.Text
	over, spent          *look.Text // whose session the limits would end, at once and with its access token
	save, builtIn        *button
}

func newLimitSettings(v *View, page *settingsPage) *limitSettings {
	l := &limitSettings{page: page}
	field := func(label, hint, example string) *field {
		f := newField(v, label, hint, example, l.submit)
		f.entry.OnChanged = func(string) {
			f.complain("")
			l.note = nil
			v.render()
		}
		return f
	}
	l.age = field(tr("Days"), tr("At most %d.", int(auth.BuiltIn.MaxAge/day)), strconv.Itoa(int(auth.BuiltIn.MaxAge/day)))
	l.refreshes = field(tr("Refreshes"), tr("At most %d.", auth.BuiltIn.MaxRefreshes), strconv.Itoa(auth.BuiltIn.MaxRefreshes))
	l.idle = field(tr("Days unused"), tr("Empty: this ends no session."), tr("no limit"))
	l.meaning = look.NewPara("", look.SizeText, look.Ink)
	l.over, l.spent = look.NewPara("", look.SizeText, look.Warn), look.NewPara("", look.SizeText, look.Warn)
	l.save = newButton(v, tr("Save"), l.submit)
	l.builtIn = newButton(v, tr("As built in"), func() {
		l.note = nil
		l.fill(auth.BuiltIn)
		v.render()
		v.focus(l.save)
	})
	l.section = newSection(v, newHeading(tr("How long a session may live")),
		look.NewPara(tr("For every account. Limits can be made tighter than those built in, never looser."), look.SizeCaption, look.Dim),
		look.Shares(look.Em(100), l.age.root, l.refreshes.root, l.idle.root), l.meaning, l.over, l.spent, buttons(l.save, l.builtIn))
	return l
}

const day = 24 * time.Hour

// fill puts limits into the fields.
func (l *limitSettings) fill(limits auth.Limits) {
	l.age.entry.SetText(status.DaysTyped(limits.MaxAge))
	l.refreshes.entry.SetText(strconv.Itoa(limits.MaxRefreshes))
	l.idle.entry.SetText(status.DaysTyped(limits.MaxIdle))
}

func (l *limitSettings) read() (limits auth.Limits, age, refreshes, idle string) {
	return status.ReadLimits(l.age.entry.Text, l.refreshes.entry.Text, l.idle.entry.Text)
}

func (l *limitSettings) submit() {
	v := l.view
	limits, age, refreshes, idle := l.read()
	var wrong fyne.Focusable
	for _, c := range []struct {
		f         *field
		complaint string
	}{{l.age, age}, {l.refreshes, refreshes}, {l.idle, idle}} {
		if c.f.complain(c.complaint); c.complaint != "" && wrong == nil {
			wrong = c.f.input
		}
	}
	if l.page.general == nil {
		return
	}
	if wrong != nil {
		l.note = nil
		v.focus(wrong)
		v.render()
		return
	}
	l.page.put(l.section, func(g *auth.General) { g.Limits = limits }, func() {})
}

func (l *limitSettings) render() {
	v := l.view
	limits, age, refreshes, idle := l.read()
	good := age == "" && refreshes == "" && idle == ""
	changed := l.page.general != nil && (!good || l.page.general.Limits != limits)
	v.show(l.meaning, good)
	var over, spent []string
	if good {
		l.meaning.Say(status.Limits(limits))
		if changed {
			over, spent = status.EndedBy(limits, v.snaps, v.now)
		}
	}
	v.show(l.over, len(over) > 0)
	v.show(l.spent, len(spent) > 0)
	l.over.Say(tr("By these limits the session ends at once for: %s", strings.Join(over, ", ")))
	l.spent.Say(tr("By these limits the session ends with its present access token for: %s", strings.Join(spent, ", ")))
	save := tr("Save")
	if len(over)+len(spent) > 0 {
		save = tr("Save and end these sessions")
	}
	for _, f := range []*field{l.age, l.refreshes, l.idle} {
		f.entry.enable(l.usable() && l.page.general != nil)
	}
	l.save.set(save, l.usable() && changed)
	l.builtIn.set(tr("As built in"), l.usable() && l.page.general != nil && (!good || limits != auth.BuiltIn))
	l.section.render()
}

// noticeSettings is which warnings become notifications.
type noticeSettings struct {
	*section
	page    *settingsPage
	level   *choice
	meaning *look.Text
}

var levels = []auth.WarningLevel{auth.WarnAll, auth.WarnFew, auth.WarnOff}

func newNoticeSettings(v *View, page *settingsPage) *noticeSettings {
	n := &noticeSettings{page: page, meaning: look.NewPara("", look.SizeCaption, look.Dim)}
	n.level = choiceOf(v, []option[auth.WarningLevel]{{levels[0], tr("All")}, {levels[1], tr("Only the last")}, {levels[2], tr("None")}}, levels[0], func(l auth.WarningLevel) {
		page.put(n.section, func(g *auth.General) { g.Warnings = l }, func() {})
	})
	title := newHeading(tr("Notifications that a session ends soon"))
	n.level.name = title.Words()
	n.section = newSection(v, title, n.level, n.meaning)
	return n
}

func (n *noticeSettings) render() {
	now := auth.WarningLevel("") // not known
	if n.page.general != nil {
		now = n.page.general.Warnings
	}
	if at := slices.Index(levels, now); at != n.level.SelectedIndex() && !n.busy {
		n.level.show(at)
	}
	meaning := map[auth.WarningLevel]string{auth.WarnAll: tr("At 5, 2 and 0 refreshes, and 3 days, 24 hours and 1 hour before the end."), auth.WarnFew: tr("When no refresh is left, and 1 hour before the end."), auth.WarnOff: tr("Nothing before the end.")}
	n.meaning.Say(strings.TrimSpace(meaning[now] + " " + tr("You are always notified when a session ends.")))
	enable(n.level, n.usable() && now != "")
	n.section.render()
}

// desktopSettings is what the desktop does with Curfew, and how it looks there.
type desktopSettings struct {
	*section
	login      *check
	known      bool // whether the tray starts at login was read
	on         bool
	appearance *choice
	language   *choice
}

// An option is one of a choice: what it stands for, and as people read it.
type option[T comparable] struct {
	value T
	words string
}

func appearances() []option[look.Appearance] {
	return []option[look.Appearance]{{look.System, tr("Like the desktop")}, {look.Dark, tr("Dark")}, {look.Light, tr("Light")}}
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

func newDesktopSettings(v *View) *desktopSettings {
	d := &desktopSettings{}
	d.login = newCheck(v, tr("Show Curfew in the tray when I log in"), d.start)
	d.appearance = choiceOf(v, appearances(), v.Appearance, func(a look.Appearance) {
		v.Appearance = a
		if v.OnAppear != nil {
			v.OnAppear(a)
		}
	})
	d.language = choiceOf(v, languages(), v.Language, func(code string) {
		v.speak(code)
		v.focus(v.settings.desktop.language) // another one now
	})
	under := func(words string, c *choice) fyne.CanvasObject {
		c.name = words
		return look.Column(4, look.NewLine(words, look.SizeText, look.Ink).Strong(), c)
	}
	d.section = newSection(v, newHeading(tr("On this desktop")), d.login,
		look.Shares(look.Em(150), under(tr("Colours"), d.appearance), under(tr("Language"), d.language)))
	return d
}

// load reads what happens at login.
func (d *desktopSettings) load() {
	v := d.view
	if v.Autostart == nil {
		return
	}
	v.background(func(context.Context) func() {
		on, err := v.Autostart()
		return func() {
			d.known, d.on = err == nil, on
			if err != nil {
				d.note = failure(err)
			}
			v.render()
		}
	})
}

// start has the tray start at login, or not. The agent has no part in it.
func (d *desktopSettings) start(on bool) {
	d.attempt(!d.busy, func(context.Context) (func(), error) {
		return func() {}, d.view.SetAutostart(on)
	}, func() *note {
		d.on = on
		if on {
			return saved(tr("Curfew is in the tray from your next login on."))
		}
		return saved(tr("Nothing starts when you log in."))
	})
}

func (d *desktopSettings) render() {
	d.view.show(d.login, d.view.Autostart != nil)
	if !d.busy {
		d.login.show(d.on)
	}
	d.login.enable(d.known && !d.busy)
	d.section.render()
}
