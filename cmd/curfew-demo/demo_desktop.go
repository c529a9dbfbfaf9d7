package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// A desktop is what the person whom the demo plays has in front of them. It is
// the X display, seen through ImageMagick's import and used through xdotool,
// and what the tray exports on the session bus. The panel must be xfce4-panel
// or, with qt, lxqt-panel with a tray at its right end. Notifications must be
// shown by dunst.
type desktop struct {
	bus     *dbus.Conn
	changes chan *dbus.Signal // of the menu
	screen  image.Rectangle
	out     string // where pictures are left; "" leaves none
	qt      bool   // the panel is lxqt-panel
}

func openDesktop(ctx context.Context, out string) (*desktop, error) {
	for _, name := range []string{"xdotool", "xwininfo", "import", "xclip"} {
		if _, err := exec.LookPath(name); err != nil {
			return nil, fmt.Errorf("%s is missing (make setup-demo installs it)", name)
		}
	}
	if out != "" {
		if err := os.MkdirAll(out, 0o755); err != nil {
			return nil, err
		}
	}
	d := &desktop{out: out}
	size, err := d.xdo(ctx, "getdisplaygeometry")
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Sscan(size, &d.screen.Max.X, &d.screen.Max.Y); err != nil {
		return nil, fmt.Errorf("the display is %q large: %w", size, err)
	}
	if d.bus, err = dbus.ConnectSessionBus(); err != nil {
		return nil, fmt.Errorf("the session bus does not answer: %w", err)
	}
	d.changes = make(chan *dbus.Signal, 64)
	d.bus.Signal(d.changes)
	if err := d.bus.AddMatchSignalContext(ctx, dbus.WithMatchInterface(dbusmenu)); err != nil {
		return nil, errors.Join(err, d.bus.Close())
	}
	return d, nil
}

func (d *desktop) close() error { return d.bus.Close() }

// clipboard returns the text in the clipboard.
func (d *desktop) clipboard(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "xclip", "-o", "-selection", "clipboard").Output()
	return string(out), err
}

// xdo runs one chain of xdotool commands and returns what they printed.
func (d *desktop) xdo(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "xdotool", args...).Output()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("xdotool %s: %w: %s", args[0], err, e.Stderr)
	}
	return string(out), err
}

// An xwindow is a window and where it is.
type xwindow struct {
	id string
	image.Rectangle
}

// windows finds the visible windows that xdotool's search options mean.
func (d *desktop) windows(ctx context.Context, search ...string) ([]xwindow, error) {
	out, err := exec.CommandContext(ctx, "xdotool", append([]string{"search", "--onlyvisible"}, search...)...).Output()
	if e, ok := errors.AsType[*exec.ExitError](err); ok && e.ExitCode() == 1 {
		return nil, nil // xdotool's way to say there are none
	} else if err != nil {
		return nil, err
	}
	var found []xwindow
	for id := range strings.FieldsSeq(string(out)) {
		// Not by xdotool, which adds a window's frame twice.
		info, err := exec.CommandContext(ctx, "xwininfo", "-id", id).Output()
		if err != nil {
			continue // it has gone meanwhile
		}
		n := map[string]int{}
		for line := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
				n[name], _ = strconv.Atoi(strings.TrimSpace(value)) // most lines hold no number
			}
		}
		corner := image.Pt(n["Absolute upper-left X"], n["Absolute upper-left Y"])
		found = append(found, xwindow{id, image.Rectangle{corner, corner.Add(image.Pt(n["Width"], n["Height"]))}})
	}
	return found, nil
}

// panelHeight is less than that of any menu, and more than the panel's.
const panelHeight = 40

// awaitIcon finds the tray's icon as soon as it is there.
func (d *desktop) awaitIcon(ctx context.Context, limit time.Duration) (icon image.Rectangle, err error) {
	err = until(ctx, limit, "the icon", func() bool {
		var missing error
		icon, missing = d.icon(ctx)
		return missing == nil
	})
	return icon, err
}

