package engine

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"curfew/auth"
	"curfew/auth/engine/journal"
)

// A plainServer is an authorization server with opaque tokens, without rotation
// and without OpenID Connect, whose revocations reach as far as a test says.
type plainServer struct {
	reach   string // reachGrant or reachClient
	sameAll bool   // every sign-in gets the same refresh token
	answer  func(http.ResponseWriter, *http.Request) bool

	mu       sync.Mutex // revocations come from their own goroutines
	n        int
	live     map[string]bool
	revoked  []string
	revoking int // requests to revoke
}

const plainIssuer = "http://127.0.0.1:5555"

func (p *plainServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.answer != nil && p.answer(w, r) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	r.ParseForm()
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		say(w, map[string]any{
			"issuer": plainIssuer, "authorization_endpoint": plainIssuer + "/auth", "token_endpoint": plainIssuer + "/token",
			"device_authorization_endpoint": plainIssuer + "/device", "revocation_endpoint": plainIssuer + "/revoke",
		})
	case "/device":
		say(w, map[string]any{"device_code": "dc", "user_code": "ABCD", "verification_uri": plainIssuer + "/go", "expires_in": 600, "interval": 1})
	case "/token":
		token := r.Form.Get("refresh_token")
		if token != "" && !p.live[token] {
			w.WriteHeader(400)
			say(w, map[string]any{"error": "invalid_grant"})
			return
		}
		p.n++
		answer := map[string]any{"access_token": fmt.Sprint("at", p.n), "token_type": "Bearer", "expires_in": 900}
		if token == "" {
			token = fmt.Sprint("rt", p.n)
			if p.sameAll {
				token = "rt"
			}
			p.live[token] = true
			answer["refresh_token"] = token
		}
		say(w, answer)
	case "/revoke":
		p.revoking++
		token := r.Form.Get("token")
		if p.live[token] {
			p.revoked = append(p.revoked, token)
			delete(p.live, token)
			if p.reach == reachClient {
				clear(p.live)
			}
		}
	default:
		http.NotFound(w, r)
	}
}

func say(w http.ResponseWriter, v map[string]any) { json.NewEncoder(w).Encode(v) }

// servePlain has server answer for plainIssuer.
func (w *world) servePlain(server http.Handler) {
	good := w.net.server
	w.net.server = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.Host, ":5555") {
			server.ServeHTTP(rw, r)
			return
		}
		good.ServeHTTP(rw, r)
	})
}

// plainServer puts one and the accounts "one" and "two", which use it, into
// the world.
func (w *world) plainServer(reach string) *plainServer {
	p := &plainServer{reach: reach, live: map[string]bool{}}
	w.servePlain(p)
	w.accounts = []auth.Account{w.account()}
	for _, name := range []string{"one", "two"} {
		a := auth.Account{Name: name, Issuer: plainIssuer, ClientID: "c", Scopes: []string{"api"}, Refresh: auth.OnDemand}
		w.accounts = append(w.accounts, a)
		must(w.t, w.m.SetAccount(a))
	}
	return p
}

func (w *world) signInPlain(name string, force bool) {
	w.t.Helper()
	if _, err := w.m.StartSignIn(w.t.Context(), name, auth.SignInRequest{Device: true, Force: force}); err != nil {
		w.t.Fatal(err)
	}
	for range 60 {
		time.Sleep(time.Second)
		synctest.Wait()
		s, err := w.m.Snapshot(name)
		must(w.t, err)
		switch s.SignIn.Phase {
		case auth.PhaseDone:
			return
		case auth.PhaseFailed:
			w.t.Fatal(s.SignIn.Message)
		}
	}
	w.t.Fatal("the sign-in goes on and on")
}

func (w *world) refreshes(name string) error {
	w.t.Helper()
	_, err := w.m.Refresh(w.t.Context(), name, "test")
	return err
}

