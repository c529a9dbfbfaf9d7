package keystore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// A disk is the state directory, held by a lock. Every change is durable when
// its method returns nil: the file is fsynced, and the directory too where a
// name came or went.
type disk struct {
	dir  string
	root *os.Root
	lock *os.File
	// fault, in tests only, is asked before every single operation. An error
	// takes the operation's place; a torn error lets that many bytes through first.
	fault func(op, name string) error
}

// torn is the error of a write that stopped after so many bytes.
type torn int

func (t torn) Error() string { return "write cut short after " + strconv.Itoa(int(t)) + " bytes" }

// openDisk makes the directory when it is missing, refuses one that others
// can reach, and locks it.
func openDisk(dir string) (*disk, error) {
	if dir == "" {
		return nil, errors.New("no state directory given")
	}
	d := &disk{dir: dir}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, d.explain("create it", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, d.explain("look at it", err)
	}
	if err := checkPrivate(dir, info); err != nil {
		return nil, err
	}
	if d.root, err = os.OpenRoot(dir); err != nil {
		return nil, d.explain("open it", err)
	}
	if err := d.takeLock(); err != nil {
		d.root.Close()
		return nil, err
	}
	return d, nil
}

// takeLock locks a file that is used for nothing else, so that no other
// program's closing of it can drop the lock. It holds the owner's pid for people.
func (d *disk) takeLock() error {
	f, err := d.root.OpenFile("lock", os.O_RDWR|os.O_CREATE, 0o600) // the os package adds O_CLOEXEC
	if err != nil {
		return d.explain("open the file lock", err)
	}
	if err := lockFile(f); err != nil {
		defer f.Close()
		if !errors.Is(err, errLockHeld) {
			return d.explain("lock the file lock", err)
		}
		pid, _ := io.ReadAll(io.LimitReader(f, 20))
		if n, err := strconv.Atoi(strings.TrimSpace(string(pid))); err == nil {
			return fmt.Errorf("%w: %s is held by process %d", ErrInUse, d.dir, n)
		}
		return fmt.Errorf("%w: %s", ErrInUse, d.dir)
	}
	if err := f.Truncate(0); err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
		if err != nil {
			f.Truncate(0) // the pid is for people only; the lock is what counts
		}
	}
	d.lock = f
	return nil
}

// close drops the lock.
func (d *disk) close() error {
	return errors.Join(d.lock.Close(), d.root.Close())
}

// explain says where a failed operation failed and what to do about it.
func (d *disk) explain(what string, err error) error {
	hint := ""
	switch {
	case errors.Is(err, syscall.ENOSPC):
		hint = " (free some space there)"
	case errors.Is(err, syscall.EROFS):
		hint = " (the file system is mounted read-only)"
	case errors.Is(err, syscall.EIO):
		hint = " (the disk reports an error; check it)"
	case errors.Is(err, fs.ErrPermission):
		hint = " (check its owner and mode)"
	}
	return fmt.Errorf("state directory %s: cannot %s: %w%s", d.dir, what, err, hint)
}

// do runs one operation, or the fault that a test put in its place.
func (d *disk) do(op, name string, f func() error) error {
	if d.fault != nil {
		if err := d.fault(op, name); err != nil {
			return d.explain(op+" "+name, err)
		}
	}
	if err := f(); err != nil {
		return d.explain(op+" "+name, err)
	}
	return nil
}

// names lists the files of the directory.
func (d *disk) names() ([]string, error) {
	var names []string
	err := d.do("list", ".", func() error {
		f, err := d.root.Open(".")
		if err != nil {
			return err
		}
		defer f.Close()
		names, err = f.Readdirnames(-1)
		return err
	})
	return names, err
}

// read returns a file of at most limit bytes. A file that is not there is fs.ErrNotExist.
func (d *disk) read(name string, limit int64) ([]byte, error) {
	var data []byte
	err := d.do("read", name, func() error {
		f, err := d.root.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() || info.Size() > limit {
			return fmt.Errorf("%w: not a file of at most %d bytes", ErrCorrupt, limit)
		}
		data, err = io.ReadAll(io.LimitReader(f, limit))
		return err
	})
	return data, err
}

