package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"curfew/auth/agent/client"

	"curfew/auth"
)

// Engine is what the server needs of the Manager of package engine.
type Engine interface {
	Snapshots() []auth.Snapshot
	Snapshot(name string) (auth.Snapshot, error)
	Watch(ctx context.Context) <-chan []auth.Snapshot
	SetAccount(a auth.Account) error
	CheckAccount(ctx context.Context, a auth.Account) error
	RemoveAccount(ctx context.Context, name string) (auth.SignOutResult, error)
	StartSignIn(ctx context.Context, name string, r auth.SignInRequest) (auth.SignInStarted, error)
	CancelSignIn(name string) error
	Token(ctx context.Context, name string, r auth.TokenRequest) (auth.Token, error)
	Refresh(ctx context.Context, name, program string) (auth.Snapshot, error)
	SignOut(ctx context.Context, name string) (auth.SignOutResult, error)
	Events(name string, n int) []auth.Event
	Forecast(name string) (auth.ForecastReport, error)
	SetPaused(paused bool) error
	SetGeneral(g auth.General)
	SetClientSecret(ctx context.Context, name string, secret auth.Secret) error
	UnlockKeychain(ctx context.Context) error
}

// ConfigFile is config.toml, where accounts and settings are saved.
type ConfigFile interface {
	Path() string
	Load() (auth.General, []auth.Account, error)
	Tidy(a auth.Account) auth.Account  // without what pasting leaves
	CheckAccount(a auth.Account) error // without asking the server
	SaveAccount(a auth.Account) (undo func() error, err error)
	DeleteAccount(name string) error
	SaveGeneral(g auth.General) (undo func() error, err error)
}

// Consent is where a person's answers go.
type Consent interface {
	Answer(account, id string, answer auth.Answer) error
	Revoke(account, id string) error
}

// Config is what a Server is made of. Every field but Logger is needed.
type Config struct {
	Engine Engine
	File   ConfigFile
	Read   fs.FileInfo // File when the engine was made from it; nil: there was none
	// Register asks an account's server for a client.
	Register func(ctx context.Context, a auth.Account) (auth.Account, auth.Secret, error)
	Version  string

	Consent Consent
	// Providers lists the presets.
	Providers func() []auth.Provider

	// Doctor checks what only the agent can: its keychain, its directories.
	Doctor func(ctx context.Context) []client.Check

	// Session is called with the D-Bus session of each caller. It may be nil.
	// It must return at once when it knows the address.
	Session func(bus string)

	Logger *slog.Logger // nil: discard
}

// Server is the agent's end of the local API.
type Server struct {
	Config
	writing  chan struct{} // held while something is being saved or read again: file and engine change together
	edits    *edits
	watchers chan struct{} // one slot each
	most     int           // connections at a time
	patience patience
	guests   bool // tokens are all that there is: see ForGuests
}

// ForGuests returns a server of the same agent for programs that must not change
// anything: those on another machine, where the socket is forwarded, and those in
// a container. They see the accounts and get tokens. They cannot spend a refresh
// of their own choice, and nothing that they send makes the agent do something on
// this machine, as a setting like on_ended would.
func (s *Server) ForGuests() *Server {
	g := *s
	g.guests, g.Session = true, nil
	return &g
}

// forGuests are the requests that guests may make.
var forGuests = []string{"GET /v1/accounts", "GET /v1/accounts/{name}", "POST /v1/accounts/{name}/token", "GET /v1/watch", "GET /v1/version"}

// guestRefused is what guests get for anything else.
func guestRefused() *auth.Error {
	return auth.Fail(auth.KindRefused, auth.Say("guest_refused"), auth.Say("hint_guest"))
}

// maxWatchers is how many programs may watch at a time. If file descriptors are
// few it is half of the connections, so that watchers cannot keep others from a
// token.
const maxWatchers = 64

// NewServer makes a Server.
func NewServer(c Config) *Server {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Server{Config: c, writing: make(chan struct{}, 1), edits: &edits{seen: c.Read, had: c.Read != nil, going: map[string]chan struct{}{}}, watchers: make(chan struct{}, min(maxWatchers, max(1, maxConns()/2))), most: maxConns(), patience: usual}
}

