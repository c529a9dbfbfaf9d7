package oauth

import (
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"curfew/auth"
)

// FuzzTokenAnswer: whatever a token endpoint says, the outcome is a usable
// grant or an error with a class. A token is always text that can be sent.
func FuzzTokenAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"access_token":"a","token_type":"Bearer","expires_in":900,"refresh_token":"r","id_token":"a.b.c","scope":"x y"}`,
		`{"error":"invalid_grant","error_description":"no","error_codes":[50196]}`,
		`{"access_token":"a","access_token":"b"}`, `{"a":[{"b":{}},[]],"expires_in":1e999}`, `[`, `null`, `{} {}`,
		`{"refresh_token":"e30.eyJleHAiOjF9.c2ln","refresh_expires_in":"5"}`, "{\"\\u0061ccess_token\":\"\xff\"}",
	} {
		f.Add(200, "application/json", []byte(seed))
		f.Add(400, "text/html", []byte(seed))
	}
	f.Fuzz(func(t *testing.T, status int, contentType string, body []byte) {
		c := &Client{now: time.Now, log: slog.New(slog.DiscardHandler), provider: Provider{DeadCodes: []string{"gone"}}}
		a, failed := c.readTokens("refresh", "h", &reply{status: status, mediaType: contentType, body: body, date: time.Now()})
		g := a.grant
		if text := a.idToken.Reveal(); !printable(text) {
			t.Errorf("ID token %q", text)
		}
		for _, token := range []auth.Secret{g.AccessToken, g.RefreshToken} {
			if !token.IsZero() && !validToken(token.Reveal()) {
				t.Errorf("token %q", token.Reveal())
			}
		}
		if failed != nil {
			if failed.Class < NotSent || failed.Class > Cancelled || !g.AccessToken.IsZero() {
				t.Errorf("class %v, grant %+v", failed.Class, g)
			}
			if failed.Class == Dead && (status/100 == 5 || contentType == "text/html") {
				t.Errorf("dead by status %d, %s", status, contentType)
			}
			checkText(t, failed.Error())
			return
		}
		if g.AccessToken.IsZero() || g.ExpiresIn < 0 || g.ExpiresIn > maxTokenLife || status/100 != 2 {
			t.Errorf("grant %+v", g)
		}
	})
}

// checkText fails if a text may not be shown.
func checkText(t *testing.T, text string) {
	t.Helper()
	if len(text) > 1000 || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("text %q", text)
	}
}

// FuzzCallback: only a request with the right state is taken, whatever else
// the query holds.
func FuzzCallback(f *testing.F) {
	for _, seed := range []string{
		"code=x&state=right", "state=right&state=right", "error=access_denied&state=wrong", "code=x;state=right", "state=right%00", "%zz", "state=right&code=a&code=b",
		"state=right&error=%3Cscript%3E&error_description=%E2%80%AE&iss=https://evil.test",
	} {
		f.Add("GET", seed, "127.0.0.1:5", "")
	}
	f.Fuzz(func(t *testing.T, method, query, host, origin string) {
		rc := newReceiver(redirect{host: "127.0.0.1", path: "/callback"}, "5", auth.NewSecret("right"), nil)
		r := &http.Request{Method: method, Host: host, URL: &url.URL{Path: "/callback", RawQuery: query}, Header: http.Header{}}
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		values, status, _ := rc.check(r, rc.round.Load())
		if status == http.StatusOK {
			if values.Get("state") != "right" || len(values["state"]) != 1 || method != "GET" || host != "127.0.0.1:5" || origin != "" {
				t.Errorf("%s %q taken", method, query)
			}
			flow := &Flow{client: &Client{}, meta: &metadata{authorization: fakeIssuer, issuer: fakeIssuer}}
			code, err := flow.readAnswer(values)
			if err == nil && (!validToken(code.Reveal()) || values.Has("error")) {
				t.Errorf("code %q", code.Reveal())
			}
			if err != nil {
				checkText(t, err.Error())
			}
		} else if status < 400 || status > 499 || values != nil && status != http.StatusBadRequest {
			t.Errorf("status %d", status)
		}
	})
}

// FuzzIDToken: nothing that the server did not sign passes.
func FuzzIDToken(f *testing.F) {
	key := newECKey("k1")
	keys, _ := json.Marshal(map[string]any{"keys": []any{jwk(key)}})
	now := time.Now()
	claims := map[string]any{"iss": fakeIssuer, "aud": "curfew", "sub": "alice", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "nonce": "n"}
	good := signed(key, claims)
	encode := base64.RawURLEncoding.EncodeToString
	payload, _ := json.Marshal(claims)
	f.Add(good)
	f.Add(spoil(good))
	f.Add(encode([]byte(`{"alg":"none"}`)) + "." + encode(payload) + ".")
	f.Add(encode([]byte(`{"alg":"HS256","kid":"k1"}`)) + "." + encode(payload) + "." + encode(make([]byte, 32)))
	f.Add(encode([]byte(`{"alg":"ES256","kid":5,"crit":[]}`)) + ".e30.AA")
	f.Add("..")
	c, err := New(Config{Issuer: fakeIssuer, ClientID: "curfew", Now: func() time.Time { return now },
		Transport: transportTo{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Write(keys)
		})}})
	if err != nil {
		f.Fatal(err)
	}
	m := &metadata{issuer: fakeIssuer, token: fakeIssuer, jwks: fakeIssuer}
	f.Fuzz(func(t *testing.T, token string) {
		identity, failed := c.verifyIDToken(t.Context(), m, auth.NewSecret(token), idTokenCheck{op: "exchange", nonce: auth.NewSecret("n")})
		if failed == nil && (token[:strings.LastIndex(token, ".")] != good[:strings.LastIndex(good, ".")] || identity.Subject != "alice") {
			t.Errorf("%q passes as %+v", token, identity)
		}
		if failed != nil {
			checkText(t, failed.Error())
		}
	})
}

// FuzzRetryAfter: the pause is none, or within its bounds.
func FuzzRetryAfter(f *testing.F) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, seed := range []string{"", "0", "120", "-1", "1e9", "Sun, 22 Nov 2026 12:01:00 GMT", "Sunday, 22-Nov-26 12:01:00 GMT", "99999999999999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if got := parseRetryAfter(value, now); got != 0 && (got < minRetryAfter || got > maxRetryAfter) {
			t.Errorf("%q: %v", value, got)
		}
	})
}

// FuzzClean: what is left of a server's words can be shown.
func FuzzClean(f *testing.F) {
	f.Add("a\x1b[31m\u202eb\r\n\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := clean(s)
		if utf8.RuneCountInString(got) > maxWords {
			t.Errorf("%d characters", utf8.RuneCountInString(got))
		}
		checkText(t, got)
		checkText(t, cleanCode(s))
	})
}

// FuzzPage: no visitor's words ever come back on a page.
func FuzzPage(f *testing.F) {
	f.Add("canary<script>")
	f.Fuzz(func(t *testing.T, words string) {
		if len(words) < 6 {
			return
		}
		rc := newReceiver(redirect{host: "127.0.0.1", path: "/callback"}, "5", auth.NewSecret("right"), slog.New(slog.DiscardHandler))
		w := httptest.NewRecorder()
		rc.ServeHTTP(w, &http.Request{Method: "GET", Host: "127.0.0.1:5", URL: &url.URL{Path: "/callback", RawQuery: "canary=" + words}, Header: http.Header{}})
		if strings.Contains(w.Body.String(), "canary") || w.Code != http.StatusBadRequest {
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
	})
}
