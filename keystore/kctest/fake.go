//go:build linux

package kctest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"
)

const (
	fakeRoot  = dbus.ObjectPath("/org/freedesktop/secrets")
	fakeLogin = fakeRoot + "/collection/login"
	iface     = "org.freedesktop.Secret."
)

// Faults are what a Fake does wrong.
type Faults struct {
	Locked       bool            // Unlock needs a prompt
	Unanswered   bool            // prompts are never answered
	Dismissed    bool            // prompts are answered with no
	DeclineWrite bool            // CreateItem asks, and the answer is no
	DeclineDrop  bool            // Delete asks, and the answer is no
	Stall        <-chan struct{} // methods wait until it is closed; nil: they do not
	Bare         bool            // there is no collection at all, until a prompt to make one is answered
	Guarded      bool            // each client is asked about before it may read items
	Foreign      string          // the user of an item that only another client may read
}

// A Fake is a Secret Service with faults that gnome-keyring cannot be brought
// to show. It has one collection, login, and does as much as go-keyring uses.
type Fake struct {
	conn    *dbus.Conn
	service *prop.Properties
	props   *prop.Properties // of the collection

	mu      sync.Mutex // guards all below
	faults  Faults
	items   map[dbus.ObjectPath]*fakeItem
	n       int
	prompts int
	made    string // the label of the collection that was made
	asked   chan struct{}
	allowed map[dbus.Sender]bool // clients that may read guarded items
}

type fakeItem struct {
	attributes map[string]string
	value      []byte
}

// secret is the structure that the Secret Service passes around.
type secret struct {
	Session     dbus.ObjectPath
	Parameters  []byte
	Value       []byte
	ContentType string
}

// Fake serves a fake Secret Service on the session's bus.
func (s *Session) Fake(faults Faults) *Fake {
	s.t.Helper()
	return serve(s.t, s.connect(), faults)
}

// Serve is a whole Secret Service: it serves a fake on a bus until that ends.
// A program that the bus starts by a name (see Activatable) calls it.
func Serve(t testing.TB, address, name string) {
	t.Helper()
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	if name != "" {
		if _, err := conn.RequestName(name, 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond) // KWallet serves a moment after it has its name
	}
	serve(t, conn, Faults{})
	<-conn.Context().Done()
}

func serve(t testing.TB, conn *dbus.Conn, faults Faults) *Fake {
	t.Helper()
	f := &Fake{conn: conn, faults: faults, items: map[dbus.ObjectPath]*fakeItem{}, asked: make(chan struct{}, 64), allowed: map[dbus.Sender]bool{}}
	t.Cleanup(func() { f.conn.Close() })
	collections := []dbus.ObjectPath{fakeLogin}
	if faults.Bare {
		collections = nil
	}
	f.export(t, fakeService{f}, fakeRoot, "Service")
	f.export(t, fakeCollection{f}, fakeLogin, "Collection")
	f.export(t, fakeSession{}, fakeRoot+"/session/1", "Session")
	var err error
	f.service, err = prop.Export(f.conn, fakeRoot, prop.Map{iface + "Service": {"Collections": {Value: collections}}})
	if err != nil {
		t.Fatal(err)
	}
	f.props, err = prop.Export(f.conn, fakeLogin, prop.Map{iface + "Collection": {
		"Label":  {Value: "kdewallet"},
		"Locked": {Value: faults.Locked, Emit: prop.EmitTrue},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if reply, err := f.conn.RequestName(secretsName, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("%v, %v", reply, err)
	}
	return f
}

func (f *Fake) export(t testing.TB, v any, path dbus.ObjectPath, name string) {
	t.Helper()
	if err := f.conn.Export(v, path, iface+name); err != nil {
		t.Fatal(err)
	}
}

// Set changes the faults.
func (f *Fake) Set(faults Faults) {
	f.mu.Lock()
	changed := f.faults.Locked != faults.Locked
	f.faults = faults
	f.mu.Unlock()
	if changed {
		f.props.SetMust(iface+"Collection", "Locked", faults.Locked)
	}
}

// Prompts is how many prompts were shown.
func (f *Fake) Prompts() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.prompts
}

// Asked receives a value for every prompt shown.
func (f *Fake) Asked() <-chan struct{} { return f.asked }

// Made is the label that somebody gave the collection.
func (f *Fake) Made() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.made
}

// BeKWallet makes the fake KWallet of version 5, whose wallet has the label
// kdewallet and is open, whatever the collection says. sync writes it to disk.
// If sync is nil, the fake does not speak KWallet's own protocol, as later
// versions.
func (f *Fake) BeKWallet(t testing.TB, sync func()) {
	t.Helper()
	const name = "org.kde.kwalletd5"
	if sync != nil {
		if err := f.conn.ExportWithMap(fakeKWallet{sync}, map[string]string{"IsOpen": "isOpen", "Open": "open", "Sync": "sync", "Close": "close"}, "/modules/kwalletd5", "org.kde.KWallet"); err != nil {
			t.Fatal(err)
		}
	}
	if reply, err := f.conn.RequestName(name, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("%v, %v", reply, err)
	}
}

type fakeKWallet struct{ sync func() }

func (fakeKWallet) IsOpen(wallet string) (bool, *dbus.Error) { return wallet == "kdewallet", nil }

func (fakeKWallet) Open(wallet string, window int64, app string) (int32, *dbus.Error) {
	if wallet != "kdewallet" || app != "" {
		return -1, nil // it would ask a person
	}
	return 7, nil
}

func (k fakeKWallet) Sync(handle int32, app string) *dbus.Error {
	if handle == 7 && app == "" {
		k.sync()
	}
	return nil
}

func (fakeKWallet) Close(handle int32, force bool, app string) (int32, *dbus.Error) {
	if force {
		panic("a wallet was locked")
	}
	return 1, nil
}

// Leave ends the service.
func (f *Fake) Leave() { f.conn.Close() }

// Items is how many items it holds.
func (f *Fake) Items() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.items)
}

