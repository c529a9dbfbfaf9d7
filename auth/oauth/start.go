package oauth

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"curfew/assets/pages"
	"curfew/auth"
	"curfew/auth/oauth/peer"
)

// This file is the start page of a sign-in. A browser is opened by a command,
// and every user of the machine can read a command's arguments. A user who read
// the authorization URL there could bring back their own code, and the person
// would be signed in as somebody else. So the argument is the address of a page
// of ours that works once. It gives the browser a cookie, which the answer must
// carry, and sends it on to the server.
//
// Somebody who reads the address could still be faster than the browser. Where
// the system says whose a connection is, another user's is refused. Elsewhere
// the second visitor ends the sign-in.

// doorstep is what the start pages of one sign-in share.
type doorstep struct {
	mu      sync.Mutex
	to      string                // the authorization URL
	pages   map[string]*startPage // by path
	cookie  string                // the cookie's name: other sign-ins on other ports have theirs
	wanted  bool                  // an answer must carry a cookie
	spoiled chan struct{}         // closed when a page was opened twice
	once    sync.Once
}

type startPage struct {
	value auth.Secret // of the cookie
	used  bool
}

// startPath leads the path of every start page.
const startPath = "/start/"

// StartPage returns the address of a page on this machine that leads a browser
// to the server. Each works once: it can be an argument of a command.
func (f *Flow) StartPage() string {
	d := &f.receiver.doorstep
	d.mu.Lock()
	defer d.mu.Unlock()
	path := startPath + rand.Text()
	if d.pages == nil {
		d.pages, d.cookie = map[string]*startPage{}, "curfew-"+rand.Text()
	}
	d.pages[path] = &startPage{value: auth.NewSecret(rand.Text())}
	return "http://" + f.receiver.host + path
}

// Printed returns the authorization URL, for a person to open. The answer may
// then come from any browser.
func (f *Flow) Printed() string {
	d := &f.receiver.doorstep
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted = false
	return d.to
}

// address is where a browser goes to the server now.
func (d *doorstep) address() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.to
}

// start serves a visit to a start page, if r is one.
func (rc *receiver) start(w http.ResponseWriter, r *http.Request) bool {
	d := &rc.doorstep
	d.mu.Lock()
	page := d.pages[r.URL.EscapedPath()]
	d.mu.Unlock()
	if page == nil || r.URL.EscapedPath() == rc.path || rc.checkVisitor(r) != "" || r.Method != http.MethodGet {
		return false
	}
	if !fromThisUser(r) {
		rc.log.Warn("another user of this machine opened the start page of a sign-in, and was refused")
		return false
	}
	known, _ := d.knows(r)
	d.mu.Lock()
	again, to := page.used && !known, d.to
	page.used = true
	d.mu.Unlock()
	if again {
		rc.log.Warn("the start page of a sign-in was opened twice")
		d.once.Do(func() { close(d.spoiled) })
		rc.write(w, r, http.StatusForbidden, pages.SignInFailed)
		return true
	}
	setPageHeaders(w.Header())
	// The server sends the browser back from its own site, by a GET of the
	// whole tab: Lax lets the cookie come along (RFC 6265bis section 5.5.7.1).
	for _, path := range []string{rc.path, r.URL.EscapedPath()} { // no other page of 127.0.0.1 is to see it
		http.SetCookie(w, &http.Cookie{Name: d.cookie, Value: page.value.Reveal(), Path: path,
			MaxAge: int(signInLimit / time.Second), HttpOnly: true, SameSite: http.SameSiteLaxMode})
	}
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
	return true
}

// knows reports whether a browser has opened a start page of this sign-in, and
// whether an answer must come from such a one.
func (d *doorstep) knows(r *http.Request) (known, wanted bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range r.Cookies() {
		for _, page := range d.pages {
			known = known || c.Name == d.cookie && subtle.ConstantTimeCompare([]byte(c.Value), []byte(page.value.Reveal())) == 1
		}
	}
	return known, d.wanted
}

// isSpoiled reports whether a start page was opened twice.
func (d *doorstep) isSpoiled() bool {
	select {
	case <-d.spoiled:
		return true
	default:
		return false
	}
}

// fromThisUser reports whether a request came from a program of the user that
// this one runs as, or of the system. Where that cannot be known it says yes.
func fromThisUser(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(interface{ String() string })
	if !ok {
		return true
	}
	here, err1 := netip.ParseAddrPort(local.String())
	there, err2 := netip.ParseAddrPort(r.RemoteAddr)
	if err1 != nil || err2 != nil {
		return true
	}
	return peer.Own(here, there)
}
