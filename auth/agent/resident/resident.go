// Package resident is what a program needs that stays: a socket that it alone
// listens at, and to become the newer version of itself after an upgrade.
package resident

import (
	"errors"
	"time"
)

// ErrRunning says that another program answers at the socket, or is about to.
var ErrRunning = errors.New("an agent is already running")

// ErrUpgraded ends a program whose file is another one now.
var ErrUpgraded = errors.New("the program was replaced by another version")

// ErrUnreachable is the error of [WatchSocket].
var ErrUnreachable = errors.New("the socket is gone, so nobody can reach this program")

// SettleTime is how long a new program file must have been left alone: a package
// manager may still be at work.
const SettleTime = 2 * time.Second
