package window

import (
	"cmp"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"

	"curfew/auth"
	"curfew/ui/status"
	"curfew/ui/window/control"
	"curfew/ui/window/look"
)

// accountPage shows one account in full.
type accountPage struct {
	view *View
	root *fyne.Container

	title, state, subject *look.Text
	primary, more         *control.Button

	question  *control.Bar // Sign out? Remove?
	yes, keep *control.Button
	result    *control.Bar // of the last deed
	needs     *control.Bar // what the account's state asks of a person
	warnings  *control.Bar
	consent   *consentPanel // programs that want tokens

	signIn *signInPanel
	call   *callPanel // without a session: what signing in means
	over   *overPanel // after a session: how it was

	hero         *hero
	token        *look.Panel
	access, next *look.Text
	tools        *look.Panel
	takers       *takerList
	first        *look.Panel // until a tool has taken a token: how one does
	exec         *look.Text
	history      *look.Panel
	recent       *timeline
	all          *control.Button
}

func newAccountPage(v *View) *accountPage {
	p := &accountPage{view: v}
	p.title = look.NewLine("", look.SizeHeading, look.Ink).Strong()
	p.state = look.NewLine("", look.SizeText, look.OK).Strong()
	p.subject = look.NewLine("", look.SizeText, look.Dim)
	p.subject.Yielding()
	p.primary = control.NewButton(v.frame, "", nil)
	p.more = v.newMore()
	who := look.Column(0, look.RowOf(0, p.title, p.title), look.RowOf(look.GapSmall, p.subject, p.state, p.subject))
	head := look.RowOf(look.GapSmall, who, who, p.primary, p.more)

	p.yes = control.NewButton(v.frame, "", func() { v.confirmed(v.selected) }).Danger()
	p.keep = control.NewButton(v.frame, "", v.escape)
	p.question = control.NewBar(v.frame, p.keep, p.yes)
	p.result = control.NewBar(v.frame)
	p.result.ClosedBy(control.NewButton(v.frame, tr("Close"), v.escape))
	p.needs = control.NewBar(v.frame)
	p.warnings = control.NewBar(v.frame)
	p.consent = newConsentPanel(v)
	p.signIn = newSignInPanel(v)
	p.call = newCallPanel(v)
	p.over = newOverPanel(v)
	p.hero = newHero()

	p.access, p.next = look.NewText("", look.SizeText, look.Ink).Strong(), look.NewPara("", look.SizeText, look.Dim).Trailing()
	access := look.Row(look.GapSmall, look.NewText(tr("Access token"), look.SizeText, look.Dim), p.access)
	p.token = look.NewCard(look.RowOf(look.Gap, p.next, access, p.next))
	p.takers = newTakerList(recentTakers)
	p.tools = look.NewCard(look.Column(look.GapSmall, look.NewHeading(tr("Took tokens")), p.takers.root))
	p.exec = look.NewPara("", look.SizeText, look.Ink)
	copied := control.NewButton(v.frame, tr("Copy"), func() {
		v.copyText(p.exec.Words(), tr("Copied. Put the address of your API in the place of URL."))
	})
	p.first = look.NewCard(look.Column(look.GapSmall, look.NewHeading(tr("Now let a tool use it")),
		look.NewPara(tr("Run this in a terminal, with the address of your API in the place of URL. Any other command works, too."), look.SizeCaption, look.Dim),
		look.RowOf(look.GapSmall, p.exec, p.exec, copied)))
	p.recent = newTimeline(v, recentEvents)
	p.all = control.NewButton(v.frame, tr("Show all"), func() { v.turn(PageLog) })
	title := look.NewHeading(tr("History"))
	p.history = look.NewCard(look.Column(look.GapSmall, look.RowOf(look.GapSmall, title, title, control.Flush(p.all)), p.recent.root))

	body := look.Column(look.Gap, p.needs.Root, p.consent.ask.Root, p.warnings.Root, p.signIn.root, p.call.root, p.over.root, p.hero.root, p.first, p.tools, p.consent.answers, p.token, p.history)
	page, _ := v.frame.Page(head, body)
	p.root = container.NewStack(page, v.frame.Overlay(p.question, p.result))
	return p
}

