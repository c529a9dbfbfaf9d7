//go:build unix

package clipboard

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// programs is a clipboard that only programs of the system reach, such as those of
// Wayland and macOS. Each is a command line.
type programs struct {
	copy  []string // from standard input, as a secret if the program can mark one
	paste []string // to standard output
	clear []string // copies nothing; if no program offered anything, Weston would bring back the older text
}

// patience is how long each program may take. On some Wayland desktops, a program
// without focus waits forever.
const patience = 2 * time.Second

// copySecret is [CopySecret]. To see whether the clipboard still has the secret,
// clear compares its hash.
func (p programs) copySecret(secret string) (clear func() error, err error) {
	if err := call(p.copy, strings.NewReader(secret), nil); err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(secret))
	return func() error {
		there := sha256.New()
		err := call(p.paste, nil, there)
		if _, ended := errors.AsType[*exec.ExitError](err); ended {
			return nil // it fails if the clipboard is empty or has no text
		}
		if err != nil || [sha256.Size]byte(there.Sum(nil)) != sum {
			return err
		}
		return call(p.clear, nil, nil)
	}, nil
}

// call runs one of the programs and waits a while for its end. Its standard error
// is dropped: wl-copy leaves a process behind that keeps the clipboard, which
// would also keep a pipe open.
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
