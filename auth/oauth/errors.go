package oauth

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"curfew/auth"
)

// Error says in one sentence what failed and where. It holds no token, no
// code, no secret and no response body.
func (e *Error) Error() string {
	server := e.Server
	if server == "" {
		server = "the server"
	}
	text := e.Op + ": "
	switch {
	case e.Code != "":
		text += server + " answered " + e.Code
		if e.Description != "" {
			text += " (" + e.Description + ")"
		}
	case e.Description != "" && e.Status == 0: // in an address
		text += server + " answered: " + e.Description
	case e.Description != "":
		text += server + " answered " + statusText(e.Status) + " (" + e.Description + ")"
	case e.Err != nil:
		text += e.Err.Error()
	case e.Status != 0:
		text += server + " answered " + statusText(e.Status)
	default:
		text += e.Class.String()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrNoRevocation says that the provider has no revocation endpoint; Provider.RemoveAccessURL says where a person removes access.
var ErrNoRevocation = errors.New("the provider has no revocation endpoint")

// ErrSubjectChanged says that the refreshed ID token is for somebody else (OIDC Core 12.2).
var ErrSubjectChanged = errors.New("the server answered for another subject")

// String names the class for logs.
func (c Class) String() string {
	switch c {
	case NotSent:
		return "not sent"
	case Unknown:
		return "outcome unknown"
	case Throttled:
		return "throttled"
	case Protocol:
		return "protocol violation"
	case HeldBack:
		return "held back"
	case Dead:
		return "dead"
	case Denied:
		return "denied"
	case Cancelled:
		return "cancelled"
	}
	return "class " + strconv.Itoa(int(c))
}

// deadCode is the only OAuth error code that ends a grant at every provider
// (RFC 6749 section 5.2). It is compared exactly: servers and proxies use many
// words that merely contain it.
const deadCode = "invalid_grant"

// busyCodes say that a server is asked too often, or wants to be left alone.
var busyCodes = []string{"temporarily_unavailable", "slow_down", "too_many_requests", "rate_limited", "ratelimited", "rate_limit_exceeded"}

// codeClass sorts an OAuth error code that came with a refusal, not with a
// server failure, and the words with it.
func (c *Client) codeClass(code, words string) Class {
	lists := c.lists()
	switch {
	case code == deadCode || says(lists.dead, code, words):
		return Dead
	case slices.Contains(busyCodes, code):
		return Throttled
	case code == "server_error":
		return Unknown
	case says(lists.denied, code, words):
		return Denied
	}
	return HeldBack
}

// says reports whether one of the rules fits. A rule is an error code, which a
// colon and words may follow. The words must be in the description, in any
// case.
func says(rules []string, code, words string) bool {
	return slices.ContainsFunc(rules, func(rule string) bool {
		wantCode, wantWords, _ := strings.Cut(rule, ": ")
		return wantCode == code && strings.Contains(strings.ToLower(words), strings.ToLower(wantWords))
	})
}

// refusal turns an answer that is not a success into an Error.
//
// The status goes first where it says that the server or its gateway failed. An
// OAuth code in such an answer proves nothing about the token. An OAuth code
// needs JSON or a form. Without them only 401 and 403 are a refusal. Everything
// else, such as the page of a captive portal or a gateway, counts as no answer
// at all.
func (c *Client) refusal(op, server string, r *reply) *Error {
	e := &Error{Op: op, Server: server, Status: r.status, RetryAfter: r.retryAfter}
	spoken := false
	o, err := r.object()
	if o == nil { // a form, or an array of what others call errors
		if o, err = formAnswer(r), nil; o == nil {
			o = object{"errors": r.body}
		}
	}
	if err == nil {
		code, words, marks := errorWords(o)
		code, words = r.redact(code), r.redact(words)
		spoken = code != "" || words != ""
		e.Class = c.codeClass(code, words)
		if lists := c.lists(); e.Class == Dead && meets(lists.passing, marks) {
			e.Class = Throttled
		} else if e.Class == Dead && (meets(lists.kept, marks) || r.isPage()) { // a page may quote anything
			e.Class = HeldBack
		}
		e.Code, e.Description = cleanCode(code), clean(words)
	}
	switch {
	case r.status == http.StatusTooManyRequests, r.status == http.StatusServiceUnavailable:
		e.Class = Throttled
	case r.status >= 500, r.status == http.StatusRequestTimeout:
		if e.Class != Throttled {
			e.Class = Unknown
		}
	case r.retryAfter > 0 && e.Class != Dead: // whatever else it says
		e.Class = Throttled
	case e.Code != "":
	case spoken && r.status != http.StatusNotFound && r.status != http.StatusMethodNotAllowed:
	case r.status == http.StatusUnauthorized, r.status == http.StatusForbidden, r.status == http.StatusGone:
		e.Class = HeldBack
	default:
		e.Class = Unknown
	}
	return e
}

// errorWords finds what a JSON object says of an error: its code, a sentence
// and finer marks. Not every server follows RFC 6749 section 5.2. Most others
// nest an object or a list under error or errors.
func errorWords(o object) (code, words string, marks []string) {
	code, _ = o.str("error")
	words = firstText(o, "error_description", "message", "error_message", "errorDescription", "errorMessage", "errorSummary", "detail", "msg", "errmsg", "title", "reason")
	for _, key := range []string{"suberror", "error_subtype", "error_subcode"} {
		marks = append(marks, o.text(key))
	}
	var numbers []json.Number
	if json.Unmarshal(o["error_codes"], &numbers) == nil {
		for _, n := range numbers {
			marks = append(marks, n.String())
		}
	}
	if all := slices.Concat(o.objects("error"), o.objects("errors"), o.objects("fault")); len(all) > 0 {
		inner := all[0]
		code = cmp.Or(code, firstText(inner, "errorType", "type", "error", "errorCode", "code"))
		inside := firstText(inner, "message", "error_description", "faultstring", "detail", "description")
		if inside == "" { // {"resource": "RefreshToken", "field": "refresh_token", "code": "invalid"}
			inside = strings.TrimSpace(inner.text("resource") + " " + inner.text("field") + " " + inner.text("code"))
		}
		if inside != "" && !strings.Contains(words, inside) {
			words = strings.TrimPrefix(words+": "+inside, ": ")
		}
	}
	if list := o.strs("errors"); len(list) > 0 {
		words = cmp.Or(words, list[0])
	}
	return cmp.Or(code, firstText(o, "error_code", "errorCode")), words, marks
}

// firstText returns the first of the members that has text, or texts in a list.
func firstText(o object, keys ...string) string {
	for _, key := range keys {
		if s := strings.Join(o.oneOrMany(key), "; "); strings.TrimSpace(s) != "" {
			return s
		}
	}
	return ""
}

// meets reports whether one of the marks is listed.
func meets(listed, marks []string) bool {
	return slices.ContainsFunc(marks, func(mark string) bool { return mark != "" && slices.Contains(listed, mark) })
}

// failure turns an error of the network into an Error. sent says whether a
// byte of the request may have left.
func failure(op, server string, err error, sent bool) *Error {
	e := &Error{Op: op, Server: server, Class: NotSent}
	if sent {
		e.Class = Unknown
	}
	reason, cause := networkReason(server, err, sent)
	e.Err = &saidError{reason, cause}
	if !sent && errors.Is(err, context.Canceled) {
		e.Class = Cancelled
	}
	return e
}

// saidError pairs a sentence that is safe to show with the error it came
// from, which is kept for errors.Is and never printed: net/http quotes what a
// broken server sent.
type saidError struct {
	text  auth.Text
	cause error
}

func (e *saidError) Error() string { return e.text.Message }
func (e *saidError) Unwrap() error { return e.cause }

// Reason says why, as it can be said in any language: the words of e.Err.
func (e *Error) Reason() auth.Text {
	if said, ok := errors.AsType[*saidError](e.Err); ok {
		return said.text
	}
	if e.Err != nil {
		return auth.Words(e.Err.Error())
	}
	return auth.Words(e.Error())
}

// networkReason says what went wrong on the way to the server. The second
// result is err if its text cannot hold bytes of the exchange, else nil.
func networkReason(server string, err error, sent bool) (auth.Text, error) {
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		issuer := "?"
		if unknown.Cert != nil {
			issuer = cmp.Or(clean(unknown.Cert.Issuer.String()), issuer)
		}
		return auth.Say("tls_authority", server, issuer), err
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return auth.Say("tls_name", server), err
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if invalid.Reason == x509.Expired {
			return auth.Say("tls_expired", server), err
		}
		return auth.Say("tls_invalid", server), err
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return auth.Say("tls_unverified", server), err
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return auth.Say("tls_none", server), nil
	}
	if refused, ok := errors.AsType[proxyError](err); ok {
		return auth.Say("net_proxy", server, refused), nil
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return auth.Say("net_name_unknown", server), err
		}
		return auth.Say("net_lookup", server), err
	}
	if sent && errors.Is(err, syscall.ETIMEDOUT) { // no answer to probes: see alive
		return auth.Say("net_cut", server), nil
	}
	switch timeout, ok := errors.AsType[net.Error](err); {
	case errors.Is(err, context.Canceled):
		return auth.Say("net_cancelled", server), context.Canceled
	case errors.Is(err, context.DeadlineExceeded), ok && timeout.Timeout():
		return auth.Say("net_timeout", server), context.DeadlineExceeded
	}
	if sent {
		return auth.Say("net_cut", server), nil
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		switch op.Op {
		case "dial":
			return auth.Say("net_unreachable_why", server, op.Err), err
		case "proxyconnect":
			return auth.Say("net_proxy", server, op.Err), err
		case "remote error": // an alert
			return auth.Say("tls_refused", server, op.Err), err
		}
	}
	if text := err.Error(); strings.HasPrefix(text, "tls: ") {
		return auth.Say("tls_failed", server, clean(text)), err
	}
	return auth.Say("net_unreachable", server), nil
}

