//go:build unix && !darwin

// Package traytest is a desktop without pixels, for tests of the real
// curfew-tray. It is a private D-Bus session with a StatusNotifierWatcher and a
// notification service. The test reads the menu and clicks, like a person. On a
// bus with a real panel it reads what the panel shows.
//
// Nothing in it sleeps: [Desktop.Wait] looks again whenever the bus reports a
// change.
package traytest

import (
	"bufio"
	"context"
	"fmt"
	"image"
	"image/color"
	"os/exec"
	"slices"
	"strings"
	"sync"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"
)

const (
	watcherName   = "org.kde.StatusNotifierWatcher"
	watcherPath   = "/StatusNotifierWatcher"
	itemInterface = "org.kde.StatusNotifierItem"
	menuInterface = "com.canonical.dbusmenu"
	notifyName    = "org.freedesktop.Notifications"
	notifyPath    = "/org/freedesktop/Notifications"
)

// StartBus starts a private session bus and returns its address. stop ends it.
func StartBus() (address string, stop func(), err error) { return StartBusAt("") }

// StartBusAt starts a private session bus at an address; "" is one that nobody has.
func StartBusAt(at string) (address string, stop func(), err error) {
	c := exec.Command("dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=1")
	if at != "" {
		c.Args = append(c.Args, "--address="+at)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := c.Start(); err != nil {
		return "", nil, fmt.Errorf("a private session bus: %w", err)
	}
	stop = func() {
		c.Process.Kill()
		c.Wait()
	}
	address, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("a private session bus: %w", err)
	}
	return strings.TrimSpace(address), stop, nil
}

// Desktop is one connection to a session bus.
type Desktop struct {
	conn  *dbus.Conn
	heard chan *dbus.Signal // of the bus, in order

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at every signal
	items   []Item        // registered with our watcher
	shown   []Notification
	closed  []uint32
	signals map[string]int
}

// Notification is one call of Notify.
type Notification struct {
	ID            uint32
	App, Icon     string
	Summary, Body string
	Replaces      uint32
	Actions       []string // keys, each followed by its label
	Hints         map[string]dbus.Variant
	Timeout       int32
	Sender        string
}

