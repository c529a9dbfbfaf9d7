package mcp

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"curfew/auth"
)

// A program is the one end of a Bridge, and server the other.
type program struct {
	t       *testing.T
	in      io.WriteCloser
	out     *bufio.Scanner
	reports chan error
	ended   chan error
}

// start runs a Bridge to a server.
func start(t *testing.T, transport http.RoundTripper, server http.HandlerFunc) *program {
	s := httptest.NewServer(server)
	t.Cleanup(s.Close)
	toBridge, in := io.Pipe()
	out, fromBridge := io.Pipe()
	p := &program{t: t, in: in, out: bufio.NewScanner(out), reports: make(chan error, 10), ended: make(chan error, 1)}
	b := New(transport, s.URL+"/mcp", toBridge, fromBridge, func(err error) { p.reports <- err })
	go func() { // ends with the test
		p.ended <- b.Run(t.Context())
		fromBridge.Close()
	}()
	return p
}

func (p *program) say(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

// hears checks the next line.
func (p *program) hears(want string) {
	p.t.Helper()
	if !p.out.Scan() || p.out.Text() != want {
		p.t.Fatalf("the program hears\n%s, want\n%s", p.out.Text(), want)
	}
}

// leaves ends the program's side, and checks that nothing more comes.
func (p *program) leaves() {
	p.t.Helper()
	p.in.Close()
	if p.out.Scan() {
		p.t.Errorf("the program hears %s", p.out.Text())
	}
	if err := <-p.ended; err != nil {
		p.t.Error(err)
	}
}

const (
	hello   = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}`
	welcome = `{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25"}}`
	ready   = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
	list    = `{"jsonrpc":"2.0","id":"a","method":"tools/list"}`
	tools   = `{"jsonrpc":"2.0","id":"a","result":{"tools":[]}}`
)

// read returns the method of a message that a server got.
func read(r *http.Request) (body, method string) {
	text, _ := io.ReadAll(r.Body)
	var m message
	json.Unmarshal(text, &m)
	return string(text), m.Method
}

// answer answers with JSON.
func answer(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	io.WriteString(w, text)
}

// TestSession goes through a session. It holds what each request says and what
// comes back: as JSON and as events, asked and unasked.
func TestSession(t *testing.T) {
	seen := make(chan string, 10)
	listening := make(chan bool)
	p := start(t, http.DefaultTransport, func(w http.ResponseWriter, r *http.Request) {
		body, method := read(r)
		seen <- fmt.Sprint(r.Method, " ", method, " ", r.Header.Get("Accept"), " ", r.Header.Get("Mcp-Session-Id"), " ", r.Header.Get("Mcp-Protocol-Version"))
		switch {
		case method == "initialize":
			w.Header().Set("Mcp-Session-Id", "s1")
			answer(w, "{\n"+strings.TrimPrefix(welcome, "{"))
		case r.Method == "GET":
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, ": hello\n\nevent: ping\ndata: {}\n\ndata: {\"jsonrpc\":\"2.0\",\ndata: \"method\":\"notifications/x\"}\r\n\r\n")
			http.NewResponseController(w).Flush()
			close(listening)
			<-r.Context().Done()
		case r.Method == "DELETE":
		case method == "tools/list":
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\nevent: message\ndata: "+tools+"\n\n")
		default:
			if body != ready && !strings.Contains(body, `"result"`) {
				t.Error(body)
			}
			w.WriteHeader(http.StatusAccepted)
		}
	})
	expect := func(want string) {
		t.Helper()
		if got := <-seen; got != want {
			t.Errorf("the server sees\n%s, want\n%s", got, want)
		}
	}
	p.say(hello)
	p.hears(welcome)
	expect("POST initialize application/json, text/event-stream  ")
	p.say(ready)
	expect("POST notifications/initialized application/json, text/event-stream s1 2025-11-25")
	expect("GET  text/event-stream s1 2025-11-25")
	<-listening
	p.hears(`{"jsonrpc":"2.0","method":"notifications/x"}`)
	p.say(list)
	expect("POST tools/list application/json, text/event-stream s1 2025-11-25")
	p.hears(`{"jsonrpc":"2.0","method":"notifications/progress"}`)
	p.hears(tools)
	p.say(`{"jsonrpc":"2.0","id":7,"result":{}}`)
	expect("POST  application/json, text/event-stream s1 2025-11-25")
	p.leaves()
	expect("DELETE   s1 2025-11-25")
}

