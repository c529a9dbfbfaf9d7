package window

import (
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"

	"curfew/auth"
	"curfew/ui/status"
)

// accountPage shows one account in full.
type accountPage struct {
	view *View
	root *fyne.Container

	title, subject *text
	pill           *pill
	out, in        *button
	unlock         *button // in the place of in

	question  *bar // Sign out?
	yes, keep *button
	result    *bar // of the last button
	copied    *bar
	state     *bar // what the account's state asks of a person
	warnings  *bar

	signIn *signInPanel
	call   *callPanel // without a session: what signing in means
	over   *overPanel // after a session: how it was

	gauges         *fyne.Container
	refreshes, age *gauge

	budget   *panel
	forecast *text
	chart    *chart

	below              *fyne.Container
	facts              *panel
	access, next, used *fact
	ends               *fact
	copy, refresh      *button
	cost               *text
	recent             *timeline
	all                *button
	takers             *takerList
}

func newAccountPage(v *View) *accountPage {
	p := &accountPage{view: v}
	name := func() string { return v.selected }

	p.title = newLine("", theme.SizeNameHeadingText, colorInk).strong()
	p.title.clip = 60
	p.subject = newLine("", sizeSmall, colorDim)
	p.subject.clip = 1 // it gives way to all else
	p.pill = newPill()
	p.out = newButton(v, tr("Sign out"), func() { v.askSignOut(name()) })
	p.in = newButton(v, tr("Sign in again"), func() { v.signIn(name(), false) }).primary()
	p.unlock = newButton(v, tr("Unlock"), func() { v.unlock(name()) }).primary()
	head := container.New(&headLayout{title: p.title, pill: p.pill.root, subject: p.subject}, p.title, p.pill.root, p.subject, p.out, p.in, p.unlock)
	p.title.row, p.subject.row, p.pill.words.row = head, head, head

	p.yes = newButton(v, tr("Sign out"), func() { v.signOut(name()) }).danger()
	p.keep = newButton(v, tr("Stay signed in"), v.escape)
	p.question = newBar(v, p.keep, p.yes)
	p.result = newBar(v)
	p.copied = newBar(v)
	p.state = newBar(v)
	p.warnings = newBar(v)
	p.signIn = newSignInPanel(v)
	p.call = newCallPanel(v)
	p.over = newOverPanel(v)

	p.refreshes, p.age = newGauge(), newGauge()
	p.gauges = shares(14, p.refreshes.root, p.age.root)

	p.forecast = newLine("", theme.SizeNameCaptionText, colorDim).trailing()
	p.chart = newChart(v.now.Location())
	chartTitle := newText(tr("Refreshes left"), theme.SizeNameCaptionText, colorDim)
	p.budget = newCard(container.New(&stackLayout{gap: 6, grow: []fyne.CanvasObject{p.chart}},
		rowOf(16, p.forecast, chartTitle, p.forecast), p.chart))

	p.access, p.next, p.used, p.ends = newFact(tr("Access token")), newFact(tr("Next refresh")), newFact(tr("Last used")), newFact(tr("Ends by"))
	p.copy = newButton(v, tr("Copy access token"), func() { v.copyToken(name()) })
	p.refresh = newButton(v, tr("Refresh now"), func() { v.refreshNow(name()) })
	p.cost = newPara("", theme.SizeNameCaptionText, colorDim)
	filler := container.New(fixedWidth(0))
	p.facts = newCard(container.New(&stackLayout{gap: 8, grow: []fyne.CanvasObject{filler}},
		p.access.root, p.next.root, p.used.root, p.ends.root, filler, p.copy, p.refresh, p.cost))

	p.recent = newTimeline(v, recentEvents)
	p.all = newButton(v, tr("All"), func() { v.turn(PageLog) })
	recentTitle := caption(tr("Recently"))
	p.takers = newTakerList(recentTakers)
	recent := newCard(container.New(&stackLayout{gap: 5}, rowOf(8, recentTitle, recentTitle, container.New(paddings{-3, -linkAir, -3, 0}, link(p.all))), p.recent.root, p.takers.root))
	p.below = shares(14, p.facts, recent)

	body := container.New(&stackLayout{gap: 14, grow: []fyne.CanvasObject{p.budget, p.below}},
		p.question.root, p.result.root, p.copied.root, p.state.root, p.warnings.root, p.signIn.root, p.call.root, p.over.root, p.gauges, p.budget, p.below)
	p.root = v.newPage(head, body)
	return p
}

