// Package peers starts authorization servers that others wrote, for tests. They
// come from Debian, from npm and from Go. A missing one skips the test with the
// reason, or fails it when CI or CURFEW_TEST_ALL is set.
//
// Each runs on a free port of this machine until the test ends, and goes with the
// test program if that dies first.
package peers

import (
	"bufio"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

//go:embed better-auth dex doorkeeper django-oauth-toolkit oauth2orize oidc-provider zitadel
var files embed.FS

// A Server is a running one, and its client.
type Server struct {
	Issuer       string `json:"issuer"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"` // of private_key_jwt the key in PEM
}

// The person who can sign in at each server.
const (
	User     = "alice"
	Password = "alice-pw"
)

// Missing skips a test whose outside part is not there, or fails it where all
// parts must be.
func Missing(t testing.TB, format string, a ...any) {
	t.Helper()
	if os.Getenv("CI") != "" || os.Getenv("CURFEW_TEST_ALL") != "" {
		t.Fatalf(format, a...)
	}
	t.Skipf(format, a...)
}

// Need returns the path of a program.
func Need(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		Missing(t, "%s is not installed; `.ci/setup test` installs it on Debian", program)
	}
	return path
}

// Run runs a program until the test ends. ready gets each line that it prints,
// and returns true when it is up.
func Run(t testing.TB, cmd *exec.Cmd, ready func(line string) bool) {
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
		_ = in.Close()
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
	case <-time.After(3 * time.Minute):
		t.Fatalf("%s is not ready after three minutes", cmd.Path)
	}
}