// At a server where a revocation ends all of a person's sessions, signing in
// again must not cost the new session, not even once. The old one is revoked
// with it.
func TestRevocationReachesFurther(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		p := w.plainServer(reachClient)
		w.signInPlain("one", false)
		w.signInPlain("one", true)
		time.Sleep(time.Hour)
		if err := w.refreshes("one"); err != nil {
			t.Fatalf("the new session is gone: %v", err)
		}
		w.restart()
		time.Sleep(time.Hour)
		if err := w.refreshes("one"); err != nil {
			t.Fatalf("after a restart the new session is gone: %v", err)
		}
		if len(p.live) != 2 {
			t.Errorf("%d tokens live at the server, want the old one's and the new one's", len(p.live))
		}
		res, err := w.m.SignOut(t.Context(), "one")
		must(t, err)
		if !res.Revoked {
			t.Error(res.Message)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(p.live) != 0 || len(w.m.store.Sessions()) != 0 {
			t.Errorf("after the sign-out: %v live, %d stored sessions", p.live, len(w.m.store.Sessions()))
		}
	})
}

// A server that hands the same refresh token out again: revoking the old
// session would revoke the new one.
func TestSameTokenIsNotRevoked(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		p := w.plainServer(reachGrant)
		p.sameAll = true
		sure := w.accounts[1]
		sure.RevocationReach = reachGrant
		must(t, w.m.SetAccount(sure))
		w.signInPlain("one", false)
		w.signInPlain("one", true)
		time.Sleep(time.Hour)
		if err := w.refreshes("one"); err != nil {
			t.Fatalf("the new session is gone: %v", err)
		}
		if n := len(w.m.store.Sessions()); n != 1 || p.revoking != 0 {
			t.Errorf("%d stored sessions, %d revocations", n, p.revoking)
		}
		res, err := w.m.SignOut(t.Context(), "one")
		if err != nil || !res.Revoked {
			t.Errorf("sign-out: %+v, %v", res, err)
		}
	})
}

// How far a revocation reaches is learned from what it did to another session,
// and remembered.
func TestReachIsLearned(t *testing.T) {
	for _, reach := range []string{reachGrant, reachClient} {
		t.Run(reach, func(t *testing.T) {
			play(t, nil, func(t *testing.T, w *world) {
				p := w.plainServer(reach)
				w.signInPlain("one", false)
				w.signInPlain("two", false)
				_, err := w.m.SignOut(t.Context(), "one") // a person asked: it reaches as far as it does
				must(t, err)
				if err := w.refreshes("two"); (err == nil) != (reach == reachGrant) {
					t.Fatalf("a refresh after the other's sign-out: %v", err)
				}
				w.restart()
				if reach == reachClient {
					w.signInPlain("two", true)
				}
				before := len(p.revoked)
				w.signInPlain("two", true) // replaces a session
				time.Sleep(time.Hour)
				must(t, w.refreshes("two"))
				if n := len(p.revoked) - before; (n == 1) != (reach == reachGrant) {
					t.Errorf("%d sessions were revoked when a newer one replaced them", n)
				}
			})
		})
	}
}

// busy makes the revocation endpoint of p fail until release is called.
func (p *plainServer) busy() (release func()) {
	var free atomic.Bool
	before := p.answer
	p.answer = func(rw http.ResponseWriter, r *http.Request) bool {
		if before != nil && before(rw, r) {
			return true
		}
		if r.URL.Path == "/revoke" && !free.Load() {
			rw.WriteHeader(503)
			return true
		}
		return false
	}
	return func() { free.Store(true) }
}

