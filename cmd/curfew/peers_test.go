//go:build linux

package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"curfew/auth"
	"curfew/auth/agent/client"
	"curfew/auth/authserver/peers"
	"curfew/auth/authserver/robot"
	"curfew/auth/oauth"
	"curfew/auth/oauth/standin"
)

var peersTable = flag.Bool("peers", false, "do everything at every server, those of others included, and print a table")

// A road is what a person does at one server. Each step runs the real program,
// with an agent that keeps nothing.
type road struct {
	t       *testing.T
	name    string
	stand   *standin.Server // nil at a real server
	real    peers.Server
	flags   []string // of `curfew add`
	id      string   // the client's
	secret  string
	browser func() *robot.Browser
	env     []string
	dir     string
	socket  string

	cells map[string]string
	not   map[string]string // steps that cannot be, with the reason
}

// steps are the columns of the table. Each says what is wrong, "" for nothing.
var steps = []struct {
	name string
	step func(*road) string
}{
	{"sign-in", (*road).signIn}, {"token", (*road).token}, {"3 refreshes", (*road).refreshes}, {"background refresh", (*road).background},
	{"dead token", (*road).dead}, {"revoke", (*road).revoke}, {"deny", (*road).deny}, {"wrong client", (*road).wrongClient}, {"device", (*road).device},
	{"PAR", (*road).pushed}, {"DPoP", (*road).proves}, {"no refresh token", (*road).noRefresh}, {"no lifetime", (*road).noLifetime},
}

// TestProviders signs in at every provider as a person does: no endpoint is
// typed, and a secret is asked for only where it is needed.
func TestProviders(t *testing.T) {
	var mu sync.Mutex
	var roads []*road
	keep := func(r *road) {
		mu.Lock()
		defer mu.Unlock()
		roads = append(roads, r)
	}
	t.Run("all", func(t *testing.T) {
		for _, in := range standin.StandIns {
			t.Run(in.Name, func(t *testing.T) {
				t.Parallel()
				r := newRoad(t, in)
				keep(r)
				r.walk()
			})
		}
		if *peersTable {
			realPeers(t, keep)
		}
	})
	if *peersTable {
		printPeers(roads)
	}
}

// newRoad is the road to a stand-in under its real name, behind a proxy and a
// private authority.
func newRoad(t *testing.T, in standin.StandIn) *road {
	s := standin.NewServer(t, in)
	w := standin.NewWorld(t, s)
	r := &road{t: t, name: in.Name, stand: s, id: standin.ClientID, flags: []string{"--provider", in.Name}, cells: map[string]string{}, not: map[string]string{},
		env:     []string{"HTTPS_PROXY=" + w.Proxy, "https_proxy=" + w.Proxy, "SSL_CERT_FILE=" + w.CAFile},
		browser: func() *robot.Browser { return &robot.Browser{Transport: w.Transport(t)} }}
	if in.Typed != "" {
		r.flags = append(r.flags, "--issuer", in.Typed)
	}
	if s.NeedsSecret() {
		r.secret = standin.ClientSecret
	}
	for name, has := range map[string]bool{"PAR": in.Pushes, "DPoP": in.Binds} {
		if !has {
			r.not[name] = "its documentation names none"
		}
	}
	if in.Name == "dex" {
		r.not["revoke"] = noWay
	}
	if !s.OffersDevices() {
		r.not["device"] = "it has none"
	}
	if in.NoRenew {
		for _, name := range []string{"3 refreshes", "background refresh", "dead token"} {
			r.not[name] = noRenewal
		}
	}
	if port := s.FixedPort(); port != "" {
		fixedPort.Lock()
		defer fixedPort.Unlock()
		if ln, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			ln.Close()
		} else { // another run of this test has it
			free := freePort()
			r.flags = append(r.flags, "--redirect", strings.Replace(s.Redirect, ":"+port, ":"+free, 1))
			s.Redirect = strings.Replace(s.Redirect, ":"+port, ":"+free, 1)
		}
	}
	r.start()
	return r
}

