package main

import (
	"os/exec"

	"curfew/auth"
)

func lookPath(name string) (string, error) { return exec.LookPath(name) }

// replaceWith: Windows has no descriptor that a command could open by name.
func replaceWith(string, []string, auth.Secret) error {
	return &auth.Error{Kind: auth.KindBadRequest, Message: "curfew exec is not available on Windows", Hint: "pipe the token instead: curfew token NAME | COMMAND"}
}