// patience is how long a Server waits for a peer. An answer may take as long as
// the engine needs. Only a peer that is slow to send or to read is cut off.
type patience struct {
	header, body, write time.Duration
	grace               time.Duration // to send a request while others wait for its connection
	drain               time.Duration // for answers in progress, at the end
	beat                time.Duration // between lines of a watch, at most
}

// looks is at which beats of a watch config.toml is looked at: every one would wake
// the agent for longer.
const looks = 4

var usual = patience{header: 5 * time.Second, body: 5 * time.Second, grace: time.Second, write: 10 * time.Second, drain: 5 * time.Second, beat: client.Heartbeat}

// Run serves l until ctx ends, then lets answers in progress finish, for a
// few seconds. It closes l.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	h := &http.Server{
		Handler:           s.handler(ctx),
		ReadHeaderTimeout: s.patience.header,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.Logger.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
		ConnState:         note,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
	}
	served := make(chan error, 1)
	go func() { served <- h.Serve(limit(l, s.most, s.patience.grace)) }()
	select {
	case err := <-served:
		return fmt.Errorf("the agent's socket failed: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.patience.drain)
	defer cancel()
	if err := h.Shutdown(drain); err != nil {
		h.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("the agent's socket failed: %w", err)
	}
	return nil
}

type connKey struct{}

// handler is the whole API; watches end when stop does.
func (s *Server) handler(stop context.Context) http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, h func(r *http.Request) (any, error)) {
		if !s.guests || slices.Contains(forGuests, pattern) {
			mux.Handle(pattern, s.answer(h))
		}
	}
	const account = "/v1/accounts/{name}"
	handle("GET /v1/accounts", s.accounts)
	handle("GET "+account, named(s.account))
	handle("PUT "+account, named(s.put))
	handle("PATCH "+account, named(s.patch))
	handle("DELETE "+account, named(s.remove))
	handle("GET "+account+"/config", named(s.config))
	handle("POST "+account+"/check", named(s.check))
	handle("PUT "+account+"/client-secret", named(s.putSecret))
	handle("DELETE "+account+"/client-secret", named(func(r *http.Request, name string) (any, error) {
		return nil, s.Engine.SetClientSecret(r.Context(), name, auth.Secret{})
	}))
	handle("POST "+account+"/sign-in", named(s.signIn))
	handle("DELETE "+account+"/sign-in", named(s.cancelSignIn))
	handle("POST "+account+"/token", named(s.token))
	handle("POST "+account+"/refresh", named(s.refresh))
	handle("POST "+account+"/asks/{id}", named(s.answerAsk))
	handle("DELETE "+account+"/permits/{id}", named(func(r *http.Request, name string) (any, error) {
		return nil, s.Consent.Revoke(name, r.PathValue("id"))
	}))
	handle("POST "+account+"/sign-out", named(s.signOut))
	handle("GET "+account+"/events", named(s.events))
	handle("GET "+account+"/forecast", named(func(_ *http.Request, name string) (any, error) { return s.Engine.Forecast(name) }))
	handle("GET /v1/events", func(r *http.Request) (any, error) { return s.events(r, "") })
	handle("PUT /v1/pause", s.pause)
	handle("GET /v1/settings", s.settings)
	handle("PUT /v1/settings", s.putSettings)
	handle("POST /v1/unlock", func(r *http.Request) (any, error) { return nil, s.Engine.UnlockKeychain(r.Context()) })
	handle("GET /v1/providers", func(*http.Request) (any, error) { return s.Providers(), nil })
	handle("GET /v1/doctor", s.doctor)
	handle("GET /v1/version", func(*http.Request) (any, error) {
		return client.Version{Version: s.Version, PID: os.Getpid(), API: client.API}, nil
	})
	mux.HandleFunc("GET /v1/watch", func(w http.ResponseWriter, r *http.Request) { s.watch(stop, w, r) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if s.guests {
			s.fail(w, r, 0, guestRefused())
			return
		}
		s.fail(w, r, http.StatusNotFound, auth.Fail(auth.KindBadRequest, auth.Say("agent_has_no", r.Method+" "+r.URL.Path), auth.Say("hint_same_version")))
	})
	return s.guard(mux)
}