// fixedPort is held by who signs in where the redirect URI has a certain port.
var fixedPort sync.Mutex

func freePort() string {
	for {
		port := strconv.Itoa(20_000 + rand.IntN(10_000)) // the kernel gives these to nobody who asks for any
		if ln, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			ln.Close()
			return port
		}
	}
}

// start runs the agent of this road.
func (r *road) start() {
	t := r.t
	r.dir = t.TempDir()
	runtime, err := os.MkdirTemp("", "road") // a socket's path is short; a test's directory need not be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(runtime) })
	r.socket = filepath.Join(runtime, "curfew", "agent.sock")
	r.env = slices.Concat(os.Environ(), []string{"HOME=" + r.dir, "XDG_RUNTIME_DIR=" + runtime, "XDG_CONFIG_HOME=" + filepath.Join(r.dir, "config"),
		"XDG_STATE_HOME=" + filepath.Join(r.dir, "state"), "DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent", "GORACE=atexit_sleep_ms=0"}, r.env) // or each command sleeps for a second at its end
	c := exec.Command("curfew", "agent", "--memory")
	c.Env, c.Dir = r.env, r.dir
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Signal(syscall.SIGTERM); c.Wait() })
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ; <-tick.C { // or a command would start another, with a keychain
		if _, err := client.NewClient(r.socket).Version(t.Context()); err == nil {
			return
		}
		if time.Since(began) > time.Minute {
			t.Fatal("the agent does not start")
		}
	}
}

// walk takes the steps one after the other. Without -peers, the first ones that
// everybody takes.
func (r *road) walk() {
	for _, s := range steps {
		switch why := r.not[s.name]; {
		case !*peersTable && s.name == "3 refreshes":
			return
		case why != "":
			r.cells[s.name] = why
		case s.step != nil:
			r.cells[s.name] = "yes"
			if wrong := s.step(r); wrong != "" {
				r.cells[s.name] = "NO"
				r.t.Errorf("%s: %s", s.name, wrong)
			}
		}
	}
}

// run runs curfew.
func (r *road) run(stdin string, args ...string) (stdout, stderr string, code int) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "curfew", args...)
	var out, errs bytes.Buffer
	c.Env, c.Dir, c.Stdin, c.Stdout, c.Stderr = r.env, r.dir, strings.NewReader(stdin), &out, &errs
	if _, exited := errors.AsType[*exec.ExitError](c.Run()); !exited && c.ProcessState == nil {
		r.t.Fatal("curfew does not run")
	}
	return strings.TrimSpace(out.String()), strings.TrimSpace(errs.String()), c.ProcessState.ExitCode()
}

// add adds an account.
func (r *road) add(name, id string, more ...string) {
	r.t.Helper()
	args := slices.Concat([]string{"add", name, "--client-id", id}, r.flags, more)
	if out, errs, code := r.run(r.secret, args...); code != 0 {
		r.t.Fatalf("curfew %v: %d\n%s\n%s", args, code, out, errs)
	}
}

// login signs in with a scripted browser. It returns what was said and the exit
// code. A person who is not led back gives up.
func (r *road) login(name string, person *robot.Browser, flags ...string) (said string, code int) {
	r.t.Helper()
	if r.stand != nil && r.stand.FixedPort() != "" {
		fixedPort.Lock()
		defer fixedPort.Unlock()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "curfew", slices.Concat([]string{"login", name, "--no-browser"}, flags)...)
	var errs bytes.Buffer
	c.Env, c.Dir, c.Stderr = r.env, r.dir, &errs
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		r.t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	address, _ := lines.ReadString('\n')
	gaveUp := ""
	if strings.HasPrefix(address, "http") {
		if person == nil {
			person = r.browser()
		}
		onDevice := slices.Contains(flags, "--device") || r.stand != nil && r.stand.Device
		page, err := person.Visit(ctx, strings.TrimSpace(address))
		if !page.Arrived && !onDevice {
			gaveUp = fmt.Sprintf("the person gives up at a page (%d) %s: %v\n", page.Status, page.Text, err)
			c.Process.Signal(os.Interrupt)
		}
	}
	rest, _ := io.ReadAll(lines)
	c.Wait()
	return gaveUp + address + string(rest) + errs.String(), c.ProcessState.ExitCode()
}

