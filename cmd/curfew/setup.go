package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"curfew/auth"
	"curfew/ui/terminal"
	"curfew/ui/tools"
)

// Setup: telling other programs to ask Curfew.

func (p *program) setupCommand() *cobra.Command {
	var account string
	var hosts []string
	var write, undo, id bool
	cmd := &cobra.Command{
		Use:   "setup [TOOL] [--account NAME] [--host HOST]... [--id] [--write | --undo]",
		Short: "Show how to tell git, kubectl, docker and others to use an account",
		Long: `Show which tools are on this machine, or how to tell one of them to use an
account.

With --write Curfew does it and keeps what the files said before; with --undo it
puts that back. A host that is new to the account is added to its hosts.`,
		Example: `  curfew setup
  curfew setup git --account work --host git.example.com --write
  curfew setup git --account work --undo`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return terminal.UsageError(cmd, "unexpected argument %q", args[1])
			}
			if write && undo {
				return terminal.UsageError(cmd, "--write and --undo exclude each other")
			}
			if len(args) == 0 && (write || undo || id || account != "" || len(hosts) > 0) {
				return terminal.UsageError(cmd, "missing tool")
			}
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			if len(args) == 0 {
				for _, t := range tools.Tools() {
					names = append(names, t.Name)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return p.listTools()
			}
			ctx := cmd.Context()
			if err := tools.Known(args[0]); err != nil {
				return err
			}
			s, err := p.accountFor(ctx, account)
			if err != nil {
				return err
			}
			all := hosts
			if len(all) == 0 {
				all = s.Hosts
			}
			plan, err := tools.NewPlan(args[0], s.Name, all, id)
			if err != nil {
				return err
			}
			return p.setup(ctx, plan, s, write, undo)
		},
	}
	cmd.Flags().StringVar(&account, "account", "", "the tool gets the tokens of the account `NAME`")
	cmd.Flags().StringArrayVar(&hosts, "host", nil, "only for this `HOST` (default: all hosts of the account)")
	cmd.Flags().BoolVar(&id, "id", false, "the tool gets the ID token instead of the access token")
	cmd.Flags().BoolVar(&write, "write", false, "change the tool's configuration")
	cmd.Flags().BoolVar(&undo, "undo", false, "put back what --write changed")
	cmd.RegisterFlagCompletionFunc("account", func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return p.completeName(cmd, nil, typed)
	})
	return p.addJSON(cmd)
}

// setup shows, writes or undoes a plan.
func (p *program) setup(ctx context.Context, plan tools.Plan, s auth.Snapshot, write, undo bool) error {
	if !write && !undo {
		return p.showPlan(plan, s)
	}
	act := plan.Undo
	if write {
		act = plan.Write
	}
	changed, err := act()
	if err != nil {
		return err
	}
	if write {
		if err := p.bind(ctx, s, plan.Hosts); err != nil {
			_, undone := plan.Undo()
			return errors.Join(err, undone)
		}
	}
	if p.json {
		return p.printJSON(map[string][]string{"changed": changed}, false)
	}
	for _, path := range changed {
		if err := p.say("changed %s", path); err != nil {
			return err
		}
	}
	if note := plan.Note(); write && note != "" {
		p.note("%s", note)
	}
	if write {
		p.hint("to undo it: curfew setup %s --account %s --undo", plan.Tool.Name, plan.Account)
	}
	return nil
}

// showPlan prints what a person can do, or have done.
func (p *program) showPlan(plan tools.Plan, s auth.Snapshot) error {
	text, err := plan.Text()
	if err != nil {
		return err
	}
	if note := plan.Note(); note != "" {
		p.note("%s", note)
	}
	var command strings.Builder
	command.WriteString("curfew setup " + plan.Tool.Name + " --account " + plan.Account)
	for _, host := range plan.Hosts {
		if !slices.Contains(s.Hosts, host) {
			command.WriteString(" --host " + host)
		}
	}
	if plan.ID {
		command.WriteString(" --id")
	}
	if plan.Writable() {
		p.hint("to let Curfew do it: %s --write", command.String())
	}
	_, err = p.stdout.Write([]byte(text))
	return err
}

// accountFor returns the account called name, or the only one there is.
func (p *program) accountFor(ctx context.Context, name string) (auth.Snapshot, error) {
	if name != "" {
		return ask(ctx, p, func() (auth.Snapshot, error) { return p.client.Account(ctx, name) })
	}
	all, err := ask(ctx, p, func() ([]auth.Snapshot, error) { return p.client.Accounts(ctx) })
	if err != nil {
		return auth.Snapshot{}, err
	}
	if len(all) == 1 {
		return all[0], nil
	}
	if len(all) == 0 {
		return auth.Snapshot{}, &auth.Error{Kind: auth.KindBadRequest, Message: "there is no account yet", Hint: "add one: curfew add NAME"}
	}
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	return auth.Snapshot{}, &auth.Error{Kind: auth.KindBadRequest, Message: "missing account name", Hint: "add --account NAME, with one of: " + strings.Join(names, ", ")}
}

// bind adds the hosts that are new to the account.
func (p *program) bind(ctx context.Context, s auth.Snapshot, hosts []string) error {
	before, err := p.client.Config(ctx, s.Name)
	if err != nil {
		return err
	}
	after := before
	after.Hosts = slices.Clone(before.Hosts)
	for _, host := range hosts {
		if !slices.Contains(after.Hosts, host) {
			after.Hosts = append(after.Hosts, host)
		}
	}
	if len(after.Hosts) == len(before.Hosts) {
		return nil
	}
	return p.client.Edit(ctx, before, after)
}

// toolState is a line of `curfew setup`.
type toolState struct {
	Tool     string   `json:"tool"`
	Program  string   `json:"program"` // "": none is on this machine
	Accounts []string `json:"accounts"`
}

// listTools shows the tools, those on this machine first.
func (p *program) listTools() error {
	records, err := tools.Records()
	if err != nil {
		return err
	}
	var list, missing []toolState
	for _, t := range tools.Tools() {
		s := toolState{t.Name, t.Found(), []string{}}
		for _, r := range records {
			if r.Tool == t.Name {
				s.Accounts = append(s.Accounts, r.Account)
			}
		}
		if s.Program == "" {
			missing = append(missing, s)
		} else {
			list = append(list, s)
		}
	}
	list = append(list, missing...)
	if p.json {
		return p.printJSON(list, false)
	}
	t := p.page().Table()
	for _, s := range list {
		state := "not set up"
		switch {
		case len(s.Accounts) > 0:
			state = "set up for " + strings.Join(s.Accounts, ", ")
		case s.Program == "":
			state = "not on this computer"
		}
		t.Row(s.Tool, state, s.Program)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	p.hint("how to set one up: curfew setup TOOL --account NAME")
	return nil
}
