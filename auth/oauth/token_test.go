package oauth

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"curfew/auth"
	"curfew/auth/oauth/jws"

	"github.com/golang-jwt/jwt/v5"
)

// fakeIssuer is an address that no request leaves this process for.
const fakeIssuer = "https://id.example.test"

// refreshWith answers one refresh with h and returns its outcome and the
// number of token requests.
func refreshWith(t *testing.T, h http.HandlerFunc, change func(*Config)) (Grant, int, error) {
	t.Helper()
	s := newServer()
	s.URL = fakeIssuer
	s.token = func(w http.ResponseWriter, r *http.Request) bool { h(w, r); return true }
	c := s.client(t, func(c *Config) {
		c.Transport = transportTo{s}
		if change != nil {
			change(c)
		}
	})
	g, err := c.Refresh(t.Context(), auth.NewSecret("rt-secret"), Origin{})
	return g, len(s.posts), err
}

// respond is a handler with a fixed answer.
func respond(status int, contentType, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = []string{contentType}
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		w.Write([]byte(body))
	}
}

const appJSON = "application/json;charset=UTF-8"

// TestRefreshClasses is the table of error classes: what a caller may conclude
// about the refresh token that was sent. TestAttacks has further rows.
func TestRefreshClasses(t *testing.T) { refreshClasses(t, "") }

