//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"curfew/auth/agent/client"

	"golang.org/x/sys/unix"

	"curfew/auth"
	"curfew/auth/authserver"
	"curfew/auth/authserver/robot"
	"curfew/keystore/kctest"
)

// These tests end real agents at every bad moment. The program, gnome-keyring on
// a private bus, the files and the authorization server are real. strace makes
// the kernel kill the agent at a system call, or fail one. `make crash` plays
// many.
var (
	crashKills   = flag.Int("crash.kills", 5, "how many agents are killed at a random moment of a refresh, per server")
	crashCalls   = flag.Int("crash.calls", 5, "how many agents are killed at a system call, per server")
	crashClean   = flag.Int("crash.clean", 10, "how many refreshes are timed")
	crashProgram = flag.String("crash.program", "curfew", "the program under test")
	crashSeed    = flag.Uint64("crash.seed", 0, "the random seed; 0: another each time")
)

// bench is one machine with its agent.
type bench struct {
	t       *testing.T
	strict  bool // the server never repeats an answer
	session *kctest.Session
	server  *authserver.Server
	front   string // its URL
	faults  *authserver.Faults
	client  *client.Client
	state   string
	rng     *rand.Rand
	cmd     *exec.Cmd // the agent, or strace with the agent; nil if none runs
	said    string    // where its stderr goes

	mu        sync.Mutex
	sent      map[string]map[string]bool // refresh tokens that reached the server, by session
	answered  time.Time                  // when the last refresh was answered
	meanwhile func()                     // runs while the server has a refresh request
}

// newBench makes a machine on which accounts are configured and nobody is signed in.
func newBench(t *testing.T, grace time.Duration, accounts ...string) *bench {
	t.Helper()
	b := &bench{t: t, strict: grace == authserver.None, session: kctest.New(t), faults: new(authserver.Faults), sent: map[string]map[string]bool{}}
	seed := *crashSeed
	if seed == 0 {
		seed = rand.Uint64N(1 << 32)
	}
	b.rng = rand.New(rand.NewPCG(seed, 0))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("chances were those of -crash.seed=%d", seed)
		}
	})
	b.session.Unlocked("keyring-pw")
	front := httptest.NewServer(http.HandlerFunc(b.serve))
	t.Cleanup(front.Close)
	b.front = front.URL
	var err error
	b.server, err = authserver.New(authserver.Config{Issuer: front.URL, AutoApprove: authserver.DefaultUser, Grace: grace, Faults: b.faults})
	b.must(err)
	t.Cleanup(b.server.Close)
	b.state = filepath.Join(os.Getenv("XDG_STATE_HOME"), "curfew")
	b.said = filepath.Join(t.TempDir(), "agent.stderr")
	config := filepath.Join(os.Getenv("XDG_CONFIG_HOME"), "curfew")
	b.must(os.Mkdir(config, 0o700))
	var text strings.Builder
	for _, name := range accounts {
		fmt.Fprintf(&text, "[account.%s]\nissuer = %q\nclient_id = %q\nscopes = [\"openid\", \"offline_access\"]\nrefresh = \"on-demand\"\n", name, front.URL, authserver.DefaultClientID)
	}
	b.must(os.WriteFile(filepath.Join(config, "config.toml"), []byte(text.String()), 0o600))
	b.client = client.NewClient(filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "curfew", "agent.sock"))
	t.Cleanup(b.kill)
	return b
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// serve is the server as the agent reaches it: it notes what arrives.
func (b *bench) serve(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	form, _ := url.ParseQuery(string(body))
	refresh := form.Get("grant_type") == "refresh_token"
	if refresh {
		token := form.Get("refresh_token")
		sid := sidOf(token)
		b.mu.Lock()
		if b.sent[sid] == nil {
			b.sent[sid] = map[string]bool{}
		}
		b.sent[sid][token] = true
		if n := len(b.sent[sid]); n > 20 {
			b.t.Errorf("refresh number %d of a session left the machine", n)
		}
		meanwhile := b.meanwhile
		b.mu.Unlock()
		if meanwhile != nil {
			meanwhile()
		}
	}
	rec := httptest.NewRecorder()
	b.server.ServeHTTP(rec, r)
	maps.Copy(rw.Header(), rec.Header())
	if refresh {
		b.mu.Lock()
		b.answered = time.Now()
		b.mu.Unlock()
	}
	rw.WriteHeader(rec.Code)
	rw.Write(rec.Body.Bytes())
}

