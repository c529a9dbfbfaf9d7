//go:build unix

package desktop

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// programs is a clipboard that only its system's own programs reach, as
// Wayland's and macOS's. Each is a command line.
type programs struct {
	copy  []string // from standard input, as a secret if that can be said
	paste []string // to standard output
	clear []string // copies nothing. With nobody to offer anything, Weston for one brings back what was there before
}

// patience is how long each of the programs may take. Under some Wayland
// desktops one that gets no focus waits for ever.
const patience = 2 * time.Second

// copySecret is [CopySecret]. That the secret still lies there is seen by
// reading it, for which its hash is enough.
func (p programs) copySecret(secret string) (clear func() error, err error) {
	if err := call(p.copy, strings.NewReader(secret), nil); err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(secret))
	return func() error {
		there := sha256.New()
		err := call(p.paste, nil, there)
		if _, ended := errors.AsType[*exec.ExitError](err); ended {
			return nil // they say so where there is nothing, or no text
		}
		if err != nil || [sha256.Size]byte(there.Sum(nil)) != sum {
			return err
		}
		return call(p.clear, nil, nil)
	}, nil
}

// call runs one of the programs and waits for its end, not for ever. What it
// has on standard error goes nowhere: wl-copy leaves a process behind that
// keeps the clipboard, and would keep a pipe open.
func call(command []string, in io.Reader, out io.Writer) error {
	c := exec.Command(command[0], command[1:]...)
	c.Stdin, c.Stdout = in, out
	c.WaitDelay = patience
	if err := c.Start(); err != nil {
		return err
	}
	limit := time.AfterFunc(patience, func() { c.Process.Kill() })
	err := c.Wait()
	if !limit.Stop() {
		return fmt.Errorf("%s does not answer", command[0])
	}
	return err
}
