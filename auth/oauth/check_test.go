package oauth

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The server's metadata is the judge of what a person typed.
func TestCheck(t *testing.T) {
	for _, test := range []struct {
		name     string
		metadata func(doc map[string]any)
		provider Provider
		issuer   string // added to the server's address
		want     string // empty: right, or nobody to ask
	}{
		{name: "right"},
		{name: "another issuer", metadata: func(doc map[string]any) { doc["issuer"] = "https://id.example.com/" }, want: "calls itself"},
		{name: "no document there", issuer: "/realm", want: "no discovery document"},
		{name: "the other way of a secret", metadata: func(doc map[string]any) {
			doc["token_endpoint_auth_methods_supported"] = []string{"client_secret_post"}
		}, provider: Provider{ClientAuth: "basic"}, want: `"post" only; change client_auth`},
		{name: "a way that is not listed", metadata: func(doc map[string]any) {
			doc["token_endpoint_auth_methods_supported"] = []string{"private_key_jwt"}
		}, provider: Provider{ClientAuth: "basic"}},
		{name: "no devices", metadata: func(doc map[string]any) { delete(doc, "device_authorization_endpoint") }, want: "device_endpoint"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startServer(t)
			s.metadata = test.metadata
			c := s.client(t, func(config *Config) { config.Issuer += test.issuer })
			c.provider.ClientAuth = test.provider.ClientAuth
			c.provider.DeviceFirst = test.name == "no devices"
			err := c.Check(t.Context())
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	c, err := New(Config{Issuer: gone.URL, ClientID: "x"})
	if err == nil {
		err = c.Check(t.Context())
	}
	if err != nil {
		t.Errorf("a server that is away: %v", err)
	}
}
