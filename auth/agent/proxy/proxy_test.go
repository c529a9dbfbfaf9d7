package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"curfew/auth"
)

// holder plays the agent: it holds token number n.
type holder struct {
	mu        sync.Mutex
	n         int
	refreshes int
	bound     bool // tokens need proofs
	err       error
	programs  map[string]bool
}

func (h *holder) RequestToken(_ context.Context, name string, r auth.TokenRequest) (auth.Token, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return auth.Token{}, h.err
	}
	h.programs[name+" "+r.Program] = true
	t := auth.Token{AccessToken: auth.NewSecret(fmt.Sprint("token-", h.n)), TokenType: "Bearer"}
	if h.bound {
		t.TokenType = "DPoP"
	}
	if r.Proof != nil {
		t.Proof = auth.NewSecret(r.Proof.Method + " " + r.Proof.URL + " " + r.Proof.Nonce)
	}
	return t, nil
}

func (h *holder) Refresh(context.Context, string, string) (auth.Snapshot, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n, h.refreshes = h.n+1, h.refreshes+1
	return auth.Snapshot{}, h.err
}

// start runs a server and a proxy for its path /v1, and returns the address of
// the proxy with and without the secret.
func start(t *testing.T, server http.HandlerFunc) (h *holder, base, bare string) {
	t.Helper()
	upstream := httptest.NewServer(server)
	t.Cleanup(upstream.Close)
	to, err := url.Parse(upstream.URL + "/v1")
	if err != nil {
		t.Fatal(err)
	}
	h = &holder{programs: map[string]bool{}}
	quiet := log.New(io.Discard, "", 0)
	front := httptest.NewServer(NewHandler(NewTransport(h, "work", "proxy test", to), to, "secret", quiet))
	t.Cleanup(front.Close)
	return h, front.URL + "/secret", front.URL
}

// get returns the status and the text of an address.
func get(t *testing.T, address string) (int, string) {
	t.Helper()
	res, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func TestPasses(t *testing.T) {
	h, base, _ := start(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprint(w, r.Method, " ", r.URL.RequestURI(), " ", r.Header["Authorization"], " ", r.Header["X-Forwarded-For"], r.Header["X-Api"], " ", r.Host == r.Context().Value(http.LocalAddrContextKey).(net.Addr).String(), " ", string(body))
	})
	r, _ := http.NewRequest("PUT", base+"/a%2Fb/c?q=1&q=2", strings.NewReader("hello"))
	r.Header.Set("Authorization", "Bearer forged")
	r.Header.Set("X-Forwarded-For", "192.0.2.1")
	r.Header.Set("X-Api", "7")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, _ := io.ReadAll(res.Body)
	if want := "PUT /v1/a%2Fb/c?q=1&q=2 [Bearer token-0] [] [7] true hello"; string(got) != want {
		t.Errorf("the server saw\n%s, want\n%s", got, want)
	}
	if !h.programs["work proxy test"] {
		t.Errorf("the agent heard of %v", h.programs)
	}
}

// TestRefusesOthers: what is not for the server by its whole address does not
// reach it.
func TestRefusesOthers(t *testing.T) {
	reached := 0
	h, base, bare := start(t, func(http.ResponseWriter, *http.Request) { reached++ })
	address := strings.TrimPrefix(bare, "http://")
	for _, test := range []struct{ name, request, want string }{
		{"no secret", "GET / HTTP/1.1\r\nHost: " + address, "404"},
		{"part of the secret", "GET /secre/x HTTP/1.1\r\nHost: " + address, "404"},
		{"more than the secret", "GET /secretx HTTP/1.1\r\nHost: " + address, "404"},
		{"another host", "GET /secret/x HTTP/1.1\r\nHost: evil.example", "421"},
		{"another host, a forward proxy", "GET http://evil.example/secret/x HTTP/1.1\r\nHost: evil.example", "421"},
		{"this host, a forward proxy", "GET http://" + address + "/secret/x HTTP/1.1\r\nHost: " + address, "421"},
		{"a tunnel", "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443", "421"},
		{"up", "GET /secret/../admin HTTP/1.1\r\nHost: " + address, "400"},
		{"up, hidden", "GET /secret/%2e%2e/admin HTTP/1.1\r\nHost: " + address, "400"},
		{"up, well hidden", "GET /secret/a%2f..%5cadmin HTTP/1.1\r\nHost: " + address, "400"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			io.WriteString(c, test.request+"\r\nConnection: close\r\n\r\n")
			answer, _ := io.ReadAll(c)
			if status, _, _ := strings.Cut(strings.TrimPrefix(string(answer), "HTTP/1.1 "), " "); status != test.want || !strings.Contains(string(answer), "\r\n\r\ncurfew: ") {
				t.Errorf("%s", answer)
			}
		})
	}
	if reached > 0 || len(h.programs) > 0 {
		t.Errorf("%d requests reached the server, and %v took tokens", reached, h.programs)
	}
	if code, text := get(t, base+"/x"); code != http.StatusOK || reached != 1 {
		t.Error("its own request:", code, text)
	}
}