func refreshClasses(t *testing.T, row string) {
	oauthError := func(status int, code string) http.HandlerFunc {
		return respond(status, appJSON, `{"error":"`+code+`","error_description":"no"}`)
	}
	tests := []struct {
		name   string
		answer http.HandlerFunc
		class  Class
		code   string
	}{
		{"invalid_grant", oauthError(400, "invalid_grant"), Dead, "invalid_grant"},
		{"invalid_grant, 401", oauthError(401, "invalid_grant"), Dead, "invalid_grant"},
		{"invalid_grant, 403 as Atlassian", oauthError(403, "invalid_grant"), Dead, "invalid_grant"},
		{"invalid_grant, 200", oauthError(200, "invalid_grant"), Dead, "invalid_grant"},
		{"invalid_grant inside another word", oauthError(400, "not_invalid_grant"), HeldBack, "not_invalid_grant"},
		{"invalid_grant in capitals", oauthError(400, "Invalid_Grant"), HeldBack, "Invalid_Grant"},
		{"invalid_grant with a space", oauthError(400, "invalid_grant "), HeldBack, "invalid_grant "},
		{"invalid_grant from a failing server", oauthError(500, "invalid_grant"), Unknown, "invalid_grant"},
		{"B4 invalid_grant in HTML", respond(400, "text/html", `{"error":"invalid_grant"}`), HeldBack, "invalid_grant"},
		{"B4 invalid_grant with garbage behind", respond(400, appJSON, `{"error":"invalid_grant"}x`), Unknown, ""},
		{"B7 invalid_grant twice", respond(400, appJSON, `{"error":"invalid_grant","error":"slow_down"}`), Unknown, ""},
		{"Entra's request loop", respond(400, appJSON, `{"error":"invalid_grant","error_codes":[50196]}`), Throttled, "invalid_grant"},
		{"Entra, another reason", respond(400, appJSON, `{"error":"invalid_grant","error_codes":[700082]}`), Dead, "invalid_grant"},
		{"invalid_client", oauthError(401, "invalid_client"), HeldBack, "invalid_client"},
		{"unauthorized_client", oauthError(400, "unauthorized_client"), HeldBack, "unauthorized_client"},
		{"invalid_request", oauthError(400, "invalid_request"), HeldBack, "invalid_request"},
		{"invalid_scope", oauthError(400, "invalid_scope"), HeldBack, "invalid_scope"},
		{"unsupported_grant_type", oauthError(400, "unsupported_grant_type"), HeldBack, "unsupported_grant_type"},
		{"access_denied: nobody was asked", oauthError(400, "access_denied"), HeldBack, "access_denied"},
		{"GitHub, 200", oauthError(200, "bad_refresh_token"), Dead, "bad_refresh_token"},
		{"Slack, 200", respond(200, appJSON, `{"ok":false,"error":"invalid_refresh_token"}`), Dead, "invalid_refresh_token"},
		{"another error in a 200", oauthError(200, "internal_error"), HeldBack, "internal_error"},
		{"dex", respond(400, appJSON, `{"error":"invalid_request","error_description":"Refresh token is invalid or has already been claimed by another client."}`), Dead, "invalid_request"},
		{"dex, another fault", respond(400, appJSON, `{"error":"invalid_request","error_description":"No refresh token is found in request."}`), HeldBack, "invalid_request"},
		{"Gitea", respond(400, appJSON, `{"error":"unauthorized_client","error_description":"token was already used"}`), Dead, "unauthorized_client"},
		{"Fitbit", respond(400, appJSON, `{"errors":[{"errorType":"invalid_grant","message":"Refresh token invalid: x."}],"success":false}`), Dead, "invalid_grant"},
		{"Strava", respond(400, appJSON, `{"message":"Bad Request","errors":[{"resource":"RefreshToken","field":"refresh_token","code":"invalid"}]}`), Dead, "invalid"},
		{"Twitch", respond(400, appJSON, `{"status":400,"message":"Invalid refresh token"}`), Dead, ""},
		{"Facebook", respond(400, appJSON, `{"error":{"message":"Session has expired","type":"OAuthException","code":190}}`), HeldBack, "OAuthException"},
		{"only a message", respond(400, appJSON, `{"message":"not today"}`), HeldBack, ""},
		{"Atlassian", respond(403, appJSON, `{"error":"unauthorized_client","error_description":"refresh_token is invalid"}`), Dead, "unauthorized_client"},
		{"LinkedIn", respond(400, appJSON, `{"error":"invalid_request","error_description":"The provided authorization grant or refresh token is invalid, expired or revoked."}`), Dead, "invalid_request"},
		{"better-auth", respond(400, appJSON, `{"error":"invalid_request","error_description":"invalid refresh token"}`), Dead, "invalid_request"},
		{"X", respond(400, appJSON, `{"error":"invalid_request","error_description":"Value passed for the token was invalid."}`), Dead, "invalid_request"},
		{"a form that refuses", respond(400, "application/x-www-form-urlencoded", "error=invalid_grant&error_description=expired"), Dead, "invalid_grant"},
		{"a form that refuses, 200", respond(200, "text/plain", "error=bad_refresh_token"), Dead, "bad_refresh_token"},
		{"an array", respond(400, appJSON, `[{"error":"invalid_grant"}]`), Dead, "invalid_grant"},
		{"Salesforce's array", respond(400, appJSON, `[{"message":"Session expired","errorCode":"INVALID_SESSION_ID"}]`), HeldBack, "INVALID_SESSION_ID"},
		{"a nested code", respond(400, appJSON, `{"error":{"code":"invalid_grant","message":"expired"}}`), Dead, "invalid_grant"},
		{"codes in a list", respond(400, appJSON, `{"errors":[{"code":"invalid_grant","title":"x"}]}`), Dead, "invalid_grant"},
		{"texts in a list", respond(400, appJSON, `{"errors":["The refresh token is invalid"]}`), HeldBack, ""},
		{"WeChat", respond(200, appJSON, `{"errcode":40030,"errmsg":"invalid refresh_token"}`), HeldBack, ""},
		{"a message without tokens, 200", respond(200, appJSON, `{"code":20026,"msg":"token expired"}`), HeldBack, ""},
		{"403 until later", respond(403, appJSON, `{"error":"forbidden"}`, "Retry-After", "60"), Throttled, "forbidden"},
		{"dead until later", respond(400, appJSON, `{"error":"invalid_grant"}`, "Retry-After", "60"), Dead, "invalid_grant"},
		{"too many requests, 400", oauthError(400, "too_many_requests"), Throttled, "too_many_requests"},
		{"rate limit, 403", oauthError(403, "rate_limit_exceeded"), Throttled, "rate_limit_exceeded"},
		{"only a message, 404", respond(404, appJSON, `{"message":"no such page"}`), Unknown, ""},
		{"gone", respond(410, "text/html", "<h1>"), HeldBack, ""},
		{"invalid_grant as text", respond(400, "text/plain; charset=utf-8", `{"error":"invalid_grant"}`), Dead, "invalid_grant"},
		{"invalid_grant without a type", respond(400, "", `{"error":"invalid_grant"}`), Dead, "invalid_grant"},
		{"invalid_grant, packed", packed(400, `{"error":"invalid_grant"}`), Dead, "invalid_grant"},
		{"Entra's policy", respond(400, appJSON, `{"error":"invalid_grant","error_codes":[53003],"suberror":"message_only"}`), HeldBack, "invalid_grant"},
		{"Entra's second factor", respond(400, appJSON, `{"error":"invalid_grant","suberror":"basic_action"}`), HeldBack, "invalid_grant"},
		{"Entra's bad token", respond(400, appJSON, `{"error":"invalid_grant","suberror":"bad_token"}`), Dead, "invalid_grant"},
		{"Google's reauthentication", respond(400, appJSON, `{"error":"invalid_grant","error_subtype":"invalid_rapt"}`), HeldBack, "invalid_grant"},
		{"unknown encoding", respond(200, appJSON, "x", "Content-Encoding", "br"), Unknown, ""},
		{"B4 form without a token", respond(200, "text/plain", "hello=world"), Unknown, ""},
		{"temporarily_unavailable", oauthError(400, "temporarily_unavailable"), Throttled, "temporarily_unavailable"},
		{"temporarily_unavailable, 500", oauthError(500, "temporarily_unavailable"), Throttled, "temporarily_unavailable"},
		{"slow_down", oauthError(400, "slow_down"), Throttled, "slow_down"},
		{"server_error", oauthError(400, "server_error"), Unknown, "server_error"},
		{"429", respond(429, "text/html", "<h1>"), Throttled, ""},
		{"429 with invalid_grant", oauthError(429, "invalid_grant"), Throttled, "invalid_grant"},
		{"503", respond(503, "text/plain", ""), Throttled, ""},
		{"500", respond(500, "text/html", "<h1>"), Unknown, ""},
		{"502", respond(502, "text/html", "<h1>"), Unknown, ""},
		{"504", respond(504, "text/html", "<h1>"), Unknown, ""},
		{"408", respond(408, "text/html", "<h1>"), Unknown, ""},
		{"bare 401", respond(401, "text/plain", ""), HeldBack, ""},
		{"bare 403", respond(403, "text/html", "<h1>"), HeldBack, ""},
		{"B4 bare 400", respond(400, "text/html", "<h1>"), Unknown, ""},
		{"B4 404", respond(404, "text/html", "<h1>"), Unknown, ""},
		{"B3 301", respond(301, "", "", "Location", "/elsewhere"), Protocol, ""},
		{"B3 302", respond(302, "", "", "Location", "https://evil.test/"), Protocol, ""},
		{"B3 303", respond(303, "", "", "Location", "https://evil.test/"), Protocol, ""},
		{"B3 307", respond(307, "", "", "Location", "https://evil.test/"), Protocol, ""},
		{"B3 308", respond(308, "", "", "Location", "http://id.example.test/token"), Protocol, ""},
		{"B4 captive portal", respond(200, "text/html", "<html>Log in to Wi-Fi</html>"), Unknown, ""},
		{"B4 empty", respond(200, appJSON, ""), Unknown, ""},
		{"B4 array", respond(200, appJSON, "[]"), Unknown, ""},
		{"B4 null", respond(200, appJSON, "null"), Unknown, ""},
		{"B4 truncated", respond(200, appJSON, `{"access_token":"a","refresh_token":"rt-new","token_ty`), Unknown, ""},
		{"no access token", respond(200, appJSON, `{"token_type":"Bearer"}`), Protocol, ""},
		{"B7 capitals", respond(200, appJSON, `{"Access_Token":"a","token_type":"Bearer"}`), Protocol, ""},
		{"300 KB", respond(200, appJSON, `{"access_token":"a","token_type":"Bearer","pad":"`+strings.Repeat("x", 300<<10)+`"}`), Unknown, ""},
	}
	for _, test := range tests {
		if !ofRow(test.name, row) {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			g, posts, err := refreshWith(t, test.answer, nil)
			e, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("error %v, grant %+v", err, g)
			}
			if e.Class != test.class || e.Code != test.code || e.Op != "refresh" || e.Server != "id.example.test" {
				t.Errorf("%v: class %v, code %q, op %q, server %q; want %v, %q", e, e.Class, e.Code, e.Op, e.Server, test.class, test.code)
			}
			if posts != 1 {
				t.Errorf("%d token requests", posts)
			}
			if text := err.Error(); strings.Contains(text, "<h1>") || strings.Contains(text, "rt-") || strings.Contains(text, "xxx") || len(text) > 400 {
				t.Errorf("text %q", text)
			}
		})
	}
}

