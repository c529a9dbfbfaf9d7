//go:build linux || netbsd || openbsd || (freebsd && cgo) || (dragonfly && cgo)

package keystore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
)

// This file looks at the Secret Service on a connection of its own, beside
// go-keyring, which cannot do any of it. The rules:
//
//   - Nothing here or in keychain_kwallet.go prompts but Unlock, and admit where
//     a provider asks about each item.
//   - Prompt.Dismiss is never called: it aborts gnome-keyring. Whoever stops
//     waiting leaves the prompt to the person.
//   - One long-lived connection: clients that come and go in a hurry crash gnome-keyring.
//   - No bus is ever started: without an address go-keyring would run dbus-launch.
const (
	ssName       = "org.freedesktop.secrets"
	ssPath       = dbus.ObjectPath("/org/freedesktop/secrets")
	ssLogin      = ssPath + "/collection/login"
	ssService    = "org.freedesktop.Secret.Service"
	ssCollection = "org.freedesktop.Secret.Collection"
	ssPrompt     = "org.freedesktop.Secret.Prompt"
	dbusName     = "org.freedesktop.DBus"
)

// startPause is how long a provider that did not come up is not started again.
const startPause = time.Minute

type osKeychain struct {
	mu      sync.Mutex // guards all below
	conn    *dbus.Conn
	addr    string    // that conn is connected to
	refused time.Time // when a provider was started last and did not come up
	asked   string    // the KWallet that was asked to unlock what it has open, and did not
}

// prepare refuses when there is no session bus, or a person does. Where the bus is
// not named by the environment but is where systemd puts it, it is named, as
// godbus does.
func (k *osKeychain) prepare(service, user string) error {
	addr, err := busAddress()
	if err != nil {
		return err
	}
	if os.Getenv("DBUS_SESSION_BUS_ADDRESS") != addr {
		os.Setenv("DBUS_SESSION_BUS_ADDRESS", addr)
	}
	return admit(service, user)
}

// admit has the provider ask about an item that it keeps locked in an unlocked
// collection, and at once about all others of the service, and waits for the
// answer, which may take as long as the connection lives. KeePassXC asks a person
// about each item and each program; go-keyring would have it ask about one after
// the other, and takes a no for a lock. What was answered holds for a connection,
// so this is go-keyring's own, and it is given up after a no, which could not be
// taken back.
func admit(service, user string) error {
	conn, err := dbus.SessionBus()
	if err != nil {
		return classify(err)
	}
	wanted := map[string]string{"service": service, "username": user}
	locked, err := lockedItems(conn, wanted)
	if err != nil || len(locked) == 0 { // another agent's items are none of ours
		return err
	}
	if locked, err = lockedItems(conn, map[string]string{"service": service}); err != nil {
		return err
	}
	prompt, err := unlockObjects(conn.Context(), conn, locked...)
	if err != nil {
		return err
	}
	if prompt != "/" {
		err = ask(conn.Context(), conn, prompt)
	}
	if err == nil {
		locked, err = lockedItems(conn, wanted)
	}
	if err == nil && len(locked) > 0 {
		err = fmt.Errorf("%w: it keeps the item to itself", ErrDenied)
	}
	if errors.Is(err, ErrDenied) {
		conn.Close()
	}
	return err
}

// lockedItems are those with the attributes that conn may not read, in the
// collection that go-keyring uses.
func lockedItems(conn *dbus.Conn, attributes map[string]string) ([]dbus.ObjectPath, error) {
	var unlocked, locked []dbus.ObjectPath
	err := conn.Object(ssName, ssPath).CallWithContext(conn.Context(), ssService+".SearchItems", dbus.FlagNoAutoStart, attributes).Store(&unlocked, &locked)
	if err != nil || len(locked) == 0 {
		return nil, classify(err)
	}
	path, err := collection(conn.Context(), conn)
	return slices.DeleteFunc(locked, func(item dbus.ObjectPath) bool { return !strings.HasPrefix(string(item), string(path)+"/") }), err
}

// runtimeDir is where systemd keeps the sockets of a user. Tests change it.
var runtimeDir = func() string { return "/run/user/" + strconv.Itoa(os.Getuid()) }

