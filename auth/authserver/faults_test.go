package authserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func TestParseFaults(t *testing.T) {
	for _, good := range []string{
		"",
		"token:503",
		"token:503;retry-after=5",
		"token:drop-after-rotate*1,token:503;retry-after=5",
		"refresh:503-after-rotate;error=server_error*3",
		"token:200;error=bad_refresh_token",
		"code:slow;by=1.5s",
		"poll:redirect;to=http://127.0.0.1:9/token*2",
		"token:expires-in;value=missing,token:expires-in;value=string,token:expires-in;value=-1",
		"authorize:wrong-state*1,authorize:wrong-iss,authorize:no-iss,discovery:wrong-iss,userinfo:other-sub,jwks:rollover",
		"token:id-alg;value=none,token:id-alg;value=HS256,refresh:strict,refresh:graceful,revoke:503,device:html,me:truncated",
	} {
		f, err := ParseFaults(good)
		if err != nil {
			t.Errorf("%q: %v", good, err)
			continue
		}
		if f.String() != good {
			t.Errorf("%q became %q", good, f.String())
		}
	}
	for text, want := range map[string]string{
		"503":                          `fault "503": want place:fault, for instance token:503`,
		"token:":                       `fault "token:": there is no fault ""`,
		"tokens:503":                   `fault "tokens:503": there is no place "tokens": choose one of discovery, jwks, authorize, token,`,
		"token:bogus":                  `there is no fault "bogus": choose a status such as 503, or one of drop, duplicate-keys,`,
		"token:status":                 `there is no fault "status"`,
		"token:0503":                   `there is no fault "0503"`,
		"token:200":                    `a status is 400 to 599, or 200 with error=CODE`,
		"token:302":                    `a status is 400 to 599`,
		"token:503;retry-after=soon":   `retry-after=soon is not a number of seconds`,
		"token:503;error=":             `503 takes no option "error="`,
		"token:503;x=1":                `503 takes no option "x=1"`,
		"token:503;error=a;error=b":    `option error is given twice`,
		"token:slow":                   `slow needs the option by`,
		"token:slow;by=2":              `by=2 is not a duration such as 2s`,
		"token:slow;by=-2s":            `by=-2s is not a duration`,
		"token:redirect;to=/x":         `to=/x is not an absolute URL`,
		"token:expires-in;value=soon":  `value=soon is not missing, string, float, huge or an integer`,
		"token:id-alg;value=RS256":     `value=RS256 is not none or HS256`,
		"token:503*0":                  `after * there must be how often it fires, a number from 1, not "0"`,
		"token:503*":                   `not ""`,
		"token:503*2*3":                `not "2*3"`,
		"token:503,,token:503":         `fault "": want place:fault`,
		"authorize:drop-after-rotate":  `"-after-rotate" is for token, code, refresh, poll with drop, hang, html, redirect or a status`,
		"token:truncated-after-rotate": `"-after-rotate" is for`,
		"code:strict":                  `strict cannot happen at code, only at refresh`,
		"jwks:id-sig":                  `id-sig cannot happen at jwks, only at token, code, refresh, poll`,
	} {
		f, err := ParseFaults("token:500")
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Set(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
		if f.String() != "token:500" {
			t.Errorf("%q: an error changed the faults to %q", text, f)
		}
	}
}

// Whatever is read is written back to the same thing.
func FuzzParseFaults(f *testing.F) {
	for _, s := range []string{"token:drop-after-rotate*1,token:503;retry-after=5", "token:200;error=x", "code:slow;by=1s*2", "token:expires-in;value=-1",
		"refresh:redirect-after-rotate;to=http://h/", " token:503 , jwks:rollover", "token:status", "a:b;c=d*e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, err := ParseFaults(text)
		if err != nil {
			return
		}
		written := first.String()
		second, err := ParseFaults(written)
		if err != nil {
			t.Fatalf("%q became %q: %v", text, written, err)
		}
		if second.String() != written {
			t.Fatalf("%q became %q became %q", text, written, second)
		}
	})
}