// TestRedirects: within the address they lead through the proxy. Elsewhere they
// lead past it and without a token.
func TestRedirects(t *testing.T) {
	var elsewhere []string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		elsewhere = append(elsewhere, r.URL.Path+r.Header.Get("Authorization"))
	}))
	defer other.Close()
	var upstream string
	_, base, _ := start(t, func(w http.ResponseWriter, r *http.Request) {
		upstream = "http://" + r.Host
		if to := r.FormValue("to"); to != "" {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusTemporaryRedirect)
		}
	})
	get(t, base)
	direct := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, test := range []struct{ to, want string }{
		{"b?x=1#y", "/secret/b?x=1#y"},
		{"/v1/a/b", "/secret/a/b"},
		{"/v1", "/secret"},
		{upstream + "/v1/a%2Fb", "/secret/a%2Fb"},
		{"/v12/a", upstream + "/v12/a"},
		{"/login", upstream + "/login"},
		{other.URL + "/v1/a", other.URL + "/v1/a"},
		{strings.TrimPrefix(other.URL, "http:"), other.URL},
	} {
		res, err := direct.Get(base + "/a?to=" + url.QueryEscape(test.to))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := res.Header.Get("Location"); got != test.want {
			t.Errorf("a redirect to %s leads to %s, want %s", test.to, got, test.want)
		}
	}
	get(t, base+"/a?to="+url.QueryEscape(other.URL+"/there"))
	if fmt.Sprint(elsewhere) != "[/there]" {
		t.Errorf("the other server saw %v", elsewhere)
	}
}

// TestTransportElsewhere: a client that follows redirects takes no token along.
func TestTransportElsewhere(t *testing.T) {
	h := &holder{programs: map[string]bool{}}
	to, _ := url.Parse("https://api.example.com/v1")
	for _, address := range []string{"https://evil.example/v1", "http://api.example.com/v1", "https://api.example.com:8443/v1"} {
		_, err := (&http.Client{Transport: NewTransport(h, "work", "test", to)}).Get(address)
		if e, ok := errors.AsType[*auth.Error](err); !ok || e.Kind != auth.KindRefused {
			t.Errorf("%s: %v", address, err)
		}
	}
	if len(h.programs) > 0 {
		t.Error("a token was taken")
	}
}

// TestRefusedToken: a refused token is replaced once, and the request sent again.
func TestRefusedToken(t *testing.T) {
	for _, test := range []struct {
		name      string
		accepts   string // the token
		challenge string
		body      io.Reader
		requests  int
		want      string // of the last answer
		refreshes int
	}{
		{"a new token helps", "token-1", "Bearer", nil, 1, "200 ", 1},
		{"with a body", "token-1", "Bearer", strings.NewReader("hello"), 1, "200 hello", 1},
		{"with a body of unknown length", "token-1", "Bearer", io.MultiReader(strings.NewReader("hello")), 1, "200 hello", 1},
		{"the body is too long", "token-1", "Bearer", strings.NewReader(strings.Repeat("x", maxReplay+1)), 1, "401 ", 0},
		{"a new token does not help", "none", "Bearer", nil, 5, "401 ", 1},
		{"it is not the token", "none", `Bearer error="insufficient_scope"`, nil, 5, "401 ", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, base, _ := start(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if r.Header.Get("Authorization") != "Bearer "+test.accepts {
					w.Header().Set("WWW-Authenticate", test.challenge)
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				w.Write(body)
			})
			got := ""
			for range test.requests {
				r, _ := http.NewRequest("POST", base, test.body)
				res, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				text, _ := io.ReadAll(res.Body)
				res.Body.Close()
				got = fmt.Sprint(res.StatusCode, " ", string(text))
			}
			if got != test.want || h.refreshes != test.refreshes {
				t.Errorf("%q and %d refreshes, want %q and %d", got, h.refreshes, test.want, test.refreshes)
			}
		})
	}
}