// status returns the account's snapshot.
func (r *road) status(name string) (s auth.Snapshot) {
	r.t.Helper()
	out, errs, code := r.run("", "status", name, "--json")
	if code != 0 || json.Unmarshal([]byte(out), &s) != nil {
		r.t.Fatalf("curfew status: %d\n%s\n%s", code, out, errs)
	}
	return s
}

// feel sets a stand-in's mood for a sign-in to an account of its own.
func (r *road) feel(m standin.Mood, name string, flags ...string) (said string, code int) {
	r.stand.Feel(m)
	r.add(name, r.id, flags...)
	defer r.stand.Feel(standin.Mood{})
	return r.login(name, nil)
}

func (r *road) signIn() string {
	r.add("x", r.id)
	said, code := r.login("x", nil)
	if code != 0 {
		r.t.Fatal(said)
	}
	if r.stand != nil && !strings.Contains(said, "signed in as "+r.stand.Want+":") && r.stand.Want != "" {
		return "not shown as " + r.stand.Want + ": " + said
	}
	return ""
}

// tokenOf prints a token of an account. Real servers give ones that soon end.
func (r *road) tokenOf(name string) (token, wrong string) {
	args := []string{"token", name}
	if r.stand == nil {
		args = append(args, "--min-valid", "1s")
	}
	out, errs, code := r.run("", args...)
	if code != 0 || out == "" || strings.Contains(out, "\n") {
		return "", fmt.Sprintf("%d %s", code, errs)
	}
	return out, ""
}

func (r *road) token() string {
	token, wrong := r.tokenOf("x")
	if wrong == "" && r.stand != nil && token != "at-1" {
		wrong = "another token"
	}
	return wrong
}

func (r *road) refreshes() string {
	seen := map[string]bool{}
	for range 3 {
		if _, errs, code := r.run("", "refresh", "x"); code != 0 {
			return errs
		}
		token, wrong := r.tokenOf("x")
		if wrong != "" || seen[token] {
			return cmp.Or(wrong, "the same token again")
		}
		seen[token] = true
	}
	if s := r.status("x"); s.RefreshesUsed < 3 {
		return fmt.Sprintf("%d refreshes used", s.RefreshesUsed)
	}
	return ""
}

