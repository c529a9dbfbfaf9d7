package authserver

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const day = 24 * time.Hour

// The texts are written out here: they are a promise, not a constant.
const (
	textAge         = "Refresh token has expired. Please login again."
	textRefreshes   = "Refresh token has reached maximum usage limit. Please login again."
	textNeedAccess  = "Invalid token type. Access token required."
	textNeedRefresh = "Invalid token type. Refresh token required."
	textReuse       = "The refresh token was used before, so the session has been ended. Please login again."
	textEnded       = "The session has been ended. Please login again."
)

func TestAgeLimit(t *testing.T) {
	for _, tt := range []struct {
		name   string
		age    time.Duration
		want   string // error_description; empty: works
		access float64
		left   float64
	}{
		{"at once", 0, "", 900, 2592000},
		{"after a day", day, "", 900, 2505600},
		{"a quarter of an hour before the end", 30*day - 15*time.Minute, "", 900, 900},
		{"a minute before the end", 30*day - time.Minute, "", 60, 60},
		{"30 days", 30 * day, "", 0, 0},
		{"30 days and a nanosecond", 30*day + 1, textAge, 0, 0},
		{"30 days and a second", 30*day + time.Second, textAge, 0, 0},
		{"a year", 365 * day, textAge, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t, nil)
			first := l.signIn()
			start := l.now
			l.after(tt.age)
			r := l.refresh(first.str("refresh_token"))
			if tt.want != "" {
				l.wantError(r, 400, "invalid_grant", tt.want)
				return
			}
			if r.status != 200 || r.json["expires_in"] != tt.access || r.json["refresh_expires_in"] != tt.left {
				t.Fatalf("got %d %s", r.status, r.body)
			}
			for _, token := range []string{"access_token", "refresh_token", "id_token"} {
				_, c := claims(t, r.str(token))
				if exp := int64(c["exp"].(float64)); exp > start.Add(30*day).Unix() {
					t.Errorf("%s outlives the session by %d s", token, exp-start.Add(30*day).Unix())
				}
			}
		})
	}
}

// Sweeping a session away must not change the words.
func TestAgeTextAfterSweep(t *testing.T) {
	l := newLab(t, nil)
	first := l.signIn()
	l.after(31 * day)
	if n := l.s.Sessions(); n != 0 {
		t.Fatalf("%d sessions live past their age", n)
	}
	l.wantError(l.refresh(first.str("refresh_token")), 400, "invalid_grant", textAge)
}

func TestRefreshLimit(t *testing.T) {
	l := newLab(t, nil)
	r := l.signIn()
	for i := 1; i <= 20; i++ {
		l.after(time.Hour)
		r = l.mustRefresh(r.str("refresh_token"))
		_, c := claims(t, r.str("refresh_token"))
		if c["refreshCount"] != float64(i) {
			t.Fatalf("refresh %d says refreshCount %v", i, c["refreshCount"])
		}
	}
	for range 3 { // the 21st, and it stays so
		l.wantError(l.refresh(r.str("refresh_token")), 400, "invalid_grant", textRefreshes)
	}
	if got := l.me(r.str("access_token")); got.status != 200 {
		t.Errorf("the last access token ends with its own time, not with the count: %d %s", got.status, got.body)
	}
}

func TestTightenedLimits(t *testing.T) {
	l := newLab(t, func(c *Config) { c.MaxRefreshes, c.MaxAge, c.AccessLifetime = 1, time.Hour, time.Minute })
	r := l.signIn()
	if r.json["expires_in"] != 60.0 || r.json["refresh_expires_in"] != 3600.0 {
		t.Errorf("got %s", r.body)
	}
	r = l.mustRefresh(r.str("refresh_token"))
	l.wantError(l.refresh(r.str("refresh_token")), 400, "invalid_grant", textRefreshes)

	l = newLab(t, func(c *Config) { c.MaxRefreshes = None })
	l.wantError(l.refresh(l.signIn().str("refresh_token")), 400, "invalid_grant", textRefreshes)
}