// TestFailures: what goes wrong becomes the answer to the request.
func TestFailures(t *testing.T) {
	for _, test := range []struct{ name, want string }{
		{"status", `the server answers 500 Internal Server Error: out of order`},
		{"words", `the server answers 400 Bad Request: no such tool`},
		{"kind", `the server answers with \"text/html\", which is not the protocol`},
		{"garbage", `the server sends something that is not a message of JSON-RPC`},
		{"other", `the server's answer is to another question`},
		{"broken", `the server broke off before it answered`},
		{"moved", `the server answers 302 Found`},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := start(t, http.DefaultTransport, func(w http.ResponseWriter, r *http.Request) {
				switch test.name {
				case "status":
					http.Error(w, "out of order", http.StatusInternalServerError)
				case "words":
					w.WriteHeader(http.StatusBadRequest)
					io.WriteString(w, `{"jsonrpc":"2.0","error":{"code":-32000,"message":"no such tool"},"id":null}`)
				case "kind":
					w.Header().Set("Content-Type", "text/html")
				case "garbage":
					answer(w, "<html>")
				case "other":
					answer(w, `[]`)
				case "broken":
					w.Header().Set("Content-Type", "text/event-stream")
					io.WriteString(w, "data: "+tools+"\n") // the event is not ended
				case "moved":
					http.Redirect(w, r, "/elsewhere", http.StatusFound)
				}
			})
			p.say(list)
			if test.name == "other" {
				p.hears(`[]`)
			}
			if !p.out.Scan() || !strings.Contains(p.out.Text(), test.want) || !strings.HasPrefix(p.out.Text(), `{"jsonrpc":"2.0","id":"a","error":{"code":-32000,"message":"curfew: `) {
				t.Errorf("the program hears %s, want %s", p.out.Text(), test.want)
			}
			p.leaves()
		})
	}
}

// noToken is the transport of an account that is not signed in.
type noToken struct{}

func (noToken) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, &auth.Error{Kind: auth.KindSignInNeeded, Message: "work is not signed in", Hint: "run `curfew login work`"}
}

// TestNoToken: the program learns why, and so does the person.
func TestNoToken(t *testing.T) {
	p := start(t, noToken{}, nil)
	p.say(hello)
	p.hears("{\"jsonrpc\":\"2.0\",\"id\":0,\"error\":{\"code\":-32000,\"message\":\"curfew: work is not signed in (run `curfew login work`)\"}}")
	p.say(ready)
	if e, ok := errors.AsType[*auth.Error](<-p.reports); !ok || e.Kind != auth.KindSignInNeeded {
		t.Error(e)
	}
	p.say(`nonsense`)
	p.hears(`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"this is not a message of JSON-RPC"}}`)
	p.leaves()
}

// TestForgotten: a server that has forgotten the session gets another one, and
// the request is answered all the same.
func TestForgotten(t *testing.T) {
	sessions := 0
	p := start(t, http.DefaultTransport, func(w http.ResponseWriter, r *http.Request) {
		_, method := read(r)
		switch {
		case method == "initialize":
			sessions++
			w.Header().Set("Mcp-Session-Id", fmt.Sprint("s", sessions))
			answer(w, welcome)
		case r.Header.Get("Mcp-Session-Id") == "s1" && r.Method == "POST":
			http.Error(w, "session not found", http.StatusNotFound)
		case method == "tools/list":
			answer(w, tools)
		}
	})
	p.say(hello)
	p.hears(welcome)
	p.say(list)
	p.hears(tools)
	p.leaves()
	if sessions != 2 {
		t.Errorf("%d sessions", sessions)
	}
}

