package terminal

import (
	"errors"
	"io"
	"testing"

	"github.com/spf13/cobra"

	"curfew/auth"
)

// TestFlagError: what is wrong with a flag is said without the names of Go's
// functions, and with what to type instead.
func TestFlagError(t *testing.T) {
	for _, test := range []struct {
		use        string
		args       []string
		want, hint string
	}{
		{"serve", []string{"--port", "99999"}, `--port: "99999" is too large`, "see: serve --help"},
		{"serve", []string{"--port=x"}, `--port: "x" is not a number`, "see: serve --help"},
		{"serve", []string{"--open=maybe"}, `--open: "maybe" is neither true nor false`, "see: serve --help"},
		{"serve", []string{"--life=x"}, `--life: "x" is not a time span such as 60s, 15m or 30d`, "see: serve --help"},
		{"serve", []string{"--port"}, "flag needs an argument: --port", "see: serve --help"},
		{"serve", []string{"--prot", "1"}, "unknown flag: --prot", "did you mean: --port"},
		{"serve", []string{"--colour"}, "unknown flag: --colour", "see: serve --help"},
		{"serve", []string{"-p"}, "unknown shorthand flag: 'p' in -p", "see: serve --help"},
		{"exec [NAME] -- COMMAND", []string{"-p"}, "unknown shorthand flag: 'p' in -p", "a command and its flags come after --: exec NAME -- COMMAND"},
		{"serve", []string{"now"}, `unexpected argument "now"`, "see: serve --help"},
	} {
		cmd := &cobra.Command{Use: test.use, Args: NoArgs, SilenceErrors: true, SilenceUsage: true, Run: func(*cobra.Command, []string) {}}
		cmd.Flags().Uint16("port", 0, "")
		cmd.Flags().Bool("open", false, "")
		life := NotGiven
		cmd.Flags().Var(&life, "life", "")
		cmd.SetFlagErrorFunc(FlagError)
		cmd.SetArgs(test.args)
		cmd.SetOut(io.Discard)
		err := cmd.Execute()
		if e, ok := errors.AsType[*auth.Error](err); !ok || e.Kind != auth.KindBadRequest || e.Message != test.want || e.Hint != test.hint {
			t.Errorf("%s: %#v", test.args, err)
		}
	}
}