func TestTokenClaims(t *testing.T) {
	l := newLab(t, nil)
	start := l.now
	first := l.signIn()
	l.after(3*day + 500*time.Millisecond)
	second := l.mustRefresh(first.str("refresh_token"))
	iat := start.Add(3 * day).Unix()

	h, c := claims(t, second.str("refresh_token"))
	for key, want := range map[string]any{"type": "refresh", "originalIat": float64(start.Unix()), "refreshCount": 1.0,
		"iat": float64(iat), "exp": float64(start.Add(30 * day).Unix()), "sub": "alice", "iss": testIssuer, "client_id": "curfew"} {
		if c[key] != want {
			t.Errorf("refresh token: %s is %v, want %v", key, c[key], want)
		}
	}
	if h["typ"] != "rt+jwt" || c["jti"] == "" || c["sid"] == "" {
		t.Errorf("refresh token: %v %v", h, c)
	}
	_, before := claims(t, first.str("refresh_token"))
	if before["refreshCount"] != 0.0 || before["sid"] != c["sid"] || before["jti"] == c["jti"] {
		t.Errorf("refresh tokens: %v, then %v", before, c)
	}

	ah, ac := claims(t, second.str("access_token"))
	if ah["typ"] != "at+jwt" || ac["type"] != "access" || ac["exp"].(float64)-ac["iat"].(float64) != 900 {
		t.Errorf("access token: %v %v", ah, ac)
	}
	ih, ic := claims(t, second.str("id_token"))
	if _, has := ic["nonce"]; has || ih["typ"] != "JWT" || ic["sub"] != "alice" || ic["auth_time"] != float64(start.Unix()) {
		t.Errorf("refreshed ID token: %v %v", ih, ic)
	}
	if _, ic := claims(t, first.str("id_token")); ic["nonce"] != "no" || ic["email"] != "alice@example.org" {
		t.Errorf("first ID token: %v", ic)
	}
	seen := map[string]bool{}
	for _, audience := range []any{c["aud"], ac["aud"], ic["aud"]} {
		seen[audience.([]any)[0].(string)] = true
	}
	if len(seen) != 3 {
		t.Errorf("audiences are not distinct: %v", seen)
	}
	if second.header.Get("Cache-Control") != "no-store" || second.str("token_type") != "Bearer" {
		t.Errorf("answer: %v %s", second.header, second.body)
	}
	if got, want := second.header.Get("Date"), l.now.Format(http.TimeFormat); got != want {
		t.Errorf("Date %s, want %s", got, want)
	}
}

func TestWrongTokenTypes(t *testing.T) {
	l := newLab(t, nil)
	r := l.signIn()
	for _, later := range []time.Duration{0, time.Hour} { // expired, the type is still what is wrong
		l.after(later)
		for _, token := range []string{"access_token", "id_token"} {
			l.wantError(l.refresh(r.str(token)), 400, "invalid_grant", textNeedRefresh)
		}
		for _, token := range []string{"refresh_token", "id_token"} {
			got := l.me(r.str(token))
			l.wantError(got, 401, "invalid_token", textNeedAccess)
			if want := `Bearer realm="authserver", error="invalid_token", error_description="` + textNeedAccess + `"`; got.header.Get("WWW-Authenticate") != want {
				t.Errorf("WWW-Authenticate: %s", got.header.Get("WWW-Authenticate"))
			}
			l.wantError(l.request("/userinfo", nil, "Authorization", "bearer "+r.str(token)), 401, "invalid_token", textNeedAccess)
		}
	}
	if l.s.Sessions() != 1 {
		t.Error("a token of the wrong type ended the session")
	}
}

func TestAccessTokenEnds(t *testing.T) {
	l := newLab(t, nil)
	r := l.signIn()
	l.after(15*time.Minute - 1)
	if got := l.me(r.str("access_token")); got.status != 200 || got.str("sub") != "alice" {
		t.Errorf("a nanosecond before its end: %d %s", got.status, got.body)
	}
	l.after(1)
	l.wantError(l.me(r.str("access_token")), 401, "invalid_token", "The access token has expired.")
	if got := l.request("/api/me", nil); got.status != 401 || got.header.Get("WWW-Authenticate") != `Bearer realm="authserver"` || got.str("error") != "" {
		t.Errorf("without a token: %d %v %s", got.status, got.header, got.body)
	}
}

