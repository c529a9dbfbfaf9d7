package main

import (
	"context"
	"log/slog"

	"curfew/ui/tray"
)

// A panel is where the desktop shows tray icons and notifications.
type panel interface {
	// Watch tells whether there is a place for icons, now and at every
	// change; gone tells once when the desktop itself goes away. Both end
	// with ctx.
	Watch(ctx context.Context) (present <-chan bool, gone <-chan error)

	// ServeNotices shows notices, and passes on what comes of them, until
	// ctx ends.
	ServeNotices(ctx context.Context, notices <-chan tray.Notice, events noticeEvents, logger *slog.Logger)

	Close() error
}

// noticeEvents is who hears what comes of notices.
type noticeEvents struct {
	clicks chan<- tray.ID    // what people click in them
	shown  func(tray.Notice) // the desktop has taken it
	again  func(tray.Notice) // it has not, and may take it now if it is still true
}
