package oauth

import (
	"slices"
	"strings"
	"testing"
)

// Every provider that people know by name can be signed in to with a client ID,
// and a secret where it wants one. No endpoint is needed. If that is not
// possible, the preset says why.
func TestPresets(t *testing.T) {
	want := strings.Fields(`google github github-app microsoft gitlab gitea forgejo keycloak okta auth0 dropbox discord slack zoom
		atlassian bitbucket twitch salesforce huggingface linkedin strava dex zitadel authentik spotify oidc fitbit orcid`)
	var got []string
	for _, p := range Providers() {
		got = append(got, p.Name)
		t.Run(p.Name, func(t *testing.T) {
			if len(p.Sources) == 0 {
				t.Error("it does not say where its facts stand")
			}
			if p.Unavailable != "" {
				return
			}
			if len(p.Steps) < 2 {
				t.Error("it does not say how to register an application")
			}
			if p.NeedsIssuer != (p.Issuer == "" && p.IssuerAsk != "" && p.AuthorizationEndpoint == "") {
				t.Errorf("needs an issuer: %v; asks for %q", p.NeedsIssuer, p.IssuerAsk)
			}
			if p.AuthorizationEndpoint != "" && p.UserinfoEndpoint != "" && len(p.DisplayFields) == 0 {
				t.Error("it knows where names are, but not which")
			}
			for _, words := range slices.Concat(p.Steps, p.Warnings) {
				if words == "" || strings.HasSuffix(words, ".") || strings.Count(words, ";") > 1 {
					t.Errorf("%q is not one plain sentence without its full stop", words)
				}
			}
			issuer := ""
			if p.NeedsIssuer {
				issuer = IssuerAt(p.Name, p.IssuerExample)
			}
			if _, err := New(Config{Provider: p.Name, Issuer: issuer, ClientID: "id"}); err != nil {
				t.Error(err)
			}
		})
	}
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestIssuerAt(t *testing.T) {
	for _, test := range []struct{ provider, typed, want string }{
		{"microsoft", "contoso.com", "https://login.microsoftonline.com/contoso.com/v2.0"},
		{"microsoft", "https://login.microsoftonline.us/contoso.com/v2.0", "https://login.microsoftonline.us/contoso.com/v2.0"},
		{"okta", "dev-1.okta.com", "https://dev-1.okta.com/oauth2/default"},
		{"auth0", "example.eu.auth0.com", "https://example.eu.auth0.com/"},
		{"keycloak", "id.example.com/realms/main/", "https://id.example.com/realms/main"},
		{"gitlab", "", ""},
		{"oidc", "id.example.com", "id.example.com"},
		{"", "id.example.com", "id.example.com"},
	} {
		if got := IssuerAt(test.provider, test.typed); got != test.want {
			t.Errorf("%s, %q: %q, want %q", test.provider, test.typed, got, test.want)
		}
	}
}
