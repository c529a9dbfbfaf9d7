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
// What has no part in that, colours, words, layouts and drawings, is in
// curfew/ui/window/look.
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
	Close        func()             // ends the program
	About        func() []string    // lines for the foot of the settings; may be nil
	Canvas       func() fyne.Canvas // of the window the View is in; nil before
	Minimised    func() bool        // whether that window is, and need not be drawn; may be nil
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
	still    bool              // the desktop asks for no motion
	pressed  pressed
	focused  fyne.CanvasObject // that got the focus last
	asker    fyne.CanvasObject // that had it before a question
	copied   copied

	root     *fyne.Container
	pages    *fyne.Container
	list     *choiceList         // that was opened last; nil: none was
	heads    []fyne.CanvasObject // of the pages
	bodies   []body
	moved    bool        // something was hidden or shown since the last layout
	shape    []fyne.Size // the least room of all that grows, at the last layout
	side     *sidebar
	link     *bar
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

// body is the part of a page that grows with what it says.
type body struct {
	content fyne.CanvasObject
	scroll  *container.Scroll // nil: it does not scroll
}

// A job is work that may block; what it returns runs on the UI goroutine.
type job func(ctx context.Context) func()

// New returns a View that shows nothing yet.
func New(c Config) *View {
	v := &View{Config: c, selected: c.Selected, locals: map[string]*local{}}
	v.now = c.Now()
	v.jobs = make(chan job, 64)
	v.retry = make(chan struct{}, 1)
	v.root = container.NewWithoutLayout()
	v.build()
	return v
}

// build makes every widget, in the language that is spoken.
func (v *View) build() {
	speakFyne()
	v.list.close()
	v.heads, v.bodies = nil, nil
	v.focused, v.asker = nil, nil
	v.side = newSidebar(v)
	v.link = newBar(v)
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
	v.pages = container.NewStack(v.account.root, v.waiting, v.add.root, v.edits.root, v.settings.root, v.log.root)
	v.linkRoom = container.New(columnLayout{}, container.New(look.Pad(0, 0, look.Gap, 0), v.link.root))
	above := look.Column(0, v.side.bar, v.linkRoom)
	right := container.New(look.Pad(gapBorder, look.GapSmall, look.GapSmall, look.Gap), container.New(layout.NewBorderLayout(above, nil, nil, nil), above, v.pages))
	v.root.Layout = sidesLayout{v.side.bar}
	v.root.Objects = []fyne.CanvasObject{right, v.side.root, look.NewRule()} // the first Tab goes to what is to be done
	v.moved = true
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
	v.focus(nil)
	v.build()
}

// Refit makes every widget again for a theme whose words are larger or smaller.
func (v *View) Refit() {
	v.focus(nil)
	v.build()
}

// Move says whether things may move. Fyne knows its own setting only.
func (v *View) Move(on bool) {
	v.still = !on
	v.render()
}

// moves reports whether things may move.
func (v *View) moves() bool { return !v.still && fyne.CurrentApp().Settings().ShowAnimations() }

