// Command curfew-demo shows Curfew with an authorization server that it brings
// along. `curfew demo` and `curfew authserver` become it.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"curfew/assets"
	"curfew/ui/terminal"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	p := &program{stdout: stdout, stderr: stderr}
	return int(terminal.Run(ctx, p.root(), args, stdout, stderr))
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
	root.SetFlagErrorFunc(terminal.FlagError)
	root.AddCommand(p.demoCommand(), p.authserverCommand())
	return root
}

// note says something that is not the answer.
func (p *program) note(format string, args ...any) {
	fmt.Fprintln(p.stderr, terminal.OneLine(fmt.Sprintf("curfew: "+format, args...)))
}

// printJSON prints v as the answer; on one line if it is one of several.
func (p *program) printJSON(v any, oneOfMany bool) error {
	return terminal.JSON(p.stdout, v, oneOfMany)
}
