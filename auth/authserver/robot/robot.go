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
// names has answered, or a page asks nothing. An error page is not an error; the
// Page says what it was. With an error, the Page is the last one of the visit.
func (b *Browser) Visit(ctx context.Context, u string) (Page, error) {
	b.once.Do(b.start)
	first, err := url.Parse(u)
	if err != nil {
		return Page{}, fmt.Errorf("robot: %w", err)
	}
	v := visit{Browser: b, next: step{method: http.MethodGet, url: first}, submitted: map[string]bool{}}
	if first.Query().Has("request_uri") {
		v.pushed = first.Host
	}
	for range maxSteps {
		if done, err := v.goOn(ctx); done || err != nil {
			return v.page, err
		}
	}
	return v.page, fmt.Errorf("robot: still going after %d pages, at %s", maxSteps, v.page.URL)
}

// A visit is one call of Visit.
type visit struct {
	*Browser
	next      step
	page      Page
	pushed    string          // the server's host, if the first URL has a request_uri
	home      *url.URL        // where the waiting program listens; nil until an address names it
	submitted map[string]bool // by key of the action
}

// goOn makes the next step and decides on the one after that. done reports that
// there is none.
func (v *visit) goOn(ctx context.Context) (done bool, err error) {
	here := v.next
	v.arrive()
	resp, body, err := v.load(ctx, here)
	if err != nil {
		return false, err
	}
	v.page.URL, v.page.Status = here.url.String(), resp.StatusCode
	v.log("%s %s: %s", here.method, withoutQuery(here.url), resp.Status)
	if resp.StatusCode/100 == 3 && resp.Header.Get("Location") != "" {
		v.next, err = here.redirected(resp)
		return false, err
	}
	doc := read(resp.Header.Get("Content-Type"), body)
	v.page.Text = fmt.Sprintf("%.2000s", doc.text)
	switch {
	case v.page.Arrived: // the page of the waiting program asks nothing of the robot
		return true, nil
	case doc.refresh != "":
		v.next, err = here.refreshed(doc.refresh)
		return false, err
	}
	return v.act(doc)
}

// arrive notes whether the next step is to the waiting program. That may send the
// browser to the server once more.
func (v *visit) arrive() {
	to := v.next.url
	if named, err := url.Parse(to.Query().Get("redirect_uri")); err == nil && v.home == nil && named.Host != "" {
		v.home = named
	}
	// A pushed request (RFC 9126) does not name it: it is the first other server on
	// this machine then.
	if v.home == nil && v.pushed != "" && to.Host != v.pushed && to.Hostname() == "127.0.0.1" {
		v.home = to
	}
	v.page.Arrived = v.home != nil && to.Host == v.home.Host && (v.page.Arrived || to.Path == v.home.Path)
}

// act does what a page asks for.
func (v *visit) act(doc document) (done bool, err error) {
	here := v.next.url
	do := v.decide(doc)
	switch {
	case do == nil:
		return true, nil
	case v.Close:
		return false, ErrClosed
	case v.submitted[do.key()]:
		return false, fmt.Errorf("%w: %s: %.200s", ErrStuck, withoutQuery(here), v.page.Text)
	}
	v.submitted[do.key()] = true
	to, err := here.Parse(do.action)
	if err != nil {
		return false, fmt.Errorf("robot: form on %s: %w", withoutQuery(here), err)
	}
	v.log("  %s", do)
	v.next = v.next.submit(to, do)
	return false, nil
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
