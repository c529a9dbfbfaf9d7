//go:build unix && !darwin

package tray

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/introspect"
	"github.com/godbus/dbus/v5/prop"

	"curfew/assets"
)

// This file is a StatusNotifierItem with its menu, which is how desktops other
// than Windows and macOS show an icon. They are two objects on the session bus.
// Panels read them, read them again after a signal, and send clicks to them.
//
// fyne.io/systray does the same and was used first. It sends LayoutUpdated after
// every change of a row, which closes an open menu on Qt and GNOME panels. It does
// not report when a menu closes. So an open menu could not show a countdown.

const (
	itemPath      = dbus.ObjectPath("/StatusNotifierItem")
	itemInterface = "org.kde.StatusNotifierItem"
	menuPath      = dbus.ObjectPath("/StatusNotifierItem/menu")
	menuInterface = "com.canonical.dbusmenu"
	watcherName   = "org.kde.StatusNotifierWatcher"
	watcherPath   = dbus.ObjectPath("/StatusNotifierWatcher")

	rootRow = 0 // the id of the menu itself

	// openMost is how long a menu counts as open when its panel never says
	// that it was closed, for instance because the panel crashed.
	openMost = 10 * time.Minute

	// openSoon is how long a menu that is about to open counts as open, until its
	// panel says that it is open.
	openSoon = 2 * time.Second

	// openStill is how long a menu of GTK counts as open after one of its submenus
	// was closed. Mostly the menu was closed with it, which nothing reports. Else a
	// person is on the way to another row.
	openStill = 5 * time.Second
)

// An Icon shows a model in the panel. Its channels go into a [Config]. Its
// methods may be called by any goroutine.
type Icon struct {
	Clicks chan ID
	Opened chan time.Duration
	Show   chan struct{}

	title string
	tone  assets.Tone
	conn  *dbus.Conn // set by Run before anything is shown

	mu        sync.Mutex
	name, tip string
	items     []Item
	menu      layout            // of items
	revision  uint32            // of menu
	ids       map[ID]int32      // of all rows, past and present
	rows      map[int32]Item    // the present ones
	hinted    map[string]uint32 // the last revision that each panel was hinted at
	item      *prop.Properties  // nil until the bus has them

	telling sync.Mutex // held while sending to Opened, to keep the order; guards open
	open    bool       // the panel says that the menu itself is open
}

// NewIcon prepares the icon in a tone, with title as its name for desktops
// that list icons. Nothing is shown before Run.
func NewIcon(title string, tone assets.Tone) *Icon {
	i := &Icon{
		Clicks: make(chan ID), Opened: make(chan time.Duration), Show: make(chan struct{}),
		title: title, tone: tone, ids: make(map[ID]int32), hinted: make(map[string]uint32),
	}
	m := NewModel(State{}, time.Now())
	i.SetIcon(m.Icon, m.Tooltip, m.Text) // no panel ever sees an icon without a picture
	i.SetMenu(m.Items)
	return i
}

// Run shows the icon and runs work until work returns, which it must when its
// context ends. The icon goes to a panel whenever one appears. If the session bus
// does not take the icon, Run fails and does not call work.
func (i *Icon) Run(ctx context.Context, work func(context.Context)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var err error
	if i.conn, err = dbus.SessionBusPrivateNoAutoStartup(dbus.WithContext(ctx), dbus.WithIncomingInterceptor(i.answer)); err != nil {
		return fmt.Errorf("the session bus: %w", err)
	}
	defer i.conn.Close()
	if err = i.conn.Auth(nil); err == nil {
		err = i.conn.Hello()
	}
	if err == nil {
		err = i.export(ctx)
	}
	signals := make(chan *dbus.Signal, 16)
	i.conn.Signal(signals)
	if err == nil {
		err = i.conn.AddMatchSignalContext(ctx, dbus.WithMatchInterface("org.freedesktop.DBus"),
			dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, watcherName))
	}
	if err != nil {
		return fmt.Errorf("the session bus does not take the icon: %w", err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { i.register(ctx, signals) })
	work(ctx)
	cancel()
	return nil
}

