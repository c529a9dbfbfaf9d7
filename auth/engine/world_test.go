package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"curfew/auth"
	"curfew/auth/authserver"
	"curfew/auth/engine/clock"
	"curfew/auth/oauth"
	"curfew/keystore"
	"curfew/keystore/kctest"
)

const aDay = 24 * time.Hour

var t0 = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// world is a machine with a keychain and a Manager, and an authorization server
// behind a network that can fail. It lives in a synctest bubble, so a test
// plays days in milliseconds. Only the network's sockets and the keychain's
// daemon are left out.
type world struct {
	t        *testing.T
	server   *authserver.Server
	faults   *authserver.Faults
	net      *network
	keychain *kctest.Keychain
	dir      string
	skew     atomic.Int64   // nanoseconds that somebody turned the wall clock by
	slept    atomic.Int64   // nanoseconds that the machine was suspended: only true time went on
	boots    int            // how often the machine was rebooted
	accounts []auth.Account // nil: the one of account
	limits   auth.Limits
	mode     auth.Mode
	plain    bool          // OAuth alone: no scope openid, and so no ID token
	grace    time.Duration // of the server
	tune     func(*authserver.Config)
	random   func() float64
	logger   *slog.Logger // nil: the test's output

	m    *Manager
	stop func() // ends the agent's life
}

const issuer = "http://127.0.0.1:4407"

// network carries requests to the server without a socket.
type network struct {
	server http.Handler

	// onRefresh sees every refresh request before the server does, and the
	// answer after it. It may be nil. onAnswer sees the answers to revocations
	// and to other requests of the token endpoint.
	onRefresh func(token string) (answered func(body []byte))
	onAnswer  func(form url.Values, body []byte)
	// twist changes what a refresh that worked is answered; nil: nobody does.
	twist func(answer map[string]any)
	now   func() time.Time

	mu     sync.Mutex
	err    error  // nothing is sent, this is why
	onFail func() // runs once when that happens; nil: nothing does
	sent   int    // refresh requests that reached the server
}

func (n *network) fail(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.err = err
}

func (n *network) refreshes() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sent
}

// RoundTrip serves r, or fails as a network does.
func (n *network) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	n.mu.Lock()
	down, onFail := n.err, n.onFail
	if down != nil {
		n.onFail = nil
	}
	n.mu.Unlock()
	if down != nil {
		if onFail != nil {
			onFail()
		}
		return nil, down
	}
	var body string
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(b)
	}
	var answered func([]byte)
	refresh := false
	switch form, err := url.ParseQuery(body); {
	case err != nil:
	case form.Get("grant_type") == "refresh_token":
		refresh = true
		n.mu.Lock()
		n.sent++
		n.mu.Unlock()
		if n.onRefresh != nil {
			answered = n.onRefresh(form.Get("refresh_token"))
		}
	case n.onAnswer != nil:
		answered = func(body []byte) { n.onAnswer(form, body) }
	}
	in := r.Clone(r.Context())
	in.Body = io.NopCloser(strings.NewReader(body))
	in.RequestURI = r.URL.RequestURI()
	in.Host = r.URL.Host
	in.RemoteAddr = "127.0.0.1:1"
	w := httptest.NewRecorder()
	defer func() {
		if answered != nil {
			answered(w.Body.Bytes())
		}
		if p := recover(); p != nil { // http.ErrAbortHandler: the connection was cut
			resp, err = nil, io.ErrUnexpectedEOF
		}
	}()
	n.server.ServeHTTP(w, in)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if answer := map[string]any{}; refresh && n.twist != nil && w.Code == http.StatusOK && json.Unmarshal(w.Body.Bytes(), &answer) == nil {
		n.twist(answer)
		twisted, err := json.Marshal(answer)
		if err != nil {
			return nil, err
		}
		w.Body = bytes.NewBuffer(twisted)
	}
	resp = w.Result()
	resp.Request = r
	if resp.Header.Get("Date") == "" {
		resp.Header.Set("Date", n.now().UTC().Format(http.TimeFormat))
	}
	return resp, nil
}