// busAddress finds the session bus without starting one.
func busAddress() (string, error) {
	if addr := os.Getenv("DBUS_SESSION_BUS_ADDRESS"); addr != "" && addr != "autolaunch:" {
		return addr, nil
	}
	path := filepath.Join(runtimeDir(), "bus")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w: there is no D-Bus session bus (DBUS_SESSION_BUS_ADDRESS is not set and %s is not there)", ErrUnavailable, path)
	}
	return "unix:path=" + dbus.EscapeBusAddressValue(path), nil
}

// connect returns the connection, made anew when it broke or the bus is another one.
func (k *osKeychain) connect() (*dbus.Conn, error) {
	addr, err := busAddress()
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.conn != nil {
		if k.addr == addr && k.conn.Connected() {
			return k.conn, nil
		}
		k.conn.Close()
		k.conn = nil
	}
	conn, err := dbus.Connect(addr)
	if err != nil {
		return nil, fmt.Errorf("%w: the D-Bus session bus %s does not answer: %w", ErrUnavailable, addr, err)
	}
	k.conn, k.addr = conn, addr
	return conn, nil
}

// Probe reports whether calls can proceed, without a prompt. A provider that
// does not run is started when the bus knows how; otherwise none is there.
func (k *osKeychain) Probe(ctx context.Context) error {
	conn, err := k.connect()
	if err != nil {
		return err
	}
	locked, err := isLocked(ctx, conn)
	if e, ok := errors.AsType[dbus.Error](err); ok && (e.Name == dbusName+".Error.ServiceUnknown" || e.Name == dbusName+".Error.NameHasNoOwner") {
		if err := k.activate(ctx, conn); err != nil {
			return err
		}
		locked, err = isLocked(ctx, conn)
	}
	if err != nil {
		return err
	}
	if locked && !k.join(ctx, conn) {
		return ErrLocked
	}
	return nil
}

// isLocked asks for the state of the collection that go-keyring will use.
func isLocked(ctx context.Context, conn *dbus.Conn) (locked bool, err error) {
	path, err := collection(ctx, conn)
	if err != nil {
		return false, err
	}
	err = property(ctx, conn, path, ssCollection, "Locked", &locked)
	return locked, err
}

// activate starts a provider, if the bus knows one. One that does not come up
// is left alone for a while: KWallet, when it is switched off, takes the name
// and ends, and whoever watches would start it again and again.
func (k *osKeychain) activate(ctx context.Context, conn *dbus.Conn) error {
	var names []string
	if err := conn.BusObject().CallWithContext(ctx, dbusName+".ListActivatableNames", 0).Store(&names); err != nil {
		return classify(err)
	}
	for _, name := range append([]string{ssName}, kwalletNames...) {
		if !slices.Contains(names, name) {
			continue
		}
		k.mu.Lock()
		refused := time.Since(k.refused) < startPause
		k.mu.Unlock()
		if refused {
			return fmt.Errorf("%w: %s was started and ended at once", ErrUnavailable, name)
		}
		err := conn.BusObject().CallWithContext(ctx, dbusName+".StartServiceByName", 0, name, uint32(0)).Err
		if err == nil {
			_, err = isLocked(ctx, conn)
		}
		if err == nil || errors.Is(err, ErrNoCollection) || ctx.Err() != nil {
			return classify(ctx.Err())
		}
		k.mu.Lock()
		k.refused = time.Now()
		k.mu.Unlock()
		return fmt.Errorf("%w: %s was started and does not serve (%v)", ErrUnavailable, name, err)
	}
	return fmt.Errorf("%w: no program on the session bus keeps secrets (gnome-keyring, KWallet, KeePassXC)", ErrUnavailable)
}

// collection is the one that go-keyring will use: login, else the default.
func collection(ctx context.Context, conn *dbus.Conn) (dbus.ObjectPath, error) {
	var paths []dbus.ObjectPath
	if err := property(ctx, conn, ssPath, ssService, "Collections", &paths); err != nil {
		return "", err
	}
	if slices.Contains(paths, ssLogin) {
		return ssLogin, nil
	}
	var path dbus.ObjectPath
	err := conn.Object(ssName, ssPath).CallWithContext(ctx, ssService+".ReadAlias", dbus.FlagNoAutoStart, "default").Store(&path)
	if err != nil {
		return "", classify(err)
	}
	if path == "/" || path == "" {
		return "", ErrNoCollection
	}
	return path, nil
}

