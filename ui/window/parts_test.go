package window

import (
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"

	"curfew/auth"
	"curfew/ui/shots"
	"curfew/ui/status"
)

func TestTextFitsItsWidth(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(NewTheme(Dark))
	for _, words := range []string{
		"", "short", "a few words that do not fit on one line of this width",
		strings.Repeat("x", 300), strings.Repeat("Wörter ", 900), "日本語の長い名前" + strings.Repeat("字", 80),
		"line\nbreak\tand \x1b[31mcontrol\x00",
	} {
		for _, width := range []float32{1, 30, 90, 200} {
			line := newLine(words, theme.SizeNameText, colorInk)
			para := newPara(words, theme.SizeNameText, colorInk)
			if got := line.lines(width); len(got) > 1 || len(got) == 1 && width >= 30 && line.measure(got[0]).Width > width+.5 {
				t.Errorf("a line of %v is %q, %v wide", width, got, line.measure(strings.Join(got, "")).Width)
			}
			lines := para.lines(width)
			for _, got := range lines {
				if len([]rune(got)) > 1 && para.measure(got).Width > width+.5 {
					t.Errorf("a paragraph of %v has the line %q", width, got)
				}
			}
			if got := strings.ReplaceAll(strings.Join(lines, ""), " ", ""); got != strings.ReplaceAll(para.words, " ", "") {
				t.Errorf("wrapping at %v lost words: %q of %q", width, got, para.words)
			}
			if len(para.words) > 0 && strings.ContainsAny(para.words, "\n\t\x00\x1b") {
				t.Errorf("control characters reach the screen: %q", para.words)
			}
		}
	}
}

// The list of a choice leaves the choice in sight, wherever it stands and
// however long it is, and stays in the window.
func TestListOfAChoice(t *testing.T) {
	for _, size := range []fyne.Size{small, usual} {
		s := still(t, look{Light, size, 1, ""}, shots.Crowd(noon, 30)...)
		s.turn(PageSettings)
		s.settings.desktop.known = true
		s.render()
		opens := func(what string, c *choice, below bool) {
			t.Helper()
			driver := fyne.CurrentApp().Driver()
			menu := s.window.Canvas().Overlays().Top()
			if menu == nil {
				t.Fatalf("the list of %s did not open", what)
			}
			choice, list := driver.AbsolutePositionForObject(c), driver.AbsolutePositionForObject(s.list.menu)
			end := list.Y + s.list.menu.Size().Height
			if list.Y < 0 || end > s.window.Canvas().Size().Height+.5 || list.X != choice.X || s.list.menu.Size().Width != c.Size().Width {
				t.Errorf("the list of %s is at %v and %v large", what, list, s.list.menu.Size())
			}
			if got := list.Y >= choice.Y+c.Size().Height-1; got != below || !below && end > choice.Y+1 {
				t.Errorf("the list of %s, at %v, reaches from %v to %v", what, choice.Y, list.Y, end)
			}
		}
		s.settings.heard(auth.General{Limits: auth.BuiltIn, Warnings: auth.WarnAll})
		s.render()
		s.settings.scroll.ScrollToOffset(fyne.NewPos(0, fyne.CurrentApp().Driver().AbsolutePositionForObject(s.settings.notices.level).Y-200))
		test.Tap(s.settings.notices.level)
		opens("warnings", s.settings.notices.level, true)
		s.list.menu.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
		if s.window.Canvas().Overlays().Top() != nil {
			t.Error("Escape leaves the list open")
		}

		s.settingsScroll().ScrollToBottom()
		look := s.settings.desktop.appearance
		s.focus(look)
		look.TypedKey(&fyne.KeyEvent{Name: fyne.KeyDown})
		opens("colours", look, false)
		s.settings.note = saved("Something to read, above.") // the page grows, and with it the way down
		s.render()
		s.settingsScroll().ScrollToTop()
		s.render()
		s.settingsScroll().ScrollToBottom()
		s.render()
		opens("colours, which moved", look, false)
		for range 3 {
			s.list.menu.TypedKey(&fyne.KeyEvent{Name: fyne.KeyDown})
		}
		s.list.menu.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
		if look.Selected != "Light" || s.Appearance != Light || s.window.Canvas().Overlays().Top() != nil {
			t.Errorf("chosen is %q, and %q", look.Selected, s.Appearance)
		}
	}
}

