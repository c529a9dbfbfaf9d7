package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"curfew/auth"
)

// bindingServer binds every token to the key of a proof, and wants its nonce in
// each.
type bindingServer struct {
	t    *testing.T
	n    int
	jkt  string // the key of the session
	asks int    // demands for a nonce
}

func (s *bindingServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	var answer map[string]any
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		answer = map[string]any{"issuer": plainIssuer, "authorization_endpoint": plainIssuer + "/auth", "token_endpoint": plainIssuer + "/token",
			"device_authorization_endpoint": plainIssuer + "/device", "dpop_signing_alg_values_supported": []string{"ES256"}}
	case "/device":
		answer = map[string]any{"device_code": "dc", "user_code": "ABCD", "verification_uri": plainIssuer + "/go", "expires_in": 600, "interval": 1}
	case "/token":
		claims, key := readProof(s.t, r.Header.Get("DPoP"))
		nonce := fmt.Sprint("nonce-", s.n)
		w.Header().Set("DPoP-Nonce", nonce)
		switch {
		case claims["nonce"] != nonce:
			s.asks++
			w.WriteHeader(http.StatusBadRequest)
			answer = map[string]any{"error": "use_dpop_nonce"}
		case s.n > 0 && key != s.jkt:
			s.t.Errorf("a refresh with another key")
			w.WriteHeader(http.StatusBadRequest)
			answer = map[string]any{"error": "invalid_grant"}
		default:
			s.n++
			s.jkt = key
			answer = map[string]any{"access_token": fmt.Sprint("at", s.n), "refresh_token": fmt.Sprint("rt", s.n), "token_type": "DPoP", "expires_in": 3600}
		}
	default:
		http.NotFound(w, r)
		return
	}
	json.NewEncoder(w).Encode(answer)
}

// readProof returns the claims of a proof, and its key.
func readProof(t *testing.T, proof string) (claims jwt.MapClaims, key string) {
	token, _, err := jwt.NewParser().ParseUnverified(proof, &claims)
	if err != nil {
		t.Errorf("the proof %q: %v", proof, err)
		return nil, ""
	}
	b, _ := json.Marshal(token.Header["jwk"])
	return claims, string(b)
}

// The key of a session is kept with it: refreshes before and after a restart
// are proved with it, and so is a request to an API.
func TestDPoP(t *testing.T) {
	play(t, nil, func(t *testing.T, w *world) {
		s := &bindingServer{t: t}
		w.servePlain(s)
		a := otherAccount()
		a.DPoP = "always"
		must(t, w.m.SetAccount(a))
		w.accounts = []auth.Account{w.account(), a}
		w.signInPlain("other", false)
		must(t, w.refreshes("other"))
		w.restart()
		must(t, w.refreshes("other"))
		if s.n != 3 || s.asks != 4 { // the device poll before the person is done asks as well
			t.Logf("%d tokens, %d demands for a nonce", s.n, s.asks)
		}
		if used := w.snapshotOf("other").RefreshesUsed; used != 2 {
			t.Errorf("%d refreshes are counted", used)
		}
		r := patient(-1, "x")
		r.Proof = &auth.ProofRequest{Method: "POST", URL: "https://api.example.com/a?b=c", Nonce: "n"}
		token, err := w.m.Token(t.Context(), "other", r)
		must(t, err)
		claims, key := readProof(t, token.Proof.Reveal())
		if token.TokenType != "DPoP" || key != s.jkt || claims["htm"] != "POST" || claims["htu"] != "https://api.example.com/a" || claims["nonce"] != "n" || claims["ath"] == nil {
			t.Errorf("type %s, claims %v", token.TokenType, claims)
		}
		r.Proof = &auth.ProofRequest{Method: "GET", URL: "nowhere"}
		if _, err = w.m.Token(t.Context(), "other", r); err == nil {
			t.Error("a proof for no address")
		}
		for name, text := range w.keychain.Items() {
			if strings.Contains(text, "rt") && strings.Contains(text, "\n") {
				t.Errorf("%s is not sealed", name)
			}
		}
		// Tokens that are bound to nothing have no proof, and the words name the setting.
		w.signIn()
		_, err = w.m.Token(t.Context(), "work", r)
		if e, ok := errors.AsType[*auth.Error](err); !ok || !strings.Contains(e.Hint, "dpop") {
			t.Errorf("a proof for a bearer token: %v", err)
		}
		time.Sleep(time.Second)
	})
}
