package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"curfew/auth"
	"curfew/ui/status"
	"curfew/ui/terminal"
)

func (p *program) addCommand() *cobra.Command {
	var a auth.Account
	var secret, register bool
	cmd := &cobra.Command{
		Use:   "add [NAME] [--provider P | --issuer URL] [--client-id ID] [--scope S]...",
		Short: "Add an account to the configuration",
		Long: `Add an account to config.toml. In a terminal, Curfew asks for missing settings and
shows how to register an application at the provider, which gives you the client ID.

If the provider requires a client secret, Curfew reads it from the terminal or
from standard input. It keeps it in the keychain, never in config.toml.`,
		Example: `  curfew add
  curfew add work --issuer https://id.example.com --client-id abc --scope openid --scope offline_access
  curfew add music --provider spotify --client-id abc
  curfew add home --issuer https://id.example.com --register`,
		Args:              optionalName,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				a.Name = args[0]
			}
			return p.add(cmd.Context(), a, secret, register)
		},
	}
	f := cmd.Flags()
	for _, k := range auth.Keys() {
		if k.Kind == auth.KeySwitch {
			continue // the secret's own flag sets it
		}
		f.Var(&setting{&a, k}, k.Flag(), k.Help)
		if len(k.Options) > 0 && k.Name != "scope_separator" {
			cmd.RegisterFlagCompletionFunc(k.Flag(), cobra.FixedCompletions(k.Options, cobra.ShellCompDirectiveNoFileComp))
		}
	}
	cmd.RegisterFlagCompletionFunc("provider", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		var names []string
		list, _ := p.client.Providers(cmd.Context()) // without an agent there is nothing to offer
		for _, v := range list {
			names = append(names, v.Name+"\t"+v.Title)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
	f.BoolVar(&register, "register", false, "let the server make a client for this computer, where it offers that (RFC 7591)")
	f.BoolVar(&secret, "client-secret-stdin", false, "read a client secret from standard input")
	return p.addJSON(cmd)
}

// A setting is the flag of one setting of an account. The flag is repeated for a
// setting with several values.
type setting struct {
	account *auth.Account
	key     auth.Key
}

// Type returns what stands for the value in the help.
func (s *setting) Type() string { return s.key.Arg }

func (s *setting) String() string {
	if s.account == nil { // pflag's own zero value
		return ""
	}
	return auth.SettingText(*s.account, s.key.Name)
}

// Set reads the flag.
func (s *setting) Set(text string) error {
	switch v := auth.Setting(s.account, s.key.Name).(type) {
	case *[]string:
		if s.key.Kind == auth.KeyScopes { // "a b" means what a and b mean
			*v = append(*v, strings.Fields(text)...)
		} else {
			*v = append(*v, text)
		}
	case *map[string]string:
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return fmt.Errorf("%q is not of the form %s", text, s.key.Arg)
		}
		if *v == nil {
			*v = map[string]string{}
		}
		(*v)[name] = value
	default:
		return auth.SetSetting(s.account, s.key.Name, text)
	}
	return nil
}