// answer answers some calls before the connection reads the next one. godbus
// would run each call in a separate goroutine, so that answers could overtake each
// other. GTK's panels ask for a row and for the rows below it without waiting.
// They must get the row first, or they drop the others. A click on Quit must also
// be answered before the program ends. godbus then runs the call as usual, without
// a second answer.
func (i *Icon) answer(call *dbus.Message) {
	if call.Type != dbus.TypeMethodCall || call.Flags&dbus.FlagNoReplyExpected != 0 || call.Headers[dbus.FieldInterface].Value() != menuInterface {
		return
	}
	var body []any
	switch call.Headers[dbus.FieldMember].Value() {
	case "GetLayout":
		var parent, depth int32
		var names []string
		if dbus.Store(call.Body, &parent, &depth, &names) != nil {
			return // godbus answers with the error
		}
		revision, found, err := menuCalls{icon: i}.GetLayout(parent, depth, names)
		if err != nil {
			return
		}
		body = []any{revision, found}
		if parent == rootRow && depth == 1 {
			defer i.hint(call.Headers[dbus.FieldSender].String(), revision, found)
		}
	case "GetGroupProperties":
		var ids []int32
		var names []string
		if dbus.Store(call.Body, &ids, &names) != nil {
			return // godbus answers with the error
		}
		found, _ := menuCalls{icon: i}.GetGroupProperties(ids, names)
		body = []any{found}
	case "Event":
	case "EventGroup":
		body = []any{[]int32{}}
	default:
		return
	}
	i.conn.Send(&dbus.Message{
		Type: dbus.TypeMethodReply,
		Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldDestination: call.Headers[dbus.FieldSender],
			dbus.FieldReplySerial: dbus.MakeVariant(call.Serial()),
			dbus.FieldSignature:   dbus.MakeVariant(dbus.SignatureOf(body...)),
		},
		Body: body,
	}, nil)
	call.Flags |= dbus.FlagNoReplyExpected
}

// hint makes a panel ask for the submenus, after it has asked for the menu without
// them. Otherwise Plasma asks only when it shows a submenu for the first time. It
// then places the submenu as if it were empty: mostly beyond the edge of the
// screen.
func (i *Icon) hint(panel string, revision uint32, menu layout) {
	i.mu.Lock()
	last, hinted := i.hinted[panel]
	i.hinted[panel] = revision
	i.mu.Unlock()
	if hinted && last == revision {
		return // all panels get this signal; one that reads the whole menu after it must not go round in circles
	}
	for row := range menu.children {
		if _, parent := row.Props["children-display"]; parent {
			i.emit(menuPath, menuInterface+".LayoutUpdated", revision, row.ID)
		}
	}
}

// register registers the icon with the panels' watcher, at once and whenever
// another watcher appears, until ctx ends.
func (i *Icon) register(ctx context.Context, signals <-chan *dbus.Signal) {
	for {
		// A path means an object of the sender. The answer has no use.
		i.conn.Object(watcherName, watcherPath).Go(watcherName+".RegisterStatusNotifierItem", dbus.FlagNoReplyExpected|dbus.FlagNoAutoStart, nil, string(itemPath))
		for came := false; !came; {
			select {
			case s := <-signals:
				if s == nil {
					return // the bus is gone
				}
				came = s.Name == "org.freedesktop.DBus.NameOwnerChanged" && len(s.Body) == 3 && s.Body[2] != ""
			case <-ctx.Done():
				return
			}
		}
	}
}

// export puts the two objects on the bus.
func (i *Icon) export(ctx context.Context) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	constant := func(v any) *prop.Prop { return &prop.Prop{Value: v, Emit: prop.EmitConst} }
	changing := func(v any) *prop.Prop { return &prop.Prop{Value: v, Emit: prop.EmitFalse} } // NewIcon and NewToolTip announce changes
	props, err := i.object(itemPath, itemInterface, itemCalls{i, ctx}, map[string]*prop.Prop{
		"Category":      constant("ApplicationStatus"),
		"Id":            constant(i.title),
		"Title":         constant(i.title),
		"Status":        constant("Active"),
		"IconName":      constant(""),
		"IconThemePath": constant(""),
		"IconPixmap":    changing(i.picture()),
		"ToolTip":       changing(tooltipProperty{Title: i.tip}),
		"ItemIsMenu":    constant(false), // the icon itself can be clicked
		"Menu":          constant(menuPath),
	}, "NewIcon", "NewToolTip")
	if err != nil {
		return err
	}
	i.item = props
	_, err = i.object(menuPath, menuInterface, menuCalls{i, ctx}, map[string]*prop.Prop{
		"Version":       constant(uint32(3)),
		"TextDirection": constant("ltr"),
		"Status":        constant("normal"),
		"IconThemePath": constant([]string{}),
	}, "LayoutUpdated", "ItemsPropertiesUpdated")
	return err
}

