//go:build linux

package agent

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"curfew/auth/agent/client"
	"curfew/auth/agent/resident"
	"curfew/auth/config"

	"curfew/auth"
	"curfew/keystore/kctest"
)

// This file is about who may speak, how fast, and how many at once.

// TestMain lets the test binary play another user's program.
func TestMain(m *testing.M) {
	switch socket := os.Getenv("AGENT_TEST_SOCKET"); os.Getenv("AGENT_TEST_PLAYS") {
	case "stranger": // speaks to our agent, and prints all that it hears
		c, err := net.Dial("unix", socket)
		if err == nil {
			io.WriteString(c, "GET /v1/accounts HTTP/1.1\r\nHost: curfew\r\nConnection: close\r\n\r\n")
			io.Copy(os.Stdout, c)
		} else {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(0)
	case "agent": // another user's agent, or one with few file descriptors
		l, err := resident.Listen(context.Background(), socket)
		guests, err2 := resident.Listen(context.Background(), client.GuestSocket(socket))
		if err := errors.Join(err, err2); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Chmod(socket, 0o777)
		fmt.Println("ready")
		s := NewServer(Config{Engine: newEngine("work")})
		go s.ForGuests().Run(context.Background(), guests)
		s.Run(context.Background(), l)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// player makes the test binary play a part, as user uid.
func player(t *testing.T, uid uint32, part, socket string) *exec.Cmd {
	t.Helper()
	if os.Geteuid() != 0 && uid != uint32(os.Geteuid()) {
		kctest.Missing(t, "only root can run a program as another user")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The binary is where another user cannot go.
	dir, err := os.MkdirTemp("", "agent-test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	os.Chmod(dir, 0o755)
	b, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "stranger")
	if err := os.WriteFile(path, b, 0o755); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(path)
	c.Dir = "/"
	c.Env = append(os.Environ(), "AGENT_TEST_PLAYS="+part, "AGENT_TEST_SOCKET="+socket, "CURFEW_SOCKET="+socket)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if uid != uint32(os.Geteuid()) {
		c.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: uid}
	}
	c.Stderr = os.Stderr
	return c
}

const nobody = 65534

// Another user gets not one byte, even when the way to the socket is open.
func TestOtherUser(t *testing.T) {
	c, _ := serve(t, newEngine("work"))
	for dir := filepath.Dir(c.Socket()); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(c.Socket(), 0o777); err != nil {
		t.Fatal(err)
	}
	out, err := player(t, nobody, "stranger", c.Socket()).Output()
	if err != nil || len(out) > 0 {
		t.Errorf("user %d got %q, %v", nobody, out, err)
	}
	// The same program as this user is answered: the way was open.
	out, err = player(t, uint32(os.Geteuid()), "stranger", c.Socket()).Output()
	if err != nil || !bytes.Contains(out, []byte("200 OK")) {
		t.Errorf("this user got %q, %v", out, err)
	}
}

// A socket that another user made first is not trusted. To that agent, in turn,
// root is another user.
func TestOtherUsersAgent(t *testing.T) {
	dir, err := os.MkdirTemp("", "other")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "agent.sock")
	a := player(t, nobody, "agent", socket)
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	ready, err := a.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { a.Process.Kill(); a.Wait() }()
	if line, _ := bufio.NewReader(ready).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the other agent: %q", line)
	}
	_, err = client.NewClient(socket).Accounts(t.Context())
	if kindOf(t, err) != auth.KindFailed || !strings.Contains(err.Error(), "belongs to nobody, and this runs as") {
		t.Errorf("in the other user's directory: %v", err)
	}
	if err := os.Chown(dir, os.Geteuid(), -1); err != nil {
		t.Fatal(err)
	}
	_, err = client.NewClient(socket).Accounts(t.Context())
	if kindOf(t, err) != auth.KindNotRunning || !strings.Contains(err.Error(), "user 65534, not yours") {
		t.Errorf("got %v", err)
	}
	raw, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	io.WriteString(raw, "GET /v1/accounts HTTP/1.1\r\nHost: curfew\r\n\r\n")
	if b, _ := io.ReadAll(raw); len(b) > 0 {
		t.Errorf("root got %q from another user's agent", b)
	}
}

// raw sends bytes as they are and returns the answer.
func raw(t *testing.T, socket, request string) *http.Response {
	t.Helper()
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	return res
}

// What a page in a browser could send is refused before the engine hears of it.
func TestBrowsersRefused(t *testing.T) {
	e := newEngine("work")
	c, _ := serve(t, e)
	var headers []string
	for _, h := range []string{
		"localhost", "127.0.0.1", "127.0.0.1:80", "curfew.evil.test", "evil.test", "curfew:80", "curfew.", "CURFEW", "[::1]", "",
		"curfew@evil.test", "xn--curfew", "curfew,evil.test",
	} {
		headers = append(headers, "Host: "+h+"\r\n")
	}
	for _, h := range []string{
		"Origin: null", "Origin: http://evil.test", "Origin: http://curfew", "Origin:", "origin: x", "ORIGIN: file://",
		"Referer: http://evil.test/", "Referer: http://curfew/", "Referer:", "referer: about:blank",
		"Origin: http://curfew\r\nReferer: http://curfew/",
	} {
		headers = append(headers, "Host: curfew\r\n"+h+"\r\n")
	}
	refused := 0
	for _, h := range headers {
		for _, line := range []string{"POST /v1/accounts/work/token", "GET /v1/accounts", "GET /v1/watch", "OPTIONS /v1/accounts"} {
			res := raw(t, c.Socket(), line+" HTTP/1.1\r\n"+h+"Content-Length: 0\r\n\r\n")
			if res.StatusCode != http.StatusForbidden && res.StatusCode != http.StatusBadRequest {
				t.Errorf("%s with %q: %s", line, h, res.Status)
			}
			if res.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s with %q allows an origin", line, h)
			}
			refused++
		}
	}
	for _, request := range []string{
		"POST http://evil.test/v1/accounts/work/token HTTP/1.1\r\nHost: curfew\r\nContent-Length: 0\r\n\r\n",
		"GET /v1/accounts HTTP/1.0\r\n\r\n",
		"GET /v1/accounts HTTP/1.1\r\n\r\n",
		"GET /v1/accounts HTTP/1.1\r\nHost: curfew\r\nHost: evil.test\r\n\r\n",
		"CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		if res := raw(t, c.Socket(), request); res.StatusCode < 400 || res.StatusCode > 505 {
			t.Errorf("%q: %s", request, res.Status)
		}
		refused++
	}
	if len(e.programs) > 0 {
		t.Errorf("the engine was asked %d times", len(e.programs))
	}
	if refused < 50 {
		t.Errorf("only %d variants", refused)
	}
	// The same request without any of it works.
	if res := raw(t, c.Socket(), "POST /v1/accounts/work/token HTTP/1.1\r\nHost: curfew\r\nContent-Length: 0\r\n\r\n"); res.StatusCode != 200 || len(e.programs) != 1 {
		t.Errorf("the control: %s", res.Status)
	}
}