// exists reports whether a name is there, or may be.
func (d *disk) exists(name string) bool {
	_, err := d.root.Lstat(name)
	return !errors.Is(err, fs.ErrNotExist)
}

// replace puts data in a file, whole or not at all.
func (d *disk) replace(name string, data []byte) error {
	tmp := name + ".tmp"
	err := d.writeTo(tmp, data)
	if err == nil {
		err = d.do("rename", name, func() error { return d.root.Rename(tmp, name) })
	}
	if err != nil {
		d.do("remove", tmp, func() error { return d.root.Remove(tmp) })
		return err
	}
	return d.syncDir()
}

func (d *disk) writeTo(name string, data []byte) error {
	var f *os.File
	err := d.do("create", name, func() (err error) {
		f, err = d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		return err
	})
	if err != nil {
		return err
	}
	err = d.writeAndSync(f, name, 0, data)
	if cerr := f.Close(); err == nil && cerr != nil {
		err = d.explain("close "+name, cerr)
	}
	return err
}

func (d *disk) writeAndSync(f *os.File, name string, off int64, data []byte) error {
	err := d.do("write", name, func() error {
		_, err := f.WriteAt(data, off)
		return err
	})
	if n, ok := errors.AsType[torn](err); ok {
		f.WriteAt(data[:min(int(n), len(data))], off)
	}
	if err != nil {
		return err
	}
	return d.do("sync", name, f.Sync)
}

// errGrown says that a file is not as long as this process left it.
var errGrown = errors.New("another program changed the file")

// appendTo adds data at offset off, which must be the file's end, and fsyncs.
// After an error the file may hold all, some or none of it (after a failed
// fsync nobody can know), so the caller must write it anew before it appends again.
func (d *disk) appendTo(name string, off int64, data []byte) error {
	return d.withFile(name, off, func(f *os.File) error {
		err := d.writeAndSync(f, name, off, data)
		if err != nil {
			d.do("truncate", name, func() error { return f.Truncate(off) }) // as good as it gets: the line did not happen
		}
		return err
	})
}

// allocate reserves n bytes of disk space beyond the end of a file, so that
// the next lines cannot meet a full disk. It changes no content.
func (d *disk) allocate(name string, off, n int64) error {
	return d.withFile(name, off, func(f *os.File) error {
		return d.do("reserve space for", name, func() error { return allocate(f, off, n) })
	})
}

func (d *disk) withFile(name string, size int64, use func(*os.File) error) error {
	var f *os.File
	err := d.do("open", name, func() (err error) {
		if f, err = d.root.OpenFile(name, os.O_WRONLY, 0); err != nil {
			return err
		}
		info, err := f.Stat()
		if err == nil && info.Size() != size {
			err = errGrown
		}
		if err != nil {
			f.Close()
		}
		return err
	})
	if err != nil {
		return err
	}
	err = use(f)
	if cerr := f.Close(); err == nil && cerr != nil {
		err = d.explain("close "+name, cerr)
	}
	return err
}

// wipe overwrites a file before it is removed: on a disk that writes in place
// the content is gone, on one that does not it is at least unlinked.
func (d *disk) wipe(name string) error {
	if !d.exists(name) {
		return nil
	}
	// What cannot be overwritten is removed all the same.
	d.do("overwrite", name, func() error {
		f, err := d.root.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			f.WriteAt(make([]byte, min(info.Size(), 4096)), 0)
		}
		return f.Sync()
	})
	return d.remove(name)
}

// remove deletes a file; one that is not there is no error.
func (d *disk) remove(name string) error {
	if !d.exists(name) {
		return nil
	}
	if err := d.do("remove", name, func() error { return d.root.Remove(name) }); err != nil {
		return err
	}
	return d.syncDir()
}

func (d *disk) syncDir() error {
	return d.do("sync", "the directory", func() error {
		f, err := d.root.Open(".")
		if err != nil {
			return err
		}
		defer f.Close()
		return syncDirectory(f)
	})
}
