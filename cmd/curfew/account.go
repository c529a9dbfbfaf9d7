package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"curfew/auth"
	ui "curfew/ui/desktop"
	"curfew/ui/status"
)

func (p *program) removeCommand() *cobra.Command {
	return p.addJSON(&cobra.Command{
		Use:               "remove NAME",
		Short:             "Sign out and remove an account from the configuration",
		Args:              oneName,
		ValidArgsFunction: p.completeName,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := ask(cmd.Context(), p, func() (auth.SignOutResult, error) { return p.client.Remove(cmd.Context(), args[0]) })
			if err != nil {
				return err
			}
			return p.signedOut(r, args[0]+" is removed. "+r.Message)
		},
	})
}

func (p *program) logoutCommand() *cobra.Command {
	return p.addJSON(&cobra.Command{
		Use:               "logout NAME",
		Short:             "Sign out: end the session here and at the server",
		Args:              oneName,
		ValidArgsFunction: p.completeName,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := ask(cmd.Context(), p, func() (auth.SignOutResult, error) { return p.client.SignOut(cmd.Context(), args[0]) })
			if err != nil {
				return err
			}
			return p.signedOut(r, r.Message)
		},
	})
}

// signedOut says what a sign-out did, and what the person still has to do.
func (p *program) signedOut(r auth.SignOutResult, words string) error {
	if p.json {
		return p.printJSON(r, false)
	}
	if err := p.say("%s", words); err != nil {
		return err
	}
	if r.URL != "" {
		p.hint("remove Curfew's access there: %s", r.URL)
	}
	return nil
}

