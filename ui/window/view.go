// Package window shows the accounts in a Fyne window. All of them are on the
// left. One is shown in full on the right, with what a person can do about it.
//
// What is on screen depends on what the agent last said, what happened in the
// window itself and the time. A page, a question and the result
// of a button happen in the window. [View.render] walks over all widgets, and
// each draws itself again only when its words changed. So a tick of the clock,
// an answer and a press of a key are handled alike. Nothing is edited in two
// places.
//
// What has no part in that is elsewhere: curfew/ui/window/look has colours, words,
// layouts and drawings, and curfew/ui/window/control what is pressed and typed into.
//
// Everything but [View.Run] belongs to the goroutine of the user interface.
// Run and the jobs it starts reach it through Config.Do, the one crossing.
// The package imports no fyne/app, so its tests need neither cgo nor a
// display.
package window

import (
	"context"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/layout"

	"curfew/auth"
	"curfew/ui/status"
	"curfew/ui/window/control"
	"curfew/ui/window/look"
)

// An Agent is what the window needs of the agent; agent.Client is one.
type Agent interface {
	Accounts(ctx context.Context) ([]auth.Snapshot, error)
	Config(ctx context.Context, name string) (auth.Account, error)
	Put(ctx context.Context, a auth.Account) error
	PutClientSecret(ctx context.Context, name, secret string) error
	Edit(ctx context.Context, before, after auth.Account) error
	Remove(ctx context.Context, name string) (auth.SignOutResult, error)
	SignIn(ctx context.Context, name string, r auth.SignInRequest) (auth.SignInStarted, error)
	CancelSignIn(ctx context.Context, name string) error
	Token(ctx context.Context, name string, minValid time.Duration, program string) (auth.Token, error)
	Refresh(ctx context.Context, name, program string) (auth.Snapshot, error)
	SignOut(ctx context.Context, name string) (auth.SignOutResult, error)
	Answer(ctx context.Context, name, id string, answer auth.Answer) error
	Revoke(ctx context.Context, name, id string) error
	Events(ctx context.Context, name string, n int) ([]auth.Event, error)
	Forecast(ctx context.Context, name string) (auth.ForecastReport, error)
	Settings(ctx context.Context) (auth.General, error)
	PutSettings(ctx context.Context, g auth.General) error
	Pause(ctx context.Context, paused bool) error
	Unlock(ctx context.Context) error
	Watch(ctx context.Context, f func([]auth.Snapshot)) error
	EnsureRunning(ctx context.Context) error
}

// Config is what a View is made of.
type Config struct {
	Agent     Agent
	Do        func(func())                              // runs a function on the UI goroutine, in order; fyne.Do
	Now       func() time.Time                          // its zone is the one of every time on screen
	Open      func(u *url.URL, command ...string) error // opens the person's browser and does not wait for its end; may be called on any goroutine
	Clipboard fyne.Clipboard                            // for links
	Providers []auth.Provider

	// Demo starts a server to try things out, which ends with the window. It is nil
	// where there is none.
	Demo func(ctx context.Context) (auth.Account, error)

	// CopySecret puts a secret into the clipboard; clear takes it out if it is still there.
	CopySecret func(secret string) (clear func() error, err error)

	Selected     string                      // the account to show first, if it exists
	OnSelect     func(name string)           // another account is shown; may be nil
	Appearance   look.Appearance             // as chosen before; zero: look.System
	OnAppear     func(look.Appearance)       // another appearance was chosen; may be nil
	Language     string                      // as chosen before (status.Languages); "" is the desktop's
	OnLanguage   func(code string)           // another language was chosen, and is to be spoken; may be nil
	Autostart    func() (on bool, err error) // whether the tray starts at login; nil: nothing is known of that
	SetAutostart func(on bool) error
	Close        func()          // ends the program
	About        func() []string // lines for the foot of the settings; may be nil
	Minimised    func() bool     // whether that window is, and need not be drawn; may be nil
}

// Program is the name under which the window asks the agent for tokens.
const Program = "curfew-window"

// A View is the content of the window.
type View struct {
	Config
	jobs    chan job
	retry   chan struct{} // asks watch to try again at once
	pending atomic.Pointer[[]auth.Snapshot]

	// The rest belongs to the UI goroutine.
	now      time.Time
	loaded   bool // the agent answered at least once
	down     error
	starting bool // the agent is being started
	snaps    []auth.Snapshot
	selected string
	wanted   string // what Select asked for, until the agent's answer shows whether it exists
	page     Page
	locals   map[string]*local // by account
	asker    fyne.CanvasObject // that had it before a question
	copied   copied

	frame    *control.Frame
	side     *sidebar
	link     *control.Bar
	linkRoom *fyne.Container
	account  *accountPage
	waiting  *look.Text // for the agent, as long as it has not answered
	add      *addPage
	edits    *editPage
	settings *settingsPage
	log      *logPage
}

