//go:build windows || darwin

package tray

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"time"

	"fyne.io/systray"

	"curfew/assets"
)

// An Icon shows a model by fyne.io/systray, of which there is one in a
// process. Its channels go into a [Config].
type Icon struct {
	Clicks chan ID
	Opened chan time.Duration
	Show   chan struct{}

	tone  assets.Tone
	icon  string
	items []Item
	rows  map[ID]*systray.MenuItem
	ctx   context.Context // of Run; ends the goroutines that forward clicks
	wg    sync.WaitGroup
}

// NewIcon prepares the icon in a tone, with title as its name for desktops
// that list icons. Nothing is shown before Run.
func NewIcon(title string, tone assets.Tone) *Icon {
	s := &Icon{
		Clicks: make(chan ID),
		Opened: make(chan time.Duration),
		Show:   make(chan struct{}),
		tone:   tone,
	}
	if runtime.GOOS != "darwin" {
		systray.SetTitle(title)
	}
	return s
}

// Run shows the icon and runs work beside it until work returns, which it
// must when its context ends. It must be called on the main goroutine, which
// the toolkits of macOS and Windows insist on. It does not fail.
func (s *Icon) Run(ctx context.Context, work func(context.Context)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer s.wg.Wait()
	defer cancel()
	s.ctx = ctx
	systray.SetOnTapped(func() { // before the start, which tells the panel whether there is such a thing
		select {
		case s.Show <- struct{}{}:
		case <-ctx.Done():
		}
	})
	s.wg.Go(func() {
		for {
			select {
			case <-systray.TrayOpenedCh:
				select {
				case s.Opened <- quiet:
				case <-ctx.Done():
				}
			case <-ctx.Done():
				return
			}
		}
	})
	runToolkit(ctx, func() { // so that no panel ever sees an icon without a picture
		m := NewModel(State{}, time.Now())
		s.SetIcon(m.Icon, m.Tooltip, m.Text)
		s.SetMenu(m.Items)
	}, work)
	return nil
}

// SetIcon sends the icon if it is another, and the words. Only macOS has room
// beside the icon, and there that is where systray puts the title.
func (s *Icon) SetIcon(name, tooltip, beside string) {
	if name != s.icon {
		s.icon = name
		setIcon(name, s.tone)
	}
	systray.SetTooltip(tooltip)
	if runtime.GOOS == "darwin" {
		systray.SetTitle(beside)
	}
}

// SetMenu brings the menu to items. Where the rows are the same, only what
// changed in them is sent; otherwise the menu is built anew, with new ids, so
// that a click on an old row reaches nothing.
func (s *Icon) SetMenu(items []Item) {
	if sameRows(s.items, items) {
		s.edit(s.items, items)
	} else {
		systray.ResetMenu()
		s.rows = make(map[ID]*systray.MenuItem)
		s.build(nil, items)
	}
	s.items = items
}

func (s *Icon) build(parent *systray.MenuItem, items []Item) {
	for _, item := range items {
		if item.ID.Verb == Separator {
			if parent == nil {
				systray.AddSeparator()
			} else {
				parent.AddSeparator()
			}
			continue
		}
		row := add(parent, item)
		if !item.Enabled {
			row.Disable()
		}
		if item.Hidden {
			row.Hide()
		}
		s.rows[item.ID] = row
		s.wg.Go(func() { // ends when the row is removed
			for {
				select {
				case _, open := <-row.ClickedCh:
					if !open {
						return
					}
				case <-s.ctx.Done():
					return
				}
				select {
				case s.Clicks <- item.ID:
				case <-s.ctx.Done():
					return
				}
			}
		})
		s.build(row, item.Children)
	}
}

func add(parent *systray.MenuItem, item Item) *systray.MenuItem {
	label := literal(item.Label)
	switch {
	case parent == nil && item.Checkbox:
		return systray.AddMenuItemCheckbox(label, "", item.Checked)
	case parent == nil:
		return systray.AddMenuItem(label, "")
	case item.Checkbox:
		return parent.AddSubMenuItemCheckbox(label, "", item.Checked)
	}
	return parent.AddSubMenuItem(label, "")
}

func (s *Icon) edit(old, items []Item) {
	for i, item := range items {
		if item.ID.Verb == Separator {
			continue
		}
		row := s.rows[item.ID]
		if item.Label != old[i].Label {
			row.SetTitle(literal(item.Label))
		}
		if item.Enabled != old[i].Enabled {
			if item.Enabled {
				row.Enable()
			} else {
				row.Disable()
			}
		}
		if item.Hidden != old[i].Hidden {
			if item.Hidden {
				row.Hide()
			} else {
				row.Show()
			}
		}
		if item.Checked != old[i].Checked {
			if item.Checked {
				row.Check()
			} else {
				row.Uncheck()
			}
		}
		s.edit(old[i].Children, item.Children)
	}
}

// literal keeps "&" from being read as the mark of a keyboard mnemonic on Windows.
func literal(label string) string {
	if runtime.GOOS == "windows" {
		return strings.ReplaceAll(label, "&", "&&")
	}
	return label
}
