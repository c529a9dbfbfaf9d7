//go:build unix && !darwin

package tray

import (
	"context"
	"fmt"
	"image"
	"image/png"
	"io"

	"fyne.io/systray"

	"curfew/assets"
)

// straight marks a PNG for [decodeStraight].
const straight = "curfew straight\n"

func init() {
	image.RegisterFormat("curfew-straight", straight, decodeStraight, func(io.Reader) (image.Config, error) {
		return image.Config{}, image.ErrFormat // nobody asks
	})
}

// setIcon sends the icon. systray decodes it by package image and sends the
// low bytes of 16-bit premultiplied colours, which is noise wherever a pixel
// is not opaque; so it gets a format of our own, whose decoder hands out
// pixels that survive: straight ARGB, as panels read it.
func setIcon(name string, tone assets.Tone) {
	systray.SetIcon(append([]byte(straight), assets.TrayIcon(name, tone)...))
}

// decodeStraight decodes a PNG and calls its straight pixels premultiplied, so
// that their RGBA method returns each byte twice.
func decodeStraight(r io.Reader) (image.Image, error) {
	if _, err := io.CopyN(io.Discard, r, int64(len(straight))); err != nil {
		return nil, err
	}
	img, err := png.Decode(r)
	if err != nil {
		return nil, err
	}
	n, ok := img.(*image.NRGBA)
	if !ok {
		return nil, fmt.Errorf("a tray icon of type %T", img)
	}
	return &image.RGBA{Pix: n.Pix, Stride: n.Stride, Rect: n.Rect}, nil
}

// runToolkit shows the icon, as prepare sets it, while work runs. It does not
// use systray.Run, which loses what is set while it still connects to the bus.
func runToolkit(ctx context.Context, prepare func(), work func(context.Context)) {
	start, end := systray.RunWithExternalLoop(nil, nil)
	prepare()
	start()
	work(ctx)
	end()
}