// What a request may look like. Status 0 means the connection may just close.
func TestRequests(t *testing.T) {
	e := newEngine("work")
	c, _ := serve(t, e)
	for _, test := range []struct {
		name, line, body string
		status           int
		want             string
	}{
		{"no body", "POST /v1/accounts/work/token", "", 200, `"access_token":"access-work"`},
		{"seconds", "POST /v1/accounts/work/token", `{"min_valid": 90}`, 200, `"token_type":"Bearer"`},
		{"half seconds", "POST /v1/accounts/work/token", `{"min_valid": 1.5}`, 200, ""},
		{"span", "POST /v1/accounts/work/token", `{"min_valid": "90s"}`, 200, ""},
		{"negative", "POST /v1/accounts/work/token", `{"min_valid": -1}`, 400, "bad_request"},
		{"much", "POST /v1/accounts/work/token", `{"min_valid": 1e300}`, 400, "bad_request"},
		{"words", "POST /v1/accounts/work/token", `{"min_valid": "soon"}`, 400, "bad_request"},
		{"null", "POST /v1/accounts/work/token", `{"min_valid": null}`, 400, "bad_request"},
		{"unknown field", "POST /v1/accounts/work/token", `{"min_vaild": 90}`, 400, "min_vaild"},
		{"array", "POST /v1/accounts/work/token", `[]`, 400, "bad_request"},
		{"two objects", "POST /v1/accounts/work/token", `{}{}`, 400, "bad_request"},
		{"cut off", "POST /v1/accounts/work/token", `{"min_valid": `, 400, "bad_request"},
		{"too large", "POST /v1/accounts/work/token", `{"min_valid": "` + strings.Repeat(" ", 64<<10) + `"}`, 400, "64 KB"},
		{"other name in the body", "PUT /v1/accounts/new", `{"name": "old", "provider": "spotify", "client_id": "x"}`, 400, "old"},
		{"a setting of nobody", "PATCH /v1/accounts/nobody", `{"prompt": "none"}`, 404, "there is no account"},
		{"bad configuration", "PUT /v1/accounts/new", `{"provider": "spotify"}`, 400, "client_id"},
		{"empty secret", "PUT /v1/accounts/new/client-secret", `{}`, 400, "empty"},
		{"pause without a word", "PUT /v1/pause", `{}`, 400, "whether"},
		{"settings", "PUT /v1/settings", `{"limits": {"max_age": "14d", "max_idle": "1d12h"}}`, 200, `{"limits":{"max_age":"14d","max_refreshes":20,"max_idle":"1d12h"},"warnings":"all"}`},
		{"another limit", "PUT /v1/settings", `{"limits": {"max_refreshes": 7}}`, 200, `{"limits":{"max_age":"14d","max_refreshes":7,"max_idle":"1d12h"},"warnings":"all"}`},
		{"warnings alone loosen no limit", "PUT /v1/settings", `{"warnings": "few"}`, 200, `{"limits":{"max_age":"14d","max_refreshes":7,"max_idle":"1d12h"},"warnings":"few"}`},
		{"nothing in particular", "PUT /v1/settings", `{}`, 200, `{"limits":{"max_age":"14d","max_refreshes":7,"max_idle":"1d12h"},"warnings":"few"}`},
		{"one limit off", "PUT /v1/settings", `{"limits": {"max_idle": null}}`, 200, `{"limits":{"max_age":"14d","max_refreshes":7,"max_idle":null},"warnings":"few"}`},
		{"settings as built in", "PUT /v1/settings", `{"limits": {"max_age": "30d", "max_refreshes": 20, "max_idle": null}, "warnings": "all"}`, 200, `{"limits":{"max_age":"30d","max_refreshes":20,"max_idle":null},"warnings":"all"}`},
		{"no settings", "PUT /v1/settings", "", 400, "which settings"},
		{"null settings", "PUT /v1/settings", "null", 400, "which settings"},
		{"unknown setting", "PUT /v1/settings", `{"limits": {"max_refresh": 3}}`, 400, "max_refresh"},
		{"longer sessions", "PUT /v1/settings", `{"limits": {"max_age": "31d"}}`, 400, "tightened"},
		{"more refreshes", "PUT /v1/settings", `{"limits": {"max_refreshes": 21}}`, 400, "tightened"},
		{"no refreshes", "PUT /v1/settings", `{"limits": {"max_refreshes": 0}}`, 400, "less than 1"},
		{"half a refresh", "PUT /v1/settings", `{"limits": {"max_refreshes": 0.5}}`, 400, "bad_request"},
		{"negative age", "PUT /v1/settings", `{"limits": {"max_age": "-1d"}}`, 400, "not a time span"},
		{"idle in words", "PUT /v1/settings", `{"limits": {"max_idle": "a week"}}`, 400, "not a time span"},
		{"unknown warnings", "PUT /v1/settings", `{"warnings": "some"}`, 400, "few"},
		{"configuration of nobody", "GET /v1/accounts/nobody/config", "", 404, "config.toml"},
		{"name with a dot", "GET /v1/accounts/%2e%2e", "", 400, "name"},
		{"name with a slash", "GET /v1/accounts/a%2Fb", "", 400, "name"},
		{"name with a zero", "GET /v1/accounts/a%00b", "", 400, "name"},
		{"unknown account", "GET /v1/accounts/nobody", "", 404, "unknown_account"},
		{"events of nobody", "GET /v1/accounts/nobody/events", "", 404, "unknown_account"},
		{"many events", "GET /v1/events?n=100000", "", 400, "1000"},
		{"no route", "GET /v2/accounts", "", 404, "/v2/accounts"},
		{"wrong method", "PATCH /v1/accounts", "", 404, "PATCH"},
		{"long header", "GET /v1/accounts?" + strings.Repeat("x", 40<<10), "", 431, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			res := raw(t, c.Socket(), fmt.Sprintf("%s HTTP/1.1\r\nHost: curfew\r\nContent-Length: %d\r\n\r\n%s", test.line, len(test.body), test.body))
			body, _ := io.ReadAll(res.Body)
			if res.StatusCode != test.status || !strings.Contains(string(body), test.want) {
				t.Errorf("%s: %.300s", res.Status, body)
			}
			if test.status != 431 && (res.Header.Get("Content-Type") != "application/json" || res.Header.Get("Cache-Control") != "no-store") {
				t.Errorf("headers: %v", res.Header)
			}
		})
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if want := []time.Duration{-1, 90 * time.Second, 1500 * time.Millisecond, 90 * time.Second}; !slices.Equal(e.minValid, want) {
		t.Errorf("min_valid: %v, want %v", e.minValid, want)
	}
}

