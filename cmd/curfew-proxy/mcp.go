package main

import (
	"github.com/spf13/cobra"

	"curfew/auth"
	"curfew/auth/agent/mcp"
	"curfew/ui/terminal"
)

func (p *program) mcpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "mcp NAME URL",
		Short: "Connect an AI tool to an MCP server, with an access token",
		Long: `Connect a program that speaks the Model Context Protocol over standard input and
output to the MCP server at URL, which speaks it over HTTP. The access token of
the account is added on the way, so the program never sees it. Programs run this
command; it ends with them.

The host of URL must be one of the account's hosts in config.toml.`,
		Example: `  claude mcp add example -- curfew mcp work https://mcp.example.com/mcp`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return terminal.UsageError(cmd, "expected an account name and the address of a server")
			}
			return auth.CheckName(args[0])
		},
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			t, to, err := p.transport(cmd.Context(), "mcp", args[0], args[1])
			if err != nil {
				return err
			}
			return mcp.New(t, to.String(), p.stdin, p.stdout, func(err error) { terminal.Report(p.stderr, err) }).Run(cmd.Context())
		},
	}
}
