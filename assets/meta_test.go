package assets

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

// TestFyneApp: packaging reads FyneApp.toml, the programs read the constants.
func TestFyneApp(t *testing.T) {
	text, err := os.ReadFile("../FyneApp.toml")
	if err != nil {
		t.Fatal(err)
	}
	var app struct {
		Details struct {
			Icon, Name, ID, Version string
			Build                   int
		}
	}
	if err := toml.Unmarshal(text, &app); err != nil {
		t.Fatal(err)
	}
	d := app.Details
	if d.Name != Name || d.ID != AppID || d.Version != Version || d.Build != Build {
		t.Errorf("FyneApp.toml says %+v, the constants %s %s %s %d", d, Name, AppID, Version, Build)
	}
	if _, err := os.Stat(filepath.Join("..", d.Icon)); err != nil {
		t.Errorf("the icon of FyneApp.toml: %v", err)
	}
}
