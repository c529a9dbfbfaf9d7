package engine

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"curfew/auth"
	"curfew/auth/engine/clock"
)

var (
	clockLives   = flag.Int("clock.lives", 10_000, "how many lives of a clock to play")
	oneClockLife = flag.Uint64("clock.life", 0, "play this one life alone, and log it")
)

// TestClockLives plays sessions on machines whose clocks are turned. The
// machines are suspended, paused and started again. Some servers give a wrong
// time. It wants of each:
//   - It is never ended before 30 true days.
//   - It is ended within five minutes of 30 true days once its own server has
//     answered.
//   - No wait outlives its own length once the clock is right.
func TestClockLives(t *testing.T) {
	first, n := uint64(1), uint64(*clockLives)
	if *oneClockLife > 0 {
		first, n = *oneClockLife, 1
	}
	for seed := first; seed < first+n; seed++ {
		l := newClockLife(seed, *oneClockLife > 0)
		for l.failed == "" && l.age() < 45*aDay {
			l.step()
		}
		if l.failed != "" {
			t.Errorf("life %d, after %v: %s\nplay it again: go test ./auth/engine -run TestClockLives -args -clock.life=%d", seed, l.age(), l.failed, seed)
			for _, line := range l.log {
				t.Log(line)
			}
			return
		}
	}
	t.Logf("%d lives, of 45 days at most: none ended too early, none too late", n)
}

// clockLife is one session on one machine.
type clockLife struct {
	draw    *rand.Rand
	now     time.Time // the true time
	wrong   time.Duration
	up      time.Duration
	boot    int
	mac     bool // the boot clock counts within one run of the agent
	run     int
	paused  bool // the boot clock has lost time that no server has reported yet
	a       *account
	session auth.Session
	started time.Time // the true time of the sign-in
	barred  time.Time // the true time at which a wait of at most an hour began
	rightAt time.Time // since when the wall clock has been right
	verbose bool
	log     []string
	failed  string
}

func newClockLife(seed uint64, verbose bool) *clockLife {
	l := &clockLife{draw: rand.New(rand.NewPCG(seed, 30)), now: t0, up: time.Hour, verbose: verbose}
	l.mac = l.draw.IntN(4) == 0
	if l.draw.IntN(3) == 0 {
		l.wrong = l.anyTurn()
	}
	l.rightAt = l.now
	l.a = &account{clock: l.clock()}
	l.answer()
	l.started, l.session.SignedInAt = l.now, l.a.clock.Now()
	return l
}

func (l *clockLife) clock() *clock.Clock {
	return clock.New(func() time.Time { return l.now.Add(l.wrong) }, func() (time.Duration, string) {
		if l.mac {
			return l.up, fmt.Sprint("run ", l.run)
		}
		return l.up, fmt.Sprint("boot ", l.boot)
	})
}

func (l *clockLife) age() time.Duration { return l.now.Sub(l.started) }

// anyTurn is how far somebody turns a clock.
func (l *clockLife) anyTurn() time.Duration {
	span := []time.Duration{time.Minute, time.Hour, aDay, 60 * aDay, 20 * 365 * aDay, 140 * 365 * aDay}[l.draw.IntN(6)]
	return time.Duration(l.draw.Int64N(int64(2*span))) - span
}

// anySpan is how long something takes: seconds to days.
func (l *clockLife) anySpan() time.Duration {
	span := []time.Duration{time.Minute, time.Hour, 8 * time.Hour, 5 * aDay}[l.draw.IntN(4)]
	return time.Duration(l.draw.Int64N(int64(span)))
}

// pass lets time pass, awake or suspended.
func (l *clockLife) pass(d time.Duration) { l.now, l.up = l.now.Add(d), l.up+d }

// answer is an answer of the account's own server, which gives whole seconds.
// What it says of the time is kept with what it brought.
func (l *clockLife) answer() {
	l.paused = false
	l.a.clock.Confirm(l.now.Truncate(time.Second))
	l.a.facts.Clock = l.a.clock.Anchor()
}

// agent starts the agent again, on what the last one kept.
func (l *clockLife) agent() {
	kept := l.a.facts.Clock
	l.run++
	l.a = &account{clock: l.clock()}
	l.a.clock.Recall(kept)
	l.a.facts.Clock = kept
	l.barred = time.Time{} // a wait is not kept
}

func (l *clockLife) step() {
	what := "time passes"
	switch l.draw.IntN(12) {
	case 0:
		if !l.paused { // two faults that cancel each other out cannot be seen
			what, l.wrong = "the clock is turned", l.anyTurn()
		}
	case 1, 2:
		what, l.wrong, l.rightAt = "the clock is put right", 0, l.now
	case 3:
		what = "a new boot"
		l.pass(l.anySpan())
		l.boot, l.up, l.paused = l.boot+1, time.Minute, false
		if l.draw.IntN(3) == 0 {
			l.wrong = l.anyTurn()
		}
		l.agent()
	case 4:
		what = "the agent starts again"
		l.agent()
	case 5:
		if l.wrong == 0 {
			what = "a paused machine: its boot clock stands, its wall clock is put right"
			l.now = l.now.Add(l.anySpan())
			l.rightAt, l.paused = l.now, true
		}
	case 6:
		what = "a wait begins"
		l.barred = l.now
		l.a.retry.at = l.a.readLocked().Now.Add(time.Hour)
	case 7:
		what = "what is known is kept"
		l.a.readLocked()
		l.a.facts.Clock = l.a.clock.Anchor()
	default:
		l.pass(l.anySpan())
	}
	l.look(what)
	if l.draw.IntN(4) == 0 {
		l.answer()
		l.look("its server answers")
		l.judge()
	}
}

// look reads the clock, as the owner of the session does all the time.
func (l *clockLife) look(what string) {
	t := l.a.readLocked()
	if l.wrong != 0 {
		l.rightAt = time.Time{}
	} else if l.rightAt.IsZero() {
		l.rightAt = l.now
	}
	if l.verbose {
		l.log = append(l.log, fmt.Sprintf("%v: %s; the wall clock is wrong by %v; off by %v, %+v", l.age(), what, l.wrong, t.Now.Sub(l.session.SignedInAt)-l.age(), t))
	}
	ended := t.Sure && !t.Suspect && l.session.Over(auth.BuiltIn, t.Now) != ""
	if ended && l.age() < 30*aDay-5*time.Minute {
		l.failed = "ended too early"
	}
	since := l.barred
	if l.rightAt.After(since) {
		since = l.rightAt
	}
	if !l.barred.IsZero() && !l.rightAt.IsZero() && l.now.Sub(since) > time.Hour+5*time.Minute && t.Now.Before(l.a.retry.at) {
		l.failed = fmt.Sprintf("a wait of an hour has not ended %v after the clock was right", l.now.Sub(since))
	}
}

// judge: its own server has just answered.
func (l *clockLife) judge() {
	t := l.a.readLocked()
	if t.Suspect {
		l.failed = "its own server did not settle the time"
	}
	if off := t.Now.Sub(l.session.SignedInAt) - l.age(); off > 5*time.Minute || off < -5*time.Minute {
		l.failed = fmt.Sprintf("the age is off by %v, though its own server has answered", off)
	}
	if l.age() > 30*aDay+5*time.Minute && l.session.Over(auth.BuiltIn, t.Now) == "" {
		l.failed = "it lives on"
	}
}
