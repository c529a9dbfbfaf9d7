//go:build linux

package kctest

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// busConfig starts nothing but what Activatable names: activation would race
// with the daemon that the test starts, and leave two of them.
const busConfig = `<busconfig><type>session</type><listen>unix:dir=%s</listen><servicedir>%s</servicedir>` +
	`<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`

const secretsName = "org.freedesktop.secrets"

// A Session is a private session bus and the directories of a private user.
type Session struct {
	Dir     string   // everything is below
	Address string   // of the bus
	Vars    []string // the environment for child processes

	t        testing.TB
	services string // the directory of what the bus may start
	bus      *exec.Cmd
	keyring  *exec.Cmd
}

// New starts a bus without any keychain on it, and points the environment of
// the test's process to it (by t.Setenv, so not in parallel tests).
func New(t testing.TB) *Session {
	t.Helper()
	Need(t, "dbus-daemon")
	s := &Session{t: t, Dir: t.TempDir()}
	vars := map[string]string{"DISPLAY": "", "WAYLAND_DISPLAY": ""}
	for name, sub := range map[string]string{
		"HOME": "home", "XDG_RUNTIME_DIR": "run", "XDG_DATA_HOME": "data", "XDG_CONFIG_HOME": "config",
		"XDG_CACHE_HOME": "cache", "XDG_STATE_HOME": "state",
	} {
		vars[name] = filepath.Join(s.Dir, sub)
		if err := os.Mkdir(vars[name], 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// A socket's path is short; a test's directory need not be.
	sockets, err := os.MkdirTemp("", "bus")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(sockets) })
	config := filepath.Join(s.Dir, "bus.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, busConfig, sockets, sockets), 0o600); err != nil {
		t.Fatal(err)
	}
	s.services = sockets
	s.bus = exec.Command("dbus-daemon", "--config-file="+config, "--nofork", "--print-address=1")
	out, err := s.bus.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.start(s.bus)
	t.Cleanup(s.KillBus)
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("dbus-daemon gave no address: %v", err)
	}
	s.Address = strings.TrimSpace(address)
	vars["DBUS_SESSION_BUS_ADDRESS"] = s.Address
	s.Vars = os.Environ()
	for name, value := range vars {
		t.Setenv(name, value)
		s.Vars = append(s.Vars, name+"="+value)
	}
	return s
}

// Activatable makes the bus start a program when somebody asks for a name; ""
// is the Secret Service's. It gets the environment that the test had at New.
func (s *Session) Activatable(name, command string) {
	s.t.Helper()
	name = cmp.Or(name, secretsName)
	service := fmt.Appendf(nil, "[D-BUS Service]\nName=%s\nExec=%s\n", name, command)
	if err := os.WriteFile(filepath.Join(s.services, name+".service"), service, 0o600); err != nil {
		s.t.Fatal(err)
	}
	conn := s.connect()
	defer conn.Close()
	if err := conn.BusObject().Call("org.freedesktop.DBus.ReloadConfig", 0).Err; err != nil {
		s.t.Fatal(err)
	}
}

// start starts a program that dies with the test binary.
func (s *Session) start(c *exec.Cmd) {
	s.t.Helper()
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
}

// Unlocked starts gnome-keyring with an unlocked login collection, made with
// this password the first time, and returns when it serves.
func (s *Session) Unlocked(password string) {
	s.t.Helper()
	if password == "" {
		s.t.Fatal("gnome-keyring takes no empty password")
	}
	s.serve(password, "--unlock")
}

// Locked starts gnome-keyring with whatever collections there are, all locked
// (none at all the first time).
func (s *Session) Locked() {
	s.t.Helper()
	s.serve("")
}

// Gone waits until nobody keeps secrets.
func (s *Session) Gone() {
	s.t.Helper()
	conn := s.connect()
	defer conn.Close()
	for there := true; there; {
		if err := conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, secretsName).Store(&there); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *Session) serve(input string, args ...string) {
	s.t.Helper()
	Need(s.t, "gnome-keyring-daemon")
	conn := s.connect()
	defer conn.Close()
	came, err := ownerChanges(conn, true)
	if err != nil {
		s.t.Fatal(err)
	}
	s.keyring = exec.Command("gnome-keyring-daemon", append([]string{"--foreground", "--components=secrets"}, args...)...)
	s.keyring.Env, s.keyring.Stdin = s.Vars, strings.NewReader(input)
	s.start(s.keyring)
	s.t.Cleanup(s.Kill)
	select {
	case <-came:
	case <-time.After(time.Minute):
		s.t.Fatal("gnome-keyring did not come up within a minute")
	}
}

