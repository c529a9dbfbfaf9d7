package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"curfew/auth/authserver"
)

// A demoServer is the demo's authorization server. It remembers the last
// refresh token that went over the wire, as a thief who listens would.
type demoServer struct {
	*authserver.Server
	http   *http.Server
	served chan error

	mu     sync.Mutex
	stolen string
}

// startDemoServer starts a server at its own address.
func startDemoServer(ctx context.Context, c authserver.Config) (*demoServer, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &demoServer{served: make(chan error, 1)}
	c.Issuer = "http://" + l.Addr().String()
	s.Server, err = authserver.New(c)
	if err != nil {
		l.Close()
		return nil, err
	}
	s.http = &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: 5 * time.Second}
	go func() { s.served <- s.http.Serve(l) }() // ends with close
	return s, nil
}

func (s *demoServer) close(ctx context.Context) error {
	s.Close()
	err := s.http.Shutdown(ctx)
	if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

func (s *demoServer) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/token" {
		s.ServeHTTP(w, r)
		return
	}
	wire := &wiretap{ResponseWriter: w}
	s.ServeHTTP(wire, r)
	var answer struct {
		RefreshToken string `json:"refresh_token"`
	}
	if json.Unmarshal(wire.answer.Bytes(), &answer) == nil && answer.RefreshToken != "" {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.stolen = answer.RefreshToken
	}
}

// steal returns the refresh token that went over the wire last.
func (s *demoServer) steal() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stolen
}

// A wiretap keeps a copy of an answer.
type wiretap struct {
	http.ResponseWriter
	answer bytes.Buffer
}

func (w *wiretap) Write(b []byte) (int, error) {
	w.answer.Write(b)
	return w.ResponseWriter.Write(b)
}

// tryRefresh sends a refresh token as somebody who is not Curfew, and returns
// what the server thinks of it.
func (s *demoServer) tryRefresh(ctx context.Context, refreshToken string) (string, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}, "client_id": {authserver.DefaultClientID}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Issuer()+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return verdict(req)
}

// tryAPI asks the protected resource who the person is.
func (s *demoServer) tryAPI(ctx context.Context, token string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Issuer()+"/api/me", nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return verdict(req)
}

// verdict sends a request and returns the answer in a few words: the status
// with the error's description, or with whose token it was.
func verdict(req *http.Request) (string, error) {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<16))
	if err != nil {
		return "", err
	}
	var answer struct {
		Sub         string `json:"sub"`
		Description string `json:"error_description"`
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return "", fmt.Errorf("%s: %w", res.Status, err)
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", res.StatusCode, answer.Sub+answer.Description)), nil
}
