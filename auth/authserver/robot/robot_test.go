package robot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// world answers for every host: as.test shows pages, 127.0.0.1 waits.
type world struct {
	pages map[string]http.HandlerFunc // by method and path at as.test
	seen  []string
	last  http.Header // of the request to 127.0.0.1
	query url.Values
}

func (o *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	what := r.Method + " " + r.URL.Host + r.URL.Path
	o.seen = append(o.seen, what)
	switch {
	case what == "GET 127.0.0.1:7/callback":
		o.last, o.query = r.Header, r.URL.Query()
		w.Header().Set("Location", "/done")
		w.WriteHeader(http.StatusSeeOther)
	case what == "GET 127.0.0.1:7/done":
		// The waiting program's page may have its own form.
		page(w, `<p>You can close this page.</p><form method="post"><button>Continue</button></form>`)
	case o.pages[r.Method+" "+r.URL.Path] != nil:
		o.pages[r.Method+" "+r.URL.Path](w, r)
	default:
		return nil, fmt.Errorf("no such page")
	}
	return w.Result(), nil
}

func page(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprint(w, "<!doctype html><title>T</title><style>x{}</style><script>y()</script>", body)
}

func home(w http.ResponseWriter, query string) {
	w.Header().Set("Location", "http://127.0.0.1:7/callback?"+query)
	w.WriteHeader(http.StatusFound)
}

const start = "https://as.test/auth?redirect_uri=http%3A%2F%2F127.0.0.1%3A7%2Fcallback"

// cardLike is a sign-in page with a cancel link, then a consent page of the
// same address, as oidc-provider shows them.
func cardLike() *world {
	o := &world{}
	o.pages = map[string]http.HandlerFunc{
		"GET /auth": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Set-Cookie", "s=1; Path=/")
			http.Redirect(w, r, "/interaction/1?x=1", http.StatusSeeOther)
		},
		"GET /interaction/1": func(w http.ResponseWriter, r *http.Request) {
			if _, err := r.Cookie("in"); err == nil {
				page(w, `<form action="/interaction/1" method="post"><input type="hidden" name="prompt" value="consent"/><button type="submit">Continue</button></form><a href="/abort?why=me">[ Cancel ]</a>`)
				return
			}
			page(w, `<form action="/interaction/1" method="post"><input type="hidden" name="prompt" value="login"/><input required type="text" name="login" placeholder="Enter any login"><input required type="password" name="password"><button type="submit" class="login">Sign-in</button></form><div><a href="/abort?why=me">[ Cancel ]</a></div>`)
		},
		"POST /interaction/1": func(w http.ResponseWriter, r *http.Request) {
			r.ParseForm()
			if _, err := r.Cookie("s"); err != nil || r.Header.Get("Origin") != "https://as.test" || r.Header.Get("Sec-Fetch-Site") != "same-origin" {
				http.Error(w, "no browser", http.StatusBadRequest)
				return
			}
			switch r.PostForm.Encode() {
			case "login=alice&password=pw&prompt=login":
				w.Header().Set("Set-Cookie", "in=1; Path=/")
				http.Redirect(w, r, "/interaction/1?x=1", http.StatusSeeOther)
			case "prompt=consent":
				home(w, "code=c&state=st")
			default:
				http.Redirect(w, r, "/interaction/1?x=1", http.StatusSeeOther)
			}
		},
		"GET /abort": func(w http.ResponseWriter, r *http.Request) { home(w, "error=access_denied&why="+r.FormValue("why")) },
	}
	return o
}

// engineLike has a page without words for the password and a consent page of
// two forms that differ in their buttons only, as Doorkeeper shows them.
func engineLike() *world {
	o := &world{}
	o.pages = map[string]http.HandlerFunc{
		"GET /auth": func(w http.ResponseWriter, r *http.Request) {
			if _, err := r.Cookie("in"); err != nil {
				http.Redirect(w, r, "/login", http.StatusFound)
				return
			}
			form := `<form action="/auth" accept-charset="UTF-8" method="post"><input name="utf8" type="hidden" value="&#x2713;"/>%s<input type="hidden" name="state" value="st"/><input type="submit" name="commit" value="%s"/></form>`
			page(w, "<p>Authorize <b>Curfew</b> to use your account?</p>"+fmt.Sprintf(form, `<input type="hidden" name="_method" value="delete"/>`, "Deny")+fmt.Sprintf(form, "", "Authorize"))
		},
		"GET /login": func(w http.ResponseWriter, r *http.Request) {
			page(w, `<form method="post" action="/login"><input type="hidden" name="return_to" value="/auth?a=1&amp;b=2"><input name="username"><input type="password" name="password"><input type="checkbox" name="keep" checked><input type="checkbox" name="ads"><button>Log in</button></form><form action="/register"><button>Sign up</button></form>`)
		},
		"POST /login": func(w http.ResponseWriter, r *http.Request) {
			r.ParseForm()
			if got := r.PostForm.Encode(); got != "keep=on&password=pw&return_to=%2Fauth%3Fa%3D1%26b%3D2&username=alice" {
				http.Error(w, "bad login", http.StatusUnauthorized)
				return
			}
			w.Header().Set("Set-Cookie", "in=1; Path=/")
			http.Redirect(w, r, r.PostForm.Get("return_to"), http.StatusFound)
		},
		"POST /auth": func(w http.ResponseWriter, r *http.Request) {
			if r.PostFormValue("_method") == "delete" {
				home(w, "error=access_denied&why=me")
				return
			}
			if r.PostFormValue("commit") == "Authorize" {
				home(w, "code=c&state="+r.PostFormValue("state"))
			}
		},
	}
	return o
}