// unpack writes the files of a peer into a folder. Those of a Go program have a
// .txt behind their names here, or they would be part of this module.
func unpack(t testing.TB, peer, dir string) {
	t.Helper()
	sub, err := fs.Sub(files, peer)
	if err == nil {
		err = os.CopyFS(dir, sub)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"main.go", "go.mod", "go.sum"} {
		err := os.Rename(filepath.Join(dir, name+".txt"), filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

// installed returns a folder with a peer, in which a command has got what it
// needs. There is one for each state of its files. It is made next to its place
// and renamed, so that it is whole or not there.
func installed(t testing.TB, peer, program string, args ...string) string {
	t.Helper()
	program = Need(t, program)
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = t.TempDir()
	}
	hash := sha256.New()
	entries, err := files.ReadDir(peer)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := files.ReadFile(peer + "/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		hash.Write(data)
	}
	dir := filepath.Join(cache, "curfew-test", fmt.Sprintf("%s-%x", peer, hash.Sum(nil)[:8]))
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	making, err := os.MkdirTemp(filepath.Dir(dir), "making-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(making)
	unpack(t, peer, making)
	install := exec.CommandContext(t.Context(), program, args...)
	install.Dir = making
	if out, err := install.CombinedOutput(); err != nil {
		Missing(t, "%s for %s: %v\n%s", program, peer, err, out)
	}
	if err := os.Rename(making, dir); err != nil && !errors.Is(err, os.ErrExist) {
		if _, gone := os.Stat(dir); gone != nil { // another test run was faster otherwise
			t.Fatal(err)
		}
	}
	return dir
}

// node runs the server of a peer of npm, and returns what it says of itself.
func node(t testing.TB, peer string, ttl time.Duration) map[string]Server {
	t.Helper()
	dir := installed(t, peer, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	return says(t, exec.CommandContext(t.Context(), Need(t, "node"), "server.mjs"), dir, ttl)
}

// says runs a server that says in a line of JSON what it is.
func says(t testing.TB, cmd *exec.Cmd, dir string, ttl time.Duration) map[string]Server {
	t.Helper()
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NODE_NO_WARNINGS=1", "TTL="+seconds(ttl))
	var servers map[string]Server
	Run(t, cmd, func(line string) bool { return json.Unmarshal([]byte(line), &servers) == nil })
	return servers
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) }

// OIDCProvider starts npm's oidc-provider in each of its configurations, whose
// names are those in its server.mjs. Access tokens live for ttl.
func OIDCProvider(t testing.TB, ttl time.Duration) map[string]Server {
	t.Helper()
	return node(t, "oidc-provider", ttl)
}

// freePort returns a port that was free a moment ago.
func freePort(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Doorkeeper starts Debian's Doorkeeper, the engine of GitLab.
func Doorkeeper(t testing.TB, ttl time.Duration, env ...string) Server {
	t.Helper()
	puma := Need(t, "puma")
	if err := exec.CommandContext(t.Context(), "ruby", "-e", `gem "doorkeeper-openid_connect"; gem "rails"; gem "sqlite3"`).Run(); err != nil {
		Missing(t, "Doorkeeper is not installed; `.ci/setup test` installs it on Debian")
	}
	port, dir := freePort(t), t.TempDir()
	unpack(t, "doorkeeper", dir)
	cmd := exec.CommandContext(t.Context(), puma, "-b", "tcp://127.0.0.1:"+port, "-t", "2:2", filepath.Join(dir, "config.ru"))
	cmd.Dir = dir
	cmd.Env = slices.Concat(os.Environ(), []string{"PORT=" + port, "PEER_DIR=" + dir, "TTL=" + seconds(ttl)}, env)
	Run(t, cmd, func(line string) bool { return strings.Contains(line, "Use Ctrl-C to stop") })
	return Server{Issuer: "http://127.0.0.1:" + port, ClientID: "curfew"}
}

// DjangoOAuthToolkit starts Debian's django-oauth-toolkit.
func DjangoOAuthToolkit(t testing.TB, ttl time.Duration) Server {
	t.Helper()
	const python = "/usr/bin/python3" // Debian's, which has Debian's packages
	if err := exec.CommandContext(t.Context(), python, "-c", "import oauth2_provider").Run(); err != nil {
		Missing(t, "django-oauth-toolkit is not installed; `.ci/setup peers` installs it on Debian")
	}
	port, dir := freePort(t), t.TempDir()
	unpack(t, "django-oauth-toolkit", dir)
	cmd := exec.CommandContext(t.Context(), python, filepath.Join(dir, "peer.py"))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PORT="+port, "PEER_DIR="+dir, "TTL="+seconds(ttl))
	Run(t, cmd, func(line string) bool { return line == "ready" })
	return Server{Issuer: "http://127.0.0.1:" + port + "/o", ClientID: "curfew"}
}

// OAuth2orize starts npm's oauth2orize. It has no discovery: its endpoints are
// /authorize and /token below its issuer.
func OAuth2orize(t testing.TB, ttl time.Duration) Server {
	t.Helper()
	return node(t, "oauth2orize", ttl)["oauth2orize"]
}

// BetterAuth starts npm's better-auth.
func BetterAuth(t testing.TB, ttl time.Duration) Server {
	t.Helper()
	return node(t, "better-auth", ttl)["better-auth"]
}

// Zitadel builds and starts the example of the library that Zitadel is made with.
func Zitadel(t testing.TB, ttl time.Duration) Server {
	t.Helper()
	dir := installed(t, "zitadel", "go", "build", "-o", "server", ".")
	return says(t, exec.CommandContext(t.Context(), filepath.Join(dir, "server")), dir, ttl)["zitadel"]
}

// Dex builds and starts dex, which takes long the first time.
func Dex(t testing.TB, ttl time.Duration) Server {
	t.Helper()
	dir := installed(t, "dex", "go", "build", "-o", "server", "github.com/dexidp/dex/cmd/dex")
	template, err := os.ReadFile(filepath.Join(dir, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	port, config := freePort(t), filepath.Join(t.TempDir(), "config.yaml")
	filled := os.Expand(string(template), func(name string) string {
		switch name {
		case "PORT":
			return port
		case "TTL":
			return seconds(ttl)
		}
		return "$" + name // of a hash
	})
	if err := os.WriteFile(config, []byte(filled), 0o600); err != nil {
		t.Fatal(err)
	}
	Run(t, exec.CommandContext(t.Context(), filepath.Join(dir, "server"), "serve", config), func(line string) bool { return strings.Contains(line, "listening on") })
	return Server{Issuer: "http://127.0.0.1:" + port + "/dex", ClientID: "curfew"}
}
