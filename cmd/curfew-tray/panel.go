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

	// ServeNotices shows notices, and sends what people click in them to
	// clicks, until ctx ends.
	ServeNotices(ctx context.Context, notices <-chan tray.Notice, clicks chan<- tray.ID, logger *slog.Logger)

	Close() error
}
