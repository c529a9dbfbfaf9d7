package engine

import (
	"cmp"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"curfew/auth"
)

// slowly makes the server take its time before it answers a refresh.
func (w *world) slowly(d time.Duration) {
	good := w.net.server
	w.net.server = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			time.Sleep(d)
		}
		good.ServeHTTP(rw, r)
	})
}

// A token that is valid for less than was asked is better than nothing, for
// callers that say so.
func TestBest(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		best := func(minValid time.Duration) (auth.Token, error) {
			return w.m.Token(t.Context(), "work", auth.TokenRequest{MinValid: minValid, Best: true, Program: "test"})
		}
		w.signIn()
		first := w.mustToken()
		time.Sleep(6 * time.Minute) // 9 of 15 are left
		_, err := w.m.Token(t.Context(), "work", patient(10*time.Minute, "test"))
		w.wantError(err, auth.KindUnavailable, "")
		for _, minValid := range []time.Duration{10 * time.Minute, time.Hour} {
			tok, err := best(minValid)
			if err != nil || tok.AccessToken.Reveal() != first.AccessToken.Reveal() || tok.ExpiresIn < 8*time.Minute || tok.ExpiresIn > 9*time.Minute {
				t.Errorf("asked for %v: %v left, %v", minValid, tok.ExpiresIn, err)
			}
		}
		time.Sleep(3 * time.Minute) // older than half its life: a better one can be had
		if tok, err := best(10 * time.Minute); err != nil || tok.ExpiresIn < 14*time.Minute {
			t.Errorf("%v left, %v", tok.ExpiresIn, err)
		}
		time.Sleep(14*time.Minute + 30*time.Second)
		w.net.fail(offline)
		if tok, err := best(time.Minute); err != nil || tok.ExpiresIn < 20*time.Second {
			t.Errorf("offline: %v left, %v", tok.ExpiresIn, err)
		}
		time.Sleep(time.Minute)
		_, err = best(time.Minute)
		w.wantError(err, auth.KindUnavailable, "") // nothing usable is there
		_, err = w.m.SignOut(t.Context(), "work")
		must(t, err)
		_, err = best(time.Minute)
		w.wantError(err, auth.KindSignInNeeded, auth.ByUser)
	})
}

// A caller does not wait longer than it wants to. The refresh goes on.
func TestMaxWait(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		time.Sleep(time.Hour)
		w.slowly(40 * time.Second)
		for _, wait := range []time.Duration{0, 3 * time.Second} {
			began := time.Now()
			_, err := w.m.Token(t.Context(), "work", auth.TokenRequest{MinValid: auth.AnyValidity, MaxWait: wait})
			w.wantError(err, auth.KindUnavailable, "")
			if want, got := cmp.Or(wait, auth.DefaultMaxWait), time.Since(began); got != want {
				t.Errorf("MaxWait %v: it took %v, want %v", wait, got, want)
			}
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		w.mustToken()
		if n := w.net.refreshes(); n != 1 {
			t.Errorf("%d refreshes, want 1", n)
		}
	})
}

// A strict server may take its time: it is waited for, and gets the token once.
func TestSlowStrictServer(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		must(t, w.faults.Set("refresh:strict"))
		w.slowly(45 * time.Second)
		s, err := w.m.Refresh(t.Context(), "work", "test")
		if err != nil || s.RefreshesUsed != 1 || w.net.refreshes() != 1 {
			t.Fatalf("used %d, %d requests, %v", s.RefreshesUsed, w.net.refreshes(), err)
		}
		w.wantState(auth.Active, "")
	})
}

// A server that was not waited for may still be busy with the token. It gets
// that again only when nothing is left to lose.
func TestLateServerIsNotProvoked(t *testing.T) {
	for _, status := range []int{0, 504, 524} { // none, and those of gateways that did not wait longer
		t.Run(fmt.Sprint(status), func(t *testing.T) { lateServer(t, status) })
	}
}

func lateServer(t *testing.T, status int) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		good := w.net.server
		var hung atomic.Int32
		w.net.server = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/token" {
				hung.Add(1)
			}
			if status != 0 {
				rw.WriteHeader(status)
				return
			}
			<-r.Context().Done()
		})
		_, err := w.m.Refresh(t.Context(), "work", "test")
		w.wantError(err, auth.KindUnavailable, "")
		w.net.server = good
		if n := hung.Load(); n != 1 {
			t.Errorf("a server that hangs got the token %d times", n)
		}
		var asked atomic.Int32
		w.net.onRefresh = func(string) func([]byte) { asked.Add(1); return nil }
		time.Sleep(8 * time.Minute)
		w.mustToken()
		if n := asked.Load(); n > 0 {
			t.Errorf("it was asked %d times more while the access token works", n)
		}
		time.Sleep(8 * time.Minute)
		w.mustToken()
		if s := w.wantState(auth.Active, ""); asked.Load() != 1 || s.RefreshesUsed != 1 {
			t.Errorf("asked %d times, counted %d", asked.Load(), s.RefreshesUsed)
		}
	})
}

// A new refresh token's own end takes the place of the old one's.
func TestRefreshTokenSlides(t *testing.T) {
	play(t, func(w *world) { w.mode = auth.OnDemand }, func(t *testing.T, w *world) {
		p := w.plainServer(reachGrant)
		idle := any(1800)
		p.answer = func(rw http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/token" {
				return false
			}
			r.ParseForm()
			p.n++
			rw.Header().Set("Content-Type", "application/json")
			say(rw, map[string]any{"access_token": "at", "token_type": "Bearer", "expires_in": 300, "refresh_token": "rt" + time.Now().String()[11:19], "refresh_expires_in": idle})
			return true
		}
		w.signInPlain("one", false)
		for range 5 {
			time.Sleep(25 * time.Minute)
			must(t, w.refreshes("one"))
		}
		s, err := w.m.Snapshot("one")
		must(t, err)
		if left := time.Until(s.EndsAt); left < 29*time.Minute || left > 31*time.Minute || s.LimitedBy != auth.LimitServer {
			t.Errorf("it ends in %v, by %s", left, s.LimitedBy)
		}
		idle = 0 // Keycloak's "no end"
		must(t, w.refreshes("one"))
		time.Sleep(20 * aDay)
		must(t, w.refreshes("one"))
		s, err = w.m.Snapshot("one")
		must(t, err)
		if left := time.Until(s.EndsAt); left > 10*aDay { // ours never move
			t.Errorf("it ends in %v", left)
		}
		idle = 1800
		must(t, w.refreshes("one"))
		time.Sleep(31 * time.Minute)
		synctest.Wait()
		if s, _ := w.m.Snapshot("one"); s.State != auth.Ended {
			t.Errorf("its refresh token has expired, and it is %s", s.State)
		}
	})
}
