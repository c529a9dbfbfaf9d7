package standin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"curfew/auth"
	"curfew/auth/authserver/robot"
	"curfew/auth/oauth"
)

// straight is a transport into a handler. Every name leads there, but for this
// machine's.
type straight struct{ http.Handler }

func (h straight) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Hostname() == "127.0.0.1" || r.URL.Hostname() == "localhost" {
		return http.DefaultTransport.RoundTrip(r)
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

func classOf(err error) oauth.Class {
	if e, ok := errors.AsType[*oauth.Error](err); ok {
		return e.Class
	}
	return 0
}

// Every preset signs in at its stand-in with what a person has, which is a
// client ID and sometimes a secret, but no endpoint. The token is renewed, a
// dead one is known as dead, and the name is shown.
func TestStandIns(t *testing.T) {
	tested := map[string]bool{}
	for _, in := range StandIns {
		tested[in.Name] = true
		t.Run(in.Name, func(t *testing.T) {
			s := NewServer(t, in)
			config := oauth.Config{Provider: in.Name, Issuer: oauth.IssuerAt(in.Name, in.Typed), ClientID: ClientID, Transport: straight{s}}
			if fixed := ":47813"; strings.Contains(s.preset.Redirect, fixed) { // another run of this test may have that port
				free := freePort()
				config.Redirect = strings.Replace(s.preset.Redirect, fixed, free, 1)
				s.Redirect = strings.Replace(s.Redirect, fixed, free, 1)
			}
			if in.Secret != (s.preset.Secret == "required") {
				t.Errorf("a secret is asked for: %q", s.preset.Secret)
			}
			if in.Secret {
				config.ClientSecret = auth.NewSecret(ClientSecret)
			}
			if in.Device != s.preset.DeviceFirst {
				t.Errorf("device first: %v", s.preset.DeviceFirst)
			}
			c, err := oauth.New(config)
			if err != nil {
				t.Fatal(err)
			}
			grant := s.signIn(c)
			if grant.AccessToken.Reveal() != "at-1" || grant.Identity.Display != in.Want || grant.RefreshToken.IsZero() != in.NoRenew {
				t.Errorf("grant %q of %q, refresh token %v", grant.AccessToken.Reveal(), grant.Identity.Display, !grant.RefreshToken.IsZero())
			}
			if d := grant.ExpiresIn - in.Life; d < -time.Minute || d > time.Minute {
				t.Errorf("an access token lives %v, want %v", grant.ExpiresIn, in.Life)
			}
			if !in.NoRenew {
				s.renew(config, grant)
			}
		})
	}
	for _, p := range oauth.Providers() {
		if !tested[p.Name] && p.Unavailable == "" {
			t.Errorf("%s has no stand-in", p.Name)
		}
	}
}

// freePort returns a port that nobody has, with its colon. The kernel gives none of
// these to a program that asks for any, so it is still free when it is used.
func freePort() string {
	for {
		port := fmt.Sprintf(":%d", 20_000+rand.IntN(10_000))
		if ln, err := net.Listen("tcp", "127.0.0.1"+port); err == nil {
			ln.Close()
			return port
		}
	}
}

// signIn signs in as a person does: in the browser, or on another device.
func (s *Server) signIn(c *oauth.Client) oauth.Grant {
	s.t.Helper()
	if s.Device {
		flow, err := c.StartDevice(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		grant, err := flow.Wait(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		return grant
	}
	grant, err := visit(s.t, c, &robot.Browser{Transport: straight{s}}, oauth.SignInOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	return grant
}

// visit signs in with a scripted browser.
func visit(t testing.TB, c *oauth.Client, person *robot.Browser, o oauth.SignInOptions) (oauth.Grant, error) {
	t.Helper()
	flow, err := c.StartSignIn(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer flow.Close()
	type outcome struct {
		grant oauth.Grant
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		grant, err := flow.Wait(context.WithoutCancel(t.Context()), nil)
		done <- outcome{grant, err}
	}()
	person.Logf = t.Logf
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	page, err := person.Visit(ctx, flow.URL)
	if err != nil || !page.Arrived {
		t.Fatalf("the robot got to %s: %v", page.Text, err)
	}
	got := <-done
	return got.grant, got.err
}

// renew refreshes three times, tries a dead token and a wrong client, and
// revokes.
func (s *Server) renew(config oauth.Config, grant oauth.Grant) {
	t := s.t
	c, err := oauth.New(config)
	if err != nil {
		t.Fatal(err)
	}
	token, first := grant.RefreshToken, grant.RefreshToken
	from := oauth.Origin{Identity: grant.Identity, Endpoints: grant.Endpoints}
	for i := range 3 {
		g, err := c.Refresh(t.Context(), token, from)
		if err != nil {
			t.Fatalf("refresh %d: %v", i+1, err)
		}
		if g.AccessToken.Reveal() != fmt.Sprintf("at-%d", i+2) || g.RefreshToken.IsZero() != s.Keeps {
			t.Errorf("refresh %d: %q, a new refresh token: %v", i+1, g.AccessToken.Reveal(), !g.RefreshToken.IsZero())
		}
		if !g.RefreshToken.IsZero() {
			token = g.RefreshToken
		}
	}
	if !s.Rotated {
		first = auth.NewSecret("rt-0") // one that was revoked
	}
	if _, err := c.Refresh(t.Context(), first, from); classOf(err) != oauth.Dead {
		t.Errorf("a dead refresh token: %v (%v)", classOf(err), err)
	}
	switch err := c.Revoke(t.Context(), token); {
	case s.Revokes && (err != nil || !slices.Contains(s.revoked, token.Reveal())):
		t.Errorf("revoked %q: %v", s.revoked, err)
	case !s.Revokes && err != oauth.ErrNoRevocation:
		t.Errorf("revocation: %v", err)
	}
	config.ClientID = "other"
	other, err := oauth.New(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Refresh(t.Context(), token, from); classOf(err) != oauth.HeldBack {
		t.Errorf("a wrong client: %v (%v)", classOf(err), err)
	}
}
