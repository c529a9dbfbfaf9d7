package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"curfew/auth"
	"curfew/auth/agent/proxy"
	"curfew/auth/agent/resident"
	"curfew/auth/oauth/peer"
	"curfew/ui/terminal"
)

func (p *program) proxyCommand() *cobra.Command {
	var to string
	var o place
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "proxy NAME --to URL [--port NUMBER [--secret-file FILE] | --socket PATH]",
		Short: "Pass requests on to a server, with an access token",
		Long: `Listen on this computer, and pass requests on to the server at URL with the
access token of the account. Programs that send their requests here never see the
token. It goes to that server only, whose host must be one of the account's hosts
in config.toml.

It prints the address to use in the place of URL, and runs until it is stopped.
The address has a secret in it, and is for your own programs only. With
--secret-file it stays the same. With --socket there is no port and no secret:
your programs connect to a UNIX socket.

If the server refuses a token, the request is sent once more with a new one. That
costs one refresh.`,
		Example: `  curfew proxy work --to https://api.example.com/v1
  curfew proxy work --to https://api.example.com --socket "$XDG_RUNTIME_DIR/work.sock"`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return terminal.UsageError(cmd, "missing account name")
			case len(args) > 1:
				return terminal.UsageError(cmd, "unexpected argument %q", args[1])
			case to == "":
				return terminal.UsageError(cmd, "missing address: --to URL")
			case o.socket != "" && (o.port != 0 || o.secretFile != ""):
				return terminal.UsageError(cmd, "--socket excludes --port and --secret-file")
			}
			return auth.CheckName(args[0])
		},
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			t, server, err := p.transport(ctx, "proxy", args[0], to)
			if err != nil {
				return err
			}
			l, secret, err := o.listen(ctx)
			if err != nil {
				return err
			}
			defer l.Close()
			if err := p.announce(o.socket, l, secret, asJSON); err != nil {
				return err
			}
			complaints := log.New(reporter{p.stderr}, "", 0)
			return serve(ctx, l, proxy.NewHandler(t, server, secret, complaints), complaints)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "pass requests on to the server at this `URL`")
	cmd.Flags().Uint16Var(&o.port, "port", 0, "listen on this port `NUMBER` of 127.0.0.1 (default: a free one)")
	cmd.Flags().StringVar(&o.secretFile, "secret-file", "", "keep the secret of the address in this `FILE`, made if missing")
	cmd.Flags().StringVar(&o.socket, "socket", "", "listen on a UNIX socket at this `PATH`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// announce prints where the proxy listens.
func (p *program) announce(socket string, l net.Listener, secret string, asJSON bool) error {
	address := "http://" + l.Addr().String() + "/" + secret
	switch {
	case asJSON && socket != "":
		return terminal.JSON(p.stdout, map[string]string{"socket": socket}, true)
	case asJSON:
		return terminal.JSON(p.stdout, map[string]string{"url": address}, true)
	case socket != "":
		address = socket
	}
	_, err := fmt.Fprintln(p.stdout, address)
	return err
}

// place is where a proxy listens.
type place struct {
	port       uint16
	secretFile string
	socket     string
}

// listen starts to listen, and returns the secret that paths begin with.
func (o *place) listen(ctx context.Context) (l net.Listener, secret string, err error) {
	if o.socket != "" {
		if o.socket, err = filepath.Abs(o.socket); err != nil {
			return nil, "", err
		}
		dir := filepath.Dir(o.socket)
		if _, err := os.Stat(dir); err != nil { // a typo, most likely
			return nil, "", &auth.Error{Kind: auth.KindFailed, Message: "cannot listen: " + err.Error(), Hint: "make that directory first: mkdir -m 700 " + dir}
		}
		l, err = resident.Listen(ctx, o.socket)
		if errors.Is(err, resident.ErrRunning) {
			return nil, "", &auth.Error{Kind: auth.KindFailed, Message: "another program listens at " + o.socket, Hint: "choose another path"}
		}
		return l, "", err
	}
	if secret, err = o.secret(); err != nil {
		return nil, "", err
	}
	l, err = (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:"+strconv.Itoa(int(o.port)))
	if err != nil {
		return nil, "", &auth.Error{Kind: auth.KindFailed, Message: "cannot listen: " + err.Error(), Hint: "choose another port with --port, or leave it out"}
	}
	return ownOnly{l}, secret, nil
}

// secret returns a new secret, or the one of the file.
func (o *place) secret() (string, error) {
	fresh := rand.Text()
	if o.secretFile == "" {
		return fresh, nil
	}
	bad := func(what string) error {
		return &auth.Error{Kind: auth.KindFailed, Message: "cannot use the secret file: " + what, Hint: "choose another file in a directory of yours; it is made if missing"}
	}
	f, err := os.OpenFile(o.secretFile, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = io.WriteString(f, fresh+"\n")
		if err = errors.Join(err, f.Close()); err != nil {
			return "", bad(err.Error())
		}
		return fresh, nil
	}
	if !errors.Is(err, fs.ErrExist) {
		return "", bad(err.Error())
	}
	fi, err := os.Stat(o.secretFile)
	if err != nil {
		return "", bad(err.Error())
	}
	if !fi.Mode().IsRegular() || fi.Size() > 1<<10 {
		return "", bad(o.secretFile + " is something else")
	}
	if err := onlyMine(o.secretFile, fi); err != nil {
		return "", bad(err.Error())
	}
	text, err := os.ReadFile(o.secretFile)
	if err != nil {
		return "", bad(err.Error())
	}
	secret := strings.TrimSpace(string(text))
	if len(secret) < len(fresh) || strings.ContainsFunc(secret, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}) {
		return "", bad(fmt.Sprintf("%s must hold at least %d letters and digits", o.secretFile, len(fresh)))
	}
	return secret, nil
}

// ownOnly accepts connections of this user's programs, as far as the system can
// tell. The secret is in the arguments of some programs, where other users of
// this computer can see it.
type ownOnly struct{ net.Listener }

// Accept waits for the next connection of this user.
func (l ownOnly) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		here, err1 := netip.ParseAddrPort(c.LocalAddr().String())
		there, err2 := netip.ParseAddrPort(c.RemoteAddr().String())
		if err1 == nil && err2 == nil && peer.Own(here, there) {
			return c, nil
		}
		c.Close()
	}
}

// serve answers requests until ctx ends.
func serve(ctx context.Context, l net.Listener, h http.Handler, errors *log.Logger) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, ErrorLog: errors}
	stop := context.AfterFunc(ctx, func() { server.Close() }) // streams would not end otherwise
	defer stop()
	err := server.Serve(l)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// reporter says what a server complains about, a line each.
type reporter struct{ to io.Writer }

// Write writes one line.
func (r reporter) Write(line []byte) (int, error) {
	fmt.Fprintln(r.to, "curfew: "+terminal.OneLine(strings.TrimSpace(string(line))))
	return len(line), nil
}
