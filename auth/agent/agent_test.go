package agent

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"curfew/auth/agent/client"
	"curfew/auth/agent/resident"

	"curfew/auth/config"

	"curfew/auth"
)

// engine stands for the Manager: it answers from memory and notes what it was
// asked, so that these tests are about the wire alone.
type engine struct {
	mu       sync.Mutex
	snaps    map[string]auth.Snapshot
	accounts map[string]auth.Account
	programs []string
	callers  []auth.Caller
	minValid []time.Duration
	asked    auth.TokenRequest // the last
	watchers []chan []auth.Snapshot
	paused   bool
	General  []auth.General
	secret   string
	err      error // what every call that can fail gives, when set
	block    chan struct{}
}

func newEngine(names ...string) *engine {
	e := &engine{snaps: map[string]auth.Snapshot{}, accounts: map[string]auth.Account{}}
	for _, n := range names {
		e.snaps[n] = auth.Snapshot{Name: n, State: auth.Active, RefreshesLeft: 20, MaxRefreshes: 20, Warnings: []string{}}
	}
	return e
}

func (e *engine) Snapshots() []auth.Snapshot {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.snapshotsLocked()
}

func (e *engine) snapshotsLocked() []auth.Snapshot {
	var list []auth.Snapshot
	for _, s := range e.snaps {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b auth.Snapshot) int { return len(a.Name) - len(b.Name) })
	return list
}

func (e *engine) Snapshot(name string) (auth.Snapshot, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s, ok := e.snaps[name]
	if !ok {
		return s, &auth.Error{Kind: auth.KindUnknown, Message: "no account " + name, Hint: "curfew add " + name}
	}
	return s, e.err
}

