// Package tray is what people see in the notification area. It turns the agent's
// snapshots into an icon, a tooltip and a menu, and clicks into requests.
//
// [NewModel] decides what to show and is pure. [Tray] is the one goroutine that
// owns the state. A [Display] puts the model on a screen.
//
// Its one hard idea: an open menu must hold still under the pointer. Words change
// in place, so that a countdown stays true. But no row comes, goes or moves until
// the menu is closed. Panels differ in what they report of that, and in what
// closes a menu. So [Icon] speaks to Linux panels itself, and uses fyne.io/systray
// only on Windows and macOS. systray announces a new layout for every word, and
// then Qt and GNOME panels close the menu. It does not report when they closed it.
//
// It holds no secret. The one token that passes through is the one that a person
// copies, and it is forgotten as soon as the clipboard has it.
package tray

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"curfew/auth"
	"curfew/ui/status"
)

// Agent is what the tray needs of agent.Client.
type Agent interface {
	EnsureRunning(ctx context.Context) error
	Watch(ctx context.Context, f func([]auth.Snapshot)) error
	SignIn(ctx context.Context, name string, r auth.SignInRequest) (auth.SignInStarted, error)
	CancelSignIn(ctx context.Context, name string) error
	Token(ctx context.Context, name string, minValid time.Duration, program string) (auth.Token, error)
	Refresh(ctx context.Context, name, program string) (auth.Snapshot, error)
	SignOut(ctx context.Context, name string) (auth.SignOutResult, error)
	Answer(ctx context.Context, name, id string, answer auth.Answer) error
	Pause(ctx context.Context, paused bool) error
	Unlock(ctx context.Context) error
}

// Display is where a model is shown. Its methods are called by one goroutine.
type Display interface {
	SetIcon(name, tooltip, text string) // text is next to the icon, where there is room
	SetMenu(items []Item)
}

// Config is what a Tray is made of.
type Config struct {
	Agent   Agent
	Display Display

	Clicks <-chan ID            // rows of the menu
	Opened <-chan time.Duration // the menu was opened for at most this long, or with 0 closed
	Show   <-chan struct{}      // the icon was clicked, or a second tray started
	Reword <-chan struct{}      // the language has changed; may be nil

	CopySecret func(secret string) (clear func() error, err error)            // into the clipboard; clear removes it if it is still there
	OpenURL    func(ctx context.Context, url string, command ...string) error // in the person's browser, or in that of the account
	OpenWindow func(ctx context.Context, args ...string) error                // curfew-window, with these arguments
	Notify     func(Notice)                                                   // must not block; nil: no notifications
	Memory     Memory                                                         // what outlives the tray; nil: nothing does
	Logger     *slog.Logger
}

// program is how the tray signs its requests in the agent's log.
const program = "curfew-tray"

const (
	tick          = 30 * time.Second // how often countdowns are updated
	quiet         = 30 * time.Second // how long a menu counts as open if nothing reports that it was closed
	noticeTime    = 30 * time.Second // how long the outcome of a click is shown
	trouble       = 5 * time.Minute  // how long an error is shown
	clipboardTime = 45 * time.Second // how long a token stays in the clipboard
	retryLeast    = time.Second      // between attempts to reach the agent
	retryMost     = 30 * time.Second
	hangUp        = 3 * time.Second // how long the end of a click is waited for when the tray quits
)

// Tray runs the tray.
type Tray struct {
	Config
	results chan result
	ended   chan struct{} // closed when results are no longer received
	wg      sync.WaitGroup

	// The rest belongs to Run.
	state       State
	shown       Model
	busy        map[ID]bool
	levels      map[string]level
	asked       map[string]bool // the questions that have a notice
	noticeUntil time.Time
	noticeOf    string    // the account that the notice is about, or ""
	stale       staleIf   // when the notice is no longer true; nil: never
	openUntil   time.Time // when the open menu counts as closed
	copied      *copied
}

// A result is what came of a click.
type result struct {
	id     ID
	notice string
	stale  staleIf // when the notice is no longer true; nil: never
	err    error
	copied *copied // a token went into the clipboard
}

// staleIf reports whether a notice is no longer true of an account that has
// changed to a. It is called at every change, and may remember what it saw.
type staleIf func(a auth.Snapshot) bool

// copied is a token in the clipboard.
type copied struct {
	clear func() error
	until time.Time // by the wall clock, which keeps running in suspend
}

// New makes a Tray. Nothing runs before Run.
func New(c Config) *Tray {
	if c.Memory == nil {
		c.Memory = forgetful{}
	}
	return &Tray{Config: c, results: make(chan result), ended: make(chan struct{}), busy: make(map[ID]bool)}
}

