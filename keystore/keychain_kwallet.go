//go:build linux || netbsd || openbsd || (freebsd && cgo) || (dragonfly && cgo)

package keystore

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
//   - It answers a write at once and puts it on disk five seconds later. Ended
//     before that, it goes on with what was there before the write.

// kwalletNames are what KWallet is called on the bus, the newest first: its
// service ksecretd, by the name that starts it and its own, and what kept the
// wallets before.
var kwalletNames = []string{"org.kde.secretservicecompat", "org.kde.ksecretd", "org.kde.kwalletd6", "org.kde.kwalletd5"}

const (
	kwallet       = "org.kde.KWallet"
	kwalletWallet = "kdewallet"            // the name that KDE gives to the first one
	kwalletPoll   = 100 * time.Millisecond // how often to look whether it has written
)

// findKWallet returns the name of KWallet if it is what keeps the secrets, else "".
func findKWallet(ctx context.Context, conn *dbus.Conn) (string, error) {
	owner := func(name string) (id string, err error) {
		err = conn.BusObject().CallWithContext(ctx, dbusName+".GetNameOwner", 0, name).Store(&id)
		if e, ok := errors.AsType[dbus.Error](err); ok && e.Name == dbusName+".Error.NameHasNoOwner" {
			return "", nil
		}
		return id, classify(err)
	}
	keeper, err := owner(ssName)
	if err != nil || keeper == "" {
		return "", err
	}
	for _, name := range kwalletNames {
		if id, err := owner(name); err != nil || id == keeper {
			return name, err
		}
	}
	return "", nil
}

// saveWallet returns when KWallet has written the wallet that holds our items
// to disk, with all that it took before. Until version 6.13 it can be told to;
// later ones do it when they do.
func saveWallet(ctx context.Context, conn *dbus.Conn, name, data string) error {
	locked, err := isLocked(ctx, conn)
	if err != nil {
		return err
	}
	if locked { // was it before it ended, or after it began anew? And it would ask for the password
		return ErrLocked
	}
	path, err := collection(ctx, conn)
	if err != nil {
		return err
	}
	var wallet string
	if err := property(ctx, conn, path, ssCollection, "Label", &wallet); err != nil {
		return err
	}
	dir := filepath.Join(data, "kwalletd")
	file := filepath.Join(dir, walletFile(wallet))
	before, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it has another home than we
	}
	if err != nil {
		return err
	}
	module := name[strings.LastIndexByte(name, '.')+1:]
	syncWallet(ctx, conn.Object(name, dbus.ObjectPath("/modules/"+module)), wallet)
	poll := time.NewTicker(kwalletPoll)
	defer poll.Stop()
	for {
		if now, err := os.Stat(file); err == nil && !(os.SameFile(before, now) && before.ModTime().Equal(now.ModTime())) {
			return errors.Join(syncPath(file), syncPath(dir))
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: KWallet did not write %s (%w)", ErrTimeout, file, ctx.Err())
		}
	}
}

// syncWallet tells KWallet to write an open wallet, where it can be told. The
// empty name is the one that it keeps the Secret Service's own wallets open
// under, so that nobody is asked whether we may.
func syncWallet(ctx context.Context, o dbus.BusObject, wallet string) {
	const app, noWindow = "", int64(0)
	var handle int32
	if o.CallWithContext(ctx, kwallet+".open", dbus.FlagNoAutoStart, wallet, noWindow, app).Store(&handle) != nil || handle < 0 {
		return
	}
	o.CallWithContext(ctx, kwallet+".sync", dbus.FlagNoAutoStart|dbus.FlagNoReplyExpected, handle, app)
	o.CallWithContext(ctx, kwallet+".close", dbus.FlagNoAutoStart, handle, false, app) // gives back what open took
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
