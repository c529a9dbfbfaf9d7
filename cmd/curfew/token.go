package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"curfew/auth/agent/client"

	"github.com/spf13/cobra"

	"curfew/auth"
	"curfew/ui/status"
	"curfew/ui/terminal"
)

func (p *program) tokenCommand() *cobra.Command {
	life, wait, best := terminal.NotGiven, terminal.NotGiven, false
	cmd := &cobra.Command{
		Use:   "token NAME",
		Short: "Print an access token, nothing else",
		Example: `  curfew token work --min-valid 10m
  curfew exec work -- curl -H @{header_file} https://api.example.com/me`,
		Args:              oneName,
		ValidArgsFunction: p.completeName,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.token(cmd.Context(), args[0], auth.TokenRequest{
				MinValid: life.Duration(), Best: best, MaxWait: max(0, wait.Duration()), Program: caller(),
			})
		},
	}
	cmd.Flags().Var(&life, "min-valid", "how long the token must still be valid (default 60s)")
	cmd.Flags().BoolVar(&best, "best", false, "accept a token that is valid for less than --min-valid")
	cmd.Flags().Var(&wait, "max-wait", "how long to wait for a refresh (default 10s)")
	return p.addJSON(cmd)
}

// token prints an access token.
func (p *program) token(ctx context.Context, name string, r auth.TokenRequest) error {
	t, err := ask(ctx, p, func() (auth.Token, error) { return p.client.RequestToken(ctx, name, r) })
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(client.NewTokenAnswer(t), false)
	}
	_, err = fmt.Fprintln(p.stdout, t.AccessToken.Reveal())
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

func (p *program) execCommand() *cobra.Command {
	life := terminal.NotGiven
	cmd := &cobra.Command{
		Use:   "exec NAME -- COMMAND...",
		Short: "Run a command that can read an access token",
		Long: `Run a command that reads an access token from a file. The file can be read once.
The token itself is never in the arguments or in the environment, which other
programs can see.

  CURFEW_ACCESS_TOKEN_FILE   in the environment: the file that holds the token
  {token_file}               in the arguments: the file that holds the token
  {header_file}              in the arguments: a file that holds the header line
                             "Authorization: Bearer TOKEN", as curl's -H @FILE expects`,
		Example: `  curfew exec work -- curl -H @{header_file} https://api.example.com/me
  curfew exec work -- sh -c 'gh auth login --with-token < "$CURFEW_ACCESS_TOKEN_FILE"'`,
		Args: func(cmd *cobra.Command, args []string) error {
			if dash := cmd.ArgsLenAtDash(); len(args) < 2 || dash != 1 {
				return &auth.Error{Kind: auth.KindBadRequest, Message: "expected an account name, then --, then a command", Hint: "usage: curfew exec NAME -- COMMAND"}
			}
			return auth.CheckName(args[0])
		},
		ValidArgsFunction: p.completeName,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.exec(cmd.Context(), args[0], args[1:], life.Duration())
		},
	}
	cmd.Flags().Var(&life, "min-valid", "how long the token must still be valid (default 60s)")
	return cmd
}

func (p *program) exec(ctx context.Context, name string, command []string, minValid time.Duration) error {
	path, err := lookPath(command[0])
	if err != nil {
		return &auth.Error{Kind: auth.KindBadRequest, Message: fmt.Sprintf("there is no command %q", command[0]), Hint: "give a path, or put its directory in PATH"}
	}
	t, err := ask(ctx, p, func() (auth.Token, error) {
		return p.client.Token(ctx, name, minValid, filepath.Base(path))
	})
	if err != nil {
		return err
	}
	return replaceWith(path, command, t.AccessToken)
}
