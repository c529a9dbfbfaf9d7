//go:build linux

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
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

// usage is what a process took so far, or in a while, of the machine.
type restUsage struct {
	cpu     time.Duration
	wakes   int // times that a thread gave up the processor and got it back
	threads int
	rss     int // bytes
	pss     int // bytes, with shared ones divided among the processes; 0 if it cannot be read
}

// measure reads the usage of processes from /proc.
func measure(t *testing.T, pids ...int) (u restUsage) {
	t.Helper()
	for _, pid := range pids {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
		if err != nil || len(tasks) == 0 {
			t.Fatalf("process %d has no threads, %v", pid, err)
		}
		u.threads += len(tasks)
		for _, task := range tasks {
			u.wakes += field(t, task+"/status", "voluntary_ctxt_switches:")
			b, err := os.ReadFile(task + "/schedstat") // "ns-running ns-waiting slices"
			check(t, err)
			ran, err := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
			check(t, err)
			u.cpu += time.Duration(ran)
		}
		u.rss += 1024 * field(t, fmt.Sprintf("/proc/%d/status", pid), "VmRSS:")
		rollup := fmt.Sprintf("/proc/%d/smaps_rollup", pid)
		if f, err := os.Open(rollup); err == nil { // the agent shows it to root only
			f.Close()
			u.pss += 1024 * field(t, rollup, "Pss:")
		}
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
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "\tCPU %\twake-ups/s\tthreads\tRSS MB\tPSS MB\tgoal\t\n")
	line := func(what string, u restUsage, d time.Duration, goal string) {
		cpu, wakes := "", ""
		if d > 0 {
			cpu, wakes = fmt.Sprintf("%.3f", percent(u, d)), fmt.Sprintf("%.2f", float64(u.wakes)/d.Seconds())
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%.1f\t%.1f\t%s\t\n", what, cpu, wakes, u.threads, float64(u.rss)/1e6, float64(u.pss)/1e6, goal)
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
	u := over(restTime, tray, agent)
	both := restUsage{u[0].cpu + u[1].cpu, u[0].wakes + u[1].wakes, u[0].threads + u[1].threads, u[0].rss + u[1].rss, u[0].pss + u[1].pss}
	line("tray, at rest", u[0], restTime, "")
	line("agent, three accounts, at rest", u[1], restTime, "")
	line("both", both, restTime, "2 wake-ups/s, 25 MB")

	_, err := p.openWindow(ctx)
	check(t, err)
	var windows []int
	check(t, until(ctx, 15*time.Second, "the window", func() bool {
		windows = p.pids("curfew-window")
		return len(windows) == 1
	}))
	const shown = 10 * time.Second
	u = over(shown, windows[0])
	line("window, while open", u[0], shown, "2 % CPU")
	_, err = p.desktop.xdo(ctx, "search", "--onlyvisible", "--name", "^Curfew", "windowminimize", "--sync")
	check(t, err)
	u = over(shown, windows[0])
	line("window, minimised", u[0], shown, "0.5 % CPU")
	_, err = p.succeed(ctx, "window") // the second start brings it back
	check(t, err)
	closeWindow(t, p, "rest-window")
	line("tray and agent, window closed", measure(t, tray, agent), 0, "")
	check(t, w.Flush())
	var opened []time.Duration
	for range 5 {
		began := time.Now()
		_, err = p.succeed(ctx, "window")
		check(t, err)
		opened = append(opened, time.Since(began))
		closeWindow(t, p, "rest-window-again")
	}
	slices.Sort(opened)
	fmt.Printf("`curfew window` returned after %d ms, the median of %d (goal: 300 ms).\n", opened[len(opened)/2].Milliseconds(), len(opened))
	load, err := os.ReadFile("/proc/loadavg")
	check(t, err)
	fmt.Printf("%sAt rest for %s; the machine's load is %s.\n", &table, restTime, strings.Fields(string(load))[0])
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

func percent(u restUsage, d time.Duration) float64 { return 100 * u.cpu.Seconds() / d.Seconds() }