// ownerChanges is closed when somebody comes to own the Secret Service's name,
// or when its owner has gone.
func ownerChanges(conn *dbus.Conn, comes bool) (<-chan struct{}, error) {
	signals := make(chan *dbus.Signal, 8)
	conn.Signal(signals)
	err := conn.AddMatchSignal(dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, secretsName))
	changed := make(chan struct{})
	go func() {
		defer close(changed) // also when the connection is
		for sig := range signals {
			if len(sig.Body) == 3 && sig.Body[0] == secretsName && (sig.Body[2] != "") == comes {
				return
			}
		}
	}()
	return changed, err
}

func (s *Session) connect() *dbus.Conn {
	s.t.Helper()
	conn, err := dbus.Connect(s.Address)
	if err != nil {
		s.t.Fatal(err)
	}
	return conn
}

// Kill ends gnome-keyring at once (SIGKILL) and waits until the bus knows;
// what it acknowledged stays on disk.
func (s *Session) Kill() {
	if s.keyring == nil {
		return
	}
	var gone <-chan struct{}
	if conn, err := dbus.Connect(s.Address); err == nil {
		defer conn.Close()
		if gone, err = ownerChanges(conn, false); err != nil {
			gone = nil
		}
	}
	s.keyring.Process.Kill()
	s.keyring.Wait()
	s.keyring = nil
	if gone != nil {
		select {
		case <-gone:
		case <-time.After(10 * time.Second): // it never owned the name
		}
	}
}

// Signal sends gnome-keyring a signal, for instance SIGSTOP.
func (s *Session) Signal(sig os.Signal) {
	s.t.Helper()
	if err := s.keyring.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// KillBus ends the bus.
func (s *Session) KillBus() {
	if s.bus != nil {
		s.bus.Process.Kill()
		s.bus.Wait()
		s.bus = nil
	}
}

// Lock locks the login collection, as a screen lock may.
func (s *Session) Lock() {
	s.t.Helper()
	conn := s.connect()
	defer conn.Close()
	login := dbus.ObjectPath("/org/freedesktop/secrets/collection/login")
	call := conn.Object(secretsName, "/org/freedesktop/secrets").Call("org.freedesktop.Secret.Service.Lock", 0, []dbus.ObjectPath{login})
	if call.Err != nil {
		s.t.Fatal(call.Err)
	}
}

// Keyrings is where gnome-keyring keeps its files.
func (s *Session) Keyrings() string { return filepath.Join(s.Dir, "data", "keyrings") }

// SecretTool runs secret-tool and returns all it printed; input goes to its
// stdin. It looks again where an item that it had found was deleted before it
// could read it: others may use the keychain at the same time.
func (s *Session) SecretTool(input string, args ...string) string {
	s.t.Helper()
	Need(s.t, "secret-tool")
	for try := 1; ; try++ {
		c := exec.Command("secret-tool", args...)
		c.Env, c.Stdin = s.Vars, strings.NewReader(input)
		out, err := c.CombinedOutput()
		switch gone := bytes.Contains(out, []byte("No such secret item")); {
		case err == nil || len(out) == 0:
			return string(out)
		case !gone || try == 20:
			s.t.Fatalf("secret-tool %s: %v: %s", strings.Join(args, " "), err, out)
		}
	}
}

// Calls counts, from now on, what is asked of the Secret Service. The function
// that it returns says what was until it is called, by method.
func (s *Session) Calls() func() map[string]int {
	s.t.Helper()
	monitor, marker := s.connect(), s.connect()
	s.t.Cleanup(func() { monitor.Close(); marker.Close() })
	if err := monitor.BusObject().Call("org.freedesktop.DBus.Monitoring.BecomeMonitor", 0, []string{"type='method_call'"}, uint32(0)).Err; err != nil {
		s.t.Fatal(err)
	}
	heard := make(chan *dbus.Message, 10000)
	monitor.Eavesdrop(heard)
	return func() map[string]int {
		s.t.Helper()
		const mark = "org.freedesktop.DBus.Peer.Ping"
		if err := marker.BusObject().Call(mark, 0).Err; err != nil {
			s.t.Fatal(err)
		}
		calls := map[string]int{}
		for m := range heard {
			field := func(f dbus.HeaderField) string { return strings.Trim(m.Headers[f].String(), `"`) }
			name := field(dbus.FieldInterface) + "." + field(dbus.FieldMember)
			if name == mark {
				break
			}
			if field(dbus.FieldDestination) == secretsName {
				calls[name]++
			}
		}
		return calls
	}
}
