package main

import (
	"errors"
	"io"
	"strings"
	"testing"

	"curfew/auth"
	"curfew/auth/oauth"
)

// Without flags a person is asked, and shown how to register an application. A
// wrong answer is asked for again.
func TestAddAsks(t *testing.T) {
	for _, test := range []struct {
		name  string
		known auth.Account
		typed []string
		want  auth.Account
		shown string
	}{
		{"all", auth.Account{}, []string{"?", "githb", "spotify", "", "id", "", ""},
			auth.Account{Name: "spotify", Provider: "spotify", ClientID: "id"}, `there is no provider "githb"; did you mean github?`},
		{"its guide", auth.Account{}, []string{"gitea", "", "git.example.com", "id", "read:user", "a b", "work"},
			auth.Account{Name: "work", Provider: "gitea", Issuer: "git.example.com", ClientID: "id", Scopes: []string{"read:user"}}, "Note: A token with openid"},
		{"any server", auth.Account{Name: "x"}, []string{"oidc", "", "foo", "http://id.example.com", "http://127.0.0.1:9000", "id", ""},
			auth.Account{Name: "x", Provider: "oidc", Issuer: "http://127.0.0.1:9000", ClientID: "id"}, "it is a web address that starts with https://"},
		{"what cannot be used", auth.Account{Name: "x"}, []string{"fitbit", "google", "id", ""},
			auth.Account{Name: "x", Provider: "google", ClientID: "id"}, "shut down"},
		{"the rest of the flags", auth.Account{Name: "x", Provider: "microsoft"}, []string{"contoso.com", "id", ""},
			auth.Account{Name: "x", Provider: "microsoft", Issuer: "contoso.com", ClientID: "id"}, "http://localhost/callback"},
		{"only the name", auth.Account{Issuer: "https://id.example.com", ClientID: "id"}, []string{"", "work"},
			auth.Account{Name: "work", Issuer: "https://id.example.com", ClientID: "id"}, "letters"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var shown strings.Builder
			typed := test.typed
			q := questions{
				line: func(prompt string) (string, error) {
					if len(typed) == 0 {
						return "", io.EOF
					}
					line := typed[0]
					typed = typed[1:]
					return line, nil
				},
				print: func(text string) { shown.WriteString(text + "\n") },
			}
			a := test.known
			if err := q.complete(&a, oauth.Listing()); err != nil || !auth.SameAccount(a, test.want) || len(typed) > 0 {
				t.Errorf("got %+v, %v; not asked for %q", a, err, typed)
			}
			if !strings.Contains(shown.String(), test.shown) {
				t.Errorf("shown:\n%s", &shown)
			}
		})
	}
	q := questions{line: func(string) (string, error) { return "", io.EOF }, print: func(string) {}}
	if e, ok := errors.AsType[*auth.Error](q.complete(new(auth.Account), oauth.Listing())); !ok || !strings.Contains(e.Message, "nothing was added") {
		t.Errorf("Ctrl-C: %v", e)
	}
}

func TestCompletion(t *testing.T) {
	for typed, want := range map[string]string{"spo": "spotify", "gith": "github", "s": "s", "sl": "slack", "x": "x", "github-": "github-app"} {
		if got := completion(typed, oauth.Listing()); got != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}
