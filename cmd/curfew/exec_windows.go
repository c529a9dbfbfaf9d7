package main

import (
	"errors"
	"os"
	"os/exec"

	"curfew/auth"
	"curfew/ui/terminal"
)

func lookPath(name string) (string, error) { return exec.LookPath(name) }

// replaceWith: Windows has no descriptor that a command could open by name.
func replaceWith(string, []string, auth.Secret) error {
	return &auth.Error{Kind: auth.KindBadRequest, Message: "curfew exec is not available on Windows", Hint: "pipe the token instead: curfew token NAME | COMMAND"}
}

// runInstead runs another program to its end and takes its exit code: Windows
// has no way to become it. Ctrl-C reaches both, and this one waits.
func runInstead(path string, argv []string) error {
	cmd := exec.Command(path, argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return terminal.Silent(exit.ExitCode())
	}
	if err == nil {
		return terminal.Silent(terminal.OK)
	}
	return err
}
