package window

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"curfew/auth"
	"curfew/auth/oauth"
	"curfew/ui/window/control"
	"curfew/ui/window/look"
)

// stage is a View that runs against a fake agent in virtual time. The test
// plays the UI goroutine: what Run hands over waits in a queue for settle, so
// the race detector sees every widget that another goroutine touches.
type stage struct {
	*View
	t      *testing.T
	agent  *fakeAgent
	window fyne.Window

	mu      sync.Mutex
	queue   []func()
	opened  []string
	openErr error
	chosen  []string // OnSelect
	closed  int
	copyErr error
	wait    time.Duration // that a person takes between presses; no other clock goes on
}

// live runs a test on a stage with the agent's accounts already shown.
func live(t *testing.T, agent *fakeAgent, script func(s *stage)) {
	t.Helper()
	test.NewTempApp(t).Settings().SetTheme(look.NewTheme(look.Dark))
	synctest.Test(t, func(t *testing.T) {
		s := &stage{t: t, agent: agent}
		start := time.Now()
		agent.changed = make(chan struct{}) // of this bubble
		s.View = New(Config{
			Agent: agent, Clipboard: test.NewClipboard(), CopySecret: s.copySecret,
			Now: func() time.Time { return noon.Add(time.Since(start)) },
			Do: func(f func()) {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.queue = append(s.queue, f)
			},
			Open: func(u *url.URL, _ ...string) error {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.opened = append(s.opened, u.String())
				return s.openErr
			},
			Providers: oauth.Listing(),
			OnSelect:  func(name string) { s.chosen = append(s.chosen, name) },
			Close:     func() { s.closed++ },
		})
		s.frame.Now = func() time.Time { return s.Now().Add(s.wait) }
		s.window = test.NewWindow(s.Content())
		defer s.window.Close()
		s.window.SetPadded(false)
		s.window.Resize(usual)
		s.AddShortcuts(s.window.Canvas())
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() { s.Run(ctx) })
		s.settle()
		script(s)
		cancel()
		group.Wait()
	})
}

// copySecret stands for the desktop's clipboard, which links go into as well.
func (s *stage) copySecret(secret string) (clear func() error, err error) {
	if s.copyErr != nil {
		return nil, s.copyErr
	}
	s.Clipboard.SetContent(secret)
	return func() error {
		if s.Clipboard.Content() == secret {
			s.Clipboard.SetContent("")
		}
		return nil
	}, nil
}

// settle lets everything happen that happens without the time passing.
func (s *stage) settle() {
	for {
		synctest.Wait()
		s.mu.Lock()
		queue := s.queue
		s.queue = nil
		s.mu.Unlock()
		if len(queue) == 0 {
			return
		}
		for _, f := range queue {
			f()
		}
	}
}

// pass lets time pass, second by second as on a screen.
func (s *stage) pass(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); s.settle() {
		time.Sleep(min(time.Second, time.Until(end)))
	}
}

// screen returns all words that can be read now, one text a line.
func (s *stage) screen() string {
	var words []string
	var walk func(o fyne.CanvasObject)
	walk = func(o fyne.CanvasObject) {
		if !o.Visible() {
			return
		}
		switch o := o.(type) {
		case *look.Text:
			words = append(words, o.Words())
		case *control.Button:
			words = append(words, "["+o.AccessibilityLabel()+"]")
		case *fyne.Container:
			for _, c := range o.Objects {
				walk(c)
			}
		case fyne.Widget:
			for _, c := range test.WidgetRenderer(o).Objects() {
				walk(c)
			}
		}
	}
	walk(s.frame.Root)
	return strings.Join(words, "\n")
}

func (s *stage) reads(want ...string) {
	s.t.Helper()
	for _, w := range want {
		if !strings.Contains(s.screen(), w) {
			s.t.Fatalf("the screen does not say %q; it says\n%s", w, s.screen())
		}
	}
}

func (s *stage) readsNot(want ...string) {
	s.t.Helper()
	for _, w := range want {
		if strings.Contains(s.screen(), w) {
			s.t.Fatalf("the screen says %q:\n%s", w, s.screen())
		}
	}
}

// tap presses a button as a pointer would, long after what was pressed before, and
// settles.
func (s *stage) tap(b *control.Button) {
	s.t.Helper()
	s.mayTap(b)
	s.wait += time.Hour
	test.Tap(b)
	s.settle()
}

func (s *stage) mayTap(b *control.Button) {
	s.t.Helper()
	if b.Disabled() || !strings.Contains(s.screen(), "["+b.AccessibilityLabel()+"]") {
		s.t.Fatalf("the button %q cannot be pressed", b.Text)
	}
}

// menu opens the account's menu, reads it and closes it.
func (s *stage) menu() (words []string) {
	for _, d := range s.account.deeds() {
		words = append(words, d.Words)
	}
	return words
}

// choose chooses from the account's menu, or presses the button that is first.
func (s *stage) choose(words string) {
	s.t.Helper()
	if b := s.account.primary; b.Visible() && b.Text == words {
		s.tap(b)
		return
	}
	more := s.account.more
	switch {
	case s.account.call.root.Visible():
		more = s.account.call.more
	case s.account.over.root.Visible():
		more = s.account.over.more
	}
	s.tap(more)
	for _, item := range s.list().Items {
		if m, ok := item.(interface{ Tapped(*fyne.PointEvent) }); ok && strings.Contains(label(item), words) {
			m.Tapped(&fyne.PointEvent{})
			s.settle()
			return
		}
	}
	s.t.Fatalf("the menu has no %q, but %q", words, s.menu())
}

// label is all that can be read in o.
func label(o fyne.CanvasObject) (words string) {
	switch o := o.(type) {
	case *canvas.Text:
		return o.Text
	case fyne.Widget:
		for _, c := range test.WidgetRenderer(o).Objects() {
			words += label(c)
		}
	}
	return words
}

// key types a key at the focus, or at the window.
func (s *stage) key(names ...fyne.KeyName) {
	for _, name := range names {
		c := s.window.Canvas()
		e := &fyne.KeyEvent{Name: name}
		switch {
		case name == fyne.KeyTab:
			c.FocusNext()
		case c.Focused() != nil:
			c.Focused().TypedKey(e)
		default:
			c.OnTypedKey()(e)
		}
		s.settle()
	}
}

func (s *stage) calls(what string, want int) {
	s.t.Helper()
	if got := s.agent.took(what); len(got) != want {
		s.t.Fatalf("%d calls of %s, want %d: %q", len(got), what, want, got)
	}
}

func TestSignInOpensTheBrowserOnceAndSaysHowItEnded(t *testing.T) {
	live(t, newFakeAgent(fresh()), func(s *stage) {
		s.reads("Signed out", "Sign in to Notes", "Sign in once, in your own browser")
		b := s.account.call.browser
		s.mayTap(b)
		test.Tap(b)
		test.Tap(b) // a double click
		s.settle()
		s.calls("sign-in", 1)
		if len(s.opened) != 1 || s.opened[0] != "https://id.example.com/authorize?state=x" {
			t.Fatalf("opened %q, want the sign-in page once", s.opened)
		}
		s.reads("Signing in to Notes", "Sign in on the page in your browser…", "The page waits for 5:00")
		s.pass(3 * time.Second)
		s.reads("The page waits for 4:57")
		if b := s.account.signIn.open; b.Importance == widget.HighImportance {
			t.Error("a button is brighter than the page in the browser")
		}

		s.tap(s.account.signIn.open)
		if len(s.opened) != 2 {
			t.Fatalf("opened %q, want the page again", s.opened)
		}
		s.calls("sign-in", 2) // a start page works once
		s.tap(s.account.signIn.link)
		s.calls("sign-in", 3)
		if got := s.Clipboard.Content(); got != "https://id.example.com/authorize?state=x" {
			t.Fatalf("the clipboard has %q, want the link", got)
		}

		s.agent.phase("Notes", auth.PhaseExchange, "", "")
		s.settle()
		s.reads("Sign in on the page in your browser: done", "Curfew fetches the tokens and checks them…")
		if !s.account.signIn.open.Disabled() {
			t.Error("the page can be opened again after the browser is done")
		}
		s.agent.phase("Notes", auth.PhaseDone, "", "")
		s.settle()
		s.reads("Signed in as alice@example.org.", "14\nof 20 refreshes left")
		s.readsNot("Signing in to")
		s.pass(15 * time.Second)
		s.readsNot("Signed in as")
	})
}

