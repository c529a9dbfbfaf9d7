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
	instanceSize = 64 << 10        // of a wish, in bytes
)

// A Wish is what a window is to show first, and what a second asks of the
// first.
type Wish struct {
	Account string `json:"account,omitempty"` // to select; "": as it is
	Page    Page   `json:"page,omitempty"`    // to turn to; "": as it is
}

// A call is what a second window sends.
type call struct {
	Wish
	Session map[string]string `json:"session,omitempty"` // where it was started
}

// The answers of a first window: the wish was fulfilled, or it closes since the
// person is in another desktop session by now.
const (
	answerShown  = "shown\n"
	answerCloses = "closes\n"
)

// Tell tells the first window, which listens at socket, what to show, and in
// which desktop session this one was started. It reports whether that window closes instead, and leaves the socket.
func Tell(ctx context.Context, socket string, wish Wish, session map[string]string) (closes bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, instanceTime)
	defer cancel()
	for {
		closes, err := tell(ctx, socket, call{wish, session})
		if err == nil {
			return closes, nil
		}
		select {
		case <-ctx.Done():
			return false, fmt.Errorf("another window has been started and does not answer: %w", err)
		case <-time.After(20 * time.Millisecond): // it may be about to listen
		}
	}
}

func tell(ctx context.Context, socket string, what call) (closes bool, err error) {
	c, err := client.DialPatiently(ctx, socket)
	if err != nil {
		return false, err
	}
	defer c.Close()
	deadline, _ := ctx.Deadline()
	c.SetDeadline(deadline)
	if err := json.NewEncoder(c).Encode(what); err != nil {
		return false, err
	}
	answer, err := io.ReadAll(io.LimitReader(c, 8))
	if err == nil && string(answer) != answerShown && string(answer) != answerCloses {
		err = errors.New("it closed the connection")
	}
	return string(answer) == answerCloses, err
}

// Run calls show with every wish that comes, until ctx ends. Then it stops
// listening. It calls leave when the desktop session of this window was left for
// that of a second one, which takes over.
func (i *Instance) Run(ctx context.Context, show func(Wish), left func(session map[string]string) bool, leave func()) {
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
			var asked call
			switch {
			case json.NewDecoder(io.LimitReader(c, instanceSize)).Decode(&asked) != nil || ctx.Err() != nil:
			case left(asked.Session):
				i.listener.Close() // before the answer, so that the other can listen
				io.WriteString(c, answerCloses)
				leave()
			default:
				show(asked.Wish)
				io.WriteString(c, answerShown)
			}
		})
	}
	group.Wait()
}
