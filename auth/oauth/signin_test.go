package oauth

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"curfew/auth"
	"curfew/auth/oauth/door"

	"github.com/golang-jwt/jwt/v5"

	"curfew/assets/pages"
)

func TestSignIn(t *testing.T) {
	s := startServer(t)
	c := s.client(t, nil)
	before := time.Now().Add(-time.Second)
	got, page := signIn(t, c, SignInOptions{})
	if got.err != nil {
		t.Fatal(got.err)
	}
	g := got.grant
	if g.AccessToken.Reveal() != "at-1" || g.RefreshToken.Reveal() != "rt-1" || g.ExpiresIn != 15*time.Minute || g.TokenType != "Bearer" {
		t.Errorf("grant %+v", g)
	}
	if id := g.Identity; id.Subject != "alice" || id.Issuer != s.URL || id.Display != "alice@example.test" || id.AuthTime.Before(before) {
		t.Errorf("identity %+v", id)
	}
	if g.ReceivedAt.Before(before) {
		t.Errorf("received %v", g.ReceivedAt)
	}
	if page != string(pages.SignInDone.Body()) {
		t.Errorf("final page %.300s", page)
	}

	request, post := s.requests[0], s.posts[0]
	if request.Get("code_challenge_method") != "S256" || len(request.Get("code_challenge")) != 43 {
		t.Errorf("no PKCE in %v", request)
	}
	if len(request.Get("state")) < 26 || len(request.Get("nonce")) < 26 || request.Get("state") == request.Get("nonce") {
		t.Errorf("state and nonce of %v", request)
	}
	if !regexp.MustCompile(`^http://127\.0\.0\.1:\d+/callback$`).MatchString(request.Get("redirect_uri")) {
		t.Errorf("redirect_uri %q", request.Get("redirect_uri"))
	}
	if len(post.Get("code_verifier")) < 43 || post.Get("client_id") != "curfew" || post.Has("client_secret") {
		t.Errorf("exchange %v", post)
	}

	// Nothing of one sign-in is used again in the next.
	if got, _ := signIn(t, c, SignInOptions{}); got.err != nil {
		t.Fatal(got.err)
	}
	for _, key := range []string{"state", "nonce", "code_challenge"} {
		if s.requests[0].Get(key) == s.requests[1].Get(key) {
			t.Errorf("%s used twice", key)
		}
	}
}

func TestSignInPrompt(t *testing.T) {
	s := startServer(t)
	tests := []struct {
		name    string
		scopes  []string
		options SignInOptions
		prompt  string
		hint    string
	}{
		{"plain", []string{"openid"}, SignInOptions{}, "", ""},
		{"offline access", []string{"openid", "offline_access"}, SignInOptions{}, "", ""},
		{"forced", []string{"openid"}, SignInOptions{ForceLogin: true, LoginHint: "alice"}, "login", "alice"},
		{"both", []string{"openid", "offline_access"}, SignInOptions{ForceLogin: true}, "login", ""},
		{"not OpenID", []string{"offline_access"}, SignInOptions{}, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			flow, err := s.client(t, func(c *Config) { c.Scopes = test.scopes }).StartSignIn(t.Context(), test.options)
			if err != nil {
				t.Fatal(err)
			}
			defer flow.Close()
			u, _ := url.Parse(flow.URL)
			if q := u.Query(); q.Get("prompt") != test.prompt || q.Get("login_hint") != test.hint || q.Has("prompt") != (test.prompt != "") {
				t.Errorf("asked for %v", q)
			}
		})
	}
}