func TestSignInThatFailsSaysWhy(t *testing.T) {
	live(t, newFakeAgent(spotify()), func(s *stage) {
		s.choose("Sign in again")
		if got := s.agent.took("sign-in"); len(got) != 1 || got[0] != "sign-in Spotify force=true device=false" {
			t.Fatalf("calls %q, want one that forces a new session", got)
		}
		s.agent.phase("Spotify", auth.PhaseFailed, auth.KindRefused, "You refused access in the browser.")
		s.settle()
		s.reads("You refused access in the browser.", "14\nof 20 refreshes left")
		s.key(fyne.KeyEscape)
		s.readsNot("You refused access")
	})
}

// TestSignInThatFailedNamesTheButton: the agent's advice about a failed sign-in
// names a command, and the window its button.
func TestSignInThatFailedNamesTheButton(t *testing.T) {
	failed := fresh()
	failed.SignIn = &auth.SignInView{Flow: "flow", Phase: auth.PhaseFailed, Error: auth.KindRefused,
		Text: auth.Say("both", auth.Say("consent_denied", "access_denied").Sentence(), auth.Say("hint_login_again", failed.Name).Sentence())}
	live(t, newFakeAgent(failed), func(s *stage) {
		s.reads("The last sign-in failed: Consent was denied (access_denied). Choose Sign in.", "[Sign in]")
		s.readsNot("curfew login")
	})
}

// TestEnterTwice: who presses Enter twice on the button that adds an account and
// signs in gets one page, and nothing is cancelled.
func TestEnterTwice(t *testing.T) {
	agent := newFakeAgent()
	live(t, agent, func(s *stage) {
		s.add.choose(s.add.preset("spotify"))
		s.add.client.Entry.SetText("5f1d0e7c")
		s.frame.Focus(s.add.save)
		s.key(fyne.KeyReturn, fyne.KeyReturn, fyne.KeySpace)
		s.reads("Signing in to spotify")
		s.calls("sign-in", 1)
		s.calls("cancel", 0)
		if len(s.opened) != 1 {
			t.Errorf("opened %q", s.opened)
		}
		s.pass(pressedTwice)
		s.key(fyne.KeyReturn)
		s.calls("sign-in", 2)
		s.key(fyne.KeyReturn) // of this one, too
		s.calls("sign-in", 2)
	})
}

func TestSignInThatCannotStartSaysWhatToDo(t *testing.T) {
	agent := newFakeAgent(spotify())
	agent.fail["sign-in"] = &auth.Error{Kind: auth.KindUnavailable, Message: "id.example.com cannot be reached", Hint: "check the network"}
	live(t, agent, func(s *stage) {
		s.choose("Sign in again")
		s.reads("Id.example.com cannot be reached.", "Check the network")
		if len(s.opened) != 0 {
			t.Errorf("opened %q", s.opened)
		}
	})
}

func TestSignInPageMustBeAWebPage(t *testing.T) {
	for _, address := range []string{"file:///etc/passwd", "javascript:alert(1)", "https://", "::"} {
		agent := newFakeAgent(fresh())
		agent.started.URL = address
		live(t, agent, func(s *stage) {
			s.tap(s.account.call.browser)
			s.reads("is not a web address")
			if len(s.opened) != 0 {
				t.Errorf("opened %q", s.opened)
			}
		})
	}
}

func TestSignInWithoutABrowser(t *testing.T) {
	live(t, newFakeAgent(fresh()), func(s *stage) {
		s.openErr = errors.New(`exec: "xdg-open": executable file not found in $PATH`)
		s.tap(s.account.call.browser)
		s.reads("No browser could be opened. Copy the link")
		s.openErr = nil
		s.tap(s.account.signIn.open)
		s.readsNot("No browser could be opened")
	})
}

func TestSignInWithACode(t *testing.T) {
	agent := newFakeAgent(fresh())
	agent.started.UserCode, agent.started.URL = "WDJB-MJHT", "https://id.example.com/device"
	live(t, agent, func(s *stage) {
		s.tap(s.account.call.other)
		s.reads("WDJB-MJHT", "Type this code at id.example.com")
		if got := s.agent.took("sign-in"); len(got) != 1 || !strings.HasSuffix(got[0], "device=true") {
			t.Fatalf("calls %q, want a device sign-in", got)
		}
	})
}

func TestSignInStartedElsewhereCanBeJoined(t *testing.T) {
	snap := fresh()
	snap.State, snap.SignIn = auth.SigningIn, &auth.SignInView{Flow: "flow-1", Phase: auth.PhaseBrowser}
	live(t, newFakeAgent(snap), func(s *stage) {
		s.reads("Signing in to Notes")
		if len(s.opened) != 0 {
			t.Fatalf("opened %q unasked", s.opened)
		}
		s.tap(s.account.signIn.open)
		s.calls("sign-in", 1)
		if len(s.opened) != 1 {
			t.Fatalf("opened %q, want the page of the running sign-in", s.opened)
		}
	})
}

// While the keychain asks, there is no page to continue on, nor one to open again.
func TestSignInAtTheKeychain(t *testing.T) {
	snap := fresh()
	snap.State, snap.SignIn = auth.SigningIn, &auth.SignInView{Flow: "flow-1", Phase: auth.PhaseBrowser, Text: auth.Say(auth.PromptID)}
	live(t, newFakeAgent(snap), func(s *stage) {
		s.reads("Signing in to Notes", "The keychain asks for its password. The sign-in page opens after that.")
		s.readsNot("Sign in on the page in your browser…", "Nothing is lost by cancelling.")
		if !s.account.signIn.open.Disabled() {
			t.Error("a page can be opened that is not there")
		}
		s.mayTap(s.account.signIn.stop)
	})
}

func TestSignInEndsWithItsAgent(t *testing.T) {
	agent := newFakeAgent(spotify())
	live(t, agent, func(s *stage) {
		s.choose("Sign in again")
		s.reads("Signing in to Spotify")
		agent.change(func() { agent.down = errDown })
		s.settle()
		agent.edit("Spotify", func(a *auth.Snapshot) { a.SignIn = nil })
		agent.change(func() { agent.down = nil })
		s.pass(retryAfter)
		s.readsNot("Signing in to")
		s.reads("Signed in\n")

		// Another one, started elsewhere: its page is not the old one.
		s.choose("Sign in again")
		agent.edit("Spotify", func(a *auth.Snapshot) { a.SignIn = &auth.SignInView{Flow: "flow-2", Phase: auth.PhaseBrowser} })
		s.settle()
		agent.started.Flow, agent.started.URL = "flow-2", "https://id.example.com/authorize?state=y"
		s.tap(s.account.signIn.open)
		if last := s.opened[len(s.opened)-1]; last != agent.started.URL {
			t.Errorf("opened %s, want the page of the sign-in that runs", last)
		}
	})
}

func TestCancelSignIn(t *testing.T) {
	live(t, newFakeAgent(spotify()), func(s *stage) {
		s.choose("Sign in again")
		s.tap(s.account.signIn.stop)
		s.calls("cancel", 1)
		s.reads("Sign-in cancelled. Nothing has changed.", "14\nof 20 refreshes left")
		s.readsNot("was cancelled.") // the agent's word for it, a second time
	})
}

func TestCopiedTokenLeavesTheClipboard(t *testing.T) {
	agent := newFakeAgent(spotify())
	live(t, agent, func(s *stage) {
		s.tap(s.account.primary)
		if got := s.agent.took("token"); len(got) != 1 || got[0] != "token Spotify 1m0s curfew-window" {
			t.Fatalf("calls %q", got)
		}
		if got := s.Clipboard.Content(); got != agent.token {
			t.Fatalf("the clipboard has %q, want the token", got)
		}
		s.reads("Access token copied.", "cleared in 45 s")
		s.readsNot(agent.token)
		s.pass(44 * time.Second)
		s.reads("cleared in 1 s")
		if s.Clipboard.Content() == "" {
			t.Fatal("cleared too early")
		}
		s.pass(time.Second)
		if got := s.Clipboard.Content(); got != "" {
			t.Fatalf("the clipboard has %q after 45 s", got)
		}
		s.readsNot("Access token copied.")
	})
}

