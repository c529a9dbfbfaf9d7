package oauth

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"curfew/auth"

	"curfew/auth/authserver/robot"
	"curfew/auth/oauth/dpop"
)

// missing skips a test whose outside part is not there, or fails it where all
// parts must be.
func missing(t *testing.T, format string, a ...any) {
	t.Helper()
	if os.Getenv("CI") != "" || os.Getenv("CURFEW_TEST_ALL") != "" {
		t.Fatalf(format, a...)
	}
	t.Skipf(format, a...)
}

// need returns the path of a program.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		missing(t, "%s is not installed; testdata/peers/README.md says what is needed", program)
	}
	return path
}

// start runs a peer until the test ends. ready gets each line that it prints,
// and returns true when it is up.
func start(t *testing.T, cmd *exec.Cmd, ready func(line string) bool) {
	t.Helper()
	if cmd.Stdin == nil {
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { stdin.Close() })
	}
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		cmd.Wait()
		in.Close()
		close(exited)
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-exited
	})
	var log strings.Builder
	up := make(chan bool, 1)
	go func() {
		lines := bufio.NewScanner(out)
		found := false
		for lines.Scan() {
			if !found {
				fmt.Fprintln(&log, lines.Text())
				if found = ready(lines.Text()); found {
					up <- true
				}
			}
		}
		if !found {
			up <- false
		}
	}()
	select {
	case ok := <-up:
		if !ok {
			t.Fatalf("%s ended early:\n%s", cmd.Path, log.String())
		}
	case <-time.After(time.Minute):
		t.Fatalf("%s is not ready after a minute", cmd.Path)
	}
}

// startOIDCProvider starts npm's oidc-provider and returns its issuer.
func startOIDCProvider(t *testing.T) string {
	t.Helper()
	node, npm := need(t, "node"), need(t, "npm")
	const source = "testdata/peers/oidc-provider"
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = t.TempDir()
	}
	// One installation for each state of the files; made next to it and
	// renamed, so that it is whole or not there.
	hash := sha256.New()
	files := []string{"package.json", "package-lock.json", "server.mjs"}
	for _, name := range files {
		data, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			t.Fatal(err)
		}
		hash.Write(data)
	}
	dir := filepath.Join(cache, "curfew-test", fmt.Sprintf("oidc-provider-%x", hash.Sum(nil)[:8]))
	if _, err := os.Stat(dir); err != nil {
		if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
			t.Fatal(err)
		}
		making, err := os.MkdirTemp(filepath.Dir(dir), "making-")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(making)
		if err := os.CopyFS(making, os.DirFS(source)); err != nil {
			t.Fatal(err)
		}
		install := exec.CommandContext(t.Context(), npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts")
		install.Dir = making
		if out, err := install.CombinedOutput(); err != nil {
			missing(t, "npm ci: %v\n%s", err, out)
		}
		if err := os.Rename(making, dir); err != nil && !errors.Is(err, os.ErrExist) {
			if _, gone := os.Stat(dir); gone != nil { // another test run was faster otherwise
				t.Fatal(err)
			}
		}
	}
	cmd := exec.CommandContext(t.Context(), node, "server.mjs")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NODE_NO_WARNINGS=1")
	var issuer string
	start(t, cmd, func(line string) bool {
		issuer = line
		return strings.HasPrefix(line, "http://127.0.0.1:")
	})
	return issuer
}

// startDoorkeeper starts Debian's Doorkeeper and returns its issuer.
func startDoorkeeper(t *testing.T, env ...string) string {
	t.Helper()
	puma := need(t, "puma")
	if err := exec.CommandContext(t.Context(), "ruby", "-e", `gem "doorkeeper-openid_connect"; gem "rails"; gem "sqlite3"`).Run(); err != nil {
		missing(t, "Doorkeeper is not installed; testdata/peers/README.md says what is needed")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := portOf(free)
	free.Close()
	file, err := filepath.Abs("testdata/peers/doorkeeper/config.ru")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), puma, "-b", "tcp://127.0.0.1:"+port, "-t", "2:2", file)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "PORT="+port, "PEER_DIR="+dir), env...)
	start(t, cmd, func(line string) bool { return strings.Contains(line, "Use Ctrl-C to stop") })
	return "http://127.0.0.1:" + port
}

