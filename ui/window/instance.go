package window

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"curfew/auth/agent/client"
)

// An Instance is the one window of this user, for those that come after it: a
// program that comes second hands its wish to the first and ends. Who is first
// is settled by who may listen at the window's socket.
type Instance struct{ listener net.Listener }

// NewInstance makes an Instance of what the first listens at.
func NewInstance(l net.Listener) *Instance { return &Instance{l} }

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

// Tell tells the first window, which listens at socket, what to show.
func Tell(ctx context.Context, socket string, wish Wish) error {
	ctx, cancel := context.WithTimeout(ctx, instanceTime)
	defer cancel()
	for {
		err := tell(ctx, socket, wish)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("another window has been started and does not answer: %w", err)
		case <-time.After(20 * time.Millisecond): // it may be about to listen
		}
	}
}

func tell(ctx context.Context, socket string, wish Wish) error {
	c, err := client.DialPatiently(ctx, socket)
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

// Run calls show with every wish that comes, until ctx ends. Then it
// stops listening.
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
}