func TestMinimised(t *testing.T) {
	live(t, newFakeAgent(spotify()), func(s *stage) {
		s.tap(s.account.primary)
		minimised := true
		s.Minimised = func() bool { return minimised }
		s.pass(40 * time.Second)
		s.reads("cleared in 45 s") // nothing is drawn
		minimised = false
		s.pass(time.Second)
		s.reads("cleared in 4 s")
		minimised = true
		s.pass(4 * time.Second)
		if got := s.Clipboard.Content(); got != "" {
			t.Errorf("the clipboard has %q after 45 s", got)
		}
	})
}

func TestClipboardOfOthersIsLeftAlone(t *testing.T) {
	live(t, newFakeAgent(spotify()), func(s *stage) {
		s.tap(s.account.primary)
		s.Clipboard.SetContent("something a person copied since")
		s.pass(time.Minute)
		if got := s.Clipboard.Content(); got != "something a person copied since" {
			t.Errorf("the clipboard has %q", got)
		}
	})
}

func TestSecondCopyBeginsAnew(t *testing.T) {
	agent := newFakeAgent(spotify())
	live(t, agent, func(s *stage) {
		s.tap(s.account.primary)
		s.pass(30 * time.Second)
		s.tap(s.account.primary)
		s.reads("cleared in 45 s")
		s.pass(44 * time.Second)
		if got := s.Clipboard.Content(); got != agent.token {
			t.Errorf("the clipboard has %q, 44 s after the second copy", got)
		}
		s.pass(time.Second)
		if got := s.Clipboard.Content(); got != "" {
			t.Errorf("the clipboard has %q, 45 s after the second copy", got)
		}
	})
}

func TestNoClipboard(t *testing.T) {
	live(t, newFakeAgent(spotify()), func(s *stage) {
		s.copyErr = &auth.Error{Kind: auth.KindFailed, Message: "there is no clipboard", Hint: "use: curfew token NAME"}
		s.tap(s.account.primary)
		s.reads("There is no clipboard.", "Use: curfew token NAME")
		s.readsNot("Access token copied.")
	})
}

func TestClosingClearsTheClipboard(t *testing.T) {
	live(t, newFakeAgent(spotify()), func(s *stage) {
		s.tap(s.account.primary)
		s.Closing()
		if got := s.Clipboard.Content(); got != "" {
			t.Errorf("the clipboard has %q", got)
		}
	})
}

func TestRefreshNowSaysWhatItCosts(t *testing.T) {
	live(t, newFakeAgent(spotify()), func(s *stage) {
		s.choose("Refresh now (uses 1 of 14 left)")
		s.calls("refresh", 1)
		s.reads("Refreshed: 13 of 20 refreshes, 23 d left.", "13\nof 20 refreshes left")
		s.agent.edit("Spotify", func(s *auth.Snapshot) { s.RefreshesUsed, s.RefreshesLeft = 20, 0 })
		s.settle()
		if menu := s.menu(); slices.ContainsFunc(menu, func(words string) bool { return strings.Contains(words, "Refresh") }) {
			t.Errorf("a refresh can be asked for though none is left: %q", menu)
		}
	})
}

func TestRefusedRefreshIsExplainedInPlace(t *testing.T) {
	agent := newFakeAgent(spotify())
	agent.fail["refresh"] = &auth.Error{Kind: auth.KindSignInNeeded, Reason: auth.ByRefreshes, Message: auth.MessageRefreshes}
	live(t, agent, func(s *stage) {
		s.choose("Refresh now (uses 1 of 14 left)")
		s.reads(auth.MessageRefreshes, "Choose Sign in again.")
		if s.account.more.Disabled() {
			t.Error("the menu stays unusable after an error")
		}
	})
}

func TestUnlock(t *testing.T) {
	locked := spotify()
	locked.State = auth.Locked
	locked.Say(auth.Say(auth.LockedID).Sentence())
	agent := newFakeAgent(locked)
	agent.fail["unlock"] = &auth.Error{Kind: auth.KindKeychain, Message: "the keychain refused", Hint: "allow it"}
	live(t, agent, func(s *stage) {
		s.reads("[Unlock]")
		if menu := s.menu(); slices.Contains(menu, "Sign in again") {
			t.Errorf("the menu is %q, but a session could not be kept", menu)
		}
		s.tap(s.account.primary)
		s.calls("unlock", 1)
		s.reads("The keychain refused.", "Allow it", "[Unlock]")

		delete(agent.fail, "unlock")
		s.tap(s.account.primary)
		s.calls("unlock", 2)
		s.readsNot("[Unlock]", "The keychain refused.")
		s.choose("Sign in again")
	})
}

func TestSignOutAsksFirst(t *testing.T) {
	live(t, newFakeAgent(spotify()), func(s *stage) {
		s.choose("Sign out")
		s.calls("sign-out", 0)
		s.reads("Sign out of Spotify?", "This ends the session here and at the server.")
		if s.window.Canvas().Focused() != fyne.Focusable(s.account.keep) {
			t.Error("the focus is not on the harmless answer")
		}
		s.key(fyne.KeyEscape)
		s.readsNot("Sign out of Spotify?")

		s.choose("Sign out")
		s.tap(s.account.keep)
		s.readsNot("Sign out of Spotify?")
		s.calls("sign-out", 0)

		s.choose("Sign out")
		s.tap(s.account.yes)
		s.calls("sign-out", 1)
		s.reads("no way to revoke", "[Open the provider's page]")
		s.tap(s.account.result.Named)
		if len(s.opened) != 1 || s.opened[0] != "https://provider.example/apps" {
			t.Errorf("opened %q", s.opened)
		}
	})
}

func TestAddAccountSaysWhatIsWrong(t *testing.T) {
	live(t, newFakeAgent(spotify()), func(s *stage) {
		s.tap(s.side.add)
		s.tap(s.add.goOther)
		s.tap(s.add.save)
		s.reads("It is needed, for example https://id.example.com.", "Give the account a name.", "The provider gave you a client ID")
		s.calls("put", 0)
		if s.window.Canvas().Focused() != fyne.Focusable(s.add.issuer.Entry) {
			t.Error("the focus is not on the first field that is wrong")
		}

		s.add.issuer.Entry.SetText("http://id.example.com")
		s.readsNot("It is needed") // a complaint goes when its field changes
		s.add.name.Entry.SetText("Spotify")
		s.add.client.Entry.SetText("has a space")
		s.reads("already", "no spaces") // while it is typed
		s.tap(s.add.save)
		s.reads("already", "no spaces")
		s.calls("put", 0)

		s.add.name.Entry.SetText("work")
		s.reads("Looks right.")
		s.key(fyne.KeyEscape)
		s.reads("Where do you want to sign in?")
		s.key(fyne.KeyEscape)
		s.readsNot("Where do you want to sign in?")
	})
}

func TestAddAccountSignsIn(t *testing.T) {
	live(t, newFakeAgent(), func(s *stage) {
		s.reads("Where do you want to sign in?", "[Spotify]")
		s.readsNot("[Back]") // there is nothing behind it
		test.Type(s.add.search.Entry, "id.example.com")
		s.reads("Sign in at id.example.com. You need a client ID.", "[Continue]")
		s.readsNot("[Spotify]")
		s.key(fyne.KeyReturn)
		s.reads("Connect your server", "Paste it here.")
		if got := s.add.issuer.Entry.Text; got != "https://id.example.com" {
			t.Errorf("the issuer begins as %q", got)
		}
		s.add.issuer.Entry.SetText("https://id.example.com/")
		s.add.name.Entry.SetText("work")
		s.add.client.Entry.SetText("desktop")
		s.add.asks.Entry.SetText(" openid  mail ")
		s.frame.Focus(s.add.name.Entry)
		s.key(fyne.KeyReturn) // sends the form
		want := auth.Account{Name: "work", Issuer: "https://id.example.com", ClientID: "desktop", Scopes: []string{"openid", "mail"}}
		if len(s.agent.accounts) != 1 || !equalAccounts(s.agent.accounts[0], want) {
			t.Fatalf("put %+v, want %+v once", s.agent.accounts, want)
		}
		s.calls("sign-in", 1)
		s.calls("put-secret", 0)
		if len(s.opened) != 1 {
			t.Errorf("opened %q", s.opened)
		}
		s.reads("Signing in to work")
		if s.window.Canvas().Focused() != fyne.Focusable(s.account.signIn.open) {
			t.Error("there is nothing to press at once")
		}
	})
}

