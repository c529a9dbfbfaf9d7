package main

import (
	"context"
	"log/slog"

	"curfew/ui/tray"
)

// ServeNotices shows none: macOS takes notifications with buttons only from a
// signed application bundle, through its UserNotifications framework, for
// which there is no well-kept Go library; what there is runs AppleScript with
// the text pasted into it, and knows no buttons. The icon, and the words
// beside it, say the same and stay.
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
