package window

import (
	"strings"
	"time"

	"fyne.io/fyne/v2"

	"curfew/auth"
	"curfew/ui/status"
	"curfew/ui/window/control"
	"curfew/ui/window/look"
)

// signInPanel follows a sign-in from the browser to the keychain.
type signInPanel struct {
	view               *View
	root               *look.Panel
	title, code, where *look.Text
	failed, expires    *look.Text
	steps              [3]*stepLine
	open, link, stop   *control.Button
}

func newSignInPanel(v *View) *signInPanel {
	name := func() string { return v.selected }
	p := &signInPanel{view: v,
		title:   look.NewLine("", look.SizeTitle, look.Ink).Strong(),
		where:   look.NewPara("", look.SizeText, look.Dim),
		code:    look.NewText("", look.SizeNumber, look.Ink).Strong(),
		failed:  look.NewPara("", look.SizeText, look.Bad),
		expires: look.NewLine("", look.SizeCaption, look.Dim),
	}
	p.steps = [3]*stepLine{newStepLine(tr("Sign in on the page in your browser")), newStepLine(tr("Curfew fetches the tokens and checks them")), newStepLine(tr("The session is saved in the keychain"))}
	p.open = control.NewButton(v.frame, tr("Open again"), func() { v.openAgain(name()) })
	p.link = control.NewButton(v.frame, tr("Copy link"), func() { v.copyLink(name()) })
	p.stop = control.NewButton(v.frame, tr("Cancel"), func() { v.cancelSignIn(name()) })
	steps := look.Column(8, p.steps[0].root, p.steps[1].root, p.steps[2].root)
	p.root = look.NewCard(look.Column(12, p.title, p.where, p.code, steps, p.failed, control.Buttons(p.open, p.link, p.stop), p.expires))
	p.root.Hide()
	return p
}

func (p *signInPanel) render(s auth.Snapshot, l *local, signing bool) {
	v := p.view
	v.frame.Show(p.root, signing)
	if !signing {
		for _, step := range p.steps {
			step.mark.Turn(false)
		}
		return
	}
	p.title.Say(tr("Signing in to %s", status.Name(s)))
	phase := auth.Phase("") // not begun
	switch {
	case status.SigningIn(s) && s.SignIn != nil:
		phase = s.SignIn.Phase
	case status.SigningIn(s), l.flow != nil:
		phase = auth.PhaseBrowser
	}
	prompt := status.AtKeychain(s)
	p.steps[0].set(phase == auth.PhaseBrowser && !prompt, phase == auth.PhaseExchange || phase == auth.PhaseDone, v.frame.Moves())
	p.steps[1].set(phase == auth.PhaseExchange, phase == auth.PhaseDone, v.frame.Moves())
	p.steps[2].set(false, phase == auth.PhaseDone, v.frame.Moves())

	f, asking := l.flow, l.busy != idle
	code := ""
	if f != nil && phase == auth.PhaseBrowser {
		code = f.code
	}
	p.code.Say(code)
	v.frame.Show(p.code, code != "")
	v.frame.Show(p.where, code != "")
	if code != "" {
		p.where.Say(tr("Type this code at %s, on this or any other device:", f.url.Host))
	}

	failed := ""
	if f != nil && f.openErr != nil {
		failed = tr("No browser could be opened. Copy the link and open it yourself.")
	}
	p.failed.Say(failed)
	v.frame.Show(p.failed, failed != "")

	// Until the browser is done there is something to open; after it, only to wait for.
	waiting := !asking && v.usable() && phase == auth.PhaseBrowser && !prompt
	p.open.Set(tr("Open again"), waiting)
	p.link.Set(tr("Copy link"), waiting && f != nil)
	// What is to be done is on the page. Bright is what leads there if none is open.
	p.open.Stress(waiting && f == nil)
	p.link.Stress(waiting && failed != "")
	stop := tr("Cancel")
	if l.busy == busyCancel {
		stop = tr("Cancelling…")
	}
	p.stop.Set(stop, !asking && v.usable() && phase != "")
	expiry := p.expiry(f, phase, l.busy)
	if prompt {
		expiry = tr("The keychain asks for its password. The sign-in page opens after that.")
	}
	p.expires.Say(expiry)
}

func (p *signInPanel) expiry(f *flow, phase auth.Phase, b busy) string {
	switch {
	case b == busySignIn:
		return tr("Preparing the sign-in…")
	case phase == auth.PhaseExchange:
		return tr("Almost done.")
	case f == nil || f.expires.IsZero():
		return tr("Nothing is lost by cancelling.")
	}
	left := max(0, f.expires.Sub(p.view.now))
	return tr("The page waits for %s. Nothing is lost by cancelling.", status.Fine(left.Truncate(time.Second)))
}

// stepLine is one step of a sign-in: to come, going on, or done.
type stepLine struct {
	root  *fyne.Container
	what  string
	mark  *look.Ring
	words *look.Text
}

func newStepLine(what string) *stepLine {
	s := &stepLine{what: what, mark: look.NewRing(look.Em(14), look.Em(3)), words: look.NewLine(what, look.SizeText, look.Dim)}
	s.root = look.RowOf(10, s.words, s.mark, s.words)
	return s
}

func (s *stepLine) set(now, done, moves bool) {
	s.mark.Turn(now && !done && moves)
	switch {
	case done:
		s.mark.Set(1, look.OK)
		s.words.Set(tr("%s: done", s.what), look.Ink)
	case now:
		s.mark.Set(.3, look.Time)
		s.words.Set(tr("%s…", s.what), look.Ink)
	default:
		s.mark.Set(0, look.Time)
		s.words.Set(s.what, look.Dim)
	}
}

