package assets

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:generate go test ./icons -run TestFiles -update

//go:embed icons/any/*.png icons/light/*.png
var trayIcons embed.FS

// AppIcon is the program's own icon, a PNG of 256 pixels.
//
//go:embed icons/app-256.png
var AppIcon []byte

// Tone says for which panels a tray icon is drawn.
type Tone string

// The tones. Light is dark ink on nothing; its alpha alone carries the shape,
// so it serves as a template image on macOS too.
const (
	Any   Tone = "any"   // white on a dark disc: legible on dark and light panels
	Light Tone = "light" // dark, for light panels
)

// TrayIcon returns a tray icon, a PNG of 44 pixels. It panics on a name that
// is not one of [TrayIcons]: the set is fixed when the program is built.
func TrayIcon(name string, tone Tone) []byte {
	data, err := trayIcons.ReadFile("icons/" + string(tone) + "/" + name + ".png")
	if err != nil {
		panic(fmt.Sprintf("assets: no tray icon: %v", err))
	}
	return data
}

// TrayIcons returns the names of all tray icons, sorted.
func TrayIcons() []string {
	files, err := fs.Glob(trayIcons, "icons/any/*.png")
	if err != nil {
		panic(err) // only a malformed pattern does this
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(strings.TrimPrefix(f, "icons/any/"), ".png")
	}
	return files
}
