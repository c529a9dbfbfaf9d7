package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"curfew/auth/agent"
	"curfew/auth/agent/client"
)

// There is one tray for each agent's socket. The first listens at a socket of
// its own; a second connects to it, which shows the window of the first, and
// ends. No byte is exchanged: connecting is the message.

type first struct{ net.Listener }

// claim makes this the first tray, or fails with agent.ErrRunning.
func claim(ctx context.Context, agentSocket string) (*first, error) {
	l, err := agent.Listen(ctx, traySocket(agentSocket))
	if err != nil {
		return nil, err
	}
	return &first{l}, nil
}

func traySocket(agentSocket string) string { return agentSocket + "-tray" }

// serve passes on every knock until ctx ends, then closes the socket.
func (f *first) serve(ctx context.Context, show chan<- struct{}) {
	stop := context.AfterFunc(ctx, func() { f.Close() })
	defer stop()
	for {
		c, err := f.Accept()
		if err != nil {
			return
		}
		select {
		case show <- struct{}{}:
		case <-ctx.Done():
		}
		c.Close()
	}
}

// showFirst knocks at the first tray and waits until it has heard.
func showFirst(ctx context.Context, agentSocket string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := client.DialPatiently(ctx, traySocket(agentSocket))
	if err != nil {
		return fmt.Errorf("another curfew-tray runs and does not answer: %w", err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if _, err := io.Copy(io.Discard, c); err != nil {
		return fmt.Errorf("another curfew-tray runs and does not answer: %w", err)
	}
	return nil
}
