package window

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"

	"curfew/auth"
	"curfew/ui/status"
	"curfew/ui/window/control"
	"curfew/ui/window/look"
)

// local is what the window itself knows of an account: what was asked of the
// agent and not answered, what was answered, and the sign-in it follows.
type local struct {
	busy    busy
	confirm busy // what is asked about on screen: sign out, remove
	note    *control.Note
	flow    *flow

	events   []auth.Event // oldest first
	seen     fingerprint  // the snapshot the events belong to
	fetching bool
}

// busy is what the agent is doing for the window.
type busy int

const (
	idle busy = iota
	busySignIn
	busyCancel
	busyToken
	busyRefresh
	busySignOut
	busyEdit
	busyUnlock
	busyRemove
	busyAnswer
)

// flow is a sign-in that was started or joined here.
type flow struct {
	id      string
	url     *url.URL
	code    string // device sign-in: what to type
	expires time.Time
	opened  time.Time // when the browser was asked to open it
	openErr error     // the browser did not open
	seen    bool      // a snapshot has shown it
}

// fingerprint changes when there may be new events.
type fingerprint struct {
	state            auth.State
	used             int
	signedIn         time.Time
	refreshed, used_ time.Time
}

// kindOf returns the kind of err; "" when it has none.
func kindOf(err error) auth.Kind {
	if e, ok := errors.AsType[*auth.Error](err); ok {
		return e.Kind
	}
	return ""
}

func (v *View) local(name string) *local {
	l := v.locals[name]
	if l == nil {
		l = &local{}
		v.locals[name] = l
	}
	return l
}

// fail puts err on screen, with what to do next.
func (l *local) fail(err error) { l.note = failure(err) }

// failure puts err into words, with what to do next.
func failure(err error) *control.Note {
	p := status.Explain(err)
	hint := p.Hint
	if kindOf(err) == auth.KindNotRunning {
		hint = tr("Choose Start the agent.")
	}
	if hint != "" {
		hint = status.Sentence(hint)
		// A full stop ends it, unless something to copy does.
		if last := hint[strings.LastIndex(hint, " ")+1:]; !strings.ContainsAny(last, "/:@`.!?…") {
			hint += "."
		}
	}
	return &control.Note{Tone: look.Bad, Words: p.Message, Hint: hint}
}

// ask runs work for an account unless something runs for it already, and
// shows its error. done, if not nil, runs on the UI goroutine after success.
func (v *View) ask(name string, what busy, work func(ctx context.Context) (done func(*local), err error)) {
	l := v.local(name)
	if l.busy != idle || !v.usable() {
		return
	}
	l.busy, l.note, l.confirm = what, nil, idle
	v.render()
	v.background(func(ctx context.Context) func() {
		done, err := work(ctx)
		return func() {
			l := v.local(name)
			l.busy = idle
			switch {
			case err != nil:
				l.fail(err)
			case done != nil:
				done(l)
			}
			v.render()
		}
	})
}

// signIn starts a sign-in of the account and opens its page, or joins the one
// that runs.
func (v *View) signIn(name string, device bool) {
	s, _ := v.snapshot(name)
	request := auth.SignInRequest{Force: status.HasSession(s), Device: device, Browser: true}
	v.ask(name, busySignIn, func(ctx context.Context) (func(*local), error) {
		started, err := v.Agent.SignIn(ctx, name, request)
		if err != nil {
			return nil, err
		}
		page, err := webPage(started.URL)
		if err != nil {
			return nil, err
		}
		opened := v.Open(page, started.Browser...)
		return func(l *local) {
			l.flow = &flow{id: started.Flow, url: page, code: started.UserCode, expires: started.ExpiresAt, opened: v.Now(), openErr: opened}
			if s, ok := v.snapshot(name); ok {
				v.follow(s) // it may have ended before the answer came
			}
			if v.render(); v.selected == name && v.page == PageAccount {
				v.frame.Focus(v.account.signIn.open)
			}
		}, nil
	})
}

// pressedTwice is how long after one press another may be meant for the same button.
const pressedTwice = 2 * time.Second

// webPage parses an address that is about to be handed to the desktop, which
// would run other things than browsers for other schemes.
func webPage(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, &auth.Error{Kind: auth.KindFailed, Message: tr("The address of the sign-in page is not a web address."),
			Hint: tr("Check the account's issuer and endpoints.")}
	}
	return u, nil
}

// visit opens page in the browser; failed says so where none opens.
func (v *View) visit(page *url.URL, failed func()) {
	v.background(func(context.Context) func() {
		if v.Open(page) == nil {
			return nil
		}
		return func() { failed(); v.render() }
	})
}

