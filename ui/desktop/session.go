package desktop

import "os"

// A Session is the desktop session that a program was started in, as its
// environment names it: variables and their values.
type Session map[string]string

// What of the environment belongs to a session, and the part of it that a
// program without a display lacks.
var (
	sessionVariables = []string{
		"DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "XDG_CURRENT_DESKTOP", "SWAYSOCK",
	}
	displayVariables = []string{"DISPLAY", "WAYLAND_DISPLAY"}
)

// Here returns the session of this program.
func Here() Session {
	s := make(Session)
	for _, name := range sessionVariables {
		if value := os.Getenv(name); value != "" {
			s[name] = value
		}
	}
	return s
}

// Left reports whether a program that runs in s is not where the person is
// now: somebody started it again in another session, one with a display. A
// start over ssh, which has none, moves nothing.
func (s Session) Left(now Session) bool {
	display, moved := false, false
	for _, name := range displayVariables {
		display = display || now[name] != ""
	}
	for _, name := range sessionVariables {
		moved = moved || s[name] != now[name]
	}
	return display && moved
}
