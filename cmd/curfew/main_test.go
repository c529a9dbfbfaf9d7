//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
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

	"curfew/auth/agent/client"

	"github.com/rogpeppe/go-internal/testscript"

	"curfew/auth/authserver"
	"curfew/auth/authserver/robot"
	"curfew/keystore/kctest"
	"curfew/ui/tools"
)

// The scripts of testdata run the real program with its own agent, a real
// gnome-keyring on a private bus and a real authorization server. robot plays the
// person.
func TestMain(m *testing.M) {
	commands := map[string]func(){
		"curfew":  main,
		"browser": func() { os.Exit(browserMain(os.Args[1:])) },
		"person":  func() { os.Exit(personMain(os.Args[1:])) },
		"code":    func() { os.Exit(codeMain(os.Args[1:])) },
	}
	for _, name := range append(tools.Executables(), "curfew-npm-work", "curfew-npm-gone", "curfew-npm-brief") {
		commands[name] = main
	}
	testscript.Main(tests{m}, commands)
}

// tests are the tests themselves, and not a test program that plays one of the
// commands.
type tests struct{ *testing.M }

// Run runs the tests with the agent, the demo and the proxy on PATH, which the
// commands become.
func (t tests) Run() int {
	dir := buildOthers()
	defer os.RemoveAll(dir)
	os.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
	return t.M.Run()
}

// buildOthers builds the other programs, and returns their folder.
func buildOthers() string {
	dir, err := os.MkdirTemp("", "curfew-programs-")
	if err == nil {
		args := []string{"build", "-o", dir + "/"}
		if raceDetector {
			args = append(args, "-race")
		}
		c := exec.Command("go", append(args, "curfew/cmd/curfew-agent", "curfew/cmd/curfew-demo", "curfew/cmd/curfew-proxy")...)
		c.Stderr = os.Stderr
		err = c.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "the other programs cannot be built:", err)
		os.RemoveAll(dir)
		os.Exit(1)
	}
	return dir
}

// browserMain opens one address: `BROWSER=browser curfew login`. How the
// person behaves is in PERSON: "", "deny" or "close".
func browserMain(args []string) int {
	page, err := aPerson().Visit(context.Background(), args[0])
	if err != nil && !errors.Is(err, robot.ErrClosed) {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Fprintln(os.Stderr, page.Text)
	fmt.Println("a browser prints this, and it must not get into anybody's standard output")
	return 0
}

func aPerson() *robot.Browser {
	how := os.Getenv("PERSON")
	return &robot.Browser{User: authserver.DefaultUser, Password: authserver.DefaultPassword, Deny: how == "deny", Close: how == "close"}
}

// personMain runs a command and opens the address on the first line that it
// prints. A person whom the page does not lead on gives up: Ctrl-C.
func personMain(args []string) int {
	c := exec.Command(args[0], args[1:]...)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	lines := bufio.NewReader(out)
	first, err := lines.ReadString('\n')
	fmt.Print(first)
	if err == nil && strings.HasPrefix(first, "http") {
		page, err := aPerson().Visit(context.Background(), strings.TrimSpace(first))
		if !page.Arrived {
			fmt.Fprintln(os.Stderr, "the person gives up:", page.Status, page.Text, err)
			c.Process.Signal(os.Interrupt)
		}
	}
	io.Copy(os.Stdout, lines)
	c.Wait()
	return c.ProcessState.ExitCode()
}

// codeMain runs a command and checks its exit code: code 3 curfew token x.
func codeMain(args []string) int {
	c := exec.Command(args[1], args[2:]...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.Run()
	if got := c.ProcessState.ExitCode(); strconv.Itoa(got) != args[0] {
		fmt.Fprintf(os.Stderr, "exit code %d, want %s\n", got, args[0])
		return 1
	}
	return 0
}

func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			w := &world{session: kctest.New(t)}
			if strings.HasSuffix(file, "/forward.txtar") {
				kctest.Need(t, "ssh", "sshd", "curl")
			}
			testscript.Run(t, testscript.Params{
				Files:               []string{file},
				RequireExplicitExec: true,
				Setup:               w.setUp,
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"keychain":   w.keychain,
					"authserver": w.authserver,
					"recorder":   w.recorder,
					"replay":     w.replay,
					"canary":     w.canary,
					"agent":      w.agent,
					"json":       jsonCmd,
					"settle":     settle,
				},
			})
		})
	}
}

// world is what surrounds one script.
type world struct {
	session *kctest.Session

	mu      sync.Mutex
	secrets []string // all that the recorder saw
	issued  []string // refresh tokens that the recorder saw go by
	issuer  string
}

