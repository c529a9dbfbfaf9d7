//go:build linux || netbsd || openbsd || (freebsd && cgo) || (dragonfly && cgo)

package keychain

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
	"github.com/zalando/go-keyring"
	ss "github.com/zalando/go-keyring/secret_service"
)

// The Secret Service, through go-keyring's package secret_service. One level
// higher, keyring.Get and its kin ask six or seven questions a call. Most of them
// were answered a moment ago, and one of them can prompt. The rules:
//
//   - Nothing here or in kwallet.go prompts but Unlock, and admit where
//     a provider asks about each item.
//   - Prompt.Dismiss is never called: it aborts gnome-keyring. A caller that stops
//     waiting leaves the prompt to the person.
//   - Connections are few and live long: go-keyring's for items, one for questions and
//     one for signals. Clients that come and go in a hurry crash gnome-keyring.
//   - No bus is ever started: without an address go-keyring would run dbus-launch.
//   - While Watch listens, an answer about the provider holds until a signal says
//     that it changed. An answer about an item holds for nothing.
const (
	ssName       = "org.freedesktop.secrets"
	ssPath       = dbus.ObjectPath("/org/freedesktop/secrets")
	ssLogin      = ssPath + "/collection/login"
	ssService    = "org.freedesktop.Secret.Service"
	ssCollection = "org.freedesktop.Secret.Collection"
	ssItem       = "org.freedesktop.Secret.Item"
	ssPrompt     = "org.freedesktop.Secret.Prompt"
	dbusName     = "org.freedesktop.DBus"
)

// startPause is how long a provider that did not come up is not started again.
const startPause = time.Minute

// How long a provider that was started has until it serves, and between two looks.
const (
	serveTime  = 2 * time.Second
	servePause = 20 * time.Millisecond
)

// OS is the keychain. Its methods are safe for concurrent use.
type OS struct {
	mu       sync.Mutex // guards all below
	conn     *dbus.Conn
	addr     string     // that conn is connected to
	refused  time.Time  // when a provider was started last and did not come up
	asked    string     // the KWallet that was asked to unlock what it has open, and did not
	watching *dbus.Conn // Watch's
	watched  bool       // Watch listens
	heard    int        // how often what is known may have changed
	known    provider   // since then
}

// A provider is what is known of the program that keeps the secrets.
type provider struct {
	unlocked dbus.ObjectPath // the collection for our items, seen unlocked; "" if not known
	asked    bool            // whether it is KWallet; false: not known
	kwallet  *kwalletd       // nil: another one
}

// recall returns what is known, and a mark for learn.
func (k *OS) recall() (provider, int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.known, k.heard
}

// learn notes an answer, unless something changed since the question.
func (k *OS) learn(mark int, note func(*provider)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.watched && k.heard == mark {
		note(&k.known)
	}
}

// forget is called when what is known may have changed.
func (k *OS) forget(watched bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.watched = watched
	k.heard++
	k.known = provider{}
}

// Get reads an item.
func (k *OS) Get(service, user string) (value string, err error) {
	err = k.reach(service, user, func(svc *ss.SecretService, collection dbus.BusObject) error {
		item, err := find(svc, collection, service, user)
		if err != nil {
			return err
		}
		if item == "" {
			return absent(svc, collection)
		}
		session, err := svc.OpenSession()
		if err != nil {
			return err
		}
		defer svc.Close(session)
		secret, err := svc.GetSecret(item, session.Path())
		if err == nil {
			value = string(secret.Value)
		}
		return err
	})
	return value, err
}

// Set writes an item, with the label and the attributes that keyring.Set gives
// it. In one that is there only the secret is replaced: for that gnome-keyring
// writes its file once, and else twice.
func (k *OS) Set(service, user, value string) error {
	return k.reach(service, user, func(svc *ss.SecretService, collection dbus.BusObject) error {
		item, err := find(svc, collection, service, user)
		if err != nil {
			return err
		}
		session, err := svc.OpenSession()
		if err != nil {
			return err
		}
		defer svc.Close(session)
		secret := ss.NewSecret(session.Path(), value)
		if item != "" {
			return svc.Object(ssName, item).Call(ssItem+".SetSecret", 0, secret).Err
		}
		label := fmt.Sprintf("Password for '%s' on '%s'", user, service)
		return svc.CreateItem(collection, label, attributes(service, user), secret)
	})
}

// Delete deletes an item.
func (k *OS) Delete(service, user string) error {
	return k.reach(service, user, func(svc *ss.SecretService, collection dbus.BusObject) error {
		item, err := find(svc, collection, service, user)
		if err != nil {
			return err
		}
		if item == "" {
			return absent(svc, collection)
		}
		return svc.Delete(item)
	})
}

func attributes(service, user string) map[string]string {
	return map[string]string{"service": service, "username": user}
}

