//go:build !unix

package resident

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"
)

// WatchProgram returns at once: a program that runs cannot be replaced on this
// system.
func WatchProgram(context.Context, *slog.Logger, string, time.Duration, func() bool) error {
	return nil
}

// WatchSocket returns at once: a pipe is there as long as its program.
func WatchSocket(context.Context, *slog.Logger, net.Listener, time.Duration, func() bool) error {
	return nil
}

// Become is not possible here.
func Become(string) error { return errors.ErrUnsupported }