// object puts one object on the bus, with its description.
func (i *Icon) object(path dbus.ObjectPath, name string, calls any, properties map[string]*prop.Prop, signals ...string) (*prop.Properties, error) {
	if err := i.conn.Export(calls, path, name); err != nil {
		return nil, err
	}
	props, err := prop.Export(i.conn, path, prop.Map{name: properties})
	if err != nil {
		return nil, err
	}
	described := introspect.Interface{Name: name, Methods: introspect.Methods(calls), Properties: props.Introspection(name)}
	for _, s := range signals {
		described.Signals = append(described.Signals, introspect.Signal{Name: s})
	}
	node := introspect.Node{Name: string(path), Interfaces: []introspect.Interface{introspect.IntrospectData, prop.IntrospectData, described}}
	return props, i.conn.Export(introspect.NewIntrospectable(&node), path, "org.freedesktop.DBus.Introspectable")
}

// emit sends a signal. It fails only when the bus is gone, which ends the tray too.
func (i *Icon) emit(path dbus.ObjectPath, name string, values ...any) {
	i.conn.Emit(path, name, values...)
}

// SetIcon shows an icon with its tooltip. These panels have no room for text.
func (i *Icon) SetIcon(name, tooltip, _ string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	newName, newTip := name != i.name, tooltip != i.tip
	i.name, i.tip = name, tooltip
	if i.item == nil {
		return
	}
	if newName {
		i.item.SetMust(itemInterface, "IconPixmap", i.picture())
		i.emit(itemPath, itemInterface+".NewIcon")
	}
	if newTip {
		i.item.SetMust(itemInterface, "ToolTip", tooltipProperty{Title: tooltip})
		i.emit(itemPath, itemInterface+".NewToolTip")
	}
}

// tooltipProperty is the tooltip as the bus has it.
type tooltipProperty struct {
	Icon   string
	Pixmap []pixels
	Title  string
	Text   string
}

// pixels is a picture as the bus has it: straight ARGB, row by row.
type pixels struct {
	Width, Height int32
	ARGB          []byte
}

func (i *Icon) picture() []pixels {
	decoded, err := png.Decode(bytes.NewReader(assets.TrayIcon(i.name, i.tone)))
	if err != nil {
		panic(err) // compiled in, and compared with the drawing by a test
	}
	img := decoded.(*image.NRGBA) // the same test checks this
	p := pixels{int32(img.Rect.Dx()), int32(img.Rect.Dy()), make([]byte, 0, len(img.Pix))}
	for rgba := range slices.Chunk(img.Pix, 4) {
		p.ARGB = append(p.ARGB, rgba[3], rgba[0], rgba[1], rgba[2])
	}
	return []pixels{p}
}

// A layout is a row with the rows below it, as the bus has it. Children are
// layouts.
type layout struct {
	ID       int32
	Props    map[string]dbus.Variant
	Children []dbus.Variant
}

func (l layout) children(yield func(layout) bool) {
	for _, c := range l.Children {
		if !yield(c.Value().(layout)) {
			return
		}
	}
}

// SetMenu makes the menu show items. If the rows are the same, it sends only what
// changed in them, and an open menu stays open. A row never changes its id. So a
// click on a row that has just moved does what its label said.
func (i *Icon) SetMenu(items []Item) {
	i.mu.Lock()
	defer i.mu.Unlock()
	before, same := i.menu, sameRows(i.items, items)
	i.items, i.rows = items, make(map[int32]Item)
	i.menu = i.layOut(Item{Children: items})
	if !same {
		i.revision++
	}
	switch {
	case i.item == nil:
	case same:
		if changed := changes(nil, before, i.menu); len(changed) > 0 {
			i.emit(menuPath, menuInterface+".ItemsPropertiesUpdated", changed, []removed{})
		}
	default:
		i.emit(menuPath, menuInterface+".LayoutUpdated", i.revision, int32(rootRow))
	}
}