// A sign-out that the server hears of late must not end the session of a sign-in
// that came meanwhile, of which nobody could know who asked for it.
func TestLateSignOutSparesTheNext(t *testing.T) {
	for _, reach := range []string{reachGrant, reachClient} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprint(reach, " restart ", restart), func(t *testing.T) {
				play(t, nil, func(t *testing.T, w *world) {
					p := w.plainServer(reach)
					release := p.busy()
					w.signInPlain("one", false)
					res, err := w.m.SignOut(t.Context(), "one")
					must(t, err)
					if res.Revoked || !strings.Contains(res.Message, "the server asks to wait") || strings.Contains(res.Message, "reached") {
						t.Errorf("it says %q", res.Message)
					}
					w.signInPlain("one", false)
					if restart {
						w.restart()
					}
					release()
					time.Sleep(time.Hour)
					synctest.Wait()
					if err := w.refreshes("one"); err != nil {
						t.Fatalf("the session of the next sign-in is gone: %v", err)
					}
					if _, err := w.m.SignOut(t.Context(), "one"); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Minute)
					synctest.Wait()
					if len(p.live) != 0 || len(w.m.store.Sessions()) != 0 {
						t.Errorf("after both sign-outs: %v live, %d stored sessions", p.live, len(w.m.store.Sessions()))
					}
				})
			})
		}
	}
}

// Nor must it end a session that the server has given already and that is not
// saved yet.
func TestLateSignOutDuringSignIn(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		p := w.plainServer(reachClient)
		var slow atomic.Bool
		p.answer = func(rw http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/token" || !slow.CompareAndSwap(true, false) {
				return false
			}
			rec := httptest.NewRecorder()
			p.ServeHTTP(rec, r)
			time.Sleep(40 * time.Second) // the answer is on its way
			maps.Copy(rw.Header(), rec.Header())
			rw.Write(rec.Body.Bytes())
			return true
		}
		w.signInPlain("one", false)
		release := p.busy()
		if _, err := w.m.SignOut(t.Context(), "one"); err != nil {
			t.Fatal(err)
		}
		slow.Store(true)
		time.AfterFunc(5*time.Second, release)
		w.signInPlain("one", false)
		if err := w.refreshes("one"); err != nil {
			t.Fatalf("the session of the next sign-in is gone: %v", err)
		}
	})
}

// Nor, after a restart, one that is not loaded yet: each account loads its own.
func TestLateRevocationAtStart(t *testing.T) {
	for i := range 20 { // which is quicker is chance
		remove := i%2 == 1
		t.Run(fmt.Sprint("removed ", remove), func(t *testing.T) {
			play(t, nil, func(t *testing.T, w *world) {
				p := w.plainServer(reachClient)
				release := p.busy()
				w.signInPlain("one", false)
				if remove {
					_, err := w.m.RemoveAccount(t.Context(), "one")
					must(t, err)
					w.accounts = append(w.accounts[:1], w.accounts[2])
				} else {
					_, err := w.m.SignOut(t.Context(), "one")
					must(t, err)
				}
				w.signInPlain("two", false)
				release()
				w.restart()
				time.Sleep(time.Hour)
				synctest.Wait()
				if err := w.refreshes("two"); err != nil {
					t.Fatalf("the session of the other account is gone: %v", err)
				}
			})
		})
	}
}

// Why a sign-out is not confirmed yet can be said in every language.
func TestSignOutWaitsInWords(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.plainServer(reachClient)
		w.signInPlain("one", false)
		if _, err := w.m.StartSignIn(t.Context(), "two", auth.SignInRequest{Device: true}); err != nil {
			t.Fatal(err)
		}
		res, err := w.m.SignOut(t.Context(), "one")
		must(t, err)
		if why, ok := res.Text.Args[0].(auth.Text); !ok || why.ID != "revoke_signing_in" {
			t.Errorf("%+v", res.Text)
		}
	})
}