// A list goes with the page that its choice is on.
func TestListGoesWithItsPage(t *testing.T) {
	for what, leave := range map[string]func(*screen){
		"another page":     func(s *screen) { s.Go(Wish{Page: PageAdd}) },
		"an account":       func(s *screen) { s.Go(Wish{Account: "Gitea"}) },
		"another language": func(s *screen) { s.speak("de") },
		"another size":     func(s *screen) { s.Refit() },
	} {
		s := still(t, look{Light, usual, 1, ""}, spotify(), gitea())
		s.turn(PageSettings)
		s.settings.desktop.known = true
		s.render()
		s.settings.heard(auth.General{Limits: auth.BuiltIn, Warnings: auth.WarnAll})
		s.render()
		test.Tap(s.settings.notices.level)
		if s.window.Canvas().Overlays().Top() == nil {
			t.Fatal("no list opened")
		}
		leave(s)
		if s.window.Canvas().Overlays().Top() != nil {
			t.Errorf("%s leaves the list open", what)
		}
	}
}

func TestParagraphKeepsItsTailAndItsBound(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(NewTheme(Dark))
	words := "refreshed, 6 of 20, for spotify-tui"
	para := newPara(words, theme.SizeNameText, colorInk).tied("for spotify-tui")
	wide := para.natural() + 1
	for width, want := range map[float32][]string{
		wide:      {words},
		wide - 10: {"refreshed, 6 of 20,", "for spotify-tui"},
	} {
		if got := para.lines(width); !slices.Equal(got, want) {
			t.Errorf("at %v: %q, want %q", width, got, want)
		}
	}
	para.say("something else entirely") // the tail is not its end any more
	if got := strings.Join(para.lines(40), " "); strings.Contains(got, "spotify") {
		t.Errorf("a tail that is gone is shown: %q", got)
	}
	bound := newPara(strings.Repeat("word ", 40), theme.SizeNameText, colorInk)
	bound.most = 3
	got := bound.lines(100)
	if len(got) != 3 || !strings.HasSuffix(got[2], "…") || bound.measure(got[2]).Width > 100.5 {
		t.Errorf("three lines of 100 are %q", got)
	}
}

func TestRowSharesItsWidth(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(NewTheme(Dark))
	name, who := newLine(strings.Repeat("name ", 40), theme.SizeNameText, colorInk), newLine("who", theme.SizeNameText, colorInk)
	pressed := newText("button", theme.SizeNameText, colorInk)
	r := row(10, name, who, pressed)
	r.Resize(fyne.NewSize(300, 30))
	if got := pressed.Position().X + pressed.Size().Width; got > 300.5 {
		t.Errorf("the row is %v wide, want 300", got)
	}
	if pressed.Size().Width < pressed.natural() {
		t.Error("what may not shrink was shortened")
	}
	who.say("somebody else") // shares out again at once
	if got := pressed.Position().X + pressed.Size().Width; got > 300.5 {
		t.Errorf("after a change the row is %v wide, want 300", got)
	}
}

func TestRingNeedsNoRedrawForASecond(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(NewTheme(Dark))
	r := newRing(90, 10)
	r.set(.7, colorOK)
	arc := test.WidgetRenderer(r).Objects()[1]
	for _, c := range []struct {
		left   float64
		hidden bool
	}{{0, true}, {-1, true}, {1e-9, false}, {.5, false}, {1, false}, {7, false}} {
		r.set(c.left, colorOK)
		if arc.Visible() == c.hidden {
			t.Errorf("at %v the arc's visibility is %v", c.left, arc.Visible())
		}
		if r.left < 0 || r.left > 1 {
			t.Errorf("%v became %v", c.left, r.left)
		}
	}
}

