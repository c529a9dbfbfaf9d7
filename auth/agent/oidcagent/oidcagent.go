// Package oidcagent speaks the protocol of oidc-agent, so that its clients
// (oidc-token, liboidc-agent and what is built on them) get Curfew's tokens.
//
// Its one hard idea: the protocol has no framing. Each side writes a message
// with one call and takes what it reads for a message. The server here also
// takes messages that arrive in pieces. The encryption hides bytes from a casual
// look and proves nothing: who may connect is for the socket to decide.
package oidcagent

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/nacl/box"
	"golang.org/x/crypto/nacl/secretbox"

	"curfew/auth"
)

// Agent is where accounts and tokens come from.
type Agent interface {
	Accounts(ctx context.Context) ([]Account, error)
	RequestToken(ctx context.Context, name string, r auth.TokenRequest) (auth.Token, error)
	Refresh(ctx context.Context, name, program string) (auth.Snapshot, error)
}

// An Account is one that clients may ask for.
type Account struct {
	Name, Issuer string
}

// patience is how long a client may take for each of its messages.
const patience = 10 * time.Second

// maxRequest is more than any client sends, in bytes.
const maxRequest = 64 << 10

// Serve answers the clients of l until ctx ends. It closes l.
func Serve(ctx context.Context, l net.Listener, agent Agent) error {
	var clients sync.WaitGroup
	defer clients.Wait()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("the socket failed: %w", err)
		}
		clients.Go(func() {
			defer c.Close()
			defer context.AfterFunc(ctx, func() { c.Close() })()
			converse(ctx, c, agent)
		})
	}
}

// converse answers the one request of a connection.
func converse(ctx context.Context, c net.Conn, agent Agent) {
	first, err := read(c, func(b []byte) bool { return b[0] == '{' && json.Valid(b) || b[0] != '{' && len(b) >= keyText })
	if err != nil {
		return
	}
	if first[0] == '{' {
		write(c, answer(ctx, agent, first))
		return
	}
	key, err := exchangeKeys(c, first)
	if err != nil {
		write(c, refusal("Bad Request: "+err.Error(), ""))
		return
	}
	sealed, err := read(c, func(b []byte) bool { _, err := open(b, key); return !errors.Is(err, errIncomplete) })
	if err != nil {
		return
	}
	request, err := open(sealed, key)
	if err != nil {
		write(c, refusal("Bad Request: "+err.Error(), ""))
		return
	}
	write(c, seal(answer(ctx, agent, request), key))
}

// read reads until whole says that a message is complete.
func read(c net.Conn, whole func([]byte) bool) ([]byte, error) {
	c.SetReadDeadline(time.Now().Add(patience))
	var message []byte
	part := make([]byte, maxRequest)
	for {
		n, err := c.Read(part)
		message = append(message, part[:n]...)
		switch {
		case len(message) > maxRequest:
			return nil, errors.New("the request is too long")
		case len(message) > 0 && whole(message):
			return message, nil
		case err != nil:
			return nil, err
		}
	}
}

// write writes a message at once, as clients want it.
func write(c net.Conn, message []byte) {
	c.SetWriteDeadline(time.Now().Add(patience))
	_, _ = c.Write(message) // a client that is gone needs no answer
}

// keyText is the length of a public key in base64.
const keyText = 44

// exchangeKeys answers a client's public key, and returns the key that both have
// then.
func exchangeKeys(c net.Conn, first []byte) (*[32]byte, error) {
	theirs, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(first)))
	if err != nil || len(theirs) != 32 {
		return nil, errors.New("neither a JSON object nor a public key")
	}
	public, private, err := box.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	write(c, []byte(base64.StdEncoding.EncodeToString(public[:])))
	var key [32]byte
	box.Precompute(&key, (*[32]byte)(theirs), private)
	return &key, nil
}

var errIncomplete = errors.New("the message is not complete")

// open decrypts LENGTH:NONCE:CIPHERTEXT.
func open(message []byte, key *[32]byte) ([]byte, error) {
	malformed := errors.New("the message is malformed")
	parts := strings.Split(string(bytes.TrimSpace(message)), ":")
	if len(parts) > 3 {
		return nil, malformed
	}
	length, err := strconv.Atoi(parts[0])
	if len(parts) == 3 && (err != nil || length < 0 || length > maxRequest) {
		return nil, malformed
	}
	if len(parts) < 3 || len(parts[2]) < base64.StdEncoding.EncodedLen(length+secretbox.Overhead) {
		return nil, errIncomplete
	}
	nonce, err := base64.StdEncoding.DecodeString(parts[1])
	sealed, failed := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || failed != nil || len(nonce) != 24 {
		return nil, malformed
	}
	text, ok := secretbox.Open(nil, sealed, (*[24]byte)(nonce), key)
	if !ok || len(text) != length {
		return nil, malformed
	}
	return text, nil
}

// seal encrypts an answer.
func seal(text []byte, key *[32]byte) []byte {
	var nonce [24]byte
	rand.Read(nonce[:])
	sealed := secretbox.Seal(nil, text, &nonce, key)
	return fmt.Appendf(nil, "%d:%s:%s", len(text), base64.StdEncoding.EncodeToString(nonce[:]), base64.StdEncoding.EncodeToString(sealed))
}

