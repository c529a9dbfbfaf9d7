package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"curfew/auth"
)

// Run runs a program's root command until it ends, or a signal ends it. It
// reports what went wrong, and returns the exit code.
func Run(ctx context.Context, root *cobra.Command, args []string, stdout, stderr io.Writer) Code {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return Report(stderr, root.ExecuteContext(ctx))
}

// UsageError is an error in what was typed after a command.
func UsageError(cmd *cobra.Command, format string, args ...any) *auth.Error {
	return &auth.Error{Kind: auth.KindBadRequest, Message: fmt.Sprintf(format, args...), Hint: "see: " + cmd.CommandPath() + " --help"}
}

// Unknown is the error for a word that is none of the known ones. Its hint is
// the nearest of them after what goes before it, or else where they are listed.
func Unknown(what, typed string, known []string, before, list string) error {
	if near := auth.Nearest(typed, known); near != "" {
		list = "did you mean: " + before + near
	}
	return &auth.Error{Kind: auth.KindBadRequest, Message: fmt.Sprintf("there is no %s %q", what, typed), Hint: list}
}

// NoArgs is for a command that nothing but flags can follow.
func NoArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return UsageError(cmd, "unexpected argument %q", args[0])
	}
	return nil
}

// FlagError is [UsageError] for a flag that cobra cannot read.
func FlagError(cmd *cobra.Command, err error) error {
	e := UsageError(cmd, "%s", err)
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		reason := bad.Unwrap().Error()
		if number, ok := errors.AsType[*strconv.NumError](err); ok { // which names functions of Go
			switch {
			case errors.Is(number, strconv.ErrRange):
				reason = "is too large"
			case number.Func == "ParseBool":
				reason = "is neither true nor false"
			default:
				reason = "is not a number"
			}
			reason = strconv.Quote(bad.GetValue()) + " " + reason
		}
		e.Message = "--" + bad.GetFlag().Name + ": " + reason
	}
	missing, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return e
	}
	var flags []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { flags = append(flags, f.Name) })
	if near := auth.Nearest(missing.GetSpecifiedName(), flags); near != "" && missing.GetSpecifiedShortnames() == "" {
		e.Hint = "did you mean: --" + near
	} else if strings.Contains(cmd.Use, " -- ") {
		e.Hint = "a command and its flags come after --: " + cmd.CommandPath() + " NAME -- COMMAND"
	}
	return e
}
