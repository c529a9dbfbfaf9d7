//go:build linux

package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"curfew/auth"
	"curfew/auth/agent/client"
	"curfew/auth/authserver"
	"curfew/keystore/kctest"
)

// toolRuns are real programs, those with a ? if they are there, and those with a
// ~ for `make tools` only. Each has what a
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
	{"curl, by proxy", "curl", ``, ``, `
		exec 3< <(exec curfew proxy $ACCOUNT --to http://$HOST/api) && trap "kill $!" EXIT
		read -r url <&3 && curl -sS --fail-with-body $url`},
	{"git", "git", `git config --global user.name me`, `git`, `rm -rf repo && git clone -q http://$HOST/repo.git repo`},
	{"skopeo", "skopeo", ``, `docker`, `skopeo inspect --raw --tls-verify=false docker://$HOST/demo:1`},
	{"docker", "?~docker", `mkdir .docker && echo '{"auths": {"a.example": {}}, "credHelpers":{"b.example":"pass"}}' >.docker/config.json`, `docker`,
		`docker manifest inspect --insecure $HOST/demo:1`},
	{"kubectl", "?~kubectl", `
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
		`script -qec "rm -f pnpm-lock.yaml && pnpm install --lockfile-only" /dev/null`},
	{"terraform", "?terraform", `echo 'module "m" { source = "'$TLSHOST'/a/demo/b" }' >main.tf`, `terraform`,
		`unshare -rm script -qec 'mount --bind $HOME /root && rm -rf .terraform && terraform init -no-color' /dev/null`}, // it does not look at $HOME
	{"rclone", "~rclone", ``, ``, `rclone cat --config= --retries 1 --webdav-url http://$HOST/dav --webdav-bearer-token-command "curfew token $ACCOUNT" :webdav:file`},
	{"aws", "?~aws", ``, ``, `curfew exec $ACCOUNT -- env AWS_MAX_ATTEMPTS=1 aws --no-sign-request --region x --endpoint-url http://$HOST/ sts assume-role-with-web-identity ` +
		`--role-arn arn:aws:iam::123456789012:role/a --role-session-name abc --web-identity-token file://{token_file}`},
	{"boto3", "~/usr/bin/python3", "cat >sessions.py <<'END'\n" + twoSessions + "END\n", ``, `curfew exec $ACCOUNT -- sh -c 'AWS_WEB_IDENTITY_TOKEN_FILE=$CURFEW_ACCESS_TOKEN_FILE AWS_ROLE_ARN=arn:aws:iam::123456789012:role/a /usr/bin/python3 sessions.py'`},
	{"msmtp", "~msmtp", ``, ``, `echo | msmtp --host=127.0.0.1 --port=$SMTP --tls=off --auth=oauthbearer --user=me --passwordeval="curfew token $ACCOUNT" --from=a@b.example a@b.example`},
	{"getmail", "~getmail", `mkdir -p mail/cur mail/new mail/tmp && printf '%s\n' "[retriever]" "type = SimpleIMAPRetriever" "server = 127.0.0.1" "port = $IMAP" "username = me" \
		"use_xoauth2 = True" "password_command = (\"curfew\", \"helper\", \"mail\", \"--account\", \"$ACCOUNT\")" "[destination]" "type = Maildir" "path = $HOME/mail/" >getmailrc`, ``, `script -qec "getmail --getmaildir=$HOME --rcfile=getmailrc" /dev/null`},
}

// twoSessions has boto3 read the token twice in one process. Older versions know
// no variable for the address of AWS's token service.
const twoSessions = `import os, boto3, botocore.session
create = botocore.session.Session.create_client
def local(self, *args, **named):
    named["endpoint_url"], named["region_name"] = "http://" + os.environ["HOST"], "x"
    return create(self, *args, **named)
botocore.session.Session.create_client = local
for _ in range(2):
    assert boto3.Session().get_credentials().get_frozen_credentials().access_key == "AKIA"
`

var toolsTable = flag.Bool("tools", false, "run every tool, also after an expiry and all at once, and print a table")