// Hole 1: a stateless counter could be reset by replaying token no. 0.
func TestReplayEndsSession(t *testing.T) {
	for _, tt := range []struct {
		name      string
		refreshes int           // after the first token
		wait      time.Duration // then
		replay    int           // which token
		grace     time.Duration
		want      string // empty: the same answer again
	}{
		{"last one, at once", 1, 0, 0, 0, ""},
		{"last one, at the end of the grace", 1, 10 * time.Second, 0, 0, ""},
		{"last one, just past the grace", 1, 10*time.Second + 1, 0, 0, textReuse},
		{"last one, a day later", 1, day, 0, 0, textReuse},
		{"one generation too old, at once", 2, 0, 0, 0, textReuse},
		{"last of many", 5, time.Second, 4, 0, ""},
		{"no. 0 of many", 5, time.Second, 0, 0, textReuse},
		{"strict, at once", 1, 0, 0, None, textReuse},
		{"strict, clock set back", 1, -time.Hour, 0, None, textReuse},
		{"clock set back", 1, -time.Hour, 0, 0, textReuse},
		{"long grace", 1, time.Hour, 0, 2 * time.Hour, ""},
		{"last one of the 20th refresh", 20, time.Second, 19, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t, func(c *Config) { c.Grace = tt.grace })
			answers := []reply{l.signIn()}
			for range tt.refreshes {
				answers = append(answers, l.mustRefresh(answers[len(answers)-1].str("refresh_token")))
			}
			last := answers[tt.refreshes]
			l.after(tt.wait)
			got := l.refresh(answers[tt.replay].str("refresh_token"))
			if tt.want == "" {
				if got.status != 200 || !bytes.Equal(got.body, last.body) {
					t.Fatalf("not the same answer: %d %s", got.status, got.body)
				}
				if tt.refreshes < 20 {
					next := l.mustRefresh(last.str("refresh_token"))
					if _, c := claims(t, next.str("refresh_token")); c["refreshCount"] != float64(tt.refreshes+1) {
						t.Errorf("the retry was counted: refreshCount %v", c["refreshCount"])
					}
				}
				return
			}
			l.wantError(got, 400, "invalid_grant", tt.want)
			l.wantError(l.refresh(last.str("refresh_token")), 400, "invalid_grant", textEnded)
			if got := l.me(last.str("access_token")); got.status != 401 {
				t.Errorf("the access token outlived the session: %d", got.status)
			}
			if l.s.Sessions() != 0 {
				t.Error("the session lives on")
			}
		})
	}
}

// However often token no. 0 comes back, it never yields a second token set.
func TestReplayNeverForks(t *testing.T) {
	l := newLab(t, nil)
	first := l.signIn()
	want := l.mustRefresh(first.str("refresh_token"))
	for range 50 {
		if got := l.mustRefresh(first.str("refresh_token")); !bytes.Equal(got.body, want.body) {
			t.Fatalf("a second answer: %s", got.body)
		}
		l.after(100 * time.Millisecond)
	}
	// The new token is used: from now on the grace belongs to it alone.
	l.mustRefresh(want.str("refresh_token"))
	l.wantError(l.refresh(first.str("refresh_token")), 400, "invalid_grant", textReuse)
}