// guard refuses what a browser could have sent, and contains panics.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				s.Logger.Error("a request failed badly", "method", r.Method, "route", r.Pattern, "panic", p, "stack", string(debug.Stack()))
				s.fail(w, r, 0, auth.Fail(auth.KindFailed, auth.Say("agent_bug"), client.SeeLog()))
			}
		}()
		// A deadline of the request before would still hold.
		http.NewResponseController(w).SetWriteDeadline(time.Time{})
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set(client.VersionHeader, s.Version)
		if err := s.readBody(w, r); err != nil {
			s.fail(w, r, 0, err)
			return
		}
		if c, ok := r.Context().Value(connKey{}).(net.Conn); ok {
			received(c)
		}
		_, origin := r.Header["Origin"]
		_, referer := r.Header["Referer"]
		if origin || referer || r.Host != client.Host {
			s.fail(w, r, http.StatusForbidden, auth.Fail(auth.KindRefused, auth.Say("browser_refused"), auth.Say("hint_browser_refused")))
			return
		}
		if bus, err := url.PathUnescape(r.Header.Get(client.BusHeader)); err == nil && bus != "" && len(bus) <= client.MaxBus && s.Session != nil {
			s.Session(bus)
		}
		s.follow(r.Context())
		if p := s.edits.problems(); p != nil && !s.guests {
			h.Set(client.ConfigHeader, url.PathEscape(auth.Clip(p[0].Message, client.MaxConfigProblem)))
		}
		next.ServeHTTP(w, r)
	})
}

// answer writes what h returns as JSON; nil as {}.
func (s *Server) answer(h func(r *http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := h(r)
		if err != nil {
			s.fail(w, r, 0, err)
			return
		}
		if v == nil {
			v = struct{}{}
		}
		s.write(w, r, http.StatusOK, v)
	})
}

// fail writes err; code 0 means the one of its kind.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, code int, err error) {
	e, ok := errors.AsType[*auth.Error](err)
	if !ok {
		if r.Context().Err() != nil {
			return // nobody is listening
		}
		s.Logger.Warn("a request failed", "method", r.Method, "route", r.Pattern, "error", err)
		e = auth.Fail(auth.KindFailed, auth.Words(err.Error()), auth.Say("hint_agent_log", client.LogHint()))
	}
	if code == 0 {
		code = status(e.Kind)
	}
	s.write(w, r, code, e)
}

// sentAtOnce is how much a connection takes without its peer reading any of it. If
// it is the only answer, it needs no deadline.
const sentAtOnce = 4 << 10

func (s *Server) write(w http.ResponseWriter, r *http.Request, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	var b []byte
	if t, ok := v.(client.TokenAnswer); ok && r.Header.Get("Accept") == client.Plain {
		w.Header().Set("Content-Type", client.Plain)
		b = []byte(t.Lines())
	} else {
		var err error
		if b, err = json.Marshal(v); err != nil {
			s.Logger.Error("an answer cannot be written", "error", err)
			code, b = http.StatusInternalServerError, []byte(`{"error":"failed","message":"the agent has a bug: its answer cannot be written"}`)
		}
		b = append(b, '\n')
	}
	if !r.Close || len(b) > sentAtOnce {
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.patience.write))
	}
	w.WriteHeader(code)
	w.Write(b)
}

// readBody reads the whole body, bounded in size and time, before anything is
// answered: net/http would wait for the rest of one that nobody reads, without a
// limit. The handlers find it in r.Body.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request) error {
	if r.Body == http.NoBody {
		return nil
	}
	rc := http.NewResponseController(w)
	rc.SetReadDeadline(time.Now().Add(s.patience.body))
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, client.MaxRequest))
	if err != nil {
		// The deadline stays: net/http would wait for the rest of the body.
		w.Header().Set("Connection", "close")
		return auth.Fail(auth.KindBadRequest, auth.Say("request_too_big"), auth.Text{})
	}
	rc.SetReadDeadline(time.Time{}) // the engine may take its time
	r.Body = body(b)
	return nil
}

// body is a request body that is all there.
type body []byte

func (body) Read([]byte) (int, error) { return 0, io.EOF }
func (body) Close() error             { return nil }

// decode reads the body into v. No body leaves v as it is; anything but one
// JSON object of known fields is an error.
func decode(r *http.Request, v any) error {
	b, _ := r.Body.(body)
	if len(b) == 0 {
		return nil
	}
	return decodeStrict(b, v)
}

func named(h func(r *http.Request, name string) (any, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		name := r.PathValue("name")
		if err := auth.CheckName(name); err != nil {
			return nil, err
		}
		return h(r, name)
	}
}

