// Package mcp connects a program that speaks the Model Context Protocol over
// standard input and output to a server that speaks it over HTTP ("streamable
// HTTP", revision 2025-11-25).
//
// Its one hard idea: it passes messages on and takes part in nothing. It reads
// of a message only what the other end needs as a header, and whether it wants
// an answer. What goes wrong on the way becomes the answer, so that the
// program can show it to a person.
package mcp

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"curfew/auth"
)

// A Bridge is one connection between a program and a server.
type Bridge struct {
	client *http.Client // adds the token
	url    string       // of the server's endpoint
	in     io.Reader    // messages of the program, one a line
	out    io.Writer    // messages for it
	report func(error)  // takes what no answer can say

	spoke   chan struct{} // the program has sent something
	writing sync.Mutex    // held while a line is written

	mu      sync.Mutex
	session string // that the server has named
	version string // of the protocol, as the two have agreed
	hello   []byte // the first message, which starts a session
}

// New makes a Bridge between a program, which writes a message a line to in and
// reads from out, and the server at url. transport adds the token. report takes
// errors that are no answer to anything.
func New(transport http.RoundTripper, url string, in io.Reader, out io.Writer, report func(error)) *Bridge {
	client := &http.Client{Transport: transport, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if r.Method != via[0].Method || len(via) > 5 {
			return http.ErrUseLastResponse // a message that becomes a GET is lost
		}
		return nil
	}}
	return &Bridge{client: client, url: url, in: in, out: out, report: report, spoke: make(chan struct{}, 1)}
}

// maxMessage is the longest message, in bytes: results may hold whole files.
const maxMessage = 64 << 20

// maxPending is how many requests may wait for their answers at a time.
const maxPending = 100

// A message is what a Bridge reads of one (JSON-RPC 2.0).
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Result struct {
		ProtocolVersion string `json:"protocolVersion"`
	} `json:"result"`
}

// wantsAnswer reports whether the message is a request.
func (m message) wantsAnswer() bool { return m.Method != "" && len(m.ID) > 0 }

// answers reports whether the message is the response to a request.
func (m message) answers(request message) bool {
	return m.Method == "" && len(m.ID) > 0 && bytes.Equal(m.ID, request.ID)
}

// Run passes messages on until the program has no more and its last request is
// answered, or until ctx ends.
func (b *Bridge) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var requests, listener sync.WaitGroup
	defer listener.Wait()
	defer cancel()
	slots := make(chan struct{}, maxPending)
	listening := false

	err := b.lines(ctx, func(line []byte) {
		var m message
		if line[0] != '{' || json.Unmarshal(line, &m) != nil {
			b.answer(failure(json.RawMessage("null"), -32700, "this is not a message of JSON-RPC"))
			return
		}
		if m.Method == "initialize" {
			b.greet(line)
		}
		select {
		case b.spoke <- struct{}{}:
		default:
		}
		if !m.wantsAnswer() { // in their order, which can matter
			if err := b.tell(ctx, line, m); err != nil {
				b.report(err)
			} else if m.Method == "notifications/initialized" && !listening {
				listening = true
				listener.Go(func() { b.listen(ctx) })
			}
			return
		}
		slots <- struct{}{}
		requests.Go(func() {
			defer func() { <-slots }()
			if err := b.exchange(ctx, line, m); err != nil {
				b.answer(failure(m.ID, -32000, words(err)))
			}
		})
	})
	requests.Wait()
	b.leave(ctx)
	return err
}

// lines calls f with each message of the program, until there are no more or ctx
// ends.
func (b *Bridge) lines(ctx context.Context, f func(line []byte)) error {
	type read struct {
		line []byte
		err  error
	}
	reads := make(chan read)
	go func() { // ends with the input, or with this process
		in := bufio.NewScanner(b.in)
		in.Buffer(nil, maxMessage)
		for in.Scan() {
			if line := bytes.TrimSpace(in.Bytes()); len(line) > 0 {
				select {
				case reads <- read{line: bytes.Clone(line)}:
				case <-ctx.Done():
					return
				}
			}
		}
		err := in.Err()
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("a message is longer than %d MB", maxMessage>>20)
		}
		select {
		case reads <- read{err: err}:
		case <-ctx.Done():
		}
	}()
	for {
		select {
		case r := <-reads:
			if r.line == nil {
				return r.err
			}
			f(r.line)
		case <-ctx.Done():
			return nil
		}
	}
}

