package failure

import (
	"strings"
	"testing"

	"curfew/auth/oauth"
)

// A refused sign-in names the setting that may help.
func TestSignInNamesTheSetting(t *testing.T) {
	for _, test := range []struct {
		name string
		err  oauth.Error
		want string
	}{
		{"scope", oauth.Error{Op: "sign-in", Class: oauth.HeldBack, Code: "invalid_scope"}, "scopes of a"},
		{"secret", oauth.Error{Op: "exchange", Class: oauth.HeldBack, Code: "invalid_client"}, "client_auth"},
		{"redirect", oauth.Error{Op: "sign-in", Class: oauth.HeldBack, Code: "invalid_request"}, "the redirect"},
		{"prompt=login is not known", oauth.Error{Op: "sign-in", Class: oauth.HeldBack, Code: "invalid_request", Forced: true}, `prompt = "none"`},
		{"tokens are bound", oauth.Error{Op: "exchange", Class: oauth.HeldBack, Code: "invalid_dpop_proof"}, `dpop = "always"`},
		{"tokens are bound, in words", oauth.Error{Op: "exchange", Class: oauth.HeldBack, Code: "invalid_grant", Description: "DPoP proof JWT not provided"}, `dpop = "always"`},
		{"discovery", oauth.Error{Op: "discovery", Class: oauth.HeldBack}, "issuer of a"},
	} {
		if e := SignIn("a", &test.err); !strings.Contains(e.Hint, test.want) {
			t.Errorf("%s: %q, want %q", test.name, e.Hint, test.want)
		}
	}
}