// TestResume: a stream that breaks off goes on where it was.
func TestResume(t *testing.T) {
	p := start(t, http.DefaultTransport, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		switch last := r.Header.Get("Last-Event-Id"); last {
		case "":
			io.WriteString(w, "id: 1\nretry: 1\ndata:\n\n")
		case "1":
			io.WriteString(w, "id: 2\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n")
		case "2":
			io.WriteString(w, "data: "+tools+"\n\n")
		}
	})
	p.say(list)
	p.hears(`{"jsonrpc":"2.0","method":"notifications/progress"}`)
	p.hears(tools)
	p.leaves()
}

// TestIdle: a program that waits sends nothing, even if the stream that it listens
// to breaks off. Otherwise it would use tokens.
func TestIdle(t *testing.T) {
	streams := make(chan string, 10)
	p := start(t, http.DefaultTransport, func(w http.ResponseWriter, r *http.Request) {
		_, method := read(r)
		switch {
		case r.Method == "GET":
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, "id: 1\nretry: 1\ndata:\n\n")
			streams <- r.Header.Get("Last-Event-Id")
		case method == "tools/list":
			answer(w, tools)
		default:
			w.WriteHeader(http.StatusAccepted)
		}
	})
	p.say(ready)
	if last := <-streams; last != "" {
		t.Error(last)
	}
	for range 2 { // the first may be noticed while the stream is open
		p.say(list)
		p.hears(tools)
	}
	if last := <-streams; last != "1" {
		t.Error(last)
	}
	p.leaves()
}

// TestParallel: a slow request does not keep others waiting, and the end waits
// for it.
func TestParallel(t *testing.T) {
	slow := make(chan bool)
	p := start(t, http.DefaultTransport, func(w http.ResponseWriter, r *http.Request) {
		body, _ := read(r)
		if strings.Contains(body, `"slow"`) {
			<-slow
			answer(w, `{"jsonrpc":"2.0","id":"slow","result":{}}`)
			return
		}
		answer(w, tools)
	})
	p.say(`{"jsonrpc":"2.0","id":"slow","method":"x"}`)
	p.say(list)
	p.hears(tools)
	p.in.Close()
	close(slow)
	p.hears(`{"jsonrpc":"2.0","id":"slow","result":{}}`)
	p.leaves()
}

func TestEnd(t *testing.T) {
	in, _ := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := New(http.DefaultTransport, "http://127.0.0.1:1", in, io.Discard, nil).Run(ctx); err != nil {
		t.Error(err)
	}
}

// FuzzEvents: no stream panics, and every event has an id and a kind on one line.
func FuzzEvents(f *testing.F) {
	f.Add("\ufeffid: 1\r\ndata: a\rdata:b\n\nretry: 99999999999999\n\n")
	f.Add("data\n\ndata\ndata\n\n: x\nid\n\n")
	f.Fuzz(func(t *testing.T, stream string) {
		err := readEvents(strings.NewReader(stream), func(e event) (bool, error) {
			if strings.ContainsAny(e.id+e.kind, "\r\n") || e.retry < 0 || e.retry > 5*time.Hour {
				t.Errorf("%+v", e)
			}
			return false, nil
		})
		if err != nil && len(stream) < maxMessage {
			t.Error(err)
		}
	})
}

func TestEvents(t *testing.T) {
	var got []string
	readEvents(strings.NewReader("\ufeffid: 1\r\ndata: a\rdata:b\n\n\nevent:x\ndata\ndata: \n\nretry: 20\n\ndata: lost"), func(e event) (bool, error) {
		got = append(got, fmt.Sprintf("%s|%s|%q|%v", e.id, e.kind, e.data, e.retry))
		return false, nil
	})
	want := `1||"a\nb"|0s ||""|0s |x|"\n"|0s ||""|20ms`
	if strings.Join(got, " ") != want {
		t.Error(got)
	}
}