// sidOf reads whose token this is.
func sidOf(token string) string {
	var c struct {
		Sid string `json:"sid"`
	}
	if parts := strings.Split(token, "."); len(parts) == 3 {
		if raw, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil {
			json.Unmarshal(raw, &c)
		}
	}
	return c.Sid
}

// start starts the agent, in front of it the words of wrap (strace and its
// options), and waits until it serves.
func (b *bench) start(wrap ...string) {
	b.t.Helper()
	b.launch(wrap...)
	b.must(b.ready())
}

// agentProgram is the agent next to the program under test.
func agentProgram() string {
	if dir := filepath.Dir(*crashProgram); dir != "." {
		return filepath.Join(dir, "curfew-agent")
	}
	return "curfew-agent"
}

func (b *bench) launch(wrap ...string) {
	b.t.Helper()
	argv := append(slices.Clone(wrap), agentProgram())
	stderr, err := os.Create(b.said)
	b.must(err)
	defer stderr.Close()
	// What strace leaves behind becomes a child of this process, to be waited for.
	b.must(unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
	b.cmd = exec.Command(argv[0], argv[1:]...)
	b.cmd.Stderr = stderr
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	b.must(b.cmd.Start())
}

// ready waits until the agent answers. It fails when the agent has ended.
func (b *bench) ready() error {
	ctx, cancel := context.WithTimeout(b.t.Context(), 2*time.Minute)
	defer cancel()
	for {
		_, err := b.client.Version(ctx)
		if err == nil {
			return nil
		}
		var status unix.Siginfo
		if unix.Waitid(unix.P_PID, b.cmd.Process.Pid, &status, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil) == nil && status.Signo != 0 || ctx.Err() != nil {
			return fmt.Errorf("the agent does not serve: %w", err)
		}
		time.Sleep(2 * time.Millisecond) // no event reports that somebody listens
	}
}

// kill ends the agent and its strace with SIGKILL, and waits until both are gone.
func (b *bench) kill() {
	if b.cmd == nil {
		return
	}
	group := b.cmd.Process.Pid
	syscall.Kill(-group, syscall.SIGKILL)
	b.cmd.Wait()
	for {
		if _, err := syscall.Wait4(-group, nil, 0, nil); err != nil && err != syscall.EINTR {
			break
		}
	}
	b.cmd = nil
}

// signIn signs an account in, and returns the server's id of the session.
func (b *bench) signIn(name string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	s, err := b.client.SignIn(ctx, name, auth.SignInRequest{})
	b.must(err)
	page, err := new(robot.Browser).Visit(ctx, s.URL)
	if err != nil || !page.Arrived {
		b.t.Fatalf("sign-in: %+v, %v", page, err)
	}
	for {
		snap, err := b.client.Account(ctx, name)
		b.must(err)
		switch snap.SignIn.Phase {
		case auth.PhaseDone:
			return sidOf(b.token(name))
		case auth.PhaseFailed:
			b.t.Fatal(snap.SignIn.Message)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func (b *bench) token(name string) string {
	b.t.Helper()
	tok, err := b.client.Token(b.t.Context(), name, -1, "test")
	b.must(err)
	return tok.AccessToken.Reveal()
}

// reason is the reason in an error of the client.
func reason(err error) auth.Reason {
	if e, ok := errors.AsType[*auth.Error](err); ok {
		return e.Reason
	}
	return ""
}

// outcome is what a crash did.
type outcome int

const (
	survived outcome = iota
	atLimit          // the session had its 20 refreshes
	lost             // at a strict server, its answer was lost
)

// check starts the agent again after a crash and says what became of the
// session. before is how many refreshes the server had made before the crash.
func (b *bench) check(sid string, before int) outcome {
	b.t.Helper()
	made, _ := b.server.Refreshes(sid)
	saved := !b.pending()
	b.start()
	var err error
	b.until(func() bool { // the session is loaded, and its open cycle has come to an end
		_, err = b.client.Token(b.t.Context(), "work", -1, "test")
		_, alive := b.server.Refreshes(sid)
		snap, aerr := b.client.Account(b.t.Context(), "work")
		b.must(aerr)
		if e, ok := errors.AsType[*auth.Error](err); ok && e.Kind == auth.KindKeychain {
			return false // that is no verdict on the session: the agent asks the keychain again
		}
		return !b.pending() && snap.State != auth.Refreshing && (alive || err != nil)
	})
	if b.strict && made > before && !saved && reason(err) == auth.ByRotationLost {
		return lost
	}
	if err != nil {
		log, _ := os.ReadFile(b.said)
		b.t.Fatalf("the session is lost: %v (the server made %d before, %d after)\n%s", err, before, made, log)
	}
	made, _ = b.server.Refreshes(sid)
	snap, err := b.client.Account(b.t.Context(), "work")
	b.must(err)
	if snap.RefreshesUsed < made || snap.RefreshesUsed > made+1 {
		b.t.Fatalf("%d refreshes counted, the server made %d", snap.RefreshesUsed, made)
	}
	if snap.RefreshesLeft > 0 {
		return survived
	}
	// The 20th worked, or it would be open. The 21st never leaves.
	posts := b.server.Posts("refresh_token")
	if _, err := b.client.Refresh(b.t.Context(), "work", "test"); reason(err) != auth.ByRefreshes {
		b.t.Errorf("the 21st refresh: %v", err)
	}
	if made != 20 || b.server.Posts("refresh_token") != posts {
		b.t.Errorf("at the limit the server made %d refreshes, and heard of %d more", made, b.server.Posts("refresh_token")-posts)
	}
	return atLimit
}

// pending reads in the ledgers whether a cycle is open.
func (b *bench) pending() bool {
	b.t.Helper()
	ledgers, err := filepath.Glob(filepath.Join(b.state, "*.ledger"))
	b.must(err)
	open := false
	for _, path := range ledgers {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // just erased
		}
		pending := false
		for line := range strings.Lines(string(text)) {
			var l struct {
				Type    string `json:"t"`
				Pending bool   `json:"pending"`
			}
			if json.NewDecoder(strings.NewReader(line)).Decode(&l) != nil {
				continue // cut short
			}
			switch l.Type {
			case "start", "attempt":
				pending = l.Pending || l.Type == "attempt"
			case "got", "refund", "end":
				pending = false
			}
		}
		open = open || pending
	}
	return open
}

// tallies of a crash test.
type tallies struct {
	killed, finished, lost, limits int
	points                         map[string]int
}

// rounds kills n agents in the middle of refreshes. round starts one, makes it
// refresh, and returns where it died; "" if it did not, which does not count. It
// calls refreshing before each refresh.
func (b *bench) rounds(n int, round func(i int, refreshing func()) (point string)) tallies {
	b.t.Helper()
	b.start()
	sid := b.signIn("work")
	got := tallies{points: map[string]int{}}
	for i := 0; got.killed < n; i++ {
		if got.finished > 5*n+20 {
			b.t.Fatalf("of %d agents only %d were killed", i, got.killed)
		}
		b.kill()
		var before int
		look := func() { before, _ = b.server.Refreshes(sid) }
		look()
		point := round(i, look)
		b.kill()
		after, _ := b.server.Refreshes(sid)
		switch {
		case point == "":
			got.finished++
		case after > before:
			got.killed++
			point += ", refreshed at the server"
		default:
			got.killed++
			point += ", not refreshed yet"
		}
		switch b.check(sid, before) {
		case lost:
			got.lost++
			point += ": LOST"
			sid = b.signIn("work")
		case atLimit:
			got.limits++
			sid = b.signIn("work")
		}
		got.points[point]++
	}
	b.kill()
	return got
}

// refreshing makes the agent refresh. The channel gives the result.
func (b *bench) refreshing() <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := b.client.Refresh(b.t.Context(), "work", "test")
		done <- err
	}()
	return done
}

// servers are the two kinds of them.
var servers = []struct {
	name  string
	grace time.Duration
}{{"graceful", time.Hour}, {"strict", authserver.None}}

// An agent that is killed at any moment of a refresh loses no session and no
// count. Against a strict server only an answer that was not saved yet does.
func TestKilledAtRandom(t *testing.T) {
	for _, server := range servers {
		t.Run(server.name, func(t *testing.T) {
			b := newBench(t, server.grace, "work")
			usual := b.timeRefreshes(3)
			got := b.rounds(*crashKills, func(int, func()) string {
				b.start()
				over := b.refreshing()
				<-time.After(time.Duration(b.rng.Float64() * 2 * float64(usual))) // also while the keychain follows
				b.kill()
				if err := <-over; reason(err) != "" {
					t.Fatal(err)
				}
				return "killed"
			})
			before := got.points["killed, not refreshed yet"]
			t.Logf("%s server: %d agents killed during a refresh or just after it (%d before, %d after the server refreshed); %d sessions lost to a lost answer, %d went on to their 20th refresh, uncounted refreshes: 0",
				server.name, got.killed, before, got.killed-before, got.lost, got.limits)
		})
	}
}

// timeRefreshes returns the median of the first refreshes of n agents.
func (b *bench) timeRefreshes(n int) time.Duration {
	b.t.Helper()
	b.start()
	b.signIn("work")
	var took []time.Duration
	for range n {
		b.kill()
		b.start()
		began := time.Now()
		b.must(<-b.refreshing())
		took = append(took, time.Since(began))
	}
	b.kill()
	return quantile(took, 0.5)
}

func quantile(d []time.Duration, q float64) time.Duration {
	slices.Sort(d)
	return d[min(len(d)-1, int(q*float64(len(d))))]
}

// durable are the system calls of which what is kept consists; sendmsg is how
// the keychain is spoken to.
var durable = []string{"fsync", "pwrite64", "renameat", "sendmsg", "unlinkat", "fallocate", "fsync", "pwrite64"}

// The same at every system call that changes what is kept. strace counts the
// calls of each thread for itself, so which one is met is chance; where they
// died is printed.
func TestKilledAtSystemCalls(t *testing.T) {
	kctest.Need(t, "strace")
	for _, server := range servers {
		t.Run(server.name, func(t *testing.T) {
			b := newBench(t, server.grace, "work")
			trace := filepath.Join(t.TempDir(), "strace")
			got := b.rounds(*crashCalls, func(i int, refreshing func()) string {
				call, nth := durable[i%len(durable)], 1+b.rng.IntN(6)
				if call == "sendmsg" {
					nth = 1 + b.rng.IntN(12)
				}
				b.launch("strace", "-f", "-qq", "-y", "-o", trace, "-e", "trace="+call, "-e", "signal=none",
					"-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", call, nth))
				err := b.ready()
				for range 4 { // in some of them a thread gets to its nth call
					if err != nil && reason(err) != auth.ByRefreshes {
						return diedAt(t, trace, call)
					}
					refreshing()
					err = <-b.refreshing()
				}
				return ""
			})
			t.Logf("%s server: %d agents killed at a system call, %d finished first; %d sessions lost to a lost answer, %d went on to their 20th refresh, uncounted refreshes: 0",
				server.name, got.killed, got.finished, got.lost, got.limits)
			delete(got.points, "")
			for _, p := range slices.Sorted(maps.Keys(got.points)) {
				t.Logf("  %4d  %s", got.points[p], p)
			}
		})
	}
}