// Run shows the tray until ctx ends or the person chooses Quit. When it returns,
// all its goroutines have ended, except work of a click that took longer than
// three seconds to stop.
func (t *Tray) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	updates := make(chan func(*State))
	t.wg.Go(func() { t.watch(ctx, updates) })
	for {
		wake := time.After(t.show(auth.Local(time.Now())))
		select {
		case <-ctx.Done():
		case update := <-updates:
			before := t.state.Accounts
			update(&t.state)
			t.dropStaleNotice()
			t.compare(before)
		case id := <-t.Clicks:
			t.openUntil = time.Time{} // a click closes the menu
			if id.Verb == Quit {
				cancel()
			}
			t.click(ctx, id)
		case <-t.Show:
			t.do(ID{Verb: Open}, func() (string, error) { return "", t.OpenWindow(ctx) })
		case d := <-t.Opened:
			t.openUntil = time.Now().Add(d)
		case r := <-t.results:
			t.finish(r)
		case <-t.Reword: // show uses the new language
		case <-wake:
		}
		if ctx.Err() != nil {
			t.stop()
			return
		}
	}
}

// stop takes a copied token out of the clipboard and waits a while for running
// clicks.
func (t *Tray) stop() {
	close(t.ended)
	if t.copied != nil {
		t.wg.Go(func() { t.clear(*t.copied) })
	}
	done := make(chan struct{})
	go func() { t.wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(hangUp):
	}
}

// show puts on screen what changed, and returns when to look again. Until then,
// no countdown changes, and no notice, open menu or copied token expires.
func (t *Tray) show(now time.Time) time.Duration {
	if !t.noticeUntil.After(now) {
		t.state.Notice = status.Problem{}
	}
	if t.copied != nil && !t.copied.until.After(now) {
		c := *t.copied
		t.copied = nil
		t.wg.Go(func() { t.clear(c) })
	}
	if t.Notify != nil && t.state.Agent == Connected {
		var found []Notice
		found, t.levels = notices(t.levels, t.state.Accounts, t.Memory, now)
		var asking []Notice
		asking, t.asked = askNotices(t.asked, t.state.Accounts)
		for _, n := range append(found, asking...) {
			t.Notify(n)
		}
	}
	m := NewModel(t.state, now)
	if m.Icon != t.shown.Icon || m.Tooltip != t.shown.Tooltip || m.Text != t.shown.Text {
		t.Display.SetIcon(m.Icon, m.Tooltip, m.Text)
		t.shown.Icon, t.shown.Tooltip, t.shown.Text = m.Icon, m.Tooltip, m.Text
	}
	if t.openUntil.After(now) {
		m.Items = keepPlaces(t.shown.Items, m.Items)
	}
	if !reflect.DeepEqual(m.Items, t.shown.Items) {
		t.Display.SetMenu(m.Items)
		t.shown.Items = m.Items
	}
	next := tick // not by the clock: a timer next to the sign of life of the agent costs more wake-ups than apart
	moments := []time.Time{t.noticeUntil, t.openUntil}
	if t.copied != nil {
		moments = append(moments, t.copied.until)
	}
	for _, m := range moments {
		if d := m.Sub(now); d > 0 {
			next = min(next, d)
		}
	}
	return next
}

// keepPlaces returns what an open menu may show: the rows that it has, with the
// wanted words.
func keepPlaces(shown, wanted []Item) []Item {
	rows := make(map[ID]Item)
	collect(rows, wanted)
	return reword(shown, rows)
}

func collect(rows map[ID]Item, items []Item) {
	for _, i := range items {
		rows[i.ID] = i
		collect(rows, i.Children)
	}
}

func reword(shown []Item, rows map[ID]Item) []Item {
	all := slices.Clone(shown)
	for n, old := range all {
		if row, there := rows[old.ID]; there && row.Hidden == old.Hidden {
			all[n] = row
		}
		all[n].Children = reword(old.Children, rows)
	}
	return all
}

// sameRows reports whether two menus differ only in the words and ticks of their
// rows.
func sameRows(a, b []Item) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].ID != b[i].ID || a[i].Checkbox != b[i].Checkbox || !sameRows(a[i].Children, b[i].Children) {
			return false
		}
	}
	return true
}

