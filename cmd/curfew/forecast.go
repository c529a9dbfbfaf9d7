package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"curfew/auth"
	"curfew/ui/status"
	"curfew/ui/terminal"
)

func (p *program) forecastCommand() *cobra.Command {
	var trace string
	ttl := terminal.NotGiven
	cmd := &cobra.Command{
		Use:   "forecast NAME | --trace FILE --access-ttl 15m",
		Short: "Show when a session will end, or what a pattern of use would cost",
		Long: `Show when an account's session will end at today's pace, and by which limit.

With --trace, replay token requests through every refresh mode, and show what
each mode would cost. FILE has one Unix time in seconds a line; - is standard
input. This needs no agent and no account.`,
		Args:              optionalName,
		ValidArgsFunction: p.completeName,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case trace == "" && len(args) == 0:
				return &auth.Error{Kind: auth.KindBadRequest, Message: "missing account name", Hint: "usage: curfew forecast NAME, or: curfew forecast --trace FILE"}
			case trace == "" && ttl != terminal.NotGiven:
				return terminal.UsageError(cmd, "--access-ttl needs --trace")
			case trace == "":
				return p.forecast(cmd.Context(), args[0])
			case len(args) > 0:
				return terminal.UsageError(cmd, "give an account or --trace, not both")
			case ttl == terminal.NotGiven:
				return terminal.UsageError(cmd, "--trace needs --access-ttl: how long an access token lives, for instance 15m")
			}
			return p.replay(cmd.Context(), trace, ttl.Duration())
		},
	}
	cmd.Flags().StringVar(&trace, "trace", "", "a `FILE` of request times")
	cmd.Flags().Var(&ttl, "access-ttl", "how long an access token lives")
	return p.addJSON(cmd)
}

// replay prints what a trace would have cost under the configured limits.
func (p *program) replay(ctx context.Context, file string, ttl time.Duration) error {
	limits, err := p.limits(ctx)
	if err != nil {
		return err
	}
	in := p.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return &auth.Error{Kind: auth.KindBadRequest, Message: err.Error(), Hint: "give a file of request times, or - for standard input"}
		}
		defer f.Close()
		in = f
	}
	r, err := auth.RunTrace(in, auth.TraceOptions{AccessTTL: ttl, Limits: limits})
	if err != nil {
		return &auth.Error{Kind: auth.KindBadRequest, Message: file + ": " + err.Error(), Hint: "one Unix time in seconds a line, for instance: date +%s"}
	}
	if p.json {
		return p.printJSON(r, false)
	}
	return r.WriteText(p.stdout)
}

// limits are the configured ones. Without a config.toml they are the built-in
// ones, and no agent is needed to say so.
func (p *program) limits(ctx context.Context) (auth.Limits, error) {
	path, err := auth.ConfigPath()
	if err != nil {
		return auth.Limits{}, err
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return auth.BuiltIn, nil
	}
	g, err := ask(ctx, p, func() (auth.General, error) { return p.client.Settings(ctx) })
	return g.Limits, err
}

// forecast prints the agent's forecast for an account.
func (p *program) forecast(ctx context.Context, name string) error {
	s, err := ask(ctx, p, func() (auth.Snapshot, error) { return p.client.Account(ctx, name) })
	if err != nil {
		return err
	}
	report, err := ask(ctx, p, func() (auth.ForecastReport, error) { return p.client.Forecast(ctx, name) })
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(struct {
			Name string `json:"name"`
			auth.ForecastReport
			RefreshMode   auth.Mode `json:"refresh_mode"`
			RefreshesLeft int       `json:"refreshes_left"`
		}{name, report, s.RefreshMode, s.RefreshesLeft}, false)
	}
	s.Forecast = report.ForecastView
	words := status.Short(s, now())
	if o := status.Describe(s, now()).Outlook; o.Until != "" {
		words = o.Until + " " + o.Then
	}
	if err := p.say("%s: %s", name, words); err != nil {
		return err
	}
	if report.Note != "" {
		if err := p.say("%s", report.Note); err != nil {
			return err
		}
	}
	if report.HistoryDays*24 < 1 {
		return p.say("What each mode would cost shows here once programs have asked for tokens for an hour.")
	}
	t := p.page().Table()
	t.Toned(terminal.Header, "MODE", "REFRESHES A DAY", "SIGN-INS IN 30 DAYS", "WAITS A DAY")
	for _, mode := range []auth.Mode{auth.InUse, auth.OnDemand, auth.Always} {
		m := report.Modes[mode]
		mark := ""
		if mode == s.RefreshMode {
			mark = " (yours)"
		}
		t.Row(string(mode)+mark, fmt.Sprintf("%.1f", m.RefreshesPer1d), fmt.Sprintf("%.1f", m.SignInsPer30d), fmt.Sprintf("%.1f", m.WaitedPer1d))
	}
	return t.Flush()
}
