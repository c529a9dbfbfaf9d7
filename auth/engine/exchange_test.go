package engine

import (
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"curfew/auth"
)

// An exchange gives a token with less power. Many callers share it, and it
// costs no refresh. What the server refuses says nothing of the session.
func TestExchange(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		var mu sync.Mutex
		trades := 0
		w.net.onAnswer = func(form url.Values, _ []byte) {
			if strings.HasSuffix(form.Get("grant_type"), ":token-exchange") {
				mu.Lock()
				trades++
				mu.Unlock()
				if form.Has("refresh_token") {
					t.Error("the refresh token is sent")
				}
			}
		}
		get := func(e auth.Exchange) (auth.Token, error) {
			r := patient(-1, "test")
			r.Exchange = &e
			return w.m.Token(t.Context(), "work", r)
		}
		less := auth.Exchange{Scope: []string{"openid"}, Audience: []string{issuer + "/api"}}
		w.signIn()
		whole := w.mustToken()
		var first auth.Token
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				token, err := get(less)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				first = token
			})
		}
		wg.Wait()
		if trades != 1 || w.net.refreshes() != 0 || w.snapshotOf("work").RefreshesUsed != 0 {
			t.Errorf("%d exchanges and %d refreshes for 50 callers", trades, w.net.refreshes())
		}
		if strings.Join(first.Scope, " ") != "openid" || first.AccessToken.Reveal() == whole.AccessToken.Reveal() || first.ExpiresIn > whole.ExpiresIn {
			t.Errorf("%v next to %v", first, whole)
		}
		if w.mustToken().AccessToken.Reveal() != whole.AccessToken.Reveal() {
			t.Error("the session's own token is another")
		}

		// With the access token goes what it was traded for.
		time.Sleep(15 * time.Minute)
		second, err := get(less)
		must(t, err)
		if trades != 2 || w.net.refreshes() != 1 || second.AccessToken.Reveal() == first.AccessToken.Reveal() {
			t.Errorf("%d exchanges, %d refreshes", trades, w.net.refreshes())
		}

		_, err = get(auth.Exchange{Resource: []string{"https://other.example.com"}})
		w.wantError(err, auth.KindRefused, "")
		if !strings.Contains(err.Error(), "No such API is known here") {
			t.Errorf("the words: %v", err)
		}
		_, err = get(auth.Exchange{Scope: []string{"admin"}})
		w.wantError(err, auth.KindRefused, "")
		w.wantState(auth.Active, "")
		w.net.fail(offline)
		_, err = get(auth.Exchange{Scope: []string{"offline_access"}})
		w.wantError(err, auth.KindUnavailable, "")
		w.wantState(auth.Active, "")
		if token, err := get(less); err != nil || token.AccessToken.Reveal() != second.AccessToken.Reveal() {
			t.Errorf("what was there without a network: %v", err)
		}
		w.net.fail(nil)

		// Another session has its own.
		_, err = w.m.SignOut(t.Context(), "work")
		must(t, err)
		_, err = get(less)
		w.wantError(err, auth.KindSignInNeeded, auth.ByUser)
		w.signIn()
		third, err := get(less)
		must(t, err)
		if third.AccessToken.Reveal() == second.AccessToken.Reveal() {
			t.Error("the token of the session before")
		}
	})
}

// A refresh token that comes with an exchange, which nobody asked for, is
// revoked. Where that might end the session, it waits for the session's end.
func TestExchangeGivesRefreshToken(t *testing.T) {
	for reach, want := range map[string]struct{ atOnce, later int }{reachToken: {1, 1}, reachGrant: {0, 0}, "": {0, 1}} {
		t.Run("reach "+reach, func(t *testing.T) {
			play(t, nil, func(t *testing.T, w *world) {
				p := w.plainServer(reachGrant)
				w.signInPlain("one", false)
				if reach != "" {
					w.m.locked(func() { w.m.journal.Learn(w.m.accounts["one"].facts.Bound.Key(), reach) })
				}
				r := patient(-1, "test")
				r.Exchange = &auth.Exchange{Scope: []string{"less"}}
				_, err := w.m.Token(t.Context(), "one", r)
				must(t, err)
				time.Sleep(time.Hour)
				revoked := func() (n int) {
					p.mu.Lock()
					defer p.mu.Unlock()
					for _, token := range p.revoked {
						if token == "rt2" { // the exchange's
							n++
						}
					}
					return n
				}
				if n := revoked(); n != want.atOnce {
					t.Errorf("revoked %d times with a session that lives", n)
				}
				must(t, w.refreshes("one"))
				_, err = w.m.SignOut(t.Context(), "one")
				must(t, err)
				time.Sleep(3 * time.Hour)
				if n := revoked(); n != want.later {
					t.Errorf("revoked %d times after the session", n)
				}
			})
		})
	}
}