// The client secret of an account that took the name of a removed one is for
// its own server only.
func TestClientSecretOfTheNext(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		p := w.plainServer(reachGrant)
		var secrets []string
		p.answer = func(_ http.ResponseWriter, r *http.Request) bool {
			if _, secret, ok := r.BasicAuth(); ok {
				secrets = append(secrets, secret)
			}
			return false
		}
		old := w.accounts[1]
		old.ClientSecretKeychain = true
		must(t, w.m.SetAccount(old))
		must(t, w.m.SetClientSecret(t.Context(), "one", auth.NewSecret("mine")))
		w.signInPlain("one", false)
		release := p.busy()
		if _, err := w.m.RemoveAccount(t.Context(), "one"); err != nil {
			t.Fatal(err)
		}
		next := w.account()
		next.Name, next.ClientSecretKeychain = "one", true
		must(t, w.m.SetAccount(next))
		must(t, w.m.SetClientSecret(t.Context(), "one", auth.NewSecret("another")))
		w.accounts[1] = next
		for range 2 {
			time.Sleep(time.Minute)
			w.restart()
		}
		release()
		time.Sleep(time.Hour)
		synctest.Wait()
		if slices.Contains(secrets, "another") || !slices.Contains(secrets, "mine") {
			t.Errorf("the old server has seen %q", secrets)
		}
	})
}

// Once a person has signed out nothing is served, whatever the account is busy
// with, and a crash does not bring the session back.
func TestSignOutBehindHangingRefresh(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		good := w.net.server
		hang := make(chan struct{})
		w.net.server = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/token" {
				select {
				case <-hang:
				case <-r.Context().Done():
					return
				}
			}
			good.ServeHTTP(rw, r)
		})
		refreshed := make(chan error, 1)
		go func() { refreshed <- w.refreshes("work") }()
		time.Sleep(time.Second)
		w.mustToken() // the old one is good
		began := time.Now()
		type outcome struct {
			res auth.SignOutResult
			err error
		}
		out := make(chan outcome, 1)
		go func() {
			res, err := w.m.SignOut(t.Context(), "work")
			out <- outcome{res, err}
		}()
		synctest.Wait()
		w.wantError(<-refreshed, auth.KindSignInNeeded, auth.ByUser)
		d := w.setAside("crash")
		for range 12 {
			w.wantState(auth.SignedOut, auth.ByUser)
			_, err := w.token()
			w.wantError(err, auth.KindSignInNeeded, auth.ByUser)
			time.Sleep(time.Second)
		}
		o := <-out
		must(t, o.err)
		if waited := time.Since(began); waited > signOutWait+time.Second {
			t.Errorf("the person waited %v", waited)
		}
		close(hang) // the server answers at last: what it gave is revoked
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := w.server.Sessions(); n != 0 {
			t.Errorf("%d sessions at the server", n)
		}
		w.wantState(auth.SignedOut, auth.ByUser)
		w.stop()
		w.rise(d)
		if s := w.status(); s.State != auth.SignedOut {
			t.Errorf("after a crash the session is back: %s", s.State)
		}
	})
}

// What `remove` promised to try for a day is tried after a restart too, though
// the configuration is gone.
func TestRemoveOfflineRestart(t *testing.T) {
	for _, secret := range []bool{false, true} {
		t.Run(fmt.Sprint("client secret ", secret), func(t *testing.T) {
			play(t, nil, func(t *testing.T, w *world) {
				p := w.plainServer(reachGrant)
				if secret {
					a := w.accounts[1]
					a.ClientSecretKeychain = true
					must(t, w.m.SetAccount(a))
					must(t, w.m.SetClientSecret(t.Context(), "one", auth.NewSecret("s3cret")))
					p.answer = func(rw http.ResponseWriter, r *http.Request) bool {
						_, password, _ := r.BasicAuth()
						if r.URL.Path == "/revoke" && password != "s3cret" {
							rw.WriteHeader(401)
							return true
						}
						return false
					}
				}
				w.signInPlain("one", false)
				w.net.fail(offline)
				res, err := w.m.RemoveAccount(t.Context(), "one")
				must(t, err)
				if res.Revoked || !strings.Contains(res.Message, "for a day") {
					t.Errorf("it says %q", res.Message)
				}
				rec, err := w.m.store.Load(t.Context(), w.m.store.Sessions()[0])
				must(t, err)
				var f facts
				if must(t, f.decode(rec.Meta)); f.Removed == nil || f.Removed.ClientSecretKeychain != secret {
					t.Errorf("kept with the session: %+v", f.Removed)
				}
				w.accounts = w.accounts[:1]
				w.restart()
				synctest.Wait()
				if len(p.live) != 1 {
					t.Fatal("revoked without a network")
				}
				w.net.fail(nil)
				time.Sleep(30 * time.Minute)
				synctest.Wait()
				if len(p.live) != 0 {
					t.Errorf("still alive at the server: %v", p.live)
				}
				if n := len(w.m.store.Sessions()); n != 0 {
					t.Errorf("%d records are left", n)
				}
				if _, err := w.m.store.GetSecret(t.Context(), clientSecretName("one")); err == nil {
					t.Error("the client secret is left")
				}
			})
		})
	}
}

