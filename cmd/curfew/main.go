// Command curfew is the command line of Curfew, and its agent (curfew agent).
//
// It needs no cgo and no display, and starts in milliseconds: everything but
// the agent itself is a question to the agent over its socket.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
	"unicode"

	"curfew/auth/config"

	"github.com/spf13/cobra"

	"curfew/assets"
	"curfew/auth"
	"curfew/auth/agent"
)

// The rules of this program's text:
//   - Standard output carries the answer and nothing else.
//   - Everything else goes to standard error: "curfew: what is wrong", lower
//     case, no full stop, and "hint: what to do". The exact words of the
//     session model (auth.MessageAge, auth.MessageRefreshes) stay exact.
//   - No secret is ever in an argument, in the environment or in a message.

// exitCode is what curfew tells the program that called it. Scripts rely on it.
type exitCode int

const (
	exitOK           exitCode = 0
	exitFailed       exitCode = 1
	exitUsage        exitCode = 2 // a command, flag, name or setting is wrong
	exitSignInNeeded exitCode = 3 // limit reached, revoked, never signed in
	exitUnavailable  exitCode = 4 // offline, throttled: try again later
	exitRefused      exitCode = 5 // consent denied, policy, client refused
	exitKeychain     exitCode = 6 // keychain locked or away
	exitNoAgent      exitCode = 7 // agent not running and not startable
)

// exitCodeOf maps the engine's kinds to exit codes.
func exitCodeOf(k auth.Kind) exitCode {
	switch k {
	case auth.KindBadRequest, auth.KindUnknown:
		return exitUsage
	case auth.KindSignInNeeded:
		return exitSignInNeeded
	case auth.KindUnavailable:
		return exitUnavailable
	case auth.KindRefused:
		return exitRefused
	case auth.KindKeychain:
		return exitKeychain
	case auth.KindNotRunning:
		return exitNoAgent
	default:
		return exitFailed
	}
}

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := &program{
		stdin:  stdin,
		stdout: stdout,
		stderr: stderr,
		client: agent.NewClient(""),
	}
	root := p.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return int(p.report(root.ExecuteContext(ctx)))
}

// program is one run of the command line.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	client         *agent.Client
	json           bool
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "curfew",
		Short: "OAuth sign-ins that end on time: 30 days or 20 refreshes",
		Long: `Curfew keeps you signed in to OAuth services, hands fresh access tokens to your
programs, and ends every session after 30 days or 20 refreshes.

Without a command it shows what is signed in and what is left.

Exit codes: 0 ok, 1 failed, 2 usage, 3 sign-in needed, 4 temporarily
unavailable, 5 refused, 6 keychain unavailable or locked, 7 agent not running
and not startable.`,
		Args:              p.rootArgs,
		RunE:              func(cmd *cobra.Command, _ []string) error { return p.overview(cmd.Context()) },
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		Version:           assets.Version,

		SuggestionsMinimumDistance: 2,
	}
	root.SetVersionTemplate("curfew {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage(cmd, "%s", err) })
	root.AddGroup(
		&cobra.Group{ID: "accounts", Title: "Accounts:"},
		&cobra.Group{ID: "tokens", Title: "Tokens:"},
		&cobra.Group{ID: "look", Title: "Looking:"},
		&cobra.Group{ID: "programs", Title: "Programs:"},
	)
	group := func(id string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = id
			root.AddCommand(c)
		}
	}
	group("accounts", p.addCommand(), p.removeCommand(), p.loginCommand(), p.logoutCommand(), p.providersCommand())
	group("tokens", p.tokenCommand(), p.refreshCommand(), p.execCommand())
	group("look", p.statusCommand(), p.logCommand(), p.forecastCommand(), p.doctorCommand(), p.unlockCommand())
	group("programs", p.agentCommand(), p.windowCommand(), p.autostartCommand(), p.authserverCommand(), p.demoCommand())
	root.AddCommand(p.versionCommand())
	p.addJSON(root)
	return root
}