// A request is what a client asks. Fields that no request here needs are left
// out.
type request struct {
	Request  string  `json:"request"`
	Account  string  `json:"account"`
	Issuer   string  `json:"issuer"`
	MinValid float64 `json:"min_valid_period"` // seconds; below zero: a new token
	Scope    string  `json:"scope"`
	Audience string  `json:"audience"`
	Hint     string  `json:"application_hint"`
}

// answer answers a request.
func answer(ctx context.Context, agent Agent, text []byte) []byte {
	var r request
	if err := json.NewDecoder(io.LimitReader(bytes.NewReader(text), maxRequest)).Decode(&r); err != nil {
		return refusal("Bad Request: could not parse json", "")
	}
	if r.Request == "check" {
		return success(map[string]any{})
	}
	accounts, err := agent.Accounts(ctx)
	if err != nil {
		return failure(err)
	}
	var names []string
	byIssuer := map[string]any{}
	for _, a := range accounts {
		names = append(names, a.Name)
		in, _ := byIssuer[slashed(a.Issuer)].(map[string]any)
		if in == nil {
			in = map[string]any{"pubclient": false, "accounts": map[string]bool{}}
			byIssuer[slashed(a.Issuer)] = in
		}
		in["accounts"].(map[string]bool)[a.Name] = true
	}
	switch r.Request {
	case "access_token":
		return token(ctx, agent, accounts, r)
	case "loaded_accounts":
		return success(map[string]any{"info": append([]string{}, names...)})
	case "account_info":
		return success(map[string]any{"info": byIssuer})
	case "status":
		return success(map[string]any{"info": "Curfew answers in the place of oidc-agent.\nAccounts: " + cmp.Or(strings.Join(names, ", "), "none")})
	case "status_json":
		return success(map[string]any{"info": map[string]any{"version": "curfew", "loaded_accounts": append([]string{}, names...)}})
	case "":
		return refusal("Bad Request: No request type.", "")
	}
	return refusal("Bad Request: Unknown request type.", "Accounts are added and removed with curfew.")
}

// token answers a request for an access token.
func token(ctx context.Context, agent Agent, accounts []Account, r request) []byte {
	a, refused := choose(accounts, r)
	if refused != nil {
		return refused
	}
	ask := auth.TokenRequest{MinValid: auth.AnyValidity, Best: r.MinValid <= 0, Program: "oidc-agent: " + cmp.Or(r.Hint, "unknown")}
	if r.MinValid > 0 {
		ask.MinValid = time.Duration(min(r.MinValid, 1e9) * float64(time.Second))
	}
	if r.Scope != "" || r.Audience != "" { // one with less power, in exchange (RFC 8693)
		ask.Exchange = &auth.Exchange{Scope: strings.Fields(r.Scope), Audience: strings.Fields(r.Audience)}
	}
	if r.MinValid < 0 {
		if _, err := agent.Refresh(ctx, a.Name, ask.Program); err != nil {
			return failure(err)
		}
	}
	t, err := agent.RequestToken(ctx, a.Name, ask)
	if err != nil {
		return failure(err)
	}
	expires := t.ExpiresAt.Unix()
	if t.ExpiresAt.IsZero() {
		expires = 0
	}
	return success(map[string]any{"access_token": t.AccessToken.Reveal(), "issuer": slashed(a.Issuer), "expires_at": expires})
}

// choose returns the account that a request means, or what to answer.
func choose(accounts []Account, r request) (Account, []byte) {
	if strings.Contains(r.Account, "://") { // clients take only https:// for an issuer
		r.Account, r.Issuer = "", r.Account
	}
	if r.Account != "" {
		i := slices.IndexFunc(accounts, func(a Account) bool { return a.Name == r.Account })
		if i < 0 { // these words make a client look at a remote agent, too
			return Account{}, refusal("No account configured with that short name", "Add it: curfew add "+auth.Clip(r.Account, 64))
		}
		return accounts[i], nil
	}
	if r.Issuer == "" {
		return Account{}, refusal("Not yet implemented", "Name an account or an issuer.")
	}
	var mine []Account
	for _, a := range accounts {
		if slashed(a.Issuer) == slashed(r.Issuer) {
			mine = append(mine, a)
		}
	}
	switch len(mine) {
	case 0:
		return Account{}, refusal("No account configured for that issuer", "Add one: curfew add NAME --issuer "+auth.Clip(r.Issuer, 200))
	case 1:
		return mine[0], nil
	}
	return Account{}, refusal("There is more than one account for that issuer", "Name one of them: "+mine[0].Name+" or "+mine[1].Name)
}

// slashed is an issuer as clients of oidc-agent expect it.
func slashed(issuer string) string { return strings.TrimSuffix(issuer, "/") + "/" }

func success(fields map[string]any) []byte {
	fields["status"] = "success"
	return encode(fields)
}

// refusal says why not. Clients print both texts.
func refusal(message, hint string) []byte {
	fields := map[string]any{"status": "failure", "error": message}
	if hint != "" {
		fields["info"] = hint
	}
	return encode(fields)
}

func failure(err error) []byte {
	e, ok := errors.AsType[*auth.Error](err)
	if !ok {
		return refusal(err.Error(), "")
	}
	return refusal(e.Message, e.Hint)
}

// encode writes JSON without the escapes for HTML.
func encode(fields map[string]any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(fields); err != nil {
		return []byte(`{"status":"failure","error":"internal error"}`)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
