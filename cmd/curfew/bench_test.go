//go:build linux

package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/nacl/box"
	"golang.org/x/crypto/nacl/secretbox"

	"curfew/auth"
	"curfew/auth/agent/client"
	"curfew/auth/authserver"
	"curfew/keystore/kctest"
)

var (
	benchAll  = flag.Bool("bench", false, "measure against oidc-agent and the machine's floor")
	benchRows = flag.String("bench.rows", "", "measure only the rows in whose names this is")
	benchLoad = flag.Float64("bench.load", 0.7, "the load average above which nothing is measured")
)

// TestBench prints a table of what Curfew takes, next to a peer or a floor in
// the same run: each sample is a pair, taken in turn. `make bench` runs it. It
// concludes nothing on a busy machine, where the ratios are chance too.
func TestBench(t *testing.T) {
	if !*benchAll {
		t.Skip("needs a quiet machine: make bench")
	}
	awaitQuiet(t, *benchLoad)
	kctest.Need(t, "strace", "dbus-monitor", "oidc-agent", "oidc-gen", "oidc-token")
	program, err := filepath.Abs(*crashProgram)
	check(t, err)
	fmt.Println("| what | Curfew | next to | ratio, p10 to p90 | goal | |")
	fmt.Println("|---|---|---|---|---|---|")

	b := newBench(t, time.Hour, "work")
	b.start()
	b.signIn("work")
	peer := startPeer(t, b)
	ctx := t.Context()

	token := exec.Command(program, "token", "work")
	b.row("`curfew token`, whole process", "`oidc-token`", 300, 1.5,
		process(token), process(exec.Command("oidc-token", "work")))
	b.row("`curfew token`, whole process", "`true`", 300, 0,
		process(token), process(exec.Command("true")))
	for _, floor := range []struct{ what, source string }{
		{"a Go program that does nothing", "nothing.go"},
		{"one that links cobra and asks with system calls", "asks.go"},
	} {
		b.row(floor.what, "`oidc-token`", 300, 0, process(exec.Command(goProgram(t, floor.source), b.client.Socket())), process(exec.Command("oidc-token", "work")))
	}

	ask := func(c *client.Client) func() error {
		return func() error {
			_, err := c.Token(ctx, "work", auth.AnyValidity, "bench")
			return err
		}
	}
	b.row("a token over the socket", "oidc-agent", 2000, 1, ask(b.client), peer.ask)
	b.row("a token over the socket", "oidc-agent as its clients ask, encrypted", 2000, 1, ask(b.client), peer.askEncrypted)
	b.row("a token over a kept connection", "oidc-agent, which keeps none", 2000, 1, b.keptAsk("work"), peer.ask)
	server := goProgram(t, "server.go")
	b.row("`net/http` answers without looking", "oidc-agent", 2000, 0, ask(serve(t, server, "http").client()), peer.ask)
	b.row("a Go program echoes", "oidc-agent", 2000, 0, serve(t, server, "echo").ask, peer.ask)
	for _, n := range []int{8, 64} {
		b.row(fmt.Sprintf("%d clients, 10 tokens each", n), "oidc-agent", 20, 1, crowd(n, func() func() error {
			return ask(client.NewClient(b.client.Socket()))
		}), crowd(n, func() func() error { return peer.ask }))
	}

	b.crowdedRow("work")

	calls, syncs := b.countRefresh("work") // the keychain has been at rest for a while
	b.row("a refresh", "oidc-agent", 15, 1, func() error {
		_, err := b.client.Refresh(ctx, "work", "bench")
		return err
	}, peer.refresh)
	count("calls to the Secret Service in a refresh", calls, 45)
	count("fsyncs in a refresh", syncs, 0)
	b.kill()

	for _, n := range []int{1, 100, 1000} {
		took := b.firstAnswer(n)
		goal := 0.0
		if n == 100 {
			goal = 100
		}
		accounts := "1 account"
		if n > 1 {
			accounts = fmt.Sprintf("%d accounts", n)
		}
		single("the agent's first answer, "+accounts, took, goal)
	}
	b.start()
	single("`curfew status`, 1000 accounts", sample(30, process(exec.Command(program, "status"))), 50)
	b.kill()

	names := b.configure(100)
	b.start()
	b.signIn(names[1])
	single("a refresh now and then, 2 accounts signed in", b.refreshes(names[1]), 60)
	for _, name := range names[2:] {
		b.signIn(name)
	}
	last := names[len(names)-1]
	single("a refresh now and then, 100 accounts signed in", b.refreshes(last), 60)
	calls, syncs = b.countRefresh(last)
	count("calls to the Secret Service in a refresh, 100 accounts", calls, 45)
	count("fsyncs in a refresh, 100 accounts", syncs, 0)
}

