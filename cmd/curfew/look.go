package main

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"curfew/assets"
	"curfew/auth"
	"curfew/ui/status"
	"curfew/ui/terminal"
)

// The commands that show something: the overview, status and log. The words for
// states come from ui/status, as they do in the tray and the window.

// overview is what `curfew` alone shows: every account, and what to do next.
func (p *program) overview(ctx context.Context) error {
	all, err := ask(ctx, p, func() ([]auth.Snapshot, error) { return p.client.Accounts(ctx) })
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(all, false)
	}
	if len(all) == 0 {
		return p.noAccounts()
	}
	t := now()
	if err := writeTable(p.page(), all, t); err != nil {
		return err
	}
	p.noteAgent()
	next := 0
	for _, s := range status.Sort(all, t) {
		if (!status.HasSession(s) || status.UrgencyOf(s, t) > status.Soon) && !status.SigningIn(s) {
			if s.State == auth.Locked || s.State == auth.Suspect {
				p.hint("see what is wrong with %s: curfew status %s", s.Name, s.Name)
			} else {
				p.hint("sign in: %s", loginAgain(s))
			}
			next++
		} else if status.UrgencyOf(s, t) == status.Soon {
			p.hint("sign in again when it suits you: %s", loginAgain(s))
			next++
		}
	}
	if i := slices.IndexFunc(all, status.HasSession); next == 0 && i >= 0 {
		p.hint("print a token: curfew token %s", all[i].Name)
	}
	return nil
}

func (p *program) statusCommand() *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use:               "status [NAME]",
		Short:             "Show what is signed in and what is left",
		Args:              optionalName,
		ValidArgsFunction: p.completeName,
		RunE: func(cmd *cobra.Command, args []string) error {
			name := ""
			if len(args) > 0 {
				name = args[0]
			}
			if p.json && p.format != "" {
				return terminal.UsageError(cmd, "--json and --format exclude each other")
			}
			if watch {
				return p.watchStatus(cmd.Context(), name)
			}
			return p.status(cmd.Context(), name)
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "keep running and print every change")
	cmd.Flags().StringVar(&p.format, "format", "", formatHelp)
	return p.addJSON(cmd)
}

func (p *program) status(ctx context.Context, name string) error {
	if name != "" {
		s, err := ask(ctx, p, func() (auth.Snapshot, error) { return p.client.Account(ctx, name) })
		if err != nil {
			return err
		}
		if p.format != "" {
			return writeFormat(p.stdout, p.format, []auth.Snapshot{s}, now())
		}
		if p.json {
			return p.printJSON(s, false)
		}
		p.noteAgent()
		return writeAccount(p.page(), s, now())
	}
	all, err := ask(ctx, p, func() ([]auth.Snapshot, error) { return p.client.Accounts(ctx) })
	if err != nil {
		return err
	}
	if p.format != "" {
		return writeFormat(p.stdout, p.format, all, now())
	}
	if p.json {
		return p.printJSON(all, false)
	}
	if len(all) == 0 {
		return p.noAccounts()
	}
	p.noteAgent()
	return writeTable(p.page(), all, now())
}

// noteAgent says that the agent has another version than this program, for
// instance after an upgrade, and that it does not follow all of config.toml.
func (p *program) noteAgent() {
	if v := p.client.AgentVersion(); v != "" && v != assets.Version {
		p.note("the agent is still version %s, and this program is version %s", v, assets.Version)
		p.hint("the new agent takes over when no sign-in or refresh is running; an agent with --memory keeps running until you end it")
	}
	p.noteConfig()
}

// noteConfig says once why the agent does not follow all of config.toml, if so.
func (p *program) noteConfig() {
	if problem := p.client.ConfigProblem(); problem != "" && !p.configSaid {
		p.configSaid = true
		p.note("the agent keeps old settings: %s", problem)
		p.hint("see what to do: curfew doctor")
	}
}

// loginAgain is the command that signs in, also when a session is still good.
func loginAgain(s auth.Snapshot) string {
	if live(s) && !spent(s) {
		return "curfew login " + s.Name + " --force"
	}
	return "curfew login " + s.Name
}

// noAccounts says that there is nothing to show yet, and what to do.
func (p *program) noAccounts() error {
	p.noteAgent()
	if err := p.say("no accounts yet"); err != nil {
		return err
	}
	p.hint("add one: curfew add NAME --issuer URL --client-id ID (or --provider P; see curfew providers)")
	return nil
}

