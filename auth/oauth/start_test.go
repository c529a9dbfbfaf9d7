package oauth

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"curfew/assets/pages"
)

// browser is an HTTP client with its own cookies.
func newBrowser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}}
}

// visit opens an address and returns the status and the page it ends on.
func visit(t *testing.T, browser *http.Client, address string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), "GET", address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := browser.Do(req)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return resp.StatusCode, string(page)
}

// TestStartPage: the address that is put into a command's arguments leads one
// browser to the server, and the answer must come from that browser.
func TestStartPage(t *testing.T) {
	s := startServer(t)
	start := func(t *testing.T) (*Flow, <-chan outcome, string) {
		flow, done := begin(t, s.client(t, nil), SignInOptions{Browser: true})
		return flow, done, flow.StartPage()
	}
	expectGrant := func(t *testing.T, done <-chan outcome) {
		t.Helper()
		if got := <-done; got.err != nil || got.grant.AccessToken.IsZero() {
			t.Errorf("%+v", got)
		}
	}
	t.Run("one browser", func(t *testing.T) {
		flow, done, page := start(t)
		state, _ := url.Parse(flow.URL)
		for _, secret := range []string{"state", "nonce", "code_challenge"} {
			if strings.Contains(page, state.Query().Get(secret)) {
				t.Errorf("%s is in %s", secret, page)
			}
		}
		if status, text := visit(t, newBrowser(t), page); status != 200 || text != string(pages.SignInDone.Body()) {
			t.Errorf("%d %.300s", status, text)
		}
		expectGrant(t, done)
	})
	t.Run("the cookie", func(t *testing.T) {
		flow, _, page := start(t)
		if w, _ := get(t, page, nil); w.Request.URL.Path != "/callback" || w.StatusCode != http.StatusForbidden {
			t.Errorf("a browser without cookies ends on %s with %d", w.Request.URL.Path, w.StatusCode)
		}
		stop := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := stop.Get(flow.StartPage())
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		c := resp.Cookies()
		if len(c) != 2 || c[0].SameSite != http.SameSiteLaxMode || !c[0].HttpOnly || c[0].Path != "/callback" || c[0].Domain != "" || c[0].MaxAge <= 0 {
			t.Errorf("cookies %v", c)
		}
		if resp.Header.Get("Referrer-Policy") != "no-referrer" || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("header %v", resp.Header)
		}
	})
	t.Run("the answer from another browser", func(t *testing.T) {
		flow, done, page := start(t)
		if status, text := visit(t, newBrowser(t), flow.URL); status != http.StatusForbidden || text != string(pages.SignInElsewhere.Body()) {
			t.Errorf("%d %.300s", status, text)
		}
		visit(t, newBrowser(t), page) // and the right one still can
		expectGrant(t, done)
		if len(s.posts) == 0 || s.posts[len(s.posts)-1].Get("code") == "" {
			t.Error("no exchange")
		}
	})
	t.Run("opened twice", func(t *testing.T) {
		_, done, page := start(t)
		thief := newBrowser(t)
		thief.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		visit(t, thief, page)
		before := len(s.posts)
		if status, text := visit(t, newBrowser(t), page); status != http.StatusForbidden || text != string(pages.SignInFailed.Body()) {
			t.Errorf("%d %.300s", status, text)
		}
		got := <-done
		if classOf(got.err) != Cancelled || !strings.Contains(got.err.Error(), "opened twice") || len(s.posts) != before {
			t.Errorf("%+v, %d exchanges", got, len(s.posts)-before)
		}
	})
	t.Run("opened again by the same browser", func(t *testing.T) {
		_, done, page := start(t)
		browser := newBrowser(t)
		browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		visit(t, browser, page)
		browser.CheckRedirect = nil
		visit(t, browser, page)
		expectGrant(t, done)
	})
	t.Run("a second start page", func(t *testing.T) {
		flow, done, page := start(t)
		first := newBrowser(t)
		first.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		visit(t, first, page)
		visit(t, newBrowser(t), flow.StartPage())
		expectGrant(t, done)
	})
	t.Run("printed", func(t *testing.T) {
		flow, done, _ := start(t)
		visit(t, newBrowser(t), flow.Printed())
		expectGrant(t, done)
	})
	t.Run("an error without a state", func(t *testing.T) {
		s := startServer(t)
		s.authorize = func(_, a url.Values) {
			for key := range a {
				a.Del(key)
			}
			a.Set("iss", s.URL)
			a.Set("error", "access_denied")
			a.Set("error_description", "not in the group")
		}
		flow, done := begin(t, s.client(t, nil), SignInOptions{Browser: true})
		if status, text := visit(t, newBrowser(t), flow.URL); status != 400 || text != string(pages.SignInUnclaimed("access_denied").Body()) {
			t.Errorf("%d %.300s", status, text)
		}
		visit(t, newBrowser(t), flow.StartPage())
		if got := <-done; classOf(got.err) != Denied || !strings.Contains(got.err.Error(), "not in the group") {
			t.Errorf("%+v", got)
		}
	})
	t.Run("cookies of every other server on this machine", func(t *testing.T) { // which all ports of it share
		flow, done, _ := start(t)
		answer := answerURL(t, flow).String()
		flow.Printed()
		get(t, answer, func(r *http.Request) {
			for i := range 16 {
				r.AddCookie(&http.Cookie{Name: fmt.Sprint("c", i), Value: strings.Repeat("x", 4000)})
			}
		})
		expectGrant(t, done)
	})
	t.Run("refused visits", func(t *testing.T) {
		flow, _, page := start(t)
		for name, change := range map[string]func(*http.Request){
			"prefetch":     func(r *http.Request) { r.Header.Set("Sec-Purpose", "prefetch") },
			"a frame":      func(r *http.Request) { r.Header.Set("Sec-Fetch-Dest", "iframe") },
			"another host": func(r *http.Request) { r.Host = "evil.test" },
			"a POST":       func(r *http.Request) { r.Method = "POST" },
			"another page": func(r *http.Request) { r.URL.Path += "x" },
		} {
			if w, _ := get(t, page, change); w.StatusCode < 400 || w.StatusCode > 499 {
				t.Errorf("%s: %d", name, w.StatusCode)
			}
		}
		if len(flow.receiver.doorstep.pages) != 1 {
			t.Fatal("pages")
		}
		for _, p := range flow.receiver.doorstep.pages {
			if p.used {
				t.Error("a refused visit uses the page up")
			}
		}
	})
}
