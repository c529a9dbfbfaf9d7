//go:build linux || netbsd || openbsd || (freebsd && cgo) || (dragonfly && cgo)

package keychain

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// This file is what sets KWallet apart from other Secret Services:
//
//   - The bus starts it, but not by the name of the Secret Service.
//   - What it opened for others, for instance at login, it still calls locked as
//     a Secret Service until it is asked to unlock it. Then it shows a prompt
//     that nobody sees.
//   - It answers a write at once and puts it on disk five seconds later. Ended
//     before that, it goes on with what was there before the write.

// kwalletNames are KWallet's names on the bus, the newest first. The first two are
// those of its service ksecretd: the one that starts it, and its own.
var kwalletNames = []string{"org.kde.secretservicecompat", "org.kde.ksecretd", "org.kde.kwalletd6", "org.kde.kwalletd5"}

const (
	kwallet       = "org.kde.KWallet"
	kwalletWallet = "kdewallet"            // the name that KDE gives to the first one
	kwalletPoll   = 100 * time.Millisecond // how often to look whether it has written
)

// A kwalletd is KWallet as a Secret Service finds it.
type kwalletd struct {
	dbus.BusObject        // what speaks KWallet's own language, if it does
	owner          string // the connection, another one after each start
}

// findKWallet finds KWallet if it is what keeps the secrets, else nil.
func findKWallet(ctx context.Context, conn *dbus.Conn) (*kwalletd, error) {
	owner := func(name string) (id string, err error) {
		err = conn.BusObject().CallWithContext(ctx, dbusName+".GetNameOwner", 0, name).Store(&id)
		if e, ok := errors.AsType[dbus.Error](err); ok && e.Name == dbusName+".Error.NameHasNoOwner" {
			return "", nil
		}
		return id, classify(err)
	}
	keeper, err := owner(ssName)
	if err != nil || keeper == "" {
		return nil, err
	}
	for _, name := range kwalletNames {
		id, err := owner(name)
		if err != nil {
			return nil, err
		}
		if id == keeper {
			module := name[strings.LastIndexByte(name, '.')+1:]
			return &kwalletd{conn.Object(name, dbus.ObjectPath("/modules/"+module)), id}, nil
		}
	}
	return nil, nil
}

// call calls a method of KWallet's own language; it starts nothing.
func (w *kwalletd) call(ctx context.Context, method string, args ...any) *dbus.Call {
	return w.CallWithContext(ctx, kwallet+"."+method, dbus.FlagNoAutoStart, args...)
}

// join unlocks, without asking anybody, a collection whose wallet KWallet has
// open. Should it ask all the same, it is not brought to do so again.
func (k *OS) join(ctx context.Context, conn *dbus.Conn) (joined bool) {
	w, err := findKWallet(ctx, conn)
	if err != nil || w == nil {
		return false
	}
	k.mu.Lock()
	asked := k.asked == w.owner
	k.mu.Unlock()
	if asked {
		return false
	}
	wallet, err := walletName(ctx, conn)
	var open bool
	if err != nil || w.call(ctx, "isOpen", wallet).Store(&open) != nil || !open {
		return false
	}
	prompt, err := unlockCollection(ctx, conn)
	if err != nil {
		return false // it was too slow to be asked
	}
	if prompt != "/" {
		err = ask(ctx, conn, prompt)
	}
	if err == nil {
		if _, locked, err := isLocked(ctx, conn); err == nil && !locked {
			return true
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = w.owner
	return false
}

// walletName is the name of the wallet that the Secret Service shows as the
// collection that go-keyring will use.
func walletName(ctx context.Context, conn *dbus.Conn) (name string, err error) {
	path, err := collection(ctx, conn)
	if err == nil {
		err = property(ctx, conn, path, ssCollection, "Label", &name)
	}
	return name, err
}

// save returns when KWallet has written the wallet that holds our items
// to disk, with all that it took before. kwalletd can be made to write.
// ksecretd replaced it in version 6. It writes in its own time, and only if
// something changed.
func (w *kwalletd) save(ctx context.Context, conn *dbus.Conn, data string) error {
	_, locked, err := isLocked(ctx, conn)
	if err != nil {
		return err
	}
	if locked { // was it before it ended, or after it started again? And it would ask for the password
		return ErrLocked
	}
	wallet, err := walletName(ctx, conn)
	if err != nil {
		return err
	}
	dir := filepath.Join(data, "kwalletd")
	file := filepath.Join(dir, walletFile(wallet))
	before, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // its home is not ours
	}
	if err != nil {
		return err
	}
	w.sync(ctx, wallet)
	poll := time.NewTicker(kwalletPoll)
	defer poll.Stop()
	for {
		now, err := os.Stat(file)
		written := err == nil && !(os.SameFile(before, now) && before.ModTime().Equal(now.ModTime()))
		still, err := findKWallet(ctx, conn)
		switch {
		case ctx.Err() != nil: // below
		case err != nil:
			return err
		case still == nil || still.owner != w.owner: // what another one writes is what it found on disk
			return fmt.Errorf("%w: KWallet ended before it had written %s", ErrUnavailable, file)
		case written:
			return errors.Join(syncPath(file), syncPath(dir))
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: KWallet did not write %s (%w)", ErrTimeout, file, ctx.Err())
		}
	}
}

// sync makes KWallet write an open wallet, where it can be made to. It keeps the
// Secret Service's wallets open under the empty name, so under that nobody is
// asked whether we may.
func (w *kwalletd) sync(ctx context.Context, wallet string) {
	const app, noWindow = "", int64(0)
	var handle int32
	if w.call(ctx, "open", wallet, noWindow, app).Store(&handle) != nil || handle < 0 {
		return
	}
	w.call(ctx, "sync", handle, app)
	w.call(ctx, "close", handle, false, app) // gives back what open took
}

// walletFile is the name of a wallet's file: what KWallet does not like in it
// is written as ";" and two hexadecimal digits.
func walletFile(wallet string) string {
	var b strings.Builder
	for _, c := range []byte(wallet) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', slices.Contains([]byte("^&'@{}[],$=!-#()%.+_~\r\n\t\f\v "), c):
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, ";%02X", c)
		}
	}
	return b.String() + ".kwl"
}

// syncPath makes a file, or the names in a directory, survive a power cut.
func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