// TestTools runs each program twice: for an account that is signed in, and for one
// that is not. The first must get its token, and the second must show the person
// what to do.
func TestTools(t *testing.T) {
	w := newShop(t)
	var ran []string
	for _, r := range toolRuns {
		t.Run(r.tool, func(t *testing.T) {
			needed(t, r.needs)
			w.prepare(t, r.tool, r.setUp)
			t.Cleanup(w.setUp(t, r.tool, r.setup))
			before := w.count()
			var out, words string
			var err, failed error
			var both sync.WaitGroup
			both.Go(func() { out, err = w.shell(t, r.tool, "work", r.run) })
			both.Go(func() { words, failed = w.shell(t, r.tool, "gone", r.run) })
			both.Wait()
			served := w.count()
			if err != nil || served["work"] == before["work"] {
				t.Errorf("signed in: %v, %d requests with a token\n%s", err, served["work"]-before["work"], out)
			}
			if failed == nil || served["gone"] > 0 || !strings.Contains(words, "gone is not signed in") || !strings.Contains(words, "curfew login gone") {
				t.Errorf("signed out: %v, %d requests with a token\n%s", failed, served["gone"], words)
			}
			if !t.Failed() {
				ran = append(ran, r.tool)
			}
		})
	}
	if *toolsTable {
		w.table(t, ran)
	}
	w.canary(t)
}

