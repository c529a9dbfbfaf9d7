package authserver

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"curfew/auth/authserver/robot"
)

const (
	testIssuer   = "https://as.test"
	testRedirect = "http://127.0.0.1:5555/callback"
	testVerifier = "verifier-verifier-verifier-verifier-verifier"
)

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// A lab is a server with a clock that stands until it is moved. Requests go
// straight into the handler.
type lab struct {
	t       *testing.T
	s       *Server
	now     time.Time
	log     bytes.Buffer
	browser *robot.Browser
}

func newLab(t *testing.T, change func(*Config)) *lab {
	t.Helper()
	l := &lab{t: t, now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
	cfg := Config{
		Issuer: testIssuer,
		Clients: []Client{
			{ID: DefaultClientID, Name: "Curfew", Redirects: []string{"http://127.0.0.1/callback", "http://[::1]/callback"}},
			{ID: "other", Redirects: []string{"http://127.0.0.1/callback"}},
			{ID: "secretive", Secret: "s3cr:t +%", Redirects: []string{"http://127.0.0.1/callback"}},
		},
		Users:  map[string]string{"alice": "alice-pw", "bob": "bob-pw"},
		Now:    func() time.Time { return l.now },
		Logger: slog.New(slog.NewJSONHandler(&l.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l.s = s
	l.browser = &robot.Browser{User: "alice", Password: "alice-pw", Transport: l, Logf: t.Logf}
	return l
}

// RoundTrip is the network: the server, and a program waiting on 127.0.0.1.
func (l *lab) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Hostname() == "127.0.0.1" {
		w := httptest.NewRecorder()
		w.WriteString("callback")
		return w.Result(), nil
	}
	return l.s.Transport().RoundTrip(r)
}

func (l *lab) after(d time.Duration) { l.now = l.now.Add(d) }

// authorizeURL is a good authorization request with changes; "" removes.
func authorizeURL(changes map[string]string) string {
	q := url.Values{
		"response_type": {"code"}, "client_id": {DefaultClientID}, "redirect_uri": {testRedirect},
		"scope": {"openid profile email offline_access"}, "state": {"st"}, "nonce": {"no"},
		"code_challenge": {challengeOf(testVerifier)}, "code_challenge_method": {"S256"},
	}
	for k, v := range changes {
		if q.Set(k, v); v == "" {
			q.Del(k)
		}
	}
	return testIssuer + "/authorize?" + q.Encode()
}

// visit plays the person and returns the query of the redirect.
func (l *lab) visit(u string) url.Values {
	l.t.Helper()
	page, err := l.browser.Visit(context.Background(), u)
	if err != nil || !page.Arrived {
		l.t.Fatalf("visit ended at %s (%d), arrived %v: %s: %v", page.URL, page.Status, page.Arrived, page.Text, err)
	}
	at, err := url.Parse(page.URL)
	if err != nil {
		l.t.Fatal(err)
	}
	return at.Query()
}

type reply struct {
	status int
	header http.Header
	body   []byte
	json   map[string]any
}

func (r reply) str(key string) string { s, _ := r.json[key].(string); return s }

// request sends one request; a form makes it a POST.
func (l *lab) request(path string, f url.Values, header ...string) reply {
	l.t.Helper()
	method, body := http.MethodGet, ""
	if f != nil {
		method, body = http.MethodPost, f.Encode()
	}
	r, err := http.NewRequest(method, testIssuer+path, strings.NewReader(body))
	if err != nil {
		l.t.Fatal(err)
	}
	if f != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := l.RoundTrip(r)
	if err != nil {
		l.t.Fatal(err)
	}
	return readReply(l.t, resp)
}

func form2(base map[string]string, changes map[string]string) url.Values {
	f := url.Values{}
	all := maps.Clone(base)
	maps.Copy(all, changes)
	for k, v := range all {
		if v != "" {
			f.Set(k, v)
		}
	}
	return f
}

func (l *lab) exchange(code string, changes map[string]string) reply {
	l.t.Helper()
	return l.request("/token", form2(map[string]string{"grant_type": grantCode, "client_id": DefaultClientID, "code": code,
		"redirect_uri": testRedirect, "code_verifier": testVerifier}, changes))
}

func (l *lab) code() string {
	l.t.Helper()
	return l.visit(authorizeURL(nil)).Get("code")
}

// signIn returns the first tokens of a new session.
func (l *lab) signIn() reply {
	l.t.Helper()
	r := l.exchange(l.code(), nil)
	if r.status != http.StatusOK {
		l.t.Fatalf("exchange: %d %s", r.status, r.body)
	}
	return r
}

func (l *lab) refresh(token string) reply {
	l.t.Helper()
	return l.request("/token", url.Values{"grant_type": {grantRefresh}, "client_id": {DefaultClientID}, "refresh_token": {token}})
}

func (l *lab) mustRefresh(token string) reply {
	l.t.Helper()
	r := l.refresh(token)
	if r.status != http.StatusOK {
		l.t.Fatalf("refresh: %d %s", r.status, r.body)
	}
	return r
}

func (l *lab) me(token string) reply {
	l.t.Helper()
	return l.request("/api/me", nil, "Authorization", "Bearer "+token)
}

// wantError checks an OAuth error literally.
func (l *lab) wantError(r reply, status int, code, description string) {
	l.t.Helper()
	if r.status != status || r.str("error") != code || r.str("error_description") != description {
		l.t.Errorf("got %d %s\nwant %d %s: %s", r.status, r.body, status, code, description)
	}
}

// claims reads a token without checking it.
func claims(t *testing.T, token string) (header, body map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("no JWT: %q", token)
	}
	for i, into := range []*map[string]any{&header, &body} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
	}
	return header, body
}

func publicKey(x, y string) (*ecdsa.PublicKey, error) {
	a, err1 := base64.RawURLEncoding.DecodeString(x)
	b, err2 := base64.RawURLEncoding.DecodeString(y)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, a, b))
}
