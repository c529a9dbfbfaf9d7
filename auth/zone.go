package auth

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Local returns t in the time zone that the machine has now. Package time
// reads the zone once, and programs like ours outlive a journey.
func Local(t time.Time) time.Time { return machineZone().local(t) }

var machineZone = sync.OnceValue(func() *zoneFile { return newZoneFile("/etc/localtime") })

// zoneFile is the file that the zone comes from, as package time finds it.
type zoneFile struct {
	path string // "": the zone is named, and stays

	mu   sync.Mutex
	seen os.FileInfo    // nil: there was none
	loc  *time.Location // nil: as package time has it
}

// newZoneFile looks at TZ, which may name a file, and else at the file of the system.
func newZoneFile(system string) *zoneFile {
	z := &zoneFile{path: system}
	if tz, set := os.LookupEnv("TZ"); set {
		if z.path = strings.TrimPrefix(tz, ":"); !filepath.IsAbs(z.path) {
			z.path = ""
		}
	}
	z.seen, _ = os.Stat(z.path)
	return z
}

func (z *zoneFile) local(t time.Time) time.Time {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.path != "" {
		z.look()
	}
	if z.loc == nil {
		return t.Local()
	}
	return t.In(z.loc)
}

// look reads the file again where it is another one. One that says nothing
// changes nothing.
func (z *zoneFile) look() {
	fi, err := os.Stat(z.path)
	if err != nil || z.seen != nil && os.SameFile(fi, z.seen) && fi.ModTime().Equal(z.seen.ModTime()) {
		return
	}
	z.seen = fi
	data, err := os.ReadFile(z.path)
	if err != nil {
		return
	}
	if loc, err := time.LoadLocationFromTZData("Local", data); err == nil {
		z.loc = loc
	}
}