// background waits until a token is replaced although nobody asks.
func (r *road) background() string {
	if r.stand != nil {
		if said, code := r.feel(standin.Mood{Life: 5 * time.Second}, "b", "--refresh", "always"); code != 0 {
			return said
		}
		r.stand.Feel(standin.Mood{Life: 5 * time.Second})
		defer r.stand.Feel(standin.Mood{})
	} else {
		r.add("b", r.id, "--refresh", "always")
		if said, code := r.login("b", nil); code != 0 {
			return said
		}
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	wrong := "none within a minute"
	client.NewClient(r.socket).Watch(ctx, func(all []auth.Snapshot) {
		for _, s := range all {
			if s.Name == "b" && s.RefreshesUsed > 0 && !s.LastRefreshAt.IsZero() {
				wrong = ""
				cancel()
			}
		}
	})
	r.run("", "logout", "b")
	return wrong
}

// dead uses a refresh token that has been used before, or revoked.
func (r *road) dead() string {
	if r.stand != nil {
		r.stand.Forget()
		_, errs, code := r.run("", "refresh", "x")
		if s := r.status("x"); code != 3 || s.State != auth.Ended {
			return fmt.Sprintf("exit code %d, %s: %s", code, s.State, errs)
		}
		return ""
	}
	c, grant, wrong := r.client()
	if wrong != "" {
		return wrong
	}
	from := oauth.Origin{Identity: grant.Identity, Endpoints: grant.Endpoints, Key: grant.Key}
	if _, err := c.Refresh(r.t.Context(), grant.RefreshToken, from); err != nil {
		return err.Error()
	}
	_, err := c.Refresh(r.t.Context(), grant.RefreshToken, from)
	return r.isDead(err)
}

func (r *road) isDead(err error) string {
	if e, ok := errors.AsType[*oauth.Error](err); !ok || e.Class != oauth.Dead {
		return fmt.Sprintf("not known as dead: %v", err)
	}
	return ""
}

// client signs in without the agent, whose tokens nobody sees.
func (r *road) client() (*oauth.Client, oauth.Grant, string) {
	config := oauth.Config{ClientID: r.id, ClientSecret: auth.NewSecret(r.secret), Scopes: r.values("--scope"), Resource: r.values("--resource")}
	for flag, field := range map[string]*string{"--dpop": &config.DPoP, "--client-auth": &config.ClientAuth, "--issuer": &config.Issuer, "--redirect": &config.Redirect,
		"--authorization-endpoint": &config.AuthorizationEndpoint, "--token-endpoint": &config.TokenEndpoint, "--revocation-endpoint": &config.RevocationEndpoint} {
		*field = strings.Join(r.values(flag), "")
	}
	c, err := oauth.New(config)
	if err != nil {
		return nil, oauth.Grant{}, err.Error()
	}
	flow, err := c.StartSignIn(r.t.Context(), oauth.SignInOptions{})
	if err != nil {
		return nil, oauth.Grant{}, err.Error()
	}
	defer flow.Close()
	go r.browser().Visit(r.t.Context(), flow.URL)
	grant, err := flow.Wait(r.t.Context(), nil)
	if err != nil {
		return nil, grant, err.Error()
	}
	return c, grant, ""
}

// values are those of a flag of `curfew add`.
func (r *road) values(flag string) (values []string) {
	for i, f := range r.flags {
		if f == flag {
			values = append(values, r.flags[i+1])
		}
	}
	return values
}

func (r *road) revoke() string {
	if said, code := r.login("x", nil); code != 0 {
		return said
	}
	out, errs, code := r.run("", "logout", "x")
	said := out + errs
	switch {
	case code != 0:
		return said
	case r.stand != nil && r.stand.Revokes && !r.stand.Revoked():
		return "the server knows nothing of it: " + said
	case r.stand != nil && !r.stand.Revokes && !strings.Contains(said, "http"):
		return "not said where access ends: " + said
	case r.stand != nil:
		return ""
	}
	c, grant, wrong := r.client()
	if wrong != "" {
		return wrong
	}
	if grant.RefreshToken.IsZero() {
		return ""
	}
	if err := c.Revoke(r.t.Context(), grant.RefreshToken); err != nil {
		return err.Error()
	}
	_, err := c.Refresh(r.t.Context(), grant.RefreshToken, oauth.Origin{Identity: grant.Identity, Endpoints: grant.Endpoints, Key: grant.Key})
	return r.isDead(err)
}

func (r *road) deny() string {
	person, flags := r.browser(), []string(nil)
	person.Deny = true
	if r.name == "better-auth" { // it asks once, but for this
		flags = []string{"--prompt", "consent"}
	}
	if r.stand != nil {
		r.stand.Feel(standin.Mood{Deny: true})
		defer r.stand.Feel(standin.Mood{})
	}
	r.add("no", r.id, flags...)
	if said, code := r.login("no", person); code != 5 {
		return fmt.Sprintf("exit code %d: %s", code, said)
	}
	return ""
}

// wrongClient signs in with a client ID that the server does not know. Some show
// the person a page about it, and never send the browser back.
func (r *road) wrongClient() string {
	r.add("w", "other")
	said, code := r.login("w", nil)
	s := r.status("w")
	if code == 0 || s.State != auth.SignedOut || !strings.Contains(said, "client") {
		return fmt.Sprintf("exit code %d, %s: %s", code, s.State, said)
	}
	return ""
}

func (r *road) device() string {
	if said, code := r.login("x", nil, "--device"); code != 0 {
		return said
	}
	_, wrong := r.tokenOf("x")
	return wrong
}

func (r *road) noRefresh() string {
	name := "x"
	if r.stand != nil {
		name = "n"
		if said, code := r.feel(standin.Mood{NoRefresh: true}, name); code != 0 {
			return said
		}
	} else {
		r.run("", "logout", name)
		if said, code := r.login(name, nil); code != 0 {
			return said
		}
	}
	if !r.status(name).NoRefresh {
		return "not known as one without a refresh token"
	}
	_, wrong := r.tokenOf(name)
	return wrong
}

// noLifetime: the preset knows the lifetime, or the sign-in says what to set.
func (r *road) noLifetime() string {
	said, code := r.feel(standin.Mood{NoLifetime: true}, "l")
	if known := code == 0 && r.status("l").AccessLifetime > 0; !known && !strings.Contains(said, "access_lifetime") {
		return "not said: " + said
	}
	return ""
}

// TestAddInTerminal: in a terminal `curfew add` asks, completes the provider's
// name, and shows how to register there. What it adds can sign in.
func TestAddInTerminal(t *testing.T) {
	peers.Need(t, "script")
	i := slices.IndexFunc(standin.StandIns, func(in standin.StandIn) bool { return in.Name == "gitlab" })
	r := newRoad(t, standin.StandIns[i])
	c := exec.Command("script", "-qec", "curfew add", "/dev/null")
	c.Env, c.Dir = append(r.env, "TERM=xterm"), r.dir
	keyboard, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	screen, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Process.Kill()
	overdue := time.AfterFunc(time.Minute, func() { c.Process.Kill() })
	defer overdue.Stop()
	var shown strings.Builder
	buffer := make([]byte, 4096)
	for _, turn := range []struct{ prompt, typed string }{
		{"Provider", "nonsense\r"}, {"there is no provider", "gitl\t\r"}, {"Address", "\r"}, {"Client ID", standin.ClientID + "\r"}, {"Scopes", "\r"}, {"Name of the account", "work\r"},
	} {
		seen := shown.Len()
		for !strings.Contains(shown.String()[max(0, seen-200):], turn.prompt) {
			n, err := screen.Read(buffer)
			if err != nil {
				t.Fatalf("%v, before %q:\n%s", err, turn.prompt, &shown)
			}
			shown.Write(buffer[:n])
		}
		if _, err := io.WriteString(keyboard, turn.typed); err != nil {
			t.Fatal(err)
		}
	}
	rest, _ := io.ReadAll(screen)
	shown.Write(rest)
	if err := c.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, &shown)
	}
	for _, want := range []string{"Register an application at https://gitlab.com", "http://127.0.0.1/callback", "sign in with: curfew login work"} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("%q is not shown:\n%s", want, &shown)
		}
	}
	if said, code := r.login("work", nil); code != 0 {
		t.Error(said)
	}
	if token, wrong := r.tokenOf("work"); token != "at-1" {
		t.Error(wrong)
	}
}

