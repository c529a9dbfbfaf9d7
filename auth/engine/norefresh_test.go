package engine

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"curfew/auth"
)

// A session without a refresh token lives as long as its one token, 30 days at
// most. A restart keeps it, nothing renews it, and a sign-out revokes that token.
func TestNoRefreshToken(t *testing.T) {
	for _, c := range []struct {
		name     string
		life     int // expires_in
		ends     time.Duration
		want     auth.Reason
		lifetime string // access_lifetime of the account
	}{
		{"eight hours", 28800, 8 * time.Hour, auth.ByToken, ""},
		{"sixty days", 5184000, 30 * aDay, auth.ByAge, ""},
		{"not said", 0, 3 * time.Hour, auth.ByToken, "3h"},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, nil, withOther(func(t *testing.T, w *world, s *otherServer) {
				if s.bare = map[string]any{}; c.life > 0 {
					s.bare["expires_in"] = c.life
				}
				a := otherAccount()
				a.AccessLifetime = c.lifetime
				must(t, w.m.SetAccount(a))
				w.accounts = []auth.Account{w.account(), a}
				w.signInPlain("other", false)
				begun := w.now()
				w.restart()
				token, err := w.m.Token(t.Context(), "other", patient(-1, "x"))
				must(t, err)
				if got := token.AccessToken.Reveal(); got != "at1" || s.n != 1 {
					t.Errorf("the token is %q after %d answers", got, s.n)
				}
				v := w.snapshotOf("other")
				if v.State != auth.Active || !v.NoRefresh || v.RefreshesUsed != 0 || v.RefreshesLeft != 0 || v.LimitedBy == auth.LimitRefreshes ||
					v.EndsAt.Sub(v.SignedInAt) != c.ends || !strings.Contains(strings.Join(v.Warnings, " "), "no refresh token") {
					t.Errorf("snapshot %+v", v)
				}
				if err := w.refreshes("other"); err == nil || !strings.Contains(err.Error(), "cannot be renewed") {
					t.Errorf("refresh: %v", err)
				}
				for w.snapshotOf("other").State != auth.Ended && w.now().Sub(begun) < 40*aDay {
					time.Sleep(time.Minute)
					synctest.Wait()
				}
				if age, v := w.now().Sub(begun), w.snapshotOf("other"); age < c.ends-time.Minute || age > c.ends+2*time.Minute || v.Reason != c.want {
					t.Errorf("ended by %q after %v", v.Reason, age)
				}
				_, err = w.m.Token(t.Context(), "other", patient(-1, "x"))
				if e, ok := err.(*auth.Error); !ok || e.Kind != auth.KindSignInNeeded {
					t.Errorf("a token of an ended session: %v", err)
				}
				w.signInPlain("other", false)
				if r, err := w.m.SignOut(t.Context(), "other"); err != nil || !r.Revoked {
					t.Errorf("sign-out: %+v %v", r, err)
				}
				if n := len(s.revoked); n == 0 || s.revoked[n-1] != "access_token at2" {
					t.Errorf("revoked %q", s.revoked)
				}
			}))
		})
	}
}

// Without a refresh token and without a life a sign-in would end at once: it is
// refused in words that name the setting, and what came is revoked.
func TestNoRefreshTokenNoLife(t *testing.T) {
	play(t, nil, withOther(func(t *testing.T, w *world, s *otherServer) {
		s.bare = map[string]any{}
		_, err := w.m.StartSignIn(t.Context(), "other", auth.SignInRequest{Device: true})
		must(t, err)
		time.Sleep(time.Minute)
		synctest.Wait()
		if v := w.snapshotOf("other"); v.SignIn.Phase != auth.PhaseFailed || !strings.Contains(v.SignIn.Message, "access_lifetime") {
			t.Errorf("sign-in: %+v", v.SignIn)
		}
		if len(s.revoked) != 1 || s.revoked[0] != "access_token at1" {
			t.Errorf("revoked %q", s.revoked)
		}
	}))
}

// A server that does not say how long its tokens live is reported at the
// sign-in, with the setting that helps. It has broken no rule.
func TestNoLifetimeIsSaid(t *testing.T) {
	play(t, nil, withOther(func(t *testing.T, w *world, s *otherServer) {
		s.bare = map[string]any{"refresh_token": "rt"}
		w.signInPlain("other", false)
		if v := w.snapshotOf("other"); v.NoRefresh || !strings.Contains(strings.Join(v.Warnings, " "), "access_lifetime") {
			t.Errorf("warnings %q", v.Warnings)
		}
		var last error
		for range 3 {
			_, last = w.m.Token(t.Context(), "other", patient(-1, "x"))
		}
		if e, ok := last.(*auth.Error); !ok || !strings.Contains(e.Hint, "access_lifetime") || strings.Contains(e.Message, "protocol") {
			t.Errorf("the third token in a row: %v", last)
		}
	}))
}
