package oauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"curfew/auth"
)

const canary = "canary-7f3a"

// TestSecretNeverPrints: no way of printing shows the value, however deep the
// Secret is. (%p and %v of pointers show addresses, never what is there.)
func TestSecretNeverPrints(t *testing.T) {
	secret := auth.NewSecret(canary)
	type outer struct {
		Exported   auth.Secret
		unexported auth.Secret
		pointer    *auth.Secret
		list       []auth.Secret
		table      map[string]auth.Secret
		any        any
	}
	o := outer{secret, secret, &secret, []auth.Secret{secret}, map[string]auth.Secret{"k": secret}, secret}
	grant := Grant{AccessToken: secret, RefreshToken: secret}
	values := []any{
		secret, &secret, o, &o, []any{secret}, map[auth.Secret]int{secret: 1}, struct{ s auth.Secret }{secret}, struct{ o outer }{o},
		grant, &grant, Config{ClientSecret: secret}, fmt.Errorf("wrapped: %v", secret), errors.Join(fmt.Errorf("%s", secret)),
		&Flow{verifier: secret, nonce: secret}, answer{idToken: secret, grant: grant}, idTokenCheck{nonce: secret, accessToken: secret},
	}
	var out bytes.Buffer
	handlers := []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)}
	for _, v := range values {
		for _, verb := range "vsqxXdobcUeEfFgGtpTw" {
			for _, flags := range []string{"", "+", "#", "+#", "10.3", " ", "0", "-8"} {
				fmt.Fprintf(&out, "%"+flags+string(verb)+"\n", v)
			}
		}
		fmt.Fprint(&out, v)
		fmt.Fprintln(&out, v)
		for _, h := range handlers {
			slog.New(h).With("a", v).WithGroup("g").Info("m", "b", v, slog.Any("c", v), slog.Group("d", "e", v))
		}
		if data, err := json.Marshal(v); err == nil {
			out.Write(data)
		}
	}
	for _, shape := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), fmt.Sprint([]byte(canary)), "7f3a"} {
		if i := strings.Index(out.String(), shape); i >= 0 {
			t.Errorf("%q is in the output: ...%s", shape, out.String()[max(0, i-200):i+40])
		}
	}
	if !strings.Contains(out.String(), "[redacted]") {
		t.Error("nothing says that something is hidden")
	}
}

func TestSecret(t *testing.T) {
	if s := auth.NewSecret(canary); s.Reveal() != canary || s.IsZero() {
		t.Error("the value is lost")
	}
	if s := auth.NewSecret(""); s != (auth.Secret{}) || !s.IsZero() || s.Reveal() != "" {
		t.Error("NewSecret of nothing is not the zero Secret")
	}
	if text := auth.NewSecret(canary).String(); text != "[redacted]" {
		t.Error(text)
	}
	data, err := json.Marshal(map[auth.Secret]auth.Secret{auth.NewSecret("a"): auth.NewSecret("b")})
	if err != nil || string(data) != `{"[redacted]":"[redacted]"}` {
		t.Errorf("%s, %v", data, err)
	}
}

// TestErrorsHoldNoSecrets runs failing calls and looks into what they say and
// log, at every level.
func TestErrorsHoldNoSecrets(t *testing.T) {
	var logged bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, body := range []string{
		`{"error":"invalid_client"}`, `{"access_token":"` + canary + `","refresh_token":"` + canary + `","token_type":"mac"}`,
		`{"access_token":"` + canary + ` x","token_type":"Bearer"}`, `{"access_token":"` + canary, canary, `{"token_type":"` + canary + `"}`,
		`{"access_token":"` + canary + `","token_type":"Bearer","expires_in":"` + canary + `"}`,
		`{"access_token":"` + canary + `","token_type":"Bearer","id_token":"` + canary + `"}`,
	} {
		for _, status := range []int{200, 400, 500} {
			_, _, err := refreshWith(t, respond(status, appJSON, body), func(c *Config) { c.Logger = logger })
			for e := err; e != nil; e = errors.Unwrap(e) {
				fmt.Fprintf(&logged, "%v %+v %#v %s %q", e, e, e, e, e)
			}
			logger.Error("failed", "error", err)
		}
	}
	for _, secret := range []string{canary, "rt-secret"} {
		if i := strings.Index(logged.String(), secret); i >= 0 {
			t.Errorf("%q is in an error or a log: ...%s", secret, logged.String()[max(0, i-300):i+40])
		}
	}
}