// A provider shows its guide, and what it gives is asked for, by keyboard alone.
func TestAddAccountByItsGuide(t *testing.T) {
	live(t, newFakeAgent(), func(s *stage) {
		test.Type(s.add.search.Entry, "git")
		s.reads("[GitHub (OAuth app)]", "[GitLab]", "[Gitea]")
		s.readsNot("[Spotify]")
		s.frame.Focus(s.add.tiles.Objects[slices.IndexFunc(s.add.providers, func(o auth.Provider) bool { return o.Name == "github" })].(*control.Button))
		s.key(fyne.KeyRight)
		if b, ok := s.window.Canvas().Focused().(*control.Button); !ok || b.Text != "GitHub (GitHub App)" {
			t.Fatalf("the focus is on %v", s.window.Canvas().Focused())
		}
		s.key(fyne.KeyLeft, fyne.KeyReturn)
		s.reads("Connect GitHub (OAuth app)", "Before you begin", "offline_access there is no refresh token", "[Open github.com]", "[Copy http://127.0.0.1/callback]", "Client secret", "[Sign in with GitHub]")
		if got := s.add.name.Entry.Text; got != "github" {
			t.Errorf("suggested the name %q", got)
		}
		s.add.client.Entry.SetText("desktop")
		s.tap(s.add.save)
		s.reads("This provider gives a client secret")
		s.add.secret.Entry.SetText("s3cret ")
		s.tap(s.add.save)
		s.calls("put-secret github s3cret", 1)
		s.calls("sign-in", 1)
		if a := s.agent.accounts[0]; a.Provider != "github" || !a.ClientSecretKeychain || a.Scopes != nil {
			t.Errorf("put %+v", a)
		}
	})
}

// An account without its secret would be half of one.
func TestAddAccountWithoutAKeychain(t *testing.T) {
	agent := newFakeAgent(spotify())
	agent.fail["put-secret"] = auth.Fail(auth.KindKeychain, auth.Say(auth.LockedID), auth.Text{})
	live(t, agent, func(s *stage) {
		s.tap(s.side.add)
		s.add.choose(s.add.preset("google"))
		s.add.client.Entry.SetText("desktop")
		s.add.secret.Entry.SetText("s3cret")
		s.tap(s.add.save)
		s.reads("The keychain is locked.", "[Sign in with Google]")
		s.calls("remove google", 1)
		s.calls("sign-in", 0)
	})
}

// The demo's account comes from the server that the window starts.
func TestDemoAccount(t *testing.T) {
	live(t, newFakeAgent(), func(s *stage) {
		s.readsNot("[Try the demo account]") // where there is none
		s.Demo = func(context.Context) (auth.Account, error) {
			return auth.Account{Name: DemoAccount, Issuer: "http://127.0.0.1:9000", ClientID: "curfew"}, nil
		}
		s.render()
		s.tap(s.add.demo)
		s.calls("put demo", 1)
		s.calls("sign-in demo force=false device=false", 1)
		s.reads("Signing in to demo")
	})
}

func equalAccounts(a, b auth.Account) bool {
	return a.Name == b.Name && a.Provider == b.Provider && a.Issuer == b.Issuer && a.ClientID == b.ClientID && strings.Join(a.Scopes, " ") == strings.Join(b.Scopes, " ")
}

func TestAddAccountKeepsTheFormWhenTheAgentRefuses(t *testing.T) {
	agent := newFakeAgent()
	agent.fail["put"] = &auth.Error{Kind: auth.KindBadRequest, Message: "the issuer does not answer", Hint: "check its address"}
	live(t, agent, func(s *stage) {
		s.add.choose(s.add.preset("spotify"))
		s.add.client.Entry.SetText("desktop")
		s.tap(s.add.save)
		s.reads("The issuer does not answer.", "Check its address")
		if s.add.client.Entry.Text != "desktop" {
			t.Error("the form was emptied")
		}
		s.Refit() // a larger text takes nothing away
		if s.reads("Connect Spotify"); s.add.client.Entry.Text != "desktop" {
			t.Error("the new form is empty")
		}
		agent.fail["put"] = &auth.Error{Kind: auth.KindBadRequest, Message: "\"x\" is not a scope", Setting: "scopes"}
		s.tap(s.add.save)
		s.reads("\"x\" is not a scope")
		if s.window.Canvas().Focused() != fyne.Focusable(s.add.asks.Entry) {
			t.Error("the focus is not on what the agent complains about")
		}
	})
}

// A name that nobody typed follows the choice of a provider; one that somebody
// typed stays.
func TestSuggestedNameFollowsTheProvider(t *testing.T) {
	live(t, newFakeAgent(), func(s *stage) {
		name := s.add.name.Entry
		for _, step := range []struct{ typed, choose, want string }{
			{"", "spotify", "spotify"},
			{"", "microsoft", "microsoft"},
			{"", anyServer, ""},
			{"", "spotify", "spotify"},
			{"music", "microsoft", "music"},
			{"", anyServer, "music"},
		} {
			if step.typed != "" {
				name.SetText(step.typed)
			}
			s.add.choose(s.add.preset(step.choose))
			if name.Text != step.want {
				t.Errorf("with %s it is called %q, want %q", step.choose, name.Text, step.want)
			}
		}
	})
}

// Who is to sign in reads the limits that will hold, also when they change.
func TestFirstSignInSaysTheLimits(t *testing.T) {
	agent := newFakeAgent(fresh())
	live(t, agent, func(s *stage) {
		s.reads("A session ends after 30 days or 20 refreshes, whichever comes first.")
		agent.edit(fresh().Name, func(a *auth.Snapshot) { a.MaxAge, a.MaxRefreshes, a.MaxIdle = int64(7*day/time.Second), 5, 36*3600 })
		s.settle()
		s.reads("A session ends after 7 days, 5 refreshes, or 1 d 12 h without use, whichever comes first.")
	})
}

// What was mistyped of an account can be put right where its sign-in failed.
func TestEditAccount(t *testing.T) {
	agent := newFakeAgent(fresh(), spotify(), gitea())
	name := fresh().Name
	before := auth.Account{Name: name, Issuer: "https://id.exmaple.com/", RevocationEndpoint: "https://id.exmaple.com/revoke", ClientID: "desktop",
		Scopes: []string{"openid", "offline_access"}, Redirect: "http://127.0.0.1:8400/done", Refresh: auth.OnDemand}
	agent.accounts = []auth.Account{before}
	agent.fail["sign-in"] = &auth.Error{Kind: auth.KindUnavailable, Message: "the server cannot be reached (no such host)", Hint: "check the network and the issuer"}
	live(t, agent, func(s *stage) {
		s.Select(name)
		s.settle()
		s.tap(s.account.call.browser)
		s.reads("The server cannot be reached (no such host).")
		delete(agent.fail, "sign-in")

		s.choose("Edit account")
		s.reads("Edit "+name, "[Save and sign in]", "Issuer", "The server's address; its endpoints are found there")
		s.readsNot("CA file")
		if got, err := s.edits.typed(); err != nil || !auth.SameAccount(got, before) {
			t.Errorf("the form begins with %+v, %v", got, err)
		}
		s.edits.fields["provider"].Set("spotify")
		s.edits.fields["issuer"].Set("")
		if got, err := s.edits.typed(); err != nil || got.Provider != "spotify" || got.Issuer+got.RevocationEndpoint != "" || got.Redirect != before.Redirect {
			t.Errorf("of another provider it is %+v, %v", got, err)
		}
		s.key(fyne.KeyEscape)
		s.readsNot("[Save and sign in]")
		s.calls("put", 0)

		s.choose("Edit account")
		s.Refit() // a larger text takes nothing away
		s.reads("Edit " + name)
		s.tap(s.edits.open)
		s.reads("CA file", "Further certificate authorities to trust, as PEM")
		agent.fail["put"] = &auth.Error{Kind: auth.KindBadRequest, Message: "ca_file \"x\" is not an absolute path", Setting: "ca_file"}
		s.edits.fields["ca_file"].Set("x")
		s.edits.fields["authorize"].Set("nothing")
		s.tap(s.edits.save)
		s.reads("is not of the form name=value")
		s.calls("put", 0)
		s.edits.fields["authorize"].Set("audience=api")
		s.tap(s.edits.save)
		s.reads("is not an absolute path")
		if s.window.Canvas().Focused() != fyne.Focusable(s.edits.fields["ca_file"].Entry) {
			t.Error("the focus is not on what the agent complains about")
		}
		delete(agent.fail, "put")
		s.edits.fields["ca_file"].Set("")
		s.edits.fields["issuer"].Set("https://id.example.com")
		s.edits.fields["client_id"].Set("desktop-2")
		s.edits.fields["client_auth"].Set("post")
		s.tap(s.edits.save)
		want := before
		want.Issuer, want.ClientID, want.RevocationEndpoint = "https://id.example.com", "desktop-2", "" // that was the other server's
		want.ClientAuth, want.Authorize = "post", map[string]string{"audience": "api"}
		if got := agent.accounts[len(agent.accounts)-1]; len(agent.accounts) != 2 || !auth.SameAccount(got, want) {
			t.Errorf("put %+v, want %+v once", got, want)
		}
		s.calls("sign-in", 2)
		s.reads("Signing in to " + name)

		// What the agent complains about is in sight, wherever it is.
		s.Select("Gitea")
		s.settle()
		s.choose("Edit account")
		s.readsNot("CA file")
		agent.fail["put"] = &auth.Error{Kind: auth.KindBadRequest, Message: "ca_file \"gone\" cannot be read", Setting: "ca_file"}
		s.tap(s.edits.save)
		s.reads("CA file", "cannot be read")
		if s.window.Canvas().Focused() != fyne.Focusable(s.edits.fields["ca_file"].Entry) {
			t.Error("the focus is not on what the agent complains about")
		}
		delete(agent.fail, "put")
		s.key(fyne.KeyEscape)

		// After one, the form is there again; and a new account begins with nothing.
		s.Select("Gitea")
		s.settle()
		s.choose("Edit account")
		s.reads("Edit Gitea")
		s.tap(s.side.add)
		s.readsNot("Edit Gitea")
		s.reads("Where do you want to sign in?")
	})
}