// icon finds the tray's icon in the panel, where there is but one.
func (d *desktop) icon(ctx context.Context) (image.Rectangle, error) {
	class := "^wrapper-2.0$"
	if d.qt {
		class = "^lxqt-panel$"
	}
	all, err := d.windows(ctx, "--classname", class)
	for _, p := range all {
		if d.qt && p.Min.Y == 0 && p.Dy() < panelHeight { // one window for all of the panel
			return image.Rect(p.Max.X-p.Dy()+4, p.Min.Y, p.Max.X, p.Max.Y), nil
		}
		if p.Min.Y == 0 && p.Dy() < panelHeight && p.Dx() > 20 { // narrower is a tray without icons
			return p.Rectangle, nil
		}
	}
	return image.Rectangle{}, errors.Join(err, errors.New("there is no icon in the panel"))
}

// menus finds the tray's open menus, a submenu after its menu.
func (d *desktop) menus(ctx context.Context) ([]xwindow, error) {
	class := "^Wrapper-2.0$"
	if d.qt {
		class = "^lxqt-panel$"
	}
	all, err := d.windows(ctx, "--class", class)
	all = slices.DeleteFunc(all, func(p xwindow) bool { return p.Min.Y < panelHeight/2 || p.Dy() < panelHeight })
	slices.SortFunc(all, func(a, b xwindow) int { return b.Min.X - a.Min.X })
	return all, err
}

// awaitMenus waits until n menus are open and returns where they are.
func (d *desktop) awaitMenus(ctx context.Context, n int) (open []xwindow, err error) {
	waited := until(ctx, 5*time.Second, fmt.Sprintf("%d open menus", n), func() bool {
		open, err = d.menus(ctx)
		return err != nil || len(open) == n
	})
	return open, errors.Join(err, waited)
}

// notice waits for a notification and returns where it is.
func (d *desktop) notice(ctx context.Context) (image.Rectangle, error) {
	var shown []xwindow
	var err error
	waited := until(ctx, 5*time.Second, "a notification", func() bool {
		shown, err = d.windows(ctx, "--class", "^Dunst$")
		return err != nil || len(shown) > 0
	})
	if err := errors.Join(err, waited); err != nil {
		return image.Rectangle{}, err
	}
	return shown[0].Rectangle, nil
}

// openMenu waits until the menu is at rest, and clicks the icon with the right
// button. A row that comes while the menu is open would be cut off.
func (d *desktop) openMenu(ctx context.Context) error {
	if err := d.menuAtRest(ctx); err != nil {
		return err
	}
	icon, err := d.awaitIcon(ctx, 2*time.Second) // a panel takes it away for a moment to lay itself out again
	if err != nil {
		return err
	}
	middle := icon.Min.Add(icon.Size().Div(2))
	if _, err := d.xdo(ctx, "mousemove", strconv.Itoa(middle.X), strconv.Itoa(middle.Y), "click", "3"); err != nil {
		return err
	}
	_, err = d.awaitMenus(ctx, 1)
	return err
}

