package main

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"curfew/auth"
	"curfew/ui/status"
)

func (p *program) consentCommand() *cobra.Command {
	var allow, always, deny, revoke string
	cmd := &cobra.Command{
		Use:   "consent NAME [--allow PROGRAM | --always PROGRAM | --deny PROGRAM | --revoke PROGRAM]",
		Short: "Show or say which programs may have tokens of an account",
		Long: `Show which programs wait for your consent to have tokens of an account, and which
you have answered. This is for accounts with consent = "ask" in config.toml. The
tray and the window ask the same.

An answer is for the program in its terminal, for 12 hours. --always is for the
program everywhere. A program that you deny may ask again after 10 minutes.`,
		Args:              oneName,
		ValidArgsFunction: p.completeName,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			s, err := ask(ctx, p, func() (auth.Snapshot, error) { return p.client.Account(ctx, args[0]) })
			if err != nil {
				return err
			}
			for answer, program := range map[auth.Answer]string{auth.AllowToday: allow, auth.AllowAlways: always, auth.Deny: deny} {
				if program != "" {
					return p.answer(ctx, s, program, answer)
				}
			}
			if revoke != "" {
				return p.revoke(ctx, s, revoke)
			}
			return p.listConsent(s)
		},
	}
	cmd.Flags().StringVar(&allow, "allow", "", "let the waiting `PROGRAM` have tokens, in its terminal for 12 hours")
	cmd.Flags().StringVar(&always, "always", "", "let the waiting `PROGRAM` have tokens, everywhere")
	cmd.Flags().StringVar(&deny, "deny", "", "give the waiting `PROGRAM` no tokens")
	cmd.Flags().StringVar(&revoke, "revoke", "", "forget what you have said about this `PROGRAM`")
	cmd.MarkFlagsMutuallyExclusive("allow", "always", "deny", "revoke")
	return p.addJSON(cmd)
}

// answer answers the questions of a program.
func (p *program) answer(ctx context.Context, s auth.Snapshot, program string, answer auth.Answer) error {
	found := false
	for _, a := range s.Asks {
		if program == a.Program || program == a.Caller.Subject() || program == a.ID {
			found = true
			if err := p.client.Answer(ctx, s.Name, a.ID, answer); err != nil {
				return err
			}
		}
	}
	if !found {
		return &auth.Error{Kind: auth.KindBadRequest, Message: program + " is not waiting for a token of " + s.Name, Hint: "see which programs are: curfew consent " + s.Name}
	}
	words := map[auth.Answer]string{
		auth.AllowToday: "%s may have tokens of %s for 12 hours", auth.AllowAlways: "%s may always have tokens of %s", auth.Deny: "%s gets no tokens of %s",
	}
	return p.say(words[answer], program, s.Name)
}

// revoke forgets the answers about a program.
func (p *program) revoke(ctx context.Context, s auth.Snapshot, program string) error {
	found := false
	for _, m := range s.Permits {
		if program == m.Program || program == filepath.Base(m.Program) || program == m.ID {
			found = true
			if err := p.client.Revoke(ctx, s.Name, m.ID); err != nil {
				return err
			}
		}
	}
	if !found {
		return &auth.Error{Kind: auth.KindBadRequest, Message: "no answer for " + program + " is saved", Hint: "see your answers: curfew consent " + s.Name}
	}
	return p.say("your answer for %s is forgotten", program)
}

// unanswered runs while a program waits for a token of an account. To a person at
// a terminal it says after a second that Curfew asks them about it. Others are
// spared the timer, which takes time from every call.
func (p *program) unanswered(ctx context.Context, account, claimed string) (done func() bool) {
	if !isTerminal(p.stderr) {
		return func() bool { return true }
	}
	return time.AfterFunc(time.Second, func() {
		s, err := p.client.Account(ctx, account)
		mine := slices.IndexFunc(s.Asks, func(a auth.Ask) bool { return a.Caller.IsCommandLine() && a.Caller.Claimed == claimed }) // others may wait, too
		if err == nil && mine >= 0 {
			p.note("waiting for your answer: may %s have tokens of %s?", s.Asks[mine].Program, account)
			p.hint("answer in the tray, or in another terminal with: curfew consent %s", account)
		}
	}).Stop
}

// requestToken asks the agent for a token.
func (p *program) requestToken(ctx context.Context, account string, r auth.TokenRequest) (auth.Token, error) {
	defer p.unanswered(ctx, account, r.Program)()
	return ask(ctx, p, func() (auth.Token, error) { return p.client.RequestToken(ctx, account, r) })
}

func (p *program) listConsent(s auth.Snapshot) error {
	if p.json {
		return p.printJSON(map[string]any{"consent": s.Consent, "asks": append([]auth.Ask{}, s.Asks...), "permits": append([]auth.Permit{}, s.Permits...)}, false)
	}
	if s.Consent != auth.ConsentAsk {
		p.note("%s gives tokens to all of your programs", s.Name)
		p.hint("to be asked first, set consent = \"ask\" in [account.%s] of config.toml", s.Name)
	}
	t := p.page().Table()
	for _, a := range s.Asks {
		t.Row(a.Program, "waits for you", strings.Join(trail(a.Caller), "; "))
	}
	for _, m := range s.Permits {
		t.Row(filepath.Base(m.Program), status.PermitWords(m, now()), m.Program)
	}
	return t.Flush()
}
