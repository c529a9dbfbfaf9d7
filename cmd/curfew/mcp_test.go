//go:build linux

package main

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"curfew/auth"
	"curfew/keystore/kctest"
)

// TestMCP: the SDK's client uses the SDK's server, which wants a token, through
// `curfew mcp` and through `curfew proxy`. Once the token expires while both are
// connected, and once the server refuses it: each time one refresh serves both.
func TestMCP(t *testing.T) {
	kctest.Need(t, "node")
	sdk := npm(t, "testdata/mcp")
	w := newShop(t)
	server := line(t, exec.Command("node", filepath.Join(sdk, "server.mjs")), nil)
	to, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	w.mcp = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }, FlushInterval: -1}

	issuer, hosts := w.issuer(t, 10*time.Second), w.open(t, "quick")
	w.prepare(t, "", "")
	if out, err := w.shell(t, "", "quick", fmt.Sprintf("curfew add quick --issuer %s --client-id curfew --host %s --refresh on-demand && person curfew login quick --no-browser", issuer, hosts[0])); err != nil {
		t.Fatal(err, out)
	}
	address := "http://" + hosts[0] + "/mcp"
	proxy := line(t, exec.Command("curfew", "proxy", "quick", "--to", address), w.env)

	clients := map[string]*sdkClient{
		"curfew mcp":   newSDKClient(t, sdk, w.env, "curfew", "mcp", "quick", address),
		"curfew proxy": newSDKClient(t, sdk, w.env, proxy),
	}
	all := func(when string) {
		t.Helper()
		var uses sync.WaitGroup
		for name, c := range clients {
			uses.Go(func() {
				if got := c.use(); got != "add 3" {
					t.Errorf("%s, %s: %s", name, when, got)
				}
			})
		}
		uses.Wait()
	}
	now := func() (s auth.Snapshot) {
		t.Helper()
		out, err := w.shell(t, "", "quick", "curfew status quick --json")
		if err != nil || json.Unmarshal([]byte(out), &s) != nil {
			t.Fatal(err, out)
		}
		return s
	}
	for name, c := range clients {
		if got := c.says(); got != "connected" {
			t.Fatal(name, got)
		}
	}
	all("at first")
	first := now()
	time.Sleep(time.Until(first.AccessExpiresAt)) // the clients stay connected
	all("after the token has expired")
	if n := now().RefreshesUsed - first.RefreshesUsed; n != 1 {
		t.Errorf("%d refreshes after the token has expired", n)
	}
	w.mu.Lock()
	for token := range w.tokens["quick"] {
		w.ended[token] = true
	}
	w.mu.Unlock()
	for name, c := range clients { // one of them fetches another
		if got := c.use(); got != "add 3" {
			t.Errorf("%s, after the server has refused the token: %s", name, got)
		}
	}
	if n := now().RefreshesUsed - first.RefreshesUsed; n != 2 {
		t.Errorf("%d refreshes after a refusal", n)
	}

	gone := newSDKClient(t, sdk, w.env, "curfew", "mcp", "gone", "http://"+w.vars["gone"][1][len("HOST="):]+"/mcp")
	if got := gone.says(); !strings.Contains(got, "gone is not signed in") || !strings.Contains(got, "curfew login gone") {
		t.Errorf("signed out: %s", got)
	}
	foreign := newSDKClient(t, sdk, w.env, "curfew", "mcp", "quick", "https://evil.example/mcp")
	if got := foreign.says(); !strings.Contains(got, "Connection closed") || !strings.Contains(foreign.close(), "evil.example is not one of the hosts of quick") {
		t.Errorf("a foreign host: %s\n%s", got, foreign.close())
	}
	w.canary(t)
}

// npm installs the packages of a folder, with its scripts, once for each state of
// its files.
func npm(t *testing.T, source string) string {
	t.Helper()
	kctest.Need(t, "npm")
	hash := sha256.New()
	files, err := os.ReadDir(source)
	for _, f := range files {
		text, failed := os.ReadFile(filepath.Join(source, f.Name()))
		err = errors.Join(err, failed)
		hash.Write(text)
	}
	cache, failed := os.UserCacheDir()
	if err = errors.Join(err, failed); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "curfew-test", fmt.Sprintf("%s-%x", filepath.Base(source), hash.Sum(nil)[:8]))
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	making := dir + fmt.Sprintf("-%d", os.Getpid()) // renamed when it is whole
	if err := os.CopyFS(making, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(making)
	install := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	install.Dir = making
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	if err := os.Rename(making, dir); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	return dir
}

// line starts a program and returns the first line that it prints.
func line(t *testing.T, c *exec.Cmd, env []string) string {
	t.Helper()
	c.Env, c.Stderr = env, os.Stderr
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	first, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(c, err)
	}
	return strings.TrimSpace(first)
}

// An sdkClient is a running client.mjs.
type sdkClient struct {
	in    io.WriteCloser
	out   *bufio.Reader
	close func() string // ends it, and returns what it said to standard error
}

func newSDKClient(t *testing.T, sdk string, env []string, args ...string) *sdkClient {
	t.Helper()
	var errors strings.Builder
	c := exec.Command("node", slices.Insert(args, 0, filepath.Join(sdk, "client.mjs"))...)
	c.Env, c.Stderr = env, &errors
	in, err := c.StdinPipe()
	out, failed := c.StdoutPipe()
	if err := cmp.Or(err, failed, c.Start()); err != nil {
		t.Fatal(err)
	}
	k := &sdkClient{in: in, out: bufio.NewReader(out), close: sync.OnceValue(func() string {
		in.Close()
		c.Wait()
		return errors.String()
	})}
	t.Cleanup(func() { k.close() })
	return k
}

// use lists the tools and calls one.
func (k *sdkClient) use() string {
	io.WriteString(k.in, "\n")
	return k.says()
}

// says returns the next line.
func (k *sdkClient) says() string {
	text, err := k.out.ReadString('\n')
	return strings.TrimSpace(text) + map[bool]string{true: fmt.Sprint(" (", err, ")")}[err != nil]
}
