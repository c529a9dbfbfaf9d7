package oauth

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"curfew/auth"
	"curfew/auth/oauth/door"

	"curfew/assets/pages"
)

// This file is the loopback end of a redirect (RFC 8252 section 7.3). Its one
// rule: only a request with the right state may change anything. Any other
// request gets a 4xx answer and does not end the sign-in. Scans, favicons,
// prefetches and other programs make such requests.

// redirect is a configured redirect URI, taken apart.
type redirect struct {
	host string // as written: "127.0.0.1", "[::1]" or "localhost"
	port string // empty: a free one each time
	path string // as written, escaped; may be empty
}

// parseRedirect reads a redirect URI, which must have the scheme http, a
// loopback host and no query.
func parseRedirect(s string) (redirect, error) {
	u, err := url.Parse(s)
	if err != nil {
		return redirect{}, fmt.Errorf("redirect: %q is not a usable address", clean(s))
	}
	r := redirect{host: u.Hostname(), port: u.Port(), path: u.EscapedPath()}
	if strings.Contains(r.host, ":") {
		r.host = "[" + r.host + "]"
	}
	if u.Scheme != "http" || !isLoopback(u.Hostname()) && r.host != "localhost" || r.uri(r.port) != s {
		return redirect{}, fmt.Errorf("redirect: %q is not of the form http://127.0.0.1/callback (or [::1], or localhost where a provider insists on it; a port may follow)", clean(s))
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && ip.String() != u.Hostname() {
		return redirect{}, fmt.Errorf("redirect: write %s as %s, as browsers do", r.host, ip)
	}
	if port, err := strconv.ParseUint(r.port, 10, 16); r.port != "" && (err != nil || port == 0) {
		return redirect{}, fmt.Errorf("redirect: %q is not a port", r.port)
	}
	return r, nil
}

// authority is the Host header of a browser that was sent to the redirect URI.
func (r redirect) authority(port string) string {
	if port == "" || port == "80" {
		return r.host
	}
	return r.host + ":" + port
}

// uri is the redirect URI with a port.
func (r redirect) uri(port string) string {
	if port != "" {
		port = ":" + port
	}
	return "http://" + r.host + port + r.path
}

// listen opens the port of the redirect URI and returns it.
func (r redirect) listen() ([]net.Listener, string, error) {
	listeners, port, err := door.Listen(strings.Trim(r.host, "[]"), cmp.Or(r.port, "0"))
	if err != nil {
		err = r.listenError(err)
	}
	return listeners, port, err
}

// ErrPort says that the port of the redirect URI is in use.
var ErrPort = errors.New("the port is in use by another program")

// FixedPort is the port of the redirect URI, empty where a free one is taken.
func (c *Client) FixedPort() string { return c.redirect.port }

func (r redirect) listenError(err error) error {
	if r.port != "" {
		return fmt.Errorf("%w: port %s of %s, which the redirect URI names, cannot be opened (%w); close the program that uses it, or register a redirect URI with another port or none", ErrPort, r.port, r.host, err)
	}
	return fmt.Errorf("no port could be opened on %s for the browser to come back to: %w", r.host, err)
}

// receiver is the HTTP server behind the redirect URI of one sign-in.
type receiver struct {
	host, path string // exactly what the browser must ask for
	log        *slog.Logger
	doorstep   doorstep
	round      atomic.Pointer[round]
}

// round is one way of a browser to the server and back. Few sign-ins take two.
type round struct {
	state   auth.Secret
	answer  chan url.Values // gets the one answer with the right state
	claimed atomic.Bool

	ended chan struct{} // closed when one of these is known:
	page  pages.Page
	next  string // where the browser goes on
}

func newReceiver(r redirect, port string, state auth.Secret, log *slog.Logger) *receiver {
	rc := &receiver{
		host: r.authority(port), path: cmp.Or(r.path, "/"), log: log,
		doorstep: doorstep{spoiled: make(chan struct{})},
	}
	rc.begin(state)
	return rc
}

// begin makes the receiver wait for the answer with this state.
func (rc *receiver) begin(state auth.Secret) {
	rc.round.Store(&round{state: state, answer: make(chan url.Values, 1), ended: make(chan struct{})})
}

// ServeHTTP takes the answer, or refuses the request. A browser that brought
// the answer waits until end says how the sign-in went; so does one that asks
// again meanwhile.
func (rc *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rc.start(w, r) || rc.form(w, r) {
		return
	}
	now := rc.round.Load()
	values, status, why := rc.check(r, now)
	if status != http.StatusOK {
		rc.log.Debug("visit to the sign-in port refused", "status", status, "why", why)
		switch {
		case why == noState && (values.Has("error") || !values.Has("state")):
			rc.write(w, r, status, pages.SignInUnclaimed(values.Get("error")))
		case why == noCookie:
			rc.write(w, r, status, pages.SignInElsewhere)
		case status == http.StatusBadRequest:
			rc.write(w, r, status, pages.SignInExpired)
		default:
			setPageHeaders(w.Header())
			http.Error(w, http.StatusText(status), status)
		}
		return
	}
	door.Keep(r)
	if now.claimed.CompareAndSwap(false, true) {
		now.answer <- values
	}
	<-now.ended // within the limits of Flow.Wait
	if now.next != "" {
		setPageHeaders(w.Header())
		w.Header().Set("Location", now.next)
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	rc.write(w, r, http.StatusOK, now.page)
}

// form takes an answer that comes as a form (response_mode=form_post) and has the
// browser bring it again as a query. It comes from the server's page, so without
// our cookie and with an Origin. The way of the query checks both.
func (rc *receiver) form(w http.ResponseWriter, r *http.Request) bool {
	mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	visit := r.Clone(r.Context())
	visit.Header.Del("Origin")
	if r.Method != http.MethodPost || r.URL.EscapedPath() != rc.path || strings.TrimSpace(mediaType) != "application/x-www-form-urlencoded" || rc.checkVisitor(visit) != "" {
		return false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxToken))
	values, clear := answerOf(string(body))
	if err != nil || !clear || !values.Has("state") {
		return false
	}
	setPageHeaders(w.Header())
	w.Header().Set("Location", rc.path+"?"+values.Encode())
	w.WriteHeader(http.StatusSeeOther)
	return true
}

// The reasons to refuse a visit for which there are pages.
const (
	noState  = "wrong or no state"
	noCookie = "not from the browser that opened the start page"
)

// end releases the browsers that wait. It is called once in a round.
func (r *round) end(page pages.Page, next string) {
	r.page, r.next = page, next
	close(r.ended)
}

// checkVisitor refuses what is not a browser that a person sent here. It
// returns "" for such a browser.
func (rc *receiver) checkVisitor(r *http.Request) (why string) {
	header := r.Header
	switch {
	case r.Host != rc.host || r.URL.Host != "":
		return "another host: DNS rebinding" // CVE-2025-66414 and many more
	case len(header["Origin"]) > 0:
		return "sent by a script of a web page"
	case !absentOr(header, "Sec-Fetch-Mode", "navigate"), !absentOr(header, "Sec-Fetch-Dest", "document"):
		return "not a navigation"
	case header.Get("Sec-Purpose") != "" || header.Get("Purpose") != "" || header.Get("X-Moz") != "":
		return "a prefetch"
	}
	return ""
}

// check sorts a request. It returns StatusOK for the answer of this sign-in.
// For others it returns the status to refuse with and the reason, which holds
// nothing of the request.
func (rc *receiver) check(r *http.Request, now *round) (values url.Values, status int, why string) {
	if why := rc.checkVisitor(r); why != "" {
		return nil, http.StatusForbidden, why
	}
	switch {
	case r.URL.EscapedPath() != rc.path:
		return nil, http.StatusNotFound, "another path"
	case r.Method != http.MethodGet:
		return nil, http.StatusMethodNotAllowed, "not a GET"
	}
	values, clear := answerOf(r.URL.RawQuery)
	if !clear {
		return nil, http.StatusBadRequest, "a parameter came twice"
	}
	fromUs, wanted := rc.doorstep.knows(r)
	switch {
	case !values.Has("state") && len(values) > 0 && fromUs:
		// Some servers forget the state with an error, or have another response mode.
		// The cookie says whose it is, and readAnswer takes no code from it.
	case subtle.ConstantTimeCompare([]byte(values.Get("state")), []byte(now.state.Reveal())) != 1:
		return values, http.StatusBadRequest, noState
	case wanted && (!fromUs || !fromThisUser(r)):
		return nil, http.StatusForbidden, noCookie
	}
	return values, http.StatusOK, ""
}

// answerOf reads the query of an authorization answer by the rules of RFC 6749
// section 3.1. A parameter without a value counts as omitted, and none comes
// twice: then clear is false. What servers and companies add does not matter. It
// may be malformed, as sentences with a bare percent sign or a semicolon are.
func answerOf(query string) (values url.Values, clear bool) {
	all, _ := url.ParseQuery(strings.ReplaceAll(query, ";", "%3B")) // what can be read, without what is malformed
	values = url.Values{}
	for _, key := range []string{"state", "code", "iss", "error", "error_description", "error_code", "error_message", "response", "access_token", "id_token"} {
		given := slices.DeleteFunc(slices.Compact(all[key]), func(v string) bool { return v == "" })
		if len(given) > 1 {
			return nil, false
		}
		if len(given) == 1 {
			values[key] = given
		}
	}
	return values, true
}

// absentOr reports whether a header is missing or has exactly this one value.
func absentOr(header http.Header, name, value string) bool {
	got := header[name]
	return len(got) == 0 || len(got) == 1 && got[0] == value
}

func setPageHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // RFC 9700 section 4.2.4
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
}