// callPanel stands where the rings are when there is no session.
type callPanel struct {
	root                  *look.Panel
	title, failed, detail *look.Text
	how                   *look.Text
	browser, other, more  *control.Button
}

func newCallPanel(v *View) *callPanel {
	name := func() string { return v.selected }
	p := &callPanel{
		title:  look.NewLine("", look.SizeTitle, look.Ink).Strong(),
		failed: look.NewPara("", look.SizeText, look.Bad),
		detail: look.NewPara("", look.SizeText, look.Ink),
	}
	p.how = look.NewPara("", look.SizeText, look.Dim)
	p.browser = control.NewButton(v.frame, tr("Sign in"), func() { v.signIn(name(), false) }).Primary()
	p.other = control.NewButton(v.frame, tr("Sign in with a code"), func() { v.signIn(name(), true) })
	p.more = v.newMore()
	p.root = look.NewCard(look.Column(look.Gap, p.title, p.failed, p.detail, p.how, control.Buttons(p.browser, p.other, p.more)))
	return p
}

func (p *callPanel) render(v *View, s auth.Snapshot, words status.View, usable, visible bool) {
	v.frame.Show(p.root, visible)
	if !visible {
		return
	}
	p.title.Say(words.Title)
	detail := words.Detail
	if s.State == auth.SignedOut {
		p.title.Say(tr("Sign in to %s", words.Name))
		detail = tr("Sign in once, in your own browser, and your programs get tokens from then on.")
	}
	failed := v.signInFailure(s)
	p.failed.Say(failed)
	v.frame.Show(p.failed, failed != "")
	p.detail.Say(detail)
	v.frame.Show(p.how, words.Action == status.SignIn)
	p.how.Say(tr("Curfew keeps the refresh token sealed in the keychain and renews the access token in the background.") + " " + status.Limits(status.LimitsOf(s)))
	v.frame.Show(p.browser, words.Action == status.SignIn)
	v.frame.Show(p.other, words.Action == status.SignIn)
	p.browser.Set(words.ActionLabel, usable)
	p.other.Set(tr("Sign in with a code"), usable)
	control.Enable(p.more, usable)
}

// signInFailure says why the last sign-in failed, unless a note does: that of
// one that was made here.
func (v *View) signInFailure(s auth.Snapshot) string {
	if v.local(s.Name).note != nil {
		return ""
	}
	return status.SignInFailure(s)
}

// overPanel stands where the countdowns are after a session. It says what happened
// and what that costs, has the one button, and shows how the session was spent.
type overPanel struct {
	root                   *fyne.Container
	what, cost, exact      *look.Text
	in, more               *control.Button
	signedIn, lived, spent *fact
	took                   *fact
	runway                 *look.Runway
}

func newOverPanel(v *View) *overPanel {
	p := &overPanel{
		what:     look.NewPara("", look.SizeHeading, look.Bad).Strong(),
		cost:     look.NewPara("", look.SizeText, look.Ink),
		exact:    look.NewPara("", look.SizeCaption, look.Dim),
		signedIn: newFact(tr("Signed in")), lived: newFact(tr("Lasted")), spent: newFact(tr("Refreshes")), took: newFact(tr("Took tokens")),
		runway: look.NewRunway(),
	}
	p.in = control.NewButton(v.frame, tr("Sign in again"), func() { v.signIn(v.selected, false) }).Primary()
	p.more = v.newMore()
	call := look.NewCard(look.Column(look.Gap, look.Column(look.GapSmall, p.what, p.cost), control.Buttons(p.in, p.more), p.exact))
	last := look.NewCard(look.Column(look.GapSmall, look.NewHeading(tr("The last session")), p.signedIn.root, p.lived.root, p.spent.root, p.took.root, p.runway))
	p.root = look.Column(look.Gap, call, last)
	p.root.Hide()
	return p
}

func (p *overPanel) render(v *View, s auth.Snapshot, words status.View, usable, visible bool) {
	v.frame.Show(p.root, visible)
	if !visible {
		return
	}
	what, ink := status.WhyEnded(s), look.Bad
	if s.Reason == auth.ByUser { // as it was wanted
		what, ink = words.Detail, look.Ink
	}
	p.what.Set(what, ink)
	cost := status.Loss(s)
	if words.Past.Ended != "" {
		cost = tr("The session ended %s.", words.Past.Ended) + " " + cost
	}
	if failed := v.signInFailure(s); failed != "" {
		cost += " " + failed
	}
	p.cost.Say(cost)
	p.in.Set(words.ActionLabel, usable)
	control.Enable(p.more, usable)
	p.exact.Say(words.Detail)
	v.frame.Show(p.exact, words.Detail != what)
	p.signedIn.set(words.Past.SignedIn)
	p.lived.set(words.Past.Lived)
	p.spent.set(words.Past.Spent)
	var names []string
	for _, t := range words.Takers {
		names = append(names, t.Name)
	}
	p.took.set(strings.Join(names, ", "))
	for _, f := range []*fact{p.lived, p.spent, p.took} {
		v.frame.Show(f.root, f.value.Words() != "")
	}
	r, ok := status.RunwayOf(s, v.local(s.Name).events, v.now)
	ok = ok && s.Reason != auth.ByToken // of some hours it shows nothing
	v.frame.Show(p.runway, ok)
	p.runway.Set(trackOf(r, look.Dim, "", "")) // it is the past
}
