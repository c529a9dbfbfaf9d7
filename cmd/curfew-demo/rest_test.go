//go:build linux

package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"curfew/auth"
	"curfew/auth/authserver"
)

// What Curfew may take when nothing happens: the tray and the agent together.
const (
	restTime   = 60 * time.Second
	mostCPU    = 0.1 // percent of one core
	mostWakes  = 5.0 // a second
	mostMemory = 35  // MB resident
)

var restLoad = flag.Float64("rest.load", 0.7, "the load average above which nothing is measured")

// awaitQuiet waits until the load average has fallen, for example after a build.
func awaitQuiet(t *testing.T, most float64) {
	t.Helper()
	if os.Getenv("CURFEW_DESKTOP") == "" {
		return // nothing is measured
	}
	waited := until(t.Context(), 3*time.Minute, "a quiet machine", func() bool { return loadAverage(t) <= most })
	if waited != nil {
		t.Fatalf("%v: the load average is %.2f, above %.2f, so the figures would be chance. Stop what else runs", waited, loadAverage(t), most)
	}
}

func loadAverage(t *testing.T) (load float64) {
	t.Helper()
	text, err := os.ReadFile("/proc/loadavg")
	check(t, err)
	_, err = fmt.Sscan(string(text), &load)
	check(t, err)
	return load
}

// usage is what a process took so far, or in a while, of the machine.
type restUsage struct {
	cpu   time.Duration
	wakes int // times that a thread gave up the processor and got it back
	rss   int // bytes
}

// measure reads the usage of processes from /proc.
func measure(t *testing.T, pids ...int) (u restUsage) {
	t.Helper()
	for _, pid := range pids {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
		if err != nil || len(tasks) == 0 {
			t.Fatalf("process %d has no threads, %v", pid, err)
		}
		for _, task := range tasks {
			u.wakes += field(t, task+"/status", "voluntary_ctxt_switches:")
			b, err := os.ReadFile(task + "/schedstat") // "ns-running ns-waiting slices"
			check(t, err)
			ran, err := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
			check(t, err)
			u.cpu += time.Duration(ran)
		}
		u.rss += 1024 * field(t, fmt.Sprintf("/proc/%d/status", pid), "VmRSS:")
	}
	return u
}

// field reads a number that follows a name in a file of /proc.
func field(t *testing.T, file, name string) int {
	t.Helper()
	b, err := os.ReadFile(file)
	check(t, err)
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		if words := strings.Fields(lines.Text()); len(words) > 1 && words[0] == name {
			n, err := strconv.Atoi(words[1])
			check(t, err)
			return n
		}
	}
	t.Fatalf("%s does not say %s", file, name)
	return 0
}