// Connect connects to the bus at address.
func Connect(address string) (*Desktop, error) {
	conn, err := dbus.Connect(address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	d := &Desktop{conn: conn, heard: make(chan *dbus.Signal, 4096), changed: make(chan struct{}), signals: make(map[string]int)}
	for _, i := range []string{itemInterface, menuInterface, watcherName, "org.freedesktop.DBus", "org.freedesktop.DBus.Properties"} {
		if err := conn.AddMatchSignal(dbus.WithMatchInterface(i)); err != nil {
			conn.Close()
			return nil, err
		}
	}
	conn.Signal(d.heard)
	go func() { // ends when the connection is closed
		for s := range d.heard {
			if s.Name == mark {
				close(s.Body[0].(chan struct{}))
				continue
			}
			d.change(func() {
				name := s.Name
				if len(s.Body) == 2 && name == menuInterface+".LayoutUpdated" && s.Body[1] != int32(0) {
					name = Hint
				}
				d.signals[name]++
				if s.Name == "org.freedesktop.DBus.NameOwnerChanged" && len(s.Body) == 3 && s.Body[2] == "" {
					d.items = slices.DeleteFunc(d.items, func(i Item) bool { return i.bus == s.Body[0] })
				}
			})
		}
	}()
	return d, nil
}

// Close ends the connection, and with it the watcher and the notification service.
func (d *Desktop) Close() error { return d.conn.Close() }

func (d *Desktop) change(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
	close(d.changed)
	d.changed = make(chan struct{})
}

// Wait calls ok, and again after every signal on the bus, until it returns true.
// It returns an error when ctx ends first.
func (d *Desktop) Wait(ctx context.Context, ok func() bool) error {
	for {
		d.mu.Lock()
		changed := d.changed
		d.mu.Unlock()
		if ok() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Hint is how Signals calls a LayoutUpdated that is not about the whole menu, but
// about the rows below one.
const Hint = "hint"

// mark is the name of what is not from the bus: whoever sent it waits until what
// came before it is counted.
const mark = "mark"

// Signals returns how often each signal was seen since the last call. What came
// before the answer to a call is among them.
func (d *Desktop) Signals() map[string]int {
	counted := make(chan struct{})
	d.heard <- &dbus.Signal{Name: mark, Body: []any{counted}}
	<-counted
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.signals
	d.signals = make(map[string]int)
	return s
}

type watcher struct{ d *Desktop }

// RegisterStatusNotifierItem is what an icon calls to be shown.
func (w watcher) RegisterStatusNotifierItem(service string, sender dbus.Sender) *dbus.Error {
	i := Item{w.d, service, "/StatusNotifierItem"}
	if strings.HasPrefix(service, "/") {
		i.bus, i.path = string(sender), dbus.ObjectPath(service)
	}
	w.d.change(func() { w.d.items = append(w.d.items, i) })
	return nil
}

// RegisterStatusNotifierHost is what a panel calls.
func (w watcher) RegisterStatusNotifierHost(string) *dbus.Error { return nil }

// StartWatcher makes d the place where icons register, with a host or without.
func (d *Desktop) StartWatcher(host bool) error {
	if err := d.conn.Export(watcher{d}, watcherPath, watcherName); err != nil {
		return err
	}
	_, err := prop.Export(d.conn, watcherPath, prop.Map{watcherName: {
		"IsStatusNotifierHostRegistered": {Value: host},
		"ProtocolVersion":                {Value: int32(0)},
		"RegisteredStatusNotifierItems":  {Value: []string{}},
	}})
	if err != nil {
		return err
	}
	return d.own(watcherName)
}

// StopWatcher takes the watcher away, as if the panel had crashed.
func (d *Desktop) StopWatcher() error {
	d.change(func() { d.items = nil })
	_, err := d.conn.ReleaseName(watcherName)
	return err
}

func (d *Desktop) own(name string) error {
	reply, err := d.conn.RequestName(name, dbus.NameFlagDoNotQueue)
	if err == nil && reply != dbus.RequestNameReplyPrimaryOwner {
		err = fmt.Errorf("%s has an owner already", name)
	}
	return err
}

// Items returns the icons that registered with our watcher, or that a real
// panel's watcher lists.
func (d *Desktop) Items() ([]Item, error) {
	d.mu.Lock()
	items := slices.Clone(d.items)
	d.mu.Unlock()
	if len(items) > 0 {
		return items, nil
	}
	v, err := d.conn.Object(watcherName, watcherPath).GetProperty(watcherName + ".RegisteredStatusNotifierItems")
	if err != nil {
		return nil, err
	}
	names, _ := v.Value().([]string)
	for _, name := range names { // "bus/path" or "bus"
		bus, path, found := strings.Cut(name, "/")
		if !found {
			path = "StatusNotifierItem"
		}
		items = append(items, Item{d, bus, dbus.ObjectPath("/" + path)})
	}
	return items, nil
}

type notifications struct{ d *Desktop }

// Notify keeps a notification.
func (n notifications) Notify(app string, replaces uint32, icon, summary, body string, actions []string, hints map[string]dbus.Variant, timeout int32, sender dbus.Sender) (uint32, *dbus.Error) {
	id := replaces
	n.d.change(func() {
		if id == 0 {
			id = uint32(len(n.d.shown)) + 1
		}
		n.d.shown = append(n.d.shown, Notification{id, app, icon, summary, body, replaces, actions, hints, timeout, string(sender)})
	})
	return id, nil
}

// GetCapabilities says what we show.
func (n notifications) GetCapabilities() ([]string, *dbus.Error) {
	return []string{"body", "actions", "persistence"}, nil
}

// CloseNotification takes one away.
func (n notifications) CloseNotification(id uint32) *dbus.Error {
	n.d.change(func() { n.d.closed = append(n.d.closed, id) })
	return nil
}

// GetServerInformation names us.
func (n notifications) GetServerInformation() (name, vendor, version, spec string, err *dbus.Error) {
	return "traytest", "curfew", "1", "1.2", nil
}

// StartNotifications makes d the notification service.
func (d *Desktop) StartNotifications() error {
	if err := d.conn.Export(notifications{d}, notifyPath, notifyName); err != nil {
		return err
	}
	return d.own(notifyName)
}

// StopNotifications takes the notification service away, as one that crashes.
func (d *Desktop) StopNotifications() error {
	_, err := d.conn.ReleaseName(notifyName)
	return err
}

// Notifications returns what was shown so far.
func (d *Desktop) Notifications() []Notification {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.shown)
}

// Closed returns the IDs of the notifications that were taken away so far.
func (d *Desktop) Closed() []uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.closed)
}