// add saves the account through the agent, which alone writes config.toml.
func (p *program) add(ctx context.Context, a auth.Account, secret, register bool) error {
	path, err := auth.ConfigPath()
	if err != nil {
		return err
	}
	list, err := ask(ctx, p, func() ([]auth.Provider, error) { return p.client.Providers(ctx) })
	if err != nil {
		return err
	}
	if a.Name == "" || a.ClientID == "" && !register {
		if q, restore, ok := p.questions(list); ok {
			err := q.complete(&a, list)
			restore()
			if err != nil {
				return err
			}
		}
	}
	if a.Name == "" {
		return &auth.Error{Kind: auth.KindBadRequest, Message: "missing account name", Hint: "usage: curfew add NAME"}
	}
	v, ok := findProvider(list, a.Provider)
	if !ok && a.Provider != "" {
		return unknownProvider(list, a.Provider, "--provider ", "see: curfew providers; for any other server give its issuer")
	}
	if v.Secret == "required" && a.ClientAuth != "none" {
		secret = true
	}
	if register && (a.ClientID != "" || secret) {
		return &auth.Error{Kind: auth.KindBadRequest, Message: "--register makes a new client, so there is no client ID or secret to give"}
	}
	a.ClientSecretKeychain = secret
	save := p.saveAccount
	if register {
		save = p.client.Register
	}
	if err := save(ctx, a); err != nil {
		return err
	}
	if p.json {
		snap, err := p.client.Account(ctx, a.Name)
		if err != nil {
			return err
		}
		return p.printJSON(snap, false)
	}
	if err := p.say("%s is in %s", a.Name, path); err != nil {
		return err
	}
	p.hint("sign in with: curfew login %s", a.Name)
	return nil
}

// saveAccount adds an account that can work, with its secret.
func (p *program) saveAccount(ctx context.Context, a auth.Account) error {
	if err := p.client.Check(ctx, a); err != nil {
		return err
	}
	if !a.ClientSecretKeychain {
		return p.client.Add(ctx, a)
	}
	secret, err := p.readSecret("Client secret of " + a.Name + ": ")
	if err != nil {
		return err
	}
	if err := p.client.Add(ctx, a); err != nil {
		return err
	}
	return p.client.PutClientSecret(ctx, a.Name, secret)
}

// readSecret reads one line from standard input. A terminal does not show it.
func (p *program) readSecret(prompt string) (string, error) {
	var b []byte
	var err error
	if fd, ok := p.terminal(); ok {
		fmt.Fprint(p.stderr, prompt)
		b, err = term.ReadPassword(fd)
		fmt.Fprintln(p.stderr)
	} else {
		b, err = io.ReadAll(io.LimitReader(p.stdin, 16<<10))
		if !bytes.HasPrefix(b, []byte("-----BEGIN ")) { // a private key has several lines
			b, _, _ = bytes.Cut(b, []byte("\n"))
		}
	}
	if err != nil {
		return "", fmt.Errorf("cannot read the client secret: %w", err)
	}
	if s := strings.TrimSpace(string(b)); s != "" {
		return s, nil
	}
	return "", &auth.Error{Kind: auth.KindBadRequest, Message: "standard input holds no client secret", Hint: "for example: pass show client-secret | curfew add ... --client-secret-stdin"}
}

// terminal returns the terminal that a person types into.
func (p *program) terminal() (fd int, ok bool) {
	f, ok := p.stdin.(*os.File)
	if !ok {
		return 0, false
	}
	return int(f.Fd()), term.IsTerminal(int(f.Fd()))
}

// questions asks a person, line by line.
type questions struct {
	line  func(prompt string) (string, error) // one line, as it was typed
	print func(text string)
}

// questions returns the person at the terminal, with completion of provider
// names. restore puts the terminal back as it was.
func (p *program) questions(list []auth.Provider) (q questions, restore func(), ok bool) {
	fd, ok := p.terminal()
	if !ok || p.json {
		return questions{}, nil, false
	}
	old, err := term.MakeRaw(fd)
	if err != nil {
		return questions{}, nil, false
	}
	t := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{p.stdin, p.stderr}, "")
	t.AutoCompleteCallback = func(line string, pos int, key rune) (string, int, bool) {
		if key != '\t' {
			return "", 0, false
		}
		full := completion(line[:pos], list)
		return full, len(full), true
	}
	return questions{
		line: func(prompt string) (string, error) {
			t.SetPrompt(prompt)
			return t.ReadLine()
		},
		print: func(text string) { fmt.Fprintf(t, "%s\n", terminal.OneLine(text)) },
	}, func() { _ = term.Restore(fd, old) }, true
}

