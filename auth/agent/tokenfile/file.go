package tokenfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"curfew/auth"
)

// A list is the files that are there, and is itself a file. It tells what the
// agent wrote from a file of the person's at the same place, which is never
// touched.
type list struct {
	path string
	mu   sync.Mutex
}

// read returns the paths; a list that cannot be read has none, so that nothing
// is touched.
func (l *list) read() []string {
	text, err := os.ReadFile(l.path)
	var paths []string
	if err != nil || json.Unmarshal(text, &paths) != nil {
		return nil
	}
	return paths
}

func (l *list) save(paths []string) error {
	if len(paths) == 0 {
		if err := os.Remove(l.path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	text, err := json.Marshal(paths)
	if err != nil {
		return err
	}
	return auth.ReplaceFile(l.path, text)
}

// removeOthers removes files that an earlier agent left and that nobody wants.
func (l *list) removeOthers(wanted map[string]bool, log *slog.Logger) {
	l.mu.Lock()
	left := l.read()
	l.mu.Unlock()
	for _, path := range left {
		if wanted[path] {
			continue
		}
		if err := l.remove(path); err != nil {
			log.Error("an old token file cannot be removed", "file", path, "error", err)
		}
	}
}

// write puts the token into the file at path, which a reader sees whole, and
// which only its owner can read. It follows no link, and writes over no file
// that is not in the list.
func (l *list) write(path string, token auth.Secret) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	dir, err := openDir(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	name := filepath.Base(path)
	paths := l.read()
	if !slices.Contains(paths, path) {
		if _, err := dir.Lstat(name); err == nil {
			return fmt.Errorf("there is another file at %s; remove it, or choose another path", path)
		}
		if err := l.save(append(paths, path)); err != nil { // before there is anything to remove
			return err
		}
	} else if fi, err := dir.Lstat(name); err == nil && !fi.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file; remove it", path)
	}
	next := nextTo(name)
	if err := dir.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := dir.OpenFile(next, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(token.Reveal())
	if err = errors.Join(err, f.Close()); err == nil {
		err = dir.Rename(next, name)
	}
	if err != nil {
		_ = dir.Remove(next) // err says what went wrong first
	}
	return err
}

// nextTo is the file that becomes the one called name.
func nextTo(name string) string { return "." + name + ".curfew" }

// remove removes a file of the list.
func (l *list) remove(path string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	paths := l.read()
	i := slices.Index(paths, path)
	if i < 0 {
		return nil
	}
	for _, name := range []string{path, filepath.Join(filepath.Dir(path), nextTo(filepath.Base(path)))} {
		if fi, err := os.Lstat(name); err != nil || !fi.Mode().IsRegular() {
			continue // it is gone, or something else is there now
		}
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return l.save(slices.Delete(paths, i, i+1))
}

// openDir opens the directory of path, which must be safe: a directory that
// others can write to could have a link in the file's place at any time.
func openDir(path string) (*os.Root, error) {
	name := filepath.Dir(path)
	if err := os.MkdirAll(name, 0o700); err != nil {
		return nil, err
	}
	if err := auth.CheckOwner(name); err != nil {
		return nil, err
	}
	dir, err := os.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	fi, err := dir.Stat(".")
	if err == nil && runtime.GOOS != "windows" && fi.Mode().Perm()&0o022 != 0 {
		err = fmt.Errorf("others can write to %s; choose a directory of your own", name)
	}
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return dir, nil
}
