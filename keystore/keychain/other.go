//go:build !(linux || netbsd || openbsd || (freebsd && cgo) || (dragonfly && cgo)) && !darwin && !windows

package keychain

import (
	"context"
	"fmt"
	"runtime"
)

// OS is no keychain: go-keyring has nothing for this system.
type OS struct{}

// Probe says that there is none.
func (*OS) Probe(context.Context) error {
	return fmt.Errorf("%w on %s", ErrUnavailable, runtime.GOOS)
}

// Unlock says that there is none.
func (k *OS) Unlock(ctx context.Context) error { return k.Probe(ctx) }

func classifyOS(error) error { return ErrUnavailable }
