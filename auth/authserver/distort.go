package authserver

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// withFaults puts the liar in front of an honest endpoint. Endpoints know
// nothing of faults, but for the grace of a refresh, which only they can bend.
func (s *Server) withFaults(p place, honest http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := []place{p}
		if p == atToken {
			at = append(at, s.countPost(r)...)
		}
		f := s.cfg.Faults.take(at...)
		if f == nil {
			honest(w, r)
			return
		}
		s.cfg.Logger.Info("fault", "fault", f.fault, "after_rotate", f.after, "path", r.URL.Path)
		switch {
		case f.fault == "slow":
			by, _ := time.ParseDuration(f.options["by"]) // checked by the parser
			if !s.hold(w, r, by) {
				panic(http.ErrAbortHandler)
			}
			honest(w, r)
		case f.fault == "strict":
			honest(w, r.WithContext(withGrace(r.Context(), None)))
		case f.fault == "graceful":
			honest(w, r.WithContext(withGrace(r.Context(), math.MaxInt64)))
		case f.fault == "rollover":
			if err := s.RollKey(); err != nil {
				s.writeError(w, err)
				return
			}
			honest(w, r)
		case f.replaces() && !f.after:
			s.replace(w, r, f)
		default:
			a := &recorded{header: http.Header{}, status: http.StatusOK}
			honest(a, r)
			if f.replaces() && a.status == http.StatusOK {
				s.replace(w, r, f)
				return
			}
			if f.replaces() || !s.distort(a, f) {
				s.cfg.Faults.giveBack(f)
			}
			maps.Copy(w.Header(), a.header)
			w.WriteHeader(a.status)
			w.Write(a.body.Bytes())
		}
	})
}

// countPost counts a token request and says which grant's place it is.
func (s *Server) countPost(r *http.Request) []place {
	f, _ := url.ParseQuery(string(peekBody(r))) // the endpoint says what is wrong with it
	grant := f.Get("grant_type")
	s.mu.Lock()
	s.posts[grantName(grant)]++
	s.mu.Unlock()
	switch grant {
	case grantCode:
		return []place{atCode}
	case grantRefresh:
		return []place{atRefresh}
	case grantDevice:
		return []place{atPoll}
	}
	return nil
}

// peekBody reads the body and leaves it as it was found, a failure included.
func peekBody(r *http.Request) []byte {
	body, _ := io.ReadAll(r.Body)
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), r.Body), r.Body}
	return body
}

// recorded is an answer that has not been sent.
type recorded struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *recorded) Header() http.Header         { return a.header }
func (a *recorded) WriteHeader(status int)      { a.status = status }
func (a *recorded) Write(b []byte) (int, error) { return a.body.Write(b) }

// replaces reports whether r answers in the endpoint's stead.
func (r *rule) replaces() bool {
	switch r.fault {
	case "drop", "hang", "html", "redirect":
		return true
	}
	return r.status != 0
}

func (s *Server) replace(w http.ResponseWriter, r *http.Request, f *rule) {
	switch f.fault {
	case "drop":
		panic(http.ErrAbortHandler)
	case "hang":
		s.hold(w, r, math.MaxInt64)
		panic(http.ErrAbortHandler)
	case "html":
		writeHTML(w, http.StatusOK, "Welcome to the guest network", "Accept the terms to go online.")
	case "redirect":
		w.Header().Set("Location", f.options["to"])
		w.WriteHeader(http.StatusTemporaryRedirect)
	default:
		if after, ok := f.options["retry-after"]; ok {
			w.Header().Set("Retry-After", after)
		}
		if in, ok := f.options["retry-date"]; ok {
			seconds, _ := strconv.Atoi(in) // checked by the parser
			w.Header().Set("Retry-After", s.now().Add(time.Duration(seconds)*time.Second).Format(http.TimeFormat))
		}
		if code, ok := f.options["error"]; ok {
			writeJSON(w, f.status, map[string]string{"error": code, "error_description": "The server was told to fail."})
		} else {
			writeHTML(w, f.status, fmt.Sprintf("%d %s", f.status, http.StatusText(f.status)), "gateway")
		}
	}
}

func writeHTML(w http.ResponseWriter, status int, title, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<html><head><title>%s</title></head><body><h1>%[1]s</h1><p>%s</p></body></html>\n", title, text)
}

// hold waits, and reports false when the client or the server has gone.
func (s *Server) hold(w http.ResponseWriter, r *http.Request, by time.Duration) bool {
	peekBody(r) // only then does net/http notice that the client goes away
	// The listener's own limits must not end what was asked to be slow. A
	// writer that knows no deadlines has none to lift.
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Time{})
	_ = c.SetWriteDeadline(time.Time{})
	t := time.NewTimer(by)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
	case <-s.closed:
	}
	return false
}

type graceKey struct{}

func withGrace(ctx context.Context, grace time.Duration) context.Context {
	return context.WithValue(ctx, graceKey{}, grace)
}

// graceOf returns the grace that a fault put into ctx, else usual.
func graceOf(ctx context.Context, usual time.Duration) time.Duration {
	if g, ok := ctx.Value(graceKey{}).(time.Duration); ok {
		return g
	}
	return usual
}

