package oauth

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"curfew/auth"
)

// rawServer accepts connections and hands each to serve with the whole request
// read; it counts the requests in which it saw the refresh token.
func rawServer(t *testing.T, serve func(net.Conn)) (address string, seen *atomic.Int32) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	seen = new(atomic.Int32)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buffer := make([]byte, 64<<10)
				var request []byte
				for !strings.Contains(string(request), "rt-secret") {
					n, err := conn.Read(buffer)
					if err != nil {
						return
					}
					request = append(request, buffer[:n]...)
				}
				seen.Add(1)
				serve(conn)
			}()
		}
	}()
	return "http://" + ln.Addr().String(), seen
}

// plainClient is a client of a server without discovery.
func plainClient(t *testing.T, token string, transport http.RoundTripper) *Client {
	t.Helper()
	c, err := New(Config{AuthorizationEndpoint: token, TokenEndpoint: token, ClientID: "curfew", Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestBrokenAnswers: bytes were written, no usable answer came. The token may
// be spent, and whatever net/http and x/oauth2 think, it is sent once.
func TestBrokenAnswers(t *testing.T) {
	reset := func(c net.Conn) { c.(*net.TCPConn).SetLinger(0) }
	tests := []struct {
		name  string
		serve func(net.Conn)
	}{
		{"closed", func(c net.Conn) {}},
		{"reset", reset},
		{"half a status line", func(c net.Conn) { io.WriteString(c, "HTTP/1.1 20") }},
		{"half a header", func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Ty"); reset(c) }},
		{"half a body", func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"access_token\":")
		}},
		{"half a chunk", func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{")
		}},
		{"not HTTP", func(c net.Conn) { io.WriteString(c, "SSH-2.0-secret-banner\r\n") }},
		{"endless header", func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for range 100 {
				io.WriteString(c, "X: "+strings.Repeat("y", 1000)+"\r\n")
			}
		}},
		{"503 and closed", func(c net.Conn) { io.WriteString(c, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n") }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			address, seen := rawServer(t, test.serve)
			_, err := plainClient(t, address, nil).Refresh(t.Context(), auth.NewSecret("rt-secret"), Origin{})
			if classOf(err) != Unknown {
				t.Errorf("%v: class %v", err, classOf(err))
			}
			if n := seen.Load(); n != 1 {
				t.Errorf("the refresh token was sent %d times", n)
			}
			if text := err.Error(); strings.Contains(text, "secret") || strings.Contains(text, "yyy") {
				t.Errorf("text %q", text)
			}
		})
	}
}

// TestWholeAnswerCut: an answer counts as soon as its JSON is whole, for the old
// refresh token may be spent.
func TestWholeAnswerCut(t *testing.T) {
	const body = `{"access_token":"at-new","refresh_token":"rt-new","expires_in":900}`
	for name, answer := range map[string]string{
		"a length that is too long": "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n" + body,
		"no last chunk":             "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n", len(body), body),
		"HTTP/1.0 without a length": "HTTP/1.0 200 OK\r\n\r\n" + body,
	} {
		address, _ := rawServer(t, func(c net.Conn) { io.WriteString(c, answer) })
		g, err := plainClient(t, address, nil).Refresh(t.Context(), auth.NewSecret("rt-secret"), Origin{})
		if err != nil || g.RefreshToken.Reveal() != "rt-new" || g.AccessToken.IsZero() {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestKeptConnection: with a transport that keeps connections, one that the
// server has closed meanwhile must not make it send a second time.
func TestKeptConnection(t *testing.T) {
	var posts atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if posts.Add(1) == 1 {
			respond(200, appJSON, `{"access_token":"a","token_type":"Bearer"}`)(w, r)
			return
		}
		conn, _, _ := http.NewResponseController(w).Hijack()
		conn.Close()
	}))
	defer s.Close()
	c := plainClient(t, s.URL, &http.Transport{})
	if _, err := c.Refresh(t.Context(), auth.NewSecret("rt"), Origin{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Refresh(t.Context(), auth.NewSecret("rt"), Origin{}); classOf(err) != Unknown {
		t.Errorf("error %v", err)
	}
	if n := posts.Load(); n != 2 {
		t.Errorf("%d requests for 2 refreshes", n)
	}
}

func notSent(t *testing.T) {
	const closed = "127.0.0.1:1" // one that was open a moment ago may be another program's
	notTLS, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer notTLS.Close()
	go func() {
		for {
			conn, err := notTLS.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
			conn.Close()
		}
	}()
	good := certificate(t, "127.0.0.1", time.Now().Add(time.Hour))
	old := certificate(t, "127.0.0.1", time.Now().Add(-time.Hour))
	other := certificate(t, "other.test", time.Now().Add(time.Hour))
	trusting := func(certs ...tls.Certificate) http.RoundTripper {
		pool := x509.NewCertPool()
		for _, c := range certs {
			pool.AddCert(c.Leaf)
		}
		return &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	}
	tests := []struct {
		name      string
		address   string
		transport http.RoundTripper
		want      string
	}{
		{"refused", "http://" + closed, nil, "could not be reached: connect: connection refused"},
		{"no such name", "https://does-not-exist.invalid", nil, "resolved"},
		{"unknown authority", tlsServer(t, good, tls.VersionTLS13), nil, "intercepting TLS"},
		{"another name", tlsServer(t, other, tls.VersionTLS13), trusting(other), "another name"},
		{"expired", tlsServer(t, old, tls.VersionTLS13), trusting(old), "clock"},
		{"TLS 1.0", tlsServer(t, good, tls.VersionTLS10), nil, "refused the TLS handshake: tls: protocol version"},
		{"no TLS", "https://" + notTLS.Addr().String(), nil, "captive portal"},
		{"transport fails", "https://id.example.test", roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("secret") }), "could not be reached"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := plainClient(t, test.address, test.transport).Refresh(t.Context(), auth.NewSecret("rt-secret"), Origin{})
			if classOf(err) != NotSent || !strings.Contains(err.Error(), test.want) {
				t.Errorf("class %v, %v", classOf(err), err)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("text %q", err)
			}
		})
	}
	t.Run("trusted after all", func(t *testing.T) { // the server above works when it is trusted
		_, err := plainClient(t, tlsServer(t, good, tls.VersionTLS13), trusting(good)).Refresh(t.Context(), auth.NewSecret("rt"), Origin{})
		if err != nil {
			t.Error(err)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// certificate makes a self-signed certificate for a host.
func certificate(t *testing.T, host string, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: until.Add(-24 * time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// tlsServer is a token endpoint that speaks TLS up to a version.
func tlsServer(t *testing.T, cert tls.Certificate, version uint16) string {
	t.Helper()
	s := httptest.NewUnstartedServer(respond(200, appJSON, `{"access_token":"a","token_type":"Bearer"}`))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10, MaxVersion: version}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

// redirectLeaksNothing: the refresh token never reaches a second host.
func redirectLeaksNothing(t *testing.T) {
	var leaked atomic.Int32
	second := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leaked.Add(1)
		respond(200, appJSON, `{"access_token":"evil","token_type":"Bearer"}`)(w, r)
	}))
	defer second.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, to := range []string{second.URL, "/again"} {
			first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/again" {
					leaked.Add(1)
				}
				http.Redirect(w, r, to, status)
			}))
			c := plainClient(t, first.URL, nil)
			if _, err := c.Refresh(t.Context(), auth.NewSecret("rt-secret"), Origin{}); classOf(err) != Protocol {
				t.Errorf("%d to %s: %v", status, to, err)
			}
			first.Close()
		}
	}
	if leaked.Load() != 0 {
		t.Errorf("%d requests followed a redirect", leaked.Load())
	}
}