// layOut makes the layout of item, and notes its rows. The caller holds mu.
func (i *Icon) layOut(item Item) layout {
	l := layout{Props: make(map[string]dbus.Variant), Children: []dbus.Variant{}}
	if item.ID != (ID{}) {
		l.ID = i.ids[item.ID]
		if l.ID == 0 {
			l.ID = int32(len(i.ids) + 1)
			i.ids[item.ID] = l.ID
		}
		i.rows[l.ID] = item
		l.Props["visible"] = dbus.MakeVariant(!item.Hidden)
		if item.ID.Verb == Separator {
			l.Props["type"] = dbus.MakeVariant("separator")
		} else {
			l.Props["label"] = dbus.MakeVariant(literal(item.Label))
			l.Props["enabled"] = dbus.MakeVariant(item.Enabled)
		}
	}
	if item.Checkbox {
		state := int32(0)
		if item.Checked {
			state = 1
		}
		l.Props["toggle-type"] = dbus.MakeVariant("checkmark")
		l.Props["toggle-state"] = dbus.MakeVariant(state)
	}
	if len(item.Children) > 0 {
		l.Props["children-display"] = dbus.MakeVariant("submenu")
	}
	for _, c := range item.Children {
		l.Children = append(l.Children, dbus.MakeVariant(i.layOut(c)))
	}
	return l
}

// literal keeps "_" from being read as the mark of a keyboard mnemonic.
func literal(label string) string { return strings.ReplaceAll(label, "_", "__") }

// properties are those of one row, as the bus has them.
type properties struct {
	ID    int32
	Props map[string]dbus.Variant
}

// removed are names of properties that a row no longer has.
type removed struct {
	ID    int32
	Names []string
}

// changes appends to all the properties that differ between two layouts of the
// same rows.
func changes(all []properties, before, after layout) []properties {
	changed := properties{after.ID, make(map[string]dbus.Variant)}
	for name, v := range after.Props {
		if !reflect.DeepEqual(v.Value(), before.Props[name].Value()) {
			changed.Props[name] = v
		}
	}
	if len(changed.Props) > 0 {
		all = append(all, changed)
	}
	old := slices.Collect(before.children)
	for n, c := range slices.Collect(after.children) {
		all = changes(all, old[n], c)
	}
	return all
}

// itemCalls are what panels call at the icon.
type itemCalls struct {
	icon *Icon
	ctx  context.Context
}

// Activate is a click on the icon itself.
func (c itemCalls) Activate(x, y int32) *dbus.Error {
	select {
	case c.icon.Show <- struct{}{}:
	case <-c.ctx.Done():
	}
	return nil
}

// SecondaryActivate is a click with the middle button.
func (c itemCalls) SecondaryActivate(x, y int32) *dbus.Error { return nil }

// ContextMenu is for icons without a menu of this kind.
func (c itemCalls) ContextMenu(x, y int32) *dbus.Error { return nil }

// Scroll is the wheel.
func (c itemCalls) Scroll(delta int32, orientation string) *dbus.Error { return nil }

// menuCalls are what panels call at the menu. SetMenu makes a new layout for each
// menu and never changes one. So other goroutines may read it.
type menuCalls struct {
	icon *Icon
	ctx  context.Context
}

func (c menuCalls) current() (uint32, layout) {
	c.icon.mu.Lock()
	defer c.icon.mu.Unlock()
	return c.icon.revision, c.icon.menu
}

// GetLayout returns the row parent with depth levels below it, -1 for all.
func (c menuCalls) GetLayout(parent, depth int32, names []string) (uint32, layout, *dbus.Error) {
	revision, menu := c.current()
	for l := range menu.all {
		if l.ID == parent {
			return revision, l.cut(depth, names), nil
		}
	}
	return 0, layout{}, noRow(parent)
}

func noRow(id int32) *dbus.Error {
	return dbus.NewError(menuInterface+".Error", []any{fmt.Sprintf("the menu has no row %d", id)})
}

// all yields the row and every row below it, a row before those below it.
func (l layout) all(yield func(layout) bool) { l.walk(yield) }

func (l layout) walk(yield func(layout) bool) bool {
	if !yield(l) {
		return false
	}
	for c := range l.children {
		if !c.walk(yield) {
			return false
		}
	}
	return true
}

