package authserver

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// checkRedirect refuses redirects that no native client should register.
func checkRedirect(redirect string) error {
	u, err := url.Parse(redirect)
	switch {
	case err != nil || u.Scheme == "" || u.User != nil || strings.Contains(redirect, "#"):
		return fmt.Errorf("redirect %q: must be an absolute URL without user and fragment", redirect)
	case u.Scheme == "http" && u.Hostname() != "localhost" && !isLoopback(u.Hostname()):
		return fmt.Errorf("redirect %q: http is for loopback addresses only", redirect)
	}
	return nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// allows reports whether redirect is one that the client registered.
func (c *Client) allows(redirect string) bool {
	for _, registered := range c.Redirects {
		if matchRedirect(registered, redirect) {
			return true
		}
	}
	return false
}

// matchRedirect reports whether got is registered, byte for byte. The port may
// differ for http on a loopback IP literal (RFC 8252 section 7.3). "localhost"
// is not a literal, and another program can own it on the other IP family
// (section 8.3).
//
// It compares text, not parsed URLs: what two parsers read differently cannot
// come between us and the browser.
func matchRedirect(registered, got string) bool {
	if got == registered {
		return true
	}
	u, err := url.Parse(registered)
	if err != nil || u.Scheme != "http" || !isLoopback(u.Hostname()) {
		return false
	}
	origin := "http://" + u.Host
	rest, ok := strings.CutPrefix(registered, origin)
	if !ok {
		return false
	}
	origin = strings.TrimSuffix(origin, ":"+u.Port()) // a registered port means nothing
	port, ok := strings.CutPrefix(got, origin)
	if !ok {
		return false
	}
	if port, ok = strings.CutSuffix(port, rest); !ok {
		return false
	}
	if port == "" {
		return true
	}
	number, ok := strings.CutPrefix(port, ":")
	n, err := strconv.ParseUint(number, 10, 16)
	return ok && err == nil && n > 0 && number == strconv.FormatUint(n, 10)
}
