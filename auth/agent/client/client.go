package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"curfew/auth"
)

// Client speaks the local API. Its methods return an [*auth.Error] for
// everything that went wrong, with Kind auth.KindNotRunning when no agent
// answers. It is safe for concurrent use.
//
// Each request has its own connection. To dial a UNIX socket is cheap (`make
// bench` has it in each row), and no dead connection is left over from an agent
// that was restarted.
type Client struct {
	socket string
	chosen bool                   // by the caller, who must pass it to an agent that is started for it
	err    *auth.Error            // why there is no socket to speak to
	agent  atomic.Pointer[string] // the version of the agent that answered last
	config atomic.Pointer[string] // what it said of config.toml
}

// NewClient returns a client of the agent behind socket; "" means
// [DefaultSocket].
func NewClient(socket string) *Client {
	c := &Client{socket: socket, chosen: socket != ""}
	if socket == "" {
		var err error
		if c.socket, err = DefaultSocket(); err != nil {
			c.err = auth.Fail(auth.KindNotRunning, auth.Words(err.Error()), auth.Say("hint_socket_path"))
		}
	}
	if c.err == nil {
		c.err = WrongUser(c.socket)
	}
	return c
}

// WrongUser says whether this runs in another user's directories, and so must
// neither ask the agent at socket, nor start one, nor write there. The socket is
// "" if there is none.
func WrongUser(socket string) *auth.Error {
	var paths []string
	if socket != "" {
		paths = append(paths, filepath.Dir(socket))
	}
	if path, err := auth.ConfigPath(); err == nil {
		paths = append(paths, path)
	}
	if dir, err := auth.StateDir(); err == nil {
		paths = append(paths, dir)
	}
	e, _ := errors.AsType[*auth.Error](auth.CheckOwner(paths...))
	return e
}

// Socket returns the path (Windows: the pipe's name) that c speaks to.
func (c *Client) Socket() string { return c.socket }

// AgentVersion is the version of the agent that answered last; "" before the
// first answer, and of an agent that does not say.
func (c *Client) AgentVersion() string {
	if v := c.agent.Load(); v != nil {
		return *v
	}
	return ""
}

// ConfigProblem is why not all of config.toml held when the agent answered last; ""
// if all of it did. `curfew doctor` has more.
func (c *Client) ConfigProblem() string {
	if p := c.config.Load(); p != nil {
		return *p
	}
	return ""
}

// Time limits of the agent's answer. What it has in memory comes quickly.
// Others wait for the network, for the keychain or for a person to unlock it.
//
// An agent that leaves a question for others open is asked another one after
// [quick], to see whether it answers at all.
var (
	quick     = 10 * time.Second // tests change this and the last
	long      = 150 * time.Second
	aliveTime = 2 * time.Second // for that other one
)

// Accounts lists every account's snapshot, by name.
func (c *Client) Accounts(ctx context.Context) ([]auth.Snapshot, error) {
	var s []auth.Snapshot
	return s, c.do(ctx, quick, "GET", "/v1/accounts", "", nil, &s)
}

// Account returns one account's snapshot.
func (c *Client) Account(ctx context.Context, name string) (auth.Snapshot, error) {
	var s auth.Snapshot
	return s, c.account(ctx, quick, "GET", name, "", "", nil, &s)
}

// Add adds an account's configuration. An existing account with other settings
// stays as it is, and the error says so.
func (c *Client) Add(ctx context.Context, a auth.Account) error {
	return c.account(ctx, long, "PUT", a.Name, "?new=true", "", a, nil)
}

// Register adds an account with a client that its server makes for it. The
// account has no client ID.
func (c *Client) Register(ctx context.Context, a auth.Account) error {
	return c.account(ctx, long, "PUT", a.Name, "?new=true&register=true", "", a, nil)
}

// Check says what is wrong with an account's configuration, also by the word of
// its server where that can be reached, and saves nothing.
func (c *Client) Check(ctx context.Context, a auth.Account) error {
	return c.account(ctx, long, "POST", a.Name, "/check", "", a, nil)
}

