// Package robot is a scripted browser with a scripted person in front of it. It
// opens an authorization URL, follows redirects and fills in whatever forms a
// server shows. It sends cookies and the headers of a browser. It is done when
// the program that is waiting on the loopback address has answered.
//
// It knows no server's pages. It judges forms by what they ask. A password
// field is for the password, and a text field whose name mentions a user is for
// the name. It presses the button whose words agree or, to deny, refuse. It
// runs no JavaScript.
package robot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"time"
)

// ErrClosed is what Visit returns when the person closed the browser.
var ErrClosed = errors.New("robot: the browser was closed")

// ErrStuck is what Visit wraps when a server asks the same thing again, as it
// does after a wrong password.
var ErrStuck = errors.New("robot: the page asks the same again")

// A Browser is one person with one browser. Cookies live as long as it does,
// so a second Visit may find the person signed in. It is safe for concurrent
// use once its fields are set.
type Browser struct {
	// User is typed where a name is asked; empty: what the page suggests stays.
	User, Password string

	Deny  bool // refuse as soon as a page lets us; until then go along
	Close bool // look at the first page that asks something, then go away

	// Fields answers form fields by name, before anything is guessed.
	Fields map[string]string

	Transport http.RoundTripper // nil: a private one without a proxy
	Logf      func(format string, args ...any)

	once   sync.Once
	client *http.Client
}

// A Page is where a visit ended.
type Page struct {
	URL     string // as in the address bar
	Status  int
	Text    string // what a person would read, in one line; at most 2000 bytes
	Arrived bool   // the redirect_uri of the first URL has been reached
}

const (
	maxSteps = 30
	maxPage  = 1 << 20
)

// Visit opens u and acts until nothing is left to do: the redirect_uri that u
// names has answered, or a page asks nothing. An error page is no error; the
// Page says what it was. The Page is also returned with an error, as far as
// the visit got.
func (b *Browser) Visit(ctx context.Context, u string) (Page, error) {
	b.once.Do(b.start)
	var page Page
	first, err := url.Parse(u)
	if err != nil {
		return page, fmt.Errorf("robot: %w", err)
	}
	home := &url.URL{} // where the waiting program listens: the first address that says so names it
	submitted := map[string]bool{}
	next := step{method: http.MethodGet, url: first}
	for range maxSteps {
		if named, err := url.Parse(next.url.Query().Get("redirect_uri")); err == nil && home.Host == "" {
			home = named
		}
		// The waiting program may send the browser to the server once more.
		page.Arrived = home.Host != "" && next.url.Host == home.Host && (page.Arrived || next.url.Path == home.Path)
		resp, body, err := b.load(ctx, next)
		if err != nil {
			return page, err
		}
		page.URL, page.Status = next.url.String(), resp.StatusCode
		b.log("%s %s: %s", next.method, withoutQuery(next.url), resp.Status)

		if resp.StatusCode/100 == 3 && resp.Header.Get("Location") != "" {
			if next, err = next.redirected(resp); err != nil {
				return page, err
			}
			continue
		}
		doc := read(resp.Header.Get("Content-Type"), body)
		page.Text = fmt.Sprintf("%.2000s", doc.text)
		if page.Arrived { // this is the waiting program's page: nothing on it is for us
			return page, nil
		}
		if doc.refresh != "" {
			if next, err = next.refreshed(doc.refresh); err != nil {
				return page, err
			}
			continue
		}
		do := b.decide(doc)
		if do == nil {
			return page, nil
		}
		if b.Close {
			return page, ErrClosed
		}
		if submitted[do.key()] {
			return page, fmt.Errorf("%w: %s: %.200s", ErrStuck, withoutQuery(next.url), page.Text)
		}
		submitted[do.key()] = true
		to, err := next.url.Parse(do.action)
		if err != nil {
			return page, fmt.Errorf("robot: form on %s: %w", withoutQuery(next.url), err)
		}
		b.log("  %s", do)
		next = next.submit(to, do)
	}
	return page, fmt.Errorf("robot: still going after %d pages, at %s", maxSteps, page.URL)
}

