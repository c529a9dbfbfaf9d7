package status

import (
	"cmp"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"curfew/auth"
)

// This file reads what a person types into a form, and says what is wrong with it.

// NameComplaint says what is wrong with the name of a new account; "" is nothing.
func NameComplaint(name string, taken bool) string {
	switch {
	case name == "":
		return Tr("Give the account a name.")
	case taken:
		return Tr("There is an account of this name already. Choose another one.")
	case auth.CheckName(name) != nil:
		return Tr("Use at most 64 letters, digits, dashes, underscores and dots, a letter or digit first.")
	}
	return ""
}

// ClientIDComplaint says how a client_id breaks RFC 6749 appendix A.1.
func ClientIDComplaint(id string) string {
	switch {
	case id == "":
		return Tr("The provider gave you a client ID; paste it here.")
	case strings.ContainsFunc(id, func(r rune) bool { return r <= 0x20 || r > 0x7e }):
		return Tr("A client ID has no spaces and no special characters. Was it copied whole?")
	}
	return ""
}

// SettingComplaint says what is wrong with the text of a setting of an account, as
// far as that can be known without its server; "" is nothing.
func SettingComplaint(k auth.Key, text string) string {
	var a auth.Account
	err := auth.SetSetting(&a, k.Name, text)
	switch {
	case k.Name == "client_id":
		return ClientIDComplaint(text)
	case text == "":
	case err != nil:
		return sentence(err.Error())
	case k.Kind == auth.KeyURL:
		u, err := url.Parse(text)
		if err == nil && u.Scheme == "http" { // for a server on this computer
			if ip := net.ParseIP(u.Hostname()); ip.IsLoopback() {
				return ""
			}
		}
		if err != nil || u.Scheme != "https" || u.Host == "" {
			return Tr("Enter a web address that starts with https://.")
		}
	case k.Kind == auth.KeySpan:
		if _, err := auth.ParseSpan(text); err != nil {
			return Tr("A time span, for example 45m, 8h or 30d.")
		}
	}
	return ""
}

// Address returns the web address that was typed, and its host. One without a
// scheme is https.
func Address(typed string) (address, host string) {
	typed = strings.TrimSpace(typed)
	if !strings.Contains(typed, "://") && strings.Contains(typed, ".") {
		typed = "https://" + typed
	}
	if u, err := url.Parse(typed); err == nil && u.Host != "" && !strings.ContainsAny(typed, " \t") {
		return typed, u.Host
	}
	return "", ""
}

// Fits reports whether o is what was searched for: by a part of its name, or by
// the address of a server whose host has it.
func Fits(o auth.Provider, typed string) bool {
	if _, host := Address(typed); host != "" {
		return strings.Contains(host, o.Name) || strings.Contains(o.RegisterURL, host) || o.IssuerExample == host
	}
	typed = strings.ToLower(strings.TrimSpace(typed))
	return (o.Unavailable == "" || typed != "") && strings.Contains(strings.ToLower(o.Name+" "+o.Title), typed)
}

// Scopes says in words what tokens may be used for. The scopes of OpenID
// Connect mean the same everywhere; others are shown as they are.
func Scopes(scopes, usual []string) string {
	if len(scopes) == 0 {
		scopes = usual
	}
	known := map[string]string{"openid": Tr("know who you are"), "profile": Tr("read your name"), "email": Tr("read your e-mail address"), "offline_access": Tr("stay signed in")}
	var words []string
	for _, s := range scopes {
		words = append(words, cmp.Or(known[s], s))
	}
	return cmp.Or(strings.Join(words, ", "), Tr("do what the registered app may"))
}

// ExecLine is a command that gives a tool an access token of an account, to copy.
func ExecLine(account string) string {
	return "curfew exec " + account + " -- curl -H @{header_file} URL"
}

// DaysTyped says a span as a number of days, or as config.toml does when it is
// none; nothing for none.
func DaysTyped(d time.Duration) string {
	switch {
	case d == 0:
		return ""
	case d%day == 0:
		return strconv.Itoa(int(d / day))
	}
	return auth.FormatSpan(d)
}

// readDays reads what DaysTyped says.
func readDays(text string) (time.Duration, bool) {
	if n, err := strconv.ParseUint(text, 10, 16); err == nil {
		return time.Duration(n) * day, n > 0
	}
	d, err := auth.ParseSpan(text)
	return d, err == nil
}

// ReadLimits returns the limits that were typed, and what is wrong with each.
func ReadLimits(typedAge, typedRefreshes, typedIdle string) (limits auth.Limits, age, refreshes, idle string) {
	limits = auth.BuiltIn
	span := Tr("A number of days, for example 14; or hours, for example 36h.")
	var ok bool
	if limits.MaxAge, ok = readDays(strings.TrimSpace(typedAge)); !ok {
		age = span
	} else if limits.MaxAge > auth.BuiltIn.MaxAge {
		age = Tr("No session lives longer than %d days.", int(auth.BuiltIn.MaxAge/day))
	}
	n, err := strconv.Atoi(strings.TrimSpace(typedRefreshes))
	switch limits.MaxRefreshes = n; {
	case err != nil || n < 1:
		refreshes = Tr("A number from 1 to %d. For no refreshes in the background, choose “On demand” above.", auth.BuiltIn.MaxRefreshes)
	case n > auth.BuiltIn.MaxRefreshes:
		refreshes = Tr("No session has more than %d refreshes.", auth.BuiltIn.MaxRefreshes)
	}
	if text := strings.TrimSpace(typedIdle); text != "" {
		if limits.MaxIdle, ok = readDays(text); !ok {
			idle = span
		}
	}
	return limits, age, refreshes, idle
}

// Monogram returns two letters that stand for what is called title, and a number
// that chooses its colour.
func Monogram(title string) (letters string, sum int) {
	two := []rune(title)[:min(2, len([]rune(title)))]
	for i, r := range []rune(title) {
		if sum += int(r); i > 0 && unicode.IsUpper(r) && unicode.IsUpper(two[0]) && unicode.IsLower(two[1]) {
			two[1] = r
		}
	}
	return string(two), sum
}

// Costs returns what each refresh mode would cost by a forecast, if it can be
// known, and what that is made from, or why it is not known. err is the
// forecast's.
func Costs(report auth.ForecastReport, err error) (costs map[auth.Mode]auth.ModeForecast, why string) {
	e, _ := errors.AsType[*auth.Error](err)
	switch {
	case err == nil && report.HistoryDays*24 >= 1: // from less use than this nothing can be told
		return report.Modes, Translate(report.NoteText())
	case err == nil, e != nil && e.Kind == auth.KindSignInNeeded:
		return nil, Tr("What each would cost shows here once the account is signed in and programs have asked for tokens for an hour.")
	}
	return nil, Explain(err).Message
}
