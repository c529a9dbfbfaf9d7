//go:build windows || darwin

package main

import (
	"context"
	"log/slog"

	"curfew/ui/tray"
)

// always is the panel of a system that has one.
type always struct{}

func findPanel(context.Context) (panel, error) { return always{}, nil }

func (always) Watch(context.Context) (<-chan bool, <-chan error) { return nil, nil }

// ServeNotices logs them: these systems show notifications of installed
// programs only, and the icon and its tooltip say the same.
func (always) ServeNotices(ctx context.Context, notices <-chan tray.Notice, _ chan<- tray.ID, logger *slog.Logger) {
	for {
		select {
		case n := <-notices:
			logger.Info("notice", "title", n.Title)
		case <-ctx.Done():
			return
		}
	}
}

func (always) Close() error { return nil }
