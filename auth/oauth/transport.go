package oauth

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpproxy"
)

// Limits of one request.
const (
	attemptLimit = 12 * time.Second // from dialling to the last byte of what can be asked again
	postLimit    = time.Minute      // the same of what may have been spent: an answer that is late is better than none
	tokenLimit   = 256 << 10        // bytes of an answer with tokens, of userinfo and of an error
	metaLimit    = 1 << 20          // bytes of a discovery document or a JWKS
)

// alive tells a slow server from a path that is gone, as after a change of
// network. A slow server acknowledges the probes, so we wait for it. A dead
// path fails early enough to retry within the grace of a server that rotates.
var alive = net.KeepAliveConfig{Enable: true, Idle: 3 * time.Second, Interval: time.Second, Count: 3}

// newTransport makes the transport of a Client that was given none. A refresh
// happens once in an hour, so a connection is never worth keeping; and on a
// fresh HTTP/1.1 connection nothing below us can send a request twice.
func newTransport(caFile, proxy string) (*http.Transport, error) {
	t := &http.Transport{
		Proxy: func(r *http.Request) (*url.URL, error) { // what the environment says now, not when the agent started
			return httpproxy.FromEnvironment().ProxyFunc()(r.URL)
		},
		DialContext:            (&net.Dialer{Timeout: 4 * time.Second, KeepAliveConfig: alive}).DialContext,
		TLSHandshakeTimeout:    4 * time.Second,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		MaxResponseHeaderBytes: 64 << 10,
		DisableKeepAlives:      true,
		DisableCompression:     true, // a few kilobytes at most: see reply.read
		OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, r *http.Response) error {
			if r.StatusCode == http.StatusOK {
				return nil
			}
			return proxyError(r.StatusCode)
		},
	}
	switch u, err := url.Parse(proxy); {
	case proxy == "":
	case proxy == "none":
		t.Proxy = nil
	case err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme):
		return nil, fmt.Errorf("proxy: %q is not the address of a proxy, such as http://proxy.example.com:3128", clean(proxy))
	default:
		t.Proxy = http.ProxyURL(u)
	}
	if caFile == "" {
		return t, nil
	}
	text, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	if t.TLSClientConfig.RootCAs, err = x509.SystemCertPool(); err != nil {
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
	}
	if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("ca_file: there is no certificate in %s, which must be PEM", caFile)
	}
	return t, nil
}

// A proxyError is the status with which a proxy refuses to connect.
type proxyError int

func (e proxyError) Error() string { return statusText(int(e)) }

// reply is a complete answer of a server.
type reply struct {
	status     int
	mediaType  string    // without parameters, lower case
	encoding   string    // as the server calls that of the body
	body       []byte    // unpacked
	date       time.Time // the Date header; zero when missing or wrong
	nonce      string    // that the next proof must have (RFC 9449 section 8)
	retryAfter time.Duration
	secrets    []string // of the request: some servers quote what they were sent
}

// redact takes the secrets of the request out of a server's words.
func (r *reply) redact(words string) string {
	for _, secret := range r.secrets {
		if secret != "" {
			words = strings.ReplaceAll(words, secret, "…")
		}
	}
	return words
}

func (r *reply) ok() bool     { return r.status/100 == 2 }
func (r *reply) isJSON() bool { return r.mediaType == "application/json" || r.mediaType == "text/json" }
func (r *reply) isPage() bool {
	return r.mediaType == "text/html" || r.mediaType == "application/xhtml+xml"
}

// object reads the body as JSON, whatever the server calls it.
func (r *reply) object() (object, error) { return parseObject(r.body) }

// read reads at most limit bytes of the body. Some servers compress though
// nobody asked for that, and some name a compression that is not there. So the
// first bytes say which it is: neither begins like JSON or a page. A JSON object
// is whole whatever is missing behind it, as the last chunk of a proxy that goes.
func (r *reply) read(resp *http.Response, limit int64) (tooLong bool, err error) {
	r.encoding = resp.Header.Get("Content-Encoding")
	r.body, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if z, bad := gzip.NewReader(bytes.NewReader(r.body)); bad == nil {
		r.body, err = io.ReadAll(io.LimitReader(z, limit+1))
	} else if z, bad := zlib.NewReader(bytes.NewReader(r.body)); bad == nil {
		r.body, err = io.ReadAll(io.LimitReader(z, limit+1))
	}
	if int64(len(r.body)) > limit {
		return true, err
	}
	if err != nil {
		if _, bad := parseObject(r.body); bad == nil {
			err = nil
		}
	}
	return false, err
}