// headLayout puts the name, the state and the person beside each other, and
// the buttons at the other end; where that is too much for one line, the state
// and the person stand below the name.
type headLayout struct {
	title, subject *text
	pill           fyne.CanvasObject
	two            bool // there were two lines at the last layout
}

const headGap = 12

// buttons are the other objects.
func (l *headLayout) buttons(objects []fyne.CanvasObject) []fyne.CanvasObject {
	return visible(objects[3:])
}

func (l *headLayout) MinSize(objects []fyne.CanvasObject) fyne.Size {
	size := fyne.NewSize(max(l.title.MinSize().Width, l.pill.MinSize().Width), max(l.title.MinSize().Height, l.pill.MinSize().Height))
	if l.two {
		size.Height = l.title.MinSize().Height + l.pill.MinSize().Height + 4
	}
	for _, b := range l.buttons(objects) {
		size.Width += headGap + b.MinSize().Width
		size.Height = max(size.Height, b.MinSize().Height)
	}
	return size
}

func (l *headLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	right := size.Width
	shown := l.buttons(objects)
	for i := len(shown) - 1; i >= 0; i-- {
		b := shown[i]
		right -= b.MinSize().Width
		b.Resize(b.MinSize())
		right -= headGap
	}
	x := right + headGap
	title, pill := l.title.natural()+.5, l.pill.MinSize()
	who := float32(0)
	if l.subject.Visible() {
		who = l.subject.natural() + .5
	}
	l.two = title+headGap+pill.Width+headGap+who > right
	height := l.MinSize(objects).Height
	for _, b := range shown {
		b.Move(fyne.NewPos(x, (height-b.MinSize().Height)/2))
		x += b.MinSize().Width + headGap
	}

	put := func(o fyne.CanvasObject, x, middle, width float32) {
		tall := o.MinSize().Height
		o.Resize(fyne.NewSize(max(0, width), tall))
		o.Move(fyne.NewPos(x, middle-tall/2))
	}
	title = min(title, right)
	first, second, left := height/2, height/2, title+headGap
	if l.two {
		first, second, left = l.title.MinSize().Height/2, height-pill.Height/2, 0
	}
	put(l.title, 0, first, title)
	put(l.pill, left, second, pill.Width)
	left += pill.Width + headGap
	put(l.subject, left, second, min(who, right-left))
}