// watchStatus shows every change until it is stopped. On a terminal the
// countdown is redrawn in place, once a second.
func (p *program) watchStatus(ctx context.Context, name string) error {
	if _, err := ask(ctx, p, func() (any, error) {
		if name == "" {
			return nil, p.client.EnsureRunning(ctx)
		}
		return p.client.Account(ctx, name)
	}); err != nil {
		return err
	}
	ctx, unread := whileRead(ctx, p.stdout)
	defer unread()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	changes := make(chan []auth.Snapshot)
	ended := make(chan error, 1)
	go func() {
		ended <- p.client.Watch(watching, func(all []auth.Snapshot) {
			select {
			case changes <- all:
			case <-watching.Done():
			}
		})
	}()
	var tick <-chan time.Time
	if p.format != "" || p.page().Terminal() && !p.json {
		t := time.NewTicker(time.Second)
		defer t.Stop()
		tick = t.C
	}
	var all []auth.Snapshot
	var shown []byte
	for {
		select {
		case all = <-changes:
		case <-tick:
		case err := <-ended:
			if ctx.Err() != nil {
				return nil // Ctrl-C is how a watch ends
			}
			return err
		}
		text, err := p.renderStatus(all, name)
		if err != nil {
			return err
		}
		if bytes.Equal(text, shown) {
			continue
		}
		shown = text
		if tick != nil && p.format == "" {
			text = slices.Concat([]byte("\x1b[H\x1b[2J"), text) // home, clear
		}
		if _, err := p.stdout.Write(text); err != nil {
			return err
		}
	}
}

func (p *program) renderStatus(all []auth.Snapshot, name string) ([]byte, error) {
	var b bytes.Buffer
	q := &program{stdout: &b}
	i := slices.IndexFunc(all, func(s auth.Snapshot) bool { return s.Name == name })
	var err error
	switch {
	case name != "" && i < 0 && all != nil:
		err = &auth.Error{Kind: auth.KindUnknown, Message: name + " was removed"}
	case all == nil:
	case p.format != "":
		if name != "" {
			all = all[i : i+1]
		}
		err = writeFormat(&b, p.format, all, now())
	case name != "" && p.json:
		err = q.printJSON(all[i], true)
	case name != "":
		err = writeAccount(p.page().To(&b), all[i], now())
	case p.json:
		err = q.printJSON(all, true)
	case len(all) == 0:
		err = q.say("no accounts yet")
	default:
		err = writeTable(p.page().To(&b), all, now())
	}
	return b.Bytes(), err
}

// writeTable shows several accounts, a line each.
func writeTable(page terminal.Page, all []auth.Snapshot, at time.Time) error {
	t := page.Table()
	t.Optional = 2
	t.Toned(terminal.Header, "ACCOUNT", "WHAT IS LEFT", "ACCESS TOKEN", "LAST USED")
	for _, s := range all {
		v := status.Describe(s, at)
		t.Toned(tone(v.Urgency), v.Name, status.Short(s, at), v.AccessToken, v.LastUsed)
	}
	return t.Flush()
}

// tone is the colour of an urgency.
func tone(u status.Urgency) terminal.Tone {
	switch u {
	case status.Calm:
		return terminal.Plain
	case status.Soon:
		return terminal.Notice
	default:
		return terminal.Alarm
	}
}

// writeAccount shows one account in full.
func writeAccount(page terminal.Page, s auth.Snapshot, at time.Time) error {
	v := status.Describe(s, at)
	t := page.Table()
	t.Toned(tone(v.Urgency), v.Name+":", status.Short(s, at))
	if v.Subject != "" {
		t.Row("  user", v.Subject)
	}
	t.Row("  state", v.Title+". "+v.Detail)
	if status.HasSession(s) {
		t.Row("  refreshes", v.Refreshes.Value+" "+v.Refreshes.What)
		t.Row("  session", v.Age.Value+" "+v.Age.What)
		t.Row("  access token", v.AccessToken)
		if s.TokenFile != "" {
			t.Row("  token file", s.TokenFile)
		}
		if s.IDTokenFile != "" {
			t.Row("  ID token file", s.IDTokenFile)
		}
		t.Row("  next refresh", v.NextRefresh)
		t.Row("  last used", v.LastUsed)
		if o := v.Outlook; o.Until != "" {
			t.Row("  forecast", o.Until+" "+o.Then)
		}
		if v.Outlook.End != "" {
			t.Row("  limit", v.Outlook.End)
		}
	}
	for _, warning := range v.Warnings {
		t.Toned(terminal.Notice, "  warning", warning)
	}
	return t.Flush()
}