func (p *program) rootArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "see all commands with: curfew --help"
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean: curfew " + near[0]
	}
	return &auth.Error{Kind: auth.KindBadRequest, Message: fmt.Sprintf("there is no command %q", args[0]), Hint: hint}
}

// addJSON gives a command that prints an answer the --json flag.
func (p *program) addJSON(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().BoolVar(&p.json, "json", false, "print JSON")
	return cmd
}

// usage is an error of whoever typed the command.
func usage(cmd *cobra.Command, format string, args ...any) error {
	return &auth.Error{Kind: auth.KindBadRequest, Message: fmt.Sprintf(format, args...), Hint: "see: " + cmd.CommandPath() + " --help"}
}

// noArgs and oneName check what follows a command.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage(cmd, "%q is too much: %s takes no name", args[0], cmd.CommandPath())
	}
	return nil
}

func oneName(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usage(cmd, "which account? say: %s NAME", cmd.CommandPath())
	}
	return optionalName(cmd, args)
}

func optionalName(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usage(cmd, "%q is too much: one account at a time", args[1])
	}
	for _, name := range args {
		if err := auth.CheckName(name); err != nil {
			return err
		}
	}
	return nil
}

// completeName offers the configured accounts; it starts no agent.
func completeName(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if path, err := auth.ConfigPath(); err == nil && len(args) == 0 {
		if s, err := config.Load(path); err == nil {
			for _, a := range s.Accounts {
				names = append(names, a.Name)
			}
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// report says what went wrong and returns the exit code.
func (p *program) report(err error) exitCode {
	if err == nil {
		return exitOK
	}
	if silent, ok := errors.AsType[exitSilently](err); ok {
		return exitCode(silent)
	}
	e, ok := errors.AsType[*auth.Error](err)
	if !ok {
		e = &auth.Error{Kind: auth.KindFailed, Message: err.Error()}
		if errors.Is(err, context.Canceled) {
			e.Message = "stopped"
		}
	}
	fmt.Fprintln(p.stderr, "curfew: "+oneLine(e.Message))
	if e.Hint != "" {
		fmt.Fprintln(p.stderr, "hint: "+oneLine(e.Hint))
	}
	return exitCodeOf(e.Kind)
}

// exitSilently is the error of a command that has said everything itself.
type exitSilently exitCode

func (e exitSilently) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// oneLine keeps text from elsewhere from writing to the terminal what it
// must not: a second line, or an escape sequence.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}

// note says something beside the answer.
func (p *program) note(format string, args ...any) {
	fmt.Fprintln(p.stderr, oneLine(fmt.Sprintf("curfew: "+format, args...)))
}

// hint says what to do next.
func (p *program) hint(format string, args ...any) {
	fmt.Fprintln(p.stderr, oneLine(fmt.Sprintf("hint: "+format, args...)))
}

// say prints a line of the answer.
func (p *program) say(format string, args ...any) error {
	_, err := fmt.Fprintln(p.stdout, oneLine(fmt.Sprintf(format, args...)))
	return err
}

// printJSON prints v as the answer; on one line if it is one of several.
func (p *program) printJSON(v any, oneOfMany bool) error {
	e := json.NewEncoder(p.stdout)
	e.SetEscapeHTML(false)
	if !oneOfMany {
		e.SetIndent("", "  ")
	}
	return e.Encode(v)
}

// ask asks the agent, and starts it when none answers. The quick way comes
// first: an agent that runs costs no extra question.
func ask[T any](ctx context.Context, p *program, question func() (T, error)) (T, error) {
	v, err := question()
	if e, ok := errors.AsType[*auth.Error](err); !ok || e.Kind != auth.KindNotRunning {
		return v, err
	}
	if err := p.client.EnsureRunning(ctx); err != nil {
		return v, err
	}
	return question()
}

// now is the one clock of the command line.
func now() time.Time { return time.Now() }
