package oauth

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"curfew/auth"
)

// A server is asked for a public client. A secret that it insists on is used,
// and every other answer ends in words without that secret.
func TestRegister(t *testing.T) {
	for _, c := range []struct {
		name, answer     string
		status           int
		want             Registered
		secret, mustFail string
	}{
		{"public", `{"client_id":"c1","token_endpoint_auth_method":"none"}`, 201, Registered{ClientID: "c1"}, "", ""},
		{"a secret for nothing", `{"client_id":"c1","client_secret":"s","token_endpoint_auth_method":"none"}`, 201, Registered{ClientID: "c1"}, "", ""},
		{"a secret in the body", `{"client_id":"c1","client_secret":"s","token_endpoint_auth_method":"client_secret_post"}`, 200, Registered{ClientID: "c1", ClientAuth: "post"}, "s", ""},
		{"a secret", `{"client_id":"c1","client_secret":"s"}`, 201, Registered{ClientID: "c1"}, "s", ""},
		{"management elsewhere", `{"client_id":"c1","registration_client_uri":"https://evil.test/reg/c1","registration_access_token":"t"}`, 201, Registered{ClientID: "c1"}, "", ""},
		{"refused", `{"error":"invalid_redirect_uri","error_description":"no loopback"}`, 400, Registered{}, "", "no loopback"},
		{"needs a token", `{"error":"invalid_token"}`, 401, Registered{}, "", "invalid_token"},
		{"no ID", `{"client_secret":"s3cret"}`, 201, Registered{}, "", "client_id"},
		{"a page", `<h1>`, 200, Registered{}, "", "client_id"},
		{"no endpoint", "", 0, Registered{}, "", "client ID"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var wish map[string]any
			mux := http.NewServeMux()
			s := httptest.NewServer(mux)
			defer s.Close()
			doc := map[string]any{"issuer": s.URL, "authorization_endpoint": s.URL + "/auth", "token_endpoint": s.URL + "/token"}
			if c.status != 0 {
				doc["registration_endpoint"] = s.URL + "/reg"
			}
			mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				json.NewEncoder(w).Encode(doc)
			})
			mux.HandleFunc("POST /reg", func(w http.ResponseWriter, r *http.Request) {
				json.NewDecoder(r.Body).Decode(&wish)
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(c.status)
				io.WriteString(w, c.answer)
			})
			client, err := New(Config{Issuer: s.URL, ClientID: "unregistered", Redirect: "http://127.0.0.1:4711/cb", Scopes: []string{"openid", "api"}})
			if err != nil {
				t.Fatal(err)
			}
			got, err := client.Register(t.Context())
			if c.mustFail != "" {
				if err == nil || !strings.Contains(err.Error(), c.mustFail) || strings.Contains(err.Error(), "s3cret") || classOf(err) == Unknown {
					t.Errorf("%+v, %v", got, err)
				}
				return
			}
			secret := got.Secret.Reveal()
			got.Secret = c.want.Secret
			if err != nil || got != c.want || secret != c.secret {
				t.Errorf("%+v with %q, %v", got, secret, err)
			}
			if fmt.Sprint(wish["redirect_uris"], wish["token_endpoint_auth_method"], wish["application_type"], wish["scope"]) != "[http://127.0.0.1:4711/cb]nonenativeopenid api" {
				t.Errorf("asked for %v", wish)
			}
		})
	}
}

// A client that was made can be deleted. One that is gone is no error.
func TestUnregister(t *testing.T) {
	for status, ok := range map[int]bool{204: true, 200: true, 401: true, 404: true, 403: false, 405: false, 500: false} {
		var asked string
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = r.Method + " " + r.URL.Path + " " + r.Header.Get("Authorization")
			w.WriteHeader(status)
		}))
		client, err := New(Config{Issuer: s.URL, ClientID: "c1"})
		if err != nil {
			t.Fatal(err)
		}
		err = client.Unregister(t.Context(), Management{s.URL + "/reg/c1", auth.NewSecret("t0ken")})
		if (err == nil) != ok || asked != "DELETE /reg/c1 Bearer t0ken" || err != nil && strings.Contains(err.Error(), "t0ken") {
			t.Errorf("%d: %q, %v", status, asked, err)
		}
		s.Close()
	}
}
