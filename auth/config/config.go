// Package config reads, checks and changes config.toml.
//
// Its one hard idea: the file belongs to the person who wrote it. A key that
// Curfew does not know is an error that names file, line and key, so that a
// typo never silently means the default. A change made here leaves comments
// and everything else as it was. Limits can only be tightened.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/pelletier/go-toml/v2"

	"curfew/auth"
	"curfew/auth/oauth"
)

// Settings is what config.toml says.
type Settings struct {
	auth.General
	Accounts []auth.Account // by name
}

// maxConfig is the largest config.toml that is read, in bytes.
const maxConfig = 1 << 20

// Load reads config.toml. A file that does not exist has no accounts
// and the built-in limits. What is wrong in it gives an [*Error] that names
// file and line.
func Load(path string) (Settings, error) {
	b, err := readConfig(path)
	if err != nil {
		return Settings{}, err
	}
	return parseSettings(path, b)
}

func readConfig(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxConfig {
		return nil, &auth.Error{Kind: auth.KindBadRequest, Message: path + " is larger than 1 MB", Hint: "it should hold a few lines for each account"}
	}
	return b, nil
}

// settingsFile is the shape of config.toml.
type settingsFile struct {
	Limits struct {
		MaxAge       *string `toml:"max_age"`
		MaxRefreshes *int    `toml:"max_refreshes"`
		MaxIdle      *string `toml:"max_idle"`
	} `toml:"limits"`
	Desktop struct {
		Warnings *string `toml:"warnings"`
	} `toml:"desktop"`
	Account map[string]auth.Account `toml:"account"`
}

// parseSettings reads the text of the file called path.
func parseSettings(path string, text []byte) (Settings, error) {
	var f settingsFile
	d := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return Settings{}, syntaxError(path, text, err)
	}
	places := outline(text)
	at := func(p problem, key ...string) error {
		where := path
		if line := places.line(append(key, p.key)...); line > 0 {
			where += ":" + strconv.Itoa(line)
		}
		return &auth.Error{Kind: auth.KindBadRequest, Message: where + ": " + p.message, Hint: p.hint}
	}

	s := Settings{General: auth.General{Limits: auth.BuiltIn, Warnings: auth.WarnAll}}
	if p := tighten(&s.Limits, f); p.message != "" {
		return Settings{}, at(p, "limits")
	}
	if w := f.Desktop.Warnings; w != nil {
		s.Warnings = auth.WarningLevel(*w)
		if p := checkWarnings(s.Warnings); p.message != "" {
			return Settings{}, at(p, "desktop")
		}
	}
	for name, a := range f.Account {
		if err := auth.CheckName(name); err != nil {
			e, _ := errors.AsType[*auth.Error](err)
			return Settings{}, at(problem{message: e.Message, hint: e.Hint}, "account", name)
		}
		a.Name = name
		if p := checkAccount(a); p.message != "" {
			return Settings{}, at(p, "account", name)
		}
		s.Accounts = append(s.Accounts, a)
	}
	slices.SortFunc(s.Accounts, func(a, b auth.Account) int { return strings.Compare(a.Name, b.Name) })
	return s, nil
}

// syntaxError says where the decoder stumbled.
func syntaxError(path string, text []byte, err error) error {
	if missing, ok := errors.AsType[*toml.StrictMissingError](err); ok {
		e := missing.Errors[0]
		line, _ := e.Position()
		key := e.Key()
		return &auth.Error{
			Kind:    auth.KindBadRequest,
			Message: fmt.Sprintf("%s:%d: there is no setting %q", path, line, strings.Join(key, ".")),
			Hint:    didYouMean(knownKeys(key)),
		}
	}
	if e, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, column := e.Position()
		if key := outline(text).keyAt(line); len(key) > 0 && strings.Contains(e.Error(), "cannot decode TOML") { // the decoder's words are about Go's types
			return &auth.Error{
				Kind:    auth.KindBadRequest,
				Message: fmt.Sprintf("%s:%d: %s has a value of the wrong kind", path, line, strings.Join(key, ".")),
				Hint:    `texts and time spans stand in quotes, like "14d"; numbers do not; lists stand in [ ]`,
			}
		}
		if key, lacks := lacksQuotes(text, line); lacks {
			return &auth.Error{
				Kind:    auth.KindBadRequest,
				Message: fmt.Sprintf("%s:%d: the value of %s lacks a quote", path, line, key),
				Hint:    `a text stands between two straight quotes, like "https://id.example.com"; of a list, each text does`,
			}
		}
		return &auth.Error{
			Kind:    auth.KindBadRequest,
			Message: fmt.Sprintf("%s:%d:%d: %s", path, line, column, decoderWords(e)),
			Hint:    "mend that line, then try again",
		}
	}
	return &auth.Error{Kind: auth.KindBadRequest, Message: path + ": " + decoderWords(err)}
}

