package main

import (
	"errors"
	"os"
	"os/exec"

	"curfew/auth"
	"curfew/ui/terminal"
)

// hold returns the path of a file in the state directory, which only this user
// can read. Windows has no descriptor that a command could open by name.
func hold(text string) (path string, remove func(), err error) {
	dir, err := auth.StateDir()
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return "", nil, err
	}
	f, err := os.CreateTemp(dir, "exec-*")
	if err != nil {
		return "", nil, err
	}
	remove = func() { os.Remove(f.Name()) }
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err != nil {
		remove()
		return "", nil, err
	}
	return f.Name(), remove, nil
}

// runInstead runs another program to its end and takes its exit code: Windows
// has no way to become it. Ctrl-C reaches both, and this one waits.
func runInstead(path string, argv, env []string) error {
	cmd := exec.Command(path, argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = os.Stdin, os.Stdout, os.Stderr, env
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return terminal.Silent(exit.ExitCode())
	}
	if err == nil {
		return terminal.Silent(terminal.OK)
	}
	return err
}