// awaitQuiet waits until the load average has fallen, for example after a build.
func awaitQuiet(t *testing.T, most float64) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(time.Second) {
		text, err := os.ReadFile("/proc/loadavg")
		check(t, err)
		var load float64
		_, err = fmt.Sscan(string(text), &load)
		check(t, err)
		if load <= most {
			return
		}
		if time.Since(began) > 3*time.Minute {
			t.Fatalf("the load average is %.2f, above %.2f: the figures would be chance. Stop what else runs", load, most)
		}
	}
}

// process is a run of a command.
func process(c *exec.Cmd) func() error {
	return func() error {
		fresh := exec.Command(c.Path, c.Args[1:]...)
		return fresh.Run()
	}
}

// row measures ours and theirs in turn and prints the medians and the ratio of
// the pairs. A goal of 0 is none.
func (b *bench) row(what, next string, n int, goal float64, ours, theirs func() error) {
	b.t.Helper()
	if !strings.Contains(what+next, *benchRows) {
		return
	}
	var mine, others []time.Duration
	for i := range n + n/10 {
		began := time.Now()
		b.must(ours())
		middle := time.Now()
		b.must(theirs())
		if i < n/10 {
			continue // warm
		}
		m, o := middle.Sub(began), time.Since(middle)
		mine, others = append(mine, m), append(others, o)
	}
	printPairs(what, next, goal, mine, others)
}

// printPairs prints the medians and the ratio of pairs. A goal of 0 is none.
func printPairs(what, next string, goal float64, mine, others []time.Duration) {
	var ratios []float64
	for i := range mine {
		ratios = append(ratios, float64(mine[i])/float64(others[i]))
	}
	slices.Sort(ratios)
	at := func(q float64) float64 { return ratios[int(q*float64(len(ratios)-1))] }
	want := ""
	if goal > 0 {
		want = fmt.Sprintf("%.1f x", goal)
	}
	printRow(what, fmt.Sprintf("%.2f ms", ms(quantile(mine, 0.5))), fmt.Sprintf("%s, %.2f ms", next, ms(quantile(others, 0.5))),
		fmt.Sprintf("%.2f, %.2f to %.2f", at(0.5), at(0.1), at(0.9)), want, at(0.5) <= goal)
}

// printRow prints a row of the table. If there is no goal, met does not matter.
func printRow(what, ours, next, spread, goal string, met bool) {
	said := ""
	if goal != "" {
		said = verdict(met)
	}
	fmt.Printf("| %s | %s | %s | %s | %s | %s |\n", what, ours, next, spread, goal, said)
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "not met"
}

// single prints a figure that has nothing to stand next to. The goal is in ms,
// and 0 is none.
func single(what string, took []time.Duration, goal float64) {
	want := ""
	if goal > 0 {
		want = fmt.Sprintf("%.0f ms", goal)
	}
	middle := ms(quantile(took, 0.5))
	printRow(what, fmt.Sprintf("%.1f ms", middle), "", fmt.Sprintf("%.1f to %.1f ms", ms(quantile(took, 0.1)), ms(quantile(took, 0.9))), want, middle <= goal)
}

func count(what string, n, goal int) {
	want := ""
	if goal > 0 {
		want = fmt.Sprint(goal)
	}
	printRow(what, fmt.Sprint(n), "", "", want, n <= goal)
}