func (w *world) setUp(env *testscript.Env) error {
	for _, name := range []string{"HOME", "XDG_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "DBUS_SESSION_BUS_ADDRESS"} {
		env.Setenv(name, os.Getenv(name))
	}
	env.Setenv("CONFIG", filepath.Join(os.Getenv("XDG_CONFIG_HOME"), "curfew", "config.toml"))
	env.Setenv("STATE", filepath.Join(os.Getenv("XDG_STATE_HOME"), "curfew"))
	env.Setenv("RUN", filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "curfew"))
	env.Setenv("TZ", "UTC")
	env.Setenv("GORACE", os.Getenv("GORACE"))
	if path, err := exec.LookPath("curfew"); err == nil {
		env.Setenv("CURFEW", path)
	}
	env.Setenv("BROWSER", "browser")
	env.Defer(func() { endAgent(filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "curfew", "agent.sock"), syscall.SIGTERM) })
	return nil
}

// endAgent ends the agent at a socket, which some command started, and waits
// until it is gone. It returns whether there was one.
func endAgent(socket string, sig syscall.Signal) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	v, err := client.NewClient(socket).Version(ctx)
	if err != nil {
		return false
	}
	if syscall.Kill(v.PID, sig) != nil {
		return false
	}
	for ctx.Err() == nil && isAlive(v.PID) {
		time.Sleep(5 * time.Millisecond) // no event reports the end of another's process
	}
	return ctx.Err() == nil
}

// isAlive: a process that has ended and that init has not buried yet is not.
func isAlive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(b), ") ")
	return err == nil && !strings.HasPrefix(state, "Z")
}

// keychain unlocked | locked | lock
func (w *world) keychain(ts *testscript.TestScript, neg bool, args []string) {
	switch strings.Join(args, " ") {
	case "unlocked":
		w.session.Unlocked("keyring-pw")
	case "locked":
		w.session.Unlocked("keyring-pw") // so that there is something to lock
		w.session.Kill()
		w.session.Locked()
	case "lock":
		w.session.Lock()
	case "kill":
		w.session.Kill()
	default:
		ts.Fatalf("keychain %v?", args)
	}
}

// agent kill | term | hup acts on the agent that runs; agent up waits for one
// that starts.
func (w *world) agent(ts *testscript.TestScript, neg bool, args []string) {
	socket := filepath.Join(ts.Getenv("RUN"), "agent.sock")
	switch args[0] {
	case "kill", "term":
		sig := map[string]syscall.Signal{"kill": syscall.SIGKILL, "term": syscall.SIGTERM}[args[0]]
		if endAgent(socket, sig) == neg {
			ts.Fatalf("agent %s: neg %v", args[0], neg)
		}
	case "up":
		for end := time.Now().Add(time.Minute); time.Now().Before(end); {
			if _, err := client.NewClient(socket).Version(context.Background()); err == nil {
				return
			}
			time.Sleep(10 * time.Millisecond) // no event reports a new socket
		}
		ts.Fatalf("no agent came")
	case "hup":
		v, err := client.NewClient(socket).Version(context.Background())
		ts.Check(err)
		ts.Check(syscall.Kill(v.PID, syscall.SIGHUP))
	default:
		ts.Fatalf("agent %v?", args)
	}
}

// authserver FLAGS... runs `curfew authserver` until the script ends, and sets
// ISSUER and CLIENT from the line that it prints.
func (w *world) authserver(ts *testscript.TestScript, neg bool, args []string) {
	c := exec.Command("curfew", append([]string{"authserver"}, args...)...)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := c.StdoutPipe()
	ts.Check(err)
	ts.Check(c.Start())
	ts.Defer(func() {
		c.Process.Signal(os.Interrupt)
		if err := c.Wait(); err != nil {
			ts.Logf("the authorization server ended with %v", err)
		}
	})
	var ready struct {
		Issuer   string `json:"issuer"`
		ClientID string `json:"client_id"`
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	ts.Check(err)
	ts.Check(json.Unmarshal(line, &ready))
	ts.Setenv("ISSUER", ready.Issuer)
	ts.Setenv("CLIENT", ready.ClientID)
}

// recorder serves the authorization server from this process and notes every
// secret that passes it, as no honest program could.
func (w *world) recorder(ts *testscript.TestScript, neg bool, args []string) {
	front := httptest.NewUnstartedServer(nil)
	w.issuer = "http://" + front.Listener.Addr().String()
	server, err := authserver.New(authserver.Config{Issuer: w.issuer, AutoApprove: authserver.DefaultUser})
	ts.Check(err)
	front.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		rec := httptest.NewRecorder()
		server.ServeHTTP(rec, r)
		var answer map[string]any
		json.Unmarshal(rec.Body.Bytes(), &answer)
		form, _ := url.ParseQuery(string(body))
		w.mu.Lock()
		for _, name := range []string{"access_token", "refresh_token", "id_token"} {
			if token, _ := answer[name].(string); token != "" {
				w.secrets = append(w.secrets, token)
				if name == "refresh_token" {
					w.issued = append(w.issued, token)
				}
			}
		}
		for _, name := range []string{"code", "code_verifier"} {
			if secret := form.Get(name); secret != "" {
				w.secrets = append(w.secrets, secret)
			}
		}
		w.mu.Unlock()
		maps.Copy(rw.Header(), rec.Header())
		rw.WriteHeader(rec.Code)
		rw.Write(rec.Body.Bytes())
	})
	front.Start()
	ts.Defer(func() { front.Close(); server.Close() })
	ts.Setenv("ISSUER", w.issuer)
	ts.Setenv("CLIENT", authserver.DefaultClientID)
}