// A Page is what the right side shows.
type Page string

// The pages.
const (
	PageAccount  Page = "" // without accounts: as PageAdd
	PageAdd      Page = "add"
	PageEdit     Page = "edit"
	PageSettings Page = "settings"
	PageLog      Page = "log"
)

// A Wish is what a window is to show first, and what a second asks of the
// first.
type Wish struct {
	Account string `json:"account,omitempty"` // to select; "": as it is
	Page    Page   `json:"page,omitempty"`    // to turn to; "": as it is
}

// A job is work that may block; what it returns runs on the UI goroutine.
type job func(ctx context.Context) func()

// New returns a View that shows nothing yet.
func New(c Config) *View {
	v := &View{Config: c, selected: c.Selected, locals: map[string]*local{}}
	v.now = c.Now()
	v.jobs = make(chan job, 64)
	v.retry = make(chan struct{}, 1)
	v.frame = control.NewFrame(func() time.Time { return v.Now() })
	v.build()
	return v
}

// build makes every widget, in the language that is spoken.
func (v *View) build() {
	speakFyne()
	v.frame.Clear()
	v.asker = nil
	v.side = newSidebar(v)
	v.link = control.NewBar(v.frame)
	v.account = newAccountPage(v)
	v.waiting = look.NewText("", look.SizeHeading, look.Ink).Strong().Centred()
	before, edited := v.add, v.edits
	v.add, v.edits = newAddPage(v), newEditPage(v)
	if before != nil {
		v.add.resume(before)
		v.edits.resume(edited)
	}
	v.settings = newSettingsPage(v)
	v.log = newLogPage(v)
	pages := container.NewStack(v.account.root, v.waiting, v.add.root, v.edits.root, v.settings.root, v.log.root)
	v.linkRoom = look.Reading(container.New(look.Pad(0, 0, look.Gap, 0), v.link.Root))
	v.frame.Grow(v.linkRoom)
	above := look.Column(0, v.side.bar, v.linkRoom)
	right := container.New(look.Pad(control.GapBorder, look.GapSmall, look.GapSmall, look.Gap), container.New(layout.NewBorderLayout(above, nil, nil, nil), above, pages))
	v.frame.Fill(sidesLayout{v.side.bar}, right, v.side.root, look.NewRule()) // the first Tab goes to what is to be done
	v.render()
}

// speak says everything again in the language called code, "" for that of the
// desktop. Notes about what was done before are not: they go.
func (v *View) speak(code string) {
	if v.Language == code {
		return
	}
	v.Language = code
	if v.OnLanguage != nil {
		v.OnLanguage(code)
	}
	for _, l := range v.locals {
		l.note = nil
	}
	v.build()
}

// Refit makes every widget again for a theme whose words are larger or smaller.
func (v *View) Refit() {
	v.build()
}

// Move says whether things may move. Fyne knows its own setting only.
func (v *View) Move(on bool) {
	v.frame.Still = !on
	v.render()
}

// Moving reports whether something is animated: a ring turns, or a note fades
// in. Then the window must be drawn all the time.
func (v *View) Moving() bool {
	p := v.account
	turns := slices.ContainsFunc(p.signIn.steps[:], func(s *stepLine) bool { return s.mark.Turning() })
	return v.page == PageAccount && (turns || p.question.Fades() || p.result.Fades())
}

// sidesLayout puts the left side, a line and the right side next to each other. In
// a narrow window there is the right side only, with a bar in it.
type sidesLayout struct{ bar fyne.CanvasObject }

// The least window, from where on it has a left side, and how wide that may be.
const (
	leastWidth, leastHeight = 480, 440
	sidesFrom               = 600
	sideLeast, sideMost     = 208, 240
)

// MinSize grows with the words, but no further than the screens that most
// people have: what is too much for the height scrolls.
func (sidesLayout) MinSize([]fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(min(look.Em(leastWidth), 1200), min(look.Em(leastHeight), 680))
}

func (l sidesLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	right, side, rule := objects[0], objects[1], objects[2]
	narrow := size.Width < look.Em(sidesFrom)
	for o, shown := range map[fyne.CanvasObject]bool{side: !narrow, rule: !narrow, l.bar: narrow} {
		switch {
		case shown && !o.Visible():
			o.Show()
		case !shown && o.Visible():
			o.Hide()
		}
	}
	left := min(max(size.Width*.27, look.Em(sideLeast)), look.Em(sideMost))
	if narrow {
		left = -1
	}
	side.Resize(fyne.NewSize(max(0, left), size.Height))
	rule.Resize(fyne.NewSize(1, size.Height))
	rule.Move(fyne.NewPos(left, 0))
	right.Resize(fyne.NewSize(size.Width-left-1, size.Height))
	right.Move(fyne.NewPos(left+1, 0))
}