func (p *accountPage) render(s auth.Snapshot, l *local) {
	v := p.view
	now := v.now
	if l.note != nil && !l.note.until.IsZero() && !now.Before(l.note.until) {
		l.note = nil
	}
	signing := status.SigningIn(s) || l.flow != nil || l.busy == busySignIn || l.busy == busyCancel
	told := s
	if !status.SigningIn(s) {
		told.SignIn = nil // how the last one ended is a note, not a state
	}
	words := status.Describe(told, now)
	session := status.HasSession(s)
	ended := s.State == auth.Ended && !s.SignedInAt.IsZero()
	usable := v.usable() && l.busy == idle

	p.title.say(words.Name)
	p.pill.set(words.Title, v.fresh(s, toneOf(s, words)))
	p.subject.say(words.Subject)
	v.show(p.subject, words.Subject != "")
	v.show(p.out, session)
	p.out.set(busyWords(l, busySignOut, tr("Sign out"), tr("Signing out…")), usable && !l.confirm)
	v.show(p.in, words.Action == status.SignIn && !signing && session) // without one, it stands below
	p.in.set(words.ActionLabel, usable)
	v.show(p.unlock, words.Action == status.Unlock)
	p.unlock.set(busyWords(l, busyUnlock, words.ActionLabel, tr("Unlocking…")), usable)

	p.question.set(p.asked(words, l))
	p.yes.set(tr("Sign out"), usable)
	p.result.set(l.note)
	p.copied.set(p.clipboard(s, now))
	p.state.set(stateNote(told, words, signing || ended))
	p.warnings.set(warningNote(words))
	p.signIn.render(s, l, signing)
	p.call.render(v, s, words, usable, !session && !ended && !signing)

	p.over.render(v, s, words, usable, ended && !signing)

	low := v.link.root.Visible() || p.signIn.root.Visible()
	for _, b := range []*bar{p.question, p.result, p.copied, p.state, p.warnings} {
		low = low || b.root.Visible()
	}
	p.refreshes.lower(low)
	p.age.lower(low)
	v.show(p.gauges, session)
	p.refreshes.set(words.Refreshes, v.fresh(s, refreshColor(s, words)))
	p.age.set(words.Age, v.fresh(s, ageColor(s, words, now)))

	burn, ok := burnDown(s, l.events, now)
	v.show(p.budget, ok && (session || ended))
	if ok {
		burn.color = v.fresh(s, refreshColor(s, words))
		p.chart.loc = now.Location()
		p.chart.set(burn)
		p.forecast.say(words.Forecast)
	}

	v.show(p.facts, session)
	v.show(p.below, session || len(l.events) > 0)
	p.access.set(words.AccessToken)
	p.next.set(words.NextRefresh)
	p.used.set(words.LastUsed)
	v.show(p.used.root, len(words.Takers) == 0) // they say it better
	p.ends.set(words.EndsBy)
	v.show(p.ends.root, words.EndsBy != "")
	needed := !session || status.UrgencyOf(s, now) >= status.Soon
	p.in.bright(needed)
	p.copy.bright(!needed && usable)
	p.copy.set(busyWords(l, busyToken, tr("Copy access token"), tr("Copying…")), usable && session)
	p.refresh.set(busyWords(l, busyRefresh, tr("Refresh now"), tr("Refreshing…")), usable && session && s.RefreshesLeft > 0 && s.State != auth.Refreshing)
	p.cost.say(refreshCost(s, session))
	takers := words.Takers
	if !session {
		takers = nil // they are told with the session
	}
	p.recent.most = recentEvents
	switch n := min(len(takers), recentTakers); {
	case n > 0:
		p.recent.most -= n
	case ended:
		p.recent.most--
	}
	p.recent.set(withoutTokens(l.events, len(words.Takers) > 0), now)
	p.takers.set(takers)
}

func (p *accountPage) asked(words status.View, l *local) *note {
	if !l.confirm {
		return nil
	}
	return &note{tone: colorBad, words: tr("Sign out of %s?", words.Name),
		hint: tr("This ends the session here and at the server. Programs get no tokens until you sign in again.")}
}

func (p *accountPage) clipboard(s auth.Snapshot, now time.Time) *note {
	c := p.view.copied
	if c.until.IsZero() || c.name != s.Name {
		return nil
	}
	return &note{tone: colorOK, words: tr("Access token copied."),
		hint: tr("The clipboard is cleared in %d s, or when this window closes.", int(c.until.Sub(now).Round(time.Second)/time.Second))}
}

// busyWords names a button after what it does, or is doing.
func busyWords(l *local, what busy, rest, doing string) string {
	if l.busy == what {
		return doing
	}
	return rest
}

// refreshCost says what Refresh now takes from the budget.
func refreshCost(s auth.Snapshot, session bool) string {
	switch {
	case !session:
		return tr("There is no session to refresh.")
	case s.RefreshesLeft <= 0:
		return tr("No refreshes are left.")
	case s.RefreshesLeft == 1:
		return tr("Refresh now uses the last refresh.")
	}
	return tr("Refresh now uses 1 of %d refreshes.", s.RefreshesLeft)
}