// TestRegisteredClient: the client that a server makes for an account goes with it.
func TestRegisteredClient(t *testing.T) {
	var asked []string
	mux := http.NewServeMux()
	s := httptest.NewServer(mux)
	defer s.Close()
	answer := func(pattern, body string) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, strings.ReplaceAll(body, "URL", s.URL))
		})
	}
	answer("GET /.well-known/openid-configuration", `{"issuer":"URL","authorization_endpoint":"URL/auth","token_endpoint":"URL/token","registration_endpoint":"URL/reg"}`)
	answer("POST /reg", `{"client_id":"c1","registration_client_uri":"URL/reg/c1","registration_access_token":"t0ken"}`)
	answer("DELETE /reg/c1", "{}")
	r := &road{t: t}
	r.start()
	for _, args := range [][]string{{"add", "x", "--issuer", s.URL, "--register"}, {"remove", "x"}} {
		if out, errs, code := r.run("", args...); code != 0 {
			t.Fatalf("curfew %v: %d\n%s\n%s", args, code, out, errs)
		}
	}
	if last := asked[len(asked)-1]; last != "DELETE /reg/c1 Bearer t0ken" {
		t.Errorf("asked for %q", asked)
	}
}

// realPeers goes the road to each server of others.
func realPeers(t *testing.T, keep func(*road)) {
	var oidcProvider map[string]peers.Server
	start := sync.OnceFunc(func() { oidcProvider = peers.OIDCProvider(t, brief) })
	for _, p := range []struct {
		name   string
		server func(*road) peers.Server
		flags  []string
		not    map[string]string // further steps that cannot be; "" for one that can
	}{
		{"plain", nil, nil, map[string]string{"DPoP": "", "device": ""}},
		{"secret by header", nil, nil, map[string]string{"DPoP": "", "device": ""}},
		{"secret in the body", nil, nil, map[string]string{"DPoP": "", "device": ""}},
		{"private key", nil, []string{"--client-auth", "private_key_jwt"}, map[string]string{"DPoP": "", "device": ""}},
		{"PAR only", nil, nil, map[string]string{"PAR": "", "DPoP": "", "device": ""}},
		{"PAR for this client", nil, nil, map[string]string{"PAR": "", "DPoP": "", "device": ""}},
		{"DPoP only", nil, []string{"--dpop", "always"}, map[string]string{"DPoP": "", "device": ""}},
		{"tokens kept", nil, nil, map[string]string{"DPoP": "", "device": "", "dead token": "it never replaces one"}},
		{"EdDSA", nil, nil, map[string]string{"DPoP": "", "device": ""}},
		{"no refresh token", nil, nil, map[string]string{"no refresh token": "", "3 refreshes": noRenewal, "background refresh": noRenewal, "dead token": noRenewal}},
		{"JWT for a resource", nil, []string{"--resource", "urn:api"}, map[string]string{"DPoP": "", "device": ""}},
		{"Doorkeeper", func(r *road) peers.Server { return peers.Doorkeeper(r.t, brief) }, nil, nil},
		{"django-oauth-toolkit", func(r *road) peers.Server { return peers.DjangoOAuthToolkit(r.t, brief) }, []string{"--revocation-endpoint", "$ISSUER/revoke_token/"}, nil},
		{"glewlwyd", glewlwyd, nil, map[string]string{"DPoP": "", "deny": scripted, "device": scripted,
			"dead token": "it answers 400 without a word, which ends no session", "revoke": "it revokes nothing for public clients, which the sign-out says"}},
		{"better-auth", func(r *road) peers.Server { return peers.BetterAuth(r.t, brief) }, nil, map[string]string{"DPoP": ""}},
		{"zitadel-oidc", func(r *road) peers.Server { return peers.Zitadel(r.t, brief) }, nil, map[string]string{"deny": "its page has no button for that", "device": "it wants another client for that"}},
		{"dex 2.45", dex, nil, map[string]string{"revoke": noWay, "device": "", "deny": "its page says so, and never sends the browser back"}},
		{"oauth2orize", func(r *road) peers.Server { return peers.OAuth2orize(r.t, brief) },
			[]string{"--authorization-endpoint", "$ISSUER/authorize", "--token-endpoint", "$ISSUER/token"}, map[string]string{"revoke": noWay}},
	} {
		if configuration := p.name; p.server == nil {
			start()
			p.server = func(*road) peers.Server { return oidcProvider[configuration] }
			p.name = "oidc-provider, " + configuration
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			r := &road{t: t, name: p.name, cells: map[string]string{},
				flags: []string{"--scope", "openid", "--scope", "offline_access", "--scope", "email"},
				not:   map[string]string{"no lifetime": "it always names one", "no refresh token": "it always gives one", "PAR": "it does not require it", "DPoP": "it has none", "device": "it has none"},
				browser: func() *robot.Browser {
					return &robot.Browser{User: peers.User, Password: peers.Password, Fields: map[string]string{"password": peers.Password}} // zitadel-oidc shows it
				}}
			real := p.server(r)
			r.real, r.id, r.secret = real, real.ClientID, real.ClientSecret
			if !slices.Contains(p.flags, "--token-endpoint") {
				r.flags = append(r.flags, "--issuer", real.Issuer)
			}
			for _, flag := range p.flags {
				r.flags = append(r.flags, strings.Replace(flag, "$ISSUER", real.Issuer, 1))
			}
			maps.Copy(r.not, p.not)
			if r.secret != "" {
				r.flags = append(r.flags, "--client-secret-stdin")
			}
			keep(r)
			r.start()
			r.walk()
		})
	}
}