// A stored session whose account is not configured can be removed, and is
// revoked at the server that it is from.
func TestStrayIsRemoved(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		w.signIn()
		w.accounts = []auth.Account{}
		w.restart()
		res, err := w.m.RemoveAccount(t.Context(), "work")
		must(t, err)
		if !res.Revoked || w.server.Sessions() != 0 {
			t.Errorf("%q, %d sessions at the server", res.Message, w.server.Sessions())
		}
		synctest.Wait()
		if n := len(w.m.store.Sessions()); n != 0 {
			t.Errorf("%d records are left", n)
		}
		_, err = w.m.RemoveAccount(t.Context(), "work")
		w.wantError(err, auth.KindUnknown, "")
	})
}

// A server that refuses a revocation was reached, and is not asked again.
func TestRefusedRevocation(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		p := w.plainServer(reachGrant)
		asked := 0
		p.answer = func(rw http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/revoke" {
				return false
			}
			asked++
			rw.WriteHeader(400)
			fmt.Fprint(rw, "<h1>unsupported</h1>")
			return true
		}
		w.signInPlain("one", false)
		res, err := w.m.SignOut(t.Context(), "one")
		must(t, err)
		if res.Revoked || strings.Contains(res.Message, "reached") || strings.Contains(res.Message, "day") {
			t.Errorf("it says %q", res.Message)
		}
		time.Sleep(2 * aDay)
		if asked != 1 {
			t.Errorf("the server was asked %d times", asked)
		}
	})
}

// A sign-in that is refused after the exchange leaves no session at the server,
// and does not cost the one that is there.
func TestRefusedSignInIsRevoked(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		spoil := func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			var answer map[string]any
			body := rec.Body.Bytes()
			if json.Unmarshal(body, &answer) == nil && answer["id_token"] != nil {
				answer["id_token"] = "not.a.token"
				body, _ = json.Marshal(answer)
			}
			maps.Copy(rw.Header(), rec.Header())
			rw.WriteHeader(rec.Code)
			rw.Write(body)
		}
		good := w.net.server
		w.net.server = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { spoil(rw, r, good) })
		if err := w.trySignIn(auth.SignInRequest{Device: true}); err == nil {
			t.Fatal("a wrong ID token was believed")
		}
		synctest.Wait()
		if n := w.server.Sessions(); n != 0 {
			t.Errorf("%d sessions are left at the server", n)
		}
	})
}

// Sessions in memory leave nothing in the state directory.
func TestMemoryLeavesNothing(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		dir := t.TempDir()
		m, err := New(Config{Store: w.m.store, StateDir: dir, MemoryOnly: true, Logger: slog.New(slog.DiscardHandler)})
		must(t, err)
		m.journal.Ended(journal.Past{Account: "work", Reason: auth.ByAge, Subject: "bob@example.com"})
		must(t, m.SetPaused(true))
		m.journal.Close()
		if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
			t.Errorf("%v %v", files, err)
		}
	})
}
