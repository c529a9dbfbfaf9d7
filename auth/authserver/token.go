package authserver

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The grant types of the token endpoint.
const (
	grantCode    = "authorization_code"
	grantRefresh = "refresh_token"
	grantTrade   = "urn:ietf:params:oauth:grant-type:token-exchange" // RFC 8693
	grantDevice  = "urn:ietf:params:oauth:grant-type:device_code"    // RFC 8628 section 3.4
)

// The exact words of the session model.
const (
	MessageAge         = "Refresh token has expired. Please login again."
	MessageRefreshes   = "Refresh token has reached maximum usage limit. Please login again."
	MessageNeedAccess  = "Invalid token type. Access token required."
	MessageNeedRefresh = "Invalid token type. Refresh token required."
)

// A session is one sign-in. Only what it holds counts. The claims in its tokens
// only inform the client.
type session struct {
	id       string
	client   *Client
	sub      string
	scope    string
	authTime time.Time
	start    time.Time // whole seconds; never changes
	count    int       // refreshes made

	current  string    // jti of the one refresh token that is good
	previous string    // jti of the one it replaced
	rotated  time.Time // when
	answer   []byte    // what was answered then: what a retry within the grace gets again

	revoked map[string]bool // jti of access tokens revoked one by one
}

// over reports whether a session that started at start is past its age. At
// exactly the maximum age it still lives.
func (s *Server) over(start, now time.Time) bool { return now.After(start.Add(s.cfg.MaxAge)) }

// tokenAnswer is a successful answer of the token endpoint (RFC 6749 section 5.1).
type tokenAnswer struct {
	AccessToken      string `json:"access_token"`
	TokenType        string `json:"token_type"`
	ExpiresIn        int64  `json:"expires_in"`
	RefreshToken     string `json:"refresh_token"`
	RefreshExpiresIn int64  `json:"refresh_expires_in"` // what is left of the session
	IDToken          string `json:"id_token,omitempty"`
	Scope            string `json:"scope"`
}

func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	f, err := form(r)
	if err != nil {
		s.writeError(w, err)
		return
	}
	grant := f.Get("grant_type")
	client, err := s.authenticate(r, f)
	var answer []byte
	switch {
	case err != nil:
	case grant == grantCode:
		answer, err = s.exchange(client, f)
	case grant == grantRefresh:
		answer, err = s.refresh(client, f, graceOf(r.Context(), s.cfg.Grace))
	case grant == grantDevice:
		answer, err = s.poll(client, f)
	case grant == grantTrade:
		answer, err = s.trade(client, f)
	case grant == "":
		err = badRequest("invalid_request", "grant_type is missing.")
	default:
		err = badRequest("unsupported_grant_type", "There is no such grant_type here.")
	}
	if err != nil {
		s.cfg.Logger.Info("token request refused", "grant", grantName(grant), "err", err)
		s.writeError(w, err)
		return
	}
	s.cfg.Logger.Info("tokens issued", "grant", grantName(grant), "client", client.ID)
	writeJSONBytes(w, http.StatusOK, answer)
}

// grantName keeps what a stranger wrote out of logs and counters.
func grantName(grant string) string {
	if slices.Contains([]string{grantCode, grantRefresh, grantDevice, grantTrade}, grant) {
		return grant
	}
	return "other"
}

// exchange trades an authorization code for tokens (RFC 6749 section 4.1.3).
// A code has one try: whatever is wrong with it, it is used up.
func (s *Server) exchange(client *Client, f url.Values) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	c := s.codes[f.Get("code")]
	if c == nil || c.client != client {
		return nil, badRequest("invalid_grant", "The authorization code is unknown.")
	}
	if c.used {
		// It was stolen, by this caller or by the one before (section 4.1.2).
		delete(s.sessions, c.session)
		return nil, badRequest("invalid_grant", "The authorization code was used before, so what it gave was revoked.")
	}
	c.used = true
	verifier := f.Get("code_verifier")
	challenge := sha256.Sum256([]byte(verifier))
	switch {
	case now.After(c.expires):
		return nil, badRequest("invalid_grant", "The authorization code has expired.")
	case f.Get("redirect_uri") != c.redirect:
		return nil, badRequest("invalid_grant", "The redirect_uri is not that of the authorization request.")
	case !verifierForm.MatchString(verifier) || !same(base64.RawURLEncoding.EncodeToString(challenge[:]), c.challenge):
		return nil, badRequest("invalid_grant", "The code_verifier does not match.")
	}
	answer, id, err := s.startLocked(now, client, c.sub, c.scope, c.nonce, c.authTime)
	c.session = id
	return answer, err
}

