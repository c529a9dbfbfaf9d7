package resident

import (
	"context"
	"errors"
	"fmt"
	"net"

	"curfew/auth/agent/client"

	winio "github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"
)

// Listen opens the pipe with a security descriptor that names this user as
// its owner and lets nobody else in. The first instance is asked for, so a
// pipe of that name that somebody else made gives ErrRunning.
func Listen(_ context.Context, pipe string) (net.Listener, error) {
	sid, err := client.UserSID()
	if err != nil {
		return nil, err
	}
	l, err := winio.ListenPipe(pipe, &winio.PipeConfig{
		SecurityDescriptor: fmt.Sprintf("O:%[1]sD:P(A;;GA;;;%[1]s)", sid),
		InputBufferSize:    client.MaxRequest,
		OutputBufferSize:   client.MaxRequest,
	})
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		return nil, fmt.Errorf("%w at %s", ErrRunning, pipe)
	}
	return l, err
}