// faulty is a lab with one session and faults set after its sign-in.
func faulty(t *testing.T, spec string) (*lab, reply, *Faults) {
	t.Helper()
	f := new(Faults)
	l := newLab(t, func(c *Config) { c.Faults = f })
	r := l.signIn()
	if err := f.Set(spec); err != nil {
		t.Fatal(err)
	}
	return l, r, f
}

func TestStatusFaults(t *testing.T) {
	for _, tt := range []struct {
		spec       string
		status     int
		kind       string
		retryAfter string
		code       string
	}{
		{"token:500*1", 500, "text/html; charset=utf-8", "", ""},
		{"refresh:502*1", 502, "text/html; charset=utf-8", "", ""},
		{"token:503;retry-after=5*1", 503, "text/html; charset=utf-8", "5", ""},
		{"token:503;retry-date=60*1", 503, "text/html; charset=utf-8", "Sun, 22 Nov 2026 09:01:00 GMT", ""},
		{"token:429;retry-after=7;error=slow_down*1", 429, "application/json", "7", "slow_down"},
		{"token:400;error=invalid_client*1", 400, "application/json", "", "invalid_client"},
		{"token:200;error=bad_refresh_token*1", 200, "application/json", "", "bad_refresh_token"},
		{"token:html*1", 200, "text/html; charset=utf-8", "", ""},
	} {
		for _, after := range []bool{false, true} {
			spec := tt.spec
			if after {
				head, rest := spec[:len(spec)-2], spec[len(spec)-2:]
				if what, options, ok := strings.Cut(head, ";"); ok {
					spec = what + afterRotate + ";" + options + rest
				} else {
					spec = head + afterRotate + rest
				}
			}
			t.Run(spec, func(t *testing.T) {
				l, r, f := faulty(t, spec)
				got := l.refresh(r.str("refresh_token"))
				if got.status != tt.status || got.header.Get("Content-Type") != tt.kind || got.header.Get("Retry-After") != tt.retryAfter || got.str("error") != tt.code || got.str("access_token") != "" {
					t.Errorf("got %d %v %s", got.status, got.header, got.body)
				}
				if f.String() != "" {
					t.Errorf("left: %s", f)
				}
				// What the client did not hear of is known by the count of the next answer but one.
				next := l.mustRefresh(r.str("refresh_token"))
				next = l.mustRefresh(next.str("refresh_token"))
				if _, c := claims(t, next.str("refresh_token")); c["refreshCount"] != 2.0 {
					t.Errorf("refreshCount %v, want 2", c["refreshCount"])
				}
				if n := l.s.Posts(grantRefresh); n != 3 {
					t.Errorf("%d posts counted", n)
				}
				l.after(time.Minute)
				if after { // rotated by the lost answer: the first token is long gone
					l.wantError(l.refresh(r.str("refresh_token")), 400, "invalid_grant", textReuse)
				}
			})
		}
	}
}

// Hole 2: an answer lost after the rotation, with and without a grace.
func TestLostAnswer(t *testing.T) {
	l, r, _ := faulty(t, "refresh:503-after-rotate*1")
	l.refresh(r.str("refresh_token"))
	l.after(3 * time.Second)
	l.mustRefresh(r.str("refresh_token"))

	l, r, f := faulty(t, "refresh:503-after-rotate*1,refresh:strict*1")
	l.refresh(r.str("refresh_token"))
	l.wantError(l.refresh(r.str("refresh_token")), 400, "invalid_grant", textReuse)
	if f.String() != "" {
		t.Errorf("left: %s", f)
	}

	l, r, _ = faulty(t, "refresh:503-after-rotate*1,refresh:graceful")
	l.refresh(r.str("refresh_token"))
	l.after(day)
	l.mustRefresh(r.str("refresh_token"))
}

// A fault that comes after the rotation waits for one.
func TestAfterRotateWaits(t *testing.T) {
	l, r, f := faulty(t, "token:503-after-rotate*1")
	l.wantError(l.refresh(r.str("access_token")), 400, "invalid_grant", textNeedRefresh)
	if f.String() != "token:503-after-rotate*1" {
		t.Errorf("left: %s", f)
	}
}

