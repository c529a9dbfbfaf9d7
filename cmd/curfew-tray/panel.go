package main

import (
	"context"
	"log/slog"
	"time"

	"curfew/auth/agent/client"
	"curfew/ui/tray"
)

// A panel is where the desktop shows tray icons and notifications.
type panel interface {
	// Watch reports whether there is a place for icons, now and at every
	// change. gone gets the error when the desktop itself goes away. Both end
	// with ctx.
	Watch(ctx context.Context) (present <-chan bool, gone <-chan error)

	// ServeNotices shows notices and reports events until ctx ends.
	ServeNotices(ctx context.Context, notices <-chan tray.Notice, events noticeEvents, logger *slog.Logger)

	Close() error
}

// checkPanel is what `curfew doctor` says of the panel that was found, or was not.
func checkPanel(ctx context.Context, p panel, err error) client.Check {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	there := err == nil
	if there {
		if present, gone := p.Watch(ctx); present != nil { // nil: this system always has a place
			select {
			case there = <-present:
			case err = <-gone:
				there = false
			case <-ctx.Done():
				there = false
			}
		}
	}
	if err != nil {
		return client.Check{Name: "tray", Message: err.Error(), Hint: "log in through a display manager, or start your desktop with dbus-run-session"}
	}
	if !there {
		return client.Check{Name: "tray", Message: "this desktop has no place for tray icons", Hint: "on GNOME, enable the AppIndicator extension; or use: curfew window"}
	}
	return client.Check{Name: "tray", OK: true, Message: "the desktop shows tray icons"}
}

// checkTime is how long the desktop may take to say where icons go.
const checkTime = 3 * time.Second

// noticeEvents are where the events of notices go.
type noticeEvents struct {
	clicks chan<- tray.ID    // what people click in them
	shown  func(tray.Notice) // the desktop has shown it
	again  func(tray.Notice) // the desktop did not show it, and may now, if it is still true
}