// TestRefusedEarly: a server that refuses a request before it has read the body
// gets all of it the second time.
func TestRefusedEarly(t *testing.T) {
	body := strings.Repeat("x", maxReplay)
	for range 20 { // how far the transport is when the answer comes is chance
		h, base, _ := start(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer token-1" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			got, _ := io.ReadAll(r.Body)
			fmt.Fprint(w, string(got) == body)
		})
		res, err := http.Post(base, "text/plain", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if string(text) != "true" || h.refreshes != 1 {
			t.Fatalf("%d %.100q, %d refreshes", res.StatusCode, text, h.refreshes)
		}
	}
}

// TestManyRefused: all who are refused at once share one refresh.
func TestManyRefused(t *testing.T) {
	const clients = 20
	var arrived sync.WaitGroup
	arrived.Add(clients)
	h, base, _ := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer token-0" {
			arrived.Done()
			arrived.Wait()
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			if code, text := get(t, base); code != http.StatusOK {
				t.Error(code, text)
			}
		})
	}
	all.Wait()
	if h.refreshes != 1 {
		t.Errorf("%d refreshes", h.refreshes)
	}
}

// TestProofs: a token that is bound to a key goes with a proof for each request.
// The proof has the nonce that the server wants, and costs no refresh.
func TestProofs(t *testing.T) {
	var seen []string
	h, base, _ := start(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization")+" | "+strings.ReplaceAll(r.Header.Get("DPoP"), r.Host, "HOST"))
		if !strings.HasSuffix(r.Header.Get("DPoP"), " n1") {
			w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
			w.Header().Set("DPoP-Nonce", "n1")
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	h.bound = true
	for range 2 {
		if code, text := get(t, base+"/me?x=1"); code != http.StatusOK {
			t.Error(code, text)
		}
	}
	want := "DPoP token-0 | GET http://HOST/v1/me?x=1\nDPoP token-0 | GET http://HOST/v1/me?x=1 n1\nDPoP token-0 | GET http://HOST/v1/me?x=1 n1"
	if got := strings.Join(seen, "\n"); got != want || h.refreshes != 0 {
		t.Errorf("%d refreshes, and the server saw\n%s", h.refreshes, got)
	}
}

// TestStream: each part arrives when it is sent and not at the end, even if the
// length is known before.
func TestStream(t *testing.T) {
	next := make(chan bool)
	_, base, _ := start(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(3*len("data: 0\n\n")))
		for n := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", n)
			http.NewResponseController(w).Flush()
			<-next
		}
	})
	res, err := http.Get(base)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	for n := range 3 {
		if line, err := lines.ReadString('\n'); line != fmt.Sprintf("data: %d\n", n) {
			t.Fatal(line, err)
		}
		lines.ReadString('\n')
		next <- true // the server has not gone on before
	}
}

// TestUpgrade: a WebSocket or any other protocol is opened with the token and
// passed on in both directions.
func TestUpgrade(t *testing.T) {
	_, base, bare := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer token-1" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "echo")
		w.WriteHeader(http.StatusSwitchingProtocols)
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		line, _ := rw.ReadString('\n')
		io.WriteString(c, "echo "+line)
	})
	address := strings.TrimPrefix(bare, "http://")
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET "+strings.TrimPrefix(base, bare)+"/ws HTTP/1.1\r\nHost: "+address+"\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	in := bufio.NewReader(c)
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(res, err)
	}
	io.WriteString(c, "hello\n")
	if line, err := in.ReadString('\n'); line != "echo hello\n" {
		t.Error(line, err)
	}
}

// TestNoToken: why there is none arrives as text. It is never a 401, because that
// makes programs start their own sign-in.
func TestNoToken(t *testing.T) {
	h, base, _ := start(t, func(http.ResponseWriter, *http.Request) { t.Error("the server was asked") })
	for kind, want := range map[auth.Kind]int{auth.KindSignInNeeded: 403, auth.KindRefused: 403, auth.KindUnavailable: 503, auth.KindFailed: 502} {
		h.err = &auth.Error{Kind: kind, Message: "work is not signed in", Hint: "run `curfew login work`"}
		if code, text := get(t, base); code != want || text != "curfew: work is not signed in\nhint: run `curfew login work`\n" {
			t.Errorf("%s: %d %q", kind, code, text)
		}
	}
}

// TestServerGone: an address where nobody answers is said plainly, without the
// token.
func TestServerGone(t *testing.T) {
	to, _ := url.Parse("http://127.0.0.1:1") // a port that was free a moment ago may be another program's
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/me", nil)
	r.Host = "localhost"
	NewHandler(NewTransport(&holder{programs: map[string]bool{}}, "work", "test", to), to, "", nil).ServeHTTP(w, r)
	if text := w.Body.String(); w.Code != http.StatusBadGateway || !strings.Contains(text, "curfew: the server gave no answer") || strings.Contains(text, "token-0") {
		t.Error(w.Code, text)
	}
}
