package window

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"curfew/auth"
)

// fakeAgent is an agent whose accounts, answers and faults a test chooses.
type fakeAgent struct {
	mu       sync.Mutex
	snaps    []auth.Snapshot
	events   map[string][]auth.Event
	started  auth.SignInStarted
	token    string
	down     error            // no answer to anything
	cannot   error            // of EnsureRunning
	fail     map[string]error // by the first word of a call
	calls    []string
	asked    chan string   // gets every call too, unless nil
	changed  chan struct{} // closed at the next change
	accounts []auth.Account
	general  auth.General
	reports  map[string]auth.ForecastReport
}

func newFakeAgent(snaps ...auth.Snapshot) *fakeAgent {
	f := &fakeAgent{snaps: snaps, events: map[string][]auth.Event{}, fail: map[string]error{}, changed: make(chan struct{}),
		general: auth.General{Limits: auth.BuiltIn, Warnings: auth.WarnAll}, reports: map[string]auth.ForecastReport{},
		token: "eyJhbGciOi.access.token", started: auth.SignInStarted{Flow: "flow-1", URL: "https://id.example.com/authorize?state=x", ExpiresAt: ahead(5 * time.Minute)}}
	for _, s := range snaps {
		if !s.SignedInAt.IsZero() {
			f.events[s.Name] = history(s)
		}
	}
	return f
}

var errDown = auth.Fail(auth.KindNotRunning, auth.Say("agent_not_running"), auth.Say("hint_start_agent"))

// change changes the agent and tells everyone who watches.
func (f *fakeAgent) change(how func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.snaps = slices.Clone(f.snaps) // what was handed out stays as it was
	how()
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *fakeAgent) edit(name string, how func(s *auth.Snapshot)) {
	f.change(func() {
		for i := range f.snaps {
			if f.snaps[i].Name == name {
				how(&f.snaps[i])
			}
		}
	})
}

// called notes a call and returns the fault it meets.
func (f *fakeAgent) called(what, format string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	call := what + fmt.Sprintf(format, args...)
	f.calls = append(f.calls, call)
	if f.asked != nil {
		f.asked <- call
	}
	if f.down != nil {
		return f.down
	}
	return f.fail[what]
}

// took returns the calls whose first word is what.
func (f *fakeAgent) took(what string) (calls []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if c == what || len(c) > len(what) && c[:len(what)+1] == what+" " {
			calls = append(calls, c)
		}
	}
	return calls
}

func (f *fakeAgent) list() ([]auth.Snapshot, <-chan struct{}, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.snaps, f.changed, f.down
}

func (f *fakeAgent) Accounts(context.Context) ([]auth.Snapshot, error) {
	snaps, _, err := f.list()
	return snaps, err
}

func (f *fakeAgent) snapshot(name string) (auth.Snapshot, error) {
	snaps, _, err := f.list()
	for _, s := range snaps {
		if s.Name == name {
			return s, err
		}
	}
	return auth.Snapshot{}, &auth.Error{Kind: auth.KindUnknown, Message: "there is no account " + name}
}

func (f *fakeAgent) Put(_ context.Context, a auth.Account) error {
	if err := f.called("put", " %s", a.Name); err != nil {
		return err
	}
	f.change(func() {
		f.accounts = append(f.accounts, a)
		for i := range f.snaps {
			if f.snaps[i].Name == a.Name {
				f.snaps[i].RefreshMode, f.snaps[i].Provider = a.Refresh, a.Provider
				return
			}
		}
		f.snaps = append(f.snaps, auth.Snapshot{Name: a.Name, Provider: a.Provider, State: auth.SignedOut, MaxRefreshes: 20, RefreshesLeft: 20})
	})
	return nil
}

func (f *fakeAgent) PutClientSecret(_ context.Context, name, secret string) error {
	return f.called("put-secret", " %s %s", name, secret)
}

func (f *fakeAgent) Edit(ctx context.Context, before, after auth.Account) error {
	a := f.configured(after.Name)
	for _, k := range auth.Keys() {
		if text := auth.SettingText(after, k.Name); text != auth.SettingText(before, k.Name) {
			if err := auth.SetSetting(&a, k.Name, text); err != nil {
				return err
			}
		}
	}
	return f.Put(ctx, a)
}