// Every setting of an account that there is can be changed, and is saved as it
// was typed.
func TestEditHasEverySetting(t *testing.T) {
	live(t, newFakeAgent(fresh()), func(s *stage) {
		s.edit(fresh().Name)
		s.settle()
		want := auth.Account{Name: fresh().Name}
		for _, k := range auth.Keys() {
			text := map[string]string{auth.KeyMap: "a=b", auth.KeySwitch: "true", auth.KeyList: "one two", auth.KeyScopes: "one two"}[k.Kind]
			if k.Kind == auth.KeyChoice {
				text = k.Options[len(k.Options)-1]
			}
			text = cmp.Or(text, "x")
			s.edits.fields[k.Name].Set(text)
			auth.SetSetting(&want, k.Name, text)
		}
		s.edits.secret.Set("s3cret")
		s.tap(s.edits.save)
		if got := s.agent.accounts; len(got) != 1 || !auth.SameAccount(got[0], want) {
			t.Errorf("put %+v, want %+v", got, want)
		}
	})
}

// TestFirstTab: on the page of a provider the first Tab goes to the first step. Who
// has pasted an address goes on with the client ID.
func TestFirstTab(t *testing.T) {
	live(t, newFakeAgent(spotify()), func(s *stage) {
		s.turn(PageAdd)
		s.add.choose(s.add.preset("spotify"))
		s.key(fyne.KeyTab)
		if b, ok := s.window.Canvas().Focused().(*control.Button); !ok || b.Text != "Open developer.spotify.com" {
			t.Errorf("the first Tab goes to %+v", s.window.Canvas().Focused())
		}
		s.key(fyne.KeyEscape)
		s.add.search.Entry.SetText("https://id.example.com/realms/main")
		if s.add.goOther.Importance != widget.HighImportance {
			t.Error("of what there is to do, nothing is bright")
		}
		s.readsNot("Just looking?")
		s.key(fyne.KeyReturn)
		if s.window.Canvas().Focused() != s.add.client.Input || s.add.issuer.Value() != "https://id.example.com/realms/main" {
			t.Errorf("the focus is on %+v", s.window.Canvas().Focused())
		}
	})
}

// TestFirstTool: the line for a first tool stays until a tool has taken a token. One
// that a person copied is none, and another session does not bring the line back.
func TestFirstTool(t *testing.T) {
	account := spotify()
	account.TookTokens = nil
	agent := newFakeAgent(account)
	agent.events = nil
	live(t, agent, func(s *stage) {
		s.reads("Now let a tool use it", "curfew exec Spotify -- curl")
		copied := []auth.Taker{{Program: Program, At: noon}}
		agent.edit("Spotify", func(a *auth.Snapshot) { a.TookTokens = copied })
		s.settle()
		s.reads("Now let a tool use it")
		s.readsNot("Took tokens")
		agent.edit("Spotify", func(a *auth.Snapshot) { a.TookTokens = append(copied, auth.Taker{Program: "git", At: noon}) })
		s.settle()
		s.reads("Took tokens", "git")
		s.readsNot("Now let a tool use it")
		agent.change(func() {
			agent.events = map[string][]auth.Event{"Spotify": {{At: noon, Kind: auth.EventToken, Program: "git"}}}
			agent.snaps[0].TookTokens, agent.snaps[0].SignedInAt = nil, noon
		})
		s.settle()
		s.readsNot("Now let a tool use it")
	})
}

// TestEditChecksWhileTyping: what is wrong with a setting is said while it is typed.
func TestEditChecksWhileTyping(t *testing.T) {
	live(t, newFakeAgent(fresh()), func(s *stage) {
		s.edit(fresh().Name)
		s.settle()
		s.tap(s.edits.open)
		for _, c := range []struct{ key, wrong, complaint, right string }{
			{"client_id", "two words", "A client ID has no spaces", "5f1d0e7c"},
			{"issuer", "id.example.com", "Enter a web address that starts with https://.", "https://id.example.com"},
			{"token_endpoint", "http://id.example.com", "Enter a web address that starts with https://.", "http://127.0.0.1:9000/token"},
			{"authorize", "nothing", "is not of the form name=value", "audience=api"},
			{"access_lifetime", "an hour", "A time span, for example 45m, 8h or 30d.", "8h"},
		} {
			s.readsNot(c.complaint, "Looks right.")
			f := s.edits.fields[c.key]
			f.Entry.SetText(c.wrong)
			s.reads(c.complaint)
			f.Entry.SetText(c.right)
			s.readsNot(c.complaint)
			s.reads("Looks right.")
			f.Complain("")
		}
	})
}

// TestEditClientSecret: a client secret can be replaced, and is never shown.
func TestEditClientSecret(t *testing.T) {
	agent := newFakeAgent(fresh())
	name := fresh().Name
	agent.accounts = []auth.Account{{Name: name, Issuer: "https://id.example.com", ClientID: "desktop"}}
	live(t, agent, func(s *stage) {
		open := func() {
			s.edit(name)
			s.settle()
		}
		open()
		s.readsNot("New client secret")
		uses := s.edits.fields[secretKey].Input.(*control.Check)
		uses.SetChecked(true)
		s.reads("New client secret", "Paste it here. It is kept in the keychain.")
		s.tap(s.edits.save)
		s.reads("Paste the client secret here.")
		if s.window.Canvas().Focused() != s.edits.secret.Input {
			t.Error("the focus is not on the secret")
		}
		s.calls("put", 0)

		agent.fail["put-secret"] = &auth.Error{Kind: auth.KindKeychain, Message: "the keychain is locked"}
		s.edits.secret.Set(" s3cret ")
		s.Refit() // a larger text takes nothing away
		s.tap(s.edits.save)
		s.reads("The keychain is locked.", "Edit "+name)
		s.calls("sign-in", 0)
		delete(agent.fail, "put-secret")
		s.tap(s.edits.save)
		if got := agent.took("put-secret"); len(got) != 2 || got[1] != "put-secret "+name+" s3cret" {
			t.Errorf("kept %q", got)
		}
		s.calls("sign-in", 1)
		s.tap(s.account.signIn.stop)

		open()
		s.reads("Paste another to replace the one in the keychain")
		entry := s.edits.secret.Entry
		if entry.Text != "" || !entry.Password {
			t.Errorf("the field holds %q", entry.Text)
		}
		entry.SetText("typed")
		if got := entry.AccessibilityLabel(); strings.Contains(got, "typed") {
			t.Errorf("a screen reader says %q", got)
		}
		entry.SetText("")
		s.tap(s.edits.save) // as it was
		s.calls("put-secret", 2)
	})
}

