// Package door opens the port that a browser comes back to, and keeps the number
// of its open connections small. Its one hard idea is that a crowd never keeps the
// browser out: one connection too many closes the oldest, so that idle ones cannot
// block the port.
package door

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
)

// Listen opens a port of host, "0" for a free one, and returns it. The name
// localhost is opened on 127.0.0.1 and on [::1], since a browser may try either,
// and what we leave open another program could take.
func Listen(host, port string) ([]net.Listener, string, error) {
	if host != "localhost" {
		ln, err := net.Listen("tcp", net.JoinHostPort(host, port))
		if err != nil {
			return nil, "", err
		}
		return []net.Listener{ln}, portOf(ln), nil
	}
	for try := 0; ; try++ {
		v4, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			return nil, "", err
		}
		v6, err := net.Listen("tcp6", net.JoinHostPort("::1", portOf(v4)))
		if err == nil {
			return []net.Listener{v4, v6}, portOf(v4), nil
		}
		if !HasIPv6() {
			return []net.Listener{v4}, portOf(v4), nil
		}
		v4.Close()
		if port != "0" || try == 9 {
			return nil, "", err
		}
	}
}

// HasIPv6 reports whether this machine has an IPv6 loopback address.
func HasIPv6() bool {
	ln, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		return false
	}
	ln.Close()
	return true
}

func portOf(ln net.Listener) string {
	return strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
}

// Most is how many connections may be open at once.
const Most = 32

// A Door counts the connections of any number of listeners together. The zero
// Door is ready for use.
type Door struct {
	mu     sync.Mutex
	inside []*visitor // oldest first
}

// Guard returns ln with its connections counted.
func (d *Door) Guard(ln net.Listener) net.Listener { return &guarded{ln, d} }

// Context is the ConnContext of an [http.Server] at a door.
func Context(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, key{}, conn)
}

// Keep makes the connection of a request stay, however many come after it.
func Keep(r *http.Request) {
	if v, ok := r.Context().Value(key{}).(*visitor); ok {
		v.kept.Store(true)
	}
}

type key struct{}

type guarded struct {
	net.Listener
	door *Door
}

type visitor struct {
	net.Conn
	door *Door
	kept atomic.Bool
}

func (l *guarded) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	v := &visitor{Conn: conn, door: l.door}
	l.door.enter(v)
	return v, nil
}

func (d *Door) enter(v *visitor) {
	d.mu.Lock()
	d.inside = append(d.inside, v)
	var oldest *visitor
	if len(d.inside) > Most {
		if i := slices.IndexFunc(d.inside, func(v *visitor) bool { return !v.kept.Load() }); i >= 0 {
			oldest = d.inside[i]
		}
	}
	d.mu.Unlock()
	if oldest != nil {
		_ = oldest.Close() // nobody waits for it
	}
}

// Clear closes the connections of those that nobody keeps.
func (d *Door) Clear() {
	d.mu.Lock()
	idle := slices.DeleteFunc(slices.Clone(d.inside), func(v *visitor) bool { return v.kept.Load() })
	d.mu.Unlock()
	for _, v := range idle {
		_ = v.Close() // nobody waits for it
	}
}

func (v *visitor) Close() error {
	d := v.door
	d.mu.Lock()
	d.inside = slices.DeleteFunc(d.inside, func(other *visitor) bool { return other == v })
	d.mu.Unlock()
	return v.Conn.Close()
}
