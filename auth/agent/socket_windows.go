package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	winio "github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"
)

// ErrRunning: another agent answers at the pipe.
var ErrRunning = errors.New("an agent is already running")

// DefaultSocket names the agent's pipe: CURFEW_SOCKET, else one that holds
// the user's SID.
func DefaultSocket() (string, error) {
	if s := os.Getenv("CURFEW_SOCKET"); s != "" {
		return s, nil
	}
	sid, err := userSID()
	if err != nil {
		return "", err
	}
	return `\\.\pipe\curfew-` + sid.String(), nil
}

// Listen opens the pipe with a security descriptor that names this user as
// its owner and lets nobody else in. The first instance is asked for, so a
// pipe of that name that somebody else made gives ErrRunning.
func Listen(_ context.Context, pipe string) (net.Listener, error) {
	sid, err := userSID()
	if err != nil {
		return nil, err
	}
	l, err := winio.ListenPipe(pipe, &winio.PipeConfig{
		SecurityDescriptor: fmt.Sprintf("O:%[1]sD:P(A;;GA;;;%[1]s)", sid),
		InputBufferSize:    maxBody,
		OutputBufferSize:   maxBody,
	})
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		return nil, fmt.Errorf("%w at %s", ErrRunning, pipe)
	}
	return l, err
}

// dial connects once and checks that the pipe is this user's: the name can be
// guessed, so another user could have made it first.
func dial(ctx context.Context, pipe string) (net.Conn, error) {
	c, err := winio.DialPipeContext(ctx, pipe)
	if err != nil {
		return nil, err
	}
	if err := checkOwner(c); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func checkOwner(c net.Conn) error {
	h, ok := c.(interface{ Fd() uintptr })
	if !ok {
		return &peerError{"the owner of the agent's pipe cannot be told"}
	}
	sd, err := windows.GetSecurityInfo(windows.Handle(h.Fd()), windows.SE_KERNEL_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return err
	}
	owner, _, err := sd.Owner()
	if err != nil {
		return err
	}
	me, err := userSID()
	if err != nil {
		return err
	}
	if !owner.Equals(me) {
		return &peerError{"the agent's pipe belongs to " + owner.String() + ", not to you"}
	}
	return nil
}

func userSID() (*windows.SID, error) {
	u, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return nil, fmt.Errorf("who you are cannot be told: %w", err)
	}
	return u.User.Sid, nil
}

func isNobody(err error) bool { return errors.Is(err, windows.ERROR_FILE_NOT_FOUND) }
func isBusy(err error) bool   { return errors.Is(err, windows.ERROR_PIPE_BUSY) }

func programOf(net.Conn) string { return "" }