// brief is how long access tokens of real servers live.
const brief = 15 * time.Second

const scripted = "a script of its pages does that, and the robot runs none"

// dex calls people by their addresses.
func dex(r *road) peers.Server {
	r.browser = func() *robot.Browser {
		return &robot.Browser{User: peers.User + "@example.test", Password: peers.Password}
	}
	return peers.Dex(r.t, brief)
}

// glewlwyd compares redirect URIs with their port.
func glewlwyd(r *road) peers.Server {
	redirect := "http://127.0.0.1:" + freePort() + "/callback"
	server, pages := peers.Glewlwyd(r.t, brief, redirect)
	r.flags = append(r.flags, "--redirect", redirect)
	r.browser = func() *robot.Browser { return &robot.Browser{Transport: pages} }
	return server
}

const noWay = "it has no way to revoke and no page for it, which the sign-out says"

const noRenewal = "it gives no refresh token to such clients"

// pushed signs in where only pushed requests are taken.
func (r *road) pushed() string {
	if r.stand == nil { // each sign-in before this has been such a one
		return ""
	}
	if said, code := r.feel(standin.Mood{Push: true}, "p"); code != 0 {
		return said
	}
	return ""
}

// proves signs in with tokens that are bound to a key, and gets proofs for them.
func (r *road) proves() string {
	if r.stand != nil {
		r.stand.Feel(standin.Mood{Bind: true})
		defer r.stand.Feel(standin.Mood{})
	}
	r.add("d", r.id, "--dpop", "always")
	if said, code := r.login("d", nil); code != 0 {
		return said
	}
	for range 2 {
		out, errs, code := r.run("", "token", "d", "--min-valid", "1s", "--dpop", "GET", "https://api.example.com/me")
		if lines := strings.Split(out, "\n"); code != 0 || len(lines) != 2 || strings.Count(lines[1], ".") != 2 {
			return fmt.Sprintf("%d lines, %s", len(lines), errs)
		}
		if _, errs, code := r.run("", "refresh", "d"); code != 0 {
			return errs
		}
	}
	return ""
}