func property(ctx context.Context, conn *dbus.Conn, path dbus.ObjectPath, iface, name string, into any) error {
	var v dbus.Variant
	err := conn.Object(ssName, path).CallWithContext(ctx, dbusName+".Properties.Get", dbus.FlagNoAutoStart, iface, name).Store(&v)
	if err == nil {
		err = v.Store(into)
	}
	return classify(err)
}

// Unlock shows the provider's prompt and waits until the person has answered
// or ctx ends; the prompt stays then, and an answer still counts. Where there
// is no collection yet, the prompt is for the password of a new one.
func (k *osKeychain) Unlock(ctx context.Context) error {
	missing := k.Probe(ctx)
	bare := errors.Is(missing, ErrNoCollection)
	if !bare && !errors.Is(missing, ErrLocked) {
		return missing
	}
	conn, err := k.connect()
	if err != nil {
		return err
	}
	var prompt dbus.ObjectPath
	if bare {
		prompt, err = createDefault(ctx, conn)
	} else {
		prompt, err = unlockCollection(ctx, conn)
	}
	if err != nil {
		return err
	}
	if prompt != "/" {
		if err := ask(ctx, conn, prompt); err != nil {
			return err
		}
	}
	return k.Probe(ctx)
}

// unlockCollection begins to unlock the collection that go-keyring will use.
func unlockCollection(ctx context.Context, conn *dbus.Conn) (prompt dbus.ObjectPath, err error) {
	path, err := collection(ctx, conn)
	if err != nil {
		return "", err
	}
	return unlockObjects(ctx, conn, path)
}

// unlockObjects begins to unlock collections or items. The prompt is "/" where
// nobody has to be asked.
func unlockObjects(ctx context.Context, conn *dbus.Conn, objects ...dbus.ObjectPath) (prompt dbus.ObjectPath, err error) {
	var unlocked []dbus.ObjectPath
	err = conn.Object(ssName, ssPath).CallWithContext(ctx, ssService+".Unlock", 0, objects).Store(&unlocked, &prompt)
	return prompt, classify(err)
}

// createDefault begins to make a default collection, by the name that the
// provider's own programs would give it.
func createDefault(ctx context.Context, conn *dbus.Conn) (prompt dbus.ObjectPath, err error) {
	label := "Default keyring"
	if w, err := findKWallet(ctx, conn); err != nil {
		return "", err
	} else if w != nil {
		label = kwalletWallet
	}
	properties := map[string]dbus.Variant{ssCollection + ".Label": dbus.MakeVariant(label)}
	var path dbus.ObjectPath
	err = conn.Object(ssName, ssPath).CallWithContext(ctx, ssService+".CreateCollection", 0, properties, "default").Store(&path, &prompt)
	return prompt, classify(err)
}

// ask shows a prompt and waits for its end, or for the end of its provider.
func ask(ctx context.Context, conn *dbus.Conn, prompt dbus.ObjectPath) error {
	completed := []dbus.MatchOption{dbus.WithMatchSender(ssName), dbus.WithMatchObjectPath(prompt), dbus.WithMatchInterface(ssPrompt), dbus.WithMatchMember("Completed")}
	owner := ownerChanges()
	for _, match := range [][]dbus.MatchOption{completed, owner} {
		if err := conn.AddMatchSignalContext(ctx, match...); err != nil {
			return classify(err)
		}
		defer conn.RemoveMatchSignal(match...)
	}
	signals := make(chan *dbus.Signal, 16)
	conn.Signal(signals)
	defer conn.RemoveSignal(signals)
	ended := fmt.Errorf("%w: the program that keeps the secrets ended while it asked", ErrUnavailable)
	if err := conn.Object(ssName, prompt).CallWithContext(ctx, ssPrompt+".Prompt", 0, "").Err; err != nil {
		if e, ok := errors.AsType[dbus.Error](err); ok && e.Name == dbusName+".Error.NoReply" {
			return ended
		}
		return classify(err)
	}
	for {
		select {
		case sig, ok := <-signals:
			switch {
			case !ok || sig.Name == dbusName+".NameOwnerChanged":
				return ended
			case sig.Path == prompt && sig.Name == ssPrompt+".Completed" && len(sig.Body) > 0:
				if dismissed, _ := sig.Body[0].(bool); dismissed {
					return fmt.Errorf("%w: its prompt was answered with no", ErrDenied)
				}
				return nil
			}
		case <-ctx.Done():
			return fmt.Errorf("%w: nobody answered the keychain's prompt (%w)", ErrTimeout, ctx.Err())
		}
	}
}

