package main

import (
	"context"

	"github.com/spf13/cobra"

	"curfew/auth"
	"curfew/ui/status"
)

func (p *program) forecastCommand() *cobra.Command {
	return p.addJSON(&cobra.Command{
		Use:               "forecast NAME",
		Short:             "Say when a session will end at today's pace, and why",
		Args:              oneName,
		ValidArgsFunction: completeName,
		RunE:              func(cmd *cobra.Command, args []string) error { return p.forecast(cmd.Context(), args[0]) },
	})
}

// forecast tells what the agent foresees for an account.
func (p *program) forecast(ctx context.Context, name string) error {
	s, err := ask(ctx, p, func() (auth.Snapshot, error) { return p.client.Account(ctx, name) })
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(struct {
			Name string `json:"name"`
			auth.ForecastView
			RefreshMode   auth.Mode `json:"refresh_mode"`
			RefreshesLeft int       `json:"refreshes_left"`
		}{name, s.Forecast, s.RefreshMode, s.RefreshesLeft}, false)
	}
	words := status.Describe(s, now()).Forecast
	if words == "" {
		return p.say("%s: nothing to foretell: %s", name, status.Short(s, now()))
	}
	if err := p.say("%s: %s", name, words); err != nil {
		return err
	}
	return p.say("%.1f refreshes a day, %.1f sign-ins in 30 days", s.Forecast.RefreshesPer1d, s.Forecast.SignInsPer30d)
}
