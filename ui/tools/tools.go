// Package tools answers programs that ask for credentials, such as git and
// kubectl, each in its own protocol.
//
// Its one hard idea: the host chooses the account. Every account lists the
// hosts that get its tokens (`hosts` in config.toml). A host on no list gets
// nothing, and a token goes out over https only, or to this very machine. A
// protocol that names no host, such as that of a mail program, wants the name
// of the account instead.
//
// Each protocol is a [dialect]: a few small functions from what the tool says
// to what it reads. [Help] is the same for all of them.
package tools

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"

	"curfew/auth"
	"curfew/ui/terminal"
)

// Agent is where accounts and tokens come from.
type Agent interface {
	Accounts(ctx context.Context) ([]auth.Snapshot, error)
	RequestToken(ctx context.Context, name string, r auth.TokenRequest) (auth.Token, error)
}

// A Call is one run of a helper, as a tool starts it.
type Call struct {
	Account  string         // that the tool's configuration names; "": the host chooses
	ID       bool           // the ID token is wanted
	Exchange *auth.Exchange // a token with less power is wanted; nil: not
	Args     []string       // that the tool adds
	Dir      string         // that it runs in
	Stdin    io.Reader
	Stdout   io.Writer
	Env      func(string) string
}

// Names lists the tools that there is a helper for.
func Names() []string { return slices.Sorted(maps.Keys(dialects)) }

// Hides reports whether a tool shows nobody what a helper writes to standard
// error, so that a person must read it elsewhere.
func Hides(name string) bool { return dialects[name].hides }

// A dialect is the protocol of one kind of tool.
type dialect struct {
	hello   string                             // what the tool reads before it asks
	read    func(*input) (question, error)     // what it asks; errNotForUs for what needs no answer
	answer  func(grant) string                 // what it reads when there is a token
	refuse  func(question, *auth.Error) string // what it reads when there is none; nil: nothing
	quiet   bool                               // the tool shows what refuse says, and wants success
	hides   bool                               // the tool shows nobody what a helper writes to standard error
	foreign string                             // what it reads when the host is on no list
	denies  bool                               // it wants a failure then
	tells   bool                               // a person wrote the command, and reads then what is wrong
}

// input is what a tool says.
type input struct {
	args  []string
	stdin *bufio.Reader
	env   func(string) string
}

// arg returns an argument of the tool, or "".
func (in *input) arg(i int) string {
	if i < len(in.args) {
		return in.args[i]
	}
	return ""
}

// maxInput is more than any tool says.
const maxInput = 64 << 10

// A question is what a tool wants a token for.
type question struct {
	address string            // the URL or the host; "": the protocol names none
	user    string            // that the tool wants to be called
	id      bool              // it wants the ID token
	more    map[string]string // what the answer repeats
}

// A grant is the answer to a question, before it is put into words.
type grant struct {
	question
	auth.Token
	account auth.Snapshot
}

// errNotForUs is what a dialect's read returns for a request that needs no
// token, such as one to store a password. Its answer has been given already.
var errNotForUs = errors.New("not a request for a token")

// Help answers one request of the tool called name. The error, if any, says
// what a person must know.
func Help(ctx context.Context, agent Agent, name string, c Call) error {
	d, ok := dialects[name]
	if !ok {
		return &auth.Error{Kind: auth.KindBadRequest, Message: fmt.Sprintf("there is no helper for %q", name), Hint: "see: curfew setup"}
	}
	if _, err := io.WriteString(c.Stdout, d.hello); err != nil {
		return err
	}
	in := &input{c.Args, bufio.NewReader(io.LimitReader(c.Stdin, maxInput)), c.Env}
	q, err := d.read(in)
	if errors.Is(err, errNotForUs) {
		_, err = io.WriteString(c.Stdout, q.more["answer"])
		return err
	}
	if err == nil && strings.ContainsFunc(q.user+q.address, unicode.IsControl) {
		err = badRequest("it has a control character")
	}
	var g grant
	if err == nil {
		q.id = q.id || c.ID
		g, err = get(ctx, agent, name, c, q)
	}
	return d.reply(c.Stdout, q, g, err)
}

// reply puts into the tool's words what came of its question.
func (d dialect) reply(w io.Writer, q question, g grant, err error) error {
	text := ""
	e, known := errors.AsType[*auth.Error](err)
	switch {
	case err == nil:
		text = d.answer(g)
	case errors.Is(err, errForeign):
		text = d.foreign
		switch err = nil; {
		case d.tells:
			err = foreign(q.address)
		case d.denies:
			err = terminal.Silent(terminal.Failed)
		}
	case known && d.refuse != nil:
		if text = d.refuse(q, e); d.quiet {
			err = nil
		}
	}
	if _, failed := io.WriteString(w, text); failed != nil {
		return failed
	}
	return err
}

// get finds the account of a question and fetches its token.
func get(ctx context.Context, agent Agent, tool string, c Call, q question) (grant, error) {
	g := grant{question: q, account: auth.Snapshot{Name: c.Account}}
	if q.address != "" || c.Account == "" {
		all, err := agent.Accounts(ctx)
		if err == nil {
			g.account, err = choose(all, c.Account, q.address, c.Dir)
		}
		if err != nil {
			return g, err
		}
	}
	var err error
	g.Token, err = agent.RequestToken(ctx, g.account.Name, auth.TokenRequest{MinValid: auth.AnyValidity, Program: tool, ID: q.id, Exchange: c.Exchange})
	if err == nil && !fitsLine(g.Value().Reveal()) {
		err = &auth.Error{Kind: auth.KindFailed, Message: fmt.Sprintf("the token of %s has characters that tools cannot take", g.account.Name)}
	}
	return g, err
}

// fitsLine: visible ASCII, so that it neither ends a line nor begins another
// field in any protocol (RFC 6750 section 2.1 allows less).
func fitsLine(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