// now returns the faults, after a stall.
func (f *Fake) now() Faults {
	f.mu.Lock()
	faults := f.faults
	f.mu.Unlock()
	if faults.Stall != nil {
		<-faults.Stall
	}
	return faults
}

// guards reports whether a client may not read items.
func (f *Fake) guards(client dbus.Sender) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.faults.Guarded && !f.allowed[client]
}

// prompt makes a prompt object that will be answered with yes or no.
func (f *Fake) prompt(yes bool, result any) dbus.ObjectPath {
	f.mu.Lock()
	f.n++
	path := dbus.ObjectPath(fmt.Sprintf("%s/prompt/%d", fakeRoot, f.n))
	f.mu.Unlock()
	f.conn.Export(fakePrompt{f, path, yes, dbus.MakeVariant(result)}, path, iface+"Prompt")
	return path
}

type fakePrompt struct {
	f      *Fake
	path   dbus.ObjectPath
	yes    bool
	result dbus.Variant
}

func (p fakePrompt) Prompt(_ string, client dbus.Sender) *dbus.Error {
	faults := p.f.now()
	p.f.mu.Lock()
	p.f.prompts++
	if !faults.Unanswered {
		p.f.allowed[client] = p.yes
	}
	p.f.mu.Unlock()
	p.f.asked <- struct{}{}
	if faults.Unanswered {
		return nil
	}
	if p.yes && faults.Locked {
		unlocked := faults
		unlocked.Locked = false
		p.f.Set(unlocked)
	}
	if p.yes && faults.Bare {
		made := p.f.now()
		made.Bare = false
		p.f.Set(made)
		p.f.service.SetMust(iface+"Service", "Collections", []dbus.ObjectPath{fakeLogin})
	}
	// An answer may come before the call returns; clients must cope.
	p.f.conn.Emit(p.path, iface+"Prompt.Completed", !p.yes, p.result)
	return nil
}

// Dismiss must never be called: it aborts gnome-keyring.
func (p fakePrompt) Dismiss() *dbus.Error { panic("Prompt.Dismiss was called") }

type fakeSession struct{}

func (fakeSession) Close() *dbus.Error { return nil }

type fakeService struct{ f *Fake }

func (x fakeService) OpenSession(algorithm string, _ dbus.Variant) (dbus.Variant, dbus.ObjectPath, *dbus.Error) {
	x.f.now()
	if algorithm != "plain" {
		return dbus.MakeVariant(""), "/", dbus.NewError("org.freedesktop.DBus.Error.NotSupported", nil)
	}
	return dbus.MakeVariant(""), fakeRoot + "/session/1", nil
}

func (x fakeService) ReadAlias(string) (dbus.ObjectPath, *dbus.Error) { return "/", nil }

func (x fakeService) CreateCollection(properties map[string]dbus.Variant, alias string) (dbus.ObjectPath, dbus.ObjectPath, *dbus.Error) {
	faults := x.f.now()
	x.f.mu.Lock()
	x.f.made, _ = properties[iface+"Collection.Label"].Value().(string)
	x.f.mu.Unlock()
	if alias != "default" {
		return "/", "/", dbus.NewError("org.freedesktop.DBus.Error.InvalidArgs", nil)
	}
	return "/", x.f.prompt(!faults.Dismissed, fakeLogin), nil
}

