package oauth

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"curfew/auth"

	"curfew/auth/authserver/peers"
	"curfew/auth/authserver/robot"
	"curfew/auth/oauth/door"
	"curfew/auth/oauth/dpop"
)

// peerSignIn signs in at a peer with a scripted browser.
func peerSignIn(t *testing.T, c *Client, person *robot.Browser, o SignInOptions) (Grant, error) {
	t.Helper()
	flow, done := begin(t, c, o)
	person.Logf = t.Logf
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	page, err := person.Visit(ctx, flow.URL)
	if err != nil || !page.Arrived {
		t.Fatalf("the robot got to %s: %v", page.Text, err)
	}
	got := <-done
	return got.grant, got.err
}

func alice() *robot.Browser { return &robot.Browser{User: "alice", Password: "alice-pw"} }

// peerLife is what every rotating server must do with us. We sign in, refresh
// twice and revoke, and a used token is refused.
func peerLife(t *testing.T, c *Client, subject string, familyDies bool) {
	t.Helper()
	g, err := peerSignIn(t, c, alice(), SignInOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if g.Identity.Subject != subject || g.AccessToken.IsZero() || g.RefreshToken.IsZero() ||
		g.ExpiresIn > 15*time.Minute || g.ExpiresIn < 14*time.Minute { // Doorkeeper says what is left when it answers
		t.Fatalf("grant %+v", g)
	}
	first := g.RefreshToken
	for range 2 {
		next, err := c.Refresh(t.Context(), g.RefreshToken, Origin{Identity: g.Identity, Endpoints: g.Endpoints})
		if err != nil {
			t.Fatal(err)
		}
		if next.RefreshToken.IsZero() || next.RefreshToken.Reveal() == g.RefreshToken.Reveal() || next.AccessToken.Reveal() == g.AccessToken.Reveal() {
			t.Fatalf("not rotated: %+v", next)
		}
		next.Identity, g = g.Identity, next
	}
	if _, err := c.Refresh(t.Context(), first, Origin{Identity: g.Identity, Endpoints: g.Endpoints}); classOf(err) != Dead {
		t.Errorf("a used token: class %v, %v", classOf(err), err)
	}
	if familyDies {
		if _, err := c.Refresh(t.Context(), g.RefreshToken, Origin{Identity: g.Identity, Endpoints: g.Endpoints}); classOf(err) != Dead {
			t.Errorf("the family outlives a replay: class %v, %v", classOf(err), err)
		}
		if g, err = peerSignIn(t, c, alice(), SignInOptions{ForceLogin: true, LoginHint: "alice"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Revoke(t.Context(), g.RefreshToken); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Refresh(t.Context(), g.RefreshToken, Origin{Identity: g.Identity, Endpoints: g.Endpoints}); classOf(err) != Dead {
		t.Errorf("a revoked token: class %v, %v", classOf(err), err)
	}
	if err := c.Revoke(t.Context(), g.RefreshToken); err != nil { // RFC 7009 section 2.2
		t.Errorf("revoking twice: %v", err)
	}
}

func TestPeerOIDCProvider(t *testing.T) {
	t.Parallel()
	servers := peers.OIDCProvider(t, 15*time.Minute)
	issuer := servers["plain"].Issuer
	client := func(configuration string, change func(*Config)) *Client {
		server, ok := servers[configuration]
		if !ok {
			t.Fatal("no configuration ", configuration)
		}
		config := Config{Issuer: server.Issuer, ClientID: server.ClientID, ClientSecret: auth.NewSecret(server.ClientSecret), Scopes: []string{"openid", "offline_access", "email"}}
		if change != nil {
			change(&config)
		}
		c, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	t.Run("public client", func(t *testing.T) { peerLife(t, client("plain", nil), "alice", true) })
	for _, other := range []string{"EdDSA", "secret by header", "PAR only"} {
		t.Run(other, func(t *testing.T) { peerLife(t, client(other, nil), "alice", true) })
	}
	t.Run("wrong secret", func(t *testing.T) {
		c := client("secret by header", func(c *Config) { c.ClientSecret = auth.NewSecret("wrong") })
		if _, err := peerSignIn(t, c, alice(), SignInOptions{}); classOf(err) != HeldBack {
			t.Errorf("class %v, %v", classOf(err), err)
		}
	})
	for _, redirect := range []string{"http://[::1]/callback", "http://localhost/callback"} {
		t.Run(redirect, func(t *testing.T) {
			if !door.HasIPv6() {
				t.Skip("no IPv6 loopback on this machine")
			}
			c := client("plain", func(c *Config) { c.Redirect = redirect })
			if g, err := peerSignIn(t, c, alice(), SignInOptions{}); err != nil || g.Identity.Display != "alice@example.test" {
				t.Errorf("%+v, %v", g.Identity, err)
			}
		})
	}
	// The server binds access tokens with the refresh token. Tools expect them
	// bearer, so that is only done when the account asks.
	t.Run("DPoP unasked", func(t *testing.T) {
		g, err := peerSignIn(t, client("plain", nil), alice(), SignInOptions{})
		if err != nil || g.TokenType != "Bearer" || !g.Key.IsZero() || g.RefreshToken.IsZero() {
			t.Errorf("%+v, %v", g, err)
		}
	})
	t.Run("DPoP", func(t *testing.T) {
		c := client("plain", func(c *Config) { c.DPoP = "always" })
		if err := c.Check(t.Context()); err != nil {
			t.Error(err)
		}
		g, err := peerSignIn(t, c, alice(), SignInOptions{})
		if err != nil || g.TokenType != "DPoP" || g.Key.IsZero() || g.RefreshToken.IsZero() {
			t.Fatalf("%+v, %v", g, err)
		}
		if _, err := client("plain", nil).Refresh(t.Context(), g.RefreshToken, Origin{Identity: g.Identity, Endpoints: g.Endpoints}); err == nil {
			t.Error("a refresh without the key")
		}
		for range 2 {
			next, err := c.Refresh(t.Context(), g.RefreshToken, Origin{Identity: g.Identity, Endpoints: g.Endpoints, Key: g.Key})
			if err != nil || next.TokenType != "DPoP" || next.Key != g.Key {
				t.Fatalf("%+v, %v", next, err)
			}
			next.Identity, g = g.Identity, next
		}
		nonce := ""
		for _, want := range []int{http.StatusUnauthorized, http.StatusOK} { // the first asks for a nonce
			req, _ := http.NewRequest("GET", issuer+"/me", nil)
			proof, err := g.Key.Proof(dpop.Request{Method: "GET", URL: issuer + "/me", Nonce: nonce, AccessToken: g.AccessToken}, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "DPoP "+g.AccessToken.Reveal())
			req.Header.Set("DPoP", proof)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if nonce = resp.Header.Get("DPoP-Nonce"); resp.StatusCode != want {
				t.Errorf("the API answered %d, want %d: %s", resp.StatusCode, want, resp.Header.Get("WWW-Authenticate"))
			}
		}
	})
	t.Run("registered", func(t *testing.T) {
		made, err := client("plain", func(c *Config) { c.ClientID = "unregistered" }).Register(t.Context())
		if err != nil || made.ClientID == "" || !made.Secret.IsZero() {
			t.Fatalf("%+v, %v", made, err)
		}
		registered := client("plain", func(c *Config) { c.ClientID = made.ClientID })
		peerLife(t, registered, "alice", true)
		if err := registered.Unregister(t.Context(), made.Manage); err != nil || made.Manage.URI == "" {
			t.Error(err)
		}
		flow, err := registered.StartSignIn(t.Context(), SignInOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer flow.Close()
		if page, err := alice().Visit(t.Context(), flow.URL); page.Status != http.StatusBadRequest {
			t.Errorf("a deleted client gets to %s: %v", page.Text, err)
		}
	})
	t.Run("denied", func(t *testing.T) {
		person := alice()
		person.Deny = true
		if _, err := peerSignIn(t, client("plain", nil), person, SignInOptions{}); classOf(err) != Denied {
			t.Errorf("class %v, %v", classOf(err), err)
		}
	})
	t.Run("device", func(t *testing.T) {
		flow, err := client("plain", nil).StartDevice(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		person := alice()
		person.Logf = t.Logf
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		if page, err := person.Visit(ctx, flow.VerificationURIComplete); err != nil || page.Status != http.StatusOK {
			t.Fatalf("the robot got to %s: %v", page.Text, err)
		}
		g, err := flow.Wait(ctx)
		if err != nil || g.Identity.Subject != "alice" || g.RefreshToken.IsZero() {
			t.Errorf("%+v, %v", g, err)
		}
	})
}

func TestPeerDoorkeeper(t *testing.T) {
	t.Parallel()
	client := func(t *testing.T, issuer string) *Client {
		c, err := New(Config{Issuer: issuer, ClientID: "curfew", Scopes: []string{"openid", "email"}})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	t.Run("life", func(t *testing.T) {
		peerLife(t, client(t, peers.Doorkeeper(t, 15*time.Minute).Issuer), "user-1", false)
	})
	t.Run("an ID token without nonce", func(t *testing.T) {
		_, err := peerSignIn(t, client(t, peers.Doorkeeper(t, 15*time.Minute, "NONCE=0").Issuer), alice(), SignInOptions{})
		if classOf(err) != Protocol || !strings.Contains(err.Error(), "nonce") {
			t.Errorf("class %v, %v", classOf(err), err)
		}
	})
}
