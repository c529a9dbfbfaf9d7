//go:build unix

package agent

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"curfew/auth"
	"curfew/auth/agent/client"
	"curfew/auth/config"
)

// Guests get tokens. Of everything else that the agent serves they are refused,
// and what they say of a bus is not heard.
func TestGuests(t *testing.T) {
	e := newEngine("work")
	heard := false
	s := NewServer(Config{Engine: e, File: config.File(filepath.Join(t.TempDir(), "config.toml")), Version: "test", Session: func(string) { heard = true },
		Providers: func() []auth.Provider { return nil }, Doctor: func(context.Context) []client.Check { return nil }})
	h := s.ForGuests().handler(t.Context())
	ask := func(method, path, body string) int {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Host = client.Host
		r.Header.Set(client.BusHeader, "unix:path=/x")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	source, err := os.ReadFile("server.go")
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, m := range regexp.MustCompile(`"(GET|PUT|POST|PATCH|DELETE) (?:(/v1/[^"]*)"|"\+account(?:\+"([^"]*)")?)`).FindAllStringSubmatch(string(source), -1) {
		path := m[2]
		if path == "" {
			path = "/v1/accounts/{name}" + m[3]
		}
		want := http.StatusForbidden
		switch m[1] + " " + path {
		case "GET /v1/watch": // which does not end
			continue
		case "GET /v1/accounts", "GET /v1/accounts/{name}", "POST /v1/accounts/{name}/token", "GET /v1/version":
			want = http.StatusOK
		}
		asked++
		if got := ask(m[1], strings.Replace(path, "{name}", "work", 1), ""); got != want {
			t.Errorf("%s %s: %d, want %d", m[1], path, got, want)
		}
	}
	if asked < 20 {
		t.Errorf("only %d requests were tried", asked)
	}
	if got := ask("POST", "/v1/accounts/work/token", `{"exchange":{"scope":["a"],"refresh":true}}`); got != http.StatusForbidden {
		t.Errorf("a refresh for another token: %d", got)
	}
	if got := ask("POST", "/v1/accounts/work/token", `{"exchange":{"scope":["a"]}}`); got != http.StatusOK {
		t.Errorf("an exchange: %d", got)
	}
	if got := ask("POST", "/v1/accounts/work/token", `{"exchange":{"scope":["a"]},"id":true}`); got != http.StatusBadRequest {
		t.Errorf("an exchange for the ID token: %d", got)
	}
	if heard {
		t.Error("the bus of a guest is heard")
	}
}
