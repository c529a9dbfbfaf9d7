package peers

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// glewlwydSchema is how Debian makes its database.
const glewlwydSchema = "/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3"

const glewlwydConfig = `
port = %[1]s
bind_address = "127.0.0.1"
external_url = "http://127.0.0.1:%[1]s"
login_url = "login.html"
api_prefix = "api"
log_mode = "console"
log_level = "INFO"
cookie_secure = 0
session_expiration = 2419200
session_key = "GLEWLWYD2_SESSION_ID"
admin_session_authentication = "cookie"
profile_session_authentication = "cookie"
login_api_enabled = true
admin_scope = "g_admin"
profile_scope = "g_profile"
user_module_path = "/usr/lib/glewlwyd/user"
client_module_path = "/usr/lib/glewlwyd/client"
user_auth_scheme_module_path = "/usr/lib/glewlwyd/scheme"
plugin_module_path = "/usr/lib/glewlwyd/plugin"
use_secure_connection = false
secure_connection_key_file = "none"
secure_connection_pem_file = "none"
secure_connection_ca_file = "none"
hash_algorithm = "SHA512"
static_files_path = "/usr/share/glewlwyd/webapp/"
database = { type = "sqlite3"; path = "%[2]s/db"; };
`

// Glewlwyd starts Debian's glewlwyd. It compares redirect URIs with their port,
// and knows redirect. Its pages are scripts; transport is that of a browser which
// does what they do for [User].
func Glewlwyd(t testing.TB, ttl time.Duration, redirect string) (s Server, transport http.RoundTripper) {
	t.Helper()
	program := Need(t, "glewlwyd")
	const python = "/usr/bin/python3"
	port, dir := freePort(t), t.TempDir()
	database := exec.CommandContext(t.Context(), python, "-c", "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(open(sys.argv[2]).read())", filepath.Join(dir, "db"), glewlwydSchema)
	if out, err := database.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	config := filepath.Join(dir, "glewlwyd.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, glewlwydConfig, port, dir), 0o600); err != nil {
		t.Fatal(err)
	}
	Run(t, exec.CommandContext(t.Context(), program, "-c", config), func(line string) bool { return strings.Contains(line, "Glewlwyd started") })
	base := "http://127.0.0.1:" + port + "/api"
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	private, err1 := x509.MarshalPKCS8PrivateKey(key)
	public, err2 := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	inPEM := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	admin := &glewlwydSession{base: base}
	for _, step := range []struct {
		method, path string
		body         map[string]any
	}{
		{"POST", "/auth/", map[string]any{"username": "admin", "password": "password"}},
		{"POST", "/mod/plugin/", map[string]any{"module": "oidc", "name": "oidc", "display_name": "OIDC", "enabled": true, "parameters": map[string]any{
			"iss": base + "/oidc", "jwt-type": "rsa", "jwt-key-size": "256", "key": inPEM("PRIVATE KEY", private), "cert": inPEM("PUBLIC KEY", public),
			"access-token-duration": int(ttl.Seconds()), "refresh-token-duration": 2592000, "code-duration": 60, "refresh-token-rolling": false, "refresh-token-one-use": "always",
			"allow-non-oidc": true, "auth-type-code-enabled": true, "auth-type-code-revoke-replayed": true, "auth-type-token-enabled": false, "auth-type-id-token-enabled": true,
			"auth-type-none-enabled": false, "auth-type-password-enabled": false, "auth-type-client-enabled": false, "auth-type-refresh-enabled": true,
			"pkce-allowed": true, "pkce-method-plain-allowed": false, "pkce-required": true, "introspection-revocation-allowed": true, "introspection-revocation-allow-target-client": true,
			"oauth-dpop-allowed": true, "oauth-dpop-iat-duration": 30, "email-claim": "mandatory"}}},
		{"POST", "/scope/", map[string]any{"name": "email", "display_name": "email", "password_required": true, "scheme": map[string]any{}}},
		{"POST", "/scope/", map[string]any{"name": "offline_access", "display_name": "offline_access", "password_required": true, "scheme": map[string]any{}}},
		{"POST", "/user/", map[string]any{"username": User, "name": "Alice", "email": "alice@example.test", "password": Password, "scope": []string{"openid", "email", "offline_access", "g_profile"}, "enabled": true}},
		{"POST", "/client/", map[string]any{"client_id": "curfew", "name": "Curfew", "confidential": false, "redirect_uri": []string{redirect}, "authorization_type": []string{"code", "refresh_token"},
			"scope": []string{"openid", "email", "offline_access"}, "enabled": true}},
	} {
		if _, err := admin.call(step.method, step.path, step.body); err != nil {
			t.Fatal(err)
		}
	}
	return Server{Issuer: base + "/oidc", ClientID: "curfew"}, &glewlwydPages{base: base}
}

// A glewlwydSession speaks to its API with cookies.
type glewlwydSession struct {
	base string
	http http.Client
}

func (s *glewlwydSession) call(method, path string, body any) (*http.Response, error) {
	if s.http.Jar == nil {
		s.http.Jar, _ = cookiejar.New(nil) // it never fails
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest(method, s.base+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if said, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("glewlwyd: %s %s: %s: %s", method, path, resp.Status, said)
	}
	return resp, nil
}

// glewlwydPages does what the script of the login page does: it signs in, grants
// the scopes, and goes on.
type glewlwydPages struct{ base string }

func (p *glewlwydPages) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	to, err := resp.Location()
	if err != nil || !strings.HasSuffix(to.Path, "/login.html") {
		return resp, nil
	}
	back, err := url.Parse(to.Query().Get("callback_url"))
	if err != nil {
		return nil, err
	}
	s := &glewlwydSession{base: p.base}
	signedIn, err := s.call("POST", "/auth/", map[string]any{"username": User, "password": Password})
	if err == nil {
		_, err = s.call("PUT", "/auth/grant/"+to.Query().Get("client_id"), map[string]any{"scope": to.Query().Get("scope")})
	}
	if err != nil {
		return nil, err
	}
	q := back.Query()
	q.Set("g_continue", "")
	q.Del("prompt") // done
	back.RawQuery = q.Encode()
	resp.Header.Set("Location", back.String())
	resp.Header["Set-Cookie"] = signedIn.Header["Set-Cookie"]
	return resp, nil
}
