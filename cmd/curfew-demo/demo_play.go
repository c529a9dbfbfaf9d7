package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"curfew/auth"
	"curfew/auth/authserver"
	"curfew/auth/authserver/robot"
	"curfew/ui/terminal"
)

// The demo as a play is what a person would do and must see. Each step acts
// through the programs alone, as a person would. It checks the result there and
// at the server.

// A player is the person whom the demo plays.
type player struct {
	*demo
	desktop *desktop
	browser *robot.Browser
	visited int // pages that the programs have opened so far
	began   time.Time
}

// A step is something that the person does. It returns what was seen, and an
// error when that is not what was expected.
type step struct {
	what, expect string
	do           func(context.Context) (seen string, err error)
}

func (p *player) steps() []step {
	return []step{
		{"start the tray", "an icon in the panel", p.seeIcon},
		{"curfew add " + demoAccount, "it is in config.toml", p.addAccount},
		{"curfew login " + demoAccount, "one page opens; 20 of 20 refreshes left", p.signIn},
		{"curfew token " + demoAccount + ", for curl", "200 alice", p.useToken},
		{"send the refresh token to the API", "401 " + authserver.MessageNeedAccess, p.mixUpTokens},
		{"look for the refresh token on disk", "items in the keychain, no trace in a file", p.searchProfile},
		{"open the menu", "both countdowns", p.seeMenu},
		{"Copy access token", "200 alice, with what is in the clipboard", p.copyToken},
		{"Open Curfew", "a window", p.openWindow},
		{"wait", "a refresh just before the token ends", p.watchRefresh},
		{"wait again", "a refresh just before the token ends", p.watchRefresh},
		{"Refresh now", "one refresh less", p.refreshNow},
		{"Sign in again", "a new session; the server has ended the old one", p.signInAgain},
		{"curfew refresh " + demoAccount + ", again and again", "20 work; the 21st never leaves: " + auth.MessageRefreshes, p.spendAll},
		{"send the last refresh token anyway", "400 " + auth.MessageRefreshes, p.cheat},
		{"wait for the last token's end", "a notice; ended; exit code 3: " + auth.MessageRefreshes, p.seeEnd},
		{"curfew login " + demoAccount, "one page opens; 20 of 20 refreshes left", p.signIn},
		{"curfew logout " + demoAccount, "its refresh token is worth nothing; the keychain is empty", p.signOut},
		{"Quit", "the tray ends, the agent stays", p.quit},
	}
}

// play plays the person and prints a line for each step. It ends at the first
// that goes wrong.
func (d *demo) play(ctx context.Context, out io.Writer, pictures string) (err error) {
	p := &player{
		demo:    d,
		browser: &robot.Browser{User: authserver.DefaultUser, Password: authserver.DefaultPassword},
		began:   time.Now(),
	}
	if p.desktop, err = openDesktop(ctx, pictures); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.desktop.close()) }()
	if err := d.setBrowser(fmt.Sprintf("printf '%%s\\n' \"$1\" >>'%s'\n", p.opened())); err != nil {
		return err
	}

	steps := p.steps()
	for i, s := range steps {
		seen, err := s.do(ctx)
		verdict := "ok"
		if err != nil {
			verdict = "FAILED"
			seen = strings.TrimSpace(seen + " " + err.Error())
		}
		fmt.Fprintf(out, "%6.1f s  %-6s %s\n           expected: %s\n           seen:     %s\n",
			time.Since(p.began).Seconds(), verdict, s.what, s.expect, seen)
		if err != nil {
			_, _ = p.desktop.picture(ctx, "failed", p.desktop.screen) // the step's own failure is what to report
			fmt.Fprintf(out, "\nThe agent's last words:\n%s\nThe tray's:\n%s\n", d.lastWords("agent"), d.lastWords("tray"))
			return &auth.Error{Kind: auth.KindFailed, Message: fmt.Sprintf("step %d of %d of the demo failed: %s", i+1, len(steps), s.what)}
		}
	}
	fmt.Fprintf(out, "All %d steps went as expected, in %.0f s.\n", len(steps), time.Since(p.began).Seconds())
	return nil
}