func TestDeadCodesOfProvider(t *testing.T) {
	s := newServer()
	s.URL = fakeIssuer
	s.token = func(w http.ResponseWriter, _ *http.Request) bool {
		writeJSON(w, 400, map[string]any{"error": "unauthorized_client"})
		return true
	}
	c := s.client(t, func(c *Config) { c.Transport = transportTo{s} })
	c.provider.DeadCodes = []string{"unauthorized_client"}
	if _, err := c.Refresh(t.Context(), auth.NewSecret("rt"), Origin{}); classOf(err) != Dead {
		t.Errorf("error %v", err)
	}
}

// packed is an answer in gzip, which nobody asked for.
func packed(status int, body string) http.HandlerFunc {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(body))
	z.Close()
	return respond(status, appJSON, b.String(), "Content-Encoding", "gzip")
}

func deflated(body string) http.HandlerFunc {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	z.Write([]byte(body))
	z.Close()
	return respond(200, appJSON, b.String(), "Content-Encoding", "deflate")
}

// TestTokenAnswers reads good and bad answers with status 200. In each the
// server has rotated the refresh token to rt-new. TestAttacks has further rows.
func TestTokenAnswers(t *testing.T) { tokenAnswers(t, "") }

func tokenAnswers(t *testing.T, row string) {
	answer := func(members string) http.HandlerFunc {
		return respond(200, appJSON, `{"access_token":"at-new","token_type":"Bearer","refresh_token":"rt-new"`+members+`}`)
	}
	token := func(access, kind string) http.HandlerFunc {
		return respond(200, appJSON, fmt.Sprintf(`{"access_token":%s,"token_type":%s,"refresh_token":"rt-new"}`, access, kind))
	}
	tests := []struct {
		name   string
		answer http.HandlerFunc
		class  Class // 0: good
		life   time.Duration
	}{
		{"B5 900", answer(`,"expires_in":900`), 0, 15 * time.Minute},
		{"B5 digits", answer(`,"expires_in":"3600"`), 0, time.Hour},
		{"B5 integral float", answer(`,"expires_in":3600.0`), 0, time.Hour},
		{"B5 exponent", answer(`,"expires_in":1e3`), 0, 1000 * time.Second},
		{"B5 fraction is cut off", answer(`,"expires_in":3599.9`), 0, 3599 * time.Second},
		{"B5 missing", answer(``), 0, 0},
		{"B5 null", answer(`,"expires_in":null`), 0, 0},
		{"B5 zero", answer(`,"expires_in":0`), 0, 0},
		{"B5 negative", answer(`,"expires_in":-1`), 0, 0},
		{"B5 wraps an int32", answer(`,"expires_in":-4294963696`), 0, 0},
		{"B5 1e9", answer(`,"expires_in":1000000000`), 0, 24 * time.Hour},
		{"B5 2^63", answer(`,"expires_in":9223372036854775808`), 0, 24 * time.Hour},
		{"B5 1e999", answer(`,"expires_in":1e999`), 0, 24 * time.Hour},
		{"B5 68 years in digits", answer(`,"expires_in":"99999999999999999999999"`), 0, 24 * time.Hour},
		{"B7 another spelling does not count", answer(`,"Expires_In":10,"expires_in":900`), 0, 15 * time.Minute},
		{"B5 word", answer(`,"expires_in":"abc"`), 0, 0},
		{"B5 empty string", answer(`,"expires_in":""`), 0, 0},
		{"B5 signed string", answer(`,"expires_in":"-5"`), 0, 0},
		{"B5 bool", answer(`,"expires_in":true`), 0, 0},
		{"B5 object", answer(`,"expires_in":{}`), 0, 0},
		{"B5 NaN", answer(`,"expires_in":NaN`), Unknown, 0},
		{"B8 bearer", token(`"at-new"`, `"bearer"`), 0, 0},
		{"B8 BEARER", token(`"at-new"`, `"BEARER"`), 0, 0},
		{"B8 mac", token(`"at-new"`, `"mac"`), Protocol, 0},
		{"B8 DPoP", token(`"at-new"`, `"DPoP"`), Protocol, 0},
		{"B8 no type", token(`"at-new"`, `null`), 0, 0},
		{"B8 empty type", token(`"at-new"`, `""`), 0, 0},
		{"no content type", respond(200, "", `{"access_token":"at-new","refresh_token":"rt-new"}`), 0, 0},
		{"form", respond(200, "application/x-www-form-urlencoded", "access_token=at-new&refresh_token=rt-new&expires_in=900"), 0, 15 * time.Minute},
		{"form called text", respond(200, "text/plain", "access_token=at-new&refresh_token=rt-new"), 0, 0},
		{"JSON called text", respond(200, "text/plain", `{"access_token":"at-new","refresh_token":"rt-new"}`), 0, 0},
		{"charset twice", respond(200, appJSON+";charset=UTF-8", `{"access_token":"at-new","refresh_token":"rt-new"}`), 0, 0},
		{"byte order mark", respond(200, appJSON, "\ufeff"+`{"access_token":"at-new","refresh_token":"rt-new"}`), 0, 0},
		{"packed", packed(200, `{"access_token":"at-new","refresh_token":"rt-new"}`), 0, 0},
		{"called packed", respond(200, appJSON, `{"access_token":"at-new","refresh_token":"rt-new"}`, "Content-Encoding", "gzip"), 0, 0},
		{"an encoding that is none", respond(200, appJSON, `{"access_token":"at-new","refresh_token":"rt-new"}`, "Content-Encoding", "UTF-8"), 0, 0},
		{"deflated", deflated(`{"access_token":"at-new","refresh_token":"rt-new"}`), 0, 0},
		{"JSON called a page", respond(200, "text/html", `{"access_token":"at-new","refresh_token":"rt-new"}`), 0, 0},
		{"B8 Bearer and a blank", token(`"at-new"`, `"Bearer "`), 0, 0},
		{"B5 digits with a fraction", answer(`,"expires_in":"3600.0"`), 0, time.Hour},
		{"B5 digits and blanks", answer(`,"expires_in":" 3600 "`), 0, time.Hour},
		{"B5 points", answer(`,"expires_in":"..."`), 0, 0},
		{"an ID token that is none", answer(`,"expires_in":900,"id_token":false`), 0, 15 * time.Minute},
		{"an ID token that is an object", answer(`,"expires_in":900,"id_token":{}`), 0, 15 * time.Minute},
		{"nested", respond(200, appJSON, `{"ok":true,"authed_user":{"access_token":"at-new","refresh_token":"rt-new","expires_in":900}}`), 0, 15 * time.Minute},
		{"nested twice", respond(200, appJSON, `{"a":{"access_token":"x"},"b":{"access_token":"y"},"refresh_token":"rt-new"}`), Protocol, 0},
		{"B9 line break in the token", token(`"at\nnew"`, `"Bearer"`), Protocol, 0},
		{"B9 NUL in the token", token(`"at\u0000new"`, `"Bearer"`), Protocol, 0},
		{"B9 space in the token", token(`"at new"`, `"Bearer"`), Protocol, 0},
		{"B9 not ASCII", token(`"é"`, `"Bearer"`), Protocol, 0},
		{"B9 16 KB token", token(`"`+strings.Repeat("a", 16<<10)+`"`, `"Bearer"`), 0, 0},
		{"B9 a byte more", token(`"`+strings.Repeat("a", 16<<10+1)+`"`, `"Bearer"`), Protocol, 0},
		{"B9 number as token", token(`5`, `"Bearer"`), Protocol, 0},
		{"B9 object as token", token(`{"a":"b"}`, `"Bearer"`), Protocol, 0},
		{"B9 empty token", token(`""`, `"Bearer"`), Protocol, 0},
		{"B7 a key twice", answer(`,"expires_in":900,"expires_in":5`), Protocol, 0},
		{"B7 access token twice", answer(`,"access_token":"evil"`), Protocol, 0},
		{"B7 a key twice deep down", answer(`,"extra":[{"a":1,"a":2}]`), Protocol, 0},
		{"B7 data behind", respond(200, appJSON, `{"access_token":"a","token_type":"Bearer","refresh_token":"rt-new"} {}`), Protocol, 0},
		{"unknown members", answer(`,"extra":{"a":[1,{"b":null}]},"expires_in":900`), 0, 15 * time.Minute},
	}
	for _, test := range tests {
		if !ofRow(test.name, row) {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			g, posts, err := refreshWith(t, test.answer, nil)
			if classOf(err) != test.class {
				t.Fatalf("error %v", err)
			}
			if test.class == 0 && (g.ExpiresIn != test.life || g.AccessToken.IsZero() || g.TokenType != "Bearer") {
				t.Errorf("grant %+v", g)
			}
			if test.class != 0 && !g.AccessToken.IsZero() {
				t.Error("an access token came with the error")
			}
			// Whatever is wrong with the rest, the rotated token is not lost.
			if test.class != Unknown && g.RefreshToken.Reveal() != "rt-new" {
				t.Errorf("refresh token %q", g.RefreshToken.Reveal())
			}
			if posts != 1 {
				t.Errorf("%d token requests", posts)
			}
		})
	}
}