var (
	randomName = regexp.MustCompile(`[A-Z2-7]{26}`)
	pathInCall = regexp.MustCompile(`[<"]([^>"]+)[>"]`)
)

// diedAt reads in strace's log at which call the agent was killed.
func diedAt(t *testing.T, trace, call string) string {
	log, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(log), "\n")
	for _, line := range slices.Backward(lines) {
		if _, rest, ok := strings.Cut(line, call+"("); ok {
			path := ""
			for _, m := range pathInCall.FindAllStringSubmatch(strings.TrimSuffix(rest, " <unfinished ...>"), -1) {
				path = m[1]
			}
			switch {
			case call == "sendmsg":
				return "sendmsg to the keychain"
			case call == "pwrite64" && !strings.Contains(path, "/"):
				m := pathInCall.FindStringSubmatch(rest) // the second is what it writes
				path = m[1]
			}
			return call + " of " + randomName.ReplaceAllString(filepath.Base(path), "ID")
		}
	}
	return "before any " + call
}

// A person loses a session at a strict server only when the agent dies
// between its reading of the answer and the fsync of what that brought. This
// is how long that takes, seen from outside: from the moment the server wrote
// until the agent closed the file that it had synced.
func TestWindow(t *testing.T) {
	b := newBench(t, time.Hour, "work")
	b.start()
	b.signIn("work")
	closed := b.watchLedger()
	var window, whole []time.Duration
	for range *crashClean {
		snap, err := b.client.Account(t.Context(), "work")
		b.must(err)
		if snap.RefreshesLeft == 0 {
			b.signIn("work")
		}
		drain(closed)
		began := time.Now()
		b.must(<-b.refreshing())
		whole = append(whole, time.Since(began))
		for at := range closed {
			if d := at.Sub(b.answered); d > 0 {
				window = append(window, d)
				break
			}
		}
	}
	t.Logf("%d refreshes: from the answer to the new token being durable: p50 %.2f ms, p99 %.2f ms, max %.2f ms; a whole refresh: p50 %.1f ms, p99 %.1f ms",
		len(window), ms(quantile(window, 0.5)), ms(quantile(window, 0.99)), ms(quantile(window, 1)), ms(quantile(whole, 0.5)), ms(quantile(whole, 0.99)))
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func drain(c <-chan time.Time) {
	for {
		select {
		case <-c:
		default:
			return
		}
	}
}

// watchLedger reports when the agent closed a ledger that it had written to.
func (b *bench) watchLedger() <-chan time.Time {
	b.t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	b.must(err)
	f := os.NewFile(uintptr(fd), "inotify")
	b.t.Cleanup(func() { f.Close() })
	_, err = unix.InotifyAddWatch(fd, b.state, unix.IN_CLOSE_WRITE)
	b.must(err)
	closed := make(chan time.Time, 1000)
	go func() {
		defer close(closed)
		buf := make([]byte, 64<<10)
		for {
			n, err := f.Read(buf)
			if err != nil {
				return
			}
			if strings.Contains(string(buf[:n]), ".ledger\x00") {
				closed <- time.Now()
			}
		}
	}()
	return closed
}

// The order of one refresh as the kernel sees it. The count is written and synced
// before the request arrives at the server. The new token is written and synced
// after the answer, before anybody gets it.
func TestOrderOfARefresh(t *testing.T) {
	kctest.Need(t, "strace")
	b := newBench(t, time.Hour, "work")
	b.start()
	b.signIn("work")
	b.kill()
	trace := filepath.Join(t.TempDir(), "strace")
	b.start("strace", "-f", "-qq", "-y", "-ttt", "-o", trace, "-e", "trace=pwrite64,fsync", "-e", "signal=none")
	b.token("work")
	var arrived time.Time
	b.mu.Lock()
	b.meanwhile = func() { arrived = time.Now() }
	b.mu.Unlock()
	began := time.Now()
	b.must(<-b.refreshing())
	told := time.Now()
	b.kill()
	text, err := os.ReadFile(trace)
	b.must(err)
	before, after := orderOf(string(text), began, arrived), orderOf(string(text), b.answered, told)
	for _, c := range []struct{ name, got, want string }{
		{"before the request", before, `^write ledger, sync ledger, .*sync keyrings`},
		{"after the answer", after, `^write ledger, sync ledger(,|$)`},
	} {
		if !regexp.MustCompile(c.want).MatchString(c.got) {
			t.Errorf("%s: %s; want %s\n%s", c.name, c.got, c.want, text)
		}
	}
	t.Logf("before the request: %s; after the answer: %s", before, after)
}

// orderOf reads in strace's log what was written and synced in between.
func orderOf(log string, from, to time.Time) string {
	var order []string
	call := regexp.MustCompile(`^\d+ +(\d+\.\d+) (pwrite64|fsync)\(\d+<([^>]+)>`)
	for line := range strings.Lines(log) {
		m := call.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		seconds, err := strconv.ParseFloat(m[1], 64)
		if at := time.UnixMicro(int64(seconds * 1e6)); err != nil || at.Before(from) || at.After(to) {
			continue
		}
		name := filepath.Base(m[3])
		if i := strings.Index(name, ".ledger"); i >= 0 {
			name = name[i+1:]
		}
		order = append(order, map[string]string{"pwrite64": "write ", "fsync": "sync "}[m[2]]+name)
	}
	return strings.Join(order, ", ")
}

// Fifty programs that ask at the same time, when the token has expired, cost one
// refresh.
func TestManyProcessesOneRefresh(t *testing.T) {
	b := newBench(t, authserver.DefaultGrace, "work")
	b.start()
	b.must(b.faults.Set("token:expires-in;value=1")) // the first token; those after it live 15 min
	b.signIn("work")
	b.must(b.faults.Set(""))
	posts := b.server.Posts("refresh_token")
	b.until(func() bool {
		snap, err := b.client.Account(t.Context(), "work")
		b.must(err)
		return snap.State == auth.Stale
	})
	const programs = 50
	out := make([]string, programs)
	var group sync.WaitGroup
	for i := range programs {
		group.Go(func() {
			answer, err := exec.Command(*crashProgram, "token", "work").CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, answer)
			}
			out[i] = string(answer)
		})
	}
	group.Wait()
	if n := b.server.Posts("refresh_token") - posts; n != 1 || len(slices.Compact(out)) != 1 {
		t.Errorf("%d refresh requests, %d different tokens", n, len(slices.Compact(out)))
	}
	t.Logf("%d processes asked at expiry: %d refresh request", programs, b.server.Posts("refresh_token")-posts)
}