// sample times n runs.
func sample(n int, what func() error) (took []time.Duration) {
	for range n {
		began := time.Now()
		if err := what(); err != nil {
			panic(err)
		}
		took = append(took, time.Since(began))
	}
	return took
}

// crowd is n clients at once, each with ten requests.
func crowd(n int, make func() func() error) func() error {
	clients := []func() error{}
	for range n {
		clients = append(clients, make())
	}
	return func() error {
		var group sync.WaitGroup
		failed := slices.Repeat([]error{nil}, n)
		for i, ask := range clients {
			group.Go(func() {
				for range 10 {
					if err := ask(); err != nil {
						failed[i] = err
					}
				}
			})
		}
		group.Wait()
		for _, err := range failed {
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// keptConns is how many connections the agent serves at a time.
const keptConns = 1024

// crowdedRow measures what a new client waits while one program holds all
// connections, each of which has had an answer. Next to it is the agent's other
// socket, where nobody holds any.
func (b *bench) crowdedRow(account string) {
	b.t.Helper()
	var held []net.Conn
	hold := func() {
		c, err := net.Dial("unix", b.client.Socket())
		b.must(err)
		held = append(held, c)
		_, err = io.WriteString(c, "GET /v1/version HTTP/1.1\r\nHost: curfew\r\n\r\n")
		b.must(err)
		_, err = http.ReadResponse(bufio.NewReader(c), nil)
		b.must(err)
	}
	for range keptConns - 1 {
		hold()
	}
	ask := func(c *client.Client) []time.Duration {
		return sample(1, func() error {
			_, err := c.Token(b.t.Context(), account, auth.AnyValidity, "bench")
			return err
		})
	}
	free := client.NewClient(client.GuestSocket(b.client.Socket()))
	var crowded, alone []time.Duration
	for range 500 {
		hold() // the place that the last client has left
		crowded = append(crowded, ask(b.client)...)
		alone = append(alone, ask(free)...)
	}
	for _, c := range held {
		c.Close()
	}
	printPairs(fmt.Sprintf("a new client's token, %d connections kept", keptConns), "none kept", 2, crowded, alone)
}

// refreshes times some with a pause after each, in which the keychain follows.
func (b *bench) refreshes(account string) (took []time.Duration) {
	b.t.Helper()
	for range 15 {
		took = append(took, sample(1, func() error {
			_, err := b.client.Refresh(b.t.Context(), account, "bench")
			return err
		})...)
		time.Sleep(100 * time.Millisecond)
	}
	return took[1:] // the first one waited for what the sign-in left to do
}

// countRefresh counts what one refresh asks of the keychain and of the disk.
func (b *bench) countRefresh(account string) (calls, syncs int) {
	b.t.Helper()
	trace := filepath.Join(b.t.TempDir(), "trace")
	strace := exec.Command("strace", "-f", "-e", "trace=fsync,fdatasync", "-o", trace, "-p", fmt.Sprint(b.cmd.Process.Pid))
	stderr, err := strace.StderrPipe()
	b.must(err)
	b.must(strace.Start())
	bufio.NewReader(stderr).ReadString('\n') // attached
	monitor := exec.Command("dbus-monitor", "--session", "--profile", "type=method_call,destination=org.freedesktop.secrets")
	out, err := monitor.StdoutPipe()
	b.must(err)
	b.must(monitor.Start())
	lines := bufio.NewScanner(out)
	lines.Scan() // what follows is counted
	_, err = b.client.Refresh(b.t.Context(), account, "bench")
	b.must(err)
	ended := time.AfterFunc(time.Second, func() { monitor.Process.Kill() }) // no event tells that a monitor has caught up
	defer ended.Stop()
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "mc\t") && !strings.Contains(lines.Text(), "org.freedesktop.DBus") {
			calls++
		}
	}
	monitor.Wait()
	strace.Process.Signal(os.Interrupt)
	strace.Wait()
	text, err := os.ReadFile(trace)
	b.must(err)
	return calls, len(regexp.MustCompile(`f(data)?sync\(`).FindAllString(string(text), -1))
}

// configure makes n accounts, of which the first is work.
func (b *bench) configure(n int) (names []string) {
	b.t.Helper()
	path := filepath.Join(os.Getenv("XDG_CONFIG_HOME"), "curfew", "config.toml")
	var text strings.Builder
	for i := range n {
		name := "work"
		if i > 0 {
			name = fmt.Sprintf("work-%04d", i)
		}
		fmt.Fprintf(&text, "[account.%s]\nissuer = %q\nclient_id = %q\nscopes = [\"openid\", \"offline_access\"]\nrefresh = \"on-demand\"\n", name, b.front, authserver.DefaultClientID)
		names = append(names, name)
	}
	b.must(os.WriteFile(path, []byte(text.String()), 0o600))
	return names
}

// firstAnswer starts agents that have n accounts, and times how long each takes
// to answer at all.
func (b *bench) firstAnswer(n int) (took []time.Duration) {
	b.t.Helper()
	b.configure(n)
	for range 10 {
		began := time.Now()
		b.start()
		took = append(took, time.Since(began))
		b.kill()
	}
	return took
}

// peer is oidc-agent with the same account at the same server.
type peer struct{ socket string }

func startPeer(t *testing.T, b *bench) *peer {
	t.Helper()
	t.Setenv("OIDC_CONFIG_DIR", t.TempDir())
	out, err := exec.Command("oidc-agent", "--no-autoload").Output()
	check(t, err)
	for name, value := range variables(string(out)) {
		t.Setenv(name, value)
	}
	t.Cleanup(func() { exec.Command("oidc-agent", "--kill").Run() })
	c := exec.Command("oidc-gen", "--rt="+b.refreshToken(), "--iss="+b.front, "--client-id="+authserver.DefaultClientID, "--client-secret=",
		"--scope=openid offline_access", "--redirect-uri=http://localhost:9999", "--flow=refresh", "-m", "--pw-cmd=echo pw", "--prompt=none", "--no-save", "work")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("oidc-gen: %v\n%s", err, out)
	}
	return &peer{os.Getenv("OIDC_SOCK")}
}

