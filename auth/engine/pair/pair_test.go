package pair

import (
	"strings"
	"testing"

	"curfew/auth"
	"curfew/auth/oauth/dpop"
	"curfew/keystore"
)

// TestPairs: what was joined comes apart, and either may be missing.
func TestPairs(t *testing.T) {
	long := strings.Repeat("x", keystore.MaxSecret-10)
	for _, test := range []struct{ access, id, wantID string }{
		{"access", "id", "id"}, {"access", "", ""}, {"", "id", "id"}, {"", "", ""}, {long, "0123456789", ""}, {long, "012345678", "012345678"},
	} {
		joined := Tokens(auth.NewSecret(test.access), auth.NewSecret(test.id))
		access, id := Split(joined)
		if access.Reveal() != test.access || id.Reveal() != test.wantID || len(joined) > keystore.MaxSecret {
			t.Errorf("%.10q and %q: %.10q and %q", test.access, test.id, access.Reveal(), id.Reveal())
		}
		if strings.Trim(string(joined), "\x00") != "" {
			t.Error("what was joined stays in memory")
		}
	}
	key, err := dpop.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []dpop.Key{key, {}} {
		token, got := Unpack(Pack(auth.NewSecret("token"), k))
		if token.Reveal() != "token" || got.Secret().Reveal() != k.Secret().Reveal() {
			t.Errorf("%q with another key", token.Reveal())
		}
	}
}
