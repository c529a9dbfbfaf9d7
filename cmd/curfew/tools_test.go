//go:build linux

package main

import (
	"cmp"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"curfew/auth/authserver"
	"curfew/keystore/kctest"
)

// toolRuns are real programs, those with a ? if they are there. Each has what a
// person has configured before, the arguments of `curfew setup`, and what they
// then run. $HOST is a server over http and $TLSHOST one over https, which
// $SSL_CERT_FILE vouches for. Both belong to $ACCOUNT. Where a tool hides what a
// helper says, script gives it a terminal.
var toolRuns = []struct {
	tool  string
	needs string
	setUp string
	setup string
	run   string
}{
	{"curl", "curl", ``, ``, `curfew exec $ACCOUNT -- curl -sSf -H @{header_file} http://$HOST/api`},
	{"git", "git", `git config --global user.name me`, `git`, `git clone -q http://$HOST/repo.git repo`},
	{"skopeo", "skopeo", ``, `docker`, `skopeo inspect --raw --tls-verify=false docker://$HOST/demo:1`},
	{"docker", "?docker", `mkdir .docker && echo '{"auths": {"a.example": {}}, "credHelpers":{"b.example":"pass"}}' >.docker/config.json`, `docker`,
		`docker manifest inspect --insecure $HOST/demo:1`},
	{"kubectl", "?kubectl", `
		kubectl config set-cluster shop --server=https://$TLSHOST --certificate-authority=$SSL_CERT_FILE
		kubectl config set-context shop --cluster=shop && kubectl config use-context shop`, `kubectl`,
		`kubectl get --raw /api`},
	{"kubectl, fresh", "?kubectl", ``, `kubectl --host $TLSHOST`, `kubectl get --raw /api`},
	{"go", "go", `go env -w GOPROXY=https://$TLSHOST/go GONOSUMDB=* GOMODCACHE=$HOME/mod`, `go`,
		`script -qec "go list -m -versions example.com/demo" /dev/null`},
	{"cargo", "?cargo", `
		mkdir -p src .cargo && touch src/lib.rs
		printf '[package]\nname = "a"\nversion = "1.0.0"\n[dependencies]\ndemo = { version = "1", registry = "shop" }\n' >Cargo.toml
		printf '[registries.shop]\nindex = "sparse+http://%s/index/"' $HOST >.cargo/config.toml`, `cargo`,
		`cargo generate-lockfile`},
	{"pip", "pip", ``, `pip`, `pip --disable-pip-version-check index versions demo -i http://me@$HOST/simple/ --trusted-host 127.0.0.1`},
	{"npm", "npm", `printf '//%s/:_authToken=${NPM_TOKEN}\nregistry=http://%s/\n' $HOST $HOST >.npmrc`, ``, `curfew exec $ACCOUNT --env NPM_TOKEN -- npm view demo version`},
	{"pnpm", "?pnpm", `
		echo "registry=http://$HOST/" >.npmrc
		echo '{"name":"a","dependencies":{"demo":"1.0.0"}}' >package.json`, `npm`,
		`script -qec "pnpm install --lockfile-only" /dev/null`},
	{"terraform", "?terraform", `echo 'module "m" { source = "'$TLSHOST'/a/demo/b" }' >main.tf`, `terraform`,
		`unshare -rm script -qec 'mount --bind $HOME /root && terraform init -no-color' /dev/null`}, // it does not look at $HOME
}