// impatient runs a server that waits for nobody long.
func impatient(t *testing.T, c Config, p patience) *client.Client {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "curfew", "agent.sock")
	l, err := resident.Listen(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := NewServer(c)
	s.patience = p
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return client.NewClient(socket)
}

// partOfRequest is what clients send that then send no more.
var partOfRequest = map[string]string{
	"nothing":           "",
	"half of a header":  "POST /v1/accounts/work/token HTTP/1.1\r\nHost: cur",
	"half of a body":    "POST /v1/accounts/work/token HTTP/1.1\r\nHost: curfew\r\nContent-Length: 20\r\n\r\n{",
	"half, no such API": "POST /v1/nothing HTTP/1.1\r\nHost: curfew\r\nContent-Length: 20\r\n\r\n{",
	"half, of a page":   "POST /v1/accounts/work/token HTTP/1.1\r\nHost: curfew\r\nOrigin: http://x\r\nContent-Length: 20\r\n\r\n{",
	"half, of a watch":  "GET /v1/watch HTTP/1.1\r\nHost: curfew\r\nContent-Length: 20\r\n\r\n{",
}

// A client that sends nothing is cut off, and harms nobody meanwhile.
func TestSlowClients(t *testing.T) {
	p := usual
	p.header, p.body = 3*time.Second, 3*time.Second
	c := impatient(t, Config{Engine: newEngine("work")}, p)
	parts := slices.Collect(maps.Values(partOfRequest))
	var slow []net.Conn
	for i := range 600 {
		conn, err := client.DialPatiently(t.Context(), c.Socket())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, parts[i%len(parts)])
		slow = append(slow, conn)
	}
	for range 50 {
		if _, err := c.Token(t.Context(), "work", -1, "quick"); err != nil {
			t.Fatal(err)
		}
	}
	for i, conn := range slow {
		conn.SetReadDeadline(time.Now().Add(30 * time.Second))
		if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Fatalf("client %d was not cut off: %v", i, err)
		}
	}
}

