package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"curfew/auth"
	"curfew/auth/oauth"
)

// Tidy returns a as it was meant: without the blanks that are copied along with
// a value, and with the issuer in the place of its discovery document or of a
// preset's short form.
func Tidy(a auth.Account) auth.Account {
	for _, k := range auth.Keys() {
		switch v := auth.Setting(&a, k.Name).(type) {
		case *string:
			if k.Name != "scope_separator" {
				*v = strings.TrimSpace(*v)
			}
		case *[]string:
			for i, s := range *v {
				if t := strings.TrimSpace(s); t != s {
					*v = slices.Clone(*v)
					(*v)[i] = t
				}
			}
		}
	}
	a.Issuer = oauth.IssuerAt(a.Provider, oauth.IssuerOf(a.Issuer))
	return a
}

// CheckAccount says what is wrong with an account's configuration, with an
// [*auth.Error]. It makes no request.
func CheckAccount(a auth.Account) error {
	if err := auth.CheckName(a.Name); err != nil {
		return err
	}
	if p := checkAccount(a); p.message != "" {
		return &auth.Error{Kind: auth.KindBadRequest, Message: p.message, Hint: p.hint}
	}
	return nil
}

func checkAccount(a auth.Account) problem {
	for _, k := range auth.Keys() {
		if p := checkSetting(k, auth.Setting(&a, k.Name)); p.message != "" {
			p.key = k.Name
			return p
		}
	}
	preset, _ := oauth.LookupProvider(a.Provider)
	if a.Issuer == "" && preset.Issuer == "" && (a.AuthorizationEndpoint == "" || a.TokenEndpoint == "") &&
		(preset.AuthorizationEndpoint == "" || preset.TokenEndpoint == "") {
		return problem{"", fmt.Sprintf("account %q does not say where to sign in", a.Name), "give a provider, an issuer, or authorization_endpoint and token_endpoint"}
	}
	if a.ClientID == "" {
		return problem{"client_id", fmt.Sprintf("account %q has no client_id", a.Name), "the provider gives you one when you register a native (desktop) app"}
	}
	return problem{}
}

// checks are for settings whose kind alone does not say what is right. Each
// takes one text, or one item of a list, that is not empty.
var checks = map[string]func(string) problem{
	"provider":   checkProvider,
	"redirect":   checkRedirect,
	"proxy":      checkProxy,
	"resource":   checkResource,
	"dead_codes": checkCode,
	"hosts":      checkHost,
}

// checkSetting checks one setting by its kind; an empty one is right.
func checkSetting(k auth.Key, setting any) problem {
	var values []string
	switch v := setting.(type) {
	case *string:
		if *v == "" {
			return problem{}
		}
		values = []string{*v}
	case *[]string:
		values = *v
	case *map[string]string:
		return checkParameters(k.Name, *v)
	}
	check := checks[k.Name]
	for _, value := range values {
		p := problem{}
		switch {
		case len(value) > 4096 || auth.Clip(value, 4096) != value && k.Name != "scope_separator":
			return problem{message: fmt.Sprintf("%s has characters that cannot be in it", k.Name), hint: "was it copied whole, and nothing else?"}
		case check != nil:
			p = check(value)
		case k.Kind == auth.KeyURL:
			p = checkServerURL(k.Name, value)
		case k.Kind == auth.KeyChoice && !slices.Contains(k.Options, value):
			p = problem{message: fmt.Sprintf("%s cannot be %q", k.Name, value), hint: "known are: " + strings.Join(quoted(k.Options), ", ")}
		case k.Kind == auth.KeySpan:
			if _, err := auth.ParseSpan(value); err != nil {
				p = problem{message: k.Name + ": " + err.Error()}
			}
		case k.Kind == auth.KeyFile && !filepath.IsAbs(value):
			p = problem{message: fmt.Sprintf("%s %q is not an absolute path", k.Name, value), hint: "the agent does not know your working directory: start at the root"}
		case k.Kind == auth.KeyScopes && (value == "" || !isWord(value)): // RFC 6749 section 3.3
			p = problem{message: fmt.Sprintf("%q is not a scope", value), hint: "one scope is one word; write several as several"}
		case k.Kind == auth.KeyText && strings.ContainsFunc(value, func(r rune) bool { return r > '~' }) && k.Name != "login_hint":
			p = problem{message: k.Name + " has characters that cannot be in it", hint: "was it copied whole, and nothing else?"}
		case value == "":
			p = problem{message: k.Name + " has an empty item"}
		}
		if p.message != "" {
			return p
		}
	}
	return problem{}
}