// stateNote says what the account's state asks of a person; nil when nothing.
func stateNote(s auth.Snapshot, words status.View, signing bool) *note {
	switch {
	case signing, s.State == auth.SignedOut, s.State == auth.Ended && s.SignedInAt.IsZero():
		return nil // the panels below say it
	case words.Urgency == status.Calm && s.State != auth.Waiting && s.State != auth.Ended:
		return nil
	case words.Urgency == status.Soon && s.State != auth.Waiting && len(words.Warnings) > 0:
		return nil // they say it better
	}
	return &note{tone: toneOf(s, words), words: words.Detail}
}

func warningNote(words status.View) *note {
	if len(words.Warnings) == 0 {
		return nil
	}
	return &note{tone: colorWarn, words: strings.Join(words.Warnings, " ")}
}

// toneOf is the colour of a state. Words always stand beside it.
func toneOf(s auth.Snapshot, words status.View) fyne.ThemeColorName {
	switch {
	case status.SigningIn(s):
		return colorTime
	case words.Urgency == status.Over:
		return colorBad
	case words.Urgency != status.Calm, s.State == auth.Waiting:
		return colorWarn
	case status.HasSession(s):
		return colorOK
	}
	return colorDim
}

// fresh is the colour of what is told of s: nothing looks healthy that cannot
// be known now, because the agent or the account's server is out of reach.
func (v *View) fresh(s auth.Snapshot, color fyne.ThemeColorName) fyne.ThemeColorName {
	if (v.down != nil || s.State == auth.Waiting) && (color == colorOK || color == colorTime) {
		return colorDim
	}
	return color
}

// refreshColor is the colour of the refreshes that are left.
func refreshColor(s auth.Snapshot, words status.View) fyne.ThemeColorName {
	switch {
	case words.Refreshes.Fraction == 0:
		return colorBad
	case words.Urgency == status.Attention, status.FewRefreshes(s):
		return colorWarn
	}
	return colorOK
}

// ageColor is the colour of the days that are left.
func ageColor(s auth.Snapshot, words status.View, now time.Time) fyne.ThemeColorName {
	switch {
	case words.Age.Fraction == 0 && status.HasSession(s) && !s.EndsAt.IsZero():
		return colorBad
	case status.FewDays(s, now):
		return colorWarn
	}
	return colorTime
}

// A fact is a line of the card of facts: what, and how it stands.
type fact struct {
	root  *fyne.Container
	value *text
}

func newFact(what string) *fact {
	label := newText(what, sizeSmall, colorDim)
	f := &fact{value: newPara("", sizeSmall, colorInk).trailing()}
	f.root = container.New(&factLayout{label: label, value: f.value}, label, f.value)
	f.value.row = f.root
	return f
}

// factLayout puts the value beside the label, or below it where a word of it
// would have to be broken.
type factLayout struct {
	label, value *text
	below        bool // at the last layout
}

const factGap = 12

func (l *factLayout) MinSize([]fyne.CanvasObject) fyne.Size {
	label, value := l.label.MinSize(), l.value.MinSize()
	if l.below {
		return fyne.NewSize(label.Width, label.Height+value.Height)
	}
	return fyne.NewSize(label.Width+factGap+value.Width, max(label.Height, value.Height))
}

func (l *factLayout) Layout(_ []fyne.CanvasObject, size fyne.Size) {
	label := l.label.MinSize()
	at := fyne.NewPos(label.Width+factGap, 0)
	l.below = l.value.widest() > size.Width-at.X
	if l.below {
		at = fyne.NewPos(0, label.Height)
	}
	l.label.Resize(label)
	l.value.Resize(fyne.NewSize(size.Width-at.X, l.value.Size().Height))
	l.value.Resize(fyne.NewSize(size.Width-at.X, l.value.MinSize().Height)) // which its width decides
	l.value.Move(at)
}

func (f *fact) set(words string) { f.value.say(words) }

// A pill is a state in two or three words.
type pill struct {
	root  *panel
	words *text
}

func newPill() *pill {
	p := &pill{words: newText("", theme.SizeNameCaptionText, colorOK)}
	p.root = newPanel("", colorOK, 11, pad(2, 9, p.words))
	return p
}

func (p *pill) set(words string, color fyne.ThemeColorName) {
	if p.root.line != color {
		p.root.line = color
		p.root.Refresh()
	}
	p.words.set(words, color)
}