// completion is the longest common beginning of all provider names that begin
// with typed.
func completion(typed string, list []auth.Provider) string {
	common, found := typed, false
	for _, v := range list {
		if !strings.HasPrefix(v.Name, typed) {
			continue
		}
		if !found {
			common, found = v.Name, true
		}
		for !strings.HasPrefix(v.Name, common) {
			common = common[:len(common)-1]
		}
	}
	return common
}

// answer asks until the answer is right. An empty line means preset.
func (q questions) answer(prompt, preset string, check func(string) string) (string, error) {
	if preset != "" {
		prompt += " [" + preset + "]"
	}
	for {
		typed, err := q.line(prompt + ": ")
		if err != nil {
			return "", &auth.Error{Kind: auth.KindFailed, Message: "stopped; nothing was added"}
		}
		typed = cmp.Or(strings.TrimSpace(typed), preset)
		complaint := ""
		if check != nil {
			complaint = check(typed)
		}
		if complaint == "" {
			return typed, nil
		}
		q.print(complaint)
	}
}

func findProvider(list []auth.Provider, name string) (auth.Provider, bool) {
	i := slices.IndexFunc(list, func(v auth.Provider) bool { return v.Name == name })
	if i < 0 {
		return auth.Provider{}, false
	}
	return list[i], true
}

// unknownProvider is the error for a provider that is not in the list.
func unknownProvider(list []auth.Provider, name, before, where string) error {
	var names []string
	for _, v := range list {
		names = append(names, v.Name)
	}
	return terminal.Unknown("provider", name, names, before, where)
}

// filled refuses an empty answer.
func filled(complaint string) func(string) string {
	return func(text string) string {
		if text == "" {
			return complaint
		}
		return ""
	}
}

// provider asks for one of the list.
func (q questions) provider(list []auth.Provider) (string, error) {
	return q.answer("Provider (Tab completes, ? lists; oidc is any other server)", "", func(name string) string {
		if v, ok := findProvider(list, name); ok {
			return v.Unavailable
		}
		var names []string
		for _, v := range list {
			if v.Unavailable == "" {
				names = append(names, v.Name)
			}
		}
		complaint := strings.Join(names, " ")
		if name != "?" && name != "" {
			complaint = fmt.Sprintf("there is no provider %q", name)
			if near := auth.Nearest(name, names); near != "" {
				return complaint + "; did you mean " + near + "?"
			}
			complaint += "; there are: " + strings.Join(names, " ")
		}
		return complaint
	})
}

// scopes asks for the scopes, unless a has them.
func (q questions) scopes(a *auth.Account, v auth.Provider) error {
	if a.Scopes != nil {
		return nil
	}
	usual := strings.Join(v.Scopes, " ")
	scopes, err := q.answer("Scopes", usual, nil)
	if err == nil && scopes != usual {
		a.Scopes = strings.Fields(scopes)
	}
	return err
}

// complete asks for what a lacks, and shows the provider's guide.
func (q questions) complete(a *auth.Account, list []auth.Provider) (err error) {
	if a.Provider == "" && a.Issuer == "" && a.TokenEndpoint == "" {
		if a.Provider, err = q.provider(list); err != nil {
			return err
		}
	}
	v, _ := findProvider(list, a.Provider)
	if a.ClientID == "" {
		for _, line := range guide(v, a.Redirect) {
			q.print(line)
		}
	}
	if a.Issuer == "" && v.IssuerAsk != "" && a.ClientID == "" {
		if a.Issuer, err = q.answer(v.IssuerAsk+", for example "+v.IssuerExample, "", issuerCheck(v)); err != nil {
			return err
		}
	}
	if a.ClientID == "" {
		if a.ClientID, err = q.answer("Client ID", "", filled("the provider shows it on the page of your application")); err != nil {
			return err
		}
		if err := q.scopes(a, v); err != nil {
			return err
		}
	}
	if a.Name == "" {
		a.Name, err = q.answer("Name of the account", v.Name, func(name string) string {
			if err := auth.CheckName(name); err != nil {
				e, _ := errors.AsType[*auth.Error](err)
				return e.Hint
			}
			return ""
		})
	}
	return err
}