// greet notes that a session starts with this message.
func (b *Bridge) greet(hello []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hello, b.session, b.version = hello, "", ""
}

// tellTime is how long a server may take to accept a message that it does not
// answer. The next message waits for that.
const tellTime = 30 * time.Second

// tell sends a message that has no answer.
func (b *Bridge) tell(ctx context.Context, line []byte, m message) error {
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	return b.exchange(ctx, line, m)
}

// exchange sends a message and writes what the server answers.
func (b *Bridge) exchange(ctx context.Context, line []byte, m message) error {
	res, err := b.post(ctx, line)
	if err != nil {
		return err
	}
	if res.StatusCode == http.StatusNotFound && b.hasSession() && m.Method != "initialize" { // the server has forgotten it
		res.Body.Close()
		if err := b.startAgain(ctx); err != nil {
			return err
		}
		if res, err = b.post(ctx, line); err != nil {
			return err
		}
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		return b.refusal(res, m)
	}
	if m.Method == "initialize" {
		b.mu.Lock()
		b.session = res.Header.Get("Mcp-Session-Id")
		b.mu.Unlock()
	}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch {
	case !m.wantsAnswer():
		return nil
	case kind == "text/event-stream":
		return b.follow(ctx, res.Body, m)
	case kind != "application/json":
		return fmt.Errorf("the server answers with %q, which is not the protocol", kind)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxMessage+1))
	if err != nil {
		return err
	}
	answered, err := b.pass(text, m)
	if err == nil && !answered {
		err = errors.New("the server's answer is to another question")
	}
	return err
}

// post sends a message to the server.
func (b *Bridge) post(ctx context.Context, line []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, "POST", b.url, bytes.NewReader(line))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	return b.do(r)
}

// do sends a request with the headers that every one has.
func (b *Bridge) do(r *http.Request) (*http.Response, error) {
	b.mu.Lock()
	if b.session != "" {
		r.Header.Set("Mcp-Session-Id", b.session)
	}
	if b.version != "" {
		r.Header.Set("Mcp-Protocol-Version", b.version)
	}
	b.mu.Unlock()
	return b.client.Do(r)
}

func (b *Bridge) hasSession() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.session != ""
}

// startAgain starts another session with the message that started the first one.
func (b *Bridge) startAgain(ctx context.Context) error {
	b.mu.Lock()
	hello := b.hello
	b.mu.Unlock()
	b.greet(hello)
	res, err := b.post(ctx, hello)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		return b.refusal(res, message{Method: "initialize"})
	}
	b.mu.Lock()
	b.session = res.Header.Get("Mcp-Session-Id")
	b.mu.Unlock()
	if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, maxMessage)); err != nil { // the program has had its answer
		return err
	}
	done, err := b.post(ctx, []byte(`{"jsonrpc":"2.0","method":"notifications/initialized"}`))
	if err != nil {
		return err
	}
	return done.Body.Close()
}

// refusal is the error for a response that is not a success.
func (b *Bridge) refusal(res *http.Response, m message) error {
	text, _ := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	said := strings.TrimSpace(string(text))
	var answer struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(text, &answer) == nil && answer.Error.Message != "" {
		said = answer.Error.Message
	}
	words, hint := auth.Say("server_answers", res.Status), auth.Text{}
	if said = auth.Clip(said, 300); said != "" {
		words = auth.Say("at", words, said)
	}
	if m.Method == "initialize" && (res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusMethodNotAllowed) {
		hint = auth.Say("hint_mcp_address")
	}
	return auth.Fail(auth.KindFailed, words, hint)
}

// pass writes a message of the server, and reports whether it answers m.
func (b *Bridge) pass(text []byte, m message) (bool, error) {
	var line bytes.Buffer
	var got message
	if err := json.Compact(&line, text); err != nil || len(text) > maxMessage {
		return false, errors.New("the server sends something that is not a message of JSON-RPC")
	}
	// What has other types in it is no answer.
	answered := json.Unmarshal(text, &got) == nil && got.answers(m)
	if answered && m.Method == "initialize" {
		b.mu.Lock()
		b.version = got.Result.ProtocolVersion
		b.mu.Unlock()
	}
	return answered, b.write(line.Bytes())
}

