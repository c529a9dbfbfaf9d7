//go:build !linux

package main

import (
	"context"
	"log/slog"
)

// watchResume does nothing: the engine looks at its clocks every few seconds.
func watchResume(context.Context, *slog.Logger, func()) error { return nil }