func TestVisit(t *testing.T) {
	for name, site := range map[string]func() *world{"card": cardLike, "engine": engineLike} {
		t.Run(name, func(t *testing.T) {
			o := site()
			b := &Browser{User: "alice", Password: "pw", Transport: o, Logf: t.Logf}
			for range 2 { // the second time with cookies
				p, err := b.Visit(t.Context(), start)
				if err != nil || !p.Arrived || p.URL != "http://127.0.0.1:7/done" || p.Status != 200 || p.Text != "You can close this page. Continue" {
					t.Fatalf("%+v %v", p, err)
				}
				if o.query.Get("code") != "c" || o.query.Get("state") != "st" {
					t.Errorf("redirected with %v", o.query)
				}
			}
			for key, want := range map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "cross-site", "Origin": ""} {
				if got := o.last.Get(key); got != want {
					t.Errorf("%s: %q, want %q", key, got, want)
				}
			}

			o = site()
			b = &Browser{User: "alice", Password: "pw", Deny: true, Transport: o, Logf: t.Logf}
			if p, err := b.Visit(t.Context(), start); err != nil || !p.Arrived || o.query.Get("error") != "access_denied" || o.query.Get("why") != "me" {
				t.Errorf("deny: %+v %v %v", p, err, o.query)
			}

			o = site()
			b = &Browser{User: "alice", Password: "pw", Close: true, Transport: o, Logf: t.Logf}
			if p, err := b.Visit(t.Context(), start); !errors.Is(err, ErrClosed) || p.Arrived || p.Status != 200 {
				t.Errorf("close: %+v %v", p, err)
			}
			for _, s := range o.seen {
				if strings.HasPrefix(s, "POST") {
					t.Errorf("a closed browser sent a form: %s", s)
				}
			}
		})
	}
}

func TestWrongPassword(t *testing.T) {
	p, err := (&Browser{User: "alice", Password: "x", Transport: cardLike()}).Visit(t.Context(), start)
	if !errors.Is(err, ErrStuck) || p.Arrived {
		t.Errorf("asked again: %+v %v", p, err)
	}
	p, err = (&Browser{User: "alice", Password: "x", Transport: engineLike()}).Visit(t.Context(), start)
	if err != nil || p.Arrived || p.Status != 401 || p.Text != "bad login" {
		t.Errorf("refused: %+v %v", p, err)
	}
}

func TestOddPages(t *testing.T) {
	show := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { page(w, body) }
	}
	for _, tt := range []struct {
		name  string
		pages map[string]http.HandlerFunc
		want  string // the end of the URL
		text  string
		err   string
	}{
		{"meta refresh", map[string]http.HandlerFunc{
			"GET /auth": show(`<meta http-equiv="Refresh" content="0; URL='/b?x=1'">`),
			"GET /b":    show(`<p>there</p>`),
		}, "/b?x=1", "there", ""},
		{"GET form", map[string]http.HandlerFunc{
			"GET /auth": show(`<form action="/b?lost=1"><input type=hidden name=a value=1><button name=go value=yes>Continue</button></form>`),
			"GET /b":    show(`there`),
		}, "/b?a=1&go=yes", "there", ""},
		{"307 repeats the form", map[string]http.HandlerFunc{
			"GET /auth": show(`<form method=post action="/a"><input type=hidden name=k value=v><button>Allow</button></form>`),
			"POST /a": func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "/b", http.StatusTemporaryRedirect)
			},
			"POST /b": func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.PostFormValue("k")) },
		}, "/b", "v", ""},
		{"only a refusal to press", map[string]http.HandlerFunc{
			"GET /auth": show(`<form method=post><button>Cancel</button></form>`),
		}, "/auth?redirect_uri=http%3A%2F%2F127.0.0.1%3A7%2Fcallback", "Cancel", ""},
		{"a form in noscript", map[string]http.HandlerFunc{
			"GET /auth": show(`<noscript><form method=post action=/b><button>Continue</button></form></noscript>`),
			"POST /b":   show(`there`),
		}, "/b", "there", ""},
		{"a redirect without end", map[string]http.HandlerFunc{
			"GET /auth": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/auth", http.StatusFound) },
		}, "/auth", "", "robot: still going after 30 pages"},
		{"nobody there", nil, "", "", "robot: GET https://as.test/auth: no such page"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := (&Browser{User: "alice", Transport: &world{pages: tt.pages}, Logf: t.Logf}).Visit(t.Context(), start)
			if (err == nil) != (tt.err == "") || err != nil && !strings.HasPrefix(err.Error(), tt.err) {
				t.Fatalf("%v, want %q", err, tt.err)
			}
			if !strings.HasSuffix(p.URL, tt.want) || p.Text != tt.text || p.Arrived {
				t.Errorf("got %+v", p)
			}
		})
	}
}

func TestErrorsHideTheQuery(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := new(Browser).Visit(ctx, "http://127.0.0.1:1/callback?code=SECRET")
	if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("got %v", err)
	}
	if _, err := new(Browser).Visit(t.Context(), "http://[::1"); err == nil {
		t.Error("a broken URL was visited")
	}
}