func TestScript(t *testing.T) {
	l, r, _ := faulty(t, "code:500*9,token:500*2,refresh:502*1,token:503;retry-after=1*1")
	for i, want := range []int{500, 500, 502, 503, 200} {
		if got := l.refresh(r.str("refresh_token")); got.status != want {
			t.Errorf("request %d: %d, want %d", i+1, got.status, want)
		}
	}
}

func TestAnswerFaults(t *testing.T) {
	for spec, check := range map[string]func(t *testing.T, good map[string]any, body string) bool{
		"token:truncated": func(t *testing.T, _ map[string]any, body string) bool {
			return !json.Valid([]byte(body)) && strings.HasPrefix(body, `{"access_token":"`)
		},
		"token:duplicate-keys": func(t *testing.T, got map[string]any, body string) bool {
			return strings.Count(body, `"access_token":`) == 2 && got["access_token"] != "another-value"
		},
		"token:expires-in;value=missing": func(t *testing.T, got map[string]any, _ string) bool { _, ok := got["expires_in"]; return !ok },
		"token:expires-in;value=0":       func(t *testing.T, got map[string]any, _ string) bool { return got["expires_in"] == 0.0 },
		"token:expires-in;value=-1":      func(t *testing.T, got map[string]any, _ string) bool { return got["expires_in"] == -1.0 },
		"token:expires-in;value=60":      func(t *testing.T, got map[string]any, _ string) bool { return got["expires_in"] == 60.0 },
		"token:expires-in;value=string":  func(t *testing.T, got map[string]any, _ string) bool { return got["expires_in"] == "900" },
		"token:expires-in;value=float":   func(t *testing.T, got map[string]any, _ string) bool { return got["expires_in"] == 900.5 },
		"token:expires-in;value=huge": func(t *testing.T, _ map[string]any, body string) bool {
			return strings.Contains(body, `"expires_in":99999999999999999999,`)
		},
		"token:token-type;value=mac": func(t *testing.T, got map[string]any, _ string) bool { return got["token_type"] == "mac" },
		"token:no-refresh-token": func(t *testing.T, got map[string]any, _ string) bool {
			_, ok := got["refresh_token"]
			return !ok && got["access_token"] != ""
		},
	} {
		t.Run(spec, func(t *testing.T) {
			l, r, f := faulty(t, spec+"*1")
			l.wantError(l.refresh("nonsense"), 400, "invalid_grant", "The refresh token is not one of this server. Please login again.") // no answer to distort
			got := l.refresh(r.str("refresh_token"))
			if !check(t, got.json, string(got.body)) {
				t.Errorf("got %s", got.body)
			}
			if f.String() != "" {
				t.Errorf("left: %s", f)
			}
			honest := l.mustRefresh(r.str("refresh_token")) // the same answer again, as it should have been
			if honest.json["expires_in"] != 900.0 || honest.str("token_type") != "Bearer" || honest.str("refresh_token") == "" {
				t.Errorf("the answer sent again is distorted too: %s", honest.body)
			}
		})
	}
}

