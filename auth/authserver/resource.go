package authserver

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// bearer returns the claims of the access token of a request (RFC 6750), or
// answers the request and returns nil.
func (s *Server) bearer(w http.ResponseWriter, r *http.Request) *refreshClaims {
	refuse := func(description string) *refreshClaims {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="authserver", error="invalid_token", error_description=%q`, description))
		writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "invalid_token", "error_description": description})
		return nil
	}
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		// Without a token no error code (section 3.1).
		w.Header().Set("WWW-Authenticate", `Bearer realm="authserver"`)
		writeJSON(w, http.StatusUnauthorized, map[string]string{"message": "Send an access token: Authorization: Bearer ..."})
		return nil
	}
	t, err := s.parse(strings.TrimSpace(token))
	switch {
	case err != nil:
		return refuse("The access token is not one of this server.")
	case t.Type != typeAccess:
		return refuse(MessageNeedAccess)
	case !s.now().Before(t.ExpiresAt.Time): // RFC 7519 section 4.1.4
		return refuse("The access token has expired.")
	}
	s.mu.Lock()
	v := s.sessions[t.Session]
	alive := v != nil && !v.revoked[t.ID]
	s.mu.Unlock()
	if !alive {
		return refuse("The access token was revoked.")
	}
	return t
}

// serveUserinfo is OpenID Connect Core section 5.3.
func (s *Server) serveUserinfo(w http.ResponseWriter, r *http.Request) {
	t := s.bearer(w, r)
	if t == nil {
		return
	}
	scopes := strings.Fields(t.Scope)
	if !slices.Contains(scopes, "openid") {
		w.Header().Set("WWW-Authenticate", `Bearer realm="authserver", error="insufficient_scope", scope="openid"`)
		writeJSON(w, http.StatusForbidden, map[string]string{"error": "insufficient_scope", "error_description": "The scope openid is needed."})
		return
	}
	name, email := profile(t.Subject, scopes)
	writeJSON(w, http.StatusOK, struct {
		Sub   string `json:"sub"`
		Name  string `json:"name,omitempty"`
		Email string `json:"email,omitempty"`
	}{t.Subject, name, email})
}

// serveMe is a protected resource as any API would be: it wants an access
// token and nothing else.
func (s *Server) serveMe(w http.ResponseWriter, r *http.Request) {
	t := s.bearer(w, r)
	if t == nil {
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"sub": t.Subject, "client_id": t.ClientID, "scope": t.Scope, "expires_at": t.ExpiresAt.UTC(),
	})
}

// profile returns what the scopes allow to know of a user.
func profile(sub string, scopes []string) (name, email string) {
	if slices.Contains(scopes, "profile") && sub != "" {
		name = strings.ToUpper(sub[:1]) + sub[1:]
	}
	if slices.Contains(scopes, "email") {
		email = sub + emailDomain
	}
	return name, email
}
