//go:build unix

package client_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/oauth2"

	"curfew/auth/agent/client"
)

// A program asks for a token each time that it needs one. The agent answers
// from its memory, and refreshes when that is needed.
func ExampleClient_Token() {
	socket, stop := exampleAgent()
	defer stop()

	c := client.NewClient(socket) // "" is the agent of this user
	token, err := c.Token(context.Background(), "work", 5*time.Minute, "")
	if err != nil {
		fmt.Println(err) // an *auth.Error, with a hint
		return
	}
	fmt.Println("Authorization: Bearer " + token.AccessToken.Reveal())
	// Output: Authorization: Bearer example
}

// source is an [oauth2.TokenSource]: any library that takes one gets the
// agent's tokens, and never sees a refresh token.
type source struct {
	client  *client.Client
	account string
}

func (s source) Token() (*oauth2.Token, error) {
	t, err := s.client.Token(context.Background(), s.account, -1, "")
	if err != nil {
		return nil, err
	}
	return &oauth2.Token{AccessToken: t.AccessToken.Reveal(), TokenType: t.TokenType, Expiry: t.ExpiresAt}, nil
}

func ExampleClient_Token_source() {
	socket, stop := exampleAgent()
	defer stop()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Header.Get("Authorization"))
	}))
	defer api.Close()

	client := oauth2.NewClient(context.Background(), source{client.NewClient(socket), "work"})
	res, err := client.Get(api.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	io.Copy(os.Stdout, res.Body)
	// Output: Bearer example
}

// exampleAgent stands in for a running agent.
func exampleAgent() (socket string, stop func()) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	socket = filepath.Join(dir, "agent.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		panic(err)
	}
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"access_token": "example", "token_type": "Bearer", "expires_at": %q}`, time.Now().Add(time.Hour).Format(time.RFC3339))
	}))
	return socket, func() { l.Close(); os.RemoveAll(dir) }
}
