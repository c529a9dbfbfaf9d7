// Package clock tells the time that counts for a session, whatever somebody
// does to the machine's clocks. Its one hard idea is that evidence about time
// belongs to one account: see [Clock].
package clock

import (
	"sync"
	"time"
)

// A Clock tells the time that counts for one account's session. Turning the
// wall clock must neither lengthen a session nor shorten it, so two witnesses
// check it. The boot clock cannot be set, and runs on in suspend. The Date of
// the account's own server is the other one. Each account has its own Clock, so
// no server moves the time of another's session.
//
// What counts is how much time passed since the anchor:
//   - In the boot of the anchor the boot clock says it exactly.
//   - In another boot the account's server says it. Until it has answered, the
//     wall clock is believed as far as it is plausible, but a session is never
//     ended on its word.
//
// A Clock is safe for concurrent use.
type Clock struct {
	wall func() time.Time
	boot func() (time.Duration, string)

	mu     sync.Mutex
	anchor Anchor // zero until the account has a session: the wall clock's word is all there is
}

// An Anchor is a moment at which the time was known. It is kept with the
// session, so that the count goes on over a restart of the agent.
type Anchor struct {
	At     time.Time     `json:"at"`
	Wall   time.Time     `json:"wall,omitzero"` // what the wall clock said then; zero: the same
	Boot   time.Duration `json:"boot"`          // since the machine started, suspend included
	BootID string        `json:"boot_id"`       // a boot clock means nothing in another boot
}

// Another returns a Clock of the same machine that knows nothing yet.
func (c *Clock) Another() *Clock { return New(c.wall, c.boot) }

// A Reading is what a Clock says of one moment.
type Reading struct {
	Now time.Time // the best estimate of the true time; it has no monotonic reading

	// Suspect: the clocks contradict each other, and the account's server has
	// not settled it.
	Suspect bool

	// Sure: the boot clock vouches for Now. A session must not be ended for
	// good on the word of the wall clock alone: that may be wrong after a
	// reboot (an empty battery, a dual boot).
	Sure bool
}

// Tolerance is how far two clocks may drift apart before they contradict
// each other. Slewing, rounding and the time that an answer travels make them
// drift.
const Tolerance = 2 * time.Minute

// A server's time is within these years.
const firstYear, lastYear = 2000, 2200

// New returns a Clock. wall nil means time.Now; boot nil means the OS's
// boot clock. boot returns the time since boot, suspend included, and an
// identity of the boot. An empty identity means that there is no such clock.
func New(wall func() time.Time, boot func() (time.Duration, string)) *Clock {
	if wall == nil {
		wall = time.Now
	}
	if boot == nil {
		boot = bootClock
	}
	return &Clock{wall: wall, boot: boot}
}

// Read judges the clocks. While they agree it moves the anchor on, so that
// slow drift never adds up to a contradiction.
func (c *Clock) Read() Reading {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.moment()
	r := judge(c.anchor, m)
	if r.Sure && !c.anchor.At.IsZero() {
		c.anchor = m.anchor(r.Now)
	}
	return r
}

// Now is the time of [Clock.Read] for callers that need only that.
func (c *Clock) Now() time.Time { return c.Read().Now }

// Anchor returns the latest moment at which the time was known, for keeping
// with a session. If there is none, the wall clock's present becomes it.
func (c *Clock) Anchor() Anchor {
	r := c.Read()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.anchor.At.IsZero() {
		c.anchor = c.moment().anchor(r.Now)
	}
	return c.anchor
}

// Recall takes an anchor that was kept with a session of the account. One of
// this boot is worth more than any other; else the later one counts.
func (c *Clock) Recall(a Anchor) {
	if a.At.IsZero() {
		return
	}
	if a.Wall.IsZero() {
		a.Wall = a.At
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.moment()
	switch mine, its := m.sameBoot(c.anchor), m.sameBoot(a); {
	case c.anchor.At.IsZero(), its && !mine, its == mine && a.At.After(c.anchor.At):
		c.anchor = a
	}
}

// Confirm hears the time of the account's own server. It decides where the boot
// clock cannot. That is at a first sign-in, after a reboot and when the clocks
// of this machine contradict each other. A zero time says nothing, and neither
// does one that no server has.
func (c *Clock) Confirm(server time.Time) {
	if server.Year() < firstYear || server.Year() > lastYear {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.moment()
	r := judge(c.anchor, m)
	earliest := c.anchor.At
	if m.sameBoot(c.anchor) { // the boot clock never runs fast; in a machine that was paused it stood still
		earliest = r.Now
	}
	switch {
	case r.Sure:
		return
	case server.Before(earliest.Add(-Tolerance)) && !earliest.IsZero():
		// The server's clock was put back since. It cannot say how much time passed.
	case Apart(server, r.Now):
		r.Now = server
	}
	c.anchor = m.anchor(r.Now)
}

// moment reads both clocks.
func (c *Clock) moment() moment {
	boot, id := c.boot()
	return moment{c.wall().Round(0), boot, id}
}

// A moment is what the clocks of the machine say at once.
type moment struct {
	wall time.Time
	boot time.Duration
	id   string // of the boot
}

// anchor is m as the moment at which it was at.
func (m moment) anchor(at time.Time) Anchor { return Anchor{at, m.wall, m.boot, m.id} }

// sameBoot reports whether the boot clock counts from a to m.
func (m moment) sameBoot(a Anchor) bool { return m.id != "" && m.id == a.BootID && m.boot >= a.Boot }

// since is the time of m, counted from a by the wall clock. If that was wrong
// then, it is just as wrong now.
func (m moment) since(a Anchor) time.Time { return a.At.Add(m.wall.Sub(a.Wall)) }

// judge says what time it is at m, given an earlier moment.
func judge(a Anchor, m moment) Reading {
	switch {
	case a.At.IsZero():
		return Reading{Now: m.wall}
	case m.sameBoot(a):
		// A wall clock that neither ran on with the boot clock nor is right was
		// set, or the boot clock stood still.
		now := a.At.Add(m.boot - a.Boot)
		suspect := Apart(m.since(a), now) && Apart(m.wall, now)
		return Reading{Now: now, Suspect: suspect, Sure: !suspect}
	}
	// A wall clock that was wrong is still as wrong, or was corrected. The
	// later of the two times is the safer guess. At worst it asks the server
	// early.
	now := Later(m.since(a), m.wall)
	return Reading{Now: Later(now, a.At), Suspect: now.Before(a.At.Add(-Tolerance)), Sure: m.id == ""}
}

// Later returns the later of a and b.
func Later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Apart reports whether a and b are further apart than clocks may drift.
func Apart(a, b time.Time) bool {
	d := a.Sub(b) // which saturates
	return d > Tolerance || d < -Tolerance
}
