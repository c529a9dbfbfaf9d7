package main

import (
	"context"
	"log/slog"

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

// noticeEvents are where the events of notices go.
type noticeEvents struct {
	clicks chan<- tray.ID    // what people click in them
	shown  func(tray.Notice) // the desktop has shown it
	again  func(tray.Notice) // the desktop did not show it, and may now, if it is still true
}