// offline is what a dialer says without a network.
var offline = &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "id.example.com", IsNotFound: true}}

// play runs a test in a bubble with a fresh world, in which the agent runs
// and the account "work" is configured.
func play(t *testing.T, setup func(*world), f func(*testing.T, *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, faults: new(authserver.Faults), grace: authserver.DefaultGrace, dir: filepath.Join(t.TempDir(), "state"), limits: auth.BuiltIn, mode: auth.InUse}
		config := authserver.Config{Issuer: issuer, AutoApprove: "alice", Users: map[string]string{"alice": "secret"}, Faults: w.faults}
		w.keychain = kctest.NewKeychain(keystore.ErrNotFound, keystore.ErrLocked)
		if setup != nil {
			setup(w)
		}
		config.Grace, config.Now = w.grace, w.now
		if w.tune != nil {
			w.tune(&config)
		}
		if w.logger == nil {
			w.logger = slog.New(slog.NewTextHandler(t.Output(), nil))
		}
		var err error
		if w.server, err = authserver.New(config); err != nil {
			t.Fatal(err)
		}
		defer w.server.Close()
		w.net = &network{server: w.server, now: w.now}
		w.start()
		defer func() { w.stop() }()
		f(t, w)
	})
}

// now is the true time, which the server has, too. Timers stand still while
// the machine is suspended; the clocks do not.
func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.slept.Load())) }

// suspend makes the machine sleep for d.
func (w *world) suspend(d time.Duration) { w.slept.Add(int64(d)) }

// start starts the agent on what the last one left.
func (w *world) start() {
	w.t.Helper()
	id := fmt.Sprint("boot ", w.boots)
	boot := func() (time.Duration, string) { return w.now().Sub(time.Time{}.AddDate(1999, 0, 0)), id }
	own := clock.New(func() time.Time { return w.now().Add(time.Duration(w.skew.Load())) }, boot)
	store, err := keystore.Open(keystore.Config{Dir: w.dir, Keychain: w.keychain, Now: own.Now})
	if err != nil {
		w.t.Fatal(err)
	}
	accounts := w.accounts
	if accounts == nil {
		accounts = []auth.Account{w.account()}
	}
	w.m, err = New(Config{
		Store:    store,
		StateDir: w.dir,
		General:  auth.General{Limits: w.limits},
		Clock:    own,
		Logger:   w.logger,
		Accounts: accounts,
		Random:   w.random,
		NewClient: func(c oauth.Config) (*oauth.Client, error) {
			c.Transport = w.net
			return oauth.New(c)
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.m.Run(ctx)
	}()
	w.stop = func() {
		cancel()
		<-done
		if err := store.Close(context.Background()); err != nil {
			w.t.Error(err)
		}
	}
	synctest.Wait()
}

// account is the one that is configured.
func (w *world) account() auth.Account {
	a := auth.Account{Name: "work", Issuer: issuer, ClientID: authserver.DefaultClientID, Scopes: []string{"openid", "offline_access"}, Refresh: w.mode, RevocationReach: reachGrant}
	if w.plain {
		a.Scopes = a.Scopes[1:]
	}
	return a
}

// restart ends the agent and starts it again.
func (w *world) restart() {
	w.t.Helper()
	w.stop()
	w.start()
}

// inMemory keeps the state where fsync costs nothing, and proves nothing.
func (w *world) inMemory() {
	if shm, err := os.MkdirTemp("/dev/shm", "curfew"); err == nil {
		w.dir = filepath.Join(shm, "state")
		w.t.Cleanup(func() { os.RemoveAll(shm) })
	}
}

// A death is all that was durable at the moment when the agent was killed.
type death struct {
	dir   string
	items map[string]string
}

// setAside copies what a power cut would leave now, under a name.
func (w *world) setAside(name string) *death {
	dir := filepath.Join(filepath.Dir(w.dir), name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		w.t.Error(err)
	}
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		w.t.Errorf("copying the state: %v", err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(w.dir, e.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, e.Name()), b, 0o600)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // a temporary file may be gone again
			w.t.Errorf("copying the state: %v", err)
		}
	}
	return &death{dir, w.keychain.Items()}
}