func TestForgedTokens(t *testing.T) {
	l := newLab(t, nil)
	r := l.signIn()
	token := r.str("refresh_token")
	header, body := claims(t, token)
	kid := header["kid"].(string)
	sign := func(method jwt.SigningMethod, key any, typ string) string {
		c := jwt.MapClaims{}
		maps.Copy(c, body)
		c["refreshCount"] = 0
		tok := jwt.NewWithClaims(method, c)
		tok.Header["kid"], tok.Header["typ"] = kid, typ
		text, err := tok.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	foreign, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(token, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	own := l.s.keys[0].private
	for name, forged := range map[string]string{
		"nonsense":       "nonsense",
		"foreign key":    sign(jwt.SigningMethodES256, foreign, "rt+jwt"),
		"alg none":       sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "rt+jwt"),
		"alg HS256":      sign(jwt.SigningMethodHS256, []byte("key"), "rt+jwt"),
		"wrong typ":      sign(jwt.SigningMethodES256, own, "at+jwt"),
		"edited claims":  parts[0] + "." + base64.RawURLEncoding.EncodeToString(bytes.Replace(payload, []byte(`"refreshCount":0`), []byte(`"refreshCount":-9`), 1)) + "." + parts[2],
		"no signature":   parts[0] + "." + parts[1] + ".",
		"other server's": newLab(t, nil).signIn().str("refresh_token"),
	} {
		l.wantError(l.refresh(forged), 400, "invalid_grant", "The refresh token is not one of this server. Please login again.")
		if got := l.me(forged); got.status != 401 {
			t.Errorf("%s: /api/me answers %d", name, got.status)
		}
	}
	l.mustRefresh(token)
}

func TestForeignClient(t *testing.T) {
	l := newLab(t, nil)
	r := l.signIn()
	use := func(path string, f url.Values) reply {
		f.Set("client_id", "other")
		return l.request(path, f)
	}
	l.wantError(use("/token", url.Values{"grant_type": {grantRefresh}, "refresh_token": {r.str("refresh_token")}}),
		400, "invalid_grant", "The refresh token was issued to another client.")
	for _, token := range []string{"refresh_token", "access_token"} {
		l.wantError(use("/revoke", url.Values{"token": {r.str(token)}}), 400, "invalid_grant", "The token was issued to another client.")
	}
	l.wantError(use("/token", url.Values{"grant_type": {grantCode}, "code": {l.code()}, "redirect_uri": {testRedirect}, "code_verifier": {testVerifier}}),
		400, "invalid_grant", "The authorization code is unknown.")
	l.mustRefresh(r.str("refresh_token"))
}

func TestCode(t *testing.T) {
	for _, tt := range []struct {
		name    string
		wait    time.Duration
		changes map[string]string
		want    string
	}{
		{"good", 0, nil, ""},
		{"at its last moment", time.Minute, nil, ""},
		{"too late", time.Minute + 1, nil, "The authorization code has expired."},
		{"other port", 0, map[string]string{"redirect_uri": "http://127.0.0.1:5556/callback"}, "The redirect_uri is not that of the authorization request."},
		{"no redirect", 0, map[string]string{"redirect_uri": ""}, "The redirect_uri is not that of the authorization request."},
		{"PKCE downgrade: no verifier", 0, map[string]string{"code_verifier": ""}, "The code_verifier does not match."},
		{"PKCE downgrade: challenge as verifier", 0, map[string]string{"code_verifier": challengeOf(testVerifier)}, "The code_verifier does not match."},
		{"wrong verifier", 0, map[string]string{"code_verifier": strings.Repeat("x", 43)}, "The code_verifier does not match."},
		{"no code", 0, map[string]string{"code": ""}, "The authorization code is unknown."},
		{"invented code", 0, map[string]string{"code": "CODE"}, "The authorization code is unknown."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t, nil)
			code := l.code()
			l.after(tt.wait)
			r := l.exchange(code, tt.changes)
			if tt.want == "" {
				if r.status != 200 {
					t.Fatalf("%d %s", r.status, r.body)
				}
				return
			}
			l.wantError(r, 400, "invalid_grant", tt.want)
			if _, sent := tt.changes["code"]; !sent {
				// One try: the right answer comes too late.
				l.wantError(l.exchange(code, nil), 400, "invalid_grant", "The authorization code was used before, so what it gave was revoked.")
			}
			if l.s.Sessions() != 0 {
				t.Error("a session came of it")
			}
		})
	}
}

