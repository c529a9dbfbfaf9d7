package clock

import (
	"net/http"
	"testing"
	"time"
)

// machine is a computer whose clocks a test turns.
type machine struct {
	wall time.Time
	up   time.Duration
	boot string
}

func (m *machine) clock() *Clock {
	return New(func() time.Time { return m.wall }, func() (time.Duration, string) { return m.up, m.boot })
}

// signIn returns the clock of an account that signs in now.
func (m *machine) signIn() *Clock {
	c := m.clock()
	c.Anchor()
	return c
}

// run lets time pass, awake or suspended: both clocks count it.
func (m *machine) run(d time.Duration) { m.wall, m.up = m.wall.Add(d), m.up+d }

// reboot starts the machine again after being off for d, with the wall clock
// off by wrong.
func (m *machine) reboot(d, wrong time.Duration) {
	m.wall, m.up, m.boot = m.wall.Add(d+wrong), time.Minute, m.boot+"'"
}

var t0 = time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)

const aDay = 24 * time.Hour

func newMachine() *machine { return &machine{wall: t0, up: time.Hour, boot: "boot"} }

func (m *machine) want(t *testing.T, c *Clock, now time.Time, suspect, sure bool) {
	t.Helper()
	if got := c.Now(); !got.Equal(now) {
		t.Errorf("Now = %v, want %v", got, now)
	}
	if got := c.Read().Suspect; got != suspect {
		t.Errorf("Suspect = %v, want %v", got, suspect)
	}
	if got := c.Read().Sure; got != sure {
		t.Errorf("Sure = %v, want %v", got, sure)
	}
}

func TestClockRunsAndSuspends(t *testing.T) {
	m := newMachine()
	c := m.signIn()
	m.run(time.Hour)
	m.want(t, c, t0.Add(time.Hour), false, true)
	m.run(31 * aDay)
	m.want(t, c, t0.Add(31*aDay+time.Hour), false, true)
}

func TestClockSlews(t *testing.T) {
	m := newMachine()
	c := m.signIn()
	for hour := range 1000 {
		m.run(time.Hour)
		m.wall = m.wall.Add(time.Second) // in the end they are a quarter of an hour apart
		m.want(t, c, t0.Add(time.Duration(hour+1)*time.Hour), false, true)
	}
}

func TestClockSetBack(t *testing.T) {
	m := newMachine()
	c := m.signIn()
	m.run(time.Hour)
	m.wall = m.wall.Add(-60 * aDay)
	m.want(t, c, t0.Add(time.Hour), true, false)
	m.run(30 * aDay)
	if got, want := c.Now(), t0.Add(30*aDay+time.Hour); !got.Equal(want) {
		t.Errorf("30 days later Now = %v, want %v", got, want)
	}
}

func TestClockSetForwardAndBack(t *testing.T) {
	m := newMachine()
	c := m.signIn()
	m.run(time.Hour)
	m.wall = m.wall.Add(60 * aDay)
	m.want(t, c, t0.Add(time.Hour), true, false)
	m.run(time.Hour)
	m.wall = m.wall.Add(-60 * aDay)
	m.want(t, c, t0.Add(2*time.Hour), false, true)
}

// A virtual machine was paused. The boot clock stood still and the wall clock
// was corrected. The server knows the time.
func TestClockBootStoodStill(t *testing.T) {
	m := newMachine()
	c := m.signIn()
	m.wall = m.wall.Add(8 * time.Hour)
	m.want(t, c, t0, true, false)
	c.Confirm(t0.Add(8 * time.Hour))
	m.want(t, c, t0.Add(8*time.Hour), false, true)
}

func TestClockServerSettles(t *testing.T) {
	m := newMachine()
	c := m.signIn()
	m.run(time.Hour)
	m.wall = m.wall.Add(60 * aDay)
	c.Confirm(t0.Add(time.Hour)) // the wall clock is wrong, and known to be
	m.want(t, c, t0.Add(time.Hour), false, true)
	m.run(time.Hour)
	m.want(t, c, t0.Add(2*time.Hour), false, true)
	m.wall = m.wall.Add(-60 * aDay)
	m.want(t, c, t0.Add(2*time.Hour), false, true)
	m.run(time.Hour)
	m.want(t, c, t0.Add(3*time.Hour), false, true)
}

func TestClockAfterReboot(t *testing.T) {
	tests := []struct {
		name    string
		off     time.Duration
		wrong   time.Duration
		now     time.Duration // since t0
		suspect bool
	}{
		{"a night", 8 * time.Hour, 0, 8 * time.Hour, false},
		{"a month", 31 * aDay, 0, 31 * aDay, false},
		{"an empty battery", 8 * time.Hour, -50 * 365 * aDay, 0, true},
		{"a clock of the future", 8 * time.Hour, 60 * aDay, 60*aDay + 8*time.Hour, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine()
			kept := m.clock().Anchor()
			m.reboot(tt.off, tt.wrong)
			c := m.clock()
			c.Recall(kept)
			m.want(t, c, t0.Add(tt.now), tt.suspect, false)
			c.Confirm(t0.Add(tt.off))
			m.want(t, c, t0.Add(tt.off), false, true)
			c.Recall(kept) // of another account, whose keychain item came late
			m.want(t, c, t0.Add(tt.off), false, true)
		})
	}
}

// One anchor of this boot is worth more than any of another, in any order.
func TestClockRecallOfTwoBoots(t *testing.T) {
	m := newMachine()
	old := m.clock().Anchor()
	m.reboot(8*time.Hour, 0)
	first := m.clock()
	first.Recall(old)
	first.Confirm(t0.Add(8 * time.Hour))
	fresh := first.Anchor()
	m.run(time.Hour)
	for _, anchors := range [][]Anchor{{old, fresh}, {fresh, old}, {old, fresh, old}} {
		c := m.clock()
		for _, a := range anchors {
			c.Recall(a)
		}
		m.want(t, c, t0.Add(9*time.Hour), false, true)
	}
}

func TestClockRestartInOneBoot(t *testing.T) {
	m := newMachine()
	kept := m.clock().Anchor()
	m.run(3 * aDay)
	m.wall = m.wall.Add(-60 * aDay)
	c := m.clock() // the agent starts after the clock was turned
	c.Recall(kept)
	m.want(t, c, t0.Add(3*aDay), true, false)
}

func TestClockConfirmOfAnotherOpinion(t *testing.T) {
	m := newMachine()
	c := m.signIn()
	m.run(time.Hour)
	c.Confirm(t0.Add(-90 * aDay)) // the server's clock is wrong; ours agree with each other
	m.want(t, c, t0.Add(time.Hour), false, true)
	c.Confirm(time.Time{})
	m.want(t, c, t0.Add(time.Hour), false, true)
}

func TestBootClock(t *testing.T) {
	a, id := bootClock()
	b, again := bootClock()
	if id == "" || id != again || a <= 0 || b < a {
		t.Errorf("bootClock = %v %q, then %v %q", a, id, b, again)
	}
}

// A Date that no server has settles nothing and breaks nothing.
func TestClockOfNoYear(t *testing.T) {
	m := newMachine()
	kept := m.signIn().Anchor()
	m.reboot(8*time.Hour, 60*aDay)
	c := m.clock()
	c.Recall(kept)
	for _, date := range []string{"Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"} {
		d, err := http.ParseTime(date)
		if err != nil {
			t.Fatal(err)
		}
		if c.Confirm(d); c.Read().Sure {
			t.Errorf("%s has confirmed a clock that is 60 days wrong", date)
		}
	}
}