// TestToolsFiles: programs that can only read a file have a valid token, also
// after a refresh.
func TestToolsFiles(t *testing.T) {
	kctest.Need(t, "curl")
	w := newShop(t)
	token := w.home("", "work") + "/run/token"
	config := filepath.Join(w.dir, "config", "curfew", "config.toml")
	b, err := os.ReadFile(config)
	if err == nil {
		err = os.WriteFile(config, []byte(strings.Replace(string(b), "[account.work]\n", fmt.Sprintf("[account.work]\ntoken_file = %q\n", token), 1)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.agent.Process.Signal(syscall.SIGHUP)
	runs := map[string]string{
		"curl": `curl -sSf -H "Authorization: Bearer $(cat run/token)" http://$HOST/api`,
	}
	if *toolsTable {
		runs["boto3"] = "cat >sessions.py <<'END'\n" + twoSessions + "END\nAWS_WEB_IDENTITY_TOKEN_FILE=run/token AWS_ROLE_ARN=arn:aws:iam::123456789012:role/a /usr/bin/python3 sessions.py"
		runs["kubectl"] = `export KUBECONFIG=$PWD/kube:$PWD/users
			printf 'apiVersion: v1\nkind: Config\nusers:\n- name: work\n  user:\n    tokenFile: %s/run/token\n' $PWD >users
			kubectl config set-cluster shop --server=https://$TLSHOST --certificate-authority=$SSL_CERT_FILE
			kubectl config set-context shop --cluster=shop --user=work && kubectl config use-context shop
			kubectl get --raw /api`
	}
	before := ""
	for range 2 {
		for text := before; text == before || text == ""; time.Sleep(10 * time.Millisecond) { // no event reports a new file
			b, _ := os.ReadFile(token)
			text = string(b)
		}
		b, err := os.ReadFile(token)
		if before = string(b); err != nil {
			t.Fatal(err)
		}
		for name, run := range runs {
			served := w.count()["work"]
			if out, err := w.shell(t, "", "work", run); err != nil || w.count()["work"] == served || !w.tokens["work"][before] {
				t.Errorf("%s: %v, %d requests with a token\n%s", name, err, w.count()["work"]-served, out)
			}
		}
		if out, err := w.shell(t, "", "work", "curfew refresh work"); err != nil {
			t.Fatal(err, out)
		}
	}
}

// canary looks for a token in every file that the tools and Curfew have written.
func (w *shop) canary(t *testing.T) {
	w.mu.Lock()
	defer w.mu.Unlock()
	files := 0
	for path, text := range filesIn(t, w.dir) {
		files++
		for _, tokens := range w.tokens {
			for token := range tokens {
				if strings.Contains(text, token) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte("oauth2:"+token))) {
					t.Errorf("a token is in %s", path)
				}
			}
		}
	}
	if files == 0 || len(w.tokens) == 0 {
		t.Errorf("%d files and tokens of %d accounts: that proves nothing", files, len(w.tokens))
	}
}

// needed skips a program that this machine or this run is not for.
func needed(t *testing.T, needs string) {
	program := strings.TrimLeft(needs, "?~")
	if strings.Contains(needs, "~") && !*toolsTable {
		t.Skip("runs in make tools")
	}
	if _, err := exec.LookPath(program); err != nil && strings.HasPrefix(needs, "?") {
		t.Skip(program + " is not installed, and Debian has none that would do")
	}
	kctest.Need(t, program)
}

// briefLife is long enough for a token to be handed out for a while, and is half
// over when it is too short for most tools.
const briefLife = 100 * time.Second

// table runs those that passed for an account whose token soon ends: all at once
// before, and all at once after that. It prints what came of it.
func (w *shop) table(t *testing.T, ran []string) {
	if out, err := w.shell(t, "", "brief", "person curfew login brief --no-browser"); err != nil {
		t.Fatal(err, out)
	}
	began := time.Now()
	first := w.allAtOnce(t, ran)
	w.mu.Lock()
	for token := range w.tokens["brief"] {
		w.ended[token] = true
	}
	w.mu.Unlock()
	time.Sleep(time.Until(began.Add(briefLife/2 + 2*time.Second))) // until that token is too short
	second := w.allAtOnce(t, ran)
	out, err := w.shell(t, "", "brief", "curfew status brief --json")
	var s auth.Snapshot
	if err != nil || json.Unmarshal([]byte(out), &s) != nil || s.RefreshesUsed != 1 || w.stale > 0 || len(w.tokens["brief"]) != 2 {
		t.Errorf("%v, %d refreshes, %d old tokens used, %d tokens in all; want 1, 0, 2\n%s", err, s.RefreshesUsed, w.stale, len(w.tokens["brief"]), out)
	}
	fmt.Println("| tool | version | signed in | signed out: the words arrive | all at once | all at once, after its end |\n|---|---|---|---|---|---|")
	for _, r := range toolRuns {
		if slices.Contains(ran, r.tool) {
			program := strings.TrimLeft(r.needs, "?~")
			if r.tool == "boto3" {
				program += " -c 'import boto3; print(boto3.__version__)';"
			}
			version, _ := w.shell(t, r.tool, "work", "{ "+program+" --version || "+program+" version --client || "+program+" version; } 2>&1 | grep -om1 '[0-9]*\\.[0-9][0-9.]*' | head -1")
			fmt.Printf("| %s | %s | yes | yes | %s | %s |\n", r.tool, strings.TrimSpace(version), first[r.tool], second[r.tool])
		}
	}
	fmt.Printf("%d tools, %d runs, %d refresh, %d old tokens used\n", len(ran), 2*len(ran), s.RefreshesUsed, w.stale)
}

// allAtOnce runs the tools for the brief account.
func (w *shop) allAtOnce(t *testing.T, ran []string) map[string]string {
	results := map[string]string{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, r := range toolRuns {
		if !slices.Contains(ran, r.tool) {
			continue
		}
		all.Go(func() {
			out, err := w.shell(t, r.tool, "brief", r.run)
			mu.Lock()
			defer mu.Unlock()
			if results[r.tool] = "yes"; err != nil {
				results[r.tool] = "NO"
				t.Errorf("%s: %v\n%s", r.tool, err, out)
			}
		})
	}
	all.Wait()
	return results
}

// A shop is a server for every tool, which asks for a token before it serves,
// and a person with an account there and another that is not signed in.
type shop struct {
	dir     string
	env     []string
	agent   *exec.Cmd
	vars    map[string][]string // of each account
	issuers map[string]*authserver.Server
	mcp     http.Handler // behind /mcp, if there is one

	mu     sync.Mutex
	served map[string]int             // requests with a valid token, of each account
	tokens map[string]map[string]bool // those tokens
	ended  map[string]bool            // tokens that should not come again
	stale  int                        // requests with one of them
}

// places are where this machine says that tools have their configuration.
var places = []string{"TF_CLI_CONFIG_FILE", "CARGO_HOME", "GIT_CONFIG_GLOBAL", "KUBECONFIG", "DOCKER_CONFIG", "NPM_CONFIG_USERCONFIG"}

func newShop(t *testing.T) *shop {
	w := &shop{dir: t.TempDir(), vars: map[string][]string{}, issuers: map[string]*authserver.Server{}, served: map[string]int{}, tokens: map[string]map[string]bool{}, ended: map[string]bool{}}
	run, err := os.MkdirTemp("", "shop") // a socket's path is short; a test's directory need not be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(run) })
	w.env = append(slices.DeleteFunc(os.Environ(), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains(places, name)
	}), "XDG_RUNTIME_DIR="+run, "XDG_CONFIG_HOME="+filepath.Join(w.dir, "config"), "XDG_STATE_HOME="+filepath.Join(w.dir, "state"),
		"DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent", "BROWSER=browser", "GIT_TERMINAL_PROMPT=0", "AWS_EC2_METADATA_DISABLED=true", "SSL_CERT_FILE="+filepath.Join(w.dir, "ca.pem"),
		"RUSTUP_HOME="+cmp.Or(os.Getenv("RUSTUP_HOME"), filepath.Join(os.Getenv("HOME"), ".rustup")))
	usual, brief := w.issuer(t, 0), ""
	accounts := []string{"work", "gone"}
	if *toolsTable {
		accounts, brief = append(accounts, "brief"), w.issuer(t, briefLife)
	}
	var config strings.Builder
	for _, account := range accounts {
		issuer := usual
		if account == "brief" {
			issuer = brief
		}
		hosts := w.open(t, account)
		config.WriteString(fmt.Sprintf("[account.%s]\nissuer = %q\nclient_id = %q\nrefresh = \"on-demand\"\nhosts = [%q, %q]\n", account, issuer, authserver.DefaultClientID, hosts[0], hosts[1]))
	}
	path := filepath.Join(w.dir, "config", "curfew", "config.toml")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start(t)
	w.prepare(t, "", "")
	if out, err := w.shell(t, "", "work", `
		person curfew login work --no-browser
		mkdir ../module && touch ../module/main.tf
		git init -q --bare ../repo.git && git init -q repo
		git -C repo -c user.name=a -c user.email=a@b commit -q --allow-empty -m first
		git -C repo push -q ../../repo.git HEAD && git -C ../repo.git update-server-info`); err != nil {
		t.Fatal(err, out)
	}
	return w
}

// issuer starts an authorization server whose access tokens live that long.
func (w *shop) issuer(t *testing.T, life time.Duration) string {
	front := httptest.NewUnstartedServer(nil)
	url := "http://" + front.Listener.Addr().String()
	server, err := authserver.New(authserver.Config{Issuer: url, AutoApprove: authserver.DefaultUser, AccessLifetime: life})
	if err != nil {
		t.Fatal(err)
	}
	w.issuers[url], front.Config.Handler = server, server
	front.Start()
	t.Cleanup(func() { front.Close(); server.Close() })
	return url
}

// open opens the shop for an account: over http, over https and for mail.
func (w *shop) open(t *testing.T, account string) []string {
	plain := httptest.NewServer(w.counter(account))
	t.Cleanup(plain.Close)
	secure := httptest.NewTLSServer(w.counter(account))
	t.Cleanup(secure.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(w.dir, "ca.pem"), ca, 0o600); err != nil {
		t.Fatal(err)
	}
	hosts := []string{strings.TrimPrefix(plain.URL, "http://"), strings.TrimPrefix(secure.URL, "https://")}
	w.vars[account] = []string{"ACCOUNT=" + account, "HOST=" + hosts[0], "TLSHOST=" + hosts[1], "SMTP=" + w.listen(t, account, smtp), "IMAP=" + w.listen(t, account, imap)}
	return hosts
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
	w.agent = c
	// A command that finds no agent for a while starts another one, with a keychain.
	socket := ""
	for _, pair := range w.env {
		if run, ok := strings.CutPrefix(pair, "XDG_RUNTIME_DIR="); ok {
			socket = filepath.Join(run, "curfew", "agent.sock")
		}
	}
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) { // no event reports it
		if _, err := client.NewClient(socket).Version(t.Context()); err == nil {
			return
		} else if time.Since(began) > time.Minute {
			t.Fatal(err)
		}
	}
}