func TestIDTokenFaults(t *testing.T) {
	for spec, want := range map[string]error{
		"token:id-iss":             jwt.ErrTokenInvalidIssuer,
		"token:id-aud":             jwt.ErrTokenInvalidAudience,
		"token:id-exp":             jwt.ErrTokenExpired,
		"token:id-sig":             jwt.ErrTokenSignatureInvalid,
		"token:id-alg;value=none":  jwt.ErrTokenSignatureInvalid, // what jwt says to a forbidden alg
		"token:id-alg;value=HS256": jwt.ErrTokenSignatureInvalid,
		"token:id-nonce":           nil,
		"token:other-sub":          nil,
		"token:rollover":           nil,
	} {
		t.Run(spec, func(t *testing.T) {
			l, r, f := faulty(t, spec+"*1")
			got := l.mustRefresh(r.str("refresh_token"))
			if err := verify(t, l, got.str("id_token")); !errors.Is(err, want) || (err == nil) != (want == nil) {
				t.Errorf("a verifier says %v, want %v", err, want)
			}
			if f.String() != "" {
				t.Errorf("left: %s", f)
			}
			h, c := claims(t, got.str("id_token"))
			h0, _ := claims(t, r.str("id_token"))
			switch spec {
			case "token:id-nonce":
				if c["nonce"] != "another-nonce" {
					t.Errorf("nonce %v", c["nonce"])
				}
			case "token:other-sub":
				if c["sub"] != "mallory" {
					t.Errorf("sub %v", c["sub"])
				}
			case "token:rollover":
				if h["kid"] == h0["kid"] {
					t.Error("the same key signs")
				}
			case "token:id-alg;value=none", "token:id-alg;value=HS256":
				if want := strings.TrimPrefix(spec, "token:id-alg;value="); h["alg"] != want {
					t.Errorf("alg %v", h["alg"])
				}
			}
			if _, ac := claims(t, got.str("access_token")); ac["sub"] != "alice" {
				t.Errorf("the access token is distorted too: %v", ac)
			}
		})
	}
	l, r, f := faulty(t, "refresh:id-iss*1")
	l.request("/token", url.Values{"grant_type": {grantRefresh}, "client_id": {DefaultClientID}, "refresh_token": {r.str("refresh_token")}, "scope": {"email"}})
	if f.String() != "refresh:id-iss*1" {
		t.Errorf("spent without an ID token: left %q", f)
	}
}

func TestAuthorizeFaults(t *testing.T) {
	l, _, f := faulty(t, "authorize:wrong-state*1,authorize:wrong-iss*1,authorize:no-iss*1")
	for _, want := range []struct{ state, iss string }{{"another-state", testIssuer}, {"st", otherIssuer}, {"st", ""}, {"st", testIssuer}} {
		// Pages and our own redirects pass unharmed; only the answer counts.
		q := l.visit(authorizeURL(map[string]string{"prompt": "login"}))
		if q.Get("state") != want.state || q.Get("iss") != want.iss || q.Get("code") == "" {
			t.Errorf("got %v, want %v; left %s", q, want, f)
		}
	}
	if err := f.Set("authorize:wrong-iss*1"); err != nil {
		t.Fatal(err)
	}
	if q := l.visit(authorizeURL(map[string]string{"response_type": "x"})); q.Get("iss") != otherIssuer || q.Get("error") == "" {
		t.Errorf("in an error: %v", q)
	}
}

func TestOtherFaults(t *testing.T) {
	l, r, f := faulty(t, "discovery:wrong-iss*1,userinfo:other-sub*1,jwks:rollover*1,jwks:duplicate-keys*1,revoke:503;retry-after=2*1,device:html*1,me:500*1")
	userinfo := func() reply {
		return l.request("/userinfo", nil, "Authorization", "Bearer "+r.str("access_token"))
	}
	for _, want := range []string{otherIssuer, testIssuer} {
		if got := l.request("/.well-known/openid-configuration", nil); got.str("issuer") != want {
			t.Errorf("issuer %s, want %s", got.str("issuer"), want)
		}
	}
	for _, want := range []string{otherSub, "alice"} {
		if got := userinfo(); got.str("sub") != want {
			t.Errorf("sub %s, want %s", got.str("sub"), want)
		}
	}
	for _, want := range []int{2, 2} { // a new key next to the old, then the key "keys" twice
		got := l.request("/jwks", nil)
		if keys, _ := got.json["keys"].([]any); len(keys) != want {
			t.Errorf("%s", got.body)
		}
	}
	if got := l.request("/revoke", url.Values{"client_id": {DefaultClientID}, "token": {r.str("refresh_token")}}); got.status != 503 || got.header.Get("Retry-After") != "2" {
		t.Errorf("revoke: %d", got.status)
	}
	if l.s.Sessions() != 1 {
		t.Error("the session was revoked all the same")
	}
	if got := l.request("/device_authorization", url.Values{"client_id": {DefaultClientID}}); got.header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("device: %v", got.header)
	}
	if got := l.me(r.str("access_token")); got.status != 500 {
		t.Errorf("me: %d", got.status)
	}
	if f.String() != "" {
		t.Errorf("left: %s", f)
	}
}