func (e *engine) Watch(ctx context.Context) <-chan []auth.Snapshot {
	in, out := make(chan []auth.Snapshot, 1), make(chan []auth.Snapshot)
	e.mu.Lock()
	e.watchers = append(e.watchers, in)
	in <- e.snapshotsLocked()
	e.mu.Unlock()
	go func() {
		defer close(out)
		for {
			select {
			case s := <-in:
				select {
				case out <- s:
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

func (e *engine) change(f func(*engine)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f(e)
	for _, w := range e.watchers {
		select {
		case <-w:
		default:
		}
		w <- e.snapshotsLocked()
	}
}

func (e *engine) SetAccount(a auth.Account) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil {
		return e.err
	}
	e.accounts[a.Name] = a
	e.snaps[a.Name] = auth.Snapshot{Name: a.Name, State: auth.SignedOut}
	return nil
}

func (e *engine) RemoveAccount(_ context.Context, name string) (auth.SignOutResult, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.accounts, name)
	delete(e.snaps, name)
	return auth.SignOutResult{Text: auth.Words("gone")}, e.err
}

func (e *engine) StartSignIn(_ context.Context, name string, r auth.SignInRequest) (auth.SignInStarted, error) {
	return auth.SignInStarted{Flow: "f1", URL: fmt.Sprintf("https://id.example.com/?force=%v&device=%v", r.Force, r.Device)}, e.err
}

func (e *engine) CancelSignIn(string) error { return e.err }

func (e *engine) Token(ctx context.Context, name string, r auth.TokenRequest) (auth.Token, error) {
	if e.block != nil {
		<-e.block // once to say it is here, once to go on
		select {
		case <-e.block:
		case <-ctx.Done():
			return auth.Token{}, ctx.Err()
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if name == "panics" {
		panic("planted")
	}
	e.programs = append(e.programs, r.Program)
	e.callers = append(e.callers, r.Caller())
	e.minValid = append(e.minValid, r.MinValid)
	e.asked = r
	return auth.Token{
		AccessToken: auth.NewSecret("access-" + name), TokenType: "Bearer",
		ExpiresAt: time.Now().Add(time.Hour).Truncate(time.Second).UTC(), ExpiresIn: time.Hour, Scope: []string{"a", "b"},
	}, e.err
}

func (e *engine) Refresh(_ context.Context, name, program string) (auth.Snapshot, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.programs = append(e.programs, program)
	return e.snaps[name], e.err
}

func (e *engine) SignOut(context.Context, string) (auth.SignOutResult, error) {
	return auth.SignOutResult{Revoked: true, Text: auth.Words("signed out")}, e.err
}

func (e *engine) Events(name string, n int) []auth.Event {
	return []auth.Event{{Account: name, Kind: auth.EventToken, Count: n}}
}

func (e *engine) SetPaused(p bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err == nil {
		e.paused = p
	}
	return e.err
}

func (e *engine) SetGeneral(g auth.General) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.General = append(e.General, g)
}

func (e *engine) SetClientSecret(_ context.Context, name string, secret auth.Secret) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.secret = name + " " + secret.Reveal()
	return e.err
}

func (e *engine) UnlockKeychain(context.Context) error { return e.err }

// socketIn names a socket that nobody else has: below dir, and on Windows a pipe.
func socketIn(dir string) string {
	if runtime.GOOS == "windows" {
		return `\\.\pipe\curfew-agent-` + rand.Text()
	}
	return filepath.Join(dir, "curfew", "agent.sock")
}

// serve runs a server on its own socket until the test ends.
func serve(t *testing.T, e Engine) (*client.Client, Config) {
	t.Helper()
	dir := t.TempDir()
	socket := socketIn(dir)
	t.Setenv("CURFEW_SOCKET", "") // a person's own agent stays out of this
	c := Config{
		Engine:  e,
		File:    config.File(filepath.Join(dir, "config.toml")),
		Version: "test",
		Register: func(_ context.Context, a auth.Account) (auth.Account, auth.Secret, error) {
			made++
			a.ClientID, a.ClientSecretKeychain = fmt.Sprint("made-", made), true
			return a, auth.NewSecret("s3cret"), nil
		},
		Doctor: func(context.Context) []client.Check {
			return []client.Check{{Name: "keychain", OK: true, Message: "it answers"}}
		},
	}
	l, err := resident.Listen(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- NewServer(c).Run(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if c, err := client.Dial(context.Background(), socket); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket stays after the end: %v, %v", c, err)
		}
	})
	return client.NewClient(socket), c
}

func kindOf(t *testing.T, err error) auth.Kind {
	t.Helper()
	e, ok := errors.AsType[*auth.Error](err)
	if !ok {
		t.Fatalf("error is %T (%v), not *auth.Error", err, err)
	}
	return e.Kind
}

func TestClientAndServer(t *testing.T) {
	e := newEngine("work")
	c, cfg := serve(t, e)
	ctx := t.Context()

	if s, err := c.Accounts(ctx); err != nil || len(s) != 1 || s[0].Name != "work" || s[0].RefreshesLeft != 20 {
		t.Errorf("Accounts: %+v, %v", s, err)
	}
	if s, err := c.Account(ctx, "work"); err != nil || s.State != auth.Active {
		t.Errorf("Account: %+v, %v", s, err)
	}
	if _, err := c.Account(ctx, "home"); kindOf(t, err) != auth.KindUnknown || err.(*auth.Error).Hint != "curfew add home" {
		t.Errorf("unknown account: %#v", err)
	}
	for _, bad := range []string{"", "..", "a/b", "a b", "-x"} {
		if _, err := c.Account(ctx, bad); kindOf(t, err) != auth.KindBadRequest {
			t.Errorf("name %q: %v", bad, err)
		}
	}

	tok, err := c.Token(ctx, "work", 90*time.Second, "git\x1b[31m push")
	if err != nil || tok.AccessToken.Reveal() != "access-work" || tok.TokenType != "Bearer" || !slices.Equal(tok.Scope, []string{"a", "b"}) {
		t.Errorf("Token: %v, %v", tok, err)
	}
	if left := time.Until(tok.ExpiresAt); left < 59*time.Minute {
		t.Errorf("the token's end went astray: %v left", left)
	}
	if _, err := c.Token(ctx, "work", -1, ""); err != nil {
		t.Error(err)
	}
	if lines, err := c.TokenLines(ctx, "work", auth.TokenRequest{MinValid: auth.AnyValidity}); err != nil || lines.Reveal() != tok.AccessToken.Reveal()+"\n" {
		t.Errorf("as text it is %q, %v", lines.Reveal(), err)
	}
	if _, err := c.RequestToken(ctx, "work", auth.TokenRequest{MinValid: auth.AnyValidity, Best: true, MaxWait: 3 * time.Second}); err != nil {
		t.Error(err)
	}
	e.mu.Lock()
	if !e.asked.Best || e.asked.MaxWait != 3*time.Second {
		t.Errorf("the engine was asked %+v", e.asked)
	}
	if want := []time.Duration{90 * time.Second, -1, -1, -1}; !slices.Equal(e.minValid, want) {
		t.Errorf("min_valid: %v, want %v", e.minValid, want)
	}
	// What the program says of itself is a claim.
	self, _ := os.Executable()
	for i, claim := range []string{"git [31m push", ""} {
		known := e.programs[i] == filepath.Base(self) && e.callers[i].Executable == self && len(e.callers[i].Parents) > 0
		if runtime.GOOS == "windows" { // a pipe does not tell who is at its other end
			known = e.programs[i] == claim
		}
		if who := e.callers[i]; !known || who.Claimed != claim {
			t.Errorf("it is called %q: %+v", e.programs[i], who)
		}
	}
	e.mu.Unlock()

	a := auth.Account{Name: "home", Issuer: "https://id.example.com", ClientID: "cid", Scopes: []string{"openid"}}
	if err := c.Put(ctx, a); err != nil {
		t.Fatal(err)
	}
	if s, err := config.Load(cfg.File.Path()); err != nil || len(s.Accounts) != 1 || !auth.SameAccount(s.Accounts[0], a) {
		t.Errorf("saved: %+v, %v", s, err)
	}
	if err := c.Put(ctx, auth.Account{Name: "bad", Issuer: "http://id.example.com", ClientID: "x"}); kindOf(t, err) != auth.KindBadRequest {
		t.Errorf("http issuer: %v", err)
	}

	// A refusal of the engine leaves the file as it was.
	before, _ := os.ReadFile(cfg.File.Path())
	e.err = &auth.Error{Kind: auth.KindRefused, Message: "signed in there"}
	a.ClientID = "other"
	if err := c.Put(ctx, a); kindOf(t, err) != auth.KindRefused {
		t.Errorf("refused change: %v", err)
	}
	if after, _ := os.ReadFile(cfg.File.Path()); string(after) != string(before) {
		t.Errorf("a refused change was saved:\n%s", after)
	}
	e.err = nil

	// A form that was open meanwhile undoes nothing that it does not name.
	a.ClientID = "cid"
	byHand := a
	byHand.LoginHint, byHand.Scopes = "ann", nil
	if _, err := config.SaveAccount(cfg.File.Path(), byHand); err != nil {
		t.Fatal(err)
	}
	edited, want := a, byHand
	edited.Refresh, want.Refresh = auth.Always, auth.Always
	if err := c.Edit(ctx, a, edited); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Config(ctx, "home"); err != nil || !auth.SameAccount(got, want) {
		t.Errorf("edited: %+v, %v", got, err)
	}
	if err := c.Edit(ctx, auth.Account{Name: "home", LoginHint: "ann"}, auth.Account{Name: "home"}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Config(ctx, "home"); err != nil || got.LoginHint != "" || got.Refresh != auth.Always {
		t.Errorf("taken away: %+v, %v", got, err)
	}
	// Nor does it bring back an account that was removed.
	if err := c.Edit(ctx, auth.Account{Name: "gone"}, auth.Account{Name: "gone", Provider: "spotify", ClientID: "x"}); kindOf(t, err) != auth.KindUnknown {
		t.Errorf("an account that was removed: %v", err)
	}
	if s, err := config.Load(cfg.File.Path()); err != nil || len(s.Accounts) != 1 {
		t.Errorf("after the edits: %+v, %v", s, err)
	}

	if r, err := c.Remove(ctx, "home"); err != nil || r.Message != "gone" {
		t.Errorf("Remove: %+v, %v", r, err)
	}
	if s, err := config.Load(cfg.File.Path()); err != nil || len(s.Accounts) != 0 {
		t.Errorf("after Remove: %+v, %v", s, err)
	}
	if st, err := c.SignIn(ctx, "work", auth.SignInRequest{Force: true}); err != nil || st.URL != "https://id.example.com/?force=true&device=false" {
		t.Errorf("SignIn: %+v, %v", st, err)
	}
	if err := c.CancelSignIn(ctx, "work"); err != nil {
		t.Error(err)
	}
	if s, err := c.Refresh(ctx, "work", "test"); err != nil || s.Name != "work" {
		t.Errorf("Refresh: %+v, %v", s, err)
	}
	if r, err := c.SignOut(ctx, "work"); err != nil || !r.Revoked {
		t.Errorf("SignOut: %+v, %v", r, err)
	}
	if ev, err := c.Events(ctx, "work", 7); err != nil || ev[0].Account != "work" || ev[0].Count != 7 {
		t.Errorf("Events: %+v, %v", ev, err)
	}
	if ev, err := c.Events(ctx, "", 3); err != nil || ev[0].Account != "" {
		t.Errorf("Events of all: %+v, %v", ev, err)
	}
	if err := c.Pause(ctx, true); err != nil || !e.paused {
		t.Errorf("Pause: %v, %v", e.paused, err)
	}
	if v, err := c.Version(ctx); err != nil || v.Version != "test" || v.PID != os.Getpid() {
		t.Errorf("Version: %+v, %v", v, err)
	}
	if err := c.Unlock(ctx); err != nil {
		t.Error(err)
	}
	if d, err := c.Doctor(ctx); err != nil || len(d) != 2 || d[0].Name != "config" || !d[1].OK {
		t.Errorf("Doctor: %+v, %v", d, err)
	}
	if err := c.PutClientSecret(ctx, "work", "hunter2"); err != nil || e.secret != "work hunter2" {
		t.Errorf("PutClientSecret: %q, %v", e.secret, err)
	}
	if err := c.DeleteClientSecret(ctx, "work"); err != nil || e.secret != "work " {
		t.Errorf("DeleteClientSecret: %q, %v", e.secret, err)
	}
}

// A client that the server makes is saved with its account, its secret in the
// keychain. What is wrong with the account is said before one is made.
func TestRegisterAccount(t *testing.T) {
	e := newEngine()
	c, cfg := serve(t, e)
	made = 0
	if err := c.Register(t.Context(), auth.Account{Name: "work", Issuer: "https://id.example.com"}); err != nil {
		t.Fatal(err)
	}
	_, accounts, err := cfg.File.Load()
	if err != nil || len(accounts) != 1 || accounts[0].ClientID != "made-1" || !accounts[0].ClientSecretKeychain || e.secret != "work s3cret" {
		t.Errorf("%+v, %q, %v", accounts, e.secret, err)
	}
	if text, _ := os.ReadFile(cfg.File.Path()); strings.Contains(string(text), "s3cret") {
		t.Error("the secret is in the configuration")
	}
	for _, a := range []auth.Account{{Name: "bad", Issuer: "http://id.example.com"}, {Name: "work", Issuer: "https://other.example.com"}} {
		if err := c.Register(t.Context(), a); err == nil || made != 1 {
			t.Errorf("%s: %v, %d made", a.Name, err, made)
		}
	}
}

// made counts the clients that the server of [serve] made.
var made int

// What the front ends need to show and change settings.
func TestSettings(t *testing.T) {
	e := newEngine("work")
	c, cfg := serve(t, e)
	ctx := t.Context()
	const text = "# mine\n[account.work]\nprovider = \"spotify\" # music\nclient_id = \"x\"\n"
	if err := os.WriteFile(cfg.File.Path(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	file := func() string { b, _ := os.ReadFile(cfg.File.Path()); return string(b) }

	a, err := c.Config(ctx, "work")
	if err != nil || !auth.SameAccount(a, auth.Account{Name: "work", Provider: "spotify", ClientID: "x"}) {
		t.Errorf("Config: %+v, %v", a, err)
	}
	if _, err := c.Config(ctx, "home"); kindOf(t, err) != auth.KindUnknown {
		t.Errorf("Config of nobody: %v", err)
	}
	a.Refresh = auth.OnDemand
	if err := c.Put(ctx, a); err != nil || file() != text+"refresh = 'on-demand'\n" || e.accounts["work"].Refresh != auth.OnDemand {
		t.Errorf("Put: %v, %+v\n%s", err, e.accounts["work"], file())
	}

	g, err := c.Settings(ctx)
	if err != nil || g != (auth.General{Limits: auth.BuiltIn, Warnings: auth.WarnAll}) {
		t.Errorf("Settings: %+v, %v", g, err)
	}
	g = auth.General{Limits: auth.Limits{MaxAge: 36 * time.Hour, MaxRefreshes: 7, MaxIdle: 90 * time.Minute}, Warnings: auth.WarnFew}
	if err := c.PutSettings(ctx, g); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Settings(ctx); err != nil || got != g {
		t.Errorf("saved %+v, %v", got, err)
	}
	heard := len(e.General)
	if e.General[heard-1] != g {
		t.Errorf("the engine heard of %+v", e.General)
	}

	before := file()
	loose := g
	loose.Limits.MaxRefreshes = 21
	if err := c.PutSettings(ctx, loose); kindOf(t, err) != auth.KindBadRequest || !strings.Contains(err.Error(), "looser than the built-in 20") {
		t.Errorf("looser limits: %v", err)
	}
	if file() != before || len(e.General) != heard {
		t.Errorf("a refused change was saved:\n%s", file())
	}

	// A mistake in the file is reported, and nothing is written over it.
	os.WriteFile(cfg.File.Path(), []byte("[limits]\nmax_ages = 3\n"), 0o600)
	if _, err := c.Settings(ctx); kindOf(t, err) != auth.KindBadRequest || !strings.Contains(err.Error(), "config.toml:2") {
		t.Errorf("Settings of a wrong file: %v", err)
	}
	if err := c.PutSettings(ctx, g); kindOf(t, err) != auth.KindBadRequest || file() != "[limits]\nmax_ages = 3\n" {
		t.Errorf("a wrong file was edited: %v\n%s", err, file())
	}

	e.err = &auth.Error{Kind: auth.KindFailed, Message: "the disk is full"}
	if err := c.Pause(ctx, true); kindOf(t, err) != auth.KindFailed || e.paused {
		t.Errorf("a pause that was not kept: %v", err)
	}
}

// Every kind survives the wire, with its reason and hint.
func TestErrorsOnTheWire(t *testing.T) {
	e := newEngine("work")
	c, _ := serve(t, e)
	for _, k := range []auth.Kind{
		auth.KindFailed, auth.KindBadRequest, auth.KindUnknown, auth.KindSignInNeeded,
		auth.KindUnavailable, auth.KindRefused, auth.KindKeychain,
	} {
		want := auth.Error{Kind: k, Reason: auth.ByRefreshes, Message: auth.MessageRefreshes, Hint: "curfew login work"}
		e.err = &want
		_, err := c.Token(t.Context(), "work", -1, "")
		got, ok := err.(*auth.Error)
		if !ok || !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: got %#v", k, err)
		}
	}
	e.err = errors.New("a plain one")
	if _, err := c.Token(t.Context(), "work", -1, ""); kindOf(t, err) != auth.KindFailed || err.Error() != "a plain one" {
		t.Errorf("plain error: %v", err)
	}
	e.err = nil
	if _, err := c.Token(t.Context(), "panics", -1, ""); kindOf(t, err) != auth.KindFailed {
		t.Errorf("panic: %v", err)
	}
	if _, err := c.Accounts(t.Context()); err != nil {
		t.Errorf("after a panic: %v", err)
	}
}

func TestWatch(t *testing.T) {
	e := newEngine("work")
	c, _ := serve(t, e)
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan []auth.Snapshot)
	ended := make(chan error, 1)
	go func() { ended <- c.Watch(ctx, func(s []auth.Snapshot) { got <- s }) }()
	if s := <-got; len(s) != 1 || s[0].State != auth.Active {
		t.Errorf("at once: %+v", s)
	}
	e.change(func(e *engine) { e.snaps["work"] = auth.Snapshot{Name: "work", State: auth.Ended} })
	if s := <-got; s[0].State != auth.Ended {
		t.Errorf("after the change: %+v", s)
	}
	cancel()
	if err := <-ended; kindOf(t, err) != auth.KindFailed {
		t.Errorf("cancelled: %v", err)
	}
}

func TestNobodyThere(t *testing.T) {
	dir := t.TempDir()
	c := client.NewClient(socketIn(dir))
	if _, err := c.Accounts(t.Context()); kindOf(t, err) != auth.KindNotRunning {
		t.Errorf("no socket: %v", err)
	}
	if runtime.GOOS == "windows" {
		t.Skip("a pipe ends with its agent, and needs no directory")
	}
	// A socket that a killed agent left.
	os.Mkdir(filepath.Dir(c.Socket()), 0o700)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: c.Socket(), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if _, err := c.Accounts(t.Context()); kindOf(t, err) != auth.KindNotRunning {
		t.Errorf("stale socket: %v", err)
	}
	t.Setenv("CURFEW_SOCKET", "")
	t.Setenv("XDG_RUNTIME_DIR", "relative")
	if _, err := client.NewClient("").Accounts(t.Context()); kindOf(t, err) != auth.KindNotRunning {
		t.Errorf("no runtime directory: %v", err)
	}
}

// The agent's end is seen by watchers at once, and by no request in flight.
func TestStopLetsAnswersFinish(t *testing.T) {
	e := newEngine("work")
	e.block = make(chan struct{})
	socket := socketIn(t.TempDir())
	l, err := resident.Listen(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- NewServer(Config{Engine: e}).Run(ctx, l) }()
	c := client.NewClient(socket)
	watched, ended := make(chan struct{}, 1), make(chan error, 1)
	go func() { ended <- c.Watch(t.Context(), func([]auth.Snapshot) { watched <- struct{}{} }) }()
	<-watched
	type answer struct {
		tok auth.Token
		err error
	}
	answered := make(chan answer, 1)
	go func() {
		tok, err := c.Token(t.Context(), "work", -1, "x")
		answered <- answer{tok, err}
	}()
	e.block <- struct{}{} // the request has reached the engine
	cancel()
	if err := <-ended; kindOf(t, err) != auth.KindNotRunning {
		t.Errorf("watch: %v", err)
	}
	close(e.block)
	if a := <-answered; a.err != nil || a.tok.AccessToken.Reveal() != "access-work" {
		t.Errorf("token in flight: %v", a.err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func (e *engine) CheckAccount(context.Context, auth.Account) error { return nil }
func (e *engine) Forecast(string) (auth.ForecastReport, error)     { return auth.ForecastReport{}, nil }