// Content returns what to put into the window.
func (v *View) Content() fyne.CanvasObject {
	return look.NewPanel("", "", 0, v.frame.Root)
}

// AddShortcuts tells the View the canvas it is on, and teaches it the keys that
// work everywhere.
func (v *View) AddShortcuts(c fyne.Canvas) {
	v.frame.Canvas = c
	for _, key := range []fyne.KeyName{fyne.KeyW, fyne.KeyQ} {
		v.frame.AddShortcut(&desktop.CustomShortcut{KeyName: key, Modifier: fyne.KeyModifierShortcutDefault}, func() { v.Close() })
	}
	c.SetOnTypedKey(v.keys)
}

// keys handles what the focused widget had no use for.
func (v *View) keys(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeyF5:
		v.reload()
	case fyne.KeyEscape:
		v.escape()
	}
}

// escape takes back what was asked last: a question before a note, a note before
// a page.
func (v *View) escape() {
	l := v.local(v.selected)
	switch {
	case v.adding() && v.add.leave():
		return
	case v.page == PageAccount && l.confirm != idle:
		l.confirm = idle
		v.render()
		if f, ok := v.asker.(fyne.Focusable); ok && v.asker.Visible() {
			v.frame.Focus(f) // from where the question came
		}
		return
	case v.page == PageAccount:
		l.note = nil
	default:
		v.turn(PageAccount)
		return
	}
	v.render()
}

// turn shows page p.
func (v *View) turn(p Page) {
	if v.page == p {
		return
	}
	v.page = p
	v.frame.CloseList()
	v.frame.Focus(nil)
	v.render()
	switch p {
	case PageAdd:
		v.add.begin()
	case PageSettings:
		v.settings.opened()
	case PageLog:
		v.log.opened()
	}
}

// Go shows what is wished for.
func (v *View) Go(w Wish) {
	if w.Account != "" {
		v.Select(w.Account)
	}
	switch w.Page {
	case PageAdd, PageSettings:
		v.turn(w.Page)
	}
}

// Show shows snapshots as they are at now, those first that want a person.
func (v *View) Show(snaps []auth.Snapshot, now time.Time) {
	first := !v.loaded
	v.loaded, v.down = true, nil
	v.snaps, v.now = status.Sort(status.ForScreen(snaps), now), now
	slices.SortStableFunc(v.snaps, func(a, b auth.Snapshot) int { return min(len(b.Asks), 1) - min(len(a.Asks), 1) }) // it waits for a minute only
	v.keepSelection()
	for _, s := range v.snaps {
		v.follow(s)
	}
	v.render()
	if first && v.adding() {
		v.frame.Focus(v.add.search.Entry)
	}
	v.fetchEvents()
}

// keepSelection makes sure that an account that exists is selected.
func (v *View) keepSelection() {
	if _, ok := v.snapshot(v.selected); ok || len(v.snaps) == 0 {
		if ok {
			v.wanted = ""
		}
		return
	}
	if v.wanted != "" {
		v.local(v.snaps[0].Name).note = &control.Note{Tone: look.Warn, Words: tr("There is no account called “%s”.", status.Clip(v.wanted, 40))}
	}
	v.selected, v.wanted = v.snaps[0].Name, ""
}

// Select shows the account called name, or says that there is none.
func (v *View) Select(name string) {
	v.selected, v.wanted = name, name
	if v.loaded {
		v.keepSelection()
	}
	if v.OnSelect != nil {
		v.OnSelect(v.selected)
	}
	v.local(v.selected).confirm = idle
	v.page = PageAccount
	v.frame.CloseList()
	v.render()
	v.fetchEvents()
}

func (v *View) snapshot(name string) (auth.Snapshot, bool) {
	for _, s := range v.snaps {
		if s.Name == name {
			return s, true
		}
	}
	return auth.Snapshot{}, false
}

// render brings every widget up to date with the model and v.now.
func (v *View) render() {
	defer v.frame.Place()
	s, ok := v.snapshot(v.selected)
	v.side.render()
	v.renderLink()
	v.frame.Show(v.account.root, v.page == PageAccount && ok)
	v.frame.Show(v.waiting, v.page == PageAccount && !ok && !v.usable())
	v.frame.Show(v.add.root, v.adding())
	v.frame.Show(v.edits.root, v.page == PageEdit)
	v.frame.Show(v.settings.root, v.page == PageSettings)
	v.frame.Show(v.log.root, v.page == PageLog)
	switch {
	case v.page == PageAccount && ok:
		v.account.render(s, v.local(s.Name))
	case v.adding():
		v.add.render()
	case v.page == PageAccount:
		v.waiting.Say(tr("Asking the agent…"))
		if v.down != nil && !v.starting {
			v.waiting.Say(tr("No connection to the agent"))
		}
	case v.page == PageEdit:
		v.edits.render()
	case v.page == PageSettings:
		v.settings.render()
	case v.page == PageLog:
		v.log.render()
	}
}

