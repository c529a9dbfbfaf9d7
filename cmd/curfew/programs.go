package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"curfew/auth"
	"curfew/auth/agent/client"
)

// The agent, the demo and the proxy are separate programs: the command line links
// no engine, no server and no net/http. These commands become them.

func agentCommand() *cobra.Command {
	return become("agent", "Run the agent that keeps the sessions", "curfew-agent")
}

func authserverCommand() *cobra.Command {
	return become("authserver", "Run a small authorization server, to try things out", "curfew-demo", "authserver")
}

func demoCommand() *cobra.Command {
	return become("demo", "Try Curfew with its own server, in a temporary profile", "curfew-demo", "demo")
}

func (p *program) proxyCommand() *cobra.Command {
	cmd := become("proxy", "Pass requests on to a server, with an access token", "curfew-proxy", "proxy")
	cmd.ValidArgsFunction = p.completeName
	return cmd
}

func (p *program) mcpCommand() *cobra.Command {
	cmd := become("mcp", "Connect an AI tool to an MCP server, with an access token", "curfew-proxy", "mcp")
	cmd.ValidArgsFunction = p.completeName
	return cmd
}

// become makes a command that becomes another of Curfew's programs: the one next
// to this program, else the one on PATH. That program has the flags and the help.
func become(name, short, program string, first ...string) *cobra.Command {
	return &cobra.Command{
		Use:                name,
		Short:              short,
		Long:               short + ". This is the program " + program + ".",
		DisableFlagParsing: true,
		ValidArgsFunction:  cobra.NoFileCompletions,
		RunE: func(_ *cobra.Command, args []string) error {
			return runProgram(program, append(slices.Clone(first), args...))
		},
	}
}

// runProgram runs one of Curfew's programs in this one's place.
func runProgram(program string, args []string) error {
	path, err := client.FindProgram(program)
	if err != nil {
		kind := auth.KindFailed
		if program == "curfew-agent" {
			kind = auth.KindNotRunning
		}
		return &auth.Error{Kind: kind, Message: "there is no program " + program, Hint: "install it next to curfew or in a directory of PATH"}
	}
	return fmt.Errorf("%s: %w", path, runInstead(path, append([]string{path}, args...), os.Environ()))
}