func (p *program) loginCommand() *cobra.Command {
	var o loginOptions
	cmd := &cobra.Command{
		Use:   "login NAME",
		Short: "Sign in, in your browser",
		Long: `Sign in, in your browser. The old session is replaced only once the new one is
saved; Ctrl-C keeps the old one.

--no-browser prints the address on the first line of standard output and waits
until somebody has signed in there, with a browser on this computer. To use a
browser on another computer, use --device.`,
		Args:              oneName,
		ValidArgsFunction: p.completeName,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.name = args[0]
			return p.login(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.noBrowser, "no-browser", false, "print the address instead of opening it")
	f.BoolVar(&o.device, "device", false, "sign in on another device, with a code")
	f.BoolVar(&o.force, "force", false, "start a new session even if the current one still works")
	return p.addJSON(cmd)
}

type loginOptions struct {
	name                     string
	noBrowser, device, force bool
	own                      bool // the account has a browser, which gets the address
}

// opens reports whether a browser is opened. Without a display nobody sees one.
func (o loginOptions) opens() bool { return o.own || !o.noBrowser && !o.device && ui.CanOpenURL() }

func (p *program) login(ctx context.Context, o loginOptions) error {
	snap, err := ask(ctx, p, func() (auth.Snapshot, error) { return p.client.Account(ctx, o.name) })
	if err != nil {
		return err
	}
	o.force = o.force || spent(snap)
	if !o.force && live(snap) && !status.SigningIn(snap) {
		if p.json {
			return p.printJSON(snap, false)
		}
		p.hint("for a new session: curfew login %s --force", o.name)
		return p.say("%s is already signed in%s: %s", o.name, subjectSuffix(snap), status.Short(snap, now()))
	}
	started, err := p.client.SignIn(ctx, o.name, auth.SignInRequest{Force: o.force, Device: o.device, Browser: o.opens()})
	if err != nil {
		return err
	}
	if !o.noBrowser && !o.device && !o.opens() && len(started.Browser) > 0 {
		// The account has a browser, whatever the desktop has. It gets a page that works once.
		if page, err := p.client.SignIn(ctx, o.name, auth.SignInRequest{Flow: started.Flow, Browser: true}); err == nil {
			started.URL, o.own = page.URL, true
		}
	}
	if err := p.showSignIn(ctx, o, started); err != nil {
		return err
	}
	snap, err = p.awaitSignIn(ctx, o.name, started.Flow)
	if err != nil {
		if ctx.Err() != nil && !started.Joined {
			// The person gave up on the flow that this command started.
			quick, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
			defer cancel()
			if err := p.client.CancelSignIn(quick, o.name); err == nil {
				return &auth.Error{Kind: auth.KindFailed, Message: "sign-in cancelled; " + o.name + " is as it was"}
			}
		}
		return err
	}
	if p.json {
		return p.printJSON(snap, o.noBrowser)
	}
	for _, w := range snap.Warnings { // what nobody should find out by a failing tool
		p.note("%s", w)
	}
	return p.say("%s is signed in%s: %s", o.name, subjectSuffix(snap), status.Short(snap, now()))
}

// live reports whether a sign-in would replace a session that works.
func live(s auth.Snapshot) bool {
	switch s.State {
	case auth.Active, auth.Stale, auth.Refreshing, auth.Waiting:
		return true
	}
	return false
}

// spent reports whether a session works and has no refresh left. Then only a new
// sign-in helps, so it needs no --force.
func spent(s auth.Snapshot) bool { return live(s) && s.RefreshesLeft == 0 && !s.NoRefresh }

// subjectSuffix is " as USER", where the server said who signed in.
func subjectSuffix(s auth.Snapshot) string {
	if s.Subject == "" {
		return ""
	}
	return " as " + s.Subject
}

// showSignIn brings the person to the URL.
func (p *program) showSignIn(ctx context.Context, o loginOptions, s auth.SignInStarted) error {
	if s.Joined {
		p.note("a sign-in of %s is already running; this command joins it", o.name)
	}
	switch {
	case o.noBrowser && p.json:
		return p.printJSON(s, true)
	case o.noBrowser:
		if _, err := fmt.Fprintln(p.stdout, s.URL); err != nil {
			return err
		}
		if s.UserCode != "" {
			p.note("enter this code there: %s", s.UserCode)
		}
		return nil
	case s.UserCode != "":
		p.note("open %s on any device and enter this code: %s", s.URL, s.UserCode)
		return nil
	}
	if !o.opens() {
		p.note("no browser can be opened here; use --device, or open this address on this computer:")
		fmt.Fprintln(p.stderr, s.URL)
		return nil
	}
	p.note("opening your browser; if it does not appear, open this address, which works once:")
	fmt.Fprintln(p.stderr, s.URL)
	failed, err := openBrowser(s.URL, s.Browser)
	if err != nil {
		return err
	}
	go func() {
		err := <-failed
		if err == nil {
			return
		}
		p.note("no browser could be opened (%s); open this address:", err)
		// It joins the same sign-in, with an address for any browser.
		if s, err = p.client.SignIn(ctx, o.name, auth.SignInRequest{Flow: s.Flow}); err == nil {
			fmt.Fprintln(p.stderr, s.URL)
		}
	}()
	return nil
}

// awaitSignIn waits until the flow has ended and returns the account.
func (p *program) awaitSignIn(ctx context.Context, name, flow string) (auth.Snapshot, error) {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	var done *auth.Snapshot
	var failed error
	err := p.client.Watch(watching, func(all []auth.Snapshot) {
		i := slices.IndexFunc(all, func(s auth.Snapshot) bool { return s.Name == name })
		switch {
		case i < 0:
			failed = &auth.Error{Kind: auth.KindFailed, Message: name + " was removed meanwhile"}
		case all[i].SignIn == nil || all[i].SignIn.Flow != flow:
			failed = &auth.Error{Kind: auth.KindFailed, Message: "another sign-in of " + name + " replaced this one", Hint: "see: curfew status " + name}
		case all[i].SignIn.Phase == auth.PhaseDone:
			done = &all[i]
		case all[i].SignIn.Phase == auth.PhaseFailed:
			v := all[i].SignIn
			failed = auth.Fail(v.Error, v.Text, auth.Words("try again: curfew login "+name))
		default:
			return
		}
		stop()
	})
	switch {
	case done != nil:
		return *done, nil
	case failed != nil:
		return auth.Snapshot{}, failed
	default:
		return auth.Snapshot{}, err
	}
}