// until waits for something that no event reports.
func (b *bench) until(what func() bool) {
	b.t.Helper()
	for end := time.Now().Add(2 * time.Minute); !what(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			log, _ := os.ReadFile(b.said)
			b.t.Fatalf("it never came to that\n%s", log)
		}
	}
}

// On a disk that is full or broken, the count cannot be written. Then no request
// leaves, and the message says where and what to do. When the disk works again,
// the same agent continues with the same session.
func TestBrokenDisk(t *testing.T) {
	kctest.Need(t, "strace")
	for _, c := range []struct{ call, err, want string }{
		{"fsync", "ENOSPC", "free some space"},
		{"fsync", "EIO", "the disk reports an error"},
		{"pwrite64", "ENOSPC", "free some space"},
		{"pwrite64", "EROFS", "mounted read-only"},
		{"fallocate", "ENOSPC", "free some space"},
	} {
		t.Run(c.call+" "+c.err, func(t *testing.T) {
			b := newBench(t, authserver.None, "work")
			b.start()
			sid := b.signIn("work")
			ledgers, err := filepath.Glob(filepath.Join(b.state, "*.ledger"))
			if err != nil || len(ledgers) != 1 {
				t.Fatalf("ledgers %v, %v", ledgers, err)
			}
			b.until(func() bool { // the keychain has the token, so the ledger does not
				text, err := os.ReadFile(ledgers[0])
				return err == nil && !bytes.Contains(text, []byte(`"secret"`))
			})
			b.kill()
			b.start("strace", "-f", "-qq", "-o", os.DevNull, "-P", ledgers[0], "-P", ledgers[0]+".tmp", "-e", "trace="+c.call, "-e", "signal=none",
				"-e", "inject="+c.call+":error="+c.err)
			for range 3 {
				_, err = b.client.Refresh(t.Context(), "work", "test")
				e, ok := errors.AsType[*auth.Error](err)
				if !ok || !strings.Contains(e.Message, b.state) || !strings.Contains(e.Message, c.want) || e.Hint == "" {
					t.Errorf("the error says %v (%+v), want the directory and %q", err, e, c.want)
				}
			}
			if n := b.server.Posts("refresh_token"); n != 0 {
				t.Errorf("%d requests left without a durable count", n)
			}
			if tok := b.token("work"); sidOf(tok) != sid { // what is there is served on
				t.Error("another session")
			}
			b.must(b.cmd.Process.Kill()) // strace ends, the agent does not: the disk is back
			b.until(func() bool {        // the agent itself tries again after a moment
				_, err := b.client.Refresh(t.Context(), "work", "test")
				return err == nil
			})
			snap, err := b.client.Account(t.Context(), "work")
			b.must(err)
			if made, alive := b.server.Refreshes(sid); !alive || made != snap.RefreshesUsed {
				t.Errorf("%d counted, the server made %d (alive: %v)", snap.RefreshesUsed, made, alive)
			}
		})
	}
}