func (p *player) seeIcon(ctx context.Context) (string, error) {
	if err := p.startTray(); err != nil {
		return "", err
	}
	icon, err := p.desktop.awaitIcon(ctx, 10*time.Second)
	if err != nil {
		return "", err
	}
	return p.see(ctx, "icon-signed-out", icon)
}

func (p *player) addAccount(ctx context.Context) (string, error) {
	a := p.account()
	args := []string{"add", a.Name, "--issuer", a.Issuer, "--client-id", a.ClientID, "--refresh", string(a.Refresh), "--revocation-reach", a.RevocationReach}
	for _, s := range a.Scopes {
		args = append(args, "--scope", s)
	}
	return p.succeed(ctx, args...)
}

func (p *player) signIn(ctx context.Context) (string, error) {
	type result struct {
		seen string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		seen, err := p.succeed(ctx, "login", demoAccount)
		done <- result{seen, err}
	}()
	visited := p.visit(ctx)
	login := <-done
	if err := errors.Join(visited, login.err); err != nil {
		return login.seen, err
	}
	return login.seen, p.checkFresh(ctx)
}

// checkFresh checks that the session has all of its refreshes.
func (p *player) checkFresh(ctx context.Context) error {
	s, err := p.client.Account(ctx, demoAccount)
	if err != nil {
		return err
	}
	if s.State != auth.Active || s.RefreshesUsed != 0 || s.RefreshesLeft != auth.BuiltIn.MaxRefreshes {
		return fmt.Errorf("the account is %s with %d refreshes used, %d left", s.State, s.RefreshesUsed, s.RefreshesLeft)
	}
	return nil
}

func (p *player) useToken(ctx context.Context) (string, error) {
	token, err := p.succeed(ctx, "token", demoAccount)
	if err != nil {
		return "", err
	}
	return expect("200 " + authserver.DefaultUser)(p.server.tryAPI(ctx, token))
}

func (p *player) mixUpTokens(ctx context.Context) (string, error) {
	return expect("401 " + authserver.MessageNeedAccess)(p.server.tryAPI(ctx, p.server.steal()))
}

func (p *player) searchProfile(ctx context.Context) (string, error) {
	token := []byte(p.server.steal())
	files := 0
	err := filepath.WalkDir(p.dir, func(file string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		files++
		b, err := os.ReadFile(file)
		if err == nil && bytes.Contains(b, token) {
			err = fmt.Errorf("the refresh token is in %s", file)
		}
		return err
	})
	items, counted := p.keychainItems(ctx)
	if err := errors.Join(err, counted); err != nil {
		return "", err
	}
	seen := fmt.Sprintf("%d items in the keychain, nothing in %d files", items, files)
	if items == 0 {
		return seen, errors.New("the keychain is empty")
	}
	return seen, nil
}

// keychainItems counts Curfew's items in the keychain.
func (p *player) keychainItems(ctx context.Context) (int, error) {
	var unlocked, locked []dbus.ObjectPath
	err := p.desktop.bus.Object("org.freedesktop.secrets", "/org/freedesktop/secrets").
		CallWithContext(ctx, "org.freedesktop.Secret.Service.SearchItems", 0, map[string]string{"service": "curfew"}).
		Store(&unlocked, &locked)
	return len(unlocked) + len(locked), err
}

func (p *player) seeMenu(ctx context.Context) (string, error) {
	line, err := p.showMenu(ctx, "menu")
	if err == nil && (!strings.Contains(line, "20 left") || !strings.Contains(line, "until ")) {
		err = errors.New("that is not both countdowns")
	}
	return line, err
}

