package authserver

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Faults make the server fail on purpose. The zero Faults does nothing. They
// may be changed while the server runs, from any goroutine, and are a
// flag.Value (and a pflag.Value).
//
// The text form is a list of faults separated by commas, each
//
//	place:fault[;option=value]...[*times]
//
// which fires that many times, or for ever. Of the faults that fit a request
// the first that has firings left fires, so a list reads as a script:
//
//	token:503;retry-after=5*2,token:drop-after-rotate*1
//
// answers the first two token requests with 503 and loses the answer to the
// third. Values cannot hold a comma, a semicolon or a star.
//
// The places are discovery, jwks, authorize, token, userinfo, me, revoke and
// device. Token is any grant of the token endpoint. The places code, refresh
// and poll are one grant of it. Device is the device authorization endpoint.
//
// Anywhere:
//
//	STATUS       that HTTP status (400 to 599) with a gateway's HTML page; with
//	             error=CODE a JSON error body, and then also 200 is allowed;
//	             retry-after=SECONDS, or retry-date=SECONDS for the date then
//	drop         cut the connection; nothing was done
//	hang         never answer
//	slow         answer after by=DURATION
//	html         200 and a captive portal's page
//	redirect     307 to=URL
//
// The fault "X-after-rotate" does the same as X after the work has succeeded,
// so the client does not learn what the server has issued. X is drop, hang,
// html, redirect or a status. The places are token, code, refresh and poll.
//
// Where the answer is JSON, distorting it:
//
//	truncated        cut in half
//	duplicate-keys   one key twice, with different values
//
// At token, code, refresh and poll:
//
//	expires-in         value=missing, string, float, huge, or any integer
//	token-type         value=TYPE
//	no-refresh-token
//	other-sub          an ID token for somebody else
//	id-iss, id-aud, id-nonce, id-exp, id-sig   that part of the ID token is wrong
//	id-alg             value=none, or HS256 keyed with the public key
//	rollover           a new signing key, just before the answer
//
// Two faults bend the server's rule for one refresh. With strict a replaced
// token has no grace, with graceful the grace has no end.
//
// Elsewhere:
//
//	wrong-iss     at authorize and discovery
//	wrong-state   at authorize
//	no-iss        at authorize
//	other-sub     at userinfo
//	rollover      at jwks
//
// A distortion that finds nothing to distort (no ID token in the answer, an
// error instead of tokens) leaves the answer as it is and does not count as
// fired.
type Faults struct {
	mu    sync.Mutex
	rules []*rule
}

// place is where a fault strikes, in the words of the text form.
type place string

const (
	atDiscovery place = "discovery"
	atJWKS      place = "jwks"
	atAuthorize place = "authorize"
	atToken     place = "token"
	atCode      place = "code"
	atRefresh   place = "refresh"
	atPoll      place = "poll"
	atUserinfo  place = "userinfo"
	atMe        place = "me"
	atRevoke    place = "revoke"
	atDevice    place = "device"
)

var (
	places     = []place{atDiscovery, atJWKS, atAuthorize, atToken, atCode, atRefresh, atPoll, atUserinfo, atMe, atRevoke, atDevice}
	tokens     = []place{atToken, atCode, atRefresh, atPoll}
	jsonPlaces = []place{atDiscovery, atJWKS, atToken, atCode, atRefresh, atPoll, atUserinfo, atMe, atDevice}
)

// rule is one fault of a list.
type rule struct {
	place   place
	fault   string // without "-after-rotate"
	after   bool   // "-after-rotate"
	status  int    // of a STATUS fault
	options map[string]string
	left    int // -1: for ever
}

const afterRotate = "-after-rotate"

// faultKinds says where each fault may stand and what options it takes: true
// for one that must be there. "status" stands for all numbers.
var faultKinds = map[string]struct {
	places  []place
	options map[string]bool
}{
	"status":           {places, map[string]bool{"retry-after": false, "retry-date": false, "error": false}},
	"drop":             {places, nil},
	"hang":             {places, nil},
	"slow":             {places, map[string]bool{"by": true}},
	"html":             {places, nil},
	"redirect":         {places, map[string]bool{"to": true}},
	"truncated":        {jsonPlaces, nil},
	"duplicate-keys":   {jsonPlaces, nil},
	"expires-in":       {tokens, map[string]bool{"value": true}},
	"token-type":       {tokens, map[string]bool{"value": true}},
	"no-refresh-token": {tokens, nil},
	"other-sub":        {append(slices.Clone(tokens), atUserinfo), nil},
	"id-iss":           {tokens, nil},
	"id-aud":           {tokens, nil},
	"id-nonce":         {tokens, nil},
	"id-exp":           {tokens, nil},
	"id-sig":           {tokens, nil},
	"id-alg":           {tokens, map[string]bool{"value": true}},
	"rollover":         {append(slices.Clone(tokens), atJWKS), nil},
	"strict":           {[]place{atRefresh}, nil},
	"graceful":         {[]place{atRefresh}, nil},
	"wrong-iss":        {[]place{atAuthorize, atDiscovery}, nil},
	"wrong-state":      {[]place{atAuthorize}, nil},
	"no-iss":           {[]place{atAuthorize}, nil},
}

// canComeAfter are the faults that have an -after-rotate form.
var canComeAfter = []string{"status", "drop", "hang", "html", "redirect"}

// ParseFaults reads the text form. "" is no faults.
func ParseFaults(text string) (*Faults, error) {
	f := new(Faults)
	if err := f.Set(text); err != nil {
		return nil, err
	}
	return f, nil
}

