package auth

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// zoneData returns the data of a zone at a fixed distance from UTC.
func zoneData(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("/usr/share/zoneinfo", name))
	if err != nil {
		t.Skip(err)
	}
	return b
}

// TestLocal: another time zone of the machine is in effect at once, whether its
// file is written again or another one takes its place.
func TestLocal(t *testing.T) {
	utc, tokyo, kolkata := zoneData(t, "UTC"), zoneData(t, "Asia/Tokyo"), zoneData(t, "Asia/Kolkata")
	path := filepath.Join(t.TempDir(), "localtime")
	write := func(path string, data []byte, at int64) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Unix(at, 0), time.Unix(at, 0)); err != nil {
			t.Fatal(err)
		}
	}
	write(path, utc, 1)
	noon := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	t.Setenv("TZ", "Europe/Berlin")
	if z := newZoneFile(path); z.path != "" {
		t.Errorf("TZ names a zone, and %s is read", z.path)
	}
	os.Unsetenv("TZ")
	z := newZoneFile(path)
	if z.path != path || !z.local(noon).Equal(noon) || z.local(noon).Location() != time.Local {
		t.Errorf("%s: %v", z.path, z.local(noon))
	}
	says := func(want string) {
		t.Helper()
		if got := z.local(noon).Format("15:04"); got != want {
			t.Errorf("noon is %s, want %s", got, want)
		}
	}
	write(path, tokyo, 2)
	says("21:00")
	write(path+".new", kolkata, 2)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	says("17:30")
	os.Remove(path)
	says("17:30")
	write(path, []byte("none"), 3)
	says("17:30")
	z = newZoneFile(path + ".later") // a machine that has none yet
	z.local(noon)
	write(z.path, tokyo, 1)
	says("21:00")
}
