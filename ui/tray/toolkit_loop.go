//go:build windows || darwin

package tray

import (
	"context"

	"fyne.io/systray"
)

// runToolkit runs the system's event loop on the main goroutine, and work in
// another one. prepare sets the icon before work starts. The loop may end before
// work does, when the system shuts down.
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