// menuAtRest waits until the tray has not changed its menu for a while. Only
// the panel may ask for a menu that has just been built. The tray gives the
// first caller the menu without the submenus, which is what this panel needs.
func (d *desktop) menuAtRest(ctx context.Context) error {
	for began := time.Now(); time.Since(began) < 15*time.Second; {
		select {
		case <-d.changes:
		case <-time.After(time.Second):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.New("the menu changes all the time")
}

// closeMenu closes the menu and its submenu.
func (d *desktop) closeMenu(ctx context.Context) error {
	open, err := d.menus(ctx)
	for range open {
		err = errors.Join(err, d.press(ctx, "Escape"))
	}
	if err != nil {
		return err
	}
	_, err = d.awaitMenus(ctx, 0)
	return err
}

// choose opens the menu and walks with the arrow keys to the row whose words
// start with the first of path. In its submenu it walks to the second, and so
// on. There it presses Return.
func (d *desktop) choose(ctx context.Context, path ...string) error {
	if err := d.openMenu(ctx); err != nil {
		return err
	}
	if err := d.walk(ctx, path...); err != nil {
		return err
	}
	if err := d.press(ctx, "Return"); err != nil {
		return err
	}
	_, err := d.awaitMenus(ctx, 0)
	return err
}

// walk goes from row to row of the open menu, into a submenu at each but the last.
func (d *desktop) walk(ctx context.Context, path ...string) error {
	rows, err := d.menu(ctx)
	if err != nil {
		return err
	}
	if err := d.firstRow(ctx); err != nil {
		return err
	}
	for level, words := range path {
		down := -1 // from the first row, which is chosen
		i := slices.IndexFunc(rows, func(r row) bool {
			if !r.enabled || r.separator {
				return false // the arrow keys pass over it
			}
			down++
			return r.is(words, level < len(path)-1)
		})
		if i < 0 {
			return fmt.Errorf("the menu has no row %q that can be chosen, but %q", words, rows)
		}
		keys := slices.Repeat([]string{"Down"}, down)
		if level < len(path)-1 {
			keys = append(keys, "Right") // which chooses the first row there
		}
		if err := d.press(ctx, keys...); err != nil {
			return err
		}
		if _, err := d.awaitMenus(ctx, min(level+2, len(path))); err != nil {
			return err
		}
		rows = rows[i].children
	}
	return nil
}

// is reports whether r is the row that begins with these words. A row of an
// account that says what came of the last click on it begins in the same way, and
// has no menu below it.
func (r row) is(words string, above bool) bool {
	return r.enabled && !r.separator && strings.HasPrefix(r.words, words) && (!above || len(r.children) > 0)
}

// firstRow chooses the first row of the open menu, and sees that it is chosen:
// keys that come before a new menu listens are lost.
func (d *desktop) firstRow(ctx context.Context) error {
	open, err := d.awaitMenus(ctx, 1)
	if err != nil {
		return err
	}
	before, _, err := d.still(ctx, open[0].Rectangle)
	if err != nil {
		return err
	}
	waited := until(ctx, 5*time.Second, "the menu to take a key", func() bool {
		var after []byte
		if err = d.press(ctx, "Home"); err == nil {
			after, err = d.shoot(ctx, open[0].Rectangle)
		}
		return err != nil || !bytes.Equal(before, after)
	})
	return errors.Join(err, waited)
}

// press presses keys one after the other.
func (d *desktop) press(ctx context.Context, keys ...string) error {
	if len(keys) == 0 {
		return nil
	}
	_, err := d.xdo(ctx, append([]string{"key", "--delay", "40"}, keys...)...)
	return err
}

// A row is a row of the tray's menu, as the panel knows it.
type row struct {
	words              string
	enabled, separator bool
	children           []row
}

// String is the row's words, with "(off)" where it cannot be chosen.
func (r row) String() string {
	switch {
	case r.separator:
		return "---"
	case !r.enabled:
		return r.words + " (off)"
	}
	return r.words
}

// dbusmenu is the interface of the tray's menu.
const dbusmenu = "com.canonical.dbusmenu"

// menu asks the tray for its menu, as the panel does.
func (d *desktop) menu(ctx context.Context) ([]row, error) {
	name, path, err := d.trayName(ctx)
	if err != nil {
		return nil, err
	}
	var menuPath dbus.Variant
	err = d.bus.Object(name, path).CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, "org.kde.StatusNotifierItem", "Menu").Store(&menuPath)
	if err != nil {
		return nil, err
	}
	object, ok := menuPath.Value().(dbus.ObjectPath)
	if !ok {
		return nil, fmt.Errorf("the tray's menu is at %v", menuPath)
	}
	var revision uint32
	var root menuNode
	err = d.bus.Object(name, object).CallWithContext(ctx, dbusmenu+".GetLayout", 0, int32(0), int32(-1), []string{}).Store(&revision, &root)
	if err != nil {
		return nil, err
	}
	return rowsOf(root.Children)
}

// trayName asks the panel which tray icon there is.
func (d *desktop) trayName(ctx context.Context) (name string, path dbus.ObjectPath, err error) {
	const watcher = "org.kde.StatusNotifierWatcher"
	var items dbus.Variant
	err = d.bus.Object(watcher, "/StatusNotifierWatcher").CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, watcher, "RegisteredStatusNotifierItems").Store(&items)
	if err != nil {
		return "", "", err
	}
	names, _ := items.Value().([]string)
	if len(names) != 1 {
		return "", "", fmt.Errorf("the panel has the icons %q, not one", names)
	}
	name, object, ok := strings.Cut(names[0], "/")
	if !ok {
		return "", "", fmt.Errorf("the panel names the icon %q, without a path", names[0])
	}
	return name, dbus.ObjectPath("/" + object), nil
}

