//go:build unix

package main

import (
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// whileRead returns a context that ends when nobody reads w any more, as in
// "curfew status --watch | head -1". Otherwise a program that has nothing to write
// would never notice.
func whileRead(ctx context.Context, w io.Writer) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if f, ok := w.(*os.File); ok {
		fd := int32(f.Fd())
		go func() { // ends with the reader, or with this program
			polled := []unix.PollFd{{Fd: fd}}
			var err error = unix.EINTR
			for errors.Is(err, unix.EINTR) {
				_, err = unix.Poll(polled, -1)
			}
			if err == nil && polled[0].Revents&unix.POLLNVAL == 0 { // macOS cannot poll /dev/null
				cancel()
			}
		}()
	}
	return ctx, cancel
}
