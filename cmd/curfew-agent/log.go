package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
)

// maxLog is how large agent.log gets before it becomes agent.log.1.
const maxLog = 1 << 20

// logFile is a log of bounded size: the file, and the one before it. slog
// calls Write from one goroutine at a time.
type logFile struct {
	path   string
	rename func(from, to string) error
	f      *os.File
	size   int64
}

// openLog opens the log; a crash of the runtime is written to it too.
func openLog(path string) (*logFile, error) {
	l := &logFile{path: path, rename: os.Rename}
	return l, l.open()
}

// open opens the file, and follows no link: what is written there would go
// into another file of the person's.
func (l *logFile) open() error {
	fi, err := os.Lstat(l.path)
	if err == nil && !fi.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file: remove it", l.path)
	}
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY|noFollow, 0o600)
	if err != nil {
		return err
	}
	if fi, err = f.Stat(); err != nil {
		f.Close()
		return err
	}
	l.f, l.size = f, fi.Size()
	return debug.SetCrashOutput(f, debug.CrashOptions{})
}

// Write appends one line, in a fresh file when the old one is full.
func (l *logFile) Write(b []byte) (int, error) {
	if l.size+int64(len(b)) > maxLog {
		if err := l.rotate(); err != nil {
			return 0, err
		}
	}
	n, err := l.f.Write(b)
	l.size += int64(n)
	return n, err
}

// rotate puts the full file aside. Where that cannot be done, as on Windows
// while another program reads it, one long log is better than none, up to a
// point.
func (l *logFile) rotate() error {
	l.Close()
	err := l.rename(l.path, l.path+".1")
	if err != nil && !errors.Is(err, fs.ErrNotExist) && l.size > 2*maxLog {
		_ = os.Truncate(l.path, 0) // a log that grows is better than no log
	}
	return l.open()
}

// Close closes the log, also what the runtime has of it: Windows renames no
// file that is open.
func (l *logFile) Close() error {
	return errors.Join(debug.SetCrashOutput(nil, debug.CrashOptions{}), l.f.Close())
}