// openAgain opens the page of the running sign-in. One in this browser gets
// another start page, as each works once. Its button is under the finger that has
// just pressed Enter, so a second press right after the first does nothing.
func (v *View) openAgain(name string) {
	l := v.local(name)
	if f := l.flow; f != nil && f.openErr == nil && v.Now().Sub(f.opened) < pressedTwice {
		return
	}
	if l.flow == nil || l.flow.code == "" {
		v.signIn(name, false)
		return
	}
	page := l.flow.url
	v.background(func(context.Context) func() {
		err := v.Open(page)
		return func() {
			if f := v.local(name).flow; f != nil {
				f.opened, f.openErr = v.Now(), err
			}
			v.render()
		}
	})
}

// copyText copies what is no secret, and says so in words.
func (v *View) copyText(content, words string) {
	v.Clipboard.SetContent(content)
	v.local(v.selected).note = &control.Note{Tone: look.OK, Words: words, Until: v.now.Add(8 * time.Second)}
	v.render()
}

// copyLink copies the address of the running sign-in's page, for another browser.
func (v *View) copyLink(name string) {
	l := v.local(name)
	if l.flow == nil {
		return
	}
	if l.flow.code != "" {
		v.copyText(l.flow.url.String(), tr("Link copied."))
		return
	}
	request := auth.SignInRequest{Flow: l.flow.id}
	v.ask(name, busySignIn, func(ctx context.Context) (func(*local), error) {
		started, err := v.Agent.SignIn(ctx, name, request)
		if err != nil {
			return nil, err
		}
		return func(*local) { v.copyText(started.URL, tr("Link copied. Open it in a browser on this computer.")) }, nil
	})
}

func (v *View) cancelSignIn(name string) {
	v.ask(name, busyCancel, func(ctx context.Context) (func(*local), error) {
		if err := v.Agent.CancelSignIn(ctx, name); err != nil {
			return nil, err
		}
		return func(l *local) {
			l.flow = nil
			l.note = &control.Note{Tone: look.Time, Words: tr("Sign-in cancelled. Nothing has changed."), Until: v.now.Add(8 * time.Second)}
		}, nil
	})
}

// follow turns the end of a sign-in that was seen here into words.
func (v *View) follow(s auth.Snapshot) {
	l := v.local(s.Name)
	if l.flow == nil {
		return
	}
	if s.SignIn == nil || s.SignIn.Flow != l.flow.id {
		// Until the flow has been seen the snapshot may be older than it.
		// After that the agent has forgotten it, or another one runs.
		if l.flow.seen || status.SigningIn(s) {
			l.flow = nil
		}
		return
	}
	l.flow.seen = true
	switch s.SignIn.Phase {
	case auth.PhaseDone:
		words := tr("Signed in.")
		if s.Subject != "" {
			words = tr("Signed in as %s.", status.Clip(s.Subject, 80))
		}
		l.flow = nil
		l.note = &control.Note{Tone: look.OK, Words: words, Until: v.now.Add(12 * time.Second)}
	case auth.PhaseFailed:
		l.flow = nil
		l.fail(auth.Fail(s.SignIn.Error, s.SignIn.Text, auth.Text{}))
		if s.SignIn.Error == auth.KindSignInNeeded || s.SignIn.Error == auth.KindFailed || s.SignIn.Error == "" {
			l.note.Hint = "" // the message says it all
		}
	}
}

// copied is the access token that is in the clipboard.
type copied struct {
	clear func() error
	until time.Time // zero: nothing of ours is there
	name  string
}

// clipboardLife is how long a copied access token stays in the clipboard.
const clipboardLife = 45 * time.Second

func (v *View) copyToken(name string) {
	v.ask(name, busyToken, func(ctx context.Context) (func(*local), error) {
		token, err := v.Agent.Token(ctx, name, auth.DefaultMinValid, Program)
		if err != nil {
			return nil, err
		}
		// On the UI goroutine, though it may take a moment: else a window that
		// closes meanwhile would leave the token behind.
		return func(l *local) {
			clear, err := v.CopySecret(token.AccessToken.Reveal())
			if err != nil {
				l.fail(err)
				return
			}
			v.now = v.Now()
			v.copied = copied{clear, v.now.Add(clipboardLife), name}
		}, nil
	})
}

// clearCopied empties the clipboard when the time of a copied token is up,
// or at once, if the token is still what is there.
func (v *View) clearCopied(atOnce bool) {
	if v.copied.until.IsZero() || !atOnce && v.now.Before(v.copied.until) {
		return
	}
	if err := v.copied.clear(); err != nil {
		fyne.LogError("The clipboard is not cleared", err)
	}
	v.copied = copied{}
}

