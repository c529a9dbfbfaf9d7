package desktop

import "testing"

func TestSession(t *testing.T) {
	for _, name := range sessionVariables {
		t.Setenv(name, "")
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/run/user/1000/bus")
	ssh := Here()
	t.Setenv("DISPLAY", ":0")
	first := Here()
	t.Setenv("XAUTHORITY", "/run/user/1000/xauth_1")
	again := Here()
	for _, tt := range []struct {
		name     string
		was, now Session
		want     bool
	}{
		{"from a terminal of the same session", first, first, false},
		{"at the next login", first, again, true},
		{"over ssh", first, ssh, false},
		{"after a start over ssh", ssh, first, true},
	} {
		if got := tt.was.Left(tt.now); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}
