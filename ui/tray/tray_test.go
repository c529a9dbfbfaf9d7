package tray

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"curfew/auth"
)

// desk is everything around a Tray, under virtual time. It has an agent, a
// display, a clipboard, a browser and a window program.
type desk struct {
	t      *testing.T
	cancel context.CancelFunc
	ended  chan struct{}
	clicks chan ID
	opened chan time.Duration
	show   chan struct{}
	reword chan struct{}

	mu       sync.Mutex
	calls    []string // what the agent was asked, and what was opened
	menus    int      // how often the menu was set
	icon     string
	tooltip  string
	items    []Item
	clip     string
	clipErr  error
	fail     map[string]error // by call
	hold     chan struct{}    // if not nil: Refresh waits for it
	signIn   auth.SignInStarted
	browser  error
	accounts []auth.Snapshot
	down     error // if not nil: no agent
	changed  chan struct{}
}

func newDesk(t *testing.T, accounts ...auth.Snapshot) *desk {
	ctx, cancel := context.WithCancel(t.Context())
	d := &desk{
		t: t, cancel: cancel, ended: make(chan struct{}),
		clicks: make(chan ID), opened: make(chan time.Duration), show: make(chan struct{}), reword: make(chan struct{}),
		fail: map[string]error{}, accounts: accounts, changed: make(chan struct{}),
		signIn: auth.SignInStarted{Flow: "f1", URL: "https://id.example.org/authorize?x=1", Browser: []string{"firefox", "-P", "work"}},
	}
	tray := New(Config{
		Agent: d, Display: d, CopySecret: d.copySecret,
		Clicks: d.clicks, Opened: d.opened, Show: d.show, Reword: d.reword,
		OpenURL: func(_ context.Context, u string, command ...string) error {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.calls = append(d.calls, strings.Join(append([]string{"browse", u}, command...), " "))
			return d.browser
		},
		OpenWindow: func(_ context.Context, args ...string) error {
			return d.call(strings.Join(append([]string{"window"}, args...), " "))
		},
		Logger: slog.New(slog.DiscardHandler),
	})
	go func() { tray.Run(ctx); close(d.ended) }()
	t.Cleanup(func() { cancel(); <-d.ended })
	synctest.Wait()
	return d
}

func (d *desk) call(what string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, what)
	verb, _, _ := strings.Cut(what, " ")
	return d.fail[verb]
}

// set changes what the agent knows; watchers see it.
func (d *desk) set(down error, accounts ...auth.Snapshot) {
	d.mu.Lock()
	d.accounts, d.down = accounts, down
	close(d.changed)
	d.changed = make(chan struct{})
	d.mu.Unlock()
	synctest.Wait()
}

func (d *desk) click(verb Verb, account string) {
	d.clicks <- ID{verb, account}
	synctest.Wait()
}

// takeCalls returns what was called since the last time.
func (d *desk) takeCalls() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.calls
	d.calls = nil
	return c
}

func (d *desk) wantCalls(want ...string) {
	d.t.Helper()
	if got := d.takeCalls(); !slices.Equal(got, want) {
		d.t.Errorf("calls %q, want %q", got, want)
	}
}

func (d *desk) wantNote(want string) {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	var rows []string
	for _, i := range d.items {
		if i.ID.Verb == Note && !i.Hidden {
			rows = append(rows, i.Label)
		}
	}
	got := strings.Join(rows, "|")
	if got != want {
		d.t.Errorf("note %q, want %q", got, want)
	}
}

func (d *desk) seen() (icon string, menus int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.icon, d.menus
}

// The agent.

func (d *desk) EnsureRunning(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.down
}

