package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"curfew/auth"
)

// otherServer is an authorization server of OAuth alone whose tokens say
// nothing. It may give a wrong time.
type otherServer struct {
	date func() time.Time
	n    int

	bare    map[string]any // instead of a refresh token and expires_in
	revoked []string       // what kind, and which
}

func (s *otherServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.date().UTC().Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/json")
	var answer map[string]any
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		answer = map[string]any{"issuer": plainIssuer, "authorization_endpoint": plainIssuer + "/auth", "token_endpoint": plainIssuer + "/token",
			"device_authorization_endpoint": plainIssuer + "/device", "revocation_endpoint": plainIssuer + "/revoke"}
	case "/revoke":
		s.revoked = append(s.revoked, r.FormValue("token_type_hint")+" "+r.FormValue("token"))
		answer = map[string]any{}
	case "/device":
		answer = map[string]any{"device_code": "dc", "user_code": "ABCD", "verification_uri": plainIssuer + "/go", "expires_in": 600, "interval": 1}
	case "/token":
		if r.Method != http.MethodPost { // asked for the time: it sends people to a page
			http.Redirect(w, r, plainIssuer+"/", http.StatusFound)
			return
		}
		s.n++
		answer = map[string]any{"access_token": fmt.Sprint("at", s.n), "refresh_token": fmt.Sprint("rt", s.n), "token_type": "Bearer", "expires_in": 3600}
		if s.bare != nil {
			delete(answer, "refresh_token")
			delete(answer, "expires_in")
			maps.Copy(answer, s.bare)
		}
	default:
		http.NotFound(w, r)
		return
	}
	json.NewEncoder(w).Encode(answer)
}

// withOther adds the account "other" at another server to the world's.
func withOther(f func(*testing.T, *world, *otherServer)) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		s := &otherServer{date: w.now}
		w.servePlain(s)
		must(t, w.m.SetAccount(otherAccount()))
		w.accounts = []auth.Account{w.account(), otherAccount()}
		f(t, w, s)
	}
}

func otherAccount() auth.Account {
	return auth.Account{Name: "other", Issuer: plainIssuer, ClientID: "c", Scopes: []string{"api"}, Refresh: auth.OnDemand}
}

func (w *world) snapshotOf(name string) auth.Snapshot {
	w.t.Helper()
	s, err := w.m.Snapshot(name)
	must(w.t, err)
	return s
}

func (w *world) boot() {
	w.boots++
	w.restart()
}

// After a reboot each account waits for its own server: what another says of
// the time neither ends a session nor makes an expired token look good.
func TestClockOfAnotherServer(t *testing.T) {
	for _, off := range []time.Duration{40 * aDay, -119 * time.Minute, -40 * aDay, 290 * 365 * aDay} {
		t.Run(fmt.Sprint("off by ", off), func(t *testing.T) {
			play(t, func(w *world) { w.mode = auth.OnDemand }, withOther(func(t *testing.T, w *world, s *otherServer) {
				w.signIn()
				w.signInPlain("other", false)
				time.Sleep(2 * time.Hour)
				w.boot()
				s.date = func() time.Time { return w.now().Add(off) }
				_, err := w.m.Token(t.Context(), "other", patient(-1, "x"))
				t.Log("the other token:", err)
				time.Sleep(time.Minute)
				if state := w.status().State; state != auth.Stale {
					t.Errorf("the account is %s", state)
				}
				if code := w.me(w.mustToken()); code != http.StatusOK {
					t.Errorf("a token that its server answers with %d", code)
				}
				if state := w.snapshotOf("other").State; off < 30*aDay && state == auth.Ended {
					t.Error("the other account ended by its own server's wrong clock")
				}
			}))
		})
	}
}

// A sign-in on a machine whose clock is wrong lasts 30 true days all the same.
func TestClockWrongAtSignIn(t *testing.T) {
	for _, skew := range []time.Duration{60 * aDay, -40 * aDay, 3 * time.Hour} {
		t.Run(fmt.Sprint("by ", skew), func(t *testing.T) {
			play(t, func(w *world) { w.skew.Store(int64(skew)) }, withOther(func(t *testing.T, w *world, s *otherServer) {
				w.signInPlain("other", false)
				begun := w.now()
				time.Sleep(time.Minute)
				w.skew.Store(0)
				for w.snapshotOf("other").State != auth.Ended && w.now().Sub(begun) < 40*aDay {
					time.Sleep(time.Hour)
					synctest.Wait()
				}
				if age := w.now().Sub(begun); age < 30*aDay || age > 30*aDay+2*time.Hour {
					t.Errorf("it ended after %v", age)
				}
			}))
		})
	}
}

// A machine that boots with a clock that is ahead, is offline, and is put right
// waits no longer than it would have.
func TestClockAheadAtBoot(t *testing.T) {
	play(t, func(w *world) { w.mode = auth.OnDemand }, withOther(func(t *testing.T, w *world, s *otherServer) {
		w.signIn()
		w.signInPlain("other", false)
		time.Sleep(10 * time.Hour)
		w.skew.Store(int64(2 * time.Hour))
		w.boot()
		w.net.fail(offline)
		for _, name := range []string{"work", "other"} {
			if _, err := w.m.Token(t.Context(), name, patient(-1, "x")); err == nil {
				t.Errorf("%s: a token without a network", name)
			}
		}
		w.skew.Store(0)
		w.net.fail(nil)
		time.Sleep(2 * time.Minute)
		for _, name := range []string{"work", "other"} {
			if _, err := w.m.Token(t.Context(), name, patient(-1, "x")); err != nil {
				t.Errorf("%s: two minutes later: %v", name, err)
			}
		}
	}))
}

// Use that a clock of the future noted does not put off the end of a session
// that nobody uses.
func TestClockAheadAndIdle(t *testing.T) {
	play(t, func(w *world) { w.mode, w.limits.MaxIdle = auth.OnDemand, 72*time.Hour }, func(t *testing.T, w *world) {
		w.signIn()
		time.Sleep(5 * time.Minute)
		w.skew.Store(int64(70 * time.Hour))
		w.boot()
		w.net.fail(offline)
		w.token()
		used := w.now()
		w.skew.Store(0)
		w.net.fail(nil)
		for w.status().State != auth.Ended && w.now().Sub(used) < 200*time.Hour {
			time.Sleep(time.Hour)
			synctest.Wait()
		}
		if idle := w.now().Sub(used); idle > 74*time.Hour {
			t.Errorf("%s after %v without use: %+v", w.status().State, idle, w.status())
		}
	})
}

// A server that answers the question for the time with a redirect has said
// what time it is.
func TestClockSettledByRedirect(t *testing.T) {
	play(t, nil, withOther(func(t *testing.T, w *world, s *otherServer) {
		w.signInPlain("other", false)
		w.skew.Store(int64(60 * aDay))
		time.Sleep(2 * time.Minute)
		if state := w.snapshotOf("other").State; state != auth.Active {
			t.Errorf("the account is %s", state)
		}
	}))
}
