package caller

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"curfew/auth"
)

// maxParents is how far back it is remembered what started a program.
const maxParents = 6

// maxPath is how much is kept of a path, in bytes.
const maxPath = 256

func of(c *net.UnixConn, claimed string, deep bool) auth.Caller {
	pid, alive := process(c)
	if alive < 0 {
		return auth.Caller{}
	}
	defer unix.Close(alive)
	found := auth.Caller{Claimed: claimed, Executable: executable(pid)}
	switch {
	case deep:
		found.Container = container(pid)
		found.Terminal, found.Parents = parents(pid, maxParents)
		found.Session = session(pid)
	case found.LacksStarter():
		_, found.Parents = parents(pid, 1)
	}
	if ended(alive) {
		return auth.Caller{}
	}
	return found
}

// parents returns the terminal of a process, and the files of at most n processes
// that led to it.
func parents(pid, n int) (terminal string, files []string) {
	p, err := read(pid)
	terminal = p.terminal
	for err == nil && len(files) < n && p.parent > 1 {
		var above stat
		parent, file := p.parent, executable(p.parent)
		if len(files)+1 < n {
			above, err = read(parent)
		}
		// Whoever loses its parent gets another one at once. So if it is still the
		// same, that is what was read.
		if still, failed := read(pid); failed != nil || still.parent != parent || file == "" {
			break
		}
		files = append(files, file)
		pid, p = parent, above
	}
	return terminal, files
}

// process returns the number of the process that connected, and a descriptor that
// stays with that process; below zero when there is none.
func process(c *net.UnixConn) (pid, alive int) {
	alive = -1
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, -1
	}
	err = raw.Control(func(socket uintptr) {
		cred, err := unix.GetsockoptUcred(int(socket), unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil || cred.Pid <= 0 {
			return
		}
		// Before Linux 6.5 the number is all there is.
		fd, err := unix.GetsockoptInt(int(socket), unix.SOL_SOCKET, unix.SO_PEERPIDFD)
		if err != nil {
			fd, err = unix.PidfdOpen(int(cred.Pid), 0)
		}
		if err == nil {
			pid, alive = int(cred.Pid), fd
		}
	})
	if err != nil { // it is closed here
		return 0, -1
	}
	return pid, alive
}

// ended reports whether a process has ended: its descriptor can be read then.
func ended(process int) bool {
	poll := []unix.PollFd{{Fd: int32(process), Events: unix.POLLIN}}
	for {
		if n, err := unix.Poll(poll, 0); !errors.Is(err, unix.EINTR) { // a signal came, as Go sends them to itself
			return err != nil || n > 0
		}
	}
}

// stat is what /proc/PID/stat says.
type stat struct {
	parent, session int
	terminal        string
	began           string // in ticks since the machine started
}

func read(pid int) (stat, error) {
	b, err := readFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return stat{}, err
	}
	// The name is in parentheses and may have any characters.
	field := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:])) // state ppid pgrp session tty_nr ...
	if len(field) < 20 {
		return stat{}, fmt.Errorf("/proc/%d/stat is cut off", pid)
	}
	parent, err1 := strconv.Atoi(field[1])
	session, err2 := strconv.Atoi(field[3])
	device, err3 := strconv.ParseUint(field[4], 10, 32)
	return stat{parent, session, terminal(device), field[19]}, errors.Join(err1, err2, err3)
}

func starter() string {
	name, _ := readFile("/proc/" + strconv.Itoa(os.Getppid()) + "/comm")
	return strings.TrimSpace(string(name))
}

// readFile reads a small file of /proc at once. [os.ReadFile] would first try
// whether it can be waited for, and takes three times as many system calls.
func readFile(name string) ([]byte, error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	b := make([]byte, 1024)
	n, err := unix.Read(fd, b)
	if err != nil {
		return nil, err
	}
	return b[:n], nil
}

// session names the terminal's session that a process belongs to, so that one
// which gets the same number later has another name; "" without a terminal.
func session(pid int) string {
	p, err := read(pid)
	if err != nil || p.terminal == "" {
		return ""
	}
	leader, err := read(p.session)
	if err != nil {
		leader.began = "?" // it has ended, so the session is about to
	}
	return fmt.Sprintf("%s %d %s", p.terminal, p.session, leader.began)
}

// terminal names a terminal by its device; "" for none.
func terminal(device uint64) string {
	switch major, minor := unix.Major(device), unix.Minor(device); {
	case major >= 136 && major <= 143: // devices.txt: UNIX98 PTY slaves
		return fmt.Sprintf("pts/%d", (major-136)<<20+minor)
	case major == 4 && minor < 64:
		return fmt.Sprintf("tty%d", minor)
	case major != 0:
		return fmt.Sprintf("%d:%d", major, minor)
	}
	return ""
}

// executable returns the file that a process runs; "" when the process does not
// let others see it.
func executable(pid int) string {
	file, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	if err != nil {
		return ""
	}
	return auth.Clip(strings.TrimSuffix(file, " (deleted)"), maxPath)
}

// container names what a process runs in, if it does not see the files that this
// one sees.
func container(pid int) string {
	proc := "/proc/" + strconv.Itoa(pid)
	there, err := os.Readlink(proc + "/ns/mnt")
	here, failed := os.Readlink("/proc/self/ns/mnt")
	if err != nil || failed != nil || there == here {
		return ""
	}
	groups, _ := os.ReadFile(proc + "/cgroup") // hierarchy:controllers:path
	name := ""
	for line := range strings.Lines(string(groups)) {
		if _, group, ok := strings.Cut(strings.TrimSpace(line), "::"); ok && group != "/" {
			name = path.Base(group)
		}
	}
	return cmp.Or(auth.Clip(name, 64), "container")
}