// redirected is the step that a redirect asks for.
func (s step) redirected(resp *http.Response) (step, error) {
	to, err := s.url.Parse(resp.Header.Get("Location"))
	if err != nil {
		return s, fmt.Errorf("robot: redirect of %s: %w", withoutQuery(s.url), err)
	}
	return s.redirect(to, resp.StatusCode), nil
}

// refreshed is the step that a page asks for which sends the browser on.
func (s step) refreshed(where string) (step, error) {
	to, err := s.url.Parse(where)
	if err != nil {
		return s, fmt.Errorf("robot: refresh of %s: %w", withoutQuery(s.url), err)
	}
	return s.follow(to), nil
}

func (b *Browser) start() {
	jar, _ := cookiejar.New(nil) // fails for no options
	transport := b.Transport
	if transport == nil {
		transport = &http.Transport{DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext, DisableKeepAlives: true}
	}
	b.client = &http.Client{Jar: jar, Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

func (b *Browser) log(format string, args ...any) {
	if b.Logf != nil {
		b.Logf(format, args...)
	}
}

// A step is one request of the address bar.
type step struct {
	method string
	url    *url.URL
	form   url.Values // of a POST
	from   *url.URL   // the page whose link or form it was; nil: typed or opened by a program
	site   string     // Sec-Fetch-Site; empty: none
}

// follow goes on to a link of the page at s.
func (s step) follow(to *url.URL) step {
	return step{method: http.MethodGet, url: to, from: s.url, site: relation(s.url, to)}
}

// submit sends a form of the page at s.
func (s step) submit(to *url.URL, f *form) step {
	next := s.follow(to)
	if f.link {
		return next
	}
	if f.method == http.MethodPost {
		next.method, next.form = http.MethodPost, f.fields
		return next
	}
	u := *to
	u.RawQuery = f.fields.Encode()
	next.url = &u
	return next
}

// redirect goes where the answer to s sends the browser. 307 and 308 repeat
// the request. Once a chain has left its site it is not trusted again.
func (s step) redirect(to *url.URL, status int) step {
	next := step{method: http.MethodGet, url: to, from: s.from, site: s.site}
	if status == http.StatusTemporaryRedirect || status == http.StatusPermanentRedirect {
		next.method, next.form = s.method, s.form
	}
	if s.site != "" {
		rank := map[string]int{"same-origin": 0, "same-site": 1, "cross-site": 2}
		if r := relation(s.url, to); rank[r] > rank[s.site] {
			next.site = r
		}
	}
	return next
}

// relation is Sec-Fetch-Site for a request from a to b. A site is a scheme and
// a host without its port; we know no public suffixes.
func relation(a, b *url.URL) string {
	switch {
	case a.Scheme == b.Scheme && a.Host == b.Host:
		return "same-origin"
	case a.Scheme == b.Scheme && a.Hostname() == b.Hostname():
		return "same-site"
	}
	return "cross-site"
}

func (b *Browser) load(ctx context.Context, s step) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, s.method, s.url.String(), strings.NewReader(s.form.Encode()))
	if err != nil {
		return nil, nil, fmt.Errorf("robot: %w", err)
	}
	h := req.Header
	h.Set("User-Agent", "Mozilla/5.0 (robot)")
	h.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	h.Set("Sec-Fetch-Mode", "navigate")
	h.Set("Sec-Fetch-Dest", "document")
	h.Set("Sec-Fetch-User", "?1")
	h.Set("Sec-Fetch-Site", "none")
	if s.site != "" {
		h.Set("Sec-Fetch-Site", s.site)
	}
	if s.method == http.MethodPost {
		h.Set("Content-Type", "application/x-www-form-urlencoded")
		if s.from != nil {
			h.Set("Origin", s.from.Scheme+"://"+s.from.Host)
		}
	}
	resp, err := b.client.Do(req)
	if err != nil {
		// The url.Error holds the whole URL, with its code.
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return nil, nil, fmt.Errorf("robot: %s %s: %w", s.method, withoutQuery(s.url), err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxPage))
	if err != nil {
		return nil, nil, fmt.Errorf("robot: read %s: %w", withoutQuery(s.url), err)
	}
	return resp, body, nil
}

// withoutQuery is u for logs and errors: a query can hold a code.
func withoutQuery(u *url.URL) string { return u.Scheme + "://" + u.Host + u.Path }