func (d *desk) Watch(ctx context.Context, f func([]auth.Snapshot)) error {
	for {
		d.mu.Lock()
		accounts, down, changed := slices.Clone(d.accounts), d.down, d.changed
		d.mu.Unlock()
		if down != nil {
			return down
		}
		f(accounts)
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (d *desk) SignIn(_ context.Context, name string, r auth.SignInRequest) (auth.SignInStarted, error) {
	err := d.call(fmt.Sprintf("sign-in %s force=%t", name, r.Force))
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.signIn, err
}

func (d *desk) CancelSignIn(_ context.Context, name string) error { return d.call("cancel " + name) }

func (d *desk) Token(_ context.Context, name string, _ time.Duration, by string) (auth.Token, error) {
	return auth.Token{AccessToken: auth.NewSecret("token-of-" + name)}, d.call("token " + name + " by " + by)
}

func (d *desk) Refresh(_ context.Context, name, by string) (auth.Snapshot, error) {
	err := d.call("refresh " + name + " by " + by)
	d.mu.Lock()
	hold := d.hold
	d.mu.Unlock()
	if hold != nil {
		<-hold
	}
	return auth.Snapshot{}, err
}

func (d *desk) SignOut(_ context.Context, name string) (auth.SignOutResult, error) {
	return auth.SignOutResult{Text: auth.Words("The provider has no way to revoke; remove access on its page.")}, d.call("sign-out " + name)
}

func (d *desk) Pause(_ context.Context, on bool) error { return d.call(fmt.Sprintf("pause %t", on)) }

func (d *desk) Answer(_ context.Context, name, id string, answer auth.Answer) error {
	return d.call(fmt.Sprintf("answer %s %s %s", name, id, answer))
}

func (d *desk) Unlock(context.Context) error { return d.call("unlock") }

// The display.

func (d *desk) SetIcon(name, tooltip, _ string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.icon, d.tooltip = name, tooltip
}

func (d *desk) SetMenu(items []Item) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.items = items
	d.menus++
}

// The clipboard.

func (d *desk) copySecret(secret string) (clear func() error, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.clipErr != nil {
		return nil, d.clipErr
	}
	d.clip = secret
	return func() error {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.clip == secret {
			d.clip = ""
		}
		return nil
	}, nil
}

func (d *desk) clipboard() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.clip
}

// at is an account in a bubble's time.
func at(name string, edits ...func(*auth.Snapshot)) auth.Snapshot {
	start := time.Now()
	return live(name, append([]func(*auth.Snapshot){func(s *auth.Snapshot) {
		s.SignedInAt, s.EndsAt, s.AccessExpiresAt = start, start.AddDate(0, 0, 30), start.Add(time.Hour)
	}}, edits...)...)
}

func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

func TestClicks(t *testing.T) {
	for _, tt := range []struct {
		id   ID
		want []string
		note string
	}{
		{ID{Refresh, "a"}, []string{"refresh a by curfew-tray"}, ""},
		{ID{SignIn, "a"}, []string{"sign-in a force=true", "browse https://id.example.org/authorize?x=1 firefox -P work"}, "a: continue in your browser"},
		{ID{SignIn, "out"}, []string{"sign-in out force=false", "browse https://id.example.org/authorize?x=1 firefox -P work"}, "out: continue in your browser"},
		{ID{CancelSignIn, "a"}, []string{"cancel a"}, ""},
		{ID{SignOut, "a"}, []string{"sign-out a"}, "a: The provider has no way to revoke; remove access on its page."},
		{ID{CopyToken, "a"}, []string{"token a by curfew-tray"}, "a: access token copied. The clipboard is cleared in 45 s"},
		{ID{Pause, ""}, []string{"pause true"}, ""},
		{ID{Unlock, "a"}, []string{"unlock"}, ""},
		{ID{Allow, "a:q1"}, []string{"answer a q1 12h"}, ""},
		{ID{AllowAlways, "a:q1"}, []string{"answer a q1 always"}, ""},
		{ID{Deny, "a:q1"}, []string{"answer a q1 deny"}, ""},
		{ID{AskLine, "a:q1"}, []string{"window --account a"}, ""},
		{ID{Open, ""}, []string{"window"}, ""},
		{ID{OpenAccount, "a"}, []string{"window --account a"}, ""},
		{ID{AddAccount, ""}, []string{"window --add"}, ""},
		{ID{Settings, ""}, []string{"window --settings"}, ""},
		{ID{AccountLine, "a"}, nil, ""},
	} {
		bubble(t, string(tt.id.Verb)+" "+tt.id.Account, func(t *testing.T) {
			d := newDesk(t, at("a"), auth.Snapshot{Name: "out", State: auth.SignedOut})
			d.click(tt.id.Verb, tt.id.Account)
			d.wantCalls(tt.want...)
			d.wantNote(tt.note)
		})
	}
}

