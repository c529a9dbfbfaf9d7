package oauth

import (
	"testing"
	"time"
)

func TestSignIn(t *testing.T) {
	s := startServer(t)
	c := s.client(t, nil)
	got, page := signIn(t, c, SignInOptions{})
	if got.err != nil {
		t.Fatal(got.err)
	}
	g := got.grant
	if g.AccessToken.Reveal() != "at-1" || g.RefreshToken.Reveal() != "rt-1" || g.ExpiresIn != 15*time.Minute || g.TokenType != "Bearer" {
		t.Errorf("grant %+v", g)
	}
	_ = page
}
