package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"curfew/auth"
	"curfew/ui/terminal"
)

func (p *program) execCommand() *cobra.Command {
	life := terminal.NotGiven
	var variables []string
	var exchange func() *auth.Exchange
	id := false
	cmd := &cobra.Command{
		Use:   "exec [NAME] [--env VARIABLE]... -- COMMAND...",
		Short: "Run a command that can read an access token",
		Long: `Run a command with an access token that it reads from a file. The token is never
in the arguments, which everybody on this computer can see. It is in the
environment only if you ask for that.

  CURFEW_ACCESS_TOKEN_FILE   in the environment: a file that holds the token
  {token_file}               in the arguments: a file that holds the token
  {header_file}              in the arguments: a file that holds the header line
                             "Authorization: Bearer TOKEN", as curl's -H @FILE expects
  {bearer}                   in the arguments: a file that holds "Bearer TOKEN"

On Linux and Windows the files can be read again and again, elsewhere once. They
are gone when the command has ended. Without NAME the account is that of this folder:
see curfew token.

With --env the command and all that it starts have the token in a variable of
the environment, where your other programs can see it too.`,
		Example: `  curfew exec work -- curl -H @{header_file} https://api.example.com/me
  curfew exec work -- http GET https://api.example.com/me Authorization:@{bearer}
  curfew exec work --env NPM_TOKEN -- npm install
  curfew exec work -- sh -c 'gh auth login --with-token < "$CURFEW_ACCESS_TOKEN_FILE"'`,
		Args: func(cmd *cobra.Command, args []string) error {
			dash := cmd.ArgsLenAtDash()
			if dash < 0 || dash > 1 || len(args) == dash {
				return &auth.Error{Kind: auth.KindBadRequest, Message: "expected an account name, then --, then a command", Hint: "usage: curfew exec NAME -- COMMAND"}
			}
			for _, name := range variables {
				if !isVariable(name) {
					return terminal.UsageError(cmd, "%q cannot be the name of a variable", name)
				}
			}
			return optionalName(cmd, args[:dash])
		},
		ValidArgsFunction: p.completeName,
		RunE: func(cmd *cobra.Command, args []string) error {
			dash := cmd.ArgsLenAtDash()
			name, err := p.nameOrHere(cmd.Context(), args[:dash], "")
			if err != nil {
				return err
			}
			return p.exec(cmd.Context(), name, args[dash:], auth.TokenRequest{MinValid: life.Duration(), ID: id, Exchange: exchange()}, variables)
		},
	}
	cmd.Flags().Var(&life, "min-valid", "how long the token must still be valid (default 60s)")
	exchange = exchangeFlags(cmd)
	cmd.Flags().BoolVar(&id, "id", false, "hand out the ID token instead of the access token")
	cmd.Flags().StringArrayVar(&variables, "env", nil, "put the token into this `VARIABLE` of the environment too")
	return cmd
}

// isVariable reports whether name can be a variable of the environment (POSIX).
func isVariable(name string) bool {
	for i, r := range name {
		if letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'; !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}

func (p *program) exec(ctx context.Context, name string, command []string, r auth.TokenRequest, variables []string) error {
	path, err := exec.LookPath(command[0])
	if err != nil {
		return &auth.Error{Kind: auth.KindBadRequest, Message: fmt.Sprintf("there is no command %q", command[0]), Hint: "give a path, or put its directory in PATH"}
	}
	r.Program = filepath.Base(path)
	t, err := p.requestToken(ctx, name, r)
	if err != nil {
		return err
	}
	token := t.Value().Reveal()
	args, tokenFile, done, err := heldFor(command, token)
	defer done()
	if err != nil {
		return err
	}
	env := append(os.Environ(), "CURFEW_ACCESS_TOKEN_FILE="+tokenFile)
	for _, variable := range variables {
		env = append(env, variable+"="+token)
	}
	return fmt.Errorf("%s: %w", path, runInstead(path, args, env))
}

// heldFor puts files that hold the token into the arguments of a command. It
// returns the one that holds the token alone as well, and what removes them.
func heldFor(command []string, token string) (args []string, tokenFile string, done func(), err error) {
	var removals []func()
	done = func() {
		for _, remove := range removals {
			remove()
		}
	}
	file := func(text string) string {
		path, remove, failed := hold(text)
		if failed != nil {
			err = failed
			return ""
		}
		removals = append(removals, remove)
		return path
	}
	tokenFile = file(token)
	forms := []string{"{token_file}", tokenFile}
	all := strings.Join(command[1:], " ")
	for form, text := range map[string]string{"{header_file}": "Authorization: Bearer " + token + "\n", "{bearer}": "Bearer " + token} {
		if strings.Contains(all, form) {
			forms = append(forms, form, file(text))
		}
	}
	replace := strings.NewReplacer(forms...)
	args = []string{command[0]}
	for _, a := range command[1:] {
		args = append(args, replace.Replace(a))
	}
	return args, tokenFile, done, err
}