// TestRenderersCanBeReplaced guards against Fyne's habit of throwing the
// renderers of what was hidden for a minute away: a new one is told to
// refresh, and never a size.
func TestRenderersCanBeReplaced(t *testing.T) {
	for _, page := range []Page{PageAccount, PageAdd, PageSettings, PageLog} {
		s := still(t, look{Dark, usual, 1, ""}, everyone()...)
		s.turn(page)
		s.focus(nil)
		n := 0
		var walk func(o fyne.CanvasObject)
		walk = func(o fyne.CanvasObject) {
			switch o := o.(type) {
			case *fyne.Container:
				for _, c := range o.Objects {
					walk(c)
				}
			case fyne.Widget:
				if !o.Visible() { // Fyne leaves the icon out of a hidden button's, until it is shown
					return
				}
				old := test.WidgetRenderer(o).Objects()
				switch o.(type) {
				case *panel, *text, *ring, *runway, *segments, *button, *choice, *accountRow, *accountList:
					n++
					r := o.CreateRenderer()
					r.Refresh()
					for i, c := range r.Objects() {
						if i < len(old) && (c.Size() != old[i].Size() || c.Position() != old[i].Position()) {
							t.Errorf("page %q: a new renderer of %T has %T at %v of %v, want %v of %v", page, o, c, c.Position(), c.Size(), old[i].Position(), old[i].Size())
						}
					}
					if len(old) != len(r.Objects()) {
						t.Errorf("page %q: a new renderer of %T has %d objects, want %d", page, o, len(r.Objects()), len(old))
					}
				}
				for _, c := range old {
					walk(c)
				}
			}
		}
		walk(s.root)
		if n < 20 {
			t.Fatalf("page %q has %d widgets of ours", page, n)
		}
	}
}

// TestRunwayStaysInsideItsCard draws sane and insane runways in every size.
func TestRunwayStaysInsideItsCard(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(NewTheme(Dark))
	soon := spotify()
	soon.Forecast.EndsAt = ahead(time.Minute)
	late := spotify()
	late.RefreshesLeft, late.RefreshesUsed, late.EndsAt = 20, 0, ahead(time.Second)
	begin := spotify()
	begin.SignedInAt, begin.EndsAt, begin.RefreshesLeft = noon, ahead(30*day), 20
	for _, s := range []auth.Snapshot{spotify(), entra(), gitea(), soon, late, begin} {
		for _, width := range []float32{1, 120, 300, 1200} {
			words := status.Describe(s, noon).Outlook
			way, _ := status.RunwayOf(s, history(s), noon)
			r := newRunway()
			size := fyne.NewSize(width, r.MinSize().Height)
			r.Resize(size)
			r.set(track{way, colorOK, words.Flag, words.End})
			for _, o := range test.WidgetRenderer(r).Objects() {
				p, z := o.Position(), o.Position().Add(o.Size())
				if p.X < -1 || p.Y < -1 || z.X > size.Width+1 || z.Y > size.Height+1 {
					t.Errorf("%s at %v: %T from %v to %v", s.Name, size, o, p, z)
				}
			}
		}
	}
}

func TestFormChecks(t *testing.T) {
	p := still(t, look{Dark, usual, 1, ""}, spotify()).add
	for _, c := range []struct {
		name, typed string
		ok          bool
	}{
		{"name", "work", true}, {"empty name", "", false}, {"taken name", "Spotify", false}, {"name with a slash", "a/b", false},
		{"name like a flag", "-x", false}, {"long name", strings.Repeat("n", 65), false},
	} {
		p.name.entry.SetText(c.typed)
		if got := p.checkName(); (got == "") != c.ok {
			t.Errorf("%s: %q", c.name, got)
		}
	}
	for id, ok := range map[string]bool{"0oa-desktop": true, "": false, "two words": false, "id\n": false} {
		if got := status.ClientIDComplaint(id); (got == "") != ok {
			t.Errorf("client ID %q: %q", id, got)
		}
	}
}
