package proxy

import (
	"cmp"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"

	"curfew/auth"
)

// A Handler is the proxy's end towards programs. Bodies are passed on as they
// come, in both directions, and so are WebSockets.
type Handler struct {
	secret string // the first element of every path; "": none is needed
	server *url.URL
	proxy  *httputil.ReverseProxy
}

// NewHandler makes a Handler that passes requests for the path /secret/x on to
// the path x below to. Without a secret, whoever can connect may ask.
func NewHandler(t *Transport, to *url.URL, secret string, errors *log.Logger) *Handler {
	h := &Handler{secret: secret, server: to}
	h.proxy = &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport:      t,
		FlushInterval:  -1, // events of a stream are passed on one by one
		ModifyResponse: h.relocate,
		ErrorHandler:   func(w http.ResponseWriter, r *http.Request, err error) { fail(w, r, err) },
		ErrorLog:       errors,
	}
	return h
}

// ServeHTTP passes a request on, or says why not.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodConnect || r.URL.IsAbs() || !h.knows(r.Host) {
		refuse(w, http.StatusMisdirectedRequest, fmt.Sprintf("this proxy is for %s only", h.server), "use the address that curfew proxy prints as the base of your requests, in the place of "+h.server.String())
		return
	}
	if h.secret != "" {
		first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if subtle.ConstantTimeCompare([]byte(first), []byte(h.secret)) != 1 {
			refuse(w, http.StatusNotFound, "the path does not begin with this proxy's secret", "use the whole address that curfew proxy prints")
			return
		}
	}
	// A server could take such a path for one outside of the address that was given.
	if elements := strings.FieldsFunc(r.URL.Path, func(c rune) bool { return c == '/' || c == '\\' }); slices.Contains(elements, "..") || slices.Contains(elements, ".") {
		refuse(w, http.StatusBadRequest, "the path has . or .. in it", "send the path that is meant")
		return
	}
	http.StripPrefix(h.prefix(), h.proxy).ServeHTTP(w, r)
}

// knows reports whether a request with this Host header is meant for the proxy:
// one with a name for this machine, or with that of the server. A page that lets
// its own name lead here (DNS rebinding) has another.
func (h *Handler) knows(host string) bool {
	if strings.EqualFold(host, h.server.Host) {
		return true
	}
	name := host
	if n, _, err := net.SplitHostPort(host); err == nil {
		name = n
	}
	ip := net.ParseIP(strings.Trim(name, "[]"))
	return strings.EqualFold(name, "localhost") || ip != nil && ip.IsLoopback()
}

// relocate makes a redirect within the address that was given lead through the
// proxy again. Others lead to where they are meant, and programs follow them
// without a token.
func (h *Handler) relocate(res *http.Response) error {
	location, err := url.Parse(res.Header.Get("Location"))
	if err != nil || res.Header.Get("Location") == "" {
		return nil
	}
	to := res.Request.URL.ResolveReference(location)
	rest, below := strings.CutPrefix(to.EscapedPath(), strings.TrimSuffix(h.server.EscapedPath(), "/"))
	if to.Scheme == h.server.Scheme && strings.EqualFold(to.Host, h.server.Host) && below && (rest == "" || rest[0] == '/') {
		path := h.prefix() + rest
		to = &url.URL{Opaque: cmp.Or(path, "/"), RawQuery: to.RawQuery, Fragment: to.Fragment, RawFragment: to.RawFragment}
	}
	res.Header.Set("Location", to.String())
	return nil
}

// prefix is what every path begins with.
func (h *Handler) prefix() string {
	if h.secret == "" {
		return ""
	}
	return "/" + h.secret
}

// fail answers a request for which there is no answer of the server.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	if e, ok := errors.AsType[*auth.Error](err); ok {
		w.Header().Set("Curfew-Error", string(e.Kind))
		refuse(w, statusOf(e.Kind), e.Message, e.Hint)
		return
	}
	if r.Context().Err() != nil {
		return // nobody is listening
	}
	refuse(w, http.StatusBadGateway, "the server gave no answer: "+err.Error(), "check the network, and the address after --to")
}

// statusOf is the status for an error of the agent. It is never 401, which makes
// programs sign in by themselves.
func statusOf(k auth.Kind) int {
	switch k {
	case auth.KindSignInNeeded, auth.KindRefused:
		return http.StatusForbidden
	case auth.KindUnavailable, auth.KindKeychain, auth.KindNotRunning:
		return http.StatusServiceUnavailable
	}
	return http.StatusBadGateway
}

// refuse answers in the proxy's own words.
func refuse(w http.ResponseWriter, code int, message, hint string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	text := "curfew: " + message + "\n"
	if hint != "" {
		text += "hint: " + hint + "\n"
	}
	io.WriteString(w, text)
}