// deedsOf returns what can be done with s: the first thing, if it has a button
// separate, and the rest. What cannot be done is not there. A sign-in that
// runs has its own buttons, and so has an account without a session.
func (v *View) deedsOf(s auth.Snapshot, signing bool) (first *control.Deed, rest []control.Deed) {
	words, session := status.Describe(s, v.now), status.HasSession(s)
	add := func(yes bool, words string, do func(string)) {
		if yes {
			rest = append(rest, control.Deed{Words: words, Do: func() { do(s.Name) }})
		}
	}
	needed := status.UrgencyOf(s, v.now) >= status.Soon
	signIn := session && !signing && words.Action == status.SignIn
	again := func(name string) { v.signIn(name, false) }
	add(words.Action == status.Unlock, words.ActionLabel, v.unlock)
	add(signIn && needed, words.ActionLabel, again)
	copyWords := tr("Copy access token")
	if s.State == auth.Stale {
		copyWords = tr("Copy access token (uses 1 refresh)")
	}
	add(status.CanCopy(s, v.now), copyWords, v.copyToken)
	if len(rest) > 0 {
		first, rest = &rest[0], rest[1:]
	}
	refreshes := status.RefreshesLeft(s)
	add(session && refreshes > 0 && (s.State == auth.Active || s.State == auth.Stale || s.State == auth.Waiting),
		status.Tr("Refresh now (uses 1 of %d left)", refreshes), v.refreshNow)
	add(signIn && !needed, words.ActionLabel, again)
	add(!signing, tr("Edit account"), v.edit)
	add(session, tr("Sign out"), v.askSignOut)
	add(!signing, tr("Remove account"), v.askRemove)
	return first, rest
}

// newMore returns a button that opens the menu of the account.
func (v *View) newMore() *control.Button {
	b := control.NewButton(v.frame, "", nil).Sign(theme.MoreHorizontalIcon(), tr("More"))
	b.OnTapped = func() { v.frame.OpenMenu(b, v.account.deeds()) }
	return b
}

// deeds are those of the menu.
func (p *accountPage) deeds() []control.Deed {
	s, _ := p.view.snapshot(p.view.selected)
	_, rest := p.view.deedsOf(s, p.view.signing(s))
	return rest
}

// signing reports whether a sign-in of s runs, as far as the window knows.
func (v *View) signing(s auth.Snapshot) bool {
	l := v.local(s.Name)
	return status.SigningIn(s) || l.flow != nil || l.busy == busySignIn || l.busy == busyCancel
}

func (p *accountPage) render(s auth.Snapshot, l *local) {
	v := p.view
	now := v.now
	if l.note != nil && !l.note.Until.IsZero() && !now.Before(l.note.Until) {
		l.note = nil
	}
	signing := v.signing(s)
	shown := s
	if !status.SigningIn(s) {
		shown.SignIn = nil // how the last one ended is a note, not a state
	}
	words := status.Describe(shown, now)
	session := status.HasSession(s)
	ended := s.State == auth.Ended && !s.SignedInAt.IsZero()
	usable := v.usable() && l.busy == idle

	p.title.Say(words.Name)
	p.state.Set(words.Title, v.fresh(s, toneOf(s, words)))
	p.subject.Say(words.Subject)
	v.frame.Show(p.subject, words.Subject != "")
	p.head(s, l, signing, usable)

	p.question.Set(p.asked(s, words, l))
	p.yes.Set(p.yes.Text, usable)
	p.result.Set(cmp.Or(l.note, p.clipboard(s, now)))
	if l.confirm != idle {
		p.result.Set(nil)
	}
	p.needs.Set(stateNote(shown, words, signing || ended))
	p.warnings.Set(warningNote(words))
	p.consent.render(v, s, usable)
	p.signIn.render(s, l, signing)
	p.call.render(v, s, words, usable, !session && !ended && !signing)
	p.over.render(v, s, words, usable, ended && !signing)

	v.frame.Show(p.hero.root, session)
	if session {
		p.hero.render(v, s, words, l.events)
	}
	v.frame.Show(p.token, session)
	p.access.Say(words.AccessToken)
	p.next.Say(tr("Next refresh: %s", words.NextRefresh))
	v.frame.Show(p.tools, session && len(words.Takers) > 0)
	p.takers.set(words.Takers)
	v.frame.Show(p.first, session && !status.Used(s, l.events))
	p.exec.Say(status.ExecLine(s.Name))
	v.frame.Show(p.history, session || len(l.events) > 0)
	events := l.events
	if len(words.Takers) > 0 { // they say it
		events = status.WithoutTokens(events)
	}
	p.recent.set(events, now)
}