// showMenu takes a picture of the menu with the account's submenu, and
// returns the account's row.
func (p *player) showMenu(ctx context.Context, picture string) (line string, err error) {
	if err := p.desktop.openMenu(ctx); err != nil {
		return "", err
	}
	defer func() {
		if err == nil { // else it belongs on the picture of what failed
			err = p.desktop.closeMenu(ctx)
		}
	}()
	rows, err := p.desktop.menu(ctx)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(rows, func(r row) bool { return len(r.children) > 0 })
	if i < 0 {
		return "", fmt.Errorf("the menu has no account: %q", rows)
	}
	for _, r := range rows[i].children {
		if r.enabled {
			if err := p.desktop.walk(ctx, rows[i].words, r.words); err != nil {
				return "", err
			}
			break
		}
	}
	open, err := p.desktop.awaitMenus(ctx, 2)
	if err != nil {
		return "", err
	}
	area := image.Rectangle{}
	for _, m := range open {
		area = area.Union(m.Inset(-16))
	}
	area.Min.Y, area.Max.X = 0, p.desktop.screen.Max.X // with the icon
	_, err = p.see(ctx, picture, area)
	return rows[i].words, err
}

func (p *player) copyToken(ctx context.Context) (string, error) {
	if err := p.desktop.choose(ctx, demoAccount, "Copy access token"); err != nil {
		return "", err
	}
	var token string
	err := until(ctx, 5*time.Second, "something in the clipboard", func() bool {
		token, _ = p.desktop.clipboard(ctx) // fails while it is empty
		return token != ""
	})
	if err != nil {
		return "", err
	}
	return expect("200 " + authserver.DefaultUser)(p.server.tryAPI(ctx, token))
}

func (p *player) openWindow(ctx context.Context) (string, error) {
	if err := p.desktop.choose(ctx, "Open Curfew"); err != nil {
		return "", err
	}
	return p.seeWindow(ctx, "window")
}

// seeWindow takes a picture of the window.
func (p *player) seeWindow(ctx context.Context, picture string) (string, error) {
	var all []xwindow
	err := until(ctx, 15*time.Second, "the window", func() bool {
		var err error
		all, err = p.desktop.windows(ctx, "--name", "^Curfew")
		return err == nil && len(all) == 1
	})
	if err != nil {
		return fmt.Sprintf("%d windows", len(all)), err
	}
	if !all[0].In(p.desktop.screen) {
		return "", fmt.Errorf("the window is at %v, not all of it on the screen", all[0])
	}
	return p.see(ctx, picture, all[0].Rectangle)
}

// see takes a picture and says how large it is.
func (p *player) see(ctx context.Context, picture string, area image.Rectangle) (string, error) {
	colours, err := p.desktop.picture(ctx, picture, area)
	return fmt.Sprintf("%s: %d x %d pixels, %d colours", picture, area.Dx(), area.Dy(), colours), err
}

func (p *player) watchRefresh(ctx context.Context) (string, error) {
	before, err := p.client.Account(ctx, demoAccount)
	if err != nil {
		return "", err
	}
	lifetime := time.Duration(before.AccessLifetime) * time.Second
	var at time.Time
	after, err := p.await(ctx, lifetime+10*time.Second, "a refresh", func(s auth.Snapshot) bool {
		if at.IsZero() && s.RefreshesUsed > before.RefreshesUsed {
			at = time.Now() // it is counted before it is sent
		}
		return !at.IsZero() && s.State == auth.Active && s.AccessExpiresAt.After(before.AccessExpiresAt)
	})
	if err != nil {
		return "", err
	}
	left := before.AccessExpiresAt.Sub(at)
	seen := fmt.Sprintf("refresh %d of %d, %.1f s before the end of a token of %s", after.RefreshesUsed, after.MaxRefreshes, left.Seconds(), lifetime)
	if buffer := lifetime / 5; left <= 0 || left > buffer {
		return seen, fmt.Errorf("that is not within the last %s", buffer)
	}
	return seen, nil
}