// lacksQuotes reports whether what cannot be read in a line is a text without
// its quotes, or without one of them, and of which key. The decoder takes such
// a text for a number.
func lacksQuotes(text []byte, line int) (key string, lacks bool) {
	lines := bytes.Split(text, []byte("\n"))
	if line < 1 || line > len(lines) || readable(lines[line-1]) {
		return "", false
	}
	name, value, _ := strings.Cut(string(lines[line-1]), "=")
	key, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if value == "" || !isText(key) {
		return "", false
	}
	switch quote := value[:1]; quote {
	case "{":
		return "", false
	case "[":
		return key, !strings.ContainsAny(value, `"'`) && strings.ContainsFunc(value, unicode.IsLetter)
	case `"`, "'":
		return key, strings.Count(value, quote) == 1
	}
	return key, true
}

// isText reports whether some table has a setting called key that is a text or
// a list of texts.
func isText(key string) bool {
	var file settingsFile
	for _, table := range []any{file.Limits, file.Desktop, auth.Account{}} {
		for field := range reflect.TypeOf(table).Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("toml"), ",")
			of := field.Type
			if of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
				of = of.Elem()
			}
			if name == key && of.Kind() == reflect.String {
				return true
			}
		}
	}
	return false
}

// decoderWords is the decoder's message on one line: it may quote the file.
func decoderWords(err error) string {
	return auth.Clip(strings.TrimPrefix(err.Error(), "toml: "), 500)
}

// knownKeys returns the part of the path that is not known, and what could
// stand there.
func knownKeys(key []string) (unknown string, known []string) {
	top := reflect.TypeFor[settingsFile]()
	switch {
	case key[0] == "account" && len(key) > 2:
		return key[2], tags(reflect.TypeFor[auth.Account]())
	case key[0] == "limits" && len(key) > 1:
		f, _ := top.FieldByName("Limits")
		return key[1], tags(f.Type)
	case key[0] == "desktop" && len(key) > 1:
		f, _ := top.FieldByName("Desktop")
		return key[1], tags(f.Type)
	default:
		return key[0], tags(top)
	}
}

func tags(t reflect.Type) []string {
	var names []string
	for field := range t.Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("toml"), ","); name != "-" {
			names = append(names, name)
		}
	}
	return names
}