func (p *program) logCommand() *cobra.Command {
	var follow bool
	var n int
	cmd := &cobra.Command{
		Use:               "log [NAME]",
		Short:             "Show what happened: sign-ins, refreshes, and which programs took tokens",
		Args:              optionalName,
		ValidArgsFunction: p.completeName,
		RunE: func(cmd *cobra.Command, args []string) error {
			if n < 1 || n > 1000 {
				return terminal.UsageError(cmd, "--lines must be from 1 to 1000")
			}
			name := ""
			if len(args) > 0 {
				name = args[0]
			}
			return p.log(cmd.Context(), name, n, follow)
		},
	}
	cmd.Flags().IntVarP(&n, "lines", "n", 50, "print the `N` newest events")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "keep running and print new events")
	cmd.Flags().BoolVarP(&p.long, "long", "l", false, "add what the system says of programs: their files, what started them, their terminal")
	return p.addJSON(cmd)
}

func (p *program) log(ctx context.Context, name string, n int, follow bool) error {
	events, err := ask(ctx, p, func() ([]auth.Event, error) { return p.client.Events(ctx, name, n) })
	if err != nil {
		return err
	}
	if p.json && !follow {
		return p.printJSON(events, false)
	}
	if len(events) == 0 && !p.json {
		p.note("nothing has happened yet")
	}
	if err := p.printEvents(events, name == ""); err != nil || !follow {
		return err
	}
	ctx, unread := whileRead(ctx, p.stdout)
	defer unread()
	last := events
	var failed error
	watching, stop := context.WithCancel(ctx)
	defer stop()
	// Every event changes a snapshot, so each change is a reason to ask.
	err = p.client.Watch(watching, func([]auth.Snapshot) {
		events, err := p.client.Events(ctx, name, 1000)
		if err == nil {
			err = p.printEvents(since(events, last), name == "")
		}
		if err != nil {
			failed = err
			stop()
		}
		last = events
	})
	if ctx.Err() != nil {
		return nil
	}
	if failed != nil {
		return failed
	}
	return err
}

// since returns the events that came after those seen.
func since(events, seen []auth.Event) []auth.Event {
	if len(seen) == 0 {
		return events
	}
	last := seen[len(seen)-1]
	for i := len(events) - 1; i >= 0; i-- {
		e := events[i]
		same := e.At.Equal(last.At)
		e.At = last.At
		if same && reflect.DeepEqual(e, last) {
			return events[i+1:]
		}
	}
	return events
}

func (p *program) printEvents(events []auth.Event, all bool) error {
	for _, e := range events {
		if p.json {
			if err := p.printJSON(e, true); err != nil {
				return err
			}
			continue
		}
		line := auth.Local(e.At).Format("2006-01-02 15:04:05")
		if all {
			line += "  " + e.Account
		}
		line += "  " + e.Message
		if p.long && e.Kind == auth.EventToken && e.Program != "" {
			line += "  (" + strings.Join(details(e), "; ") + ")"
		}
		if err := p.say("%s", line); err != nil {
			return err
		}
	}
	return nil
}

// details say where a token came from, and who got it.
func details(e auth.Event) []string {
	parts := []string{"cached"}
	if e.Count > 0 {
		parts[0] = fmt.Sprintf("refresh %d", e.Count)
	}
	if e.Caller != nil {
		parts = append(parts, trail(*e.Caller)...)
	}
	return parts
}

// trail is what the system says of a program.
func trail(c auth.Caller) []string {
	if c.Executable == "" {
		return nil
	}
	parts := []string{c.Executable}
	if len(c.Parents) > 0 {
		parts = append(parts, "started by "+strings.Join(c.Parents, ", "))
	}
	if c.Terminal != "" {
		parts = append(parts, "terminal "+c.Terminal)
	}
	if c.Container != "" {
		parts = append(parts, "in "+c.Container)
	}
	return parts
}

// page is where answers are read.
func (p *program) page() terminal.Page { return terminal.NewPage(p.stdout) }