// send makes one attempt at req and reads the whole answer, at most limit bytes
// within the time limit. It follows no redirect and sends nothing twice. Every
// status but 3xx is a reply. Every other outcome is an *Error. A redirect is
// both, and its reply has no body.
//
// Its Class is NotSent only if the transport neither began to write the header
// nor took a byte of the body.
func (c *Client) send(ctx context.Context, op string, req *http.Request, limit int64) (*reply, *Error) {
	server := req.URL.Host
	if err := checkURL(req.URL); err != nil {
		return nil, &Error{Op: op, Server: server, Class: NotSent, Err: err}
	}
	patience := attemptLimit
	if req.Method == http.MethodPost {
		patience = postLimit
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()

	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaderField: func(string, []string) { sent.Store(true) },
	})
	req = req.Clone(ctx)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Accept-Encoding", "identity") // without it any is welcome (RFC 9110 section 12.5.3)
	req.Header.Set("User-Agent", "curfew")
	req.GetBody = nil // without it, no transport can replay the body
	if req.Body != nil {
		req.Body = &watchedBody{req.Body, &sent}
	}

	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return nil, failure(op, server, err, sent.Load())
	}
	defer resp.Body.Close()
	now := c.now()
	r := &reply{status: resp.StatusCode, retryAfter: parseRetryAfter(resp.Header.Get("Retry-After"), now), nonce: resp.Header.Get("DPoP-Nonce")}
	mediaType, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";") // parameters may come twice
	r.mediaType = strings.ToLower(strings.TrimSpace(mediaType))
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		r.date = date
	}
	if r.status/100 == 3 {
		// Following it would hand the token to any server that is named there.
		to, _ := resp.Location()
		return r, &Error{Op: op, Server: server, Class: Protocol, Status: r.status, movedTo: to,
			Err: fmt.Errorf("%s answered with a redirect (%s), which is never followed; check the address of the server", server, statusText(r.status))}
	}
	tooLong, err := r.read(resp, limit)
	if err != nil {
		e := failure(op, server, err, true)
		e.Status = r.status
		return nil, e
	}
	if tooLong {
		return nil, &Error{Op: op, Server: server, Class: Unknown, Status: r.status,
			Err: fmt.Errorf("%s answered with more than %d KB", server, limit>>10)}
	}
	return r, nil
}

// watchedBody notes when a transport takes the first byte of a request.
type watchedBody struct {
	io.ReadCloser
	sent *atomic.Bool
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.sent.Store(true)
	return b.ReadCloser.Read(p)
}

// maxRedirects is how many redirects lead to a public document.
const maxRedirects = 3

// getPublic fetches a JSON object that anybody may read. A request that carries
// nothing may follow redirects: the host that sends it on is the one that was
// asked, and checkURL keeps it on https.
func (c *Client) getPublic(ctx context.Context, op, address string) (object, *Error) {
	for range maxRedirects {
		o, failed := c.getJSON(ctx, op, address, "", metaLimit)
		if failed == nil || failed.movedTo == nil || failed.movedTo.Fragment != "" ||
			strings.HasPrefix(address, "https:") && failed.movedTo.Scheme != "https" {
			return o, failed
		}
		address = failed.movedTo.String()
	}
	return c.getJSON(ctx, op, address, "", metaLimit)
}

// getJSON fetches a JSON object. Nothing is spent by a GET, so an unknown
// outcome counts as not sent.
func (c *Client) getJSON(ctx context.Context, op, address, bearer string, limit int64) (object, *Error) {
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return nil, &Error{Op: op, Class: HeldBack, Err: errors.New("the address cannot be parsed")}
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	server := req.URL.Host
	r, failed := c.send(ctx, op, req, limit)
	var o object
	switch {
	case failed != nil:
	case !r.ok():
		r.secrets = []string{bearer}
		failed = c.refusal(op, server, r)
		if r.status/100 == 4 && failed.Class != Throttled {
			failed.Class = HeldBack // even if it speaks of tokens: none was sent
		}
	default:
		if o, err = r.object(); errors.Is(err, errNotObject) {
			failed = notJSON(op, server, r)
			if r.isJSON() {
				failed.Class = Protocol
			}
		} else if err != nil {
			failed = &Error{Op: op, Server: server, Class: Protocol, Status: r.status, Err: fmt.Errorf("%s answered with %w", server, err)}
		}
	}
	if failed == nil {
		return o, nil
	}
	if failed.Class == Unknown {
		failed.Class = NotSent
		if errors.Is(failed, context.Canceled) {
			failed.Class = Cancelled
		}
	}
	return nil, failed
}

// notJSON is the error for an answer that is something else.
func notJSON(op, server string, r *reply) *Error {
	err := fmt.Errorf("%s answered with %s instead of JSON", server, kind(r.mediaType))
	switch {
	case r.encoding != "" && r.encoding != "identity" && !r.isPage():
		err = fmt.Errorf("%s answered in the encoding %s, which was not asked for", server, clean(r.encoding))
	case r.isJSON():
		err = fmt.Errorf("%s answered with %w", server, errNotObject)
	case r.isPage():
		err = fmt.Errorf("%w; check the address of the server", err)
	}
	return &Error{Op: op, Server: server, Class: Unknown, Status: r.status, Err: err}
}

// kind names a media type for people.
func kind(mediaType string) string {
	switch mediaType {
	case "":
		return "no content type"
	case "text/html", "application/xhtml+xml":
		return "a web page"
	}
	return clean(mediaType)
}

// checkURL refuses an address that a secret must not travel to. It allows only
// https, and plain http to a literal loopback address (RFC 8252 section 8.3).
// User names and fragments are refused too.
func checkURL(u *url.URL) error {
	switch {
	case u.Scheme == "https" && u.Hostname() != "":
	case u.Scheme == "http" && isLoopback(u.Hostname()):
	case u.Scheme == "":
		return fmt.Errorf("%q is not a whole address: it does not begin with https://", clean(u.String()))
	default:
		return fmt.Errorf("%q is not an https address (http is for 127.0.0.1 and [::1] only)", clean(u.Scheme+"://"+u.Host))
	}
	if u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return fmt.Errorf("the address at %s must have neither user name nor fragment", u.Host)
	}
	return nil
}

// parseURL parses and checks an address, and returns it in normal form.
func parseURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || strings.Contains(s, "#") {
		return "", fmt.Errorf("%q is not a usable address", clean(s))
	}
	if err := checkURL(u); err != nil {
		return "", err
	}
	return u.String(), nil
}

// isLoopback reports whether host is a literal loopback address. The name
// localhost is none: what it resolves to is up to others.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback() && ip.Zone() == ""
}
