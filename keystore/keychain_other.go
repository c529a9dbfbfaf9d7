//go:build !(linux || netbsd || openbsd || (freebsd && cgo) || (dragonfly && cgo)) && !darwin && !windows

package keystore

import (
	"context"
	"fmt"
	"runtime"
)

// Systems that go-keyring has nothing for.
type osKeychain struct{}

// Probe says that there is none.
func (*osKeychain) Probe(context.Context) error {
	return fmt.Errorf("%w on %s", ErrUnavailable, runtime.GOOS)
}

// Unlock says that there is none.
func (k *osKeychain) Unlock(ctx context.Context) error { return k.Probe(ctx) }

func classifyOS(error) error { return ErrUnavailable }
