package preferences

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestWindow(t *testing.T) {
	home(t)
	if got, err := LoadWindow(); got != (Window{}) || err != nil {
		t.Errorf("before the first: %+v, %v", got, err)
	}
	left := Window{Account: "work", Width: 1000.5, Height: 640}
	if err := left.Save(); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadWindow(); got != left || err != nil {
		t.Errorf("got %+v, %v; want %+v", got, err, left)
	}

	path, err := windowPath()
	if err != nil {
		t.Fatal(err)
	}
	for content, want := range map[string]Window{
		"account = \"work\"\nwidth = 1000.0\n":               {Account: "work"},
		"account = \"work\"\nwidth = nan\nheight = 600.0\n":  {Account: "work"},
		"account = \"work\"\nwidth = -1.0\nheight = 600.0\n": {Account: "work"},
		"width = 1e30\nheight = 600.0\n":                     {},
		"width = 700.0\nheight = 600.0\nlater = true\n":      {Width: 700, Height: 600},
	} {
		write(t, path, content)
		if got, err := LoadWindow(); got != want || err != nil {
			t.Errorf("of %q: %+v, %v; want %+v", content, got, err, want)
		}
	}
	write(t, path, "broken")
	if got, err := LoadWindow(); got != (Window{}) || err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("of a broken file: %+v, %v", got, err)
	}
}

func TestWindowThatCannotBeSaved(t *testing.T) {
	home(t)
	path, err := windowPath()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Dir(path), "no directory")
	if err := (Window{Account: "work"}).Save(); err == nil || !strings.Contains(err.Error(), "cannot save") {
		t.Errorf("err %v", err)
	}
}
