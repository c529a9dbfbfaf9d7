package oauth

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"curfew/assets/pages"
	"curfew/auth/authserver/peers"
)

// chromium is a command that opens an address in a real browser.
func chromium(t *testing.T, flags ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(t.Context(), peers.Need(t, "chromium"), append([]string{
		"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync", "--disable-extensions",
		"--disable-background-networking", "--disable-component-update", "--window-size=900,640",
	}, flags...)...)
}

// TestBrowser signs in with a real browser. It follows the redirect and shows
// the final page. The page's script runs under the page's own policy and
// removes the code from the address.
func TestBrowser(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	flow, done := begin(t, s.client(t, nil), SignInOptions{})
	debug := regexp.MustCompile(`DevTools listening on ws://([^/]+)/`)
	var address string
	peers.Run(t, chromium(t, "--user-data-dir="+t.TempDir(), "--remote-debugging-port=0", flow.URL), func(line string) bool {
		if found := debug.FindStringSubmatch(line); found != nil {
			address = found[1]
		}
		return address != ""
	})
	if got := <-done; got.err != nil {
		t.Error(got.err)
	}
	redirect := s.requests[0].Get("redirect_uri")
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var tabs []struct{ Type, Title, URL string }
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); <-tick.C {
		_, list := get(t, "http://"+address+"/json/list", nil)
		if err := json.Unmarshal([]byte(list), &tabs); err != nil {
			t.Fatal(err)
		}
		for _, tab := range tabs {
			if tab.URL == redirect && strings.HasPrefix(tab.Title, "You are signed in") {
				return
			}
		}
	}
	t.Errorf("no tab ended on %s without the code: %+v", redirect, tabs)
}

// TestBrowserModes: an answer as a form from another site, and one behind a #,
// arrive like one in the query, in the browser that opened the start page.
func TestBrowserModes(t *testing.T) {
	t.Parallel()
	for mode, page := range map[string]string{
		"form_post": `<form method="post" action="%s"><input name="code" value="%s"><input name="state" value="%s"><input name="iss" value="%s"></form><script>document.forms[0].submit()</script>`,
		"fragment":  `<script>location = "%s#code=%s&state=%s&iss=" + encodeURIComponent("%s")</script>`,
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := startServer(t)
			s.handle["/authorize"] = func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", strings.Replace(s.URL, "127.0.0.1", "localhost", 1)+"/page?"+r.URL.RawQuery) // another site than ours
				w.WriteHeader(http.StatusSeeOther)
			}
			s.handle["/page"] = func(w http.ResponseWriter, r *http.Request) {
				q := r.URL.Query()
				s.mu.Lock()
				s.codes["code"] = q
				s.mu.Unlock()
				w.Header().Set("Content-Type", "text/html")
				fmt.Fprintf(w, page, q.Get("redirect_uri"), "code", q.Get("state"), s.URL)
			}
			flow, done := begin(t, s.client(t, nil), SignInOptions{Browser: true, Timeout: 3 * time.Minute})
			peers.Run(t, chromium(t, "--user-data-dir="+t.TempDir(), "--remote-debugging-port=0", flow.StartPage()), func(line string) bool {
				return strings.Contains(line, "DevTools listening")
			})
			if got := <-done; got.err != nil {
				t.Error(got.err)
			}
		})
	}
}

// TestBrowserDenied is the way back after a refusal.
func TestBrowserDenied(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	s.authorize = func(_, a url.Values) { a.Del("code"); a.Set("error", "access_denied") }
	flow, done := begin(t, s.client(t, nil), SignInOptions{})
	dom, err := chromium(t, "--user-data-dir="+t.TempDir(), "--timeout=20000", "--dump-dom", flow.URL).Output()
	if err != nil || !strings.Contains(string(dom), "<h1>Access was not granted</h1>") {
		t.Errorf("%v, page:\n%s", err, dom)
	}
	if got := <-done; classOf(got.err) != Denied {
		t.Error(got.err)
	}
}

// TestBrowserPictures takes pictures of the final pages for a person to look
// at, if CURFEW_PICTURES names a folder for them.
func TestBrowserPictures(t *testing.T) {
	folder := os.Getenv("CURFEW_PICTURES")
	if folder == "" {
		t.Skip("CURFEW_PICTURES names no folder")
	}
	for name, page := range map[string]pages.Page{
		"done": pages.SignInDone, "denied": pages.SignInDenied, "failed": pages.SignInFailed, "expired": pages.SignInExpired,
	} {
		file := filepath.Join(t.TempDir(), "page.html")
		if err := os.WriteFile(file, page.Body(), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, scheme := range []struct{ name, flag string }{
			{"light", "--blink-settings=preferredColorScheme=1"}, {"dark", "--blink-settings=preferredColorScheme=0"},
		} {
			picture := filepath.Join(folder, "sign-in-"+name+"-"+scheme.name+".png")
			if out, err := chromium(t, "--user-data-dir="+t.TempDir(), "--timeout=20000", scheme.flag, "--screenshot="+picture, "file://"+file).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		}
	}
}
