package main

import (
	"context"
	"log/slog"

	"curfew/ui/tray"
)

// ServeNotices shows no notifications. macOS accepts notifications with buttons
// only from a signed application bundle, through its UserNotifications framework.
// There is no well-kept Go library for that. The others run AppleScript with the
// text pasted into it, and have no buttons. The icon and the words next to it say
// the same.
func (always) ServeNotices(ctx context.Context, notices <-chan tray.Notice, _ noticeEvents, logger *slog.Logger) {
	for {
		select {
		case n := <-notices:
			if n.Title == "" {
				continue
			}
			logger.Info("no notifications on this system", "title", n.Title)
		case <-ctx.Done():
			return
		}
	}
}