// live is a server on a real port.
func live(t *testing.T, spec string) (s *Server, f *Faults, base string) {
	t.Helper()
	f, err := ParseFaults(spec)
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewUnstartedServer(nil)
	s, err = New(Config{Issuer: "http://" + ts.Listener.Addr().String(), AutoApprove: DefaultUser, Faults: f})
	if err != nil {
		t.Fatal(err)
	}
	ts.Config.Handler = s
	ts.Start()
	t.Cleanup(ts.Close)
	t.Cleanup(s.Close)
	return s, f, s.Issuer()
}

var noRedirects = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// liveSignIn returns a refresh token.
func liveSignIn(t *testing.T, base string) string {
	t.Helper()
	resp, err := noRedirects.Get(base + pathOf(authorizeURL(nil)))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	u, err := resp.Location()
	if err != nil {
		t.Fatal(err)
	}
	resp, err = http.PostForm(base+"/token", url.Values{"grant_type": {grantCode}, "client_id": {DefaultClientID}, "code": {u.Query().Get("code")},
		"redirect_uri": {testRedirect}, "code_verifier": {testVerifier}})
	if err != nil {
		t.Fatal(err)
	}
	return readReply(t, resp).str("refresh_token")
}

func liveRefresh(ctx context.Context, base, token string) (*http.Response, error) {
	body := url.Values{"grant_type": {grantRefresh}, "client_id": {DefaultClientID}, "refresh_token": {token}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/token", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return noRedirects.Do(req)
}

func TestDrop(t *testing.T) {
	for _, tt := range []struct {
		spec    string
		rotated bool
	}{{"refresh:drop*1", false}, {"refresh:drop-after-rotate*1", true}} {
		t.Run(tt.spec, func(t *testing.T) {
			s, _, base := live(t, tt.spec)
			token := liveSignIn(t, base)
			if resp, err := liveRefresh(t.Context(), base, token); !errors.Is(err, io.EOF) {
				t.Fatalf("want a cut connection, got %v %v", resp, err)
			}
			s.mu.Lock()
			for _, v := range s.sessions {
				if (v.count == 1) != tt.rotated {
					t.Errorf("count %d", v.count)
				}
			}
			s.mu.Unlock()
			resp, err := liveRefresh(t.Context(), base, token)
			if err != nil {
				t.Fatal(err)
			}
			if r := readReply(t, resp); r.status != 200 {
				t.Errorf("the retry: %d %s", r.status, r.body)
			}
		})
	}
}

func TestRedirectFault(t *testing.T) {
	stolen := make(chan string, 1)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { stolen <- r.FormValue("refresh_token") }))
	defer other.Close()
	_, _, base := live(t, "refresh:redirect;to="+other.URL+"/token*1")
	token := liveSignIn(t, base)
	// A careless client hands the token over: that is what the fault is for.
	resp, err := http.PostForm(base+"/token", url.Values{"grant_type": {grantRefresh}, "client_id": {DefaultClientID}, "refresh_token": {token}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := <-stolen; got != token {
		t.Errorf("the redirect did not carry the token: %q", got)
	}
}

func TestHang(t *testing.T) {
	s, _, base := live(t, "refresh:hang*2")
	token := liveSignIn(t, base)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := liveRefresh(ctx, base, token); !errors.Is(err, context.Canceled) {
		t.Errorf("the client gave up: %v", err)
	}
	time.AfterFunc(50*time.Millisecond, s.Close)
	if _, err := liveRefresh(t.Context(), base, token); !errors.Is(err, io.EOF) {
		t.Errorf("the server was closed: %v", err)
	}
}

func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r, _ := faulty(t, "refresh:slow;by=90s*1")
		start := time.Now()
		if got := l.refresh(r.str("refresh_token")); got.status != 200 || time.Since(start) != 90*time.Second {
			t.Errorf("%d after %v", got.status, time.Since(start))
		}
	})
}

