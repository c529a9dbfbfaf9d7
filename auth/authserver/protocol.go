package authserver

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
)

// protocolError is an error answer of RFC 6749 section 5.2. It is safe to
// send and to log: it never repeats what the request held.
type protocolError struct {
	status      int
	code        string
	description string
}

func (e *protocolError) Error() string { return e.code + ": " + e.description }

func badRequest(code, description string) error {
	return &protocolError{http.StatusBadRequest, code, description}
}

var (
	errInvalidClient = &protocolError{http.StatusUnauthorized, "invalid_client", "Client authentication failed."}
	errNoRoom        = &protocolError{http.StatusServiceUnavailable, "temporarily_unavailable", "Too many requests wait. Try again in a minute."}
)

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // only maps and structs of plain values get here
		panic(fmt.Sprintf("authserver: encode %T: %v", v, err))
	}
	writeJSONBytes(w, status, body)
}

func writeJSONBytes(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Pragma", "no-cache") // RFC 6749 section 5.1
	w.WriteHeader(status)
	w.Write(body)
}

func (s *Server) writeError(w http.ResponseWriter, err error) {
	e, ok := errors.AsType[*protocolError](err)
	if !ok {
		s.cfg.Logger.Error("internal error", "err", err)
		e = &protocolError{http.StatusInternalServerError, "server_error", "The server failed. Its log says why."}
	}
	if e.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="authserver"`)
	}
	writeJSON(w, e.status, map[string]string{"error": e.code, "error_description": e.description})
}

// form reads a request's form. Parameters given twice are refused (RFC 6749
// section 3.2), and those in the URL are ignored: nothing secret belongs there.
func form(r *http.Request) (url.Values, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, badRequest("invalid_request", "The body must be application/x-www-form-urlencoded.")
	}
	if err := r.ParseForm(); err != nil {
		return nil, badRequest("invalid_request", "The form cannot be read.")
	}
	if name := repeated(r.PostForm); name != "" {
		return nil, badRequest("invalid_request", fmt.Sprintf("The parameter %.40q is given twice.", name))
	}
	return r.PostForm, nil
}

// clientForm returns the form of a request, and the client that sends it.
func (s *Server) clientForm(r *http.Request) (url.Values, *Client, error) {
	f, err := form(r)
	if err != nil {
		return nil, nil, err
	}
	c, err := s.authenticate(r, f)
	return f, c, err
}

// repeated returns the first name (in order of the alphabet) that v holds more than once.
func repeated(v url.Values) string {
	for _, name := range slices.Sorted(maps.Keys(v)) {
		if len(v[name]) > 1 {
			return name
		}
	}
	return ""
}

// authenticate finds the client that sent f (RFC 6749 section 2.3). A public
// one has only its id. A confidential one has its secret in the header or the
// body, but not in both.
func (s *Server) authenticate(r *http.Request, f url.Values) (*Client, error) {
	id, secret := f.Get("client_id"), f.Get("client_secret")
	if r.Header.Get("Authorization") != "" {
		user, password, ok := r.BasicAuth()
		user, err1 := url.QueryUnescape(user)
		password, err2 := url.QueryUnescape(password)
		if !ok || err1 != nil || err2 != nil || secret != "" || id != "" && id != user {
			return nil, errInvalidClient
		}
		id, secret = user, password
	}
	c := s.clients[id]
	if c == nil || !same(c.Secret, secret) {
		return nil, errInvalidClient
	}
	return c, nil
}

// same compares secrets in constant time.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

func (s *Server) serveMetadata(w http.ResponseWriter, _ *http.Request) {
	methods := []string{"none", "client_secret_basic", "client_secret_post"}
	u := s.cfg.Issuer
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer":                                u,
		"authorization_endpoint":                u + "/authorize",
		"token_endpoint":                        u + "/token",
		"jwks_uri":                              u + "/jwks",
		"userinfo_endpoint":                     u + "/userinfo",
		"revocation_endpoint":                   u + "/revoke",
		"device_authorization_endpoint":         u + "/device_authorization",
		"response_types_supported":              []string{"code"},
		"response_modes_supported":              []string{"query"},
		"grant_types_supported":                 []string{grantCode, grantRefresh, grantDevice, grantTrade},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{"ES256"},
		"scopes_supported":                      []string{"openid", "profile", "email", "offline_access"},
		"claims_supported":                      []string{"sub", "name", "email", "auth_time"},
		"prompt_values_supported":               []string{"none", "login", "consent", "select_account"},
		"code_challenge_methods_supported":      []string{"S256"},
		"token_endpoint_auth_methods_supported": methods,

		"revocation_endpoint_auth_methods_supported":     methods,
		"authorization_response_iss_parameter_supported": true, // RFC 9207
		"request_parameter_supported":                    false,
		"request_uri_parameter_supported":                false,
	})
}