func TestCodeReplayRevokes(t *testing.T) {
	l := newLab(t, nil)
	code := l.code()
	first := l.exchange(code, nil)
	second := l.mustRefresh(first.str("refresh_token"))
	l.after(2 * day) // remembered as long as what it gave
	l.s.Sessions()
	l.wantError(l.exchange(code, nil), 400, "invalid_grant", "The authorization code was used before, so what it gave was revoked.")
	l.wantError(l.refresh(second.str("refresh_token")), 400, "invalid_grant", textEnded)
}

func TestRevoke(t *testing.T) {
	revoke := func(l *lab, token string) reply {
		return l.request("/revoke", url.Values{"client_id": {DefaultClientID}, "token": {token}})
	}
	t.Run("refresh token", func(t *testing.T) {
		l := newLab(t, nil)
		r := l.signIn()
		if got := revoke(l, r.str("refresh_token")); got.status != 200 || len(got.body) != 0 {
			t.Errorf("%d %s", got.status, got.body)
		}
		l.wantError(l.refresh(r.str("refresh_token")), 400, "invalid_grant", textEnded)
		l.wantError(l.me(r.str("access_token")), 401, "invalid_token", "The access token was revoked.")
	})
	t.Run("replaced refresh token", func(t *testing.T) {
		l := newLab(t, nil)
		r := l.signIn()
		l.mustRefresh(r.str("refresh_token"))
		revoke(l, r.str("refresh_token"))
		if l.s.Sessions() != 0 {
			t.Error("the session lives on")
		}
	})
	t.Run("access token", func(t *testing.T) {
		l := newLab(t, nil)
		r := l.signIn()
		revoke(l, r.str("access_token"))
		l.wantError(l.me(r.str("access_token")), 401, "invalid_token", "The access token was revoked.")
		next := l.mustRefresh(r.str("refresh_token"))
		if got := l.me(next.str("access_token")); got.status != 200 {
			t.Errorf("the next access token: %d", got.status)
		}
	})
	t.Run("others", func(t *testing.T) {
		l := newLab(t, nil)
		r := l.signIn()
		for _, token := range []string{"unknown", r.str("id_token")} {
			if got := revoke(l, token); got.status != 200 {
				t.Errorf("%d %s", got.status, got.body)
			}
		}
		l.wantError(revoke(l, ""), 400, "invalid_request", "token is missing.")
		l.wantError(l.request("/revoke", url.Values{"token": {r.str("refresh_token")}}), 401, "invalid_client", "Client authentication failed.")
		l.mustRefresh(r.str("refresh_token"))
	})
}

func TestEndSession(t *testing.T) {
	l := newLab(t, nil)
	r := l.signIn()
	l.signIn()
	if n := l.s.EndSession("bob"); n != 0 {
		t.Errorf("bob had %d", n)
	}
	if n := l.s.EndSession("alice"); n != 2 {
		t.Errorf("alice had %d", n)
	}
	l.wantError(l.refresh(r.str("refresh_token")), 400, "invalid_grant", textEnded)
	if got := []int{l.s.Posts(grantCode), l.s.Posts(grantRefresh), l.s.Posts("")}; got[0] != 2 || got[1] != 1 || got[2] != 3 {
		t.Errorf("posts: %v", got)
	}
}

func TestRefreshScope(t *testing.T) {
	l := newLab(t, nil)
	r := l.signIn()
	ask := func(token, scope string) reply {
		return l.request("/token", url.Values{"grant_type": {grantRefresh}, "client_id": {DefaultClientID}, "refresh_token": {token}, "scope": {scope}})
	}
	l.wantError(ask(r.str("refresh_token"), "openid admin"), 400, "invalid_scope", "The scope was not granted at the sign-in.")
	r = ask(r.str("refresh_token"), "email") // nothing was spent
	if r.str("scope") != "email" || r.str("id_token") != "" {
		t.Fatalf("%s", r.body)
	}
	if got := l.request("/userinfo", nil, "Authorization", "Bearer "+r.str("access_token")); got.status != 403 || got.str("error") != "insufficient_scope" {
		t.Errorf("userinfo without openid: %d %s", got.status, got.body)
	}
	if r = l.mustRefresh(r.str("refresh_token")); r.str("scope") != "openid profile email offline_access" {
		t.Errorf("the refresh token lost scope: %s", r.body)
	}
	got := l.request("/userinfo", nil, "Authorization", "Bearer "+r.str("access_token"))
	if got.str("sub") != "alice" || got.str("name") != "Alice" || got.str("email") != "alice@example.org" {
		t.Errorf("userinfo: %s", got.body)
	}
}