// Act clicks an action of a notification.
func (d *Desktop) Act(n Notification, key string) error {
	return d.conn.Emit(notifyPath, notifyName+".ActionInvoked", n.ID, key)
}

// Expire says of a notification that it is not shown any more.
func (d *Desktop) Expire(n Notification) error {
	const expired = uint32(1)
	return d.conn.Emit(notifyPath, notifyName+".NotificationClosed", n.ID, expired)
}

// Item is one icon.
type Item struct {
	d    *Desktop
	bus  string
	path dbus.ObjectPath
}

// In is the same icon in the panel of another desktop on the bus.
func (i Item) In(d *Desktop) Item { return Item{d, i.bus, i.path} }

func (i Item) property(name string, v any) error {
	p, err := i.d.conn.Object(i.bus, i.path).GetProperty(itemInterface + "." + name)
	if err != nil {
		return fmt.Errorf("%s of the icon: %w", name, err)
	}
	return dbus.Store([]any{p.Value()}, v)
}

// Name returns a property that is text, such as "Title" or "Status".
func (i Item) Name(property string) (string, error) {
	var s string
	return s, i.property(property, &s)
}

// Tooltip returns the title of the tooltip.
func (i Item) Tooltip() (string, error) {
	var t struct {
		Icon  string
		Pix   []pixels
		Title string
		Text  string
	}
	return t.Title, i.property("ToolTip", &t)
}

// pixels is an image of 32-bit ARGB values, most significant byte first.
type pixels struct {
	W, H int32
	Data []byte
}

// Icon returns the picture.
func (i Item) Icon() (*image.NRGBA, error) {
	var all []pixels
	if err := i.property("IconPixmap", &all); err != nil {
		return nil, err
	}
	if len(all) == 0 || len(all[0].Data) != int(4*all[0].W*all[0].H) {
		return nil, fmt.Errorf("the icon has no picture")
	}
	p := all[0]
	img := image.NewNRGBA(image.Rect(0, 0, int(p.W), int(p.H)))
	for n := range int(p.W * p.H) {
		d := p.Data[4*n:]
		img.SetNRGBA(n%int(p.W), n/int(p.W), color.NRGBA{d[1], d[2], d[3], d[0]})
	}
	return img, nil
}

// Activate clicks the icon itself.
func (i Item) Activate() error {
	return i.d.conn.Object(i.bus, i.path).Call(itemInterface+".Activate", 0, int32(0), int32(0)).Err
}

// Row is one row of a menu.
type Row struct {
	ID       int32
	Label    string // without the marks of keyboard mnemonics
	Enabled  bool
	Sep      bool
	Checkbox bool
	Checked  bool
	Children []Row
}

type layout struct {
	ID       int32
	Props    map[string]dbus.Variant
	Children []dbus.Variant
}

func (l layout) row() Row {
	r := Row{ID: l.ID, Enabled: true}
	for k, v := range l.Props {
		switch k {
		case "label":
			s, _ := v.Value().(string)
			r.Label = unmnemonic(s)
		case "enabled":
			r.Enabled, _ = v.Value().(bool)
		case "type":
			r.Sep = v.Value() == "separator"
		case "toggle-type":
			r.Checkbox = v.Value() == "checkmark"
		case "toggle-state":
			n, _ := v.Value().(int32)
			r.Checked = n == 1
		}
	}
	for _, c := range l.Children {
		var child layout
		if dbus.Store([]any{c.Value()}, &child) == nil && child.visible() {
			r.Children = append(r.Children, child.row())
		}
	}
	return r
}

func (l layout) visible() bool {
	v, there := l.Props["visible"]
	return !there || v.Value() != false
}

