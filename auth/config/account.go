package config

import (
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
	if p := checkAccount(a); p.is() {
		err := auth.Fail(auth.KindBadRequest, p.message, p.hint)
		err.Setting = p.key
		return err
	}
	return nil
}

func checkAccount(a auth.Account) problem {
	for _, k := range auth.Keys() {
		if p := checkSetting(k, auth.Setting(&a, k.Name)); p.is() {
			p.key = k.Name
			return p
		}
	}
	preset, _ := oauth.LookupProvider(a.Provider)
	if a.Issuer == "" && preset.Issuer == "" && (a.AuthorizationEndpoint == "" || a.TokenEndpoint == "") &&
		(preset.AuthorizationEndpoint == "" || preset.TokenEndpoint == "") {
		return problem{"issuer", auth.Say("no_server", a.Name), auth.Say("hint_no_server")}
	}
	if a.ClientID == "" {
		return problem{"client_id", auth.Say("no_client_id", a.Name), auth.Say("hint_client_id")}
	}
	return problem{}
}

// checks are for settings whose kind alone does not say what is right. Each
// takes one text, or one item of a list, that is not empty.
var checks = map[string]func(string) problem{
	"provider":    checkProvider,
	"redirect":    checkRedirect,
	"proxy":       checkProxy,
	"resource":    checkResource,
	"dead_codes":  checkCode,
	"hosts":       checkHost,
	"directories": checkDirectory,
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
		shown, user := hideUser(value)
		switch {
		case user && (slices.Contains([]string{"URL", "HOST"}, k.Arg) || k.Arg == "URI" && strings.Contains(value, "://")): // urn:a@b has none
			p = problem{k.Name, auth.Say("url_user", k.Name, shown), auth.Text{}}
		case len(value) > 4096 || auth.Clip(value, 4096) != value && k.Name != "scope_separator":
			return problem{message: auth.Say("bad_characters", k.Name), hint: auth.Say("hint_copied_whole")}
		case check != nil:
			p = check(value)
		case k.Kind == auth.KeyURL:
			p = checkServerURL(k.Name, value)
		case k.Kind == auth.KeyChoice && !slices.Contains(k.Options, value):
			p = problem{message: auth.Say("cannot_be", k.Name, value), hint: auth.Say("known_are", strings.Join(quoted(k.Options), ", "))}
		case k.Kind == auth.KeySpan:
			if _, err := auth.ParseSpan(value); err != nil {
				p = problem{message: auth.Say("at", k.Name, err)}
			}
		case k.Kind == auth.KeyFile && !filepath.IsAbs(value):
			p = problem{message: auth.Say("not_absolute", k.Name, value), hint: auth.Say("hint_absolute")}
		case k.Kind == auth.KeyScopes && (value == "" || !isWord(value)): // RFC 6749 section 3.3
			p = problem{message: auth.Say("bad_scope", value), hint: auth.Say("hint_scope")}
		case k.Kind == auth.KeyText && strings.ContainsFunc(value, func(r rune) bool { return r > '~' }) && k.Name != "login_hint":
			p = problem{message: auth.Say("bad_characters", k.Name), hint: auth.Say("hint_copied_whole")}
		case value == "":
			p = problem{message: auth.Say("empty_item", k.Name)}
		}
		if p.is() {
			return p
		}
	}
	return problem{}
}

// hideUser takes the user name and the password out of an address, so that no
// message has them, and reports whether there were any.
func hideUser(value string) (shown string, user bool) {
	scheme, rest, found := strings.Cut(value, "://")
	if scheme += "://"; !found { // forgotten, or in a name of a host
		scheme, rest = "", value
	}
	host := rest[:strings.IndexAny(rest+"/", "/?#")]
	at := strings.LastIndexByte(host, '@')
	if at < 0 {
		return value, false
	}
	return scheme + "…" + rest[at:], true
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
		return problem{message: auth.Say("provider_unavailable", p.Title, p.Unavailable), hint: auth.Say("hint_providers_name", name)}
	}
	return problem{message: auth.Say("provider_unknown", name), hint: auth.Say("hint_providers_list")}
}

// ownParameters are those of the authorization request that Curfew fills in
// itself. Changing them would break the sign-in, or make it unsafe.
var ownParameters = []string{"client_id", "client_secret", "response_type", "response_mode", "redirect_uri", "state", "nonce", "code_challenge", "code_challenge_method", "scope", "request", "request_uri"}

func checkParameters(key string, parameters map[string]string) problem {
	for name, value := range parameters {
		switch {
		case !isWord(name) || auth.Clip(value, 2048) != value:
			return problem{message: auth.Say("bad_parameter", key, name)}
		case slices.Contains(ownParameters, name):
			return problem{message: auth.Say("own_parameter", key, name), hint: auth.Say("hint_leave_out")}
		}
	}
	return problem{}
}

// checkServerURL accepts https, and http to this very machine. RFC 8252 section
// 8.3 gives the reason: a name could resolve elsewhere.
func checkServerURL(key, value string) problem {
	u, err := url.Parse(value)
	switch {
	case err == nil && u.Host != "" && strings.ContainsFunc(u.Host, func(r rune) bool { return r > '~' }):
		return problem{key, auth.Say("url_bad", key, value), auth.Say("hint_ascii_host")}
	case err != nil || u.Host == "" || !isWord(value):
		return problem{key, auth.Say("url_bad", key, value), auth.Say("hint_url")}
	case u.User != nil || u.Fragment != "":
		return problem{key, auth.Say("url_user", key, u.Redacted()), auth.Text{}}
	case u.Scheme == "https":
		return problem{}
	case u.Scheme == "http" && isLoopbackIP(u.Hostname()):
		return problem{}
	case u.Scheme == "http":
		return problem{key, auth.Say("url_plain", key, value), auth.Say("hint_https")}
	default:
		return problem{key, auth.Say("url_not_web", key, value), auth.Say("hint_url")}
	}
}

// checkRedirect: where the browser comes back to is this machine.
func checkRedirect(value string) problem {
	hint := auth.Say("hint_redirect")
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Scheme != "http" || !(isLoopbackIP(u.Hostname()) || u.Hostname() == "localhost"):
		return problem{"redirect", auth.Say("redirect_elsewhere", value), hint}
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || !isWord(value):
		return problem{"redirect", auth.Say("redirect_more", u.Redacted()), hint}
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return problem{"redirect", auth.Say("redirect_port", value), hint}
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
	return problem{message: auth.Say("bad_proxy", auth.Clip(value, 100)), hint: auth.Say("hint_proxy")}
}

// checkResource: RFC 8707 section 2.
func checkResource(value string) problem {
	if u, err := url.Parse(value); err == nil && u.IsAbs() && !strings.Contains(value, "#") && isWord(value) {
		return problem{}
	}
	return problem{message: auth.Say("bad_resource", value), hint: auth.Say("hint_resource")}
}

func checkCode(value string) problem {
	if isWord(value) {
		return problem{}
	}
	return problem{message: auth.Say("bad_code", value), hint: auth.Say("hint_code")}
}

func checkDirectory(value string) problem {
	if filepath.IsAbs(value) {
		return problem{}
	}
	return problem{message: auth.Say("not_absolute", "directories", value), hint: auth.Say("hint_absolute")}
}

func checkHost(value string) problem {
	if u, err := url.Parse("https://" + value); err == nil && u.Host == value && u.Hostname() != "" && isWord(value) {
		return problem{}
	}
	return problem{message: auth.Say("bad_host", value), hint: auth.Say("hint_host")}
}