func TestTokenRequests(t *testing.T) {
	l := newLab(t, nil)
	for _, tt := range []struct {
		name, body, kind string
		status           int
		code, text       string
	}{
		{"empty", "", "application/x-www-form-urlencoded", 401, "invalid_client", "Client authentication failed."},
		{"no grant", "client_id=curfew", "application/x-www-form-urlencoded; charset=utf-8", 400, "invalid_request", "grant_type is missing."},
		{"unknown grant", "client_id=curfew&grant_type=password", "application/x-www-form-urlencoded", 400, "unsupported_grant_type", "There is no such grant_type here."},
		{"twice", "client_id=curfew&grant_type=refresh_token&grant_type=refresh_token", "application/x-www-form-urlencoded", 400, "invalid_request", `The parameter "grant_type" is given twice.`},
		{"JSON", `{"grant_type":"refresh_token"}`, "application/json", 400, "invalid_request", "The body must be application/x-www-form-urlencoded."},
		{"damaged", "client_id=curfew&grant_type=refresh_token&refresh_token=%zz", "application/x-www-form-urlencoded", 400, "invalid_request", "The form cannot be read."},
		{"huge", "client_id=curfew&grant_type=refresh_token&refresh_token=" + strings.Repeat("x", 1<<17), "application/x-www-form-urlencoded", 400, "invalid_request", "The form cannot be read."},
		{"no token", "client_id=curfew&grant_type=refresh_token", "application/x-www-form-urlencoded", 400, "invalid_request", "refresh_token is missing."},
		{"unknown client", "client_id=nobody&grant_type=refresh_token", "application/x-www-form-urlencoded", 401, "invalid_client", "Client authentication failed."},
		{"public client with a secret", "client_id=curfew&client_secret=x&grant_type=refresh_token", "application/x-www-form-urlencoded", 401, "invalid_client", "Client authentication failed."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := http.NewRequest(http.MethodPost, testIssuer+"/token", strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", tt.kind)
			resp, err := l.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			l.wantError(readReply(t, resp), tt.status, tt.code, tt.text)
		})
	}
	if got := l.request("/token", nil); got.status != http.StatusMethodNotAllowed {
		t.Errorf("GET /token: %d", got.status)
	}
}

func TestConfidentialClient(t *testing.T) {
	l := newLab(t, nil)
	basic := func(id, secret string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
	}
	const secret = "s3cr:t +%"
	for _, tt := range []struct {
		name, auth, id, secret string
		ok                     bool
	}{
		{"in the header", basic("secretive", secret), "", "", true},
		{"in the header, id in the body too", basic("secretive", secret), "secretive", "", true},
		{"in the body", "", "secretive", secret, true},
		{"nowhere", "", "secretive", "", false},
		{"wrong", "", "secretive", "wrong", false},
		{"wrong in the header", basic("secretive", "wrong"), "", "", false},
		{"both ways at once", basic("secretive", secret), "", secret, false},
		{"two ids", basic("secretive", secret), "curfew", "", false},
		{"another scheme", "Bearer x", "secretive", secret, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code := l.visit(authorizeURL(map[string]string{"client_id": "secretive"})).Get("code")
			f := form2(map[string]string{"grant_type": grantCode, "code": code, "redirect_uri": testRedirect, "code_verifier": testVerifier,
				"client_id": tt.id, "client_secret": tt.secret}, nil)
			var header []string
			if tt.auth != "" {
				header = []string{"Authorization", tt.auth}
			}
			got := l.request("/token", f, header...)
			if tt.ok && got.status != 200 {
				t.Errorf("%d %s", got.status, got.body)
			}
			if !tt.ok {
				l.wantError(got, 401, "invalid_client", "Client authentication failed.")
				if got.header.Get("WWW-Authenticate") == "" {
					t.Error("401 without WWW-Authenticate")
				}
			}
		})
	}
}

