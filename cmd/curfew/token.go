package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"curfew/auth/agent/client"

	"github.com/spf13/cobra"

	"curfew/auth"
	"curfew/ui/status"
	"curfew/ui/terminal"
)

func (p *program) tokenCommand() *cobra.Command {
	life, wait, best, id := terminal.NotGiven, terminal.NotGiven, false, false
	var method, nonce string
	var exchange func() *auth.Exchange
	cmd := &cobra.Command{
		Use:   "token NAME",
		Short: "Print an access token, nothing else",
		Example: `  curfew token work --min-valid 10m
  curfew exec work -- curl -H @{header_file} https://api.example.com/me`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case id && (method != "" || exchange() != nil):
				return usage(cmd, "--id and an option for another access token exclude each other")
			case method == "":
				return oneName(cmd, args)
			case len(args) != 2:
				return usage(cmd, "--dpop takes a method and an address: curfew token NAME --dpop GET https://api.example.com/me")
			}
			return auth.CheckName(args[0])
		},
		ValidArgsFunction: p.completeName,
		RunE: func(cmd *cobra.Command, args []string) error {
			r := auth.TokenRequest{MinValid: life.Duration(), Best: best, MaxWait: max(0, wait.Duration()), Program: caller(), ID: id, Exchange: exchange()}
			if method != "" {
				r.Proof = &auth.ProofRequest{Method: method, URL: args[1], Nonce: nonce}
			}
			return p.token(cmd.Context(), args[0], r)
		},
	}
	cmd.Flags().StringVar(&method, "dpop", "", "print a second line: the proof for a request with this `METHOD` to the address after it, where tokens are bound to a key")
	cmd.Flags().StringVar(&nonce, "nonce", "", "the `NONCE` that the API's DPoP-Nonce header asked for")
	cmd.Flags().Var(&life, "min-valid", "how long the token must still be valid (default 60s)")
	cmd.Flags().BoolVar(&best, "best", false, "accept a token that is valid for less than --min-valid")
	cmd.Flags().BoolVar(&id, "id", false, "print the ID token of the last sign-in or refresh that brought one; it costs no refresh")
	exchange = exchangeFlags(cmd)
	cmd.Flags().Var(&wait, "max-wait", "how long to wait for a refresh (default 10s)")
	return p.addJSON(cmd)
}

// exchangeFlags adds the options for a token with less power. The function that
// it returns gives what was asked for; nil means nothing was.
func exchangeFlags(cmd *cobra.Command) func() *auth.Exchange {
	var e auth.Exchange
	cmd.Flags().StringArrayVar(&e.Audience, "audience", nil, "exchange the token for one that only the program called `NAME` takes (RFC 8693); it costs no refresh")
	cmd.Flags().StringArrayVar(&e.Resource, "resource", nil, "exchange the token for one that only the API at this `URI` takes")
	cmd.Flags().StringArrayVar(&e.Scope, "scope", nil, "exchange the token for one with this `SCOPE` only")
	return func() *auth.Exchange {
		if len(e.Audience)+len(e.Resource)+len(e.Scope) == 0 {
			return nil
		}
		return &e
	}
}

// token prints an access token, or the ID token.
func (p *program) token(ctx context.Context, name string, r auth.TokenRequest) error {
	t, err := ask(ctx, p, func() (auth.Token, error) { return p.client.RequestToken(ctx, name, r) })
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(client.NewTokenAnswer(t), false)
	}
	if _, err = fmt.Fprintln(p.stdout, t.Value().Reveal()); err == nil && !t.Proof.IsZero() {
		_, err = fmt.Fprintln(p.stdout, t.Proof.Reveal())
	}
	return err
}

// caller names the program that runs this one, for the log: "git" says more
// than "curfew". "" leaves it to the agent.
func caller() string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(os.Getppid()) + "/comm")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
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
			s, err := ask(ctx, p, func() (auth.Snapshot, error) { return p.client.Refresh(ctx, args[0], caller()) })
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
