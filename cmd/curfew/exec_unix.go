//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"curfew/auth"

	"golang.org/x/sys/unix"
)

func lookPath(name string) (string, error) { return exec.LookPath(name) }

// replaceWith becomes the command, which then has the signals, the terminal and
// the exit code. The token is in pipes that are already written and closed, so
// that reading gives the token and then the end.
func replaceWith(path string, args []string, token auth.Secret) error {
	tokenFile, err := inheritedPipe(token.Reveal())
	if err != nil {
		return err
	}
	var headerFile string
	args = append([]string(nil), args...)
	for i, a := range args[1:] {
		if strings.Contains(a, "{header_file}") && headerFile == "" {
			if headerFile, err = inheritedPipe("Authorization: Bearer " + token.Reveal() + "\n"); err != nil {
				return err
			}
		}
		args[1+i] = strings.NewReplacer("{token_file}", tokenFile, "{header_file}", headerFile).Replace(a)
	}
	env := append(os.Environ(), "CURFEW_ACCESS_TOKEN_FILE="+tokenFile)
	return fmt.Errorf("%s: %w", path, syscall.Exec(path, args, env))
}

// runInstead becomes another program, which has the terminal, the signals and
// the exit code from then on.
func runInstead(path string, argv []string) error { return syscall.Exec(path, argv, os.Environ()) }

// inheritedPipe returns the path of a descriptor that the command inherits
// and that gives text once.
func inheritedPipe(text string) (string, error) {
	var fds [2]int
	if err := unix.Pipe(fds[:]); err != nil {
		return "", err
	}
	defer unix.Close(fds[1])
	// A pipe takes 64 KB without a reader (on macOS at least 16 KB). No token that
	// Curfew keeps is that long, and if one were, this must not hang.
	if err := unix.SetNonblock(fds[1], true); err != nil {
		return "", err
	}
	if n, err := unix.Write(fds[1], []byte(text)); err != nil || n != len(text) {
		return "", fmt.Errorf("the token does not fit into a pipe (%v)", err)
	}
	return fmt.Sprintf("/dev/fd/%d", fds[0]), nil
}