// TestRest measures three signed-in accounts while nothing happens, and what
// is left of the window's memory when it is closed.
func TestRest(t *testing.T) {
	awaitQuiet(t, *restLoad)
	p := sitDown(t, authserver.Config{})
	ctx := t.Context()
	accounts := []string{demoAccount, "spotify", "work"}
	for _, name := range accounts {
		a := p.account()
		a.Name, a.Refresh = name, auth.InUse
		check(t, p.client.Put(ctx, a))
		done := make(chan error, 1)
		go func() { _, err := p.succeed(ctx, "login", name); done <- err }()
		check(t, p.visit(ctx))
		check(t, <-done)
	}
	defer func() {
		for _, name := range accounts[1:] { // the demo removes its own
			if _, err := p.client.Remove(ctx, name); err != nil {
				t.Error(err)
			}
		}
	}()
	check(t, p.startTray())
	awaitIcon(t, p, "rest-icon")

	tray, agent := p.tray.Process.Pid, p.demo.agent.Process.Pid
	var rest, opens table // printed at the end, together
	rest.row("", "CPU, % of a core", "wake-ups a second", "memory, MB", "goal", "")
	line := func(what string, u restUsage, d time.Duration, goal string, met bool) {
		cpu, wakes := "", ""
		if d > 0 {
			cpu, wakes = fmt.Sprintf("%.3f", percent(u, d)), fmt.Sprintf("%.2f", float64(u.wakes)/d.Seconds())
		}
		rest.row(what, cpu, wakes, fmt.Sprintf("%.1f", float64(u.rss)/1e6), goal, metOrNot(goal, met))
	}
	// over measures processes for a while.
	over := func(d time.Duration, pids ...int) (all []restUsage) {
		t.Helper()
		before := make([]restUsage, len(pids))
		for i, pid := range pids {
			before[i] = measure(t, pid)
		}
		time.Sleep(d)
		for i, pid := range pids {
			u := measure(t, pid)
			u.cpu, u.wakes = u.cpu-before[i].cpu, u.wakes-before[i].wakes
			all = append(all, u)
		}
		return all
	}

	time.Sleep(15 * time.Second) // for what a start leaves behind
	idle := startProgram(t, p.env, idleProgram, filepath.Join(p.dir, "idle.sock")).Process.Pid
	u := over(restTime, tray, agent, idle)
	both := restUsage{u[0].cpu + u[1].cpu, u[0].wakes + u[1].wakes, u[0].rss + u[1].rss}
	line("tray", u[0], restTime, "", false)
	line("agent", u[1], restTime, "", false)
	line("both", both, restTime, "2 wake-ups, 25 MB", float64(both.wakes) <= 2*restTime.Seconds() && both.rss <= 25e6)

	line("a Go program that serves HTTP and has D-Bus, and idles", u[2], restTime, "", false)
	file := func(pid int) float64 {
		return float64(1024*field(t, fmt.Sprintf("/proc/%d/status", pid), "RssFile:")) / 1e6
	}
	rest.row("of which are pages of the files: tray, agent, that program", "", "", fmt.Sprintf("%.1f, %.1f, %.1f", file(tray), file(agent), file(idle)), "", "")

	// windowAt measures a window, open and minimised.
	const shown = 10 * time.Second
	windowAt := func(pid int, name string) (open, minimised restUsage) {
		t.Helper()
		time.Sleep(3 * time.Second) // for what a start leaves behind
		open = over(shown, pid)[0]
		_, err := p.desktop.xdo(ctx, "search", "--onlyvisible", "--name", name, "windowminimize", "--sync")
		check(t, err)
		return open, over(shown, pid)[0]
	}
	_, err := p.openWindow(ctx)
	check(t, err)
	var windows []int
	check(t, until(ctx, 15*time.Second, "the window", func() bool {
		windows = p.pids("curfew-window")
		return len(windows) == 1
	}))
	open, minimised := windowAt(windows[0], "^Curfew")
	line("window, while open", open, shown, "2 % CPU", percent(open, shown) <= 2)
	line("window, minimised", minimised, shown, "0.5 % CPU", percent(minimised, shown) <= 0.5)
	_, err = p.succeed(ctx, "window") // the second start brings it back
	check(t, err)
	closeWindow(t, p, "rest-window")

	empty := startProgram(t, p.env, emptyWindow)
	check(t, until(ctx, 15*time.Second, "the empty window", func() bool {
		all, err := p.desktop.windows(ctx, "--name", "^Empty window")
		return err == nil && len(all) == 1
	}))
	emptyOpen, emptyMinimised := windowAt(empty.Process.Pid, "^Empty window")
	line("an empty window of Fyne, while open", emptyOpen, shown, "", false)
	line("an empty window of Fyne, minimised", emptyMinimised, shown, "", false)
	ratio := func(what string, ours, floor restUsage) {
		by := func(a, b float64) string { return fmt.Sprintf("%.2f x", a/max(b, 1e-3)) }
		rest.row(what, by(percent(ours, shown), percent(floor, shown)), by(float64(ours.wakes), float64(floor.wakes)), by(float64(ours.rss), float64(floor.rss)), "", "")
	}
	ratio("window next to an empty one, while open", open, emptyOpen)
	ratio("window next to an empty one, minimised", minimised, emptyMinimised)
	check(t, empty.Process.Kill())
	check(t, until(ctx, 15*time.Second, "the empty window to end", func() bool { return len(p.pids(filepath.Base(emptyWindow))) == 0 }))
	line("tray and agent, window closed", measure(t, tray, agent), 0, "", false)

	var returned []time.Duration
	for range 5 {
		began := time.Now()
		_, err = p.succeed(ctx, "window")
		check(t, err)
		returned = append(returned, time.Since(began))
		closeWindow(t, p, "rest-window-again")
	}
	first, looksFirst, blackFirst := openings(t, 1, append(slices.Clone(p.env), "XDG_CACHE_HOME="+filepath.Join(t.TempDir(), "none")), "Curfew", p.program("curfew-window"))
	warm, looks, black := openings(t, 10, p.env, "Curfew", p.program("curfew-window"))
	floor, _, _ := openings(t, 10, p.env, "Empty window", emptyWindow)
	opens.row("opening the window", "", "spread", "goal", "")
	opened := func(what string, took []time.Duration, goal time.Duration) {
		slices.Sort(took)
		middle, spread, want := took[len(took)/2], "", ""
		if len(took) > 1 {
			spread = fmt.Sprintf("%d to %d ms", took[0].Milliseconds(), took[len(took)-1].Milliseconds())
		}
		if goal > 0 {
			want = fmt.Sprintf("%d ms", goal.Milliseconds())
		}
		opens.row(what, fmt.Sprintf("%d ms", middle.Milliseconds()), spread, want, metOrNot(want, middle <= goal))
	}
	opened("`curfew window` returns", returned, mostOpening)
	opened("first content, from the start of the program", warm, mostOpening)
	opened("first content, very first start, no caches", first, 0)
	opened("first content of an empty window of Fyne", floor, 0)
	opens.row(fmt.Sprintf("black frames, of %d", looks+looksFirst), fmt.Sprint(black+blackFirst), "", "0", metOrNot("0", black+blackFirst == 0))
	fmt.Printf("\n%s\n%s\nAt rest for %s; the load of the machine is %.2f.\n", rest, opens, restTime, loadAverage(t))

	if cpu := percent(both, restTime); cpu >= mostCPU {
		t.Errorf("the tray and the agent take %.3f %% of a core, not under %g", cpu, mostCPU)
	}
	if wakes := float64(both.wakes) / restTime.Seconds(); wakes >= mostWakes {
		t.Errorf("the tray and the agent wake up %.1f times a second, not under %g", wakes, mostWakes)
	}
	if both.rss >= mostMemory*1e6 {
		t.Errorf("the tray and the agent have %.1f MB, not under %d", float64(both.rss)/1e6, mostMemory)
	}
}

// emptyWindow is the program in testdata/empty-window. The Makefile builds it.
const emptyWindow = "../../build/empty-window"

// idleProgram is the program in testdata/idle. The Makefile builds it.
const idleProgram = "../../build/idle"

// mostOpening is the goal of an opening window.
const mostOpening = 300 * time.Millisecond

// A table is one of Markdown.
type table string

// row adds a row. The first is the head.
func (t *table) row(cells ...string) {
	if *t += table("| " + strings.Join(cells, " | ") + " |\n"); strings.Count(string(*t), "\n") == 1 {
		*t += table(strings.Repeat("|---", len(cells)) + "|\n")
	}
}

// metOrNot is what a table says of a goal; "" where there is none.
func metOrNot(goal string, met bool) string {
	switch {
	case goal == "":
		return ""
	case met:
		return "met"
	}
	return "not met"
}

func percent(u restUsage, d time.Duration) float64 { return 100 * u.cpu.Seconds() / d.Seconds() }