// TestNoDoubleSend: a refresh that fails is sent once.
func TestNoDoubleSend(t *testing.T) {
	var posts atomic.Int32
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		posts.Add(1)
		w.WriteHeader(500)
	})
	c := plainClient(t, fakeIssuer, transportTo{h})
	if _, err := c.Refresh(t.Context(), auth.NewSecret("rt"), Origin{}); classOf(err) != Unknown || posts.Load() != 1 {
		t.Errorf("%d requests, %v", posts.Load(), err)
	}
}

// timeLimit: a server that drips or never answers is given up after a
// minute.
func timeLimit(t *testing.T) {
	silent := func(r *http.Request) (*http.Response, error) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	unreachable := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	dripping := func(r *http.Request) (*http.Response, error) {
		io.Copy(io.Discard, r.Body)
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {appJSON}}, Body: &drip{r.Context()}}, nil
	}
	for _, test := range []struct {
		name      string
		transport roundTrip
		class     Class
	}{
		{"silent", silent, Unknown}, {"unreachable", unreachable, NotSent}, {"dripping", dripping, Unknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				_, err := plainClient(t, fakeIssuer, test.transport).Refresh(t.Context(), auth.NewSecret("rt"), Origin{})
				if classOf(err) != test.class || !strings.Contains(err.Error(), "in time") {
					t.Errorf("class %v, %v", classOf(err), err)
				}
				if took := time.Since(start); took != postLimit {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// drip is a body of one byte a second.
type drip struct{ ctx context.Context }

func (d *drip) Read(p []byte) (int, error) {
	select {
	case <-time.After(time.Second):
		p[0] = ' '
		return 1, nil
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	}
}

func (d *drip) Close() error { return nil }

// hugeAnswers: neither an endless body nor a gzip bomb is read to its end.
func hugeAnswers(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	z.Write([]byte(`{"access_token":"a","token_type":"Bearer","pad":"`))
	z.Write(bytes.Repeat([]byte(" "), 50<<20))
	z.Write([]byte(`"}`))
	z.Close()
	var written atomic.Int64
	chunk := bytes.Repeat([]byte(" "), 1<<20)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/bomb" {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(bomb.Bytes())
			return
		}
		for range 1 << 10 { // a gigabyte, if nobody stops it
			n, err := w.Write(chunk)
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	}))
	defer s.Close()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for _, transport := range []http.RoundTripper{nil, &http.Transport{}} { // the latter unpacks gzip automatically
		for _, path := range []string{"/endless", "/bomb"} {
			_, err := plainClient(t, s.URL+path, transport).Refresh(t.Context(), auth.NewSecret("rt"), Origin{})
			if classOf(err) != Unknown {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
	runtime.ReadMemStats(&after) // without a collection in between
	if grown := int64(after.TotalAlloc) - int64(before.TotalAlloc); grown > 8<<20 {
		t.Errorf("the four answers cost %d KB", grown>>10)
	}
	if got := written.Load(); got > 64<<20 {
		t.Errorf("the server could send %d MB", got>>20)
	}
}

// TestPlainHTTP: a secret goes to https, or to a literal loopback address.
func TestPlainHTTP(t *testing.T) {
	for address, ok := range map[string]bool{
		"https://id.example.test": true, "http://127.0.0.1:8080": true, "http://[::1]:8080": true, "http://127.8.9.1": true,
		"http://id.example.test": false, "http://localhost": false, "http://127.0.0.1.evil.test": false, "http://127.1": false,
		"http://0.0.0.0": false, "ftp://127.0.0.1": false, "file:///etc/passwd": false, "javascript:alert(1)": false, "--flag": false,
		"https://user:pw@id.example.test": false, "https://id.example.test/#x": false, "https://id.example.test#": false,
		"https://": false, "https:///x": false, "https:id.example.test": false, "https://a\r\nb": false, "": false, "//x": false,
	} {
		if _, err := parseURL(address); (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
	}
	// Also when a configuration has got past New.
	c := plainClient(t, fakeIssuer, roundTrip(func(*http.Request) (*http.Response, error) { t.Error("sent"); return nil, io.EOF }))
	req, _ := http.NewRequest("POST", "http://id.example.test/token", strings.NewReader("secret"))
	if _, err := c.send(t.Context(), "refresh", req, tokenLimit); err == nil || err.Class != NotSent {
		t.Errorf("error %v", err)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "soon": 0, "-5": 0, "1.5": 0, "0": time.Second, "1": time.Second, "120": 2 * time.Minute, " 7 ": 7 * time.Second,
		"900": 15 * time.Minute, "901": 15 * time.Minute, "99999999999999999999999": 15 * time.Minute,
		now.Add(time.Minute).Format(http.TimeFormat):    time.Minute,
		now.Add(-time.Hour).Format(http.TimeFormat):     time.Second,
		now.Add(24 * time.Hour).Format(http.TimeFormat): 15 * time.Minute,
	} {
		if got := parseRetryAfter(value, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
	_, _, err := refreshWith(t, respond(429, "", "", "Retry-After", "42"), nil)
	if e, _ := errors.AsType[*Error](err); e == nil || e.RetryAfter != 42*time.Second || e.Status != 429 {
		t.Errorf("error %#v", err)
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"Refresh token has expired. Please login again.": "Refresh token has expired. Please login again.",
		"a\r\nb\tc": "a b c", "\x1b[31mred\x1b[0m": "[31mred [0m", "x\u202egnp.exe": "x gnp.exe", "a\u200bb\u2028c\ufeff": "a b c",
		"\xff\xfe": "", "": "", "  ": "", "grüße 世界": "grüße 世界", "\u2066x\u2069": "x", "nul\x00": "nul",
	} {
		if got := clean(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	for _, long := range []string{strings.Repeat("x", 5000), strings.Repeat("世", 5000), strings.Repeat("é\x00", 300)} {
		if got := clean(long); utf8.RuneCountInString(got) > maxWords || !strings.HasSuffix(got, "…") {
			t.Errorf("%d characters: %q", utf8.RuneCountInString(got), got)
		}
	}
}

func TestErrorTexts(t *testing.T) {
	for _, test := range []struct {
		err  *Error
		want string
	}{
		{&Error{Op: "refresh", Server: "id.example.test", Class: Dead, Code: "invalid_grant", Description: "Refresh token has expired. Please login again."},
			"refresh: id.example.test answered invalid_grant (Refresh token has expired. Please login again.)"},
		{&Error{Op: "refresh", Class: Throttled, Status: 503}, "refresh: the server answered 503 Service Unavailable"},
		{&Error{Op: "sign-in", Class: Cancelled, Err: errors.New("it was cancelled")}, "sign-in: it was cancelled"},
		{&Error{Op: "refresh", Class: Unknown}, "refresh: outcome unknown"},
	} {
		if got := test.err.Error(); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
	for class := NotSent; class <= Cancelled; class++ {
		if strings.HasPrefix(class.String(), "class") {
			t.Errorf("class %d has no name", class)
		}
	}
	if got := Class(99).String(); got != "class 99" {
		t.Errorf("%q", got)
	}
	wrapped := fmt.Errorf("x: %w", failure("refresh", "h", &url.Error{Op: "Post", URL: "u", Err: context.DeadlineExceeded}, true))
	if !errors.Is(wrapped, context.DeadlineExceeded) {
		t.Error("the cause is lost")
	}
}
