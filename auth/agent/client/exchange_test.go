//go:build unix

package client

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"curfew/auth"
)

// What a server may answer, and what is left to read of it.
func TestReadResponse(t *testing.T) {
	long := "X: " + strings.Repeat("x", 8<<10) + "\r\n"
	for _, test := range []struct {
		name, sent string
		code       int
		body, err  string
	}{
		{"until the end", "HTTP/1.0 200 OK\r\nA: b\r\n\r\n{}\n{}", 200, "{}\n{}", ""},
		{"as long as it says", "HTTP/1.1 404 Not Found\r\nCONTENT-LENGTH: 2\r\n\r\n{}and more", 404, "{}", ""},
		{"longer than its head may be", "HTTP/1.0 200 OK\r\n\r\n" + strings.Repeat("x", 2*maxHeader), 200, strings.Repeat("x", 2*maxHeader), ""},
		{"a length that is none", "HTTP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n{}", 200, "{}", ""},
		{"no reason", "HTTP/1.0 204\r\n\r\n", 204, "", ""},
		{"nothing", "", 0, "", "EOF"},
		{"a head cut off", "HTTP/1.0 200 OK\r\nA: b\r\n", 0, "", "cut off"},
		{"a long head", "HTTP/1.0 200 OK\r\n" + strings.Repeat(long, 9) + "\r\n{}", 0, "", "longer than 64 KB"},
		{"a long status", strings.Repeat("x", 2*maxHeader), 0, "", "EOF"},
		{"another protocol", "SSH-2.0-OpenSSH_9.9\r\n", 0, "", "not HTTP"},
		{"no number", "HTTP/1.0 OK\r\n\r\n", 0, "", "not HTTP"},
	} {
		t.Run(test.name, func(t *testing.T) {
			ours, theirs := net.Pipe()
			defer ours.Close()
			go func() {
				io.WriteString(theirs, test.sent)
				theirs.Close()
			}()
			var res response
			err := res.read(ours)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.body)
			if err != nil || res.code != test.code || !strings.HasPrefix(res.status, strconv.Itoa(test.code)) || string(body) != test.body {
				t.Errorf("%d %q, %d bytes of a body: %v", res.code, res.status, len(body), err)
			}
		})
	}
}

// Half of a token is none, and neither is the JSON of an agent that knows no lines.
func TestLines(t *testing.T) {
	socket := t.TempDir() + "/s"
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for answer, want := range map[string]string{
		"Content-Type: text/plain\r\n\r\ntoken\n":                               "token\n",
		"Content-Type: text/plain\r\n\r\ntok":                                   "",
		"Content-Type: text/plain\r\nContent-Length: 20\r\n\r\ntok":             "",
		"Content-Type: text/plain\r\nContent-Length: 20\r\n\r\ntoken\n":         "", // and a proof
		"Content-Type: text/plain\r\n\r\n":                                      "",
		"Content-Type: application/json\r\n\r\n{\"access_token\": \"token\"}\n": "",
	} {
		go func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			conn.Read(make([]byte, 1<<10))
			io.WriteString(conn, "HTTP/1.0 200 OK\r\n"+answer)
		}()
		got, err := NewClient(socket).TokenLines(t.Context(), "work", auth.TokenRequest{MinValid: auth.AnyValidity})
		if got.Reveal() != want || (err == nil) != (want != "") {
			t.Errorf("%q gives %q, %v", answer, got.Reveal(), err)
		}
	}
}

// A program that cannot be told to stop gets the same answers, and waits no longer
// than the limit.
func TestBlocking(t *testing.T) {
	socket := t.TempDir() + "/s"
	c := NewClient(socket)
	ask := func(limit time.Duration) error {
		return c.do(context.Background(), limit, "GET", "/v1/version", "", nil, &Version{})
	}
	if e := ask(time.Minute).(*auth.Error); e.MessageID != "agent_not_running" {
		t.Errorf("without an agent: %+v", e)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for answer, want := range map[string]string{
		"HTTP/1.0 200 OK\r\n\r\n{}":                             "",
		"HTTP/1.0 404 Not Found\r\n\r\n{\"error\": \"failed\"}": "failed",
		"":                              "agent_silent",
		"HTTP/1.0 200 OK\r\n":           "agent_silent",
		"HTTP/1.0 200 OK\r\n\r\n{\"ver": "agent_silent",
	} {
		held := make(chan net.Conn, 1)
		go func() {
			var conn net.Conn
			for n := 0; n == 0; { // one who only looked who listens asks nothing
				var err error
				if conn, err = l.Accept(); err != nil {
					return
				}
				n, _ = conn.Read(make([]byte, 1<<10))
			}
			io.WriteString(conn, answer)
			held <- conn // the rest never comes
		}()
		limit := 20 * time.Millisecond
		if want != "agent_silent" {
			limit = time.Minute
		}
		got := ""
		if err := ask(limit); err != nil {
			got = cmp.Or(err.(*auth.Error).MessageID, string(err.(*auth.Error).Kind))
		}
		if got != want {
			t.Errorf("%q gives %q, want %q", answer, got, want)
		}
		(<-held).Close()
	}
}

// A request that is given up ends the connection, whatever it waits for.
func TestExchangeGivenUp(t *testing.T) {
	socket := t.TempDir() + "/s"
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error, 1)
	go func() { _, err := NewClient(socket).Accounts(ctx); got <- err }()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "HTTP/1.0 200 OK\r\n\r\n[")
	cancel()
	if err := <-got; err == nil || !strings.Contains(err.Error(), "stopped while waiting") {
		t.Errorf("got %v", err)
	}
	conn.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) { // the request, then the end
		t.Error("the connection stays")
	}
}

// An agent that takes a question and answers nothing at all, as one that was stopped,
// is noticed long before the longest answer. One that is only slow is not.
func TestStopped(t *testing.T) {
	defer func(q, l, a time.Duration) { quick, long, aliveTime = q, l, a }(quick, long, aliveTime)
	quick, long, aliveTime = 20*time.Millisecond, 20*time.Second, 20*time.Millisecond
	for _, stopped := range []bool{true, false} {
		for name, ctx := range map[string]context.Context{"the kernel keeps the time": context.Background(), "a context does": t.Context()} {
			socket := t.TempDir() + "/s"
			l, err := net.Listen("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			if !stopped {
				aliveTime = time.Minute
				go func() {
					slow := make(chan net.Conn, 1)
					for {
						c, err := l.Accept()
						if err != nil {
							return
						}
						request := make([]byte, 1<<10)
						n, _ := c.Read(request)
						if strings.HasPrefix(string(request[:n]), "POST") {
							slow <- c
							continue
						}
						io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\n{}")
						c.Close()
						c = <-slow // it has waited long enough to be suspected
						io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\n{}")
						c.Close()
					}
				}()
			}
			began := time.Now()
			_, err = NewClient(socket).Token(ctx, "work", auth.AnyValidity, "")
			e, _ := errors.AsType[*auth.Error](err)
			if stopped && (e == nil || e.MessageID != "agent_silent" || time.Since(began) >= long) || !stopped && err != nil {
				t.Errorf("%s, stopped %v: %v", name, stopped, err)
			}
			l.Close()
		}
	}
}
