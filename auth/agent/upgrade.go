package agent

import (
	"errors"
	"time"
)

// ErrUpgraded ends a program whose file is another one now.
var ErrUpgraded = errors.New("the program was replaced by another version")

// SettleTime is how long a new program file must have been left alone: a package
// manager may still be at work.
const SettleTime = 2 * time.Second