func ownerChanges() []dbus.MatchOption {
	return []dbus.MatchOption{dbus.WithMatchSender(dbusName), dbus.WithMatchInterface(dbusName), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, ssName)}
}

// Watch calls f when the provider came or went, and when a collection was
// locked, unlocked, made or deleted, until ctx ends. It has a connection of its
// own and makes a new one when the bus went; f is called then too.
func (k *osKeychain) Watch(ctx context.Context, f func()) {
	for pause := time.Second; ; pause = min(2*pause, 30*time.Second) {
		if watchOnce(ctx, f) {
			pause = time.Second
			f()
		}
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return
		}
	}
}

// watchOnce watches one connection until it breaks; false: it could not.
func watchOnce(ctx context.Context, f func()) bool {
	addr, err := busAddress()
	if err != nil {
		return false
	}
	conn, err := dbus.Connect(addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	signals := make(chan *dbus.Signal, 64)
	conn.Signal(signals)
	for _, match := range [][]dbus.MatchOption{
		ownerChanges(),
		{dbus.WithMatchSender(ssName), dbus.WithMatchPathNamespace(ssPath)},
	} {
		if err := conn.AddMatchSignalContext(ctx, match...); err != nil {
			return false
		}
	}
	f() // whatever happened before now
	for {
		select {
		case sig, ok := <-signals:
			if !ok {
				return true
			}
			if tells(sig) {
				f()
			}
		case <-ctx.Done():
			return true
		}
	}
}

// tells picks the signals that can change what Probe says. Those of single
// items, our own writes among them, do not.
func tells(sig *dbus.Signal) bool {
	switch sig.Name {
	case dbusName + ".NameOwnerChanged", ssService + ".CollectionCreated", ssService + ".CollectionDeleted":
		return true
	case dbusName + ".Properties.PropertiesChanged":
		if len(sig.Body) < 2 {
			return false
		}
		props, _ := sig.Body[1].(map[string]dbus.Variant)
		_, locked := props["Locked"]
		_, collections := props["Collections"]
		return locked && sig.Body[0] == ssCollection || collections
	}
	return false
}

// Close closes the connection; a later call makes a new one.
func (k *osKeychain) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.conn == nil {
		return nil
	}
	conn := k.conn
	k.conn = nil
	return conn.Close()
}

// Flush makes what the provider took survive a power cut, and its own sudden
// end: gnome-keyring renames its file into place without syncing the directory,
// and KWallet writes late. Of others nothing is known.
func (k *osKeychain) Flush(ctx context.Context) error {
	data := os.Getenv("XDG_DATA_HOME")
	if data == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil
		}
		data = filepath.Join(home, ".local", "share")
	}
	conn, err := k.connect()
	if err != nil {
		return err
	}
	w, err := findKWallet(ctx, conn)
	if err != nil {
		return err
	}
	if w != nil {
		return w.save(ctx, conn, data)
	}
	err = syncPath(filepath.Join(data, "keyrings"))
	if errors.Is(err, os.ErrNotExist) {
		return nil // another provider's
	}
	return err
}

// classifyOS sorts the errors of D-Bus and of go-keyring's own checks. An object
// that is not there is no verdict on an item: the collection was closed perhaps,
// or the provider does not serve yet.
func classifyOS(err error) error {
	if e, ok := errors.AsType[dbus.Error](err); ok {
		name := strings.TrimPrefix(e.Name, "org.freedesktop.")
		switch {
		case name == "Secret.Error.IsLocked":
			return ErrLocked
		case name == "DBus.Error.AccessDenied", name == "DBus.Error.AuthFailed":
			return ErrDenied
		case name == "DBus.Error.NoReply", name == "DBus.Error.Timeout", name == "DBus.Error.TimedOut":
			return ErrTimeout // also of a provider that died over the call
		}
		return ErrUnavailable
	}
	text := err.Error()
	switch {
	case strings.Contains(text, "failed to unlock correct collection") && strings.Contains(text, "/aliases/default"):
		return ErrNoCollection
	case strings.Contains(text, "failed to unlock correct collection"):
		return ErrLocked
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return ErrTimeout
	}
	return ErrUnavailable // a broken connection, no bus, a bus that refuses what it was sent
}
