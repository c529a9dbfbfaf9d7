package window

import (
	"cmp"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"curfew/auth"
	"curfew/ui/status"
	"curfew/ui/window/control"
	"curfew/ui/window/look"
)

// sidebar is the left side: the accounts, and what belongs to none of them. In
// a narrow window a bar above the page has the same.
type sidebar struct {
	view                *View
	root                *look.Panel
	find                *control.Entry
	list                *accountList
	add, settings       *control.Button
	bar                 *fyne.Container
	which               *control.Choice
	shortAdd, shortGear *control.Button
}

// manyAccounts is how many there are to search among.
const manyAccounts = 8

func newSidebar(v *View) *sidebar {
	s := &sidebar{view: v, list: newAccountList(v)}
	s.find = control.NewEntry(v.frame, tr("Find account"), tr("Find account"))
	s.find.OnChanged = func(string) { v.render() }
	s.add = control.NewButton(v.frame, tr("Add account"), func() { v.turn(PageAdd) })
	gear := func() *control.Button {
		return control.NewButton(v.frame, "", func() { v.turn(PageSettings) }).Quiet().Sign(theme.SettingsIcon(), tr("Settings"))
	}
	s.settings, s.shortGear = gear(), gear()
	s.shortAdd = control.NewButton(v.frame, "", s.add.OnTapped).Sign(theme.ContentAddIcon(), s.add.Text)
	s.which = control.NewChoice(v.frame, nil, "", v.Select)
	s.which.PlaceHolder, s.which.Name = tr("No accounts yet"), tr("Account")
	s.bar = container.New(look.Pad(0, look.ReadingMargin, look.Gap, 2), look.RowOf(look.GapSmall, s.which, s.which, s.shortAdd, s.shortGear))
	title := look.NewLine("Curfew", look.SizeTitle, look.Ink).Strong()
	head := container.New(look.Pad(0, look.GapSmall, 4, look.GapSmall), look.Column(look.GapSmall, look.RowOf(0, title, title, s.settings), s.find))
	foot := container.New(look.Pad(4, look.GapSmall, 0, 2), s.add)
	inside := container.New(layout.NewBorderLayout(head, foot, nil, nil), head, s.list.scroll, foot)
	s.root = look.NewPanel(look.Side, "", 0, container.New(look.Pad(look.GapSmall, 4, look.Gap, look.GapSmall), inside))
	return s
}

func (s *sidebar) render() {
	v := s.view
	many := len(v.snaps) >= manyAccounts
	v.frame.Show(s.find, many)
	if !many && s.find.Text != "" {
		s.find.SetText("")
	}
	s.list.render()
	var names []control.Option
	for _, snap := range v.snaps {
		names = append(names, control.Option{Value: snap.Name, Words: status.Name(snap)})
	}
	s.which.Offer(names, v.selected)
}

// found reports whether an account is one that is searched for.
func (s *sidebar) found(snap auth.Snapshot) bool {
	words := strings.ToLower(strings.TrimSpace(s.find.Text))
	return strings.Contains(strings.ToLower(snap.Name+"\n"+snap.Subject), words)
}

// accountList is the list of accounts: one stop for Tab, in which the arrows
// select.
type accountList struct {
	widget.BaseWidget
	view   *View
	rows   []*accountRow
	box    *fyne.Container
	scroll *container.Scroll

	needs, fine, none fyne.CanvasObject // words between the rows
	focused           bool
	shown             string // the row that was last brought into sight
}

func newAccountList(v *View) *accountList {
	l := &accountList{view: v, box: look.Column(4)}
	words := func(words string) fyne.CanvasObject {
		return container.New(look.Pad(look.GapSmall, look.GapSmall, 0, look.GapSmall), look.NewCaption(words))
	}
	l.needs, l.fine, l.none = words(tr("Needs you")), words(tr("Fine")), words(tr("No account is called so."))
	l.ExtendBaseWidget(l)
	l.scroll = v.frame.Scroll(l, look.Pad(2, 8, 2, 2))
	return l
}

func (l *accountList) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(l.box) }

func (l *accountList) render() {
	v := l.view
	snaps := slices.DeleteFunc(slices.Clone(v.snaps), func(s auth.Snapshot) bool { return !v.side.found(s) })
	for len(l.rows) < len(snaps) {
		l.rows = append(l.rows, newAccountRow(l))
	}
	l.rows = l.rows[:len(snaps)]
	var objects []fyne.CanvasObject
	needy := false // of the account before
	for i, s := range snaps {
		needs := status.UrgencyOf(s, v.now) >= status.Soon || len(s.Asks) > 0
		switch { // without one in need there is nothing to tell apart
		case needs && i == 0:
			objects = append(objects, l.needs)
		case needy && !needs:
			objects = append(objects, l.fine)
		}
		needy = needs
		objects = append(objects, l.rows[i])
		l.rows[i].set(s, s.Name == v.selected, l.focused)
	}
	if len(snaps) == 0 && len(v.snaps) > 0 {
		objects = append(objects, l.none)
	}
	if !slices.Equal(l.box.Objects, objects) {
		l.box.Objects = objects
		l.box.Refresh()
	}
	if l.shown != v.selected {
		l.reveal()
	}
}

