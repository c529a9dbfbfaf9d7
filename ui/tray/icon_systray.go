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

// An Icon shows a model with fyne.io/systray, which allows one icon per process.
// Its channels go into a [Config].
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

// Run shows the icon and runs work until work returns, which it must when its
// context ends. Run must be called on the main goroutine, because the toolkits of
// macOS and Windows require that. It does not fail.
func (s *Icon) Run(ctx context.Context, work func(context.Context)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer s.wg.Wait()
	defer cancel()
	s.ctx = ctx
	systray.SetOnTapped(func() { // before the start, which tells the panel that the icon can be clicked
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

// SetIcon sends the icon if it has changed, and the words. Only macOS has room
// next to the icon; systray puts the title there.
func (s *Icon) SetIcon(name, tooltip, text string) {
	if name != s.icon {
		s.icon = name
		setIcon(name, s.tone)
	}
	systray.SetTooltip(tooltip)
	if runtime.GOOS == "darwin" {
		systray.SetTitle(text)
	}
}

// SetMenu makes the menu show items. If the rows are the same, it sends only what
// changed in them. Otherwise it builds a new menu, with new ids, so that a click
// on an old row does nothing.
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
		s.wg.Go(func() { s.forward(row, item.ID) })
		s.build(row, item.Children)
	}
}

// forward passes the clicks on a row on as those of id, until the row is removed.
func (s *Icon) forward(row *systray.MenuItem, id ID) {
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
		case s.Clicks <- id:
		case <-s.ctx.Done():
			return
		}
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