// Put adds or changes an account's configuration.
func (c *Client) Put(ctx context.Context, a auth.Account) error {
	return c.account(ctx, long, "PUT", a.Name, "", "", a, nil)
}

// Edit changes an account's configuration where after differs from before. What
// config.toml says otherwise since before was read stays, and an account that
// was removed is not added again.
func (c *Client) Edit(ctx context.Context, before, after auth.Account) error {
	var was, is map[string]json.RawMessage
	for a, to := range map[*auth.Account]*map[string]json.RawMessage{&before: &was, &after: &is} {
		b, err := json.Marshal(a)
		if err == nil {
			err = json.Unmarshal(b, to)
		}
		if err != nil {
			return err
		}
	}
	changes := map[string]json.RawMessage{}
	for key, value := range is {
		if !bytes.Equal(value, was[key]) {
			changes[key] = value
		}
	}
	for key := range was {
		if _, ok := is[key]; !ok {
			changes[key] = json.RawMessage("null")
		}
	}
	return c.account(ctx, long, "PATCH", after.Name, "", "", changes, nil)
}

// Config returns an account's configuration, as config.toml has it: what a
// change by Edit starts from.
func (c *Client) Config(ctx context.Context, name string) (auth.Account, error) {
	var a auth.Account
	return a, c.account(ctx, quick, "GET", name, "/config", "", nil, &a)
}

// Settings returns what config.toml says of no account in particular.
func (c *Client) Settings(ctx context.Context) (auth.General, error) {
	var m Settings
	if err := c.do(ctx, quick, "GET", "/v1/settings", "", nil, &m); err != nil {
		return auth.General{}, err
	}
	return m.General()
}

// PutSettings saves all of g in config.toml and makes it take effect at once. A
// live session that exceeds the new limits ends.
func (c *Client) PutSettings(ctx context.Context, g auth.General) error {
	return c.do(ctx, long, "PUT", "/v1/settings", "", NewSettings(g), nil)
}

// PutClientSecret keeps the client secret of a configured account in the keychain.
func (c *Client) PutClientSecret(ctx context.Context, name, secret string) error {
	return c.account(ctx, long, "PUT", name, "/client-secret", "", SecretRequest{secret}, nil)
}

// DeleteClientSecret deletes an account's client secret from the keychain.
func (c *Client) DeleteClientSecret(ctx context.Context, name string) error {
	return c.account(ctx, long, "DELETE", name, "/client-secret", "", nil, nil)
}

// Remove signs the account out and removes it from the configuration.
func (c *Client) Remove(ctx context.Context, name string) (auth.SignOutResult, error) {
	var r auth.SignOutResult
	return r, c.account(ctx, long, "DELETE", name, "", "", nil, &r)
}

// SignIn starts a sign-in, or joins the one that runs.
func (c *Client) SignIn(ctx context.Context, name string, r auth.SignInRequest) (auth.SignInStarted, error) {
	var s auth.SignInStarted
	return s, c.account(ctx, long, "POST", name, "/sign-in", "", r, &s)
}

// CancelSignIn ends a running sign-in; the session that was there stays.
func (c *Client) CancelSignIn(ctx context.Context, name string) error {
	return c.account(ctx, quick, "DELETE", name, "/sign-in", "", nil, nil)
}

// Token returns an access token that is valid for at least minValid. program
// names the caller for the log. If it is "" the agent finds out.
func (c *Client) Token(ctx context.Context, name string, minValid time.Duration, program string) (auth.Token, error) {
	return c.RequestToken(ctx, name, auth.TokenRequest{MinValid: minValid, Program: program})
}

// RequestToken returns an access token, or the ID token.
func (c *Client) RequestToken(ctx context.Context, name string, r auth.TokenRequest) (auth.Token, error) {
	var a TokenAnswer
	if err := c.account(ctx, long, "POST", name, "/token", r.Program, tokenBody(r), &a); err != nil {
		return auth.Token{}, err
	}
	return a.token(), nil
}