// menuNode is a row as com.canonical.dbusmenu lays it out.
type menuNode struct {
	ID       int32
	Props    map[string]dbus.Variant
	Children []dbus.Variant
}

func rowsOf(nodes []dbus.Variant) ([]row, error) {
	var rows []row
	for _, v := range nodes {
		var n menuNode
		if err := dbus.Store([]any{v.Value()}, &n); err != nil {
			return nil, err
		}
		if visible, ok := n.Props["visible"].Value().(bool); ok && !visible {
			continue
		}
		r := row{enabled: true}
		r.words, _ = n.Props["label"].Value().(string)
		r.words = strings.ReplaceAll(r.words, "__", "_")
		if enabled, ok := n.Props["enabled"].Value().(bool); ok {
			r.enabled = enabled
		}
		if kind, _ := n.Props["type"].Value().(string); kind == "separator" {
			r.separator = true
		}
		var err error
		if r.children, err = rowsOf(n.Children); err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// shoot returns a PNG of an area of the screen; the same screen gives the same.
func (d *desktop) shoot(ctx context.Context, area image.Rectangle) ([]byte, error) {
	crop := fmt.Sprintf("%dx%d+%d+%d", area.Dx(), area.Dy(), area.Min.X, area.Min.Y)
	shot, err := exec.CommandContext(ctx, "import", "-window", "root", "-crop", crop, "+repage", "-define", "png:exclude-chunks=date,time", "png:-").Output()
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	return shot, nil
}

// still returns a picture of an area of the screen once something is drawn
// there, and if it can be had one that stays the same for a moment, with the
// number of its colours.
func (d *desktop) still(ctx context.Context, area image.Rectangle) (shot []byte, colours int, err error) {
	var last []byte
	look := func() {
		last = shot
		if shot, err = d.shoot(ctx, area); err == nil {
			colours, err = countColours(shot)
		}
	}
	waited := until(ctx, 15*time.Second, "something to be drawn", func() bool {
		look()
		return err != nil || colours >= leastColours
	})
	for began := time.Now(); err == nil && waited == nil && !bytes.Equal(shot, last) && time.Since(began) < stillWithin; {
		time.Sleep(stillFor)
		look()
	}
	return shot, colours, errors.Join(err, waited)
}

// picture leaves a picture of an area of the screen, and returns how many
// colours it has.
func (d *desktop) picture(ctx context.Context, name string, area image.Rectangle) (colours int, err error) {
	shot, colours, err := d.still(ctx, area)
	if err != nil {
		return colours, fmt.Errorf("%s: %w", name, err)
	}
	if d.out != "" {
		err = os.WriteFile(filepath.Join(d.out, name+".png"), shot, 0o644)
	}
	return colours, err
}

const (
	// leastColours is how many colours a picture of something has at the
	// least: an empty window has one, a panel without icons a few.
	leastColours = 24

	// A picture is still when it stays the same for longer than a frame or an
	// animation's step. A countdown is not for long.
	stillFor    = 300 * time.Millisecond
	stillWithin = 3 * time.Second
)

// countColours counts the colours of a picture, up to a thousand.
func countColours(picture []byte) (int, error) {
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return 0, fmt.Errorf("a picture of the screen: %w", err)
	}
	seen := map[color.Color]bool{}
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X && len(seen) < 1000; x++ {
			seen[img.At(x, y)] = true
		}
	}
	return len(seen), nil
}