// answerURL returns the redirect that the server would send, without opening it.
func answerURL(t *testing.T, flow *Flow) *url.URL {
	t.Helper()
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := browser.Get(flow.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	u, err := resp.Location()
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// strays sends the visits of a row, none of which is the answer, and then the
// answer. Each stray is refused with a 4xx and none ends the sign-in.
func strays(t *testing.T, row string) {
	s := startServer(t)
	flow, done := begin(t, s.client(t, nil), SignInOptions{})
	answer := answerURL(t, flow)
	port := answer.Port()
	with := func(change func(url.Values)) string {
		q := answer.Query()
		change(q)
		return "/callback?" + q.Encode()
	}
	good := answer.RequestURI()
	state := answer.Query().Get("state")

	type visit struct {
		name, method, target, host string
		header                     []string
		want                       int
	}
	host := "127.0.0.1:" + port
	visits := []visit{
		{"A1 no state", "GET", with(func(q url.Values) { q.Del("state") }), host, nil, 400},
		{"A1 attacker's code, wrong state", "GET", with(func(q url.Values) { q.Set("state", "wrong"); q.Set("code", "attacker") }), host, nil, 400},
		{"A1 truncated state", "GET", with(func(q url.Values) { q.Set("state", state[:len(state)-1]) }), host, nil, 400},
		{"A1 padded state", "GET", with(func(q url.Values) { q.Set("state", " "+state) }), host, nil, 400},
		{"A1 longer state", "GET", with(func(q url.Values) { q.Set("state", state+"A") }), host, nil, 400},
		{"A1 state twice", "GET", with(func(q url.Values) { q.Add("state", "wrong") }), host, nil, 400},
		{"A1 code twice", "GET", with(func(q url.Values) { q.Add("code", "attacker") }), host, nil, 400},
		{"A5 iss twice", "GET", with(func(q url.Values) { q.Add("iss", "https://evil.test") }), host, nil, 400},
		{"A1 semicolons", "GET", good + ";x=y", host, nil, 400},
		{"A1 bad escape", "GET", "/callback?state=%zz", host, nil, 400},
		{"A2 error without state", "GET", "/callback?error=access_denied", host, nil, 400},
		{"A2 error, wrong state", "GET", "/callback?error=access_denied&state=wrong", host, nil, 400},
		{"A10 favicon", "GET", "/favicon.ico", host, nil, 404},
		{"A8 root", "GET", "/", host, nil, 404},
		{"A8 other path", "GET", "/callback/" + answer.RawQuery, host, nil, 404},
		{"A8 path in another spelling", "GET", "/%63allback?" + answer.RawQuery, host, nil, 404},
		{"A8 double slash", "GET", "//callback?" + answer.RawQuery, host, nil, 404},
		{"A10 HEAD", "HEAD", good, host, nil, 405},
		{"A10 OPTIONS", "OPTIONS", good, host, nil, 405},
		{"A10 POST", "POST", good, host, []string{"Content-Length: 0"}, 405},
		{"A6 fetch from a page", "GET", good, host, []string{"Origin: https://evil.test"}, 403},
		{"A6 null origin", "GET", good, host, []string{"Origin: null"}, 403},
		{"A6 own origin", "GET", good, host, []string{"Origin: http://" + host}, 403},
		{"A10 cors fetch", "GET", good, host, []string{"Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"}, 403},
		{"A10 image", "GET", good, host, []string{"Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"}, 403},
		{"A10 frame", "GET", good, host, []string{"Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"}, 403},
		{"A10 prefetch", "GET", good, host, []string{"Sec-Purpose: prefetch"}, 403},
		{"A6 rebound name", "GET", good, "evil.test:" + port, nil, 403},
		{"A6 localhost", "GET", good, "localhost:" + port, nil, 403},
		{"A6 other loopback", "GET", good, "127.0.0.2:" + port, nil, 403},
		{"A6 v6", "GET", good, "[::1]:" + port, nil, 403},
		{"A6 no port", "GET", good, "127.0.0.1", nil, 403},
		{"A6 other port", "GET", good, "127.0.0.1:1", nil, 403},
		{"A6 trailing dot", "GET", good, "127.0.0.1.:" + port, nil, 403},
		{"A6 user info", "GET", good, "127.0.0.1:" + port + "@evil.test", nil, 400},
		{"A6 empty host", "GET", good, "", nil, 403},
		{"A6 absolute form", "GET", "http://evil.test" + good, host, nil, 403},
		{"A6 absolute form, own name", "GET", "http://" + host + good, host, nil, 403},
		{"A11 huge query", "GET", "/callback?x=" + strings.Repeat("a", 256<<10), host, nil, 431},
		{"A11 many headers", "GET", good, host, slices.Repeat([]string{"X-A: " + strings.Repeat("b", 100)}, 3000), 431},
		{"A11 not HTTP", "\x16\x03\x01", good, host, nil, 400},
	}
	for _, v := range visits {
		if !ofRow(v.name, row) {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			status, header, body := rawVisit(t, port, v.method, v.target, v.host, v.header)
			if status != v.want {
				t.Errorf("status %d, want %d", status, v.want)
			}
			if strings.Contains(body, state) || strings.Contains(body, "attacker") || strings.Contains(body, "/authorize") {
				t.Errorf("the answer gives something away: %q", body)
			}
			if header.Get("Access-Control-Allow-Origin") != "" {
				t.Error("a web page may read the answer")
			}
		})
	}
	for i := range 1000 { // CVE-2026-42073 and its kind
		if row != "A2" {
			break
		}
		target := "/callback?error=server_error"
		if i%2 == 0 {
			target += "&state=guess"
		}
		if status, _, _ := rawVisit(t, port, "GET", target, host, nil); status != 400 {
			t.Fatalf("visit %d: status %d", i, status)
		}
	}

	if _, page := get(t, answer.String(), nil); page != string(pages.SignInDone.Body()) {
		t.Errorf("final page %.200s", page)
	}
	if got := <-done; got.err != nil {
		t.Error(got.err)
	}
	if len(s.posts) != 1 {
		t.Errorf("%d token requests", len(s.posts))
	}
}

// rawVisit sends a request that no well-behaved client could.
func rawVisit(t *testing.T, port, method, target, host string, header []string) (int, http.Header, string) {
	t.Helper()
	conn, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	go func() { // the server may answer before it has read everything
		fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", method, target, host, strings.Join(append(header, ""), "\r\n"))
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, string(body)
}

// answerOnce: the same answer thirty times at once is exchanged once. A
// visitor during the exchange sees its outcome, a later one a closed port.
func answerOnce(t *testing.T) {
	s := startServer(t)
	var written sync.WaitGroup
	written.Add(30)
	s.token = func(http.ResponseWriter, *http.Request) bool { written.Wait(); return false }
	flow, done := begin(t, s.client(t, nil), SignInOptions{})
	answer := answerURL(t, flow)
	shown := make(chan string, 30)
	for range 30 {
		go func() {
			conn, err := net.Dial("tcp", answer.Host)
			if err != nil {
				written.Done()
				shown <- ""
				return
			}
			defer conn.Close()
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", answer.RequestURI(), answer.Host)
			written.Done()
			body, _ := io.ReadAll(conn)
			_, page, _ := strings.Cut(string(body), "\r\n\r\n")
			shown <- page
		}()
	}
	seen := 0
	for range 30 {
		switch page := <-shown; page {
		case string(pages.SignInDone.Body()):
			seen++
		case "":
		default:
			t.Errorf("page %.100s", page)
		}
	}
	if seen == 0 {
		t.Error("nobody saw the outcome")
	}
	if got := <-done; got.err != nil {
		t.Error(got.err)
	}
	if len(s.posts) != 1 {
		t.Errorf("%d token requests, want 1", len(s.posts))
	}
	if _, err := flow.Wait(t.Context(), nil); classOf(err) != Cancelled {
		t.Errorf("second Wait: %v", err)
	}
}

// reload: a browser that asks again during the exchange waits as well, and
// sees the same page.
func reload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rc := newReceiver(redirect{host: "127.0.0.1", path: "/callback"}, "5", auth.NewSecret("right"), slog.New(slog.DiscardHandler))
		var shown [3]*httptest.ResponseRecorder
		for i := range shown {
			shown[i] = httptest.NewRecorder()
			r := httptest.NewRequest("GET", "/callback?state=right&code=x", nil)
			r.Host = "127.0.0.1:5"
			if i == 2 {
				r.Header.Set("Accept-Language", "de-DE,de;q=0.9,en;q=0.8")
			}
			go rc.ServeHTTP(shown[i], r)
		}
		synctest.Wait()
		if n := len(rc.round.Load().answer); n != 1 {
			t.Errorf("%d answers", n)
		}
		rc.round.Load().end(pages.SignInDenied, "")
		synctest.Wait()
		for i, page := range shown {
			want := pages.SignInDenied
			if i == 2 {
				want = want.For("de")
			}
			if page.Body.String() != string(want.Body()) || page.Header().Get("Content-Security-Policy") != want.Policy() {
				t.Errorf("page %.100s", page.Body)
			}
		}
	})
}

