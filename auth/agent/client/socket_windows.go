package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	winio "github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"
)

// DefaultSocket names the agent's pipe: CURFEW_SOCKET, else one that holds
// the user's SID.
func DefaultSocket() (string, error) {
	if s := os.Getenv("CURFEW_SOCKET"); s != "" {
		return s, nil
	}
	sid, err := UserSID()
	if err != nil {
		return "", err
	}
	return `\\.\pipe\curfew-` + sid.String(), nil
}

// GuestSocket is "": pipes are not forwarded to other machines.
func GuestSocket(string) string { return "" }

// Dial connects once and checks that the pipe is this user's: the name can be
// guessed, so another user could have made it first.
func Dial(ctx context.Context, pipe string) (net.Conn, error) {
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

func connect(ctx context.Context, pipe string) (io.ReadWriteCloser, error) {
	return DialPatiently(ctx, pipe)
}

const kernelKeepsTime = false

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
	me, err := UserSID()
	if err != nil {
		return err
	}
	if !owner.Equals(me) {
		return &peerError{"the agent's pipe belongs to " + owner.String() + ", not to you"}
	}
	return nil
}

// UserSID is the identity of this user.
func UserSID() (*windows.SID, error) {
	u, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return nil, fmt.Errorf("who you are cannot be told: %w", err)
	}
	return u.User.Sid, nil
}

func isNobody(err error) bool { return errors.Is(err, windows.ERROR_FILE_NOT_FOUND) }
func isBusy(err error) bool   { return errors.Is(err, windows.ERROR_PIPE_BUSY) }

// AsProcess names the process at the other end of c; pipes do not tell.
func AsProcess(net.Conn) string { return "" }

// processOf returns 0: pipes do not tell.
func processOf(net.Conn) int { return 0 }
