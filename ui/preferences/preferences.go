// Package preferences keeps what a person chose of how Curfew looks and
// speaks: one small file beside the configuration, written by the window's
// settings and followed by the tray. No rule of a session depends on it, so a
// file that is missing or broken is nobody's trouble: everything is then as
// the desktop has it.
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

// Speak makes this process speak the language that was chosen, or the
// desktop's where there is no choice or none that is known.
func (p Preferences) Speak() { status.SetLanguage(p.language()) }

func (p Preferences) language() string {
	for _, l := range status.Languages() {
		if l.Code == p.Language {
			return l.Code
		}
	}
	tags, err := locale.GetLocales() // LC_ALL, LC_MESSAGES, LANG, LANGUAGE; elsewhere the system's list
	if err != nil {
		return status.English
	}
	return status.MatchLanguage(tags...)
}

const (
	fileName = "ui.toml"
	header   = "# How the tray and the window look and speak. The window's settings write this file.\n"
	mostSize = 1 << 16 // bytes; it holds two lines
)

// Path returns where the preferences are: ui.toml beside config.toml.
func Path() (string, error) {
	config, err := auth.ConfigPath()
	if err != nil {
		return "", err
	}
	return filepath.Join(filepath.Dir(config), fileName), nil
}

// Load reads the preferences. Without a file they are the zero value, which
// is no error.
func Load() (Preferences, error) {
	path, err := Path()
	if err != nil {
		return Preferences{}, err
	}
	return read[Preferences](path)
}

// read reads a small file; without it, what it holds is the zero value.
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
		return zero, fmt.Errorf("%s cannot be read: %w", path, err)
	}
	return got, nil
}

// save replaces the file at path in one piece.
func save(path, header string, v any) error {
	b, err := toml.Marshal(v)
	if err != nil {
		return err
	}
	return auth.ReplaceFile(path, append([]byte(header), b...))
}

// Change reads the preferences, lets edit change them, and writes them in one
// piece: who reads them meanwhile sees the old ones or the new. A file that
// cannot be read is replaced.
func Change(edit func(*Preferences)) error {
	path, err := Path()
	if err != nil {
		return err
	}
	p, _ := read[Preferences](path)
	edit(&p)
	if err := save(path, header, p); err != nil {
		return fmt.Errorf("the preferences were not saved: %w", err)
	}
	return nil
}

// Watch calls changed, one call at a time, with the preferences as they are and
// then each time that they were written, until ctx ends or the system tells no
// more. Between two changes it sleeps: nothing is looked up by the clock. What
// cannot be read changes nothing. A directory that is removed or moved away is
// waited for, and not made anew: who did that may be about to put another there.
func Watch(ctx context.Context, changed func(Preferences)) error {
	path, err := Path()
	if err != nil {
		return err
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("changes of the preferences cannot be followed: %w", err)
	}
	defer w.Close()
	// The directory, not the file, which is another one after each change.
	dir := filepath.Dir(path)
	followed := dir
	if err = os.MkdirAll(dir, 0o700); err == nil {
		followed, err = follow(w, dir, "")
	}
	if err != nil {
		return fmt.Errorf("changes of the preferences cannot be followed: %w", err)
	}
	target := ""
	for written := true; ; {
		if written { // or it was, before it could be seen
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
		w.Add(target) // each time: a change may have put another file there
	}
	if p, err := read[Preferences](path); err == nil {
		changed(p)
	}
	return target
}

// follow has w follow dir in place of before or, while dir does not exist, the
// nearest directory above it, where it would come back. It returns which.
func follow(w *fsnotify.Watcher, dir, before string) (followed string, err error) {
	w.Remove(before) // an error says that the system has forgotten it already
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
		w.Remove(at) // it came back before at was followed
		at = dir
	}
}

// linked returns what a link at path leads to: the file alone is followed there,
// since its directory may be a busy one. "" where there is no link.
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