// unmnemonic shows a label as a panel does: "_x" is x, "__" is "_".
func unmnemonic(label string) string {
	var b strings.Builder
	for i := 0; i < len(label); i++ {
		if label[i] == '_' && i+1 < len(label) {
			i++
		}
		b.WriteByte(label[i])
	}
	return b.String()
}

func (i Item) menu() (dbus.BusObject, error) {
	var path dbus.ObjectPath
	if err := i.property("Menu", &path); err != nil {
		return nil, err
	}
	return i.d.conn.Object(i.bus, path), nil
}

// Menu reads the whole menu, without rows that are hidden.
func (i Item) Menu() (Row, error) { return i.read(-1) }

// TopRows reads the rows of the menu without those below them, as Qt's panels do.
func (i Item) TopRows() (Row, error) { return i.read(1) }

func (i Item) read(depth int32) (Row, error) {
	menu, err := i.menu()
	if err != nil {
		return Row{}, err
	}
	var revision uint32
	var root layout
	err = menu.Call(menuInterface+".GetLayout", 0, int32(0), depth, []string{}).Store(&revision, &root)
	return root.row(), err
}

func (i Item) event(row int32, what string) error {
	menu, err := i.menu()
	if err != nil {
		return err
	}
	return menu.Call(menuInterface+".Event", 0, row, what, dbus.MakeVariant(""), uint32(0)).Err
}

// Click clicks a row.
func (i Item) Click(r Row) error { return i.event(r.ID, "clicked") }

// Open tells the tray that its menu was opened, as Qt panels do.
func (i Item) Open() error { return i.event(0, "opened") }

// Close tells the tray that its menu was closed, as Qt panels do.
func (i Item) Close() error { return i.event(0, "closed") }

// About tells the tray that its menu is about to open, as GTK's panels do, which
// say nothing when it closes.
func (i Item) About() error {
	menu, err := i.menu()
	if err != nil {
		return err
	}
	return menu.Call(menuInterface+".AboutToShowGroup", 0, []int32{0}).Err
}

// Hurry asks for the properties of rows without waiting for answers, as GTK's
// panels do. It reports whether the answers came in the same order.
func (i Item) Hurry(rows ...int32) (inOrder bool, err error) {
	menu, err := i.menu()
	if err != nil {
		return false, err
	}
	var calls []*dbus.Call
	for _, row := range rows {
		calls = append(calls, menu.Go(menuInterface+".GetGroupProperties", 0, nil, []int32{row}, []string{}))
	}
	var last dbus.Sequence
	inOrder = true
	for _, c := range calls {
		<-c.Done
		if c.Err != nil {
			return false, c.Err
		}
		inOrder = inOrder && c.ResponseSequence > last
		last = c.ResponseSequence
	}
	return inOrder, nil
}

// Find returns the first row whose label begins with the first prefix, depth
// first. It then looks below that row for the next prefix.
func (r Row) Find(prefixes ...string) (Row, bool) {
	if len(prefixes) == 0 {
		return r, true
	}
	for _, c := range r.Children {
		if strings.HasPrefix(c.Label, prefixes[0]) {
			return c.Find(prefixes[1:]...)
		}
	}
	for _, c := range r.Children {
		if found, ok := c.Find(prefixes...); ok {
			return found, true
		}
	}
	return Row{}, false
}

// String draws the menu as text.
func (r Row) String() string {
	var b strings.Builder
	var walk func(Row, string)
	walk = func(r Row, indent string) {
		tick := ""
		switch {
		case r.Checked:
			tick = "[x] "
		case r.Checkbox:
			tick = "[ ] "
		}
		switch {
		case r.Sep:
			fmt.Fprintf(&b, "%s-\n", indent)
		case r.Enabled:
			fmt.Fprintf(&b, "%s%s%s\n", indent, tick, r.Label)
		default:
			fmt.Fprintf(&b, "%s%s%s (off)\n", indent, tick, r.Label)
		}
		for _, c := range r.Children {
			walk(c, indent+"  ")
		}
	}
	for _, c := range r.Children {
		walk(c, "")
	}
	return b.String()
}
