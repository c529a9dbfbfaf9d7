package main

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"github.com/spf13/cobra"

	"curfew/auth"
	"curfew/auth/authserver"
	"curfew/ui/terminal"
)

func (p *program) authserverCommand() *cobra.Command {
	var addr string
	c := authserver.Config{Faults: new(authserver.Faults)}
	access, age, grace := terminal.Span(authserver.DefaultAccess), terminal.Span(authserver.DefaultMaxAge), terminal.Span(authserver.DefaultGrace)
	cmd := &cobra.Command{
		Use:   "authserver",
		Short: "Run a small authorization server, to try things out",
		Long: `Run a small authorization server on this computer, to try things out. When it is
ready it prints one line of JSON with its address. It keeps nothing.`,
		Example: `  curfew authserver --addr 127.0.0.1:9000 --auto-approve
  curfew add demo --issuer http://127.0.0.1:9000 --client-id ` + authserver.DefaultClientID,
		Args: terminal.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.AccessLifetime, c.MaxAge, c.Grace = access.Duration(), age.Duration(), grace.Duration()
			if c.Grace == 0 {
				c.Grace = authserver.None
			}
			if c.MaxRefreshes == 0 {
				c.MaxRefreshes = authserver.None
			}
			if c.AccessLifetime == 0 || c.MaxAge == 0 || c.MaxRefreshes < authserver.None {
				return terminal.UsageError(cmd, "--access-ttl and --max-age must be positive, and --max-refreshes must not be negative")
			}
			c.Logger = slog.New(slog.NewTextHandler(p.stderr, nil))
			return p.authserver(cmd.Context(), addr, c)
		},
	}
	f := cmd.Flags()
	f.StringVar(&addr, "addr", "127.0.0.1:0", "listen at this loopback `ADDRESS`; port 0 is a free one")
	f.Var(&access, "access-ttl", "how long an access token lives")
	f.Var(&age, "max-age", "how long a session lives")
	f.IntVar(&c.MaxRefreshes, "max-refreshes", authserver.DefaultMaxRefreshes, "a session has `N` refreshes")
	f.Var(&grace, "grace", "how long the previous refresh token still gets the same answer; 0 is never")
	f.StringVar(&c.AutoApprove, "auto-approve", "", "grant every request as this `USER` at once, without a page")
	f.Lookup("auto-approve").NoOptDefVal = authserver.DefaultUser
	f.Var(c.Faults, "faults", `fail on purpose, for example "refresh:503*2"; go doc ./auth/authserver lists the faults`)
	return cmd
}

func (p *program) authserver(ctx context.Context, addr string, c authserver.Config) error {
	var printed error
	err := authserver.ListenAndServe(ctx, addr, c, func(issuer string) {
		if c.AutoApprove == "" {
			p.note("sign in there as %s with the password %s", authserver.DefaultUser, authserver.DefaultPassword)
		}
		printed = p.printJSON(struct {
			Issuer   string `json:"issuer"`
			ClientID string `json:"client_id"`
		}{issuer, authserver.DefaultClientID}, true)
	})
	if _, busy := errors.AsType[*net.OpError](err); busy {
		return &auth.Error{Kind: auth.KindFailed, Message: err.Error(), Hint: "choose another address with --addr, or leave it out"}
	}
	return errors.Join(err, printed)
}