// What the liar says instead of the truth.
const (
	otherIssuer   = "https://attacker.example"
	otherSub      = "mallory"
	otherAudience = "another-client"
	otherNonce    = "another-nonce"
)

// distort changes a finished answer, and reports whether there was anything
// to change.
func (s *Server) distort(a *recorded, f *rule) bool {
	if f.place == atAuthorize {
		return distortRedirect(a.header, f.fault)
	}
	var fields map[string]json.RawMessage
	if a.status != http.StatusOK || json.Unmarshal(a.body.Bytes(), &fields) != nil {
		return false
	}
	switch f.fault {
	case "truncated":
		a.body.Truncate(a.body.Len() / 2)
		return true
	case "duplicate-keys":
		return duplicateKey(&a.body, fields)
	case "wrong-iss":
		fields["issuer"] = quoted(otherIssuer)
	case "expires-in":
		distortLifetime(fields, f.options["value"])
	case "token-type":
		fields["token_type"] = quoted(f.options["value"])
	case "no-refresh-token":
		delete(fields, "refresh_token")
		delete(fields, "refresh_expires_in")
	default:
		if f.place == atUserinfo { // other-sub is all there is
			fields["sub"] = quoted(otherSub)
			break
		}
		var id string
		if json.Unmarshal(fields["id_token"], &id) != nil {
			return false
		}
		forged, err := s.forge(id, f)
		if err != nil {
			s.cfg.Logger.Error("fault failed", "fault", f.fault, "err", err)
			return false
		}
		fields["id_token"] = quoted(forged)
	}
	body, err := json.Marshal(fields)
	if err != nil {
		return false
	}
	a.body.Reset()
	a.body.Write(body)
	return true
}

func quoted(s string) json.RawMessage {
	text, _ := json.Marshal(s) // a string always encodes
	return text
}

func distortLifetime(fields map[string]json.RawMessage, value string) {
	const key = "expires_in"
	switch value {
	case "missing":
		delete(fields, key)
	case "string":
		fields[key] = quoted(string(fields[key]))
	case "float":
		fields[key] = append(bytes.Clone(fields[key]), ".5"...)
	case "huge":
		fields[key] = json.RawMessage("99999999999999999999") // past 64 bits
	default:
		n, _ := strconv.ParseInt(value, 10, 64) // checked by the parser
		fields[key] = strconv.AppendInt(nil, n, 10)
	}
}

// duplicateKey puts a second, different value of the object's first key in
// front of it.
func duplicateKey(body *bytes.Buffer, fields map[string]json.RawMessage) bool {
	d := json.NewDecoder(bytes.NewReader(body.Bytes()))
	_, err1 := d.Token() // {
	key, err2 := d.Token()
	name, ok := key.(string)
	if err1 != nil || err2 != nil || !ok {
		return false
	}
	other := quoted("another-value")
	if bytes.HasPrefix(fields[name], []byte("[")) {
		other = json.RawMessage("[]")
	}
	rest := bytes.Clone(body.Bytes()[1:])
	body.Reset()
	fmt.Fprintf(body, "{%s:%s,%s", quoted(name), other, rest)
	return true
}

// distortRedirect changes the answer in a redirect to the client.
func distortRedirect(h http.Header, fault string) bool {
	u, err := url.Parse(h.Get("Location"))
	if err != nil || !u.IsAbs() { // our own pages redirect by path
		return false
	}
	q := u.Query()
	switch fault {
	case "wrong-iss":
		q.Set("iss", otherIssuer)
	case "no-iss":
		q.Del("iss")
	case "wrong-state":
		q.Set("state", "another-state")
	}
	u.RawQuery = q.Encode()
	h.Set("Location", u.String())
	return true
}

// forge makes a wrong ID token out of a right one.
func (s *Server) forge(token string, f *rule) (string, error) {
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token, claims); err != nil {
		return "", err
	}
	s.mu.Lock()
	key := s.keys[len(s.keys)-1]
	s.mu.Unlock()
	var method jwt.SigningMethod = jwt.SigningMethodES256
	var private any = key.private
	switch f.fault {
	case "other-sub":
		claims["sub"] = otherSub
	case "id-iss":
		claims["iss"] = otherIssuer
	case "id-aud":
		claims["aud"] = otherAudience
	case "id-nonce":
		claims["nonce"] = otherNonce
	case "id-exp":
		claims["exp"] = s.now().Add(-time.Hour).Unix()
	case "id-sig": // right kid, another key
		other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return "", err
		}
		private = other
	case "id-alg":
		if f.options["value"] == "none" {
			method, private = jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType
			break
		}
		// The old trick is the public key, which everybody has, as HMAC secret.
		public, err := x509.MarshalPKIXPublicKey(&key.private.PublicKey)
		if err != nil {
			return "", err
		}
		method, private = jwt.SigningMethodHS256, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	default:
		return "", fmt.Errorf("no such fault")
	}
	t := jwt.NewWithClaims(method, claims)
	t.Header["kid"], t.Header["typ"] = key.id, typID
	return t.SignedString(private)
}
