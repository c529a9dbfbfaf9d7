package main

import (
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// A session is the D-Bus session in which the agent finds the keychain. The
// agent may have been started where there is none (ssh, cron), or outlive the
// desktop that it was started in. Then it takes over the session of a program
// that asks it: nobody has to end it by hand. One that answers is kept.
type session struct {
	log   *slog.Logger
	moved func() // the keychain is to be looked for again

	mu   sync.Mutex
	seen string // the address that was looked at last
	at   time.Time
}

// sessionPause is how long an address that was not taken over is not looked at
// again.
const sessionPause = 5 * time.Second

// offer takes over the session at bus, if the agent's own is gone.
func (s *session) offer(bus string) {
	own := os.Getenv("DBUS_SESSION_BUS_ADDRESS")
	if bus == own {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if bus == s.seen && time.Since(s.at) < sessionPause {
		return
	}
	s.seen, s.at = bus, time.Now()
	if own != "" && answers(own) || !answers(bus) {
		return
	}
	s.log.Info("the agent follows to another D-Bus session", "from", own, "to", bus)
	os.Setenv("DBUS_SESSION_BUS_ADDRESS", bus)
	s.moved()
}

// answers reports whether somebody listens at a D-Bus address on this machine.
func answers(address string) bool {
	for one := range strings.SplitSeq(address, ";") {
		kind, keys, _ := strings.Cut(one, ":")
		if kind != "unix" {
			continue
		}
		for key := range strings.SplitSeq(keys, ",") {
			name, value, _ := strings.Cut(key, "=")
			switch name {
			case "abstract":
				value = "@" + value
			case "path":
			default:
				continue
			}
			conn, err := net.DialTimeout("unix", value, time.Second)
			if err == nil {
				conn.Close()
				return true
			}
		}
	}
	return false
}