func (f *fakeAgent) Config(_ context.Context, name string) (auth.Account, error) {
	if err := f.called("config", " %s", name); err != nil {
		return auth.Account{}, err
	}
	_, err := f.snapshot(name)
	return f.configured(name), err
}

// configured is an account as the fake's config.toml has it.
func (f *fakeAgent) configured(name string) auth.Account {
	f.mu.Lock()
	for _, a := range slices.Backward(f.accounts) {
		if a.Name == name {
			f.mu.Unlock()
			return a
		}
	}
	f.mu.Unlock()
	s, _ := f.snapshot(name)
	return auth.Account{Name: name, Provider: "spotify", ClientID: "desktop", Refresh: s.RefreshMode}
}

func (f *fakeAgent) Forecast(_ context.Context, name string) (auth.ForecastReport, error) {
	if err := f.called("forecast", " %s", name); err != nil {
		return auth.ForecastReport{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reports[name], nil
}

func (f *fakeAgent) Settings(context.Context) (auth.General, error) {
	err := f.called("settings", "")
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.general, err
}

func (f *fakeAgent) PutSettings(_ context.Context, g auth.General) error {
	if err := f.called("put-settings", " %s %d %s %s", auth.FormatSpan(g.Limits.MaxAge), g.Limits.MaxRefreshes, auth.FormatSpan(g.Limits.MaxIdle), g.Warnings); err != nil {
		return err
	}
	f.change(func() { f.general = g })
	return nil
}

func (f *fakeAgent) Remove(_ context.Context, name string) (auth.SignOutResult, error) {
	if err := f.called("remove", " %s", name); err != nil {
		return auth.SignOutResult{}, err
	}
	f.change(func() {
		f.snaps = slices.DeleteFunc(f.snaps, func(s auth.Snapshot) bool { return s.Name == name })
	})
	return auth.SignOutResult{Revoked: true, Text: auth.Say("sign_out_revoked")}, nil
}

func (f *fakeAgent) SignIn(_ context.Context, name string, r auth.SignInRequest) (auth.SignInStarted, error) {
	if err := f.called("sign-in", " %s force=%v device=%v", name, r.Force, r.Device); err != nil {
		return auth.SignInStarted{}, err
	}
	f.edit(name, func(s *auth.Snapshot) {
		if s.State == auth.SignedOut || s.State == auth.Ended {
			s.State = auth.SigningIn
		}
		s.SignIn = &auth.SignInView{Flow: f.started.Flow, Phase: auth.PhaseBrowser}
	})
	return f.started, nil
}

func (f *fakeAgent) phase(name string, p auth.Phase, kind auth.Kind, message string) {
	f.edit(name, func(s *auth.Snapshot) {
		s.SignIn = &auth.SignInView{Flow: f.started.Flow, Phase: p, Text: auth.Words(message), Error: kind}
		if s.State == auth.SigningIn && p == auth.PhaseFailed {
			s.State = auth.SignedOut
		}
		if p == auth.PhaseDone {
			fresh := spotify()
			fresh.Name, fresh.SignIn = s.Name, s.SignIn
			*s = fresh
		}
	})
}

func (f *fakeAgent) CancelSignIn(_ context.Context, name string) error {
	if err := f.called("cancel", " %s", name); err != nil {
		return err
	}
	f.phase(name, auth.PhaseFailed, auth.KindFailed, "The sign-in was cancelled.")
	return nil
}

func (f *fakeAgent) Token(_ context.Context, name string, minValid time.Duration, program string) (auth.Token, error) {
	if err := f.called("token", " %s %s %s", name, minValid, program); err != nil {
		return auth.Token{}, err
	}
	return auth.Token{AccessToken: auth.NewSecret(f.token), TokenType: "Bearer"}, nil
}

func (f *fakeAgent) Refresh(_ context.Context, name, program string) (auth.Snapshot, error) {
	if err := f.called("refresh", " %s %s", name, program); err != nil {
		return auth.Snapshot{}, err
	}
	f.edit(name, func(s *auth.Snapshot) { s.RefreshesUsed++; s.RefreshesLeft-- })
	return f.snapshot(name)
}

func (f *fakeAgent) SignOut(_ context.Context, name string) (auth.SignOutResult, error) {
	if err := f.called("sign-out", " %s", name); err != nil {
		return auth.SignOutResult{}, err
	}
	f.edit(name, func(s *auth.Snapshot) {
		*s = auth.Snapshot{Name: name, State: auth.Ended, Reason: auth.ByUser, MaxRefreshes: 20}
	})
	return auth.SignOutResult{Text: auth.Say("sign_out_no_way"), URL: "https://provider.example/apps"}, nil
}

func (f *fakeAgent) Events(_ context.Context, name string, n int) ([]auth.Event, error) {
	if err := f.called("events", " %s", name); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.events[name], nil
}

func (f *fakeAgent) Pause(_ context.Context, paused bool) error {
	if err := f.called("pause", " %v", paused); err != nil {
		return err
	}
	f.change(func() {
		for i := range f.snaps {
			f.snaps[i].Paused = paused
		}
	})
	return nil
}

// Unlock asks the person, who has the password.
func (f *fakeAgent) Answer(_ context.Context, name, id string, answer auth.Answer) error {
	if err := f.called("answer", " %s %s %s", name, id, answer); err != nil {
		return err
	}
	f.edit(name, func(s *auth.Snapshot) {
		s.Asks = nil
		s.Permits = []auth.Permit{{ID: id, Program: "/usr/bin/git", Denied: answer == auth.Deny, Until: ahead(10 * time.Minute)}}
	})
	return nil
}

func (f *fakeAgent) Revoke(_ context.Context, name, id string) error {
	if err := f.called("revoke", " %s %s", name, id); err != nil {
		return err
	}
	f.edit(name, func(s *auth.Snapshot) { s.Permits = nil })
	return nil
}

func (f *fakeAgent) Unlock(context.Context) error {
	if err := f.called("unlock", ""); err != nil {
		return err
	}
	f.change(func() {
		for i := range f.snaps {
			if f.snaps[i].State == auth.Locked {
				f.snaps[i].State, f.snaps[i].Message = auth.Active, ""
			}
		}
	})
	return nil
}

func (f *fakeAgent) Watch(ctx context.Context, show func([]auth.Snapshot)) error {
	for {
		snaps, changed, err := f.list()
		if err != nil {
			return err
		}
		show(snaps)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

func (f *fakeAgent) EnsureRunning(context.Context) error {
	f.called("ensure", "")
	if f.cannot != nil {
		return f.cannot
	}
	f.change(func() { f.down = nil })
	return nil
}

// engine is a fakeAgent behind the agent's real socket.
type engine struct{ *fakeAgent }

func (e engine) Token(ctx context.Context, name string, r auth.TokenRequest) (auth.Token, error) {
	return e.fakeAgent.Token(ctx, name, r.MinValid, r.Program)
}

func (e engine) Snapshots() []auth.Snapshot                  { s, _ := e.Accounts(context.Background()); return s }
func (e engine) Snapshot(name string) (auth.Snapshot, error) { return e.snapshot(name) }
func (e engine) SetAccount(a auth.Account) error             { return e.Put(context.Background(), a) }
func (e engine) CancelSignIn(name string) error {
	return e.fakeAgent.CancelSignIn(context.Background(), name)
}
func (e engine) SetPaused(paused bool) error { return e.Pause(context.Background(), paused) }
func (e engine) SetGeneral(g auth.General)   { e.PutSettings(context.Background(), g) }
func (e engine) Events(name string, n int) []auth.Event {
	events, _ := e.fakeAgent.Events(context.Background(), name, n)
	return events
}
func (e engine) RemoveAccount(ctx context.Context, name string) (auth.SignOutResult, error) {
	return e.Remove(ctx, name)
}
func (e engine) StartSignIn(ctx context.Context, name string, r auth.SignInRequest) (auth.SignInStarted, error) {
	return e.SignIn(ctx, name, r)
}
func (e engine) SetClientSecret(context.Context, string, auth.Secret) error {
	return errors.New("not here")
}
func (e engine) Watch(ctx context.Context) <-chan []auth.Snapshot {
	c := make(chan []auth.Snapshot)
	go func() {
		defer close(c)
		e.fakeAgent.Watch(ctx, func(snaps []auth.Snapshot) {
			select {
			case c <- snaps:
			case <-ctx.Done():
			}
		})
	}()
	return c
}

func (e engine) CheckAccount(context.Context, auth.Account) error { return nil }

func (e engine) Forecast(name string) (auth.ForecastReport, error) {
	return e.fakeAgent.Forecast(context.Background(), name)
}

func (e engine) UnlockKeychain(context.Context) error { return nil }