// A request that takes the engine long outlives every time limit of the
// connection.
func TestSlowEngine(t *testing.T) {
	e := newEngine("work")
	e.block = make(chan struct{})
	c := impatient(t, Config{Engine: e}, patience{header: time.Second, body: time.Second, write: time.Second, drain: 10 * time.Second, beat: time.Second})
	answered := make(chan error, 1)
	go func() { _, err := c.Token(t.Context(), "work", -1, "x"); answered <- err }()
	e.block <- struct{}{}
	<-time.After(1500 * time.Millisecond) // longer than any of them
	e.block <- struct{}{}
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// Watchers that do not read are cut off; the others hear everything.
func TestStuckWatchers(t *testing.T) {
	e := newEngine("work")
	p := usual
	p.write, p.beat = 2*time.Second, 50*time.Millisecond
	c := impatient(t, Config{Engine: e}, p)
	var stuck []net.Conn
	for range maxWatchers - 1 {
		conn, err := client.DialPatiently(t.Context(), c.Socket())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, "GET /v1/watch HTTP/1.1\r\nHost: curfew\r\n\r\n")
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		stuck = append(stuck, conn)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := make(chan string, 1000)
	ended := make(chan error, 1)
	go func() {
		ended <- c.Watch(ctx, func(s []auth.Snapshot) { seen <- s[0].Message })
	}()
	<-seen
	if err := c.Watch(ctx, func([]auth.Snapshot) {}); kindOf(t, err) != auth.KindUnavailable {
		t.Errorf("one watcher too many: %v", err)
	}
	big := strings.Repeat("x", 300<<10) // more than a socket holds
	for i := range 5 {
		e.change(func(e *engine) {
			e.snaps["work"] = auth.Snapshot{Name: "work", Message: fmt.Sprint(i), Subject: big}
		})
		for m := range seen {
			if m == fmt.Sprint(i) {
				break
			}
		}
		if _, err := c.Version(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	<-time.After(2 * p.write) // reading any earlier would set them free
	for i, conn := range stuck {
		conn.SetReadDeadline(time.Now().Add(30 * time.Second))
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("watcher %d was not cut off", i)
		}
	}
	cancel()
	<-ended
}

// A line now and then keeps a quiet watch alive, and nobody hears of it.
func TestHeartbeat(t *testing.T) {
	p := usual
	p.beat = 20 * time.Millisecond
	c := impatient(t, Config{Engine: newEngine("work")}, p)
	conn, err := client.DialPatiently(t.Context(), c.Socket())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET /v1/watch HTTP/1.1\r\nHost: curfew\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(res.Body)
	var got []int
	for len(got) < 4 && lines.Scan() {
		got = append(got, len(lines.Bytes()))
	}
	if len(got) != 4 || got[0] == 0 || got[1]+got[2]+got[3] != 0 {
		t.Errorf("lines of %v bytes", got)
	}
}

// Ten thousand programs at once: all are served.
func TestBurst(t *testing.T) {
	c, _ := serve(t, newEngine("work"))
	var failed atomic.Int64
	var slowest atomic.Int64
	var wg sync.WaitGroup
	start := make(chan struct{})
	connects := 10_000
	if raceDetector { // which makes each of them slower
		connects = 2_000
	}
	for range connects {
		wg.Go(func() {
			<-start
			at := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			// A question with a long time limit: the quick one is for people.
			if _, err := c.Doctor(ctx); err != nil {
				if failed.Add(1) == 1 {
					t.Error(err)
				}
			}
			for took := int64(time.Since(at)); ; {
				old := slowest.Load()
				if took <= old || slowest.CompareAndSwap(old, took) {
					break
				}
			}
		})
	}
	close(start)
	wg.Wait()
	if failed.Load() > 0 {
		t.Errorf("%d of %d failed", failed.Load(), connects)
	}
	t.Logf("the slowest took %v", time.Duration(slowest.Load()))
}

// A thousand clients that hold their connection and say nothing do not slow
// down the others.
func TestIdleClients(t *testing.T) {
	c, _ := serve(t, newEngine("work"))
	for range 1000 {
		conn, err := client.DialPatiently(t.Context(), c.Socket())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	most := 20 * time.Millisecond
	if raceDetector {
		most *= 10
	}
	var p99 time.Duration
	for range 5 { // the machine may be busy with something else
		var took []time.Duration
		for range 1000 {
			at := time.Now()
			if _, err := c.Token(t.Context(), "work", -1, "x"); err != nil {
				t.Fatal(err)
			}
			took = append(took, time.Since(at))
		}
		slices.Sort(took)
		if p99 = took[len(took)*99/100]; p99 < most {
			t.Logf("p99 %v, median %v", p99, took[len(took)/2])
			return
		}
	}
	t.Errorf("p99 is %v with 1000 idle clients; want less than %v", p99, most)
}

// An agent with few file descriptors serves some, then the rest. Those that keep
// their connection give way, also when guests have as many as they may.
func TestFewDescriptors(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "agent.sock")
	os.Chmod(filepath.Dir(socket), 0o700)
	part := player(t, uint32(os.Geteuid()), "agent", socket)
	a := exec.Command("sh", "-c", `ulimit -n 64; exec "$0"`, part.Path)
	a.Env, a.SysProcAttr, a.Stderr = part.Env, part.SysProcAttr, os.Stderr
	ready, err := a.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { a.Process.Kill(); a.Wait() }()
	if line, _ := bufio.NewReader(ready).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the agent: %q", line)
	}
	c := client.NewClient(socket)
	var idle []net.Conn
	for i := range 500 {
		conn, err := client.DialPatiently(t.Context(), []string{socket, client.GuestSocket(socket)}[i%2])
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, askVersion)
		idle = append(idle, conn)
	}
	soon, cancel := context.WithTimeout(t.Context(), 30*time.Second) // less than an idle connection may take
	defer cancel()
	if _, err := c.Token(soon, "work", -1, "x"); err != nil {
		t.Error(err)
	}
	for _, conn := range idle {
		conn.Close()
	}
	var wg sync.WaitGroup
	for range 500 {
		wg.Go(func() {
			if _, err := c.Token(t.Context(), "work", -1, "x"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// crowdedAgent serves few connections at a time. One that has not sent a request
// gives way after grace. What it returns sends something on a new connection.
func crowdedAgent(t *testing.T, e Engine, few int, grace time.Duration) (send func(string) *bufio.Reader) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "agent.sock")
	os.Chmod(filepath.Dir(socket), 0o700)
	l, err := resident.Listen(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	s := NewServer(Config{Engine: e, Version: "test"})
	s.patience.header, s.patience.body, s.patience.drain = time.Hour, time.Hour, time.Millisecond // so only others end a connection
	s.most, s.patience.grace = few, grace
	go func() { ended <- s.Run(ctx, l) }()
	t.Cleanup(func() { cancel(); <-ended })
	return func(text string) *bufio.Reader {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(30 * time.Second)) // less than an idle connection may take
		io.WriteString(conn, text)
		return bufio.NewReader(conn)
	}
}

func answered(t *testing.T, r *bufio.Reader) {
	t.Helper()
	if _, err := http.ReadResponse(r, nil); err != nil {
		t.Fatal(err)
	}
}

const (
	askVersion = "GET /v1/version HTTP/1.1\r\nHost: curfew\r\n\r\n"
	askToken   = "POST /v1/accounts/work/token HTTP/1.1\r\nHost: curfew\r\n\r\n"
)

// Connections that wait for their next request give way at once to one that has a
// request now. They do so whether they are idle already or become idle first.
func TestIdleGiveWay(t *testing.T) {
	const few = 4
	e := newEngine("work")
	e.block = make(chan struct{})
	send := crowdedAgent(t, e, few, time.Hour)
	for range 3 * few {
		answered(t, send(askVersion))
	}
	var busy [few]*bufio.Reader // and kept
	for i := range busy {
		busy[i] = send(askToken)
		e.block <- struct{}{}
	}
	late := send(askVersion)
	e.block <- struct{}{} // one of them gets its answer
	answered(t, late)
	for range few - 1 {
		e.block <- struct{}{}
	}
	for _, r := range busy {
		answered(t, r)
	}
}

// Connections that send nothing, or a part of a request, give way after a grace.
func TestSilentGiveWay(t *testing.T) {
	for name, part := range partOfRequest {
		t.Run(name, func(t *testing.T) {
			const few = 4
			send := crowdedAgent(t, newEngine("work"), few, 20*time.Millisecond)
			for range 3 * few {
				send(part)
			}
			answered(t, send(askVersion))
		})
	}
}

// A connection whose request is being answered does not give way, however long
// that takes. Neither does one with a watch.
func TestBusyStay(t *testing.T) {
	e := newEngine("work")
	e.block = make(chan struct{})
	const grace = 20 * time.Millisecond
	send := crowdedAgent(t, e, 2, grace)
	busy := send(askToken)
	e.block <- struct{}{}
	res, err := http.ReadResponse(send("GET /v1/watch HTTP/1.1\r\nHost: curfew\r\n\r\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	watch := bufio.NewScanner(res.Body)
	watch.Scan()
	late := send(askVersion)
	<-time.After(10 * grace) // in which late looks for one that gives way
	e.block <- struct{}{}
	answered(t, busy)
	answered(t, late)
	e.change(func(*engine) {})
	if !watch.Scan() {
		t.Error("the watch has ended")
	}
}

func TestDefaultSocket(t *testing.T) {
	t.Setenv("CURFEW_SOCKET", "/some/where.sock")
	if s, err := client.DefaultSocket(); err != nil || s != "/some/where.sock" {
		t.Errorf("chosen: %q, %v", s, err)
	}
	t.Setenv("CURFEW_SOCKET", "relative.sock")
	if s, err := client.DefaultSocket(); err == nil {
		t.Errorf("relative: %q", s)
	}
	t.Setenv("CURFEW_SOCKET", "")
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/1000")
	if s, err := client.DefaultSocket(); err != nil || s != "/run/user/1000/curfew/agent.sock" {
		t.Errorf("by XDG_RUNTIME_DIR: %q, %v", s, err)
	}
	t.Setenv("XDG_RUNTIME_DIR", "")
	s, err := client.DefaultSocket()
	dir := fmt.Sprintf("/run/user/%d", os.Geteuid())
	if _, statErr := os.Stat(dir); statErr == nil {
		if s != dir+"/curfew/agent.sock" {
			t.Errorf("by user: %q, %v", s, err)
		}
	} else if err == nil || !strings.Contains(err.Error(), "XDG_RUNTIME_DIR is not set") {
		t.Errorf("nowhere: %q, %v", s, err)
	}
}

// A program that finds neither agent nor curfew says what to install.
func TestNothingToStart(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := client.NewClient(filepath.Join(t.TempDir(), "agent.sock")).EnsureRunning(t.Context())
	if kindOf(t, err) != auth.KindNotRunning || !strings.Contains(err.Error(), "no program curfew") || !strings.Contains(err.(*auth.Error).Hint, "install") {
		t.Errorf("got %v", err)
	}
}

// Whatever listens at the socket, the client gives up in words and in time.
func TestLiars(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer string // "" hangs up
		kind   auth.Kind
	}{
		{"hangs up", "", auth.KindNotRunning},
		{"not HTTP", "220 mail.example.com ESMTP\r\n", auth.KindNotRunning},
		{"a page", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>", auth.KindFailed},
		{"an error page", "HTTP/1.1 502 Bad Gateway\r\n\r\n<html>", auth.KindFailed},
		{"an error without a kind", "HTTP/1.1 500 X\r\n\r\n{\"message\":\"x\"}", auth.KindFailed},
		{"a redirect", "HTTP/1.1 307 X\r\nLocation: http://evil.test/\r\n\r\n", auth.KindFailed},
		{"half an answer", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{\"na", auth.KindFailed},
		{"no end", "HTTP/1.1 200 OK\r\n\r\n[" + strings.Repeat(" ", client.MaxAnswer+1), auth.KindFailed},
	} {
		t.Run(test.name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "s")
			l, err := net.Listen("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					http.ReadRequest(bufio.NewReader(c))
					io.WriteString(c, test.answer)
					c.Close()
				}
			}()
			_, err = client.NewClient(socket).Accounts(t.Context())
			if kindOf(t, err) != test.kind || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A client that was cut off asks again if the request changes nothing. A
// refresh is not spent twice.
func TestAskAgain(t *testing.T) {
	e := newEngine("work")
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var asked atomic.Int64
	h := NewServer(Config{Engine: e}).handler(t.Context())
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) <= 2 {
			panic(http.ErrAbortHandler)
		}
		h.ServeHTTP(w, r)
	}))
	c := client.NewClient(socket)
	if _, err := c.Token(t.Context(), "work", time.Minute, "x"); err != nil || asked.Load() != 3 || e.minValid[0] != time.Minute {
		t.Errorf("token: %v after %d questions, %v", err, asked.Load(), e.minValid)
	}
	asked.Store(0)
	if _, err := c.Refresh(t.Context(), "work", "x"); kindOf(t, err) != auth.KindNotRunning || asked.Load() != 1 {
		t.Errorf("refresh: %v after %d questions", err, asked.Load())
	}
}

// Whatever is decoded, the decoder returns a value or a bad_request on one line.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"min_valid": 60}`, `{"min_valid": "1h"}`, `{"min_valid": 1e400}`, `{"paused": true}`, `{"client_id":"x","scopes":["a"]}`, `{}{}`, "\xff", `{"a":`, `{"min_valid": {"a": 1}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		token := client.TokenRequest{MinValid: client.AnyValidity}
		for _, v := range []any{&token, &auth.Account{}, &auth.SignInRequest{}, &client.SecretRequest{}, &client.PauseRequest{}} {
			if err := decodeStrict(b, v); err != nil {
				e, ok := errors.AsType[*auth.Error](err)
				if !ok || e.Kind != auth.KindBadRequest {
					t.Fatalf("%T: %v", v, err)
				}
			}
		}
		for _, d := range []client.Span{max(token.MinValid, 0), token.MaxWait} {
			if d < 0 || d > client.Span(24*time.Hour) {
				t.Fatalf("%v", time.Duration(d))
			}
		}
	})
}