// adding reports whether the page that adds an account is on screen: asked for,
// or because there are none.
func (v *View) adding() bool {
	return v.page == PageAdd || v.page == PageAccount && len(v.snaps) == 0 && v.usable()
}

// usable reports whether the agent can be asked for anything.
func (v *View) usable() bool { return v.loaded && v.down == nil }

func (v *View) renderLink() {
	switch {
	case v.starting:
		v.link.Set(&control.Note{Tone: look.Time, Words: tr("Starting the Curfew agent…")})
	case v.down != nil:
		n := failure(v.down)
		n.Label, n.Act = tr("Try again"), v.tryAgain
		if kindOf(v.down) == auth.KindNotRunning {
			n.Hint = tr("Nothing is refreshed until it runs. This is the last known state.")
			if !v.loaded {
				n.Hint = tr("It keeps your sign-ins; without it there is nothing to show.")
			}
			n.Label, n.Act = tr("Start the agent"), v.startAgent
		}
		v.link.Named.Stress(v.page == PageAccount) // where nothing else can be done
		v.link.Set(n)
	default:
		v.link.Set(nil)
	}
	v.frame.Show(v.linkRoom, v.link.Root.Visible())
}

// Run keeps the View up to date with the agent and the clock until ctx ends.
// It owns every goroutine of the View and waits for them.
func (v *View) Run(ctx context.Context) {
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() { v.watch(ctx) })
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case work := <-v.jobs:
			group.Go(func() {
				if done := work(ctx); done != nil && ctx.Err() == nil {
					v.Do(done)
				}
			})
		case <-ticker.C:
			v.Do(v.tick)
		}
	}
}

// tick moves the countdowns on.
func (v *View) tick() {
	v.now = v.Now()
	v.clearCopied(false)
	if v.Minimised == nil || !v.Minimised() {
		v.render()
	}
}

// background hands work to Run. After Run has ended nobody takes it any
// more, and it is dropped.
func (v *View) background(work job) {
	select {
	case v.jobs <- work:
	default:
	}
}

// retryAfter is how long watch waits between two attempts to reach an agent that went away.
const retryAfter = 2 * time.Second

// watch follows the agent. The first time that none answers it starts one;
// an agent that ends later was ended by somebody, and stays ended until a
// person says otherwise.
func (v *View) watch(ctx context.Context) {
	for first := true; ; first = false {
		err := v.Agent.Watch(ctx, func(snaps []auth.Snapshot) {
			first = false
			// The newest wins: a slow screen never works through old news.
			if v.pending.Swap(&snaps) == nil {
				v.Do(func() { v.Show(*v.pending.Swap(nil), v.Now()) })
			}
		})
		if ctx.Err() != nil {
			return
		}
		if first && kindOf(err) == auth.KindNotRunning {
			v.Do(func() { v.starting = true; v.render() })
			err = v.Agent.EnsureRunning(ctx)
			v.Do(func() { v.starting = false })
			if err == nil {
				continue
			}
		}
		if ctx.Err() != nil {
			return
		}
		v.Do(func() { v.lost(err) })
		select {
		case <-ctx.Done():
			return
		case <-v.retry:
		case <-time.After(retryAfter):
		}
	}
}

// lost notes that the agent went away.
func (v *View) lost(err error) {
	if err == nil {
		err = &auth.Error{Kind: auth.KindNotRunning, Message: tr("The Curfew agent has stopped.")}
	}
	v.down = err
	for _, l := range v.locals {
		l.flow = nil // a sign-in ends with its agent
	}
	v.render()
}

func (v *View) tryAgain() {
	select {
	case v.retry <- struct{}{}:
	default:
	}
}

func (v *View) startAgent() {
	if v.starting {
		return
	}
	v.starting = true
	v.render()
	v.background(func(ctx context.Context) func() {
		err := v.Agent.EnsureRunning(ctx)
		return func() {
			v.starting = false
			if err != nil {
				v.lost(err)
				return
			}
			v.tryAgain()
		}
	})
}

// reload asks the agent for everything again.
func (v *View) reload() {
	if !v.usable() {
		v.tryAgain()
		return
	}
	v.local(v.selected).seen = fingerprint{}
	v.background(func(ctx context.Context) func() {
		snaps, err := v.Agent.Accounts(ctx)
		return func() {
			if err != nil {
				v.local(v.selected).fail(err)
				v.render()
				return
			}
			v.Show(snaps, v.Now())
		}
	})
}