// write sends a page in the browser's language.
func (rc *receiver) write(w http.ResponseWriter, r *http.Request, status int, page pages.Page) {
	page = page.For(r.Header.Get("Accept-Language"))
	setPageHeaders(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", page.Policy())
	body := page.Body()
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}

// serve answers on the listeners until ctx ends. Pages that are being written
// then get half a second to go out, before it closes everything and returns.
func (rc *receiver) serve(ctx context.Context, listeners []net.Listener) {
	server := &http.Server{
		Handler:        rc,
		ReadTimeout:    5 * time.Second, // of the header too
		MaxHeaderBytes: 128 << 10,       // cookies of 127.0.0.1 come from every port of it
		ErrorLog:       slog.NewLogLogger(rc.log.Handler(), slog.LevelDebug),
		ConnContext:    door.Context,
	}
	server.SetKeepAlivesEnabled(false)
	var crowd door.Door
	var serving sync.WaitGroup
	for _, ln := range listeners {
		serving.Go(func() { _ = server.Serve(crowd.Guard(ln)) }) // it ends with Close, below
	}
	<-ctx.Done()
	// Those that have not asked by then are not waited for. A busy machine may need
	// longer to give a person the last page.
	for _, limit := range []time.Duration{500 * time.Millisecond, 5 * time.Second} {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		_ = server.Shutdown(last) // what it leaves, Close ends
		cancel()
		crowd.Clear()
	}
	server.Close()
	serving.Wait()
}
