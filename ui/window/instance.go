package window

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// An Instance is the claim to be the one window of this user. A program that
// comes second hands its wish to the first and ends.
type Instance struct {
	listener net.Listener
	lock     *os.File
}

// ErrShown says that another process shows the window already, and has been told to
// come forward.
var ErrShown = errors.New("the window is open already")

// Time limits of the few bytes between two windows of one user.
const (
	instanceTime = 3 * time.Second // for the first to answer; it may have started a moment ago
	instanceSize = 1 << 10         // of a wish, in bytes
)

// A Wish is what a window is to show first, and what a second asks of the
// first.
type Wish struct {
	Account string `json:"account,omitempty"` // to select; "": as it is
	Page    Page   `json:"page,omitempty"`    // to turn to; "": as it is
}

// Claim claims dir, the user's private runtime directory, which is made when
// it is missing. When another process has it, Claim tells that one what is
// wished and returns ErrShown.
//
// The lock settles who is first; the socket only carries wishes. So a socket
// left over from a crash is nobody's, and can be removed.
func Claim(ctx context.Context, dir string, wish Wish) (*Instance, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	socket := filepath.Join(dir, "window.sock")
	lock, first, err := lockFile(filepath.Join(dir, "window.lock"))
	if err != nil {
		return nil, err
	}
	if !first {
		return nil, tellFirst(ctx, socket, wish)
	}
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		lock.Close()
		return nil, err
	}
	listener, err := net.Listen("unix", socket)
	if err == nil {
		err = os.Chmod(socket, 0o600)
	}
	if err != nil {
		lock.Close()
		return nil, err
	}
	return &Instance{listener, lock}, nil
}

// tellFirst tells the process that has the claim what to show.
func tellFirst(ctx context.Context, socket string, wish Wish) error {
	ctx, cancel := context.WithTimeout(ctx, instanceTime)
	defer cancel()
	for {
		err := tell(ctx, socket, wish)
		if err == nil {
			return ErrShown
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("another window has been started and does not answer: %w", err)
		case <-time.After(20 * time.Millisecond): // it has the lock and not yet the socket
		}
	}
}

func tell(ctx context.Context, socket string, wish Wish) error {
	if err := checkOwner(socket); err != nil {
		return err
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	defer c.Close()
	deadline, _ := ctx.Deadline()
	c.SetDeadline(deadline)
	if err := json.NewEncoder(c).Encode(wish); err != nil {
		return err
	}
	answer, err := io.ReadAll(io.LimitReader(c, 8))
	if err == nil && string(answer) != "shown\n" {
		err = errors.New("it closed the connection")
	}
	return err
}

// Run calls show with every wish that comes, until ctx ends. Then it gives
// the claim up.
func (i *Instance) Run(ctx context.Context, show func(Wish)) {
	stop := context.AfterFunc(ctx, func() { i.listener.Close() })
	defer stop()
	var group sync.WaitGroup
	for {
		c, err := i.listener.Accept()
		if err != nil {
			break
		}
		group.Go(func() {
			defer c.Close()
			c.SetDeadline(time.Now().Add(instanceTime))
			var w Wish
			if json.NewDecoder(io.LimitReader(c, instanceSize)).Decode(&w) == nil && ctx.Err() == nil {
				show(w)
				io.WriteString(c, "shown\n")
			}
		})
	}
	group.Wait()
	i.Close()
}

// Close gives the claim up.
func (i *Instance) Close() {
	i.listener.Close() // removes the socket, while the lock still keeps others from making theirs
	i.lock.Close()
}