// startLocked begins a session and issues its first tokens.
func (s *Server) startLocked(now time.Time, client *Client, sub, scope, nonce string, authTime time.Time) (answer []byte, id string, err error) {
	if !s.roomLocked(now) {
		return nil, "", errNoRoom
	}
	v := &session{id: rand.Text(), client: client, sub: sub, scope: scope, authTime: authTime,
		start: now.Truncate(time.Second), revoked: map[string]bool{}}
	if answer, err = s.issueLocked(now, v, scope, nonce); err != nil {
		return nil, "", err
	}
	s.sessions[v.id] = v
	return answer, v.id, nil
}

// refresh trades the current refresh token for new tokens (RFC 6749 section
// 6), under the rules of the package comment.
func (s *Server) refresh(client *Client, f url.Values, grace time.Duration) ([]byte, error) {
	token := f.Get("refresh_token")
	if token == "" {
		return nil, badRequest("invalid_request", "refresh_token is missing.")
	}
	t, err := s.parse(token)
	switch {
	case err != nil:
		return nil, badRequest("invalid_grant", "The refresh token is not one of this server. Please login again.")
	case t.Type != typeRefresh:
		return nil, badRequest("invalid_grant", MessageNeedRefresh)
	case t.ClientID != client.ID:
		// The session lives on: a foreign client must not be able to end it.
		return nil, badRequest("invalid_grant", "The refresh token was issued to another client.")
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if s.over(time.Unix(t.OriginalIat, 0), now) {
		delete(s.sessions, t.Session)
		return nil, badRequest("invalid_grant", MessageAge)
	}
	v := s.sessions[t.Session]
	switch {
	case v == nil:
		return nil, badRequest("invalid_grant", "The session has been ended. Please login again.")
	case t.ID == v.current:
	case t.ID == v.previous && now.Sub(v.rotated).Abs() <= grace:
		s.cfg.Logger.Info("lost answer sent again", "client", client.ID, "count", v.count)
		return v.answer, nil
	default:
		delete(s.sessions, v.id)
		s.cfg.Logger.Warn("refresh token used twice, session ended", "client", client.ID, "user", v.sub, "count", v.count)
		return nil, badRequest("invalid_grant", "The refresh token was used before, so the session has been ended. Please login again.")
	}
	if v.count >= max(0, s.cfg.MaxRefreshes) {
		return nil, badRequest("invalid_grant", MessageRefreshes)
	}
	if f.Has("resource") && f.Get("resource") != s.apiAudience() {
		return nil, badRequest("invalid_target", "No such API is known here.") // RFC 8707 section 2
	}
	scope := v.scope
	if f.Has("scope") {
		scope = f.Get("scope")
		for one := range strings.SplitSeq(scope, " ") {
			if !slices.Contains(strings.Fields(v.scope), one) {
				return nil, badRequest("invalid_scope", "The scope was not granted at the sign-in.")
			}
		}
	}
	v.count++
	answer, err := s.issueLocked(now, v, scope, "")
	if err != nil {
		v.count--
		return nil, err
	}
	return answer, nil
}

// trade gives another access token for an access token, for this server's API,
// with no wider scope and no longer life (RFC 8693 section 2). The session is as
// it was: nothing is rotated or counted.
func (s *Server) trade(client *Client, f url.Values) ([]byte, error) {
	const accessToken = "urn:ietf:params:oauth:token-type:access_token"
	t, err := s.parse(f.Get("subject_token"))
	now := s.now()
	switch {
	case f.Get("subject_token_type") != accessToken || f.Has("requested_token_type") && f.Get("requested_token_type") != accessToken:
		return nil, badRequest("invalid_request", "Only access tokens are exchanged here, for access tokens.")
	case err != nil || t.Type != typeAccess || t.ClientID != client.ID || !now.Before(t.ExpiresAt.Time):
		return nil, badRequest("invalid_request", "The subject_token is not an access token that is valid here.")
	}
	for _, target := range slices.Concat(f["audience"], f["resource"]) {
		if target != s.apiAudience() {
			return nil, badRequest("invalid_target", "No such API is known here.") // section 2.2.2
		}
	}
	scope := t.Scope
	if f.Has("scope") {
		scope = f.Get("scope")
	}
	for one := range strings.SplitSeq(scope, " ") {
		if !slices.Contains(strings.Fields(t.Scope), one) {
			return nil, badRequest("invalid_scope", "The subject_token has no such scope.")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.sessions[t.Session]; v == nil || v.revoked[t.ID] {
		return nil, badRequest("invalid_request", "The subject_token was revoked.")
	}
	iat, exp := now.Truncate(time.Second), t.ExpiresAt.Time
	access, err := s.signLocked(typAccess, tokenClaims{registered(s.cfg.Issuer, t.Subject, s.apiAudience(), iat, exp), typeAccess, client.ID, scope, t.Session})
	if err != nil {
		return nil, fmt.Errorf("sign access token: %w", err)
	}
	return json.Marshal(map[string]any{"access_token": access, "issued_token_type": accessToken, "token_type": "Bearer", "expires_in": int64(exp.Sub(iat) / time.Second), "scope": scope})
}

// issueLocked makes the session's next tokens and rotates to them. scope is
// that of the access token; the refresh token keeps the session's (RFC 6749
// section 6). A refreshed ID token has no nonce (OpenID Connect Core 12.2).
func (s *Server) issueLocked(now time.Time, v *session, scope, nonce string) ([]byte, error) {
	iat, end := now.Truncate(time.Second), v.start.Add(s.cfg.MaxAge)
	exp := iat.Add(s.cfg.AccessLifetime)
	if exp.After(end) {
		exp = end
	}
	shared := func(typ, audience, scope string, exp time.Time) tokenClaims {
		return tokenClaims{registered(s.cfg.Issuer, v.sub, audience, iat, exp), typ, v.client.ID, scope, v.id}
	}
	r := refreshClaims{shared(typeRefresh, s.tokenAudience(), v.scope, end), v.start.Unix(), v.count}
	refresh, err := s.signLocked(typRefresh, r)
	if err != nil {
		return nil, fmt.Errorf("sign refresh token: %w", err)
	}
	access, err := s.signLocked(typAccess, shared(typeAccess, s.apiAudience(), scope, exp))
	if err != nil {
		return nil, fmt.Errorf("sign access token: %w", err)
	}
	a := tokenAnswer{AccessToken: access, TokenType: "Bearer", ExpiresIn: int64(exp.Sub(iat) / time.Second), RefreshToken: refresh,
		RefreshExpiresIn: int64(end.Sub(iat) / time.Second), Scope: scope}
	if scopes := strings.Fields(scope); slices.Contains(scopes, "openid") {
		id := idClaims{RegisteredClaims: registered(s.cfg.Issuer, v.sub, v.client.ID, iat, exp),
			AuthTime: v.authTime.Unix(), Nonce: nonce, Session: v.id, AccessHash: halfHash(access)}
		id.Name, id.Email = profile(v.sub, scopes)
		if a.IDToken, err = s.signLocked(typID, id); err != nil {
			return nil, fmt.Errorf("sign ID token: %w", err)
		}
	}
	answer, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("encode token answer: %w", err)
	}
	v.previous, v.current, v.rotated, v.answer = v.current, r.ID, now, answer
	return answer, nil
}

// serveRevoke implements RFC 7009. A refresh token, even one that was replaced
// already, ends its session. An access token is revoked alone.
func (s *Server) serveRevoke(w http.ResponseWriter, r *http.Request) {
	f, client, err := s.clientForm(r)
	if err != nil {
		s.writeError(w, err)
		return
	}
	if f.Get("token") == "" {
		s.writeError(w, badRequest("invalid_request", "token is missing."))
		return
	}
	t, err := s.parse(f.Get("token"))
	if err == nil && t.Type != "" && t.ClientID != client.ID {
		s.writeError(w, badRequest("invalid_grant", "The token was issued to another client."))
		return
	}
	if err == nil {
		s.mu.Lock()
		switch v := s.sessions[t.Session]; {
		case v == nil:
		case t.Type == typeRefresh:
			delete(s.sessions, v.id)
			s.cfg.Logger.Info("session revoked", "client", client.ID, "user", v.sub)
		case t.Type == typeAccess:
			v.revoked[t.ID] = true
		}
		s.mu.Unlock()
	}
	w.WriteHeader(http.StatusOK) // for unknown and dead tokens too (section 2.2)
}