// callerOf is the program that made a request: what it says of itself, and what
// the kernel says, with what led to it if that is wanted. That takes longer.
func callerOf(r *http.Request, deep bool) auth.Caller {
	claimed := ""
	if p, err := url.PathUnescape(r.Header.Get(client.ProgramHeader)); err == nil {
		claimed = auth.Clip(p, auth.MaxProgram)
	}
	if c, ok := r.Context().Value(connKey{}).(net.Conn); ok {
		return whoIs(c, claimed, deep)
	}
	return auth.Caller{Claimed: claimed}
}

func (s *Server) accounts(*http.Request) (any, error) {
	if snaps := s.Engine.Snapshots(); snaps != nil {
		return snaps, nil
	}
	return []auth.Snapshot{}, nil
}

func (s *Server) account(_ *http.Request, name string) (any, error) { return s.Engine.Snapshot(name) }

// accountIn reads the account that a request describes.
func (s *Server) accountIn(r *http.Request, name string) (auth.Account, error) {
	a := auth.Account{}
	if err := decode(r, &a); err != nil {
		return a, err
	}
	if a.Name != "" && a.Name != name {
		return a, auth.Fail(auth.KindBadRequest, auth.Say("request_two_names", name, a.Name), auth.Text{})
	}
	a.Name = name
	return s.File.Tidy(a), nil
}

// check says what is wrong with an account, also by its server's own word, and
// saves nothing.
func (s *Server) check(r *http.Request, name string) (any, error) {
	a, err := s.accountIn(r, name)
	if err != nil {
		return nil, err
	}
	if err := s.File.CheckAccount(a); err != nil {
		return nil, err
	}
	return nil, s.Engine.CheckAccount(r.Context(), a)
}

// put adds an account or replaces all of its settings.
func (s *Server) put(r *http.Request, name string) (any, error) {
	a, err := s.accountIn(r, name)
	if err != nil {
		return nil, err
	}
	release, err := s.lockAccount(r.Context(), name)
	if err != nil {
		return nil, err
	}
	defer release()
	if r.URL.Query().Get("new") == "true" {
		if err := s.refuseOther(a); err != nil {
			return nil, err
		}
	}
	if r.URL.Query().Get("register") == "true" {
		return s.register(r.Context(), a)
	}
	return s.set(a)
}

// register adds an account with a client that its server makes for it. What is
// wrong with the account is found before.
func (s *Server) register(ctx context.Context, a auth.Account) (any, error) {
	a.ClientID = "unregistered"
	if err := s.File.CheckAccount(a); err != nil {
		return nil, err
	}
	a, secret, err := s.Register(ctx, a)
	if err != nil {
		return nil, err
	}
	snap, err := s.set(a)
	if err == nil && !secret.IsZero() {
		err = s.Engine.SetClientSecret(ctx, a.Name, secret)
	}
	return snap, err
}

// set saves the account before the engine hears of it, and takes it back when
// the engine refuses. The caller holds the lock of the configuration.
func (s *Server) set(a auth.Account) (any, error) {
	undo, err := s.File.SaveAccount(a)
	if err != nil {
		return nil, err
	}
	defer s.saved()
	if err := s.Engine.SetAccount(a); err != nil {
		if undoErr := undo(); undoErr != nil {
			s.Logger.Error("a refused account stays in the configuration", "account", a.Name, "error", undoErr)
		}
		return nil, err
	}
	return s.Engine.Snapshot(a.Name)
}

// patch changes the settings that the request names (RFC 7396): the others stay
// as config.toml has them now, and an account that was removed stays removed.
func (s *Server) patch(r *http.Request, name string) (any, error) {
	var changes map[string]json.RawMessage
	if err := decode(r, &changes); err != nil {
		return nil, err
	}
	release, err := s.lockAccount(r.Context(), name)
	if err != nil {
		return nil, err
	}
	defer release()
	now, err := s.accountNow(name)
	if err != nil {
		return nil, err
	}
	a, err := patched(now, changes)
	if err != nil {
		return nil, err
	}
	return s.set(s.File.Tidy(a))
}