// Closing leaves nothing behind: a copied token goes with the window.
func (v *View) Closing() { v.clearCopied(true) }

func (v *View) refreshNow(name string) {
	v.ask(name, busyRefresh, func(ctx context.Context) (func(*local), error) {
		s, err := v.Agent.Refresh(ctx, name, Program)
		if err != nil {
			return nil, err
		}
		return func(l *local) {
			if i := slices.IndexFunc(v.snaps, func(o auth.Snapshot) bool { return o.Name == s.Name }); i >= 0 {
				v.snaps = slices.Clone(v.snaps)
				v.snaps[i] = status.ForScreen([]auth.Snapshot{s})[0]
			}
			l.note = &control.Note{Tone: look.OK, Words: tr("Refreshed: %s.", status.Short(s, v.Now())), Until: v.now.Add(8 * time.Second)}
			v.fetchEvents()
		}, nil
	})
}

// unlock has the keychain ask for what it needs; its own window may open
// behind this one.
func (v *View) unlock(name string) {
	v.ask(name, busyUnlock, func(ctx context.Context) (func(*local), error) {
		return nil, v.Agent.Unlock(ctx)
	})
}

func (v *View) askSignOut(name string) { v.askFirst(name, busySignOut) }
func (v *View) askRemove(name string)  { v.askFirst(name, busyRemove) }

// askFirst puts a question on screen, with the focus on the harmless answer.
func (v *View) askFirst(name string, what busy) {
	l := v.local(name)
	l.confirm, l.note = what, nil
	v.asker = v.frame.Focused()
	v.render()
	v.frame.Focus(v.account.keep)
}

// confirmed does what was asked about.
func (v *View) confirmed(name string) {
	if v.local(name).confirm == busyRemove {
		v.remove(name)
	} else {
		v.signOut(name)
	}
}

func (v *View) remove(name string) {
	s, _ := v.snapshot(name)
	v.ask(name, busyRemove, func(ctx context.Context) (func(*local), error) {
		result, err := v.Agent.Remove(ctx, name)
		if err != nil {
			return nil, err
		}
		snaps, err := v.Agent.Accounts(ctx)
		return func(*local) {
			n := &control.Note{Tone: look.OK}
			if status.HasSession(s) {
				n = v.signedOut(result) // with what is left to do, where there is something
			}
			n.Words = strings.TrimSpace(tr("%s is removed.", status.Name(s)) + " " + n.Words)
			delete(v.locals, name)
			v.Show(snaps, v.Now())
			v.local(v.selected).note = n
		}, err
	})
}

func (v *View) signOut(name string) {
	v.ask(name, busySignOut, func(ctx context.Context) (func(*local), error) {
		result, err := v.Agent.SignOut(ctx, name)
		if err != nil {
			return nil, err
		}
		return func(l *local) { l.note = v.signedOut(result) }, nil
	})
}

// signedOut says what a sign-out reached, and where to go for the rest.
func (v *View) signedOut(r auth.SignOutResult) *control.Note {
	n := &control.Note{Tone: look.OK, Words: status.Translate(r.Text)}
	if n.Words == "" {
		n.Words = tr("Signed out.")
	}
	if !r.Revoked {
		n.Tone = look.Warn
	}
	if page, err := webPage(r.URL); err == nil {
		n.Label = tr("Open the provider's page")
		n.Act = func() { v.visit(page, func() { n.Hint = page.String() }) }
	}
	return n
}

// eventsKept is how many events of an account are asked for: enough for a
// session's refreshes among the tokens handed out.
const eventsKept = 500

// fetchEvents asks for the selected account's events when there may be new ones.
func (v *View) fetchEvents() {
	s, ok := v.snapshot(v.selected)
	if !ok || !v.usable() {
		return
	}
	l := v.local(s.Name)
	seen := fingerprint{s.State, s.RefreshesUsed, s.SignedInAt, s.LastRefreshAt, s.LastUsedAt}
	if l.fetching || l.seen == seen {
		return
	}
	l.fetching = true
	v.background(func(ctx context.Context) func() {
		events, err := v.Agent.Events(ctx, s.Name, eventsKept)
		return func() {
			l := v.local(s.Name)
			l.fetching = false
			l.seen = seen // also after an error: the next change asks again
			if err == nil {
				l.events = events
			}
			v.render()
			v.fetchEvents() // something may have changed on the way
		}
	})
}
