//go:build !unix

package resident

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// WatchProgram returns at once: a program that runs cannot be replaced on this
// system.
func WatchProgram(context.Context, *slog.Logger, string, time.Duration, func() bool) error {
	return nil
}

// Become is not possible here.
func Become(string) error { return errors.ErrUnsupported }
