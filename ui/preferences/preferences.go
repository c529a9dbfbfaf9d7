// Package preferences keeps the language and the appearance that a person chose.
// They are in a small file next to the configuration. The window's settings write
// it, and the tray follows it. No rule of a session depends on it. So a file that
// is missing or broken does no harm: the desktop's settings hold instead.
package preferences

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
	"github.com/jeandeaual/go-locale"
	"github.com/pelletier/go-toml/v2"

	"curfew/auth"
	"curfew/ui/status"
)

// Preferences are the choices. The zero value leaves them all to the desktop.
type Preferences struct {
	Language   string `toml:"language,omitempty"`   // the code of one of status.Languages; "": the desktop's
	Appearance string `toml:"appearance,omitempty"` // "dark" or "light"; anything else: the desktop's
}

// Speak makes this process speak the language that was chosen. Without a choice,
// or with an unknown one, it speaks the desktop's.
func (p Preferences) Speak() { status.SetLanguage(p.language()) }

func (p Preferences) language() string {
	for _, l := range status.Languages() {
		if l.Code == p.Language {
			return l.Code
		}
	}
	tags, err := locale.GetLocales() // on Linux, from LC_ALL, LC_MESSAGES, LANG or LANGUAGE
	if err != nil {
		return status.English
	}
	return status.MatchLanguage(tags...)
}

const (
	fileName = "ui.toml"
	header   = "# How the tray and the window look and speak. The window's settings write this file.\n"
	mostSize = 1 << 16 // bytes; the file has two lines
)

// Path returns where the preferences are: ui.toml, next to config.toml.
func Path() (string, error) {
	config, err := auth.ConfigPath()
	if err != nil {
		return "", err
	}
	return filepath.Join(filepath.Dir(config), fileName), nil
}

// Load reads the preferences. Without a file it returns the zero value and no
// error.
func Load() (Preferences, error) {
	path, err := Path()
	if err != nil {
		return Preferences{}, err
	}
	return read[Preferences](path)
}

// read reads a small file. Without a file it returns the zero value.
func read[T any](path string) (zero T, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return zero, nil
	}
	if err == nil && len(b) > mostSize {
		err = fmt.Errorf("it is larger than %d KB", mostSize>>10)
	}
	var got T
	if err == nil {
		err = toml.Unmarshal(b, &got)
	}
	if err != nil {
		return zero, fmt.Errorf("cannot read %s: %w", path, err)
	}
	return got, nil
}

// save replaces the file at path in one piece, under header.
func save(path, header string, v any) error {
	b, err := toml.Marshal(v)
	if err != nil {
		return err
	}
	return auth.ReplaceFile(path, append([]byte(header), b...))
}

// Change reads the preferences, lets edit change them, and writes them in one
// piece. Other programs read either the old ones or the new. A file that cannot
// be read is replaced.
func Change(edit func(*Preferences)) error {
	path, err := Path()
	if err != nil {
		return err
	}
	p, _ := read[Preferences](path)
	edit(&p)
	if err := save(path, header, p); err != nil {
		return fmt.Errorf("cannot save the preferences: %w", err)
	}
	return nil
}

// Watch calls changed with the preferences, at once and after each change, one
// call at a time. It returns when ctx ends or the system stops reporting changes.
// Between changes it sleeps: it does not poll. A file that cannot be read changes
// nothing. When the directory is removed or moved away, Watch waits for a new one
// and does not make it: a person may be about to put another one there.
func Watch(ctx context.Context, changed func(Preferences)) error {
	path, err := Path()
	if err != nil {
		return err
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("cannot follow changes of the preferences: %w", err)
	}
	defer w.Close()
	// It follows the directory, because each change replaces the file.
	dir := filepath.Dir(path)
	followed := dir
	if err = os.MkdirAll(dir, 0o700); err == nil {
		followed, err = follow(w, dir, "")
	}
	if err != nil {
		return fmt.Errorf("cannot follow changes of the preferences: %w", err)
	}
	target := ""
	for written := true; ; { // at first: it may have been written before this watched
		if written {
			target = report(w, path, changed)
		}
		written = false
		gone := false
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-w.Events:
			if !ok {
				return nil
			}
			written = (filepath.Base(e.Name) == fileName || e.Name == target) && e.Op != fsnotify.Chmod
			gone = followed != dir || e.Name == dir && e.Has(fsnotify.Remove|fsnotify.Rename)
		case err, ok := <-w.Errors:
			if !ok {
				return nil
			}
			return fmt.Errorf("changes of the preferences are no longer followed: %w", err)
		}
		if gone {
			if followed, err = follow(w, dir, followed); err != nil {
				return fmt.Errorf("changes of the preferences are no longer followed: %w", err)
			}
			written = written || followed == dir
		}
	}
}

// report calls changed with what is written at path. It returns the file that
// path links to, which w then follows as well.
func report(w *fsnotify.Watcher, path string, changed func(Preferences)) (target string) {
	if target = linked(path); target != "" {
		_ = w.Add(target) // each time: a change may have put another file there
	}
	if p, err := read[Preferences](path); err == nil {
		changed(p)
	}
	return target
}

// follow makes w follow dir instead of before. While dir does not exist, w
// follows the nearest directory above it, where dir would appear. It returns
// which one.
func follow(w *fsnotify.Watcher, dir, before string) (followed string, err error) {
	_ = w.Remove(before) // it fails if before is gone, which does no harm
	for at, below := dir, ""; ; {
		switch err := w.Add(at); {
		case errors.Is(err, fs.ErrNotExist) && at != filepath.Dir(at):
			at, below = filepath.Dir(at), at
			continue
		case err != nil || at == dir:
			return at, err
		}
		if _, err := os.Stat(below); err != nil {
			return at, nil
		}
		_ = w.Remove(at) // it came back before at was followed
		at = dir
	}
}

// linked returns the file that a link at path leads to, "" if there is no link.
// Only that file is followed, because its directory may be a busy one.
func linked(path string) string {
	if fi, err := os.Lstat(path); err != nil || fi.Mode().Type() != fs.ModeSymlink {
		return ""
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return ""
	}
	return target
}
