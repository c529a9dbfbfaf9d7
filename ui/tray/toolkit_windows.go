package tray

import (
	"bytes"
	"image/png"

	"fyne.io/systray"
	"github.com/fyne-io/image/ico"

	"curfew/assets"
)

// setIcon sends an .ico, the only format that Windows takes. systray keeps a file
// and a handle for every icon that it was sent; the set of icons is small.
func setIcon(name string, tone assets.Tone) {
	img, err := png.Decode(bytes.NewReader(assets.TrayIcon(name, tone)))
	if err != nil {
		panic(err) // compiled in, and compared with the drawing by a test
	}
	var b bytes.Buffer
	if err := ico.Encode(&b, img); err != nil {
		panic(err) // a bytes.Buffer does not fail
	}
	systray.SetIcon(b.Bytes())
}