// rise starts the agent, which must have been stopped, on what a death left.
func (w *world) rise(d *death) {
	w.t.Helper()
	w.dir = d.dir
	w.keychain.SetItems(d.items)
	w.start()
}

// signIn signs in, the person playing along.
func (w *world) signIn() {
	w.t.Helper()
	if err := w.trySignIn(auth.SignInRequest{Device: true}); err != nil {
		w.t.Fatal(err)
	}
}

// signInTo does it for another account than "work".
func (w *world) signInTo(name string) {
	w.t.Helper()
	if err := w.trySignInTo(name, auth.SignInRequest{Device: true}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) trySignIn(r auth.SignInRequest) error {
	w.t.Helper()
	return w.trySignInTo("work", r)
}

func (w *world) trySignInTo(name string, r auth.SignInRequest) error {
	w.t.Helper()
	started, err := w.m.StartSignIn(w.t.Context(), name, r)
	if err != nil {
		return err
	}
	w.visit(started.URL)
	for {
		s, err := w.m.Snapshot(name)
		if err != nil {
			return err
		}
		switch v := s.SignIn; v.Phase {
		case auth.PhaseDone:
			return nil
		case auth.PhaseFailed:
			return errors.New(v.Message)
		}
		time.Sleep(time.Second)
		synctest.Wait()
	}
}

// visit opens a page of the server as a browser does.
func (w *world) visit(address string) {
	w.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		w.t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, u.String(), nil)
	rec := httptest.NewRecorder()
	w.server.ServeHTTP(rec, r)
	if rec.Code >= 400 {
		w.t.Fatalf("visiting %s: %d %s", address, rec.Code, rec.Body)
	}
}

// hold keeps the account's goroutine busy until release is called.
func (w *world) hold() (release func()) {
	free := make(chan bool)
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	w.m.accounts["work"].queueLocked(func(context.Context) { <-free })
	return func() { close(free) }
}

func (w *world) status() auth.Snapshot {
	w.t.Helper()
	s, err := w.m.Snapshot("work")
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// patient asks for a token and waits as long as it takes.
func patient(minValid time.Duration, program string) auth.TokenRequest {
	return auth.TokenRequest{MinValid: minValid, Program: program, MaxWait: time.Hour}
}

func (w *world) token() (auth.Token, error) {
	return w.m.Token(w.t.Context(), "work", patient(-1, "test"))
}

func (w *world) mustToken() auth.Token {
	w.t.Helper()
	tok, err := w.token()
	if err != nil {
		w.t.Fatalf("token at %v: %v", time.Now(), err)
	}
	return tok
}

// wantError checks kind and reason of an error.
func (w *world) wantError(err error, kind auth.Kind, reason auth.Reason) {
	w.t.Helper()
	e, ok := errors.AsType[*auth.Error](err)
	if !ok || e.Kind != kind || e.Reason != reason {
		w.t.Fatalf("error = %v (%+v), want kind %s, reason %q", err, e, kind, reason)
	}
	if e.Hint == "" {
		w.t.Errorf("%q has no hint", e.Message)
	}
}

func (w *world) wantState(state auth.State, reason auth.Reason) auth.Snapshot {
	w.t.Helper()
	synctest.Wait()
	s := w.status()
	if s.State != state || s.Reason != reason {
		w.t.Fatalf("state = %s %q (%s), want %s %q", s.State, s.Reason, s.Message, state, reason)
	}
	return s
}

// me asks the protected resource with a token.
func (w *world) me(tok auth.Token) int {
	r := httptest.NewRequest(http.MethodGet, issuer+"/api/me", nil)
	r.Header.Set("Authorization", "Bearer "+tok.AccessToken.Reveal())
	rec := httptest.NewRecorder()
	w.server.ServeHTTP(rec, r)
	return rec.Code
}