// TokenLines returns what `curfew token` prints: see [TokenAnswer.Lines]. A program
// that starts for one token needs no JSON for it.
func (c *Client) TokenLines(ctx context.Context, name string, r auth.TokenRequest) (auth.Secret, error) {
	var lines string
	err := c.account(ctx, long, "POST", name, "/token", r.Program, tokenBody(r), &lines)
	return auth.NewSecret(lines), err
}

// tokenBody is what r asks for, or nil for what the agent gives by default.
func tokenBody(r auth.TokenRequest) any {
	in := map[string]any{}
	if r.MinValid >= 0 {
		in["min_valid"] = Span(r.MinValid)
	}
	if r.Best {
		in["best"] = true
	}
	if r.MaxWait > 0 {
		in["max_wait"] = Span(r.MaxWait)
	}
	if r.Exchange != nil {
		in["exchange"] = r.Exchange
	}
	if r.ID {
		in["id"] = true
	}
	if r.Proof != nil {
		in["dpop"] = r.Proof
	}
	if len(in) == 0 {
		return nil
	}
	return in
}

// Answer says whether a program that waits may have tokens: see [auth.Ask].
func (c *Client) Answer(ctx context.Context, name, id string, answer auth.Answer) error {
	return c.account(ctx, quick, "POST", name, "/asks/"+url.PathEscape(id), "", AnswerRequest{answer}, nil)
}

// Revoke forgets an answer: see [auth.Permit].
func (c *Client) Revoke(ctx context.Context, name, id string) error {
	return c.account(ctx, quick, "DELETE", name, "/permits/"+url.PathEscape(id), "", nil, nil)
}

// Refresh spends one refresh now, whatever the plan says.
func (c *Client) Refresh(ctx context.Context, name, program string) (auth.Snapshot, error) {
	var s auth.Snapshot
	return s, c.account(ctx, long, "POST", name, "/refresh", program, nil, &s)
}

// SignOut ends the session here, revokes it at the server and erases it.
func (c *Client) SignOut(ctx context.Context, name string) (auth.SignOutResult, error) {
	var r auth.SignOutResult
	return r, c.account(ctx, long, "POST", name, "/sign-out", "", nil, &r)
}

// Events returns the newest n events of an account, oldest first; name "" means all accounts.
func (c *Client) Events(ctx context.Context, name string, n int) ([]auth.Event, error) {
	var e []auth.Event
	query := "?n=" + strconv.Itoa(n)
	if name == "" {
		return e, c.do(ctx, quick, "GET", "/v1/events"+query, "", nil, &e)
	}
	return e, c.account(ctx, quick, "GET", name, "/events"+query, "", nil, &e)
}

// Forecast says when the account's session will end if use goes on as it was,
// and what each refresh mode would cost.
func (c *Client) Forecast(ctx context.Context, name string) (auth.ForecastReport, error) {
	var r auth.ForecastReport
	return r, c.account(ctx, quick, "GET", name, "/forecast", "", nil, &r)
}

// Pause pauses or resumes background refresh for every account.
func (c *Client) Pause(ctx context.Context, paused bool) error {
	return c.do(ctx, quick, "PUT", "/v1/pause", "", PauseRequest{paused}, nil)
}

// Unlock makes the agent ask the person to unlock the keychain, in the prompt
// of the OS. It waits for them.
func (c *Client) Unlock(ctx context.Context) error {
	return c.do(ctx, long, "POST", "/v1/unlock", "", nil, nil)
}

// Doctor returns what the agent found when it checked itself.
func (c *Client) Doctor(ctx context.Context) ([]Check, error) {
	var checks []Check
	return checks, c.do(ctx, long, "GET", "/v1/doctor", "", nil, &checks)
}

// Providers lists the presets that the agent knows.
func (c *Client) Providers(ctx context.Context) ([]auth.Provider, error) {
	var p []auth.Provider
	return p, c.do(ctx, quick, "GET", "/v1/providers", "", nil, &p)
}

// Version says which agent answers.
func (c *Client) Version(ctx context.Context) (Version, error) {
	var v Version
	return v, c.do(ctx, quick, "GET", "/v1/version", "", nil, &v)
}