// pipes are a listener without a port, so a bubble can have it.
type pipes struct {
	conns chan net.Conn
	ended chan struct{}
	end   func()
}

func (l pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.ended:
		return nil, net.ErrClosed
	}
}

func (l pipes) Close() error   { l.end(); return nil }
func (l pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5} }

// TestLastPage: on a busy machine the browser gets the last page late. Visitors that
// ask nothing do not hold up the end.
func TestLastPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rc := newReceiver(redirect{host: "127.0.0.1", path: "/callback"}, "5", auth.NewSecret("right"), slog.New(slog.DiscardHandler))
		l := pipes{conns: make(chan net.Conn), ended: make(chan struct{})}
		l.end = sync.OnceFunc(func() { close(l.ended) })
		serving, stop := context.WithCancel(t.Context())
		var server sync.WaitGroup
		server.Go(func() { rc.serve(serving, []net.Listener{l}) })
		enter := func() net.Conn {
			ours, theirs := net.Pipe()
			l.conns <- theirs
			return ours
		}
		browser, idle := enter(), enter()
		defer idle.Close()
		fmt.Fprint(browser, "GET /callback?state=right&code=x HTTP/1.1\r\nHost: 127.0.0.1:5\r\n\r\n")
		synctest.Wait()
		rc.round.Load().end(pages.SignInDone, "")
		stop()
		began := time.Now()
		time.Sleep(2 * time.Second)
		answer, err := io.ReadAll(browser)
		if err != nil || !strings.HasSuffix(string(answer), string(pages.SignInDone.Body())) {
			t.Errorf("the browser gets %.200q, %v", answer, err)
		}
		server.Wait()
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("the end took %v", took)
		}
	})
}