// Transport shows what a socket would.
func TestTransport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r, _ := faulty(t, "refresh:drop-after-rotate*1,refresh:hang*1,refresh:slow;by=1h*1")
		send := func(limit time.Duration) (wrote bool, took time.Duration, err error) {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { wrote = true }})
			body := url.Values{"grant_type": {grantRefresh}, "client_id": {DefaultClientID}, "refresh_token": {r.str("refresh_token")}}.Encode()
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, testIssuer+"/token", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			start := time.Now()
			resp, err := (&http.Client{Transport: l.s.Transport()}).Do(req)
			if err == nil {
				l.wantError(readReply(t, resp), 200, "", "")
			}
			return wrote, time.Since(start), err
		}
		for _, tt := range []struct {
			name  string
			limit time.Duration
			took  time.Duration
			wrote bool
			want  error
		}{
			{"dropped", time.Minute, 0, true, io.EOF},
			{"hanging", time.Minute, time.Minute, true, context.DeadlineExceeded},
			{"slower than we wait", time.Minute, time.Minute, true, context.DeadlineExceeded},
			{"good", time.Minute, 0, true, nil},
			{"given up before", 0, 0, false, context.DeadlineExceeded},
		} {
			wrote, took, err := send(tt.limit)
			if wrote != tt.wrote || took != tt.took || !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Errorf("%s: wrote %v, took %v, %v", tt.name, wrote, took, err)
			}
		}
	})
}

// Many parallel retries of one lost answer are one refresh.
func TestParallelRefresh(t *testing.T) {
	l := newLab(t, nil)
	first := l.signIn()
	answers := make([][]byte, 100)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = l.refresh(first.str("refresh_token")).body })
	}
	wg.Wait()
	for _, a := range answers {
		if !bytes.Equal(a, answers[0]) {
			t.Fatalf("two answers: %s and %s", a, answers[0])
		}
	}
}

// Faults may change under load.
func TestFaultsWhileRunning(t *testing.T) {
	l, r, f := faulty(t, "")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if err := f.Set("me:503*1"); err != nil {
					t.Error(err)
				}
				_ = f.String()
				if got := l.me(r.str("access_token")); got.status != 200 && got.status != 503 {
					t.Errorf("%d", got.status)
				}
			}
		})
	}
	wg.Wait()
}

func TestListenAndServe(t *testing.T) {
	for _, addr := range []string{"", "127.0.0.1:0", "[::1]:0"} {
		t.Run(addr, func(t *testing.T) {
			if addr == "[::1]:0" {
				if l, err := net.Listen("tcp", addr); err != nil {
					t.Skip("this machine has no IPv6 loopback:", err)
				} else {
					l.Close()
				}
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			f := new(Faults)
			ready, done := make(chan string, 1), make(chan error, 1)
			go func() {
				done <- ListenAndServe(ctx, addr, Config{AutoApprove: DefaultUser, Faults: f}, func(issuer string) { ready <- issuer })
			}()
			base := <-ready
			token := liveSignIn(t, base)
			if err := f.Set("token:hang"); err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(50*time.Millisecond, stop)
			if _, err := liveRefresh(t.Context(), base, token); err == nil {
				t.Error("a hanging request was answered")
			}
			if err := <-done; err != nil {
				t.Errorf("shutdown: %v", err)
			}
		})
	}
	if err := ListenAndServe(t.Context(), "0.0.0.0:0", Config{}, nil); err == nil || !strings.Contains(err.Error(), "is not a loopback address: listen on 127.0.0.1, or set the https issuer") {
		t.Errorf("on every address: %v", err)
	}
	if err := ListenAndServe(t.Context(), "127.0.0.1:x", Config{}, nil); err == nil {
		t.Error("a port called x")
	}
	if err := ListenAndServe(t.Context(), "", Config{AutoApprove: "eve"}, nil); err == nil || !strings.Contains(err.Error(), `no user "eve"`) {
		t.Errorf("a wrong configuration: %v", err)
	}
}