// didYouMean returns a hint: the known word nearest to word, or all of them.
func didYouMean(word string, known []string) string {
	best, least := "", 3 // more than two edits are another word
	for _, k := range known {
		if d := distance(word, k); d < least {
			best, least = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "known are: " + strings.Join(known, ", ")
}

// distance counts the edits from a to b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// A problem is what is wrong with one key; no message means nothing is.
type problem struct{ key, message, hint string }

// tighten applies the [limits] table, which can only tighten.
func tighten(l *auth.Limits, f settingsFile) problem {
	if text := f.Limits.MaxAge; text != nil {
		d, err := auth.ParseSpan(*text)
		if err != nil {
			return problem{"max_age", "max_age: " + err.Error(), ""}
		}
		l.MaxAge = d
	}
	if text := f.Limits.MaxIdle; text != nil {
		d, err := auth.ParseSpan(*text)
		if err != nil {
			return problem{"max_idle", "max_idle: " + err.Error(), ""}
		}
		l.MaxIdle = d // off by default: any value tightens
	}
	if n := f.Limits.MaxRefreshes; n != nil {
		l.MaxRefreshes = *n
	}
	return checkLimits(*l)
}

// checkLimits: what is looser than the built-in limits is no limit.
func checkLimits(l auth.Limits) problem {
	switch {
	case l.MaxAge <= 0:
		return problem{"max_age", "max_age is not longer than nothing", ""}
	case l.MaxAge > auth.BuiltIn.MaxAge:
		return problem{"max_age", fmt.Sprintf("max_age = %q is looser than the built-in %s", auth.FormatSpan(l.MaxAge), formatDays(auth.BuiltIn.MaxAge)), "limits can only be tightened: leave it out, or make it shorter"}
	case l.MaxRefreshes < 1:
		return problem{"max_refreshes", fmt.Sprintf("max_refreshes = %d is less than 1", l.MaxRefreshes), `for no background refresh, set refresh = "on-demand" in the account`}
	case l.MaxRefreshes > auth.BuiltIn.MaxRefreshes:
		return problem{"max_refreshes", fmt.Sprintf("max_refreshes = %d is looser than the built-in %d", l.MaxRefreshes, auth.BuiltIn.MaxRefreshes), "limits can only be tightened: leave it out, or make it smaller"}
	case l.MaxIdle < 0:
		return problem{"max_idle", "max_idle is less than nothing", "leave it out to have no such limit"}
	}
	return problem{}
}

func checkWarnings(w auth.WarningLevel) problem {
	levels := []string{string(auth.WarnAll), string(auth.WarnFew), string(auth.WarnOff)}
	if slices.Contains(levels, string(w)) {
		return problem{}
	}
	return problem{"warnings", fmt.Sprintf("warnings cannot be %q", w), didYouMean(string(w), levels)}
}

// CheckGeneral says what is wrong with g, with an [*Error]; a limit that is
// looser than the built-in one is.
func CheckGeneral(g auth.General) error {
	p := checkLimits(g.Limits)
	if p.message == "" {
		p = checkWarnings(g.Warnings)
	}
	if p.message != "" {
		return &auth.Error{Kind: auth.KindBadRequest, Message: p.message, Hint: p.hint}
	}
	return nil
}

// formatDays writes whole days as [ParseSpan] reads them.
func formatDays(d time.Duration) string { return strconv.Itoa(int(d.Hours()/24)) + "d" }

// CheckAccount says what is wrong with an account's configuration, with an
// [*Error]. It makes no request.
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
	var preset oauth.Provider
	if a.Provider != "" {
		var known []string
		for _, p := range oauth.Providers() {
			known = append(known, p.Name)
			if p.Name == a.Provider {
				preset = p
			}
		}
		if preset.Name == "" {
			return problem{"provider", fmt.Sprintf("there is no provider %q", a.Provider), didYouMean(a.Provider, known)}
		}
	}
	if a.Issuer == "" && preset.Issuer == "" && (a.AuthorizationEndpoint == "" || a.TokenEndpoint == "") &&
		(preset.AuthorizationEndpoint == "" || preset.TokenEndpoint == "") {
		return problem{"", fmt.Sprintf("account %q does not say where to sign in", a.Name), "give a provider, an issuer, or authorization_endpoint and token_endpoint"}
	}
	for _, u := range []struct{ key, value string }{
		{"issuer", a.Issuer},
		{"authorization_endpoint", a.AuthorizationEndpoint},
		{"token_endpoint", a.TokenEndpoint},
		{"revocation_endpoint", a.RevocationEndpoint},
	} {
		if p := checkServerURL(u.key, u.value); p.message != "" {
			return p
		}
	}
	if a.ClientID == "" {
		return problem{"client_id", fmt.Sprintf("account %q has no client_id", a.Name), "the provider gives you one when you register a native (desktop) app"}
	}
	if !printable(a.ClientID) || len(a.ClientID) > 512 {
		return problem{"client_id", "client_id has characters that no client id has", ""}
	}
	for _, s := range a.Scopes {
		// RFC 6749 section 3.3: scope-token.
		if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
			return problem{"scopes", fmt.Sprintf("%q is not a scope", s), "one scope is one word; write several as several"}
		}
	}
	if p := checkRedirect(a.Redirect); p.message != "" {
		return p
	}
	switch modes := []string{string(auth.InUse), string(auth.Always), string(auth.OnDemand)}; {
	case a.Refresh != "" && !slices.Contains(modes, string(a.Refresh)):
		return problem{"refresh", fmt.Sprintf("there is no refresh mode %q", a.Refresh), didYouMean(string(a.Refresh), modes)}
	}
	return problem{}
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// checkServerURL: https, or http to this very machine (RFC 8252 section 8.3
// gives the reason: no name that could resolve elsewhere).
func checkServerURL(key, value string) problem {
	if value == "" {
		return problem{}
	}
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Host == "" || !printable(value) || strings.Contains(value, " "):
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
	if value == "" {
		return problem{}
	}
	hint := "the default is http://127.0.0.1/callback; a port is added when it has none"
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Scheme != "http" || !(isLoopbackIP(u.Hostname()) || u.Hostname() == "localhost"):
		return problem{"redirect", fmt.Sprintf("redirect %q does not lead to this machine", value), hint}
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || !printable(value):
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