// Watch calls f with all snapshots, at once and after every change, until ctx
// ends or the agent goes away or falls silent (the error says so).
func (c *Client) Watch(ctx context.Context, f func([]auth.Snapshot)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silent := time.AfterFunc(quick, func() { cancel(errSilent) })
	defer silent.Stop()

	res, err := c.send(ctx, "GET", "/v1/watch", "", nil)
	if err != nil {
		return err
	}
	defer res.close()
	lines := bufio.NewScanner(res.body)
	lines.Buffer(nil, MaxAnswer)
	for lines.Scan() {
		silent.Reset(3 * Heartbeat)
		if len(lines.Bytes()) == 0 {
			continue
		}
		var s []auth.Snapshot
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			return garbled(err)
		}
		f(s)
	}
	err = lines.Err()
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return c.broken(ctx, err)
}

var errSilent = errors.New("no answer in time")

// account is do for a path below /v1/accounts/{name}.
func (c *Client) account(ctx context.Context, limit time.Duration, method, name, rest, program string, in, out any) error {
	if err := auth.CheckName(name); err != nil {
		return err
	}
	return c.do(ctx, limit, method, "/v1/accounts/"+url.PathEscape(name)+rest, program, in, out)
}

// do sends one request and decodes its answer into out (nil: dropped). If out is a
// *string, it asks for lines of text.
func (c *Client) do(ctx context.Context, limit time.Duration, method, path, program string, in, out any) error {
	ctx, cancel := within(ctx, c.socket, limit)
	defer cancel()
	var header []string
	lines, plain := out.(*string)
	if plain {
		header = append(header, "Accept: "+Plain)
	}
	res, err := c.send(ctx, method, path, program, in, header...)
	if err != nil {
		return err
	}
	defer res.close()
	body := io.LimitReader(res.body, MaxAnswer)
	switch {
	case plain:
		*lines, err = res.lines(body)
	case out != nil:
		err = json.NewDecoder(body).Decode(out)
	}
	if err != nil && (ctx.Err() != nil || errors.Is(err, errSilent)) {
		return c.broken(ctx, err)
	}
	if err != nil {
		return garbled(err)
	}
	return nil
}

// within limits ctx. If nothing else can end ctx, the kernel keeps the time for
// [connect]: to start a timer takes longer than to wait for the answer.
func within(ctx context.Context, socket string, limit time.Duration) (context.Context, context.CancelFunc) {
	if ctx.Done() == nil && kernelKeepsTime {
		return expiring{ctx, time.Now().Add(limit)}, func() {}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errSilent)
	if limit <= quick {
		return ctx, cancel
	}
	ctx, fall := context.WithCancelCause(ctx)
	check := time.AfterFunc(quick, func() {
		if isSilent(ctx, socket) {
			fall(errSilent)
		}
	})
	return ctx, func() { check.Stop(); fall(nil); cancel() }
}

// isSilent reports whether the agent at socket takes a question and does not answer
// it.
func isSilent(ctx context.Context, socket string) bool {
	ctx, cancel := context.WithTimeoutCause(ctx, aliveTime, errSilent)
	defer cancel()
	res, err := (&Client{socket: socket}).exchange(ctx, "GET", "/v1/version", nil, nil)
	if err == nil {
		res.close()
	}
	return err != nil && errors.Is(context.Cause(ctx), errSilent)
}

// expiring is a context that has a deadline and no timer.
type expiring struct {
	context.Context
	deadline time.Time
}

func (c expiring) Deadline() (time.Time, bool) { return c.deadline, true }