// write writes a line for the program.
func (b *Bridge) write(line []byte) error {
	b.writing.Lock()
	defer b.writing.Unlock()
	_, err := b.out.Write(append(line, '\n'))
	return err
}

// answer writes one line. A program that does not read it has gone, and
// Run notices.
func (b *Bridge) answer(line []byte) { _ = b.write(line) }

// listen writes what the server says unasked, if it offers that. A stream that
// broke off is opened again with the program's next message, so that a program
// which only waits uses no tokens.
func (b *Bridge) listen(ctx context.Context) {
	var at place
	for {
		res, err := b.resume(ctx, at)
		if _, refused := errors.AsType[*auth.Error](err); refused {
			return
		}
		if err == nil {
			_, _ = b.drain(res.Body, message{}, &at) // why it broke off makes no difference
		}
		select {
		case <-b.spoke:
		case <-ctx.Done():
			return
		}
	}
}

// A place is where a stream broke off.
type place struct {
	last  string        // the id of the last event; "": the stream cannot be resumed
	pause time.Duration // that the server wants before that; 0: it does not say
	moved bool          // there was an event
}

// maxTries is how often a stream that brings nothing is resumed.
const maxTries = 5

// follow writes the messages of a stream until m is answered. If the stream
// breaks off before, another goes on with it, where the server can do that.
func (b *Bridge) follow(ctx context.Context, stream io.ReadCloser, m message) error {
	var at place
	answered, err := b.drain(stream, m, &at)
	for tries := 0; !answered; tries++ {
		if at.last == "" || tries >= maxTries {
			return errors.Join(errors.New("the server broke off before it answered"), err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(cmp.Or(at.pause, time.Second<<tries)):
		}
		var res *http.Response
		if res, err = b.resume(ctx, at); err != nil {
			continue
		}
		if answered, err = b.drain(res.Body, m, &at); at.moved {
			tries = 0
		}
	}
	return nil
}

// drain writes the messages of a stream until m is answered or the stream ends.
func (b *Bridge) drain(stream io.ReadCloser, m message, at *place) (answered bool, err error) {
	defer stream.Close()
	at.moved = false
	err = readEvents(stream, func(e event) (bool, error) {
		at.moved, at.last, at.pause = true, cmp.Or(e.id, at.last), cmp.Or(e.retry, at.pause)
		if len(e.data) == 0 || e.kind != "" && e.kind != "message" {
			return false, nil
		}
		var err error
		answered, err = b.pass(e.data, m)
		return answered, err
	})
	return answered, err
}

// resume opens a stream of the server at a place.
func (b *Bridge) resume(ctx context.Context, at place) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, "GET", b.url, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "text/event-stream")
	if at.last != "" {
		r.Header.Set("Last-Event-Id", at.last)
	}
	res, err := b.do(r)
	if err == nil && res.StatusCode != http.StatusOK {
		err = b.refusal(res, message{})
		res.Body.Close()
	}
	return res, err
}

// leave tells the server that the session ends, if it has one.
func (b *Bridge) leave(ctx context.Context) {
	if !b.hasSession() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "DELETE", b.url, nil)
	if err != nil {
		return
	}
	if res, err := b.do(r); err == nil {
		res.Body.Close()
	}
}

// failure is the response that says what went wrong.
func failure(id json.RawMessage, code int, text string) []byte {
	type problem struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
	line, _ := json.Marshal(struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Error   problem         `json:"error"`
	}{"2.0", id, problem{code, text}})
	return line
}

// words is what a person reads of an error, on one line.
func words(err error) string {
	if e, ok := errors.AsType[*auth.Error](err); ok {
		if e.Hint != "" {
			return "curfew: " + e.Message + " (" + e.Hint + ")"
		}
		return "curfew: " + e.Message
	}
	return "curfew: the server cannot be reached: " + err.Error()
}
