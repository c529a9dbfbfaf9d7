// Command curfew-agent keeps the sessions: it is the only program that holds
// tokens. `curfew agent` becomes it, and every command that needs it starts it.
//
// It needs no cgo and no display. Its memory is closed to other programs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"curfew/assets"
	"curfew/auth/agent/resident"
	"curfew/ui/terminal"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	// The agent waits for others and computes next to nothing. With a second
	// processor each request would wake another thread, which takes longer than to
	// answer. What blocks in the kernel, as fsync does, holds nobody up.
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(50) // else the heap grows to 4 MB before it is collected
	return int(terminal.Run(ctx, command(stderr), args, stdout, stderr))
}

type options struct {
	background, memory, version bool
	format                      logFormat
}

// logFormat is the value of --log-format.
type logFormat string

// Type names the flag's value in the help.
func (f *logFormat) Type() string { return "FORMAT" }

// String returns the format.
func (f *logFormat) String() string { return string(*f) }

// Set takes a format.
func (f *logFormat) Set(s string) error {
	if s != "text" && s != "json" {
		return fmt.Errorf("%q is neither text nor json", s)
	}
	*f = logFormat(s)
	return nil
}

// handler writes the log to w.
func (f logFormat) handler(w io.Writer) slog.Handler {
	if f == "json" {
		return slog.NewJSONHandler(w, nil)
	}
	return slog.NewTextHandler(w, nil)
}

func command(stderr io.Writer) *cobra.Command {
	o := options{format: "text"}
	cmd := &cobra.Command{
		Use:   "curfew-agent",
		Short: "Run the agent that keeps the sessions",
		Long: `Run the agent that keeps the sessions, in the foreground. Other commands start
it when none runs. SIGHUP makes it read config.toml again. SIGTERM and SIGINT
end it cleanly. It logs to agent.log in the state directory.

On a machine without a keychain, --memory keeps sessions in the agent's memory
only: sessions are lost when the agent stops.`,
		Args: terminal.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.version {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "curfew-agent %s\n", assets.Version)
				return err
			}
			self, _ := os.Executable() // before an upgrade renames it
			err := runAgent(cmd.Context(), stderr, o)
			if errors.Is(err, resident.ErrUpgraded) {
				return resident.Become(self)
			}
			if errors.Is(err, resident.ErrUnreachable) {
				return nil // the next program that asks starts another
			}
			if o.background && errors.Is(err, resident.ErrRunning) {
				return nil // an agent runs, which is all that was wanted
			}
			return agentError(err)
		},
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Annotations:       map[string]string{cobra.CommandDisplayNameAnnotation: "curfew agent"},
	}
	cmd.SetFlagErrorFunc(terminal.FlagError)
	// cobra's version flag wants a template. Templates call methods by name, so the
	// linker would keep every method of every type.
	cmd.Flags().BoolVarP(&o.version, "version", "v", false, "version for curfew agent")
	cmd.Flags().BoolVar(&o.background, "background", false, "log to agent.log only; exit quietly if an agent is already running")
	cmd.Flags().MarkHidden("background")
	cmd.Flags().BoolVar(&o.memory, "memory", false, "use no keychain: sessions are lost when the agent stops")
	cmd.Flags().Var(&o.format, "log-format", "write the log as text, or as json with one object a line")
	return cmd
}
