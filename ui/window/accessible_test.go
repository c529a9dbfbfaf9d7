package window

import (
	"image/color"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"

	"curfew/ui/window/control"
	"curfew/ui/window/look"
)

// TestAccessible: all that is read on screen is also said to a screen reader,
// and all that takes the focus has a name.
func TestAccessible(t *testing.T) {
	l := viewing{look.Dark, usual, 1, ""}
	dress(t, l)
	for _, state := range states() {
		t.Run(state.name, func(t *testing.T) {
			s := state.set(t, l)
			for _, fault := range unsaid(s.window.Canvas().Content()) {
				t.Error(fault)
			}
		})
	}
}

// unsaid lists what a screen reader is not told of what can be seen in content.
func unsaid(content fyne.CanvasObject) (faults []string) {
	var walk func(o fyne.CanvasObject, said string)
	walk = func(o fyne.CanvasObject, said string) {
		if !o.Visible() {
			return
		}
		name := ""
		if a, ok := o.(fyne.Accessible); ok {
			name = a.AccessibilityLabel()
			if _, plain := o.(*fyne.Container); !plain {
				said += "\n" + name
			}
		}
		if _, ok := o.(fyne.Focusable); ok && strings.TrimSpace(name) == "" {
			faults = append(faults, "what takes the focus has no name")
		}
		switch o := o.(type) {
		case *fyne.Container:
			for _, c := range o.Objects {
				walk(c, said)
			}
		case *container.Scroll:
			walk(o.Content, said)
		case *look.Runway, *look.Segments: // their marks are for the eye
		case fyne.Widget:
			for _, c := range test.WidgetRenderer(o).Objects() {
				walk(c, said)
			}
		case *canvas.Text:
			monogram := o.Color == color.White // for the eye
			if words := strings.TrimSuffix(strings.TrimSpace(o.Text), "…"); !strings.Contains(said, words) && !monogram {
				faults = append(faults, "not said: "+words)
			}
		}
	}
	walk(content, "")
	return faults
}

func TestUnsaidIsFound(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(look.NewTheme(look.Dark))
	nameless := &control.Entry{}
	nameless.ExtendBaseWidget(nameless)
	for _, o := range []fyne.CanvasObject{canvas.NewText("for the eye", nil), nameless} {
		if got := unsaid(container.NewWithoutLayout(o)); len(got) != 1 {
			t.Errorf("of %T is found %q, want one fault", o, got)
		}
	}
}
