package engine

import (
	"strings"
	"sync"
	"testing"
	"time"

	"curfew/auth"
)

// byRefresh asks for a token with fewer scopes, at the price of a refresh.
func (w *world) byRefresh(e auth.Exchange, minValid time.Duration) (auth.Token, error) {
	e.Refresh = true
	r := patient(minValid, "other")
	r.Exchange = &e
	return w.m.Token(w.t.Context(), "work", r)
}

var fewer = auth.Exchange{Scope: []string{"openid"}, Resource: []string{issuer + "/api"}}

// A refresh for another token is counted once, however many ask, and the
// session's own token stays. Callers of both kinds get what they asked for.
func TestRefreshForAnother(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		own := w.mustToken()
		all := func() (other auth.Token) {
			var mu sync.Mutex
			var wg sync.WaitGroup
			for i := range 20 {
				wg.Go(func() {
					token, err := w.byRefresh(fewer, -1)
					if i%2 == 0 {
						token, err = w.token()
					}
					if err != nil {
						t.Error(err)
					}
					if scope := strings.Join(token.Scope, " "); (scope == "openid") == (i%2 == 0) {
						t.Errorf("a token with the scope %q", scope)
					}
					mu.Lock()
					defer mu.Unlock()
					if i%2 != 0 {
						other = token
					}
				})
			}
			wg.Wait()
			return other
		}
		first := all()
		if w.net.refreshes() != 1 || w.status().RefreshesUsed != 1 || first.ExpiresIn < 14*time.Minute {
			t.Errorf("%d refreshes, %d counted, %v", w.net.refreshes(), w.status().RefreshesUsed, first.ExpiresIn)
		}
		if w.mustToken().AccessToken.Reveal() != own.AccessToken.Reveal() || w.status().AccessExpiresAt.IsZero() {
			t.Error("the session's own token is another")
		}
		time.Sleep(16 * time.Minute) // both have expired
		if second := all(); second.AccessToken.Reveal() == first.AccessToken.Reveal() || w.net.refreshes() != 3 || w.status().RefreshesUsed != 3 {
			t.Errorf("%d refreshes, %d counted", w.net.refreshes(), w.status().RefreshesUsed)
		}

		// A token that is young is not renewed for more than it can give.
		for range 5 {
			_, err := w.byRefresh(fewer, time.Hour)
			w.wantError(err, auth.KindUnavailable, "")
		}
		if w.net.refreshes() != 3 {
			t.Errorf("%d refreshes for a life that no token has", w.net.refreshes())
		}
		w.restart()
		if got := w.mustToken(); strings.Join(got.Scope, " ") == "openid" || w.net.refreshes() != 3 {
			t.Errorf("after a restart: %v", got)
		}
	})
}

// What a server says of another resource says nothing about the session, even if
// it says that the token is dead. The count is not wasted: it brings the
// session's own token.
func TestRefreshForAnotherRefused(t *testing.T) {
	for _, dead := range []bool{false, true} {
		play(t, nil, func(t *testing.T, w *world) {
			w.signIn()
			time.Sleep(7 * time.Minute)
			elsewhere := auth.Exchange{Resource: []string{"https://other.example.com"}}
			if dead {
				elsewhere = fewer
				must(t, w.faults.Set("refresh:400;error=invalid_grant*1"))
			}
			before := w.mustToken()
			_, err := w.byRefresh(elsewhere, -1)
			w.wantError(err, auth.KindRefused, "")
			time.Sleep(time.Minute)
			w.wantState(auth.Active, "")
			if s := w.status(); s.RefreshesUsed != 1 || w.net.refreshes() != 2 {
				t.Errorf("%d refreshes counted, %d requests", s.RefreshesUsed, w.net.refreshes())
			}
			if after := w.mustToken(); after.AccessToken.Reveal() == before.AccessToken.Reveal() || !after.ExpiresAt.After(before.ExpiresAt) {
				t.Error("the refresh brought nothing")
			}
			if _, err := w.byRefresh(fewer, -1); err != nil {
				t.Error(err)
			}
		})
	}
	// An answer that was lost before the refusal may come again. It is not the
	// session's own token either.
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		time.Sleep(7 * time.Minute)
		must(t, w.faults.Set("refresh:502-after-rotate*1,refresh:400;error=invalid_target*1"))
		_, err := w.byRefresh(fewer, -1)
		w.wantError(err, auth.KindRefused, "")
		time.Sleep(2 * time.Second)
		for range 2 { // now, and when the token of the sign-in has expired
			if token := w.mustToken(); len(token.Scope) != 2 {
				t.Errorf("the session's own token has the scopes %q", token.Scope)
			}
			time.Sleep(8 * time.Minute)
		}
	})
	// A session that is dead ends all the same.
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		must(t, w.faults.Set("refresh:400;error=invalid_grant"))
		_, err := w.byRefresh(fewer, -1)
		w.wantError(err, auth.KindRefused, "")
		time.Sleep(time.Minute)
		w.wantState(auth.Ended, auth.ByRevocation)
	})
}

// An agent that dies in such a refresh completes it as it was begun: what comes
// for another resource does not become the session's own token.
func TestRefreshForAnotherCrash(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		time.Sleep(time.Minute)
		var d *death
		w.net.onRefresh = func(string) func([]byte) {
			return func([]byte) {
				if d == nil {
					d = w.setAside("crash")
					w.net.fail(offline)
				}
			}
		}
		_, err := w.byRefresh(fewer, -1) // in a dream
		must(t, err)
		w.net.onRefresh = nil
		w.stop()
		w.net.fail(nil)
		w.rise(d)
		time.Sleep(time.Second)
		scopes := w.mustToken().Scope
		if s := w.status(); s.RefreshesUsed != 1 || strings.Join(scopes, " ") == "openid" {
			t.Errorf("%d refreshes counted, the session's own token has the scopes %q", s.RefreshesUsed, scopes)
		}
		sent := w.net.refreshes()
		if token, err := w.byRefresh(fewer, -1); err != nil || strings.Join(token.Scope, " ") != "openid" || w.net.refreshes() != sent {
			t.Errorf("what the completed refresh brought: %v, %v, %d more", token.Scope, err, w.net.refreshes()-sent)
		}
	})
}