// prepare makes a home directory for each account, and configures it.
func (w *shop) prepare(t *testing.T, tool, script string) {
	for account := range w.vars {
		if err := os.MkdirAll(w.home(tool, account), 0o700); err != nil {
			t.Fatal(err)
		}
		if out, err := w.shell(t, tool, account, script); err != nil {
			t.Fatal(err, out)
		}
	}
}

// setUp runs `curfew setup --write` for each account. The function it returns
// runs it with --undo, and checks that all files are as they were.
func (w *shop) setUp(t *testing.T, tool, args string) func() {
	if args == "" {
		return func() {}
	}
	before := map[string]map[string]string{}
	for account := range w.vars {
		before[account] = filesIn(t, w.home(tool, account))
		if out, err := w.shell(t, tool, account, "curfew setup --account $ACCOUNT --write "+args); err != nil {
			t.Error(err, out)
		}
	}
	return func() {
		for account := range w.vars {
			if *toolsTable && account == "brief" {
				continue // it is still needed
			}
			out, err := w.shell(t, tool, account, "curfew setup --account $ACCOUNT --undo --json "+args)
			var undone struct{ Changed []string }
			if err != nil || json.Unmarshal([]byte(out), &undone) != nil {
				t.Error(err, out)
			}
			after := filesIn(t, w.home(tool, account))
			for _, path := range append(undone.Changed, slices.Collect(maps.Keys(before[account]))...) {
				if was, is := before[account][path], after[path]; was != is && !strings.HasPrefix(path, w.home(tool, account)+"/repo/") {
					t.Errorf("%s is not as it was:\n%s\n%s", path, was, is)
				}
			}
		}
	}
}