// crowd keeps two thousand idle and slow connections open: the browser
// still gets through, and memory stays where it was.
func crowd(t *testing.T) {
	s := startServer(t)
	flow, done := begin(t, s.client(t, nil), SignInOptions{})
	answer := answerURL(t, flow)
	var before, during runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	first, err := net.Dial("tcp", answer.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	for i := range 2000 {
		conn, err := net.Dial("tcp", answer.Host)
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			fmt.Fprintf(conn, "GET /callback?st") // and then nothing, for ever
		}
		if i >= 1900 {
			defer conn.Close()
		} else {
			conn.Close()
		}
	}
	runtime.ReadMemStats(&during)
	if grown := int64(during.HeapInuse) - int64(before.HeapInuse); grown > 20<<20 {
		t.Errorf("the crowd cost %d KB", grown>>10)
	}
	first.SetReadDeadline(time.Now().Add(4 * time.Second)) // sooner than an unfinished header is given up
	if _, err := first.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the oldest of too many connections is still open: %v", err)
	}
	start := time.Now()
	if _, page := get(t, answer.String(), nil); page != string(pages.SignInDone.Body()) {
		t.Errorf("final page %.200s", page)
	}
	if got := <-done; got.err != nil {
		t.Error(got.err)
	}
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("the browser had to wait %v", took)
	}
}

// TestTenThousandBad sends ten thousand bad requests of every kind before the
// right one. The sign-in still succeeds with one token request, and memory
// stays where it was, whatever the bodies and headers hold.
func TestTenThousandBad(t *testing.T) {
	s := startServer(t)
	flow, done := begin(t, s.client(t, nil), SignInOptions{})
	answer := answerURL(t, flow)
	big := strings.Repeat("x", 12<<10)
	bad := []string{
		"GET /callback?error=access_denied HTTP/1.1\r\nHost: HOST\r\n\r\n",
		"GET /callback?code=c&state=wrong HTTP/1.1\r\nHost: HOST\r\n\r\n",
		"GET /callback?code=c HTTP/1.1\r\nHost: HOST\r\n\r\n",
		"GET ANSWER&state=twice HTTP/1.1\r\nHost: HOST\r\n\r\n",
		"GET ANSWER HTTP/1.1\r\nHost: evil.example\r\n\r\n",
		"GET ANSWER HTTP/1.1\r\nHost: HOST\r\nOrigin: https://evil.example\r\n\r\n",
		"HEAD ANSWER HTTP/1.1\r\nHost: HOST\r\n\r\n",
		"OPTIONS ANSWER HTTP/1.1\r\nHost: HOST\r\n\r\n",
		"POST ANSWER HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1000000000\r\n\r\n" + big,
		"POST /callback HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n" + big,
		"GET /callback?" + big + " HTTP/1.1\r\nHost: HOST\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: HOST\r\nCookie: " + big + "\r\n\r\n",
		"GET /favicon.ico HTTP/1.0\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00", // TLS
		"\x00\xff nonsense\r\n\r\n",
		"",
	}
	fill := strings.NewReplacer("HOST", answer.Host, "ANSWER", answer.RequestURI())
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 10_000 {
		conn, err := net.Dial("tcp", answer.Host)
		if err != nil {
			t.Fatal(err)
		}
		conn.(*net.TCPConn).SetLinger(0) // or the ports of this machine run out
		io.WriteString(conn, fill.Replace(bad[i%len(bad)]))
		if i%50 < len(bad) && !strings.HasPrefix(bad[i%len(bad)], "POST") || i < len(bad) { // what is not waited for is cut off
			conn.(*net.TCPConn).CloseWrite()
			conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			io.Copy(io.Discard, conn)
		}
		conn.Close()
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapInuse+after.StackInuse) - int64(before.HeapInuse+before.StackInuse); grown > 8<<20 {
		t.Errorf("memory has grown by %d KB", grown>>10)
	}
	if _, page := get(t, answer.String(), nil); page != string(pages.SignInDone.Body()) {
		t.Errorf("final page %.200s", page)
	}
	if got := <-done; got.err != nil || len(s.posts) != 1 {
		t.Errorf("%v after %d token requests", got.err, len(s.posts))
	}
}