// find returns an item, or "" when there is none.
func find(svc *ss.SecretService, collection dbus.BusObject, service, user string) (dbus.ObjectPath, error) {
	items, err := svc.SearchItems(collection, attributes(service, user))
	if err != nil || len(items) == 0 {
		return "", err
	}
	return items[0], nil
}

// absent says what it means that an item was not found. KeePassXC finds nothing
// in what is locked, and its signal may be late.
func absent(svc *ss.SecretService, collection dbus.BusObject) error {
	var locked bool
	err := property(svc.Context(), svc.Conn, collection.Path(), ssCollection, "Locked", &locked)
	switch {
	case err != nil:
		return err
	case locked:
		return ErrLocked
	}
	return keyring.ErrNotFound
}

// reach does something with an item. It refuses when there is no session bus, or
// a person does. Where the bus is not named by the environment but is where
// systemd puts it, it is named, as godbus does.
func (k *OS) reach(service, user string, do func(*ss.SecretService, dbus.BusObject) error) error {
	addr, err := busAddress()
	if err != nil {
		return err
	}
	if os.Getenv("DBUS_SESSION_BUS_ADDRESS") != addr {
		os.Setenv("DBUS_SESSION_BUS_ADDRESS", addr)
	}
	svc, err := ss.NewSecretService()
	if err != nil {
		return classify(err)
	}
	known, _ := k.recall()
	path := known.unlocked
	if path == "" {
		if path, err = collection(svc.Context(), svc.Conn); err != nil {
			return err
		}
	}
	err = classify(do(svc, svc.Object(ssName, path)))
	if errors.Is(err, ErrLocked) {
		if err = admit(svc.Conn, path, service, user); err == nil {
			err = classify(do(svc, svc.Object(ssName, path)))
		}
	}
	return err
}

// admit makes the provider ask about an item that it keeps locked in an unlocked
// collection, and about all others of the service at the same time. KeePassXC asks
// a person about each item and each program. The answer may take as long as the
// connection lives, and holds for a connection, so this is go-keyring's. It is
// given up after a no, which could not be taken back.
func admit(conn *dbus.Conn, collection dbus.ObjectPath, service, user string) error {
	var locked bool
	if err := property(conn.Context(), conn, collection, ssCollection, "Locked", &locked); err != nil {
		return err
	}
	if locked {
		return ErrLocked
	}
	items, err := lockedItems(conn, collection, map[string]string{"service": service})
	if err != nil {
		return err
	}
	prompt, err := unlockObjects(conn.Context(), conn, items...)
	if err != nil {
		return err
	}
	if prompt != "/" {
		err = ask(conn.Context(), conn, prompt)
	}
	if err == nil {
		items, err = lockedItems(conn, collection, attributes(service, user))
	}
	if err == nil && len(items) > 0 {
		err = fmt.Errorf("%w: it keeps the item to itself", ErrDenied)
	}
	if errors.Is(err, ErrDenied) {
		conn.Close()
	}
	return err
}

// lockedItems are those with the attributes that conn may not read. What
// other collections have is another agent's.
func lockedItems(conn *dbus.Conn, collection dbus.ObjectPath, attributes map[string]string) ([]dbus.ObjectPath, error) {
	var unlocked, locked []dbus.ObjectPath
	err := conn.Object(ssName, ssPath).CallWithContext(conn.Context(), ssService+".SearchItems", dbus.FlagNoAutoStart, attributes).Store(&unlocked, &locked)
	return slices.DeleteFunc(locked, func(item dbus.ObjectPath) bool { return !strings.HasPrefix(string(item), string(collection)+"/") }), classify(err)
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

// connect returns the connection, a new one when it broke or the bus is another one.
func (k *OS) connect() (*dbus.Conn, error) {
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
		k.leaveLocked(addr)
	}
	conn, err := dbus.Connect(addr)
	if err != nil {
		return nil, fmt.Errorf("%w: the D-Bus session bus %s does not answer: %w", ErrUnavailable, addr, err)
	}
	k.conn, k.addr = conn, addr
	return conn, nil
}

// leaveLocked gives up the connections of go-keyring and of Watch when the bus is
// at another address now. Both make a new one.
func (k *OS) leaveLocked(addr string) {
	if k.addr == addr {
		return
	}
	k.watched, k.known = false, provider{}
	if k.watching != nil {
		k.watching.Close()
	}
	if items, err := dbus.SessionBus(); err == nil {
		items.Close()
	}
}

// Probe reports whether calls can proceed, without a prompt. A provider that
// does not run is started when the bus knows how; otherwise none is there.
func (k *OS) Probe(ctx context.Context) error {
	conn, err := k.connect()
	if err != nil {
		return err
	}
	known, mark := k.recall()
	if known.unlocked != "" {
		return nil
	}
	path, locked, err := isLocked(ctx, conn)
	if e, ok := errors.AsType[dbus.Error](err); ok && (e.Name == dbusName+".Error.ServiceUnknown" || e.Name == dbusName+".Error.NameHasNoOwner") {
		if err := k.activate(ctx, conn); err != nil {
			return err
		}
		path, locked, err = isLocked(ctx, conn)
	}
	if err != nil {
		return err
	}
	if locked && !k.join(ctx, conn) {
		return ErrLocked
	}
	k.learn(mark, func(p *provider) { p.unlocked = path })
	return nil
}