func TestAgentThatGoesAwayAndComesBack(t *testing.T) {
	agent := newFakeAgent(spotify())
	live(t, agent, func(s *stage) {
		agent.change(func() { agent.down = errDown })
		s.settle()
		s.reads("The agent is not running.", "This is the last known state.", "[Start the agent]", "14\nof 20 refreshes left")
		s.calls("ensure", 0) // somebody ended it: it stays ended
		for _, b := range []*control.Button{s.account.primary, s.account.more} {
			if !b.Disabled() {
				t.Errorf("%q can be pressed without an agent", b.Text)
			}
		}
		s.pass(10 * time.Second)
		s.reads("The agent is not running.")
		agent.change(func() { agent.down = nil })
		s.pass(retryAfter)
		s.readsNot("The agent is not running.")
		if s.account.more.Disabled() {
			t.Error("the buttons stay unusable")
		}
	})
}

func TestAgentIsStartedFirstAndOnDemand(t *testing.T) {
	agent := newFakeAgent(spotify())
	agent.down = errDown
	agent.cannot = &auth.Error{Kind: auth.KindNotRunning, Message: "there is no program curfew", Hint: "install it"}
	live(t, agent, func(s *stage) {
		s.calls("ensure", 1)
		s.reads("There is no program curfew.", "No connection to the agent")
		agent.cannot = nil
		s.tap(s.link.Named)
		s.calls("ensure", 2)
		s.reads("14\nof 20 refreshes left")
		s.readsNot("There is no program curfew.")
	})
}

func TestKeyboard(t *testing.T) {
	live(t, newFakeAgent(spotify(), entra(), gitea()), func(s *stage) {
		c := s.window.Canvas()
		s.key(fyne.KeyTab)
		if c.Focused() != fyne.Focusable(s.account.over.in) {
			t.Fatalf("the first focus is %T, want what is to be done", c.Focused())
		}
		s.frame.Focus(s.side.list)
		s.Select("Spotify")
		s.chosen = nil
		s.key(fyne.KeyHome)
		s.key(fyne.KeyDown)
		s.key(fyne.KeyDown, fyne.KeyDown, fyne.KeyUp)
		if s.selected != "Work (Entra)" {
			t.Fatalf("selected %q", s.selected)
		}
		if strings.Join(s.chosen, ",") != "Gitea,Work (Entra),Spotify,Work (Entra)" {
			t.Errorf("remembered %q", s.chosen)
		}
		var names []string
		for range 5 {
			s.key(fyne.KeyTab)
			if b, ok := c.Focused().(*control.Button); ok {
				names = append(names, b.AccessibilityLabel())
			}
		}
		want := "Add account,Sign in again,More,Show all,Settings"
		if got := strings.Join(names, ","); got != want {
			t.Errorf("Tab visits %s\nwant       %s", got, want)
		}
		s.key(fyne.KeyEscape)
		s.Select("Spotify")
		s.frame.Focus(s.account.primary)
		s.key(fyne.KeyReturn)
		s.calls("token", 1)
		s.key(fyne.KeySpace)
		s.calls("token", 2)
		events := len(s.agent.took("events"))
		s.key(fyne.KeyF5)
		if got := len(s.agent.took("events")); got != events+1 {
			t.Errorf("F5 asked for the events %d times", got-events)
		}
		s.frame.Focus(s.side.add)
		s.key(fyne.KeySpace)
		s.frame.Focus(s.add.name.Entry)
		for _, key := range []fyne.KeyName{fyne.KeyW, fyne.KeyQ} {
			shortcut := &desktop.CustomShortcut{KeyName: key, Modifier: fyne.KeyModifierShortcutDefault}
			s.add.name.Entry.TypedShortcut(shortcut)
		}
		if s.closed != 2 { // the window's own handling needs a window: see TestProgram
			t.Errorf("Ctrl+W and Ctrl+Q in a text closed %d times, want 2", s.closed)
		}
	})
}

// countedLayout counts how often it lays out.
type countedLayout struct {
	under fyne.Layout
	n     int
}

func (l *countedLayout) MinSize(objects []fyne.CanvasObject) fyne.Size {
	return l.under.MinSize(objects)
}

func (l *countedLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	l.n++
	l.under.Layout(objects, size)
}

func TestNothingIsDrawnWhenNothingChanged(t *testing.T) {
	live(t, newFakeAgent(spotify(), entra(), gitea()), func(s *stage) {
		s.Select("Spotify")
		s.tick()
		before := test.WidgetRenderer(s.account.hero.runway).Objects()[0]
		layouts := &countedLayout{under: s.frame.Root.Layout}
		s.frame.Root.Layout = layouts
		s.tick()
		s.Show(s.snaps, s.now)
		if test.WidgetRenderer(s.account.hero.runway).Objects()[0] != before {
			t.Error("the runway was drawn again")
		}
		if layouts.n > 0 {
			t.Errorf("everything was laid out again, %d times", layouts.n)
		}
		s.pass(time.Minute)
		s.reads("valid for 40:07")
	})
}

func TestSettings(t *testing.T) {
	agent := newFakeAgent(spotify(), entra())
	live(t, agent, func(s *stage) {
		s.tap(s.side.settings)
		s.reads("Background refresh", "How long a session may live", "On this desktop")
		if !s.settings.pause.background.Checked {
			t.Fatal("background refresh seems off")
		}
		s.wait += time.Hour // since the last press
		test.Tap(s.settings.pause.background)
		s.settle()
		s.calls("pause", 1)
		if s.settings.pause.background.Checked {
			t.Error("background refresh seems on")
		}
		s.reads("Paused until you turn it on again.")
		s.calls("pause", 1) // what the agent says is shown, not asked for again
		s.tap(s.settings.back)
		s.reads("3\nof 20 refreshes left")
	})
}

func TestRemoveAsksFirst(t *testing.T) {
	live(t, newFakeAgent(spotify(), entra()), func(s *stage) {
		s.Select("Work (Entra)")
		s.settle()
		s.choose("Remove account")
		s.reads("Remove Work (Entra)?", "This ends its session here and at the server")
		if s.window.Canvas().Focused() != fyne.Focusable(s.account.keep) {
			t.Error("the focus is not on the harmless answer")
		}
		s.key(fyne.KeyEscape)
		s.readsNot("Remove Work (Entra)?")
		s.choose("Remove account")
		s.tap(s.account.yes)
		s.calls("remove", 1)
		s.reads("Work (Entra) is removed. ", "the server revoked the session", "14\nof 20 refreshes left")
		s.readsNot("Work (Entra)\n")
	})
}

// What was said and typed the last time is no longer there, and neither is the place.
func TestSettingsBeginAnew(t *testing.T) {
	live(t, newFakeAgent(spotify()), func(s *stage) {
		s.tap(s.side.settings)
		s.wait += time.Hour // since the last press
		test.Tap(s.settings.pause.background)
		s.settle()
		s.reads("Paused until you turn it on again.")
		s.settings.limits.age.Entry.SetText("31")
		s.settings.scroll.ScrollToBottom()
		s.tap(s.settings.back)
		s.tap(s.side.settings)
		s.readsNot("Paused until you turn it on again.")
		if text := s.settings.limits.age.Entry.Text; text != "30" {
			t.Errorf("the days that were typed and not saved are still there: %q", text)
		}
		if y := s.settings.scroll.Offset.Y; y != 0 {
			t.Errorf("the page begins at %v", y)
		}
	})
}

// The mouse wheel turns the page, also where an entry is under the mouse.
func TestWheelOverEntry(t *testing.T) {
	live(t, newFakeAgent(spotify()), func(s *stage) {
		s.tap(s.side.settings)
		s.window.Resize(small)
		e := s.settings.limits.age.Entry
		s.settings.scroll.ScrollToOffset(fyne.NewPos(0, 100))
		at := fyne.CurrentApp().Driver().AbsolutePositionForObject(e).AddXY(e.Size().Width/2, e.Size().Height/2)
		test.Scroll(s.window.Canvas(), at, 0, 40)
		if y := s.settings.scroll.Offset.Y; y != 60 {
			t.Errorf("40 up from 100 is %v", y)
		}
	})
}