// issuerCheck says what is wrong with the address of a server of v. The agent knows
// the short ones of providers, such as a domain or a tenant.
func issuerCheck(v auth.Provider) func(string) string {
	return func(text string) string {
		address, _ := status.Address(text)
		switch {
		case text == "" && v.NeedsIssuer:
			return "this is needed, for example " + v.IssuerExample
		case text != "" && strings.HasPrefix(v.IssuerExample, "https://") &&
			(address == "" || status.SettingComplaint(auth.Key{Name: "issuer", Kind: auth.KeyURL}, address) != ""):
			return "it is a web address that starts with https://"
		}
		return ""
	}
}

// guide says how to register an application at v, and what to know first.
func guide(v auth.Provider, redirect string) []string {
	var lines []string
	if v.RegisterURL != "" {
		lines = append(lines, "Register an application at "+v.RegisterURL)
	}
	for i, step := range v.Steps {
		lines = append(lines, fmt.Sprintf("%2d. %s", i+1, strings.ReplaceAll(step, "{redirect}", cmp.Or(redirect, v.Redirect))))
	}
	for _, w := range v.Warnings {
		lines = append(lines, "Note: "+w)
	}
	return lines
}

func (p *program) providersCommand() *cobra.Command {
	return p.addJSON(&cobra.Command{
		Use:   "providers [NAME]",
		Short: "List the providers that Curfew knows by name, or show how to use one",
		Args:  cobra.MaximumNArgs(1),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			if list, err := p.client.Providers(cmd.Context()); err == nil && len(args) == 0 {
				for _, v := range list {
					names = append(names, v.Name+"\t"+v.Title)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := ask(cmd.Context(), p, func() ([]auth.Provider, error) { return p.client.Providers(cmd.Context()) })
			if err != nil {
				return err
			}
			if len(args) > 0 {
				return p.provider(args[0], list)
			}
			if p.json {
				return p.printJSON(list, false)
			}
			t := p.page().Table()
			for _, v := range list {
				if v.Unavailable == "" {
					t.Row(v.Name, v.Title)
				}
			}
			if err := t.Flush(); err != nil {
				return err
			}
			p.hint("to register an application there: curfew providers NAME")
			return nil
		},
	})
}

// provider shows the guide of one provider, its scopes, and its sources.
func (p *program) provider(name string, list []auth.Provider) error {
	v, ok := findProvider(list, name)
	if !ok {
		return unknownProvider(list, name, "curfew providers ", "see: curfew providers")
	}
	if p.json {
		return p.printJSON(v, false)
	}
	lines := []string{v.Title}
	if v.Unavailable != "" {
		lines = append(lines, v.Unavailable)
	}
	lines = append(lines, guide(v, "")...)
	if v.Unavailable == "" {
		lines = append(lines, "Redirect URI: "+v.Redirect)
	}
	row := func(label string, words []string, separator string) {
		if len(words) > 0 {
			lines = append(lines, label+strings.Join(words, separator))
		}
	}
	row("Scopes asked for: ", v.Scopes, " ")
	row("Others: ", v.MoreScopes, " ")
	if v.RemoveAccessURL != "" {
		lines = append(lines, "Remove access at: "+v.RemoveAccessURL)
	}
	row("Not tried yet: ", v.Unchecked, "; ")
	row("Sources: ", v.Sources, ", ")
	for _, line := range lines {
		if err := p.say("%s", line); err != nil {
			return err
		}
	}
	if v.Unavailable == "" {
		command := "curfew add " + v.Name + " --provider " + v.Name
		if v.NeedsIssuer {
			command += " --issuer " + v.IssuerExample
		}
		p.hint("then: %s --client-id ID", command)
	}
	return nil
}