// Everything waits a bounded time, and the maps empty themselves.
func TestForgets(t *testing.T) {
	l := newLab(t, nil)
	for range 5 {
		l.code()
		l.signIn()
		l.request("/device_authorization", url.Values{"client_id": {DefaultClientID}})
	}
	l.after(10 * time.Minute)
	l.s.Sessions()
	if c, d, s := len(l.s.codes), len(l.s.devices), len(l.s.sessions); c != 5 || d != 0 || s != 5 {
		t.Errorf("after ten minutes: %d codes (want the used ones, 5), %d devices, %d sessions", c, d, s)
	}
	l.after(31 * day)
	l.s.Sessions()
	if n := len(l.s.codes) + len(l.s.devices) + len(l.s.sessions) + len(l.s.logins); n != 0 {
		t.Errorf("after 31 days %d things are still kept", n)
	}
}

func TestFullServer(t *testing.T) {
	l := newLab(t, func(c *Config) { c.AutoApprove = "alice" })
	for range maxKept {
		l.request(pathOf(authorizeURL(nil)), nil)
	}
	q := l.visit(authorizeURL(nil))
	if q.Get("error") != "temporarily_unavailable" {
		t.Fatalf("one too many: %v", q)
	}
	l.after(2 * time.Minute)
	if q := l.visit(authorizeURL(nil)); q.Get("code") == "" {
		t.Errorf("after the codes have expired: %v", q)
	}
}

// Nothing that opens a door may be in a log.
func TestLogsHoldNoSecrets(t *testing.T) {
	l := newLab(t, nil)
	code := l.code()
	r := l.exchange(code, nil)
	secrets := []string{code, testVerifier, "alice-pw", "wrong-password", "st4te"}
	add := func(r reply) {
		for _, key := range []string{"access_token", "refresh_token", "id_token", "device_code"} {
			if v := r.str(key); v != "" {
				secrets = append(secrets, v, strings.Split(v, ".")[len(strings.Split(v, "."))-1])
			}
		}
	}
	add(r)
	add(l.mustRefresh(r.str("refresh_token")))
	l.after(time.Hour)
	l.refresh(r.str("refresh_token"))
	l.me(r.str("access_token"))
	l.exchange(code, nil)
	l.request("/revoke", url.Values{"client_id": {DefaultClientID}, "token": {r.str("refresh_token")}})
	l.request("/token", url.Values{"grant_type": {r.str("refresh_token")}, "client_id": {r.str("access_token")}})
	l.request("/token", url.Values{"client_id": {"curfew"}, "grant_type": {grantRefresh}, "refresh_token": {"a", "b"}, r.str("access_token"): {"1", "2"}})
	l.visit(authorizeURL(map[string]string{"state": "st4te", "scope": "\x01"}))
	l.request("/authorize?client_id=x&code="+code, nil)
	l.request(strings.TrimPrefix(authorizeURL(map[string]string{"prompt": "login"}), testIssuer), url.Values{"do": {"sign-in"}, "username": {"alice"}, "password": {"wrong-password"}})
	add(l.request("/device_authorization", url.Values{"client_id": {DefaultClientID}}))
	if l.log.Len() == 0 {
		t.Fatal("nothing is logged")
	}
	for _, s := range secrets {
		if strings.Contains(l.log.String(), s) {
			t.Errorf("%q is in the log:\n%s", s, &l.log)
		}
	}
	for cookie := range l.s.logins {
		if strings.Contains(l.log.String(), cookie) {
			t.Error("a cookie is in the log")
		}
	}
}