func slowHeader(t *testing.T) {
	s := startServer(t)
	flow, _ := begin(t, s.client(t, nil), SignInOptions{})
	conn, err := net.Dial("tcp", answerURL(t, flow).Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nX: ")
	start := time.Now()
	conn.SetDeadline(start.Add(time.Minute))
	io.Copy(io.Discard, conn)
	if took := time.Since(start); took < 3*time.Second || took > 30*time.Second {
		t.Errorf("an unfinished header was endured for %v, want 5 s", took)
	}
}

// TestSignInAnswers has the rest of the table, without the rows of TestAttacks.
func TestSignInAnswers(t *testing.T) { signInAnswers(t, "") }

func signInAnswers(t *testing.T, row string) {
	tests := []struct {
		name   string
		change func(answer url.Values)
		class  Class
		code   string
		page   pages.Page
	}{
		{"denied", func(a url.Values) { a.Del("code"); a.Set("error", "access_denied") }, Denied, "access_denied", pages.SignInDenied},
		{"busy", func(a url.Values) { a.Del("code"); a.Set("error", "temporarily_unavailable") }, Throttled, "temporarily_unavailable", pages.SignInFailed},
		{"broken", func(a url.Values) { a.Del("code"); a.Set("error", "server_error") }, Unknown, "server_error", pages.SignInFailed},
		{"scope", func(a url.Values) { a.Del("code"); a.Set("error", "invalid_scope") }, HeldBack, "invalid_scope", pages.SignInFailed},
		{"invalid_grant means nothing here", func(a url.Values) { a.Del("code"); a.Set("error", "invalid_grant") }, HeldBack, "invalid_grant", pages.SignInFailed},
		{"code and error", func(a url.Values) { a.Set("error", "access_denied") }, Protocol, "", pages.SignInFailed},
		{"neither", func(a url.Values) { a.Del("code") }, Protocol, "", pages.SignInFailed},
		{"empty code", func(a url.Values) { a.Set("code", "") }, Protocol, "", pages.SignInFailed},
		{"code with a line break", func(a url.Values) { a.Set("code", "a\r\nb") }, Protocol, "", pages.SignInFailed},
		{"A5 iss of another server", func(a url.Values) { a.Set("iss", "https://evil.test") }, Protocol, "", pages.SignInFailed},
		{"A5 iss with a slash more", func(a url.Values) { a.Set("iss", a.Get("iss")+"/") }, Protocol, "", pages.SignInFailed},
		{"A5 iss missing though promised", func(a url.Values) { a.Del("iss") }, Protocol, "", pages.SignInFailed},
		{"A5 error of another server", func(a url.Values) { a.Del("code"); a.Set("error", "access_denied"); a.Set("iss", "https://evil.test") }, Protocol, "", pages.SignInFailed},
		{"A3 code of somebody else", func(a url.Values) { a.Set("code", "injected") }, HeldBack, "invalid_grant", pages.SignInFailed},
		{"A12 hostile words", func(a url.Values) {
			a.Del("code")
			a.Set("error", "<script>")
			a.Set("error_description", "<script>alert(1)</script>\u202egnp.exe \x1b[31mred\r\n"+strings.Repeat("x", 4000))
		}, HeldBack, "<script>", pages.SignInFailed},
	}
	for _, test := range tests {
		if !ofRow(test.name, row) {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			s := startServer(t)
			s.authorize = func(_, answer url.Values) { test.change(answer) }
			got, page := signIn(t, s.client(t, nil), SignInOptions{})
			e, ok := errors.AsType[*Error](got.err)
			if !ok || e.Class != test.class || e.Code != test.code {
				t.Errorf("error %#v", got.err)
			}
			if page != string(test.page.Body()) {
				t.Errorf("page %.300s", page)
			}
			if text := got.err.Error(); strings.ContainsAny(text, "\x1b\r\n\u202e") || len(text) > 400 {
				t.Errorf("error text %q", text)
			}
			if row != "A3" && len(s.posts) != 0 {
				t.Errorf("%d token requests", len(s.posts))
			}
			if !got.grant.AccessToken.IsZero() {
				t.Error("a grant came with the error")
			}
		})
	}
}