// What a refresh mode costs stands there before it is chosen.
func TestRefreshModes(t *testing.T) {
	agent := newFakeAgent(spotify(), fresh())
	agent.reports["Spotify"] = costs()
	live(t, agent, func(s *stage) {
		s.Select("Spotify")
		s.choose("Edit account")
		s.reads("While in use: 1 to 2 sign-ins in 30 days, tools seldom wait", "On demand: 1 sign-in in 30 days, tools wait about 3 times a day",
			"Always: about 34 sign-ins in 30 days, tools never wait", "Made from the last 7 days of use", "[Save]")
		refresh := s.edits.fields[refreshKey]
		if got := refresh.Value(); got != string(auth.InUse) {
			t.Fatalf("%q is chosen, want the account's mode", got)
		}
		refresh.Set(string(auth.OnDemand))
		agent.fail["put"] = &auth.Error{Kind: auth.KindBadRequest, Message: "config.toml:3: there is no setting \"colour\"", Hint: "fix that line"}
		s.tap(s.edits.save)
		s.reads("Config.toml:3: there is no setting", "Fix that line", "[Save]")
		delete(agent.fail, "put")
		s.tap(s.edits.save)
		if len(agent.accounts) != 1 || agent.accounts[0].Refresh != auth.OnDemand || agent.accounts[0].ClientID != "desktop" {
			t.Errorf("the agent got %+v", agent.accounts)
		}
		s.reads("Saved.", "of 20 refreshes left")
		s.calls("sign-in", 0) // the session goes on

		agent.fail["forecast"] = &auth.Error{Kind: auth.KindSignInNeeded, Message: "Notes is not signed in"}
		s.Select("Notes")
		s.choose("Edit account")
		s.reads("once the account is signed in", "[Save and sign in]")
		s.readsNot("sign-ins in 30 days", "Fix that line")

		early := costs()
		early.HistoryDays = .01
		agent.reports["Spotify"] = early
		delete(agent.fail, "forecast")
		s.Select("Spotify")
		s.choose("Edit account")
		s.reads("for an hour")
		s.readsNot("sign-ins in 30 days") // which nobody can know yet
	})
}

// Settings that are opened before the agent is there are filled when it comes,
// and again when another one does.
func TestSettingsWaitForTheAgent(t *testing.T) {
	agent := newFakeAgent(spotify())
	agent.down, agent.cannot = errDown, errDown
	agent.reports["Spotify"] = costs()
	live(t, agent, func(s *stage) {
		s.Go(Wish{Page: PageSettings})
		s.settle()
		s.calls("settings", 0)
		if !s.settings.limits.save.Disabled() || !s.settings.limits.age.Entry.Disabled() {
			t.Error("what is not known can be changed")
		}
		agent.change(func() { agent.down = nil })
		s.pass(2 * retryAfter)
		s.calls("settings", 1)
		s.reads("A session ends after 30 days or 20 refreshes")

		agent.change(func() { agent.down = errDown })
		s.settle()
		agent.change(func() { agent.down, agent.general.Limits.MaxRefreshes = nil, 10 })
		s.pass(2 * retryAfter)
		s.calls("settings", 2)
		s.reads("A session ends after 30 days or 10 refreshes")
	})
}

func TestTighterLimits(t *testing.T) {
	agent := newFakeAgent(spotify(), entra())
	live(t, agent, func(s *stage) {
		s.tap(s.side.settings)
		l := s.settings.limits
		if l.age.Entry.Text != "30" || l.refreshes.Entry.Text != "20" || l.idle.Entry.Text != "" || !l.save.Disabled() {
			t.Fatalf("the fields say %q, %q, %q", l.age.Entry.Text, l.refreshes.Entry.Text, l.idle.Entry.Text)
		}
		s.reads("A session ends after 30 days or 20 refreshes, whichever comes first.")

		l.age.Entry.SetText("31")
		l.refreshes.Entry.SetText("0")
		l.idle.Entry.SetText("soon")
		s.tap(l.save)
		s.reads("No session lives longer than 30 days.", "A number from 1 to 20.", "A number of days, for example 14")
		s.calls("put-settings", 0)
		if s.window.Canvas().Focused() != fyne.Focusable(l.age.Entry) {
			t.Error("the focus is not on the first field that is wrong")
		}

		l.age.Entry.SetText("30")
		l.refreshes.Entry.SetText("10")
		l.idle.Entry.SetText("")
		s.settle()
		s.reads("By these limits the session ends with its present access token for: Work (Entra)", "[Save and end these sessions]")
		s.readsNot("at once")

		l.age.Entry.SetText("14")
		l.refreshes.Entry.SetText("10")
		l.idle.Entry.SetText("1d12h")
		s.settle()
		s.reads("A session ends after 14 days, 10 refreshes, or 1 d 12 h without use, whichever comes first.",
			"By these limits the session ends at once for: Work (Entra)")
		s.readsNot("present access token")
		s.readsNot("No session lives longer")
		s.tap(l.save)
		if got := s.agent.took("put-settings"); len(got) != 1 || got[0] != "put-settings 14d 10 1d12h all" {
			t.Fatalf("calls %q", got)
		}
		s.reads("Saved.")
		s.readsNot("at once for")
		if !l.save.Disabled() {
			t.Error("the same can be saved again")
		}

		agent.fail["put-settings"] = &auth.Error{Kind: auth.KindBadRequest, Message: "config.toml is written in a way that cannot be edited safely", Hint: "edit it yourself"}
		s.tap(l.builtIn)
		s.tap(l.save)
		s.reads("cannot be edited safely.", "Edit it yourself")
		if l.age.Entry.Text != "30" {
			t.Error("what was typed is gone")
		}
		s.readsNot("Saved.")
	})
}

func TestWarningLevels(t *testing.T) {
	agent := newFakeAgent(spotify())
	agent.general.Warnings = auth.WarnFew
	live(t, agent, func(s *stage) {
		s.tap(s.side.settings)
		level := s.settings.notices.level
		if level.SelectedIndex() != 1 {
			t.Error("what holds is not shown")
		}
		level.SetSelectedIndex(2)
		s.settle()
		if got := s.agent.took("put-settings"); len(got) != 1 || got[0] != "put-settings 30d 20 0s off" || level.SelectedIndex() != 2 {
			t.Errorf("calls %q", got)
		}
		s.reads("Saved.", "You are always notified when a session ends.")

		// What was changed elsewhere since is not changed back.
		agent.change(func() { agent.general.Limits.MaxRefreshes = 7 })
		level.SetSelectedIndex(0)
		s.settle()
		if got := s.agent.took("put-settings"); len(got) != 2 || got[1] != "put-settings 30d 7 0s all" {
			t.Errorf("calls %q", got)
		}
		s.reads("A session ends after 30 days or 7 refreshes")
	})
	agent = newFakeAgent(spotify())
	agent.fail["settings"] = &auth.Error{Kind: auth.KindBadRequest, Message: "config.toml:2: there is no setting", Hint: "fix it"}
	live(t, agent, func(s *stage) {
		s.tap(s.side.settings)
		s.reads("Config.toml:2: there is no setting.", "Fix it")
		s.settings.notices.level.SetSelectedIndex(2)
		s.settle()
		s.calls("put-settings", 0)
		if !s.settings.limits.save.Disabled() || !s.settings.limits.age.Entry.Disabled() {
			t.Error("limits that are not known can be changed")
		}
	})
}

func TestStartAtLogin(t *testing.T) {
	live(t, newFakeAgent(spotify()), func(s *stage) {
		on, cannot := false, error(nil)
		s.Autostart = func() (bool, error) { return on, nil }
		s.SetAutostart = func(want bool) error {
			if cannot == nil {
				on = want
			}
			return cannot
		}
		s.tap(s.side.settings)
		login := s.settings.desktop.login
		if login.Checked || login.Disabled() {
			t.Fatal("it seems on, or unknown")
		}
		s.frame.Focus(login)
		s.key(fyne.KeyReturn)
		if !on || !login.Checked {
			t.Error("it is not on")
		}
		s.reads("from your next login on")
		cannot = errors.New("read-only file system")
		s.key(fyne.KeySpace)
		if login.TypedRune(' '); !on {
			t.Error("it is off")
		}
		s.settle()
		s.reads("Read-only file system.")
		if !login.Checked {
			t.Error("it seems off though the change failed")
		}
	})
}