// statusText is "404 Not Found".
func statusText(status int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status)))
}

// The bounds of a Retry-After that we follow.
const (
	minRetryAfter = time.Second
	maxRetryAfter = 15 * time.Minute
)

// parseRetryAfter reads the seconds or the date of a Retry-After header (RFC
// 9110 section 10.2.3). The result is between a second and a quarter of an
// hour, or 0 if there is no header.
func parseRetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0
	}
	if strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.Atoi(value)
		if err != nil || seconds > int(maxRetryAfter/time.Second) {
			return maxRetryAfter // more digits than an int holds
		}
		return max(minRetryAfter, time.Duration(seconds)*time.Second)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(minRetryAfter, at.Sub(now)), maxRetryAfter)
}

// maxWords is how many characters of a server's words we show.
const maxWords = 200

// clean makes a server's words safe to show and to log.
func clean(s string) string { return auth.Clip(s, maxWords) }

// cleanCode keeps an OAuth error code if it has the characters of RFC 6749
// section 5.2 and a sane length.
func cleanCode(code string) string {
	if len(code) > 64 {
		return "an error code of absurd length"
	}
	for _, b := range []byte(code) {
		if b < 0x20 || b > 0x7e || b == '"' || b == '\\' {
			return "an error code with forbidden characters"
		}
	}
	return code
}