func TestShow(t *testing.T) {
	bubble(t, "left click", func(t *testing.T) {
		d := newDesk(t)
		d.show <- struct{}{}
		synctest.Wait()
		d.wantCalls("window")
	})
}

func TestErrorsAreSeen(t *testing.T) {
	bubble(t, "agent", func(t *testing.T) {
		d := newDesk(t, at("a"))
		d.fail["refresh"] = &auth.Error{Kind: auth.KindUnavailable, Message: "the server did not answer", Hint: "Try again later."}
		d.click(Refresh, "a")
		d.wantNote("a: The server did not answer.|Try again later.")
		time.Sleep(trouble)
		synctest.Wait()
		d.wantNote("")
	})
	bubble(t, "gone with the next success", func(t *testing.T) {
		d := newDesk(t, at("a"))
		d.fail["pause"] = errors.New("no")
		d.click(Pause, "")
		d.wantNote("No.")
		d.click(Refresh, "a")
		d.wantNote("")
	})
	bubble(t, "no browser", func(t *testing.T) {
		d := newDesk(t, at("a"))
		d.browser = errors.New("no browser could be opened")
		d.click(SignIn, "a")
		d.wantNote("a: No browser could be opened.")
	})
	bubble(t, "no clipboard", func(t *testing.T) {
		d := newDesk(t, at("a"))
		d.clipErr = errors.New("no program for the clipboard")
		d.click(CopyToken, "a")
		d.wantNote("a: No program for the clipboard.")
	})
}

func TestOneAtATime(t *testing.T) {
	bubble(t, "three clicks spend one refresh", func(t *testing.T) {
		d := newDesk(t, at("a"), at("b"))
		d.hold = make(chan struct{})
		d.click(Refresh, "a")
		d.click(Refresh, "a")
		d.click(Refresh, "a")
		d.click(Refresh, "b")
		d.wantCalls("refresh a by curfew-tray", "refresh b by curfew-tray")
		close(d.hold)
		synctest.Wait()
		d.click(Refresh, "a")
		d.wantCalls("refresh a by curfew-tray")
	})
}

