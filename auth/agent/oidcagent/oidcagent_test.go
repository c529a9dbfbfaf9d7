package oidcagent

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/nacl/box"

	"curfew/auth"
)

// holder plays the agent.
type holder struct {
	asked     auth.TokenRequest
	name      string
	refreshes int
	err       error
}

func (h *holder) Accounts(context.Context) ([]Account, error) {
	return []Account{{"work", "https://id.example.com"}, {"one", "https://two.example/"}, {"two", "https://two.example"}}, nil
}

func (h *holder) RequestToken(_ context.Context, name string, r auth.TokenRequest) (auth.Token, error) {
	h.name, h.asked = name, r
	return auth.Token{AccessToken: auth.NewSecret("<token>"), ExpiresAt: time.Unix(1795331159, 0)}, h.err
}

func (h *holder) Refresh(context.Context, string, string) (auth.Snapshot, error) {
	h.refreshes++
	return auth.Snapshot{}, h.err
}

// start serves one end of a connection and returns the other.
func start(t *testing.T, h *holder) net.Conn {
	here, there := net.Pipe()
	go func() { // ends with the connection
		converse(t.Context(), there, h)
		there.Close()
	}()
	t.Cleanup(func() { here.Close() })
	return here
}

func TestAnswers(t *testing.T) {
	const token = `{"access_token":"<token>","expires_at":1795331159,"issuer":"https://id.example.com/","status":"success"}`
	for _, test := range []struct {
		name, request, want string
		minValid            time.Duration
		refreshes           int
	}{
		{"by name", `{"request":"access_token","min_valid_period":0,"account":"work","application_hint":"oidc-token"}`, token, auth.AnyValidity, 0},
		{"by issuer", `{"request":"access_token","min_valid_period":60,"issuer":"https://id.example.com/"}`, token, time.Minute, 0},
		{"by issuer, said to be a name", `{"request":"access_token","min_valid_period":0,"account":"https://id.example.com"}`, token, auth.AnyValidity, 0},
		{"a new one", `{"request":"access_token","min_valid_period":-1,"account":"work"}`, token, auth.AnyValidity, 1},
		{"for too long", `{"request":"access_token","min_valid_period":1e300,"account":"work"}`, token, 1e18, 0},
		{"unknown", `{"request":"access_token","account":"none"}`, `"error":"No account configured with that short name"`, 0, 0},
		{"unknown issuer", `{"request":"access_token","issuer":"https://x.example"}`, `"error":"No account configured for that issuer"`, 0, 0},
		{"two of an issuer", `{"request":"access_token","issuer":"https://two.example/"}`, `Name one of them: one or two`, 0, 0},
		{"neither", `{"request":"access_token"}`, `"error":"Not yet implemented"`, 0, 0},
		{"loaded", `{"request":"loaded_accounts"}`, `{"info":["work","one","two"],"status":"success"}`, 0, 0},
		{"info", `{"request":"account_info"}`, `"https://two.example/":{"accounts":{"one":true,"two":true},"pubclient":false}`, 0, 0},
		{"status", `{"request":"status"}`, `Accounts: work, one, two`, 0, 0},
		{"status as JSON", `{"request":"status_json"}`, `"loaded_accounts":["work","one","two"]`, 0, 0},
		{"check", `{"request":"check"}`, `{"status":"success"}`, 0, 0},
		{"no request", `{}`, `"error":"Bad Request: No request type."`, 0, 0},
		{"another request", `{"request":"add","config":{"refresh_token":"x"}}`, `"error":"Bad Request: Unknown request type."`, 0, 0},
		{"wrong types", `{"request":1}`, `"error":"Bad Request: could not parse json"`, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := &holder{}
			got := string(answer(t.Context(), h, []byte(test.request)))
			if !strings.Contains(got, test.want) || h.asked.MinValid != test.minValid || h.refreshes != test.refreshes {
				t.Errorf("%s, at least %v, %d refreshes; want\n%s, at least %v, %d", got, h.asked.MinValid, h.refreshes, test.want, test.minValid, test.refreshes)
			}
			if !json.Valid([]byte(got)) {
				t.Error("this is not JSON")
			}
		})
	}
}

// TestExchange: another scope or audience is a token with less power.
func TestExchange(t *testing.T) {
	h := &holder{}
	answer(t.Context(), h, []byte(`{"request":"access_token","account":"work","scope":"a b","audience":"x"}`))
	if x := h.asked.Exchange; x == nil || fmt.Sprint(x.Audience, x.Scope) != "[x] [a b]" {
		t.Errorf("%+v", x)
	}
}

func TestSignInNeeded(t *testing.T) {
	h := &holder{err: &auth.Error{Kind: auth.KindSignInNeeded, Message: "work is not signed in", Hint: "run `curfew login work`"}}
	got := string(answer(t.Context(), h, []byte(`{"request":"access_token","account":"work"}`)))
	if got != "{\"error\":\"work is not signed in\",\"info\":\"run `curfew login work`\",\"status\":\"failure\"}" {
		t.Error(got)
	}
}

// TestEncrypted: the whole exchange, with each message whole and in pieces.
func TestEncrypted(t *testing.T) {
	for _, piece := range []int{1 << 16, 1, 7} {
		c := start(t, &holder{})
		send := func(text []byte) {
			for len(text) > 0 {
				n := min(piece, len(text))
				c.Write(text[:n])
				text = text[n:]
			}
		}
		receive := func() string {
			b := make([]byte, 1<<16)
			n, _ := c.Read(b)
			return string(b[:n])
		}
		public, private, _ := box.GenerateKey(rand.Reader)
		send([]byte(base64.StdEncoding.EncodeToString(public[:])))
		theirs, err := base64.StdEncoding.DecodeString(receive())
		if err != nil || len(theirs) != 32 {
			t.Fatal(theirs, err)
		}
		var key [32]byte
		box.Precompute(&key, (*[32]byte)(theirs), private)
		send(seal([]byte(`{"request":"access_token","account":"work"}`), &key))
		got, err := open([]byte(receive()), &key)
		if err != nil || !strings.Contains(string(got), `"access_token":"<token>"`) {
			t.Error(string(got), err)
		}
	}
}

// TestPlain: the same without encryption, in pieces.
func TestPlain(t *testing.T) {
	c := start(t, &holder{})
	for _, part := range []string{`{"request":`, `"check"}`} {
		c.Write([]byte(part))
	}
	b := make([]byte, 100)
	if n, _ := c.Read(b); string(b[:n]) != `{"status":"success"}` {
		t.Error(string(b[:n]))
	}
}

// FuzzOpen: nothing that a client sends panics, and only what was sealed opens.
func FuzzOpen(f *testing.F) {
	var key [32]byte
	f.Add(string(seal([]byte("{}"), &key)))
	f.Add("2:AAAA:")
	f.Add("-1::")
	f.Add("99999999999999999999:x:y")
	f.Fuzz(func(t *testing.T, message string) {
		other := [32]byte{1}
		if text, err := open([]byte(message), &other); err == nil {
			t.Errorf("%q opens as %q", message, text)
		}
		if text, err := open([]byte(message), &key); err == nil && len(text) > maxRequest {
			t.Errorf("%d bytes", len(text))
		}
	})
}
