// Package proxy passes requests on to one server, with an access token that the
// programs which make them never see.
//
// Its one hard idea: the token goes to one server only. A [Transport] adds it to
// requests for that server and refuses all others. So no redirect, no forged
// address and no header of a program can send it elsewhere.
package proxy

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"curfew/auth"
)

// Agent is where the tokens come from.
type Agent interface {
	RequestToken(ctx context.Context, name string, r auth.TokenRequest) (auth.Token, error)
	Refresh(ctx context.Context, name, program string) (auth.Snapshot, error)
}

// A Transport adds the access token of an account to requests for one server. If
// the server refuses a token, the request is sent once more with a new one. It is
// safe for concurrent use.
type Transport struct {
	Agent   Agent
	Account string
	Program string   // who asks for tokens, for the log
	Server  *url.URL // only its scheme and its host matter
	Base    http.RoundTripper

	renewing chan struct{} // held while a refused token is replaced

	mu    sync.Mutex
	vain  bool   // a new token was refused as well, so no other is fetched for a refusal
	nonce string // that the server wants in the next proof (RFC 9449 section 8.2)
}

// NewTransport makes a Transport with the usual connections.
func NewTransport(agent Agent, account, program string, server *url.URL) *Transport {
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.DisableCompression = true // what the server sends is passed on as it is
	return &Transport{Agent: agent, Account: account, Program: program, Server: server, Base: base, renewing: make(chan struct{}, 1)}
}

// RoundTrip sends a request for the server with a token. It replaces the
// Authorization header that the request has. For other servers it fails.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := newRecorder(r)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*http.Response, error) {
		_ = body.Close() // as an http.RoundTripper must
		return nil, err
	}
	if r.URL.Scheme != t.Server.Scheme || !strings.EqualFold(r.URL.Host, t.Server.Host) {
		return fail(auth.Fail(auth.KindRefused, auth.Say("token_for_one", t.Account, t.Server.Host, r.URL.Host), auth.Text{}))
	}
	token, err := t.token(r)
	if err != nil {
		return fail(err)
	}
	res, err := t.send(r, token, body.first())
	if err != nil || res.StatusCode != http.StatusUnauthorized {
		return res, err
	}
	again, ok := body.again()
	if !ok {
		return res, nil // what was sent is gone
	}
	token, renewed := t.replace(r, res, token)
	if token.AccessToken.IsZero() {
		return res, nil
	}
	discard(res)
	res, err = t.send(r, token, again)
	if err == nil && renewed && res.StatusCode != http.StatusUnauthorized {
		t.setVain(false)
	}
	return res, err
}

// send sends r with a token and this body.
func (t *Transport) send(r *http.Request, token auth.Token, body io.ReadCloser) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.Body = body
	out.Header.Del("DPoP")
	if !token.Proof.IsZero() {
		out.Header.Set("DPoP", token.Proof.Reveal())
	}
	out.Header.Set("Authorization", token.TokenType+" "+token.AccessToken.Reveal())
	res, err := t.Base.RoundTrip(out)
	if err == nil {
		if nonce := res.Header.Get("DPoP-Nonce"); nonce != "" {
			t.mu.Lock()
			t.nonce = nonce
			t.mu.Unlock()
		}
	}
	return res, err
}

// token asks the agent for the token of r. The agent has it in memory, and knows
// at once when a session has ended.
func (t *Transport) token(r *http.Request) (auth.Token, error) {
	ask := auth.TokenRequest{MinValid: auth.AnyValidity, Best: true, Program: t.Program}
	token, err := t.Agent.RequestToken(r.Context(), t.Account, ask)
	if err == nil && token.TokenType == "DPoP" { // it needs a proof for each request (RFC 9449)
		t.mu.Lock()
		nonce := t.nonce
		t.mu.Unlock()
		ask.Proof = &auth.ProofRequest{Method: r.Method, URL: r.URL.String(), Nonce: nonce}
		token, err = t.Agent.RequestToken(r.Context(), t.Account, ask)
	}
	return token, err
}

// replace returns another token for r after the server refused one, the zero
// Token when there is none, and whether a refresh was spent on it.
//
// Refreshes are few, so a server that refuses the new token as well costs one
// refresh and no more: from then on its refusals are passed on.
func (t *Transport) replace(r *http.Request, res *http.Response, refused auth.Token) (auth.Token, bool) {
	challenge := strings.Join(res.Header.Values("WWW-Authenticate"), ", ")
	if strings.Contains(challenge, "insufficient_scope") {
		return auth.Token{}, false
	}
	select {
	case t.renewing <- struct{}{}:
		defer func() { <-t.renewing }()
	case <-r.Context().Done():
		return auth.Token{}, false
	}
	token, err := t.token(r)
	switch {
	case err != nil:
		return auth.Token{}, false
	case token.AccessToken.Reveal() != refused.AccessToken.Reveal():
		return token, false // it was renewed meanwhile
	case strings.Contains(challenge, "use_dpop_nonce"):
		return token, false // its new proof has the nonce
	case t.isVain():
		return auth.Token{}, false
	}
	if _, err := t.Agent.Refresh(r.Context(), t.Account, t.Program); err != nil {
		return auth.Token{}, false
	}
	t.setVain(true) // until it is accepted
	if token, err = t.token(r); err != nil {
		return auth.Token{}, false
	}
	return token, true
}

func (t *Transport) isVain() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.vain
}

func (t *Transport) setVain(vain bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.vain = vain
}

// discard reads what little an error says, so that the connection can be used
// again.
func discard(res *http.Response) {
	_, _ = io.CopyN(io.Discard, res.Body, 4<<10)
	res.Body.Close()
}

// maxReplay is how much of a body is kept to be sent once more, in bytes.
const maxReplay = 1 << 20

// A recorder is the body of a request. A short one is read before it is sent,
// since a server may refuse a request before it has read it all. Of one whose
// length is not known it keeps what was read, which can be read again if that was
// all of it.
type recorder struct {
	body io.ReadCloser // nil: the request has none, or it is all in kept

	mu    sync.Mutex // a transport may read on after its answer has come
	kept  []byte
	whole bool // kept is all of it
	long  bool
}

func newRecorder(r *http.Request) (*recorder, error) {
	switch {
	case r.Body == nil || r.Body == http.NoBody:
		return &recorder{whole: true}, nil
	case r.ContentLength <= 0 || r.ContentLength > maxReplay:
		return &recorder{body: r.Body}, nil
	}
	defer r.Body.Close()
	kept := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, kept); err != nil {
		return nil, err
	}
	return &recorder{kept: kept, whole: true}, nil
}

// first returns the body for the first try, nil for none.
func (r *recorder) first() io.ReadCloser {
	if r.body != nil {
		return r
	}
	again, _ := r.again()
	return again
}

// again returns the body for the second try, if there can be one.
func (r *recorder) again() (io.ReadCloser, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.long || !r.whole:
		return nil, false
	case len(r.kept) == 0:
		return nil, true
	}
	return io.NopCloser(bytes.NewReader(r.kept)), true
}

// Read reads from the body and keeps what it read.
func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.body.Read(p)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.kept)+n > maxReplay {
		r.long, r.kept = true, nil
	}
	if !r.long {
		r.kept = append(r.kept, p[:n]...)
	}
	r.whole = r.whole || err == io.EOF
	return n, err
}

// Close closes the body.
func (r *recorder) Close() error {
	if r.body == nil {
		return nil
	}
	return r.body.Close()
}