// isWord: visible ASCII without quotes and backslashes, as RFC 6749 wants
// scopes (section 3.3) and error codes (section 5.2).
func isWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
}

func quoted(words []string) []string {
	var q []string
	for _, w := range words {
		q = append(q, strconv.Quote(w))
	}
	return q
}

func checkProvider(name string) problem {
	p, err := oauth.LookupProvider(name)
	if err == nil && p.Unavailable == "" {
		return problem{}
	}
	if err == nil {
		return problem{message: fmt.Sprintf("%s cannot be used: %s", p.Title, p.Unavailable), hint: "see: curfew providers " + name}
	}
	return problem{message: fmt.Sprintf("there is no provider %q", name), hint: "see: curfew providers; for any other server give its issuer"}
}

// ownParameters are those of the authorization request that Curfew fills in
// itself. Changing them would break the sign-in, or make it unsafe.
var ownParameters = []string{"client_id", "client_secret", "response_type", "response_mode", "redirect_uri", "state", "nonce", "code_challenge", "code_challenge_method", "scope", "request", "request_uri"}

func checkParameters(key string, parameters map[string]string) problem {
	for name, value := range parameters {
		switch {
		case !isWord(name) || auth.Clip(value, 2048) != value:
			return problem{message: fmt.Sprintf("%s: %q cannot be a parameter", key, name)}
		case slices.Contains(ownParameters, name):
			return problem{message: fmt.Sprintf("%s: Curfew sets %q itself", key, name), hint: "leave it out"}
		}
	}
	return problem{}
}

// checkServerURL: https, or http to this very machine (RFC 8252 section 8.3
// gives the reason: no name that could resolve elsewhere).
func checkServerURL(key, value string) problem {
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Host == "" || !isWord(value):
		return problem{key, fmt.Sprintf("%s %q is not a URL", key, value), "it starts with https://"}
	case u.User != nil || u.Fragment != "":
		return problem{key, fmt.Sprintf("%s %q holds a user name or a fragment", key, u.Redacted()), ""}
	case u.Scheme == "https":
		return problem{}
	case u.Scheme == "http" && isLoopbackIP(u.Hostname()):
		return problem{}
	case u.Scheme == "http":
		return problem{key, fmt.Sprintf("%s %q is not encrypted", key, value), "use https; http is for 127.0.0.1 and [::1] only"}
	default:
		return problem{key, fmt.Sprintf("%s %q is not a web address", key, value), "it starts with https://"}
	}
}

// checkRedirect: where the browser comes back to is this machine.
func checkRedirect(value string) problem {
	hint := "the default is http://127.0.0.1/callback; a port is added when it has none"
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Scheme != "http" || !(isLoopbackIP(u.Hostname()) || u.Hostname() == "localhost"):
		return problem{"redirect", fmt.Sprintf("redirect %q does not lead to this machine", value), hint}
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || !isWord(value):
		return problem{"redirect", fmt.Sprintf("redirect %q has more than a host, a port and a path", u.Redacted()), hint}
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return problem{"redirect", fmt.Sprintf("redirect %q has no usable port", value), hint}
		}
	}
	return problem{}
}

func isLoopbackIP(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// checkProxy: what net/http can use, or none at all.
func checkProxy(value string) problem {
	u, err := url.Parse(value)
	if value == "none" || err == nil && u.Host != "" && slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) && u.User == nil {
		return problem{}
	}
	return problem{message: fmt.Sprintf("proxy %q is not the address of a proxy", auth.Clip(value, 100)), hint: `for example "http://proxy.example.com:3128", without a password; "none" for no proxy`}
}

// checkResource: RFC 8707 section 2.
func checkResource(value string) problem {
	if u, err := url.Parse(value); err == nil && u.IsAbs() && !strings.Contains(value, "#") && isWord(value) {
		return problem{}
	}
	return problem{message: fmt.Sprintf("resource %q is not an absolute URI", value), hint: `for example "https://api.example.com"`}
}

func checkCode(value string) problem {
	if isWord(value) {
		return problem{}
	}
	return problem{message: fmt.Sprintf("%q is not an error code", value), hint: "one code is one word"}
}

func checkHost(value string) problem {
	if u, err := url.Parse("https://" + value); err == nil && u.Host == value && u.Hostname() != "" && isWord(value) {
		return problem{}
	}
	return problem{message: fmt.Sprintf("%q is not a host", value), hint: `for example "git.example.com", or "git.example.com:8443"`}
}