// A window that is asked for a page shows it at once, with or without accounts.
func TestGo(t *testing.T) {
	live(t, newFakeAgent(spotify(), entra()), func(s *stage) {
		s.Go(Wish{Page: PageAdd})
		s.reads("Where do you want to sign in?")
		s.add.name.Entry.SetText("half")
		s.Go(Wish{Page: PageAdd})
		if s.add.name.Entry.Text != "half" {
			t.Error("the form was emptied")
		}
		s.Go(Wish{Page: PageSettings})
		s.reads("How long a session may live")
		s.Go(Wish{Account: "Work (Entra)"})
		s.reads("3\nof 20")
		s.Go(Wish{Account: "Spotify", Page: "nowhere"})
		s.reads("14\nof 20 refreshes left")
	})
}

func TestSelectionOutlivesItsAccount(t *testing.T) {
	live(t, newFakeAgent(spotify(), entra()), func(s *stage) {
		s.Select("Work (Entra)")
		s.agent.change(func() { s.agent.snaps = s.agent.snaps[:1] })
		s.settle()
		if s.selected != "Spotify" {
			t.Errorf("selected %q", s.selected)
		}
		s.readsNot("There is no account")
		s.Select("nobody")
		s.reads("There is no account called “nobody”.")
		s.agent.change(func() { s.agent.snaps = nil })
		s.settle()
		s.reads("Where do you want to sign in?")
	})
}

func TestThirtyAccountsScroll(t *testing.T) {
	var snaps []auth.Snapshot
	for i := range 30 {
		s := spotify()
		s.Name = "account-" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		snaps = append(snaps, s)
	}
	live(t, newFakeAgent(snaps...), func(s *stage) {
		s.frame.Focus(s.side.list)
		s.key(fyne.KeyEnd)
		if s.selected != s.snaps[29].Name {
			t.Fatalf("selected %q", s.selected)
		}
		row, scroll := s.side.list.rows[29], s.side.list.scroll
		if y := row.Position().Y + row.Size().Height - scroll.Offset.Y; y > scroll.Size().Height+4 {
			t.Errorf("the last row ends at %v of %v", y, scroll.Size().Height)
		}
		s.key(fyne.KeyHome)
		if scroll.Offset.Y > 4 {
			t.Errorf("the first row is scrolled away by %v", scroll.Offset.Y)
		}
	})
}

// TestPrimary: a healthy account's bright button copies its token; one that
// wants a person asks for the sign-in. What cannot be done is not there.
func TestPrimary(t *testing.T) {
	few := spotify()
	few.RefreshesUsed, few.RefreshesLeft = 18, 2
	locked := in(spotify(), auth.Locked, "")
	again := spotify()
	again.SignIn = &auth.SignInView{Flow: "flow", Phase: auth.PhaseBrowser}
	for _, tt := range []struct {
		name    string
		account auth.Snapshot
		want    string // the bright button, then the menu
	}{
		{"healthy", spotify(), "*Copy access token|Refresh now (uses 1 of 14 left)|Sign in again|Edit account|Sign out|Remove account"},
		{"two refreshes left", few, "*Sign in again|Copy access token|Refresh now (uses 1 of 2 left)|Edit account|Sign out|Remove account"},
		{"locked", locked, "*Unlock|Edit account|Sign out|Remove account"},
		{"signing in again", again, "Copy access token|Refresh now (uses 1 of 14 left)|Sign out"},
		{"never signed in", fresh(), "Edit account|Remove account"},
		{"ended", gitea(), "Edit account|Remove account"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			live(t, newFakeAgent(tt.account), func(s *stage) {
				got := s.menu()
				if b := s.account.primary; b.Visible() {
					words := b.Text
					if b.Importance == widget.HighImportance {
						words = "*" + words
					}
					got = append([]string{words}, got...)
				}
				if got := strings.Join(got, "|"); got != tt.want {
					t.Errorf("got  %s\nwant %s", got, tt.want)
				}
			})
		})
	}
}

// The second half of a double click does nothing to what has come under the pointer.
func TestDoubleClick(t *testing.T) {
	agent := newFakeAgent(fresh())
	live(t, agent, func(s *stage) {
		s.turn(PageAdd)
		s.tap(s.add.tiles.Objects[0].(*control.Button)) // to a form with buttons of its own
		var copies *control.Button
		for _, step := range s.add.steps.Objects {
			walk(step, func(o fyne.CanvasObject) {
				if b, ok := o.(*control.Button); ok && strings.HasPrefix(b.Text, "Copy ") {
					copies = b
				}
			})
		}
		if test.Tap(copies); s.Clipboard.Content() != "" {
			t.Errorf("the second half of a double click has copied %q", s.Clipboard.Content())
		}
		time.Sleep(control.DoubleClick)
		if test.Tap(copies); s.Clipboard.Content() == "" {
			t.Error("a press does nothing")
		}
	})
	soon := entra()
	live(t, newFakeAgent(soon), func(s *stage) {
		s.tap(s.account.primary) // Sign in again
		if s.account.primary.Text != "Copy access token" || s.account.primary.Disabled() {
			t.Fatalf("the button is %q now", s.account.primary.Text)
		}
		test.Tap(s.account.primary)
		s.settle()
		if took := s.agent.took("token"); len(took) > 0 {
			t.Errorf("a double click on Sign in again asks for %q", took)
		}
	})
}

// Typing in a field that Tab comes to replaces what is in it. One that a person comes
// back to from another window stays as it is.
func TestTabSelects(t *testing.T) {
	live(t, newFakeAgent(spotify()), func(s *stage) {
		s.turn(PageSettings)
		s.settle()
		days, refreshes := s.settings.limits.age.Entry, s.settings.limits.refreshes.Entry
		s.frame.Focus(days)
		days.TypedRune('7')
		if days.Text != "7" {
			t.Errorf("after Tab and 7 it is %q", days.Text)
		}
		days.FocusLost()
		days.FocusGained() // of the window
		days.TypedRune('0')
		if days.Text != "70" {
			t.Errorf("after a look at another window and 0 it is %q", days.Text)
		}
		s.frame.Focus(refreshes)
		s.frame.Focus(days)
		days.TypedRune('5')
		if days.Text != "5" {
			t.Errorf("after Tab, back, and 5 it is %q", days.Text)
		}
	})
}

// Escape takes a question back, and the focus to where it came from.
func TestQuestionGivesFocusBack(t *testing.T) {
	s := still(t, viewing{look.Dark, usual, 1, ""}, spotify())
	s.frame.Focus(s.account.more)
	s.askSignOut("Spotify")
	if s.window.Canvas().Focused() != s.account.keep {
		t.Fatal("the focus is not on the harmless answer")
	}
	s.account.keep.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if got := s.window.Canvas().Focused(); got != s.account.more || s.account.question.Root.Visible() {
		t.Errorf("the focus is on %T", got)
	}
}

// walk calls f with o and all that is in its containers.
func walk(o fyne.CanvasObject, f func(fyne.CanvasObject)) {
	f(o)
	var inside []fyne.CanvasObject
	switch o := o.(type) {
	case *fyne.Container:
		inside = o.Objects
	case fyne.Widget:
		inside = test.WidgetRenderer(o).Objects()
	}
	for _, child := range inside {
		walk(child, f)
	}
}

// A ring turns while a sign-in goes on, unless the desktop asks for no motion.
func TestMotion(t *testing.T) {
	live(t, newFakeAgent(fresh()), func(s *stage) {
		mark := s.account.signIn.steps[0].mark
		s.tap(s.account.call.browser)
		if !mark.Turning() || !s.Moving() {
			t.Error("nothing moves while a sign-in goes on")
		}
		s.Move(false)
		if mark.Turning() || s.Moving() {
			t.Error("the ring turns, though the desktop asks for no motion")
		}
		s.Move(true)
		s.turn(PageSettings)
		if s.Moving() {
			t.Error("what nobody sees moves")
		}
		s.turn(PageAccount)
		s.agent.phase("Notes", auth.PhaseDone, "", "")
		s.settle()
		if mark.Turning() || s.Moving() {
			t.Error("the ring turns after the sign-in")
		}
	})
}