// cut copies depth levels, with the named properties. No names means all.
func (l layout) cut(depth int32, names []string) layout {
	cut := layout{l.ID, l.only(names), []dbus.Variant{}}
	if depth != 0 {
		for c := range l.children {
			cut.Children = append(cut.Children, dbus.MakeVariant(c.cut(depth-1, names)))
		}
	}
	return cut
}

func (l layout) only(names []string) map[string]dbus.Variant {
	if len(names) == 0 {
		return l.Props
	}
	props := maps.Clone(l.Props)
	maps.DeleteFunc(props, func(name string, _ dbus.Variant) bool { return !slices.Contains(names, name) })
	return props
}

// GetGroupProperties returns the properties of rows. No ids means all rows. A row
// comes before the rows below it, whatever the order of ids; see answer.
func (c menuCalls) GetGroupProperties(ids []int32, names []string) ([]properties, *dbus.Error) {
	_, menu := c.current()
	found := []properties{}
	for l := range menu.all {
		if len(ids) == 0 || slices.Contains(ids, l.ID) {
			found = append(found, properties{l.ID, l.only(names)})
		}
	}
	return found, nil
}

// GetProperty returns one property of one row.
func (c menuCalls) GetProperty(id int32, name string) (dbus.Variant, *dbus.Error) {
	_, menu := c.current()
	for l := range menu.all {
		if v, ok := l.Props[name]; ok && l.ID == id {
			return v, nil
		}
	}
	return dbus.Variant{}, noRow(id)
}

// Event reports what the person did. A click on a row that is gone does nothing.
func (c menuCalls) Event(id int32, what string, _ dbus.Variant, _ uint32) *dbus.Error {
	switch what {
	case "clicked":
		c.icon.mu.Lock()
		row := c.icon.rows[id]
		c.icon.mu.Unlock()
		if row.Enabled && len(row.Children) == 0 {
			select {
			case c.icon.Clicks <- row.ID:
			case <-c.ctx.Done():
			}
		}
	case "opened", "closed":
		c.opened(id, what == "opened")
	}
	return nil
}

// opened passes on that the menu or a submenu was opened or closed. GTK's panels
// report only submenus.
func (c menuCalls) opened(id int32, opened bool) {
	c.icon.telling.Lock()
	defer c.icon.telling.Unlock()
	if id == rootRow {
		c.icon.open = opened
	}
	switch {
	case opened:
		c.stays(openMost)
	case id == rootRow:
		c.stays(0)
	case !c.icon.open:
		c.stays(openStill)
	}
}

// about passes on that the menu is about to open, and for how long it counts as
// open, one after the other. It does nothing if the panel has already said that
// the menu is open.
func (c menuCalls) about(most ...time.Duration) {
	c.icon.telling.Lock()
	defer c.icon.telling.Unlock()
	if c.icon.open {
		return
	}
	for _, d := range most {
		c.stays(d)
	}
}

func (c menuCalls) stays(most time.Duration) {
	select {
	case c.icon.Opened <- most:
	case <-c.ctx.Done():
	}
}

// event is an Event in a group.
type event struct {
	ID   int32
	What string
	Data dbus.Variant
	Time uint32
}

// EventGroup is many Events. It does not report unknown rows, which no panel
// needs.
func (c menuCalls) EventGroup(events []event) ([]int32, *dbus.Error) {
	for _, e := range events {
		_ = c.Event(e.ID, e.What, e.Data, e.Time) // a row that there is not, or what no panel sends
	}
	return []int32{}, nil
}

// AboutToShow says that a menu is about to open. It answers that the panel's copy
// is current. Qt's panels and GNOME's also say that the menu was opened, before
// this call or after it. GNOME's also calls it when it begins to show the icon,
// although nobody opens the menu.
func (c menuCalls) AboutToShow(id int32) (update bool, err *dbus.Error) {
	if id == rootRow {
		c.about(openSoon)
	}
	return false, nil
}

// AboutToShowGroup is many AboutToShow. When the menu itself opens, GTK's panels
// call only this, and nothing when it closes. So it was closed until now, and rows
// that waited for that come and go first.
func (c menuCalls) AboutToShowGroup(ids []int32) (updates, unknown []int32, err *dbus.Error) {
	if slices.Contains(ids, rootRow) {
		c.about(0, quiet)
	}
	return []int32{}, []int32{}, nil
}