// printPeers prints the table. A number in it refers to a reason below.
func printPeers(roads []*road) {
	fmt.Print("| provider or server |")
	for _, s := range steps {
		fmt.Print(" ", s.name, " |")
	}
	fmt.Println("\n|---|" + strings.Repeat("---|", len(steps)))
	slices.SortStableFunc(roads, func(a, b *road) int {
		if (a.stand == nil) != (b.stand == nil) {
			return map[bool]int{true: -1, false: 1}[a.stand == nil]
		}
		return strings.Compare(a.name, b.name)
	})
	var reasons []string
	for _, r := range roads {
		fmt.Printf("| %s |", r.name)
		for _, s := range steps {
			cell := r.cells[s.name]
			if cell != "yes" && cell != "NO" {
				reason := cmp.Or(cell, "an earlier step failed")
				i := slices.Index(reasons, reason)
				if i < 0 {
					i, reasons = len(reasons), append(reasons, reason)
				}
				cell = fmt.Sprintf("(%d)", i+1)
			}
			fmt.Print(" ", cell, " |")
		}
		fmt.Println()
	}
	for i, reason := range reasons {
		fmt.Printf("(%d) %s\n", i+1, reason)
	}
	fmt.Println("not run: hydra, which takes minutes to build and wants a program for its sign-in pages; lemonldap-ng, which wants 95 packages and a web server")
}
