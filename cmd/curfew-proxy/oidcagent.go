package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"curfew/auth"
	"curfew/auth/agent/client"
	"curfew/auth/agent/oidcagent"
	"curfew/auth/agent/resident"
)

func (p *program) oidcAgentCommand() *cobra.Command {
	foreground := false
	cmd := &cobra.Command{
		Use:   "oidc-agent [NAME]...",
		Short: "Answer oidc-token in the place of oidc-agent",
		Long: `Answer the clients of oidc-agent, such as oidc-token: they get the tokens of your
accounts, or of these accounts only. It goes on in the background, and prints
what tells the clients where it listens. If it already runs, it only prints that.`,
		Example: `  eval "$(curfew helper oidc-agent)"
  oidc-token work`,
		Args: func(_ *cobra.Command, args []string) error {
			for _, name := range args {
				if err := auth.CheckName(name); err != nil {
					return err
				}
			}
			return nil
		},
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			own, err := client.DefaultSocket()
			if err != nil {
				return err
			}
			socket := filepath.Join(filepath.Dir(own), "oidc-agent.sock")
			if foreground {
				return p.serveOIDC(ctx, socket, args)
			}
			if err := startOIDC(ctx, socket, args); err != nil {
				return err
			}
			return p.exportOIDC(socket)
		},
	}
	cmd.Flags().BoolVar(&foreground, "foreground", false, "stay in the foreground, for example as a service")
	return cmd
}

// exportOIDC prints a line for a shell.
func (p *program) exportOIDC(socket string) error {
	_, err := fmt.Fprintf(p.stdout, "OIDC_SOCK='%s'; export OIDC_SOCK\n", strings.ReplaceAll(socket, "'", `'\''`))
	return err
}

// serveOIDC answers clients until ctx ends.
func (p *program) serveOIDC(ctx context.Context, socket string, names []string) error {
	l, err := resident.Listen(ctx, socket)
	if errors.Is(err, resident.ErrRunning) {
		return &auth.Error{Kind: auth.KindFailed, Message: "another program listens at " + socket, Hint: "use it as it is: curfew helper oidc-agent"}
	}
	if err != nil {
		return err
	}
	if err := p.exportOIDC(socket); err != nil {
		return err
	}
	return oidcagent.Serve(ctx, l, oidcAccounts{p.agent, names})
}

// startTime is how long a program in the background may take to listen.
const startTime = 10 * time.Second

// startOIDC starts what serves in the background, unless it already runs.
func startOIDC(ctx context.Context, socket string, names []string) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if c, err := client.Dial(ctx, socket); err == nil {
		return c.Close()
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c := exec.Command(self, append([]string{"helper", "oidc-agent", "--foreground"}, names...)...)
	c.SysProcAttr = client.Detached()
	c.Dir = string(filepath.Separator)
	var said strings.Builder
	c.Stderr = &said
	ready, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		return err
	}
	// It prints a line when it listens. One that ends before says why, unless
	// another was faster.
	one := make([]byte, 1)
	if _, err := ready.Read(one); err == nil {
		return nil
	}
	c.Wait()
	if c, err := client.Dial(ctx, socket); err == nil {
		return c.Close()
	}
	message, hint := client.LastWords("curfew", said.String())
	if message == "" {
		message = "it ended at once"
	}
	return &auth.Error{Kind: auth.KindFailed, Message: "cannot answer in the place of oidc-agent: " + message, Hint: hint}
}

// oidcAccounts are the accounts that clients of oidc-agent may ask for.
type oidcAccounts struct {
	starting
	names []string // none: all
}

// Accounts lists them.
func (o oidcAccounts) Accounts(ctx context.Context) ([]oidcagent.Account, error) {
	all, err := client.Ask(ctx, o.Client, func() ([]auth.Snapshot, error) { return o.Client.Accounts(ctx) })
	if err != nil {
		return nil, err
	}
	var list []oidcagent.Account
	for _, s := range all {
		if len(o.names) > 0 && !slices.Contains(o.names, s.Name) {
			continue
		}
		a, err := o.Config(ctx, s.Name)
		if err != nil {
			return nil, err
		}
		if a.Issuer == "" {
			a.Issuer = s.Provider
		}
		list = append(list, oidcagent.Account{Name: s.Name, Issuer: a.Issuer})
	}
	return list, nil
}