func (x fakeService) Unlock(objects []dbus.ObjectPath, client dbus.Sender) ([]dbus.ObjectPath, dbus.ObjectPath, *dbus.Error) {
	items := slices.ContainsFunc(objects, func(o dbus.ObjectPath) bool { return strings.HasPrefix(string(o), string(fakeLogin)+"/") })
	if faults := x.f.now(); faults.Locked || items && x.f.guards(client) {
		return []dbus.ObjectPath{}, x.f.prompt(!faults.Dismissed, objects), nil
	}
	return objects, "/", nil
}

// SearchItems finds items that have at least these attributes.
func (x fakeService) SearchItems(attributes map[string]string, client dbus.Sender) (unlocked, locked []dbus.ObjectPath, err *dbus.Error) {
	faults := x.f.now()
	guarded := x.f.guards(client)
	x.f.mu.Lock()
	defer x.f.mu.Unlock()
	found := []dbus.ObjectPath{}
	for path, item := range x.f.items {
		merged := maps.Clone(item.attributes)
		maps.Copy(merged, attributes)
		if maps.Equal(merged, item.attributes) {
			found = append(found, path)
		}
	}
	unlocked, locked = found, []dbus.ObjectPath{}
	if faults.Locked || guarded {
		unlocked, locked = locked, unlocked
	}
	if user, named := attributes["username"]; faults.Foreign != "" && (!named || user == faults.Foreign) {
		locked = append(locked, fakeLogin+"/foreign")
	}
	return unlocked, locked, nil
}

type fakeCollection struct{ f *Fake }

func (c fakeCollection) SearchItems(attributes map[string]string) ([]dbus.ObjectPath, *dbus.Error) {
	c.f.now()
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	found := []dbus.ObjectPath{}
	for path, item := range c.f.items {
		if maps.Equal(item.attributes, attributes) {
			found = append(found, path)
		}
	}
	return found, nil
}

func (c fakeCollection) CreateItem(properties map[string]dbus.Variant, s secret, replace bool) (dbus.ObjectPath, dbus.ObjectPath, *dbus.Error) {
	if c.f.now().DeclineWrite {
		return "/", c.f.prompt(false, dbus.ObjectPath("/")), nil
	}
	var attributes map[string]string
	if err := properties[iface+"Item.Attributes"].Store(&attributes); err != nil {
		return "/", "/", dbus.MakeFailedError(err)
	}
	found, _ := c.SearchItems(attributes)
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	if replace && len(found) > 0 {
		c.f.items[found[0]].value = s.Value
		return found[0], "/", nil
	}
	c.f.n++
	path := dbus.ObjectPath(fmt.Sprintf("%s/%d", fakeLogin, c.f.n))
	c.f.items[path] = &fakeItem{attributes, s.Value}
	c.f.conn.Export(fakeItemObject{c.f, path}, path, iface+"Item")
	return path, "/", nil
}

type fakeItemObject struct {
	f    *Fake
	path dbus.ObjectPath
}

func (i fakeItemObject) GetSecret(session dbus.ObjectPath, client dbus.Sender) (secret, *dbus.Error) {
	i.f.now()
	if i.f.guards(client) {
		return secret{}, dbus.NewError(iface+"Error.IsLocked", nil)
	}
	i.f.mu.Lock()
	defer i.f.mu.Unlock()
	item := i.f.items[i.path]
	if item == nil {
		return secret{}, dbus.NewError(iface+"Error.NoSuchObject", nil)
	}
	return secret{session, []byte{}, item.value, "text/plain"}, nil
}

// SetSecret has no prompt: declined, it changes nothing.
func (i fakeItemObject) SetSecret(s secret, client dbus.Sender) *dbus.Error {
	if i.f.now().DeclineWrite {
		return nil
	}
	if i.f.guards(client) {
		return dbus.NewError(iface+"Error.IsLocked", nil)
	}
	i.f.mu.Lock()
	defer i.f.mu.Unlock()
	item := i.f.items[i.path]
	if item == nil {
		return dbus.NewError(iface+"Error.NoSuchObject", nil)
	}
	item.value = s.Value
	return nil
}

func (i fakeItemObject) Delete() (dbus.ObjectPath, *dbus.Error) {
	if i.f.now().DeclineDrop {
		return i.f.prompt(false, ""), nil
	}
	i.f.mu.Lock()
	defer i.f.mu.Unlock()
	delete(i.f.items, i.path)
	return "/", nil
}
