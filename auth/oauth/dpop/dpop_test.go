package dpop

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"curfew/auth"
)

func TestThumbprint(t *testing.T) {
	k, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ReadKey(k.Secret().Reveal())
	if err != nil {
		t.Fatal(err)
	}
	a, err1 := k.Thumbprint()
	b, err2 := again.Thumbprint()
	if a != b || len(a) != 43 || err1 != nil || err2 != nil {
		t.Errorf("thumbprints %q %q, %v %v", a, b, err1, err2)
	}
	if text := fmt.Sprintf("%v %+v %#v", k, k, k); strings.Contains(text, k.Secret().Reveal()) {
		t.Error("a key is printed")
	}
	for _, bad := range []string{"", "x", "AAAA", strings.Repeat("A", 43), strings.Repeat("_", 43), "\n" + k.Secret().Reveal()[1:]} {
		if _, err := ReadKey(bad); err == nil {
			t.Errorf("%q is read as a key", bad)
		}
	}
}

// A proof says what RFC 9449 section 4.2 wants, and verifies with its own key.
func TestProof(t *testing.T) {
	k, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_700_000_000, 0)
	text, err := k.Proof(Request{"GET", "https://bob@api.example.com/a%20b?q=1#f", "n-1", auth.NewSecret("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU")}, now)
	if err != nil {
		t.Fatal(err)
	}
	private, err := k.private()
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Parse(text, func(*jwt.Token) (any, error) { return &private.PublicKey, nil }, jwt.WithValidMethods([]string{Algorithm}))
	if err != nil {
		t.Fatal(err)
	}
	claims, _ := json.Marshal(token.Claims)
	for _, want := range []string{
		`"htm":"GET"`, `"htu":"https://api.example.com/a%20b"`, `"nonce":"n-1"`, `"iat":1700000000`, `"jti":"`,
		`"ath":"fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"`, // of RFC 9449 section 7.1
	} {
		if !strings.Contains(string(claims), want) {
			t.Errorf("no %s in %s", want, claims)
		}
	}
	if header, _ := json.Marshal(token.Header); !strings.Contains(string(header), `"typ":"dpop+jwt"`) || strings.Contains(string(header), `"d"`) {
		t.Errorf("header %s", header)
	}
	if _, err := k.Proof(Request{Method: "GET", URL: "/relative"}, now); err == nil {
		t.Error("a proof for no server")
	}
}
