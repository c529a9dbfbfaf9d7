//go:build windows || darwin

package tray

import (
	"context"

	"fyne.io/systray"
)

// runToolkit shows the icon, as prepare sets it, while work runs beside the
// system's event loop, which needs the main goroutine. The loop may end first,
// when the system shuts down.
func runToolkit(ctx context.Context, prepare func(), work func(context.Context)) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ready, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		defer systray.Quit()
		select {
		case <-ready:
			prepare()
			work(ctx)
		case <-ctx.Done():
		}
	}()
	systray.Run(func() { close(ready) }, nil)
	cancel()
	<-done
}