// TestNoIssPromised: servers that do not promise iss need not send it.
func TestNoIssPromised(t *testing.T) {
	s := startServer(t)
	s.metadata = func(doc map[string]any) { delete(doc, "authorization_response_iss_parameter_supported") }
	s.authorize = func(_, answer url.Values) {
		answer.Del("iss")
		answer.Set("scope", "openid")
		answer.Set("unknown", "<b>")
	}
	if got, _ := signIn(t, s.client(t, nil), SignInOptions{}); got.err != nil {
		t.Error(got.err)
	}
	s.authorize = func(_, answer url.Values) { answer.Set("iss", "https://evil.test") }
	if got, _ := signIn(t, s.client(t, nil), SignInOptions{}); classOf(got.err) != Protocol {
		t.Errorf("a wrong iss was taken: %v", got.err)
	}
}

func pageHeaders(t *testing.T) {
	s := startServer(t)
	flow, done := begin(t, s.client(t, nil), SignInOptions{})
	answer := answerURL(t, flow)
	stray, _ := get(t, "http://"+answer.Host+"/callback?state=old", nil)
	missing, _ := get(t, "http://"+answer.Host+"/favicon.ico", nil)
	final, page := get(t, answer.String(), nil)
	<-done
	for _, resp := range []*http.Response{stray, missing, final} {
		for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"} {
			if resp.Header.Get(name) != want {
				t.Errorf("%s: %s is %q", resp.Request.URL.Path, name, resp.Header.Get(name))
			}
		}
		if policy := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("policy %q", policy)
		}
	}
	if !strings.Contains(page, "history.replaceState") {
		t.Error("the code stays in the address")
	}
	if strings.Contains(page, "http:") || strings.Contains(page, "https:") {
		t.Error("the page refers to something outside")
	}
}

// expectClosed fails unless the port of address refuses connections within a second.
// expectClosed asks the listeners. The port may belong to another program by now.
func expectClosed(t *testing.T, flow *Flow) {
	t.Helper()
	for _, ln := range flow.listeners {
		if err := ln.(*net.TCPListener).SetDeadline(time.Time{}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s is still open", ln.Addr())
		}
	}
}

func portCloses(t *testing.T) {
	s := startServer(t)
	t.Run("after success, with idle visitors", func(t *testing.T) {
		flow, done := begin(t, s.client(t, nil), SignInOptions{})
		answer := answerURL(t, flow)
		idle, err := net.Dial("tcp", answer.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer idle.Close()
		get(t, answer.String(), nil)
		start := time.Now()
		<-done
		if took := time.Since(start); took > 4*time.Second { // it does not wait until they are given up
			t.Errorf("closing took %v", took)
		}
		expectClosed(t, flow)
	})
	t.Run("after denial", func(t *testing.T) {
		s := startServer(t)
		s.authorize = func(_, a url.Values) { a.Del("code"); a.Set("error", "access_denied") }
		flow, done := begin(t, s.client(t, nil), SignInOptions{})
		get(t, flow.URL, nil)
		<-done
		expectClosed(t, flow)
	})
	t.Run("after the time limit", func(t *testing.T) {
		flow, done := begin(t, s.client(t, nil), SignInOptions{Timeout: 50 * time.Millisecond})
		got := <-done
		if classOf(got.err) != Cancelled || !strings.Contains(got.err.Error(), "in time") {
			t.Errorf("error %v", got.err)
		}
		expectClosed(t, flow)
	})
	t.Run("after Close", func(t *testing.T) {
		flow, done := begin(t, s.client(t, nil), SignInOptions{})
		flow.Close()
		flow.Close()
		if got := <-done; classOf(got.err) != Cancelled {
			t.Errorf("error %v", got.err)
		}
		expectClosed(t, flow)
	})
	t.Run("after Close without Wait", func(t *testing.T) {
		flow, err := s.client(t, nil).StartSignIn(t.Context(), SignInOptions{})
		if err != nil {
			t.Fatal(err)
		}
		flow.Close()
		expectClosed(t, flow)
		if _, err := flow.Wait(t.Context(), nil); classOf(err) != Cancelled {
			t.Errorf("Wait after Close: %v", err)
		}
	})
	t.Run("when the caller gives up", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		flow, err := s.client(t, nil).StartSignIn(t.Context(), SignInOptions{})
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if _, err := flow.Wait(ctx, nil); classOf(err) != Cancelled {
			t.Errorf("error %v", err)
		}
		expectClosed(t, flow)
	})
}

