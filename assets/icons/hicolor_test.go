package icons

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

var hicolor = flag.String("hicolor", "", "leave the icon theme's files in this `folder`")

// TestHicolor draws the program's icon at every size that desktops look for,
// each on its own, which is sharper than scaling one. The packages get them
// from here.
func TestHicolor(t *testing.T) {
	dir := *hicolor
	if dir == "" {
		dir = t.TempDir()
	}
	for _, px := range []int{16, 22, 24, 32, 48, 64, 128, 256, 512} {
		folder := filepath.Join(dir, fmt.Sprintf("%dx%d", px, px), "apps")
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(folder, "io.github.curfew.Curfew.png")
		write(t, name, app(px))
		if size := read(t, name).Bounds().Size(); size.X != px || size.Y != px {
			t.Errorf("%s is %v pixels", name, size)
		}
	}
}
