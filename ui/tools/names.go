package tools

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"curfew/auth"
)

// executables are the names by which tools look their helpers up on PATH, and
// which helper each means.
var executables = map[string]string{
	"cargo-credential-curfew":      "cargo",
	"docker-credential-curfew":     "docker",
	"git-credential-curfew":        "git",
	"keyring":                      "pip",
	"terraform-credentials-curfew": "terraform",
}

// Executables lists these names.
func Executables() []string { return slices.Sorted(maps.Keys(executables)) }

// Arguments are the arguments of curfew for a command line. A program that goes
// by the name of a helper, usually a link, means that helper. So does
// "curfew-TOOL", for tools that want a path and pass no arguments. A name that
// goes on with a dash and an account means that account.
func Arguments(argv []string) []string {
	base := strings.TrimSuffix(filepath.Base(argv[0]), ".exe")
	for name, tool := range executables {
		if args, ok := asHelper(base, name, tool); ok {
			return append(args, toolsOwn(argv[1:])...)
		}
	}
	for _, tool := range Names() {
		if args, ok := asHelper(base, "curfew-"+tool, tool); ok {
			return append(args, toolsOwn(argv[1:])...)
		}
	}
	return argv[1:]
}

// toolsOwn marks flags as the tool's own, except the one that is ours.
func toolsOwn(args []string) []string {
	if len(args) > 0 && strings.HasPrefix(args[0], "-") && !strings.HasPrefix(args[0], "--account") {
		return append([]string{"--"}, args...)
	}
	return args
}

func asHelper(base, name, tool string) ([]string, bool) {
	account, ok := strings.CutPrefix(base, name)
	if account, dash := strings.CutPrefix(account, "-"); ok && dash && auth.CheckName(account) == nil {
		return []string{"helper", tool, "--account", account}, true
	}
	return []string{"helper", tool}, ok && account == ""
}
