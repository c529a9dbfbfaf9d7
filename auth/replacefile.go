package auth

import (
	"os"
	"path/filepath"
)

// ReplaceFile writes text to path, which only its owner may read. A reader sees
// the old file or the new one, never a part, and a power cut leaves one of them.
// A link stays a link: people keep their dot files elsewhere.
func ReplaceFile(path string, text []byte) (err error) {
	for range 40 { // as many as Linux follows; the file at the end may be missing
		target, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			dir, err := filepath.EvalSymlinks(filepath.Dir(path)) // ".." leads to its parent, not to its link's
			if err != nil {
				return err
			}
			target = filepath.Join(dir, target)
		}
		path = target
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".curfew-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return err
	}
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync() // makes the rename durable, where a directory can be synced
		d.Close()
	}
	return nil
}
