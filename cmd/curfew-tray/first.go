package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"curfew/auth/agent/client"
	"curfew/auth/agent/resident"
	"curfew/ui/desktop"
)

// There is one tray for each agent's socket. The first tray listens at another
// socket. A second tray connects to that, and says in which desktop session it was
// started. Usually the first then shows its window, and the second ends. The first
// ends instead if the person is in another session now, if its icon cannot be
// reached, or if its program was replaced. So nobody has to end a tray that a
// logout or an upgrade has left behind.

const (
	yours = "yours\n" // the answer of a tray that ends

	helloTime = 2 * time.Second  // for a second tray to say where it is
	helloSize = 64 << 10         // the most bytes of that
	shownTime = time.Second      // for the icon to take a click; without a bus there is none
	knockTime = 10 * time.Second // for the first tray to show its window, or to end
)

// first is the tray that others find.
type first struct {
	net.Listener
	knocks  chan struct{} // each shows the window
	program os.FileInfo   // this one's file, as it was at the start

	successor net.Conn // a second tray, which waits for the end of this one
}

// claim makes this the first tray. If another one runs and stays, claim shows its
// window and returns resident.ErrRunning.
func claim(ctx context.Context, agentSocket string) (*first, error) {
	for {
		l, err := resident.Listen(ctx, traySocket(agentSocket))
		if err == nil {
			return newFirst(l), nil
		}
		if !errors.Is(err, resident.ErrRunning) {
			return nil, err
		}
		yields, failed := knock(ctx, agentSocket)
		if failed != nil {
			return nil, failed
		}
		if !yields {
			return nil, err
		}
	}
}

// newFirst is the first tray. Others find it at l, or not at all if l is nil.
func newFirst(l net.Listener) *first {
	return &first{Listener: l, knocks: make(chan struct{}), program: programFile()}
}

// errSilent is a first tray that neither shows its window nor ends.
var errSilent = errors.New("does not answer")

func traySocket(agentSocket string) string { return agentSocket + "-tray" }

// programFile is the file of this program, or nil if it is gone.
func programFile() os.FileInfo {
	path, err := os.Executable()
	if err != nil {
		return nil
	}
	fi, _ := os.Stat(path)
	return fi
}

// serve answers every second tray until ctx ends, then closes the socket. It calls
// yield when this tray must end.
func (f *first) serve(ctx context.Context, yield func()) {
	if f.Listener == nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { f.Close() })
	defer stop()
	for {
		c, err := f.Accept()
		if err != nil {
			return
		}
		if f.yields(ctx, c) {
			f.successor = c
			f.Close()
			io.WriteString(c, yours)
			yield()
			return
		}
		c.Close()
	}
}

// release lets a second tray continue, because this one has ended.
func (f *first) release() {
	if f.successor != nil {
		f.successor.Close()
	}
}

// yields answers the second tray at c. It shows the window of this one, or reports
// that this one must end.
func (f *first) yields(ctx context.Context, c net.Conn) bool {
	c.SetDeadline(time.Now().Add(helloTime))
	var there desktop.Session
	if json.NewDecoder(io.LimitReader(c, helloSize)).Decode(&there) != nil {
		there = nil // an older tray, which sends nothing and expects the window
	}
	now := programFile()
	replaced := f.program != nil && (now == nil || !os.SameFile(f.program, now))
	if there != nil && (replaced || desktop.Here().Left(there)) {
		return true
	}
	select {
	case f.knocks <- struct{}{}:
	case <-time.After(shownTime):
		return there != nil
	case <-ctx.Done():
	}
	return false
}

// knock asks the first tray to show its window, and waits for the answer. It
// reports whether that tray has ended instead.
func knock(ctx context.Context, agentSocket string) (yields bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, knockTime)
	defer cancel()
	c, err := client.DialPatiently(ctx, traySocket(agentSocket))
	if err != nil {
		return false, fmt.Errorf("another curfew-tray runs and %w: %w", errSilent, err)
	}
	defer c.Close()
	process := client.AsProcess(c)
	defer context.AfterFunc(ctx, func() { c.Close() })()
	_ = json.NewEncoder(c).Encode(desktop.Here()) // an older tray closes without reading
	answer, _ := io.ReadAll(c)                    // ends with the window, or with the other tray
	if ctx.Err() != nil {
		return false, fmt.Errorf("another curfew-tray runs%s and %w", process, errSilent)
	}
	return string(answer) == yours, nil
}
