//go:build unix

package auth

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// CheckOwner refuses to work in somebody else's directories. Under `sudo -E` or
// after `su`, HOME or XDG_RUNTIME_DIR may still be the person's. What root
// leaves there locks them out. It looks at the nearest part of each path that
// exists. Its error is an [*Error].
func CheckOwner(paths ...string) error {
	me := os.Geteuid()
	for _, path := range paths {
		dir, owner, err := nearest(path)
		if err != nil || owner == me || owner == 0 { // what root has for everybody is not a person's
			continue
		}
		hint := "run it as that user"
		if me == 0 {
			hint = "run it without sudo"
		}
		return &Error{Kind: KindFailed, Message: fmt.Sprintf("%s belongs to %s, and this runs as %s", dir, userName(owner), userName(me)), Hint: hint}
	}
	return nil
}

// nearest is the part of path that exists and can be seen, and whose it is.
func nearest(path string) (string, int, error) {
	for {
		fi, err := os.Lstat(path)
		if err == nil {
			return path, int(fi.Sys().(*syscall.Stat_t).Uid), nil
		}
		up := filepath.Dir(path)
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) || up == path {
			return "", 0, err
		}
		path = up
	}
}

func userName(uid int) string {
	if uid == 0 {
		return "root"
	}
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return "user " + strconv.Itoa(uid)
}
