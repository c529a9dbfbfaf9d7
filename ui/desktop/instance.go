package desktop

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

// This file is the one window of a user, for those that come after it: a program
// that comes second tells the first its wish and ends. Who is first is settled
// by who may listen at the window's socket.

// Time limits of the few bytes between two windows of one user.
const (
	instanceTime = 3 * time.Second // for the first to answer; it may have started a moment ago
	instanceSize = 64 << 10        // of a wish, in bytes
)

// A windowCall is what a second window sends.
type windowCall[Wish any] struct {
	Wish    Wish              `json:"wish"`
	Session map[string]string `json:"session,omitempty"` // where it was started
}

// The answers of a first window: the wish was fulfilled, or it closes since the
// person is in another desktop session by now.
const (
	answerShown  = "shown\n"
	answerCloses = "closes\n"
)

// Tell tells the first window, which listens at socket, what to show, and in which
// desktop session this one was started. It reports whether that window closes
// instead, and leaves the socket.
func Tell[Wish any](ctx context.Context, socket string, wish Wish, session map[string]string) (closes bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, instanceTime)
	defer cancel()
	for {
		closes, err := tellOnce(ctx, socket, windowCall[Wish]{wish, session})
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

func tellOnce(ctx context.Context, socket string, what any) (closes bool, err error) {
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

// Listen calls show with every wish that comes to l, until ctx ends. Then it stops
// listening. It calls leave when the desktop session of this window was left for
// that of a second one, which takes over.
func Listen[Wish any](ctx context.Context, l net.Listener, show func(Wish), left func(session map[string]string) bool, leave func()) {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	var group sync.WaitGroup
	for {
		c, err := l.Accept()
		if err != nil {
			break
		}
		group.Go(func() {
			defer c.Close()
			c.SetDeadline(time.Now().Add(instanceTime))
			var asked windowCall[Wish]
			switch {
			case json.NewDecoder(io.LimitReader(c, instanceSize)).Decode(&asked) != nil || ctx.Err() != nil:
			case left(asked.Session):
				l.Close() // before the answer, so that the other can listen
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