func TestClipboard(t *testing.T) {
	bubble(t, "cleared after 45 s", func(t *testing.T) {
		d := newDesk(t, at("a"))
		d.click(CopyToken, "a")
		time.Sleep(clipboardTime - time.Second)
		synctest.Wait()
		if got := d.clipboard(); got != "token-of-a" {
			t.Errorf("after 44 s: %q", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := d.clipboard(); got != "" {
			t.Errorf("after 45 s: %q", got)
		}
	})
	bubble(t, "a second copy begins again", func(t *testing.T) {
		d := newDesk(t, at("a"))
		d.click(CopyToken, "a")
		time.Sleep(30 * time.Second)
		d.click(CopyToken, "a")
		time.Sleep(clipboardTime - time.Second)
		synctest.Wait()
		if got := d.clipboard(); got != "token-of-a" {
			t.Errorf("44 s after the second: %q", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := d.clipboard(); got != "" {
			t.Errorf("45 s after the second: %q", got)
		}
	})
	bubble(t, "not when it holds something else", func(t *testing.T) {
		d := newDesk(t, at("a"))
		d.click(CopyToken, "a")
		d.mu.Lock()
		d.clip = "a poem"
		d.mu.Unlock()
		time.Sleep(2 * clipboardTime)
		synctest.Wait()
		if got := d.clipboard(); got != "a poem" {
			t.Errorf("clipboard %q", got)
		}
	})
	bubble(t, "cleared when the tray ends", func(t *testing.T) {
		d := newDesk(t, at("a"))
		d.click(CopyToken, "a")
		d.click(Quit, "")
		<-d.ended
		if got := d.clipboard(); got != "" {
			t.Errorf("clipboard %q", got)
		}
	})
}

func TestOpenMenu(t *testing.T) {
	rows := func(d *desk) string {
		d.mu.Lock()
		defer d.mu.Unlock()
		return print(d.items)
	}
	bubble(t, "words change", func(t *testing.T) {
		d := newDesk(t, at("a"))
		d.opened <- time.Hour
		d.set(nil, at("a", left(3)))
		if got := rows(d); !strings.HasPrefix(got, "a: 3 left") {
			t.Errorf("the open menu:\n%s", got)
		}
	})
	bubble(t, "no row comes before it is closed", func(t *testing.T) {
		d := newDesk(t, at("a"))
		before := rows(d)
		d.opened <- time.Hour
		d.set(nil, at("a"), at("b"))
		d.set(nil, at("a", left(3)), at("b"))
		time.Sleep(time.Hour - time.Second)
		synctest.Wait()
		if got := rows(d); !strings.HasPrefix(got, "a: 3 left") || strings.Contains(got, "b:") {
			t.Errorf("the open menu:\n%s\nbefore:\n%s", got, before)
		}
		d.opened <- 0
		synctest.Wait()
		if got := rows(d); !strings.Contains(got, "a: 3 left") || !strings.Contains(got, "b: 14 left") {
			t.Errorf("the closed menu:\n%s", got)
		}
	})
	bubble(t, "a note neither comes nor goes", func(t *testing.T) {
		d := newDesk(t, at("a"))
		d.fail["refresh"] = errors.New("no answer")
		d.opened <- time.Hour
		d.click(Refresh, "a") // which closes the menu
		if got := rows(d); !strings.Contains(got, "No answer") {
			t.Fatalf("no note:\n%s", got)
		}
		d.opened <- 2 * trouble
		time.Sleep(trouble + time.Second)
		synctest.Wait()
		if got := rows(d); !strings.Contains(got, "No answer") {
			t.Errorf("the note went:\n%s", got)
		}
		time.Sleep(trouble)
		synctest.Wait()
		if got := rows(d); strings.Contains(got, "No answer") {
			t.Errorf("the note stays:\n%s", got)
		}
	})
	bubble(t, "a panel that does not report the end", func(t *testing.T) {
		d := newDesk(t, at("a"))
		d.opened <- quiet
		d.set(nil, at("a"), at("b"))
		time.Sleep(quiet)
		synctest.Wait()
		if got := rows(d); !strings.Contains(got, "b:") {
			t.Errorf("the menu:\n%s", got)
		}
	})
	bubble(t, "nothing is sent when nothing changed", func(t *testing.T) {
		d := newDesk(t, at("a", func(s *auth.Snapshot) { s.AccessExpiresAt = time.Now().Add(48 * time.Hour) }))
		_, before := d.seen()
		time.Sleep(6 * time.Hour)
		synctest.Wait()
		if _, menus := d.seen(); menus != before { // no row counts down
			t.Errorf("%d updates in six hours", menus-before)
		}
	})
}

func TestAgentGone(t *testing.T) {
	bubble(t, "and back", func(t *testing.T) {
		d := newDesk(t, at("a"))
		d.set(&auth.Error{Kind: auth.KindNotRunning, Message: "the agent went away"}, at("a"))
		if icon, _ := d.seen(); icon != "no-agent" {
			t.Errorf("icon %s", icon)
		}
		d.wantNote("The agent went away.|Start it with: curfew agent")
		d.set(nil, at("a"))
		time.Sleep(retryMost)
		synctest.Wait()
		if icon, _ := d.seen(); icon != "ring-07" {
			t.Errorf("icon %s after the agent came back", icon)
		}
		d.wantNote("")
	})
}

func TestSignInEnds(t *testing.T) {
	phase := func(p auth.Phase) func(*auth.Snapshot) {
		return func(s *auth.Snapshot) {
			s.SignIn = &auth.SignInView{Flow: "f", Phase: p}
			if p == auth.PhaseFailed {
				s.SignIn.Error, s.SignIn.Message = auth.KindRefused, "you said no in the browser"
			}
		}
	}
	for _, tt := range []struct {
		end  auth.Phase
		note string
	}{
		{auth.PhaseDone, "a: signed in"},
		{auth.PhaseFailed, "a: You said no in the browser."},
	} {
		bubble(t, string(tt.end), func(t *testing.T) {
			d := newDesk(t, at("a", phase(tt.end))) // an old outcome is not announced
			d.wantNote("")
			d.set(nil, at("a", phase(auth.PhaseBrowser)))
			d.wantNote("")
			d.set(nil, at("a", phase(tt.end)))
			d.wantNote(tt.note)
		})
	}
}

// TestNoticesGiveWay: a notice in the menu disappears when its account has
// changed, and not before.
func TestNoticesGiveWay(t *testing.T) {
	flow := func(id string, p auth.Phase) func(*auth.Snapshot) {
		return func(s *auth.Snapshot) {
			s.SignIn = &auth.SignInView{Flow: id, Phase: p, Text: auth.Words("the server refused")}
		}
	}
	ended := func(s *auth.Snapshot) { s.State, s.Reason, s.RefreshesLeft = auth.Ended, auth.ByRefreshes, 0 }
	locked := func(s *auth.Snapshot) { s.State = auth.Locked }
	refreshing := func(s *auth.Snapshot) { s.State = auth.Refreshing }
	refreshed := func(s *auth.Snapshot) { s.LastRefreshAt = time.Now() }
	again := func(s *auth.Snapshot) { s.SignedInAt = s.SignedInAt.Add(time.Second) }
	type edits = []func(*auth.Snapshot)
	for _, tt := range []struct {
		name  string
		said  func(d *desk) // brings the notice up
		note  string
		stays []edits // the account meanwhile, by which it stands
		stale edits   // and by which it goes
	}{
		{"signed in, and ended since", func(d *desk) {
			d.set(nil, at("a", flow("f", auth.PhaseBrowser)))
			d.set(nil, at("a", flow("f", auth.PhaseDone)))
		}, "a: signed in", []edits{{refreshing}, {locked}}, edits{ended}},
		{"a sign-in that failed, and another one", func(d *desk) {
			d.set(nil, at("a", flow("f", auth.PhaseBrowser)))
			d.set(nil, at("a", flow("f", auth.PhaseFailed)))
		}, "a: The server refused.", []edits{{flow("f", auth.PhaseFailed), refreshing}}, edits{flow("g", auth.PhaseBrowser)}},
		{"a sign-in, and its end elsewhere", func(d *desk) { d.click(SignIn, "a") }, "a: continue in your browser",
			[]edits{{flow("older", auth.PhaseDone)}, {flow("f1", auth.PhaseBrowser)}}, edits{func(s *auth.Snapshot) {
				s.SignIn = &auth.SignInView{Flow: "f1", Phase: auth.PhaseFailed, Text: auth.Say(auth.CancelledID)}
			}}},
		{"a refresh that failed, and one that did not", func(d *desk) {
			d.fail["refresh"] = errors.New("no answer")
			d.click(Refresh, "a")
		}, "a: No answer.", []edits{{refreshing}, {ended}}, edits{refreshed}},
		{"signed out, and in again", func(d *desk) { d.click(SignOut, "a") }, "a: The provider has no way to revoke; remove access on its page.", []edits{{}, {ended}}, edits{again}},
		{"a keychain that was locked", func(d *desk) {
			d.fail["refresh"] = &auth.Error{Kind: auth.KindKeychain, Message: "the keychain is locked", Hint: "unlock it"}
			d.click(Refresh, "a")
		}, "a: The keychain is locked.|Unlock it", []edits{{}, {locked}}, edits{}},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			d := newDesk(t, at("a"), at("b"))
			start := time.Now()
			account := func(edits edits) auth.Snapshot {
				return at("a", slices.Insert(edits, 0, func(s *auth.Snapshot) { s.SignedInAt = start })...)
			}
			tt.said(d)
			d.wantNote(tt.note)
			for _, edits := range tt.stays {
				d.set(nil, account(edits), at("b", ended))
				d.wantNote(tt.note)
			}
			time.Sleep(time.Second)
			d.set(nil, account(tt.stale), at("b"))
			d.wantNote("")
		})
	}
}

func TestQuit(t *testing.T) {
	bubble(t, "waits at most three seconds for a click", func(t *testing.T) {
		d := newDesk(t, at("a"))
		d.hold = make(chan struct{})
		d.click(Refresh, "a")
		start := time.Now()
		d.click(Quit, "")
		<-d.ended
		if took := time.Since(start); took > hangUp {
			t.Errorf("took %v", took)
		}
		close(d.hold)
	})
}