// filesIn returns the mode and the text of all files below a directory.
func filesIn(t *testing.T, dir string) map[string]string {
	files := map[string]string{}
	add := func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		files[path] = fi.Mode().String() + "\n" + string(text)
		return err
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err = add(path, d, err); errors.Is(err, fs.ErrNotExist) {
			return nil // a temporary file, of the agent for instance, that has its place by now
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func (w *shop) home(tool, account string) string {
	return filepath.Join(w.dir, "home-"+strings.ReplaceAll(tool, " ", "-")+"-"+account)
}

// shell runs a script in the home directory that an account has for a tool.
func (w *shop) shell(t *testing.T, tool, account, script string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "bash", "-euc", script)
	c.Dir = w.home(tool, account)
	c.Env = slices.Concat(w.env, w.vars[account], []string{"HOME=" + c.Dir, "GOENV=" + c.Dir + "/goenv", "PIP_CONFIG_FILE=" + c.Dir + "/pip.conf",
		"XDG_STATE_HOME=" + c.Dir + "/.state", "XDG_CACHE_HOME=" + c.Dir + "/.cache", "XDG_DATA_HOME=" + c.Dir + "/.data"})
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
	{"/dav/file", "text/plain", "hello\n"},
	{"/simple/demo/", "text/html", `<!DOCTYPE html><a href="demo-1.0-py3-none-any.whl">demo-1.0-py3-none-any.whl</a>`},
	{"/demo", "application/json", `{"name":"demo","dist-tags":{"latest":"1.0.0"},"versions":{"1.0.0":{"name":"demo","version":"1.0.0","dist":{"tarball":"http://$HOST/demo.tgz"}}}}`},
	{"/.well-known/terraform.json", "application/json", `{"modules.v1":"/modules/"}`},
	{"/modules/a/demo/b/1.0.0/download", "text/plain", ""},
	{"/modules/a/demo/b/versions", "application/json", `{"modules":[{"versions":[{"version":"1.0.0"}]}]}`},
}

// counter serves every tool that brings a valid token. Most bring it as Bearer or
// as the password of Basic, and AWS in a form.
func (w *shop) counter(account string) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			_, token, _ = r.BasicAuth()
		}
		if !w.judge(account, cmp.Or(token, r.FormValue("WebIdentityToken"))) {
			rw.Header().Set("WWW-Authenticate", `Basic realm="shop"`)
			http.Error(rw, "a valid token is needed", http.StatusUnauthorized)
			return
		}
		w.serve(rw, r)
	})
}