// send returns a successful response, which the caller closes.
func (c *Client) send(ctx context.Context, method, path, program string, in any, header ...string) (*response, error) {
	if c.err != nil {
		return nil, c.err
	}
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return nil, auth.Fail(auth.KindBadRequest, auth.Say("request_not_json", err), auth.Text{})
		}
		header = append(header, "Content-Type: application/json")
	}
	// An agent that ssh or cron started, or whose desktop has ended, learns of
	// the session that a person is in now.
	if bus := os.Getenv("DBUS_SESSION_BUS_ADDRESS"); bus != "" && len(bus) <= MaxBus {
		header = append(header, BusHeader+": "+url.PathEscape(bus))
	}
	if p := auth.Clip(program, auth.MaxProgram); p != "" {
		header = append(header, ProgramHeader+": "+url.PathEscape(p))
	}
	res, err := c.exchange(ctx, method, path, header, body)
	// The agent hangs up on a client that was too slow to ask, as every client
	// is on a machine that is too busy. A request that changes nothing can be
	// sent again.
	for range 2 {
		if repeatable := method == "GET" || strings.HasSuffix(path, "/token"); err == nil || !repeatable || !isCut(err) {
			break
		}
		res, err = c.exchange(ctx, method, path, header, body)
	}
	if err != nil {
		return nil, c.broken(ctx, err)
	}
	if v := auth.Clip(res.version, 64); v != "" {
		c.agent.Store(&v)
	}
	if p, err := url.PathUnescape(res.config); err == nil {
		p = auth.Clip(p, MaxConfigProblem)
		c.config.Store(&p)
	}
	if res.code < 300 {
		return res, nil
	}
	defer res.close()
	var e auth.Error
	if err := json.NewDecoder(io.LimitReader(res.body, MaxRequest)).Decode(&e); err != nil || e.Kind == "" {
		return nil, auth.Fail(auth.KindFailed, auth.Say("agent_answered", res.status), auth.Say("hint_other_program", c.socket))
	}
	return nil, &e
}

// broken turns a transport error into words.
func (c *Client) broken(ctx context.Context, err error) *auth.Error {
	var refused *peerError
	switch {
	case errors.Is(context.Cause(ctx), errSilent), errors.Is(err, errSilent):
		return auth.Fail(auth.KindNotRunning, auth.Say(silent, c.who()), auth.Say("hint_restart_agent"))
	case ctx.Err() != nil:
		return auth.Fail(auth.KindFailed, auth.Say("stopped_waiting"), auth.Text{})
	case errors.As(err, &refused):
		return auth.Fail(auth.KindNotRunning, auth.Words(refused.Error()), auth.Say("hint_remove_socket"))
	case isBusy(err):
		return auth.Fail(auth.KindUnavailable, auth.Say("agent_busy"), auth.Say("hint_retry_soon"))
	case isNobody(err):
		return auth.Fail(auth.KindNotRunning, auth.Say("agent_not_running"), auth.Say("hint_start_agent"))
	default:
		return auth.Fail(auth.KindNotRunning, auth.Say("agent_gone", c.socket, err), auth.Say("hint_agent_gone", LogHint()))
	}
}

// silent is the id of what is said of an agent that takes requests and does not
// answer. To start another one does not help.
const silent = "agent_silent"

// who names the agent that listens, with its process where the system tells.
func (c *Client) who() auth.Text {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := Dial(ctx, c.socket)
	if err != nil {
		return auth.Say("the_agent")
	}
	defer conn.Close()
	if pid := processOf(conn); pid > 0 {
		return auth.Say("the_agent_process", pid)
	}
	return auth.Say("the_agent")
}

// isCut reports whether the connection ended before an answer came.
func isCut(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func garbled(err error) *auth.Error {
	return auth.Fail(auth.KindFailed, auth.Say("agent_invalid", err), auth.Say("hint_other_version"))
}

// DialPatiently dials socket. A UNIX socket whose backlog is full refuses at
// once, where TCP would wait. Measured, half of 10,000 simultaneous connects
// were refused. So we wait, with jitter, until ctx ends.
func DialPatiently(ctx context.Context, socket string) (net.Conn, error) {
	for wait := time.Millisecond; ; wait = min(2*wait, 64*time.Millisecond) {
		conn, err := Dial(ctx, socket)
		if err == nil || !isBusy(err) {
			return conn, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(rand.N(2 * wait)):
		}
	}
}

// A peerError means that the program at the socket is not this user's.
type peerError struct{ what string }

func (e *peerError) Error() string { return e.what }
