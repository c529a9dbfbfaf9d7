package oauth

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// testServer is a small authorization server for the tests, honest until one
// of its knobs is turned. It approves every request at once, so that opening
// the authorization URL is all that a browser has to do.
type testServer struct {
	URL string

	// Knobs. They are set before the server is used.
	metadata  func(doc map[string]any)                          // changes the discovery document
	authorize func(request, answer url.Values)                  // changes the answer that the browser brings
	claims    func(claims jwt.MapClaims)                        // changes the ID token's claims
	sign      func(claims jwt.MapClaims) string                 // replaces the ID token
	answer    func(form url.Values, doc map[string]any)         // changes the token answer
	token     func(w http.ResponseWriter, r *http.Request) bool // takes over the token endpoint if it returns true
	handle    map[string]http.HandlerFunc                       // further endpoints, or other ones

	mu       sync.Mutex
	codes    map[string]url.Values // authorization requests by code
	posts    []url.Values          // token requests
	requests []url.Values          // authorization requests
	fetches  map[string]int        // requests by path
	keys     []testKey             // published keys; the first signs
	refresh  int                   // generation of the refresh token
}

type testKey struct {
	kid    string
	method jwt.SigningMethod
	key    any // *rsa.PrivateKey or *ecdsa.PrivateKey
}

var testRSA = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func newECKey(kid string) testKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return testKey{kid, jwt.SigningMethodES256, key}
}

// startServer starts a testServer on a loopback port.
func startServer(t *testing.T) *testServer {
	s := newServer()
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	s.URL = h.URL
	return s
}

func newServer() *testServer {
	return &testServer{
		codes: map[string]url.Values{}, fetches: map[string]int{}, handle: map[string]http.HandlerFunc{},
		keys: []testKey{newECKey("k1")},
	}
}

func (s *testServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.fetches[r.URL.Path]++
	s.mu.Unlock()
	if h := s.handle[r.URL.Path]; h != nil {
		h(w, r)
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		doc := map[string]any{
			"issuer": s.URL, "authorization_endpoint": s.URL + "/authorize", "token_endpoint": s.URL + "/token",
			"jwks_uri": s.URL + "/jwks", "revocation_endpoint": s.URL + "/revoke", "userinfo_endpoint": s.URL + "/userinfo",
			"device_authorization_endpoint":                  s.URL + "/device",
			"code_challenge_methods_supported":               []string{"S256"},
			"authorization_response_iss_parameter_supported": true,
		}
		if s.metadata != nil {
			s.metadata(doc)
		}
		writeJSON(w, 200, doc)
	case "/jwks":
		s.mu.Lock()
		defer s.mu.Unlock()
		var keys []any
		for _, k := range s.keys {
			keys = append(keys, jwk(k))
		}
		writeJSON(w, 200, map[string]any{"keys": keys})
	case "/authorize":
		request := r.URL.Query()
		code := rand.Text()
		s.mu.Lock()
		s.codes[code] = request
		s.requests = append(s.requests, request)
		s.mu.Unlock()
		answer := url.Values{"code": {code}, "state": {request.Get("state")}, "iss": {s.URL}}
		if s.authorize != nil {
			s.authorize(request, answer)
		}
		w.Header().Set("Location", request.Get("redirect_uri")+"?"+answer.Encode())
		w.WriteHeader(http.StatusSeeOther)
	case "/token":
		s.serveToken(w, r)
	case "/revoke":
		w.WriteHeader(200)
	default:
		http.NotFound(w, r)
	}
}