// Moving reports whether something is animated: a ring turns, or a note fades
// in. Then the window must be drawn all the time.
func (v *View) Moving() bool {
	p := v.account
	turns := slices.ContainsFunc(p.signIn.steps[:], func(s *stepLine) bool { return s.mark.Turning() })
	return v.page == PageAccount && (turns || p.question.fades() || p.result.fades())
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

// columnMost is how wide what is read may be: nobody reads longer lines.
const columnMost = 760

// columnLayout keeps what is read in the middle, no wider than lines are good for.
type columnLayout struct{}

func (columnLayout) MinSize(objects []fyne.CanvasObject) fyne.Size {
	return look.Pad(0, margin, 0, 2).MinSize(objects)
}

func (columnLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	side := max(0, (size.Width-margin-2-look.Em(columnMost))/2)
	look.Pad(0, margin+side, 0, 2+side).Layout(objects, size)
}

// Content returns what to put into the window.
func (v *View) Content() fyne.CanvasObject {
	return look.NewPanel("", "", 0, v.root)
}

// AddShortcuts teaches the window's canvas the keys that work everywhere.
func (v *View) AddShortcuts(c fyne.Canvas) {
	for _, key := range []fyne.KeyName{fyne.KeyW, fyne.KeyQ} {
		c.AddShortcut(&desktop.CustomShortcut{KeyName: key, Modifier: fyne.KeyModifierShortcutDefault}, func(fyne.Shortcut) { v.Close() })
	}
	c.SetOnTypedKey(v.keys)
}

// shortcut does what AddShortcuts promises where a text has the focus.
func (v *View) shortcut(s fyne.Shortcut) bool {
	custom, ok := s.(*desktop.CustomShortcut)
	if !ok || custom.Modifier != fyne.KeyModifierShortcutDefault || custom.KeyName != fyne.KeyW && custom.KeyName != fyne.KeyQ {
		return false
	}
	v.Close()
	return true
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
			v.focus(f) // from where the question came
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

// focus gives the keyboard to f, when the View is in a window.
func (v *View) focus(f fyne.Focusable) {
	if v.Canvas == nil {
		return
	}
	if c := v.Canvas(); c != nil {
		c.Focus(f)
	}
}

// reveal scrolls to o, which has just got the focus. Fyne leaves it where it is.
func (v *View) reveal(o fyne.CanvasObject) {
	v.focused = o
	driver := fyne.CurrentApp().Driver()
	for _, b := range v.bodies {
		scroll := b.scroll
		if scroll == nil || !inside(o, b.content) {
			continue
		}
		const air = 8
		y := driver.AbsolutePositionForObject(o).Y - driver.AbsolutePositionForObject(scroll).Y
		over := y + o.Size().Height + air - scroll.Size().Height
		if y < air {
			over = y - air
		}
		if y < air || over > 0 {
			scroll.ScrollToOffset(fyne.NewPos(0, max(0, scroll.Offset.Y+over)))
		}
	}
}

// inside reports whether o is somewhere in tree.
func inside(o, tree fyne.CanvasObject) bool {
	switch t := tree.(type) {
	case *fyne.Container:
		return slices.ContainsFunc(t.Objects, func(c fyne.CanvasObject) bool { return inside(o, c) })
	case *look.Panel:
		return inside(o, t.Content)
	}
	return o == tree
}

// turn shows page p.
func (v *View) turn(p Page) {
	if v.page == p {
		return
	}
	v.page = p
	v.list.close()
	v.focus(nil)
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
		v.focus(v.add.search.entry)
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
		v.local(v.snaps[0].Name).note = &note{tone: look.Warn, words: tr("There is no account called “%s”.", status.Clip(v.wanted, 40))}
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
	v.list.close()
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
	defer v.place()
	s, ok := v.snapshot(v.selected)
	v.side.render()
	v.renderLink()
	v.show(v.account.root, v.page == PageAccount && ok)
	v.show(v.waiting, v.page == PageAccount && !ok && !v.usable())
	v.show(v.add.root, v.adding())
	v.show(v.edits.root, v.page == PageEdit)
	v.show(v.settings.root, v.page == PageSettings)
	v.show(v.log.root, v.page == PageLog)
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

// show hides o or shows it.
func (v *View) show(o fyne.CanvasObject, yes bool) {
	switch {
	case yes && !o.Visible():
		o.Show()
	case !yes && o.Visible():
		o.Hide()
	default:
		return
	}
	v.moved = true
}

// place lays everything out again when something came, went or grew. Wrapped
// words know their height only when they know their width, hence the passes.
func (v *View) place() {
	defer func() { v.list.place() }()
	for range 3 {
		shape := []fyne.Size{v.root.MinSize(), v.linkRoom.MinSize()}
		for _, head := range v.heads {
			shape = append(shape, head.MinSize())
		}
		for _, b := range v.bodies {
			shape = append(shape, b.content.MinSize())
		}
		if !v.moved && slices.Equal(v.shape, shape) {
			return
		}
		v.moved, v.shape = false, shape
		v.root.Refresh()
	}
}

// usable reports whether the agent can be asked for anything.
func (v *View) usable() bool { return v.loaded && v.down == nil }

func (v *View) renderLink() {
	switch {
	case v.starting:
		v.link.set(&note{tone: look.Time, words: tr("Starting the Curfew agent…")})
	case v.down != nil:
		n := failure(v.down)
		n.label, n.act = tr("Try again"), v.tryAgain
		if kindOf(v.down) == auth.KindNotRunning {
			n.hint = tr("Nothing is refreshed until it runs. This is the last known state.")
			if !v.loaded {
				n.hint = tr("It keeps your sign-ins; without it there is nothing to show.")
			}
			n.label, n.act = tr("Start the agent"), v.startAgent
		}
		v.link.named.become(importance(v.page == PageAccount)) // where nothing else can be done
		v.link.set(n)
	default:
		v.link.set(nil)
	}
	v.show(v.linkRoom, v.link.root.Visible())
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