// reveal scrolls the selected row into sight.
func (l *accountList) reveal() {
	for _, r := range l.rows {
		height := l.scroll.Size().Height
		if !r.selected || r.Size().Height == 0 || height == 0 {
			continue
		}
		l.shown = r.name
		top, bottom := r.Position().Y, r.Position().Y+r.Size().Height
		switch y := l.scroll.Offset.Y; {
		case top < y:
			l.scroll.ScrollToOffset(fyne.NewPos(0, top))
		case bottom > y+height:
			l.scroll.ScrollToOffset(fyne.NewPos(0, bottom-height))
		}
	}
}

// FocusGained shows the focus at the selected account.
func (l *accountList) FocusGained() { l.focused = true; l.view.frame.SetFocused(l); l.render() }

// FocusLost hides the focus.
func (l *accountList) FocusLost() { l.focused = false; l.render() }

// TypedRune searches: in the field for it, or for the next account that begins so.
func (l *accountList) TypedRune(r rune) {
	find := l.view.side.find
	if find.Visible() {
		l.view.frame.Focus(find)
		if r != '/' {
			find.TypedRune(r)
		}
		return
	}
	at := max(0, slices.IndexFunc(l.rows, func(row *accountRow) bool { return row.selected }))
	for i := range l.rows {
		row := l.rows[(at+1+i)%len(l.rows)]
		if strings.HasPrefix(strings.ToLower(row.name), strings.ToLower(string(r))) {
			l.view.Select(row.name)
			return
		}
	}
}

// TypedKey selects with the arrows, Home and End.
func (l *accountList) TypedKey(e *fyne.KeyEvent) {
	at := -1
	for i, r := range l.rows {
		if r.selected {
			at = i
		}
	}
	switch e.Name {
	case fyne.KeyUp:
		at--
	case fyne.KeyDown:
		at++
	case fyne.KeyHome:
		at = 0
	case fyne.KeyEnd:
		at = len(l.rows) - 1
	case fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter: // back from another page
	default:
		l.view.keys(e)
		return
	}
	if at = max(at, 0); at < len(l.rows) {
		l.view.Select(l.rows[at].name)
	}
}

// accountRow is one account of the list.
type accountRow struct {
	widget.BaseWidget
	list              *accountList
	name              string
	selected, focused bool
	hovered           bool
	ring              *look.Ring
	title, line       *look.Text
	panel             *look.Panel
}

func newAccountRow(l *accountList) *accountRow {
	r := &accountRow{list: l, ring: look.NewRing(look.Em(24), look.Em(4)),
		title: look.NewLine("", look.SizeText, look.Ink).Strong(), line: look.NewPara("", look.SizeCaption, look.Dim).AtMost(2)}
	words := look.Column(1, r.title, r.line)
	r.panel = look.NewPanel("", "", look.RadiusSmall, container.New(look.Pad(look.GapSmall, look.GapSmall, look.GapSmall, look.GapSmall), look.RowOf(look.GapSmall, words, r.ring, words)))
	r.ExtendBaseWidget(r)
	return r
}

func (r *accountRow) set(s auth.Snapshot, selected, focused bool) {
	v := r.list.view
	words := status.Describe(s, v.now)
	r.name = s.Name
	count := words.Refreshes
	if s.NoRefresh {
		count = words.Age // there are none
	}
	r.ring.Set(count.Fraction, v.fresh(s, countColor(s, count, v.now)))
	r.title.Say(words.Name)
	color := map[status.Urgency]fyne.ThemeColorName{status.Over: look.Bad, status.Attention: look.Warn, status.Soon: look.Warn}[words.Urgency]
	line := status.Brief(s, v.now)
	if asks := status.Asks(s); asks != "" {
		line, color = asks, look.Warn
	}
	r.line.Set(line, cmp.Or(color, look.Dim))
	if r.selected != selected || r.focused != focused {
		r.selected, r.focused = selected, focused
		r.paint()
	}
}

// Tapped selects the account.
func (r *accountRow) Tapped(*fyne.PointEvent) {
	r.list.view.Select(r.name)
	r.list.view.frame.Focus(r.list)
}

// Cursor shows a hand.
func (r *accountRow) Cursor() desktop.Cursor { return desktop.PointerCursor }

// MouseIn marks the row under the pointer.
func (r *accountRow) MouseIn(*desktop.MouseEvent) { r.hovered = true; r.paint() }

// MouseMoved does nothing.
func (r *accountRow) MouseMoved(*desktop.MouseEvent) {}

// MouseOut takes the mark away.
func (r *accountRow) MouseOut() { r.hovered = false; r.paint() }

// CreateRenderer is for Fyne.
func (r *accountRow) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(r.panel) }

// paint shows whether the row is selected, has the focus or the pointer.
func (r *accountRow) paint() {
	switch {
	case r.selected && r.focused:
		r.panel.Paint(look.Card, theme.ColorNamePrimary, 2)
	case r.selected:
		r.panel.Paint(look.Card, look.Line, 1)
	case r.hovered:
		r.panel.Paint(theme.ColorNameHover, "", 0)
	default:
		r.panel.Paint("", "", 0)
	}
}

// AccessibilityLabel says what the list is of.
func (l *accountList) AccessibilityLabel() string { return tr("Accounts") }

// AccessibilityRole says that the list holds something.
func (l *accountList) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleContainer }

// AccessibilityLabel says what a person reads in the row.
func (r *accountRow) AccessibilityLabel() string {
	return control.Named(r.title.Words(), r.line.Words())
}

// AccessibilityRole says that the row can be pressed.
func (r *accountRow) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }
