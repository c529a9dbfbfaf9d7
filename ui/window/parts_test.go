package window

import (
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"curfew/auth"
	"curfew/ui/shots"
	"curfew/ui/status"
	"curfew/ui/window/control"
	"curfew/ui/window/look"
)

// The list of a choice leaves the choice in sight, wherever it stands and
// however long it is, and stays in the window.
func TestListOfAChoice(t *testing.T) {
	for _, size := range []fyne.Size{small, usual} {
		s := still(t, viewing{look.Light, size, 1, ""}, shots.Crowd(noon, 30)...)
		s.turn(PageSettings)
		s.settings.desktop.known = true
		s.render()
		opens := func(what string, c *control.Choice, below bool) {
			t.Helper()
			driver := fyne.CurrentApp().Driver()
			menu := s.window.Canvas().Overlays().Top()
			if menu == nil {
				t.Fatalf("the list of %s did not open", what)
			}
			choice, list := driver.AbsolutePositionForObject(c), driver.AbsolutePositionForObject(s.list())
			end := list.Y + s.list().Size().Height
			if list.Y < 0 || end > s.window.Canvas().Size().Height+.5 || list.X != choice.X || s.list().Size().Width != c.Size().Width {
				t.Errorf("the list of %s is at %v and %v large", what, list, s.list().Size())
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
		s.list().TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
		if s.window.Canvas().Overlays().Top() != nil {
			t.Error("Escape leaves the list open")
		}

		s.settingsScroll().ScrollToBottom()
		colours := s.settings.desktop.appearance
		s.frame.Focus(colours)
		colours.TypedKey(&fyne.KeyEvent{Name: fyne.KeyDown})
		opens("colours", colours, false)
		s.settings.note = saved("Something to read, above.") // the page grows, and with it the way down
		s.render()
		s.settingsScroll().ScrollToTop()
		s.render()
		s.settingsScroll().ScrollToBottom()
		s.render()
		opens("colours, which moved", colours, false)
		for range 3 {
			s.list().TypedKey(&fyne.KeyEvent{Name: fyne.KeyDown})
		}
		s.list().TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
		if colours.Selected != "Light" || s.Appearance != look.Light || s.window.Canvas().Overlays().Top() != nil {
			t.Errorf("chosen is %q, and %q", colours.Selected, s.Appearance)
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
		s := still(t, viewing{look.Light, usual, 1, ""}, spotify(), gitea())
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

// TestRenderersCanBeReplaced guards against Fyne's habit of throwing the
// renderers of what was hidden for a minute away: a new one is told to
// refresh, and never a size.
func TestRenderersCanBeReplaced(t *testing.T) {
	for _, page := range []Page{PageAccount, PageAdd, PageSettings, PageLog} {
		s := still(t, viewing{look.Dark, usual, 1, ""}, everyone()...)
		s.turn(page)
		s.frame.Focus(nil)
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
				case *look.Panel, *look.Text, *look.Ring, *look.Runway, *look.Segments, *control.Button, *control.Choice, *accountRow, *accountList:
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
		walk(s.frame.Root)
		if n < 20 {
			t.Fatalf("page %q has %d widgets of ours", page, n)
		}
	}
}

func TestFormChecks(t *testing.T) {
	p := still(t, viewing{look.Dark, usual, 1, ""}, spotify()).add
	for _, c := range []struct {
		name, typed string
		ok          bool
	}{
		{"name", "work", true}, {"empty name", "", false}, {"taken name", "Spotify", false}, {"name with a slash", "a/b", false},
		{"name like a flag", "-x", false}, {"long name", strings.Repeat("n", 65), false},
	} {
		p.name.Entry.SetText(c.typed)
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
