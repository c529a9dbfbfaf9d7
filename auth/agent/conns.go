package agent

import (
	"net"
	"net/http"
	"sync"
	"time"

	"curfew/auth"
	"curfew/auth/agent/caller"
)

// mostConns is how many connections are served at a time where nothing limits them.
const mostConns = 1024

// maxConns is for one socket of two: the guests' has as many. That leaves a third of
// the files that may be open to the rest of the agent.
func maxConns() int { return max(1, OpenFiles()/3) }

// listener hands out at most cap(slots) connections at a time. When all are taken,
// a new one takes the place of one that sends nothing: at once if that has had an
// answer, and after the grace if its first request or the rest of one is missing.
// One that is being answered stays, and a new one waits.
type listener struct {
	net.Listener
	slots  chan struct{}
	once   sync.Once
	closed chan struct{}
	grace  time.Duration

	mu      sync.Mutex
	waits   map[*conn]time.Time // those that have yet to send a request, and from when they give way
	crowded bool                // somebody waits for a slot
}

// limit makes l hand out at most that many connections.
func limit(l net.Listener, most int, grace time.Duration) *listener {
	return &listener{Listener: l, slots: make(chan struct{}, most), closed: make(chan struct{}), grace: grace, waits: map[*conn]time.Time{}}
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if !l.take() {
		c.Close()
		return nil, net.ErrClosed
	}
	return &conn{Conn: c, listener: l, release: sync.OnceFunc(func() { <-l.slots })}, nil
}

// take waits for a slot, and closes connections that give way until it has one.
// It reports false when the listener is closed.
func (l *listener) take() bool {
	select {
	case l.slots <- struct{}{}:
		return true
	default:
	}
	l.setCrowded(true)
	defer l.setCrowded(false)
	for {
		again := time.NewTimer(l.evict(time.Now()))
		select {
		case l.slots <- struct{}{}:
			again.Stop()
			return true
		case <-l.closed:
			again.Stop()
			return false
		case <-again.C:
		}
	}
}

func (l *listener) setCrowded(crowded bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.crowded = crowded
}

// evict closes the connection that was to give way the earliest, if there is one
// by now. It returns when to look again.
func (l *listener) evict(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	var first *conn
	for c, at := range l.waits {
		if first == nil || at.Before(l.waits[first]) {
			first = c
		}
	}
	if first == nil {
		return l.grace
	}
	if wait := l.waits[first].Sub(now); wait > 0 {
		return wait
	}
	delete(l.waits, first)
	first.Close()
	return l.grace
}

// note records which connections may give way, as an [http.Server] reports to its
// ConnState.
func note(c net.Conn, state http.ConnState) {
	ours, ok := c.(*conn)
	if !ok {
		return
	}
	l := ours.listener
	l.mu.Lock()
	defer l.mu.Unlock()
	switch state {
	case http.StateNew, http.StateActive: // active: the header has come
		l.waits[ours] = time.Now().Add(l.grace)
	case http.StateIdle:
		if l.crowded {
			ours.Close()
			return
		}
		l.waits[ours] = time.Now()
	default:
		delete(l.waits, ours)
	}
}

// received records that all of a request has come: its connection stays until it
// is answered.
func received(c net.Conn) {
	if ours, ok := c.(*conn); ok {
		ours.listener.mu.Lock()
		defer ours.listener.mu.Unlock()
		delete(ours.listener.waits, ours)
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// conn is a connection that has a slot.
type conn struct {
	net.Conn
	listener *listener
	release  func()
}

func (c *conn) Close() error {
	defer c.release()
	return c.Conn.Close()
}

// whoIs says which program is at the other end, and if it shall, what led to it.
func whoIs(c net.Conn, claimed string, deep bool) auth.Caller {
	if ours, ok := c.(*conn); ok {
		if socket, ok := ours.Conn.(*net.UnixConn); ok {
			return caller.Of(socket, claimed, deep)
		}
	}
	return auth.Caller{Claimed: claimed}
}