// patched is the account with some settings changed; null takes one away.
func patched(a auth.Account, changes map[string]json.RawMessage) (auth.Account, error) {
	all := map[string]json.RawMessage{}
	b, err := json.Marshal(a)
	if err == nil {
		err = json.Unmarshal(b, &all)
	}
	if err != nil {
		return auth.Account{}, err
	}
	for key, value := range changes {
		if all[key] = value; string(value) == "null" {
			delete(all, key)
		}
	}
	if b, err = json.Marshal(all); err != nil {
		return auth.Account{}, err
	}
	var to auth.Account
	if err := decodeStrict(b, &to); err != nil {
		return auth.Account{}, err
	}
	if to.Name != a.Name {
		return auth.Account{}, auth.Fail(auth.KindBadRequest, auth.Say("request_two_names", a.Name, to.Name), auth.Text{})
	}
	return to, nil
}

// refuseOther refuses an account whose name another has.
func (s *Server) refuseOther(a auth.Account) error {
	_, accounts, err := s.File.Load()
	if err != nil {
		return err
	}
	for _, b := range accounts {
		if b.Name == a.Name && !auth.SameAccount(a, b) {
			return auth.Fail(auth.KindBadRequest, auth.Say("account_exists", a.Name), auth.Say("hint_account_exists", s.File.Path(), a.Name))
		}
	}
	return nil
}

// config answers what the file says, which is what a change starts from.
func (s *Server) config(_ *http.Request, name string) (any, error) { return s.accountNow(name) }

// accountNow is an account as config.toml has it.
func (s *Server) accountNow(name string) (auth.Account, error) {
	_, accounts, err := s.File.Load()
	if err != nil {
		return auth.Account{}, err
	}
	for _, a := range accounts {
		if a.Name == name {
			return a, nil
		}
	}
	return auth.Account{}, auth.Fail(auth.KindUnknown, auth.Say("account_not_in", name, s.File.Path()), auth.Say("hint_add_there", name))
}

func (s *Server) settings(*http.Request) (any, error) {
	general, _, err := s.File.Load()
	if err != nil {
		return nil, err
	}
	return client.NewSettings(general), nil
}

// putSettings saves what belongs to no account, and passes it to the engine.
func (s *Server) putSettings(r *http.Request) (any, error) {
	release, err := s.lockConfig(r.Context()) // what the request leaves out must stay as it is until it is saved
	if err != nil {
		return nil, err
	}
	defer release()
	general, _, err := s.File.Load()
	if err != nil {
		return nil, err
	}
	in := client.NewSettings(general)
	if b, _ := r.Body.(body); len(b) == 0 {
		in = nil
	} else if err := decode(r, &in); err != nil {
		return nil, err
	}
	if in == nil {
		return nil, auth.Fail(auth.KindBadRequest, auth.Say("request_no_settings"), auth.Say("hint_settings"))
	}
	g, err := in.General()
	if err != nil {
		return nil, err
	}
	if _, err := s.File.SaveGeneral(g); err != nil {
		return nil, err
	}
	s.saved()
	s.Engine.SetGeneral(g)
	return client.NewSettings(g), nil
}

// remove forgets the configuration first: if the sign-out is interrupted, the
// account does not come back to life at the next start.
//
// Nobody else waits for the account's server with it.
func (s *Server) remove(r *http.Request, name string) (any, error) {
	release, err := s.lockAccount(r.Context(), name)
	if err != nil {
		return nil, err
	}
	if err := s.File.DeleteAccount(name); err != nil {
		release()
		return nil, err
	}
	s.saved()
	left := s.leave(name)
	release()
	defer left()
	// If the client hangs up now, the account must go all the same.
	return s.Engine.RemoveAccount(context.WithoutCancel(r.Context()), name)
}

func (s *Server) putSecret(r *http.Request, name string) (any, error) {
	var in client.SecretRequest
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	in.ClientSecret = strings.TrimSpace(in.ClientSecret) // a line end comes along when it is pasted
	if in.ClientSecret == "" {
		return nil, auth.Fail(auth.KindBadRequest, auth.Say("client_secret_empty"), auth.Text{})
	}
	return nil, s.Engine.SetClientSecret(r.Context(), name, auth.NewSecret(in.ClientSecret))
}

func (s *Server) signIn(r *http.Request, name string) (any, error) {
	var in auth.SignInRequest
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	return s.Engine.StartSignIn(r.Context(), name, in)
}

func (s *Server) cancelSignIn(_ *http.Request, name string) (any, error) {
	return nil, s.Engine.CancelSignIn(name)
}

