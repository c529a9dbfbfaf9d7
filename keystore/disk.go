package keystore

import (
	"cmp"
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
	root directory
	lock *os.File
}

// A directory is what a disk works in. Tests have one that fails.
type directory interface {
	Names() ([]string, error)
	Open(name string, flag int) (file, error)
	Rename(from, to string) error
	Remove(name string) error
	Lstat(name string) (fs.FileInfo, error)
	Sync() error // makes names that came and went durable
	Close() error
}

type file interface {
	io.ReadCloser
	io.WriterAt
	Stat() (fs.FileInfo, error)
	Sync() error
	Truncate(size int64) error
	Allocate(off, n int64) error // reserves disk space beyond the end
}

// osDirectory is the real one. It opens regular files only, so that a link
// or a pipe that somebody planted is neither followed nor waited for.
type osDirectory struct{ *os.Root }

type osFile struct{ *os.File }

func (f osFile) Allocate(off, n int64) error { return allocate(f.File, off, n) }

func (d osDirectory) Open(name string, flag int) (file, error) {
	f, err := d.open(name, flag)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

var errIrregular = errors.New("it is not a regular file, or not the one it was")

func (d osDirectory) open(name string, flag int) (*os.File, error) {
	there, err := d.Lstat(name)
	switch create := flag&os.O_CREATE != 0; {
	case err == nil && !there.Mode().IsRegular():
		return nil, errIrregular
	case err != nil && !(create && errors.Is(err, fs.ErrNotExist)):
		return nil, err
	}
	f, err := d.OpenFile(name, flag, 0o600) // the os package adds O_CLOEXEC
	if err != nil || there == nil {
		return f, err
	}
	if is, err := f.Stat(); err != nil || !os.SameFile(there, is) {
		f.Close()
		return nil, errIrregular
	}
	return f, nil
}

func (d osDirectory) Names() ([]string, error) {
	f, err := d.Root.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

func (d osDirectory) Sync() error {
	f, err := d.Root.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	return syncDirectory(f)
}

// Prepare makes the state directory when it is missing, and refuses one that others
// can reach. Nothing may be written there before.
func Prepare(dir string) error {
	if dir == "" {
		return errors.New("no state directory given")
	}
	d := &disk{dir: dir}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return d.explain("create it", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return d.explain("look at it", err)
	}
	return checkPrivate(dir, info)
}

// openDisk prepares the directory and locks it.
func openDisk(dir string) (*disk, error) {
	if err := Prepare(dir); err != nil {
		return nil, err
	}
	d := &disk{dir: dir}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, d.explain("open it", err)
	}
	d.root = osDirectory{root}
	if err := d.takeLock(osDirectory{root}); err != nil {
		root.Close()
		return nil, err
	}
	return d, nil
}

// takeLock locks a file that is used for nothing else, so that no other
// program's closing of it can drop the lock. It holds the owner's pid for people.
func (d *disk) takeLock(root osDirectory) error {
	f, err := root.open("lock", os.O_RDWR|os.O_CREATE)
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
			_ = f.Truncate(0) // the pid is for people only; the lock is what counts
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

// tried explains the error of one operation, if there was one.
func (d *disk) tried(op, name string, err error) error {
	if err != nil {
		return d.explain(op+" "+name, err)
	}
	return nil
}

// names lists the directory.
func (d *disk) names() ([]string, error) {
	names, err := d.root.Names()
	return names, d.tried("list", ".", err)
}

// read returns a file of at most limit bytes. A file that is not there is fs.ErrNotExist.
func (d *disk) read(name string, limit int64) ([]byte, error) {
	data, err := func() ([]byte, error) {
		f, err := d.root.Open(name, os.O_RDONLY)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		data, err := io.ReadAll(io.LimitReader(f, limit+1))
		if int64(len(data)) > limit {
			return nil, fmt.Errorf("%w: more than %d bytes", ErrCorrupt, limit)
		}
		return data, err
	}()
	return data, d.tried("read", name, err)
}

// exists reports whether a regular file is there, or may be.
func (d *disk) exists(name string) bool {
	info, err := d.root.Lstat(name)
	return err == nil && info.Mode().IsRegular() || err != nil && !errors.Is(err, fs.ErrNotExist)
}

// replace puts data in a file, whole or not at all.
func (d *disk) replace(name string, data []byte) error {
	tmp := name + suffixTemporary
	err := d.writeTo(tmp, data)
	if err == nil {
		err = d.tried("rename", name, d.root.Rename(tmp, name))
	}
	if err != nil {
		_ = d.remove(tmp) // it is overwritten the next time
		return err
	}
	return d.syncDir()
}

// writeTo writes a new file. One of that name is an attempt that could not be
// removed when it failed.
func (d *disk) writeTo(name string, data []byte) error {
	if err := d.remove(name); err != nil {
		return err
	}
	f, err := d.root.Open(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return d.tried("create", name, err)
	}
	err = d.writeAndSync(f, name, 0, data)
	return cmp.Or(err, d.tried("close", name, f.Close()))
}

func (d *disk) writeAndSync(f file, name string, off int64, data []byte) error {
	if _, err := f.WriteAt(data, off); err != nil {
		return d.tried("write", name, err)
	}
	return d.tried("sync", name, f.Sync())
}

// errGrown says that a file is not as long as this process left it.
var errGrown = errors.New("another program changed the file")

// appendTo adds data at offset off, which must be the file's end, and fsyncs.
// After an error the file may hold all, some or none of it (after a failed
// fsync nobody can know), so the caller must rewrite it before it appends again.
func (d *disk) appendTo(name string, off int64, data []byte) error {
	return d.withFile(name, off, func(f file) error {
		err := d.writeAndSync(f, name, off, data)
		if err != nil {
			_ = f.Truncate(off) // as good as it gets: the line did not happen
		}
		return err
	})
}

// allocate reserves n bytes of disk space beyond the end of a file, so that
// the next lines cannot meet a full disk. It changes no content.
func (d *disk) allocate(name string, off, n int64) error {
	return d.withFile(name, off, func(f file) error {
		return d.tried("reserve space for", name, f.Allocate(off, n))
	})
}

func (d *disk) withFile(name string, size int64, use func(file) error) error {
	f, err := d.root.Open(name, os.O_WRONLY)
	if err != nil {
		return d.tried("open", name, err)
	}
	info, err := f.Stat()
	if err == nil && info.Size() != size {
		err = errGrown
	}
	if err != nil {
		f.Close()
		return d.tried("open", name, err)
	}
	err = use(f)
	return cmp.Or(err, d.tried("close", name, f.Close()))
}

// wipe overwrites a file before it is removed: on a disk that writes in place
// the content is gone, on one that does not it is at least unlinked.
func (d *disk) wipe(name string) error {
	if f, err := d.root.Open(name, os.O_WRONLY); err == nil { // what cannot be overwritten is removed all the same
		if info, err := f.Stat(); err == nil {
			_, _ = f.WriteAt(make([]byte, min(info.Size(), 4096)), 0)
		}
		_ = f.Sync()
		f.Close()
	}
	return d.remove(name)
}

// remove deletes a regular file; one that is not there is no error.
func (d *disk) remove(name string) error {
	if !d.exists(name) {
		return nil
	}
	if err := d.root.Remove(name); err != nil {
		return d.tried("remove", name, err)
	}
	return d.syncDir()
}

func (d *disk) syncDir() error { return d.tried("sync", "the directory", d.root.Sync()) }
