//go:build linux

package main

import (
	"cmp"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"curfew/auth/authserver"
	"curfew/keystore/kctest"
)

// toolRuns are real programs, each with what a person configures and what they
// then run. $HOST is a server over http and $TLSHOST one over https, which
// $SSL_CERT_FILE vouches for; both belong to $ACCOUNT.
var toolRuns = []struct {
	tool  string
	needs string
	setUp string
	run   string
}{
	{"curl", "curl", ``, `curfew exec $ACCOUNT -- curl -sSf -H @{header_file} http://$HOST/api`},
	{"git", "git", `git config --global credential.http://$HOST.helper curfew`, `git clone -q http://$HOST/repo.git repo`},
}

// TestTools runs each program twice: for an account that is signed in, and for
// one that is not. The first must get what it wants, and whoever runs the second
// must read what to do.
func TestTools(t *testing.T) {
	w := newShop(t)
	for _, r := range toolRuns {
		t.Run(r.tool, func(t *testing.T) {
			kctest.Need(t, strings.Fields(r.needs)...)
			w.prepare(t, r.setUp)
			before := w.count()
			out, err := w.shell(t, "work", r.run)
			if after := w.count(); err != nil || after == before {
				t.Errorf("signed in: %v, %d requests with a token\n%s", err, after-before, out)
			}
			before = w.count()
			out, err = w.shell(t, "gone", r.run)
			if after := w.count(); err == nil || after != before || !strings.Contains(out, "gone is not signed in") || !strings.Contains(out, "curfew login gone") {
				t.Errorf("signed out: %v, %d requests with a token\n%s", err, after-before, out)
			}
		})
	}
}

// A shop is a server for every tool, which asks for a token before it serves,
// and a person with an account there and another that is not signed in.
type shop struct {
	dir    string
	env    []string
	vars   map[string][]string // of each account
	issuer *authserver.Server
	url    string // of the issuer

	mu     sync.Mutex
	served int // requests with a valid token
}

func newShop(t *testing.T) *shop {
	w := &shop{dir: t.TempDir(), vars: map[string][]string{}}
	run, err := os.MkdirTemp("", "shop") // a socket's path is short; a test's directory need not be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(run) })
	front := httptest.NewUnstartedServer(nil)
	w.url = "http://" + front.Listener.Addr().String()
	if w.issuer, err = authserver.New(authserver.Config{Issuer: w.url, AutoApprove: authserver.DefaultUser}); err != nil {
		t.Fatal(err)
	}
	front.Config.Handler = w.issuer
	front.Start()
	t.Cleanup(func() { front.Close(); w.issuer.Close() })

	w.env = append(os.Environ(), "XDG_RUNTIME_DIR="+run, "XDG_CONFIG_HOME="+filepath.Join(w.dir, "config"), "XDG_STATE_HOME="+filepath.Join(w.dir, "state"),
		"XDG_DATA_HOME="+filepath.Join(w.dir, "data"), "XDG_CACHE_HOME="+filepath.Join(w.dir, "cache"), "DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent",
		"BROWSER=browser", "GIT_TERMINAL_PROMPT=0", "SSL_CERT_FILE="+filepath.Join(w.dir, "ca.pem"))
	config := ""
	for _, account := range []string{"work", "gone"} {
		plain := httptest.NewServer(w)
		t.Cleanup(plain.Close)
		secure := httptest.NewTLSServer(w)
		t.Cleanup(secure.Close)
		secure.TLS.MinVersion = tls.VersionTLS12
		ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
		if err := os.WriteFile(filepath.Join(w.dir, "ca.pem"), ca, 0o600); err != nil {
			t.Fatal(err)
		}
		host, tlsHost := strings.TrimPrefix(plain.URL, "http://"), strings.TrimPrefix(secure.URL, "https://")
		w.vars[account] = []string{"ACCOUNT=" + account, "HOST=" + host, "TLSHOST=" + tlsHost}
		config += "[account." + account + "]\nissuer = \"" + w.url + "\"\nclient_id = \"" + authserver.DefaultClientID + "\"\nhosts = [\"" + host + "\", \"" + tlsHost + "\"]\n"
	}
	path := filepath.Join(w.dir, "config", "curfew", "config.toml")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start(t)
	w.prepare(t, "")
	if out, err := w.shell(t, "work", `
		person curfew login work --no-browser
		git init -q --bare ../repo.git && git init -q repo
		git -C repo -c user.name=a -c user.email=a@b commit -q --allow-empty -m first
		git -C repo push -q ../../repo.git HEAD && git -C ../repo.git update-server-info`); err != nil {
		t.Fatal(err, out)
	}
	return w
}

// start runs an agent that keeps nothing.
func (w *shop) start(t *testing.T) {
	c := exec.Command("curfew", "agent", "--memory")
	c.Env, c.Dir, c.Stderr = w.env, w.dir, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Signal(syscall.SIGTERM); c.Wait() })
}

// prepare makes a fresh home directory for each account, and configures it.
func (w *shop) prepare(t *testing.T, script string) {
	for account := range w.vars {
		if err := os.RemoveAll(w.home(account)); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(w.home(account), 0o700); err != nil {
			t.Fatal(err)
		}
		if out, err := w.shell(t, account, script); err != nil {
			t.Fatal(err, out)
		}
	}
}

func (w *shop) home(account string) string { return filepath.Join(w.dir, "home-"+account) }

// shell runs a script in the account's home.
func (w *shop) shell(t *testing.T, account, script string) (string, error) {
	c := exec.CommandContext(t.Context(), "bash", "-euc", script)
	c.Dir = w.home(account)
	c.Env = append(append(w.env, "HOME="+c.Dir), w.vars[account]...)
	out, err := c.CombinedOutput()
	return string(out), err
}

func (w *shop) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.served
}

// ServeHTTP serves every tool that brings a valid token, as Bearer or as the
// password of Basic.
func (w *shop) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		_, token, _ = r.BasicAuth()
	}
	judge := httptest.NewRequest("GET", w.url+"/api/me", nil)
	judge.Header.Set("Authorization", "Bearer "+cmp.Or(token, "none"))
	verdict := httptest.NewRecorder()
	w.issuer.ServeHTTP(verdict, judge)
	if verdict.Code != http.StatusOK {
		rw.Header().Set("WWW-Authenticate", `Basic realm="shop"`)
		http.Error(rw, "a valid token is needed", http.StatusUnauthorized)
		return
	}
	w.mu.Lock()
	w.served++
	w.mu.Unlock()
	if strings.HasPrefix(r.URL.Path, "/repo.git/") {
		http.FileServer(http.Dir(w.dir)).ServeHTTP(rw, r)
		return
	}
	json.NewEncoder(rw).Encode(map[string]any{"kind": "APIVersions", "versions": []string{"v1"}})
}