// TestTools runs each program twice: for an account that is signed in, and for one
// that is not. The first must get its token, and the second must show the person
// what to do.
func TestTools(t *testing.T) {
	w := newShop(t)
	for _, r := range toolRuns {
		t.Run(r.tool, func(t *testing.T) {
			need, optional := strings.CutPrefix(r.needs, "?")
			if _, err := exec.LookPath(need); err != nil && optional {
				t.Skip(need + " is not installed, and Debian has none that would do")
			}
			kctest.Need(t, need)
			w.prepare(t, r.setUp)
			undo := w.setUp(t, r.setup)
			defer undo()
			before := w.count()
			var out, words string
			var err, failed error
			var both sync.WaitGroup
			both.Go(func() { out, err = w.shell(t, "work", r.run) })
			both.Go(func() { words, failed = w.shell(t, "gone", r.run) })
			both.Wait()
			served := w.count()
			if err != nil || served["work"] == before["work"] {
				t.Errorf("signed in: %v, %d requests with a token\n%s", err, served["work"]-before["work"], out)
			}
			if failed == nil || served["gone"] > 0 || !strings.Contains(words, "gone is not signed in") || !strings.Contains(words, "curfew login gone") {
				t.Errorf("signed out: %v, %d requests with a token\n%s", failed, served["gone"], words)
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
	served map[string]int // requests with a valid token, of each account
}

// places are where this machine says that tools have their configuration.
var places = []string{"TF_CLI_CONFIG_FILE", "CARGO_HOME", "GIT_CONFIG_GLOBAL", "KUBECONFIG", "DOCKER_CONFIG", "NPM_CONFIG_USERCONFIG"}

func newShop(t *testing.T) *shop {
	w := &shop{dir: t.TempDir(), vars: map[string][]string{}, served: map[string]int{}}
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

	w.env = append(slices.DeleteFunc(os.Environ(), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains(places, name)
	}), "XDG_RUNTIME_DIR="+run, "XDG_CONFIG_HOME="+filepath.Join(w.dir, "config"), "XDG_STATE_HOME="+filepath.Join(w.dir, "state"),
		"XDG_DATA_HOME="+filepath.Join(w.dir, "data"), "XDG_CACHE_HOME="+filepath.Join(w.dir, "cache"), "DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent",
		"BROWSER=browser", "GIT_TERMINAL_PROMPT=0", "RUSTUP_HOME="+cmp.Or(os.Getenv("RUSTUP_HOME"), filepath.Join(os.Getenv("HOME"), ".rustup")), "SSL_CERT_FILE="+filepath.Join(w.dir, "ca.pem"))
	config := ""
	for _, account := range []string{"work", "gone"} {
		plain := httptest.NewServer(w.counter(account))
		t.Cleanup(plain.Close)
		secure := httptest.NewTLSServer(w.counter(account))
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
		mkdir ../module && touch ../module/main.tf
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

// setUp runs `curfew setup --write` for each account. The function it returns
// runs it with --undo, and checks that all files are as they were.
func (w *shop) setUp(t *testing.T, args string) func() {
	if args == "" {
		return func() {}
	}
	accounts := slices.Sorted(maps.Keys(w.vars))
	before := map[string]map[string]string{}
	for _, account := range accounts {
		before[account] = filesIn(t, w.home(account))
		if out, err := w.shell(t, account, "curfew setup --account $ACCOUNT --write "+args); err != nil {
			t.Error(err, out)
		}
	}
	return func() {
		for _, account := range slices.Backward(accounts) {
			out, err := w.shell(t, account, "curfew setup --account $ACCOUNT --undo --json "+args)
			var undone struct{ Changed []string }
			if err != nil || json.Unmarshal([]byte(out), &undone) != nil {
				t.Error(err, out)
			}
			after := filesIn(t, w.home(account))
			for _, path := range undone.Changed {
				if was, is := before[account][path], after[path]; was != is {
					t.Errorf("%s is not as it was before:\n%s\n%s", path, was, is)
				}
			}
			for path, was := range before[account] {
				if after[path] != was {
					t.Errorf("%s is not as it was:\n%s\n%s", path, was, after[path])
				}
			}
		}
	}
}

// filesIn returns the mode and the text of all files below a directory.
func filesIn(t *testing.T, dir string) map[string]string {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		fi, _ := d.Info()
		files[path] = fi.Mode().String() + "\n" + string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func (w *shop) home(account string) string { return filepath.Join(w.dir, "home-"+account) }

// shell runs a script in the account's home.
func (w *shop) shell(t *testing.T, account, script string) (string, error) {
	c := exec.CommandContext(t.Context(), "bash", "-euc", script)
	c.Dir = w.home(account)
	c.Env = slices.Concat(w.env, []string{"HOME=" + c.Dir, "GOENV=" + c.Dir + "/goenv", "PIP_CONFIG_FILE=" + c.Dir + "/pip.conf"}, w.vars[account])
	out, err := c.CombinedOutput()
	return string(out), err
}

func (w *shop) count() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.served)
}

// pages are what the shop has for each tool, the first with the path's beginning.
var pages = []struct{ path, kind, text string }{
	{"/api", "application/json", `{"kind":"APIVersions","versions":["v1"]}`},
	{"/v2/demo/manifests/", "application/vnd.docker.distribution.manifest.v2+json", `{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":` +
		`{"mediaType":"application/vnd.docker.container.image.v1+json","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},"layers":[]}`},
	{"/v2/", "application/json", `{}`},
	{"/go/example.com/demo/@v/list", "text/plain", "v1.0.0\n"},
	{"/go/example.com/demo/@v/v1.0.0.info", "application/json", `{"Version":"v1.0.0"}`},
	{"/go/example.com/demo/@v/v1.0.0.mod", "text/plain", "module example.com/demo\n"},
	{"/index/config.json", "application/json", `{"dl":"http://$HOST/dl","api":"http://$HOST","auth-required":true}`},
	{"/index/de/mo/demo", "text/plain", `{"name":"demo","vers":"1.0.0","deps":[],"cksum":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","features":{},"yanked":false}` + "\n"},
	{"/simple/demo/", "text/html", `<!DOCTYPE html><a href="demo-1.0-py3-none-any.whl">demo-1.0-py3-none-any.whl</a>`},
	{"/demo", "application/json", `{"name":"demo","dist-tags":{"latest":"1.0.0"},"versions":{"1.0.0":{"name":"demo","version":"1.0.0","dist":{"tarball":"http://$HOST/demo.tgz"}}}}`},
	{"/.well-known/terraform.json", "application/json", `{"modules.v1":"/modules/"}`},
	{"/modules/a/demo/b/1.0.0/download", "text/plain", ""},
	{"/modules/a/demo/b/versions", "application/json", `{"modules":[{"versions":[{"version":"1.0.0"}]}]}`},
}

// counter serves every tool that brings a valid token, as Bearer or as the
// password of Basic.
func (w *shop) counter(account string) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			_, token, _ = r.BasicAuth()
		}
		if !w.valid(token) {
			rw.Header().Set("WWW-Authenticate", `Basic realm="shop"`)
			http.Error(rw, "a valid token is needed", http.StatusUnauthorized)
			return
		}
		w.mu.Lock()
		w.served[account]++
		w.mu.Unlock()
		w.serve(rw, r)
	})
}

// valid asks the authorization server.
func (w *shop) valid(token string) bool {
	r := httptest.NewRequest("GET", w.url+"/api/me", nil)
	r.Header.Set("Authorization", "Bearer "+cmp.Or(token, "none"))
	verdict := httptest.NewRecorder()
	w.issuer.ServeHTTP(verdict, r)
	return verdict.Code == http.StatusOK
}

func (w *shop) serve(rw http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/repo.git/") {
		http.FileServer(http.Dir(w.dir)).ServeHTTP(rw, r)
		return
	}
	for _, page := range pages {
		if strings.HasPrefix(r.URL.Path, page.path) {
			rw.Header().Set("Content-Type", page.kind)
			rw.Header().Set("X-Terraform-Get", "file://"+filepath.Join(w.dir, "module"))
			io.WriteString(rw, strings.ReplaceAll(page.text, "$HOST", r.Host))
			return
		}
	}
	http.NotFound(rw, r)
}