// replay sends the newest recorded refresh token to the server, as a thief would.
func (w *world) replay(ts *testscript.TestScript, neg bool, args []string) {
	w.mu.Lock()
	issued := slices.Clone(w.issued)
	w.mu.Unlock()
	if len(issued) == 0 {
		ts.Fatalf("no refresh token was issued")
	}
	res, err := http.PostForm(w.issuer+"/token", url.Values{
		"grant_type": {"refresh_token"}, "client_id": {authserver.DefaultClientID}, "refresh_token": {issued[len(issued)-1]},
	})
	ts.Check(err)
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	if worked := res.StatusCode == http.StatusOK; worked == neg {
		ts.Fatalf("the old refresh token: %s %s", res.Status, body)
	}
	w.canary(ts, false, nil)
}

// canary fails when other programs can read a secret that the recorder saw. It
// looks into the files of this world (logs, state, configuration, the
// keychain's), and into the keychain's items. It also looks at the arguments and
// the environment of every process.
func (w *world) canary(ts *testscript.TestScript, neg bool, args []string) {
	w.mu.Lock()
	secrets := slices.Clone(w.secrets)
	w.mu.Unlock()
	if len(secrets) < 4 {
		ts.Fatalf("the recorder saw only %d secrets: that proves nothing", len(secrets))
	}
	look := func(where string, text []byte) {
		for _, secret := range secrets {
			// Also a part of it, and of its end, which is all that is secret in a JWT.
			for _, part := range []string{secret, secret[:min(len(secret), 60)], secret[max(0, len(secret)-40):]} {
				if len(part) < len(secret) && strings.HasPrefix(part, "eyJ") {
					continue // the header is in every token
				}
				if bytes.Contains(text, []byte(part)) {
					ts.Fatalf("a secret is in clear in %s", where)
				}
			}
		}
	}
	look("the keychain", []byte(w.session.SecretTool("", "search", "--all", "service", "curfew")))
	for _, pattern := range []string{"/proc/[0-9]*/cmdline", "/proc/[0-9]*/environ"} {
		files, err := filepath.Glob(pattern)
		ts.Check(err)
		for _, file := range files {
			if b, err := os.ReadFile(file); err == nil { // else it has ended, or protects itself
				look(file, b)
			}
		}
	}
	for _, dir := range []string{ts.Getenv("HOME"), ts.Getenv("STATE"), ts.Getenv("XDG_CONFIG_HOME"), ts.Getenv("XDG_DATA_HOME"), ts.Getenv("RUN")} {
		filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil
			}
			b, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil // a temporary file, of the keychain for instance, that has its place by now
			}
			ts.Check(err)
			look(path, b)
			return nil
		})
	}
}

// json FILE KEY[.KEY...] WANT checks one value of a JSON document ("-" and
// numbers index arrays; the value is compared as JSON prints it).
func jsonCmd(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: json FILE PATH WANT")
	}
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &v))
	for key := range strings.SplitSeq(args[1], ".") {
		switch at := v.(type) {
		case map[string]any:
			inner, ok := at[key]
			if !ok {
				ts.Fatalf("no %q in %s", key, ts.ReadFile(args[0]))
			}
			v = inner
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(at) {
				ts.Fatalf("no %q in an array of %d", key, len(at))
			}
			v = at[i]
		default:
			ts.Fatalf("%q is below nothing", key)
		}
	}
	got, _ := json.Marshal(v)
	if text := strings.Trim(string(got), `"`); (text == args[2]) == neg {
		ts.Fatalf("%s is %s, want %s (negated: %v)", args[1], text, args[2], neg)
	}
}

// settle FILE TEXT waits until a file that a background command writes holds
// the text.
func settle(ts *testscript.TestScript, neg bool, args []string) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		b, _ := os.ReadFile(ts.MkAbs(args[0]))
		if strings.Contains(string(b), args[1]) {
			return
		}
		time.Sleep(10 * time.Millisecond) // no event reports that a file has grown
	}
	ts.Fatalf("%s never held %q", args[0], args[1])
}
