// Command curfew-proxy adds access tokens to the requests of programs that never
// see them. `curfew proxy`, `curfew mcp` and `curfew helper oidc-agent` become it.
//
// It is a client of the agent and holds a token only while a request needs it.
package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"curfew/assets"
	"curfew/auth"
	"curfew/auth/agent/client"
	"curfew/auth/agent/proxy"
	"curfew/ui/terminal"
	"curfew/ui/tools"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &program{stdin: stdin, stdout: stdout, stderr: stderr, agent: starting{client.NewClient("")}}
	return int(terminal.Run(ctx, p.root(), args, stdout, stderr))
}

// program is one run of a proxy.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	agent          starting
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:               "curfew-proxy",
		Short:             "Add access tokens to the requests of programs",
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		Version:           assets.Version,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Annotations:       map[string]string{cobra.CommandDisplayNameAnnotation: "curfew"},
	}
	root.SetFlagErrorFunc(terminal.FlagError)
	helper := &cobra.Command{Use: "helper", Short: "Answer a tool that asks for credentials", Args: cobra.NoArgs}
	helper.AddCommand(p.oidcAgentCommand())
	root.AddCommand(p.proxyCommand(), p.mcpCommand(), helper)
	return root
}

// transport returns what adds the tokens of an account to requests for the
// server at address, which must be one of the account's hosts. kind names the
// command in the log.
func (p *program) transport(ctx context.Context, kind, account, address string) (*proxy.Transport, *url.URL, error) {
	to, err := url.Parse(address)
	if err == nil && to.User != nil { // and is not repeated
		return nil, nil, &auth.Error{Kind: auth.KindBadRequest, Message: "the address has a user name or a password in it", Hint: "leave them out: the token takes their place"}
	}
	if err != nil || to.Host == "" || to.RawQuery != "" && kind == "proxy" || to.Fragment != "" {
		return nil, nil, &auth.Error{Kind: auth.KindBadRequest, Message: fmt.Sprintf("%q is not the address of a server", address), Hint: "for example: https://api.example.com"}
	}
	s, err := p.agent.account(ctx, account)
	if err == nil {
		err = tools.CheckHost(s, address)
	}
	if err != nil {
		return nil, nil, err
	}
	return proxy.NewTransport(p.agent, account, kind+" "+to.Host, to), to, nil
}

// starting is the agent, started when none runs.
type starting struct{ *client.Client }

func (s starting) account(ctx context.Context, name string) (auth.Snapshot, error) {
	return client.Ask(ctx, s.Client, func() (auth.Snapshot, error) { return s.Client.Account(ctx, name) })
}

// RequestToken is that of the agent's client.
func (s starting) RequestToken(ctx context.Context, name string, r auth.TokenRequest) (auth.Token, error) {
	return client.Ask(ctx, s.Client, func() (auth.Token, error) { return s.Client.RequestToken(ctx, name, r) })
}

// Refresh is that of the agent's client.
func (s starting) Refresh(ctx context.Context, name, program string) (auth.Snapshot, error) {
	return client.Ask(ctx, s.Client, func() (auth.Snapshot, error) { return s.Client.Refresh(ctx, name, program) })
}