// Whatever comes over the socket, the server answers or hangs up, and lives.
func FuzzServer(f *testing.F) {
	f.Add([]byte("GET /v1/accounts HTTP/1.1\r\nHost: curfew\r\n\r\n"))
	f.Add([]byte("POST /v1/accounts/work/token HTTP/1.1\r\nHost: curfew\r\nContent-Length: 5\r\n\r\n{\"a\":"))
	f.Add([]byte("PUT /v1/accounts/x HTTP/1.1\r\nHost: curfew\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n\r\n"))
	f.Add([]byte("GET /v1/events?n=%zz HTTP/1.1\r\nHost: curfew\r\n\r\nGET /v1/version HTTP/1.1\r\nHost: curfew\r\n\r\n"))
	e := newEngine("work")
	dir := f.TempDir()
	s := NewServer(Config{Engine: e, File: config.File(filepath.Join(dir, "c.toml")), Doctor: func(context.Context) []client.Check { return nil }})
	s.patience = patience{header: 5 * time.Millisecond, body: 5 * time.Millisecond, write: 50 * time.Millisecond, drain: 50 * time.Millisecond, beat: time.Millisecond}
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, l) }()
	f.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			f.Error(err)
		}
	})
	f.Fuzz(func(t *testing.T, b []byte) {
		ours, theirs := net.Pipe()
		l.conns <- theirs
		go func() {
			ours.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
			ours.Write(b)
			// Half of a request is ended by the server's patience.
		}()
		var answer []byte
		for wait := 100 * time.Millisecond; ; wait = time.Millisecond { // a watch has no end
			ours.SetReadDeadline(time.Now().Add(wait))
			b := make([]byte, 4096)
			n, err := ours.Read(b)
			answer = append(answer, b[:n]...)
			if err != nil || len(answer) > 1<<16 {
				break
			}
		}
		ours.Close()
		if len(answer) > 0 && !bytes.HasPrefix(answer, []byte("HTTP/1.")) {
			t.Fatalf("answer %.80q", answer)
		}
		if bytes.Contains(answer, []byte("the agent has a bug")) {
			t.Fatalf("a panic: %s", answer)
		}
	})
}

type pipeListener struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }
