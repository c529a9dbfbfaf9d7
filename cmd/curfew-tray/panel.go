package main

import "context"

// A panel is where the desktop shows tray icons.
type panel interface {
	// Watch tells whether there is a place for icons, now and at every
	// change; gone tells once when the desktop itself goes away. Both end
	// with ctx.
	Watch(ctx context.Context) (present <-chan bool, gone <-chan error)
	Close() error
}