// What somebody did to the files of one session costs that session, with a
// message that says so; the other accounts live on.
func TestHurtFiles(t *testing.T) {
	for _, c := range []struct {
		name string
		hurt func(b *bench, session string) error
		want string // in the error
	}{
		{"key deleted", func(b *bench, s string) error { return os.Remove(s + ".key") }, "so it was closed"},
		{"ledger deleted", func(b *bench, s string) error { return os.Remove(s + ".ledger") }, "not signed in"},
		{"ledger emptied", func(b *bench, s string) error { return os.Truncate(s+".ledger", 0) }, "so it was closed"},
		{"ledger cut", func(b *bench, s string) error { return os.Truncate(s+".ledger", 20) }, "so it was closed"},
		{"ledger turned", func(b *bench, s string) error {
			data, err := os.ReadFile(s + ".ledger")
			if err != nil {
				return err
			}
			data[bytes.Index(data, []byte(`"access":"`))+50] ^= 1 // a value: the lines can still be read, and are not ours
			return os.WriteFile(s+".ledger", data, 0o600)
		}, "so it was closed"},
		{"both deleted", func(b *bench, s string) error { return errors.Join(os.Remove(s+".ledger"), os.Remove(s+".key")) }, "not signed in"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, authserver.None, "work", "other")
			b.start()
			b.signIn("work")
			ledgers, err := filepath.Glob(filepath.Join(b.state, "*.ledger"))
			b.must(err)
			other := b.signIn("other")
			b.kill()
			b.must(c.hurt(b, strings.TrimSuffix(ledgers[0], ".ledger")))
			b.start()
			_, err = b.client.Refresh(t.Context(), "work", "test")
			e, ok := errors.AsType[*auth.Error](err)
			if !ok || e.Kind != auth.KindSignInNeeded || !strings.Contains(strings.ToLower(e.Message), c.want) || e.Hint == "" {
				t.Errorf("the error says %v (%+v), want %q", err, e, c.want)
			}
			if n := b.server.Posts("refresh_token"); n != 0 {
				t.Errorf("%d requests with a token of a session that was hurt", n)
			}
			if _, err := b.client.Refresh(t.Context(), "other", "test"); err != nil {
				t.Errorf("the other account: %v", err)
			}
			if n, alive := b.server.Refreshes(other); n != 1 || !alive {
				t.Errorf("the other session: %d refreshes, alive %v", n, alive)
			}
			b.signIn("work") // and a new sign-in fixes it
			_, err = b.client.Refresh(t.Context(), "work", "test")
			b.must(err)
		})
	}
}

// A state directory that others can reach, or that belongs to somebody else, is
// refused in one clear line. Nothing is lost when it is fixed.
func TestOpenStateDirectory(t *testing.T) {
	b := newBench(t, authserver.None, "work")
	b.start()
	b.signIn("work")
	b.kill()
	refused := func(want string) {
		t.Helper()
		b.launch()
		if b.ready() == nil {
			t.Errorf("the agent starts; want %q", want)
		}
		b.kill()
		said, err := os.ReadFile(b.said)
		b.must(err)
		if !strings.Contains(string(said), want) || !strings.Contains(string(said), b.state) {
			t.Errorf("the agent says %q, want %q and the directory", said, want)
		}
	}
	b.must(os.Chmod(b.state, 0o777))
	refused("run: chmod 700")
	b.must(os.Chmod(b.state, 0o700))
	if os.Geteuid() == 0 {
		b.must(os.Chown(b.state, 12345, 12345))
		refused("run it without sudo")
		b.must(os.Chown(b.state, 0, 0))
	}
	b.start()
	_, err := b.client.Refresh(t.Context(), "work", "test")
	b.must(err)
}