// watch follows the agent. It starts the agent when none runs, and retries until
// ctx ends.
func (t *Tray) watch(ctx context.Context, updates chan<- func(*State)) {
	send := func(f func(*State)) {
		select {
		case updates <- f:
		case <-ctx.Done():
		}
	}
	wait := retryLeast
	for {
		err := t.Agent.EnsureRunning(ctx)
		if err == nil {
			err = t.Agent.Watch(ctx, func(all []auth.Snapshot) {
				wait = retryLeast
				send(func(s *State) { s.Accounts, s.Agent = status.ForScreen(all), Connected })
			})
		}
		if ctx.Err() != nil {
			return
		}
		level := slog.LevelDebug
		if wait == retryLeast { // the first failure of several
			level = slog.LevelWarn
		}
		t.Logger.Log(ctx, level, "agent lost", "err", err, "retry", wait)
		send(func(s *State) { s.Agent, s.Trouble = Gone, status.Explain(err) })
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		wait = min(2*wait, retryMost)
	}
}

// dropStaleNotice removes a notice that is no longer true of its account.
func (t *Tray) dropStaleNotice() {
	if t.stale != nil && t.stale(t.account(t.noticeOf)) {
		t.stale, t.noticeUntil = nil, time.Time{}
	}
}

// account returns the last snapshot of an account, or an empty one if there is
// none.
func (t *Tray) account(name string) auth.Snapshot {
	if i := slices.IndexFunc(t.state.Accounts, func(a auth.Snapshot) bool { return a.Name == name }); i >= 0 {
		return t.state.Accounts[i]
	}
	return auth.Snapshot{}
}

// since is for a notice about an account as it was before. It is stale once the
// account has been signed in to again, or refreshed.
func since(before auth.Snapshot) staleIf {
	return func(a auth.Snapshot) bool {
		return a.SignedInAt.After(before.SignedInAt) || a.LastRefreshAt.After(before.LastRefreshAt)
	}
}

// unlocked is for a notice that the keychain could not be used. The account may
// become locked only after that error, so being unlocked counts only afterwards.
func unlocked(before auth.Snapshot) staleIf {
	newer, locked := since(before), before.State == auth.Locked
	return func(a auth.Snapshot) bool {
		was := locked
		locked = a.State == auth.Locked
		return newer(a) || was && !locked
	}
}

// flowEnded is for a notice that asks the person to continue a sign-in.
func flowEnded(flow string) staleIf {
	return func(a auth.Snapshot) bool {
		return a.SignIn != nil && a.SignIn.Flow == flow && (a.SignIn.Phase == auth.PhaseDone || a.SignIn.Phase == auth.PhaseFailed)
	}
}

// compare shows how a sign-in ended that was running in the last snapshots.
func (t *Tray) compare(before []auth.Snapshot) {
	running := make(map[string]string)
	for _, a := range before {
		if a.SignIn != nil && status.SigningIn(a) {
			running[a.Name] = a.SignIn.Flow
		}
	}
	for _, a := range t.state.Accounts {
		if a.SignIn == nil || running[a.Name] != a.SignIn.Flow || running[a.Name] == "" {
			continue
		}
		switch {
		case a.SignIn.Phase == auth.PhaseDone:
			t.notify(status.Problem{Message: status.Tr("%s: signed in", nameOf(a.Name))}, noticeTime, a.Name,
				func(a auth.Snapshot) bool { return !status.HasSession(a) })
		case status.SignInFailed(a):
			p := problemOf(a.Name, auth.Fail(a.SignIn.Error, a.SignIn.Text, auth.Text{}))
			p.Hint = "" // the message says what to do
			flow := a.SignIn.Flow
			t.notify(p, trouble, a.Name, func(a auth.Snapshot) bool { return a.SignIn == nil || a.SignIn.Flow != flow })
		}
	}
}

func nameOf(account string) string { return status.Name(auth.Snapshot{Name: account}) }

// problemOf explains an error, with the name of its account if it has one.
func problemOf(account string, err error) status.Problem {
	p := status.Explain(err)
	if account != "" {
		p.Message = status.Tr("%s: %s", nameOf(account), p.Message)
	}
	return p
}

// notify shows a notice for d, or until it is stale.
func (t *Tray) notify(notice status.Problem, d time.Duration, account string, stale staleIf) {
	t.state.Notice, t.noticeUntil = notice, time.Now().Add(d)
	t.noticeOf, t.stale = account, stale
}

// finish shows what came of a click.
func (t *Tray) finish(r result) {
	delete(t.busy, r.id)
	account := AccountOf(r.id.Account)
	if r.copied != nil {
		t.copied = r.copied
	}
	switch {
	case r.err != nil:
		t.Logger.Warn("click failed", "verb", r.id.Verb, "account", account, "err", r.err)
		stale := since(t.account(account))
		if e, ok := errors.AsType[*auth.Error](r.err); ok && e.Kind == auth.KindKeychain {
			stale = unlocked(t.account(account))
		}
		t.notify(problemOf(account, r.err), trouble, account, stale)
	case r.notice != "":
		t.notify(status.Problem{Message: r.notice}, noticeTime, account, r.stale)
	case !r.id.Verb.opens():
		t.noticeUntil = time.Time{} // the notice of an older click is no longer true
	}
}

