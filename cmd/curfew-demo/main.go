// Command curfew-demo shows Curfew with an authorization server that it brings
// along. `curfew demo` and `curfew authserver` become it.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"curfew/assets"
	"curfew/auth"
	"curfew/ui/terminal"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := &program{stdout: stdout, stderr: stderr}
	root := p.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return int(terminal.Report(stderr, root.ExecuteContext(ctx)))
}

// program is one run of the demo or of its server.
type program struct{ stdout, stderr io.Writer }

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:               "curfew-demo",
		Short:             "Try Curfew with its own server",
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		Version:           assets.Version,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Annotations:       map[string]string{cobra.CommandDisplayNameAnnotation: "curfew"},
	}
	root.SetVersionTemplate("curfew-demo {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage(cmd, "%s", err) })
	root.AddCommand(p.demoCommand(), p.authserverCommand())
	return root
}

// usage is an error in the command that a person typed.
func usage(cmd *cobra.Command, format string, args ...any) error {
	return &auth.Error{Kind: auth.KindBadRequest, Message: fmt.Sprintf(format, args...), Hint: "see: " + cmd.CommandPath() + " --help"}
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage(cmd, "unexpected argument %q", args[0])
	}
	return nil
}

// note says something that is not the answer.
func (p *program) note(format string, args ...any) {
	fmt.Fprintln(p.stderr, terminal.OneLine(fmt.Sprintf("curfew: "+format, args...)))
}

// printJSON prints v as the answer; on one line if it is one of several.
func (p *program) printJSON(v any, oneOfMany bool) error {
	return terminal.JSON(p.stdout, v, oneOfMany)
}