func refreshTokens(t *testing.T) {
	for _, test := range []struct {
		name, member string
		class        Class
		want         string
	}{
		{"absent: keep the old one", ``, 0, ""},
		{"empty: keep the old one", `,"refresh_token":""`, 0, ""},
		{"null: keep the old one", `,"refresh_token":null`, 0, ""},
		{"the same again", `,"refresh_token":"rt-secret"`, 0, "rt-secret"},
		{"20 KB", `,"refresh_token":"` + strings.Repeat("r", 20<<10) + `"`, Protocol, ""},
		{"with a line break", `,"refresh_token":"a\nb"`, Protocol, ""},
		{"twice", `,"refresh_token":"a","refresh_token":"b"`, Unknown, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, _, err := refreshWith(t, respond(200, appJSON, `{"access_token":"a","token_type":"Bearer"`+test.member+`}`), nil)
			if classOf(err) != test.class || g.RefreshToken.Reveal() != test.want {
				t.Errorf("%q, %v", g.RefreshToken.Reveal(), err)
			}
		})
	}
}

func TestScope(t *testing.T) {
	for scope, want := range map[string][]string{
		`"a b"`: {"a", "b"}, `""`: nil, `null`: nil, `7`: nil, `["a"]`: {"a"}, `"a,b"`: {"a", "b"}, `"a,x b"`: {"a,x", "b"}, `" a  b\n"`: {"a", "b"}, `"a \u202eb"`: {"a"},
	} {
		g, _, err := refreshWith(t, respond(200, appJSON, `{"access_token":"a","token_type":"Bearer","scope":`+scope+`}`), nil)
		if err != nil || !slices.Equal(g.Scope, want) {
			t.Errorf("%s: %q, %v", scope, g.Scope, err)
		}
	}
}