// Set replaces all faults by those of the text form. On an error nothing
// changes.
func (f *Faults) Set(text string) error {
	var rules []*rule
	if strings.TrimSpace(text) != "" {
		for one := range strings.SplitSeq(text, ",") {
			r, err := parseRule(strings.TrimSpace(one))
			if err != nil {
				return fmt.Errorf("fault %q: %w", one, err)
			}
			rules = append(rules, r)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = rules
	return nil
}

// String returns what is left, in the text form.
func (f *Faults) String() string {
	if f == nil {
		return ""
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, r := range f.rules {
		if r.left != 0 {
			out = append(out, r.String())
		}
	}
	return strings.Join(out, ",")
}

// Type names the flag's type in help texts.
func (f *Faults) Type() string { return "FAULTS" }

func parseRule(text string) (*rule, error) {
	r := &rule{left: -1, options: map[string]string{}}
	if body, times, ok := strings.Cut(text, "*"); ok {
		n, err := strconv.Atoi(times)
		if err != nil || n < 1 || n > 1_000_000 {
			return nil, fmt.Errorf("after * there must be how often it fires, a number from 1, not %q", times)
		}
		text, r.left = body, n
	}
	head, options, _ := strings.Cut(text, ";")
	where, what, ok := strings.Cut(head, ":")
	if !ok {
		return nil, fmt.Errorf("want place:fault, for instance token:503")
	}
	r.place = place(where)
	if !slices.Contains(places, r.place) {
		return nil, fmt.Errorf("there is no place %q: choose one of %s", where, list(places))
	}
	r.fault, r.after = strings.CutSuffix(what, afterRotate)
	name := r.fault
	if n, err := strconv.Atoi(name); err == nil && strconv.Itoa(n) == name {
		name, r.status = "status", n
	}
	kind, ok := faultKinds[name]
	if !ok || r.fault == "status" {
		return nil, fmt.Errorf("there is no fault %q: choose a status such as 503, or one of %s", what, faultNames())
	}
	if r.after && (!slices.Contains(canComeAfter, name) || !slices.Contains(tokens, r.place)) {
		return nil, fmt.Errorf("%q is for %s with drop, hang, html, redirect or a status", afterRotate, list(tokens))
	}
	if !slices.Contains(kind.places, r.place) {
		return nil, fmt.Errorf("%s cannot happen at %s, only at %s", r.fault, r.place, list(kind.places))
	}
	if err := r.readOptions(options, kind.options); err != nil {
		return nil, err
	}
	return r, r.checkValues(name)
}

// readOptions reads key=value;key=value. known says of each key whether it must
// be there.
func (r *rule) readOptions(text string, known map[string]bool) error {
	if text != "" {
		for option := range strings.SplitSeq(text, ";") {
			key, value, ok := strings.Cut(option, "=")
			if _, known := known[key]; !ok || !known || value == "" {
				return fmt.Errorf("%s takes no option %q", r.fault, option)
			}
			if _, twice := r.options[key]; twice {
				return fmt.Errorf("option %s is given twice", key)
			}
			r.options[key] = value
		}
	}
	for key, must := range known {
		if _, ok := r.options[key]; must && !ok {
			return fmt.Errorf("%s needs the option %s", r.fault, key)
		}
	}
	return nil
}

// checkValues refuses options that mean nothing, so that no fault is silently
// none.
func (r *rule) checkValues(name string) error {
	value := r.options["value"]
	switch name {
	case "status":
		return r.checkStatus()
	case "slow":
		if d, err := time.ParseDuration(r.options["by"]); err != nil || d <= 0 {
			return fmt.Errorf("by=%s is not a duration such as 2s", r.options["by"])
		}
	case "redirect":
		if u, err := url.Parse(r.options["to"]); err != nil || u.Host == "" || strings.ContainsFunc(r.options["to"], isControl) {
			return fmt.Errorf("to=%s is not an absolute URL", r.options["to"])
		}
	case "expires-in":
		if _, err := strconv.ParseInt(value, 10, 64); err != nil && !slices.Contains([]string{"missing", "string", "float", "huge"}, value) {
			return fmt.Errorf("value=%s is not missing, string, float, huge or an integer", value)
		}
	case "id-alg":
		if value != "none" && value != "HS256" {
			return fmt.Errorf("value=%s is not none or HS256", value)
		}
	}
	return nil
}

// checkStatus is checkValues of a status.
func (r *rule) checkStatus() error {
	_, withError := r.options["error"]
	if ok := r.status >= 400 && r.status <= 599 || r.status == 200 && withError; !ok {
		return fmt.Errorf("a status is 400 to 599, or 200 with error=CODE")
	}
	for _, key := range []string{"retry-after", "retry-date"} {
		if value, ok := r.options[key]; ok {
			if _, err := strconv.ParseUint(value, 10, 31); err != nil {
				return fmt.Errorf("%s=%s is not a number of seconds", key, value)
			}
		}
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

func (r *rule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%s", r.place, r.fault)
	if r.after {
		b.WriteString(afterRotate)
	}
	for _, key := range []string{"value", "by", "to", "retry-after", "retry-date", "error"} {
		if value, ok := r.options[key]; ok {
			fmt.Fprintf(&b, ";%s=%s", key, value)
		}
	}
	if r.left > 0 {
		fmt.Fprintf(&b, "*%d", r.left)
	}
	return b.String()
}

// take returns the first rule for one of the places that has firings left, and
// counts the firing. Nil means to stay honest.
func (f *Faults) take(at ...place) *rule {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.rules {
		if r.left != 0 && slices.Contains(at, r.place) {
			if r.left > 0 {
				r.left--
			}
			return r
		}
	}
	return nil
}

// giveBack undoes a firing that had no effect.
func (f *Faults) giveBack(r *rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.left >= 0 {
		r.left++
	}
}

func list(at []place) string {
	var names []string
	for _, p := range at {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}

func faultNames() string {
	var names []string
	for name := range faultKinds {
		if name != "status" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
