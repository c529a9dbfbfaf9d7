// Command curfew is the command line of Curfew.
//
// It needs no cgo and no display, and it holds no session. Every command is a
// question to the agent over its socket.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"curfew/auth/agent/caller"
	"curfew/auth/agent/client"
	"curfew/ui/terminal"
	"curfew/ui/tools"

	"github.com/spf13/cobra"

	"curfew/assets"
	"curfew/auth"
)

func main() {
	os.Exit(run(context.Background(), tools.Arguments(os.Args), os.Stdin, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &program{
		stdin:  stdin,
		stdout: stdout,
		stderr: stderr,
		client: client.NewClient(""),
	}
	if len(args) > 0 && args[0] == "agent" { // at once: a caller waits for its socket
		return int(terminal.Report(stderr, runProgram("curfew-agent", args[1:])))
	}
	// Scripts ask this in loops. Building the tree of commands, and listening for
	// signals, take longer than the agent's answer.
	if len(args) == 2 && args[0] == "token" && auth.CheckName(args[1]) == nil {
		return p.end(terminal.Report(stderr, p.token(ctx, args[1], auth.TokenRequest{MinValid: auth.AnyValidity, Program: caller.Starter()})))
	}
	return p.end(terminal.Run(ctx, p.root(), args, stdout, stderr))
}

// end returns the exit code. A command may have failed because config.toml is wrong.
func (p *program) end(code terminal.Code) int {
	if code != terminal.OK {
		p.noteConfig()
	}
	return int(code)
}

// program is one run of the command line.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	client         *client.Client
	json, long     bool
	configSaid     bool   // what is wrong with config.toml
	format         string // of curfew status, for bars and prompts
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "curfew",
		Short: "OAuth sign-ins that end on time: 30 days or 20 refreshes",
		Long: `Curfew keeps you signed in to OAuth services, hands fresh access tokens to your
programs, and ends every session after 30 days or 20 refreshes.

Without a command it shows what is signed in and what is left.

Exit codes: 0 success; 1 failed; 2 usage; 3 sign-in needed; 4 temporarily
unavailable; 5 refused; 6 keychain unavailable or locked; 7 the agent is not
running and cannot be started.`,
		Args:              p.rootArgs,
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
	}
	// cobra's version flag wants a template, and to link templates takes more time at
	// every start than the answer of the agent.
	version := root.Flags().BoolP("version", "v", false, "version for curfew")
	root.RunE = func(cmd *cobra.Command, _ []string) error {
		if *version {
			return p.say("curfew %s", assets.Version)
		}
		return p.overview(cmd.Context())
	}
	root.SetFlagErrorFunc(terminal.FlagError)
	root.AddGroup(
		&cobra.Group{ID: "accounts", Title: "Accounts:"},
		&cobra.Group{ID: "tokens", Title: "Tokens:"},
		&cobra.Group{ID: "look", Title: "Status:"},
		&cobra.Group{ID: "programs", Title: "Programs:"},
	)
	group := func(id string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = id
			root.AddCommand(c)
		}
	}
	group("accounts", p.addCommand(), p.removeCommand(), p.loginCommand(), p.logoutCommand(), p.providersCommand())
	group("tokens", p.tokenCommand(), p.refreshCommand(), p.execCommand(), p.proxyCommand(), p.mcpCommand(), p.setupCommand(), p.helperCommand(), p.consentCommand())
	group("look", p.statusCommand(), p.logCommand(), p.forecastCommand(), p.doctorCommand(), p.unlockCommand())
	group("programs", agentCommand(), p.windowCommand(), p.autostartCommand(), authserverCommand(), demoCommand())
	root.AddCommand(p.versionCommand())
	root.InitDefaultHelpCmd()
	if help, _, err := root.Find([]string{"help"}); err == nil {
		help.Args = func(_ *cobra.Command, args []string) error {
			if found, _, err := root.Find(args); err != nil || found != root {
				return err
			}
			return p.rootArgs(root, args)
		}
	}
	checkCompletion(root)
	p.addJSON(root)
	return root
}

// checkCompletion makes cobra's completion command refuse a shell that it does not
// know. By default, it prints its help, which a shell would then run.
func checkCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	c, _, err := root.Find([]string{"completion"})
	if err != nil {
		return
	}
	shells := commands(c)
	for _, shell := range c.Commands() {
		shell.Args = terminal.NoArgs
	}
	c.Args = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return terminal.Unknown("shell", args[0], shells, "curfew completion ", "shells: "+strings.Join(shells, ", "))
	}
	c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

func (p *program) rootArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return terminal.Unknown("command", args[0], commands(cmd), "curfew ", "see all commands with: curfew --help")
}

// commands lists what can follow a command.
func commands(cmd *cobra.Command) []string {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return names
}

// addJSON gives a command that prints an answer the --json flag.
func (p *program) addJSON(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().BoolVar(&p.json, "json", false, "print JSON")
	return cmd
}

// oneName and optionalName check what follows a command.
func oneName(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return &auth.Error{Kind: auth.KindBadRequest, Message: "missing account name", Hint: "usage: " + cmd.CommandPath() + " NAME"}
	}
	return optionalName(cmd, args)
}

func optionalName(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return terminal.UsageError(cmd, "unexpected argument %q", args[1])
	}
	for _, name := range args {
		if err := auth.CheckName(name); err != nil {
			return err
		}
	}
	return nil
}

// completeName offers the accounts that a running agent has. It starts none.
func (p *program) completeName(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if len(args) == 0 {
		ctx, cancel := context.WithTimeout(cmd.Context(), time.Second)
		defer cancel()
		snaps, _ := p.client.Accounts(ctx) // without an agent there is nothing to offer
		for _, s := range snaps {
			names = append(names, s.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// note says something besides the answer, on standard error.
func (p *program) note(format string, args ...any) {
	fmt.Fprintln(p.stderr, terminal.OneLine(fmt.Sprintf("curfew: "+format, args...)))
}

// hint says what to do next.
func (p *program) hint(format string, args ...any) {
	fmt.Fprintln(p.stderr, terminal.OneLine(fmt.Sprintf("hint: "+format, args...)))
}

// say prints a line of the answer.
func (p *program) say(format string, args ...any) error {
	_, err := fmt.Fprintln(p.stdout, terminal.OneLine(fmt.Sprintf(format, args...)))
	return err
}

// printJSON prints v as the answer; on one line if it is one of several.
func (p *program) printJSON(v any, oneOfMany bool) error {
	return terminal.JSON(p.stdout, v, oneOfMany)
}

// ask asks the agent, which is started when none answers.
func ask[T any](ctx context.Context, p *program, question func() (T, error)) (T, error) {
	return client.Ask(ctx, p.client, question)
}

// now is the one clock of the command line.
func now() time.Time { return auth.Local(time.Now()) }