// peerSignIn signs in at a peer with a scripted browser.
func peerSignIn(t *testing.T, c *Client, person *robot.Browser, o SignInOptions) (Grant, error) {
	t.Helper()
	flow, done := begin(t, c, o)
	person.Logf = t.Logf
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	page, err := person.Visit(ctx, flow.URL)
	if err != nil || !page.Arrived {
		t.Fatalf("the robot got to %s: %v", page.Text, err)
	}
	got := <-done
	return got.grant, got.err
}

func alice() *robot.Browser { return &robot.Browser{User: "alice", Password: "alice-pw"} }

// peerLife is what every rotating server must do with us. We sign in, refresh
// twice and revoke, and a used token is refused.
func peerLife(t *testing.T, c *Client, subject string, familyDies bool) {
	t.Helper()
	g, err := peerSignIn(t, c, alice(), SignInOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if g.Identity.Subject != subject || g.AccessToken.IsZero() || g.RefreshToken.IsZero() || g.ExpiresIn != 15*time.Minute {
		t.Fatalf("grant %+v", g)
	}
	first := g.RefreshToken
	for range 2 {
		next, err := c.Refresh(t.Context(), g.RefreshToken, Origin{Identity: g.Identity, Endpoints: g.Endpoints})
		if err != nil {
			t.Fatal(err)
		}
		if next.RefreshToken.IsZero() || next.RefreshToken.Reveal() == g.RefreshToken.Reveal() || next.AccessToken.Reveal() == g.AccessToken.Reveal() {
			t.Fatalf("not rotated: %+v", next)
		}
		next.Identity, g = g.Identity, next
	}
	if _, err := c.Refresh(t.Context(), first, Origin{Identity: g.Identity, Endpoints: g.Endpoints}); classOf(err) != Dead {
		t.Errorf("a used token: class %v, %v", classOf(err), err)
	}
	if familyDies {
		if _, err := c.Refresh(t.Context(), g.RefreshToken, Origin{Identity: g.Identity, Endpoints: g.Endpoints}); classOf(err) != Dead {
			t.Errorf("the family outlives a replay: class %v, %v", classOf(err), err)
		}
		if g, err = peerSignIn(t, c, alice(), SignInOptions{ForceLogin: true, LoginHint: "alice"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Revoke(t.Context(), g.RefreshToken); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Refresh(t.Context(), g.RefreshToken, Origin{Identity: g.Identity, Endpoints: g.Endpoints}); classOf(err) != Dead {
		t.Errorf("a revoked token: class %v, %v", classOf(err), err)
	}
	if err := c.Revoke(t.Context(), g.RefreshToken); err != nil { // RFC 7009 section 2.2
		t.Errorf("revoking twice: %v", err)
	}
}

func TestPeerOIDCProvider(t *testing.T) {
	t.Parallel()
	issuer := startOIDCProvider(t)
	client := func(id string, change func(*Config)) *Client {
		config := Config{Issuer: issuer, ClientID: id, Scopes: []string{"openid", "offline_access", "email"}}
		if change != nil {
			change(&config)
		}
		c, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	t.Run("public client", func(t *testing.T) { peerLife(t, client("curfew", nil), "alice", true) })
	t.Run("ES256", func(t *testing.T) { peerLife(t, client("curfew-es256", nil), "alice", true) })
	t.Run("confidential client", func(t *testing.T) {
		peerLife(t, client("curfew-secret", func(c *Config) { c.ClientSecret = auth.NewSecret("not: so secret+secret") }), "alice", true)
	})
	t.Run("wrong secret", func(t *testing.T) {
		c := client("curfew-secret", func(c *Config) { c.ClientSecret = auth.NewSecret("wrong") })
		if _, err := peerSignIn(t, c, alice(), SignInOptions{}); classOf(err) != HeldBack {
			t.Errorf("class %v, %v", classOf(err), err)
		}
	})
	for _, redirect := range []string{"http://[::1]/callback", "http://localhost/callback"} {
		t.Run(redirect, func(t *testing.T) {
			if !hasIPv6() {
				t.Skip("no IPv6 loopback on this machine")
			}
			c := client("curfew", func(c *Config) { c.Redirect = redirect })
			if g, err := peerSignIn(t, c, alice(), SignInOptions{}); err != nil || g.Identity.Display != "alice@example.test" {
				t.Errorf("%+v, %v", g.Identity, err)
			}
		})
	}
	// The server binds access tokens with the refresh token. Tools expect them
	// bearer, so that is only done when the account asks.
	t.Run("DPoP unasked", func(t *testing.T) {
		g, err := peerSignIn(t, client("curfew", nil), alice(), SignInOptions{})
		if err != nil || g.TokenType != "Bearer" || !g.Key.IsZero() || g.RefreshToken.IsZero() {
			t.Errorf("%+v, %v", g, err)
		}
	})
	t.Run("DPoP", func(t *testing.T) {
		c := client("curfew", func(c *Config) { c.DPoP = "always" })
		if err := c.Check(t.Context()); err != nil {
			t.Error(err)
		}
		g, err := peerSignIn(t, c, alice(), SignInOptions{})
		if err != nil || g.TokenType != "DPoP" || g.Key.IsZero() || g.RefreshToken.IsZero() {
			t.Fatalf("%+v, %v", g, err)
		}
		if _, err := client("curfew", nil).Refresh(t.Context(), g.RefreshToken, Origin{Identity: g.Identity, Endpoints: g.Endpoints}); err == nil {
			t.Error("a refresh without the key")
		}
		for range 2 {
			next, err := c.Refresh(t.Context(), g.RefreshToken, Origin{Identity: g.Identity, Endpoints: g.Endpoints, Key: g.Key})
			if err != nil || next.TokenType != "DPoP" || next.Key != g.Key {
				t.Fatalf("%+v, %v", next, err)
			}
			next.Identity, g = g.Identity, next
		}
		nonce := ""
		for _, want := range []int{http.StatusUnauthorized, http.StatusOK} { // the first asks for a nonce
			req, _ := http.NewRequest("GET", issuer+"/me", nil)
			proof, err := g.Key.Proof(dpop.Request{Method: "GET", URL: issuer + "/me", Nonce: nonce, AccessToken: g.AccessToken}, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "DPoP "+g.AccessToken.Reveal())
			req.Header.Set("DPoP", proof)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if nonce = resp.Header.Get("DPoP-Nonce"); resp.StatusCode != want {
				t.Errorf("the API answered %d, want %d: %s", resp.StatusCode, want, resp.Header.Get("WWW-Authenticate"))
			}
		}
	})
	t.Run("registered", func(t *testing.T) {
		made, err := client("unregistered", nil).Register(t.Context())
		if err != nil || made.ClientID == "" || !made.Secret.IsZero() {
			t.Fatalf("%+v, %v", made, err)
		}
		peerLife(t, client(made.ClientID, nil), "alice", true)
	})
	t.Run("denied", func(t *testing.T) {
		person := alice()
		person.Deny = true
		if _, err := peerSignIn(t, client("curfew", nil), person, SignInOptions{}); classOf(err) != Denied {
			t.Errorf("class %v, %v", classOf(err), err)
		}
	})
	t.Run("device", func(t *testing.T) {
		flow, err := client("curfew", nil).StartDevice(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		person := alice()
		person.Logf = t.Logf
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if page, err := person.Visit(ctx, flow.VerificationURIComplete); err != nil || page.Status != http.StatusOK {
			t.Fatalf("the robot got to %s: %v", page.Text, err)
		}
		g, err := flow.Wait(ctx)
		if err != nil || g.Identity.Subject != "alice" || g.RefreshToken.IsZero() {
			t.Errorf("%+v, %v", g, err)
		}
	})
}

func TestPeerDoorkeeper(t *testing.T) {
	t.Parallel()
	client := func(t *testing.T, issuer string) *Client {
		c, err := New(Config{Issuer: issuer, ClientID: "curfew", Scopes: []string{"openid", "email"}})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	t.Run("life", func(t *testing.T) { peerLife(t, client(t, startDoorkeeper(t)), "user-1", false) })
	t.Run("an ID token without nonce", func(t *testing.T) {
		_, err := peerSignIn(t, client(t, startDoorkeeper(t, "NONCE=0")), alice(), SignInOptions{})
		if classOf(err) != Protocol || !strings.Contains(err.Error(), "nonce") {
			t.Errorf("class %v, %v", classOf(err), err)
		}
	})
}