func TestAccessLifetimeOfPreset(t *testing.T) {
	h := http.HandlerFunc(respond(200, appJSON, `{"access_token":"a","token_type":"Bearer"}`))
	c, err := New(Config{Provider: "spotify", ClientID: "x", Transport: transportTo{h}})
	if err != nil {
		t.Fatal(err)
	}
	if g, err := c.Refresh(t.Context(), auth.NewSecret("rt"), Origin{}); err != nil || g.ExpiresIn != time.Hour {
		t.Errorf("%v, %v", g.ExpiresIn, err)
	}
}

func TestBounds(t *testing.T) {
	now := time.Now()
	encode := base64.RawURLEncoding.EncodeToString
	ours := func(claims string) string { return "e30." + encode([]byte(claims)) + ".c2ln" }
	for _, test := range []struct {
		name, members string
		want          auth.Bounds
	}{
		{"opaque", `"refresh_token":"opaque"`, auth.Bounds{}},
		{"Keycloak", `"refresh_token":"opaque","refresh_expires_in":1800`, auth.Bounds{EndsAt: now.Add(30 * time.Minute)}},
		{"Keycloak offline", `"refresh_token":"opaque","refresh_expires_in":0`, auth.Bounds{}},
		{"GitHub", `"refresh_token":"opaque","refresh_token_expires_in":"1800"`, auth.Bounds{EndsAt: now.Add(30 * time.Minute)}},
		{"the nearer", `"refresh_token":"opaque","refresh_token_expires_in":1800,"refresh_expires_in":600`, auth.Bounds{EndsAt: now.Add(10 * time.Minute)}},
		{"JWT", `"refresh_token":"` + ours(fmt.Sprintf(`{"exp":%d,"originalIat":1700000000,"refreshCount":7}`, now.Add(time.Hour).Unix())) + `"`,
			auth.Bounds{EndsAt: now.Add(time.Hour), OriginalIat: time.Unix(1700000000, 0).UTC(), RefreshCount: 7}},
		{"JWT and answer", `"refresh_expires_in":60,"refresh_token":"` + ours(fmt.Sprintf(`{"exp":%d}`, now.Add(time.Hour).Unix())) + `"`, auth.Bounds{EndsAt: now.Add(time.Minute)}},
		{"nonsense", `"refresh_token":"` + ours(`{"exp":"x","originalIat":-1,"refreshCount":-3}`) + `"`, auth.Bounds{}},
		{"not JSON", `"refresh_token":"` + ours(`nope`) + `"`, auth.Bounds{}},
		{"claims twice", `"refresh_token":"` + ours(`{"refreshCount":1,"refreshCount":2}`) + `"`, auth.Bounds{}},
		{"dots", `"refresh_token":"a.b.c"`, auth.Bounds{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, _, err := refreshWith(t, respond(200, appJSON, `{"access_token":"a","token_type":"Bearer",`+test.members+`}`), nil)
			if err != nil {
				t.Fatal(err)
			}
			got := g.Bounds
			if got.EndsAt.Sub(test.want.EndsAt).Abs() > 5*time.Second {
				t.Errorf("ends at %v, want %v", got.EndsAt, test.want.EndsAt)
			}
			got.EndsAt, test.want.EndsAt = time.Time{}, time.Time{}
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// TestConfirm: what an answer says in seconds counts from the time that the
// answer itself gives.
func TestConfirm(t *testing.T) {
	date := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	clock := date.AddDate(0, 0, -20)
	answer := respond(200, appJSON, `{"access_token":"a","token_type":"Bearer","expires_in":900,"refresh_token":"b","refresh_expires_in":1800}`, "Date", date.Format(http.TimeFormat))
	g, _, err := refreshWith(t, answer, func(c *Config) {
		c.Now = func() time.Time { return clock }
		c.Confirm = func(server time.Time) { clock = server }
	})
	if err != nil || !g.ReceivedAt.Equal(date) || !g.ExpiresAt.Equal(date.Add(15*time.Minute)) || !g.Bounds.EndsAt.Equal(date.Add(30*time.Minute)) {
		t.Errorf("%+v, %v", g, err)
	}
}

// TestTokenLife: a server in its grace repeats an answer, and with it an
// expires_in that has begun to run. The token itself says when it ends.
func TestTokenLife(t *testing.T) {
	date := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	in := func(d time.Duration) int64 { return date.Add(d).Unix() }
	// The Date is of a proxy that lives in the future.
	ahead := time.Now().AddDate(0, 0, 2)
	token := "e30." + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"exp":%d}`, time.Now().Add(10*time.Minute).Unix())) + ".c2ln"
	answer := respond(200, appJSON, `{"access_token":"`+token+`","token_type":"Bearer","expires_in":900}`, "Date", ahead.Format(http.TimeFormat))
	if g, _, err := refreshWith(t, answer, nil); err != nil || g.ExpiresAt.Sub(g.ReceivedAt) < 9*time.Minute {
		t.Errorf("a proxy's date: expires %v after %v, %v", g.ExpiresAt, g.ReceivedAt, err)
	}
	for _, test := range []struct {
		name, claims, expiresIn string
		life, left              time.Duration
	}{
		{"repeated", fmt.Sprintf(`{"exp":%d}`, in(5*time.Minute)), `,"expires_in":900`, 15 * time.Minute, 5 * time.Minute},
		{"repeated, with iat", fmt.Sprintf(`{"exp":%d,"iat":%d}`, in(5*time.Minute), in(-10*time.Minute)), `,"expires_in":900`, 15 * time.Minute, 5 * time.Minute},
		{"repeated when it had expired", fmt.Sprintf(`{"exp":%d}`, in(-time.Hour)), `,"expires_in":900`, 15 * time.Minute, -time.Hour},
		{"promised more than the token has", fmt.Sprintf(`{"exp":%d,"iat":%d}`, in(5*time.Minute), in(0)), `,"expires_in":900`, 5 * time.Minute, 5 * time.Minute},
		{"first time", fmt.Sprintf(`{"exp":%d}`, in(5*time.Minute)), `,"expires_in":200`, 200 * time.Second, 200 * time.Second},
		{"nonsense in iat", fmt.Sprintf(`{"exp":%d,"iat":%d}`, in(5*time.Minute), in(time.Hour)), `,"expires_in":900`, 15 * time.Minute, 5 * time.Minute},
		{"no exp", `{}`, `,"expires_in":900`, 15 * time.Minute, 15 * time.Minute},
		{"not claims", `[]`, `,"expires_in":900`, 15 * time.Minute, 15 * time.Minute},
		{"only exp says", fmt.Sprintf(`{"exp":%d}`, in(5*time.Minute)), ``, 5 * time.Minute, 5 * time.Minute},
		{"only exp and iat say", fmt.Sprintf(`{"exp":%d,"iat":%d}`, in(5*time.Minute), in(-10*time.Minute)), ``, 15 * time.Minute, 5 * time.Minute},
		{"only exp says, of a year", fmt.Sprintf(`{"exp":%d}`, in(365*24*time.Hour)), ``, maxTokenLife, maxTokenLife},
		{"only exp says, and it has passed", fmt.Sprintf(`{"exp":%d}`, in(-time.Hour)), ``, 0, 0},
		{"nothing says", `{}`, ``, 0, 0},
	} {
		token := "e30." + base64.RawURLEncoding.EncodeToString([]byte(test.claims)) + ".c2ln"
		answer := respond(200, appJSON, `{"access_token":"`+token+`","token_type":"Bearer"`+test.expiresIn+`}`, "Date", date.Format(http.TimeFormat))
		g, _, err := refreshWith(t, answer, nil)
		var expires time.Time
		if test.life != 0 {
			expires = g.ReceivedAt.Add(test.left)
		}
		if err != nil || g.ExpiresIn != test.life || !g.ExpiresAt.Equal(expires) {
			t.Errorf("%s: life %v, expires %v, want %v, %v; %v", test.name, g.ExpiresIn, g.ExpiresAt, test.life, expires, err)
		}
	}
}

func refreshIDToken(t *testing.T) {
	prev := func(s *testServer) Origin { return Origin{Identity: Identity{Issuer: s.URL, Subject: "alice"}} }
	tests := []struct {
		name    string
		change  func(jwt.MapClaims)
		class   Class
		changed bool
	}{
		{"same, no nonce", func(jwt.MapClaims) {}, 0, false},
		{"another subject", func(c jwt.MapClaims) { c["sub"] = "mallory" }, Protocol, true},
		{"another issuer", func(c jwt.MapClaims) { c["iss"] = "https://evil.test" }, Protocol, true},
		{"another audience", func(c jwt.MapClaims) { c["aud"] = "other" }, Protocol, false},
		{"no subject", func(c jwt.MapClaims) { delete(c, "sub") }, Protocol, false},
		{"issued yesterday", func(c jwt.MapClaims) { c["iat"] = time.Now().Add(-24 * time.Hour).Unix() }, 0, false},
		{"repeated, with the at_hash of the first", func(c jwt.MapClaims) { c["at_hash"] = jws.HalfHash("ES256", "at-first") }, 0, false},
		{"expired, without iat", func(c jwt.MapClaims) { delete(c, "iat"); c["exp"] = time.Now().Add(-time.Hour).Unix() }, 0, false},
		{"names that are no texts", func(c jwt.MapClaims) { c["email"], c["name"] = []string{"a"}, 7 }, 0, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := startServer(t)
			s.claims = test.change
			g, err := s.client(t, nil).Refresh(t.Context(), auth.NewSecret("rt-0"), prev(s))
			if classOf(err) != test.class || errors.Is(err, ErrSubjectChanged) != test.changed {
				t.Fatalf("error %v", err)
			}
			if g.RefreshToken.Reveal() != "rt-1" {
				t.Error("the new refresh token is lost")
			}
			if wantAccess := test.class == 0 || test.changed; g.AccessToken.IsZero() == wantAccess {
				t.Errorf("grant %+v", g)
			}
			if test.class == 0 && g.Identity.Subject != "alice" {
				t.Errorf("identity %+v", g.Identity)
			}
		})
	}
	t.Run("no ID token", func(t *testing.T) {
		s := startServer(t)
		s.answer = func(_ url.Values, doc map[string]any) { delete(doc, "id_token") }
		g, err := s.client(t, nil).Refresh(t.Context(), auth.NewSecret("rt-0"), prev(s))
		if err != nil || g.Identity != (Identity{}) {
			t.Errorf("%+v, %v", g, err)
		}
	})
	t.Run("keys come first", func(t *testing.T) { // not between the answer and its being saved
		s := startServer(t)
		fetched := 0
		s.answer = func(url.Values, map[string]any) {
			s.mu.Lock()
			defer s.mu.Unlock()
			fetched = s.fetches["/jwks"]
		}
		if _, err := s.client(t, nil).Refresh(t.Context(), auth.NewSecret("rt-0"), prev(s)); err != nil {
			t.Fatal(err)
		}
		if fetched != 1 || s.fetches["/jwks"] != 1 {
			t.Errorf("the keys were fetched %d times before the answer, %d in all", fetched, s.fetches["/jwks"])
		}
	})
	t.Run("keys cannot be fetched", func(t *testing.T) {
		s := startServer(t)
		s.handle["/jwks"] = respond(503, "text/plain", "")
		g, err := s.client(t, nil).Refresh(t.Context(), auth.NewSecret("rt-0"), prev(s))
		if err != nil || g.Identity.Subject != "alice" || g.AccessToken.IsZero() {
			t.Errorf("an outage of the keys costs the session: %+v, %v", g, err)
		}
		s.claims = func(c jwt.MapClaims) { c["sub"] = "mallory" }
		if _, err := s.client(t, nil).Refresh(t.Context(), auth.NewSecret("rt-0"), prev(s)); !errors.Is(err, ErrSubjectChanged) {
			t.Errorf("another subject passes: %v", err)
		}
		if got, _ := signIn(t, s.client(t, nil), SignInOptions{}); got.err == nil {
			t.Error("a sign-in passes without a checked signature")
		}
	})
	t.Run("forged", func(t *testing.T) {
		s := startServer(t)
		s.sign = func(c jwt.MapClaims) string { return signed(newECKey("k1"), c) }
		g, err := s.client(t, nil).Refresh(t.Context(), auth.NewSecret("rt-0"), prev(s))
		if classOf(err) != Protocol || g.RefreshToken.Reveal() != "rt-1" || !g.AccessToken.IsZero() {
			t.Errorf("%+v, %v", g, err)
		}
	})
}

func TestRefreshRequest(t *testing.T) {
	var form url.Values
	var header http.Header
	h := func(w http.ResponseWriter, r *http.Request) {
		form, header = r.PostForm, r.Header
		respond(200, appJSON, `{"access_token":"a","token_type":"Bearer"}`)(w, r)
	}
	check := func(name string, change func(*Config), want url.Values, basic string) {
		if _, _, err := refreshWith(t, h, change); err != nil {
			t.Fatal(err)
		}
		if form.Encode() != want.Encode() {
			t.Errorf("%s: sent %v", name, form)
		}
		if header.Get("Authorization") != basic {
			t.Errorf("%s: Authorization %q", name, header.Get("Authorization"))
		}
		if header.Get("Accept") != "application/json" {
			t.Errorf("%s: Accept %q", name, header.Get("Accept"))
		}
	}
	public := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"rt-secret"}, "client_id": {"curfew"}}
	check("public", nil, public, "")
	check("confidential", func(c *Config) { c.ClientSecret = auth.NewSecret("s:e cret") },
		url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"rt-secret"}}, "Basic "+base64.StdEncoding.EncodeToString([]byte("curfew:s%3Ae+cret")))

	// No transport is given the means to send the body again.
	bare := plainClient(t, fakeIssuer, roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.GetBody != nil {
			t.Error("the request can be replayed")
		}
		return transportTo{http.HandlerFunc(respond(200, appJSON, `{"access_token":"a","token_type":"Bearer"}`))}.RoundTrip(r)
	}))
	if _, err := bare.Refresh(t.Context(), auth.NewSecret("rt"), Origin{}); err != nil {
		t.Error(err)
	}

	if _, err := (&Client{}).Refresh(t.Context(), auth.Secret{}, Origin{}); classOf(err) != HeldBack {
		t.Errorf("refresh without a token: %v", err)
	}
}

func TestAuthStyleFromDiscovery(t *testing.T) {
	for _, test := range []struct {
		methods []string
		secret  string
		want    string
	}{
		{nil, "x", "header"}, {[]string{"client_secret_post"}, "x", "body"},
		{[]string{"client_secret_post", "client_secret_basic"}, "x", "header"}, {[]string{"client_secret_basic"}, "", "body"},
	} {
		s := startServer(t)
		s.metadata = func(doc map[string]any) {
			if test.methods != nil {
				doc["token_endpoint_auth_methods_supported"] = test.methods
			}
		}
		c := s.client(t, func(c *Config) { c.ClientSecret = auth.NewSecret(test.secret) })
		if _, err := c.Refresh(t.Context(), auth.NewSecret("rt-0"), Origin{}); err != nil {
			t.Fatal(err)
		}
		got := "header"
		if s.posts[0].Has("client_id") {
			got = "body"
		}
		if got != test.want {
			t.Errorf("%v: client in the %s", test.methods, got)
		}
	}
}

func revoke(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		class  Class
		retry  time.Duration
	}{
		{"empty 200", respond(200, "", ""), 0, 0},
		{"200 with a page", respond(200, "text/html", "<h1>"), 0, 0},
		{"204", respond(204, "", ""), 0, 0},
		{"not with 200", respond(200, appJSON, `{"success":false,"message":"no"}`), HeldBack, 0},
		{"Slack", respond(200, appJSON, `{"ok":true,"revoked":true}`), 0, 0},
		{"refused with 200", respond(200, appJSON, `{"ok":false,"error":"not_authed"}`), HeldBack, 0},
		{"a token that is none any more", respond(400, appJSON, `{"error":"invalid_token"}`), 0, 0},
		{"a token that is revoked", respond(200, appJSON, `{"ok":false,"error":"token_revoked"}`), 0, 0},
		{"unsupported_token_type", respond(400, appJSON, `{"error":"unsupported_token_type"}`), HeldBack, 0},
		{"later", respond(503, "", "", "Retry-After", "30"), Throttled, 30 * time.Second},
		{"404", respond(404, "text/html", ""), HeldBack, 0},
		{"already dead", respond(400, "application/json", `{"error":"invalid_grant"}`), 0, 0},
		{"redirect", respond(307, "", "", "Location", "https://evil.test"), Protocol, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startServer(t)
			var form url.Values
			s.handle["/revoke"] = func(w http.ResponseWriter, r *http.Request) {
				r.ParseForm()
				form = r.PostForm
				test.answer(w, r)
			}
			err := s.client(t, nil).Revoke(t.Context(), auth.NewSecret("rt-0"))
			if classOf(err) != test.class || err != nil && err.(*Error).RetryAfter != test.retry {
				t.Errorf("error %v", err)
			}
			if want := "client_id=curfew&token=rt-0&token_type_hint=refresh_token"; form.Encode() != want {
				t.Errorf("sent %v", form)
			}
		})
	}
	t.Run("with a secret", func(t *testing.T) {
		s := startServer(t)
		var user string
		s.handle["/revoke"] = func(w http.ResponseWriter, r *http.Request) { user, _, _ = r.BasicAuth() }
		if err := s.client(t, func(c *Config) { c.ClientSecret = auth.NewSecret("x") }).Revoke(t.Context(), auth.NewSecret("rt")); err != nil || user != "curfew" {
			t.Errorf("user %q, %v", user, err)
		}
	})
	t.Run("no endpoint", func(t *testing.T) {
		s := startServer(t)
		s.metadata = func(doc map[string]any) { delete(doc, "revocation_endpoint") }
		if err := s.client(t, nil).Revoke(t.Context(), auth.NewSecret("rt")); err != ErrNoRevocation {
			t.Errorf("error %v", err)
		}
		c := s.client(t, func(c *Config) { c.RevocationEndpoint = s.URL + "/revoke" }) // not advertised, but there
		if err := c.Revoke(t.Context(), auth.NewSecret("rt")); err != nil || s.count("/revoke") != 1 {
			t.Errorf("error %v", err)
		}
	})
}

// TestCancelledRefresh: a caller that gives up must still learn whether the
// token may be spent.
func TestCancelledRefresh(t *testing.T) {
	s := startServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.token = func(w http.ResponseWriter, r *http.Request) bool {
		cancel()
		<-r.Context().Done()
		return true
	}
	c := s.client(t, nil)
	if _, err := c.Refresh(ctx, auth.NewSecret("rt-0"), Origin{}); classOf(err) != Unknown || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled on the way: %v", err)
	}
	if _, err := c.Refresh(ctx, auth.NewSecret("rt-0"), Origin{}); classOf(err) != Cancelled || len(s.posts) != 1 {
		t.Errorf("cancelled before: %v, %d requests", err, len(s.posts))
	}
}