// judge asks the authorization servers about a token, and counts it.
func (w *shop) judge(account, token string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended[token] {
		w.stale++
		return false
	}
	for url, issuer := range w.issuers {
		r := httptest.NewRequest("GET", url+"/api/me", nil)
		r.Header.Set("Authorization", "Bearer "+cmp.Or(token, "none"))
		verdict := httptest.NewRecorder()
		issuer.ServeHTTP(verdict, r)
		if verdict.Code == http.StatusOK {
			w.served[account]++
			if w.tokens[account] == nil {
				w.tokens[account] = map[string]bool{}
			}
			w.tokens[account][token] = true
			return true
		}
	}
	return false
}

// listen serves mail for an account, and returns the port.
func (w *shop) listen(t *testing.T, account string, serve func(c *textproto.Conn, valid func(response string) bool)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // ends with l
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { // ends with the connection
				defer c.Close()
				serve(textproto.NewConn(c), func(response string) bool {
					text, _ := base64.StdEncoding.DecodeString(response)
					_, token, _ := strings.Cut(string(text), "auth=Bearer ")
					token, _, _ = strings.Cut(token, "\x01")
					return w.judge(account, token)
				})
			}()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// smtp is as much of RFC 5321 as one message takes.
func smtp(c *textproto.Conn, valid func(string) bool) {
	c.PrintfLine("220 shop")
	for {
		line, err := c.ReadLine()
		verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
		words := append(strings.Fields(line), "", "")
		switch {
		case err != nil:
			return
		case verb == "EHLO":
			c.PrintfLine("250-shop\r\n250 AUTH OAUTHBEARER XOAUTH2")
		case verb == "AUTH" && !valid(words[2]):
			c.PrintfLine("535 a valid token is needed")
		case verb == "AUTH":
			c.PrintfLine("235 welcome")
		case verb == "DATA":
			c.PrintfLine("354 go on")
			c.ReadDotLines()
			c.PrintfLine("250 taken")
		default:
			c.PrintfLine("250 fine")
		}
	}
}

// imap is as much of RFC 3501 as a look into an empty mailbox takes.
func imap(c *textproto.Conn, valid func(string) bool) {
	c.PrintfLine("* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2] shop")
	for {
		line, err := c.ReadLine()
		words := append(strings.Fields(line), "", "")
		if err != nil {
			return
		}
		answer := "OK fine"
		switch strings.ToUpper(words[1]) {
		case "CAPABILITY":
			c.PrintfLine("* CAPABILITY IMAP4rev1 AUTH=XOAUTH2")
		case "AUTHENTICATE":
			c.PrintfLine("+ ")
			if response, _ := c.ReadLine(); !valid(response) {
				answer = "NO a valid token is needed"
			}
		case "LIST":
			c.PrintfLine(`* LIST (\HasNoChildren) "/" "INBOX"`)
		case "SELECT", "EXAMINE":
			c.PrintfLine("* 0 EXISTS\r\n* OK [UIDVALIDITY 1] fine")
		case "UID", "SEARCH":
			c.PrintfLine("* SEARCH")
		case "LOGOUT":
			c.PrintfLine("* BYE")
		}
		c.PrintfLine("%s %s", words[0], answer)
	}
}

func (w *shop) serve(rw http.ResponseWriter, r *http.Request) {
	if w.mcp != nil && strings.HasPrefix(r.URL.Path, "/mcp") {
		w.mcp.ServeHTTP(rw, r)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/repo.git/") {
		http.FileServer(http.Dir(w.dir)).ServeHTTP(rw, r)
		return
	}
	if r.Method == "PROPFIND" { // of rclone
		rw.WriteHeader(http.StatusMultiStatus)
		io.WriteString(rw, `<d:multistatus xmlns:d="DAV:"><d:response><d:href>/dav/file</d:href><d:propstat><d:prop><d:getcontentlength>6</d:getcontentlength>`+
			`</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>`)
		return
	}
	if r.Method == "POST" { // of AWS
		io.WriteString(rw, `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>AKIA</AccessKeyId><SecretAccessKey>x</SecretAccessKey>`+
			`<SessionToken>x</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`)
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