func (s *testServer) serveToken(w http.ResponseWriter, r *http.Request) {
	r.ParseForm()
	form := maps.Clone(r.PostForm)
	s.mu.Lock()
	s.posts = append(s.posts, form)
	request := s.codes[form.Get("code")]
	delete(s.codes, form.Get("code"))
	s.refresh++
	generation := s.refresh
	s.mu.Unlock()
	if s.token != nil && s.token(w, r) {
		return
	}
	claims := jwt.MapClaims{
		"iss": s.URL, "aud": "curfew", "sub": "alice", "email": "alice@example.test",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(), "auth_time": time.Now().Unix(),
	}
	switch form.Get("grant_type") {
	case "authorization_code":
		sum := sha256.Sum256([]byte(form.Get("code_verifier")))
		if request == nil || request.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) ||
			request.Get("code_challenge_method") != "S256" || request.Get("redirect_uri") != form.Get("redirect_uri") {
			writeJSON(w, 400, map[string]any{"error": "invalid_grant"})
			return
		}
		claims["nonce"] = request.Get("nonce")
	case "refresh_token":
		if !strings.HasPrefix(form.Get("refresh_token"), "rt-") {
			writeJSON(w, 400, map[string]any{"error": "invalid_grant"})
			return
		}
	}
	if s.claims != nil {
		s.claims(claims)
	}
	doc := map[string]any{
		"access_token": fmt.Sprintf("at-%d", generation), "token_type": "bearer", "expires_in": 900,
		"refresh_token": fmt.Sprintf("rt-%d", generation), "id_token": s.idToken(claims),
	}
	if s.answer != nil {
		s.answer(form, doc)
	}
	writeJSON(w, 200, doc)
}

func (s *testServer) idToken(claims jwt.MapClaims) string {
	if s.sign != nil {
		return s.sign(claims)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return signed(s.keys[0], claims)
}

func signed(k testKey, claims jwt.MapClaims) string {
	token := jwt.NewWithClaims(k.method, claims)
	if k.kid != "" {
		token.Header["kid"] = k.kid
	}
	text, err := token.SignedString(k.key)
	if err != nil {
		panic(err)
	}
	return text
}

func jwk(k testKey) map[string]any {
	b64 := base64.RawURLEncoding.EncodeToString
	doc := map[string]any{"use": "sig"}
	if k.kid != "" {
		doc["kid"] = k.kid
	}
	switch key := k.key.(type) {
	case *rsa.PrivateKey:
		doc["kty"], doc["n"], doc["e"] = "RSA", b64(key.N.Bytes()), b64(big.NewInt(int64(key.E)).Bytes())
	case *ecdsa.PrivateKey:
		point, err := key.PublicKey.Bytes()
		if err != nil {
			panic(err)
		}
		size := (len(point) - 1) / 2
		doc["kty"], doc["crv"], doc["x"], doc["y"] = "EC", key.Curve.Params().Name, b64(point[1:1+size]), b64(point[1+size:])
	}
	return doc
}

func writeJSON(w http.ResponseWriter, status int, doc any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(doc)
}

func (s *testServer) count(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fetches[path]
}

// client makes a Client for s.
func (s *testServer) client(t *testing.T, change func(*Config)) *Client {
	t.Helper()
	config := Config{Issuer: s.URL, ClientID: "curfew", Scopes: []string{"openid"}}
	if change != nil {
		change(&config)
	}
	c, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// outcome is how a sign-in ended.
type outcome struct {
	grant Grant
	err   error
}

// begin starts a sign-in and waits for it in the background.
func begin(t *testing.T, c *Client, o SignInOptions) (*Flow, <-chan outcome) {
	t.Helper()
	flow, err := c.StartSignIn(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(flow.Close)
	done := make(chan outcome, 1)
	go func() {
		grant, err := flow.Wait(context.WithoutCancel(t.Context()), nil)
		done <- outcome{grant, err}
	}()
	return flow, done
}

// signIn runs a whole sign-in and returns the final page too.
func signIn(t *testing.T, c *Client, o SignInOptions) (outcome, string) {
	t.Helper()
	flow, done := begin(t, c, o)
	_, page := get(t, flow.URL, nil)
	return <-done, page
}

// get opens an address as a browser does, redirects included.
func get(t *testing.T, address string, change func(*http.Request)) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest("GET", address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	browser := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	resp, err := browser.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// classOf returns the class of an error of this package.
func classOf(err error) Class {
	if e, ok := err.(*Error); ok && e != nil {
		return e.Class
	}
	return 0
}

// transportTo is a RoundTripper straight into a handler. It has no socket, so
// it works in a synctest bubble. Every host name leads there.
type transportTo struct{ http.Handler }

func (h transportTo) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body.Close()
	}
	in := r.Clone(r.Context())
	in.Body = io.NopCloser(bytes.NewReader(body))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, in)
	return w.Result(), nil
}