// head shows what is to be done first as a button, bright unless a sign-in is
// running, and the rest behind the one next to it.
func (p *accountPage) head(s auth.Snapshot, l *local, signing, usable bool) {
	first, rest := p.view.deedsOf(s, signing)
	p.view.frame.Show(p.primary, first != nil)
	if first != nil {
		p.primary.OnTapped = first.Do
		p.primary.Stress(!signing)
		p.primary.Set(busyWords(l, first.Words), usable)
	}
	p.view.frame.Show(p.more, len(rest) > 0 && status.HasSession(s)) // without one it is next to the button below
	control.Enable(p.more, usable)
}

// asked is the question before what cannot be taken back.
func (p *accountPage) asked(s auth.Snapshot, words status.View, l *local) *control.Note {
	n := &control.Note{Tone: look.Bad}
	switch live := status.HasSession(s); {
	case l.confirm == idle:
		return nil
	case l.confirm == busySignOut:
		n.Words, n.Hint = tr("Sign out of %s?", words.Name), tr("This ends the session here and at the server. Programs get no tokens until you sign in again.")
		p.yes.Set(tr("Sign out"), true)
		p.keep.Set(tr("Stay signed in"), true)
		return n
	case live:
		n.Hint = tr("This ends its session here and at the server, and forgets its settings. Tools that ask for its tokens will fail.")
	default:
		n.Hint = tr("This forgets its settings. Tools that ask for its tokens will fail.")
	}
	n.Words = tr("Remove %s?", words.Name)
	p.yes.Set(tr("Remove"), true)
	p.keep.Set(tr("Keep"), true)
	return n
}

func (p *accountPage) clipboard(s auth.Snapshot, now time.Time) *control.Note {
	c := p.view.copied
	if c.until.IsZero() || c.name != s.Name {
		return nil
	}
	return &control.Note{Tone: look.OK, Words: tr("Access token copied."), Until: c.until,
		Hint: tr("The clipboard is cleared in %d s, or when this window closes.", int(c.until.Sub(now).Round(time.Second)/time.Second))}
}

// busyWords names a button after what it does, or what is being done.
func busyWords(l *local, rest string) string {
	return cmp.Or(map[busy]string{busySignOut: tr("Signing out…"), busyToken: tr("Copying…"), busyRefresh: tr("Refreshing…"),
		busyUnlock: tr("Unlocking…"), busyRemove: tr("Removing…")}[l.busy], rest)
}

// stateNote says what the account's state asks of a person; nil when nothing.
func stateNote(s auth.Snapshot, words status.View, signing bool) *control.Note {
	switch {
	case signing, s.State == auth.SignedOut, s.State == auth.Ended && s.SignedInAt.IsZero():
		return nil // the panels below say it
	case words.Urgency <= status.Soon && s.State != auth.Waiting && s.State != auth.Ended:
		return nil // the countdowns say it
	}
	return &control.Note{Tone: toneOf(s, words), Words: words.Detail, Hint: words.Advice}
}

func warningNote(words status.View) *control.Note {
	if len(words.Warnings) == 0 {
		return nil
	}
	return &control.Note{Tone: look.Warn, Words: strings.Join(words.Warnings, " ")}
}

// toneOf is the colour of a state. Words always stand next to it.
func toneOf(s auth.Snapshot, words status.View) fyne.ThemeColorName {
	switch {
	case status.SigningIn(s):
		return look.Time
	case words.Urgency == status.Over:
		return look.Bad
	case words.Urgency != status.Calm, s.State == auth.Waiting:
		return look.Warn
	case status.HasSession(s):
		return look.OK
	}
	return look.Dim
}

// fresh is the colour of what is told of s: nothing looks healthy that cannot
// be known now, because the agent or the account's server is out of reach.
func (v *View) fresh(s auth.Snapshot, color fyne.ThemeColorName) fyne.ThemeColorName {
	if (v.down != nil || s.State == auth.Waiting) && (color == look.OK || color == look.Time) {
		return look.Dim
	}
	return color
}

// A fact is a line of the card of facts: what, and how it stands.
type fact struct {
	root  *fyne.Container
	value *look.Text
}

func newFact(what string) *fact {
	label := look.NewText(what, look.SizeText, look.Dim)
	f := &fact{value: look.NewPara("", look.SizeText, look.Ink).Trailing()}
	f.root = look.RowOf(look.Gap, f.value, label, f.value)
	return f
}

func (f *fact) set(words string) { f.value.Say(words) }