// TestSlowExchange: the browser waits longer than a visitor may take to ask.
func TestSlowExchange(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	s.token = func(http.ResponseWriter, *http.Request) bool { <-time.After(6 * time.Second); return false }
	if got, page := signIn(t, s.client(t, nil), SignInOptions{}); got.err != nil || page != string(pages.SignInDone.Body()) {
		t.Errorf("%v, page %.200s", got.err, page)
	}
}

// TestCancelWhileExchanging: the server never answers, and the person gives up.
func TestCancelWhileExchanging(t *testing.T) {
	s := startServer(t)
	release := make(chan struct{})
	s.token = func(w http.ResponseWriter, r *http.Request) bool { <-release; return false }
	defer close(release)
	flow, err := s.client(t, nil).StartSignIn(t.Context(), SignInOptions{})
	if err != nil {
		t.Fatal(err)
	}
	exchanging := make(chan struct{})
	done := make(chan error)
	go func() {
		_, err := flow.Wait(context.WithoutCancel(t.Context()), func() { close(exchanging) })
		done <- err
	}()
	answer := answerURL(t, flow).String()
	shown := make(chan string, 1)
	go func() { _, page := get(t, answer, nil); shown <- page }()
	<-exchanging
	flow.Close()
	if err := <-done; classOf(err) != Cancelled {
		t.Errorf("error %v", err)
	}
	if page := <-shown; page != string(pages.SignInExpired.Body()) {
		t.Errorf("page %.200s", page)
	}
	expectClosed(t, flow)
}