func (p *player) refreshNow(ctx context.Context) (string, error) {
	before, err := p.client.Account(ctx, demoAccount)
	if err != nil {
		return "", err
	}
	if err := p.desktop.choose(ctx, before.Name, "Refresh now"); err != nil {
		return "", err
	}
	after, err := p.await(ctx, 5*time.Second, "the refresh", func(s auth.Snapshot) bool {
		return s.State == auth.Active && s.RefreshesUsed > before.RefreshesUsed
	})
	seen := fmt.Sprintf("%d left, after %d", after.RefreshesLeft, before.RefreshesLeft)
	if err == nil && after.RefreshesLeft != before.RefreshesLeft-1 {
		err = errors.New("that is not one less")
	}
	return seen, err
}

func (p *player) signInAgain(ctx context.Context) (string, error) {
	before, err := p.client.Account(ctx, demoAccount)
	if err != nil {
		return "", err
	}
	old := p.server.steal()
	if err := p.desktop.choose(ctx, demoAccount, "Sign in again"); err != nil {
		return "", err
	}
	if err := p.visit(ctx); err != nil {
		return "", err
	}
	_, err = p.await(ctx, 10*time.Second, "the new session", func(s auth.Snapshot) bool {
		return s.State == auth.Active && s.SignedInAt.After(before.SignedInAt)
	})
	if err != nil {
		return "", err
	}
	if err := p.checkFresh(ctx); err != nil {
		return "", err
	}
	var seen string
	err = until(ctx, 5*time.Second, "the old session to be revoked", func() bool {
		return p.server.Sessions() == 1
	})
	if err == nil {
		seen, err = p.server.tryRefresh(ctx, old)
	}
	if err == nil && !strings.HasPrefix(seen, "400 ") {
		err = errors.New("the server takes the old refresh token")
	}
	return "the old refresh token: " + seen, err
}

func (p *player) spendAll(ctx context.Context) (string, error) {
	for n := 0; ; n++ {
		posts := p.server.Posts("refresh_token")
		_, said, code, err := p.curfew(ctx, "refresh", demoAccount)
		if err != nil {
			return "", err
		}
		if code == terminal.OK && n <= auth.BuiltIn.MaxRefreshes {
			continue
		}
		s, err := p.client.Account(ctx, demoAccount)
		if err != nil {
			return said, err
		}
		seen := fmt.Sprintf("%d by hand, %d in all; then exit code %d: %s", n, s.RefreshesUsed, code, said)
		switch {
		case code != terminal.SignInNeeded || !strings.Contains(said, auth.MessageRefreshes):
			err = errors.New("that is not the refusal")
		case s.RefreshesUsed != auth.BuiltIn.MaxRefreshes:
			err = errors.New("that is not 20")
		case p.server.Posts("refresh_token") != posts:
			err = errors.New("the refused refresh was sent")
		}
		if err != nil {
			return seen, err
		}
		if _, err := p.showMenu(ctx, "menu-spent"); err != nil {
			return seen, err
		}
		_, err = p.seeWindow(ctx, "window-spent")
		return seen, err
	}
}

func (p *player) cheat(ctx context.Context) (string, error) {
	return expect("400 " + auth.MessageRefreshes)(p.server.tryRefresh(ctx, p.server.steal()))
}

func (p *player) seeEnd(ctx context.Context) (string, error) {
	s, err := p.client.Account(ctx, demoAccount)
	if err != nil {
		return "", err
	}
	s, err = p.await(ctx, time.Duration(s.AccessLeft+10)*time.Second, "the end", func(s auth.Snapshot) bool { return s.State == auth.Ended })
	if err != nil {
		return "", err
	}
	_, said, code, err := p.curfew(ctx, "token", demoAccount)
	if err != nil {
		return "", err
	}
	seen := fmt.Sprintf("%s by %s; exit code %d: %s", s.State, s.Reason, code, said)
	if s.Reason != auth.ByRefreshes || s.Message != auth.MessageRefreshes || code != terminal.SignInNeeded || !strings.Contains(said, auth.MessageRefreshes) {
		return seen, errors.New("that is not the end by refreshes")
	}
	notice, err := p.desktop.notice(ctx)
	if err != nil {
		return seen, err
	}
	if _, err := p.see(ctx, "notice-ended", notice); err != nil {
		return seen, err
	}
	if _, err := p.showMenu(ctx, "menu-ended"); err != nil {
		return seen, err
	}
	_, err = p.seeWindow(ctx, "window-ended")
	return seen, err
}

