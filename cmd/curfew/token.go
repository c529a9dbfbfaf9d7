package main

import (
	"context"
	"io"
	"os"
	"slices"

	"curfew/auth/agent/caller"
	"curfew/auth/agent/client"

	"github.com/spf13/cobra"

	"curfew/auth"
	"curfew/ui/status"
	"curfew/ui/terminal"
	"curfew/ui/tools"
)

func (p *program) tokenCommand() *cobra.Command {
	life, wait, best, id := terminal.NotGiven, terminal.NotGiven, false, false
	var method, nonce string
	var host string
	var exchange func() *auth.Exchange
	cmd := &cobra.Command{
		Use:   "token [NAME]",
		Short: "Print an access token, nothing else",
		Long: `Print an access token, nothing else.

Without NAME it is that of the account that lists this folder, or one above it,
under directories in config.toml, or else that of the only account. A line on
standard error says which account that is, and why.`,
		Example: `  curfew token work --min-valid 10m
  curfew exec work -- curl -H @{header_file} https://api.example.com/me`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case id && (method != "" || exchange() != nil):
				return terminal.UsageError(cmd, "--id prints the ID token, so it cannot be combined with --dpop, --audience, --resource, --scope or --by-refresh")
			case method == "":
				return optionalName(cmd, args)
			case len(args) == 0 || len(args) > 2:
				return terminal.UsageError(cmd, "--dpop takes a method and an address: curfew token NAME --dpop GET https://api.example.com/me")
			}
			return optionalName(cmd, args[:len(args)-1])
		},
		ValidArgsFunction: p.completeName,
		RunE: func(cmd *cobra.Command, args []string) error {
			r := auth.TokenRequest{MinValid: life.Duration(), Best: best, MaxWait: max(0, wait.Duration()), Program: caller.Starter(), ID: id, Exchange: exchange()}
			if method != "" {
				last := len(args) - 1
				r.Proof = &auth.ProofRequest{Method: method, URL: args[last], Nonce: nonce}
				args = args[:last]
			}
			name, err := p.nameOrHere(cmd.Context(), args, host)
			if err != nil {
				return err
			}
			return p.token(cmd.Context(), name, r)
		},
	}
	cmd.Flags().StringVar(&method, "dpop", "", "print a second line: the proof for a request with this `METHOD` to the address after it, where tokens are bound to a key")
	cmd.Flags().StringVar(&nonce, "nonce", "", "the `NONCE` that the API's DPoP-Nonce header asked for")
	cmd.Flags().Var(&life, "min-valid", "how long the token must still be valid (default 60s)")
	cmd.Flags().BoolVar(&best, "best", false, "accept a token that is valid for less than --min-valid")
	cmd.Flags().BoolVar(&id, "id", false, "print the ID token of the last sign-in or refresh that brought one; it costs no refresh")
	cmd.Flags().StringVar(&host, "host", "", "without NAME: that of the account that lists this `HOST`")
	exchange = exchangeFlags(cmd)
	cmd.Flags().Var(&wait, "max-wait", "how long to wait for a refresh (default 10s)")
	return p.addJSON(cmd)
}

// nameOrHere is the account that args name, or else the one for this folder or
// for host, which it says.
func (p *program) nameOrHere(ctx context.Context, args []string, host string) (string, error) {
	if len(args) > 0 && host == "" {
		return args[0], nil
	}
	all, err := starting{p}.Accounts(ctx)
	if err != nil {
		return "", err
	}
	if len(args) > 0 {
		all = slices.DeleteFunc(all, func(s auth.Snapshot) bool { return s.Name != args[0] })
	}
	s, why, err := tools.Here(all, host, folder())
	if err != nil {
		return "", err
	}
	if len(args) == 0 {
		p.note("using %s: %s", s.Name, why)
	}
	return s.Name, nil
}

// folder is the one that this runs in, or "".
func folder() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	return dir
}

// exchangeFlags adds the options for a token with less power. The function that
// it returns gives what was asked for; nil means nothing was.
func exchangeFlags(cmd *cobra.Command) func() *auth.Exchange {
	var e auth.Exchange
	cmd.Flags().StringArrayVar(&e.Audience, "audience", nil, "exchange the token for one that only the program called `NAME` takes (RFC 8693); it costs no refresh")
	cmd.Flags().StringArrayVar(&e.Resource, "resource", nil, "exchange the token for one that only the API at this `URI` takes")
	cmd.Flags().StringArrayVar(&e.Scope, "scope", nil, "exchange the token for one with this `SCOPE` only")
	cmd.Flags().BoolVar(&e.Refresh, "by-refresh", false, "get it with a refresh (RFC 8707), which is counted, from a server that exchanges no tokens")
	return func() *auth.Exchange {
		if !e.Refresh && len(e.Audience)+len(e.Resource)+len(e.Scope) == 0 {
			return nil
		}
		return &e
	}
}

// token prints an access token, or the ID token.
func (p *program) token(ctx context.Context, name string, r auth.TokenRequest) error {
	if p.json {
		t, err := p.requestToken(ctx, name, r)
		if err != nil {
			return err
		}
		return p.printJSON(client.NewTokenAnswer(t), false)
	}
	defer p.unanswered(ctx, name, r.Program)()
	lines, err := ask(ctx, p, func() (auth.Secret, error) { return p.client.TokenLines(ctx, name, r) })
	if err != nil {
		return err
	}
	_, err = io.WriteString(p.stdout, lines.Reveal())
	return err
}

func (p *program) refreshCommand() *cobra.Command {
	return p.addJSON(&cobra.Command{
		Use:               "refresh NAME",
		Short:             "Spend one refresh now",
		Long:              "Spend one refresh now, whatever the refresh mode is, and print how many are left.",
		Args:              oneName,
		ValidArgsFunction: p.completeName,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			s, err := ask(ctx, p, func() (auth.Snapshot, error) { return p.client.Refresh(ctx, args[0], caller.Starter()) })
			if err != nil {
				return err
			}
			if p.json {
				return p.printJSON(s, false)
			}
			return p.say("%s: one refresh spent: %s", args[0], status.Short(s, now()))
		},
	})
}
