package engine

import (
	"sync"
	"time"
)

// A Clock tells the time that counts for sessions. Neither turning the wall
// clock back nor turning it forward and back may change how long a session
// lives, so the wall clock is held against the boot clock, which nobody sets
// and which runs on in suspend, and against the Date of servers' answers. It
// is safe for concurrent use.
type Clock struct {
	wall func() time.Time
	boot func() (time.Duration, string)

	mu     sync.Mutex
	anchor Anchor
	off    time.Duration // how far a server found the wall clock to be ahead; 0: not
	known  bool          // this boot's time has had a witness: anchors of other boots say nothing any more
}

// An Anchor is a moment at which the time was known. It is kept with each
// session, so that the boot clock counts on over a restart of the agent.
type Anchor struct {
	At     time.Time     `json:"at"`
	Boot   time.Duration `json:"boot"`    // since the machine started, suspend included
	BootID string        `json:"boot_id"` // a boot clock means nothing in another boot
	Sure   bool          `json:"sure"`    // At has a witness besides the wall clock
}

// clockTolerance is how far wall and boot clock may drift apart between two
// looks (slewing, leap seconds, rounding) before they contradict each other.
const clockTolerance = 2 * time.Minute

// NewClock returns a Clock. wall nil means time.Now; boot nil means the OS's
// boot clock. boot returns the time since boot, suspend included, and an
// identity of the boot; an empty identity means that there is no such clock.
func NewClock(wall func() time.Time, boot func() (time.Duration, string)) *Clock {
	if wall == nil {
		wall = time.Now
	}
	if boot == nil {
		boot = bootClock
	}
	c := &Clock{wall: wall, boot: boot}
	b, id := boot()
	c.anchor = Anchor{At: wall().Round(0), Boot: b, BootID: id, Sure: true}
	return c
}

// A Reading is what a Clock says of one moment.
type Reading struct {
	Now time.Time // the best estimate of the true time; it has no monotonic reading

	// Suspect: wall clock and boot clock contradict each other and no server
	// has settled it.
	Suspect bool

	// Sure: Now has a witness besides the wall clock: the boot clock since an
	// earlier moment, or a server. After a reboot it has none until a server
	// answers, and a session must not be ended for good on the word of the
	// wall clock alone: it may be the wrong one (an empty battery, a dual boot).
	Sure bool
}

// Read judges the clocks and, when they agree, moves the anchor on.
func (c *Clock) Read() Reading {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.readLocked()
}

// Now is the time of [Clock.Read] for what needs no more.
func (c *Clock) Now() time.Time { return c.Read().Now }

// Anchor returns the present moment, for keeping with a session.
func (c *Clock) Anchor() Anchor {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readLocked()
	return c.anchor
}

// Recall tells the clock of an anchor that was kept with a session: it was
// then at least that late, and within the same boot the boot clock tells how
// long ago that was.
func (c *Clock) Recall(a Anchor) {
	if a.At.IsZero() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	boot, id := c.boot()
	switch sameBoot := id != "" && a.BootID == id && a.Boot <= boot; {
	case sameBoot:
		if a.At.Add(boot-a.Boot).After(c.anchor.At.Add(boot-c.anchor.Boot)) || !c.anchor.Sure {
			c.anchor = a
		}
		c.known = c.known || a.Sure
	case !c.known:
		// All that is known of the time between that boot and this one is
		// what the wall clock says.
		c.anchor.Sure = false
		if a.At.After(c.anchor.At) {
			c.anchor = Anchor{At: a.At, Boot: a.Boot, BootID: a.BootID}
		}
	}
}

// Confirm tells the clock of a server's time, which settles a contradiction.
// A zero time says nothing.
func (c *Clock) Confirm(server time.Time) {
	if server.IsZero() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	boot, id := c.boot()
	wall := c.wall().Round(0)
	_, suspect := judge(c.anchor, wall.Add(-c.off), boot, id)
	switch {
	case absDuration(wall.Sub(server)) <= clockTolerance:
		c.known = true
		now, _ := judge(Anchor{}, wall, boot, id)
		c.anchor, c.off = Anchor{At: now, Boot: boot, BootID: id, Sure: true}, 0
	case suspect || !c.anchor.Sure:
		c.known = true
		c.anchor, c.off = Anchor{At: server, Boot: boot, BootID: id, Sure: true}, wall.Sub(server)
	}
}

func (c *Clock) readLocked() Reading {
	boot, id := c.boot()
	wall := c.wall().Round(0)
	now, suspect := judge(c.anchor, wall, boot, id)
	switch {
	case !suspect:
		c.off = 0
	case c.off != 0:
		now, suspect = judge(c.anchor, wall.Add(-c.off), boot, id)
	}
	if !suspect {
		c.anchor = Anchor{At: now, Boot: boot, BootID: id, Sure: c.anchor.Sure && c.anchor.BootID == id}
	}
	return Reading{Now: now, Suspect: suspect, Sure: c.anchor.Sure && !suspect}
}

// judge says what time it is, given an earlier moment and both clocks now,
// and whether they contradict each other.
//
// Within one boot the boot clock is the better witness: it tells the time
// since the anchor, and a wall clock that says otherwise was set. Over a
// reboot the wall clock is the only witness; it is believed unless it is
// earlier than a moment that is known to have been.
func judge(a Anchor, wall time.Time, boot time.Duration, bootID string) (now time.Time, suspect bool) {
	if a.At.IsZero() {
		return wall, false
	}
	now = a.At
	if a.BootID != "" && a.BootID == bootID && boot >= a.Boot {
		now = a.At.Add(boot - a.Boot)
		if absDuration(wall.Sub(now)) > clockTolerance {
			return now, true
		}
	} else if wall.Before(now.Add(-clockTolerance)) {
		return now, true
	}
	if wall.After(now) {
		now = wall
	}
	return now, false
}

func absDuration(d time.Duration) time.Duration {
	if d < 0 {
		return -d
	}
	return d
}