func (p *player) signOut(ctx context.Context) (string, error) {
	old := p.server.steal()
	if said, err := p.succeed(ctx, "logout", demoAccount); err != nil {
		return said, err
	}
	if _, err := p.seeWindow(ctx, "window-signed-out"); err != nil {
		return "", err
	}
	items, err := p.keychainItems(ctx)
	if err != nil {
		return "", err
	}
	seen, err := p.server.tryRefresh(ctx, old)
	seen = fmt.Sprintf("%s; %d items in the keychain", seen, items)
	if err == nil && (!strings.HasPrefix(seen, "400 ") || items > 0) {
		err = errors.New("something is left")
	}
	return seen, err
}

func (p *player) quit(ctx context.Context) (string, error) {
	if err := p.desktop.choose(ctx, "Quit"); err != nil {
		return "", err
	}
	select {
	case <-p.tray.ended:
		if p.tray.err != nil {
			return "", p.tray.err
		}
	case <-time.After(5 * time.Second):
		return "", errors.New("the tray is still there")
	}
	v, err := p.client.Version(ctx)
	return fmt.Sprintf("the tray ended with exit code 0; agent %s answers", v.Version), err
}

// await waits until the account is as is says.
func (p *player) await(ctx context.Context, limit time.Duration, what string, is func(auth.Snapshot) bool) (s auth.Snapshot, err error) {
	waited := until(ctx, limit, what, func() bool {
		s, err = p.client.Account(ctx, demoAccount)
		return err != nil || is(s)
	})
	if waited != nil {
		waited = fmt.Errorf("%w; the account is %s: %s", waited, s.State, s.Message)
	}
	return s, errors.Join(err, waited)
}

// opened is the file to which every page that a program opens is added.
func (p *player) opened() string { return filepath.Join(p.dir, "opened") }

// visit waits for the one page that a program opens, and signs in there.
func (p *player) visit(ctx context.Context) error {
	var pages []string
	err := until(ctx, 10*time.Second, "a page to open in the browser", func() bool {
		b, _ := os.ReadFile(p.opened()) // missing until the first
		pages = strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
		return len(b) > 0 && len(pages) > p.visited
	})
	if err != nil {
		return err
	}
	if len(pages) != p.visited+1 {
		return fmt.Errorf("%d pages were opened for one sign-in", len(pages)-p.visited)
	}
	p.visited = len(pages)
	page, err := p.browser.Visit(ctx, pages[p.visited-1])
	if err == nil && (!page.Arrived || page.Status != 200) {
		err = fmt.Errorf("the browser is left at a page that says: %s", page.Text)
	}
	return err
}

// curfew runs the command line as the person would. It returns standard output,
// standard error and the exit code.
func (p *player) curfew(ctx context.Context, args ...string) (answer, said string, code terminal.Code, err error) {
	cmd := exec.CommandContext(ctx, p.program("curfew"), args...)
	cmd.Env = p.env
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		err = nil
	}
	if err != nil {
		return "", "", 0, err
	}
	return strings.TrimSpace(stdout.String()), terminal.OneLine(strings.TrimSpace(stderr.String())), terminal.Code(cmd.ProcessState.ExitCode()), nil
}

// succeed runs the command line and returns its answer; any exit code but 0
// is an error.
func (p *player) succeed(ctx context.Context, args ...string) (answer string, err error) {
	answer, said, code, err := p.curfew(ctx, args...)
	if err == nil && code != terminal.OK {
		err = fmt.Errorf("curfew %s: exit code %d: %s", args[0], code, said)
	}
	return answer, err
}

// expect checks that something seen is the very thing.
func expect(want string) func(seen string, err error) (string, error) {
	return func(seen string, err error) (string, error) {
		if err == nil && seen != want {
			err = errors.New("that is something else")
		}
		return seen, err
	}
}