// do runs a click's work in a goroutine. A second click on the same row while it
// runs is dropped, because it must not spend a second refresh.
func (t *Tray) do(id ID, work func() (notice string, err error)) {
	t.start(id, func() result {
		notice, err := work()
		return result{notice: notice, err: err}
	})
}

func (t *Tray) start(id ID, work func() result) {
	if t.busy[id] {
		return
	}
	t.busy[id] = true
	t.wg.Go(func() {
		r := work()
		r.id = id
		select {
		case t.results <- r:
		case <-t.ended:
			if r.copied != nil {
				t.clear(*r.copied)
			}
		}
	})
}

// click does what a row says.
func (t *Tray) click(ctx context.Context, id ID) {
	switch id.Verb {
	case Open, Note, AllAccounts:
		t.do(id, func() (string, error) { return "", t.OpenWindow(ctx) })
	case OpenAccount, TokenLine:
		t.do(id, func() (string, error) { return "", t.OpenWindow(ctx, "--account", id.Account) })
	case AddAccount:
		t.do(id, func() (string, error) { return "", t.OpenWindow(ctx, "--add") })
	case Settings:
		t.do(id, func() (string, error) { return "", t.OpenWindow(ctx, "--settings") })
	case Pause:
		want := !paused(t.state)
		t.do(id, func() (string, error) { return "", t.Agent.Pause(ctx, want) })
	case SignIn:
		force := status.NeedsForce(t.account(id.Account))
		t.start(id, func() result { return t.signIn(ctx, id.Account, force) })
	case Tomorrow:
		t.Memory.SetTomorrow(id.Account, tomorrow(auth.Local(time.Now())))
		if t.Notify != nil {
			t.Notify(Notice{Account: id.Account})
		}
	case AskLine:
		t.do(id, func() (string, error) { return "", t.OpenWindow(ctx, "--account", AccountOf(id.Account)) })
	case Allow, AllowAlways, Deny:
		account, ask, _ := strings.Cut(id.Account, ":")
		t.do(id, func() (string, error) { return "", t.Agent.Answer(ctx, account, ask, answers[id.Verb]) })
	case CancelSignIn:
		t.do(id, func() (string, error) { return "", t.Agent.CancelSignIn(ctx, id.Account) })
	case SignOut:
		before := t.account(id.Account)
		t.start(id, func() result {
			r, err := t.Agent.SignOut(ctx, id.Account)
			if err != nil || r.Revoked || r.Message == "" {
				return result{err: err}
			}
			return result{notice: status.Tr("%s: %s", nameOf(id.Account), status.Translate(r.Text)), stale: since(before)}
		})
	case Unlock:
		t.do(id, func() (string, error) { return "", t.Agent.Unlock(ctx) })
	case Refresh:
		t.do(id, func() (string, error) {
			_, err := t.Agent.Refresh(ctx, id.Account, program)
			return "", err
		})
	case CopyToken:
		t.start(id, func() result { return t.copyToken(ctx, id.Account) })
	}
}

// signIn starts a sign-in, or joins the running one, and opens its page.
func (t *Tray) signIn(ctx context.Context, account string, force bool) result {
	started, err := t.Agent.SignIn(ctx, account, auth.SignInRequest{Force: force, Browser: true})
	if err != nil {
		return result{err: err}
	}
	if err := t.OpenURL(ctx, started.URL, started.Browser...); err != nil {
		return result{err: err}
	}
	return result{notice: status.Tr("%s: continue in your browser", nameOf(account)), stale: flowEnded(started.Flow)}
}

// copyToken puts the access token into the clipboard for a while.
func (t *Tray) copyToken(ctx context.Context, account string) result {
	token, err := t.Agent.Token(ctx, account, -1, program)
	if err != nil {
		return result{err: err}
	}
	clear, err := t.CopySecret(token.AccessToken.Reveal())
	if err != nil {
		return result{err: err}
	}
	return result{
		notice: status.Tr("%s: access token copied. The clipboard is cleared in %d s", nameOf(account), int(clipboardTime/time.Second)),
		copied: &copied{clear: clear, until: time.Now().Add(clipboardTime).Round(0)},
	}
}

// clear empties the clipboard if it still holds the token.
func (t *Tray) clear(c copied) {
	if err := c.clear(); err != nil {
		t.Logger.Warn("clipboard not cleared", "err", err)
	}
}