// variables reads NAME=value; export NAME; lines.
func variables(shell string) map[string]string {
	all := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^(\w+)=([^;]+);`).FindAllStringSubmatch(shell, -1) {
		all[m[1]] = m[2]
	}
	return all
}

// ask fetches the access token that oidc-agent has, by its plain protocol.
func (p *peer) ask() error { return p.request(0) }

// refresh asks for more validity than a token has, so that oidc-agent refreshes.
func (p *peer) refresh() error { return p.request(1 << 30) }

func (p *peer) request(valid int) error {
	c, err := p.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	answer, err := exchange(c, fmt.Appendf(nil, peerRequest, valid))
	return succeeded(answer, err)
}

// peerRequest asks for a token that is valid for so many seconds.
const peerRequest = `{"request":"access_token","account":"work","min_valid_period":%d,"application_hint":"bench"}`

// askEncrypted is ask as oidc-token and liboidc-agent do it: keys are exchanged
// first, and then boxes. See auth/agent/oidcagent.
func (p *peer) askEncrypted() error {
	c, err := p.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	public, private, err := box.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	theirs, err := exchange(c, base64.StdEncoding.AppendEncode(nil, public[:]))
	if err != nil {
		return err
	}
	var other, key [32]byte
	if _, err := base64.StdEncoding.Decode(other[:], bytes.TrimRight(theirs, "\x00")); err != nil {
		return err
	}
	box.Precompute(&key, &other, private)
	var nonce [24]byte
	rand.Read(nonce[:])
	text := fmt.Appendf(nil, peerRequest, 0)
	sealed := secretbox.Seal(nil, text, &nonce, &key)
	answer, err := exchange(c, fmt.Appendf(nil, "%d:%s:%s", len(text), base64.StdEncoding.EncodeToString(nonce[:]), base64.StdEncoding.EncodeToString(sealed)))
	if err != nil {
		return err
	}
	parts := strings.Split(string(bytes.TrimRight(answer, "\x00")), ":")
	if len(parts) != 3 {
		return fmt.Errorf("oidc-agent: %s", answer)
	}
	_, err1 := base64.StdEncoding.Decode(nonce[:], []byte(parts[1]))
	sealed, err2 := base64.StdEncoding.DecodeString(parts[2])
	opened, ok := secretbox.Open(nil, sealed, &nonce, &key)
	if !ok {
		return errors.Join(err1, err2, errors.New("oidc-agent: a box that does not open"))
	}
	return succeeded(opened, nil)
}

func (p *peer) dial() (net.Conn, error) {
	c, err := net.Dial("unix", p.socket)
	for errors.Is(err, syscall.EAGAIN) { // its queue is full, as with eight clients
		time.Sleep(time.Millisecond)
		c, err = net.Dial("unix", p.socket)
	}
	return c, err
}

// exchange sends a message and reads the answer, of which oidc-agent says neither
// the end nor the length.
func exchange(c net.Conn, message []byte) ([]byte, error) {
	if _, err := c.Write(message); err != nil {
		return nil, err
	}
	answer := make([]byte, 64<<10)
	n, err := c.Read(answer)
	return answer[:n], err
}

func succeeded(answer []byte, err error) error {
	if err == nil && !bytes.Contains(answer, []byte(`"success"`)) {
		err = fmt.Errorf("oidc-agent: %s", answer)
	}
	return err
}

// client is one of ours for a peer that answers as the agent does.
func (p *peer) client() *client.Client { return client.NewClient(p.socket) }

// serve starts a server of testdata/bench.
func serve(t *testing.T, program, kind string) *peer {
	t.Helper()
	p := &peer{filepath.Join(t.TempDir(), "s")}
	c := exec.CommandContext(t.Context(), program, kind, p.socket)
	check(t, c.Start())
	t.Cleanup(func() { c.Wait() })
	for {
		if c, err := net.Dial("unix", p.socket); err == nil {
			c.Close()
			return p
		}
		time.Sleep(time.Millisecond)
	}
}

// goProgram builds a program of testdata/bench.
func goProgram(t *testing.T, source string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	c := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "testdata/bench/"+source)
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// keptAsk fetches tokens over one connection, by HTTP/1.1.
func (b *bench) keptAsk(account string) func() error {
	c, err := net.Dial("unix", b.client.Socket())
	b.must(err)
	b.t.Cleanup(func() { c.Close() })
	answers := bufio.NewReader(c)
	return func() error {
		if _, err := fmt.Fprintf(c, "POST /v1/accounts/%s/token HTTP/1.1\r\nHost: curfew\r\n\r\n", account); err != nil {
			return err
		}
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		var token client.TokenAnswer
		if err := json.NewDecoder(resp.Body).Decode(&token); err != nil || token.AccessToken == "" {
			return fmt.Errorf("no token: %s, %w", resp.Status, err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
}

// refreshToken signs in at the server by hand.
func (b *bench) refreshToken() string {
	b.t.Helper()
	verifier := strings.Repeat("v", 43)
	sum := sha256.Sum256([]byte(verifier))
	back := "http://127.0.0.1:9999/callback"
	ask := url.Values{"response_type": {"code"}, "client_id": {authserver.DefaultClientID}, "redirect_uri": {back}, "scope": {"openid offline_access"},
		"state": {"s"}, "prompt": {"consent"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}}
	web := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := web.Get(b.front + "/authorize?" + ask.Encode())
	b.must(err)
	resp.Body.Close()
	to, err := resp.Location()
	b.must(err)
	resp, err = web.PostForm(b.front+"/token", url.Values{"grant_type": {"authorization_code"}, "code": {to.Query().Get("code")},
		"client_id": {authserver.DefaultClientID}, "redirect_uri": {back}, "code_verifier": {verifier}})
	b.must(err)
	defer resp.Body.Close()
	var answer struct {
		RefreshToken string `json:"refresh_token"`
	}
	b.must(json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer))
	return answer.RefreshToken
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