func TestRedirects(t *testing.T) {
	for _, test := range []struct {
		redirect string
		want     string // prefix of redirect_uri; empty: refused
	}{
		{"", "http://127.0.0.1:"},
		{"http://127.0.0.1/callback", "http://127.0.0.1:"},
		{"http://127.0.0.1", "http://127.0.0.1:"},
		{"http://[::1]/callback", "http://[::1]:"},
		{"http://localhost/callback", "http://localhost:"},
		{"http://127.0.0.1/some/path-1", "http://127.0.0.1:"},
		{"https://127.0.0.1/callback", ""},
		{"http://example.com/callback", ""},
		{"http://0.0.0.0/callback", ""},
		{"http://127.0.0.1/callback?x=1", ""},
		{"http://127.0.0.1/callback#x", ""},
		{"http://user@127.0.0.1/callback", ""},
		{"http://127.0.0.1:0/callback", ""},
		{"http://127.0.0.1:99999/callback", ""},
		{"http://[0:0:0:0:0:0:0:1]/callback", ""},
		{"http://[fe80::1%25lo]/callback", ""},
		{"http://LOCALHOST/callback", ""},
		{"file:///tmp/x", ""},
		{"com.example:/cb", ""},
		{"::", ""},
	} {
		t.Run(test.redirect, func(t *testing.T) {
			s := startServer(t)
			c, err := New(Config{Issuer: s.URL, ClientID: "curfew", Redirect: test.redirect})
			if test.want == "" {
				if err == nil || !strings.Contains(err.Error(), "redirect") {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(test.redirect, "::1") && !door.HasIPv6() {
				t.Skip("no IPv6 loopback on this machine")
			}
			got, _ := signIn(t, c, SignInOptions{})
			if got.err != nil {
				t.Error(got.err)
			}
			if uri := s.requests[0].Get("redirect_uri"); !strings.HasPrefix(uri, test.want) {
				t.Errorf("redirect_uri %q", uri)
			}
		})
	}
}

func fixedPort(t *testing.T) {
	s := startServer(t)
	var squatter net.Listener
	var err error
	for squatter == nil { // at a port that the kernel gives to nobody who asks for any, so it is free again afterwards
		squatter, _ = net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(20_000+rand.IntN(10_000)))
	}
	defer squatter.Close()
	for _, host := range []string{"127.0.0.1", "localhost"} {
		redirect := fmt.Sprintf("http://%s:%s/callback", host, strconv.Itoa(squatter.Addr().(*net.TCPAddr).Port))
		_, err = s.client(t, func(c *Config) { c.Redirect = redirect }).StartSignIn(t.Context(), SignInOptions{})
		if classOf(err) != HeldBack || !errors.Is(err, ErrPort) || !strings.Contains(err.Error(), "port "+strconv.Itoa(squatter.Addr().(*net.TCPAddr).Port)) {
			t.Errorf("error %v", err)
		}
	}
	squatter.Close()
	redirect := "http://127.0.0.1:" + strconv.Itoa(squatter.Addr().(*net.TCPAddr).Port) + "/callback"
	if got, _ := signIn(t, s.client(t, func(c *Config) { c.Redirect = redirect }), SignInOptions{}); got.err != nil {
		t.Error(got.err)
	}
	if s.requests[0].Get("redirect_uri") != redirect {
		t.Errorf("redirect_uri %q", s.requests[0].Get("redirect_uri"))
	}
}

// TestAuthority: a browser leaves the port out of Host when it is 80.
func TestAuthority(t *testing.T) {
	for _, test := range []struct{ host, port, want string }{
		{"127.0.0.1", "80", "127.0.0.1"}, {"127.0.0.1", "8080", "127.0.0.1:8080"}, {"[::1]", "5", "[::1]:5"}, {"[::1]", "80", "[::1]"},
	} {
		if got := (redirect{host: test.host}).authority(test.port); got != test.want {
			t.Errorf("%s, %s: %q", test.host, test.port, got)
		}
	}
}

// localhostTwin: under the name localhost nobody else can hold the same
// port on the other address family.
func localhostTwin(t *testing.T) {
	if !door.HasIPv6() {
		t.Skip("no IPv6 loopback on this machine")
	}
	s := startServer(t)
	flow, _ := begin(t, s.client(t, func(c *Config) { c.Redirect = "http://localhost/callback" }), SignInOptions{})
	u, _ := url.Parse(flow.URL)
	redirect, _ := url.Parse(u.Query().Get("redirect_uri"))
	for _, address := range []string{"127.0.0.1", "[::1]"} {
		if ln, err := net.Listen("tcp", address+":"+redirect.Port()); err == nil {
			ln.Close()
			t.Errorf("%s:%s could be taken by another program", address, redirect.Port())
		}
	}
}

// boundToLoopback: nothing outside this machine reaches the listener.
func boundToLoopback(t *testing.T) {
	s := startServer(t)
	flow, _ := begin(t, s.client(t, nil), SignInOptions{})
	for _, ln := range flow.listeners {
		if !ln.Addr().(*net.TCPAddr).IP.IsLoopback() {
			t.Errorf("listens on %v", ln.Addr())
		}
	}
}

func TestSignInWithoutOpenID(t *testing.T) {
	s := startServer(t)
	s.answer = func(_ url.Values, doc map[string]any) { delete(doc, "id_token"); doc["scope"] = "repo read:user" }
	c := s.client(t, func(c *Config) { c.Scopes = []string{"repo"} })
	got, _ := signIn(t, c, SignInOptions{})
	if got.err != nil {
		t.Fatal(got.err)
	}
	if got.grant.Identity != (Identity{}) || !slices.Equal(got.grant.Scope, []string{"repo", "read:user"}) {
		t.Errorf("grant %+v", got.grant)
	}
	if s.requests[0].Has("nonce") {
		t.Error("nonce without OpenID Connect")
	}
}

// userinfoCase asks for a name where the ID token has none, and gets it for sub.
func userinfoCase(t *testing.T, sub, want string) {
	s := startServer(t)
	s.claims = func(claims jwt.MapClaims) { delete(claims, "email") }
	var authorization string
	s.handle["/userinfo"] = func(w http.ResponseWriter, r *http.Request) {
		authorization = r.Header.Get("Authorization")
		writeJSON(w, 200, map[string]any{"sub": sub, "name": "Alice\u202e A."})
	}
	got, _ := signIn(t, s.client(t, nil), SignInOptions{})
	if got.err != nil || got.grant.Identity.Display != want || got.grant.Identity.Subject != "alice" {
		t.Errorf("%+v, %v", got.grant.Identity, got.err)
	}
	if authorization != "Bearer at-1" {
		t.Errorf("asked with %q", authorization)
	}
}