func (s *Server) token(r *http.Request, name string) (any, error) {
	in := client.TokenRequest{MinValid: client.AnyValidity}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if in.ID && (in.Exchange != nil || in.DPoP != nil) {
		return nil, auth.Fail(auth.KindBadRequest, auth.Say("id_token_alone"), auth.Text{})
	}
	if s.guests && in.Exchange != nil && in.Exchange.Refresh {
		return nil, guestRefused()
	}
	t, err := s.Engine.Token(r.Context(), name, auth.TokenRequest{
		MinValid: time.Duration(in.MinValid), Best: in.Best, MaxWait: time.Duration(in.MaxWait), Proof: in.DPoP, ID: in.ID, Exchange: in.Exchange,
		Program: callerOf(r, false).Name(), Caller: func() auth.Caller { return callerOf(r, true) },
	})
	if err != nil {
		return nil, err
	}
	return client.NewTokenAnswer(t), nil
}

// answerAsk takes what a person says to a program that waits for consent.
func (s *Server) answerAsk(r *http.Request, name string) (any, error) {
	var in client.AnswerRequest
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	return nil, s.Consent.Answer(name, r.PathValue("id"), in.Answer)
}

func (s *Server) refresh(r *http.Request, name string) (any, error) {
	return s.Engine.Refresh(r.Context(), name, callerOf(r, false).Name())
}

func (s *Server) signOut(r *http.Request, name string) (any, error) {
	return s.Engine.SignOut(context.WithoutCancel(r.Context()), name)
}

func (s *Server) events(r *http.Request, name string) (any, error) {
	n := client.DefaultEvents
	if q := r.URL.Query().Get("n"); q != "" {
		var err error
		if n, err = strconv.Atoi(q); err != nil || n < 1 || n > client.MaxEvents {
			return nil, auth.Fail(auth.KindBadRequest, auth.Say("events_number", client.MaxEvents), auth.Text{})
		}
	}
	if name != "" {
		if _, err := s.Engine.Snapshot(name); err != nil {
			return nil, err
		}
	}
	if e := s.Engine.Events(name, n); e != nil {
		return e, nil
	}
	return []auth.Event{}, nil
}

func (s *Server) pause(r *http.Request) (any, error) {
	var in struct {
		Paused *bool `json:"paused"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if in.Paused == nil {
		return nil, auth.Fail(auth.KindBadRequest, auth.Say("request_no_pause"), auth.Say("hint_pause"))
	}
	if err := s.Engine.SetPaused(*in.Paused); err != nil {
		return nil, err
	}
	return client.PauseRequest{Paused: *in.Paused}, nil
}

// watch writes all snapshots on one line, now and after every change. When
// nothing happened for a while it writes an empty line, so that each end
// notices when the other is gone. A peer that does not read is cut off.
func (s *Server) watch(stop context.Context, w http.ResponseWriter, r *http.Request) {
	select {
	case s.watchers <- struct{}{}:
		defer func() { <-s.watchers }()
	default:
		s.fail(w, r, 0, auth.Fail(auth.KindUnavailable, auth.Say("too_many_watchers"), auth.Say("hint_close_some")))
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(stop, cancel)()

	rc := http.NewResponseController(w)
	w.Header().Set("Content-Type", "application/x-ndjson")
	limit := func() { rc.SetWriteDeadline(time.Now().Add(s.patience.write)) }
	defer limit() // for the end of the answer
	send := func(line []byte) bool {
		limit()
		if _, err := w.Write(append(line, '\n')); err != nil || rc.Flush() != nil {
			return false
		}
		rc.SetWriteDeadline(time.Time{}) // its timer would wake the agent for nothing
		return true
	}
	changes := s.Engine.Watch(ctx)
	for beats := 0; ; {
		beat := time.NewTimer(auth.UntilNext(time.Now(), s.patience.beat))
		select {
		case snaps, ok := <-changes:
			beat.Stop()
			if !ok {
				return
			}
			line, err := json.Marshal(snaps)
			if err != nil {
				s.Logger.Error("a snapshot cannot be written", "error", err)
				return
			}
			if !send(line) {
				return
			}
		case <-beat.C:
			if beats++; beats%looks == 0 {
				s.follow(ctx)
			}
			if !send(nil) {
				return
			}
		}
	}
}