// isLocked asks for the state of the collection that go-keyring will use.
func isLocked(ctx context.Context, conn *dbus.Conn) (path dbus.ObjectPath, locked bool, err error) {
	path, err = collection(ctx, conn)
	if err != nil {
		return "", false, err
	}
	err = property(ctx, conn, path, ssCollection, "Locked", &locked)
	return path, locked, err
}

// activate starts a provider, if the bus knows one. One that does not come up
// is left alone for a while. A KWallet that is switched off takes the name and
// ends, and every question would start it again.
func (k *OS) activate(ctx context.Context, conn *dbus.Conn) error {
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
			err = serves(ctx, conn, name)
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

// serves waits until the provider that has just started as name answers. KWallet
// takes the name of the Secret Service only a moment after its own.
func serves(ctx context.Context, conn *dbus.Conn, name string) error {
	for began := time.Now(); ; {
		_, _, err := isLocked(ctx, conn)
		var still bool
		if e, ok := errors.AsType[dbus.Error](err); !ok || e.Name != dbusName+".Error.ServiceUnknown" && e.Name != dbusName+".Error.NameHasNoOwner" || time.Since(began) > serveTime {
			return err
		}
		if conn.BusObject().CallWithContext(ctx, dbusName+".NameHasOwner", 0, name).Store(&still) != nil || !still {
			return err
		}
		select {
		case <-time.After(servePause):
		case <-ctx.Done():
			return err
		}
	}
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
func (k *OS) Unlock(ctx context.Context) error {
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
	owner := ownerChanges(ssName)
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

func ownerChanges(name string) []dbus.MatchOption {
	return []dbus.MatchOption{dbus.WithMatchSender(dbusName), dbus.WithMatchInterface(dbusName), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, name)}
}

// Watch calls f until ctx ends. It does so when the provider came or went. It
// also does when a collection was locked, unlocked, made or deleted. It has a
// separate connection and makes a new one when the bus went. Then f is called
// too.
func (k *OS) Watch(ctx context.Context, f func()) {
	for pause := time.Second; ; pause = min(2*pause, 30*time.Second) {
		if k.watchOnce(ctx, f) {
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
func (k *OS) watchOnce(ctx context.Context, f func()) bool {
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
	matches := [][]dbus.MatchOption{{dbus.WithMatchSender(ssName), dbus.WithMatchPathNamespace(ssPath)}}
	for _, name := range append([]string{ssName}, kwalletNames...) {
		matches = append(matches, ownerChanges(name))
	}
	for _, match := range matches {
		if err := conn.AddMatchSignalContext(ctx, match...); err != nil {
			return false
		}
	}
	k.mu.Lock()
	k.watching = conn
	k.mu.Unlock()
	k.forget(true)
	defer k.forget(false)
	f() // whatever happened before now
	for {
		select {
		case sig, ok := <-signals:
			if !ok {
				return true
			}
			if changesProvider(sig) {
				k.forget(true)
				f()
			}
		case <-ctx.Done():
			return true
		}
	}
}

// changesProvider picks the signals that can change what Probe says. Those of
// single items, our own writes among them, do not.
func changesProvider(sig *dbus.Signal) bool {
	switch sig.Name {
	case dbusName + ".NameOwnerChanged", ssService + ".CollectionCreated", ssService + ".CollectionChanged", ssService + ".CollectionDeleted":
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
func (k *OS) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.conn == nil {
		return nil
	}
	conn := k.conn
	k.conn = nil
	return conn.Close()
}

// Flush makes what the provider took survive a power cut and its own sudden end.
// gnome-keyring renames its file into place without syncing the directory, and
// KWallet writes late. Of others nothing is known.
func (k *OS) Flush(ctx context.Context) error {
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
	known, mark := k.recall()
	if !known.asked {
		if known.kwallet, err = findKWallet(ctx, conn); err != nil {
			return err
		}
		k.learn(mark, func(p *provider) { p.asked, p.kwallet = true, known.kwallet })
	}
	if known.kwallet != nil {
		return known.kwallet.save(ctx, conn, data)
	}
	err = syncPath(filepath.Join(data, "keyrings"))
	if errors.Is(err, os.ErrNotExist) {
		return nil // another provider's
	}
	return err
}

// classifyOS sorts the errors of D-Bus and of go-keyring's checks. An object that
// is not there is no verdict on an item. The collection was closed perhaps, or the
// provider does not serve yet.
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
