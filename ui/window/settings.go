package window

import (
	"context"
	"strconv"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"curfew/auth"
	"curfew/ui/status"
	"curfew/ui/window/control"
	"curfew/ui/window/look"
)

// settingsPage is everything that can be chosen, a card for each subject. A
// change takes effect at once, and the card says what came of it.
type settingsPage struct {
	view   *View
	root   *fyne.Container
	scroll *container.Scroll
	back   *control.Button
	result *control.Bar // of what concerns no card, or no longer
	note   *control.Note

	asked   bool          // the agent that is there was asked
	general *auth.General // nil: it has not answered yet

	pause   *pauseSettings
	limits  *limitSettings
	notices *noticeSettings
	desktop *desktopSettings
}

func newSettingsPage(v *View) *settingsPage {
	p := &settingsPage{view: v, result: control.NewBar(v.frame)}
	p.back = control.NewButton(v.frame, tr("Back"), func() { v.turn(PageAccount) })
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
	body := look.Column(14, p.result.Root, p.pause.root, p.limits.root, p.notices.root, p.desktop.root, about)
	title := look.NewLine(tr("Settings"), look.SizeHeading, look.Ink).Strong()
	p.root, p.scroll = v.frame.Page(look.RowOf(12, title, title, p.back), body)
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
	p.view.frame.Focus(p.back)
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
	}, func() *control.Note {
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
	p.result.Set(p.note)
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
	note       *control.Note
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
func (s *section) change(work func(ctx context.Context) error, done func() *control.Note) {
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
func (s *section) attempt(may bool, work func(ctx context.Context) (learned func(), err error), done func() *control.Note) {
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

func saved(words string) *control.Note { return &control.Note{Tone: look.OK, Words: words} }

func (s *section) render() {
	s.view.frame.Show(s.outcome, s.note != nil)
	s.view.frame.Show(s.hint, s.note != nil && s.note.Hint != "")
	if s.note != nil {
		s.said.Set(s.note.Words, s.note.Tone)
		s.hint.Say(s.note.Hint)
	}
}

// pauseSettings is the one switch for all accounts.
type pauseSettings struct {
	*section
	background *control.Check
}

func newPauseSettings(v *View) *pauseSettings {
	p := &pauseSettings{}
	p.background = control.NewCheck(v.frame, tr("Refresh in the background"), func(on bool) {
		p.change(func(ctx context.Context) error { return v.Agent.Pause(ctx, !on) }, func() *control.Note {
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
		p.background.ShowValue(!paused)
	}
	control.Enable(p.background, p.usable() && len(p.view.snaps) > 0) // without an account there is nobody whose snapshot would tell
	p.section.render()
}

// limitSettings is the limits, which can only be tightened.
type limitSettings struct {
	*section
	page                 *settingsPage
	age, refreshes, idle *control.Field
	meaning              *look.Text
	over, spent          *look.Text // whose session the limits would end, at once and with its access token
	save, builtIn        *control.Button
}

func newLimitSettings(v *View, page *settingsPage) *limitSettings {
	l := &limitSettings{page: page}
	field := func(label, hint, example string) *control.Field {
		f := control.NewField(v.frame, label, hint, example, l.submit)
		f.Entry.OnChanged = func(string) {
			f.Complain("")
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
	l.save = control.NewButton(v.frame, tr("Save"), l.submit)
	l.builtIn = control.NewButton(v.frame, tr("As built in"), func() {
		l.note = nil
		l.fill(auth.BuiltIn)
		v.render()
		v.frame.Focus(l.save)
	})
	l.section = newSection(v, newHeading(tr("How long a session may live")),
		look.NewPara(tr("For every account. Limits can be made tighter than those built in, never looser."), look.SizeCaption, look.Dim),
		look.Shares(look.Em(100), l.age.Root, l.refreshes.Root, l.idle.Root), l.meaning, l.over, l.spent, control.Buttons(l.save, l.builtIn))
	return l
}

const day = 24 * time.Hour

// fill puts limits into the fields.
func (l *limitSettings) fill(limits auth.Limits) {
	l.age.Entry.SetText(status.DaysTyped(limits.MaxAge))
	l.refreshes.Entry.SetText(strconv.Itoa(limits.MaxRefreshes))
	l.idle.Entry.SetText(status.DaysTyped(limits.MaxIdle))
}

func (l *limitSettings) read() (limits auth.Limits, age, refreshes, idle string) {
	return status.ReadLimits(l.age.Entry.Text, l.refreshes.Entry.Text, l.idle.Entry.Text)
}

func (l *limitSettings) submit() {
	v := l.view
	limits, age, refreshes, idle := l.read()
	var wrong fyne.Focusable
	for _, c := range []struct {
		f         *control.Field
		complaint string
	}{{l.age, age}, {l.refreshes, refreshes}, {l.idle, idle}} {
		if c.f.Complain(c.complaint); c.complaint != "" && wrong == nil {
			wrong = c.f.Input
		}
	}
	if l.page.general == nil {
		return
	}
	if wrong != nil {
		l.note = nil
		v.frame.Focus(wrong)
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
	v.frame.Show(l.meaning, good)
	var over, spent []string
	if good {
		l.meaning.Say(status.Limits(limits))
		if changed {
			over, spent = status.EndedBy(limits, v.snaps, v.now)
		}
	}
	v.frame.Show(l.over, len(over) > 0)
	v.frame.Show(l.spent, len(spent) > 0)
	l.over.Say(tr("By these limits the session ends at once for: %s", strings.Join(over, ", ")))
	l.spent.Say(tr("By these limits the session ends with its present access token for: %s", strings.Join(spent, ", ")))
	save := tr("Save")
	if len(over)+len(spent) > 0 {
		save = tr("Save and end these sessions")
	}
	for _, f := range []*control.Field{l.age, l.refreshes, l.idle} {
		control.Enable(f.Entry, l.usable() && l.page.general != nil)
	}
	l.save.Set(save, l.usable() && changed)
	l.builtIn.Set(tr("As built in"), l.usable() && l.page.general != nil && (!good || limits != auth.BuiltIn))
	l.section.render()
}

// noticeSettings is which warnings become notifications.
type noticeSettings struct {
	*section
	page    *settingsPage
	level   *control.Choice
	meaning *look.Text
}

func newNoticeSettings(v *View, page *settingsPage) *noticeSettings {
	n := &noticeSettings{page: page, meaning: look.NewPara("", look.SizeCaption, look.Dim)}
	n.level = control.NewChoice(v.frame, []control.Option{{Value: string(auth.WarnAll), Words: tr("All")}, {Value: string(auth.WarnFew), Words: tr("Only the last")}, {Value: string(auth.WarnOff), Words: tr("None")}}, "", func(level string) {
		page.put(n.section, func(g *auth.General) { g.Warnings = auth.WarningLevel(level) }, func() {})
	})
	title := newHeading(tr("Notifications that a session ends soon"))
	n.level.Name = title.Words()
	n.section = newSection(v, title, n.level, n.meaning)
	return n
}

func (n *noticeSettings) render() {
	now := auth.WarningLevel("") // not known
	if n.page.general != nil {
		now = n.page.general.Warnings
	}
	if !n.busy {
		n.level.ShowValue(string(now))
	}
	meaning := map[auth.WarningLevel]string{auth.WarnAll: tr("At 5, 2 and 0 refreshes, and 3 days, 24 hours and 1 hour before the end."), auth.WarnFew: tr("When no refresh is left, and 1 hour before the end."), auth.WarnOff: tr("Nothing before the end.")}
	n.meaning.Say(strings.TrimSpace(meaning[now] + " " + tr("You are always notified when a session ends.")))
	control.Enable(n.level, n.usable() && now != "")
	n.section.render()
}

// desktopSettings is what the desktop does with Curfew, and how it looks there.
type desktopSettings struct {
	*section
	login      *control.Check
	known      bool // whether the tray starts at login was read
	on         bool
	appearance *control.Choice
	language   *control.Choice
}

func appearances() []control.Option {
	return []control.Option{{Value: string(look.System), Words: tr("Like the desktop")}, {Value: string(look.Dark), Words: tr("Dark")}, {Value: string(look.Light), Words: tr("Light")}}
}

func languages() []control.Option {
	options := []control.Option{{Value: "", Words: tr("Like the desktop")}}
	for _, l := range status.Languages() {
		options = append(options, control.Option{Value: l.Code, Words: l.Name})
	}
	return options
}

func newDesktopSettings(v *View) *desktopSettings {
	d := &desktopSettings{}
	d.login = control.NewCheck(v.frame, tr("Show Curfew in the tray when I log in"), d.start)
	d.appearance = control.NewChoice(v.frame, appearances(), string(v.Appearance), func(a string) {
		v.Appearance = look.Appearance(a)
		if v.OnAppear != nil {
			v.OnAppear(v.Appearance)
		}
	})
	d.language = control.NewChoice(v.frame, languages(), v.Language, func(code string) {
		v.speak(code)
		v.frame.Focus(v.settings.desktop.language) // another one now
	})
	under := func(words string, c *control.Choice) fyne.CanvasObject {
		c.Name = words
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
	}, func() *control.Note {
		d.on = on
		if on {
			return saved(tr("Curfew is in the tray from your next login on."))
		}
		return saved(tr("Nothing starts when you log in."))
	})
}

func (d *desktopSettings) render() {
	d.view.frame.Show(d.login, d.view.Autostart != nil)
	if !d.busy {
		d.login.ShowValue(d.on)
	}
	control.Enable(d.login, d.known && !d.busy)
	d.section.render()
}
