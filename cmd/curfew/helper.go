package main

import (
	"context"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"curfew/auth"
	"curfew/ui/terminal"
	"curfew/ui/tools"
)

// Helpers: what other programs start to get a token.

func (p *program) helperCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "helper TOOL",
		Short: "Answer a tool that asks for credentials",
		Long: `Answer a tool that asks for credentials, in the tool's own protocol. Tools run
this command; curfew setup shows how to configure them.

The host that a tool asks about chooses the account: the one that lists the host
under hosts in config.toml. A host that no account lists gets no token.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return terminal.UsageError(cmd, "missing tool")
			}
			return terminal.Unknown("helper for", args[0], commands(cmd), cmd.CommandPath()+" ", "see: "+cmd.CommandPath()+" --help")
		},
		RunE: func(*cobra.Command, []string) error { return nil },
	}
	for _, tool := range tools.Names() {
		var account string
		var id bool
		var exchange func() *auth.Exchange
		sub := &cobra.Command{
			Use:   tool + " [--account NAME] [OPTION]... [ARGUMENT]...",
			Short: "Answer " + tool,
			RunE: func(cmd *cobra.Command, args []string) error {
				if account != "" {
					if err := auth.CheckName(account); err != nil {
						return err
					}
				}
				err := tools.Help(cmd.Context(), starting{p}, tool, tools.Call{
					Account: account, ID: id, Exchange: exchange(), Dir: folder(), Args: args, Stdin: p.stdin, Stdout: p.stdout, Env: os.Getenv,
				})
				if err != nil && tools.Hides(tool) {
					p.tellPerson(err)
				}
				return err
			},
			ValidArgsFunction: cobra.NoFileCompletions,
		}
		sub.Flags().SetInterspersed(false) // what follows is the tool's own
		sub.Flags().StringVar(&account, "account", "", "this account `NAME`, if the host does not choose one")
		exchange = exchangeFlags(sub)
		sub.Flags().BoolVar(&id, "id", false, "answer with the ID token instead of the access token")
		cmd.AddCommand(sub)
	}
	cmd.AddCommand(become("oidc-agent", "Answer oidc-token in the place of oidc-agent", "curfew-proxy", "helper", "oidc-agent"))
	return cmd
}

// tellPerson writes an error to the terminal. Some tools hide what their helper
// writes to standard error. Without a terminal, the tray shows the state.
func (p *program) tellPerson(err error) {
	if isTerminal(p.stderr) {
		return
	}
	if tty, failed := os.OpenFile("/dev/tty", os.O_WRONLY, 0); failed == nil {
		defer tty.Close()
		terminal.Report(tty, err)
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// starting is the agent, started when none runs.
type starting struct{ p *program }

func (s starting) Accounts(ctx context.Context) ([]auth.Snapshot, error) {
	return ask(ctx, s.p, func() ([]auth.Snapshot, error) { return s.p.client.Accounts(ctx) })
}

func (s starting) RequestToken(ctx context.Context, name string, r auth.TokenRequest) (auth.Token, error) {
	return s.p.requestToken(ctx, name, r)
}
